"""Where an outgoing webhook may go, and what Discord, Slack and Telegram take.

Sources: Discord's "Execute Webhook" and "Allowed Mentions Object", Slack's "Sending messages using incoming webhooks",
"Formatting message text" and "chat.postMessage", Telegram's Bot API, "sendMessage" and "MessageEntity".
"""

import html
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qs

_SHOWN = 4
_LONGEST_URL = 500

_SUPPRESS_EMBEDS = 4
"""Discord's flag for a message without previews of links."""

_MARKDOWN = re.compile(r"([\\*_`~|>#\[\]()<\-+.:@/])")


class Request(NamedTuple):
    """What is posted: JSON to a URL, which is a secret."""

    url: str
    body: dict[str, Any]


class _Service(NamedTuple):
    host: str
    url: re.Pattern[str]
    """All of it, so that nothing can stand in it that is not given out."""
    example: str
    most: int
    """UTF-16 code units of a text, with what is escaped in it."""
    escape: Callable[[str], str]
    """Each character by itself."""
    request: Callable[[str, str], Request]
    """Takes a text that is escaped and not too long."""


def _for_discord(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _to_discord(url: str, text: str) -> Request:
    return Request(url, {"content": text, "allowed_mentions": {"parse": []}, "flags": _SUPPRESS_EMBEDS})


def _to_slack(url: str, text: str) -> Request:
    plain = {"mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
    return Request(url, {"text": text, **plain})


def _to_telegram(url: str, text: str) -> Request:
    # Inside a block of code nothing is taken for a link or a mention.
    block = {"type": "pre", "offset": 0, "length": units(text)}
    address, _, query = url.partition("?")
    [chat_id] = parse_qs(query)["chat_id"]
    options = {"link_preview_options": {"is_disabled": True}}
    return Request(address, {"chat_id": chat_id, "text": text, "entities": [block], **options})


SERVICES: Mapping[str, _Service] = MappingProxyType(
    {
        "discord": _Service(
            "discord.com",
            re.compile(r"https://discord\.com/api/(v[0-9]+/)?webhooks/[0-9]+/[\w-]+(\?thread_id=[0-9]+)?", re.ASCII),
            "https://discord.com/api/webhooks/NUMBER/TOKEN",
            2000,
            _for_discord,
            _to_discord,
        ),
        "slack": _Service(
            "hooks.slack.com",
            re.compile(r"https://hooks\.slack\.com/services/\w+/\w+/\w+", re.ASCII),
            "https://hooks.slack.com/services/T…/B…/…",
            4000,
            partial(html.escape, quote=False),
            _to_slack,
        ),
        "telegram": _Service(
            "api.telegram.org",
            re.compile(
                r"https://api\.telegram\.org/bot[0-9]+:[\w-]+/sendMessage\?chat_id=(-?[0-9]+|(@|%40)\w+)", re.ASCII
            ),
            "https://api.telegram.org/botTOKEN/sendMessage?chat_id=NUMBER",
            4096,
            str,
            _to_telegram,
        ),
    }
)
"""By its name, each service that takes messages."""


def service_of(url: str) -> str:
    """Return the service that a URL leads to; raises ValueError, whose text has nothing of the URL in it."""
    if not url.startswith("https://"):
        raise ValueError("the URL must begin with https://.")
    host = url.removeprefix("https://").partition("/")[0]
    found = next((name for name, service in SERVICES.items() if service.host == host), None)
    if found is None:
        hosts = ", ".join(service.host for service in SERVICES.values())
        raise ValueError(f"the URL's host must be one of {hosts}, written just so and without a port.")
    service = SERVICES[found]
    if len(url) > _LONGEST_URL or not service.url.fullmatch(url):
        raise ValueError(f"the URL is not as {found.title()} gives it out: {service.example}.")
    return found


def fits(name: str, text: str) -> bool:
    """Return whether a service takes all of a text."""
    service = SERVICES[name]
    return units(service.escape(text)) <= service.most


def request_to(url: str, text: str) -> Request:
    """Return what is posted to a URL, whose service takes it as plain text; raises ValueError as service_of does.

    What does not fit is cut, and no escape is.
    """
    service = SERVICES[service_of(url)]
    return service.request(url, _cut(text, service))


def ends(url: str) -> str:
    """Return all that is ever shown of a URL: its last characters."""
    return url[-_SHOWN:]


def units(text: str) -> int:
    """Return how long a text is in UTF-16 code units, by which the services count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cut(text: str, service: _Service) -> str:
    escaped = service.escape(text)
    if units(escaped) <= service.most:
        return escaped
    room = service.most - 1
    for number, character in enumerate(text):
        room -= units(service.escape(character))
        if room < 0:
            return f"{service.escape(text[:number])}…"
    return escaped
