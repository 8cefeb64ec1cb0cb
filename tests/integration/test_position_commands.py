"""What alerts ask of positions, as the webhook takes it: with a venue it becomes an instruction or an order."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orderhook.aws.doorbell import LOOK
from orderhook.bridge_messages import InstructionReport
from orderhook.conditions import Conditions, MarketSide
from orderhook.instructions import Instruction
from orderhook.orders import Order, Template, decimal_text, timestamp
from orderhook.store import items
from orderhook.store.table import serialize
from orderhook.venues import TABLE
from tests.builders import ENTRY, provenance
from tests.client_faults import in_writes
from tests.faults import lose_response, no_fault, run_before
from tests.integration.test_requests import READ, SEND
from tests.service import Service

PAIR: dict[str, object] = {"account": "Sim101", "instrument": "ES 12-26"}
BRACKET: dict[str, object] = {**PAIR, "action": "BUY", "qty": 2, "take_profit": 5020, "stop_loss": 4980}
TRANSACT = "TransactWriteItems"
SHORT: tuple[MarketSide, ...] = ("short",)

FIELDS: dict[str, dict[str, object]] = {
    "CLOSEPOSITION": PAIR,
    "FLATTEN": {"account": "Sim101"},
    "FLATTENEVERYTHING": {},
    "CANCELANDBRACKET": BRACKET,
    "REVERSE": PAIR,
    "FLATPLACE": dict(ENTRY),
    "REVERSEPOSITION": dict(ENTRY),
}
CLOSING = ("CLOSEPOSITION", "FLATTEN", "FLATTENEVERYTHING", "CANCELANDBRACKET")
OPENING = ("REVERSE", "FLATPLACE", "REVERSEPOSITION")
ORDERS = ("FLATPLACE", "REVERSEPOSITION")

every = pytest.mark.parametrize("command", FIELDS)
closing = pytest.mark.parametrize("command", CLOSING)
opening = pytest.mark.parametrize("command", OPENING)


@pytest.fixture(autouse=True)
def venue(service: Service) -> None:
    service.use_venue()


def send(service: Service, command: str, **fields: object) -> Any:
    return service.send(command, **{**FIELDS[command], **fields})


def asked(service: Service) -> list[Instruction]:
    """Return the instructions that are not done yet."""
    return list(service.services.instructions.open(service.trader))


def the_one(service: Service) -> Instruction:
    [instruction] = asked(service)
    return instruction


def finish(service: Service, instruction: Instruction) -> None:
    """Have the bridge report that it has carried out an instruction."""
    said = InstructionReport(instruction.instruction_id, 1, timestamp(service.queue.now), "done")
    assert service.services.instructions.report(provenance(service.trader, "report"), said)[1]


def written(service: Service) -> list[Instruction | Order]:
    """Return what is asked of the venue: instructions and orders."""
    return [*asked(service), *(order for order in service.placed() if order.is_open)]


# What is written


def test_a_close_is_an_instruction_under_its_requests_id_and_rings(service: Service) -> None:
    service.warm_up()
    service.queue.rings.clear()
    answer = send(service, "CLOSEPOSITION", notes="out", require_market_position="long/short")
    assert (answer.status, answer.word) == (200, "accepted")
    assert answer.body["instruction_id"] == answer.request_id
    assert service.network.operations == [TRANSACT, SEND]
    assert [ring.body for ring in service.queue.rings] == [LOOK]
    instruction = the_one(service)
    assert instruction == Instruction(
        answer.request_id,
        "CLOSEPOSITION",
        instruction.received_at,
        "ninjatrader",
        "Sim101",
        "ES 12-26",
        conditions=Conditions(require_market_position=("long", "short")),
        notes="out",
        asked_at=instruction.asked_at,
        record_id=answer.request_id,
    )


@pytest.mark.parametrize(
    ("command", "fields", "expected"),
    [
        ("CLOSEPOSITION", {"qty": 2}, {"qty": 2}),
        ("CLOSEPOSITION", {"percent": "0.50"}, {"percent": "0.5"}),
        ("FLATTEN", {"account": None}, {"account": None, "instrument": None, "market_position": None}),
        ("FLATTEN", {"market_position": "LONG"}, {"account": "Sim101", "market_position": "long"}),
        ("FLATTENEVERYTHING", {}, {"account": None, "instrument": None}),
        ("CANCELANDBRACKET", {"action": "long"}, {"action": "BUY", "qty": 2, "take_profit": "5020"}),
        ("CANCELANDBRACKET", {"action": "sell", "take_profit": None}, {"action": "SELL", "stop_loss": "4980"}),
        ("CANCELANDBRACKET", {"take_profit": "+10 ticks", "stop_loss": "-0.5%"}, {"take_profit": "+10 ticks"}),
        ("CLOSEPOSITION", {"instrument": "ES1!"}, {"root": "ES"}),
        ("CLOSEPOSITION", {"require_market_position": "false"}, {"conditions": Conditions()}),
        ("REVERSE", {"require_market_position": "short"}, {"conditions": Conditions(require_market_position=SHORT)}),
        ("REVERSE", {"instrument": "ES1!"}, {"root": None}),
    ],
)
def test_an_instruction_has_what_its_alert_says(
    service: Service, command: str, fields: dict[str, object], expected: dict[str, object]
) -> None:
    assert send(service, command, **fields).word == "accepted"
    instruction = the_one(service)
    assert {name: _text(getattr(instruction, name)) for name in expected} == {
        name: _text(value) for name, value in expected.items()
    }


def _text(value: object) -> str | None:
    if isinstance(value, Decimal):
        return decimal_text(value)  # the table keeps no zeros at the end
    return None if value is None else str(value)


@pytest.mark.parametrize(
    ("command", "fields", "error", "field"),
    [
        ("CLOSEPOSITION", {"qty": 1, "percent": "0.5"}, "invalid_value", "percent"),
        ("CLOSEPOSITION", {"percent": "50"}, "invalid_value", "percent"),
        ("CLOSEPOSITION", {"percent": "0"}, "invalid_value", "percent"),
        ("CLOSEPOSITION", {"qty": ""}, "missing_field", "qty"),
        ("CLOSEPOSITION", {"instrument": None}, "missing_field", "instrument"),
        *(
            ("CLOSEPOSITION", {name: value}, "invalid_value", name)
            for name, value in (
                ("market_position", "long"),
                ("market_position", "{{strategy.market_position}}"),
                ("market_position", ""),
                ("action", "SELL"),
                ("strategy_id", "s"),
                ("order_id", "a"),
                ("order_type", "LIMIT"),
                ("limit_price", 5000),
                ("stop_price", "5000"),
            )
        ),
        ("REVERSE", {"market_position": "long"}, "invalid_value", "market_position"),
        ("REVERSE", {"strategy_id": "s"}, "invalid_value", "strategy_id"),
        ("REVERSE", {"action": "SELL"}, "unsupported_value", "action"),
        *(
            ("CANCELANDBRACKET", {name: "long"}, "invalid_value", name)
            for name in ("market_position", "strategy_id", "order_id")
        ),
        ("FLATTEN", {"instrument": ""}, "missing_field", "instrument"),
        ("FLATTEN", {"market_position": "flat"}, "invalid_value", "market_position"),
        ("FLATTEN", {"qty": 1}, "invalid_value", "qty"),
        ("FLATTEN", {"strategy_id": "s"}, "invalid_value", "strategy_id"),
        ("FLATTEN", {"require_market_position": "long"}, "missing_field", "instrument"),
        ("FLATTENEVERYTHING", {"account": "Sim101"}, "invalid_value", "account"),
        ("FLATTENEVERYTHING", {"market_position": "long"}, "invalid_value", "market_position"),
        ("CANCELANDBRACKET", {"take_profit": None, "stop_loss": None}, "missing_field", "stop_loss"),
        ("CANCELANDBRACKET", {"stop_loss": 5030}, "invalid_value", "take_profit"),
        ("CANCELANDBRACKET", {"action": "SELL"}, "invalid_value", "take_profit"),
        ("CANCELANDBRACKET", {"stop_loss_limit": 4970}, "invalid_value", "stop_loss_limit"),
        ("CANCELANDBRACKET", {"stop_loss": None, "stop_loss_stop": 4970}, "missing_field", "stop_loss_limit"),
        (
            "CANCELANDBRACKET",
            {"stop_loss": None, "stop_loss_stop": 4980, "stop_loss_limit": "-10 ticks"},
            "invalid_value",
            "stop_loss_limit",
        ),
        ("CANCELANDBRACKET", {"stop_loss": "0"}, "invalid_value", "stop_loss"),
        ("CANCELANDBRACKET", {"action": "flat"}, "invalid_value", "action"),
        ("REVERSE", {"qty": 1}, "unsupported_value", "qty"),
        ("REVERSE", {"stop_loss": 4980}, "unsupported_value", "stop_loss"),
        ("FLATPLACE", {"flatten_first": "true"}, "unsupported_value", "flatten_first"),
        ("CLOSEPOSITION", {"notes": "half of it qty=1"}, "invalid_value", "notes"),
    ],
)
def test_what_an_alert_must_not_lose_is_refused(
    service: Service, command: str, fields: dict[str, object], error: str, field: str
) -> None:
    before = service.belongings()
    answer = send(service, command, **fields)
    assert (answer.word, answer.body.get("field")) == (error, field)
    assert service.belongings() == before


def test_what_a_close_does_anyway_may_be_said(service: Service) -> None:
    said = {"order_type": "market", "limit_price": 0, "stop_price": "0.00", "market_position": "off", "tif": "DAY"}
    answer = send(service, "CLOSEPOSITION", **said)
    assert answer.word == "accepted"
    assert {(it["code"], it["field"]) for it in answer.body["warnings"]} == {("ignored_field", name) for name in said}


@pytest.mark.parametrize("name", ["qty", "quantity", "percent", "market_position", "require_market_position"])
def test_a_part_of_a_strategy_is_not_closed_as_the_whole(service: Service, name: str) -> None:
    service.place("order-1", strategy_id="s")
    answer = service.send("CLOSESTRATEGY", strategy_id="s", **{name: 1})
    assert (answer.word, answer.body["field"]) == ("invalid_value", "qty" if name == "quantity" else name)
    assert service.state() == "Initialized"


def test_flatten_everything_cancels_every_order_too(service: Service) -> None:
    service.place("works")
    service.place("waits", delay=30)
    service.warm_up()
    answer = send(service, "FLATTENEVERYTHING")
    assert (answer.word, answer.body["instruction_id"]) == ("accepted", answer.request_id)
    assert (answer.body["cancel_pending"], answer.body["cancelled"]) == (["works"], ["waits"])
    assert the_one(service).command == "FLATTENEVERYTHING"
    assert service.record_of(answer).order_ids == ("waits", "works")
    # What is on its way into the table is not placed either.
    service.place("early", delay=0)
    assert service.controls.voided(service.trader, the_one(service).received_at)


@pytest.mark.parametrize(
    ("command", "conditions"),
    [
        ("FLATPLACE", Conditions(closes_first="position")),
        ("REVERSEPOSITION", Conditions(closes_first="orders_and_position", reverses=True)),
    ],
)
def test_an_order_after_a_close_carries_that_as_its_condition(
    service: Service, command: str, conditions: Conditions
) -> None:
    answer = send(service, command, order_id="turn", take_profit=5020, stop_loss=4980)
    assert (answer.word, answer.body["order_id"], answer.body["state"]) == ("accepted", "turn", "Initialized")
    assert answer.body["legs"] == {"TARGET1": "turn.TARGET1", "STOP1": "turn.STOP1"}
    order = service.order("turn")
    assert order is not None
    assert order.conditions == conditions
    assert (order.venue, order.want and order.want.kind) == ("ninjatrader", "place")
    assert not asked(service)


@pytest.mark.parametrize("command", ORDERS)
def test_an_order_after_a_close_keeps_it_through_its_delay(service: Service, command: str) -> None:
    assert send(service, command, order_id="turn", delay=5).word == "scheduled"
    service.pass_time(6)
    order = service.order("turn")
    assert order is not None
    assert (order.venue, order.conditions and order.conditions.reverses) == ("ninjatrader", command != "FLATPLACE")
    assert send(service, command, order_id="turn", delay=5).body["duplicate"] is True


def test_the_same_order_by_another_command_is_another_order(service: Service) -> None:
    send(service, "FLATPLACE", order_id="turn")
    assert service.place("turn").word == "duplicate_order_id"
    assert send(service, "REVERSEPOSITION", order_id="turn").word == "duplicate_order_id"
    again = send(service, "FLATPLACE", order_id="turn")
    assert (again.word, again.body["duplicate"]) == ("accepted", True)


def test_a_reverse_begins_in_time_or_not_at_all(service: Service) -> None:
    service.use_venue(service.venue._replace(too_late=timedelta(seconds=10)))
    send(service, "REVERSE")
    instruction = the_one(service)
    received = datetime.fromisoformat(instruction.received_at)
    assert instruction.not_after == timestamp(received + timedelta(seconds=10))


@closing
def test_what_closes_is_never_too_late(service: Service, command: str) -> None:
    send(service, command)
    assert the_one(service).not_after is None


# The same text again


@closing
def test_an_equal_alert_folds_into_one_that_is_not_done(service: Service, command: str) -> None:
    first = send(service, command)
    service.let_pass(2)
    service.queue.rings.clear()
    again = send(service, command)
    assert (again.word, again.body["duplicate"]) == ("accepted", True)
    assert again.body["instruction_id"] == first.request_id
    assert len(asked(service)) == 1
    assert [ring.body for ring in service.queue.rings] == [LOOK]


@closing
def test_an_equal_alert_is_carried_out_once_the_last_is_done(service: Service, command: str) -> None:
    send(service, command)
    finish(service, the_one(service))
    service.let_pass(2)
    again = send(service, command)
    assert ("duplicate" in again.body, the_one(service).instruction_id) == (False, again.request_id)


@closing
def test_an_equal_alert_after_a_minute_is_a_new_one(service: Service, command: str) -> None:
    send(service, command)
    service.let_pass(61)
    assert "duplicate" not in send(service, command).body
    assert len(asked(service)) == 2


@pytest.mark.parametrize("command", ["CLOSEPOSITION", "FLATTEN", "CANCELANDBRACKET"])
def test_an_alert_that_must_reach_a_later_order_does_not_fold(service: Service, command: str) -> None:
    send(service, command)
    service.let_pass(1)
    assert service.place("later").word == "placed"
    service.let_pass(1)
    assert "duplicate" not in send(service, command).body
    assert len(asked(service)) == 2
    service.let_pass(1)
    assert send(service, command).body["duplicate"] is True


def test_a_resend_of_a_conditional_cancel_is_answered_though_it_is_refused_now(service: Service) -> None:
    service.warm_up()
    fields = {**PAIR, "require_market_position": "flat", "key": service.issue_key(strict_kill_switch=True)}
    service.network.always = in_writes(lose_response)
    assert service.send("CANCELORDERS", **fields).status == 503
    service.network.always = no_fault
    service.turn("on")
    service.let_pass(5)
    assert service.send("CANCELORDERS", **fields).body.get("duplicate") is True
    assert service.send("CANCELORDERS", **fields, notes="another").word == "kill_switch_on"


@closing
def test_a_close_does_not_fold_into_one_that_this_version_cannot_read(service: Service, command: str) -> None:
    first = send(service, command)
    item = items.instruction_item(service.trader, the_one(service), first.request_id) | {
        "conditions": "of another form"
    }
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    service.let_pass(2)
    again = send(service, command)
    assert (again.word, again.body["instruction_id"]) == ("accepted", again.request_id)


@pytest.mark.parametrize("command", ["CLOSEPOSITION", "FLATTEN"])
def test_a_close_does_not_fold_where_an_order_that_came_since_is_filled(service: Service, command: str) -> None:
    send(service, command)
    service.let_pass(1)
    service.place("later", stop_loss=4980)
    service.report("Filled", 2, order_id="later")  # of the two reports this one comes first
    service.let_pass(1)
    assert "duplicate" not in send(service, command).body
    assert len(asked(service)) == 2


@opening
def test_an_equal_alert_that_opens_is_refused_for_a_minute(service: Service, command: str) -> None:
    first = send(service, command)
    service.let_pass(2)
    again = send(service, command)
    assert (again.status, again.word) == (409, "duplicate_alert")
    assert again.body["detail"].startswith(f"The same {command} for account Sim101 came in at ")
    assert len(written(service)) == 1
    for instruction in asked(service):
        finish(service, instruction)
    service.let_pass(50)
    assert send(service, command).word == "duplicate_alert"
    service.let_pass(9)
    assert send(service, command).word == "accepted"
    assert first.word == "accepted"


@every
def test_a_resend_is_accepted_and_asks_nothing_more(service: Service, command: str) -> None:
    service.warm_up()
    service.network.always = in_writes(lose_response)
    first = send(service, command)
    assert first.status == 503
    service.network.always = no_fault
    [instruction] = written(service)
    if isinstance(instruction, Instruction):
        finish(service, instruction)  # so that nothing folds
    service.let_pass(5)
    again = send(service, command)
    assert (again.word, again.body["duplicate"]) == ("accepted", True)
    assert again.body.get("instruction_id", again.body.get("order_id")) == first.request_id
    assert not asked(service)


@opening
def test_a_resend_of_what_was_done_is_answered_though_it_is_refused_now(service: Service, command: str) -> None:
    service.warm_up()
    service.network.always = in_writes(lose_response)
    assert send(service, command).status == 503
    service.network.always = no_fault
    service.turn("on")
    service.let_pass(5)
    assert send(service, command).body.get("duplicate") is True
    assert send(service, command, notes="another").word == "kill_switch_on"


@every
def test_our_own_write_sent_again_is_no_duplicate(service: Service, command: str) -> None:
    service.warm_up()
    service.network.inject(TRANSACT, lose_response)
    answer = send(service, command)
    assert (answer.word, answer.body.get("duplicate")) == ("accepted", None)
    assert len(written(service)) == 1


@every
def test_two_equal_alerts_that_meet_ask_once(service: Service, command: str) -> None:
    service.warm_up()
    others: list[Any] = []
    service.network.inject(TRANSACT, run_before(lambda: others.append(send(service, command))))
    answer = send(service, command)
    assert others[0].word == "accepted"
    assert (answer.word, answer.body.get("duplicate")) in [("duplicate_alert", None), ("accepted", True)]
    assert (answer.word == "accepted") is (command in CLOSING)
    assert len(written(service)) == 1


@pytest.mark.engine_only("moto keeps conditional writes apart by luck alone")
@every
def test_equal_alerts_that_race_ask_once(service: Service, command: str) -> None:
    service.warm_up()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: send(service, command), range(6)))
    assert len(written(service)) == 1
    assert {answer.word for answer in answers} <= {"accepted", "duplicate_alert", "temporarily_unavailable"}
    assert sum(answer.word == "accepted" and "duplicate" not in answer.body for answer in answers) <= 1


# Lists, delays, limits, controls


@every
def test_a_list_asks_for_each_account(service: Service, command: str) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    if command == "FLATTENEVERYTHING":
        return
    answer = send(service, command, account="Sim101,Sim102")
    assert (answer.status, answer.word) == (200, "accepted")
    ids = [result.get("instruction_id", result.get("order_id")) for result in answer.body["results"]]
    assert ids == [f"{answer.request_id}.1", f"{answer.request_id}.2"]
    assert sorted(str(it.account) for it in written(service)) == ["Sim101", "Sim102"]


@closing
def test_a_delayed_close_means_what_had_come_in_when_its_delay_was_over(service: Service, command: str) -> None:
    answer = send(service, command, delay=5)
    assert (answer.word, asked(service)) == ("scheduled", [])
    received = service.queue.now
    service.pass_time(6)
    instruction = the_one(service)
    assert instruction.instruction_id == answer.request_id
    assert received + timedelta(seconds=4) < datetime.fromisoformat(instruction.received_at)
    assert datetime.fromisoformat(instruction.received_at) < received + timedelta(seconds=6)


@opening
@pytest.mark.parametrize("void", ["kill switch", "CANCELALLORDERS", "FLATTENEVERYTHING"])
def test_what_opens_after_its_delay_is_void_by_a_control(service: Service, command: str, void: str) -> None:
    assert send(service, command, delay=5).word == "scheduled"
    service.let_pass(1)
    if void == "kill switch":
        service.turn("on")
        service.turn("off")
    else:
        service.send(void)
    for instruction in asked(service):
        finish(service, instruction)
    service.pass_time(6)
    assert written(service) == []


@opening
def test_two_equal_delayed_alerts_open_once(service: Service, command: str) -> None:
    assert send(service, command, delay=5).word == "scheduled"
    service.let_pass(1)
    assert send(service, command, delay=5).word in ("scheduled", "duplicate_alert")
    service.pass_time(7)
    assert len(written(service)) == 1


@pytest.mark.parametrize(("command", "passes"), [*((it, True) for it in CLOSING), *((it, False) for it in OPENING)])
def test_the_kill_switch_lets_pass_what_closes_alone(service: Service, command: str, *, passes: bool) -> None:
    strict = service.issue_key(strict_kill_switch=True)
    service.turn("on")
    assert send(service, command).word == ("accepted" if passes else "kill_switch_on")
    answer = send(service, command, key=strict)
    assert (answer.status, answer.word) == (423, "kill_switch_on")


@pytest.mark.parametrize(("command", "passes"), [*((it, True) for it in CLOSING), *((it, False) for it in OPENING)])
def test_what_closes_waits_for_a_bridge_that_is_away(service: Service, command: str, *, passes: bool) -> None:
    service.let_pass(120)
    answer = send(service, command)
    assert answer.word == ("accepted" if passes else "venue_offline")
    assert len(written(service)) == int(passes)


@opening
def test_what_opens_needs_an_account_that_the_bridge_has(service: Service, command: str) -> None:
    answer = send(service, command, account="Other")
    assert (answer.status, answer.word) == (403, "account_not_connected")
    assert written(service) == []


@opening
def test_nothing_opens_from_the_time_on_after_which_only_closes_pass(service: Service, command: str) -> None:
    window = {"start_time": "0:00", "end_time": "23:59", "closing_only_after": "0:01"}
    while send(service, command, **window).word != "outside_trade_window":
        service.let_pass(3600)  # it is the first or the last minute of the day there
    before = len(written(service))
    assert send(service, command, **window, notes="once more").word == "outside_trade_window"
    assert len(written(service)) == before


@opening
def test_what_opens_is_counted_by_its_rate_limit(service: Service, command: str) -> None:
    rate = {"rate_limit": "1/300", "id": "turns"}
    assert send(service, command, **rate).word == "accepted"
    answer = send(service, command, **rate, notes="another text")
    assert (answer.status, answer.word) == (429, "rate_limited")


@opening
def test_what_opens_counts_among_the_orders_of_its_key(service: Service, command: str) -> None:
    key = service.issue_key(max_orders_per_minute=1)
    assert send(service, command, key=key).word == "accepted"
    assert send(service, command, key=key, notes="another text").word == "rate_limited"
    assert service.send("CLOSEPOSITION", key=key, **PAIR).word == "accepted"


@pytest.mark.parametrize("delay", [0, 5])
@pytest.mark.parametrize("command", ORDERS)
@pytest.mark.parametrize("limited", [True, False])
def test_an_order_after_a_close_carries_the_months_that_its_key_reaches(
    service: Service, command: str, delay: int, *, limited: bool
) -> None:
    limits = ("ES1!", "NQ 12-26") if limited else ()
    key = service.issue_key(instruments=limits)
    send(service, command, key=key, order_id="turn", instrument="ES1!", delay=delay)
    service.pass_time(6)
    order = service.order("turn")
    assert order
    assert order.conditions
    assert (order.conditions.root, order.conditions.instruments) == ("ES", limits)


def test_an_order_of_a_continuous_contract_is_changed_like_any(service: Service) -> None:
    service.place("long", instrument="ES1!", order_type="LIMIT", limit_price=4990)
    assert service.send("CHANGE", order_id="long", limit_price=4980).word == "change_pending"
    order = service.order("long")
    assert order
    assert order.want
    assert (order.want.kind, order.conditions) == ("change", Conditions(root="ES"))


def test_a_limited_key_closes_what_it_reaches_and_no_more(service: Service) -> None:
    key = service.issue_key(accounts=("Sim101",), instruments=("ES 12-26",))
    assert service.send("CLOSEPOSITION", key=key, account="Sim102", instrument="ES 12-26").status == 403
    assert service.send("FLATTEN", key=key, account="Sim102").word == "command_not_allowed"
    assert service.send("FLATTEN", key=key).word == "accepted"
    instruction = the_one(service)
    assert (instruction.accounts, instruction.instruments) == (("Sim101",), ("ES 12-26",))


def test_flatten_everything_is_not_for_a_limited_key(service: Service) -> None:
    key = service.issue_key(max_qty=5)
    answer = send(service, "FLATTENEVERYTHING", key=key)
    assert (answer.status, answer.word, asked(service)) == (403, "command_not_allowed", [])


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("CLOSEPOSITION", "accepted"),
        ("CANCELANDBRACKET", "accepted"),
        ("REVERSE", "command_not_allowed"),
        ("FLATPLACE", "command_not_allowed"),
        ("REVERSEPOSITION", "command_not_allowed"),
    ],
)
def test_a_largest_quantity_holds_for_what_opens(service: Service, command: str, answer: str) -> None:
    key = service.issue_key(max_qty=1)
    assert send(service, command, key=key).word == answer


@every
def test_a_key_may_be_limited_to_the_command(service: Service, command: str) -> None:
    only = service.issue_key(scopes=frozenset({command}))
    other = service.issue_key(scopes=frozenset({"CANCEL"}))
    assert send(service, command, key=other).word == "command_not_allowed"
    assert send(service, command, key=only).word == "accepted"


# Without a venue


@every
def test_without_a_venue_it_is_refused_before_any_control(service: Service, command: str) -> None:
    service.turn("on")
    service.use_venue(TABLE)
    before = service.belongings()
    service.warm_up()
    answer = send(service, command, delay=5)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "unsupported_command", "command")
    assert "Venue=ninjatrader" in answer.body["detail"]
    assert (service.belongings(), service.network.operations) == (before, [])


# CLOSESTRATEGY


@pytest.fixture
def strategy(service: Service) -> str:
    assert service.place("order-1", strategy_id="s").word == "placed"
    service.answer_want("Working")
    service.warm_up()
    return "s"


def test_a_strategy_is_closed_with_its_position(service: Service, strategy: str) -> None:
    answer = service.send("CLOSESTRATEGY", strategy_id=strategy)
    assert (answer.word, answer.body["cancel_pending"]) == ("accepted", ["order-1"])
    instruction = the_one(service)
    assert instruction.instruction_id == answer.body["instruction_id"] == answer.request_id
    assert (instruction.command, instruction.strategy_id) == ("CLOSESTRATEGY", "s")
    assert (instruction.account, instruction.instrument) == ("Sim101", "ES 12-26")


def test_a_strategy_of_ninjatraders_own_is_closed_there(service: Service) -> None:
    assert service.templates.put(service.trader, Template("scalp", ninjatrader=True))
    service.place("order-1", strategy_id="s", strategy="scalp")
    answer = service.send("CLOSESTRATEGY", strategy_id="s")
    assert (answer.status, answer.word) == (200, "accepted")
    assert the_one(service).strategy_id == "s"


def test_a_resent_close_of_a_strategy_asks_what_the_first_may_not_have(service: Service, strategy: str) -> None:
    # The strategy is noted as closed, and the function ends before the instruction is written.
    service.network.inject("PutItem", *[lose_response] * 3)
    first = service.send("CLOSESTRATEGY", strategy_id=strategy)
    service.let_pass(5)
    again = service.send("CLOSESTRATEGY", strategy_id=strategy)
    assert (again.word, again.body["instruction_id"]) == ("accepted", first.request_id)
    assert the_one(service).instruction_id == first.request_id


def test_a_strategy_that_nobody_knows_asks_nothing(service: Service) -> None:
    assert service.send("CLOSESTRATEGY", strategy_id="unheard").word == "strategy_not_found"
    assert asked(service) == []


def test_the_requests_of_what_opens_are_a_look_and_a_write(service: Service) -> None:
    service.warm_up()
    send(service, "REVERSE")
    assert service.network.operations == [READ, TRANSACT, SEND]
