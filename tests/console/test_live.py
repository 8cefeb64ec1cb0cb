"""A page that somebody looks at: it asks for itself again, and moves nothing that is being read."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.conftest import Messages, OpenPage, SendAlert
from tests.local_server import Server

ROWS = "[data-rows] tbody tr"

pytestmark = pytest.mark.usefixtures("trading")


def cancel(send: SendAlert, order_id: str) -> str:
    """Send an alert, and return the place of its row."""
    return f"#a{send(f'command=CANCEL;order_id={order_id};')['request_id']}"


def test_an_alert_comes_in_by_itself(page: Page, send: SendAlert) -> None:
    expect(page.locator(cancel(send, "comes-in"))).to_be_visible()


def test_a_row_tells_how_long_ago_it_came_in(page: Page, send: SendAlert) -> None:
    row = page.locator(cancel(send, "has-an-age"))
    expect(row.locator("time").first).to_have_attribute("title", re.compile(r"UTC, here "))
    expect(page.locator(".age").first).to_have_text(re.compile(r"^\d+ (s|min) ago$"))


def test_what_is_to_come_tells_in_how_long(page: Page, send: SendAlert) -> None:
    order = "command=PLACE;account=Sim101;instrument=ES1!;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=to-come;"
    row = page.locator(f"#a{send(f'{order}delay=60;')['request_id']}")
    expect(row.locator(".fate .age")).to_have_text(re.compile(r"^in \d+ s$"))


def test_what_is_typed_and_the_focus_stay_while_rows_come_in(page: Page, send: SendAlert) -> None:
    search = page.get_by_role("searchbox")
    search.press_sequentially("es-lo")
    expect(page.locator(cancel(send, "while-typing"))).to_be_visible()
    expect(search).to_be_focused()
    expect(search).to_have_value("es-lo")
    search.press_sequentially("ng")
    expect(search).to_have_value("es-long")


def test_a_new_row_waits_while_the_focus_is_among_the_rows(page: Page, send: SendAlert) -> None:
    old = page.locator(cancel(send, "is-read"))
    old.get_by_role("link").first.focus()
    new = page.locator(cancel(send, "waits"))
    waiting = page.get_by_role("button", name=re.compile(r"^\d+ new$"))
    expect(waiting).to_be_visible()
    expect(new).to_have_count(0)
    expect(old.get_by_role("link").first).to_be_focused()
    waiting.click()
    expect(new).to_be_visible()
    expect(waiting).to_be_hidden()


def test_a_new_row_waits_while_the_page_is_scrolled(page: Page, send: SendAlert) -> None:
    page.set_viewport_size({"width": 1280, "height": 300})
    for number in range(8):
        last = cancel(send, f"fills-{number}")
    expect(page.locator(last)).to_be_visible()
    page.mouse.wheel(0, 150)
    page.wait_for_function("scrollY > 0")
    new = page.locator(cancel(send, "waits-above"))
    waiting = page.get_by_role("button", name="1 new")
    expect(waiting).to_be_visible()
    expect(new).to_have_count(0)
    waiting.click()
    expect(new).to_be_visible()


def test_a_row_that_changes_meanwhile_changes_in_its_place(page: Page, send: SendAlert) -> None:
    placed = send("command=PLACE;account=Sim101;instrument=ES1!;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=m1")
    row = page.locator(f"#a{placed['request_id']}")
    row.get_by_role("link").first.focus()
    send("command=CANCEL;order_id=m1;")
    expect(row).to_contain_text("Cancelled")
    expect(row.get_by_role("link").first).to_be_focused()


def test_a_page_that_is_not_answered_says_as_of_when_it_is(page: Page, messages: Messages) -> None:
    messages.expected.append("net::ERR_FAILED")

    def fail(route: Route) -> None:
        route.abort()

    page.route("**/console", fail)
    expect(page.locator("#not-live")).to_have_text(re.compile(r"^Not live, as of \d\d:\d\d:\d\d New York"))
    expect(page.locator("body")).to_have_class("stale")
    page.unroute("**/console", fail)
    expect(page.locator("#not-live")).to_be_hidden()
    expect(page.locator("body")).not_to_have_class("stale")


def test_a_page_whose_session_has_ended_says_so(open_page: OpenPage, messages: Messages) -> None:
    page = open_page()
    messages.expected.append("status of 401")
    page.context.clear_cookies()
    expect(page.locator("#not-live")).to_contain_text("signed out")


def test_nothing_that_an_alert_holds_is_markup(page: Page, send: SendAlert) -> None:
    row = page.locator(cancel(send, "<img onerror>"))
    expect(row).to_contain_text("<img onerror>")
    expect(page.locator("img")).to_have_count(0)


def test_a_page_that_is_gone_back_to_is_live(page: Page, server: Server, send: SendAlert) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(f"{server.console}/console/stop")
    page.go_back()
    expect(page.locator(cancel(send, "after-back"))).to_be_visible()
