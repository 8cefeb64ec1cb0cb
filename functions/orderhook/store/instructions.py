"""Instructions to a venue that are not one order: written with the alert, ended by the bridge's report."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from orderhook.aws.budget import repeatable_writes
from orderhook.instructions import Instruction
from orderhook.order_reports import LONGEST_REASON
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.alert_log import record_id
from orderhook.store.table import Table
from orderhook.store.writes import EXISTING, NEW, ConditionFailed, Item, Put, Update

if TYPE_CHECKING:
    from datetime import timedelta

    from orderhook.bridge_messages import InstructionReport
    from orderhook.instructions import Result


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
        return map(items.instruction, self.open_items(trader))

    def open_items(self, trader: str) -> Iterator[Item]:
        """Yield the items of those, also of what this version cannot read."""
        values = {":pk": items.trader_partition(trader), ":prefix": "#"}
        return self._table.query("#pk = :pk AND begins_with(#open, :prefix)", values, index="open")

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
        asked = instruction._replace(
            asked_at=provenance.now, record_id=record_id(provenance.request_id, provenance.due)
        )
        return Put(items.instruction_item(provenance.trader, asked, provenance.request_id), NEW)

    def report(self, provenance: Provenance, said: "InstructionReport") -> tuple[Instruction | None, bool]:
        """Record what a bridge says of an instruction; return it as it is then, and whether anything was written.

        A result stays, whatever is said later; an older report undoes nothing.
        """
        sets = {
            "report_seq": said.seq,
            "order_ids": list(said.order_ids),
            "reason": said.reason and said.reason[:LONGEST_REASON],
        }
        newer = "(attribute_not_exists(#report_seq) OR #report_seq < :report_seq)"
        return self._record(provenance, said.instruction_id, said.result, said.at, sets, newer)

    def resolve(self, provenance: Provenance, instruction_id: str, result: "Result") -> tuple[Instruction | None, bool]:
        """End an instruction by a person's word, and return what `report` does; run twice, the first word stays."""
        sets = {"reason": "resolved by an operator", "request_id": provenance.request_id}
        return self._record(provenance, instruction_id, result, provenance.now, sets)

    def _record(
        self,
        provenance: Provenance,
        instruction_id: str,
        result: "Result | None",
        at: str,
        sets: Mapping[str, object],
        *conditions: str,
    ) -> tuple[Instruction | None, bool]:
        removes = ""
        if result:
            expires = int((provenance.at + self._retention).timestamp())
            sets = {**sets, "result": result, "ended_at": at, "expires": expires}
            removes = " REMOVE #open"
        values = {f":{name}": value for name, value in sets.items() if value is not None}
        expression = "SET " + ", ".join(f"#{name[1:]} = {name}" for name in values) + removes
        condition = " AND ".join((EXISTING, "attribute_not_exists(#result)", *conditions))
        update = Update(items.instruction_key(provenance.trader, instruction_id), expression, condition, values)
        try:
            item = self._table.update(update, return_new=True)
        except ConditionFailed as failure:
            own = failure.met_own_write(provenance.request_id)
            return (items.instruction(failure.item) if failure.item else None), own
        return items.instruction(item), True
