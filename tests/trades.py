"""Trades as tests arrange them: an entry with its legs, in any state, and what an alert leaves in its item."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from orderhook.commands import Command
from orderhook.errors import InvalidValueError, OrderhookError
from orderhook.leg_prices import check_prices, with_bounds
from orderhook.listing import find_order
from orderhook.orders import Leg, LegEnd, Order, OrderState, OrderType, timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.results import WriteResult
from orderhook.store.table import serialize
from orderhook.trade import bracket_legs, view_of_leg
from tests import builders
from tests.output import Answer
from tests.service import Service
from tests.tables import Item

UPDATE, READ, TRANSACTION, QUERY = "UpdateItem", "GetItem", "TransactWriteItems", "Query"

LEG_WAYS: Mapping[str, Mapping[str, str]] = {
    "by id": {"order_id": "order-1.stop1"},
    "by id and strategy": {"order_id": "order-1.STOP1", "strategy_id": "strategy-1"},
    "by name": {"order_id": "sToP1", "strategy_id": "strategy-1"},
}
"""The ways to address the stop of order-1, which is ENTRY1 of strategy-1."""
every_way_to_the_stop = pytest.mark.parametrize("way", LEG_WAYS.values(), ids=list(LEG_WAYS))

SECONDS_TO_CLOSE = 5 * 3600
"""How long after noon in New York a DAY order ends."""


def have_bracket(service: Service, state: str = "Working", filled: int = 0, **fields: object) -> None:
    """Have order-1 be ENTRY1 of strategy-1, with a target at 5010 and a stop at 4990, in this state."""
    fields = {"strategy_id": "strategy-1", "take_profit": 5010, "stop_loss": 4990, **fields}
    assert service.place("order-1", **fields).word == "placed"
    bring_to(service, "order-1", state, filled)


def have_bracket_again(service: Service, order_id: str = "order-2") -> None:
    """Have another order take the names of order-1, whose trade is finished."""
    have = {"strategy_id": "strategy-1", "take_profit": 5010, "stop_loss": 4990}
    assert service.place(order_id, **have).body["order_name"] == "ENTRY1"


def bring_to(service: Service, order_id: str, state: str, filled: int = 0) -> None:
    """Have an order that works be in this state; no report leads back to the first ones."""
    if state in ("Initialized", "Submitted"):
        service.table.client.update_item(
            TableName=service.table.name,
            Key=serialize(items.order_key(service.trader, order_id)),
            UpdateExpression="SET #state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}},
        )
    elif state != "Working" or filled:
        service.report(state, filled, order_id=order_id)


def have_long_history(service: Service, length: int, **fields: Any) -> None:
    """Have order-1 work as ENTRY1 of strategy-1 with a stop at 4990, and so many entries in its history."""
    placed = builders.provenance(service.trader, "r0")
    legs = {"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990))}
    later = [placed._replace(request_id=f"r{number}").event(None, {"qty": str(number)}) for number in range(1, length)]
    order = builders.order(
        placed,
        "order-1",
        state=OrderState.WORKING,
        strategy_id="strategy-1",
        order_name="ENTRY1",
        number=1,
        legs=legs,
        history=(placed.event(OrderState.WORKING), *later),
        **fields,
    )
    assert service.orders.put(placed, with_bounds(order)).applied


def seen(service: Service, order_id: str = "order-1") -> Order:
    """Return an order, or a leg that waits in its entry's item, as it is now."""
    found = find_order(service.services, service.trader, order_id, timestamp(service.queue.now))
    assert found is not None
    return found


def operations(way: Mapping[str, str], *expected: str) -> list[str]:
    """Return the requests that an alert takes: by a name the strategy is read first."""
    return [READ, *expected] if "." not in way["order_id"] and way["order_id"] != "order-1" else [*expected]


def with_event(before: Item, service: Service, answer: Answer, at: str, **event: object) -> Item:
    """Return an item with what every write of an alert leaves: version, request, and an entry of the history."""
    signed = {"at": at, "request_id": answer.request_id, "key_id": service.key.split("_")[1], "received_at": at}
    return {
        **before,
        "version": before["version"] + 1,
        "request_id": answer.request_id,
        "history": [*before["history"], {**signed, **event}],
    }


def without_digest(item: Item) -> Item:
    """Return an item whose latest entry is without the fingerprint of its alert, which it must have."""
    *earlier, latest = item["history"]
    assert len(latest["digest"]) == 32
    rest = {name: value for name, value in item.items() if name != "digests"}
    assert "digests" not in item or item["digests"][-1] == latest["digest"]
    return {**rest, "history": [*earlier, {name: value for name, value in latest.items() if name != "digest"}]}


def last_time(item: Item) -> str:
    """Return the time of the latest entry of an item's history."""
    at: str = item["history"][-1]["at"]
    return at


def to_noon_in_new_york(service: Service) -> None:
    """Let time pass until the next noon in New York: a DAY order that is placed then ends in five hours."""
    there = service.queue.now.astimezone(ZoneInfo("America/New_York"))
    noon = there.replace(hour=12, minute=0, second=0, microsecond=0)
    service.let_pass((noon + timedelta(days=noon <= there) - there).total_seconds())


# Trades of every kind

_NOW = datetime(2099, 3, 4, 15, tzinfo=UTC)  # a Wednesday, so late that the engine finds no item of it expired
_PRICES = st.integers(1, 9).map(Decimal)
_ENDED = LegEnd(OrderState.CANCELLED, "2099-01-02T13:00:00.000000Z", "r9", "k9")


def _prices_of(draw: st.DrawFn, order_type: str) -> dict[str, Any]:
    limit = draw(_PRICES) if order_type in ("LIMIT", "STOPLIMIT") else None
    return {"limit_price": limit, "stop_price": draw(_PRICES) if order_type in ("STOPMARKET", "STOPLIMIT") else None}


@st.composite
def _own_legs(draw: st.DrawFn) -> dict[str, Leg]:
    kinds = draw(st.sets(st.sampled_from(["TARGET1", "STOP1"])))
    legs: dict[str, Leg] = {}
    for name in sorted(kinds):
        order_type: OrderType = "LIMIT" if name == "TARGET1" else draw(st.sampled_from(["STOPMARKET", "STOPLIMIT"]))
        legs[name] = Leg(order_type, **_prices_of(draw, order_type), oco_id="g.1" if len(kinds) == 2 else None)
    return legs


_templates = st.lists(
    st.tuples(st.integers(1, 3), st.none() | st.integers(1, 3), st.none() | st.integers(1, 3)), min_size=1, max_size=2
)


@st.composite
def entries(draw: st.DrawFn, order_id: str = "order-1") -> Order:
    """Return an entry that PLACE would take, or what fills, cancels of its legs and reports have made of one."""
    signed = Provenance("nobody", "k0", "r0", _NOW - timedelta(hours=1))
    brackets = draw(st.none() | st.none() | _templates)
    legs = bracket_legs(1, builders.template("t", *brackets).brackets, "g") if brackets else draw(_own_legs())
    order_type = draw(st.sampled_from(["LIMIT", "LIMIT", "LIMIT", "MARKET", "STOPMARKET", "STOPLIMIT"]))
    qty = draw(st.integers(1, 6))
    order = builders.order(
        signed,
        order_id,
        action=draw(st.sampled_from(["BUY", "SELL"])),
        qty=qty,
        order_type=order_type,
        **_prices_of(draw, order_type),
        state=OrderState.WORKING,
        strategy_id="strategy-1",
        order_name="ENTRY1",
        number=1,
        legs=legs,
        template="t" if brackets else None,
        oco_id=draw(st.sampled_from([None, "x"])),
        notes=draw(st.sampled_from([None, "first"])),
        generation=draw(st.integers(1, 3)),
        received_at=signed.now,
        history=(signed.event(OrderState.WORKING),) * draw(st.sampled_from([1] * 20 + [198, 199])),
    )
    order = with_bounds(order)
    filled = draw(st.sampled_from([0, 0, 0, 1, 2, 3, 7]))
    if filled:
        order = order._replace(filled=filled, state=OrderState.PART_FILLED if filled < qty else OrderState.FILLED)
        legs = {name: leg._replace(released=leg.share(filled) > 0) for name, leg in legs.items()}
    # A leg that was ended by itself leaves the bounds as they were.
    legs = {name: leg._replace(end=_ENDED, released=False) if draw(_seldom) else leg for name, leg in legs.items()}
    state = draw(st.sampled_from([*[order.state] * 8, "Unknown", "Suspended", "CancelPending", "Cancelled"]))
    order = order._replace(legs=legs, state=OrderState(state), tif=draw(st.sampled_from(["GTC", "DAY"])))
    if order.tif == "DAY":
        ends = draw(st.sampled_from([*["2099-03-04T22:00:00.000000Z"] * 5, "2099-03-03T22:00:00.000000Z"]))
        order = order._replace(day_ends=ends)
    return order


_seldom = st.sampled_from([False, False, False, False, True])


@st.composite
def released_leg(draw: st.DrawFn, entry: Order, name: str) -> Order | None:
    """Return the order that a leg has become if it was released, or what its own fills and reports made of it."""
    if name not in entry.legs or not entry.legs[name].released:
        return None
    leg = view_of_leg(entry, name, entry.legs[name])
    qty = entry.legs[name].share(entry.filled)
    states = [*["Working"] * 6, "PartFilled", "Unknown", "CancelPending", "Filled"]
    return leg._replace(
        qty=qty,
        closes=qty,
        filled=draw(st.sampled_from([0, 0, 0, 1, qty])),
        state=OrderState(draw(st.sampled_from(states))),
        limit_price=leg.limit_price or (draw(_PRICES) if leg.order_type == "LIMIT" else None),
        stop_price=leg.stop_price or (None if leg.order_type == "LIMIT" else draw(_PRICES)),
        cancelled_at=None,
        reason=None,
        history=entry.history[:1] * draw(st.sampled_from([1] * 20 + [198, 199])),
    )


def is_placeable(order: Order) -> bool:
    """Return whether the prices of an order and its legs stand in their order."""
    try:
        check_prices(order)
    except InvalidValueError:
        return False
    return True


_seldom_none = st.none() | _PRICES | _PRICES | _PRICES


@st.composite
def new_values(draw: st.DrawFn) -> dict[str, str]:
    """Return the values of a CHANGE."""
    given = {
        "qty": draw(st.none() | st.integers(1, 8)),
        "limit_price": draw(st.none() | _PRICES),
        "stop_price": draw(st.none() | st.none() | _PRICES),
    }
    present = {name: str(value) for name, value in given.items() if value is not None}
    return present or {"limit_price": str(draw(_PRICES))}


@st.composite
def new_orders(draw: st.DrawFn, order: Order, leg: Leg | None = None) -> dict[str, str]:
    """Return the fields of a CANCELREPLACE of an order, or of a leg of it: mostly one that may take its place."""
    action = order.action if leg is None else {"BUY": "SELL", "SELL": "BUY"}[order.action]
    usual = order.order_type if leg is None else leg.order_type
    order_type = draw(st.sampled_from([usual, usual, usual, "LIMIT", "MARKET", "STOPMARKET", "STOPLIMIT"]))
    usual_qty = order.qty if leg is None else leg.share(order.qty)
    given: dict[str, object] = {
        "account": draw(st.sampled_from(["Sim101"] * 8 + ["sim101", "Sim102"])),
        "instrument": draw(st.sampled_from(["ES 12-26"] * 8 + ["es  12-26", "NQ 12-26"])),
        "action": draw(st.sampled_from([action] * 8 + ["BUY", "SELL"])),
        "qty": draw(st.sampled_from([max(usual_qty, 1)] * 4 + [1, 2, 3, 5, 8])),
        "order_type": order_type,
        **_prices_of(draw, order_type),
        "tif": draw(st.sampled_from(["GTC", "DAY"])),
        "oco_id": draw(st.sampled_from([None, None, "y"])),
        "notes": draw(st.sampled_from([None, None, "second"])),
    }
    if draw(_seldom):
        given["take_profit"] = draw(_seldom_none)
        given["stop_loss"] = draw(_seldom_none)
    return {name: str(value) for name, value in given.items() if value is not None}


class BothWays:
    """Carries a command out twice: by the one write, and by a look at the item, and compares what came of it."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch, writes: tuple[str, ...]) -> None:
        """`writes` are the methods of the store that are the one write."""
        self._service = service
        self._monkeypatch = monkeypatch
        self._writes = writes
        self._number = 0
        self.written_at_once = 0
        self.written_by_version = 0
        self.refused = 0

    def compare(self, command: Command, *orders: Order) -> None:
        """Carry the command out on two traders' orders that are equal, and compare the answers and the items."""
        self._number += 1
        at_once, written = self._run(f"once-{self._number}", command, orders, looks=False)
        looked, _ = self._run(f"look-{self._number}", command, orders, looks=True)
        assert at_once[0] == looked[0]
        if isinstance(at_once[0], Outcome):
            self.written_at_once += written
            self.written_by_version += not written
        else:
            self.refused += 1
        for once, look in zip(at_once[1], looked[1], strict=True):
            for name in ("nearest_stop", "nearest_target"):
                # A bound may be stale where a leg was ended or released, but only on the safe side.
                nearest, worked_out = once.pop(name, None), look.pop(name, None)
                assert worked_out is None or nearest is not None
            assert once == look

    def try_at_once(self, command: Command, *orders: Order) -> None:
        """Carry the command out on orders that PLACE might refuse: what was written is told as a success."""
        self._number += 1
        (done, _), written = self._run(f"alone-{self._number}", command, orders, looks=False)
        self.written_at_once += written
        assert isinstance(done, Outcome) or not written, done

    def _run(
        self, trader: str, command: Command, orders: Sequence[Order], *, looks: bool
    ) -> tuple[tuple[object, list[Item]], bool]:
        services = self._service.services
        signed = Provenance(trader, "k1", "r1", _NOW, "digest", _NOW)
        for order in orders:
            placed = order._replace(legs={name: leg._replace(released=False) for name, leg in order.legs.items()})
            assert services.orders.put(signed._replace(request_id="r0"), placed).applied
            if placed != order:
                # The legs are released by the write that does so, with all that it leaves in the item.
                assert services.orders.rewrite(signed._replace(request_id="r0"), placed, order)
        results: list[WriteResult] = []
        with self._monkeypatch.context() as patch:
            for name in self._writes:
                patch.setattr(services.orders, name, self._write(name, results, looks=looks))
            try:
                done: object = command.run(services, signed)
            except OrderhookError as error:
                done = (type(error), error.detail, error.field, error.state)
        found = [self._take(trader, order.order_id) for order in orders]
        return (done, found), any(result.applied for result in results)

    def _take(self, trader: str, order_id: str) -> Item:
        key = items.order_key(trader, order_id)
        item = self._service.services.table.get(key)
        assert item is not None
        self._service.table.client.delete_item(TableName=self._service.table.name, Key=serialize(key))
        return {name: value for name, value in item.items() if name not in ("pk", "request_id")}

    def _write(self, name: str, results: list[WriteResult], *, looks: bool) -> Callable[..., WriteResult]:
        orders = self._service.services.orders
        real = getattr(orders, name)

        def write(provenance: Provenance, order_id: str, *args: Any) -> WriteResult:
            if looks:
                return WriteResult(orders.get(provenance.trader, order_id), applied=False)
            result: WriteResult = real(provenance, order_id, *args)
            results.append(result)
            return result

        return write
