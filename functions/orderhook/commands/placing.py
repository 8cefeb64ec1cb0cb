"""How an entry gets into the table: with its legs in its item, and by a transaction into its strategy."""

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from orderhook.commands.numbering import choose_number, joined, known_bindings, numbers_from
from orderhook.errors import (
    DuplicateOrderIdError,
    StrategyMismatchError,
    StrategyNotFoundError,
    TemporarilyUnavailableError,
    UnsupportedValueError,
)
from orderhook.leg_prices import check_prices, with_bounds
from orderhook.orders import Bracket, Leg, Order, Strategy, Template, folded, timestamp
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.orders import read_order
from orderhook.store.releases import releases
from orderhook.store.strategies import finished, orders_of_number, strategy_write
from orderhook.store.writes import NEW, Check, Put, TransactionFailed, Update
from orderhook.trade import MAX_BRACKETS, LegTerms, bracket_legs, leg_id, own_legs
from orderhook.venues import venue_of

if TYPE_CHECKING:
    from orderhook.services import Services

_RACES = 4
"""How often another alert may start or join the same strategy at the same moment before this one gives up."""

_MAX_ITEMS = 100
"""How many items DynamoDB takes in one transaction."""

_MAX_CHECKED = 75
"""How many orders one transaction checks at most, to see which names are free."""


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
    checks: Sequence[Check | Put] = (),
) -> PlacedEntry:
    """Write an entry, in one transaction with its strategy if it has one, and with `checks`, which are its last.

    Where one of those does not hold, TransactionFailed says so. With `waiting`, the order that waits for its release
    takes its place, if it is still as it was read. Raises StrategyMismatchError, StrategyNotFoundError and
    UnsupportedValueError (for a template), and InvalidValueError, and DuplicateOrderIdError (for the item of an earlier
    leg).
    """
    try:
        return _place(services, provenance, entry, waiting, checks)
    except (StrategyMismatchError, StrategyNotFoundError, UnsupportedValueError):
        # What has the id already says more, unless the order is new for certain.
        new = waiting is not None or entry.order.order_id == provenance.request_id
        existing = None if new else services.orders.get(provenance.trader, entry.order.order_id)
        if existing is None:
            raise
        return PlacedEntry(existing, applied=False)


def _place(
    services: "Services", provenance: Provenance, entry: Entry, waiting: Order | None, checks: Sequence[Check | Put]
) -> PlacedEntry:
    template = template_of(services, provenance, entry.template)
    brackets = brackets_of(template)
    order = entry.order._replace(atm_template=template.name if template and template.ninjatrader else None)
    has_legs = bool(brackets or entry.legs or order.atm_template)
    # Legs have names, and names need a strategy: without one of its own the order's id serves.
    strategy_id = order.strategy_id or (order.order_id if has_legs else None)
    if strategy_id is None:
        return _place_alone(services, provenance, order, waiting, checks)
    order = order._replace(strategy_id=strategy_id)
    return _Placement(services, provenance, entry, order, brackets, waiting, checks).run()


def placed_word(order: Order) -> str:
    """Return the word of the answer that an order is placed; one that is placed after a close is accepted, no more."""
    return "accepted" if "command" in order.placed else "placed"


def template_of(services: "Services", provenance: Provenance, name: str | None) -> Template | None:
    """Return the template of this name, None without one.

    Raises StrategyNotFoundError where it is not stored, and UnsupportedValueError for one of NinjaTrader's own where
    orders do not go there.
    """
    if name is None:
        return None
    template = services.templates.get(provenance.trader, name)
    if template is None:
        raise StrategyNotFoundError(
            f"There is no template {name}; store it with `orderhook templates put`, with --ninjatrader if it is one of "
            "NinjaTrader's own.",
            field="strategy",
        )
    if template.ninjatrader and not services.venue.runs_own_templates:
        raise UnsupportedValueError(
            f"Template {template.name} is NinjaTrader's own, and no order goes there without a venue: deploy the stack "
            "with Venue=ninjatrader, or give the template brackets with `orderhook templates put --replace`.",
            field="strategy",
        )
    return template


def brackets_of(template: Template | None) -> Sequence[Bracket]:
    """Return the brackets that a template gives an entry; none without one, or where NinjaTrader alone knows them."""
    return template.brackets[:MAX_BRACKETS] if template else ()


def _place_alone(
    services: "Services", provenance: Provenance, order: Order, waiting: Order | None, checks: Sequence[Check | Put]
) -> PlacedEntry:
    if waiting is None and not checks:
        return PlacedEntry(*services.orders.put(provenance, order))
    new = services.orders.putting(provenance, order)
    write = services.orders.rewriting(provenance, waiting, order) if waiting else new
    services.table.transact([write, *checks])
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
        checks: Sequence[Check | Put],
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
        self._check_waiting_elsewhere()
        for _ in range(_RACES):
            self._check_joinable(strategy)
            number, checked = self._choose_number(strategy)
            # In another market nothing of it may be open, not even legs that a late fill has had work.
            if strategy and (self._is_elsewhere(strategy) or strategy.numbers.keys() - self._taken - checked):
                self._find_open(strategy)
                number, checked = self._choose_number(strategy)
            if strategy and self._taken:
                self._check_open_strategy(strategy)
            order = self._named(number)
            try:
                order = self._write(strategy, number, checked, order)
            except TransactionFailed as failed:
                if existing := self._explain(failed):
                    return existing
                strategy = self._as_met(failed, strategy)
                continue
            return PlacedEntry(order, applied=True)
        raise TemporarilyUnavailableError(
            "Other alerts are changing this strategy. Send the same alert again; it is safe."
        )

    def _choose_number(self, strategy: Strategy | None) -> tuple[int, set[int]]:
        room = min(_MAX_CHECKED, _MAX_ITEMS - 2 - len(self._legs(1)) - len(self._checks))
        return choose_number(strategy, len(self._brackets), self._taken, room)

    def _legs(self, number: int) -> dict[str, Leg]:
        group = f"{self._provenance.request_id}.OCO"
        if self._brackets:
            return bracket_legs(number, self._brackets, group)
        return own_legs(number, self._entry.legs, group)

    def _named(self, number: int) -> Order:
        legs = self._legs(number)
        if self._order.venue is not None:
            venue = venue_of(self._order, self._services.venue)
            want = venue.want(self._provenance, "place", closes=True)
            legs = {name: leg._replace(want=want) for name, leg in legs.items()}
        order = self._order._replace(number=number, order_name=f"ENTRY{number}", legs=legs)
        check_prices(order)
        return with_bounds(order)

    def _write(self, strategy: Strategy | None, number: int, checked: Set[int], order: Order) -> Order:
        provenance, trader = self._provenance, self._provenance.trader
        own_numbers = numbers_from(number, len(self._brackets))
        after = joined(strategy, self._order, own_numbers, checked, self._taken, provenance)
        released: dict[str, Put | Update] = {}
        if self._waiting is not None and order.filled:
            order, released = releases(provenance, self._waiting, order)
        own = {name: leg_id(order.order_id, name) for name in order.legs}
        legs = [Check(items.order_key(trader, own[name]), NEW, {}) for name in own if name not in released]
        writes: list[Put | Update | Check] = [self._entry_write(order), strategy_write(provenance, strategy, after)]
        known = known_bindings(strategy)
        self._numbers_of = {}
        for n in sorted(checked):
            for order_id in orders_of_number(n, known[n].order_id):
                # DynamoDB takes each item once, and an entry of several brackets has several numbers.
                if order_id not in (order.order_id, *own.values()):
                    self._numbers_of.setdefault(order_id, set()).add(n)
        free = [finished(trader, provenance.now, order_id, after.strategy_id) for order_id in self._numbers_of]
        self._services.table.transact([*writes, *free, *legs, *released.values(), *self._checks])
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
            existing = read_order(entry.item)
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
        if timestamp(self._provenance.judged_on) <= strategy.closed_at:
            raise StrategyMismatchError(
                f"Strategy {strategy.strategy_id} was closed by an alert that was received later, at "
                f"{strategy.closed_at}; send the order again if it is still wanted.",
                field="strategy_id",
            )

    def _check_waiting_elsewhere(self) -> None:
        """Raise StrategyMismatchError where an earlier order waits for its delay where the limits do not reach.

        Its release would find the strategy in another market and be void: a limited key must not bring that about. What
        is open in the strategy has decided already where it is.
        """
        provenance, order = self._provenance, self._order
        if not (provenance.limits and provenance.limits.is_to_markets):
            return
        listed = self._services.orders.open_items(provenance.trader)
        named = [item for item in listed if item.get("strategy_id") == order.strategy_id]
        named = [item for item in named if items.is_open(item, provenance.now)]
        received_at = order.received_at or provenance.received_at
        earlier = [item for item in named if item.get("due") and str(item.get("received_at")) < received_at]
        beyond = [item for item in earlier if not provenance.reaches(item["account"], item["instrument"])]
        if beyond and all(item.get("due") for item in named):
            raise StrategyMismatchError(
                f"Strategy {order.strategy_id} has an order elsewhere that waits for its delay; give another "
                "strategy_id.",
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
