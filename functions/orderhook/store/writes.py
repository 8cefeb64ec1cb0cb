"""The writes that the table takes, as plain values, and what is raised when a condition does not hold.

In an expression `#name` stands for the attribute of that name, and `:name` for a value.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

Item = dict[str, Any]
Key = Mapping[str, str]

NEW = "attribute_not_exists(pk)"
EXISTING = "attribute_exists(pk)"


class ConditionFailed(Exception):  # noqa: N818  DynamoDB's own words
    """The condition of a write did not hold, and nothing was written; `item` is what it met, None if nothing."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition did not hold")
        self.item = item

    def met_own_write(self, request_id: str) -> bool:
        """Return whether the last write of the item was this request's: its answer was lost, and it was sent again."""
        return self.item is not None and self.item.get("request_id") == request_id


class TransactionFailed(Exception):  # noqa: N818  as ConditionFailed
    """Conditions of a transaction did not hold, and nothing was written.

    `failures` has an entry for each write, by its position: None where its condition held.
    """

    def __init__(self, failures: Sequence[ConditionFailed | None]) -> None:
        super().__init__("a condition did not hold")
        self.failures = failures


class Put(NamedTuple):
    """Write a whole item if the condition holds for the one that has its key."""

    item: Mapping[str, object]
    condition: str = NEW
    values: Mapping[str, object] = MappingProxyType({})


class Update(NamedTuple):
    """Update an item if the condition holds for it; `values` has what both expressions name with a colon."""

    key: Key
    expression: str
    condition: str
    values: Mapping[str, object]


class Check(NamedTuple):
    """Write nothing, but let the transaction fail unless the condition holds for the item with this key."""

    key: Key
    condition: str
    values: Mapping[str, object]


class Delete(NamedTuple):
    """Remove an item if the condition holds for it. No function may: what is finished expires."""

    key: Key
    condition: str = EXISTING
    values: Mapping[str, object] = MappingProxyType({})


Write = Put | Update | Check | Delete
