"""A venue's reports: recorded once, whatever happens to the answer."""

import pytest

from orderhook.orders import OrderState
from tests.builders import provenance
from tests.faults import lose_response, run_and_lose_response
from tests.service import Service

PART_FILLED, WORKING = OrderState.PART_FILLED, OrderState.WORKING


def events(service: Service) -> list[tuple[str, str]]:
    order = service.order()
    assert order is not None
    return [(event.request_id, str(event.state)) for event in order.history[2:]]


def test_a_report_whose_answer_was_lost_is_recorded_once(service: Service) -> None:
    service.have_order("Working")
    service.network.inject("UpdateItem", lose_response)
    written = service.handlers_services.orders.report(provenance(service.trader, "fill-2"), "order-1", PART_FILLED, 2)
    assert written.applied
    assert written.before is not None
    assert written.before.state == "Working"
    assert service.network.operations == ["UpdateItem", "UpdateItem"]
    assert events(service) == [("fill-2", "PartFilled")]


@pytest.mark.parametrize("overtaker", [(PART_FILLED, 3), (WORKING, None)], ids=["a further part", "working on"])
def test_a_report_whose_answer_was_lost_and_that_another_overtook_is_recorded_once(
    service: Service, overtaker: tuple[OrderState, int | None]
) -> None:
    service.have_order("Working")
    state, filled = overtaker
    service.network.inject(
        "UpdateItem",
        run_and_lose_response(
            lambda: service.orders.report(provenance(service.trader, "later"), "order-1", state, filled)
        ),
    )
    # Without a quantity the repetition would take away what the other report said.
    written = service.handlers_services.orders.report(provenance(service.trader, "earlier"), "order-1", PART_FILLED)
    assert written.applied
    assert written.before is not None
    assert written.before.state == "Working"
    assert events(service) == [("earlier", "PartFilled"), ("later", state)]


def test_the_same_state_follows_again_in_another_report(service: Service) -> None:
    service.have_order("Working")
    for request_id in ("first", "second"):
        assert service.orders.report(provenance(service.trader, request_id), "order-1", PART_FILLED, 2).applied
    assert events(service) == [("first", "PartFilled"), ("second", "PartFilled")]


def test_an_earlier_report_sent_again_much_later_changes_nothing(service: Service) -> None:
    service.have_order("Working")
    for number in range(1, 5):
        assert service.orders.report(
            provenance(service.trader, f"fill-{number}"), "order-1", PART_FILLED, number
        ).applied
    before = service.item()
    assert service.orders.report(provenance(service.trader, "fill-1"), "order-1", PART_FILLED).applied
    assert service.item() == before


@pytest.mark.parametrize(("filled", "is_recorded"), [(2, False), (3, True), (5, True), (6, False)])
def test_what_is_filled_never_becomes_less_nor_more_than_the_order(
    service: Service, filled: int, is_recorded: bool
) -> None:
    service.have_order("PartFilled", filled=3)  # of 5
    before = service.item()
    written = service.orders.report(provenance(service.trader, "more"), "order-1", PART_FILLED, filled)
    assert written.applied is is_recorded
    assert (service.item() == before) is not is_recorded
