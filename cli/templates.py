"""`orderhook templates`: the targets and stops that an entry with strategy=NAME gets."""

from typing import Annotated

import typer

from cli.operator_records import leave_record, operators_provenance
from cli.options import TableOptions, takes_table_options
from cli.terminal import fail, print_json, print_line
from cli.views.templates import show_templates
from orderhook import administration
from orderhook.representations import represent_template

app = typer.Typer(no_args_is_help=True, help="Store and list the targets and stops that `strategy=NAME` adds.")


@app.command("put")
@takes_table_options(without=["as_json"])
def put_template(
    options: TableOptions,
    name: Annotated[str, typer.Argument(help="The name that an alert gives in strategy=NAME.")],
    bracket: Annotated[
        list[str],
        typer.Option(
            metavar="QTY:TARGET:STOP",
            help="A quantity, with its target and stop in points from the entry's fill price; repeat it. The target or "
            "the stop may be left empty, as in 1:10:.",
        ),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Change a template that already exists.")] = False,
) -> None:
    """Store a template: the targets and stops that an entry with strategy=NAME gets."""
    with options.services() as (services, trader, address):
        template = administration.make_template(name, bracket)
        is_stored = services.templates.put(trader, template, replacing=replace)
        problem = None
        if is_stored:
            done = {"template": template.name, "bracket": " ".join(bracket)} | ({"replace": "yes"} if replace else {})
            signed = operators_provenance(trader)
            problem = leave_record(services, signed, "TEMPLATES PUT", "template_stored", done)
    if not is_stored:
        fail(
            f"There is no template {template.name} to replace; leave --replace out."
            if replace
            else f"There is already a template {template.name}; add --replace to change it."
        )
    print_line(f"Template {template.name} is stored in {address}. Orders already placed keep their legs.")
    if problem:
        fail(problem)


@app.command("list")
@takes_table_options()
def list_templates(options: TableOptions) -> None:
    """List a trader's templates and their brackets."""
    with options.services() as (services, trader, _):
        templates = list(services.templates.list(trader))
    if options.as_json:
        print_json([represent_template(template) for template in templates])
    else:
        show_templates(templates)
