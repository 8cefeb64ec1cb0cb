from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from orderhook.commands import COMMANDS, SCOPES, Command, command_type, parse_command, parse_fields
from orderhook.commands.cancel import Cancel
from orderhook.commands.kill_switch import KillSwitch
from orderhook.commands.opens_position import OpensPosition
from orderhook.commands.place import Place
from orderhook.errors import (
    InvalidValueError,
    MissingFieldError,
    OrderhookError,
    StrategyIdRequiredError,
    UnknownCommandError,
    UnsupportedValueError,
)
from orderhook.payload import KNOWN_NAMES, SYNONYMS

Fields = Mapping[str, str | None]
"""The fields of an alert; None leaves one out."""

CANCEL: Fields = {"command": "CANCEL", "order_id": "a1"}
MARKET: Fields = {
    "command": "PLACE",
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": "1",
    "order_type": "MARKET",
    "tif": "DAY",
}

ErrorT = TypeVar("ErrorT", bound=OrderhookError)


def read_alert(*fields: Fields) -> tuple[Command, list[str]]:
    given = {name: value for part in fields for name, value in part.items()}
    present = {name: value for name, value in given.items() if value is not None}
    kind = command_type(present.items())
    read, warnings = parse_fields(kind, present.items(), is_json=False)
    command, of_values = parse_command(kind, read)
    return command, [str(warning.field) for warning in (*warnings, *of_values)]


def refused(error: type[ErrorT], *fields: Fields) -> ErrorT:
    with pytest.raises(error) as refusal:
        read_alert(*fields)
    return refusal.value


def cancel(**fields: str | None) -> Cancel:
    command, _ = read_alert(CANCEL, fields)
    assert isinstance(command, Cancel)
    return command


def place(**fields: str | None) -> Place:
    command, _ = read_alert(MARKET, fields)
    assert isinstance(command, Place)
    return command


def value(command: Command, name: str) -> Any:
    """Return the value of an alert's field, which may be one of the command's new order."""
    holder: Any = command if name in type(command).model_fields else getattr(command, "new_order", None)
    return getattr(holder, name)


# Which command

BUILT = (
    "CANCEL, PLACE, CANCELORDERS, CANCELALLORDERS, CANCELREPLACE, CHANGE, CLOSESTRATEGY, CLOSEPOSITION, FLATTEN, "
    "FLATTENEVERYTHING, FLATPLACE, REVERSE, REVERSEPOSITION, CANCELANDBRACKET"
)


def test_the_commands_are_those_of_the_language() -> None:
    assert ", ".join(COMMANDS) == BUILT
    assert [kind.word for kind in COMMANDS.values()] == list(COMMANDS)
    assert len(COMMANDS) == len(BUILT.split(", "))


@pytest.mark.parametrize("sent", ["CANCEL", "cancel", "Cancel", "cANCEL"])
def test_a_command_is_recognised_whatever_the_case_of_its_letters(sent: str) -> None:
    assert command_type([("command", sent)]) is Cancel


@pytest.mark.parametrize(
    ("sent", "nearest"),
    [
        ("CANCLE", "CANCEL"),
        ("cancle", "CANCEL"),
        ("CANSEL", "CANCEL"),
        ("PLCAE", "PLACE"),
        ("CANCEL ALL ORDERS", "CANCELALLORDERS"),
        ("CLOSE_POSITION", "CLOSEPOSITION"),
        ("FLATEN", "FLATTEN"),
        ("place order", "PLACE"),
    ],
)
def test_an_unknown_command_is_refused_with_the_nearest_known_one(sent: str, nearest: str) -> None:
    error = refused(UnknownCommandError, {"command": sent})
    assert error.detail == f"There is no command '{sent}': did you mean {nearest}?"
    assert error.field == "command"


@pytest.mark.parametrize("sent", ["KILLSWITCH", "KILL SWITCH", "kill_switch", "KillSwitch_On", "KILLSWICH"])
def test_who_writes_the_kill_switch_as_a_command_is_told_how_to_turn_it(sent: str) -> None:
    detail = refused(UnknownCommandError, {"command": sent}).detail
    assert "kill_switch=on" in detail
    assert "`orderhook kill-switch`" in detail


@pytest.mark.parametrize("sent", ["CANCELORDER", "CANCEL ORDER", "CANCLE"])
def test_of_a_cancel_in_an_account_it_says_what_each_command_would_do(sent: str) -> None:
    error = refused(UnknownCommandError, {"command": sent, "account": "Sim101"})
    assert error.detail == (
        f"There is no command '{sent}': CANCEL cancels the one order that order_id names; CANCELORDERS cancels every "
        "working order of an account."
    )
    for more in ({"account": "A,B", "order_id": "a"}, {"account": ""}, {}):
        assert refused(UnknownCommandError, {"command": sent, **more}).detail.endswith("did you mean CANCEL?")


@pytest.mark.parametrize(
    ("sent", "meant"), [("PLACEORDER", "PLACE"), ("Place Order", "PLACE"), ("CHANGE_ORDER", "CHANGE")]
)
def test_the_title_of_a_page_of_crosstrades_points_to_the_command_it_describes(sent: str, meant: str) -> None:
    assert refused(UnknownCommandError, {"command": sent}).detail.endswith(f": did you mean {meant}?")


@pytest.mark.parametrize("sent", ["CANCELALLORDERSOFTHEACCOUNT", "FLATTENEVERYTHING_BUT_ES", "PLACE_NOTHING"])
def test_what_only_begins_like_a_command_could_mean_less_than_that(sent: str) -> None:
    assert "did you mean" not in refused(UnknownCommandError, {"command": sent}).detail


def test_an_unknown_command_that_is_near_to_none_is_told_the_commands() -> None:
    error = refused(UnknownCommandError, {"command": "xyz"})
    assert error.detail == f"There is no command 'xyz': there are {BUILT}."


@pytest.mark.parametrize("sent", ["REVER\u017fE", "REVERSEPOS\u0131TION", "\uff30LACE", "CANCEL\u00a0x"])
def test_a_command_is_compared_without_case_in_ascii_only(sent: str) -> None:
    error = refused(InvalidValueError, {"command": sent})
    assert error.detail.startswith("command holds ")


def test_a_long_unknown_command_is_shown_short() -> None:
    assert len(refused(UnknownCommandError, {"command": "x" * 8000}).detail) < 600
    shown = "0123456789abcdef" * 4
    error = refused(UnknownCommandError, {"command": shown + "0"})
    assert error.detail.startswith(f"There is no command '{shown}': ")


@pytest.mark.parametrize("fields", [{}, {"order_id": "a1"}])
def test_an_alert_without_a_command_is_told_the_commands(fields: Fields) -> None:
    error = refused(MissingFieldError, fields)
    assert error.detail == f"There is no command: add command=... ({BUILT})."
    assert error.field == "command"


@pytest.mark.parametrize(
    ("sent", "on"),
    [("on", True), ("On", True), ("true", True), ("TRUE", True), ("off", False), ("OFF", False), ("False", False)],
)
def test_the_kill_switch_is_turned_by_an_alert_without_a_command(sent: str, on: bool) -> None:
    command, ignored = read_alert({"kill_switch": sent, "qty": "1"})
    assert (command, ignored) == (KillSwitch(kill_switch="on" if on else "off"), ["qty"])
    assert command.repeatable


@pytest.mark.parametrize("sent", ["y", "2", "of", "on off", "-1"])
def test_the_kill_switch_is_on_or_off_and_nothing_else(sent: str) -> None:
    error = refused(InvalidValueError, {"kill_switch": sent})
    assert (error.field, error.detail) == ("kill_switch", "kill_switch must be on or off.")


@pytest.mark.parametrize("alert", [CANCEL, MARKET], ids=["CANCEL", "PLACE"])
@pytest.mark.parametrize("sent", ["on", "off", "x"])
def test_a_kill_switch_beside_a_command_is_refused(alert: Fields, sent: str) -> None:
    error = refused(InvalidValueError, alert, {"kill_switch": sent})
    assert error.field == "kill_switch"
    assert (
        error.detail == "kill_switch goes without a command: send it in an alert of its own, with nothing but the key."
    )


def test_the_kill_switch_is_turned_at_once_or_not_at_all() -> None:
    error = refused(UnsupportedValueError, {"kill_switch": "on", "delay": "60"})
    assert (error.field, error.detail) == ("delay", "delay does not go with kill_switch; take it out.")


def test_the_kill_switch_is_not_a_command_by_its_own_word() -> None:
    refused(UnknownCommandError, {"command": "KILLSWITCH"})
    assert (*COMMANDS, "KILLSWITCH") == SCOPES


def test_only_what_can_open_no_position_passes_the_kill_switch() -> None:
    assert {word for word, kind in COMMANDS.items() if kind.risk_reducing} == {
        "CANCEL",
        "CANCELORDERS",
        "CANCELALLORDERS",
        "CLOSESTRATEGY",
        "CLOSEPOSITION",
        "FLATTEN",
        "FLATTENEVERYTHING",
        "CANCELANDBRACKET",
    }
    assert not any(kind.risk_reducing for kind in COMMANDS.values() if issubclass(kind, OpensPosition))


def test_only_a_cancel_is_carried_out_whatever_unknown_names_it_holds() -> None:
    assert [word for word, kind in COMMANDS.items() if kind.takes_unknown_names] == ["CANCEL"]


# Which fields

EVERY = {"notes", "delay"}
CANCEL_FIELDS = EVERY | {"order_id", "strategy_id"}
CONTROLS = set("rate_limit id start_time end_time closing_only_after bypass_trade_windows".split())
PLACE_FIELDS = CONTROLS | set(
    "account instrument action qty order_type tif limit_price stop_price oco_id order_id strategy strategy_id "
    "take_profit stop_loss stop_loss_limit stop_loss_stop notes delay cancel_after "
    "require_market_position max_positions reference_price".split()
)
OF_SYNC = {"market_position", "prev_market_position", "target_quantity"}
OF_PLACE_ALONE = OF_SYNC | {"flatten_first", "sync_strategy", "out_of_sync"}
FIELDS = {
    "CANCEL": CANCEL_FIELDS,
    "PLACE": PLACE_FIELDS | OF_PLACE_ALONE,
    "CANCELORDERS": EVERY | {"account", "instrument", "require_market_position"},
    "CANCELALLORDERS": EVERY,
    "CANCELREPLACE": PLACE_FIELDS,
    "CHANGE": CONTROLS | {"order_id", "strategy_id", "qty", "limit_price", "stop_price"} | EVERY,
    "CLOSESTRATEGY": EVERY | {"strategy_id"},
    "CLOSEPOSITION": EVERY | {"account", "instrument", "qty", "percent", "require_market_position"},
    "FLATTEN": EVERY | {"account", "instrument", "market_position", "require_market_position"},
    "FLATTENEVERYTHING": EVERY,
    "FLATPLACE": PLACE_FIELDS,
    "REVERSE": CONTROLS | EVERY | {"account", "instrument", "require_market_position"},
    "REVERSEPOSITION": PLACE_FIELDS,
    "CANCELANDBRACKET": EVERY
    | set(
        "account instrument action qty take_profit stop_loss stop_loss_limit stop_loss_stop "
        "require_market_position".split()
    ),
}
REQUIRED = [(CANCEL, "order_id"), *((MARKET, name) for name in MARKET if name != "command")]
OPTIONS = "flatten_first require_market_position max_positions sync_strategy".split()
CHANGE_WHAT_PLACE_DOES = {
    "percent": "is of CLOSEPOSITION, which closes that part of a position",
    **dict.fromkeys(["append_atm", "strategy_tag"], "is not available yet"),
}
OTHERS = sorted(KNOWN_NAMES - SYNONYMS.keys() - {"key", "command", "kill_switch"})


def test_the_commands_have_the_fields_of_the_language() -> None:
    assert {word: set(kind.alert_fields()) for word, kind in COMMANDS.items()} == FIELDS


@pytest.mark.parametrize(("alert", "name"), REQUIRED, ids=[f"{alert['command']} {name}" for alert, name in REQUIRED])
def test_a_required_field_that_is_missing_is_named(alert: Fields, name: str) -> None:
    error = refused(MissingFieldError, alert, {name: None})
    assert error.detail == f"{alert['command']} needs {name}: add {name}=..."
    assert error.field == name


def test_all_missing_fields_are_named_at_once() -> None:
    error = refused(MissingFieldError, {"command": "PLACE", "action": "BUY", "tif": "x"})
    assert error.detail == "PLACE needs account, instrument, qty, order_type: add account=..."
    assert error.field == "account"


@pytest.mark.parametrize("name", sorted(set(OTHERS) - CANCEL_FIELDS))
def test_a_known_field_that_cancel_does_not_use_is_ignored_and_named(name: str) -> None:
    command, ignored = read_alert({name: "anything"}, CANCEL)
    assert command == cancel()
    assert ignored == [name]


@pytest.mark.parametrize(
    "name", sorted(set(OTHERS) - PLACE_FIELDS - CHANGE_WHAT_PLACE_DOES.keys() - {*OPTIONS, "out_of_sync"})
)
def test_a_known_field_that_place_does_not_use_is_ignored_and_named(name: str) -> None:
    command, ignored = read_alert(MARKET, {name: "anything"})
    assert command == place()
    assert ignored == [name]


def test_ignored_fields_are_named_in_the_order_of_the_alert() -> None:
    alert: Fields = {"tif": "x", "order_id": "a1", "qty": "x", "command": "CANCEL", "account": "\0"}
    assert read_alert(alert)[1] == ["tif", "qty", "account"]


@pytest.mark.parametrize("name", CHANGE_WHAT_PLACE_DOES)
@pytest.mark.parametrize("value", ["true", "1", "50", "fal\u017fe", "n\u00f6", "00"])
def test_a_field_that_would_change_what_place_does_is_refused_not_ignored(name: str, value: str) -> None:
    error = refused(UnsupportedValueError, MARKET, {name: value})
    assert error.field == name
    assert error.detail == f"{name} {CHANGE_WHAT_PLACE_DOES[name]}; take it out."


@pytest.mark.parametrize("name", [*CHANGE_WHAT_PLACE_DOES, *OPTIONS])
@pytest.mark.parametrize("value", ["false", "False", "NO", "off"])
def test_a_field_that_is_switched_off_is_ignored(name: str, value: str) -> None:
    assert read_alert(MARKET, {name: value}) == (place(), [name])


@pytest.mark.parametrize(
    ("model", "field"), [(cancel(), "order_id"), (place(), "order_id"), (place().new_order, "account")]
)
def test_a_command_cannot_be_changed(model: BaseModel, field: str) -> None:
    with pytest.raises(ValidationError, match="Instance is frozen"):
        setattr(model, field, "b2")


@pytest.mark.parametrize(("kind", "alert"), [(Cancel, CANCEL), (Place, MARKET)])
def test_a_command_takes_no_field_that_is_not_its_own(kind: type[Command], alert: Fields) -> None:
    fields = {name: sent for name, sent in alert.items() if name != "command"}
    assert kind(**fields) == read_alert(alert)[0]
    with pytest.raises(
        ValidationError, match=r"^1 validation error for \w+\nnonsense\n  Extra inputs are not permitted"
    ):
        kind(**{**fields, "nonsense": "x"})


@pytest.mark.parametrize("kind", [Cancel, Place])
def test_what_pydantic_refuses_does_not_quote_the_value(kind: type[Command]) -> None:
    with pytest.raises(ValidationError) as refusal:
        kind(nonsense="c4n4ry")  # type: ignore[call-arg]
    assert "c4n4ry" not in str(refusal.value)


# Times

TIMES = {"delay": "a number of seconds up to 60", "cancel_after": "a whole number of minutes from 1 to 180"}
times = pytest.mark.parametrize(("alert", "name"), [(CANCEL, "delay"), (MARKET, "delay"), (MARKET, "cancel_after")])


@times
@pytest.mark.parametrize(("sent", "read_as"), [("1", 1), ("60", 60), ("07", 7), ("5.0", 5), ("0", 0), (None, 0)])
def test_a_time_is_a_whole_number_and_none_is_none(alert: Fields, name: str, sent: str | None, read_as: int) -> None:
    command, ignored = read_alert(alert, {name: sent})
    assert (getattr(command, name), ignored) == (read_as, [])


@times
@pytest.mark.parametrize("over", ["1", "0.1", "1000000"])
def test_a_time_that_is_too_long_is_refused(alert: Fields, name: str, over: str) -> None:
    most = {"delay": 60, "cancel_after": 180}[name]
    assert getattr(read_alert(alert, {name: str(most)})[0], name) == most
    sent = str(most + Decimal(over))
    error = refused(InvalidValueError, alert, {name: sent})
    assert (error.field, error.detail) == (name, f"{name} must be {TIMES[name]}; 0 means none.")


@times
@pytest.mark.parametrize("sent", ["-1", "+1", "1e1", "5s", "1,0", "true", "off"])
def test_a_time_that_is_not_a_number_is_refused(alert: Fields, name: str, sent: str) -> None:
    error = refused(InvalidValueError, alert, {name: sent})
    assert error.field == name
    assert error.detail.startswith(f"{name} must be {TIMES[name]}: ")


def test_neither_time_is_part_of_what_an_order_is() -> None:
    assert place(delay="5", cancel_after="7").new_order == place().new_order


# Ids, accounts, instruments

IDS = [(CANCEL, "order_id"), (CANCEL, "strategy_id"), *((MARKET, n) for n in ("order_id", "oco_id", "strategy_id"))]
LABELS = [(MARKET, name) for name in ("account", "instrument", "strategy")]

ALPHABET = set(map(chr, range(0x20, 0x7F))) - set(";=\"'\\<>&")
NOT_ASCII = set("\u0080\u00a0é\u0661\u212a\u202e\uff21\U0001f600")


def named(fields: list[tuple[Fields, str]]) -> pytest.MarkDecorator:
    ids = [f"{alert['command']} {name}" for alert, name in fields]
    return pytest.mark.parametrize(("alert", "name"), fields, ids=ids)


@named(IDS + LABELS)
def test_ids_and_labels_are_printable_ascii_but_for_eight_and_any_other_character_is_named(
    alert: Fields, name: str
) -> None:
    for character in map(chr, range(0x80)):
        if character in ALPHABET:
            command, _ = read_alert(alert, {name: f"x{character}y"})
            assert value(command, name) == f"x{character}y"
    for character in set(map(chr, range(0x80))) - ALPHABET - {"="} | NOT_ASCII:
        error = refused(InvalidValueError, alert, {name: f"x{character}y;"})
        assert error.detail.startswith(f"{name} holds ")
        assert f"(U+{ord(character):04X}) at position 2; " in error.detail
        assert error.field == name


@named(IDS + LABELS)
def test_ids_and_labels_have_at_most_64_characters_and_are_kept_as_sent(alert: Fields, name: str) -> None:
    longest = "aB" * 32
    assert value(read_alert(alert, {name: longest})[0], name) == longest
    error = refused(InvalidValueError, alert, {name: longest + "c"})
    assert error.detail == f"{name} has 65 characters; at most 64 are accepted: write a shorter one."
    assert error.field == name


@pytest.mark.parametrize("name", ["account", "instrument"])
@pytest.mark.parametrize("label", ["ES 12-26", "ES1!", "Sim101", "~", "a", "My  Sim"])
def test_a_label_as_ninjatrader_writes_it_is_kept_as_sent(name: str, label: str) -> None:
    assert value(place(**{name: label}), name) == label


# Order names

KINDS = ["ENTRY", "EXIT", "STOP", "SIMSTOP", "TARGET"]
PLAIN_IDS = "Stop-1 MYSTOP1 STOP1A STOP_1 STOP.1 ENTRY1-2 TARGETS1 TARGE1 1STOP1 ENTRYSTOP1 1 CANCEL a .".split()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", ["1", "9", "10", "123456789012345678901234567890"])
def test_an_order_name_is_read_in_capitals_whatever_the_case_of_its_letters(kind: str, number: str) -> None:
    name = kind + number
    for sent in (name, name.lower(), name.title()):
        command = cancel(order_id=sent, strategy_id="My.Strategy")
        assert command.order_name == command.order_id == name
        assert command.strategy_id == "My.Strategy"


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_name_without_its_strategy_is_refused(kind: str) -> None:
    error = refused(StrategyIdRequiredError, CANCEL, {"order_id": f"{kind.lower()}1"})
    assert error.detail == f"{kind}1 is an order name: add strategy_id=... of the strategy that it belongs to."
    assert error.field == "strategy_id"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", ["", "0", "00", "01", "007"])
@pytest.mark.parametrize("strategy_id", [None, "s1"])
def test_what_looks_like_an_order_name_and_is_not_one_is_refused(
    kind: str, number: str, strategy_id: str | None
) -> None:
    for sent in (kind + number, kind.lower() + number):
        error = refused(InvalidValueError, CANCEL, {"order_id": sent, "strategy_id": strategy_id})
        assert error.field == "order_id"
        assert error.detail == (
            f"order_id {sent} looks like an order name and is not one: a name ends in a number from 1 without leading "
            "zeros, such as TARGET1."
        )


@pytest.mark.parametrize("order_id", PLAIN_IDS)
@pytest.mark.parametrize("strategy_id", [None, "s1"])
def test_any_other_id_is_an_id_with_or_without_a_strategy(order_id: str, strategy_id: str | None) -> None:
    command = cancel(order_id=order_id, strategy_id=strategy_id)
    assert (command.order_id, command.strategy_id, command.order_name) == (order_id, strategy_id, None)


def test_cancel_can_be_repeated() -> None:
    assert cancel().repeatable is True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", ["", "0", "01", "1", "12"])
def test_place_takes_no_order_id_that_looks_like_an_order_name(kind: str, number: str) -> None:
    for sent in (kind + number, kind.lower() + number, kind.title() + number):
        error = refused(InvalidValueError, MARKET, {"order_id": sent})
        assert error.field == "order_id"
        assert error.detail == (
            "order_id looks like an order name (ENTRY, EXIT, STOP, SIMSTOP, TARGET and a number); choose another, such "
            f"as {sent}-{{{{timenow}}}}."
        )


@pytest.mark.parametrize("order_id", PLAIN_IDS)
def test_place_takes_every_other_id_that_cancel_takes(order_id: str) -> None:
    assert place(order_id=order_id).order_id == order_id


# Words

WORDS = {
    "action": ["BUY", "SELL"],
    "order_type": ["MARKET", "LIMIT", "STOPMARKET", "STOPLIMIT"],
    "tif": ["DAY", "GTC"],
}
PRICES_OF = {
    "MARKET": [],
    "LIMIT": ["limit_price"],
    "STOPMARKET": ["stop_price"],
    "STOPLIMIT": ["limit_price", "stop_price"],
}


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, words in WORDS.items() for word in words])
def test_a_word_is_read_in_capitals_whatever_the_case_of_its_letters(name: str, word: str) -> None:
    prices = dict.fromkeys(PRICES_OF.get(word, []), "5000")
    for sent in (word, word.lower(), word.title()):
        assert value(place(**prices, **{name: sent}), name) == word


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("action", "FLAT"),
        ("action", "LMT"),
        ("action", "BUY SELL"),
        ("action", "STOP"),
        ("order_type", "LONG"),
        ("tif", "IOC"),
        ("tif", "true"),
    ],
)
def test_any_other_word_is_refused_with_the_words_that_there_are(name: str, sent: str) -> None:
    error = refused(InvalidValueError, MARKET, {name: sent})
    assert error.detail == f"{name} must be {' or '.join(WORDS[name])}."
    assert error.field == name


@pytest.mark.parametrize(
    ("name", "sent", "word"),
    [
        ("action", "long", "BUY"),
        ("action", "SHORT", "SELL"),
        ("order_type", "MKT", "MARKET"),
        ("order_type", "LMT", "LIMIT"),
        ("order_type", "stop", "STOPMARKET"),
        ("order_type", "Stop Limit", "STOPLIMIT"),
    ],
)
def test_another_services_word_is_refused_with_the_word_to_use(name: str, sent: str, word: str) -> None:
    hint = f"({sent.upper()} is written {word})"
    assert (
        refused(InvalidValueError, MARKET, {name: sent}).detail == f"{name} must be {' or '.join(WORDS[name])} {hint}."
    )


# Numbers

PRICED: Mapping[str, Fields] = {
    "limit_price": {"order_type": "LIMIT"},
    "stop_price": {"order_type": "STOPMARKET"},
    "take_profit": {},
    "stop_loss": {},
    "stop_loss_limit": {},
    "stop_loss_stop": {"stop_loss_limit": "0.00000001"},
}

NO_NUMBERS = [
    *("1,5", "1,000.50", "1.000,50", "5e3", "5E3", "1e400", "NaN", "nan", "Infinity", "inf", "-Infinity"),
    *(
        "-1",
        "+1",
        "-0",
        "--1",
        "1.2.3",
        "1..2",
        ".",
        ".5",
        "5.",
        "1_000",
        "1 000",
        "0x10",
        "true",
        "five",
        "5000 or so",
    ),
]
RELATIVE = [
    *("-2.5%", "2.5%", "+1 %", "12 ticks", "12ticks", "1 tick", "-12 TICKS", "5 points", "1 Point", "-0.25 pts"),
    *("1 pt", "$50", "$1.50", "50$", "-1.5 $"),
]

each_price = pytest.mark.parametrize("name", PRICED)


@each_price
@pytest.mark.parametrize(
    "sent",
    [
        "5000",
        "5000.25",
        "1.10",
        "0.00000001",
        "0.12345678",
        "007.50",
        "999999999999",
        "999999999999.99999999",
    ],
)
def test_a_price_is_an_exact_decimal(name: str, sent: str) -> None:
    price = value(place(**PRICED[name], **{name: sent}), name)
    assert isinstance(price, Decimal)
    assert str(price) == str(Decimal(sent))


@each_price
@pytest.mark.parametrize("sent", NO_NUMBERS)
def test_a_price_that_is_not_a_plain_decimal_is_refused(name: str, sent: str) -> None:
    error = refused(InvalidValueError, MARKET, PRICED[name], {name: sent})
    assert error.field == name
    assert error.detail == (
        f"{name} must be a price such as 5000.25: at most 12 digits before the point, no comma, no sign and "
        "no exponent."
    )


@pytest.mark.parametrize("name", ["limit_price", "stop_price"])
@pytest.mark.parametrize("sent", RELATIVE)
def test_a_price_that_needs_a_quote_is_unsupported(name: str, sent: str) -> None:
    error = refused(UnsupportedValueError, MARKET, PRICED[name], {name: sent})
    assert error.field == name
    assert error.detail == (
        f"{name} counts from reference_price, for there are no quotes here: add reference_price={{{{close}}}}, or give "
        "a price such as 5000.25."
    )


@pytest.mark.parametrize("sent", ["12 tic\u212as", "12 tick\u017f", "5 po\u0131nts", "%", "five %", "1 5%"])
def test_what_only_resembles_a_price_that_needs_a_quote_is_not_a_price(sent: str) -> None:
    refused(InvalidValueError, MARKET, {"stop_loss": sent})


@each_price
@pytest.mark.parametrize("sent", ["1" * 13, pytest.param("9" * 5000, id="5000")])
def test_a_number_with_more_digits_than_are_kept_is_told_how_many_are(name: str, sent: str) -> None:
    error = refused(InvalidValueError, MARKET, PRICED[name], {name: sent})
    assert error.field == name
    assert "12 digits before the point" in error.detail


@pytest.mark.parametrize("zero", ["0", "0.0", "00.000"])
def test_a_price_of_zero_is_none_but_for_a_leg(zero: str) -> None:
    assert place(limit_price=zero, stop_price=zero) == place()
    assert refused(InvalidValueError, MARKET, {"stop_loss": zero}).detail == (
        "stop_loss is 0, which is not a price; give it one, or take it out."
    )


@pytest.mark.parametrize(("sent", "qty"), [("1", 1), ("12", 12), ("1.0", 1), ("007", 7), ("1000000", 1_000_000)])
def test_a_quantity_is_a_whole_number_from_one(sent: str, qty: int) -> None:
    read_qty = place(qty=sent).new_order.qty
    assert (type(read_qty), read_qty) == (int, qty)


@pytest.mark.parametrize("sent", ["0", "0.0", "0.5", "1.5", "1000001", "9" * 12])
def test_a_quantity_out_of_bounds_or_of_parts_is_refused(sent: str) -> None:
    error = refused(InvalidValueError, MARKET, {"qty": sent})
    assert (error.field, error.detail) == ("qty", "qty must be a whole number from 1 to 1000000.")


@pytest.mark.parametrize("sent", [*NO_NUMBERS, *RELATIVE, "9" * 100])
def test_any_other_quantity_is_refused(sent: str) -> None:
    error = refused(InvalidValueError, MARKET, {"qty": sent})
    assert error.field == "qty"
    assert error.detail == (
        "qty must be a whole number from 1: at most 12 digits before the point, no comma, no sign and no exponent."
    )


# Prices by order type

GIVEN: Mapping[str, str | None] = {"absent": None, "zero": "0", "given": "5000"}


@pytest.mark.parametrize("order_type", PRICES_OF)
@pytest.mark.parametrize("limit", GIVEN)
@pytest.mark.parametrize("stop", GIVEN)
def test_an_order_has_the_prices_of_its_type_and_no_others(order_type: str, limit: str, stop: str) -> None:
    presence = {"limit_price": limit, "stop_price": stop}
    fields = {"order_type": order_type} | {name: GIVEN[how] for name, how in presence.items()}
    missing = [name for name, how in presence.items() if name in PRICES_OF[order_type] and how != "given"]
    extra = [name for name, how in presence.items() if name not in PRICES_OF[order_type] and how == "given"]
    if not missing and not extra:
        order = place(**fields).new_order
        assert {name for name in presence if getattr(order, name) is not None} == set(PRICES_OF[order_type])
    elif missing and (not extra or missing < extra):
        error: OrderhookError = refused(MissingFieldError, MARKET, fields)
        assert error.field == missing[0]
        assert error.detail == f"A {order_type} order needs {missing[0]}=... above 0."
    else:
        error = refused(InvalidValueError, MARKET, fields)
        assert error.field == extra[0]
        protects = ", or write stop_loss for a stop that protects it" if extra[0] == "stop_price" else ""
        assert error.detail == f"A {order_type} order takes no {extra[0]}; take it out{protects}."


# Legs

LEG_PRICES = ["take_profit", "stop_loss", "stop_loss_limit"]


def test_a_stop_loss_and_a_stop_loss_limit_exclude_each_other() -> None:
    error = refused(InvalidValueError, MARKET, {"stop_loss": "4990", "stop_loss_limit": "4980"})
    assert (error.field, error.detail) == ("stop_loss_limit", "Give stop_loss or stop_loss_limit, not both.")


@pytest.mark.parametrize("stop_loss", [None, "4990"])
def test_a_stop_loss_stop_needs_its_limit(stop_loss: str | None) -> None:
    fields = {"stop_loss_stop": "4985", "stop_loss": stop_loss}
    error = refused(MissingFieldError, MARKET, fields)
    assert (error.field, error.detail) == (
        "stop_loss_limit",
        "stop_loss_stop needs stop_loss_limit=... beside it.",
    )


@pytest.mark.parametrize("name", [*LEG_PRICES, "stop_loss_stop"])
def test_a_template_excludes_legs_of_the_alerts_own(name: str) -> None:
    error = refused(InvalidValueError, MARKET, {"strategy": "scalp", name: "5000"})
    assert (error.field, error.detail) == (
        name,
        f"The template brings its own legs: take out {name}, or strategy.",
    )
    assert place(strategy="scalp").new_order.strategy == "scalp"


LEVELS = [
    {"stop_loss": "4990", "take_profit": "5010"},
    {"stop_loss": "4990", "limit_price": "5000"},
    {"limit_price": "5000", "take_profit": "5010"},
    {"stop_loss": "4990", "limit_price": "5000", "take_profit": "5010"},
    {"stop_loss_limit": "4990", "limit_price": "5000", "take_profit": "5010"},
    {"stop_loss_limit": "4990", "limit_price": "5000"},
    {"stop_loss_stop": "4990", "stop_loss_limit": "4989", "take_profit": "5010"},
    {"stop_loss": "4990", "stop_price": "5000", "take_profit": "5010"},
    {"stop_loss": "4990", "stop_price": "5000", "limit_price": "5001", "take_profit": "5010"},
    {"stop_loss": "999", "limit_price": "1000", "take_profit": "10000"},
]
BY_PRICES = {tuple(names): order_type for order_type, names in PRICES_OF.items()}


def with_levels(levels: Fields, action: str) -> Fields:
    prices = tuple(name for name in ("limit_price", "stop_price") if name in levels)
    return {**levels, "action": action, "order_type": BY_PRICES[prices]}


@pytest.mark.parametrize("levels", LEVELS, ids=" ".join)
def test_the_stop_loss_lies_on_the_losing_side_and_the_take_profit_on_the_winning(levels: Fields) -> None:
    order = place(**with_levels(levels, "BUY")).new_order
    assert {name: str(getattr(order, name)) for name in levels} == levels
    error = refused(InvalidValueError, MARKET, with_levels(levels, "SELL"))
    assert error.field in levels
    assert "correct one of them" in error.detail


@pytest.mark.parametrize(
    "levels",
    [
        {"stop_loss": "5005", "limit_price": "5000", "take_profit": "5010"},
        {"stop_loss": "5005", "stop_price": "5000", "take_profit": "5010"},
        {"stop_loss_limit": "5005", "limit_price": "5000", "take_profit": "5010"},
        {"stop_loss_limit": "4990", "stop_loss_stop": "5005", "limit_price": "5000", "take_profit": "5010"},
        {"stop_loss_limit": "4990", "stop_loss_stop": "5005", "limit_price": "5000"},
        {"stop_loss": "4990", "limit_price": "5000", "take_profit": "4995"},
        {"stop_price": "5000", "take_profit": "4995"},
    ],
    ids=" ".join,
)
def test_a_single_price_on_the_wrong_side_is_enough(levels: Fields) -> None:
    assert refused(InvalidValueError, MARKET, with_levels(levels, "BUY")).field in {*LEG_PRICES, "stop_loss_stop"}


def test_for_a_sell_it_is_the_other_way_round() -> None:
    levels = {"stop_loss": "5010", "limit_price": "5000", "take_profit": "4990"}
    assert place(**with_levels(levels, "SELL")).new_order.stop_loss == 5010
    error = refused(InvalidValueError, MARKET, with_levels(levels, "BUY"))
    assert error.detail == "take_profit=4990 must lie above stop_loss=5010 for a BUY; correct one of them."


# Running twice


def test_only_a_place_with_an_order_id_can_be_repeated() -> None:
    assert place(order_id="a1").repeatable
    assert not place(strategy_id="s1").repeatable


FULL: Fields = {
    **MARKET,
    "order_type": "STOPLIMIT",
    "limit_price": "5000.50",
    "stop_price": "5000.25",
    "oco_id": "o1",
    "order_id": "a1",
    "strategy_id": "s1",
    "take_profit": "5010",
    "stop_loss_limit": "4980",
    "stop_loss_stop": "4985",
}


def placed(*fields: Fields) -> Mapping[str, str]:
    """Return what the order of a PLACE is compared by, and remembers that it was placed with, but for its ids."""
    command, _ = read_alert(*fields)
    assert isinstance(command, Place)
    return command.new_order.texts()


@pytest.mark.parametrize(
    "spelling",
    [
        {"qty": "1.0"},
        {"qty": "001"},
        {"limit_price": "5000.5"},
        {"limit_price": "05000.50000000"},
        {"limit_price": "5000.500000001"},
        {"account": "sim101"},
        {"instrument": "es   12-26"},
        {"take_profit": "5010.0"},
        {"action": "buy", "order_type": "StopLimit", "tif": "day", "command": "place"},
        {"notes": "the same order", "id": "7"},
        {"rate_limit": "1", "id": "7"},
        {"start_time": "9:30", "end_time": "16:00", "closing_only_after": "15:45"},
        {"start_time": "9:30", "bypass_trade_windows": "true"},
        {"delay": "5", "cancel_after": "10"},
    ],
)
def test_two_spellings_of_an_order_are_one(spelling: Fields) -> None:
    assert placed(FULL, spelling) == placed(FULL)


def test_an_order_does_not_depend_on_the_order_of_the_fields() -> None:
    assert placed(dict(reversed(list(FULL.items())))) == placed(FULL)


CHANGES: list[Fields] = [
    {"account": "Sim102"},
    {"instrument": "ES 03-27"},
    {"action": "SELL", "take_profit": None, "stop_loss_limit": None, "stop_loss_stop": None},
    {"take_profit": None, "stop_loss_limit": None, "stop_loss_stop": None},
    {"qty": "10"},
    {"tif": "GTC"},
    {"limit_price": "5000.51"},
    {"limit_price": "5000.05"},
    {"stop_price": "5000.26"},
    {"order_type": "LIMIT", "stop_price": None},
    {"order_type": "STOPMARKET", "limit_price": None},
    {"order_type": "MARKET", "limit_price": None, "stop_price": None},
    {"oco_id": "O1"},
    {"oco_id": None},
    {"take_profit": "5010.00000001"},
    {"take_profit": None},
    {"stop_loss_limit": "4981"},
    {"stop_loss_stop": None},
    {"stop_loss_stop": "4980"},
    {"stop_loss_limit": None, "stop_loss_stop": None, "stop_loss": "4980"},
    {"strategy": "scalp", "take_profit": None, "stop_loss_limit": None, "stop_loss_stop": None},
]


def test_every_change_of_an_order_makes_another() -> None:
    orders = [placed(FULL), *(placed(FULL, change) for change in CHANGES)]
    assert len({tuple(sorted(order.items())) for order in orders}) == len(orders)


@settings(deadline=None)
@given(st.decimals(min_value="0.00000001", max_value=10**10, places=8), st.integers(0, 8), st.integers(0, 1))
def test_a_price_is_one_however_it_is_spelt(price: Decimal, places: int, zeros: int) -> None:
    shortest = f"{price.normalize():f}"
    longer = "0" * zeros + f"{price:.{max(places, len(shortest.partition('.')[2]))}f}"
    limit: Fields = {**MARKET, "order_type": "LIMIT"}
    assert placed(limit, {"limit_price": longer}) == placed(limit, {"limit_price": shortest})
