"""Strategies: which entries their numbers lead to, and when they were closed."""

from collections.abc import Iterator
from datetime import timedelta

from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import TERMINAL, Strategy, Trace, timestamp
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.expressions import VERSIONED, Condition, Values, state_in, update_of
from orderhook.store.table import Table
from orderhook.store.traces import (
    ADDS_TRACE,
    SETS_TRACES,
    FirstReceipt,
    left_trace,
    takes_trace,
    trace_values,
    traces_of,
)
from orderhook.store.writes import EXISTING, NEW, Check, ConditionFailed, Put, Update
from orderhook.trade import leg_id

RETENTION = timedelta(days=400)
"""How long a strategy stays after the last order that joined it."""

_NAMED_KEPT, _MOST_NAMED = timedelta(minutes=10), 50
"""How long, and how many, traces of names stay: for longer than the queue delivers a message again."""

_RACES = 4
"""How often other alerts may change the same strategy at the same moment before this one gives up."""


class StrategyStore:
    """The strategies in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, trader: str, strategy_id: str) -> Strategy | None:
        """Return the strategy as it is now."""
        item = self._table.get(items.strategy_key(trader, strategy_id))
        return items.strategy(item) if item else None

    def reached(self, provenance: Provenance, strategy_id: str) -> Strategy | None:
        """Return the strategy as it is now, None also where the limits of the key do not reach it."""
        strategy = self.get(provenance.trader, strategy_id)
        return strategy if strategy and provenance.reaches(strategy.account, strategy.instrument) else None

    def list(self, trader: str) -> Iterator[Strategy]:
        """Yield the trader's strategies as they are now, by id."""
        values = {":pk": items.trader_partition(trader), ":prefix": "STRATEGY#"}
        return map(items.strategy, self._table.query("#pk = :pk AND begins_with(#sk, :prefix)", values))

    def close(
        self, provenance: Provenance, strategy_id: str, first_receipt: FirstReceipt
    ) -> tuple[Strategy | None, Trace | None]:
        """Note that a CLOSESTRATEGY was received, by one conditional write: no PLACE received before it joins any more.

        Returns the strategy as it was before, None if there is none. A resend notes nothing, and is returned with the
        trace of the first receipt.
        """
        received = timestamp(provenance.judged_on)
        signed = f"#closed_at = :received, {VERSIONED}"
        values: Values = {":received": received, ":one": 1, ":request_id": provenance.request_id}
        key = items.strategy_key(provenance.trader, strategy_id)
        market = self._in_reach(provenance, strategy_id)
        if market is None:
            return None, None
        # An alert that was received before the last close must not take that back.
        later = Condition("(attribute_not_exists(#closed_at) OR #closed_at < :received)", {})
        allowed = market & takes_trace(provenance.digest) & later
        write = Update(
            key,
            f"SET {signed}, {ADDS_TRACE}",
            allowed.expression,
            {**allowed.values, **values, **trace_values(provenance), ":none": []},
        )
        for _ in range(_RACES):
            try:
                return items.strategy(self._table.update(write)), None
            except ConditionFailed as failure:
                met = failure.item
            if met is None or not provenance.reaches(met["account"], met["instrument"]):
                return None, None
            traces = traces_of(met, provenance)
            if left_trace(traces, provenance):
                return items.strategy(met), None
            if first := first_receipt(traces):
                return items.strategy(met), first
            closed_at = max(str(met.get("closed_at") or ""), received)
            values |= {**trace_values(provenance, traces), ":received": closed_at, ":seen": met["version"]}
            write = Update(key, f"SET {signed}, {SETS_TRACES}", "#version = :seen", values)
        raise TemporarilyUnavailableError("This strategy is being changed. Send the same alert again; it is safe.")

    def _in_reach(self, provenance: Provenance, strategy_id: str) -> Condition | None:
        """Return the condition that the strategy is where the limits of the key reach it, None where it is not.

        The item has no folded form of its market: with limits it is looked at first, and must not move after that.
        """
        if provenance.limits is None or not provenance.limits.is_to_markets:
            return Condition(EXISTING, {})
        seen = self.reached(provenance, strategy_id)
        return seen and Condition(
            "#account = :account AND #instrument = :instrument",
            {":account": seen.account, ":instrument": seen.instrument},
        )

    def note_named(self, provenance: Provenance, strategy_id: str, order_id: str) -> None:
        """Note which order a name leads this alert to, so that the same alert again means that one; last noted counts.

        Of a strategy that is not in the table any more nothing is noted.
        """
        for _ in range(_RACES):
            strategy = self.get(provenance.trader, strategy_id)
            if strategy is None:
                return
            earliest = timestamp(provenance.received_on - _NAMED_KEPT)
            others = [it for it in strategy.named if it.request_id != provenance.request_id]
            named = [it for it in others if it.received_at >= earliest][1 - _MOST_NAMED :]
            named.append(provenance.trace._replace(order_id=order_id))
            try:
                self._table.update(_rewrite(provenance, strategy, strategy._replace(named=tuple(named))))
            except ConditionFailed:
                continue
            return
        raise TemporarilyUnavailableError("This strategy is being changed. Send the same alert again; it is safe.")

    def start_closed(self, provenance: Provenance, strategy: Strategy) -> bool:
        """Write a strategy that orders name which wait for their delay, closed from the start; False if it is there."""
        closed = strategy._replace(closed_at=timestamp(provenance.judged_on), traces=(provenance.trace,))
        try:
            self._table.put(_start(provenance, closed))
        except ConditionFailed as failure:
            return failure.met_own_write(provenance.request_id)
        return True


def strategy_write(provenance: Provenance, before: Strategy | None, after: Strategy) -> Put | Update:
    """Return the write of a strategy that an entry starts or joins, if the item is still as it was read."""
    if before is None:
        return _start(provenance, after)
    return _rewrite(provenance, before, after, expires=_expires(provenance))


def _rewrite(provenance: Provenance, before: Strategy, after: Strategy, **more: object) -> Update:
    item = items.strategy_item(provenance.trader, after._replace(version=before.version + 1), provenance.request_id)
    return update_of(items.strategy_item(provenance.trader, before), item | more)


def _start(provenance: Provenance, strategy: Strategy) -> Put:
    item = items.strategy_item(provenance.trader, strategy, provenance.request_id)
    return Put(item | {"expires": _expires(provenance)}, NEW)


def _expires(provenance: Provenance) -> int:
    return int((provenance.at + RETENTION).timestamp())


def finished(trader: str, now: str, order_id: str, strategy_id: str) -> Check:
    """Return the check that an order is gone, finished, its day over, or of another strategy."""
    states = state_in(TERMINAL)
    condition = Condition(
        f"attribute_not_exists(pk) OR {states.expression} OR (attribute_exists(#day_ends) AND #day_ends <= :now) "
        "OR attribute_not_exists(#strategy_id) OR #strategy_id <> :strategy_id",
        {**states.values, ":now": now, ":strategy_id": strategy_id},
    )
    return Check(items.order_key(trader, order_id), condition.expression, condition.values)


def orders_of_number(number: int, entry_id: str) -> tuple[str, ...]:
    """Return the ids of the orders that the names of a number may lead to: an entry, and its legs once released."""
    return (entry_id, *(leg_id(entry_id, f"{kind}{number}") for kind in ("TARGET", "STOP")))
