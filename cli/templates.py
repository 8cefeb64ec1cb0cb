"""`orderhook templates`: the targets and stops that an entry with strategy=NAME gets."""

from typing import Annotated

import typer

from cli.operator_records import leave_record, operators_provenance
from cli.options import AsCsv, TableOptions, examples, takes_table_options
from cli.plain import App
from cli.terminal import REFUSED, fail, print_csv, print_json, print_text
from cli.views.templates import show_templates
from orderhook import administration
from orderhook.listing import Unreadable, list_templates
from orderhook.representations import represent_template, represent_unreadable

_PUT = "orderhook templates put scalp --bracket 1:10:5 --bracket 1:20:5"

app = App(
    no_args_is_help=True,
    help="Store and list templates of targets and stops.",
    epilog=examples(_PUT),
)


@app.command("put", epilog=examples(_PUT, "orderhook templates put 'ES scalp' --ninjatrader"))
@takes_table_options(without=["local_times", "as_json"])
def put_template(
    options: TableOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name that an alert gives in strategy=NAME.")],
    bracket: Annotated[
        list[str] | None,
        typer.Option(
            metavar="QTY:TARGET:STOP",
            help="A quantity, with its target and stop in points from the entry's fill price; repeat it. The target or "
            "the stop may be left empty, as in 1:10:.",
        ),
    ] = None,
    ninjatrader: Annotated[
        bool,
        typer.Option(
            "--ninjatrader",
            help="It is an ATM strategy template of NinjaTrader's own, of just this name, without brackets here.",
        ),
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change a template that already exists.")] = False,
) -> None:
    """Store what strategy=NAME adds to an entry.

    That is targets and stops, or a template of NinjaTrader's own, which it knows by this name.
    """
    with options.services_of_trader() as (services, trader, address):
        brackets = bracket or []
        template = administration.make_template(name, brackets, ninjatrader=ninjatrader)
        is_stored = services.templates.put(trader, template, replacing=replace)
        problem = None
        if is_stored:
            kind = {"ninjatrader": "yes"} if ninjatrader else {"bracket": " ".join(brackets)}
            done = {"template": template.name} | kind | ({"replace": "yes"} if replace else {})
            signed = operators_provenance(trader)
            problem = leave_record(services, signed, "TEMPLATES PUT", "template_stored", done)
    if not is_stored:
        fail(
            f"There is no template {template.name} to replace; leave --replace out."
            if replace
            else f"There is already a template {template.name}; add --replace to change it."
        )
    print_text(f"Template {template.name} is stored in {address}. Orders already placed keep their legs.")
    if problem:
        fail(problem)


@app.command("list", epilog=examples("orderhook templates list", "orderhook templates list --stack orderhook --json"))
@takes_table_options(without=["local_times"])
def list_them(options: TableOptions, as_csv: AsCsv = False) -> None:
    """List a trader's templates and their brackets."""
    with options.services_of_trader() as (services, trader, address):
        templates = list(list_templates(services, trader))
    if options.as_json or as_csv:
        (print_json if options.as_json else print_csv)(
            [
                represent_unreadable(each, "name") if isinstance(each, Unreadable) else represent_template(each)
                for each in templates
            ]
        )
    elif templates:
        show_templates(templates)
    else:
        print_text(f"There is no template of trader {trader} in {address}; `orderhook templates put` stores one.")
    if any(isinstance(each, Unreadable) for each in templates):
        raise typer.Exit(REFUSED)
