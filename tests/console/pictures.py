"""Make the pictures of docs/pictures from the demo: `make pictures`.

The alerts, orders and prices are the same each time; what differs are times and ids.
"""

import sys
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, StorageState, sync_playwright
from rich.console import Console
from rich.text import Text

from cli.aws import demo
from tests.console import browser
from tests.local_server import ROOT, Server, running

FOLDER = ROOT / "docs" / "pictures"

_ES = "account=Sim101;instrument=ES1!;tif=DAY;"
ALERTS = (
    f"command=PLACE;{_ES}action=BUY;qty=2;order_type=LIMIT;limit_price=5000.25;order_id=es-orb-0930;strategy_id=orb-es;"
    "take_profit=5020;stop_loss=4990;",
    f"command=PLACE;{_ES}action=BUY;qty=1;order_type=MARKET;order_id=es-add-0933;",
    "command=CANCEL;order_id=demo-1;",
    "command=CANCEL;order_id=demo-1;",
    "command=PLACE;account=Sim101;instrument={{symbol}};action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=nq-{{time}};",
    "command=CHANGE;order_id=es-orb-0930;limit_price=4999.75;",
    f"command=PLACE;{_ES}action=SELL;qty=1;order_type=LIMIT;limit_price=5010;order_id=es-short-0938;start_time=00:00;"
    "end_time=00:01;",
    "command=CANCEL;order_id=STOP1;strategy_id=orb-es;",
    "command=PLACE;account=Sim101,Sim102;instrument=NQ1!;action=BUY;qty=1;order_type=LIMIT;limit_price=18240;tif=DAY;"
    "order_id=nq-0941;",
)


def main() -> None:
    if not browser.is_there():
        sys.exit(browser.MISSING)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        running(Path(folder) / "log") as server,
        sync_playwright() as playwright,
    ):
        for alert in ALERTS:
            server.post(f"key={demo.KEY};{alert}")
        chromium = browser.start(playwright)
        kept = browser.sign_in(chromium, server)
        _take(chromium, kept, server, "console.png", (1440, 900))
        _take(chromium, kept, server, "phone.png", browser.PHONE, scheme="dark")
        chromium.close()
        _print_terminal(server)


def _take(
    chromium: Browser, kept: StorageState, server: Server, name: str, size: tuple[int, int], scheme: str = "light"
) -> None:
    context = chromium.new_context(
        storage_state=kept,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{server.console}/console")
    _choose_refused(page, is_wide=size[0] > 700)
    page.screenshot(path=FOLDER / name)
    context.close()


def _choose_refused(page: Page, *, is_wide: bool) -> None:
    """Show the details of the alert that was refused, where there is room for them."""
    page.get_by_role("main").wait_for()
    links = page.get_by_role("row").filter(has_text="unresolved placeholder").get_by_role("link")
    if is_wide and links.count():
        links.first.click()
        page.get_by_role("heading", name="What happened").wait_for()


def _print_terminal(server: Server) -> None:
    """Draw what `orderhook alerts` prints."""
    shown = Console(record=True, width=118, file=StringIO(), force_terminal=True)
    printed = server.run("alerts", "--limit", "8", color=True, terminal_width=118).stdout
    shown.print(Text("$ orderhook alerts", style="bold"))
    shown.print(Text.from_ansi(printed))
    shown.save_svg(str(FOLDER / "terminal.svg"), title="orderhook", clear=False)


if __name__ == "__main__":
    main()
