"""`orderhook kill-switch`: stop a trader's alerts from trading."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from cli.options import TableOptions, takes_table_options
from cli.terminal import BAD, GOOD, print_json, print_line, readable_time
from orderhook import administration
from orderhook.orders import Provenance
from orderhook.representations import represent_kill_switch

_KEY_ID = "orderhook"
"""Stands where the key of an alert would stand."""


@takes_table_options()
def kill_switch(
    options: TableOptions,
    turn: Annotated[
        Literal["on", "off"] | None, typer.Argument(help="How to turn it. Leave it out to see how it stands.")
    ] = None,
    stops_cancels: Annotated[
        Literal["yes", "no"] | None,
        typer.Option(
            help="Whether it stops cancels too, although they only reduce risk. Until you say yes it does not."
        ),
    ] = None,
) -> None:
    """Turn a trader's kill switch on or off, set whether it stops cancels, or see how it stands."""
    with options.services() as (services, trader, _):
        if stops_cancels:
            administration.set_stops_cancels(services.keys, trader, stops=stops_cancels == "yes")
        if turn:
            provenance = Provenance(trader, _KEY_ID, secrets.token_hex(16), datetime.now(UTC))
            services.controls.turn_kill_switch(provenance, on=turn == "on")
        state = services.controls.kill_switch(trader)
        refuses_cancels = administration.stops_cancels(services.keys, trader)
    if options.as_json:
        print_json(represent_kill_switch(trader, state, stops_cancels=refuses_cancels))
        return
    since = f" since {readable_time(state.since)}" if state.since else ""
    print_line(f"The kill switch of {trader} is {'on' if state.on else 'off'}{since}.", BAD if state.on else GOOD)
    print_line(f"While it is on, cancels {'are refused too' if refuses_cancels else 'pass'}.")
    if stops_cancels:
        print_line("It may take up to 30 s to take effect, because functions remember keys for that long.")
