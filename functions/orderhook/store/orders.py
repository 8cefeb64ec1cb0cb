"""Orders, each with its waiting legs in one item: one conditional write decides each command, and what it met says why.

No write without a condition, never a scan. Every write stores the id of its request: when an answer is lost and the SDK
sends the write again, our own item is recognised by it. What the item shows to need more than a condition can say is
written as a whole, under the condition that the item is still the same version.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from orderhook.altering import Replacement
from orderhook.aws.budget import CONNECTIONS, Fault, last_requests_until, note, result_in_time, submit
from orderhook.errors import OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.orders import TERMINAL, Order
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.asking import cancels, cancels_leg
from orderhook.store.changes import Alteration, changing, changing_leg, replacing, replacing_leg
from orderhook.store.expressions import (
    SIGNED,
    Condition,
    Values,
    leaves_trace,
    signature,
    update_of,
    waiting_leg,
    within,
)
from orderhook.store.results import PutResult, WriteResult, refused
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Item, Put, Update
from orderhook.trade import kept_digests, trimmed
from orderhook.venues import TABLE, Venue, venue_of

_LAST_SECONDS = 0.3
"""How long before the deadline the last cancel of many may begin."""

LEGS_RETENTION = timedelta(days=400)
"""How long the item of an entry stays whose legs were released: they may outlive it by far."""

Word = TypeVar("Word")

_threads = ThreadPoolExecutor(max_workers=CONNECTIONS)


class OrderStore:
    """The orders in one table, which are at `venue` unless their items say otherwise.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget, and all but
    those that return items OutcomeUnknownError for an order that this version cannot read.
    """

    def __init__(self, table: Table, retention: timedelta, venue: Venue = TABLE) -> None:
        self._table = table
        self._retention = retention
        self._venue = venue

    # Reads

    def get(self, trader: str, order_id: str) -> Order | None:
        """Return the order as the item has it; `Order.at` says what it is at a time."""
        item = self.item(trader, order_id)
        return read_order(item) if item else None

    def item(self, trader: str, order_id: str) -> Item | None:
        """Return the item of an order, also of one that this version cannot read."""
        return self._table.get(items.order_key(trader, order_id))

    def reached(self, provenance: Provenance, order_id: str) -> Order | None:
        """Return the order as the item has it, None also where the limits of the key do not reach it."""
        order = self.get(provenance.trader, order_id)
        return order if order and provenance.reaches(order.account, order.instrument) else None

    def items(self, trader: str, *, open_only: bool = False) -> Iterator[Item]:
        """Yield the items of the trader's orders, by id, also of those that this version cannot read.

        With `open_only` at the cost of the open ones alone.
        """
        values = {":pk": items.trader_partition(trader)}
        if open_only:
            return _orders_alone(self._table.query("#pk = :pk", values, index="open"))
        return self._table.query("#pk = :pk AND begins_with(#sk, :prefix)", {**values, ":prefix": "ORDER#"})

    def items_of(self, trader: str, order_ids: Sequence[str]) -> Iterator[Item]:
        """Yield the items that there are of these orders, also those that this version cannot read, in any order."""
        return self._table.get_many([items.order_key(trader, order_id) for order_id in order_ids])

    def open_items(
        self, trader: str, account: str | None = None, instrument: str | None = None, root: str | None = None
    ) -> Iterator[Item]:
        """Yield the items of the trader's open orders, page by page, at the cost of those alone."""
        values = {":pk": items.trader_partition(trader)}
        if account is None:
            return _orders_alone(self._table.query("#pk = :pk", values, index="open"))
        values[":prefix"] = items.open_prefix(account, instrument, root)
        return self._table.query("#pk = :pk AND begins_with(#open, :prefix)", values, index="open")

    def reached_items(
        self,
        provenance: Provenance,
        account: str | None = None,
        instrument: str | None = None,
        root: str | None = None,
    ) -> Iterator[Item]:
        """Yield what open_items does, without the orders that the limits of the key do not reach."""
        for item in self.open_items(provenance.trader, account, instrument, root):
            if _is_reached(provenance, item):
                yield item

    def naming(self, provenance: Provenance, strategy_id: str) -> Iterator[Item]:
        """Yield the items of open orders that name a strategy, known or not: one that waits for its delay has none."""
        listed = (item for item in self.reached_items(provenance) if item.get("strategy_id") == strategy_id)
        return (item for item in listed if items.is_open(item, provenance.now))

    # Cancels

    def cancel(self, provenance: Provenance, order_id: str, *conditions: Condition) -> WriteResult:
        """Mark an order cancelled by one conditional write; run twice, the second finds it cancelled.

        Its waiting legs end with it. Nothing is written unless the further conditions hold. An order at a venue is
        asked for there, keeps its place in the index and its legs, and ends by a report. Where the order is not at the
        venue that was expected, it is written once more.
        """

        def cancel(venue: Venue) -> WriteResult:
            return self._cancel(provenance, order_id, venue, conditions)

        return self._where_it_is(cancel)

    def _where_it_is(self, write: Callable[[Venue], WriteResult]) -> WriteResult:
        """Run a cancel as for the venue of this deployment, and again if the order met is at another one, or at none.

        It may get to a venue meanwhile, by its release, and never leaves one.
        """
        venue = self._venue
        while True:
            result = write(venue)
            met = result.before
            if result.applied or met is None or met.venue == venue.name or met.state in TERMINAL:
                return result
            venue = venue_of(met, self._venue)

    def _cancel(
        self, provenance: Provenance, order_id: str, venue: Venue, conditions: Iterable[Condition]
    ) -> WriteResult:
        cancel = cancels(venue, provenance, self._retention)
        condition = cancel.condition
        for further in conditions:
            condition &= further
        signed = f"{SIGNED}, #cancel_request_id = :request_id, #cancel_key_id = :key_id"
        values: Values = {":state": str(cancel.state), ":now": provenance.now, ":key_id": provenance.key_id}
        values |= {**cancel.values, **signature(provenance, provenance.event(cancel.state))}
        expression = f"SET #state = :state, #since = :now, {signed}{cancel.assignments}"
        return self._update(provenance, order_id, expression, condition, values)

    def cancel_leg(self, provenance: Provenance, entry_id: str, name: str, *conditions: Condition) -> WriteResult:
        """Mark a waiting leg cancelled inside its entry's item, by one conditional write; `before` is the entry.

        With a venue, which may have placed it by now, it is asked for there, and ends by a report.
        """

        def cancel(venue: Venue) -> WriteResult:
            return self._cancel_leg(provenance, entry_id, name, venue, conditions)

        return self._where_it_is(cancel)

    def _cancel_leg(
        self, provenance: Provenance, entry_id: str, name: str, venue: Venue, conditions: Iterable[Condition]
    ) -> WriteResult:
        cancel = cancels_leg(venue, provenance, name)
        condition = cancel.condition & waiting_leg(name)
        for further in conditions:
            condition &= further
        # A leg may be given anew: a resend must not end that one.
        trace, trace_values = leaves_trace(provenance)
        values: Values = {**trace_values, **cancel.values, **signature(provenance, provenance.event(None, leg=name))}
        expression = f"SET {SIGNED}{trace}{cancel.assignments}"
        return self._update(provenance, entry_id, expression, condition, values)

    # Changes

    def change(
        self, provenance: Provenance, order_id: str, new: "dict[str, int | Decimal]", *conditions: Condition
    ) -> WriteResult:
        """Give an order a new qty, limit_price or stop_price by one conditional write; its state stays.

        Nothing is written where more must be looked at than a condition can say: what is filled, a met trace, prices on
        the wrong side of a leg's, a full history. Then `rewrite` is for it.
        """
        return self._alter(provenance, order_id, changing(self._venue, provenance, order_id, new), conditions)

    def change_leg(
        self, provenance: Provenance, entry_id: str, name: str, new: "dict[str, Decimal]", *conditions: Condition
    ) -> WriteResult:
        """Give a waiting leg a new price inside its entry's item, by one conditional write; `before` is the entry.

        As with `change`; nor is it written where it is one of several legs of its kind, or has two prices.
        """
        return self._alter(provenance, entry_id, changing_leg(self._venue, provenance, name, new), conditions)

    def replace(
        self,
        provenance: Provenance,
        order_id: str,
        new: Replacement,
        texts: Mapping[str, str],
        *conditions: Condition,
    ) -> WriteResult:
        """Bring an order into its next generation by one conditional write; its state, name and strategy stay.

        Of a leg that was released its time in force stays too. Nothing is written where more must be looked at than a
        condition can say, as with `change`, or where legs are given.
        """
        write = replacing(self._venue, provenance, order_id, new, texts, self._retention)
        return self._alter(provenance, order_id, write, conditions)

    def replace_leg(
        self,
        provenance: Provenance,
        entry_id: str,
        name: str,
        new: Replacement,
        texts: Mapping[str, str],
        *conditions: Condition,
    ) -> WriteResult:
        """Bring a waiting leg into its next generation by one conditional write; `before` is the entry."""
        return self._alter(provenance, entry_id, replacing_leg(self._venue, provenance, name, new, texts), conditions)

    def _alter(
        self, provenance: Provenance, order_id: str, write: Alteration | None, conditions: Iterable[Condition]
    ) -> WriteResult:
        """Write it where the further conditions hold too; None is what no condition can decide."""
        if write is None:
            return WriteResult(self.reached(provenance, order_id), applied=False)
        condition = write.condition
        for further in conditions:
            condition &= further
        return self._update(provenance, order_id, write.expression, condition, write.values)

    def rewrite(self, provenance: Provenance, before: Order, after: Order) -> bool:
        """Write what differs between two pictures of an order, if the item is still the first; returns whether it was.

        The history is trimmed where it is full. Run twice, the second finds another version.
        """
        try:
            self._table.update(self.rewriting(provenance, before, after))
        except ConditionFailed:
            return False
        return True

    def rewriting(self, provenance: Provenance, before: Order, after: Order) -> Update:
        """Return the write of `rewrite`, for a transaction."""
        history, dropped = trimmed(after.history)
        after = after._replace(
            version=before.version + 1,
            history=history,
            history_dropped=after.history_dropped + dropped,
            digests=kept_digests(after.digests, history),
        )
        old, new = (items.order_item(provenance.trader, order) for order in (before, after))
        new |= {"request_id": provenance.request_id, "expires": self._expires(provenance, after)}
        if any(leg.released for leg in after.legs.values()):
            new["kept_longer"] = int((LEGS_RETENTION - self._retention).total_seconds())
        return update_of(old, new)

    def _expires(self, provenance: Provenance, order: Order) -> int | None:
        """Return when the item of an order leaves the table; None while nobody knows when it ends."""
        released = any(leg.released for leg in order.legs.values())
        retention = LEGS_RETENTION if released else self._retention
        if order.state in TERMINAL:
            return int((provenance.at + retention).timestamp())
        ends = order.due or order.day_ends
        return int((datetime.fromisoformat(ends) + retention).timestamp()) if ends else None

    def expire(self, provenance: Provenance, order: Order) -> None:
        """Write down the end that an order has come to by its time; where it has not, or run twice, write nothing."""
        ended = order.at(provenance.now)
        if ended is not order:
            # Not by the alert that found it: its resend must not take this for what it asked for.
            provenance = provenance._replace(request_id=f"{provenance.request_id}.end", alert_digest=None)
            event = provenance.event(ended.state)
            self.rewrite(provenance, order, ended._replace(history=(*order.history, event)))

    # New orders

    def put(self, provenance: Provenance, order: Order) -> PutResult:
        """Write a new order by one conditional write; an id that is taken leaves the order that has it as it is."""
        try:
            self._table.put(self.putting(provenance, order))
        except ConditionFailed as failure:
            existing, ours = refused(read_order(failure.item) if failure.item else None, provenance.request_id)
            if existing is None:
                raise TemporarilyUnavailableError(
                    f"It could not be seen what has the id {order.order_id}. Send the same alert again; it is safe."
                ) from None
            return PutResult(order if ours else existing, ours)
        return PutResult(order, applied=True)

    def putting(self, provenance: Provenance, order: Order) -> Put:
        """Return the write of `put`, for a transaction."""
        expires = {"expires": self._expires(provenance, order)}
        return Put(items.order_item(provenance.trader, order, provenance.request_id) | expires)

    # Many orders

    def each_in_time(
        self,
        write: Callable[[Item], Word],
        orders: Iterable[Item],
        on_failure: Callable[[Item, Exception | None], Word],
    ) -> tuple[Sequence[tuple[Item, Word]], bool]:
        """Run `write` for every order, concurrently, as far as the time budget allows.

        Returns what came of each, and whether all could be listed; `on_failure` says what of one that was not done in
        time (None) or failed.
        """
        sent: list[tuple[Item, Future[Word]]] = []
        complete = True
        with last_requests_until(_LAST_SECONDS):
            try:
                for order in orders:
                    # Not list.extend: what was sent before the listing failed has to stay.
                    sent.append((order, submit(_threads, write, order)))  # noqa: PERF401
            except TemporarilyUnavailableError:
                complete = False
        results = []
        for order, future in sent:
            try:
                results.append((order, result_in_time(future)))
            except TemporarilyUnavailableError:
                future.cancel()  # what waits for its turn would stand in the way of the next alert
                results.append((order, on_failure(order, None)))
            except Exception as error:  # one order that cannot be written hides no other
                results.append((order, on_failure(order, error)))
        return results, complete

    def _update(
        self, provenance: Provenance, order_id: str, expression: str, condition: Condition, values: Values
    ) -> WriteResult:
        key = items.order_key(provenance.trader, order_id)
        if provenance.limits and provenance.limits.is_to_markets:
            condition &= within(provenance.limits, order_id)
        update = Update(key, expression, condition.expression, {**condition.values, **values})
        try:
            return WriteResult(read_order(self._table.update(update)), applied=True)
        except ConditionFailed as failure:
            met = failure.item if failure.item and _is_reached(provenance, failure.item) else None
            return refused(read_order(met) if met else None, provenance.request_id)


def _orders_alone(listed: Iterable[Item]) -> Iterator[Item]:
    """Yield the orders of the index, and not what is asked of a venue besides."""
    return (item for item in listed if not items.is_instruction(item))


def _is_reached(provenance: Provenance, item: Item) -> bool:
    """Return whether the limits of a key let it reach an order; of another version's index value they know nothing."""
    if provenance.limits is None:
        return True
    return items.is_indexed(item) and provenance.reaches(str(item.get("account")), str(item.get("instrument")))


def read_order(item: Item) -> Order:
    """Return the order that an item holds; raises OutcomeUnknownError where this version cannot read it."""
    try:
        return items.order(item)
    except items.UNREADABLE as error:
        note(Fault("UnreadableOrder"))
        order_id = item.get("order_id", item["sk"])
        detail = (
            f"This version cannot read the order {order_id}, so nothing is known to have been done to it, and sending "
            "the alert again would not help: deploy the version that wrote it, and cancel at the broker what must end."
        )
        raise OutcomeUnknownError(detail, extra={"reason": "this version cannot read it"}) from error
