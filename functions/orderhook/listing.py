"""Orders as a person lists them: each as it is now, with the legs that wait in its item."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

from orderhook.instructions import Instruction, InstructionResult
from orderhook.keys import Key
from orderhook.limits import allows_instrument
from orderhook.orders import Order, Template, folded
from orderhook.services import Services
from orderhook.store import items
from orderhook.store.alert_log import AlertRecord
from orderhook.store.table import MOST_KEYS
from orderhook.trade import entry_and_leg, leg_id, view_of_leg, waiting_legs

_MOST_NAMES = 20

Readable = TypeVar("Readable")


class Unreadable(NamedTuple):
    """An item that this version cannot read, such as one of a newer version."""

    id: str
    state: str = ""
    """Of an order, the state that its item has, and where it is."""
    account: str = ""
    instrument: str = ""


class UnreadableError(Exception):
    """What was asked for cannot be read by this version."""

    def __init__(self, item: Unreadable) -> None:
        super().__init__(item.id)
        self.item = item


class Instructed(NamedTuple):
    """An instruction of an alert, and what became of it."""

    instruction_id: str
    asked: Instruction | None
    """None where the table has it no more, or this version cannot read it."""
    result: InstructionResult | None
    """None while it is under way, and where nobody knows any more."""

    @property
    def under_way(self) -> bool:
        """Whether the bridge still has to do it."""
        return self.asked is not None and self.result is None


class OrderFilter(NamedTuple):
    """What an order must have to be listed; None is anything."""

    account: str | None = None
    instrument: str | None = None
    """By its one name; `ES1!` is every month of ES."""
    strategy_id: str | None = None

    def matches(self, order: Order) -> bool:
        """Return whether the order has everything that is asked for."""
        return all(_is_same(name, getattr(order, name), wanted) for name, wanted in self._wanted())

    def matches_instruction(self, it: Instruction) -> bool:
        """Return whether an instruction may concern what is asked for: without an account it concerns every one."""
        return all(
            getattr(it, name) is None or _is_same(name, getattr(it, name), wanted) for name, wanted in self._wanted()
        )

    def unmatched(self, orders: Iterable[Order]) -> Iterator[tuple[str, str, list[str]]]:
        """Yield the field, the value asked for, and the first few that there are, of what no order has."""
        orders = list(orders)
        for name, wanted in self._wanted():
            if not any(_is_same(name, getattr(order, name), wanted) for order in orders):
                there = sorted({value for order in orders if (value := getattr(order, name))})
                yield name, wanted, there[:_MOST_NAMES] or ["none"]

    def _wanted(self) -> list[tuple[str, str]]:
        return [(name, wanted) for name, wanted in self._asdict().items() if wanted is not None]


def _is_same(name: str, value: str | None, wanted: str) -> bool:
    """Return whether a value is the one asked for: accounts and instruments without regard to case, ids with it."""
    if value is not None and name == "instrument":
        return allows_instrument((wanted,), value)
    return value is not None and (value == wanted or (name != "strategy_id" and folded(value) == folded(wanted)))


def list_orders(
    services: Services, trader: str, now: str, *, open_only: bool = False, account: str | None = None
) -> Iterator[Order | Unreadable]:
    """Yield a trader's orders, by id, each followed by its waiting legs; one bad item hides no other.

    With `open_only` only those that are open, at the cost of those alone; with an `account` besides, of those of that.
    The controls are read where one waits for its delay.
    """
    voiding = cache(lambda: services.controls.voiding(trader))
    of_account = open_only and account is not None
    listed = (
        services.orders.open_items(trader, account)
        if of_account
        else services.orders.items(trader, open_only=open_only)
    )
    for item in listed:
        order = _read_order(item)
        if isinstance(order, Unreadable):
            yield order
            continue
        order = order.at(now)
        if order.due is not None and order.is_open:
            order = order.void(voiding()(str(order.received_at)))
        if open_only and not order.is_open:
            continue
        yield order
        # Sorted, because the table does not keep the order of a map.
        legs = sorted(waiting_legs(order), key=lambda leg: leg.order_id)
        yield from (leg for leg in legs if leg.is_open or not open_only)


def find_order(services: Services, trader: str, order_id: str, now: str) -> Order | None:
    """Return an order, or a leg that waits in its entry's item, as it is now; raises UnreadableError."""
    return _find(order_id, now, partial(_get, services, trader), partial(services.controls.voided, trader))


def _find(
    order_id: str, now: str, get: Callable[[str], Order | None], voided: Callable[[str], str | None]
) -> Order | None:
    order = get(order_id)
    if order is not None:
        order = order.at(now)
        return order.void(voided(str(order.received_at))) if order.due else order
    split = entry_and_leg(order_id)
    entry = get(split[0]) if split else None
    leg = entry.legs.get(split[1]) if split and entry else None
    if split is None or entry is None or leg is None or leg.released:
        return None  # a released leg has an item of its own, which has left the table
    order = view_of_leg(entry.at(now), split[1], leg)
    if order.is_open and not order.qty:
        return None  # its entry's quantity does not reach it
    named = entry.order_name or "ENTRY"  # or a reader would take what the entry became for what the leg is
    return order._replace(history=tuple(it if it.leg else it._replace(leg=named) for it in order.history))


class Snapshot(NamedTuple):
    """What was asked for and is there, as it is now, without histories."""

    orders: Mapping[str, Order | Unreadable]
    """By their ids, with the entries of legs that were asked for."""
    instructions: Mapping[str, Instruction]
    left_out: frozenset[str]
    """Which ids one request could not ask for: nothing is known of them."""


def take_snapshot(
    services: Services,
    trader: str,
    order_ids: Iterable[str],
    instruction_ids: Iterable[str],
    now: str,
    voided: Callable[[str], str | None],
) -> Snapshot:
    """Return orders and legs as `find_order` does, and instructions, by one request.

    Where that could not ask for all of them the first ones count. `voided` is what the controls say.
    """
    order_ids, instruction_ids = list(dict.fromkeys(order_ids)), list(dict.fromkeys(instruction_ids))
    wanted = [(it, _keys_of(trader, it)) for it in order_ids]
    wanted += [(it, [items.instruction_key(trader, it)]) for it in instruction_ids]
    keys, left_out = _for_one_request(wanted)
    found = {str(item["sk"]): item for item in services.table.get_many(keys, items.SHOWN_IN_LISTS)}

    def get(order_id: str) -> Order | None:
        item = found.get(items.order_key(trader, order_id)["sk"])
        order = _read_order(item) if item else None
        if isinstance(order, Unreadable):
            raise UnreadableError(order)
        return order

    orders: dict[str, Order | Unreadable] = {}
    asked = [it for it in order_ids if it not in left_out]
    entries = [split[0] for it in asked if (split := entry_and_leg(it))]
    for order_id in dict.fromkeys([*asked, *entries]):
        try:
            order = _find(order_id, now, get, voided)
        except UnreadableError as error:
            orders[order_id] = error.item
        else:
            orders |= {order_id: order} if order else {}
    told = ((it, found.get(items.instruction_key(trader, it)["sk"])) for it in instruction_ids)
    read = ((it, _readable(items.instruction, item)) for it, item in told if item)
    return Snapshot(orders, {it: instruction for it, instruction in read if instruction}, left_out)


def _for_one_request(
    wanted: Iterable[tuple[str, Sequence[Mapping[str, str]]]],
) -> tuple[list[Mapping[str, str]], frozenset[str]]:
    """Return the keys that one request can ask for, and what is left out: of the rest not one key is asked for."""
    keys: dict[str, Mapping[str, str]] = {}
    left_out: set[str] = set()
    for name, needed in wanted:
        more = keys | {key["sk"]: key for key in needed if _fits(key)}
        if len(more) > MOST_KEYS:
            left_out.add(name)
        else:
            keys = more
    return list(keys.values()), frozenset(left_out)


def _keys_of(trader: str, order_id: str) -> list[Mapping[str, str]]:
    """Return the keys of an order's item, and of its entry's, where its id may be that of a leg."""
    split = entry_and_leg(order_id)
    return [items.order_key(trader, it) for it in (order_id, *(split[:1] if split else ()))]


_LONGEST_KEY = 1024
"""How many bytes a sort key may have; an alert that was refused may name anything."""


def _fits(key: Mapping[str, str]) -> bool:
    return len(key["sk"].encode(errors="replace")) <= _LONGEST_KEY


def find_orders(
    services: Services, trader: str, order_ids: Sequence[str], now: str
) -> Mapping[str, Order | Unreadable]:
    """Return those of some orders that are there, by their ids; of legs that wait their entry's item has all.

    They are read together, at the cost of a request for a hundred. One bad item hides no other.
    """
    voiding = cache(lambda: services.controls.voiding(trader))
    found: dict[str, Order | Unreadable] = {}
    for item in services.orders.items_of(trader, order_ids):
        order = _read_order(item)
        if isinstance(order, Unreadable):
            found[order.id] = order
            continue
        order = order.at(now)
        found[order.order_id] = order.void(voiding()(str(order.received_at))) if order.due else order
    return {order_id: found[order_id] for order_id in order_ids if order_id in found}


def each_readable(found: Iterator[Readable]) -> Iterator[Readable | None]:
    """Yield what is read, and None in place of each item that this version cannot read."""
    while True:
        try:
            yield next(found)
        except StopIteration:
            return
        except items.UNREADABLE:
            yield None


def find_legs(services: Services, trader: str, entry: Order, now: str) -> list[Order | Unreadable]:
    """Return an entry's legs, released ones and waiting ones, by their names; one bad item hides no other."""
    legs: list[Order | Unreadable] = list(waiting_legs(entry))
    for name in (name for name, leg in entry.legs.items() if leg.released):
        try:
            leg = find_order(services, trader, leg_id(entry.order_id, name), now)
        except UnreadableError as error:
            legs.append(error.item)
        else:
            legs += [leg] if leg else []
    return by_placing(legs)


def list_instructions(services: Services, trader: str) -> Iterator[Instruction | Unreadable]:
    """Yield the instructions of a trader that are under way, oldest first; one bad item hides no other."""
    for item in services.instructions.open_items(trader):
        yield _readable(items.instruction, item) or Unreadable(str(item["sk"]).partition("#")[2], "instruction")


def find_instruction(services: Services, trader: str, instruction_id: str) -> Instruction | None:
    """Return an instruction of a trader, done or not; raises UnreadableError for one that cannot be read."""
    try:
        return services.instructions.get(trader, instruction_id)
    except items.UNREADABLE:
        raise UnreadableError(Unreadable(instruction_id)) from None


def instructions_of(services: Services, record: AlertRecord) -> Iterator[Instructed]:
    """Yield what an alert asks of positions, as it is now.

    What an alert repeats is an earlier one's, whose record alone has the result.
    """
    known = {result.instruction_id: result for result in record.instruction_results}
    for instruction_id in record.instruction_ids:
        asked = None
        with suppress(UnreadableError):
            asked = find_instruction(services, record.trader, instruction_id)
        yield Instructed(instruction_id, asked, known.get(instruction_id) or (asked and asked.told))


def by_placing(rows: Iterable[Order | Unreadable]) -> list[Order | Unreadable]:
    """Return orders in the order of their placing, each followed by its legs; last what cannot be read."""
    rows = list(rows)
    placed = {row.order_id: _placed_at(row) for row in rows if isinstance(row, Order)}

    def place_of(row: Order | Unreadable) -> tuple[bool, str, str, str]:
        if isinstance(row, Unreadable):
            return (True, "", row.id, "")
        entry_id = row.entry_id or row.order_id
        return (False, placed.get(entry_id, placed[row.order_id]), entry_id, row.order_id)

    return sorted(rows, key=place_of)


def _placed_at(order: Order) -> str:
    return order.history[0].at if order.history else order.since


def list_keys(services: Services) -> Iterator[Key | Unreadable]:
    """Yield the stored halves of all keys, by id; one bad item hides no other."""
    for item in services.keys.items():
        yield _readable(items.key, item) or Unreadable(str(item["pk"]).partition("#")[2])


def traders(services: Services) -> set[str]:
    """Return whoever has a key that is not revoked."""
    return {key.trader for key in list_keys(services) if isinstance(key, Key) and not key.revoked}


def list_templates(services: Services, trader: str) -> Iterator[Template | Unreadable]:
    """Yield a trader's templates, by name; one bad item hides no other."""
    for item in services.templates.items(trader):
        yield _readable(items.template, item) or Unreadable(str(item["sk"]).partition("#")[2])


def _get(services: Services, trader: str, order_id: str) -> Order | None:
    item = services.orders.item(trader, order_id) if _fits(items.order_key(trader, order_id)) else None
    order = None if item is None else _read_order(item)
    if isinstance(order, Unreadable):
        raise UnreadableError(order)
    return order


def _read_order(item: Mapping[str, Any]) -> Order | Unreadable:
    order = _readable(items.order, item)
    if order and all(map(_has_its_types, order.history)):
        return order
    return Unreadable(
        str(item.get("order_id", item["sk"])), *(str(item.get(name, "")) for name in ("state", "account", "instrument"))
    )


def _readable(read: Callable[[Mapping[str, Any]], Readable], item: Mapping[str, Any]) -> Readable | None:
    try:
        found = read(item)
    except items.UNREADABLE:
        return None
    return found if _has_its_types(found) else None


def _has_its_types(found: object) -> bool:
    """Return whether text is text, and what is true or false is that: an item may hold anything."""
    fields = type(found).__annotations__.items()
    return all(isinstance(getattr(found, name), kind) for name, kind in fields if kind in (str, str | None, bool))
