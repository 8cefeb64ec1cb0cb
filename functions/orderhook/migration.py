"""Bring a table of an earlier version into the form of this one, for `orderhook migrate`.

What changed since 0.1: waiting legs lie in their entry's item, and no longer in items of their own; the names of a
strategy are numbers, which are free again when their orders are finished; accounts, instruments and templates are
compared without case, in the index of open orders too; DAY orders end. Since 0.2: an instrument has one name, in that
index too.

Every write has a condition, so that alerts may come in meanwhile, and what is done is not done again: a run that was
interrupted, or that met something changed, is simply repeated.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orderhook import version_0_1
from orderhook.orders import Binding, Order, OrderState, folded, timestamp
from orderhook.provenance import Provenance
from orderhook.renaming import name_of, rename_limits, rename_positions, rename_strategies
from orderhook.services import Services
from orderhook.store import items
from orderhook.store.writes import ConditionFailed, Delete, Item, Put, TransactionFailed, Update
from orderhook.trade import trimmed
from orderhook.trade_window import end_of_day
from orderhook.version_0_1 import OldEntry

RETENTION = timedelta(days=30)
"""How long the items of orders stay that the migration ends."""

_UNCHANGED = "#version = :seen"
_CHANGED = "it was changed meanwhile; run this again"
_UNREADABLE = "this version cannot read it"
_OF_KIND = "#pk = :pk AND begins_with(#sk, :prefix)"


@dataclass(slots=True)
class MigrationResult:
    """What became of the items of one trader, by their ids."""

    legs_moved: dict[str, str] = field(default_factory=dict)
    """The new ids of waiting legs, which lie in their entries' items now, by their old ids."""
    legs_ended: list[str] = field(default_factory=list)
    """Those that were open though their entry is finished or gone."""
    renamed: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The old and the new names of open orders, by their ids."""
    strategies: list[str] = field(default_factory=list)
    indexed: list[str] = field(default_factory=list)
    """Open orders that have another value in the index than before."""
    instruments: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The old and the new names of the instruments of open orders, by their ids."""
    named: list[str] = field(default_factory=list)
    """What else has an instrument of another name than before: strategies, positions, executions, limits of keys."""
    days_ended: list[str] = field(default_factory=list)
    """DAY orders that were open though their day was over."""
    templates: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """What is still as it was, with the reason."""


def migrate(services: Services, provenance: Provenance) -> MigrationResult:
    """Migrate what belongs to the trader of `provenance`; run twice, the second finds nothing to do.

    Raises TemporarilyUnavailableError when the table does not answer.
    """
    result = MigrationResult()
    entries, legs, claimed = _read_orders(services, provenance.trader, result)
    numbers = _migrate_strategies(services, provenance, entries, result)
    for entry in entries:
        if entry.legs or not entry.is_numbered:
            _migrate_entry(services, provenance, entry, numbers.get(entry.order.order_id), legs, result)
    _end_orphans(services, provenance, legs, claimed, result)
    _migrate_open(services, provenance, result)
    _migrate_names(services, provenance, result)
    _migrate_templates(services, provenance.trader, result)
    return result


# Entries and their legs


def _read_orders(
    services: Services, trader: str, result: MigrationResult
) -> tuple[list[OldEntry], Mapping[str, Item], Collection[str]]:
    """Return the entries by their numbers, the items of legs by their ids, and which of those belong to an entry."""
    found: list[Item] = []
    legs: dict[str, Item] = {}
    for item in services.orders.items(trader):
        if version_0_1.is_leg(item):
            legs[item["order_id"]] = item
        elif version_0_1.is_entry(item):
            found.append(item)
    entries = []
    for item in found:
        try:
            entries.append(version_0_1.read_entry(item, legs))
        except (KeyError, TypeError, ValueError):
            result.left[item["order_id"]] = _UNREADABLE
    entries.sort(key=lambda entry: version_0_1.number_of(str(entry.order.order_name)))
    return entries, legs, {leg for item in found for leg in version_0_1.leg_ids(item).values()}


def _migrate_entry(
    services: Services,
    provenance: Provenance,
    entry: OldEntry,
    number: int | None,
    legs: Mapping[str, Item],
    result: MigrationResult,
) -> None:
    """Move an entry's waiting legs into its item, and give it its number, in one transaction."""
    order = entry.order
    after, moved = version_0_1.migrated(entry, number)
    kept = [leg.order.order_id for leg in entry.legs if leg.waits and leg.order.order_id not in moved]
    closing = [_closing(provenance, legs[old_id], f"now {new_id}") for old_id, new_id in moved.items()]
    keeping = [_keeping(provenance, legs[order_id], order.order_id) for order_id in kept]
    try:
        services.table.transact([_rewriting(provenance, order, after), *closing, *keeping])
    except TransactionFailed:
        result.left[order.order_id] = _CHANGED
        return
    result.left |= dict.fromkeys(kept, f"{order.order_id} has fills, so this is an order of its own: use its id")
    result.legs_moved |= moved
    if not order.at(provenance.now).is_open:
        result.legs_ended += moved.values()
        return
    names = {order.order_id: (str(order.order_name), str(after.order_name))}
    for leg in entry.legs:
        if new_id := moved.get(leg.order.order_id):
            names[new_id] = (leg.name, new_id.rpartition(".")[2])
    result.renamed |= {order_id: (old, new) for order_id, (old, new) in names.items() if old != new}


def _rewriting(provenance: Provenance, before: Order, after: Order) -> Update:
    """Return the write of what the migration changes of an entry, if the item is still the same version."""
    history, dropped = trimmed(after.history)
    sets: dict[str, object] = {
        "legs": {name: items.leg(leg) for name, leg in after.legs.items()},
        "history": [items.event(event) for event in history],
        "history_dropped": before.history_dropped + dropped,
        "order_name": after.order_name,
        "number": after.number,
        "nearest_stop": after.nearest_stop,
        "nearest_target": after.nearest_target,
        "request_id": provenance.request_id,
        "version": before.version + 1,
    }
    given = {name: value for name, value in sets.items() if value is not None}
    return Update(
        items.order_key(provenance.trader, before.order_id),
        "SET " + ", ".join(f"#{name} = :{name}" for name in given),
        _UNCHANGED,
        {f":{name}": value for name, value in given.items()} | {":seen": before.version},
    )


def _closing(provenance: Provenance, item: Item, reason: str) -> Update:
    """Return the write that ends the item of a waiting leg, if it is still the same version."""
    return Update(
        items.order_key(provenance.trader, item["order_id"]),
        "SET #state = :state, #since = :now, #cancelled_at = :now, #cancel_request_id = :request_id, "
        "#request_id = :request_id, #reason = :reason, #expires = :expires, #version = #version + :one, "
        "#history = list_append(#history, :event) REMOVE #open, #order_name",
        _UNCHANGED,
        {
            ":state": str(OrderState.CANCELLED),
            ":now": provenance.now,
            ":request_id": provenance.request_id,
            ":reason": reason,
            ":expires": _expires(provenance, provenance.now),
            ":one": 1,
            ":event": [items.event(provenance.event(OrderState.CANCELLED))],
            ":seen": item["version"],
        },
    )


def _keeping(provenance: Provenance, item: Item, entry_id: str) -> Update:
    """Return the write that has a leg know its entry, as one that a fill has released does."""
    key = items.order_key(provenance.trader, item["order_id"])
    expression = "SET #entry_id = :entry_id, #closes = #qty, #version = #version + :one, #request_id = :request_id"
    values = {":entry_id": entry_id, ":one": 1, ":request_id": provenance.request_id, ":seen": item["version"]}
    return Update(key, expression, _UNCHANGED, values)


def _end_orphans(
    services: Services,
    provenance: Provenance,
    legs: Mapping[str, Item],
    claimed: Collection[str],
    result: MigrationResult,
) -> None:
    """End the legs that wait for an entry which is gone."""
    for order_id, item in legs.items():
        if order_id in claimed or item["state"] != OrderState.INITIALIZED:
            continue
        try:
            services.table.update(_closing(provenance, item, "entry ended unfilled"))
        except ConditionFailed:
            result.left[order_id] = _CHANGED
        else:
            result.legs_ended.append(order_id)


def _expires(provenance: Provenance, ended: str) -> int:
    return int((max(provenance.at, datetime.fromisoformat(ended)) + RETENTION).timestamp())


# Strategies


def _migrate_strategies(
    services: Services, provenance: Provenance, entries: Sequence[OldEntry], result: MigrationResult
) -> Mapping[str, int]:
    """Bind the open entries of each strategy to numbers, and return those by the ids of the entries.

    They are the numbers that PLACE would have given: one after the other the smallest that are free.
    """
    numbers: dict[str, int] = {}
    values = {":pk": items.trader_partition(provenance.trader), ":prefix": "STRATEGY#"}
    for item in list(services.table.query(_OF_KIND, values)):
        own = [it for it in entries if it.order.strategy_id == item["strategy_id"]]
        living = [entry for entry in own if entry.order.at(provenance.now).is_open]
        if "names" not in item and all(entry.is_numbered for entry in living):
            continue
        bound = dict(items.strategy(item).numbers)
        for entry in sorted(living, key=lambda it: not it.is_numbered):
            order_id = entry.order.order_id
            # An earlier run may have bound it already.
            has = min((n for n, binding in bound.items() if binding.order_id == order_id), default=None)
            first = entry.order.number or has or _first_free(bound, entry.width)
            numbers[order_id] = first
            for n in range(first, first + entry.width):
                bound[n] = Binding(order_id, provenance.now, legs_only=n != first or None)
        _write_numbers(services, provenance, item, bound, result)
    return numbers


def _first_free(bound: Collection[int], width: int) -> int:
    number = 1
    while any(n in bound for n in range(number, number + width)):
        number += 1
    return number


def _write_numbers(
    services: Services, provenance: Provenance, item: Item, bound: Mapping[int, Binding], result: MigrationResult
) -> None:
    strategy = items.strategy(item)._replace(numbers=bound)
    values: dict[str, object] = {
        ":numbers": items.strategy_item(provenance.trader, strategy, provenance.request_id)["numbers"],
        ":request_id": provenance.request_id,
        ":one": 1,
        ":seen": item["version"],
    }
    expression = "SET #numbers = :numbers, #version = #version + :one, #request_id = :request_id REMOVE #names, #state"
    key = items.strategy_key(provenance.trader, strategy.strategy_id)
    try:
        services.table.update(Update(key, expression, _UNCHANGED, values))
    except ConditionFailed:
        result.left[f"strategy {strategy.strategy_id}"] = _CHANGED
    else:
        result.strategies.append(strategy.strategy_id)


# The index of open orders, the ends of DAY orders, and templates


def _migrate_open(services: Services, provenance: Provenance, result: MigrationResult) -> None:
    for item in list(services.orders.items(provenance.trader, open_only=True)):
        if "account" not in item:
            continue  # not an order
        order_id = item["order_id"]
        try:
            sets = _open_now(provenance, item)
        except items.UNREADABLE:
            result.left[order_id] = _UNREADABLE
            continue
        if not sets:
            continue
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
        values = {f":{name}": value for name, value in sets.items()} | {":old": item["open"]}
        try:
            key = items.order_key(provenance.trader, order_id)
            services.table.update(Update(key, expression, "#open = :old", values))
        except ConditionFailed:
            result.left[order_id] = _CHANGED
            continue
        if "open" in sets:
            result.indexed.append(order_id)
        if "instrument" in sets:
            result.instruments[order_id] = (item["instrument"], str(sets["instrument"]))
        if "day_ends" in sets and str(sets["day_ends"]) <= provenance.now:
            result.days_ended.append(order_id)


def _open_now(provenance: Provenance, item: Item) -> dict[str, object]:
    """Return what an open order has otherwise in this version; raises one of UNREADABLE."""
    placed_at = str(item.get("received_at") or item["history"][0]["at"])
    name = name_of(item, placed_at)
    prefix = items.open_prefix(item["account"], name)
    sets: dict[str, object] = {"open": prefix + item["order_id"], "instrument": name}
    if "instrument" in item.get("placed", {}):
        # Or the same PLACE, sent again, would be another one.
        sets["placed"] = item["placed"] | {"instrument": folded(name)}
    if item.get("tif") == "DAY" and "day_ends" not in item:
        day_ends = timestamp(end_of_day(datetime.fromisoformat(item["history"][0]["at"])))
        sets |= {"day_ends": day_ends, "expires": _expires(provenance, day_ends)}
    return {name: value for name, value in sets.items() if item.get(name) != value}


def _migrate_names(services: Services, provenance: Provenance, result: MigrationResult) -> None:
    keys = [key for key in services.keys.list() if key.trader == provenance.trader]
    for what, reason in (
        *rename_strategies(services, provenance),
        *rename_positions(services, provenance),
        *rename_limits(services, keys),
    ):
        if reason:
            result.left[what] = reason
        else:
            result.named.append(what)


def _migrate_templates(services: Services, trader: str, result: MigrationResult) -> None:
    values = {":pk": items.trader_partition(trader), ":prefix": "TEMPLATE#"}
    for item in list(services.table.query(_OF_KIND, values)):
        old, new = {"pk": item["pk"], "sk": item["sk"]}, items.template_key(trader, item["name"])
        if old == new:
            continue
        try:
            services.table.transact([Put(item | new), Delete(old)])
        except TransactionFailed:
            result.left[f"template {item['name']}"] = (
                "another one has this name in other case: store it under a new one"
            )
        else:
            result.templates.append(item["name"])
