"""The kill switch and trade windows: what they stop, what they let pass, and in which order."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orderhook import commands, pipeline
from orderhook.errors import KillSwitchOnError, OutsideTradeWindowError, RateLimitedError
from orderhook.pipeline import Alert
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.table import deserialize
from tests.builders import ENTRY, alert, event, provenance, refused
from tests.faults import Fault, lose_request, lose_response, no_fault, refuse_connection, run_before, throttle
from tests.output import Answer
from tests.service import Service
from tests.trades import seen

LEGS: Mapping[str, object] = {"take_profit": 5020, "stop_loss": 4980}

UNDER_WAY = {
    "code": "kill_switch",
    "detail": "An alert that had passed the check before may still be written within 3 s: cancel again in 3 s.",
}
"""What the answer to `on` warns of."""

SINCE = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def switch(service: Service) -> dict[str, Any] | None:
    """Return the item of the kill switch as plain values."""
    item = service.get(items.controls_key(service.trader))
    return deserialize(item) if item else None


def assert_stopped(service: Service, answer: Answer) -> None:
    state = service.controls.kill_switch(service.trader)
    detail = f"The kill switch has been on since {state.since}; send kill_switch=off."
    assert (answer.status, answer.body) == (423, refused("kill_switch_on", detail))


# Turning it


def test_it_is_turned_on_and_off_and_says_since_when(service: Service) -> None:
    for word in ("on", "off", "on"):
        answer = service.turn(word)
        since = answer.body["since"]
        assert SINCE.fullmatch(since)
        warnings = {"warnings": [UNDER_WAY]} if word == "on" else {}
        assert (answer.status, answer.body) == (
            200,
            {"success": True, "status": f"kill_switch_{word}", "since": since, **warnings},
        )
        turned = {
            **items.controls_key(service.trader),
            "kill_switch": word == "on",
            "since" if word == "on" else "off_since": since,
            "request_id": answer.request_id,
            "key_id": service.key.split("_")[1],
        }
        assert turned.items() <= (switch(service) or {}).items()


@pytest.mark.parametrize("word", ["on", "off"])
def test_turned_to_where_it_is_already_it_keeps_its_time(service: Service, word: str) -> None:
    service.turn("off" if word == "on" else "on")
    first = service.turn(word)
    before = switch(service)
    again = service.turn(word.upper())
    assert (again.status, again.body) == (200, {**first.body, "duplicate": True})
    after = switch(service)
    assert before is not None
    assert after is not None
    own = {"request_id", "key_id", "digests", "traces"}
    assert {name: it for name, it in after.items() if name not in own} == {
        name: it for name, it in before.items() if name not in own
    }


def test_a_switch_that_was_never_turned_is_off(service: Service) -> None:
    answer = service.turn("off")
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "kill_switch_off", "duplicate": True},
    )
    assert (switch(service) or {})["kill_switch"] is False


@pytest.mark.parametrize("word", ["on", "off"])
def test_a_turn_whose_answer_is_lost_is_recognised_when_the_sdk_sends_it_again(service: Service, word: str) -> None:
    service.turn("off" if word == "on" else "on")
    service.warm_up()
    service.network.inject("UpdateItem", lose_response)
    answer = service.turn(word)
    assert (answer.word, "duplicate" in answer.body) == (f"kill_switch_{word}", False)
    assert service.network.operations == ["UpdateItem"] * 2


def test_a_turn_that_another_alert_overtakes_is_a_duplicate(service: Service) -> None:
    service.warm_up()
    turned = provenance(service.trader, "faster")
    service.network.inject("UpdateItem", run_before(lambda: service.controls.turn_on(turned)))
    assert service.turn("on").body["duplicate"] is True
    assert (switch(service) or {})["request_id"] == "faster"


def test_only_a_key_that_may_turns_it(service: Service) -> None:
    may_not = service.issue_key(scopes=frozenset({"PLACE", "CANCEL"}))
    answer = service.turn("on", key=may_not)
    assert (answer.status, answer.body) == (
        403,
        refused("command_not_allowed", "This key may not give KILLSWITCH; use one that may.", field="command"),
    )
    assert switch(service) is None
    assert service.turn("on", key=service.issue_key(scopes=frozenset({"KILLSWITCH"}))).word == "kill_switch_on"


@pytest.mark.parametrize("word", ["on", "off"])
def test_a_turn_leaves_a_record_of_who_and_from_where(service: Service, word: str) -> None:
    answer = service.handle(event(alert({"key": service.key, "kill_switch": word}), source="203.0.113.9"))
    record = service.record_of(answer)
    assert (record.command, record.outcome, record.source) == ("KILLSWITCH", f"kill_switch_{word}", "203.0.113.9")
    assert (record.key_id, record.key_label) == (service.key.split("_")[1], "a test's")
    assert record.fields == {"kill_switch": word}


@pytest.mark.parametrize("name", ["account", "instrument", "strategy_id"])
def test_it_is_not_turned_off_for_everything_where_a_part_was_meant(service: Service, name: str) -> None:
    service.turn("on")
    for value in ("Sim102", ""):
        answer = service.handle(event(alert({"key": service.key, "kill_switch": "OFF", name: value})))
        detail = f"KILLSWITCH does not use {name}, and would act on more than that; take it out."
        assert (answer.status, answer.body) == (400, refused("invalid_value", detail, field=name))
    assert (switch(service) or {})["kill_switch"] is True
    service.turn("off")
    answer = service.handle(event(alert({"key": service.key, "kill_switch": "on", name: "Sim102"})))
    assert (answer.status, answer.word) == (200, "kill_switch_on")
    assert "ignored_field" in [warning["code"] for warning in answer.body["warnings"]]


def test_what_had_passed_the_check_when_it_was_turned_may_still_be_written(service: Service) -> None:
    """The answer to `on` says so, and to cancel again in 3 s ends it."""
    service.warm_up()
    answers: list[Answer] = []
    service.network.inject("PutItem", run_before(lambda: answers.append(service.turn("on"))))
    assert service.place("order-1").word == "placed"
    assert answers[0].body["warnings"] == [UNDER_WAY]
    service.let_pass(3)
    assert service.send("CANCELALLORDERS").body["cancelled"] == ["order-1"]


def test_a_turn_leaves_one_line_that_names_it(service: Service) -> None:
    service.warm_up()
    service.turn("on")
    line, metric = service.output.lines()
    assert (line["command"], line["outcome"], metric["outcome"]) == ("KILLSWITCH", "kill_switch_on", "kill_switch_on")


def test_a_turn_that_the_table_does_not_take_is_to_be_sent_again(service: Service) -> None:
    service.warm_up()
    service.network.always = refuse_connection
    assert service.turn("on").status == 503
    service.network.always = no_fault
    assert service.turn("on").word == "kill_switch_on"


# What it stops


STOPPED: dict[str, dict[str, object]] = {
    "PLACE": {"command": "PLACE", **ENTRY},
    "PLACE with an id": {"command": "PLACE", **ENTRY, "order_id": "order-2"},
    "PLACE with legs": {"command": "PLACE", **ENTRY, **LEGS, "strategy_id": "s"},
    "PLACE in a window": {"command": "PLACE", **ENTRY, "start_time": "00:00"},
    "PLACE that waits": {"command": "PLACE", **ENTRY, "order_id": "order-2", "delay": 5},
    "PLACE for several accounts": {"command": "PLACE", **ENTRY, "order_id": "order-2", "account": "A,B"},
    "the same PLACE": {"command": "PLACE", **ENTRY, **LEGS, "order_id": "order-1", "strategy_id": "strategy-1"},
    "CANCELREPLACE": {"command": "CANCELREPLACE", **ENTRY, "order_id": "order-1", "qty": 1},
    "CHANGE of the entry's price": {"command": "CHANGE", "order_id": "order-1", "limit_price": 5001},
    "CHANGE of a quantity upwards": {"command": "CHANGE", "order_id": "order-1", "qty": 6},
    "CHANGE that lowers one and moves the other": {
        "command": "CHANGE",
        "order_id": "order-1",
        "qty": 2,
        "limit_price": 5001,
    },
    "CHANGE of an unknown order": {"command": "CHANGE", "order_id": "nobodys", "qty": 2},
}
PASSING: dict[str, tuple[dict[str, object], str]] = {
    "kill_switch=off": ({"command": None, "kill_switch": "off"}, "kill_switch_off"),
    "CANCEL": ({"command": "CANCEL", "order_id": "order-1"}, "cancelled"),
    "CANCEL of a leg": ({"command": "CANCEL", "order_id": "STOP1", "strategy_id": "strategy-1"}, "cancelled"),
    "CANCEL that waits": ({"command": "CANCEL", "order_id": "order-1", "delay": 5}, "scheduled"),
    "CANCELORDERS": ({"command": "CANCELORDERS", "account": "Sim101"}, "cancelled"),
    "CANCELALLORDERS": ({"command": "CANCELALLORDERS"}, "cancelled"),
    "CLOSESTRATEGY": ({"command": "CLOSESTRATEGY", "strategy_id": "strategy-1"}, "closed"),
    "CHANGE of a waiting leg's price": (
        {"command": "CHANGE", "order_id": "STOP1", "strategy_id": "strategy-1", "stop_price": 4990},
        "changed",
    ),
    "CHANGE of a leg's price by id": (
        {"command": "CHANGE", "order_id": "order-1.TARGET1", "limit_price": 5030},
        "changed",
    ),
    "CHANGE of a quantity downwards": ({"command": "CHANGE", "order_id": "order-1", "qty": 2}, "changed"),
    "CHANGE of a quantity downwards, by name": (
        {"command": "CHANGE", "order_id": "ENTRY1", "strategy_id": "strategy-1", "qty": 4},
        "changed",
    ),
}


@pytest.fixture
def halted(service: Service) -> Service:
    """A service with an order and its legs, whose kill switch is on."""
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    service.turn("on")
    return service


@pytest.mark.parametrize("fields", STOPPED.values(), ids=list(STOPPED))
def test_while_it_is_on_what_may_open_a_position_is_refused(halted: Service, fields: dict[str, object]) -> None:
    before = halted.belongings()
    answer = halted.post(alert({"key": halted.key, **fields}))
    assert (answer.status, answer.word) == (423, "kill_switch_on")
    assert halted.belongings() == before
    assert halted.queue.messages == []


@pytest.mark.parametrize(("fields", "word"), PASSING.values(), ids=list(PASSING))
def test_while_it_is_on_what_reduces_risk_passes(halted: Service, fields: dict[str, object], word: str) -> None:
    answer = halted.post(alert({"key": halted.key, **fields}))
    assert (answer.status, answer.word) == (200, word), answer.body


@pytest.mark.parametrize("fields", [{"stop_price": 4999}, {"qty": 3}], ids=str)
def test_while_it_is_on_a_leg_that_works_can_be_moved_and_lowered(service: Service, fields: dict[str, object]) -> None:
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    service.report("Filled", 5)
    service.turn("on")
    answer = service.send("CHANGE", order_id="STOP1", strategy_id="strategy-1", **fields)
    assert (answer.status, answer.word) == (200, "changed"), answer.body
    [(name, value)] = fields.items()
    assert answer.body[name] == str(value)


@pytest.mark.parametrize("fields", [fields for fields, _ in list(PASSING.values())[1:]], ids=list(PASSING)[1:])
def test_a_strict_one_stops_all_that(halted: Service, fields: dict[str, object]) -> None:
    before = halted.belongings()
    strict = halted.issue_key(strict_kill_switch=True)
    assert_stopped(halted, halted.post(alert({"key": strict, **fields})))
    assert halted.belongings() == before
    assert halted.turn("off", key=strict).word == "kill_switch_off"


def test_turned_off_it_stops_nothing(halted: Service) -> None:
    assert_stopped(halted, halted.place("order-2"))
    halted.turn("off")
    assert halted.place("order-2").word == "placed"


def test_it_takes_effect_at_once_on_a_function_that_knows_the_key(service: Service) -> None:
    assert service.place("order-1").word == "placed"
    service.controls.turn_on(provenance(service.trader, "elsewhere"))
    assert service.place("order-2").word == "kill_switch_on"
    service.controls.turn_off(provenance(service.trader, "elsewhere again"), lambda _: None)
    assert service.place("order-2").word == "placed"


def test_a_locked_one_is_turned_off_by_its_operator_alone(service: Service) -> None:
    by_operator = provenance(service.trader, "operator")
    assert service.controls.turn_on(by_operator, lock=True).applied
    answer = service.turn("off")
    assert (answer.status, answer.word) == (423, "kill_switch_on")
    assert "locked" in answer.body["detail"]
    assert service.place().word == "kill_switch_on"
    again = by_operator._replace(request_id="operator-2")
    assert service.controls.turn_off(again, lambda _: None, unlock=True).applied
    assert service.place().word == "placed"
    service.turn("on")
    assert service.turn("off").word == "kill_switch_off"


def test_an_operator_locks_one_that_is_on_already(service: Service) -> None:
    service.turn("on")
    since = (switch(service) or {})["since"]
    assert service.controls.turn_on(provenance(service.trader, "operator"), lock=True).applied
    assert service.turn("off").word == "kill_switch_on"
    assert (switch(service) or {})["since"] >= since


def test_a_lowering_is_carried_out_and_a_raising_refused_by_what_the_order_has(halted: Service) -> None:
    before = halted.belongings()
    assert halted.send("CHANGE", order_id="order-1", qty=6).word == "kill_switch_on"
    assert halted.send("CHANGE", order_id="order-1", qty=4, limit_price=4999).word == "kill_switch_on"
    assert halted.belongings() == before
    assert halted.send("CHANGE", order_id="order-1", qty=4).word == "changed"
    assert halted.send("CHANGE", order_id="order-1", qty=5).word == "kill_switch_on"


def test_it_stops_one_trader_and_no_other(service: Service) -> None:
    service.controls.turn_on(provenance(f"{service.trader}-too", "theirs"))
    assert service.place("order-1").word == "placed"


def test_with_a_strict_key_it_stops_cancels_too_but_not_its_own_end(service: Service) -> None:
    service.have_order("Working")
    strict = service.issue_key(strict_kill_switch=True)
    assert service.cancel("nobodys", key=strict).word == "order_not_found"
    service.turn("on", key=strict)
    assert_stopped(service, service.cancel("order-1", key=strict))
    assert service.state() == "Working"
    assert service.turn("off", key=strict).word == "kill_switch_off"
    assert service.cancel("order-1", key=strict).word == "cancelled"


def test_whether_it_stops_cancels_is_known_when_a_remembered_key_is_read_again(service: Service) -> None:
    service.turn("on")
    for strict, before, after in (
        (True, "order_not_found", "kill_switch_on"),
        (False, "kill_switch_on", "order_not_found"),
    ):
        service.set_strict_kill_switch(strict=strict)
        assert service.cancel("nobodys").word == before
        service.clock.advance(30)
        assert service.cancel("nobodys").word == after


@pytest.mark.parametrize("order_id", ["order-1", None])
@pytest.mark.parametrize("fault", [refuse_connection, lose_request, throttle])
def test_a_switch_that_cannot_be_read_stops_an_order_for_now(
    service: Service, fault: Fault, order_id: str | None
) -> None:
    service.warm_up()
    service.network.inject("GetItem", *[fault] * 6)
    answer = service.place(order_id)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable")
    assert service.belongings() == []


# The order of the checks


def test_a_bad_alert_is_refused_as_such_whether_it_is_on_or_not(service: Service) -> None:
    service.turn("on")
    assert service.place(qty="1.5").word == "invalid_value"
    assert service.place(flatten_first="true").word == "unsupported_value"
    assert service.place(key=service.issue_key(scopes=frozenset({"CANCEL"}))).word == "command_not_allowed"


def test_the_kill_switch_comes_before_the_window_and_that_before_the_rate_limit(service: Service) -> None:
    limited = {"rate_limit": "1", "id": "es"}
    service.turn("on")
    assert service.place(**closed(), **limited).word == "kill_switch_on"
    service.turn("off")
    assert service.place(**closed(), **limited).word == "outside_trade_window"
    assert service.place(**limited).word == "placed"
    assert service.place(**closed(), **limited).word == "outside_trade_window"
    assert service.place(**limited).word == "rate_limited"


# Windows


def closed() -> dict[str, str]:
    """Return the fields of a window that opens in two hours."""
    now = datetime.now(UTC).astimezone(ZoneInfo("America/New_York"))
    return {"start_time": f"{now + timedelta(hours=2):%H:%M}", "end_time": f"{now + timedelta(hours=3):%H:%M}"}


@pytest.mark.parametrize("name", ["CHANGE of a waiting leg's price", "CHANGE of a quantity downwards"])
def test_what_passes_the_kill_switch_heeds_its_window(halted: Service, name: str) -> None:
    fields, _ = PASSING[name]
    assert halted.post(alert({"key": halted.key, **fields, **closed()})).word == "outside_trade_window"


def test_outside_its_window_an_order_is_refused_and_nothing_is_written(service: Service) -> None:
    window = closed()
    answer = service.place("order-1", **window)
    assert (answer.status, answer.word) == (423, "outside_trade_window")
    assert answer.body["field"] in window
    assert re.fullmatch(
        rf"It is \d\d:\d\d E[SD]T in New York, and this alert trades from {window['start_time']} to "
        rf"{window['end_time']}; bypass_trade_windows=true would let it pass\.",
        answer.body["detail"],
    )
    assert service.belongings() == []


def test_a_window_can_be_bypassed(service: Service) -> None:
    assert service.place("order-1", **closed(), bypass_trade_windows="true").word == "placed"


def test_inside_its_window_an_order_is_placed_until_only_closing_ones_may(service: Service) -> None:
    now = datetime.now(UTC).astimezone(ZoneInfo("America/New_York"))
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-2, 2))
    assert service.place("order-1", start_time=start, end_time=end).word == "placed"
    answer = service.place("order-2", start_time=start, end_time=end, closing_only_after=start)
    assert (answer.word, answer.body["field"]) == ("outside_trade_window", "closing_only_after")


def test_the_same_order_in_another_window_is_a_repetition(service: Service) -> None:
    assert service.place("order-1", start_time="00:00").word == "placed"
    assert service.place("order-1").word == "already_placed"
    assert service.place("order-1", rate_limit="5/60", id="es").word == "already_placed"


def test_a_cancel_has_neither_window_nor_rate_limit(service: Service) -> None:
    service.have_order("Working")
    answer = service.cancel("order-1", **closed(), rate_limit="1", id="es")
    assert answer.word == "cancelled"
    ignored = ["start_time", "end_time", "rate_limit", "id"]
    assert [warning["field"] for warning in answer.body["warnings"]] == ignored


# An alert that is carried out later


def alert_of(**fields: str) -> Alert:
    given = {"command": "CANCELREPLACE"} | {name: str(value) for name, value in ENTRY.items()} | fields
    return pipeline.alert_of(commands.command_type(given.items()), given)


def test_a_delayed_alert_passes_switch_and_window_again_and_is_not_counted_again(service: Service) -> None:
    services = service.services
    service.place("order-1")
    alert = alert_of(
        order_id="order-1", limit_price="4990", start_time="09:30", end_time="16:00", rate_limit="1", id="es"
    )
    inside, outside = datetime(2026, 1, 15, 15, tzinfo=UTC), datetime(2026, 1, 15, 22, tzinfo=UTC)

    def carry_out(at: datetime, request_id: str, *, delayed: bool = True) -> str:
        return pipeline.carry_out(
            alert, services, Provenance(service.trader, "key", request_id, at), delayed=delayed
        ).status

    assert carry_out(inside, "first", delayed=False) == "replaced"
    assert carry_out(inside, "second") == "replaced"
    with pytest.raises(RateLimitedError):
        carry_out(inside, "another", delayed=False)
    with pytest.raises(OutsideTradeWindowError):
        carry_out(outside, "third")
    service.turn("on")
    with pytest.raises(KillSwitchOnError):
        carry_out(inside, "fourth")
    assert seen(service).generation == 2
