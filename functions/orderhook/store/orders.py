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
from orderhook.aws.budget import CONNECTIONS, last_requests_until, result_in_time, submit
from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import CHANGEABLE, PRICES, TERMINAL, Order, OrderState, decimal_text
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.asking import EXPIRES, cancels, cancels_leg, changes, changes_leg, replaces
from orderhook.store.expressions import (
    HISTORY_HAS_ROOM,
    NOT_DUE,
    SIGNED,
    Condition,
    Values,
    in_market,
    leaves_trace,
    no_trace,
    open_in,
    signature,
    update_of,
    within,
)
from orderhook.store.results import PutResult, WriteResult, refused
from orderhook.store.table import Table
from orderhook.store.writes import ConditionFailed, Item, Put, Update
from orderhook.trade import entry_and_leg, kept_digests, kind_of, partner_of, trimmed, types_of
from orderhook.venues import TABLE, Venue, venue_of

_LAST_SECONDS = 0.3
"""How long before the deadline the last cancel of many may begin."""

LEGS_RETENTION = timedelta(days=400)
"""How long the item of an entry stays whose legs were released: they may outlive it by far."""

Word = TypeVar("Word")

_threads = ThreadPoolExecutor(max_workers=CONNECTIONS)


class OrderStore:
    """The orders in one table, which are at `venue` unless their items say otherwise.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, retention: timedelta, venue: Venue = TABLE) -> None:
        self._table = table
        self._retention = retention
        self._venue = venue

    # Reads

    def get(self, trader: str, order_id: str) -> Order | None:
        """Return the order as the item has it; `Order.at` says what it is at a time."""
        return _order(self.item(trader, order_id))

    def item(self, trader: str, order_id: str) -> Item | None:
        """Return the item of an order, also of one that this version cannot read."""
        return self._table.get(items.order_key(trader, order_id))

    def reached(self, provenance: Provenance, order_id: str) -> Order | None:
        """Return the order as the item has it, None also where the limits of the key do not reach it."""
        order = self.get(provenance.trader, order_id)
        return order if order and provenance.reaches(order.account, order.instrument) else None

    def list(self, trader: str, *, open_only: bool = False) -> Iterator[Order]:
        """Yield the trader's orders, by id; with `open_only` at the cost of the open ones alone.

        Raises what items.order does for an item that is not an order.
        """
        return map(items.order, self.items(trader, open_only=open_only))

    def items(self, trader: str, *, open_only: bool = False) -> Iterator[Item]:
        """Yield the items of the trader's orders, also of those that this version cannot read."""
        values = {":pk": items.trader_partition(trader)}
        if open_only:
            return self._table.query("#pk = :pk", values, index="open")
        return self._table.query("#pk = :pk AND begins_with(#sk, :prefix)", {**values, ":prefix": "ORDER#"})

    def open_items(self, trader: str, account: str | None = None, instrument: str | None = None) -> Iterator[Item]:
        """Yield the items of the trader's open orders, page by page, at the cost of those alone."""
        values = {":pk": items.trader_partition(trader)}
        if account is None:
            return self._table.query("#pk = :pk", values, index="open")
        values[":prefix"] = items.open_prefix(account, instrument)
        return self._table.query("#pk = :pk AND begins_with(#open, :prefix)", values, index="open")

    def reached_items(
        self, provenance: Provenance, account: str | None = None, instrument: str | None = None
    ) -> Iterator[Item]:
        """Yield what open_items does, without the orders that the limits of the key do not reach."""
        for item in self.open_items(provenance.trader, account, instrument):
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
        condition = open_in(CHANGEABLE, provenance) & NOT_DUE & HISTORY_HAS_ROOM & no_trace(provenance.digest)
        changing = changes(self._venue, provenance, is_leg=entry_and_leg(order_id) is not None)
        condition &= changing.condition
        for further in conditions:
            condition &= further
        if changing.state:
            condition &= differs(new, ())
        texts = {name: decimal_text(Decimal(value)) for name, value in new.items()}
        values: Values = {f":{name}": value for name, value in new.items()}
        if "qty" in new:
            condition &= Condition("#filled < :qty AND attribute_not_exists(#entry_id)", {})
        prices = [name for name in PRICES if name in new]
        for name in prices:
            condition &= Condition(f"attribute_exists(#{name})", {})
        if prices:
            condition &= beyond_legs(prices)
            # Of a leg that is a stop limit the two prices have an order of their own.
            condition &= Condition("(attribute_not_exists(#entry_id) OR #order_type <> :two)", {":two": "STOPLIMIT"})
        trace, trace_values = leaves_trace(provenance)
        expression = f"SET {SIGNED}, " + ", ".join(f"#{name} = :{name}" for name in new) + trace
        expression += changing.assignments
        values |= trace_values | signature(provenance, provenance.event(changing.state, texts))
        return self._update(provenance, order_id, expression, condition, {**values, **changing.values})

    def change_leg(
        self, provenance: Provenance, entry_id: str, name: str, new: "dict[str, Decimal]", *conditions: Condition
    ) -> WriteResult:
        """Give a waiting leg a new price inside its entry's item, by one conditional write; `before` is the entry.

        As with `change`; nor is it written where it is one of several legs of its kind, or has two prices.
        """
        if len(new) > 1:
            return WriteResult(self.reached(provenance, entry_id), applied=False)
        leg = f"#legs.#{name}"
        [(price, value)] = new.items()
        condition = Condition(f"attribute_exists({leg}.#{price})", {})
        if kind_of(name) == "STOP":
            # Of a stop limit the two prices have an order of their own: `rewrite` looks at it.
            condition &= Condition(f"{leg}.#order_type = :stopmarket", {":stopmarket": "STOPMARKET"})
        for further in conditions:
            condition &= further
        return self._price_leg(provenance, entry_id, name, value, condition, {price: decimal_text(value)})

    def _price_leg(
        self,
        provenance: Provenance,
        entry_id: str,
        name: str,
        value: Decimal,
        condition: Condition,
        texts: Mapping[str, str],
        sets: str = "",
    ) -> WriteResult:
        leg, target = f"#legs.#{name}", kind_of(name) == "TARGET"
        price, nearest = ("limit_price", "nearest_target") if target else ("stop_price", "nearest_stop")
        changing = changes_leg(self._venue, provenance, name, price)
        condition &= changing.condition & Condition(f"attribute_not_exists({leg}.#size)", {}) & HISTORY_HAS_ROOM
        condition &= open_in(CHANGEABLE, provenance) & waiting_leg(name) & no_trace(provenance.digest)
        condition &= leg_before_entry(kind_of(name), ":price")
        # The price of a leg that was released stands in its own item.
        condition &= Condition(f"attribute_not_exists(#legs.#{partner_of(name)}.#released)", {})
        trace, trace_values = leaves_trace(provenance)
        expression = f"SET {SIGNED}, {leg}.#{price} = :price, #{nearest} = :price{sets}{trace}{changing.assignments}"
        values: Values = {":price": value, **trace_values, **changing.values}
        values |= signature(provenance, provenance.event(None, texts, leg=name))
        return self._update(provenance, entry_id, expression, condition, values)

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
        leg = entry_and_leg(order_id)
        # A venue may not do it: then the time limit is again the one that it was.
        changes_limit = self._venue.name is not None and (new.cancels_at or new.lifts_time_limit)
        is_other = leg and (new.order_type not in types_of(kind_of(leg[1])) or not new.is_in_order)
        if new.legs or changes_limit or is_other:
            return WriteResult(self.reached(provenance, order_id), applied=False)
        condition = open_in(CHANGEABLE, provenance) & NOT_DUE & HISTORY_HAS_ROOM & no_trace(provenance.digest)
        new = new._replace(day_ends=self._venue.day_ends(new.day_ends))
        changing = replaces(self._venue, provenance, is_leg=leg is not None, names_group=new.oco_id is not None)
        condition &= changing.condition
        entry = "attribute_not_exists(#entry_id) AND attribute_not_exists(#template)"
        of_kind = "attribute_exists(#entry_id) AND #closes >= :qty" if leg else entry
        condition &= Condition(f"#action = :action AND #filled < :qty AND {of_kind}", {":action": new.action})
        for further in conditions:
            condition &= further
        prices = {name: value for name in PRICES if (value := getattr(new, name)) is not None}
        if prices:
            condition &= beyond_legs([*prices])
        kept = {name: value for name in ("oco_id", "cancels_at", "notes") if (value := getattr(new, name)) is not None}
        ends: Values = {"tif": new.tif} | ({"day_ends": new.day_ends} if new.day_ends else {})
        sets = {"order_type": new.order_type, "qty": new.qty, **prices, **kept, **({} if leg else ends)}
        own_end = [] if leg else ["day_ends"] if new.day_ends else ["day_ends", "expires"]
        no_limit = ["cancels_at"] if new.lifts_time_limit else []
        removes = [name for name in (*PRICES, *own_end, *no_limit, "offset") if name not in sets]
        if leg:
            # One that lacked a price works as soon as it has one.
            condition &= Condition("#state <> :initialized", {":initialized": str(OrderState.INITIALIZED)})
        condition &= differs(
            [name for name in sets if name != "notes"], [name for name in removes if name != "expires"]
        )
        trace, trace_values = leaves_trace(provenance)
        expression = f"SET {SIGNED}, #generation = if_not_exists(#generation, :one) + :one, "
        expression += ", ".join(f"#{name} = :{name}" for name in sets) + trace + changing.sets
        values: Values = {f":{name}": value for name, value in sets.items()} | trace_values | dict(changing.values)
        if new.day_ends and not leg:
            expression += f", {EXPIRES}"
            values |= {":expires": self._day_expires(new.day_ends), ":none_longer": 0}
        removed = [*(f"#{name}" for name in removes), *([changing.removes] if changing.removes else [])]
        expression += f" REMOVE {', '.join(removed)}"
        values |= signature(provenance, provenance.event(changing.state, texts))
        return self._update(provenance, order_id, expression, condition, values)

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
        leg, target = f"#legs.#{name}", kind_of(name) == "TARGET"
        order_type = "LIMIT" if target else "STOPMARKET"
        if new.order_type != order_type or new.legs or new.cancels_at or new.oco_id:
            return WriteResult(self.reached(provenance, entry_id), applied=False)
        price = "limit_price" if target else "stop_price"
        condition = Condition(
            f"{leg}.#order_type = :order_type AND #action <> :action AND NOT {leg}.#{price} = :price",
            {":action": new.action, ":order_type": order_type},
        )
        condition &= Condition("#qty = :qty", {":qty": new.qty}) & in_market(new.account, new.instrument)
        for further in conditions:
            condition &= further
        sets = f", {leg}.#generation = if_not_exists({leg}.#generation, :one) + :one"
        return self._price_leg(provenance, entry_id, name, getattr(new, price), condition, texts, sets)

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

    def _day_expires(self, day_ends: str) -> int:
        return int((datetime.fromisoformat(day_ends) + self._retention).timestamp())

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
            existing, ours = refused(_order(failure.item), provenance.request_id)
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
            return WriteResult(items.order(self._table.update(update)), applied=True)
        except ConditionFailed as failure:
            met = failure.item if failure.item and _is_reached(provenance, failure.item) else None
            return refused(_order(met), provenance.request_id)


def _is_reached(provenance: Provenance, item: Item) -> bool:
    """Return whether the limits of a key let it reach an order; of another version's index value they know nothing."""
    if provenance.limits is None:
        return True
    return items.is_indexed(item) and provenance.reaches(str(item.get("account")), str(item.get("instrument")))


def differs(sets: Iterable[str], removes: Iterable[str]) -> Condition:
    """Return the condition that an order has not all of these values, and none of the others, already."""
    same = [*(f"#{name} = :{name}" for name in sets), *(f"attribute_not_exists(#{name})" for name in removes)]
    return Condition(f"NOT ({' AND '.join(same)})", {})


def waiting_leg(name: str) -> Condition:
    """Return the condition that a leg waits in its entry's item, and has a share of its quantity."""
    leg = f"#legs.#{name}"
    waits = f"attribute_exists({leg}) AND attribute_not_exists({leg}.#end) AND attribute_not_exists({leg}.#released)"
    return Condition(f"{waits} AND (attribute_not_exists({leg}.#start) OR #qty > {leg}.#start)", {})


def beyond_legs(prices: Sequence[str]) -> Condition:
    """Return the condition that new prices of an entry lie beyond its stops and before its targets, or it has fills."""

    def side(above: str, below: str) -> str:
        parts = [
            f"(attribute_not_exists(#{nearest}) OR #{nearest} {sign} :{price})"
            for price in prices
            for nearest, sign in (("nearest_stop", above), ("nearest_target", below))
        ]
        return " AND ".join(parts)

    return Condition(
        f"(#filled > :zero OR (#action = :buy AND {side('<', '>')}) OR (#action <> :buy AND {side('>', '<')}))",
        {":zero": 0, ":buy": "BUY"},
    )


def leg_before_entry(kind: str, price: str) -> Condition:
    """Return the condition that a leg's new price lies on its side of the entry's prices and of the other leg's."""
    other = "nearest_stop" if kind == "TARGET" else "nearest_target"

    def side(sign: str) -> str:
        own = " AND ".join(f"(attribute_not_exists(#{name}) OR #{name} {sign} {price})" for name in PRICES)
        return f"(#filled > :zero OR ({own})) AND (attribute_not_exists(#{other}) OR #{other} {sign} {price})"

    long, short = ("<", ">") if kind == "TARGET" else (">", "<")
    return Condition(
        f"((#action = :buy AND {side(long)}) OR (#action <> :buy AND {side(short)}))", {":zero": 0, ":buy": "BUY"}
    )


def _order(item: Item | None) -> Order | None:
    return items.order(item) if item else None
