"""The builder in a browser: it says what an alert would do while it is filled in."""

import re

from playwright.sync_api import Page, expect

from tests.console.browser import PHONE
from tests.console.conftest import OpenPage

BUILDER = "/console/builder"


def fill_in(page: Page) -> None:
    for name, value in (("account", "Sim101"), ("instrument", "ES1!"), ("order_id", "es-long")):
        page.locator(f"#f-{name}").fill(value)
    page.locator("#f-action").select_option("BUY")
    page.locator("#f-order_type").select_option("MARKET")


def test_it_previews_while_it_is_filled_in(open_page: OpenPage) -> None:
    page = open_page(BUILDER)
    copy = page.get_by_role("button", name="Copy the text")
    expect(copy).to_be_disabled()
    fill_in(page)
    expect(copy).to_be_enabled()
    expect(page.locator("#alert-text")).to_contain_text("order_id=es-long;")
    page.locator("#f-qty").fill("{{nothing}}")
    expect(page.locator("#told-qty")).to_contain_text("TradingView knows no {{nothing}}")
    expect(copy).to_be_disabled()
    page.locator("#f-qty").fill("2")
    expect(page.locator("#alert-text")).to_contain_text("qty=2;")
    expect(copy).to_be_enabled()


def test_another_command_shows_its_fields_and_keeps_what_is_filled_in(open_page: OpenPage) -> None:
    page = open_page(BUILDER)
    fill_in(page)
    page.locator("#f-command").select_option("CANCELORDERS")
    expect(page.locator("#f-qty")).to_have_count(0)
    expect(page.locator("#f-account")).to_have_value("Sim101")


def test_without_a_script_it_does_the_same_by_a_press(open_page: OpenPage) -> None:
    page = open_page(BUILDER, PHONE, java_script_enabled=False)
    fill_in(page)
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.locator("#alert-text")).to_contain_text("order_id=es-long;")
    page.get_by_role("button", name="Use order_id=es-long-{{timenow}}").click()
    expect(page.locator("#f-order_id")).to_have_value("es-long-{{timenow}}")


def test_an_order_by_hand_is_looked_at_and_then_sent(open_page: OpenPage) -> None:
    page = open_page("/console/trade", PHONE)
    page.locator("#f-account").fill("Sim101")
    page.locator("#f-instrument").fill("ES1!")
    page.locator("#f-action").select_option("BUY")
    page.locator("#f-order_type").select_option("MARKET")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("no stop")).to_be_visible()
    page.get_by_role("button", name="Send: BUY 1").click()
    expect(page).to_have_url(re.compile(r"/console/order\?"))
