"""The controls of a trader: the kill switch, and what voids an order that waits for its delay."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from orderhook.aws.budget import repeatable_writes
from orderhook.errors import KillSwitchOnError, TemporarilyUnavailableError
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.bridge import BridgeState, bridge_state
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

_RACES = 4
"""How often other alerts may turn the kill switch at the same moment before this one gives up."""


_TURNS = "#kill_switch = :on, #request_id = :request_id, #key_id = :key_id"


class KillSwitchState(NamedTuple):
    """Whether a trader's kill switch is on, and since when it is as it is (None: nobody ever turned it)."""

    on: bool
    since: str | None = None
    locked: bool = False
    """Whether only its operator can turn it off."""
    key_id: str | None = None
    """By which key, or session, it was turned, and in which request; of what an alert is answered neither is known."""
    request_id: str | None = None


class KillSwitchResult(NamedTuple):
    """The kill switch after an alert has turned it; `applied` is False where it stood that way already."""

    state: KillSwitchState
    applied: bool


class ControlsNow(NamedTuple):
    """The controls of a trader at one moment."""

    kill_switch: KillSwitchState
    bridge: BridgeState
    """What the bridge said last."""
    voided: Callable[[str], str | None]
    """Says why what was received at a time, and opens a position, is void; None where it is not."""
    last_on: str | None = None
    """When the kill switch was turned on last, be it on or off now."""


_VOIDS = {
    "last_on_at": "the kill switch was turned on at",
    "last_cancel_all_at": "CANCELALLORDERS was received at",
}
"""What voids a PLACE that waits for its delay, if it comes after it: the attribute of CONTROLS, and how it is told."""


class Controls:
    """The kill switches in one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, table: Table, stopped_since: str | None = None) -> None:
        self._table = table
        self._stopped_since = stopped_since

    def of_stop(self, since: str) -> "Controls":
        """Return these, by which an alert turns off the Stop of this time alone, and no later one."""
        return Controls(self._table, since)

    def kill_switch(self, trader: str) -> KillSwitchState:
        """Return the trader's kill switch as it is now."""
        return _kill_switch(self._table.get(items.controls_key(trader)))

    def look(self, trader: str) -> ControlsNow:
        """Return all that the trader's controls say, as one read has it."""
        item = self._table.get(items.controls_key(trader))
        last_on = (item or {}).get("since")
        return ControlsNow(_kill_switch(item), bridge_state(item), partial(_voided, item or {}), last_on)

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
        return bridge_state(item)

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
        the switch may have been turned on since. Raises KillSwitchOnError where it is locked, unless `unlock`, and
        where it is another Stop than that of `of_stop`.
        """
        key = items.controls_key(provenance.trader)
        expression = f"SET {_TURNS}, #off_since = if_not_exists(#off_since, :now)"
        turn = _turn(provenance, on=False)
        allowed = takes_trace(provenance.digest)
        if not unlock:
            allowed &= Condition("attribute_not_exists(#locked)", {})
        if self._stopped_since is not None:
            is_that = "attribute_not_exists(#kill_switch) OR #kill_switch = :off OR #since = :stopped_since"
            allowed &= Condition(is_that, {":off": False, ":stopped_since": self._stopped_since})
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
            if state.on and self._stopped_since not in (None, state.since):
                raise KillSwitchOnError(f"Trading was stopped anew, at {state.since}: look by whom, and why.")
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
    turned_by = (item.get("key_id"), item.get("request_id")) if "kill_switch" in item else (None, None)
    return KillSwitchState(on, since, item.get("locked", False), *turned_by)


def _voided(item: Mapping[str, Any], received_at: str) -> str | None:
    if item.get("kill_switch"):
        return f"the kill switch has been on since {item.get('since')}"
    voids = (f"{what} {item[name]}" for name, what in _VOIDS.items() if item.get(name, "") >= received_at)
    return next(voids, None)
