"""Orders in the console: what is listed, what a page says of one, and cancelling exactly that one, once."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orderhook.bridge_messages import PositionReport, Side
from orderhook.limits import Limits
from orderhook.orders import Order, OrderState, Want, timestamp
from orderhook.store import items
from orderhook.store.table import serialize
from tests.builders import order, provenance
from tests.console_session import Page, Visitor, query_of
from tests.marks import OF_PAGES
from tests.service import Service

pytestmark = OF_PAGES

ODD_IDS = ("cancel", "place", "..", "100%", "a+b", "Long Entry", "TP/SL", "$(x)")


@pytest.fixture
def visitor(service: Service) -> Visitor:
    return Visitor(service)


def look(visitor: Visitor, order_id: str = "order-1", account: str = "Sim101") -> Page:
    return visitor.get("/console/order", account=account, orderId=order_id)


def cancel(visitor: Visitor, order_id: str = "order-1") -> Page:
    page = look(visitor, order_id)
    return visitor.send(page.form("Cancel"))


def put(service: Service, order_id: str, **changes: Any) -> Order:
    """Have an order be in the table as it is given, at its venue."""
    placed = provenance(service.trader, f"place-{order_id}")
    at_venue = {"state": OrderState.WORKING, "venue": "ninjatrader", "want": Want(1, "place", placed.now), "acked": 1}
    made = order(placed, order_id, **at_venue | changes)
    assert service.orders.put(placed, made).applied
    return made


def put_stop(service: Service, order_id: str = "long.STOP1", **changes: Any) -> Order:
    """Have a stop work that protects two contracts."""
    leg: Mapping[str, Any] = {
        "action": "SELL",
        "qty": 2,
        "order_type": "STOPMARKET",
        "limit_price": None,
        "stop_price": Decimal(4990),
        "entry_id": "long",
        "order_name": "STOP1",
        "closes": 2,
        "confirmed": {"qty": "2"},
    }
    return put(service, order_id, **{**leg, **changes})


def spoil(service: Service, order_id: str, **values: Any) -> None:
    """Have the item of an order hold what this version cannot read."""
    item = service.plain(order_id) | values
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))


# The list


def test_open_orders_are_listed_as_trades(service: Service, visitor: Visitor) -> None:
    service.place("long", take_profit=5040, stop_loss=4990, qty=2)
    text = visitor.get("/console/orders").text
    assert "3 orders open, in 1 trade" in text
    assert "BUY 2 ES 12-26 LIMIT 5000.25 GTC" in text
    assert text.index("long.STOP1") < text.index("long.TARGET1")
    assert text.count("waits for its entry") == 2


def test_the_legs_of_a_filled_entry_stand_under_it(service: Service, visitor: Visitor) -> None:
    put(service, "long", state=OrderState.FILLED, filled=2, qty=2)
    put_stop(service)
    text = visitor.get("/console/orders").text
    assert text.index("Filled, 2 of 2 filled") < text.index("Working, 0 of 2 filled")
    assert "1 order open, in 1 trade" in text


def test_what_nobody_knows_stands_first(service: Service, visitor: Visitor) -> None:
    put(service, "lost", unresolved="NinjaTrader has said nothing of it")
    put(service, "newer")
    text = visitor.get("/console/orders").text
    assert text.index("UNRESOLVED") < text.index("newer")
    assert "NinjaTrader has said nothing of it" in text


def test_an_open_want_is_told_beside_what_the_venue_has(service: Service, visitor: Visitor) -> None:
    now = timestamp(datetime.now(UTC))
    put(
        service,
        "order-1",
        state=OrderState.CANCEL_PENDING,
        qty=2,
        confirmed={"qty": "2", "limit_price": "5000.25"},
        want=Want(2, "cancel", now),
        acked=1,
    )
    assert "Working 2 @ 5000.25, cancel asked" in visitor.get("/console/orders").text
    assert f'data-at="{now}"' in visitor.get("/console/orders").markup


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"account": "SIM102"}, {"b"}),
        ({"instrument": "NQ1!"}, {"c"}),
        ({"instrument": "ESZ6"}, {"a", "b"}),
        ({"strategyId": "s"}, {"c"}),
        ({"account": "nobody"}, set()),
    ],
)
def test_filters_narrow_the_list(service: Service, visitor: Visitor, wanted: dict[str, str], found: set[str]) -> None:
    put(service, "a")
    put(service, "b", account="Sim102")
    put(service, "c", instrument="NQ 12-26", strategy_id="s")
    page = visitor.get("/console/orders", **wanted)
    assert {it for it in "abc" if f"orderId={it}" in page.markup} == found
    assert ("matches all of this" in page.text) == (not found)


def test_finished_orders_are_listed_by_their_placing(service: Service, visitor: Visitor) -> None:
    service.place("long", take_profit=5040, stop_loss=4990)
    service.place("open")
    service.cancel("long")
    page = visitor.get("/console/orders", status="closed")
    listed = {query_of(link)["orderId"] for link in page.links if "orderId=" in link}
    assert listed == {"long", "long.STOP1", "long.TARGET1"}
    assert page.text.count("Cancelled, 0 of 5 filled") == 3
    assert "orderId=long" not in visitor.get("/console/orders").markup


def test_more_than_a_thousand_orders_are_counted_and_paged(service: Service, visitor: Visitor) -> None:
    placed = provenance(service.trader, "placing")
    for number in range(1001):
        item = items.order_item(service.trader, order(placed, f"o{number:04}", state=OrderState.WORKING))
        service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    page = visitor.get("/console/orders")
    assert "1,001 orders open, in 1,001 trades" in page.text
    assert "and 951 more" in page.text
    (more,) = (link for link in page.links if "first=50" in link)
    assert len([link for link in visitor.get(more).links if "orderId=" in link]) == 100


def test_without_orders_the_list_says_how_to_place_one(visitor: Visitor) -> None:
    assert "No order is open" in visitor.get("/console/orders").text
    assert "No order placed then is finished" in visitor.get("/console/orders", status="closed").text


def test_one_bad_item_hides_no_other(service: Service, visitor: Visitor) -> None:
    put(service, "bad")
    put(service, "good")
    spoil(service, "bad", qty="many")
    page = visitor.get("/console/orders")
    assert "orderId=good" in page.markup
    assert "cannot be read by this version" in page.text
    one = look(visitor, "bad")
    assert one.status == 200
    assert "cannot be read by this version" in one.text


# One order


@pytest.mark.parametrize("order_id", ODD_IDS)
def test_any_id_that_an_order_has_leads_to_it(service: Service, visitor: Visitor, order_id: str) -> None:
    put(service, order_id)
    (link,) = {link for link in visitor.get("/console/orders").links if "orderId=" in link}
    page = visitor.get(link)
    assert page.status == 200
    assert f"Order {order_id}" in page.text
    assert f"Order {order_id}" in visitor.send(page.form("Cancel")).text
    assert service.state(order_id) == "CancelPending"


def test_an_account_may_be_called_as_anything_is(service: Service, visitor: Visitor) -> None:
    put(service, "order-1", account="snapshot")
    assert look(visitor, account="SNAPSHOT").status == 200


@pytest.mark.parametrize("odd", ["a\u202eb", "a\u0000b", "\u200b", "x" * 3000, "<script>", "", "café"])
def test_an_id_that_no_order_has_is_shown_as_text(visitor: Visitor, odd: str) -> None:
    page = look(visitor, odd)
    assert page.status == 404
    assert not {"\u202e", "\u0000", "\u200b", "<script>"} & {*page.markup}
    assert "<script>" not in page.markup


def test_an_order_of_another_account_is_not_found(service: Service, visitor: Visitor) -> None:
    put(service, "order-1")
    assert look(visitor, account="Sim102").status == 404


def test_the_history_links_to_alerts_by_their_ids(service: Service, visitor: Visitor) -> None:
    placed = service.place("order-1")
    page = look(visitor)
    assert f"/console/alerts/{placed.request_id}" in page.links
    assert "Initialized" in page.text or "Working" in page.text


def test_the_history_of_an_entry_says_that_a_leg_was_cancelled(service: Service, visitor: Visitor) -> None:
    service.place("order-1", stop_loss="4990", strategy_id="s")
    service.cancel("STOP1", strategy_id="s")
    history = look(visitor).text.partition("History")[2]
    assert "cancelled STOP1" in " ".join(history.split())


def test_an_alarm_and_what_to_do_stand_with_the_order(service: Service, visitor: Visitor) -> None:
    placed = put(service, "order-1")
    signed = provenance(service.trader, "report.1")
    rung = signed.event(None)._replace(changes={"alarm": "unprotected: its stop was rejected"})
    assert service.orders.rewrite(signed, placed, placed._replace(history=(*placed.history, rung)))
    text = look(visitor).text
    assert "ALARM of order-1: unprotected: its stop was rejected" in text
    assert "a report of the bridge" in text
    assert "place a stop there, or close the position" in text


def test_an_order_that_is_unresolved_says_how_to_end_it(service: Service, visitor: Visitor) -> None:
    put(service, "$(x)", unresolved="nothing was said")
    page = look(visitor, "$(x)")
    assert "orderhook resolve ORDER cancelled" in page.text
    assert "resolve $(x)" not in page.text  # what is copied holds no id of an order


# Cancelling


def test_a_cancel_without_a_venue_is_done(service: Service, visitor: Visitor) -> None:
    service.place("order-1")
    page = cancel(visitor)
    assert service.state() == "Cancelled"
    assert "good: cancelled" in page.text


def test_with_a_venue_a_cancel_is_asked_and_not_done(service: Service, visitor: Visitor) -> None:
    service.use_venue()
    visitor = Visitor(service)
    put(service, "order-1")
    text = cancel(visitor).text
    assert "cancel pending" in text
    assert "not cancelled yet" in text
    assert service.state() == "CancelPending"


def test_a_double_click_cancels_once_and_says_so(service: Service, visitor: Visitor) -> None:
    service.place("order-1")
    form = look(visitor).form("Cancel")
    visitor.send(form)
    events = len(service.plain()["history"])
    again = visitor.send(form)
    assert "nothing new was sent" in again.text
    assert len(service.plain()["history"]) == events
    commands = [it.command for it in service.alerts.newest(service.trader)]
    assert [it for it in commands if it != "SIGN IN"] == ["CANCEL", "PLACE"]


def test_a_form_that_comes_back_ends_no_later_order(service: Service, visitor: Visitor) -> None:
    service.place("order-1", strategy_id="s")
    form = look(visitor).form("Cancel")
    visitor.send(form)
    service.table.client.delete_item(
        TableName=service.table.name, Key=serialize(items.order_key(service.trader, "order-1"))
    )
    service.place("order-1", strategy_id="s")
    assert "nothing new was sent" in visitor.send(form).text
    assert service.state() == "Working"


def test_a_form_that_was_never_sent_ends_no_later_order(service: Service, visitor: Visitor) -> None:
    service.place("order-1", strategy_id="s")
    form = look(visitor).form("Cancel")
    service.table.client.delete_item(
        TableName=service.table.name, Key=serialize(items.order_key(service.trader, "order-1"))
    )
    service.place("order-1", strategy_id="s")
    page = visitor.send(form)
    assert (page.status, service.state()) == (409, "Working")
    assert "Nothing was cancelled" in page.text


def test_a_cancel_that_was_cut_off_ends_no_later_order(
    service: Service, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.place("order-1", strategy_id="s")
    form = look(visitor).form("Cancel")

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("orderhook.console.acting.act", die)
        with pytest.raises(SystemExit):
            visitor.send(form)
    service.table.client.delete_item(
        TableName=service.table.name, Key=serialize(items.order_key(service.trader, "order-1"))
    )
    service.place("order-1", strategy_id="s")
    assert (visitor.send(form).status, service.state()) == (409, "Working")


def test_a_name_that_was_taken_over_is_left_alone(service: Service, visitor: Visitor) -> None:
    service.place("first", strategy_id="s")
    form = look(visitor, "first").form("Cancel")
    service.cancel("first")
    service.place("second", strategy_id="s")  # ENTRY1 by now
    assert "already cancelled" in visitor.send(form).text
    assert service.state("second") == "Working"


def test_a_fill_that_was_faster_is_no_success(service: Service, visitor: Visitor) -> None:
    service.place("order-1")
    form = look(visitor).form("Cancel")
    service.report("Filled", 5)
    page = visitor.send(form)
    assert page.status == 409
    assert "order already terminal" in page.text
    assert "What to do" in page.text


def test_a_cancel_that_a_fill_overtakes_is_told_as_it_is(service: Service) -> None:
    service.use_venue()
    visitor = Visitor(service)
    put(service, "order-1")
    form = look(visitor).form("Cancel")
    visitor.send(form)
    service.report("Filled", 5)
    assert "the fill was faster" in visitor.send(form).text


@pytest.mark.parametrize("order_id", ["STOP1", "entry2", "TARGET0", "long.stop1"])
def test_an_id_that_means_another_order_is_never_sent(service: Service, visitor: Visitor, order_id: str) -> None:
    put(service, order_id)
    page = look(visitor, order_id)
    assert "No alert can address this id" in page.text
    sent = visitor.post(
        "/console/order/cancel",
        account="Sim101",
        orderId=order_id,
        placed=f"place-{order_id}",
        once=32 * "a",
        withoutStop="9",
    )
    assert (sent.status, service.state(order_id)) == (409, "Working")


def test_a_stop_is_cancelled_by_a_page_that_says_what_it_leaves(service: Service) -> None:
    service.use_venue()
    visitor = Visitor(service)
    put_stop(service)
    page = look(visitor, "long.STOP1")
    assert "leaves 2 contracts without a stop" in page.text
    assert "/console/order/cancel" not in [form.action for form in page.forms]
    confirmed = visitor.get(next(link for link in page.links if link.startswith("/console/order/cancel")))
    assert "leaves 2 contracts without a stop" in confirmed.text
    text = visitor.send(confirmed.form("Cancel this stop")).text
    assert service.state("long.STOP1") == "CancelPending"
    assert "unprotected quantity" in text


@pytest.mark.parametrize(
    ("since", "is_missed"),
    [
        ([("LONG", 2)], True),
        ([("UNKNOWN", 0)], True),
        ([("FLAT", 0)], False),
        ([("FLAT", 9)], False),
        ([("FLAT", 0), ("LONG", 2)], False),
        ([("SHORT", 2)], False),
    ],
    ids=["open", "unknown", "flat", "flat by a heartbeat alone", "flat, and opened again", "on the other side"],
)
def test_a_stop_that_ended_is_missed_until_its_position_was_seen_closed(
    service: Service, since: list[tuple[Side, int]], is_missed: bool
) -> None:
    service.use_venue()
    visitor = Visitor(service)
    ended = timestamp(service.queue.now - timedelta(seconds=30))
    put(service, "long", state=OrderState.FILLED, filled=2, qty=2)
    put_stop(service, state=OrderState.CANCELLED, since=ended)
    bridge, before = service.services.bridge, service.queue.now - timedelta(minutes=5)
    flat = PositionReport("Sim101", "ES 12-26", "FLAT", 0, None, timestamp(before))
    bridge.note_flat(service.trader, flat)
    for seconds, (side, quantity) in enumerate(since):
        at = timestamp(service.queue.now + timedelta(seconds=seconds))
        told = flat._replace(side=side, quantity=quantity, at=at)
        bridge.put_position(service.trader, told)
        if (side, quantity) == ("FLAT", 0):
            bridge.note_flat(service.trader, told)
    assert ("leaves 2 contracts without a stop" in look(visitor, "long.STOP1").text) is is_missed


def test_an_order_that_became_a_stop_is_asked_about_again(service: Service) -> None:
    service.use_venue()
    visitor = Visitor(service)
    put_stop(service, closes=None, entry_id=None, order_name=None)
    form = look(visitor, "long.STOP1").form("Cancel")
    position = PositionReport("Sim101", "ES 12-26", "LONG", 2, Decimal(5000), timestamp(datetime.now(UTC)))
    service.services.bridge.put_position(service.trader, position)
    page = visitor.send(form)
    assert (page.status, service.state("long.STOP1")) == (409, "Working")
    assert "leaves 2 contracts without a stop" in page.text


def test_a_form_that_is_not_whole_does_nothing(service: Service, visitor: Visitor) -> None:
    service.place("order-1")
    page = visitor.send(look(visitor).form("Cancel"), once="")
    assert (page.status, service.state()) == (400, "Working")


# What a session may


def test_a_limited_session_sees_and_ends_its_own_alone(service: Service, visitor: Visitor) -> None:
    service.place("mine")
    service.place("theirs", account="Sim102")
    form = look(visitor, "theirs", "Sim102").form("Cancel")
    limited = Visitor(service, limits=Limits(accounts=("SIM101",)))
    page = limited.get("/console/orders")
    assert "orderId=mine" in page.markup
    assert "theirs" not in page.markup
    assert look(limited, "theirs", "Sim102").status == 404
    assert limited.send(form).status == 404
    assert service.state("theirs") == "Working"
    service.cancel("theirs")
    assert "theirs" not in limited.get("/console/orders", status="closed").markup


def test_a_session_that_only_looks_cancels_nothing(service: Service, visitor: Visitor) -> None:
    service.place("order-1")
    form = look(visitor).form("Cancel")
    looking = Visitor(service, read_only=True)
    assert "This session may only look" in look(looking).text
    assert looking.send(form).status == 403
    assert service.state() == "Working"


def test_looking_changes_nothing(service: Service, visitor: Visitor) -> None:
    service.place("order-1", take_profit=5040, stop_loss=4990)
    before = service.belongings()
    for path in ("/console/orders", "/console/orders?status=closed", "/console/strategies"):
        assert visitor.get(path).status == 200
    look(visitor)
    visitor.get("/console/order/cancel", account="Sim101", orderId="order-1")
    assert service.belongings() == before


def test_a_poll_of_an_unchanged_page_is_told_so(service: Service, visitor: Visitor) -> None:
    service.place("order-1")
    first, second = visitor.get("/console/orders"), visitor.get("/console/orders")
    assert first.headers["ETag"] == second.headers["ETag"]
    assert look(visitor).headers["ETag"] == look(visitor).headers["ETag"]
