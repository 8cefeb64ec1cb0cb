"""A venue's reports: fills are facts, and have the legs of a trade work for what is filled."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import product

import pytest

from orderhook.errors import TemporarilyUnavailableError
from orderhook.listing import Unreadable, list_orders
from orderhook.order_reports import Report, reported
from orderhook.orders import OrderState, timestamp
from orderhook.provenance import Provenance
from orderhook.store.orders import LEGS_RETENTION
from orderhook.store.reports import ReportResult
from tests import builders
from tests.faults import (
    PASSING_IN_TRANSACTIONS,
    Fault,
    conflict_in_transaction,
    lose_request,
    lose_response,
    run_and_lose_response,
    run_before,
    throttle,
)
from tests.marks import EACH_ONCE, LONG
from tests.service import Service
from tests.states import FINISHED, OPEN, STATES, may_follow
from tests.tables import RETENTION
from tests.trades import READ, SECONDS_TO_CLOSE, TRANSACTION, have_bracket, have_long_history, seen, to_noon_in_new_york

STOP, TARGET = "order-1.STOP1", "order-1.TARGET1"


def report(
    service: Service,
    state: str,
    filled: int = 0,
    *,
    order_id: str = "order-1",
    average: str | None = None,
    seq: int | None = None,
    reason: str | None = None,
    request_id: str | None = None,
    by_handler: bool = False,
) -> ReportResult:
    """Have a venue report an order; `by_handler` its requests meet the faults. The same values are the same report."""
    request_id = request_id or f"{order_id}-{state}-{filled}-{average}-{seq}"
    signed = Provenance(service.trader, "venue", request_id, service.queue.now)
    said = Report(OrderState(state), filled, None if average is None else Decimal(average), seq, reason)
    services = service.handlers_services if by_handler else service.services
    return services.reports.record(signed, order_id, said)


def legs(service: Service) -> Mapping[str, tuple[str, int]]:
    """Return the state and the quantity of each leg, waiting or not, by its name."""
    listed = list_orders(service.services, service.trader, timestamp(service.queue.now))
    orders = [order for order in listed if not isinstance(order, Unreadable) and order.entry_id]
    return {str(order.order_name): (str(order.state), order.qty) for order in orders}


def working(**quantities: int) -> Mapping[str, tuple[str, int]]:
    """Return legs that all work, for these quantities."""
    return {name: ("Working", qty) for name, qty in quantities.items()}


def entry(service: Service) -> tuple[str, int]:
    """Return the entry's state, and what of it is filled."""
    order = seen(service)
    return str(order.state), order.filled


def have_template(service: Service, *brackets: builders.Bracket, **fields: object) -> None:
    """Have order-1 of five work, with the legs of a template of these brackets."""
    service.put_template("t", *brackets)
    assert service.place("order-1", strategy="t", **fields).word == "placed"


# The fills of an entry, and its legs


def test_each_fill_of_an_entry_has_its_legs_work_for_what_is_filled(service: Service) -> None:
    have_bracket(service)
    assert legs(service) == {"STOP1": ("Initialized", 5), "TARGET1": ("Initialized", 5)}
    for state, filled in (("PartFilled", 2), ("PartFilled", 3), ("Filled", 5)):
        assert report(service, state, filled).applied
        assert entry(service) == (state, filled)
        assert legs(service) == working(STOP1=filled, TARGET1=filled)
        still_open = [] if state == "Filled" else ["order-1"]
        assert sorted(service.open_orders()) == [*still_open, STOP, TARGET]


def test_an_entry_that_fills_at_once_has_its_legs_work_at_once(service: Service) -> None:
    have_bracket(service)
    assert report(service, "Filled", 5).applied
    assert (entry(service), legs(service)) == (("Filled", 5), working(STOP1=5, TARGET1=5))


@pytest.mark.parametrize("state", ["Working", "Suspended", "ChangePending", "CancelPending", "Unknown"])
def test_a_fill_has_the_legs_work_whatever_else_its_report_says(service: Service, state: str) -> None:
    have_bracket(service)
    assert report(service, state, 2).applied
    assert (entry(service), legs(service)) == ((state, 2), working(STOP1=2, TARGET1=2))


@pytest.mark.parametrize(
    ("action", "take_profit", "stop_loss", "opposite"), [("BUY", 5010, 4990, "SELL"), ("SELL", 4990, 5010, "BUY")]
)
def test_a_leg_becomes_an_order_of_its_own_with_all_that_it_was(
    service: Service, action: str, take_profit: int, stop_loss: int, opposite: str
) -> None:
    have_bracket(service, action=action, take_profit=take_profit, stop_loss=stop_loss, notes="a remark")
    waiting = {order_id: seen(service, order_id) for order_id in (STOP, TARGET)}
    report(service, "PartFilled", 2)
    for order_id, before in waiting.items():
        leg = service.order(order_id)
        assert leg is not None
        assert (leg.state, leg.qty, leg.filled, leg.tif, leg.action) == ("Working", 2, 0, "GTC", opposite)
        for name in (
            *("account", "instrument", "order_type", "limit_price", "stop_price", "oco_id", "notes"),
            *("strategy_id", "order_name", "entry_id", "received_at", "generation"),
        ):
            assert getattr(leg, name) == getattr(before, name), name
        assert (leg.cancelled_at, leg.reason, leg.since) == (None, None, leg.released_at)
        assert [(str(event.state), event.changes) for event in leg.history] == [("Working", {"qty": "2"})]
    assert waiting[STOP].oco_id == waiting[TARGET].oco_id is not None


def test_a_fill_and_its_legs_are_one_transaction(service: Service) -> None:
    have_bracket(service)
    service.warm_up()
    for state, filled in (("PartFilled", 2), ("Filled", 5)):
        assert report(service, state, filled, by_handler=True).applied
        assert service.network.operations == [READ, TRANSACTION]
        written = [write.get("Key", write.get("Item", {}))["sk"]["S"] for write in service.network.requests[1].writes]
        assert sorted(written) == ["ORDER#order-1", f"ORDER#{STOP}", f"ORDER#{TARGET}"]
        service.network.forget()


def test_a_leg_that_works_is_cancelled_and_changed_under_its_id_and_its_name(service: Service) -> None:
    have_bracket(service)
    report(service, "PartFilled", 2)
    assert service.send("CHANGE", order_id="STOP1", strategy_id="strategy-1", stop_price=4995).word == "changed"
    assert service.cancel("target1", strategy_id="strategy-1").word == "cancelled"
    assert report(service, "Filled", 5).applied
    assert legs(service) == {"STOP1": ("Working", 5), "TARGET1": ("Cancelled", 2)}
    assert seen(service, STOP).stop_price == 4995


def test_a_fill_of_a_leg_is_its_own_and_leaves_its_entry_and_its_partner(service: Service) -> None:
    have_bracket(service, "Filled", 5)
    before = service.item()
    assert report(service, "PartFilled", 2, order_id=STOP, average="4990").applied
    assert report(service, "Filled", 5, order_id=STOP, average="4989.75").applied
    stop = seen(service, STOP)
    assert (stop.state, stop.filled, stop.average) == ("Filled", 5, Decimal("4989.75"))
    assert legs(service)["TARGET1"] == ("Working", 5)
    assert service.item() == before


# The legs of a template


def test_the_brackets_of_a_template_take_what_is_filled_in_their_order(service: Service) -> None:
    have_template(service, (2, 10, 5), (3, 20, 8))
    report(service, "PartFilled", 1, average="5000")
    waiting = {"STOP2": ("Initialized", 3), "TARGET2": ("Initialized", 3)}
    assert legs(service) == {**working(STOP1=1, TARGET1=1), **waiting}
    report(service, "PartFilled", 2, average="5000")
    assert legs(service) == {**working(STOP1=2, TARGET1=2), **waiting}
    report(service, "PartFilled", 3, average="5000")
    assert legs(service) == working(STOP1=2, TARGET1=2, STOP2=1, TARGET2=1)
    report(service, "Filled", 5, average="5000")
    assert legs(service) == working(STOP1=2, TARGET1=2, STOP2=3, TARGET2=3)


def test_what_no_bracket_reaches_has_no_leg(service: Service) -> None:
    have_template(service, (1, 10, None), (1, None, 8))
    report(service, "Filled", 5, average="5000")
    assert legs(service) == working(TARGET1=1, STOP2=1)
    report(service, "Filled", 7, average="5000")
    assert legs(service) == working(TARGET1=1, STOP2=1)


@pytest.mark.parametrize(
    ("action", "target", "stop"), [("BUY", "5011.125", "4996.125"), ("SELL", "4991.125", "5006.125")]
)
def test_points_become_prices_from_the_average_fill_price(
    service: Service, action: str, target: str, stop: str
) -> None:
    have_template(service, (5, 10, 5), action=action)
    for state, filled in (("PartFilled", 2), ("Filled", 5)):
        report(service, state, filled, average="5001.125")
        assert (seen(service, TARGET).limit_price, seen(service, TARGET).stop_price) == (Decimal(target), None)
        assert (seen(service, STOP).stop_price, seen(service, STOP).limit_price) == (Decimal(stop), None)


def test_a_leg_that_works_keeps_its_price_when_a_later_fill_moves_the_average(service: Service) -> None:
    have_template(service, (5, 10, 5))
    report(service, "PartFilled", 2, average="5000")
    report(service, "Filled", 5, average="5004.5")
    assert (seen(service).average, legs(service)) == (Decimal("5004.5"), working(STOP1=5, TARGET1=5))
    assert (seen(service, TARGET).limit_price, seen(service, STOP).stop_price) == (5010, 4995)


def test_a_price_that_a_leg_of_a_template_was_given_stays(service: Service) -> None:
    have_template(service, (5, 10, 5))
    assert service.send("CHANGE", order_id=STOP, stop_price=4980).word == "changed"
    report(service, "PartFilled", 2, average="5000")
    assert (seen(service, STOP).stop_price, seen(service, TARGET).limit_price) == (4980, 5010)


@pytest.mark.parametrize(
    "entry_of",
    [
        {"order_type": "LIMIT", "limit_price": 5000},
        {"order_type": "STOPMARKET", "limit_price": None, "stop_price": 5000},
        {"order_type": "STOPLIMIT", "limit_price": 5000, "stop_price": 5001},
    ],
    ids=lambda fields: str(fields["order_type"]),
)
def test_without_an_average_points_become_prices_from_the_entrys_own(
    service: Service, entry_of: dict[str, object]
) -> None:
    have_template(service, (5, 10, 5), **entry_of)
    report(service, "Filled", 5)
    assert legs(service) == working(STOP1=5, TARGET1=5)
    assert (seen(service, STOP).stop_price, seen(service, TARGET).limit_price) == (4995, 5010)


MARKET: Mapping[str, object] = {"order_type": "MARKET", "limit_price": None}


@pytest.mark.parametrize(("state", "filled"), [("PartFilled", 2), ("PartFilled", 3), ("Filled", 5)])
def test_legs_of_a_market_order_wait_for_the_average_as_orders_of_their_own(
    service: Service, state: str, filled: int
) -> None:
    have_template(service, (5, 10, 5), **MARKET)
    report(service, "PartFilled", 2)
    assert legs(service) == {"STOP1": ("Initialized", 2), "TARGET1": ("Initialized", 2)}
    assert sorted(service.open_orders()) == ["order-1", STOP, TARGET]
    assert report(service, state, filled, average="5000.5").applied
    assert (entry(service), legs(service)) == ((state, filled), working(STOP1=filled, TARGET1=filled))
    assert (seen(service, STOP).stop_price, seen(service, TARGET).limit_price) == (Decimal("4995.5"), Decimal("5010.5"))


def test_a_leg_without_a_price_can_be_cancelled_or_given_one_and_keeps_that(service: Service) -> None:
    have_template(service, (5, 10, 5), **MARKET)
    report(service, "PartFilled", 2)
    assert service.cancel(TARGET).word == "cancelled"
    assert service.send("CHANGE", order_id=STOP, stop_price=4980).word == "changed"
    assert report(service, "Filled", 5, average="5000").applied
    assert (entry(service), legs(service)["TARGET1"]) == (("Filled", 5), ("Cancelled", 2))
    assert (seen(service, STOP).stop_price, seen(service, STOP).qty) == (4980, 5)


# A leg that was ended by itself


def test_a_leg_that_was_cancelled_while_it_waited_is_not_made_by_a_fill(service: Service) -> None:
    have_bracket(service)
    assert service.cancel(STOP).word == "cancelled"
    for state, filled in (("PartFilled", 2), ("Filled", 5)):
        assert report(service, state, filled).applied
        assert legs(service) == {"STOP1": ("Cancelled", 5), "TARGET1": ("Working", filled)}
    assert service.open_orders() == [TARGET]


@pytest.mark.parametrize("end", ["CANCEL", "Cancelled", "Rejected", "Expired", "Filled"])
def test_a_leg_that_was_ended_while_it_worked_is_not_raised_by_a_fill(service: Service, end: str) -> None:
    have_bracket(service, "PartFilled", 2)
    if end == "CANCEL":
        assert service.cancel(STOP).word == "cancelled"
    else:
        assert report(service, end, 2 if end == "Filled" else 0, order_id=STOP).applied
    before = service.item(STOP)
    for state, filled in (("PartFilled", 3), ("Filled", 5)):
        assert report(service, state, filled).applied
        assert (entry(service), legs(service)["TARGET1"]) == ((state, filled), ("Working", filled))
    assert service.item(STOP) == before


def test_where_every_leg_was_ended_by_itself_a_fill_is_recorded_all_the_same(service: Service) -> None:
    have_bracket(service)
    service.cancel(STOP)
    report(service, "PartFilled", 2)
    service.cancel(TARGET)
    assert report(service, "Filled", 5).applied
    assert entry(service) == ("Filled", 5)
    assert legs(service) == {"STOP1": ("Cancelled", 5), "TARGET1": ("Cancelled", 2)}


@pytest.mark.parametrize("state", ["CancelPending", "Unknown", "PartFilled"])
def test_a_leg_that_is_still_open_is_raised_whatever_its_state(service: Service, state: str) -> None:
    have_bracket(service, "PartFilled", 2)
    report(service, state, 1 if state == "PartFilled" else 0, order_id=STOP)
    report(service, "Filled", 5)
    assert legs(service)["STOP1"] == (state, 5)


# The end of an entry


def end_by_cancel(service: Service, filled: int) -> None:
    assert service.cancel("order-1").body["filled"] == str(filled)


def end_by_report(state: str) -> Callable[[Service, int], None]:
    def end(service: Service, filled: int) -> None:
        assert report(service, state, filled).applied

    return end


END = Callable[[Service, int], None]
ENDS: Mapping[str, tuple[END, str]] = {
    "cancelled by its trader": (end_by_cancel, "Cancelled"),
    "cancelled": (end_by_report("Cancelled"), "Cancelled"),
    "rejected": (end_by_report("Rejected"), "Rejected"),
    "expired": (end_by_report("Expired"), "Expired"),
}
every_end = pytest.mark.parametrize(("end", "state"), ENDS.values(), ids=list(ENDS))


@every_end
def test_an_entry_that_ends_unfilled_takes_its_legs_with_it(service: Service, end: END, state: str) -> None:
    have_bracket(service)
    end(service, 0)
    assert entry(service) == (state, 0)
    assert legs(service) == {"STOP1": ("Cancelled", 5), "TARGET1": ("Cancelled", 5)}
    assert [seen(service, order_id).reason for order_id in (STOP, TARGET)] == ["entry ended unfilled"] * 2
    assert (service.item(STOP), service.open_orders()) == (None, [])


@every_end
def test_an_entry_that_ends_part_filled_leaves_the_legs_of_what_is_filled(
    service: Service, end: END, state: str
) -> None:
    have_template(service, (2, 10, 5), (3, 20, 8))
    report(service, "PartFilled", 1, average="5000")
    end(service, 1)
    assert entry(service) == (state, 1)
    waited = {"STOP2": ("Cancelled", 3), "TARGET2": ("Cancelled", 3)}
    assert legs(service) == {**working(STOP1=1, TARGET1=1), **waited}
    assert sorted(service.open_orders()) == [STOP, TARGET]
    assert seen(service).filled_after_end is None


@pytest.mark.parametrize("state", ["Cancelled", "Rejected", "Expired"])
def test_an_end_that_brings_the_first_fill_leaves_legs_for_it(service: Service, state: str) -> None:
    have_bracket(service)
    assert report(service, state, 2, reason="the venue says why").applied
    order = seen(service)
    assert (order.state, order.filled, order.filled_after_end, order.reason) == (state, 2, None, "the venue says why")
    assert order.cancelled_at == (order.since if state == "Cancelled" else None)
    assert legs(service) == working(STOP1=2, TARGET1=2)


@pytest.mark.parametrize("filled", [0, 2])
def test_an_entry_whose_legs_work_stays_longer_than_one_that_has_none(service: Service, filled: int) -> None:
    kept = LEGS_RETENTION if filled else RETENTION
    for order_id, end in (("order-1", "CANCEL"), ("order-2", "Cancelled")):
        assert service.place(order_id, take_profit=5010, stop_loss=4990).word == "placed"
        if filled:
            report(service, "PartFilled", filled, order_id=order_id)
        if end == "CANCEL":
            service.cancel(order_id)
        else:
            report(service, end, filled, order_id=order_id)
        item = service.plain(order_id)
        ended = datetime.fromisoformat(item["since"])
        assert int(item["expires"]) == int((ended + kept).timestamp())


# Fills after the end


@every_end
def test_a_fill_after_the_end_is_recorded_beside_it_and_protected(service: Service, end: END, state: str) -> None:
    have_bracket(service)
    end(service, 0)
    before = seen(service)
    assert report(service, "PartFilled", 2, average="5000.5").applied
    after = seen(service)
    assert (after.state, after.since, after.reason, after.cancelled_at) == (
        state,
        before.since,
        before.reason,
        before.cancelled_at,
    )
    assert (after.filled, after.filled_after_end, after.average) == (2, 2, Decimal("5000.5"))
    assert legs(service) == working(STOP1=2, TARGET1=2)
    for leg in (seen(service, STOP), seen(service, TARGET)):
        assert (leg.cancelled_at, leg.reason, leg.since) == (None, None, leg.released_at)
    assert report(service, "Filled", 5).applied
    assert (entry(service), seen(service).filled_after_end) == ((state, 5), 5)
    assert legs(service) == working(STOP1=5, TARGET1=5)
    assert sorted(service.open_orders()) == [STOP, TARGET]


@every_end
def test_a_fill_after_a_part_filled_end_raises_the_legs_and_releases_the_next(
    service: Service, end: END, state: str
) -> None:
    have_template(service, (2, 10, 5), (3, 20, 8))
    report(service, "PartFilled", 1, average="5000")
    end(service, 1)
    assert report(service, "PartFilled", 4, average="5000").applied
    assert (entry(service), seen(service).filled_after_end) == ((state, 4), 4)
    assert legs(service) == working(STOP1=2, TARGET1=2, STOP2=2, TARGET2=2)


@every_end
def test_a_fill_after_the_end_does_not_make_a_leg_that_was_cancelled_by_itself(
    service: Service, end: END, state: str
) -> None:
    have_bracket(service)
    assert service.cancel(STOP).word == "cancelled"
    end(service, 0)
    assert report(service, "PartFilled", 2).applied
    assert (entry(service), seen(service).filled_after_end) == ((state, 2), 2)
    assert legs(service) == {"STOP1": ("Cancelled", 5), "TARGET1": ("Working", 2)}


@every_end
def test_a_fill_after_the_end_does_not_raise_a_leg_that_was_cancelled_by_itself(
    service: Service, end: END, state: str
) -> None:
    have_bracket(service, "PartFilled", 2)
    assert service.cancel(STOP).word == "cancelled"
    end(service, 2)
    assert report(service, "PartFilled", 3).applied
    assert (entry(service), seen(service).filled_after_end) == ((state, 3), 3)
    assert legs(service) == {"STOP1": ("Cancelled", 2), "TARGET1": ("Working", 3)}


def test_a_cancel_keeps_what_was_filled_when_it_was_given(service: Service) -> None:
    have_bracket(service, "PartFilled", 2)
    service.cancel("order-1")
    report(service, "Filled", 5)
    order = seen(service)
    assert (order.filled, order.cancel_filled, order.filled_after_end) == (5, 2, 5)


@pytest.mark.parametrize("state", ["PartFilled", "Filled"])
def test_a_fill_after_the_end_of_its_day_leaves_the_order_expired(service: Service, state: str) -> None:
    to_noon_in_new_york(service)
    have_bracket(service, tif="DAY")
    service.let_pass(SECONDS_TO_CLOSE + 60)
    before = seen(service)
    assert before.state == "Expired"
    assert report(service, state, 2 if state == "PartFilled" else 5).applied
    after = seen(service)
    assert (after.state, after.since) == (before.state, before.since)
    assert after.filled_after_end == after.filled
    assert legs(service) == working(STOP1=after.filled, TARGET1=after.filled)


@LONG
@pytest.mark.parametrize(("before", "after"), [*product(FINISHED, STATES)])
def test_a_finished_order_keeps_its_end_whatever_is_reported(service: Service, before: str, after: str) -> None:
    service.have_order(before)
    item = service.item()
    assert not report(service, after).applied
    assert service.item() == item
    assert report(service, after, 2).applied
    order = seen(service)
    assert (order.state, order.filled, order.filled_after_end) == (before, 2, 2)
    assert service.open_orders() == []


# More than was ordered


@pytest.mark.parametrize("first", [0, 2, 5])
def test_what_is_filled_beyond_the_quantity_is_recorded_and_protected(service: Service, first: int) -> None:
    have_bracket(service)
    if first:
        report(service, "PartFilled" if first < 5 else "Filled", first)
    assert report(service, "Filled", 7).applied
    order = seen(service)
    assert (order.state, order.qty, order.filled) == ("Filled", 5, 7)
    assert order.filled_after_end == (7 if first == 5 else None)
    assert legs(service) == working(STOP1=7, TARGET1=7)


def test_a_quantity_that_was_lowered_meanwhile_keeps_no_fill_from_being_recorded(service: Service) -> None:
    have_bracket(service)
    assert service.send("CHANGE", order_id="order-1", qty=3).word == "changed"
    assert report(service, "Filled", 5).applied
    assert (seen(service).qty, entry(service)) == (3, ("Filled", 5))
    assert legs(service) == working(STOP1=5, TARGET1=5)


# What is filled, and at which price


def test_what_is_filled_only_grows(service: Service) -> None:
    have_bracket(service, "PartFilled", 3)
    for filled in (2, 0):
        assert report(service, "Working" if filled else "Suspended", filled).applied
        assert (seen(service).filled, legs(service)) == (3, working(STOP1=3, TARGET1=3))
    assert entry(service) == ("Suspended", 3)


def test_the_average_price_comes_with_a_larger_fill(service: Service) -> None:
    service.have_order("Working")
    report(service, "PartFilled", 2, average="5000.125")
    report(service, "Working", 1, average="1")
    assert seen(service).average == Decimal("5000.125")
    report(service, "PartFilled", 3)
    assert seen(service).average == Decimal("5000.125")
    report(service, "Filled", 5, average="4999.9")
    assert seen(service).average == Decimal("4999.9")


def test_a_report_stands_in_the_history_with_what_was_filled(service: Service) -> None:
    service.have_order("Working")
    report(service, "PartFilled", 2, request_id="part")
    report(service, "Suspended", 2, request_id="suspended")
    report(service, "Suspended", 3, request_id="more")
    order = service.order()
    assert order is not None
    assert [(event.request_id, event.state, event.changes) for event in order.history[-3:]] == [
        ("part", "PartFilled", {"filled": "2"}),
        ("suspended", "Suspended", {}),
        ("more", None, {"filled": "3"}),
    ]


@LONG
@pytest.mark.parametrize("length", [198, 199])
def test_a_report_trims_a_full_history_and_keeps_its_first_entry(service: Service, length: int) -> None:
    have_long_history(service, length)
    report(service, "PartFilled", 2, request_id="part")
    order = service.order()
    assert order is not None
    assert 100 <= len(order.history) < 200
    assert (order.history[0].request_id, order.history[-1].request_id) == ("r0", "part")
    assert len(order.history) + order.history_dropped == length + 1
    assert legs(service) == working(STOP1=2)
    assert service.cancel("order-1").word == "cancelled"


# Which state may follow


@pytest.mark.parametrize(("before", "after"), [*product(OPEN, STATES)])
def test_a_report_moves_an_order_where_the_specification_lets_it(before: str, after: str) -> None:
    signed = builders.provenance("nobody", "report")
    placed = builders.provenance("nobody", "place")
    order = builders.order(placed, "a", state=OrderState(before), filled=1)
    moved = reported(order, Report(OrderState(after), 1), signed)
    assert (moved is not None) is (may_follow(before, after) and before != after)
    assert moved is None or moved.state == after
    filled_more = reported(order, Report(OrderState(after), 2), signed)
    assert filled_more is not None
    assert (filled_more.state, filled_more.filled) == (after if may_follow(before, after) else before, 2)


@pytest.mark.parametrize("after", ["Working", "PartFilled", "Filled", "CancelPending", *FINISHED])
def test_an_unknown_order_stays_open_until_a_report_says_more(service: Service, after: str) -> None:
    have_bracket(service)
    assert report(service, "Unknown").applied
    assert (service.open_orders(), entry(service)) == (["order-1"], ("Unknown", 0))
    assert set(legs(service).values()) == {("Initialized", 5)}
    assert report(service, after, 2).applied
    assert (entry(service), legs(service)) == ((after, 2), working(STOP1=2, TARGET1=2))
    assert ("order-1" in service.open_orders()) is (after not in FINISHED)


def test_an_unknown_order_can_be_cancelled(service: Service) -> None:
    have_bracket(service)
    report(service, "Unknown")
    assert service.cancel("order-1").word == "cancelled"
    assert not report(service, "Working").applied
    assert entry(service) == ("Cancelled", 0)


# Sequence numbers


@pytest.mark.parametrize("seq", [2, 3])
def test_a_report_that_is_not_newer_does_not_undo_the_last_one(service: Service, seq: int) -> None:
    have_bracket(service)
    report(service, "Suspended", seq=3)
    before = service.item()
    assert not report(service, "Working", seq=seq).applied
    assert not report(service, "Cancelled", seq=seq).applied
    assert service.item() == before
    assert report(service, "Working", seq=4).applied
    assert entry(service) == ("Working", 0)


def test_an_older_report_counts_for_its_larger_fill_alone(service: Service) -> None:
    have_bracket(service)
    report(service, "CancelPending", seq=9)
    assert report(service, "PartFilled", 2, seq=8, average="5000.5").applied
    assert (entry(service), seen(service).average) == (("CancelPending", 2), Decimal("5000.5"))
    assert legs(service) == working(STOP1=2, TARGET1=2)
    assert not report(service, "PartFilled", 1, seq=7).applied
    assert report(service, "Filled", 3, seq=6).applied
    assert (entry(service), legs(service)) == (("CancelPending", 3), working(STOP1=3, TARGET1=3))
    # The number is still that of the newest report.
    assert not report(service, "Working", 3, seq=9).applied
    assert report(service, "Working", 3, seq=10).applied
    assert entry(service) == ("Working", 3)


def test_an_older_report_that_comes_after_the_end_raises_the_legs(service: Service) -> None:
    have_bracket(service)
    report(service, "PartFilled", 2, seq=1)
    report(service, "Cancelled", 2, seq=3)
    assert report(service, "PartFilled", 4, seq=2).applied
    assert (entry(service), seen(service).filled_after_end) == (("Cancelled", 4), 4)
    assert legs(service) == working(STOP1=4, TARGET1=4)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)], ids=str)
def test_in_whatever_order_reports_come_the_same_is_known_in_the_end(service: Service, order: tuple[int, ...]) -> None:
    have_bracket(service)
    snapshots = {1: ("PartFilled", 1), 2: ("PartFilled", 2), 3: ("Cancelled", 2)}
    for seq in order:
        report(service, *snapshots[seq], seq=seq)
    assert (entry(service), legs(service)) == (("Cancelled", 2), working(STOP1=2, TARGET1=2))


def test_each_order_counts_the_reports_of_its_own(service: Service) -> None:
    have_bracket(service)
    report(service, "PartFilled", 2, seq=9)
    assert report(service, "Suspended", order_id=STOP, seq=1).applied
    assert report(service, "Filled", 5, seq=10).applied
    assert legs(service) == {"STOP1": ("Suspended", 5), "TARGET1": ("Working", 5)}


@EACH_ONCE
@pytest.mark.parametrize("seq", [None, 4])
@pytest.mark.parametrize("state", ["PartFilled", "Filled", "Cancelled"])
def test_the_same_report_twice_is_one(service: Service, state: str, seq: int | None) -> None:
    have_bracket(service)
    assert report(service, state, 2, seq=seq, request_id="once").applied
    before = service.everything()
    assert report(service, state, 2, seq=seq, request_id="once").applied
    # The same snapshot, sent anew.
    assert not report(service, state, 2, seq=seq, request_id="again").applied
    assert service.everything() == before


def test_a_report_that_comes_again_after_others_changes_nothing(service: Service) -> None:
    have_bracket(service)
    for number in range(1, 5):
        report(service, "PartFilled", number, request_id=f"fill-{number}")
    report(service, "Suspended", 4, request_id="suspended")
    before = service.everything()
    for number in range(1, 5):
        assert report(service, "PartFilled", number, request_id=f"fill-{number}").applied
    assert service.everything() == before


# Orders that are not there


def test_a_report_of_an_unknown_order_is_told_and_writes_nothing(service: Service) -> None:
    have_bracket(service)
    before = service.everything()
    for order_id in ("nobodys", "order-1.STOP2", STOP):  # which waits, and is no order yet
        assert report(service, "Filled", 5, order_id=order_id) == ReportResult(None, applied=False)
    signed = builders.provenance("somebody-else", "fill")
    said = Report(OrderState.FILLED, 5)
    assert service.services.reports.record(signed, "order-1", said) == ReportResult(None, applied=False)
    assert service.everything() == before


def test_a_report_returns_the_order_as_it_was(service: Service) -> None:
    have_bracket(service)
    for said, was in ((("PartFilled", 2), ("Working", 0)), (("Filled", 5), ("PartFilled", 2))):
        written = report(service, *said)
        assert written.applied
        assert written.before is not None
        assert (written.before.state, written.before.filled) == was


def test_a_report_that_comes_again_returns_the_state_that_it_met(service: Service) -> None:
    have_bracket(service)
    for _ in range(2):
        written = report(service, "PartFilled", 2)
        assert written.applied
        assert written.before is not None
        assert written.before.state == "Working"


# Faults of the network


def history(service: Service) -> list[tuple[str, str | None]]:
    """Return the requests that have written into the entry's history since it was placed, and the states they gave."""
    order = service.order()
    assert order is not None
    return [(event.request_id, event.state) for event in order.history[1:]]


def test_a_report_whose_answer_was_lost_is_recorded_once(service: Service) -> None:
    have_bracket(service)
    service.warm_up()
    service.network.inject(TRANSACTION, lose_response)
    assert report(service, "PartFilled", 2, request_id="part", by_handler=True).applied
    assert history(service) == [("part", "PartFilled")]
    assert (entry(service), legs(service)) == (("PartFilled", 2), working(STOP1=2, TARGET1=2))
    service.network.inject(TRANSACTION, lose_response)
    assert report(service, "Filled", 5, request_id="all", by_handler=True).applied
    assert history(service) == [("part", "PartFilled"), ("all", "Filled")]
    assert (entry(service), legs(service)) == (("Filled", 5), working(STOP1=5, TARGET1=5))
    assert service.network.operations.count(TRANSACTION) == 4


@pytest.mark.parametrize(
    ("overtaker", "now", "for_legs"),
    [(("PartFilled", 3), "PartFilled", 3), (("Working", 2), "Working", 2), (("Cancelled", 2), "Cancelled", 2)],
    ids=["a further part", "working on", "the end"],
)
def test_a_report_whose_answer_was_lost_and_that_another_overtook_is_recorded_once(
    service: Service, overtaker: tuple[str, int], now: str, for_legs: int
) -> None:
    have_bracket(service)
    service.network.inject(TRANSACTION, run_and_lose_response(lambda: report(service, *overtaker, request_id="later")))
    assert report(service, "PartFilled", 2, request_id="earlier", by_handler=True).applied
    assert history(service) == [("earlier", "PartFilled"), ("later", now)]
    assert (entry(service), legs(service)) == ((now, for_legs), working(STOP1=for_legs, TARGET1=for_legs))


@pytest.mark.parametrize("fault", [throttle, lose_request, conflict_in_transaction], ids=str)
def test_a_report_that_met_a_passing_fault_is_sent_again(service: Service, fault: Fault) -> None:
    have_bracket(service)
    service.network.inject(TRANSACTION, fault)
    assert report(service, "PartFilled", 2, by_handler=True).applied
    assert (entry(service), legs(service)) == (("PartFilled", 2), working(STOP1=2, TARGET1=2))


@pytest.mark.parametrize("fault", [lose_request, *PASSING_IN_TRANSACTIONS], ids=str)
def test_a_report_that_the_table_does_not_take_leaves_everything_as_it_was(service: Service, fault: Fault) -> None:
    have_bracket(service)
    before = service.everything()
    service.network.inject(TRANSACTION, *[fault] * 20)
    with pytest.raises(TemporarilyUnavailableError):
        report(service, "PartFilled", 2, by_handler=True)
    assert service.everything() == before
    service.network.inject(TRANSACTION)
    assert report(service, "PartFilled", 2, by_handler=True).applied
    assert legs(service) == working(STOP1=2, TARGET1=2)


# Other writes between a report's read and its write


def meanwhile(service: Service, *actions: Callable[[], object]) -> None:
    """Have each of these happen after a report has read the order, and before it writes it."""
    service.network.inject(TRANSACTION, *map(run_before, actions))


def test_a_report_that_meets_another_write_looks_again(service: Service) -> None:
    have_bracket(service)
    meanwhile(service, lambda: service.send("CHANGE", order_id="order-1", qty=6, limit_price=5001))
    assert report(service, "PartFilled", 2, by_handler=True).applied
    order = seen(service)
    assert (order.state, order.filled, order.qty, order.limit_price) == ("PartFilled", 2, 6, 5001)
    assert legs(service) == working(STOP1=2, TARGET1=2)


@pytest.mark.parametrize("filled", [0, 2])
def test_a_fill_that_a_cancel_of_its_order_overtakes_is_one_after_the_end(service: Service, filled: int) -> None:
    have_bracket(service, "PartFilled" if filled else "Working", filled)
    meanwhile(service, service.cancel_elsewhere)
    assert report(service, "PartFilled", 3, by_handler=True).applied
    assert (entry(service), seen(service).filled_after_end) == (("Cancelled", 3), 3)
    assert legs(service) == working(STOP1=3, TARGET1=3)


def test_a_fill_that_a_cancel_of_a_waiting_leg_overtakes_does_not_make_it(service: Service) -> None:
    have_bracket(service)
    meanwhile(service, lambda: service.cancel(STOP))
    assert report(service, "PartFilled", 2, by_handler=True).applied
    assert legs(service) == {"STOP1": ("Cancelled", 5), "TARGET1": ("Working", 2)}


def test_a_fill_that_a_cancel_of_a_working_leg_overtakes_does_not_raise_it(service: Service) -> None:
    have_bracket(service, "PartFilled", 2)
    meanwhile(service, lambda: service.cancel(STOP))
    assert report(service, "Filled", 5, by_handler=True).applied
    assert entry(service) == ("Filled", 5)
    assert legs(service) == {"STOP1": ("Cancelled", 2), "TARGET1": ("Working", 5)}


def test_a_fill_that_moves_of_a_working_leg_overtake_raises_it_all_the_same(service: Service) -> None:
    have_bracket(service, "PartFilled", 2)
    meanwhile(service, lambda: service.send("CHANGE", order_id=STOP, stop_price=4995))
    assert report(service, "Filled", 5, by_handler=True).applied
    assert legs(service) == working(STOP1=5, TARGET1=5)
    assert seen(service, STOP).stop_price == 4995


def test_a_fill_that_an_earlier_fill_overtakes_raises_the_legs_of_that(service: Service) -> None:
    have_bracket(service)
    meanwhile(service, lambda: report(service, "PartFilled", 2))
    assert report(service, "PartFilled", 3, by_handler=True).applied
    assert (entry(service), legs(service)) == (("PartFilled", 3), working(STOP1=3, TARGET1=3))


def test_a_fill_that_a_later_fill_overtakes_changes_nothing(service: Service) -> None:
    have_bracket(service)
    meanwhile(service, lambda: report(service, "PartFilled", 3))
    assert not report(service, "PartFilled", 2, by_handler=True).applied
    assert (entry(service), legs(service)) == (("PartFilled", 3), working(STOP1=3, TARGET1=3))


def test_fills_that_overtake_one_another_again_and_again_are_all_recorded(service: Service) -> None:
    have_template(service, (2, 10, 5), (3, 20, 8))
    meanwhile(service, *(partial(report, service, "PartFilled", filled, average="5000") for filled in (1, 2, 3)))
    assert report(service, "Filled", 5, average="5000", by_handler=True).applied
    assert [state for _, state in history(service)] == ["PartFilled"] * 3 + ["Filled"]
    assert (entry(service), legs(service)) == (("Filled", 5), working(STOP1=2, TARGET1=2, STOP2=3, TARGET2=3))


def test_a_report_that_other_writes_overtake_without_end_gives_up_and_can_come_again(service: Service) -> None:
    have_bracket(service)
    prices = iter(range(4991, 5000))
    change = partial(service.send, "CHANGE", order_id="order-1")
    meanwhile(service, *[lambda: change(limit_price=next(prices))] * 9)
    with pytest.raises(RuntimeError, match="changes faster than it can be reported"):
        report(service, "PartFilled", 2, by_handler=True)
    assert set(legs(service).values()) == {("Initialized", 5)}
    service.network.inject(TRANSACTION)
    assert report(service, "PartFilled", 2, by_handler=True).applied
    assert legs(service) == working(STOP1=2, TARGET1=2)
