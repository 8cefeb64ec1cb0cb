"""`orderhook kill-switch`: stop a trader's alerts from trading."""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, NamedTuple

import typer

from cli.operator_records import leave_record, operators_provenance, ring
from cli.options import TableOptions, examples, takes_table_options
from cli.terminal import BAD, GOOD, REFUSED, USAGE, fail, print_json, print_line, print_text, printable, readable_time
from orderhook import administration
from orderhook.commands.cancel_many import Scope, cancel_many
from orderhook.commands.kill_switch import KillSwitch
from orderhook.errors import AlertWarning, OrderhookError
from orderhook.orders import timestamp
from orderhook.provenance import Provenance
from orderhook.representations import represent_kill_switch
from orderhook.services import Services

EXAMPLES = examples(
    "orderhook kill-switch",
    "orderhook kill-switch on --cancel --stack orderhook",
    "orderhook kill-switch off --stack orderhook",
)

_CLOCKS_DIFFER = timedelta(minutes=5)
"""What came in by API Gateway's clock before the kill switch was turned may have come in later by this machine's."""

_UNDER_WAY_SECONDS = 3
"""An alert that had passed the check before may still be written within its time budget."""

NOBODY_CANCELS = "Nothing is cancelled at the venue yet:"


class _Cancelled(NamedTuple):
    """What became of the open orders."""

    cancelled: list[str]
    pending: list[str]
    """Orders whose venue is asked to cancel them, now or before, and has not said that it did."""
    warnings: list[str]
    problems: list[str]

    def add(self, cancelled: Iterable[str], pending: Iterable[str], warnings: Iterable[AlertWarning]) -> None:
        """Add what became of some of them."""
        self.cancelled.extend(cancelled)
        self.pending.extend(pending)
        self.warnings.extend(warning.detail for warning in warnings)

    def each_once(self) -> "_Cancelled":
        """Return the same with each entry once: what is pending at first is mostly still so 3 seconds later."""
        return _Cancelled(*(list(dict.fromkeys(entries)) for entries in self))

    def as_json(self) -> dict[str, list[str]]:
        """Return it under the names that `--json` has."""
        orders = {"cancelled": self.cancelled, "cancel_pending": self.pending}
        return orders | {"warnings": self.warnings, "problems": self.problems}


@takes_table_options()
def kill_switch(
    options: TableOptions,
    turn: Annotated[
        Literal["on", "off"] | None,
        typer.Argument(metavar="TURN", help="on or off; leave it out to see how it stands."),
    ] = None,
    stops_cancels: Annotated[
        Literal["yes", "no"] | None,
        typer.Option(
            metavar="yes|no",
            help="Whether it stops cancels too, although they only reduce risk. Until you say yes it does not.",
        ),
    ] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="With on: cancel all open orders too, and again 3 s later.")
    ] = False,
    lock: Annotated[
        bool, typer.Option("--lock", help="With on: no alert can turn it off, only `orderhook kill-switch off`.")
    ] = False,
) -> None:
    """Turn a trader's kill switch on or off, or show it.

    While it is on, alerts that trade are refused; what only reduces risk passes, unless you say otherwise.
    """
    if cancel and turn != "on":
        fail("--cancel goes with on; write `orderhook kill-switch on --cancel`.", USAGE)
    if lock and turn != "on":
        fail("--lock goes with on; write `orderhook kill-switch on --lock`.", USAGE)
    done = _Cancelled([], [], [], [])
    with options.services_of_trader() as (services, trader, _):
        if stops_cancels:
            administration.set_stops_cancels(services.keys, trader, stops=stops_cancels == "yes")
        provenance = operators_provenance(trader)
        if turn:
            _turn(services, provenance, turn, lock=lock)
            ring(services)
        if cancel:
            _cancel_all(services, provenance, 1, done)
            time.sleep(_UNDER_WAY_SECONDS)
            done.problems.clear()  # what was left the first time has had its second chance
            _cancel_all(services, provenance, 2, done)
            done = done.each_once()
            if not options.as_json:
                _show_cancelled(done)  # at once: whatever fails from here on, it was done
        named = {
            "kill_switch": turn,
            "cancel": "yes" if cancel else None,
            "stops_cancels": stops_cancels,
            "lock": "yes" if lock else None,
        }
        if fields := {name: value for name, value in named.items() if value}:
            word = f"kill_switch_{turn}" if turn else "kill_switch_set"
            affected = [*done.cancelled, *done.pending]
            problem = leave_record(services, provenance, KillSwitch.word, word, fields, affected)
            done.problems.extend([problem] if problem else [])
        state = services.controls.kill_switch(trader)
        refuses_cancels = administration.stops_cancels(services.keys, trader)
    if options.as_json:
        shown = represent_kill_switch(trader, state, stops_cancels=refuses_cancels)
        print_json(shown | done.as_json() if cancel else shown)
    else:
        for problem in done.problems:
            print_text(printable(problem), BAD)
        since = f" since {readable_time(state.since)}" if state.since else ""
        locked = ", and locked: no alert can turn it off" if state.locked else ""
        print_text(
            f"The kill switch of {trader} is {'on' if state.on else 'off'}{since}{locked}.", BAD if state.on else GOOD
        )
        print_line(f"While it is on, cancels {'are refused too' if refuses_cancels else 'pass'}.")
        if stops_cancels:
            print_text("It may take up to 30 s to take effect, because functions remember keys for that long.")
    if done.problems:
        raise typer.Exit(REFUSED)


def _turn(services: Services, provenance: Provenance, turn: str, *, lock: bool) -> None:
    if turn == "on":
        services.controls.turn_on(provenance, lock=lock)
    else:
        services.controls.turn_off(provenance, lambda _: None, unlock=True)


def _cancel_all(services: Services, turned: Provenance, number: int, done: _Cancelled) -> None:
    """Cancel all open orders, those included that wait for their delay; add what became of them to `done`.

    Its request id leads to the record of the turning.
    """
    request_id = f"{turned.request_id}.{number}"
    provenance = operators_provenance(turned.trader)._replace(request_id=request_id)
    until = timestamp(provenance.at + _CLOCKS_DIFFER)
    try:
        services.controls.note_cancel_all(provenance)
        result = cancel_many(services, provenance, Scope(), until, bar=False)
        done.add(result.cancelled, result.cancel_pending, result.warnings)
    except OrderhookError as error:
        pending: Sequence[str] = error.extra.get("cancel_pending", ())  # type: ignore[assignment]
        done.add([it for it in error.affected_order_ids if it not in pending], pending, error.warnings)
        done.problems.append(error.detail)
        failed: Any = error.extra.get("failed", ())
        done.problems.extend(f"{order['order_id']}: {order['reason']}" for order in failed)
    ring(services)
    if done.pending and (why := _why_nobody_cancels(services, provenance)):
        done.problems.append(f"{why} Cancel at the venue what cannot wait.")


def _why_nobody_cancels(services: Services, provenance: Provenance) -> str | None:
    """Return what to say where the bridge is away, or nobody can see whether it is; None where it is there."""
    try:
        away = services.bridge.state(provenance.trader).away(provenance.at)
    except OrderhookError:
        return "It could not be seen whether the bridge is there to cancel at the venue."
    return f"{NOBODY_CANCELS} the bridge {away}." if away else None


def _show_cancelled(done: _Cancelled) -> None:
    if done.cancelled or not done.pending:
        _show_ids(f"{_count(done.cancelled)} {'was' if len(done.cancelled) == 1 else 'were'} cancelled", done.cancelled)
    if done.pending:
        asked = f"The venue was asked to cancel {_count(done.pending)}"
        _show_ids(f"{asked}, and `orderhook orders --open` shows what it has not ended yet", done.pending)
    for detail in done.warnings:
        print_text(printable(detail), BAD)


def _show_ids(what: str, order_ids: Sequence[str]) -> None:
    print_text(f"{what}{':' if order_ids else '.'}")
    for order_id in order_ids:
        print_line(printable(f"  {order_id}"))


def _count(orders: Sequence[str]) -> str:
    return f"{len(orders)} order{'' if len(orders) == 1 else 's'}"
