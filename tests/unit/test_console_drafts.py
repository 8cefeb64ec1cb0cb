"""A draft of the builder: its text, what the webhook would make of it, and what is wrong with it."""

from datetime import UTC, date, datetime

import pytest

from orderhook import keys, payload
from orderhook.console.drafts import (
    KEY_LINE,
    REAL_KEY,
    Draft,
    Preview,
    companions,
    draft_of,
    holds_key,
    preview,
    text_of,
)
from orderhook.console.fields import FIELDS, KINDS, places
from orderhook.console.placeholders import BASE, SAYS, Firing, fill_in, is_of, unknown
from orderhook.explain import explain
from orderhook.venues import NINJATRADER, TABLE, Venue
from tests.alerts_of_builder import CASES, Case, needed

NOW = datetime(2026, 3, 4, 15, 30, 5, tzinfo=UTC)
KEY = keys.issue(trader="t", label="l", scopes=frozenset(), created="")[0]
OTHER_KEY = KEY.replace("ohk_", "oht_")
ENTRY = needed("PLACE")


def place(*, of: str = "strategy", venue: Venue = TABLE, **values: str) -> Preview:
    return preview(draft_of(of, "PLACE", ENTRY | values), venue, NOW)


def told(read: Preview, field: str) -> str:
    return " ".join(it.detail for it in (*read.faults, *read.warnings) if it.field == field)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_text_of_every_command_and_option_is_right(case: Case) -> None:
    read = preview(case.draft, case.venue, NOW)
    assert read.faults == ()
    split = payload.split(read.text.encode())
    assert split.fault is None
    own = {name: value for name, value in split.pairs if name not in ("key", "command")}
    assert own == dict(case.draft.values)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_text_as_it_will_fire_is_what_the_webhook_accepts(case: Case) -> None:
    for hour in (15, 16):
        firing = Firing(NOW.replace(hour=hour), case.draft.values.get("action") != "SELL")
        text = text_of(case.command, fill_in(case.draft.values, firing)).replace("your-secret-key", KEY)
        assert explain(text.encode(), venue=case.venue, on=date(2026, 3, 4)).faults == []


def test_every_text_has_the_words_for_the_key_and_no_key() -> None:
    text = place().text
    assert text.startswith(f"{KEY_LINE}\n")
    assert "ohk_" not in text


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    "secret",
    [KEY, OTHER_KEY, KEY[:30], OTHER_KEY[:24], KEY.upper(), KEY.replace("_", "%5F"), f"my {KEY}"],
    ids=["key", "of the API", "a part", "a part of the other", "in capitals", "encoded", "behind words"],
)
def test_a_key_in_any_field_is_told_and_goes_nowhere(name: str, secret: str) -> None:
    word = next(word for word in KINDS if name in [it.name for it in places(word)])
    read = preview(Draft("strategy", word, needed(word) | {name: secret}), NINJATRADER, NOW)
    assert [(it.field, it.detail) for it in read.faults] == [(name, REAL_KEY)]
    assert secret not in repr(read)
    assert read.text == ""


def test_what_only_looks_like_the_word_for_a_key_is_no_key() -> None:
    assert not holds_key("your-secret-key")
    assert not holds_key("cash_flow_ohk")


@pytest.mark.parametrize("value", ["x; action=SELL", "x\naction=SELL", "x\r\ncommand=CANCELALLORDERS", ";", "a;b"])
@pytest.mark.parametrize("name", ["account", "notes", "order_id", "strategy_id", "limit_price"])
def test_a_value_that_would_end_its_field_is_refused(name: str, value: str) -> None:
    read = preview(draft_of("strategy", "PLACE", ENTRY | {name: value}), TABLE, NOW)
    assert [it.field for it in read.faults] == [name]
    assert read.text == ""


def test_what_is_missing_is_told_of_each_field() -> None:
    read = preview(draft_of("strategy", "PLACE", {}), TABLE, NOW)
    required = {it.name for it in places("PLACE") if it.required}
    assert {it.field for it in read.faults} == required


# Placeholders


def test_each_placeholder_of_the_list_is_one_that_is_filled_in() -> None:
    assert {name for name in payload.PLACEHOLDERS if name not in SAYS} == set()
    assert all(map(payload.is_filled_in, SAYS))


@pytest.mark.parametrize("name", SAYS)
def test_a_placeholder_of_a_strategy_is_known_in_its_alerts_alone(name: str) -> None:
    assert is_of("strategy", name)
    assert is_of("indicator", name) != name.startswith("strategy.")
    assert list(unknown("strategy", f"{{{{{name}}}}}")) == []
    assert len(list(unknown("indicator", f"{{{{{name}}}}}"))) == name.startswith("strategy.")


@pytest.mark.parametrize("name", SAYS)
def test_every_placeholder_becomes_something(name: str) -> None:
    filled = fill_in({"notes": f"a {{{{{name}}}}} b"}, Firing(NOW))["notes"]
    assert "{{" not in filled
    assert filled != "a  b"


def test_a_placeholder_is_one_value_wherever_it_stands() -> None:
    filled = fill_in(
        {"limit_price": "{{close}}", "notes": "{{close}} {{plot_3}}", "stop_loss": "{{plot_3}}"}, Firing(NOW)
    )
    assert filled["notes"].split()[0] == filled["limit_price"] == str(BASE)
    assert filled["notes"].split()[1] == filled["stop_loss"]


@pytest.mark.parametrize(
    ("value", "way_out"),
    [
        ("{{closed}}", "knows no {{closed}}"),
        ("{{Close}}", "{{close}}"),
        ("{{ close }}", "{{close}}"),
        ("{{plot_20}}", "plot_20"),
    ],
)
def test_a_placeholder_that_nobody_fills_in_is_an_error(value: str, way_out: str) -> None:
    read = place(limit_price=value)
    assert not read.is_right
    assert way_out in told(read, "limit_price")


def test_a_placeholder_of_strategies_is_an_error_in_an_indicators_alert() -> None:
    assert place(of="strategy", action="{{strategy.order.action}}").is_right
    read = place(of="indicator", action="{{strategy.order.action}}")
    assert not read.is_right
    assert "strategy only" in told(read, "action")


# Two firings


@pytest.mark.parametrize(
    ("order_id", "code"),
    [
        ("es-long-{{timenow}}", None),
        ("{{strategy.order.id}}-{{timenow}}", None),
        ("es-long", "serves_once"),
        ("es-{{close}}", "may_repeat"),
        ("{{strategy.order.id}}", "may_repeat"),
        ("{{ticker}}-{{plot_0}}", "may_repeat"),
        ("es-{{time}}", "may_repeat"),
    ],
)
def test_an_id_that_two_firings_may_share_is_warned_of(order_id: str, code: str | None) -> None:
    read = place(order_id=order_id)
    assert read.is_right
    assert next((it.code for it in read.warnings if it.field == "order_id"), None) == code
    assert bool(read.offer) == (code is not None)


@pytest.mark.parametrize("order_id", ["es-long", "es-{{close}}", "{{strategy.order.id}}", "", "-{{plot_0}}"])
def test_the_id_that_is_offered_serves_every_day(order_id: str) -> None:
    offer = place(order_id=order_id).offer
    read = place(order_id=offer["order_id"], strategy_id=offer["strategy_id"])
    assert read.is_right
    assert read.warnings == ()
    first, later = read.fired
    assert first.values["order_id"] != later.values["order_id"]
    assert first.values["strategy_id"] == later.values["strategy_id"]


def test_an_order_without_an_id_is_warned_of() -> None:
    read = place(order_id="")
    assert [it.code for it in read.warnings] == ["no_order_id"]


def test_it_is_read_twice_an_hour_apart() -> None:
    first, later = place(action="{{strategy.order.action}}", stop_loss="{{plot_0}}").fired
    assert (later.at - first.at).total_seconds() == 3600
    assert "place BUY 1" in first.verdict
    assert "place SELL 1" in later.verdict


def test_a_price_that_is_written_out_and_may_cross_is_warned_of() -> None:
    assert place(stop_loss="{{plot_0}}").warnings == ()
    assert [it.field for it in place(stop_loss="4990").warnings] == ["stop_loss"]
    assert place(limit_price="5000", stop_loss="4990").warnings == ()


def test_prices_that_always_cross_are_an_error() -> None:
    assert not place(stop_loss="{{close}}").is_right
    assert not place(limit_price="5000", stop_loss="5010").is_right


@pytest.mark.parametrize("stop", ["18000", "1.0845", "4990"])
def test_the_example_fits_the_prices_that_are_written_out(stop: str) -> None:
    read = place(stop_loss=stop)
    assert read.is_right
    assert read.fired[0].faults == ()


def test_what_a_script_writes_itself_is_not_called_wrong() -> None:
    read = place(order_type="{{strategy.order.comment}}")
    assert read.is_right
    assert "your script decides" in told(read, "order_type")


def test_a_quantity_that_is_a_price_is_an_error() -> None:
    assert not place(qty="{{close}}").is_right


def test_without_a_venue_what_needs_one_is_an_error() -> None:
    assert not place(flatten_first="true").is_right
    assert place(venue=NINJATRADER, flatten_first="true").is_right


# Beside it


def test_beside_an_entry_stand_the_texts_that_cancel_and_change_it() -> None:
    draft = draft_of("strategy", "PLACE", ENTRY | {"strategy_id": "es", "stop_loss": "{{plot_0}}", "account": "A,B"})
    texts = [text for _, text in companions(draft)]
    assert [text.split("\n")[1] for text in texts] == ["command=CANCEL;", "command=CHANGE;", "command=CHANGE;"]
    for text in texts:
        assert "strategy_id=es;" in text
        assert "account=A,B;" in text
        split = payload.split(text.encode())
        _, pairs = payload.take_keys(split.pairs)
        fields = {name: str(value) for name, value in pairs}
        assert preview(draft_of("strategy", fields["command"], fields), TABLE, NOW).is_right


def test_no_text_is_offered_for_an_order_that_no_fixed_text_reaches() -> None:
    assert list(companions(draft_of("strategy", "PLACE", ENTRY))) == []
