"""Positions, executions and strategies in the console: what is known of them, and ending them by hand, once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orderhook.bridge_messages import Execution, PositionReport
from orderhook.limits import Limits
from orderhook.orders import OrderState, timestamp
from orderhook.store import items
from orderhook.store.table import serialize
from tests.builders import provenance
from tests.console_session import Form, Page, Visitor
from tests.integration.test_console_orders import put, put_stop
from tests.service import Service

ACT = "/console/positions/act"


@pytest.fixture
def visitor(service: Service) -> Visitor:
    service.use_venue()
    return Visitor(service)


def hold(service: Service, side: Any = "LONG", quantity: int = 3, **changes: Any) -> PositionReport:
    """Have the bridge tell a position; a later one stands for it."""
    at = timestamp(datetime.now(UTC))
    told = PositionReport("Sim101", "ES 12-26", side, quantity, Decimal(5000), at)._replace(**changes)
    service.services.bridge.put_position(service.trader, told)
    return told


def ask(visitor: Visitor, act: str = "close", **market: str) -> Page:
    return visitor.get(ACT, act=act, **({"account": "Sim101", "instrument": "ES 12-26"} | market))


def asked(service: Service) -> list[tuple[str, str | None, str | None]]:
    """Return the instructions that are under way."""
    return [(it.command, it.account, it.instrument) for it in service.services.instructions.open(service.trader)]


@pytest.mark.parametrize("path", ["/console/positions", "/console/executions"])
def test_without_a_venue_the_page_says_so_and_lists_nothing(service: Service, path: str) -> None:
    page = Visitor(service).get(path)
    assert "No venue." in page.text
    assert "<table" not in page.markup


def test_a_position_says_what_its_working_stops_cover(service: Service, visitor: Visitor) -> None:
    hold(service)
    put_stop(service)
    text = visitor.get("/console/positions").text
    assert "LONG 3 @ 5000" in text
    assert "2 of 3 protected" in text
    assert "simulated" in text


def test_an_account_of_real_money_is_told_apart(service: Service, visitor: Visitor) -> None:
    hold(service, account="Apex-7")
    assert "LIVE" in visitor.get("/console/positions").text
    assert "LIVE" in ask(visitor, account="Apex-7").text


def test_unknown_is_not_flat_and_is_not_reversed(service: Service, visitor: Visitor) -> None:
    hold(service, "UNKNOWN", 0, average=None)
    page = visitor.get("/console/positions")
    assert "UNKNOWN (not flat)" in page.text
    assert any("act=close" in link for link in page.links)
    assert not any("act=reverse" in link for link in page.links)
    assert "Reverse it" not in [form.labels for form in ask(visitor, "reverse").forms]


def test_a_position_that_is_unknown_can_be_closed(service: Service, visitor: Visitor) -> None:
    hold(service, "UNKNOWN", 0, average=None)
    page = ask(visitor)
    assert "Nobody knows whether there is a position" in page.text
    visitor.send(page.form("Close it"))
    assert asked(service) == [("CLOSEPOSITION", "Sim101", "ES 12-26")]


def test_a_bridge_that_is_away_makes_positions_old(service: Service, visitor: Visitor) -> None:
    hold(service)
    service.hear_bridge(ready=False, reason="NinjaTrader is not running")
    text = visitor.get("/console/positions").text
    assert "The bridge is not ready: NinjaTrader is not running." in text
    assert "as of the times beside them" in text


def test_a_close_is_asked_for_once_and_is_not_done_yet(service: Service, visitor: Visitor) -> None:
    hold(service)
    put_stop(service)
    page = ask(visitor)
    assert "long.STOP1" in page.text  # which ends with it
    form = page.form("Close it")
    first, again = visitor.send(form), visitor.send(form)
    assert "Asked for, not done yet" in first.text
    assert "under way at the venue" in first.text
    assert "nothing new was sent" in again.text
    assert asked(service) == [("CLOSEPOSITION", "Sim101", "ES 12-26")]


def test_pages_that_end_many_orders_name_the_first_and_count_the_rest(service: Service, visitor: Visitor) -> None:
    hold(service)
    for number in range(32):
        put(service, f"order-{number:02}", strategy_id="orb")
    service.place("order-32", strategy_id="orb")  # makes the strategy
    for page in (ask(visitor), visitor.get("/console/strategy/close", strategyId="orb")):
        assert sum("orderId=order-" in link for link in page.links) == 30
        assert "and 3 more" in page.text
        assert "Not all orders could be read" not in page.text


def test_a_close_that_is_asked_for_by_two_forms_folds_into_one(service: Service, visitor: Visitor) -> None:
    hold(service)
    for _ in range(2):
        page = visitor.send(ask(visitor).form("Close it"))
        assert page.status == 200
    assert all(command == "CLOSEPOSITION" for command, _, _ in asked(service))


def test_the_result_of_a_close_comes_to_the_page_that_it_led_to(service: Service, visitor: Visitor) -> None:
    hold(service)
    form = ask(visitor).form("Close it")
    visitor.send(form)
    (instruction,) = service.services.instructions.open(service.trader)
    signed = provenance(service.trader, "resolving")
    ended, _ = service.services.instructions.resolve(signed, instruction.instruction_id, "failed")
    assert ended is not None
    text = visitor.send(form).text
    assert "at the venue: failed" in text
    assert "resolved by an operator" in text


def test_a_reverse_is_sent_for_the_position_that_was_seen(service: Service, visitor: Visitor) -> None:
    hold(service)
    form = ask(visitor, "reverse").form("Reverse it")
    hold(service, "SHORT", 1)
    page = visitor.send(form)
    assert (page.status, asked(service)) == (409, [])
    assert "The position has changed" in page.text
    visitor.send(page.form("Reverse it"))
    assert asked(service) == [("REVERSE", "Sim101", "ES 12-26")]


def test_a_double_click_reverses_once(service: Service, visitor: Visitor) -> None:
    hold(service)
    form = ask(visitor, "reverse").form("Reverse it")
    visitor.send(form)
    hold(service, "SHORT", 3)
    assert "nothing new was sent" in visitor.send(form).text
    assert asked(service) == [("REVERSE", "Sim101", "ES 12-26")]


def test_flatten_names_what_it_closes(service: Service, visitor: Visitor) -> None:
    hold(service)
    hold(service, "SHORT", 2, account="Sim102", instrument="NQ 12-26")
    page = visitor.get(ACT, act="flatten")
    assert "ES 12-26" in page.text
    assert "NQ 12-26" in page.text
    visitor.send(page.form("Flatten"))
    assert asked(service) == [("FLATTEN", None, None)]


def test_a_limited_session_closes_its_own_alone(service: Service, visitor: Visitor) -> None:
    hold(service)
    hold(service, "SHORT", 2, account="Sim102", instrument="NQ 12-26")
    limited = Visitor(service, limits=Limits(accounts=("Sim102",)))
    page = limited.get("/console/positions")
    assert "NQ 12-26" in page.text
    assert "ES 12-26" not in page.text
    assert ask(limited).status == 404
    assert limited.send(ask(visitor).form("Close it")).status == 403
    assert asked(service) == []


def test_an_act_that_there_is_not_does_nothing(service: Service, visitor: Visitor) -> None:
    assert visitor.get(ACT, act="open").status == 400
    assert visitor.post(ACT, act="close", once=32 * "a").status == 400
    assert asked(service) == []


def test_one_bad_position_hides_no_other(service: Service, visitor: Visitor) -> None:
    hold(service)
    bad = items.position_key(service.trader, "Sim101", "bad") | {"account": "Sim101", "quantity": "many"}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(bad))
    assert "LONG 3" in visitor.get("/console/positions").text


# Executions


def test_executions_are_listed_by_day_and_strays_are_marked(service: Service, visitor: Visitor) -> None:
    now = datetime.now(UTC)
    order = put(service, "order-1")
    filled = Execution("oh1", 2, 2, Decimal("5000.25"), timestamp(now))
    stray = Execution("oh2", 1, 1, None, timestamp(now))
    assert service.services.bridge.put_execution(service.trader, filled, "order-1", order)
    assert service.services.bridge.put_execution(service.trader, stray, "who?", None)
    page = visitor.get("/console/executions")
    assert "BUY 2 ES 12-26 @ 5000.25" in page.text
    assert "belongs to no known order" in page.text
    narrowed = visitor.get("/console/executions", account="sim101").text
    assert "BUY 2" in narrowed
    assert "who?" not in narrowed
    long_ago = (now - timedelta(days=30)).date().isoformat()
    assert "nothing that was filled" in visitor.get("/console/executions", day=long_ago).text


def test_a_limited_session_sees_no_execution_of_another(service: Service, visitor: Visitor) -> None:
    order = put(service, "order-1")
    filled = Execution("oh1", 2, 2, Decimal("5000.25"), timestamp(datetime.now(UTC)))
    service.services.bridge.put_execution(service.trader, filled, "order-1", order)
    limited = Visitor(service, limits=Limits(accounts=("Sim102",)))
    assert "order-1" not in limited.get("/console/executions").markup
    assert "order-1" in visitor.get("/console/executions").markup


# Strategies


def test_a_strategy_shows_where_it_trades_and_its_trades(service: Service) -> None:
    visitor = Visitor(service)
    service.place("long", strategy_id="orb", take_profit=5040, stop_loss=4990)
    page = visitor.get("/console/strategies")
    assert "ENTRY1: long" in page.text
    one = visitor.get("/console/strategy", strategyId="orb")
    assert "3 orders open" in one.text
    assert "No venue: nothing of it is filled." in one.text
    assert visitor.get("/console/strategy", strategyId="ORB").status == 404


def test_closing_a_strategy_without_a_venue_leaves_its_position(service: Service) -> None:
    visitor = Visitor(service)
    service.place("long", strategy_id="orb")
    page = visitor.get("/console/strategy/close", strategyId="orb")
    assert "Its position stays." in page.text
    form = page.form("Close the strategy")
    visitor.send(form)
    assert service.state("long") == "Cancelled"
    assert "nothing new was sent" in visitor.send(form).text


def test_a_close_ends_nothing_that_came_in_since_it_was_seen(service: Service) -> None:
    visitor = Visitor(service)
    service.place("first", strategy_id="orb")
    form = visitor.get("/console/strategy/close", strategyId="orb").form("Close the strategy")
    service.place("second", strategy_id="orb")
    page = visitor.send(form)
    assert (page.status, service.state("first"), service.state("second")) == (409, "Working", "Working")
    assert "1 order came in since" in page.text
    visitor.send(page.form("Close the strategy"))
    assert (service.state("first"), service.state("second")) == ("Cancelled", "Cancelled")


def test_a_close_that_comes_back_ends_no_later_entry(service: Service) -> None:
    visitor = Visitor(service)
    service.place("first", strategy_id="orb")
    form = visitor.get("/console/strategy/close", strategyId="orb").form("Close the strategy")
    visitor.send(form)
    service.place("second", strategy_id="orb")
    assert "nothing new was sent" in visitor.send(form).text
    assert service.state("second") == "Working"


def test_with_a_venue_the_page_says_which_position_is_closed(service: Service, visitor: Visitor) -> None:
    hold(service)
    service.place("long", strategy_id="orb", qty=3)
    page = visitor.get("/console/strategy/close", strategyId="orb")
    assert "LONG 3" in page.text
    text = visitor.send(page.form("Close the strategy")).text
    assert "under way at the venue" in text
    assert [command for command, _, _ in asked(service)] == ["CLOSESTRATEGY"]


def test_a_limited_session_knows_no_strategy_of_another_account(service: Service) -> None:
    service.place("long", strategy_id="orb")
    limited = Visitor(service, limits=Limits(accounts=("Sim102",)))
    assert "orb" not in limited.get("/console/strategies").text
    assert limited.get("/console/strategy", strategyId="orb").status == 404
    sent = limited.post("/console/strategy/close", strategyId="orb", once=32 * "a", seen="9")
    assert (sent.status, service.state("long")) == (404, "Working")


def test_one_bad_strategy_hides_no_other(service: Service) -> None:
    service.place("long", strategy_id="good")
    bad = items.strategy_key(service.trader, "bad") | {"numbers": "none"}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(bad))
    text = Visitor(service).get("/console/strategies").text
    assert "good" in text
    assert "1 cannot be read" in text


def test_a_filled_strategy_says_what_is_filled(service: Service, visitor: Visitor) -> None:
    put(service, "long", state=OrderState.FILLED, filled=2, qty=2, strategy_id="orb")
    put_stop(service, strategy_id="orb")
    assert "LONG 2" in visitor.get("/console/strategy", strategyId="orb").text


# A sending that was cut off


def cut_off(visitor: Visitor, form: Form, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Send a form whose process dies there."""

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(where, die)
        with pytest.raises(SystemExit):
            visitor.send(form)


def reverse_form(visitor: Visitor, by: str) -> Form:
    """Return the form that reverses the position, on the page of positions or on that of trading."""
    if by == "position":
        return ask(visitor, "reverse").form("Reverse it")
    market = {"account": "Sim101", "instrument": "ES 12-26"}
    return visitor.post("/console/trade", once=16 * "ab", command="REVERSE", **market).form("Send")


BEFORE_ALL = "orderhook.console.acting.act"
BEFORE_THE_RECORD = "orderhook.telemetry.alert_record"


@pytest.mark.parametrize("by", ["position", "trade"])
def test_a_reverse_that_was_cut_off_looks_at_the_position_anew(
    service: Service, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    hold(service)
    form = reverse_form(visitor, by)
    cut_off(visitor, form, monkeypatch, BEFORE_ALL)
    hold(service, "SHORT", 3)
    assert (visitor.send(form).status, asked(service)) == (409, [])


@pytest.mark.parametrize("by", ["position", "trade"])
def test_a_reverse_that_was_cut_off_when_asked_for_is_known_again(
    service: Service, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    hold(service)
    form = reverse_form(visitor, by)
    cut_off(visitor, form, monkeypatch, BEFORE_THE_RECORD)
    hold(service, "SHORT", 3)
    assert visitor.send(form).status < 400
    assert asked(service) == [("REVERSE", "Sim101", "ES 12-26")]


def test_a_turn_that_was_cut_off_when_it_was_placed_is_known_again(
    service: Service, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(service)
    turn = {"account": "Sim101", "instrument": "ES 12-26", "action": "SELL", "qty": "3", "order_type": "MARKET"}
    page = visitor.post("/console/trade", once=16 * "ab", command="FLATPLACE", order_id="turn", tif="GTC", **turn)
    cut_off(visitor, page.form("Send"), monkeypatch, BEFORE_THE_RECORD)
    hold(service, "SHORT", 3)
    assert visitor.send(page.form("Send")).status < 400
    assert len(service.plain("turn")["history"]) == 1


def test_a_close_of_a_strategy_that_was_cut_off_looks_anew(
    service: Service, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.place("first", strategy_id="s")
    form = visitor.get("/console/strategy/close", strategyId="s").form("Close the strategy")
    cut_off(visitor, form, monkeypatch, BEFORE_ALL)
    service.pass_time(1)
    service.place("second", strategy_id="s")
    assert visitor.send(form).status == 409
    assert service.state("second") != "CancelPending"
