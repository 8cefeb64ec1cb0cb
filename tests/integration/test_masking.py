"""Neither a key nor its secret half gets anywhere, wherever in an alert it stands and however it is URL-encoded."""

import json
from collections.abc import Callable
from urllib.parse import quote, unquote

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.builders import ENTRY, alert
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS

_PART = 16
"""As much of the secret half, in one piece, may be nowhere."""

ENCODINGS: dict[str, Callable[[str], str]] = {
    "marks": lambda text: quote(text, safe="").replace("_", "%5F"),
    "every character": lambda text: "".join(f"%{ord(each):02x}" for each in text),
    "every second character": lambda text: "".join(
        f"%{ord(each):02X}" if number % 2 else each for number, each in enumerate(text)
    ),
    "one character": lambda text: f"%{ord(text[0]):02X}{text[1:]}",
}

PLACES: dict[str, Callable[[str, str], str]] = {
    "order_id": lambda key, part: alert({"key": key, "command": "CANCEL", "order_id": part}),
    "part of an order_id": lambda key, part: alert({"key": key, "command": "CANCEL", "order_id": f"a-{part}.STOP1"}),
    "strategy_id": lambda key, part: alert({"key": key, "command": "CANCEL", "order_id": "STOP1", "strategy_id": part}),
    "account": lambda key, part: alert({"key": key, "command": "PLACE", **ENTRY, "account": part}),
    "one of several accounts": lambda key, part: alert(
        {"key": key, "command": "PLACE", **ENTRY, "account": f"A,{part}"}
    ),
    "instrument": lambda key, part: alert({"key": key, "command": "PLACE", **ENTRY, "instrument": part}),
    "notes": lambda key, part: alert({"key": key, "command": "PLACE", **ENTRY, "order_id": "a", "notes": f"x {part}"}),
    "notes of what waits": lambda key, part: alert(
        {"key": key, "command": "PLACE", **ENTRY, "delay": 5, "notes": part}
    ),
    "a number": lambda key, part: alert({"key": key, "command": "PLACE", **ENTRY, "qty": part}),
    "the command": lambda key, part: alert({"key": key, "command": part, "order_id": "a"}),
    "a field's name": lambda key, part: alert({"key": key, "command": "CANCEL", "order_id": "a", part: 1}),
    "a name and its value": lambda key, part: f"key={key};command=CANCEL;order_id=a;{part}={part}",
    "behind an unknown name": lambda key, part: f"key={key};command=CANCEL;order_id=a;secret={part}",
    "a piece without '='": lambda key, part: f"key={key};command=CANCEL;order_id=a;{part}",
    "a comment": lambda key, part: f"key={key};command=CANCEL;order_id=a; // {part} order_id=b",
    "a second key": lambda key, part: f"key={key};key={part};command=CANCEL;order_id={part}",
    "an unresolved placeholder": lambda key, part: f"key={key};command=CANCEL;order_id={{{{{part}}}}}",
    "a JSON value": lambda key, part: json.dumps({"key": key, "command": "CANCEL", "order_id": part}),
    "a JSON key": lambda key, part: json.dumps({"key": key, "command": "CANCEL", "order_id": "a", part: "1"}),
    "an object in JSON": lambda key, part: json.dumps({"key": key, "command": "CANCEL", "order_id": {part: part}}),
    "JSON that breaks": lambda key, part: f'{{"key": "{key}", "command": "CANCEL", "order_id": "{part}" "{part}"}}',
    "JSON with escapes": lambda key, part: (
        f'{{"key": "{key}", "command": "CANCEL", "order_id": "\\u{ord(part[0]):04x}{part[1:]}"}}'
    ),
    "the kill switch": lambda key, part: alert({"key": key, "kill_switch": part}),
}


def cut(key: str, start: int, length: int) -> str:
    return key[start : start + length]


@settings(
    derandomize=True, max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.sampled_from(sorted(PLACES)),
    start=st.sampled_from([0, 4, 17, 18, 25, 52]),
    length=st.sampled_from([_PART, 17, 30, 51, 68]),
    case=st.sampled_from([str, str.upper, str.lower, str.swapcase]),
    nested=st.lists(st.sampled_from(sorted(ENCODINGS)), max_size=4),
)
@example(place="a second key", start=17, length=51, case=str, nested=[])
@example(place="order_id", start=17, length=51, case=str, nested=["every character"] * 2)
def test_neither_a_key_nor_its_secret_half_reaches_log_record_item_or_answer(
    service: Service, place: str, start: int, length: int, case: Callable[[str], str], nested: list[str]
) -> None:
    service.table.empty()  # of what the examples before it have left
    service.key = service.issue_key()
    part = shown = case(cut(service.key, start, length))
    for name in nested:
        shown = ENCODINGS[name](shown)
    service.network.forget()
    service.output.take()
    answer = service.post(PLACES[place](service.key, shown))
    assert answer.status in (200, 400, 401, 403, 404, 409, 413)
    sent = [*service.network.requests, *service.network.records, *service.network.key_uses]
    kept = {
        "log": json.dumps(service.output.lines()),
        "requests": json.dumps([request.payload for request in sent]),
        "items": repr([item for item in service.everything() if "digest" not in item or "key_id" not in item]),
        "answer": json.dumps(answer.body),
    }
    assert [where for where, text in kept.items() if shows(text, part, service.key)] == []


def shows(text: str, part: str, key: str) -> bool:
    """Return whether a piece of the part that is secret stands in a text, be it encoded."""
    secret = key[17:].lower()
    pieces = {part.lower()[at : at + _PART] for at in range(len(part) - _PART + 1)}
    pieces = {piece for piece in pieces if piece in secret}
    for _ in range(6):
        if any(piece in text.lower() for piece in pieces):
            return True
        text = unquote(text)
    return False
