"""Instructions to a venue that are not one order: written with the alert, ended by the bridge's report."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orderhook.aws.budget import repeatable_writes
from orderhook.instructions import Instruction
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import NEW, ConditionFailed, Put, Update

if TYPE_CHECKING:
    from datetime import timedelta

    from orderhook.bridge_messages import InstructionReport


class InstructionStore:
    """The instructions in one table; finished ones are kept for the retention.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, retention: "timedelta") -> None:
        self._table = table
        self._retention = retention

    def get(self, trader: str, instruction_id: str) -> Instruction | None:
        """Return an instruction; None where there is none."""
        item = self._table.get(items.instruction_key(trader, instruction_id))
        return items.instruction(item) if item else None

    def open(self, trader: str) -> Iterator[Instruction]:
        """Yield the instructions that have no result yet, oldest first."""
        values = {":pk": items.trader_partition(trader), ":prefix": "#"}
        found = self._table.query("#pk = :pk AND begins_with(#open, :prefix)", values, index="open")
        return map(items.instruction, found)

    def put(self, provenance: Provenance, instruction: Instruction) -> None:
        """Write an instruction; run twice in one request, it is there once."""
        # Its key is the id of the request, so a repetition meets its own item.
        with repeatable_writes():
            try:
                self._table.put(self.putting(provenance, instruction))
            except ConditionFailed:
                return

    def putting(self, provenance: Provenance, instruction: Instruction) -> Put:
        """Return the write of `put`, for a transaction."""
        return Put(items.instruction_item(provenance.trader, instruction, provenance.request_id), NEW)

    def report(self, provenance: Provenance, said: "InstructionReport") -> tuple[Instruction | None, bool]:
        """Record what a bridge says of an instruction; return it as it is then, and whether anything was written.

        A result stays, whatever is said later; an older report undoes nothing.
        """
        key = items.instruction_key(provenance.trader, said.instruction_id)
        values: dict[str, object] = {":seq": said.seq, ":order_ids": list(said.order_ids)}
        sets = "#report_seq = :seq, #order_ids = :order_ids"
        if said.reason:
            sets, values[":reason"] = f"{sets}, #reason = :reason", said.reason
        removes = ""
        if said.result:
            sets = f"{sets}, #result = :result, #ended_at = :at, #expires = :expires"
            expires = int((provenance.at + self._retention).timestamp())
            values |= {":result": said.result, ":at": said.at, ":expires": expires}
            removes = " REMOVE #open"
        condition = (
            "attribute_exists(pk) AND attribute_not_exists(#result) "
            "AND (attribute_not_exists(#report_seq) OR #report_seq < :seq)"
        )
        try:
            item = self._table.update(Update(key, f"SET {sets}{removes}", condition, values), return_new=True)
        except ConditionFailed as failure:
            return (items.instruction(failure.item) if failure.item else None), False
        return items.instruction(item), True
