"""Orders: one conditional write decides each command, and what it met says why it was refused.

No write without a condition, no read before a write that decides it, never a scan. Every write stores the id of its
request: when an answer is lost and the SDK sends the write again, our own item is recognised by it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

from orderhook.aws.budget import CONNECTIONS, last_requests_until, result_in_time, submit
from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import (
    CANCELLABLE,
    CHANGEABLE,
    FINISHED_OTHERWISE,
    MAX_HISTORY,
    PRICES,
    Order,
    OrderState,
    Provenance,
    Strategy,
    decimal_text,
    sources,
)
from orderhook.store import items
from orderhook.store.expressions import (
    CANCELLED,
    REPLACED,
    SIGNED,
    Values,
    change_of_state,
    note,
    noted,
    once,
    signature,
    state_in,
)
from orderhook.store.results import CancelManyResult, PlaceResult, WriteResult, own_placing, refused
from orderhook.store.strategies import strategy_write
from orderhook.store.table import ConditionFailed, Item, Put, Table, TransactionFailed, Update

_LAST_SECONDS = 0.3
"""How long before the deadline the last cancel of many may begin."""

_OF_STRATEGY = " AND #strategy_id = :strategy_id"
_OF_CONTENT = " AND #content = :content"

_threads = ThreadPoolExecutor(max_workers=CONNECTIONS)


class OrderStore:
    """The orders in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, retention: timedelta) -> None:
        self._table = table
        self._retention = retention

    # Writes of one order

    def cancel(
        self, provenance: Provenance, order_id: str, strategy_id: str | None = None, content: str | None = None
    ) -> WriteResult:
        """Mark an order cancelled by one conditional write; run twice, the second finds it cancelled.

        Nothing is written unless it belongs to the strategy, where `strategy_id` is given, and was placed with the
        `content`, where that is.
        """
        condition, states = state_in(CANCELLABLE)
        values: Values = {**states, ":key_id": provenance.key_id}
        if strategy_id is not None:
            condition += _OF_STRATEGY
            values[":strategy_id"] = strategy_id
        if content is not None:
            condition += _OF_CONTENT
            values[":content"] = content
        return self._move(provenance, order_id, OrderState.CANCELLED, condition, values, CANCELLED)

    def change(
        self, provenance: Provenance, order_id: str, new: Mapping[str, int | Decimal], strategy_id: str | None = None
    ) -> WriteResult:
        """Give an open order a new qty, limit_price or stop_price by one conditional write; its state stays.

        Nothing is written unless every value fits: no quantity below the filled one, no price that the order's type
        does not have, and at least one value that is not there already; nor when the history is full. Run twice, the
        second writes nothing, whatever has changed in between.
        """
        condition, states = state_in(CHANGEABLE)
        texts = {name: decimal_text(Decimal(value)) for name, value in new.items()}
        values: Values = {**states, **{f":{name}": value for name, value in new.items()}}
        values |= signature(provenance, provenance.event(None, texts))
        if strategy_id is not None:
            condition += _OF_STRATEGY
            values[":strategy_id"] = strategy_id
        prices = [name for name in PRICES if name in new]
        for name in prices:
            types = {f":{word}": word for word in PRICES[name]}
            condition += f" AND #order_type IN ({', '.join(types)})"
            values |= types
        if "qty" in new:
            condition += " AND #filled <= :qty"
        condition += " AND size(#history) < :room"
        values[":room"] = MAX_HISTORY
        condition += f" AND ({' OR '.join(f'attribute_not_exists(#{name}) OR #{name} <> :{name}' for name in new)})"
        condition += once("changed_by")
        expression = f"SET {SIGNED}, " + ", ".join(f"#{name} = :{name}" for name in new) + noted("changed_by")
        values |= note(provenance)
        if prices:
            expression += " REMOVE #offset"  # a leg whose price is given no longer takes it from its entry's fill
        return self._update(provenance, order_id, expression, condition, values)

    def report(
        self, provenance: Provenance, order_id: str, state: OrderState, filled: int | None = None
    ) -> WriteResult:
        """Record a state that a venue reports, if TRANSITIONS lets it follow; `filled` is the quantity so far.

        Run twice, the second writes nothing, whatever was reported in between.
        """
        condition, states = state_in(sources(state))
        condition += once("reports")  # the same state may follow again, in another report
        sets = noted("reports")
        values: Values = {**states, **note(provenance)}
        if filled is not None:
            condition += " AND #filled <= :filled AND #qty >= :filled"
            values[":filled"] = filled
            sets += ", #filled = :filled"
        return self._move(provenance, order_id, state, condition, values, sets)

    def _move(
        self, provenance: Provenance, order_id: str, state: OrderState, condition: str, values: Values, extra: str
    ) -> WriteResult:
        expression, state_values = change_of_state(provenance, state, self._retention, extra)
        return self._update(provenance, order_id, expression, condition, values | state_values)

    def _update(
        self, provenance: Provenance, order_id: str, expression: str, condition: str, values: Values
    ) -> WriteResult:
        update = Update(items.order_key(provenance.trader, order_id), expression, condition, values)
        try:
            return WriteResult(items.order(self._table.update(update)), applied=True)
        except ConditionFailed as failure:
            return refused(_order(failure.item), provenance.request_id)

    # Writes of many orders

    def cancel_many(self, provenance: Provenance, order_ids: Iterable[str]) -> CancelManyResult:
        """Cancel every order, concurrently, each by its own conditional write, as far as the time budget allows.

        Run twice, the second finds what is left.
        """
        result = CancelManyResult()
        sent: list[tuple[str, Future[str]]] = []
        with last_requests_until(_LAST_SECONDS):
            try:
                for order_id in order_ids:
                    # Not list.extend: what was sent before the listing failed has to stay.
                    sent.append((order_id, submit(_threads, self._cancel_one, provenance, order_id)))  # noqa: PERF401
            except TemporarilyUnavailableError:
                result.complete = False
        for order_id, word in sent:
            getattr(result, _word_in_time(word)).append(order_id)
        return result

    def _cancel_one(self, provenance: Provenance, order_id: str) -> str:
        """Cancel one order, and return the name of the list that it belongs to."""
        try:
            result = self.cancel(provenance, order_id)
        except TemporarilyUnavailableError:
            return "remaining"
        if result.applied:
            return "cancelled"
        # An order that is gone was finished long ago.
        state = result.before.state if result.before else OrderState.UNKNOWN
        return "already_terminal" if state in FINISHED_OTHERWISE else "already_cancelled"

    # New orders

    def place(self, provenance: Provenance, order: Order) -> PlaceResult:
        """Write a new order by one conditional write; an id that is taken leaves the order that has it as it is."""
        try:
            self._table.put(Put(items.order_item(provenance, order)))
        except ConditionFailed as failure:
            return own_placing(_order(failure.item), provenance) or PlaceResult(False, _order(failure.item))
        return PlaceResult(applied=True)

    def place_in_strategy(
        self, provenance: Provenance, strategy: Strategy, orders: Sequence[Order], *, join: bool
    ) -> PlaceResult:
        """Write the orders, entry first, and start the strategy with them or `join` it, in one transaction.

        Everything must be new: the strategy (or the names in it) and every order id. Run twice, the second is refused.
        """
        return self._transact(provenance, [strategy_write(provenance, strategy, orders, join=join)], orders)

    def replace(
        self,
        provenance: Provenance,
        old_order_id: str,
        orders: Sequence[Order],
        strategy: Strategy | None,
        *,
        join: bool,
    ) -> PlaceResult:
        """Cancel an order and write others in its place, entry first, in one transaction: both, or neither.

        With a `strategy`, it is started or joined as by place_in_strategy. Run twice, the second is refused.
        """
        condition, states = state_in(CANCELLABLE)
        expression, changes = change_of_state(provenance, OrderState.CANCELLED, self._retention, CANCELLED + REPLACED)
        own = {":key_id": provenance.key_id, ":replaced_by": orders[0].order_id}
        old_key = items.order_key(provenance.trader, old_order_id)
        cancel = Update(old_key, expression, condition, {**states, **changes, **own})
        first = [strategy_write(provenance, strategy, orders, join=join)] if strategy else []
        return self._transact(provenance, [*first, cancel], orders, replacing=True)

    def _transact(
        self, provenance: Provenance, first: list[Put | Update], orders: Sequence[Order], *, replacing: bool = False
    ) -> PlaceResult:
        """Write what comes first (a strategy, then a cancel, if any) and the orders."""
        try:
            self._table.transact([*first, *(Put(items.order_item(provenance, order)) for order in orders)])
        except TransactionFailed as failed:
            entry = _order(_item_met(failed.failures[len(first)]))
            old = failed.failures[len(first) - 1] if replacing else None
            old_item = _item_met(old)
            strategy_item = _item_met(failed.failures[0]) if len(first) > replacing else None
            return own_placing(entry, provenance) or PlaceResult(
                applied=False,
                existing=entry,
                strategy=items.strategy(strategy_item) if strategy_item else None,
                not_replaced=_order(old_item),
                missing=old is not None and old_item is None,
            )
        return PlaceResult(applied=True)

    # Reads of orders

    def get(self, trader: str, order_id: str) -> Order | None:
        """Return the order as it is now."""
        return _order(self._table.get(items.order_key(trader, order_id)))

    def list(self, trader: str, *, open_only: bool = False) -> Iterator[Order]:
        """Yield the trader's orders as they are now, by id; with `open_only` at the cost of the open ones alone."""
        values = {":pk": items.trader_partition(trader)}
        if open_only:
            return map(items.order, self._table.query("#pk = :pk", values, index="open"))
        condition = "#pk = :pk AND begins_with(#sk, :prefix)"
        return map(items.order, self._table.query(condition, {**values, ":prefix": "ORDER#"}))

    def open_ids(
        self, trader: str, account: str | None = None, instrument: str | None = None, strategy_id: str | None = None
    ) -> Iterator[str]:
        """Yield the ids of the trader's open orders as they are now, page by page, without reading a finished one.

        `account` narrows it, `instrument` narrows that, and `strategy_id` narrows what they leave.
        """
        condition, values = "#pk = :pk", {":pk": items.trader_partition(trader)}
        if account is not None:
            condition += " AND begins_with(#open, :prefix)"
            values[":prefix"] = items.open_prefix(account, instrument)
        if strategy_id is not None:
            values[":strategy_id"] = strategy_id
        orders = self._table.query(
            condition,
            values,
            index="open",
            filter_expression="#strategy_id = :strategy_id" if strategy_id is not None else None,
            projection="#order_id",
        )
        return (item["order_id"] for item in orders)


def _order(item: Item | None) -> Order | None:
    return items.order(item) if item else None


def _item_met(failure: ConditionFailed | None) -> Item | None:
    return failure.item if failure else None


def _word_in_time(word: "Future[str]") -> str:
    try:
        return result_in_time(word)
    except TemporarilyUnavailableError:
        word.cancel()  # what waits for its turn would stand in the way of the next alert
        return "remaining"
