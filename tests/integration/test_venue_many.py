"""Commands over many orders, strategies, delays and time limits with a venue: none of them ends an order there."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from bridge.link import Clock
from cli.app import app
from cli.kill_switch import NOBODY_CANCELS
from orderhook.commands.cancel import cancel_overdue
from orderhook.orders import Order
from orderhook.venues import TABLE
from tests.builders import ENTRY, lists, provenance
from tests.client_faults import in_writes
from tests.faults import lose_response, no_fault, throttle
from tests.integration.test_requests import PUT, QUERY, READ, SEND, TRANSACTION, UPDATE
from tests.service import Service

STRATEGY = {"strategy_id": "strategy-1"}
LEGS: dict[str, object] = {"take_profit": 5020, "stop_loss": 4980}

MANY = {
    "CANCELORDERS": {"account": "Sim101"},
    "CANCELALLORDERS": {},
    "CLOSESTRATEGY": STRATEGY,
}
over_many = pytest.mark.parametrize(("command", "fields"), MANY.items(), ids=list(MANY))


@pytest.fixture(autouse=True)
def venue(service: Service) -> None:
    service.use_venue()


def order_of(service: Service, order_id: str = "order-1") -> Order:
    order = service.order(order_id)
    assert order is not None
    return order


# Lists


@over_many
def test_a_command_over_many_asks_the_venue_for_each_order(
    service: Service, command: str, fields: dict[str, str]
) -> None:
    for number in (1, 2, 3):
        service.place(f"order-{number}", **STRATEGY, **LEGS)
    service.warm_up()
    answer = service.send(command, **fields)
    assert (answer.status, answer.word) == (200, "accepted" if command == "CLOSESTRATEGY" else "cancel_pending")
    ids = ["order-1", "order-2", "order-3"]
    assert answer.body.items() >= lists(cancel_pending=ids).items()
    assert "cancelled_legs" not in answer.body
    assert service.open_orders() == ids
    for order_id in ids:
        order = order_of(service, order_id)
        assert (order.state, order.want and order.want.kind) == ("CancelPending", "cancel")
        assert all(leg.end is None and leg.want and leg.want.n == 1 for leg in order.legs.values())
    assert service.network.operations.count(UPDATE) == {"CANCELORDERS": 3}.get(command, 4)
    assert service.network.operations.count(SEND) == 1
    assert sorted(service.record_of(answer).order_ids) == ids


@over_many
def test_a_command_over_many_sent_twice_asks_for_nothing_more(
    service: Service, command: str, fields: dict[str, str]
) -> None:
    service.place("order-1", **STRATEGY)
    service.send(command, **fields)
    answer = service.send(command, **fields, notes="again")
    assert answer.word == ("accepted" if command == "CLOSESTRATEGY" else "cancel_pending")
    assert answer.body.items() >= lists(cancel_pending=["order-1"]).items()
    want = order_of(service).want
    assert want is not None
    assert want.n == 2


def test_orders_of_the_table_and_of_the_venue_are_told_apart(service: Service) -> None:
    service.use_venue(TABLE)
    service.place("here", **LEGS)
    service.use_venue()
    service.place("there")
    answer = service.send("CANCELALLORDERS")
    assert answer.word == "cancel_pending"
    legs = {"here": ["here.STOP1", "here.TARGET1"]}
    assert answer.body.items() >= lists(cancelled=["here"], cancel_pending=["there"], cancelled_legs=legs).items()
    assert service.open_orders() == ["there"]


@pytest.mark.parametrize("command", ["CANCELORDERS", "CANCELALLORDERS"])
def test_nothing_is_called_cancelled_whole_while_the_venue_has_yet_to_end_some_of_it(
    service: Service, command: str
) -> None:
    account = {"account": "Sim101"} if command == "CANCELORDERS" else {}
    service.place("there")
    service.send(command, **account)
    service.let_pass(60)
    service.use_venue(TABLE)
    service.place("here")
    answer = service.send(command, **account)
    assert answer.word == "cancel_pending"
    assert answer.body.items() >= lists(cancelled=["here"], cancel_pending=["there"]).items()


def test_a_strategy_is_open_until_the_venue_reports_its_end(service: Service) -> None:
    service.place("order-1", **STRATEGY)
    service.send("CLOSESTRATEGY", **STRATEGY)
    assert service.place("order-2", **STRATEGY).body["order_name"] == "ENTRY2"
    service.answer_want("Cancelled")
    assert service.place("order-3", **STRATEGY).body["order_name"] == "ENTRY1"


def test_a_close_without_a_venue_says_that_a_fill_at_the_old_one_may_overtake_it(service: Service) -> None:
    service.place("order-1", **STRATEGY, **LEGS)
    service.place("order-2", **STRATEGY)
    service.use_venue(TABLE)
    answer = service.send("CLOSESTRATEGY", **STRATEGY)
    assert (answer.word, answer.body.get("instruction_id")) == ("accepted", None)
    [warning] = answer.body["warnings"]
    assert warning["code"] == "fill_may_overtake"
    assert "the cancel of order-1: " in warning["detail"]


# Delays and time limits


def test_a_release_gives_the_order_to_the_venue_with_its_own_time(service: Service) -> None:
    assert service.place("order-1", delay=5, tif="DAY", **LEGS).word == "scheduled"
    assert service.send("CHANGE", order_id="order-1", limit_price=4999).word == "changed"
    service.warm_up()
    service.queue.rings.clear()
    service.pass_time(6)
    order = order_of(service)
    assert (order.venue, order.state, order.day_ends, order.due) == ("ninjatrader", "Initialized", None, None)
    assert order.want is not None
    assert order.released_at is not None
    assert (order.want.n, order.want.kind, order.want.at) == (1, "place", order.received_at)
    assert order.want.not_after is not None
    in_time = datetime.fromisoformat(order.want.not_after) - datetime.fromisoformat(order.released_at)
    assert in_time == service.venue.too_late
    assert [leg.want and leg.want.kind for leg in order.legs.values()] == ["place", "place"]
    assert service.network.operations == [READ, READ, READ, READ, TRANSACTION, SEND]
    assert len(service.queue.rings) == 1


def test_a_place_with_a_delay_is_taken_while_the_bridge_is_away_and_released_when_it_is_back(service: Service) -> None:
    service.hear_bridge(ready=False, reason="no connection")
    assert service.place("order-1", delay=5).word == "scheduled"
    service.pass_time(6)
    assert (order_of(service).due is not None, order_of(service).venue) == (True, None)
    service.hear_bridge()
    service.pass_time(11)
    assert (order_of(service).due, order_of(service).venue) == (None, "ninjatrader")


def test_a_release_that_the_bridge_is_away_for_ends_when_it_is_too_late(service: Service) -> None:
    assert service.place("order-1", delay=5).word == "scheduled"
    service.hear_bridge(ready=False, reason="no connection")
    service.output.take()
    for _ in range(4):
        service.pass_time(11)
    order = order_of(service)
    assert (order.state, order.venue) == ("Cancelled", None)
    assert "the bridge was away" in str(order.reason)
    assert "too_late" in {record.outcome for record in service.alerts.newest(service.trader)}
    # BridgeAwayAlarm tells of the attempts, and NotDoneLaterAlarm of the end.
    told = service.output.take()
    rung = ("DeferredUnavailable", "DeadLetters", "GivenUp", "NotDoneLater")
    assert [name for name in rung if f'"{name}"' in told] == ["NotDoneLater"]
    assert (service.queue.messages, service.queue.dead_letters) == ([], [])


def test_a_time_limit_asks_the_venue(service: Service) -> None:
    service.place("order-1", cancel_after=1)
    service.answer_want("Working")
    service.pass_time(61)
    order = order_of(service)
    assert (order.state, order.want and order.want.kind) == ("CancelPending", "cancel")
    assert service.open_orders() == ["order-1"]


def test_a_time_limit_asks_the_venue_though_a_later_one_is_asked_of_it(service: Service) -> None:
    service.place("order-1", cancel_after=1)
    service.answer_want("Working")
    service.send("CANCELREPLACE", order_id="order-1", **{**ENTRY, "limit_price": 4990}, cancel_after=5)
    service.pass_time(61)
    assert order_of(service).state == "CancelPending"
    assert "cancel_pending" in {record.outcome for record in service.alerts.newest(service.trader)}


def test_another_time_limit_alone_is_done_at_once(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    for fields, word in (({"cancel_after": 5}, "replaced"), ({"stop_loss": 4990}, "replace_pending")):
        answer = service.send("CANCELREPLACE", order_id="order-1", **ENTRY, **fields)
        assert (answer.word, answer.body["state"], answer.body.get("duplicate")) == (word, "Working", None)


def test_a_time_limit_of_what_is_cancelled_already_warns_of_no_group(service: Service) -> None:
    service.place("order-1", cancel_after=1, oco_id="g1")
    service.answer_want("Working")
    at = str(order_of(service).cancels_at)
    service.cancel("order-1")
    service.answer_want("Cancelled")
    outcome = cancel_overdue(service.services, provenance(service.trader, "over"), "order-1", at)
    assert (outcome.status, outcome.warnings) == ("already_cancelled", ())


def test_what_a_delayed_replacement_asks_is_in_time_counted_from_the_end_of_its_delay(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    service.send("CANCELREPLACE", order_id="order-1", **{**ENTRY, "limit_price": 4990}, delay=40)
    service.pass_time(41)
    order = order_of(service)
    assert (order.state, order.limit_price) == ("ChangePending", 4990)
    assert order.want is not None
    assert str(order.want.not_after) > (service.queue.now + timedelta(seconds=20)).isoformat()


def test_a_delayed_replacement_that_the_bridge_is_away_for_ends_when_it_is_too_late(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    service.send("CANCELREPLACE", order_id="order-1", **{**ENTRY, "limit_price": 4990}, delay=5)
    service.hear_bridge(ready=False, reason="no connection")
    for _ in range(4):
        service.pass_time(11)
    assert order_of(service).limit_price != 4990
    outcomes = [record.outcome for record in service.alerts.newest(service.trader)]
    assert (outcomes.count("too_late"), outcomes.count("outcome_unknown")) == (1, 0)
    assert service.queue.messages == []


# Whether the bridge can


def test_what_opens_is_refused_while_the_bridge_is_away_and_nothing_is_written(service: Service) -> None:
    service.place("order-1")
    service.answer_want("Working")
    service.let_pass(91)
    service.warm_up()
    before = service.plain()
    for command, fields in {
        "PLACE": {**ENTRY, "order_id": "order-2"},
        "CANCELREPLACE": {**ENTRY, "order_id": "order-1", "limit_price": 4990},
        "CHANGE": {"order_id": "order-1", "limit_price": 4990},
    }.items():
        answer = service.send(command, **fields)
        assert (answer.status, answer.word) == (503, "venue_offline")
        assert answer.headers["Retry-After"] == "5"
    assert service.plain() == before
    assert [order.order_id for order in service.placed()] == ["order-1"]
    assert {PUT, UPDATE}.isdisjoint(service.network.operations)


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        ({"ready": False, "reason": "NinjaTrader does not run"}, "NinjaTrader does not run"),
        ({"accounts": ("Sim102",)}, "account Sim101"),
    ],
    ids=str,
)
def test_the_answer_says_what_is_wrong_with_the_bridge(service: Service, heard: dict[str, object], says: str) -> None:
    service.hear_bridge(**heard)  # type: ignore[arg-type]
    answer = service.place("order-1")
    assert answer.status == (403 if "accounts" in heard else 503)
    assert answer.word == ("account_not_connected" if "accounts" in heard else "venue_offline")
    assert says in answer.body["detail"]
    assert service.placed() == []


def test_an_account_that_the_bridge_does_not_have_is_refused_before_its_delay(service: Service) -> None:
    assert service.place("order-1", account="Sim102", delay=5).word == "account_not_connected"
    assert service.queue.messages == []
    assert service.placed() == []


def test_an_account_is_compared_as_everywhere(service: Service) -> None:
    service.hear_bridge(accounts=("SIM101",))
    assert service.place("order-1").word == "placed"


def test_of_several_accounts_each_is_judged_by_itself(service: Service) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim103"))
    answer = service.place("order-1", account="Sim101,Sim102,Sim103")
    assert (answer.status, answer.word) == (403, "account_not_connected")
    words = [result.get("status") or result.get("error") for result in answer.body["results"]]
    assert words == ["placed", "account_not_connected", "placed"]
    assert [order.order_id for order in service.placed()] == ["order-1.sim101", "order-1.sim103"]
    assert len(service.queue.rings) == 1


@pytest.mark.parametrize(
    ("command", "fields", "word"),
    [
        ("CANCEL", {"order_id": "order-1"}, "cancel_pending"),
        ("CANCELORDERS", {"account": "Sim101"}, "cancel_pending"),
        ("CANCELALLORDERS", {}, "cancel_pending"),
        ("CLOSESTRATEGY", STRATEGY, "accepted"),
        ("CHANGE", {"order_id": "order-1.STOP1", "stop_price": 4981}, "change_pending"),
        ("CHANGE", {"order_id": "order-1", "qty": 3}, "change_pending"),
    ],
    ids=str,
)
def test_what_closes_or_cancels_is_written_and_waits_for_the_bridge(
    service: Service, command: str, fields: dict[str, object], word: str
) -> None:
    service.place("order-1", **STRATEGY, **LEGS)
    service.answer_want("Working")
    service.let_pass(91)
    assert service.send(command, **fields).word == word


def test_an_order_of_the_table_is_replaced_while_the_bridge_is_away(service: Service) -> None:
    service.use_venue(TABLE)
    service.place("order-1")
    service.use_venue()
    service.let_pass(91)
    fields = {**ENTRY, "limit_price": 4990}
    assert service.send("CANCELREPLACE", order_id="order-1", **fields).word == "replaced"


def test_a_resend_of_what_was_placed_is_answered_while_the_bridge_is_away(service: Service) -> None:
    service.network.always = in_writes(lose_response)
    assert service.place("order-1").status == 503
    service.network.always = no_fault
    service.hear_bridge(ready=False)
    service.let_pass(5)
    assert service.place("order-1").word == "already_placed"


def test_what_the_bridge_cannot_do_does_not_count_in_its_rate_limit(service: Service) -> None:
    service.hear_bridge(ready=False)
    for _ in range(3):
        assert service.place("order-1", rate_limit=1, id="es").word == "venue_offline"
    service.hear_bridge()
    assert service.place("order-1", rate_limit=1, id="es").word == "placed"
    assert service.place("order-2", rate_limit=1, id="es").word == "rate_limited"


def test_a_bridge_of_which_a_newer_version_writes_otherwise_is_not_ready(service: Service) -> None:
    client = service.table.client
    client.update_item(
        TableName=service.table.name,
        Key={"pk": {"S": f"TRADER#{service.trader}"}, "sk": {"S": "CONTROLS"}},
        UpdateExpression="SET bridge = :bridge",
        ExpressionAttributeValues={":bridge": {"S": "all is well"}},
    )
    assert service.place("order-1").word == "venue_offline"
    assert QUERY not in service.network.operations


# The command line

ASKED = (
    "The venue was asked to cancel 1 order, and `orderhook orders --open` shows what it has not ended yet:\n  order-1\n"
)


@pytest.fixture
def kill(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Turn the operator's kill switch on, and cancel."""
    services = service.services_of_operator()
    monkeypatch.setattr("cli.connection.connect", lambda *_: services)
    monkeypatch.setattr("cli.connection.aws_clock", Clock())
    monkeypatch.setattr("cli.kill_switch.time.sleep", lambda _: None)
    where = ["--trader", service.trader, "--table", service.table.name]
    return lambda *more: CliRunner().invoke(app, ["kill-switch", "on", "--cancel", *where, *more])


def test_the_operators_kill_switch_asks_the_venue_and_rings(service: Service, kill: Callable[..., Result]) -> None:
    service.place("order-1")
    service.queue.rings.clear()
    result = kill()
    assert result.stdout.startswith(ASKED)
    assert result.exit_code == 0
    assert "were cancelled" not in result.stdout
    assert order_of(service).state == "CancelPending"
    assert len(service.queue.rings) == 3


def test_the_operators_kill_switch_lists_what_is_pending_the_second_time_too(
    service: Service, kill: Callable[..., Result]
) -> None:
    service.place("order-1")
    kill()
    assert kill().stdout.startswith(ASKED)
    told = json.loads(kill("--json").stdout)
    assert (told["cancelled"], told["cancel_pending"], told["problems"]) == ([], ["order-1"], [])


@pytest.mark.moto_only("the tests' own client of the other table tries a request ten times")
def test_the_kill_switch_tells_what_it_has_done_though_the_table_answers_no_more(
    service: Service, kill: Callable[..., Result]
) -> None:
    service.place("order-1")
    service.network.watch(service.table.client)
    service.network.inject("GetItem", no_fault, *[throttle] * 9)
    result = kill()
    assert result.exit_code == 1
    assert result.stdout.startswith(ASKED)
    service.network.inject("GetItem", no_fault, *[throttle] * 6)
    assert "It could not be seen whether the bridge is there to cancel" in kill().stdout


def test_the_operators_kill_switch_says_that_the_bridge_is_not_ready(
    service: Service, kill: Callable[..., Result]
) -> None:
    service.place("order-1")
    service.hear_bridge(ready=False, reason="NinjaTrader does not run")
    result = kill()
    assert result.exit_code == 1
    assert "  order-1\n" in result.stdout
    assert f"{NOBODY_CANCELS} the bridge is not ready: NinjaTrader does not run." in result.stdout
