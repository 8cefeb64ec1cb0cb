"""Signing in by a link, once."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.console.conftest import Messages
from tests.local_server import Server, running


@pytest.fixture
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: ARG001
    """A server of its own for each test: its link serves once."""
    with running(tmp_path_factory.mktemp("serve") / "log") as started:
        yield started


def test_a_link_signs_in_and_leaves_no_code_in_the_address(
    contexts: Callable[..., BrowserContext], server: Server, messages: Messages
) -> None:
    page = contexts().new_page()
    messages.watch(page)
    page.goto(server.console_link)
    expect(page).to_have_url(f"{server.console}/console")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.go_back()
    assert "#" not in page.url


def test_a_link_signs_in_in_a_tab_that_shows_the_page_already(
    contexts: Callable[..., BrowserContext], server: Server, messages: Messages
) -> None:
    page = contexts().new_page()
    messages.watch(page)
    page.goto(f"{server.console}/console/login")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(server.console_link)  # only its fragment differs
    expect(page).to_have_url(f"{server.console}/console")


def test_a_link_signs_in_once(contexts: Callable[..., BrowserContext], server: Server, messages: Messages) -> None:
    messages.expected += ["status of 401", "status of 403"]
    first, second = contexts().new_page(), contexts().new_page()
    for page in first, second:
        messages.watch(page)
    first.goto(server.console_link)
    expect(first).to_have_url(f"{server.console}/console")
    second.goto(server.console_link)
    expect(second.get_by_role("status")).to_have_text(re.compile("used already"))
    second.goto(f"{server.console}/console")
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_page_that_back_brings_after_signing_out_shows_nothing(
    contexts: Callable[..., BrowserContext], server: Server, messages: Messages
) -> None:
    messages.expected += ["status of 401"]
    context = contexts()
    kept, other = context.new_page(), context.new_page()
    messages.watch(kept)
    kept.goto(server.console_link)
    expect(kept).to_have_url(f"{server.console}/console")
    other.goto(f"{server.console}/console/keys")
    other.get_by_role("button", name="Sign out").first.click()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(kept.get_by_role("heading", name="Alerts")).to_be_visible()
    # As a browser does that has kept it: whether it keeps any is its own matter.
    kept.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(kept.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(kept.get_by_role("heading", name="Alerts")).to_have_count(0)
