"""Show the page that `orderhook serve` starts with: where it answers, what it does not do, and what to try."""

import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from cli.aws import demo
from cli.connection import LOCAL_PORT, PORT_VARIABLE, ROUTE, TableAddress
from cli.terminal import DIM, GOOD, WARNING, print_line, print_text
from cli.views.orders import show_orders
from orderhook.listing import Unreadable
from orderhook.orders import Order

_FOUND_BY_PORT = ("127.0.0.1", "0.0.0.0")  # noqa: S104  nothing is bound here
"""Where a server listens that commands find by its port alone."""


def show_start_page(
    url: str, link: str, address: TableAddress, demo_orders: Iterable[Order | Unreadable], *, is_open: bool = False
) -> None:
    """Print the start page; what one needs comes last, on the 24 lines that a small terminal shows.

    `is_open` says that other machines can reach the server. The last line says that it is running.
    """
    if address.is_local:
        _show_demo(url, demo_orders)
    print_line(f"{address}")
    for limit in _limits(address, is_open=is_open):
        print_text(limit, WARNING)
    print_line()
    print_line(f"url: {url}")
    print_line(f"console: {link}")
    print_text("Open it in a browser, within 5 minutes: it signs you in, once.", DIM)
    if address.is_local:
        print_line(f"key: {demo.KEY}")
        print_line()
        print_line("Try it in another terminal:")
        for command in first_commands(url, address):
            print_line(command)
    else:
        print_line(f"`orderhook keys create --table {address.table}` issues a key for it.")
    print_line()
    print_line("orderhook is running; Ctrl-C stops it.", GOOD)


PAPER_ORDER, PAPER_STRATEGY = "paper-1", "paper"


def show_paper_page(url: str, link: str, address: TableAddress, price: Decimal) -> None:
    """Print the start page of a server that fills orders; `price` is where the market of its alerts stands.

    What one needs comes last, as on the other page.
    """
    port = urlsplit(url).port
    print_text(f"{address}, a bridge, and a stand-in for NinjaTrader with the accounts Sim101 and Sim102")
    print_text("Nothing is sent to a broker: the market is made up, and everything is gone when this stops.", WARNING)
    print_line()
    print_line(f"url: {url}")
    print_line(f"console: {link}")
    print_line(f"key: {demo.KEY}")
    print_text("The console's link signs in once, within 5 minutes. Watch in a second terminal:", DIM)
    for command in _on_port(port, "orders --follow"):
        print_line(command)
    print_text(
        f"Trade in a third. Next time write {PAPER_ORDER[:-1]}2; CLOSESTRATEGY closes the position.",
        DIM,
    )
    print_line(f"export ORDERHOOK_KEY={demo.KEY}")
    alerts = (f"send '{alert}'" for alert in paper_alerts(price.quantize(Decimal(1))))
    for command in _on_port(port, *alerts, "bridge stop", "bridge start"):
        print_line(command)
    print_line()
    print_line("orderhook is running; Ctrl-C stops it.", GOOD)


def _on_port(port: int | None, *commands: str) -> Iterator[str]:
    """Yield what to type in another terminal, which has to know the port unless it is the usual one."""
    if port != LOCAL_PORT:
        yield f"export {PORT_VARIABLE}={port}"
    yield from (f"{_command()} {command}" for command in commands)


def paper_alerts(near: Decimal) -> Sequence[str]:
    """Return alerts to try where orders are filled: a bracket, its stop cancelled, its target replaced, its end."""
    market, bracket = f"account=Sim101; instrument={demo.ROOT}1!", f"take_profit={near + 40}; stop_loss={near - 40}"
    return (
        f"command=PLACE; {market}; action=BUY; qty=1; order_type=MARKET; tif=DAY; {bracket}; order_id={PAPER_ORDER}; "
        f"strategy_id={PAPER_STRATEGY};",
        f"command=CANCEL; order_id=STOP1; strategy_id={PAPER_STRATEGY};",
        f"command=CANCELREPLACE; order_id=TARGET1; strategy_id={PAPER_STRATEGY}; {market}; action=SELL; qty=1; "
        f"order_type=LIMIT; limit_price={near + 30}; tif=GTC;",
        f"command=CLOSESTRATEGY; strategy_id={PAPER_STRATEGY};",
    )


def first_commands(url: str, address: TableAddress) -> Iterator[str]:
    """Yield what to type in another terminal: what the lines after it need, then three things to try."""
    server = urlsplit(url)
    is_found = server.hostname in _FOUND_BY_PORT
    webhook = "" if is_found else f" --url {url}"
    table = "" if is_found else f" --endpoint-url {url.removesuffix(ROUTE)}"
    if not address.in_memory:
        table = f" --table {shlex.quote(address.table)} --endpoint-url {shlex.quote(str(address.endpoint))}"
    yield f"export ORDERHOOK_KEY={demo.KEY}"
    if is_found and server.port != LOCAL_PORT:
        yield f"export {PORT_VARIABLE}={server.port}"
    command = _command()
    yield f"{command} send{webhook} 'command=CANCEL; order_id=demo-1;'"
    yield f"{command} orders --open{table}"
    yield f"{command} alerts{table}"


def _command() -> str:
    """Return how this program was called, as another terminal in the same folder can call it."""
    called = sys.argv[0]
    on_path = shutil.which(Path(called).name)
    return Path(called).name if on_path and Path(on_path).resolve() == Path(called).resolve() else shlex.quote(called)


def _limits(address: TableAddress, *, is_open: bool) -> Iterable[str]:
    """Yield what a person has to know before they rely on this server."""
    if is_open:
        yield "Other machines can reach this server, at its own address. Without --host it is for this machine alone."
        if address.in_memory:
            yield "Whoever reaches it can use the demo's key, and needs none to read and write its table."
        elif address.is_local:
            yield "Whoever reaches it can use the demo's key, which is public."
    yield "Nothing is sent to a broker: orders are only written to the table."
    if address.in_memory:
        yield "Everything is in memory: orders, keys, records and delayed alerts are gone when this stops."
    elif address.is_local:
        yield "Delayed alerts are in memory: they end when this stops. Orders stay, and so do their time limits."
    else:
        yield "delay and cancel_after are refused: only a deployed stack carries them out reliably."


def _show_demo(url: str, orders: Iterable[Order | Unreadable]) -> None:
    show_orders(orders)
    print_line()
    print_line("Cancel an order by curl:")
    for kind, command in curl_commands(url).items():
        print_line()
        print_line(f"# {kind}", DIM)
        print_line(command)
    print_line()


def curl_commands(url: str) -> Mapping[str, str]:
    """Return a shell command for each kind of cancel, each on one line."""
    return {kind: f"curl -sS -w '\\n' -d {_quote(text)} {url}" for kind, text in demo.CANCELS.items()}


def _quote(text: str) -> str:
    if "\n" not in text:
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("%", "%%").replace("\n", "\\n")
    return f'"$(printf {shlex.quote(escaped)})"'
