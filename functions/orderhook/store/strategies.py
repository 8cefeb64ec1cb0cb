"""Strategies: which orders their names lead to, and whether further entries may join."""

from collections.abc import Iterator, Mapping, Sequence

from orderhook.orders import Order, Provenance, Strategy, StrategyState, timestamp
from orderhook.store import items
from orderhook.store.expressions import VERSIONED
from orderhook.store.table import ConditionFailed, Put, Table, Update


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

    def list(self, trader: str) -> Iterator[Strategy]:
        """Yield the trader's strategies as they are now, by id."""
        values = {":pk": items.trader_partition(trader), ":prefix": "STRATEGY#"}
        return map(items.strategy, self._table.query("#pk = :pk AND begins_with(#sk, :prefix)", values))

    def close(self, provenance: Provenance, strategy_id: str) -> tuple[Strategy | None, bool]:
        """Close a strategy by one conditional write; return it as it was, if it is there, and whether this closed it.

        No entry joins a closed one: joining has the condition that it is active. Run twice, the second finds it closed.
        """
        values = {":closed": StrategyState.CLOSED, ":at": timestamp(provenance.at)}
        expression = f"SET {VERSIONED}, #state = :closed, #closed_at = :at"
        update = _update(provenance, strategy_id, expression, "#state = :active", values)
        try:
            return items.strategy(self._table.update(update)), True
        except ConditionFailed as failure:
            strategy = items.strategy(failure.item) if failure.item else None
            return strategy, failure.met_own_write(provenance.request_id)


def strategy_write(provenance: Provenance, strategy: Strategy, orders: Sequence[Order], *, join: bool) -> Put | Update:
    """Return the write that starts a strategy with the names of these orders, or has them `join` it.

    Its condition is that the strategy is new, or is active and has none of the names.
    """
    names = {str(order.order_name): order.order_id for order in orders}
    if not join:
        return Put(items.strategy_item(provenance, strategy, names))
    # Order names are letters and digits, so that each can serve as its own alias and value name.
    expression = f"SET {VERSIONED}, " + ", ".join(f"#names.#{name} = :{name}" for name in names)
    condition = " AND ".join(["#state = :active", *(f"attribute_not_exists(#names.#{name})" for name in names)])
    values = {f":{name}": order_id for name, order_id in names.items()}
    return _update(provenance, strategy.strategy_id, expression, condition, values)


def _update(
    provenance: Provenance, strategy_id: str, expression: str, condition: str, values: Mapping[str, object]
) -> Update:
    own = {":one": 1, ":request_id": provenance.request_id, ":active": StrategyState.ACTIVE}
    return Update(items.strategy_key(provenance.trader, strategy_id), expression, condition, {**values, **own})
