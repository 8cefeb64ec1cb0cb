"""Where an outgoing webhook may go, and what Discord, Slack and Telegram take.

Sources: Discord's "Execute Webhook" and "Allowed Mentions Object", Slack's "Sending messages using incoming webhooks"
and "Formatting message text", Telegram's Bot API, "sendMessage".
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit, urlunsplit

LONGEST = 1900
"""Characters of a message: Discord takes 2,000, and Telegram 4,096."""

_SHOWN = 4

_SUPPRESS_EMBEDS = 4
"""Discord's flag for a message without previews of links."""

_MARKDOWN = re.compile(r"([\\*_`~|>#\[\]()<\-+.:@])")


class Request(NamedTuple):
    """What is posted: JSON to a URL, which is a secret."""

    url: str
    body: dict[str, Any]


class _Service(NamedTuple):
    host: str
    path: re.Pattern[str]
    example: str
    request: Callable[[str, str], Request]


def _to_discord(url: str, text: str) -> Request:
    # What is escaped is twice as long, so that it is cut to fit.
    escaped = _cut(_MARKDOWN.sub(r"\\\1", text), 2000)
    return Request(url, {"content": escaped, "allowed_mentions": {"parse": []}, "flags": _SUPPRESS_EMBEDS})


def _to_slack(url: str, text: str) -> Request:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Request(url, {"text": escaped, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False})


def _to_telegram(url: str, text: str) -> Request:
    parts = urlsplit(url)
    body = {"chat_id": _chat(parts.query), "text": text, "link_preview_options": {"is_disabled": True}}
    return Request(urlunsplit(parts._replace(query="")), body)


SERVICES: Mapping[str, _Service] = MappingProxyType(
    {
        "discord": _Service(
            "discord.com",
            re.compile(r"/api/(v[0-9]+/)?webhooks/[0-9]+/[\w-]+"),
            "https://discord.com/api/webhooks/NUMBER/TOKEN",
            _to_discord,
        ),
        "slack": _Service(
            "hooks.slack.com",
            re.compile(r"/services/\w+/\w+/\w+"),
            "https://hooks.slack.com/services/T…/B…/…",
            _to_slack,
        ),
        "telegram": _Service(
            "api.telegram.org",
            re.compile(r"/bot[0-9]+:[\w-]+/sendMessage"),
            "https://api.telegram.org/botTOKEN/sendMessage?chat_id=NUMBER",
            _to_telegram,
        ),
    }
)
"""By its name, each service that takes messages."""


def service_of(url: str) -> str:
    """Return the service that a URL leads to; raises ValueError, whose text has nothing of the URL in it."""
    if not url.isascii() or any(it.isspace() for it in url):
        raise ValueError("the URL has blanks or characters that no URL has: copy it again.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("this is no URL: copy it again.") from None
    if parts.scheme != "https":
        raise ValueError("the URL must begin with https://.")
    found = next((name for name, service in SERVICES.items() if service.host == parts.hostname), None)
    if found is None or port not in (None, 443) or "@" in parts.netloc:
        hosts = ", ".join(service.host for service in SERVICES.values())
        raise ValueError(f"the URL's host must be one of {hosts}.")
    service = SERVICES[found]
    queries = {"telegram": {"chat_id"}, "discord": {"thread_id"}}.get(found, set())
    query = parse_qs(parts.query, keep_blank_values=True)
    if not service.path.fullmatch(parts.path) or parts.fragment or not query.keys() <= queries:
        raise ValueError(f"the URL is not as {found.title()} gives it out: {service.example}.")
    if found == "telegram" and not _chat(parts.query):
        raise ValueError(f"the URL lacks the chat: write {service.example}.")
    return found


def request_to(url: str, text: str) -> Request:
    """Return what is posted to a URL, whose service takes it as plain text; raises ValueError as service_of does."""
    return SERVICES[service_of(url)].request(url, _cut(text, LONGEST))


def ends(url: str) -> str:
    """Return all that is ever shown of a URL: its last characters."""
    return url[-_SHOWN:]


def _chat(query: str) -> str:
    return parse_qs(query).get("chat_id", [""])[0]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip("\\") + "…"
