"""How much of a position its working stops cover: rather less than more."""

from decimal import Decimal
from typing import Any

import pytest

from orderhook.attention.protection import Cover, cover, loses, standing
from orderhook.bridge_messages import PositionReport
from orderhook.orders import CANCELLABLE, OPEN, Order, OrderState
from tests.builders import order, provenance


def position(side: Any = "LONG", quantity: int = 3, **changes: Any) -> PositionReport:
    fields: dict[str, Any] = {"account": "Sim101", "instrument": "ES 12-26", "average": Decimal(5000)}
    return PositionReport(**fields | {"side": side, "quantity": quantity, "at": "2026-11-27T14:30:00Z"} | changes)


def stop(qty: int = 2, order_id: str = "long.STOP1", **changes: Any) -> Order:
    """Return a leg that was released, and that its venue works."""
    fields: dict[str, Any] = {
        "action": "SELL",
        "qty": qty,
        "order_type": "STOPMARKET",
        "limit_price": None,
        "stop_price": Decimal(4990),
        "state": OrderState.WORKING,
        "venue": "ninjatrader",
        "entry_id": "long",
        "order_name": "STOP1",
        "closes": qty,
        "confirmed": {"qty": str(qty)},
    }
    return order(provenance("main", "1"), order_id, **fields | changes)


def test_a_working_stop_covers_what_is_left_of_it() -> None:
    assert cover(position(), [stop()]) == Cover(2)
    assert cover(position(), [stop(3, filled=2, state=OrderState.PART_FILLED)]) == Cover(1)


def test_stops_of_several_orders_add_up_to_the_position_at_most() -> None:
    stops = [stop(2), stop(2, "other.STOP1", entry_id="other")]
    assert cover(position(), stops) == Cover(3, beyond=1)


def test_a_stop_of_the_bridge_for_a_bracket_counts() -> None:
    made = stop(3, "instruction.1", entry_id=None, order_name=None, closes=None, made_by="instruction")
    assert cover(position(), [made]) == Cover(3)


def test_a_short_is_covered_by_stops_that_buy() -> None:
    short = position("SHORT")
    assert cover(short, [stop(3, action="BUY")]) == Cover(3)
    assert cover(short, [stop(3)]) == Cover(0)


@pytest.mark.parametrize(
    "other",
    [
        {"order_type": "LIMIT", "order_name": "TARGET1"},
        {"action": "BUY"},
        {"account": "Sim102"},
        {"instrument": "NQ 12-26"},
        {"venue": None},
        {"closes": None, "state": OrderState.INITIALIZED},
        {"state": OrderState.CANCELLED},
        {"state": OrderState.FILLED, "filled": 2},
    ],
    ids=lambda it: " ".join(it),
)
def test_what_is_no_working_stop_of_the_position_covers_nothing(other: dict[str, Any]) -> None:
    assert cover(position(), [stop(**other)]) == Cover(0)


@pytest.mark.parametrize("state", sorted(OPEN - {OrderState.WORKING, OrderState.ACCEPTED, OrderState.PART_FILLED}))
def test_a_stop_on_its_way_is_told_beside_and_covers_nothing(state: OrderState) -> None:
    assert cover(position(), [stop(state=state)]) == Cover(0, uncertain=2)


def test_a_stop_that_is_unresolved_or_unconfirmed_covers_nothing() -> None:
    assert cover(position(), [stop(unresolved="nothing was said of it")]) == Cover(0, uncertain=2)
    assert cover(position(), [stop(confirmed={})]) == Cover(0, uncertain=2)


def test_a_venue_that_has_less_of_a_stop_than_the_table_counts() -> None:
    assert cover(position(), [stop(3, confirmed={"qty": "1"})]) == Cover(1)


def test_of_a_group_of_stops_the_smallest_alone_counts() -> None:
    stops = [stop(2, oco_id="group"), stop(1, "other", entry_id=None, closes=None, oco_id="group")]
    assert cover(position(), stops) == Cover(1)
    assert cover(position(), [*stops, stop(1, "alone", entry_id=None, closes=None)]) == Cover(2)


def test_names_of_accounts_are_compared_without_case() -> None:
    assert cover(position(account="SIM101"), [stop()]) == Cover(2)


@pytest.mark.parametrize("side", ["FLAT", "UNKNOWN"])
def test_nothing_is_covered_where_nobody_knows_a_side(side: str) -> None:
    assert cover(position(side, 0), [stop()]) == Cover(0)


def test_a_stop_that_goes_takes_its_cover_with_it() -> None:
    first, second = stop(2), stop(2, "other.STOP1", entry_id="other")
    assert loses(position(), [first, second], first) == 1
    assert loses(position(), [first], first) == 2
    assert loses(position(), [first], stop(1, "target", order_type="LIMIT")) == 0


def test_a_leg_that_waits_stands_nowhere_at_its_venue() -> None:
    assert standing(stop(closes=None)) is None
    assert {standing(stop(state=state)) for state in CANCELLABLE} == {"works", "uncertain"}
