"""`orderhook migrate`: bring a table of an earlier version into the form of this one."""

from collections.abc import Collection, Iterator
from dataclasses import asdict

import typer

from cli.operator_records import leave_record, operators_provenance
from cli.options import TableOptions, examples, takes_table_options
from cli.terminal import BAD, GOOD, REFUSED, print_json, print_line, print_text, printable
from orderhook.migration import MigrationResult, migrate

EXAMPLES = examples("orderhook migrate --stack orderhook")


@takes_table_options(without=["trader", "local_times"])
def migrate_table(options: TableOptions) -> None:
    """Bring a table of an earlier version into the form of this one.

    It does so for every trader that has a key. Run it once after the deployment, and again if it says so: what is done
    is not done again. Run it while nothing trades: until then some alerts cannot find older orders. The exit code is 1
    if something is left as it was.
    """
    results: dict[str, MigrationResult] = {}
    problems: list[str] = []
    with options.services() as (services, _, address):
        for trader in sorted({key.trader for key in services.keys.list()}):
            provenance = operators_provenance(trader)
            results[trader] = migrate(services, provenance)
            done = {name: str(len(things)) for name, things in asdict(results[trader]).items() if things}
            if problem := leave_record(services, provenance, "MIGRATE", "migrated", done):
                problems.append(problem)
    if options.as_json:
        print_json({trader: asdict(result) for trader, result in results.items()})
    elif not results:
        print_text(f"There is no key in {address}, so there is no trader whose items could be migrated.")
    for trader, result in results.items():
        if not options.as_json:
            _show(trader, result)
    for problem in problems:
        print_text(problem, BAD, error=True)
    if problems or any(result.left for result in results.values()):
        raise typer.Exit(REFUSED)


def _show(trader: str, result: MigrationResult) -> None:
    lines = list(_lines(result))
    print_line(f"Trader {trader}: {'' if lines else 'there is nothing to migrate.'}".rstrip(), "" if lines else GOOD)
    for line in lines:
        print_text(printable(f"  {line}"), hanging=4)
    for item, reason in result.left.items():
        print_text(printable(f"  Left as it was: {item}: {reason}."), BAD, hanging=4)


def _lines(result: MigrationResult) -> Iterator[str]:
    """Yield what was done, one sentence for each kind of it."""
    if result.strategies:
        yield f"{_count(result.strategies, 'strategy has', 'strategies have')} numbers in place of names."
    if result.legs_moved:
        yield f"{_count(result.legs_moved, 'waiting leg lies', 'waiting legs lie')} in the entry's item."
    for old_id, new_id in result.legs_moved.items():
        yield f"  {old_id} is {new_id}"
    if result.legs_ended:
        yield f"{_count(result.legs_ended, 'leg is', 'legs are')} Cancelled, because the entry is finished or gone:"
    for order_id in result.legs_ended:
        yield f"  {order_id}"
    for order_id, (old, new) in result.renamed.items():
        yield f"{order_id} was {old} and is {new}."
    if result.indexed:
        yield f"{_count(result.indexed, 'open order is', 'open orders are')} listed in this version's way."
    for order_id, (old, new) in result.instruments.items():
        yield f"{order_id} is in {new}, which was written {old}."
    for what in result.named:
        yield f"The instrument of {what} has its one name."
    if result.days_ended:
        yield f"{_count(result.days_ended, 'DAY order is', 'DAY orders are')} Expired: {', '.join(result.days_ended)}."
    for name in result.templates:
        yield f"Template {name} is found without regard to case."


def _count(things: Collection[str], one: str, more: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else more}"
