"""The form in which everything lies in the table, and comes back.

A deployed table holds items of this form: who changes it must still be able to read them.
"""

from decimal import Decimal
from typing import Any

import pytest

from orderhook.conditions import Conditions, Sync
from orderhook.keys import Key, issue
from orderhook.limits import Limits
from orderhook.orders import (
    Binding,
    Bracket,
    Event,
    FormerBinding,
    Leg,
    LegEnd,
    Order,
    OrderState,
    Strategy,
    Template,
    Trace,
    Want,
)
from orderhook.store import items
from orderhook.store.table import deserialize, serialize
from tests.states import OPEN

AT = "2026-01-02T03:04:05.000006Z"
SINCE = "2026-01-02T03:04:06.000000Z"
KEPT = {"request_id": "r5", "key_id": "k5"}


def test_the_keys_of_the_items_are_these() -> None:
    assert items.order_key("ada", "a1") == {"pk": "TRADER#ada", "sk": "ORDER#a1"}
    assert items.strategy_key("ada", "s1") == {"pk": "TRADER#ada", "sk": "STRATEGY#s1"}
    assert items.template_key("ada", "scalp") == {"pk": "TRADER#ada", "sk": "TEMPLATE#scalp"}
    assert items.key_key("k1") == {"pk": "KEY#k1", "sk": "KEY"}
    assert items.KEY_LIST == "KEYS"
    assert items.controls_key("ada") == {"pk": "TRADER#ada", "sk": "CONTROLS"}
    assert items.rate_key("ada", "scalper") == {"pk": "RATE#ada", "sk": "scalper"}
    assert items.alert_key("ada", "r1") == {"pk": "ALERTS#ada", "sk": "r1"}
    assert items.trace_key("ada", "CANCELALLORDERS", "d1") == {"pk": "TRACES#ada", "sk": "CANCELALLORDERS#d1"}


def test_a_template_is_found_whatever_the_case_of_its_name() -> None:
    assert items.template_key("ada", "SCALP  two") == items.template_key("ada", "scalp Two")


def test_ids_are_told_apart_by_their_case() -> None:
    assert items.order_key("ada", "A1") != items.order_key("ada", "a1")
    assert items.strategy_key("ada", "S1") != items.strategy_key("ada", "s1")


def test_the_index_of_open_orders_goes_by_account_then_instrument_and_by_neither_one_s_case() -> None:
    assert items.open_prefix() == "3#"
    assert items.open_prefix("Sim101") == "3#sim101#"
    assert items.open_prefix("SIM101", "es  12-26") == "3#sim101#es 12-26#"


def test_no_account_can_pass_for_another_and_an_instrument() -> None:
    assert items.open_prefix("a#b") == "3#a%23b#"
    assert items.open_prefix("a%23b", "100%#1") == "3#a%2523b#100%25%231#"


STOP = Leg(
    order_type="STOPLIMIT",
    limit_price=Decimal("4989.5"),
    stop_price=Decimal(4990),
    offset=Decimal(2),
    limit_offset=Decimal("2.5"),
    in_percent=True,
    start=1,
    size=3,
    oco_id="g1",
    generation=2,
    released=True,
    end=LegEnd(OrderState.CANCELLED, SINCE, "r5", "k5"),
    received_at=AT,
    want=Want(2, "cancel", AT),
    acked=1,
)
"""A leg that has every field, which no single leg has."""

ORDER = Order(
    order_id="a1",
    account="Sim101",
    instrument="ES 12-26",
    action="BUY",
    qty=5,
    order_type="STOPLIMIT",
    tif="DAY",
    state=OrderState.PART_FILLED,
    since=SINCE,
    limit_price=Decimal("5000.25"),
    stop_price=Decimal(5000),
    offset=Decimal("1.5"),
    limit_offset=Decimal(2),
    in_percent=True,
    oco_id="o1",
    strategy_id="s1",
    order_name="ENTRY1",
    number=1,
    legs={"TARGET1": Leg("LIMIT", limit_price=Decimal(5010)), "STOP1": STOP},
    wanted={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4991))},
    template="scalp",
    atm_template="Scalp",
    entry_id="a0",
    closes=9,
    filled=2,
    average=Decimal("5000.125"),
    filled_after_end=3,
    generation=4,
    placed={"qty": "5", "account": "sim101"},
    received_at=AT,
    delay=2,
    due=SINCE,
    released_at=SINCE,
    day_ends="2026-01-02T22:00:00.000000Z",
    cancels_at="2026-01-02T03:09:05.000000Z",
    nearest_stop=Decimal(4991),
    nearest_target=Decimal(5010),
    notes="a remark",
    cancelled_at=AT,
    cancel_request_id="r0",
    cancel_key_id="k0",
    cancel_filled=1,
    reason="entry ended",
    report_seq=9,
    venue="ninjatrader",
    want=Want(3, "change", AT, not_after=SINCE),
    made_by="instruction",
    conditions=Conditions(
        closes_first="position",
        reverses=True,
        require_market_position=("flat", "long"),
        max_positions=2,
        sync=Sync("long", "flat", "resync", 3),
    ),
    acked=2,
    dropped=1,
    confirmed={"qty": "5", "limit_price": "5000"},
    unresolved="its file was not read",
    history=(
        Event(OrderState.WORKING, AT, "r1", "k1", {"qty": "5"}, digest="d1", received_at=AT),
        Event(OrderState.PART_FILLED, SINCE, "r2", "k2"),
        Event(None, SINCE, "r3", "k2", {"stop_price": "4990"}, leg="STOP1"),
    ),
    history_dropped=11,
    digests=("d1", "d2"),
    version=7,
)
"""An order that has every field, which no single order has."""

ORDER_ITEM = {
    "pk": {"S": "TRADER#ada"},
    "sk": {"S": "ORDER#a1"},
    "open": {"S": "3#sim101#es 12-26#a1"},
    "request_id": {"S": "r2"},
    "order_id": {"S": "a1"},
    "account": {"S": "Sim101"},
    "instrument": {"S": "ES 12-26"},
    "action": {"S": "BUY"},
    "qty": {"N": "5"},
    "order_type": {"S": "STOPLIMIT"},
    "tif": {"S": "DAY"},
    "state": {"S": "PartFilled"},
    "since": {"S": SINCE},
    "limit_price": {"N": "5000.25"},
    "stop_price": {"N": "5000"},
    "offset": {"N": "1.5"},
    "limit_offset": {"N": "2"},
    "in_percent": {"BOOL": True},
    "oco_id": {"S": "o1"},
    "strategy_id": {"S": "s1"},
    "order_name": {"S": "ENTRY1"},
    "number": {"N": "1"},
    "legs": {
        "M": {
            "TARGET1": {
                "M": {
                    "order_type": {"S": "LIMIT"},
                    "limit_price": {"N": "5010"},
                    "generation": {"N": "1"},
                }
            },
            "STOP1": {
                "M": {
                    "order_type": {"S": "STOPLIMIT"},
                    "limit_price": {"N": "4989.5"},
                    "stop_price": {"N": "4990"},
                    "offset": {"N": "2"},
                    "limit_offset": {"N": "2.5"},
                    "in_percent": {"BOOL": True},
                    "start": {"N": "1"},
                    "size": {"N": "3"},
                    "oco_id": {"S": "g1"},
                    "generation": {"N": "2"},
                    "released": {"BOOL": True},
                    "end": {
                        "M": {
                            "state": {"S": "Cancelled"},
                            "at": {"S": SINCE},
                            "request_id": {"S": "r5"},
                            "key_id": {"S": "k5"},
                        }
                    },
                    "received_at": {"S": AT},
                    "want": {"M": {"n": {"N": "2"}, "kind": {"S": "cancel"}, "at": {"S": AT}}},
                    "acked": {"N": "1"},
                }
            },
        }
    },
    "wanted": {
        "M": {
            "STOP1": {
                "M": {
                    "order_type": {"S": "STOPMARKET"},
                    "stop_price": {"N": "4991"},
                    "generation": {"N": "1"},
                }
            }
        }
    },
    "template": {"S": "scalp"},
    "atm_template": {"S": "Scalp"},
    "entry_id": {"S": "a0"},
    "closes": {"N": "9"},
    "filled": {"N": "2"},
    "average": {"N": "5000.125"},
    "filled_after_end": {"N": "3"},
    "generation": {"N": "4"},
    "placed": {"M": {"qty": {"S": "5"}, "account": {"S": "sim101"}}},
    "received_at": {"S": AT},
    "delay": {"N": "2"},
    "due": {"S": SINCE},
    "released_at": {"S": SINCE},
    "day_ends": {"S": "2026-01-02T22:00:00.000000Z"},
    "cancels_at": {"S": "2026-01-02T03:09:05.000000Z"},
    "nearest_stop": {"N": "4991"},
    "nearest_target": {"N": "5010"},
    "notes": {"S": "a remark"},
    "cancelled_at": {"S": AT},
    "cancel_request_id": {"S": "r0"},
    "cancel_key_id": {"S": "k0"},
    "cancel_filled": {"N": "1"},
    "reason": {"S": "entry ended"},
    "report_seq": {"N": "9"},
    "venue": {"S": "ninjatrader"},
    "want": {"M": {"n": {"N": "3"}, "kind": {"S": "change"}, "at": {"S": AT}, "not_after": {"S": SINCE}}},
    "acked": {"N": "2"},
    "dropped": {"N": "1"},
    "made_by": {"S": "instruction"},
    "conditions": {
        "M": {
            "closes_first": {"S": "position"},
            "reverses": {"BOOL": True},
            "require_market_position": {"L": [{"S": "flat"}, {"S": "long"}]},
            "max_positions": {"N": "2"},
            "sync": {
                "M": {
                    "market_position": {"S": "long"},
                    "prev_market_position": {"S": "flat"},
                    "out_of_sync": {"S": "resync"},
                    "target_quantity": {"N": "3"},
                }
            },
        }
    },
    "confirmed": {"M": {"qty": {"S": "5"}, "limit_price": {"S": "5000"}}},
    "unresolved": {"S": "its file was not read"},
    "history": {
        "L": [
            {
                "M": {
                    "state": {"S": "Working"},
                    "at": {"S": AT},
                    "request_id": {"S": "r1"},
                    "key_id": {"S": "k1"},
                    "changes": {"M": {"qty": {"S": "5"}}},
                    "digest": {"S": "d1"},
                    "received_at": {"S": AT},
                }
            },
            {
                "M": {
                    "state": {"S": "PartFilled"},
                    "at": {"S": SINCE},
                    "request_id": {"S": "r2"},
                    "key_id": {"S": "k2"},
                }
            },
            {
                "M": {
                    "at": {"S": SINCE},
                    "request_id": {"S": "r3"},
                    "key_id": {"S": "k2"},
                    "changes": {"M": {"stop_price": {"S": "4990"}}},
                    "leg": {"S": "STOP1"},
                }
            },
        ]
    },
    "history_dropped": {"N": "11"},
    "digests": {"L": [{"S": "d1"}, {"S": "d2"}]},
    "version": {"N": "7"},
}


def test_the_order_here_has_every_field() -> None:
    assert [name for name in Order._fields if name not in ORDER_ITEM] == []
    assert [name for name in Leg._fields if getattr(STOP, name) is None] == []


def test_an_order_lies_in_the_table_in_this_form_and_comes_back() -> None:
    assert serialize(items.order_item("ada", ORDER, "r2")) == ORDER_ITEM
    read = items.order(deserialize(ORDER_ITEM))
    assert read == ORDER
    numbers = (read.qty, read.filled, read.version, read.cancel_filled, read.number, read.filled_after_end)
    more = (read.closes, read.generation, read.delay, read.report_seq, read.history_dropped)
    assert {type(number) for number in (*numbers, *more)} == {int}
    assert [type(event.state) for event in read.history] == [OrderState, OrderState, type(None)]
    assert type(read.state) is OrderState
    assert {type(number) for number in (read.legs["TARGET1"].start, read.wanted["STOP1"].start)} == {int}
    stop = read.legs["STOP1"]
    assert {type(number) for number in (stop.start, stop.size, stop.generation)} == {int}
    assert stop.end is not None
    assert type(stop.end.state) is OrderState


@pytest.mark.parametrize("name", sorted({*ORDER_ITEM} - {"pk", "sk"}))
def test_a_field_of_a_newer_version_is_left_alone_and_one_that_is_not_there_is_absent(name: str) -> None:
    item = deserialize(ORDER_ITEM | {"newer": {"S": "x"}})
    needed = "order_id account instrument action qty order_type tif state since".split()
    if name in needed:
        with pytest.raises((KeyError, TypeError)):
            items.order({key: value for key, value in item.items() if key != name})
    else:
        read = items.order({key: value for key, value in item.items() if key != name})
        default: dict[str, Any] = {name: Order._field_defaults[name]} if name in Order._fields else {}
        assert read == ORDER._replace(**default)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "Melted"),
        ("qty", "five"),
        ("history", [{"state": "Working"}]),
        ("legs", {"STOP1": {"stop_price": Decimal(1)}}),
        ("legs", {"STOP1": {"order_type": "LIMIT", "end": {"state": "Melted"}}}),
    ],
)
def test_what_is_not_an_order_is_told_by_errors_that_a_list_can_catch(name: str, value: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        items.order(deserialize(ORDER_ITEM) | {name: value})


def test_an_order_with_the_least_has_no_more_in_the_table_and_comes_back() -> None:
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
    item = serialize(items.order_item("ada", least, "r2"))
    always = "pk sk open request_id order_id account instrument action qty order_type tif state since".split()
    assert item == {name: ORDER_ITEM[name] for name in always} | {
        "order_type": {"S": "MARKET"},
        "state": {"S": "Working"},
        "since": {"S": AT},
        "filled": {"N": "0"},
        "generation": {"N": "1"},
        "history": {"L": []},
        "version": {"N": "1"},
    }
    assert items.order(deserialize(item)) == least


def test_a_leg_with_the_least_has_no_more_in_the_table() -> None:
    assert items.leg(Leg("LIMIT")) == {"order_type": "LIMIT", "generation": 1}


@pytest.mark.parametrize("state", OrderState)
def test_only_an_open_order_is_in_the_index_of_open_orders(state: OrderState) -> None:
    assert ("open" in serialize(items.order_item("ada", ORDER._replace(state=state)))) is (state in OPEN)
    assert (items.open_value(ORDER._replace(state=state)) is None) is (state not in OPEN)


def test_a_strategy_lies_in_the_table_in_this_form_and_comes_back() -> None:
    numbers = {1: Binding("a1", AT), 12: Binding("a3", SINCE, before=(FormerBinding("a2", SINCE),))}
    strategy = Strategy(strategy_id="s1", account="Sim101", instrument="ES 12-26", numbers=numbers)
    item = serialize(items.strategy_item("ada", strategy, "r2"))
    assert item == {
        "pk": {"S": "TRADER#ada"},
        "sk": {"S": "STRATEGY#s1"},
        "strategy_id": {"S": "s1"},
        "account": {"S": "Sim101"},
        "instrument": {"S": "ES 12-26"},
        "numbers": {
            "M": {
                "1": {"M": {"order_id": {"S": "a1"}, "at": {"S": AT}}},
                "12": {
                    "M": {
                        "order_id": {"S": "a3"},
                        "at": {"S": SINCE},
                        "before": {"L": [{"M": {"order_id": {"S": "a2"}, "until": {"S": SINCE}}}]},
                    }
                },
            }
        },
        "version": {"N": "1"},
        "request_id": {"S": "r2"},
    }
    assert items.strategy(deserialize(item)) == strategy


def test_a_closed_strategy_says_when_and_by_which_alert_and_comes_back() -> None:
    closed = Strategy("s1", "Sim101", "ES 12-26", "scalp", {}, {}, AT, (Trace("d1", "r9", AT),), version=4)
    item = serialize(items.strategy_item("ada", closed, "r9"))
    assert {name: item[name] for name in ("closed_at", "traces", "digests", "template", "version")} == {
        "closed_at": {"S": AT},
        "traces": {"L": [{"M": {"digest": {"S": "d1"}, "request_id": {"S": "r9"}, "received_at": {"S": AT}}}]},
        "digests": {"L": [{"S": "d1"}]},
        "template": {"S": "scalp"},
        "version": {"N": "4"},
    }
    read = items.strategy(deserialize(item))
    assert read == closed
    assert type(read.version) is int


def test_a_strategy_says_which_order_a_name_led_an_alert_to_and_comes_back() -> None:
    strategy = Strategy("s1", "Sim101", "ES 12-26", named=(Trace("d1", "r9", AT, "a1.STOP1"),))
    item = serialize(items.strategy_item("ada", strategy, "r9"))
    assert item["named"] == {
        "L": [{"M": {n: {"S": it} for n, it in zip(Trace._fields, ("d1", "r9", AT, "a1.STOP1"), strict=False)}}]
    }
    assert items.strategy(deserialize(item)) == strategy


def test_a_template_lies_in_the_table_in_this_form_and_comes_back() -> None:
    template = Template("scalp", (Bracket(qty=1, target=Decimal("2.5"), stop=Decimal(1)), Bracket(qty=2)))
    item = serialize(items.template_item("ada", template))
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
    read = items.template(deserialize(item))
    assert read == template
    assert {type(bracket.qty) for bracket in read.brackets} == {int}


@pytest.mark.parametrize("revoked", [None, SINCE])
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
    item = serialize(items.key_item(key))
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
        "turns_kill_switch": {"BOOL": True},
        "kind": {"S": "alert"},
    } | ({"revoked": {"S": revoked}} if revoked else {})
    read = items.key(deserialize(item))
    assert read == key
    assert (type(read.scopes), type(read.digest)) == (frozenset, bytes)


def test_a_part_of_an_item_brings_along_what_a_newer_version_wrote_into_it() -> None:
    more = {"newer": "x"}
    leg = {"order_type": "LIMIT", "generation": 1, "end": {"state": "Cancelled", "at": AT, **KEPT, **more}, **more}
    event = {"state": "Working", "at": AT, **KEPT, **more}
    order = deserialize(ORDER_ITEM) | {"legs": {"TARGET1": leg}, "history": [event]}
    written = items.order_item("ada", items.order(order))
    assert (written["legs"], written["history"]) == ({"TARGET1": leg}, [event])
    former = {"order_id": "a2", "until": SINCE, **more}
    numbers = {"1": {"order_id": "a1", "at": AT, "before": [former], **more}}
    traces = [{"digest": "d1", "request_id": "r9", "received_at": AT, **more}]
    names = {"strategy_id": "s1", "account": "Sim101", "instrument": "ES 12-26"}
    strategy = items.strategy(names | {"numbers": numbers, "freed": numbers, "traces": traces, "version": 1, **more})
    again = items.strategy_item("ada", strategy)
    assert (again["numbers"], again["freed"], again["traces"]) == (numbers, numbers, traces)


def test_a_state_of_a_newer_version_in_the_history_comes_back_as_it_was() -> None:
    event = {"state": "Melted", "at": AT, **KEPT}
    order = items.order(deserialize(ORDER_ITEM) | {"history": [event]})
    assert order.history[0].state is None
    assert items.order_item("ada", order)["history"] == [event]


def test_a_template_of_ninjatraders_own_has_no_brackets_in_the_table_and_comes_back() -> None:
    template = Template("ES scalp", ninjatrader=True)
    item = serialize(items.template_item("ada", template))
    assert item == {
        "pk": {"S": "TRADER#ada"},
        "sk": {"S": "TEMPLATE#es scalp"},
        "name": {"S": "ES scalp"},
        "ninjatrader": {"BOOL": True},
    }
    assert items.template(deserialize(item)) == template


def test_a_bracket_of_a_newer_version_is_read() -> None:
    item = {"name": "scalp", "brackets": [{"qty": 1, "target": Decimal(2), "newer": "x"}]}
    assert items.template(item) == Template("scalp", (Bracket(1, Decimal(2)),))


def test_the_limits_of_a_key_lie_in_it_and_come_back() -> None:
    limits = Limits(accounts=("Sim101", "Apex 7"), max_qty=2)
    secret, key = issue(trader="ada", label="", scopes=frozenset(), created=AT, limits=limits)
    item = serialize(items.key_item(key))
    accounts = {"L": [{"S": "Sim101"}, {"S": "Apex 7"}]}
    assert item["limits"] == {"M": {"accounts": accounts, "max_qty": {"N": "2"}}}
    read = items.key(deserialize(item))
    assert read == key
    assert read.limits is not None
    assert type(read.limits.max_qty) is int
    assert secret not in repr(read)


def test_a_key_of_before_there_were_limits_reaches_all_and_turns_the_kill_switch() -> None:
    _, key = issue(trader="ada", label="", scopes=frozenset(), created=AT, limits=Limits(max_qty=1))
    item = {name: value for name, value in items.key_item(key).items() if name not in ("limits", "turns_kill_switch")}
    read = items.key(item)
    assert (read.limits, read.allows("KILLSWITCH")) == (None, True)
