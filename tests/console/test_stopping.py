"""Stop and Start, pressed in a browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Messages, OpenPage, SendAlert
from tests.local_server import Server

pytestmark = pytest.mark.usefixtures("trading")

ORDER = "account=Sim101;instrument=ES1!;action=BUY;qty=2;order_type=LIMIT;limit_price=5000;tif=GTC;"
BRACKET = "take_profit=5100;stop_loss=4900;"


def place(send: SendAlert, order_id: str, more: str = "") -> None:
    assert send(f"command=PLACE;{ORDER}order_id={order_id};{more}")["success"]


def is_leg(order: dict[str, Any]) -> bool:
    return re.search(r"\.(STOP|TARGET)\d+$", order["order_id"]) is not None


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop trading").click()
    expect(page.get_by_role("heading", name="Trading is stopped")).to_be_visible()


def test_one_press_stops_trading_and_every_page_says_so(page: Page, open_page: OpenPage, send: SendAlert) -> None:
    other = open_page("/console/start")
    stop(page)
    assert send(f"command=PLACE;{ORDER}")["error"] == "kill_switch_on"
    expect(other.get_by_role("banner").get_by_role("link", name=re.compile("Stopped since"))).to_be_visible()
    expect(other.get_by_role("button", name="Stop trading")).to_have_count(0)


def test_stop_offers_to_cancel_entries_and_leaves_stops_alone(page: Page, send: SendAlert, server: Server) -> None:
    place(send, "entry-1", BRACKET)
    stop(page)
    entries = sum(not is_leg(order) for order in server.data("orders", "--open"))
    expect(page.get_by_role("button", name=f"Cancel the {entries} entries")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"[1-9]\d* stops, targets and other orders .*stay"))
    page.get_by_role("button", name="Cancel the").click()
    row = page.get_by_role("row").filter(has_text="entry-1")
    expect(row).to_contain_text("cancelled")
    expect(page.get_by_role("main")).to_contain_text("No entry works.")
    assert server.order("entry-1")["state"] == "Cancelled"
    working = server.data("orders", "--open")
    assert working
    assert all(is_leg(order) for order in working)


def test_what_came_in_after_stop_shows_by_itself(page: Page, send: SendAlert) -> None:
    stop(page)
    expect(page.get_by_role("row").filter(has_text="late-entry")).to_have_count(0)
    send("kill_switch=off;")
    place(send, "late-entry")
    expect(page.get_by_role("row").filter(has_text="late-entry")).to_be_visible()


def test_a_double_click_and_the_same_form_again_cancel_nothing_new(page: Page, send: SendAlert, server: Server) -> None:
    place(send, "before")
    stop(page)
    form = page.locator("form", has=page.get_by_role("button", name=re.compile("Cancel the")))
    once = form.locator("[name=once]").input_value()
    form.get_by_role("button").dblclick()
    expect(page.get_by_role("row").filter(has_text="before")).to_contain_text("cancelled")
    send("kill_switch=off;")
    place(send, "afterwards")
    expect(page.get_by_role("row").filter(has_text="afterwards")).to_be_visible()
    form.locator("[name=once]").evaluate("(it, once) => { it.value = once; }", once)  # as Back may show it
    form.get_by_role("button").click()
    expect(page.get_by_role("row").filter(has_text="before")).to_contain_text("cancelled")
    expect(page.get_by_role("row").filter(has_text="afterwards")).to_contain_text("Working")
    assert server.order("afterwards")["state"] == "Working"


def test_trading_starts_by_the_word_alone(page: Page, messages: Messages, server: Server, send: SendAlert) -> None:
    messages.expected.append("status of 400")
    stop(page)
    page.get_by_role("link", name="Start again").click()
    word = page.get_by_label("Type START")
    word.fill("stop")
    page.get_by_role("button", name="Start trading").click()
    expect(page.get_by_text("that was not START")).to_be_visible()
    assert server.data("kill-switch")["on"]
    word.fill("START")
    page.get_by_role("button", name="Start trading").click()
    expect(page.get_by_role("heading", name="Trading is not stopped")).to_be_visible()
    expect(page.get_by_role("button", name="Stop trading")).to_be_visible()
    place(send, "after-start")


def test_a_locked_switch_shows_who_locked_it_and_the_way_out(page: Page, server: Server) -> None:
    server.run("kill-switch", "on", "--lock")
    try:
        page.goto(f"{server.console}/console/start")
        expect(page.get_by_role("main")).to_contain_text("Stopped and locked since")
        expect(page.get_by_role("main")).to_contain_text("on the command line")
        expect(page.get_by_role("main")).to_contain_text("orderhook kill-switch off")
        expect(page.get_by_label("Type START")).to_have_count(0)
    finally:
        server.run("kill-switch", "off")
