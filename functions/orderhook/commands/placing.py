"""How an entry gets into the table: with its legs in its item, and by a transaction into its strategy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from orderhook.errors import (
    DuplicateOrderIdError,
    StrategyMismatchError,
    StrategyNotFoundError,
    TemporarilyUnavailableError,
)
from orderhook.orders import (
    RESENDS_END,
    Binding,
    Bracket,
    FormerBinding,
    Leg,
    Order,
    Provenance,
    Strategy,
    folded,
    timestamp,
)
from orderhook.store import items
from orderhook.store.reports import releases
from orderhook.store.strategies import number_is_free, orders_of_number, strategy_write
from orderhook.store.writes import NEW, Check, Put, TransactionFailed, Update
from orderhook.trade import MAX_BRACKETS, LegTerms, bracket_legs, check_prices, leg_id, own_legs, with_bounds

if TYPE_CHECKING:
    from orderhook.services import Services

_RACES = 4
"""How often another alert may start or join the same strategy at the same moment before this one gives up."""

_MAX_CHECKED = 25
"""How many numbers of a strategy one transaction checks at most."""

_MAX_ITEMS = 100
"""How many items DynamoDB takes in one transaction."""


_MAX_FORMER = 10
"""How many entries a number remembers that had it before."""


_MAX_FREED = 25
"""How many free numbers a strategy remembers: their names lead to what they led to, and a resend finds it."""


class Entry(NamedTuple):
    """An order to be placed, and what its legs come from."""

    order: Order
    legs: Sequence[LegTerms]
    template: str | None
    named: bool
    """Whether the alert itself names the strategy; one of legs alone is called like the order."""


class PlacedEntry(NamedTuple):
    """The order as written, or the one that has its id already."""

    order: Order
    applied: bool


def place_entry(
    services: "Services",
    provenance: Provenance,
    entry: Entry,
    *,
    waiting: Order | None = None,
    checks: Sequence[Check] = (),
) -> PlacedEntry:
    """Write an entry, in one transaction with its strategy if it has one.

    With `waiting`, the order that waits for its release takes its place, if it is still as it was read and the `checks`
    hold. Raises StrategyMismatchError, StrategyNotFoundError (for a template that is not stored), InvalidValueError,
    and DuplicateOrderIdError (for the item of an earlier leg).
    """
    try:
        return _place(services, provenance, entry, waiting, checks)
    except (StrategyMismatchError, StrategyNotFoundError):
        # What has the id already says more, unless the order is new for certain.
        new = waiting is not None or entry.order.order_id == provenance.request_id
        existing = None if new else services.orders.get(provenance.trader, entry.order.order_id)
        if existing is None:
            raise
        return PlacedEntry(existing, applied=False)


def _place(
    services: "Services", provenance: Provenance, entry: Entry, waiting: Order | None, checks: Sequence[Check]
) -> PlacedEntry:
    brackets = brackets_of(services, provenance, entry.template)
    order = entry.order
    has_legs = bool(brackets or entry.legs)
    # Legs have names, and names need a strategy: without one of its own the order's id serves.
    strategy_id = order.strategy_id or (order.order_id if has_legs else None)
    if strategy_id is None:
        return _place_alone(services, provenance, order, waiting, checks)
    order = order._replace(strategy_id=strategy_id)
    return _Placement(services, provenance, entry, order, brackets, waiting, checks).run()


def brackets_of(services: "Services", provenance: Provenance, name: str | None) -> Sequence[Bracket]:
    """Return the brackets of a template, none without one; raises StrategyNotFoundError where it is not stored."""
    if name is None:
        return ()
    template = services.templates.get(provenance.trader, name)
    if template is None:
        raise StrategyNotFoundError(
            f"There is no template {name}; store it with `orderhook templates put`.", field="strategy"
        )
    return template.brackets[:MAX_BRACKETS]


def _place_alone(
    services: "Services", provenance: Provenance, order: Order, waiting: Order | None, checks: Sequence[Check]
) -> PlacedEntry:
    if waiting is None:
        result = services.orders.put(provenance, order)
        ours = result.applied or result.before is None
        return PlacedEntry(order if ours else result.before, ours)  # type: ignore[arg-type]
    services.table.transact([services.orders.rewriting(provenance, waiting, order), *checks])
    return PlacedEntry(order, applied=True)


class _Placement:
    """One entry on its way into its strategy."""

    def __init__(
        self,
        services: "Services",
        provenance: Provenance,
        entry: Entry,
        order: Order,
        brackets: Sequence[Bracket],
        waiting: Order | None,
        checks: Sequence[Check],
    ) -> None:
        self._services = services
        self._provenance = provenance
        self._entry = entry
        self._order = order
        self._brackets = brackets
        self._waiting = waiting
        self._checks = checks
        self._taken: set[int] = set()
        """The numbers of the strategy whose orders were found to be open."""
        self._numbers_of: dict[str, set[int]] = {}
        """The numbers that each check of the last transaction was for, in its order."""

    def run(self) -> PlacedEntry:
        """Write it; another alert may have started, joined or closed the strategy meanwhile: then look again."""
        strategy = self._services.strategies.get(self._provenance.trader, str(self._order.strategy_id))
        for _ in range(_RACES):
            self._check_joinable(strategy)
            # In another market nothing of it may be open, not even legs that a late fill has had work.
            if strategy and (self._is_elsewhere(strategy) or len(strategy.numbers) > self._most_checked(strategy)):
                self._find_open(strategy)
            if strategy and self._taken:
                self._check_open_strategy(strategy)
            number = self._free_number(strategy)
            order = self._named(number)
            try:
                order = self._write(strategy, number, order)
            except TransactionFailed as failed:
                if existing := self._explain(failed):
                    return existing
                strategy = self._as_met(failed, strategy)
                continue
            return PlacedEntry(order, applied=True)
        raise TemporarilyUnavailableError(
            "Other alerts are changing this strategy. Send the same alert again; it is safe."
        )

    @property
    def _width(self) -> int:
        """How many numbers the entry takes."""
        return max(1, len(self._brackets))

    def _most_checked(self, strategy: Strategy) -> int:
        """Return how many numbers of the strategy the transaction has room to check, each with up to three items."""
        return max(0, min(_MAX_CHECKED, (_MAX_ITEMS - self._others(strategy)) // 3))

    def _others(self, strategy: Strategy) -> int:
        """Return how many items the transaction has beside those: the free numbers that are bound again have three."""
        return 2 + 2 * self._width + 3 * min(self._width, len(strategy.freed)) + len(self._checks)

    def _named(self, number: int) -> Order:
        legs: dict[str, Leg] = (
            bracket_legs(number, self._brackets, f"{self._provenance.request_id}.OCO")
            if self._brackets
            else own_legs(number, self._entry.legs, f"{self._provenance.request_id}.OCO")
        )
        order = self._order._replace(number=number, order_name=f"ENTRY{number}", legs=legs)
        check_prices(order)
        return with_bounds(order)

    def _free_number(self, strategy: Strategy | None) -> int:
        """Return the smallest number that leads, with those of further brackets, to no order found to be open."""
        taken = set(self._bound(strategy)) - set(self._to_check(strategy))
        if strategy and self._others(strategy) > _MAX_ITEMS:
            taken |= set(strategy.freed)  # there is no room to check that they are free still
        number = 1
        while any(n in taken for n in range(number, number + self._width)):
            number += 1
        return number

    def _bound(self, strategy: Strategy | None) -> dict[int, Binding]:
        """Return the numbers that are bound, those included that were free and were found to be open again."""
        if strategy is None:
            return {}
        again = {n: binding for n, binding in strategy.freed.items() if n in self._taken}
        return {**again, **strategy.numbers}

    def _to_check(self, strategy: Strategy | None) -> list[int]:
        """Return the numbers that this transaction checks and frees: not those that were found to be open."""
        # Sorted, because the table does not keep the order of a map.
        return sorted(set(strategy.numbers) - self._taken)[: self._most_checked(strategy)] if strategy else []

    def _write(self, strategy: Strategy | None, number: int, order: Order) -> Order:
        provenance, trader = self._provenance, self._provenance.trader
        bound = self._bound(strategy)
        freed = self._to_check(strategy)
        numbers = {n: binding for n, binding in bound.items() if n not in freed}
        known = strategy.freed if strategy else {}
        free = {n: binding for n, binding in known.items() if n not in numbers}
        # A number that led to an order of this id must not lead to the new one.
        free = {n: it for n, it in (free | {n: bound[n] for n in freed}).items() if it.order_id != order.order_id}
        # A late fill may have had the legs of a number work that was free.
        again = [n for n in range(number, number + self._width) if n in free and n not in freed]
        to_check = {n: bound[n] for n in freed} | {n: known[n] for n in again}
        for n in range(number, number + self._width):
            # The time of the write, not of a receipt that may lie a delay before it.
            before = _before(free.pop(n), provenance, order.order_id) if n in free else ()
            numbers[n] = Binding(order.order_id, provenance.now, before, legs_only=n != number or None)
        after = (strategy or Strategy(str(order.strategy_id), order.account, order.instrument))._replace(
            account=order.account,
            instrument=order.instrument,
            template=order.template,
            numbers=numbers,
            freed=dict([*free.items()][-_MAX_FREED:]),
        )
        released: dict[str, Put | Update] = {}
        if self._waiting is not None and order.filled:
            order, released = releases(provenance, self._waiting, order)
        new = [name for name in order.legs if name not in released]
        legs = [Check(items.order_key(trader, leg_id(order.order_id, name)), NEW, {}) for name in new]
        writes: list[Put | Update | Check] = [self._entry_write(order), strategy_write(provenance, strategy, after)]
        # An entry has several numbers if its template has several brackets: DynamoDB takes each item once.
        own = {order.order_id, *(leg_id(order.order_id, name) for name in order.legs)}
        checks: dict[str, Check] = {}
        self._numbers_of = {}
        for n, binding in to_check.items():
            for check in number_is_free(trader, provenance.now, str(order.strategy_id), n, binding.order_id):
                sk = check.key["sk"]
                if sk.removeprefix("ORDER#") not in own:
                    checks[sk] = check
                    self._numbers_of.setdefault(sk, set()).add(n)
        self._services.table.transact([*writes, *checks.values(), *legs, *released.values(), *self._checks])
        return order

    def _entry_write(self, order: Order) -> Put | Update:
        if self._waiting is not None:
            return self._services.orders.rewriting(self._provenance, self._waiting, order)
        return self._services.orders.putting(self._provenance, order)

    def _explain(self, failed: TransactionFailed) -> PlacedEntry | None:
        """Return the order that has the id already, or note which numbers are taken; raises what cannot be helped."""
        entry, *rest = failed.failures
        if entry is not None:
            if self._waiting is not None:
                raise failed
            if entry.item is None:
                raise failed
            existing = items.order(entry.item)
            return PlacedEntry(existing, applied=existing.history[0].request_id == self._provenance.request_id)
        after_strategy = rest[1:]
        for numbers, failure in zip(self._numbers_of.values(), after_strategy, strict=False):
            if failure is not None:
                self._taken |= numbers
        others = after_strategy[len(self._numbers_of) :]
        legs, checks = others[: len(others) - len(self._checks)], others[len(others) - len(self._checks) :]
        if any(legs):
            raise DuplicateOrderIdError(
                f"An earlier leg of an order {self._order.order_id} is still there; choose another order_id.",
                field="order_id",
            )
        if any(checks):
            raise failed
        return None

    def _as_met(self, failed: TransactionFailed, strategy: Strategy | None) -> Strategy | None:
        """Return the strategy as the transaction met it; what was found open stays so where it has its number still."""
        failure = failed.failures[1]
        if failure is None:
            return strategy
        met = items.strategy(failure.item) if failure.item else None
        before, now = (found.numbers if found else {} for found in (strategy, met))
        self._taken = {n for n in self._taken if now.get(n) == before.get(n)}
        return met

    def _find_open(self, strategy: Strategy) -> None:
        """Learn which numbers lead to open orders, where one transaction cannot check them all."""
        listed = self._services.orders.open_items(self._provenance.trader, strategy.account, strategy.instrument)
        now = self._provenance.now
        open_ids = {
            item["order_id"]
            for item in listed
            if item.get("strategy_id") == strategy.strategy_id and items.is_open(item, now)
        }
        for n, binding in (*strategy.freed.items(), *strategy.numbers.items()):
            if open_ids.intersection(orders_of_number(n, binding.order_id)):
                self._taken.add(n)

    def _check_joinable(self, strategy: Strategy | None) -> None:
        if strategy is None or strategy.closed_at is None or self._waiting is not None:
            return
        if self._provenance.received_at <= strategy.closed_at:
            raise StrategyMismatchError(
                f"Strategy {strategy.strategy_id} was closed by an alert that was received later, at "
                f"{strategy.closed_at}; send the order again if it is still wanted.",
                field="strategy_id",
            )

    def _is_elsewhere(self, strategy: Strategy) -> bool:
        """Return whether the order is in another account or instrument than the strategy."""
        order = self._order
        markets = ((it.account, it.instrument) for it in (order, strategy))
        return len({(folded(account), folded(instrument)) for account, instrument in markets}) > 1

    def _check_open_strategy(self, strategy: Strategy) -> None:
        """Raise StrategyMismatchError where the strategy has something open that this order does not go with."""
        if not self._entry.named:
            raise StrategyMismatchError(
                f"The legs need a strategy, and {strategy.strategy_id} has other open orders: add a strategy_id.",
                field="strategy_id",
            )
        if self._is_elsewhere(strategy):
            reached = self._provenance.reaches(strategy.account, strategy.instrument)
            where = (
                f"in {strategy.instrument}, account {strategy.account}; give those, or"
                if reached
                else "elsewhere; give"
            )
            raise StrategyMismatchError(
                f"Strategy {strategy.strategy_id} has open orders {where} another strategy_id.",
                field="strategy_id",
            )


def _before(binding: Binding, provenance: Provenance, order_id: str) -> tuple[FormerBinding, ...]:
    """Return what had a number before it is bound anew: the last one, and others that a resend may still mean."""
    earliest = timestamp(provenance.at - RESENDS_END)
    recent = [former for former in binding.before if former.until > earliest and former.order_id != order_id]
    return (FormerBinding(binding.order_id, provenance.now), *recent[: _MAX_FORMER - 1])
