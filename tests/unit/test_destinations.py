"""Where an outgoing webhook may go, and what is made of a text for each service."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhook.notifying.destinations import SERVICES, ends, fits, request_to, service_of, units
from tests.outgoing import MARKUP, URLS, shown_by_discord, shown_by_slack

GOOD: Mapping[str, str] = {
    **{url: name for name, url in URLS.items()},
    "https://discord.com/api/v10/webhooks/1/x-Y_z": "discord",
    "https://discord.com/api/webhooks/1/x?thread_id=22": "discord",
    "https://api.telegram.org/bot1:x-Y/sendMessage?chat_id=22": "telegram",
    "https://api.telegram.org/bot1:x/sendMessage?chat_id=@channel": "telegram",
    "https://api.telegram.org/bot1:x/sendMessage?chat_id=%40channel": "telegram",
}

BAD = [
    "",
    "discord",
    *(it.replace("https://", "http://") for it in URLS.values()),
    *(it.replace("https://", "HTTPS://") for it in URLS.values()),
    *(it.replace("https://", "//") for it in URLS.values()),
    *(it.replace("https://", "ftp://") for it in URLS.values()),
    *(it.replace("https://", "https:/") for it in URLS.values()),
    *(re.sub(r"(\w)/", r"\1:443/", it, count=1) for it in URLS.values()),
    *(re.sub(r"(\w)/", r"\1:80/", it, count=1) for it in URLS.values()),
    *(re.sub(r"(\w)/", r"\1./", it, count=1) for it in URLS.values()),
    *(re.sub(r"(\w)/", r"\1.evil.example/", it, count=1) for it in URLS.values()),
    *(re.sub(r"(\w)/", r"\1@evil.example/", it, count=1) for it in URLS.values()),
    *(re.sub(r"(\w)/", r"\1\\@evil.example/", it, count=1) for it in URLS.values()),
    *(it.replace("https://", "https://user@") for it in URLS.values()),
    *(it.replace("https://", "https://user:word@") for it in URLS.values()),
    *(it.replace("https://", "https://evil.example/") for it in URLS.values()),
    *(it.replace("https://", "https://evil-") for it in URLS.values()),
    *(it.replace("https://", "https://www.") for it in URLS.values()),
    *(it.replace("com", "COM").replace("org", "ORG") for it in URLS.values()),
    *(it.replace("com", "co").replace("org", "or") for it in URLS.values()),
    *(it.replace("/", "\\") for it in URLS.values()),
    *(f"{it}#fragment" for it in URLS.values()),
    *(f"{it}#" for it in URLS.values()),
    *(f"{it}/" for it in URLS.values()),
    *(f"{it}/../x" for it in URLS.values()),
    *(f"{it}?wait=true" for it in URLS.values()),
    *(f"{it}&parse_mode=HTML" for it in URLS.values()),
    *(f" {it}" for it in URLS.values()),
    *(f"{it} " for it in URLS.values()),
    *(f"{it}\n" for it in URLS.values()),
    *(f"{it}\r\nX: y" for it in URLS.values()),
    *(f"{it}\0" for it in URLS.values()),
    *(it.replace("o", "\u043e") for it in URLS.values()),  # a Cyrillic letter that looks the same
    *(it.replace(".", "\u3002") for it in URLS.values()),  # which names of hosts take for a full stop
    *(it.replace("canary", "can\u0430ry") for it in URLS.values()),
    *(it.replace("canary", "a/b") for it in URLS.values()),
    *(it.replace("canary", "%2e%2e") for it in URLS.values()),
    *(it.replace("canary", "x" * 600) for it in URLS.values()),
    "https://127.0.0.1/api/webhooks/1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/api/webhooks/1/x",
    "https://discordapp.com/api/webhooks/1/x",
    "https://discord.com/api/webhooks/1/x/slack",
    "https://discord.com/api/webhooks/x/y",
    "https://discord.com/api/webhooks/\u0661/x",
    "https://discord.com/api/webhooks/1/x?thread_id=",
    "https://discord.com/api/webhooks/1/x?thread_id=1&thread_id=2",
    "https://discord.com/api/users/@me",
    "https://hooks.slack.com/services/T/B",
    "https://hooks.slack.com/triggers/T/1/x",
    "https://api.telegram.org/bot1:x/sendMessage",
    "https://api.telegram.org/bot1:x/sendMessage?chat_id=",
    "https://api.telegram.org/bot1:x/sendMessage?chat_id=1&chat_id=2",
    "https://api.telegram.org/bot1:x/sendMessage?text=a&chat_id=1",
    "https://api.telegram.org/bot1:x/deleteWebhook?chat_id=1",
    "https://api.telegram.org/file/bot1:x/sendMessage?chat_id=1",
]

every_service = pytest.mark.parametrize("name", list(URLS))


@pytest.mark.parametrize(("url", "name"), GOOD.items())
def test_a_url_as_a_service_gives_it_out_leads_there(url: str, name: str) -> None:
    assert service_of(url) == name


@pytest.mark.parametrize("url", BAD, ids=ascii)
def test_any_other_url_is_refused_and_no_word_of_it_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="the URL") as refused:
        service_of(url)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    with pytest.raises(ValueError, match="the URL"):
        request_to(url, "text")


@pytest.mark.parametrize("url", GOOD)
def test_the_last_four_characters_are_shown(url: str) -> None:
    assert ends(url) == url[-4:]


def test_the_chat_is_in_the_body_and_not_in_the_address() -> None:
    request = request_to("https://api.telegram.org/bot1:x/sendMessage?chat_id=%40channel", "text")
    assert (request.url, request.body["chat_id"]) == ("https://api.telegram.org/bot1:x/sendMessage", "@channel")


def shown(name: str, text: str) -> str:
    """Return what a reader sees of a text, which must not be longer than the service takes."""
    body = request_to(URLS[name], text).body
    sent = body["content" if name == "discord" else "text"]
    assert units(sent) <= SERVICES[name].most
    if name == "telegram":
        return str(sent)
    return shown_by_discord(sent) if name == "discord" else shown_by_slack(sent)


@every_service
@pytest.mark.parametrize("what", MARKUP)
def test_markup_is_shown_as_it_was_written_and_cut_where_it_is_long(name: str, what: str) -> None:
    text = MARKUP[what]
    seen = shown(name, text)
    assert fits(name, text) == (seen == text)
    if not fits(name, text):
        assert seen.endswith("…")
        assert text.startswith(seen[:-1])


@every_service
@given(text=st.text(st.sampled_from("a*\\&<\U0001f600"), min_size=1, max_size=30), times=st.integers(1, 400))
def test_no_cut_splits_an_escape_or_a_pair_and_none_wastes_room(name: str, text: str, times: int) -> None:
    long = text * times
    seen = shown(name, long)
    if seen != long:
        assert long.startswith(seen[:-1])
        rest = SERVICES[name].escape(long[: len(seen)])
        assert units(rest) + 1 > SERVICES[name].most
