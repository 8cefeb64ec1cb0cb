"""What the commands work with: the stores of one table, what is deferred, and the venue."""

from datetime import timedelta
from typing import NamedTuple

from orderhook.aws.clients import connect
from orderhook.aws.deferred import Deferred
from orderhook.aws.doorbell import Doorbell
from orderhook.errors import UnsupportedValueError
from orderhook.settings import Settings
from orderhook.store.alert_log import AlertLog
from orderhook.store.bridge import BridgeStore
from orderhook.store.controls import Controls
from orderhook.store.instructions import InstructionStore
from orderhook.store.keys import KeyStore
from orderhook.store.needs import NeedStore
from orderhook.store.notices import NoticeStore
from orderhook.store.orders import OrderStore
from orderhook.store.rates import RateStore
from orderhook.store.reports import ReportStore
from orderhook.store.strategies import StrategyStore
from orderhook.store.table import Table
from orderhook.store.templates import TemplateStore
from orderhook.store.traces import TraceStore
from orderhook.venues import TABLE, Venue


class Services(NamedTuple):
    """The collaborators of a function, made once and kept for its life."""

    table: Table
    """For transactions over several kinds of items."""
    orders: OrderStore
    reports: ReportStore
    bridge: BridgeStore
    instructions: InstructionStore
    strategies: StrategyStore
    keys: KeyStore
    templates: TemplateStore
    controls: Controls
    rates: RateStore
    traces: TraceStore
    alert_log: AlertLog
    needs: NeedStore
    notices: NoticeStore
    deferred: Deferred | None = None
    """None in a deployment without a queue, where nothing can be deferred."""
    venue: Venue = TABLE
    """Where new orders go; what is done to an older one follows from its own."""
    doorbell: Doorbell | None = None
    """None without a venue, where nobody listens."""

    @classmethod
    def connect(cls, settings: Settings) -> "Services":
        """Return the services of a deployment."""
        return cls.over(
            Table(connect("dynamodb"), settings.table),
            retention=settings.retention,
            alert_retention=settings.alert_retention,
            deferred=Deferred(settings.deferred) if settings.deferred else None,
            venue=settings.venue,
            doorbell=Doorbell(settings.doorbell_url) if settings.doorbell_url else None,
        )

    @classmethod
    def over(
        cls,
        table: Table,
        *,
        retention: timedelta,
        alert_retention: timedelta,
        deferred: Deferred | None = None,
        venue: Venue = TABLE,
        doorbell: Doorbell | None = None,
    ) -> "Services":
        """Return the services over a table; finished orders and alert records are kept for the two times."""
        orders = OrderStore(table, retention, venue)
        return cls(
            table=table,
            orders=orders,
            reports=ReportStore(table, orders),
            bridge=BridgeStore(table),
            instructions=InstructionStore(table, retention),
            strategies=StrategyStore(table),
            keys=KeyStore(table),
            templates=TemplateStore(table),
            controls=Controls(table),
            rates=RateStore(table),
            traces=TraceStore(table),
            alert_log=AlertLog(table, alert_retention),
            needs=NeedStore(table),
            notices=NoticeStore(table),
            deferred=deferred,
            venue=venue,
            doorbell=doorbell,
        )

    def deferred_for(self, field: str) -> Deferred:
        """Return what defers work; raises UnsupportedValueError, naming the field that needs it, where nothing does."""
        if self.deferred is None:
            raise UnsupportedValueError(f"{field} is not available in this deployment; take it out.", field=field)
        return self.deferred
