"""The numbers of a strategy: which ones an entry takes, and what they lead to. Plain data and pure functions."""

from collections.abc import Iterable, Mapping, Sequence, Set

from orderhook.orders import RESENDS_END, Binding, FormerBinding, Order, Strategy, timestamp
from orderhook.provenance import Provenance
from orderhook.store.strategies import orders_of_number

_MAX_FORMER = 10
"""How many entries a number remembers that had it before."""

_MAX_FREED = 100
"""How many free numbers a strategy remembers: their names lead to what they led to, and a resend finds it.

One entry takes up to MAX_BRACKETS of them.
"""


def numbers_from(first: int, brackets: int) -> range:
    """Return the numbers that an entry takes whose first one this is: one for each bracket of its template."""
    return range(first, first + max(1, brackets))


def known_bindings(strategy: Strategy | None) -> dict[int, Binding]:
    """Return what the numbers of a strategy lead to or, being free, led to."""
    if strategy is None:
        return {}
    # Sorted, because the table does not keep the order of a map.
    return {**strategy.freed, **dict(sorted(strategy.numbers.items()))}


def choose_number(strategy: Strategy | None, brackets: int, taken: Set[int], room: int) -> tuple[int, set[int]]:
    """Return the smallest number that an entry can have, and the numbers that are to be checked to be free.

    Those are its own, as far as they led to an order before, and of the other bound ones as many as there is `room`
    for orders. A number that is `taken`, because its orders were found to be open, is not among them; nor is one whose
    check, with those of further brackets, has no room.
    """
    known = known_bindings(strategy)
    number = 1
    while taken & set(own := numbers_from(number, brackets)) or len(_orders_of(known, own)) > room:
        number += 1
    checked, orders = known.keys() & own, _orders_of(known, own)
    for n in sorted(strategy.numbers.keys() - taken if strategy else ()):
        more = orders | _orders_of(known, [n])
        if len(more) <= room:
            checked.add(n)
            orders = more
    return number, checked


def joined(
    strategy: Strategy | None,
    order: Order,
    numbers: Sequence[int],
    checked: Set[int],
    taken: Set[int],
    provenance: Provenance,
) -> Strategy:
    """Return a strategy with an entry in it that has these numbers; the others that are `checked` are free.

    Without one it is the strategy that the entry starts.
    """
    known = known_bindings(strategy)
    bound = ((strategy.numbers.keys() if strategy else set()) - checked) | (taken & known.keys())
    bindings = {n: known[n] for n in bound}
    # A number that led to an order of this id must not lead to the new one.
    free = {n: it for n, it in known.items() if n not in bound and it.order_id != order.order_id}
    for n in numbers:
        # The time of the write, not of a receipt that may lie a delay before it.
        before = _before(free.pop(n), provenance, order.order_id) if n in free else ()
        atm = order.atm_template is not None or None
        bindings[n] = Binding(order.order_id, provenance.now, before, legs_only=n != numbers[0] or None, atm=atm)
    return (strategy or Strategy(str(order.strategy_id), order.account, order.instrument))._replace(
        account=order.account,
        instrument=order.instrument,
        template=order.template,
        numbers=bindings,
        freed=dict([*free.items()][-_MAX_FREED:]),
    )


def _orders_of(bound: Mapping[int, Binding], numbers: Iterable[int]) -> set[str]:
    """Return the ids of the orders that the names of these numbers may lead to; several may share an entry."""
    return {order_id for n in numbers if n in bound for order_id in orders_of_number(n, bound[n].order_id)}


def _before(binding: Binding, provenance: Provenance, order_id: str) -> tuple[FormerBinding, ...]:
    """Return what had a number before it is bound anew: the last one, and others that a resend may still mean."""
    earliest = timestamp(provenance.at - RESENDS_END)
    recent = [former for former in binding.before if former.until > earliest and former.order_id != order_id]
    return (FormerBinding(binding.order_id, provenance.now), *recent[: _MAX_FORMER - 1])
