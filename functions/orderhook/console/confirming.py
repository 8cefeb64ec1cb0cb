"""What a page that asks for confirmation is about: sent later, it is compared with what is there by then."""

from collections.abc import Iterable

from orderhook.commands import Command
from orderhook.commands.addressed_order import AddressesOrder
from orderhook.commands.new_order import PlacesOrder
from orderhook.console import turning
from orderhook.console.visit import Visit
from orderhook.listing import UnreadableError, find_order
from orderhook.orders import Order, decimal_text, timestamp
from orderhook.trade import leg_id


def order_now(visit: Visit, order_id: str) -> Order | None:
    """Return an order as it is, where this session may see it."""
    limits = visit.session.grant.limits
    try:
        order = find_order(visit.services, visit.trader, order_id, timestamp(visit.now))
    except UnreadableError:
        return None
    return order if order and (limits is None or limits.reaches(order.account, order.instrument)) else None


def order_of(visit: Visit, command: Command) -> Order | None:
    """Return the order that a command addresses now, by its id or by its name; None for commands that address none."""
    if not isinstance(command, AddressesOrder):
        return None
    name = command.order_name
    if name is None:
        return order_now(visit, command.order_id)
    strategy = visit.services.strategies.get(visit.trader, str(command.strategy_id))
    kind = name.rstrip("0123456789")
    binding = strategy.numbers.get(int(name[len(kind) :])) if strategy else None
    if binding is None or kind not in ("ENTRY", "STOP", "TARGET"):
        return None
    return order_now(visit, binding.order_id if kind == "ENTRY" else leg_id(binding.order_id, name))


def order_ids(visit: Visit, commands: Iterable[Command]) -> list[str]:
    """Return the ids of the orders that commands place or address, as far as they are known."""
    placed = [str(getattr(it, "order_id", None) or "") for it in commands if isinstance(it, PlacesOrder)]
    addressed = [order.order_id for it in commands if (order := order_of(visit, it))]
    return [it for it in (*placed, *addressed) if it]


def seen(visit: Visit, commands: Iterable[Command]) -> str:
    """Return what is compared: of a cancel which order it is, of a change its terms, of a turn the position."""
    return "; ".join(_seen(visit, command) for command in commands)


def _seen(visit: Visit, command: Command) -> str:
    if markets := turning.turned_by([command]):
        return ", ".join(turning.seen(visit, it) for it in markets)
    order = order_of(visit, command)
    if order is None:
        return ""
    which = f"{order.placed_by} {order.received_at if order.entry_id is not None and order.closes is None else ''}"
    return which if command.word == "CANCEL" else f"{which} {_terms(order)}"


def _terms(order: Order) -> str:
    prices = (decimal_text(it) if it is not None else "-" for it in (order.limit_price, order.stop_price))
    return " ".join((order.order_type, order.tif, str(order.qty), *prices))
