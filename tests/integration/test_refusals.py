"""The body of every refusal that has no test of its own: one of each code, and nothing written."""

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import pytest

from tests.builders import ENTRY, alert, event, refused
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS

FORMS = "The body must be UTF-8 text: name=value pairs, each ended by ';' or a new line, or one flat JSON object."
NO_KEY = "The key is missing or not valid: put key=... with a key issued for this endpoint."


@dataclass(frozen=True)
class Refusal:
    """What is sent beside a good key, and the answer."""

    fields: dict[str, object]
    status: int
    error: str
    detail: str
    about: str | None = None
    """The field that the answer names."""

    @property
    def body(self) -> dict[str, Any]:
        return refused(self.error, self.detail, **({"field": self.about} if self.about else {}))


BUILT = (
    "CANCEL, PLACE, CANCELORDERS, CANCELALLORDERS, CANCELREPLACE, CHANGE, CLOSESTRATEGY, CLOSEPOSITION, FLATTEN, "
    "FLATTENEVERYTHING, FLATPLACE, REVERSE, REVERSEPOSITION, CANCELANDBRACKET"
)

CANCEL = {"command": "CANCEL", "order_id": "order-1"}
PLACE = {"command": "PLACE", **ENTRY}

REFUSALS = [
    Refusal(
        {"order_id": "order-1"},
        400,
        "missing_field",
        f"There is no command: add command=... ({BUILT}).",
        "command",
    ),
    Refusal(
        {"command": "CANCEL"},
        400,
        "missing_field",
        "CANCEL needs order_id: add order_id=...",
        "order_id",
    ),
    Refusal(
        {"command": "PLACE", "account": "Sim101"},
        400,
        "missing_field",
        "PLACE needs instrument, action, qty, order_type, tif: add instrument=...",
        "instrument",
    ),
    Refusal(
        {**PLACE, "limit_price": None},
        400,
        "missing_field",
        "A LIMIT order needs limit_price=... above 0.",
        "limit_price",
    ),
    Refusal(
        {**PLACE, "quantity": 5},
        400,
        "duplicate_field",
        "qty is given twice; send one alert per command, each field once.",
        "qty",
    ),
    Refusal(
        {"command": "CANCEL", "orderid": "order-1"},
        400,
        "unknown_field",
        "There is no field 'orderid': did you mean order_id?",
        "orderid",
    ),
    Refusal(
        {**CANCEL, "order_id": "a<b"},
        400,
        "invalid_value",
        "order_id holds '<' (U+003C) at position 2; use printable ASCII without ; = \" ' \\ < > and &.",
        "order_id",
    ),
    Refusal(
        {**CANCEL, "order_id": "target01"},
        400,
        "invalid_value",
        "order_id target01 looks like an order name and is not one: a name ends in a number from 1 without leading "
        "zeros, such as TARGET1.",
        "order_id",
    ),
    Refusal(
        {**PLACE, "limit_price": "5000 TIF=DAY", "tif": None},
        400,
        "invalid_value",
        "missing ';' before TIF?",
        "limit_price",
    ),
    Refusal(
        {**PLACE, "qty": "1.5"},
        400,
        "invalid_value",
        "qty must be a whole number from 1 to 1000000.",
        "qty",
    ),
    Refusal(
        {**CANCEL, "order_id": "{{strategy.order.id}}"},
        400,
        "unresolved_placeholder",
        "order_id still holds {{strategy.order.id}}: TradingView fills it in for the orders of a strategy only.",
        "order_id",
    ),
    Refusal(
        {**PLACE, "limit_price": "-2.5%"},
        400,
        "unsupported_value",
        "limit_price counts from reference_price, for there are no quotes here: add reference_price={{close}}, or give "
        "a price such as 5000.25.",
        "limit_price",
    ),
    Refusal(
        {**PLACE, "limit_price": "-2.5%", "reference_price": "5000"},
        400,
        "unsupported_value",
        "reference_price is for prices that count from another one, which a venue alone works with: give a price such "
        "as 5000.25, or deploy with Venue=ninjatrader.",
        "reference_price",
    ),
    Refusal(
        {**PLACE, "stop_loss": "-10 ticks"},
        400,
        "unsupported_value",
        "stop_loss is for prices that count from another one, which a venue alone works with: give a price such as "
        "5000.25, or deploy with Venue=ninjatrader.",
        "stop_loss",
    ),
    Refusal(
        {**PLACE, "flatten_first": "true"},
        400,
        "unsupported_value",
        "flatten_first needs a position, which only a venue knows: take it out, or deploy with Venue=ninjatrader.",
        "flatten_first",
    ),
    Refusal(
        {"command": "CANCLE"},
        400,
        "unknown_command",
        "There is no command 'CANCLE': did you mean CANCEL?",
        "command",
    ),
    Refusal(
        {"command": "FlattenEverything"},
        400,
        "unsupported_command",
        "FLATTENEVERYTHING acts on a position, which only a venue knows: deploy with Venue=ninjatrader.",
        "command",
    ),
    Refusal(
        {"kill_switch": "perhaps"},
        400,
        "invalid_value",
        "kill_switch must be on or off.",
        "kill_switch",
    ),
    Refusal(
        {**CANCEL, "kill_switch": "off"},
        400,
        "invalid_value",
        "kill_switch goes without a command: send it in an alert of its own, with nothing but the key.",
        "kill_switch",
    ),
    Refusal(
        {**PLACE, "rate_limit": "5"},
        400,
        "missing_field",
        "rate_limit counts the alerts of an id: add id=...",
        "id",
    ),
    Refusal(
        {**PLACE, "rate_limit": "5 per minute", "id": "es"},
        400,
        "invalid_value",
        "rate_limit must be alerts or alerts/seconds, such as 5 or 5/300: 1 to 1000 alerts in 1 to 86400 seconds.",
        "rate_limit",
    ),
    Refusal(
        {**PLACE, "start_time": "9.30"},
        400,
        "invalid_value",
        "start_time must be a time of day in New York such as 13:30 or 1:30 PM.",
        "start_time",
    ),
    Refusal(
        {**PLACE, "start_time": "09:30", "closing_only_after": "15:45"},
        400,
        "missing_field",
        "closing_only_after needs a start_time and an end_time: add end_time=...",
        "end_time",
    ),
    Refusal(
        {**PLACE, "start_time": "9:30", "end_time": "09:30 AM"},
        400,
        "invalid_value",
        "The trade window ends when it begins; give another end_time.",
        "end_time",
    ),
    Refusal(
        {**PLACE, "start_time": "9:30", "end_time": "16:00", "closing_only_after": "16:00"},
        400,
        "invalid_value",
        "closing_only_after must lie between start_time and end_time.",
        "closing_only_after",
    ),
    Refusal(
        {**PLACE, "start_time": "9:30", "bypass_trade_windows": "perhaps"},
        400,
        "invalid_value",
        "bypass_trade_windows must be true or false.",
        "bypass_trade_windows",
    ),
    *(
        Refusal(
            {**PLACE, name: value},
            400,
            "unsupported_value",
            f"{name} needs a position, which only a venue knows: take it out, or deploy with Venue=ninjatrader.",
            name,
        )
        for name, value in {"require_market_position": "flat", "max_positions": "2"}.items()
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.error} {refusal.about}")
def test_an_alert_is_refused_with_a_sentence_that_says_what_to_do(service: Service, refusal: Refusal) -> None:
    service.have_order("Working")
    before = service.belongings()
    answer = service.post(alert({"key": service.key, **refusal.fields}))
    assert (answer.status, answer.body) == (refusal.status, refusal.body)
    assert answer.headers == {"Content-Type": "application/json", "Cache-Control": "no-store"}
    assert service.belongings() == before


# Malformed


def pieces(service: Service, *more: str) -> str:
    return ";".join([f"key={service.key}", "command=CANCEL", "order_id=order-1", *more])


def test_with_a_key_a_piece_that_is_not_a_pair_is_shown_by_its_line(service: Service) -> None:
    service.have_order("Working")
    answer = service.post(pieces(service, "\nnonsense"))
    detail = f"Line 2 has a piece without '='. {FORMS}"
    assert (answer.status, answer.body) == (
        400,
        refused("malformed_payload", detail),
    )
    assert service.state() == "Working"


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"key=a;\0", "nonsense", "{", '{"key": "a"} b', '{"a": 1', "{1: 2}", "=a"],
    ids=repr,
)
def test_a_body_that_does_not_split_into_pairs_is_refused_without_details(service: Service, body: str | bytes) -> None:
    answer = service.post(body)
    assert (answer.status, answer.body) == (
        400,
        refused("malformed_payload", FORMS),
    )


def test_more_fields_than_any_alert_needs_are_refused(service: Service) -> None:
    answer = service.post(pieces(service, *(f"notes=n{number}" for number in range(62))))
    assert (answer.status, answer.body) == (
        400,
        refused("malformed_payload", "There are 65 fields; at most 64 are accepted."),
    )


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without"])
def test_a_body_over_8_kib_is_refused_by_its_size_alone(service: Service, *, keyed: bool) -> None:
    start = f"key={service.key};" if keyed else ""
    largest = start + "x" * (8192 - len(start))
    assert service.post(largest).status == 400
    answer = service.post(largest + "x")
    assert (answer.status, answer.body) == (
        413,
        refused("payload_too_large", "The body has 8193 bytes; at most 8192 are accepted."),
    )


# Keys


def resembling(key: str) -> str:
    """Return a key of the same id, good in all but its secret."""
    body = key[:-9] + ("x" if key[-9] != "x" else "y")
    return f"{body}{crc32(body.encode()):08x}"


def bad_keys(service: Service) -> dict[str, str | None]:
    revoked = service.issue_key()
    service.revoke_key(revoked)
    other = service.issue_key()
    return {
        "none": None,
        "empty": "",
        "not of ours": "your-secret-key",
        "unknown": "ohk_demowrongkey_NobodyHasThisKeySoThatItIsAlwaysRefusedHered5d96f88",
        "mistyped": resembling(service.key)[:-8] + service.key[-8:],
        "guessed": resembling(service.key),
        "another letter case": service.key.swapcase(),
        "of another key's id": resembling(service.key.replace(service.key.split("_")[1], other.split("_")[1])),
        "revoked": revoked,
    }


@pytest.mark.parametrize(
    "kind",
    [
        "none",
        "empty",
        "not of ours",
        "unknown",
        "mistyped",
        "guessed",
        "another letter case",
        "of another key's id",
        "revoked",
    ],
)
def test_without_a_valid_key_every_alert_gets_the_same_refusal(service: Service, kind: str) -> None:
    service.have_order("Working")
    key = bad_keys(service)[kind]
    for fields in (CANCEL, {}, {"command": "NONSENSE"}, {"unknown": "1"}, {**CANCEL, "order_id": "{{a}}"}):
        answer = service.post(alert({"key": key, **fields}))
        assert (answer.status, answer.body) == (
            401,
            refused("invalid_secret_key", NO_KEY),
        )
    assert service.state() == "Working"


def test_a_key_works_for_its_commands_only(service: Service) -> None:
    service.have_order("Working")
    key = service.issue_key(scopes=frozenset({"PLACE"}))
    answer = service.cancel("order-1", key=key)
    assert (answer.status, answer.body) == (
        403,
        refused("command_not_allowed", "This key may not give CANCEL; use one that may.", field="command"),
    )
    assert service.state() == "Working"
    assert service.place("order-2", key=key).word == "placed"


def test_two_keys_of_a_trader_work_side_by_side_until_one_is_revoked(service: Service) -> None:
    service.remember_keys(0)
    service.have_order("Working", "order-1")
    service.have_order("Working", "order-2")
    new = service.issue_key()
    assert service.cancel("order-1", key=new).word == "cancelled"
    service.revoke_key()
    assert service.cancel("order-2").word == "invalid_secret_key"
    assert service.cancel("order-2", key=new).word == "cancelled"


def test_a_revoked_key_works_no_longer_than_it_is_remembered(service: Service) -> None:
    service.warm_up()
    service.revoke_key()
    service.clock.advance(29)
    assert service.cancel("order-1").word == "order_not_found"
    service.clock.advance(1)
    assert service.cancel("order-1").word == "invalid_secret_key"


def test_a_key_given_twice_is_refused(service: Service) -> None:
    answer = service.post(pieces(service, f"KEY={service.issue_key()}"))
    assert (answer.status, answer.body) == (
        400,
        refused("duplicate_field", "key is given twice; give it once.", field="key"),
    )


# Addresses

TRADINGVIEW = ["52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7"]


@pytest.mark.parametrize("source", ["52.89.214.239", "", "nonsense", "::1", "52.89.214.238.1"])
def test_an_address_outside_the_allow_list_is_refused_before_its_key_is_looked_at(
    service: Service, source: str
) -> None:
    service.allow_sources(*TRADINGVIEW)
    service.have_order("Working")
    answer = service.handle(event(pieces(service), source=source))
    assert (answer.status, answer.body) == (
        403,
        refused("source_not_allowed", "This address is not on the allow-list of this endpoint."),
    )
    assert service.network.requests == []
    assert service.state() == "Working"


@pytest.mark.parametrize("source", TRADINGVIEW)
def test_an_address_on_the_allow_list_is_answered(service: Service, source: str) -> None:
    service.allow_sources(*TRADINGVIEW)
    assert service.handle(event(pieces(service), source=source)).word == "order_not_found"


def test_a_header_cannot_claim_another_address(service: Service) -> None:
    service.allow_sources(*TRADINGVIEW)
    request = event(pieces(service), source="203.0.113.9")
    request["headers"] |= {"x-forwarded-for": TRADINGVIEW[0], "x-real-ip": TRADINGVIEW[0]}
    assert service.handle(request).word == "source_not_allowed"


# Warnings are not refusals


def test_a_known_field_that_the_command_does_not_use_is_answered_with_a_warning(service: Service) -> None:
    service.have_order("Working")
    answer = service.cancel("order-1", tif="from my phone", qty="not even a number")
    assert answer.word == "cancelled"
    assert answer.body["warnings"] == [
        {"code": "ignored_field", "field": "tif", "detail": "CANCEL does not use tif."},
        {"code": "ignored_field", "field": "qty", "detail": "CANCEL does not use qty."},
    ]
