"""What a bridge says besides the state of orders: that it lives, positions, executions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from orderhook.errors import AccountNotConnectedError, OrderhookError, VenueOfflineError
from orderhook.orders import Order, folded, timestamp
from orderhook.store import items
from orderhook.store.table import Table
from orderhook.store.writes import NEW, ConditionFailed, Item, Put, Update

if TYPE_CHECKING:
    from orderhook.bridge_messages import Execution, Heartbeat, PositionReport

HEARD_WITHIN = timedelta(seconds=90)
"""How old the last heartbeat of a bridge may be that works; one comes every 30 s. Then another may take its place."""

EXECUTIONS_KEPT = timedelta(days=400)
"""As long as the legs of an entry."""


class BridgeState(NamedTuple):
    """What the last heartbeat of a trader's bridge said."""

    accounts: Sequence[str] = ()
    ready: bool = False
    at: str | None = None
    """None: it was never heard."""
    reason: str | None = None
    """Why it is not ready."""

    def refusal(self, now: datetime, account: str | None) -> OrderhookError | None:
        """Return why nothing can be opened there now, in this account where one is known; None where it can."""
        if silence := self._silence(now):
            return _offline(silence)
        if account is not None and folded(account) not in map(folded, self.accounts):
            return AccountNotConnectedError(
                f"The bridge does not have account {account}; start it with --account {account}, or correct account.",
                field="account",
            )
        away = self.away(now)
        return _offline(away) if away else None

    def away(self, now: datetime) -> str | None:
        """Return why nothing is carried out there now, as what the bridge is or was; None where it can be."""
        not_ready = None if self.ready else f"is not ready: {self.reason or 'it does not say why'}"
        return self._silence(now) or not_ready

    def _silence(self, now: datetime) -> str | None:
        if self.at is None:
            return "has not been heard of"
        is_heard = now - datetime.fromisoformat(self.at) <= HEARD_WITHIN
        return None if is_heard else f"was last heard of at {self.at}"


def _offline(why: str) -> VenueOfflineError:
    return VenueOfflineError(
        f"The bridge {why}. Nothing was written. `orderhook bridge doctor`, on its PC, says what is missing; send the "
        "same alert again when it is ready."
    )


class ExecutionRecord(NamedTuple):
    """An execution, and the order that it belongs to."""

    venue_id: str
    cumulative: int
    quantity: int
    price: Decimal | None
    at: str
    order_id: str
    account: str | None = None
    """That of the order, and likewise the next two; None where it belongs to none."""
    instrument: str | None = None
    action: str | None = None
    unattached: bool = False
    """Whether no order is known that it belongs to: none has the id, or another one has it by now."""


class SeenFlat(NamedTuple):
    """That an account was seen to hold nothing of an instrument: what closed it may have been no order of ours."""

    account: str
    instrument: str
    at: str


class BridgeStore:
    """What bridges say, in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def note_heartbeat(self, trader: str, heartbeat: "Heartbeat", sent: datetime) -> bool:
        """Note that a bridge lived when it sent this, and return whether it owns the stack; run twice, it is once.

        One bridge owns it: another takes its place when it has been silent, or when it is told to, and `since` says
        when it did. An older heartbeat changes nothing, and the kill switch beside it stays as it is.
        """
        at = timestamp(sent)
        noted: dict[str, object] = {
            "journal": heartbeat.journal,
            "host": heartbeat.host,
            "accounts": list(heartbeat.accounts),
            "ready": heartbeat.ready,
            "at": at,
        }
        noted |= {"reason": heartbeat.reason} if heartbeat.reason else {}
        sets = ", ".join(f"#bridge.#{name} = :{name}" for name in noted)
        expression = f"SET {sets}" + ("" if heartbeat.reason else " REMOVE #bridge.#reason")
        values = {f":{name}": value for name, value in noted.items()}
        own = Update(
            items.controls_key(trader), expression, "#bridge.#journal = :journal AND #bridge.#at < :at", values
        )
        before = at if heartbeat.take_over else timestamp(sent - HEARD_WITHIN)
        anew = Update(
            items.controls_key(trader),
            "SET #bridge = :bridge",
            "attribute_not_exists(#bridge) OR (#bridge.#journal <> :journal AND #bridge.#at < :before)",
            {":bridge": noted | {"since": at}, ":journal": heartbeat.journal, ":before": before},
        )
        for update in (own, anew):
            try:
                self._table.update(update)
            except ConditionFailed as failure:
                if ((failure.item or {}).get("bridge") or {}).get("journal") == heartbeat.journal:
                    return True
                continue
            return True
        return False

    def state(self, trader: str) -> BridgeState:
        """Return what the last heartbeat of the trader's bridge said."""
        return bridge_state(self._table.get(items.controls_key(trader)))

    def owner(self, trader: str) -> str | None:
        """Return the id of the journal of the bridge that owns the stack; None where none was heard of."""
        item = self._table.get(items.controls_key(trader)) or {}
        journal: str | None = item.get("bridge", {}).get("journal")
        return journal

    def put_position(self, trader: str, position: "PositionReport") -> None:
        """Store a position, unless a newer one of the same account and instrument is there."""
        item = items.position_key(trader, position.account, position.instrument) | position._asdict()
        try:
            self._table.put(Put(item, f"{NEW} OR #at < :at", {":at": position.at}))
        except ConditionFailed:
            return

    def note_flat(self, trader: str, position: "PositionReport") -> None:
        """Note among the executions that a position is flat, which NinjaTrader may have closed without one."""
        flat = SeenFlat(position.account, position.instrument, position.at)
        expires = datetime.fromisoformat(flat.at) + EXECUTIONS_KEPT
        item = (
            items.flat_key(trader, *flat)
            | flat._asdict()
            | {"open": f"{flat.at}#", "expires": int(expires.timestamp())}
        )
        with suppress(ConditionFailed):
            self._table.put(Put(item))

    def last_flat(self, trader: str, account: str, instrument: str) -> str | None:
        """Return when a position was last reported flat; None where it never was."""
        prefix = items.flat_key(trader, account, instrument, "")
        values = {":pk": prefix["pk"], ":prefix": prefix["sk"]}
        condition = "#pk = :pk AND begins_with(#sk, :prefix)"
        newest = next(self._table.query(condition, values, newest_first=True, limit=1), None)
        return str(newest["at"]) if newest else None

    def positions(self, trader: str) -> "Iterator[PositionReport]":
        """Yield a trader's positions, by account and instrument, closed ones included."""
        partition = items.position_key(trader, "", "")["pk"]
        return map(_position, self._table.query("#pk = :pk", {":pk": partition}))

    def put_execution(self, trader: str, execution: "Execution", order_id: str, order: Order | None) -> bool:
        """Store an execution of an order, which is None where none is known; return whether it is new."""
        of_order = {name: getattr(order, name) for name in ("account", "instrument", "action")} if order else {}
        expires = datetime.fromisoformat(execution.at) + EXECUTIONS_KEPT
        item: Item = {
            **items.execution_key(trader, execution.venue_id, execution.cumulative),
            **execution._asdict(),
            **of_order,
            "order_id": order_id,
            "unattached": None if order else True,
            # The index lists what carries it: of this partition the executions, by their times.
            "open": f"{execution.at}#{execution.venue_id}#{execution.cumulative}",
            "expires": int(expires.timestamp()),
        }
        try:
            self._table.put(Put(item))
        except ConditionFailed:
            return False
        return True

    def executions(
        self, trader: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[ExecutionRecord]:
        """Yield a trader's executions, newest first: of what was filled at `since` or later, and before `until`."""
        return (it for it in self.ledger(trader, since, until) if isinstance(it, ExecutionRecord))

    def ledger(
        self, trader: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[ExecutionRecord | SeenFlat]:
        """Yield a trader's executions, and when it was seen flat between them, newest first."""
        values = {
            ":pk": items.execution_key(trader, "", 0)["pk"],
            ":low": timestamp(since) if since else "0",
            ":high": timestamp(until) if until else "~",  # after every digit
        }
        condition = "#pk = :pk AND #open BETWEEN :low AND :high"
        return map(_execution, self._table.query(condition, values, index="open", newest_first=True))


def _position(item: Mapping[str, Any]) -> "PositionReport":
    from orderhook.bridge_messages import PositionReport  # for readers alone: no cold start of the webhook waits for it

    values = {"average": None} | {name: item[name] for name in PositionReport._fields if name in item}
    return PositionReport(**values | {"quantity": int(item["quantity"])})


def _execution(item: Mapping[str, Any]) -> ExecutionRecord | SeenFlat:
    if "venue_id" not in item:
        return SeenFlat(item["account"], item["instrument"], item["at"])
    values = {name: item[name] for name in ExecutionRecord._fields if name in item}
    numbers = {name: int(item[name]) for name in ("cumulative", "quantity")}
    return ExecutionRecord(**{"price": None} | values | numbers)


def bridge_state(item: Item | None) -> BridgeState:
    """Return what the item of the controls says of the bridge."""
    held = (item or {}).get("bridge")
    if not isinstance(held, dict):
        return BridgeState()
    known = {name: held[name] for name in BridgeState._fields if name in held}
    return BridgeState(**known | {"accounts": tuple(known.get("accounts", ()))})
