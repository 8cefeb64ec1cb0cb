"""What was written to get at whoever looks at it is shown as text, and is no more than that."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Dialog, Page, Request, Response, expect

from cli.aws import demo
from orderhook.aws import clients
from orderhook.console.pages import PAGES
from orderhook.services import Services
from orderhook.store.table import Table
from tests import hostile
from tests.builders import provenance
from tests.console.browser import DESKTOP, PHONE
from tests.console.conftest import Messages, OpenPage
from tests.local_server import PATIENCE_SECONDS, Server
from verification.markup import read

MOST = 60
"""As many pages are visited, in each width; of one address those that the first rows lead to."""
OF_AN_ADDRESS = 6


@pytest.fixture(scope="module", autouse=True)
def hostile_table(server: Server) -> None:
    """Have the server's table hold what somebody may have written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "READ_SECONDS", PATIENCE_SECONDS)
        client = clients.connect("dynamodb", endpoint_url=server.endpoint)
    kept = timedelta(days=9)
    services = Services.over(Table(client, "orderhook"), retention=kept, alert_retention=kept)
    for alert in hostile.alerts(demo.KEY):
        server.post(alert.encode())
    hostile.have(services, demo.TRADER, lambda request_id: provenance(demo.TRADER, request_id))


class Visitor:
    """Open page after page, and note what a page must not do."""

    def __init__(self, page: Page, console: str) -> None:
        self.page, self.console = page, console
        self.wrongs: list[str] = []
        page.set_default_navigation_timeout(1000 * PATIENCE_SECONDS)  # these pages are long
        page.on("dialog", self._dialog)
        page.on("request", self._request)
        page.on("popup", lambda popup: self.wrongs.append(f"{self.page.url} opened {popup.url}"))

    def _dialog(self, dialog: Dialog) -> None:
        self.wrongs.append(f"{self.page.url} showed the dialog {dialog.message!r}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.console}/console"):
            self.wrongs.append(f"{self.page.url} asked for {request.url}")

    def visit(self, address: str) -> str:
        """Open a page, and return its markup as it was sent."""
        answer = self.page.goto(f"{self.console}{address}")
        assert isinstance(answer, Response)
        if answer.status == 200:
            expect(self.page.get_by_role("main")).to_be_visible()
        width = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        if width[0] > width[1]:
            self.wrongs.append(f"{address} is {width[0]} px wide, and the window {width[1]}")
        if self.page.locator("img, svg, iframe, object, embed, style, script:not([src]), [onerror], [onload]").count():
            self.wrongs.append(f"{address} has an element of somebody else's")
        if answer.status not in (200, 404):
            self.wrongs.append(f"{address} was answered {answer.status}")
        return answer.text()


def addresses_of(markup: str) -> Iterator[str]:
    for link in read(markup).links:
        if link.path.startswith("/console") and link.path != "/console/login":
            yield link.address


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_nothing_hostile_is_more_than_text(
    open_page: OpenPage, server: Server, messages: Messages, size: tuple[int, int]
) -> None:
    messages.expected += ["status of 404"]  # what an alert names need not be there
    visitor = Visitor(open_page("/console/login", size), server.console)
    to_visit = [address for address in PAGES.addresses("GET") if "{" not in address]
    visited: list[str] = []
    while to_visit and len(visited) < MOST:
        address = to_visit.pop(0)
        visited.append(address)
        markup = visitor.visit(address)
        visitor.wrongs += [f"{address}: {fault}" for fault in read(markup).faults]
        for found in addresses_of(markup):
            of_kind = [it for it in (*visited, *to_visit) if kind_of(it) == kind_of(found)]
            if found not in of_kind and len(of_kind) < OF_AN_ADDRESS:
                to_visit.append(found)
    assert visitor.wrongs == []
    assert len({kind_of(it) for it in visited}) > 8


def kind_of(address: str) -> str:
    path = urlsplit(address).path
    return "/console/alerts/{id}" if path.startswith("/console/alerts/") and path.count("/") == 3 else path


def test_what_cannot_be_seen_is_shown_by_its_code_points(open_page: OpenPage) -> None:
    page = open_page("/console/orders")
    for shown in ("abc<U+202E>gnorw", "<U+2066>never closed", "a<U+200B>b<U+200C>c<U+FEFF>d", "bell<U+0007>"):
        expect(page.locator("bdi", has_text=shown).first).to_be_visible()
    for shown in (hostile.TEXTS["image"], hostile.TEXTS["shell"], hostile.TEXTS["entity"]):
        expect(page.locator("bdi", has_text=shown).first).to_be_visible()
