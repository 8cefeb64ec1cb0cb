"""Show the page that `orderhook serve` starts with: where it answers, what it does not do, and what to try."""

import shlex
from collections.abc import Iterable, Mapping

from cli.aws import demo
from cli.connection import TableAddress
from cli.terminal import DIM, GOOD, WARNING, print_line
from cli.views.orders import show_orders
from orderhook.orders import Order


def show_start_page(url: str, address: TableAddress, demo_orders: Iterable[Order]) -> None:
    """Print the start page; its last line says that the server is running."""
    print_line(f"url: {url}")
    if address.is_local:
        print_line(f"key: {demo.KEY}")
    print_line(f"{address}")
    print_line()
    for limit in _limits(address):
        print_line(limit, WARNING)
    print_line()
    if address.is_local:
        _show_demo(url, demo_orders)
    else:
        print_line(f"`orderhook keys create --table {address.table}` issues a key for it.")
    print_line()
    print_line("orderhook is running; Ctrl-C stops it.", GOOD)


def _limits(address: TableAddress) -> Iterable[str]:
    """Yield what a person has to know before they rely on this server."""
    yield "Nothing is sent to a broker: orders are only written to the table."
    if address.in_memory:
        yield "Everything is in memory: orders, keys, records and delayed alerts are gone when this stops."
    elif address.is_local:
        yield "Delayed alerts and scheduled cancels are in memory: they are gone when this stops, the table is not."
    else:
        yield "delay and cancel_after are refused: only a deployed stack carries them out reliably."


def _show_demo(url: str, orders: Iterable[Order]) -> None:
    show_orders(orders)
    print_line()
    print_line("Cancel an order from another terminal:")
    for kind, command in curl_commands(url).items():
        print_line()
        print_line(f"# {kind}", DIM)
        print_line(command)


def curl_commands(url: str) -> Mapping[str, str]:
    """Return a shell command for each kind of cancel, each on one line."""
    return {kind: f"curl -sS -w '\\n' -d {_quote(text)} {url}" for kind, text in demo.CANCELS.items()}


def _quote(text: str) -> str:
    if "\n" not in text:
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("%", "%%").replace("\n", "\\n")
    return f'"$(printf {shlex.quote(escaped)})"'
