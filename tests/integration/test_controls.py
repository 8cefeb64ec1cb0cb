"""The kill switch and trade windows: what they stop, what they let pass, and in which order."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orderhook import commands, pipeline
from orderhook.errors import KillSwitchOnError, OutsideTradeWindowError
from orderhook.orders import Provenance
from orderhook.pipeline import Alert
from orderhook.store import items
from orderhook.store.table import deserialize
from tests.builders import ENTRY, provenance, refused
from tests.faults import Fault, lose_request, lose_response, no_fault, refuse_connection, run_before, throttle
from tests.output import Answer
from tests.service import Service

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
        assert (answer.status, answer.body) == (
            200,
            {"success": True, "status": f"kill_switch_{word}", "since": since},
        )
        assert switch(service) == {
            **items.controls_key(service.trader),
            "kill_switch": word == "on",
            "since": since,
            "request_id": answer.request_id,
            "key_id": service.key.split("_")[1],
        }


@pytest.mark.parametrize("word", ["on", "off"])
def test_turned_to_where_it_is_already_it_keeps_its_time(service: Service, word: str) -> None:
    service.turn("off" if word == "on" else "on")
    first = service.turn(word)
    before = switch(service)
    again = service.turn(word.upper())
    assert (again.status, again.body) == (200, {**first.body, "duplicate": True})
    assert switch(service) == before


def test_a_switch_that_was_never_turned_is_off(service: Service) -> None:
    answer = service.turn("off")
    assert (answer.status, answer.body) == (
        200,
        {"success": True, "status": "kill_switch_off", "duplicate": True},
    )
    assert switch(service) is None


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
    service.network.inject("UpdateItem", run_before(lambda: service.controls.turn_kill_switch(turned, on=True)))
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


def test_while_it_is_on_nothing_is_placed_and_cancels_pass(service: Service) -> None:
    service.have_order("Working")
    service.turn("on")
    before = service.belongings()
    for fields in ({}, {"order_id": "order-2"}, {"strategy_id": "s", "take_profit": 5020}, {"start_time": "00:00"}):
        assert_stopped(service, service.send("PLACE", **{**ENTRY, **fields}))
    assert service.belongings() == before
    assert service.cancel("order-1").word == "cancelled"
    service.turn("off")
    assert service.place("order-2").word == "placed"


def test_it_takes_effect_at_once_on_a_function_that_knows_the_key(service: Service) -> None:
    assert service.place("order-1").word == "placed"
    service.controls.turn_kill_switch(provenance(service.trader, "elsewhere"), on=True)
    assert service.place("order-2").word == "kill_switch_on"
    service.controls.turn_kill_switch(provenance(service.trader, "elsewhere again"), on=False)
    assert service.place("order-2").word == "placed"


def test_it_stops_one_trader_and_no_other(service: Service) -> None:
    service.controls.turn_kill_switch(provenance(f"{service.trader}-too", "theirs"), on=True)
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
    given = {"command": "PLACE"} | {name: str(value) for name, value in ENTRY.items()} | fields
    return pipeline.alert_of(commands.command_type(given), given)


def test_a_delayed_alert_passes_switch_and_window_again_and_is_not_counted_again(service: Service) -> None:
    services = service.services
    alert = alert_of(start_time="09:30", end_time="16:00", rate_limit="1", id="es")
    inside, outside = datetime(2026, 1, 15, 15, tzinfo=UTC), datetime(2026, 1, 15, 22, tzinfo=UTC)

    def carry_out(at: datetime, request_id: str, *, delayed: bool = True) -> str:
        return pipeline.carry_out(
            alert, services, Provenance(service.trader, "key", request_id, at), delayed=delayed
        ).status

    assert carry_out(inside, "first", delayed=False) == "placed"
    assert carry_out(inside, "second") == "placed"
    with pytest.raises(OutsideTradeWindowError):
        carry_out(outside, "third")
    service.turn("on")
    with pytest.raises(KillSwitchOnError):
        carry_out(inside, "fourth")
    assert len(service.open_orders()) == 2
