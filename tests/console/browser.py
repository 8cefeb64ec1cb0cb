"""Debian's Chromium, and how it signs in to the console of a server."""

import shutil

from playwright.sync_api import Browser, Playwright, StorageState

from tests.local_server import Server

DESKTOP, PHONE = (1280, 900), (390, 844)

MISSING = "The console's tests need Chromium on PATH: apt-get install chromium"

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def is_there() -> bool:
    return shutil.which("chromium") is not None


def start(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_ARGUMENTS)


def sign_in(browser: Browser, server: Server) -> StorageState:
    """Sign in by the server's link, which serves once, and return what a browser keeps of it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.console_link)
    page.get_by_role("button", name="Stop trading").wait_for()
    kept = context.storage_state()
    context.close()
    return kept
