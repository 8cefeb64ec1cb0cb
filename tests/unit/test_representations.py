"""What scripts, and later the console, get of each thing: JSON objects in which money and quantities are strings."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from orderhook.administration import make_template
from orderhook.keys import issue
from orderhook.orders import Provenance
from orderhook.representations import (
    represent_alert_record,
    represent_key,
    represent_kill_switch,
    represent_order,
    represent_order_with_history,
    represent_template,
)
from orderhook.store.controls import KillSwitchState
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
        "oco_id": None,
        "state": "Initialized",
        "since": AT,
        "cancelled_at": None,
        "notes": None,
        "replaces": None,
        "replaced_by": None,
    }


def test_a_small_price_has_no_exponent() -> None:
    assert represent_order(order(PROVENANCE, "a", limit_price=Decimal("0.0000001")))["limit_price"] == "0.0000001"


def test_a_history_is_a_list_of_events() -> None:
    placed = order(PROVENANCE, "a")
    represented = represent_order_with_history(placed)
    assert represented.pop("history") == [
        {"at": AT, "state": "Initialized", "changes": {}, "request_id": "request-1", "key_id": "keyid"}
    ]
    assert represented == represent_order(placed)


def test_a_key_is_what_is_stored_of_it_but_for_its_digest() -> None:
    secret, key = issue(trader="main", label="mine", scopes=frozenset({"PLACE", "CANCEL"}), created=AT)
    assert represent_key(key) == {
        "key_id": secret[4:16],
        "last_four": secret[-4:],
        "trader": "main",
        "label": "mine",
        "created": AT,
        "revoked": None,
        "scopes": ["CANCEL", "PLACE"],
    }


def test_a_template_is_a_list_of_brackets() -> None:
    assert represent_template(make_template("one", ["1:10:2.25", "2::5"])) == {
        "name": "one",
        "brackets": [{"qty": "1", "target": "10", "stop": "2.25"}, {"qty": "2", "target": None, "stop": "5"}],
    }


def test_a_kill_switch_says_what_it_stops() -> None:
    assert represent_kill_switch("main", KillSwitchState(on=True, since=AT), stops_cancels=False) == {
        "trader": "main",
        "on": True,
        "since": AT,
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


def test_a_record_of_an_unknown_word_has_no_explanation() -> None:
    represented = represent_alert_record(alert_record(outcome="something_new"))
    assert (represented["meaning"], represented["way_out"]) == (None, None)
