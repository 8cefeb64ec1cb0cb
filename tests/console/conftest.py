"""The console in a real browser: Debian's Chromium, over a server of its own.

Whatever a page does, the browser's console stays empty: each test asserts that when it ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, StorageState, expect, sync_playwright

from cli.aws import demo
from tests.console.browser import DESKTOP, MISSING, is_there, sign_in, start
from tests.local_server import Server, running

PATIENCE_MILLISECONDS = 15_000
"""How long to wait for what a page is to show; a busy machine needs some of it."""
expect.set_options(timeout=PATIENCE_MILLISECONDS)


@dataclass
class Messages:
    """What the browser's console was told."""

    told: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of what the browser itself says of requests that a test has fail."""

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self.told.append(f"{message.type}: {message.text} ({message.location})"))
        page.on("pageerror", lambda error: self.told.append(f"error: {error}"))

    @property
    def unexpected(self) -> list[str]:
        return [told for told in self.told if not any(part in told for part in self.expected)]


OpenPage = Callable[..., Page]
SendAlert = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    if not is_there():
        pytest.skip(MISSING)
    started = start(playwright)
    yield started
    started.close()


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: ARG001  skips first
    """The demo, without a venue."""
    with running(tmp_path_factory.mktemp("serve") / "log") as started:
        yield started


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: Server) -> StorageState:
    """What a browser keeps of a sign-in by the server's link."""
    return sign_in(browser, server)


@pytest.fixture
def messages() -> Iterator[Messages]:
    """What the browser's console was told, which must be nothing."""
    heard = Messages()
    yield heard
    assert heard.unexpected == []


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []

    def new(size: tuple[int, int] = DESKTOP, **options: Any) -> BrowserContext:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        opened.append(context)
        return context

    yield new
    for context in opened:
        context.close()


@pytest.fixture
def open_page(
    contexts: Callable[..., BrowserContext], server: Server, signed_in: StorageState, messages: Messages
) -> OpenPage:
    """Open a page of the console, signed in; options are those of a browser's context, such as color_scheme."""

    def open_(path: str = "/console", size: tuple[int, int] = DESKTOP, **options: Any) -> Page:
        page = contexts(size, storage_state=signed_in, **options).new_page()
        messages.watch(page)
        page.goto(f"{server.console}{path}")
        return page

    return open_


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """The first page of the console, signed in, on a desk."""
    return open_page()


@pytest.fixture
def send(server: Server) -> SendAlert:
    """Send an alert by HTTP, as TradingView does."""

    def send_(alert: str, key: str = demo.KEY) -> dict[str, Any]:
        answer: dict[str, Any] = server.post(f"key={key};{alert}").json()
        return answer

    return send_


@pytest.fixture
def trading(send: SendAlert) -> Iterator[None]:
    """Have the kill switch off before a test and after it."""
    assert send("kill_switch=off;")["success"]
    yield
    assert send("kill_switch=off;")["success"]
