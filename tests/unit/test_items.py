from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from orderhook.keys import Key
from orderhook.orders import Bracket, Event, Order, OrderState, Provenance, Strategy, StrategyState, Template
from orderhook.store import items

NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(-(10**12), 10**12, allow_nan=False, places=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | NUMBERS | st.binary(),
    lambda members: st.lists(members) | st.dictionaries(st.text(min_size=1), members),
)


@given(VALUES)
def test_values_get_the_types_that_boto3_gives_them(value: Any) -> None:
    typed = TypeSerializer().serialize(value)
    assert serialize({"it": [value]}) == {"it": {"L": [typed]}}


@given(VALUES)
def test_values_come_back_as_boto3_brings_them_back(value: Any) -> None:
    typed = TypeSerializer().serialize(value)
    assert deserialize({"it": typed})["it"] == TypeDeserializer().deserialize(typed) == value


def test_absent_values_are_left_out() -> None:
    assert serialize({"there": "x", "absent": None}) == {"there": {"S": "x"}}


@given(st.frozensets(st.integers(-(10**30), 10**30), min_size=1))
def test_a_set_of_numbers_gets_the_type_that_boto3_gives_it_and_comes_back(value: frozenset[int]) -> None:
    typed = serialize({"it": value})["it"]
    theirs = TypeSerializer().serialize(set(value))
    assert {kind: sorted(numbers) for kind, numbers in typed.items()} == {"NS": sorted(theirs["NS"])}
    assert deserialize({"it": typed})["it"] == TypeDeserializer().deserialize(typed) == value


@pytest.mark.parametrize(("value", "kind"), [(1.5, "float"), ({"a", "b"}, "set"), (object(), "object")])
def test_a_value_that_no_item_holds_is_a_defect(value: object, kind: str) -> None:
    with pytest.raises(TypeError, match=f"^{kind} has no place in an item$"):
        serialize({"it": value})


def test_a_type_that_no_item_holds_is_a_defect() -> None:
    with pytest.raises(TypeError, match=r"^SS has no place in an item$"):
        deserialize({"it": {"SS": ["a"]}})


def test_a_price_stays_exact() -> None:
    assert deserialize(serialize({"price": Decimal("5000.250")})) == {"price": Decimal("5000.25")}


# The form in which everything lies in the table. A deployed table holds items of this form: who changes it must still
# be able to read them.

AT = "2026-01-02T03:04:05.000006Z"
LATER = "2026-01-02T03:04:06.000000Z"
STAMP = Provenance(trader="ada", key_id="k1", request_id="r2", at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))


def test_the_keys_of_the_items_are_these() -> None:
    assert items.order_key("ada", "a1") == {"pk": "TRADER#ada", "sk": "ORDER#a1"}
    assert items.strategy_key("ada", "s1") == {"pk": "TRADER#ada", "sk": "STRATEGY#s1"}
    assert items.template_key("ada", "scalp") == {"pk": "TRADER#ada", "sk": "TEMPLATE#scalp"}
    assert items.key_key("k1") == {"pk": "KEY#k1", "sk": "KEY"}
    assert items.KEY_LIST == "KEYS"
    assert items.controls_key("ada") == {"pk": "TRADER#ada", "sk": "CONTROLS"}
    assert items.rate_key("ada", "scalper") == {"pk": "RATE#ada", "sk": "scalper"}


def test_every_attribute_of_an_expression_has_an_alias() -> None:
    assert items.aliases("SET #state = :new, #open = :gone", "#state = :old AND attribute_exists(#key_id)") == {
        "#state": "state",
        "#open": "open",
        "#key_id": "key_id",
    }
    assert items.aliases("contains(:some, :one)") == {}


def test_the_index_of_open_orders_goes_by_account_then_instrument() -> None:
    assert items.open_prefix("Sim101") == "Sim101#"
    assert items.open_prefix("Sim101", "ES 12-26") == "Sim101#ES 12-26#"


def test_no_account_can_pass_for_another_and_an_instrument() -> None:
    assert items.open_prefix("a#b") == "a%23b#"
    assert items.open_prefix("a%23b", "100%#1") == "a%2523b#100%25%231#"


ORDER = Order(
    order_id="a1",
    account="Sim101",
    instrument="ES 12-26",
    action="BUY",
    qty=5,
    order_type="STOPLIMIT",
    tif="DAY",
    state=OrderState.PART_FILLED,
    since=LATER,
    limit_price=Decimal("5000.25"),
    stop_price=Decimal(5000),
    offset=Decimal("1.5"),
    oco_id="o1",
    strategy_id="s1",
    order_name="ENTRY1",
    legs={"STOP1": "a2"},
    filled=2,
    content="c0ffee",
    cancelled_at=AT,
    cancel_request_id="r0",
    cancel_key_id="k0",
    cancel_filled=1,
    history=(
        Event(OrderState.WORKING, AT, "r1", "k1", {"qty": "5"}),
        Event(OrderState.PART_FILLED, LATER, "r2", "k2"),
        Event(None, LATER, "r3", "k2", {"qty": "6"}),
    ),
    version=7,
)
"""An order that has every field, which no single order has."""

ORDER_ITEM = {
    "pk": {"S": "TRADER#ada"},
    "sk": {"S": "ORDER#a1"},
    "open": {"S": "Sim101#ES 12-26#a1"},
    "request_id": {"S": "r2"},
    "order_id": {"S": "a1"},
    "account": {"S": "Sim101"},
    "instrument": {"S": "ES 12-26"},
    "action": {"S": "BUY"},
    "qty": {"N": "5"},
    "order_type": {"S": "STOPLIMIT"},
    "tif": {"S": "DAY"},
    "state": {"S": "PartFilled"},
    "since": {"S": LATER},
    "limit_price": {"N": "5000.25"},
    "stop_price": {"N": "5000"},
    "offset": {"N": "1.5"},
    "oco_id": {"S": "o1"},
    "strategy_id": {"S": "s1"},
    "order_name": {"S": "ENTRY1"},
    "legs": {"M": {"STOP1": {"S": "a2"}}},
    "filled": {"N": "2"},
    "content": {"S": "c0ffee"},
    "cancelled_at": {"S": AT},
    "cancel_request_id": {"S": "r0"},
    "cancel_key_id": {"S": "k0"},
    "cancel_filled": {"N": "1"},
    "history": {
        "L": [
            {
                "M": {
                    "state": {"S": "Working"},
                    "at": {"S": AT},
                    "request_id": {"S": "r1"},
                    "key_id": {"S": "k1"},
                    "changes": {"M": {"qty": {"S": "5"}}},
                }
            },
            {
                "M": {
                    "state": {"S": "PartFilled"},
                    "at": {"S": LATER},
                    "request_id": {"S": "r2"},
                    "key_id": {"S": "k2"},
                }
            },
            {
                "M": {
                    "at": {"S": LATER},
                    "request_id": {"S": "r3"},
                    "key_id": {"S": "k2"},
                    "changes": {"M": {"qty": {"S": "6"}}},
                }
            },
        ]
    },
    "version": {"N": "7"},
}


def test_an_order_lies_in_the_table_in_this_form_and_comes_back() -> None:
    assert items.order_item(STAMP, ORDER) == ORDER_ITEM
    read = items.order(ORDER_ITEM)
    assert read == ORDER
    assert {type(number) for number in (read.qty, read.filled, read.version, read.cancel_filled)} == {int}
    assert [type(event.state) for event in read.history] == [OrderState, OrderState, type(None)]
    assert type(read.state) is OrderState


def test_an_order_that_has_no_more_than_it_must_has_no_more_in_the_table_and_comes_back() -> None:
    least = Order(
        order_id="a1",
        account="Sim101",
        instrument="ES 12-26",
        action="BUY",
        qty=5,
        order_type="MARKET",
        tif="DAY",
        state=OrderState.WORKING,
        since=AT,
    )
    item = items.order_item(STAMP, least)
    always = "pk sk open request_id order_id account instrument action qty order_type tif state since".split()
    assert item == {name: ORDER_ITEM[name] for name in always} | {
        "order_type": {"S": "MARKET"},
        "state": {"S": "Working"},
        "since": {"S": AT},
        "legs": {"M": {}},
        "filled": {"N": "0"},
        "history": {"L": []},
        "version": {"N": "1"},
    }
    assert items.order(item) == least


@pytest.mark.parametrize("state", OrderState)
def test_only_an_open_order_is_in_the_index_of_open_orders(state: OrderState) -> None:
    finished = state in ("Cancelled", "Filled", "Rejected", "Unknown", "Expired")
    assert ("open" in items.order_item(STAMP, ORDER._replace(state=state))) is not finished


def test_a_strategy_lies_in_the_table_in_this_form_and_comes_back() -> None:
    strategy = Strategy(strategy_id="s1", account="Sim101", instrument="ES 12-26", state=StrategyState.ACTIVE)
    names = {"ENTRY1": "a1"}
    item = items.strategy_item(STAMP, strategy, names)
    assert item == {
        "pk": {"S": "TRADER#ada"},
        "sk": {"S": "STRATEGY#s1"},
        "strategy_id": {"S": "s1"},
        "account": {"S": "Sim101"},
        "instrument": {"S": "ES 12-26"},
        "state": {"S": "Active"},
        "names": {"M": {"ENTRY1": {"S": "a1"}}},
        "version": {"N": "1"},
        "request_id": {"S": "r2"},
    }
    assert items.strategy(item) == strategy._replace(names=names)
    closed = items.strategy(item | {"state": {"S": "Closed"}, "template": {"S": "scalp"}})
    assert closed == strategy._replace(names=names, state=StrategyState.CLOSED, template="scalp")
    assert type(closed.state) is StrategyState


def test_a_template_lies_in_the_table_in_this_form_and_comes_back() -> None:
    template = Template("scalp", (Bracket(qty=1, target=Decimal("2.5"), stop=Decimal(1)), Bracket(qty=2)))
    item = items.template_item("ada", template)
    assert item == {
        "pk": {"S": "TRADER#ada"},
        "sk": {"S": "TEMPLATE#scalp"},
        "name": {"S": "scalp"},
        "brackets": {
            "L": [
                {"M": {"qty": {"N": "1"}, "target": {"N": "2.5"}, "stop": {"N": "1"}}},
                {"M": {"qty": {"N": "2"}, "target": {"NULL": True}, "stop": {"NULL": True}}},
            ]
        },
    }
    read = items.template(item)
    assert read == template
    assert {type(bracket.qty) for bracket in read.brackets} == {int}


@pytest.mark.parametrize("revoked", [None, LATER])
def test_a_key_lies_in_the_table_in_this_form_and_comes_back(revoked: str | None) -> None:
    key = Key(
        key_id="k1",
        digest=b"\0\xff",
        trader="ada",
        label="my alerts",
        scopes=frozenset({"PLACE", "CANCEL", "CHANGE"}),
        created=AT,
        last_four="1a2b",
        revoked=revoked,
        strict_kill_switch=True,
    )
    item = items.key_item(key)
    assert item == {
        "pk": {"S": "KEY#k1"},
        "sk": {"S": "KEY"},
        "key_id": {"S": "k1"},
        "digest": {"B": b"\0\xff"},
        "trader": {"S": "ada"},
        "label": {"S": "my alerts"},
        "scopes": {"L": [{"S": "CANCEL"}, {"S": "CHANGE"}, {"S": "PLACE"}]},
        "created": {"S": AT},
        "last_four": {"S": "1a2b"},
        "strict_kill_switch": {"BOOL": True},
    } | ({"revoked": {"S": revoked}} if revoked else {})
    assert items.key(item) == key
    assert type(items.key(item).scopes) is frozenset
