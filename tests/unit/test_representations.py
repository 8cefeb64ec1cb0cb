"""What scripts, and later the console, get of each thing: JSON objects in which money and quantities are strings."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from orderhook.administration import make_template
from orderhook.keys import issue
from orderhook.listing import Unreadable
from orderhook.orders import Leg
from orderhook.provenance import Provenance
from orderhook.representations import (
    represent_alert_record,
    represent_key,
    represent_kill_switch,
    represent_order,
    represent_order_with_history,
    represent_template,
    represent_unreadable,
)
from orderhook.store.alert_log import RecordedResult
from orderhook.store.controls import KillSwitchState
from orderhook.trade import waiting_legs
from tests.builders import alert_record, order

PROVENANCE = Provenance("trader", "keyid", "request-1", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
AT = "2026-01-02T03:04:05.000000Z"


def test_an_order_is_its_values_as_text_and_null_where_there_is_none() -> None:
    assert represent_order(order(PROVENANCE, "a", limit_price=Decimal("5000.25"))) == {
        "order_id": "a",
        "order_name": None,
        "strategy_id": None,
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": "5",
        "filled": "0",
        "order_type": "LIMIT",
        "tif": "GTC",
        "limit_price": "5000.25",
        "stop_price": None,
        "offset": None,
        "limit_offset": None,
        "oco_id": None,
        "state": "Initialized",
        "since": AT,
        "generation": "1",
        "average": None,
        "filled_after_end": None,
        "entry_id": None,
        "atm_template": None,
        "due": None,
        "day_ends": None,
        "cancels_at": None,
        "cancelled_at": None,
        "reason": None,
        "notes": None,
        "venue": None,
        "made_by": None,
        "unresolved": None,
    }


def test_a_waiting_leg_is_represented_like_an_order() -> None:
    legs = {"STOP1": Leg("STOPMARKET", stop_price=Decimal("4990.50")), "TARGET1": Leg("LIMIT", offset=Decimal(10))}
    entry = order(PROVENANCE, "a", strategy_id="S", order_name="ENTRY1", number=1, legs=legs)
    stop, target = map(represent_order, waiting_legs(entry))
    assert (
        stop.items()
        >= {
            "order_id": "a.STOP1",
            "order_name": "STOP1",
            "strategy_id": "S",
            "entry_id": "a",
            "action": "SELL",
            "qty": "5",
            "filled": "0",
            "order_type": "STOPMARKET",
            "tif": "GTC",
            "stop_price": "4990.5",
            "state": "Initialized",
            "since": AT,
        }.items()
    )
    assert (target["limit_price"], target["offset"]) == (None, "10")


def test_a_leg_tells_how_far_its_prices_lie_and_in_what() -> None:
    stop = Leg("STOPLIMIT", offset=Decimal("0.5"), limit_offset=Decimal("0.6"), in_percent=True)
    [told] = map(represent_order, waiting_legs(order(PROVENANCE, "a", legs={"STOP1": stop})))
    assert (told["stop_price"], told["offset"], told["limit_offset"]) == (None, "0.5%", "0.6%")


def test_what_cannot_be_read_is_represented_as_such() -> None:
    assert represent_unreadable(Unreadable("a", "Teleported")) == {
        "order_id": "a",
        "state": "Teleported",
        "account": None,
        "instrument": None,
        "unreadable": "true",
    }


def test_a_small_price_has_no_exponent() -> None:
    assert represent_order(order(PROVENANCE, "a", limit_price=Decimal("0.0000001")))["limit_price"] == "0.0000001"


def test_a_history_is_a_list_of_events() -> None:
    placed = order(PROVENANCE, "a")
    changed = PROVENANCE.event(None, {"stop_price": "4995"}, leg="STOP1")
    represented = represent_order_with_history(placed._replace(history=(*placed.history, changed), history_dropped=99))
    signed = {"at": AT, "request_id": "request-1", "key_id": "keyid"}
    assert represented.pop("history") == [
        {"state": "Initialized", "leg": None, "changes": {}, **signed},
        {"state": None, "leg": "STOP1", "changes": {"stop_price": "4995"}, **signed},
    ]
    assert represented.pop("history_dropped") == "99"
    assert represented.pop("confirmed") == {}
    assert represented == represent_order(placed)


def test_a_key_is_what_is_stored_of_it_but_for_its_digest() -> None:
    secret, key = issue(trader="main", label="mine", scopes=frozenset({"PLACE", "CANCEL"}), created=AT)
    assert represent_key(key) == {
        "key_id": secret[4:16],
        "kind": "alert",
        "last_four": secret[-4:],
        "trader": "main",
        "label": "mine",
        "created": AT,
        "revoked": None,
        "scopes": ["CANCEL", "PLACE"],
        "kill_switch": False,
        "limits": {},
        "last_used": None,
    }


def test_a_template_is_a_list_of_brackets() -> None:
    assert represent_template(make_template("one", ["1:10:2.25", "2::5"])) == {
        "name": "one",
        "brackets": [{"qty": "1", "target": "10", "stop": "2.25"}, {"qty": "2", "target": None, "stop": "5"}],
        "ninjatrader": False,
    }
    own = make_template("ES scalp", [], ninjatrader=True)
    assert represent_template(own) == {"name": "ES scalp", "brackets": [], "ninjatrader": True}


def test_a_kill_switch_says_what_it_stops() -> None:
    assert represent_kill_switch("main", KillSwitchState(on=True, since=AT), stops_cancels=False) == {
        "trader": "main",
        "on": True,
        "since": AT,
        "locked": False,
        "stops_cancels": False,
    }


def test_a_record_has_its_explanation() -> None:
    record = alert_record(status=503, outcome="temporarily_unavailable", order_ids=("a",))
    represented = json.loads(json.dumps(represent_alert_record(record)))
    assert represented["milliseconds"] == "1.5"
    assert represented["order_ids"] == ["a"]
    assert represented["meaning"].startswith("The table did not answer in time")
    assert represented["way_out"].endswith("that is safe.")
    assert represented["sent_again"] is True


def test_a_record_of_several_accounts_has_the_result_of_each() -> None:
    results = (
        RecordedResult("A", 200, "cancelled", order_ids=("long.a", "long.a.STOP1")),
        RecordedResult("B", 409, "order_already_terminal", "It is Filled.", "order_id"),
        RecordedResult("C", 200, "already_cancelled", order_ids=("long.c",), duplicate=True),
    )
    represented = json.loads(json.dumps(represent_alert_record(alert_record(results=results))))
    absent: dict[str, object] = {
        "detail": None,
        "field": None,
        "order_ids": [],
        "duplicate": False,
        "instruction_id": None,
    }
    assert represented["results"] == [
        {**absent, "account": "A", "status": 200, "outcome": "cancelled", "order_ids": ["long.a", "long.a.STOP1"]},
        {
            **absent,
            "account": "B",
            "status": 409,
            "outcome": "order_already_terminal",
            "detail": "It is Filled.",
            "field": "order_id",
        },
        {
            **absent,
            "account": "C",
            "status": 200,
            "outcome": "already_cancelled",
            "order_ids": ["long.c"],
            "duplicate": True,
        },
    ]
    assert json.loads(json.dumps(represent_alert_record(alert_record())))["results"] == []


def test_a_record_of_an_unknown_word_has_no_explanation() -> None:
    represented = represent_alert_record(alert_record(outcome="something_new"))
    assert (represented["meaning"], represented["way_out"]) == (None, None)
