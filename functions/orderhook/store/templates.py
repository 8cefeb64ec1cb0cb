"""Stored templates: the brackets that `strategy=NAME` attaches to an entry."""

from collections.abc import Iterator

from orderhook.orders import Template
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import EXISTING, NEW, ConditionFailed, Item, Put


class TemplateStore:
    """The templates in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, trader: str, name: str) -> Template | None:
        """Return the stored template of that name."""
        item = self._table.get(items.template_key(trader, name))
        return items.template(item) if item else None

    def list(self, trader: str) -> Iterator[Template]:
        """Yield the trader's templates, by name."""
        return map(items.template, self.items(trader))

    def items(self, trader: str) -> Iterator[Item]:
        """Yield the items of the trader's templates, by name, also of those that this version cannot read."""
        values = {":pk": items.trader_partition(trader), ":prefix": "TEMPLATE#"}
        return self._table.query("#pk = :pk AND begins_with(#sk, :prefix)", values)

    def put(self, trader: str, template: Template, *, replacing: bool = False) -> bool:
        """Store a template; returns False, and stores nothing, if the name is taken (or, `replacing`, is not)."""
        try:
            self._table.put(Put(items.template_item(trader, template), EXISTING if replacing else NEW))
        except ConditionFailed:
            return False
        return True
