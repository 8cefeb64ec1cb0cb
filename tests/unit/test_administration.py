"""What an operator may type as a template."""

from decimal import Decimal

import pytest

from orderhook.administration import make_template
from orderhook.errors import InvalidValueError
from orderhook.orders import Bracket, Template


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
def test_anything_else_is_refused_as_a_bracket(bracket: str) -> None:
    with pytest.raises(InvalidValueError):
        make_template("name", [bracket])


@pytest.mark.parametrize("name", ["", "a;b", "a=b", "é", "x" * 65, "a\nb"])
def test_a_template_is_named_by_the_rule_of_the_field_strategy(name: str) -> None:
    with pytest.raises(InvalidValueError):
        make_template(name, ["1:1:1"])


def test_a_template_has_at_most_twenty_brackets() -> None:
    assert len(make_template("name", ["1:1:1"] * 20).brackets) == 20
    for brackets in ([], ["1:1:1"] * 21):
        with pytest.raises(InvalidValueError, match="from 1 to 20"):
            make_template("name", brackets)


def test_a_template_of_ninjatraders_own_has_a_name_and_no_brackets() -> None:
    assert make_template("ES scalp", [], ninjatrader=True) == Template("ES scalp", ninjatrader=True)
    with pytest.raises(InvalidValueError, match="leave --bracket out"):
        make_template("ES scalp", ["1:10:5"], ninjatrader=True)
    with pytest.raises(InvalidValueError, match="or --ninjatrader"):
        make_template("ES scalp", [])
