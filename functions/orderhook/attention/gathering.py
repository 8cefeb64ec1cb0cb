"""What is read of the table to say what needs a person."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from orderhook.attention.needing import Facts, Pair, pair_of, pairs_in_question
from orderhook.bridge_messages import PositionReport
from orderhook.instructions import Instruction
from orderhook.listing import Unreadable, each_readable, list_orders
from orderhook.needs import Need
from orderhook.orders import RESENDS_END, Order, timestamp
from orderhook.resend import EARLIEST
from orderhook.services import Services
from orderhook.store import items
from orderhook.store.alert_log import AlertRecord
from orderhook.store.bridge import BridgeState

MOST_ASKED = 5
"""For how many positions, and groups of alerts, the table is asked more."""

_OF_ONE_GROUP = timedelta(minutes=10)
MOST_NEAR = 300
"""How many records are read to see whether the alerts of a group came again."""


class Gathered(NamedTuple):
    """What was read of the table for the list of what needs a person."""

    orders: Sequence[Order]
    open_ids: frozenset[str]
    instructions: Sequence[Instruction]
    kept: Sequence[Need]
    records: Sequence[AlertRecord]
    repeated: frozenset[str]
    unsearched: frozenset[str]
    positions: Sequence[PositionReport]
    seen_flat: Mapping[Pair, str]

    @classmethod
    def of(cls, services: Services, trader: str, now: datetime) -> "Gathered":
        """Read it: four requests with one page of each, three more with a venue, and those that `MOST_ASKED` bounds."""
        rows = list(list_orders(services, trader, timestamp(now), open_only=True))
        orders = [row for row in rows if isinstance(row, Order)]
        kept = list(services.needs.latest(trader))
        records = list(services.alert_log.unlooked(trader))
        repeated, unsearched = _repeated(services, trader, records)
        with_venue = services.venue.name is not None
        in_question = pairs_in_question(kept, records) if with_venue else {}
        return cls(
            orders=orders,
            open_ids=frozenset(row.id if isinstance(row, Unreadable) else row.order_id for row in rows),
            instructions=list(_instructions(services, trader)) if with_venue else [],
            kept=kept,
            records=records,
            repeated=repeated,
            unsearched=unsearched,
            positions=list(filter(None, each_readable(services.bridge.positions(trader)))) if with_venue else [],
            seen_flat={
                pair: at
                for pair, named in islice(in_question.items(), MOST_ASKED)
                if (at := services.bridge.last_flat(trader, *named))
            },
        )

    def facts(self, bridge: BridgeState | None, now: datetime) -> Facts:
        """Return it as the list takes it."""
        return Facts(
            now=now,
            bridge=bridge,
            positions={pair_of(it.account, it.instrument): it for it in self.positions},
            **{name: getattr(self, name) for name in self._fields if name != "positions"},
        )


def _instructions(services: Services, trader: str) -> Iterable[Instruction]:
    for item in services.instructions.open_items(trader):
        with suppress(*items.UNREADABLE):
            yield items.instruction(item)


def _repeated(services: Services, trader: str, records: Sequence[AlertRecord]) -> tuple[frozenset[str], frozenset[str]]:
    """Return which of the alerts answered 503 came again, and of which nobody has looked: a few groups are enough."""
    groups: list[list[AlertRecord]] = []
    for record in (it for it in records if it.status >= 500):  # the newest first
        if groups and _at(groups[-1][-1]) - _at(record) <= _OF_ONE_GROUP:
            groups[-1].append(record)
        else:
            groups.append([record])
    repeated: set[str] = set()
    unsearched = {it.request_id for group in groups[MOST_ASKED:] for it in group}
    for group in groups[:MOST_ASKED]:
        since, until = _at(group[-1]), _at(group[0]) + RESENDS_END
        near = list(islice(services.alert_log.newest(trader, since, until), MOST_NEAR))
        repeated |= {it.request_id for it in group if any(_repeats(other, it) for other in near)}
        if len(near) == MOST_NEAR:
            unsearched |= {it.request_id for it in group if it.request_id < near[-1].request_id}
    return frozenset(repeated), frozenset(unsearched - repeated)


def _repeats(other: AlertRecord, record: AlertRecord) -> bool:
    """Return whether an alert is the same one again, so that its own record says what became of it."""
    if other.key_id != record.key_id or dict(other.fields) != dict(record.fields):
        return False
    return EARLIEST <= _at(other) - _at(record) <= RESENDS_END


def _at(record: AlertRecord) -> datetime:
    return datetime.fromisoformat(record.received_at)
