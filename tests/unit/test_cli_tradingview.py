"""How an alert gets its key before it is sent."""

import json
import re

import pytest

from cli.aws import demo
from cli.tradingview import with_key
from orderhook import payload
from orderhook.keys import key_id_of


@pytest.mark.parametrize(
    "text", ["command=CANCEL;order_id=a", '{"command": "CANCEL", "order_id": "a"}', ' {"a": 1.10}', "{}", "{ }", ""]
)
def test_an_alert_without_a_key_gets_one_and_is_otherwise_unchanged(text: str) -> None:
    before = payload.split(text.encode()).pairs
    assert payload.split(with_key(text.encode(), demo.KEY)).pairs == (*before, ("key", demo.KEY))
    if text.strip().startswith("{"):
        json.loads(with_key(text.encode(), demo.KEY))


@pytest.mark.parametrize(
    "text",
    [
        "command=CANCEL\nhello",
        "command=CANCEL; // account=a",
        "command=CANCEL\n\0",
        '{"command": "CANCEL", "order_id": a}',
        '{"command": "CANCEL" "order_id": "a"}',
        '{"command": "CANCEL",\n "order_id": {{nothing}}}',
        '{"command": "CANCEL",}',
    ],
)
def test_the_key_that_is_added_moves_no_fault(text: str) -> None:
    """The line and the column that the answer names are those of the alert as its author has it."""
    given = payload.split(with_key(text.encode(), demo.KEY))
    alone = payload.split(text.encode())
    assert set(given.keys) == {demo.KEY}
    assert given.fault is not None
    assert alone.fault is not None
    assert places(given.fault.detail) == places(alone.fault.detail) != []


def places(detail: str) -> list[str]:
    return re.findall(r"[Ll]ine \d+(?:, column \d+)?", detail)


@pytest.mark.parametrize("text", ["KEY = own;command=CANCEL", '{"Key": "own"}'])
def test_an_alert_keeps_the_key_that_it_has(text: str) -> None:
    assert with_key(text.encode(), demo.KEY) == text.encode()


def test_the_demo_keys_have_the_form_of_issued_ones() -> None:
    assert key_id_of(demo.KEY) == demo.KEY_ID
    assert key_id_of(demo.WRONG_KEY) not in (None, demo.KEY_ID)
