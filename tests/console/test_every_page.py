"""What holds of every page: on a desk and on a phone, light and dark, by the keyboard alone."""

from collections.abc import Sequence
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FloatRect, Page, expect

from cli.aws import demo
from orderhook.console.pages import PAGES
from tests.console.browser import DESKTOP, PHONE
from tests.console.conftest import OpenPage, SendAlert

OF_WHAT = {
    "/console/order": "?account=Sim101&orderId=demo-entry",
    "/console/order/cancel": "?account=Sim101&orderId=demo-entry",
    "/console/strategy": "?strategyId=demo-strategy",
    "/console/strategy/close": "?strategyId=demo-strategy",
    "/console/keys/revoke": f"?key={demo.KEY_ID}",
}
"""What the pages are about that are about one thing."""

NOT_THERE = ("/console/stop/flatten", "/console/positions/act", "/console/alerts/{id}")
"""Without a venue, or before an alert's id is known."""

ADDRESSES = [address + OF_WHAT.get(address, "") for address in PAGES.addresses("GET") if address not in NOT_THERE]

STOP = "Stop trading"


@pytest.fixture(autouse=True)
def some_alerts(send: SendAlert, trading: None) -> None:  # noqa: ARG001
    send("command=CANCEL;order_id=nowhere;")
    send("command=CANCEL;order_id=demo-1;")


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing(open_page: OpenPage, address: str, size: tuple[int, int]) -> None:
    page = open_page(address, size, bypass_csp=True)  # what looks at the page is no script of its own
    # A phone has the colours of a desk: it is looked at in the dark, where less is seen.
    schemes: Sequence[Literal["light", "dark"]] = ("light", "dark") if size == DESKTOP else ("dark",)
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        results = Axe().run(page)
        assert not results.response["violations"], f"{scheme}: {results.generate_report()}"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_phone_scrolls_down_only(open_page: OpenPage, address: str) -> None:
    page = open_page(address, PHONE)
    main = page.get_by_role("main")
    expect(main).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_stop_is_in_view_and_apart_from_all_else(open_page: OpenPage, address: str, size: tuple[int, int]) -> None:
    page = open_page(address, size)
    button = page.get_by_role("button", name=STOP)
    page.mouse.wheel(0, 2000)
    expect(button).to_be_in_viewport()
    stop = button.bounding_box()
    assert stop is not None
    assert stop["height"] >= 44
    others = page.get_by_role("banner").locator("a, button, summary").all()
    for other in others:
        box = other.bounding_box()
        if box is not None and box != stop:
            assert gap(stop, box) >= 12, other.inner_text()


def gap(one: FloatRect, other: FloatRect) -> float:
    """Return how far two boxes are apart."""
    across = max(one["x"] - other["x"] - other["width"], other["x"] - one["x"] - one["width"])
    down = max(one["y"] - other["y"] - other["height"], other["y"] - one["y"] - one["height"])
    return max(across, down)


@pytest.mark.parametrize("address", ADDRESSES)
def test_tab_reaches_everything_and_shows_where_it_is(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    # Of choices that exclude each other Tab stops at the chosen one, and the arrow keys lead to the others.
    inputs = "input:not([type=hidden]):not([type=radio]:not(:checked)):enabled"
    reachable = page.locator(f"a[href], button:enabled, {inputs}, select, textarea, summary")
    expected = sum(it.is_visible() for it in reachable.all())
    reached = tabbed(page, expected + 5)
    assert reached[0] == "To the content"
    assert STOP in reached
    assert len(reached) >= expected


def tabbed(page: Page, most: int) -> Sequence[str]:
    """Press Tab as long as something new gets the focus, and return what that said."""
    texts: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        it = page.locator(":focus")
        if it.count() == 0:
            break
        assert it.evaluate("it => getComputedStyle(it).outlineStyle") != "none"
        texts.append(it.inner_text())
    return texts


def test_the_skip_link_leads_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_a_page_is_stopped_by_the_keyboard_alone(page: Page) -> None:
    page.get_by_role("button", name=STOP).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Trading is stopped")).to_be_visible()


def test_the_other_pages_are_behind_more_on_a_phone(open_page: OpenPage) -> None:
    page = open_page("/console", PHONE)
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages.get_by_role("link", name="Keys")).to_have_count(0)
    page.get_by_role("banner").locator("summary").click()
    expect(pages.get_by_role("link", name="Keys")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_has_the_colours_that_are_asked_for(open_page: OpenPage, scheme: str) -> None:
    page = open_page("/console", color_scheme=scheme)
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
