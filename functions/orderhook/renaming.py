"""Give instruments their one names in a table that has them as alerts wrote them, for `orderhook migrate`.

`ESZ6` becomes `ES 12-26`, and `ES1!` the front month of the day on which it was received.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from orderhook.administration import instrument_name
from orderhook.instruments import canonical
from orderhook.keys import Key
from orderhook.orders import folded
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.store import items
from orderhook.store.writes import NEW, ConditionFailed, Delete, Item, Put, TransactionFailed, Update
from orderhook.trade_window import day_in_new_york

_CHANGED = "it was changed meanwhile; run this again"

Renamed = Iterator[tuple[str, str | None]]
"""What had an instrument of another name, and why it is as it was; None where it has the one name now."""


def name_of(item: Mapping[str, Any], at: str) -> str:
    """Return the one name of an item's instrument, as of a time."""
    return canonical(str(item["instrument"]), day_in_new_york(datetime.fromisoformat(at)))


def rename_strategies(services: Services, provenance: Provenance) -> Renamed:
    """Name the instruments of a trader's strategies, as of their last entries."""
    values = {":pk": items.trader_partition(provenance.trader), ":prefix": "STRATEGY#"}
    for item in list(services.table.query("#pk = :pk AND begins_with(#sk, :prefix)", values)):
        numbers = item.get("numbers", {}).values()
        name = name_of(item, max((binding["at"] for binding in numbers), default=provenance.now))
        if name != item["instrument"]:
            key = items.strategy_key(provenance.trader, item["strategy_id"])
            update = _naming(key, name, item["instrument"], version=True)
            yield f"strategy {item['strategy_id']}", _refused(services, update)


def rename_positions(services: Services, provenance: Provenance) -> Renamed:
    """Name the instruments of a trader's positions, whose keys they are, and of its executions."""
    for position in list(services.bridge.positions(provenance.trader)):
        name = name_of(position._asdict(), position.at)
        if folded(name) == folded(position.instrument):
            continue
        old = items.position_key(provenance.trader, position.account, position.instrument)
        new = items.position_key(provenance.trader, position.account, name)
        item: Item = new | position._asdict() | {"instrument": name}
        try:
            services.table.transact([Put(item, f"{NEW} OR #at < :at", {":at": position.at}), Delete(old)])
        except TransactionFailed:
            services.table.transact([Delete(old)])  # a newer one has the name
        yield f"position {position.account} {position.instrument}", None
    for execution in list(services.bridge.executions(provenance.trader)):
        if execution.instrument and (name := name_of(execution._asdict(), execution.at)) != execution.instrument:
            key = items.execution_key(provenance.trader, execution.venue_id, execution.cumulative)
            what = f"execution {execution.venue_id} {execution.cumulative}"
            yield what, _refused(services, _naming(key, name, execution.instrument))


def rename_limits(services: Services, keys: list[Key]) -> Renamed:
    """Name the instruments that keys are limited to, as of when they were issued."""
    for key in keys:
        old = key.limits.instruments if key.limits else ()
        day = day_in_new_york(datetime.fromisoformat(key.created).astimezone(UTC))
        new = tuple(dict.fromkeys(instrument_name(name, day) for name in old))
        if new != old:
            write = Update(
                items.key_key(key.key_id),
                "SET #limits.#instruments = :new",
                "#limits.#instruments = :old",
                {":new": list(new), ":old": list(old)},
            )
            yield f"key {key.key_id}", _refused(services, write)


def _naming(key: dict[str, str], name: str, old: str, *, version: bool = False) -> Update:
    expression = "SET #instrument = :name" + (", #version = #version + :one" if version else "")
    values: dict[str, object] = {":name": name, ":old": old} | ({":one": 1} if version else {})
    return Update(key, expression, "#instrument = :old", values)


def _refused(services: Services, update: Update) -> str | None:
    try:
        services.table.update(update)
    except ConditionFailed:
        return _CHANGED
    return None
