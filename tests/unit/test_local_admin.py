"""What may be typed as a template, and how an alert gets its key."""

import json
from decimal import Decimal

import pytest

from cli.admin import make_template
from cli.aws import demo
from cli.send import with_key
from orderhook import payload
from orderhook.errors import InvalidValueError
from orderhook.keys import key_id_of
from orderhook.orders import Bracket


def test_a_bracket_is_a_quantity_a_target_and_a_stop() -> None:
    assert make_template("two brackets", ["1:10:2.25", "2::5", "3:0.5:"]).brackets == (
        Bracket(qty=1, target=Decimal("10"), stop=Decimal("2.25")),
        Bracket(qty=2, stop=Decimal("5")),
        Bracket(qty=3, target=Decimal("0.5")),
    )


@pytest.mark.parametrize(
    "bracket",
    "1 1:10 1:10:5:2 1:: :10:5 0:10:5 1.5:10:5 -1:10:5 1:0:5 1:0.0:5 1:-1:5 1:1e1:5 1:10,5:5 1:NaN:5 1:10:x 1:٣:5 "
    "1000001:1:1".split(),
)
def test_what_is_no_bracket_is_refused(bracket: str) -> None:
    with pytest.raises(InvalidValueError):
        make_template("name", [bracket])


@pytest.mark.parametrize("name", ["", "a;b", "a=b", "é", "x" * 65, "a\nb"])
def test_a_template_is_named_by_the_rule_of_the_field_strategy(name: str) -> None:
    with pytest.raises(InvalidValueError):
        make_template(name, ["1:1:1"])


def test_a_template_fits_into_one_transaction_with_its_entry_and_strategy() -> None:
    assert 2 * len(make_template("name", ["1:1:1"] * 40).brackets) + 2 <= 100
    for brackets in ([], ["1:1:1"] * 41):
        with pytest.raises(InvalidValueError, match="from 1 to 40"):
            make_template("name", brackets)


@pytest.mark.parametrize(
    "text", ["command=CANCEL;order_id=a", '{"command": "CANCEL", "order_id": "a"}', ' {"a": 1.10}', "{}", "{ }", ""]
)
def test_an_alert_without_a_key_gets_one_and_is_else_unchanged(text: str) -> None:
    before = payload.split(text.encode()).pairs
    assert payload.split(with_key(text.encode(), demo.KEY)).pairs == (("key", demo.KEY), *before)
    if text.strip().startswith("{"):
        json.loads(with_key(text.encode(), demo.KEY))


@pytest.mark.parametrize("text", ["KEY = own;command=CANCEL", '{"Key": "own"}'])
def test_an_alert_keeps_the_key_that_it_has(text: str) -> None:
    assert with_key(text.encode(), demo.KEY) == text.encode()


def test_the_demo_keys_have_the_form_of_issued_ones() -> None:
    assert key_id_of(demo.KEY) == demo.KEY_ID
    assert key_id_of(demo.WRONG_KEY) not in (None, demo.KEY_ID)
