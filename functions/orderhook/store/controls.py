"""The controls of a trader: the kill switch, and how often alerts of one id may come."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

from orderhook.aws.budget import ANSWER_SECONDS, last_requests_until, repeatable_writes
from orderhook.errors import (
    AccountNotConnectedError,
    KillSwitchOnError,
    OrderhookError,
    OutcomeUnknownError,
    RateLimitedError,
    TemporarilyUnavailableError,
    VenueOfflineError,
)
from orderhook.orders import Provenance, Trace, folded, timestamp
from orderhook.rate_limit import MAX_ALERTS, Rate
from orderhook.store import items
from orderhook.store.expressions import Condition
from orderhook.store.table import Table
from orderhook.store.traces import (
    ADDS_TRACE,
    SETS_TRACES,
    FirstReceipt,
    left_trace,
    takes_trace,
    trace_values,
    traces_of,
)
from orderhook.store.writes import Check, ConditionFailed, Item, Key, Update

_KEPT = timedelta(days=2)
"""Longer than the longest rate limit looks back, however far the clocks of two functions are apart."""

_RACES = 4
"""How often other alerts of the same id may be counted at the same moment before this one gives up."""


_TURNS = "#kill_switch = :on, #request_id = :request_id, #key_id = :key_id"


class KillSwitchState(NamedTuple):
    """Whether a trader's kill switch is on, and since when it is as it is (None: nobody ever turned it)."""

    on: bool
    since: str | None = None
    locked: bool = False
    """Whether only its operator can turn it off."""


class KillSwitchResult(NamedTuple):
    """The kill switch after an alert has turned it; `applied` is False where it stood that way already."""

    state: KillSwitchState
    applied: bool


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
        if self.at is None:
            return _offline("has not been heard of")
        silent = now - datetime.fromisoformat(self.at)
        if silent > HEARD_WITHIN:
            return _offline(f"was last heard of at {self.at}")
        if account is not None and folded(account) not in map(folded, self.accounts):
            return AccountNotConnectedError(
                f"The bridge does not have account {account}; start it with --account {account}, or correct account.",
                field="account",
            )
        return None if self.ready else _offline(f"is not ready: {self.reason or 'it does not say why'}")


def _offline(why: str) -> VenueOfflineError:
    return VenueOfflineError(
        f"The bridge {why}. Nothing was written; send the same alert again when it runs: `orderhook bridge doctor`."
    )


class Counter(NamedTuple):
    """What a rate limit counts together, and how many of them an alert is."""

    counter_id: str
    rate: Rate
    number: int = 1
    of_key: bool = False

    @classmethod
    def for_key(cls, key_id: str, rate: Rate, number: int) -> "Counter":
        """Return the counter of the orders that a key opens; no alert can give its id, for none holds a '='."""
        return cls(f"key={key_id}", rate, number, of_key=True)

    def entries(self, at: datetime, request_id: str) -> frozenset[int]:
        """Return what an alert leaves in it."""
        if self.number == 1:
            return frozenset({_entry(at, request_id)})
        return frozenset(_entry(at, f"{request_id}.{part}") for part in range(1, self.number + 1))


class _Counted(NamedTuple):
    """The alerts of one id that are counted, and the longest time for which one of them had to be."""

    alerts: frozenset[int] = frozenset()
    seconds: int = 0
    version: int = 0
    traces: Sequence[Trace] = ()
    """What they left, oldest first."""


_VOIDS = {
    "last_on_at": "the kill switch was turned on at",
    "last_cancel_all_at": "CANCELALLORDERS was received at",
}
"""What voids a PLACE that waits for its delay, if it comes after it: the attribute of CONTROLS, and how it is told."""


HEARD_WITHIN = timedelta(seconds=90)
"""How old the last heartbeat of a bridge may be that works; one comes every 30 s. Then another may take its place."""


class Controls:
    """The kill switches and counted alerts in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    # The kill switch

    def kill_switch(self, trader: str) -> KillSwitchState:
        """Return the trader's kill switch as it is now."""
        return _kill_switch(self._table.get(items.controls_key(trader)))

    def check_kill_switch(self, trader: str, since: str | None = None) -> BridgeState:
        """Raise KillSwitchOnError if it is on; with `since` also if it, or a CANCELALLORDERS, came after that time.

        Otherwise return what the same item says of the bridge.
        """
        item = self._table.get(items.controls_key(trader))
        state = _kill_switch(item)
        if state.on:
            way_out = "`orderhook kill-switch off` turns it off" if state.locked else "send kill_switch=off"
            raise KillSwitchOnError(f"The kill switch has been on since {state.since}; {way_out}.")
        if since is not None and (reason := _voided(item or {}, since)):
            raise KillSwitchOnError(f"Nothing is done after the delay: {reason}.")
        return _bridge(item)

    def bridge(self, trader: str) -> BridgeState:
        """Return what the last heartbeat of the trader's bridge said."""
        return _bridge(self._table.get(items.controls_key(trader)))

    def turn_on(self, provenance: Provenance, *, lock: bool = False) -> KillSwitchResult:
        """Turn the trader's kill switch on by one conditional write; run twice, the second finds it turned.

        With `lock` no alert can turn it off.
        """
        expression = f"SET {_TURNS}, #since = :now, #last_on_at = :received"
        # A switch that nobody ever turned is off.
        condition = "attribute_not_exists(#kill_switch) OR #kill_switch <> :on"
        values: dict[str, object] = _turn(provenance, on=True) | {":received": provenance.received_at}
        if lock:
            expression += ", #locked = :on"
            condition += " OR attribute_not_exists(#locked)"
        try:
            self._update(items.controls_key(provenance.trader), f"{expression} REMOVE #off_since", condition, values)
        except ConditionFailed as failure:
            ours = failure.met_own_write(provenance.request_id)
            return KillSwitchResult(_kill_switch(failure.item), applied=ours)
        return KillSwitchResult(KillSwitchState(on=True, since=provenance.now, locked=lock), applied=True)

    def turn_off(
        self, provenance: Provenance, first_receipt: FirstReceipt, *, unlock: bool = False
    ) -> KillSwitchResult:
        """Turn the trader's kill switch off by one conditional write; run twice, the second finds it turned.

        Where it is off already, it keeps its time, and the alert leaves its trace all the same. A resend turns nothing:
        the switch may have been turned on since. Raises KillSwitchOnError where it is locked, unless `unlock`.
        """
        key = items.controls_key(provenance.trader)
        expression = f"SET {_TURNS}, #off_since = if_not_exists(#off_since, :now)"
        turn = _turn(provenance, on=False)
        allowed = takes_trace(provenance.digest)
        if not unlock:
            allowed &= Condition("attribute_not_exists(#locked)", {})
        values = turn | dict(allowed.values) | trace_values(provenance) | {":none": []}
        write = Update(key, f"{expression}, {ADDS_TRACE} REMOVE #locked", allowed.expression, values)
        for _ in range(_RACES):
            try:
                before = _kill_switch(self._write(write))
            except ConditionFailed as failure:
                met = failure.item or {}
            else:
                since = provenance.now if before.on else before.since
                return KillSwitchResult(KillSwitchState(on=False, since=since), applied=before.on)
            state, traces = _kill_switch(met), traces_of(met, provenance)
            if left_trace(traces, provenance):
                return KillSwitchResult(state, applied=True)
            if first_receipt(traces):
                return KillSwitchResult(state, applied=False)
            if state.locked and not unlock:
                raise KillSwitchOnError(
                    f"The kill switch has been on since {state.since} and is locked: only `orderhook kill-switch off` "
                    "turns it off."
                )
            values = {**turn, **trace_values(provenance, traces), ":seen": met["request_id"]}
            write = Update(key, f"{expression}, {SETS_TRACES} REMOVE #locked", "#request_id = :seen", values)
        raise TemporarilyUnavailableError("The kill switch is being turned. Send the same alert again; it is safe.")

    def note_cancel_all(self, provenance: Provenance, received_at: str | None = None) -> None:
        """Note that a CANCELALLORDERS was received: a PLACE that came before it and waits is never released.

        `received_at` is when the alert was received of which this is a resend.
        """
        values = {":received": received_at or provenance.received_at}
        condition = "attribute_not_exists(#last_cancel_all_at) OR #last_cancel_all_at < :received"
        try:
            key = items.controls_key(provenance.trader)
            self._update(key, "SET #last_cancel_all_at = :received", condition, values)
        except ConditionFailed:
            return

    def allows_release(self, trader: str, received_at: str) -> Check:
        """Return the check that nothing has voided a PLACE that was received then and waits for its delay."""
        earlier = (f"(attribute_not_exists(#{name}) OR #{name} < :received)" for name in _VOIDS)
        condition = " AND ".join(["(attribute_not_exists(#kill_switch) OR #kill_switch = :off)", *earlier])
        return Check(items.controls_key(trader), condition, {":off": False, ":received": received_at})

    def voided(self, trader: str, received_at: str) -> str | None:
        """Return why what was received then and opens a position is void; None if it is not."""
        return self.voiding(trader)(received_at)

    def voiding(self, trader: str) -> Callable[[str], str | None]:
        """Return what says the same of any time of receipt, as the controls are now."""
        return partial(_voided, self._table.get(items.controls_key(trader)) or {})

    # How often alerts come

    def count(self, provenance: Provenance, counter: Counter, first_receipt: FirstReceipt) -> None:
        """Count an alert; raises RateLimitedError, and counts nothing, if the rate allows no more.

        One conditional write while there are fewer than that, whenever they came. Otherwise the item that it met shows
        which of them no longer count, and a second write leaves those out. Alerts of one id may differ in their limits:
        each is judged by its own, over what the one that looks back furthest so far had to keep. A resend takes the
        place of the alert that it repeats, and a message that the queue delivers again its own.
        """
        _check_rate(provenance.at, counter, frozenset())
        own = counter.entries(provenance.at, provenance.request_id)
        for _ in range(_RACES):
            counted = self._count_if_few(provenance, counter, own)
            if counted is None or own <= counted.alerts:
                return
            again = (it for it in counted.traces if it.request_id == provenance.request_id)
            if any(_is_counted(it, counter, counted) for it in again):
                return
            first = first_receipt(counted.traces)
            if first and _holds_place(first, counter, counted):
                return
            _check_rate(provenance.at, counter, counted.alerts)
            if self._count_beside_recent(provenance, counter, own, counted):
                return
        which = "by this key" if counter.of_key else f"of id {counter.counter_id}"
        raise TemporarilyUnavailableError(
            f"Other alerts {which} are being counted. Send the same alert again; it is safe."
        )

    def uncount(self, provenance: Provenance, counter: Counter, number: int = MAX_ALERTS) -> None:
        """Take back so many of what this request was counted as, if it was and the table answers in time."""
        own = frozenset(sorted(counter.entries(provenance.at, provenance.request_id))[:number])
        expression = "DELETE #alerts :own ADD #version :one SET #request_id = :request_id"
        values = {":own": own, ":entry": min(own), ":one": 1}
        values |= {":request_id": provenance.request_id}
        try:
            # Mostly the time is almost up when this is called.
            with last_requests_until(ANSWER_SECONDS):
                key = items.rate_key(provenance.trader, counter.counter_id)
                self._update(key, expression, "contains(#alerts, :entry)", values)
        except (TemporarilyUnavailableError, OutcomeUnknownError, ConditionFailed):
            return

    def _count_if_few(self, provenance: Provenance, counter: Counter, own: frozenset[int]) -> _Counted | None:
        """Count the alert if there are fewer than the rate allows, whenever they came; else return those there are."""
        rate = counter.rate
        expression = (
            "ADD #alerts :own, #version :one "
            "SET #seconds = if_not_exists(#seconds, :seconds), #request_id = :request_id, #expires = :expires, "
            f"{ADDS_TRACE}"
        )
        few = "attribute_not_exists(#alerts) OR size(#alerts) < :allowed"
        allowed = takes_trace(provenance.digest)
        condition = f"attribute_not_exists(#seconds) OR (#seconds >= :seconds AND ({few}) AND {allowed.expression})"
        values = _values(provenance, own, rate.seconds) | {":allowed": rate.alerts - len(own) + 1, ":none": []}
        values |= dict(allowed.values) | trace_values(_counted_at(provenance))
        try:
            self._update(items.rate_key(provenance.trader, counter.counter_id), expression, condition, values)
        except ConditionFailed as failure:
            return _counted(failure.item, provenance)
        return None

    def _count_beside_recent(
        self, provenance: Provenance, counter: Counter, own: frozenset[int], counted: _Counted
    ) -> bool:
        """Count the alert, and forget those that no rate limit looks back to; returns False if others were quicker."""
        seconds = max(counter.rate.seconds, counted.seconds)
        recent = _recent(counted.alerts, provenance.at, seconds)
        alerts = own | frozenset(recent[-(MAX_ALERTS - len(own)) :])
        expression = (
            "SET #alerts = :own, #version = #version + :one, #seconds = :seconds, #request_id = :request_id, "
            f"#expires = :expires, {SETS_TRACES}"
        )
        values = _values(provenance, alerts, seconds) | {":seen": counted.version}
        values |= trace_values(_counted_at(provenance), counted.traces)
        try:
            key = items.rate_key(provenance.trader, counter.counter_id)
            self._update(key, expression, "#version = :seen", values)
        except ConditionFailed:
            return False
        return True

    def _update(self, key: Key, expression: str, condition: str, values: Mapping[str, object]) -> None:
        self._write(Update(key, expression, condition, values))

    def _write(self, update: Update) -> Item:
        # None of these places an order: an alert that fails after them may be sent again.
        with repeatable_writes():
            return self._table.update(update)


def _turn(provenance: Provenance, *, on: bool) -> dict[str, object]:
    """Return the values of _TURNS."""
    return {":on": on, ":now": provenance.now, ":request_id": provenance.request_id, ":key_id": provenance.key_id}


def _kill_switch(item: Item | None) -> KillSwitchState:
    item = item or {}
    on = item.get("kill_switch", False)
    since = item.get("since") if on else item.get("off_since", item.get("since"))
    return KillSwitchState(on=on, since=since, locked=item.get("locked", False))


def _bridge(item: Item | None) -> BridgeState:
    """Return what reports.py has written of the bridge."""
    held = (item or {}).get("bridge")
    if not isinstance(held, dict):
        return BridgeState()
    known = {name: held[name] for name in BridgeState._fields if name in held}
    return BridgeState(**known | {"accounts": tuple(known.get("accounts", ()))})


def _voided(item: Mapping[str, Any], received_at: str) -> str | None:
    if item.get("kill_switch"):
        return f"the kill switch has been on since {item.get('since')}"
    voids = (f"{what} {item[name]}" for name, what in _VOIDS.items() if item.get(name, "") >= received_at)
    return next(voids, None)


def _values(provenance: Provenance, alerts: frozenset[int], seconds: int) -> dict[str, Any]:
    return {
        ":own": alerts,
        ":one": 1,
        ":seconds": seconds,
        ":request_id": provenance.request_id,
        ":expires": int((provenance.at + _KEPT).timestamp()),
    }


def _counted(item: Item | None, provenance: Provenance) -> _Counted:
    item = item or {}
    alerts = frozenset(map(int, item.get("alerts", ())))
    traces = traces_of(item, provenance)
    return _Counted(alerts, int(item.get("seconds", 0)), int(item.get("version", 0)), traces)


def _check_rate(at: datetime, counter: Counter, alerts: frozenset[int]) -> None:
    """Raise RateLimitedError if the alert is more than the rate allows beside those that are counted."""
    alerts_allowed, seconds = counter.rate
    recent = _recent(alerts, at, seconds)
    beside = alerts_allowed - counter.number
    if len(recent) <= beside:
        return
    if beside < 0:
        raise RateLimitedError(
            f"This alert is {counter.number} orders, and its key may open {alerts_allowed} within {seconds} s: send "
            "fewer accounts in one alert, or use another key."
        )
    free = datetime.fromtimestamp(_milliseconds(recent[-1 - beside]) / 1000, UTC) + timedelta(seconds=seconds)
    came = (
        f"{len(recent)} orders were opened by this key within {seconds} s, and its limit"
        if counter.of_key
        else f"Alerts of id {counter.counter_id} within {seconds} s: {len(recent)}; rate_limit"
    )
    raise RateLimitedError(
        f"{came} allows {alerts_allowed}. The next may come at {timestamp(free)}.",
        field=None if counter.of_key else "rate_limit",
    )


def _holds_place(first: Trace, counter: Counter, counted: _Counted) -> bool:
    """Return whether the alert that a resend repeats, or an earlier resend of it, is counted."""
    equal = (it for it in counted.traces if it.digest == first.digest and it.received_at >= first.received_at)
    return any(_is_counted(it, counter, counted) for it in equal)


def _is_counted(left: Trace, counter: Counter, counted: _Counted) -> bool:
    """Return whether the alert that left this trace is counted still."""
    return counter.entries(datetime.fromisoformat(left.received_at), left.request_id) <= counted.alerts


def _counted_at(provenance: Provenance) -> Provenance:
    """Return the provenance with the time of the write as its receipt, because the counted entry has that time too."""
    return provenance._replace(received=provenance.at)


# A counted alert is one number, so that a thousand of them are 13 KB: the milliseconds of its time, and ten digits by
# which two requests of one millisecond differ. In a set of numbers, what is sent twice is counted once.
_DIGITS = 10**10


def _entry(at: datetime, request_id: str) -> int:
    return _time(at) * _DIGITS + crc32(request_id.encode())


def _time(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _milliseconds(entry: int) -> int:
    return entry // _DIGITS


def _recent(alerts: Iterable[int], at: datetime, seconds: int) -> list[int]:
    """Return the alerts of the last `seconds`, oldest first."""
    return sorted(entry for entry in alerts if _milliseconds(entry) > _time(at) - seconds * 1000)
