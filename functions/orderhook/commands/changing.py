"""How CHANGE and CANCELREPLACE alter the order that they address: at once, or after a look at its item."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from orderhook.altering import standing
from orderhook.commands.addressed_order import NOTHING_OPEN, Address, AddressesOrder, Met, has_reached, waits, wrote
from orderhook.commands.asking import asking, check_asking
from orderhook.commands.overtaken import is_overtaken
from orderhook.commands.placing import Entry, place_entry
from orderhook.commands.price_checks import price_checks
from orderhook.commands.release import ended_if_void
from orderhook.commands.strategy_names import bearing, market_of
from orderhook.errors import (
    AlertWarning,
    ChangeDroppedError,
    ControlError,
    DuplicateOrderIdError,
    OrderAlreadyTerminalError,
    OrderError,
    OrderNotFoundError,
    StrategyMismatchError,
    TemporarilyUnavailableError,
)
from orderhook.leg_prices import is_ended, opposite_legs
from orderhook.orders import CHANGEABLE, Leg, Order, OrderState, decimal_text
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.releases import releases
from orderhook.store.writes import NEW, Check, TransactionFailed
from orderhook.trade import (
    MAX_BRACKETS,
    LegTerms,
    bracket_legs,
    entry_and_leg,
    leg_id,
    opposite,
    unprotected,
    unprotected_warning,
)

if TYPE_CHECKING:
    from orderhook.services import Services
    from orderhook.store.results import WriteResult

_RACES = 4
"""How often another alert may change the same order at the same moment before this one gives up."""


class Altered(NamedTuple):
    """The order that a command met, before and after it; `resent` where a resend left it as it was."""

    before: Order
    order: Order
    warnings: tuple[AlertWarning, ...] = ()
    resent: bool = False
    own: bool = False
    """Whether this very request had written it before, and its answer was lost."""

    @property
    def is_asked(self) -> bool:
        """Whether something is asked of the venue, perhaps anew what it has not confirmed."""
        return self.order.want != self.before.want


class Altering(Protocol):
    """How a command alters the order that it addresses."""

    @property
    def command(self) -> AddressesOrder:
        """The command."""

    def try_at_once(
        self, services: "Services", provenance: Provenance, order_id: str, leg: str | None = None
    ) -> "WriteResult":
        """Alter the order by one write, if nothing more must be looked at; or a leg in the item of this entry."""

    def applied_to(self, met: Met) -> tuple[Order, list[AlertWarning]]:
        """Return the item as the command makes it, and what to warn of; judge nothing, for it may be written."""

    def check(self, met: Met, after: Order) -> None:
        """Raise InvalidValueError unless the item that was met can become `after`."""

    @property
    def changes(self) -> Mapping[str, str]:
        """The new values as the history has them."""


def alter_addressed(
    command: AddressesOrder, services: "Services", provenance: Provenance, alter_at: Callable[[Address], Altered]
) -> Altered:
    """Alter the order that the command addresses, by `alter_at`.

    Where a name leads to a finished order, or to none, it is read once more: another order may have taken it meanwhile.
    Then an open order that bears the name all the same is altered; else the refusal tells which wait for their delay
    and take it next.
    """
    address = None
    try:
        address = command.address(services, provenance)
        return _alter_addressed(command, services, provenance, address, alter_at)
    except NOTHING_OPEN as refusal:
        if command.order_name is None or (address and address.settled):
            raise
        open_items = command.open_of_strategy(services, provenance)
        bearers = bearing(open_items, str(command.order_name), provenance.until)
        if bearers and not (address and address.order_id in bearers):
            market = _market_meant(command, services, provenance, address)
            alike = [item for item in open_items if market == market_of(item)]
            if living := next(command.bearing_name(services, provenance, alike, address), None):
                return alter_at(Address(living))
            raise command.borne_elsewhere(bearers, refusal) from None
        raise command.naming_what_waits(services, provenance, open_items, refusal) from None


def _market_meant(
    command: AddressesOrder, services: "Services", provenance: Provenance, address: Address | None
) -> tuple[str, ...] | None:
    """Return the account, instrument and action of what the name led to; None where that is not there any more."""
    if address is None:
        return None
    if (met := command.find(services, provenance, address.order_id)) and (order := met.order(provenance.now)):
        return market_of(order._asdict())
    # A leg that the entry does not have would close it.
    split = entry_and_leg(address.order_id)
    entry = services.orders.reached(provenance, split[0]) if split else None
    return entry and market_of(entry._replace(action=opposite(entry.action))._asdict())


def _alter_addressed(
    command: AddressesOrder,
    services: "Services",
    provenance: Provenance,
    address: Address,
    alter_at: Callable[[Address], Altered],
) -> Altered:
    try:
        return alter_at(address)
    except (OrderAlreadyTerminalError, OrderNotFoundError):
        if command.order_name is None or address.settled:
            raise
        again = command.address(services, provenance)
        if again.order_id == address.order_id:
            raise
    return alter_at(again)


def alter(altering: Altering, services: "Services", provenance: Provenance, address: Address) -> Altered:
    """Alter the order at this address.

    First by one write whose condition allows what needs no look at the item. What it meets instead is looked at: a
    resend leaves it as it is; anything else is worked out, and written if the item is still the same version. With a
    delay the item is looked at first, because alerts that came in later may have been done before.
    """
    command = altering.command
    if (met := command.resent(services, provenance, address)) and (order := met.order(provenance.now)):
        return _left(provenance, order, _told_again(altering, services, provenance, met))
    if provenance.until is not None:
        met = command.find(services, provenance, address.order_id)
        return _after_a_look(altering, services, provenance, address.order_id, met)
    first = _at_once(altering, services, provenance, address.order_id)
    if isinstance(first, Altered):
        return first
    return _after_a_look(altering, services, provenance, address.order_id, first)


def lower(altering: Altering, services: "Services", provenance: Provenance, refusal: ControlError) -> Altered:
    """Alter the order as `alter` does, but raise `refusal` where its quantity would grow, or where there is none."""
    met, order = find_addressed(altering.command, services, provenance)
    if order is None:
        raise refusal
    return _after_a_look(altering, services, provenance, order.order_id, met, refusal)


def find_addressed(
    command: AddressesOrder, services: "Services", provenance: Provenance
) -> tuple[Met | None, Order | None]:
    """Return the item that a command addresses, and the order in it; None where there is none."""
    try:
        met = command.find(services, provenance, command.address(services, provenance).order_id)
    except OrderError:
        return None, None
    return met, met.order(provenance.now) if met else None


def needs_venue(command: AddressesOrder, services: "Services", provenance: Provenance) -> bool:
    """Return whether the order that a command addresses is an entry that a venue has: a leg's closes the trade."""
    _, order = find_addressed(command, services, provenance)
    return order is not None and order.venue is not None and order.entry_id is None


def find_resent(
    command: AddressesOrder, services: "Services", provenance: Provenance, altering: Altering | None = None
) -> Altered | None:
    """Return the order that the very alert has altered already, if this is its resend; `altering` knows how."""
    try:
        address = command.address(services, provenance)
    except OrderError:
        return None
    met = command.resent(services, provenance, address) or command.find(services, provenance, address.order_id)
    order = met and met.order(provenance.now)
    if not met or not order or not has_reached(services, provenance, order):
        return None
    return _left(provenance, order, _told_again(altering, services, provenance, met) if altering else ())


def _left(provenance: Provenance, order: Order, warnings: Sequence[AlertWarning] = ()) -> Altered:
    """Return an order that this alert has altered before, in this very request or at its first receipt.

    Raises ChangeDroppedError where its venue has dropped that since.
    """
    own = wrote(provenance, order)
    if why := _why_dropped(provenance, order):
        present = ", ".join(f"{name}={value}" for name, value in values(order).items())
        raise ChangeDroppedError(
            f"What this alert asked when it came first was dropped by the venue's bridge: {why}. {order.order_id} is "
            f"{order.state}, with {present}. Send a new alert if you still want it.",
            field="order_id",
            state=order.state,
            affected_order_ids=(order.order_id,),
        )
    return Altered(order, order, tuple(warnings), resent=not own, own=own)


def _told_again(altering: Altering, services: "Services", provenance: Provenance, met: Met) -> Sequence[AlertWarning]:
    """Return what an alert that has altered an order before was warned of, as far as it is still so."""
    after, warnings = altering.applied_to(met)
    if after.qty == met.item.qty:
        return [*warnings, *_warned_of_template(services, provenance, met.item)]
    # Another alert has given it another quantity since.
    present = standing(met.item) if met.leg is None and met.item.is_open else []
    return [*(it for it in warnings if it.code != "unprotected_quantity"), *present]


def _why_dropped(provenance: Provenance, order: Order) -> str | None:
    """Return why a venue has dropped what this alert asked; None where it did not, or has not answered yet.

    The bridge's report has then set a value back that the alert gave.
    """
    said = [
        number
        for number, event in enumerate(order.history)
        if event.request_id == provenance.request_id or event.digest == provenance.digest
    ]
    if not said:
        return None  # it has written nothing: what a later alert asked stands
    asked = order.history[said[-1]]
    for event in order.history[said[-1] + 1 :]:
        # A leg that waits has its events beside its entry's; once it is released, all in its history are its own.
        is_its_own = event.leg == asked.leg or order.closes is not None
        is_set_back = any(asked.changes.get(name, text) != text for name, text in event.changes.items())
        if event.key_id == order.venue and is_its_own and is_set_back:
            return event.changes.get("reason") or order.reason or f"it is {order.state}"
    return None


def values(order: Order) -> dict[str, str]:
    """Return the quantity and the prices of an order, as an answer has them."""
    numbers = {"qty": Decimal(order.qty), "limit_price": order.limit_price, "stop_price": order.stop_price}
    return {name: decimal_text(value) for name, value in numbers.items() if value is not None}


def _at_once(altering: Altering, services: "Services", provenance: Provenance, order_id: str) -> Altered | Met | None:
    """Try the one write; return what it altered, or what it met."""
    split = entry_and_leg(order_id)
    outcome = partial(_outcome, altering, services, provenance)
    if split is None:
        return outcome(altering.try_at_once(services, provenance, order_id), None)
    entry_id, leg = split
    result = altering.try_at_once(services, provenance, entry_id, leg)
    entry = result.before
    altering.command.check_is_known(entry, leg)
    if entry is not None and waits(entry, leg):
        return outcome(result, leg)
    if entry is not None and opposite_legs(entry, leg):
        # Its price must stay on its side of theirs, so its item is looked at.
        order = services.orders.reached(provenance, order_id)
        return Met(order, entry=entry) if order else None
    return outcome(altering.try_at_once(services, provenance, order_id), None)


def _outcome(
    altering: Altering, services: "Services", provenance: Provenance, result: "WriteResult", leg: str | None
) -> Altered | Met | None:
    if result.before is None:
        return None
    met = Met(result.before, leg)
    if not result.applied:
        return met
    before = met.order(provenance.now)
    if before and wrote(provenance, result.before):
        # Sent again by the SDK: the item is as this very request made it.
        return _left(provenance, before, _told_again(altering, services, provenance, met))
    after, warnings = altering.applied_to(met)
    after = asking(services.venue, provenance, met, after)
    order = met._replace(item=after).order(provenance.now)
    return Altered(before, order, tuple(warnings)) if before and order else None


def _after_a_look(
    altering: Altering,
    services: "Services",
    provenance: Provenance,
    order_id: str,
    met: Met | None,
    refusal: ControlError | None = None,
) -> Altered:
    for _ in range(_RACES):
        altered = _by_version(altering, services, provenance, met, refusal)
        if altered is not None:
            return altered
        met = altering.command.find(services, provenance, order_id)
    raise TemporarilyUnavailableError("Other alerts are changing this order. Send the same alert again; it is safe.")


def _by_version(
    altering: Altering, services: "Services", provenance: Provenance, met: Met | None, refusal: ControlError | None
) -> Altered | None:
    """Work out what the command makes of an item and write that; None where the item has changed meanwhile."""
    command = altering.command
    order = met and met.order(provenance.now)
    if met is None or order is None:
        raise command.not_found()
    command.check_meant(provenance, order)
    if has_reached(services, provenance, order):
        return _left(provenance, order, _told_again(altering, services, provenance, met))
    if is_overtaken(provenance, met, altering.changes):
        return _left(provenance, order)
    if void := ended_if_void(services, provenance, met.item):
        raise command.already_terminal(void, f"{void.reason}, so it is never placed.")
    if refusal is not None and order.state not in CHANGEABLE:
        raise refusal
    if order.state not in CHANGEABLE:
        services.orders.expire(provenance, met.item)
        raise command.already_terminal(order, "it cannot be changed any more.")
    after, warnings = altering.applied_to(met)
    warnings += _warned_of_template(services, provenance, after)
    altering.check(met, after)
    check_asking(met, after)
    after = asking(services.venue, provenance, met, after)
    if refusal is not None and after.qty > met.item.qty and after.is_open:
        raise refusal
    changed = met._replace(item=after).order(provenance.now)
    if changed and after.is_open and provenance.limits and (beyond := provenance.limits.refusal(qty=changed.qty)):
        raise beyond  # also where the alert gives no quantity: the key could not place what this would leave
    written = _write(services, provenance, met, _signed(provenance, met, after, altering.changes))
    if written is None:
        return None
    changed = met._replace(item=written).order(provenance.now)
    return Altered(order, changed or order, tuple(warnings))


def _signed(provenance: Provenance, met: Met, after: Order, changes: Mapping[str, str]) -> Order:
    """Return an altered item with what tells of this alert: its trace, its time, and its receipt in what it adds."""
    moved = after.state is not met.item.state and not (after.is_open and after.venue is None)
    event = provenance.event(after.state if moved else None, changes, leg=met.leg)
    return after._replace(
        legs=_received(provenance, met.item.legs, after.legs),
        history=(*after.history, event),
        digests=(*after.digests, provenance.digest),
        since=after.since if after.is_open else provenance.now,
        cancelled_at=provenance.now if after.state is OrderState.CANCELLED else after.cancelled_at,
    )


def _warned_of_template(services: "Services", provenance: Provenance, order: Order) -> list[AlertWarning]:
    """Return the warning of an order that waits for what its template will leave without a leg, as PLACE gives it."""
    template = services.templates.get(provenance.trader, order.template) if order.due and order.template else None
    brackets = template.brackets[:MAX_BRACKETS] if template else ()
    rest = unprotected(order._replace(legs=bracket_legs(1, brackets, ""))) if brackets else 0
    return [unprotected_warning(rest)] if rest else []


def _received(provenance: Provenance, before: Mapping[str, Leg], after: Mapping[str, Leg]) -> dict[str, Leg]:
    """Return an entry's legs, those with this alert's receipt that it adds, or gives anew after their end.

    So a command over many that was received before does not touch them when it is sent again.
    """

    def is_new(name: str, leg: Leg) -> bool:
        return not is_ended(leg) and (name not in before or is_ended(before[name]))

    return {
        name: leg._replace(received_at=provenance.received_at) if is_new(name, leg) else leg
        for name, leg in after.items()
    }


def _write(services: "Services", provenance: Provenance, met: Met, after: Order) -> Order | None:
    """Write an altered item; return it as it is then, None if it has changed meanwhile.

    In the same transaction stand the checks of what stands in other items, and the legs that were added and that its
    fills reach. Raises InvalidValueError where a leg's price would cross that of another which works, and
    DuplicateOrderIdError where an earlier leg of the same id is still in the table.
    """
    before = met.item
    added = [name for name in after.legs if name not in before.legs]
    if added and after.strategy_id is None:
        return _start_strategy(services, provenance, before, after)
    after, released = releases(provenance, before, after)
    checks = price_checks(provenance, met, after)
    new = [Check(items.order_key(provenance.trader, leg_id(after.order_id, name)), NEW, {}) for name in added]
    waiting = [check for name, check in zip(added, new, strict=True) if name not in released]
    if not (released or checks or waiting):
        return after if services.orders.rewrite(provenance, before, after) else None
    rewriting = services.orders.rewriting(provenance, before, after)
    try:
        services.table.transact([rewriting, *released.values(), *waiting, *(check for check, _ in checks)])
    except TransactionFailed as failed:
        item, *others = failed.failures
        legs, prices = others[: len(others) - len(checks)], others[len(others) - len(checks) :]
        for failure, (_, refusal) in zip(prices, checks, strict=True):
            if failure and refusal:
                raise refusal from None
        if item is None and any(legs):
            raise DuplicateOrderIdError(
                f"An earlier leg of an order {after.order_id} is still there; place an order with another order_id.",
                field="order_id",
            ) from None
        return None
    return after


def _start_strategy(services: "Services", provenance: Provenance, before: Order, after: Order) -> Order | None:
    """Write an order that has its first legs: these have names, for which a strategy is started that is called like it.

    Raises StrategyMismatchError where a strategy of that name has something open.
    """
    legs = [LegTerms.of(name, leg, leg.received_at) for name, leg in after.legs.items()]
    entry = Entry(after._replace(legs={}), legs, None, named=False)
    try:
        return place_entry(services, provenance, entry, waiting=before).order
    except TransactionFailed:
        return None
    except StrategyMismatchError:
        # The order has none, and none can be added to it.
        raise StrategyMismatchError(
            f"Legs of order {after.order_id} need a strategy called {after.order_id}, and that one has other open "
            "orders. Take take_profit and stop_loss out, and place the target or stop by a PLACE of its own.",
            field="order_id",
        ) from None
