"""Pages of the console as a signed-in person gets them, without a browser and without a door."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import urlencode

from orderhook.console.http import Request
from orderhook.console.pages import PAGES
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Deployment, Visit
from orderhook.grants import Grant, Session
from orderhook.responses import Response
from tests.service import Service


def visit_of(service: Service, path: str = "/console", *, now: datetime | None = None, **query: str) -> Visit:
    """Return a GET of somebody who is signed in as the trader of a test."""
    now = now or datetime.now(UTC)
    http = {"sourceIp": "127.0.0.1", "method": "GET", "path": path}
    event: dict[str, Any] = {"rawPath": path, "rawQueryString": urlencode(query), "requestContext": {"http": http}}
    session = Session("12345678", Grant(service.trader), now, now)
    sessions = ProcessSessions()
    return Visit(service.handlers_services, sessions, Deployment("demo"), Request(event), session, "token", now)


def get(service: Service, path: str = "/console", **query: str) -> Response:
    """Return the answer to a GET."""
    visit = visit_of(service, path, now=service.queue.now, **query)
    return PAGES.find("GET", path).answer(visit)


def text_of(page: Response | str) -> str:
    """Return what a page says, without its markup, on one line."""
    body = page if isinstance(page, str) else str(page["body"])
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body))).strip()


def rows(page: Response) -> list[str]:
    """Return the rows of a list of alerts, as markup, newest first."""
    return re.findall(r'<tr id="a[^"]+".*?</tr>', str(page["body"]), re.DOTALL)


def texts(page: Response) -> list[str]:
    """Return what each row says."""
    return [text_of(row) for row in rows(page)]


def mark_of(row: str) -> str:
    """Return the mark of a row."""
    return str(re.findall(r'^<tr id="[^"]+" class="(\w+)', row)[0])
