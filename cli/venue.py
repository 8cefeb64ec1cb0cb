"""`orderhook positions`, `executions` and `resolve`: what the bridge has reported, and what only a person can know."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, TypeVar

import typer

from cli.operator_records import leave_record, operators_provenance, ring
from cli.options import AsCsv, TableOptions, examples, takes_table_options
from cli.profit import list_profit
from cli.terminal import BAD, GOOD, REFUSED, USAGE, fail, print_csv, print_json, print_text, printable, shown_zone
from cli.views import venue as view
from orderhook.bridge_messages import ANOTHER_JOURNALS
from orderhook.instructions import OVERDUE, Instruction, Result
from orderhook.listing import UnreadableError, find_instruction, find_order
from orderhook.order_reports import Report
from orderhook.orders import Order, OrderState, folded, timestamp
from orderhook.records import parse_time
from orderhook.representations import represent_execution, represent_instruction, represent_order, represent_position

POSITIONS_EXAMPLES = examples(
    "orderhook positions",
    "orderhook positions --account Sim101 --json",
    "orderhook positions --pnl --day today --stack orderhook",
)
EXECUTIONS_EXAMPLES = examples(
    "orderhook executions --since 1d",
    "orderhook executions --order demo-1",
    "orderhook executions --stack orderhook --since 7d --csv > executions.csv",
)
RESOLVE_EXAMPLES = examples(
    "orderhook resolve es-long-1 cancelled --stack orderhook",
    "orderhook resolve es-long-1 filled=2 --stack orderhook",
    "orderhook resolve 01a21e2341b6c9d0e1f2a3b4c5d6e7f8 done --stack orderhook",
)

_ANOTHERS_LEGS = (
    "Its bridge places no targets and stops for it, because another one may have: look into NinjaTrader, and place "
    "there what is missing. Then resolve those of the order as cancelled."
)

_INSTRUCTION_OUTCOMES: Mapping[str, Result] = {"done": "done", "failed": "failed"}

_Row = TypeVar("_Row")

Account = Annotated[str | None, typer.Option(metavar="ACCOUNT", help="Only those of this account, in any case.")]


@takes_table_options()
def list_positions(
    options: TableOptions,
    account: Account = None,
    pnl: Annotated[
        bool, typer.Option("--pnl", help="List what was realized instead, by account and day, from fills.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --pnl, what was closed at this time or later: 7d, a time of today (06:00) or ISO 8601.",
        ),
    ] = None,
    day: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="With --pnl, one day alone: today, or 2026-01-02. It ends at 17:00 in New York."
        ),
    ] = None,
    as_csv: AsCsv = False,
) -> None:
    """List a trader's positions, as NinjaTrader has them.

    It is the bridge that reports them, so there are none without a venue, and each is as old as it says. One that is
    UNKNOWN may be anything: NinjaTrader has not told it since it was started. The profit and loss of --pnl is without
    commissions and what is still open.
    """
    if pnl:
        list_profit(options, account, since, day, as_csv=as_csv)
        return
    if since or day:
        fail("--since and --day are of --pnl; add that, or leave them out.", USAGE)
    with options.services_of_trader() as (services, trader, address):
        found = [it for it in services.bridge.positions(trader) if account is None or _same(account, it)]
    nothing = f"No bridge has reported a position of trader {trader} in {address}."
    _print_list(options, as_csv, found, represent_position, view.show_positions, nothing)


@takes_table_options()
def list_executions(
    options: TableOptions,
    order: Annotated[
        str | None, typer.Option(metavar="ORDER_ID", help="Only those of this order; a leg has an id of its own.")
    ] = None,
    account: Account = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only what was filled at this time or later: an age (2h, 7d), a time of today (06:00) or ISO 8601.",
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only what was filled before this time.")] = None,
    limit: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="The largest number to list.")] = 100,
    as_csv: AsCsv = False,
) -> None:
    """List what was filled, newest first.

    Each part has its quantity, its price and its time. It is the bridge that reports them, so there are none without a
    venue. One that belongs to no known order says so.
    """
    with options.services_of_trader() as (services, trader, address):
        now = datetime.now(UTC)
        start, end = (parse_time(text, now, shown_zone()) if text else None for text in (since, until))
        listed = services.bridge.executions(trader, start, end)
        meant = (it for it in listed if order in (None, it.order_id) and (account is None or _same(account, it)))
        found = list(islice(meant, limit))
    nothing = f"The bridge has reported no such execution of trader {trader} in {address}."
    _print_list(options, as_csv, found, represent_execution, view.show_executions, nothing)


def _print_list(
    options: TableOptions,
    as_csv: bool,
    found: list[_Row],
    represent: Callable[[_Row], Mapping[str, Any]],
    show: Callable[[list[_Row]], None],
    nothing: str,
) -> None:
    if options.as_json or as_csv:
        (print_json if options.as_json else print_csv)([represent(it) for it in found])
    elif found:
        show(found)
    else:
        print_text(printable(nothing))


@takes_table_options()
def resolve_order(
    options: TableOptions,
    order_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id of the order or instruction, in the same upper and lower case.")
    ],
    outcome: Annotated[
        str,
        typer.Argument(
            metavar="OUTCOME",
            help="cancelled, rejected, or filled=N: N were filled in all. Of an instruction done, or failed.",
        ),
    ],
    more_than_ordered: Annotated[
        bool,
        typer.Option(
            "--more-than-ordered", help="Take a filled=N above the order's quantity: stops work for all of N."
        ),
    ] = False,
) -> None:
    """Say what only a person can know.

    That is what has become of an unresolved order, or of an instruction that no bridge ends. The bridge of such an
    order cannot know it, and has marked it so. Look it up in NinjaTrader's own list of orders first.
    Where less than its quantity was filled, the rest counts as cancelled. The bridge places targets and stops for what
    was filled, but not of an order that another journal may have placed. An instruction, such as CLOSEPOSITION, ends as
    `done` or `failed` when its bridge is gone for good or has it for five minutes: no bridge carries it out any more.
    """
    if result_of_instruction := _INSTRUCTION_OUTCOMES.get(outcome):
        _resolve_instruction(options, order_id, result_of_instruction)
        return
    matched = re.fullmatch(r"cancelled|rejected|filled=([1-9][0-9]{0,8})", outcome)
    if not matched:
        fail(
            f"{outcome!a} is no outcome; write cancelled, rejected or filled=N, of an instruction done or failed.",
            USAGE,
        )
    with options.services_of_trader() as (services, trader, address):
        order = find_order(services, trader, order_id, timestamp(datetime.now(UTC)))
        if order is None:
            fail(f"There is no order {order_id!a} of trader {trader} in {address}; `orderhook orders` lists them.")
        report = _report(order, outcome, int(matched[1] or order.filled), may_be_more=more_than_ordered)
        provenance = operators_provenance(trader)
        result = services.reports.resolve(provenance, order_id, report) if order.unresolved else None
        if result is None or result.after is None:
            fail(
                f"Order {order_id} is {order.state}, and not marked unresolved: its bridge knows what becomes of it. "
                "To end it, cancel it."
            )
        ring(services)
        without_legs = (
            report.filled > order.filled and order.legs and str(order.unresolved).startswith(ANOTHER_JOURNALS)
        )
        fields = {"order_id": order_id, "outcome": outcome}
        problem = leave_record(services, provenance, "RESOLVE", "order_resolved", fields, [order_id])
    if options.as_json:
        print_json(represent_order(result.after))
    else:
        print_text(printable(f"Order {order_id} is {result.after.state}, {result.after.filled} filled."), GOOD)
    if without_legs:
        print_text(printable(_ANOTHERS_LEGS), BAD, error=True)
    if problem:
        print_text(problem, BAD, error=True)
        raise typer.Exit(REFUSED)


def _resolve_instruction(options: TableOptions, instruction_id: str, result: Result) -> None:
    with options.services_of_trader() as (services, trader, address):
        provenance = operators_provenance(trader)
        try:
            asked = find_instruction(services, trader, instruction_id)
        except UnreadableError:
            fail(
                f"Instruction {instruction_id!a} cannot be read by this version of orderhook; resolve it with the "
                "version that has written it."
            )
        if asked is None:
            fail(
                f"There is no instruction {instruction_id!a} of trader {trader} in {address}; `orderhook orders` lists "
                "those under way. An order ends as cancelled, rejected or filled=N."
            )
        if asked.result is None and not services.bridge.state(trader).away(provenance.at):
            _check_overdue(asked, provenance.at)
        instruction, applied = services.instructions.resolve(provenance, instruction_id, result)
        if instruction is None or not applied:
            fail(f"Instruction {instruction_id} has its result already: {instruction and instruction.result}.")
        services.alert_log.note_result(trader, instruction)
        ring(services)
        fields = {"instruction_id": instruction_id, "outcome": result}
        problem = leave_record(services, provenance, "RESOLVE", "instruction_resolved", fields)
    if options.as_json:
        print_json(represent_instruction(instruction) | {"result": result})
    else:
        print_text(printable(f"Instruction {instruction_id} is {result}: no bridge carries it out any more."), GOOD)
    if problem:
        print_text(problem, BAD, error=True)
        raise typer.Exit(REFUSED)


def _check_overdue(asked: Instruction, now: datetime) -> None:
    """End the command while the bridge may be carrying the instruction out at this moment."""
    if now - datetime.fromisoformat(asked.since) < OVERDUE:
        fail(
            f"The bridge is there, and instruction {asked.instruction_id} is under way since {asked.since}: wait until "
            f"it is {OVERDUE.seconds // 60} minutes old, or stop the bridge."
        )


def _report(order: Order, outcome: str, filled: int, *, may_be_more: bool) -> Report:
    """Return what a person says of an order; ends the command where it cannot be, or may be a slip of the hand."""
    if filled > max(order.qty, order.filled) and not may_be_more:
        fail(
            f"Order {order.order_id} is for {order.qty}, and filled={filled} is more: the bridge would place targets "
            f"and stops for {filled}. If NinjaTrader really shows so many, add --more-than-ordered."
        )
    if filled < order.filled:
        fail(f"{order.filled} are filled already, as its bridge has reported; what is filled never gets less.")
    if outcome == "rejected" and order.filled:
        fail(f"{order.filled} are filled already, so it was not rejected; say cancelled, or filled=N.")
    states = {"cancelled": OrderState.CANCELLED, "rejected": OrderState.REJECTED}
    ended = OrderState.FILLED if filled >= order.qty else OrderState.CANCELLED
    return Report(states.get(outcome, ended), filled, reason="resolved by an operator")


def _same(account: str | None, row: object) -> bool:
    return folded(getattr(row, "account", None) or "") == folded(account or "")
