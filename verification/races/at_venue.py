"""What races at a venue do besides: a bridge's reports, late, twice and in any order, as ReportsFunction takes them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import webhook
from orderhook.bridge_messages import Heartbeat, OrderReport
from orderhook.orders import OrderState
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.venues import NINJATRADER
from verification.histories.order import QTY, Answer, Cancel, CancelMany, Change, Command, Look, Place, Replace
from verification.histories.order_at_venue import SNAPSHOTS, Snapshot

COMMANDS: tuple[Command | Snapshot, ...] = (
    *[Place("5000")] * 4,
    Place("5001"),
    *[Cancel()] * 4,
    Cancel(own=False),
    CancelMany(),
    *[Change(qty) for qty in (4, QTY, 7)],
    *[Replace()] * 2,
    *[Snapshot(seq) for seq in range(1, SNAPSHOTS + 1, 3)],
    *[Look()] * 2,
)


def hear_bridge(services: Services, trader: str, accounts: tuple[str, ...]) -> None:
    """Have a bridge say that it is ready, for as long as the races last."""
    later = datetime.now(UTC) + timedelta(hours=2)
    heartbeat = Heartbeat("journal", "pc", accounts, ready=True, at=later.isoformat())
    services.bridge.note_heartbeat(trader, heartbeat, later)


def report(trader: str, order_id: str, snapshot: Snapshot) -> Answer:
    """Have a bridge's report be taken, if the order is there of which the bridge has heard."""
    services = webhook.services
    order = services.orders.get(trader, order_id)
    if order is None:
        return Answer("refused")
    said = snapshot.said
    values = {"qty": str(said.values[0]), "limit_price": said.values[1]} if said.values else {}
    average = Decimal(5000) if said.filled else None
    provenance = Provenance(trader, str(NINJATRADER.name), f"report.{snapshot.seq}", datetime.now(UTC))
    sent = OrderReport(
        order_id, order.placed_by, OrderState(said.state), said.filled, snapshot.seq, said.acked, average, values
    )
    taken = services.reports.take(provenance, sent)
    if taken.applied or taken.before is None:
        return Answer("applied" if taken.applied else "refused")
    return Answer("refused", taken.before.state, taken.before.filled)
