"""`orderhook check` says what the webhook answers, for every alert."""

import json

import pytest
from typer.testing import CliRunner

from cli.app import app
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS

ALERTS = [
    "key=KEY;command=CANCEL;order_id=order-1",
    "key=KEY;command=CANCEL\norder_id=order-1;\nstrategy_id=strategy-1; (optional)",
    '{"key": "KEY", "command": "CANCEL", "order_id": "order-1"}',
    "key=KEY;command=CANCEL;order_id=order-1;account=Sim101",
    "command=CANCEL;order_id=order-1",
    "key=your-secret-key;command=CANCEL;order_id=order-1",
    "key=your-secret-key;command=CANCEL;order_id",
    "key=KEY;key=KEY;command=CANCEL;order_id=order-1",
    "key=KEY;key=KEY;comand=CANCEL",
    "key=KEY;command=CANCEL;order_id=KEY",
    "key=KEY;comand=CANCEL;notes=KEY",
    "hello",
    "key=KEY;hello",
    "",
    "\0",
    "{",
    '{"key": "KEY", "command": {"a": 1}}',
    "key=KEY",
    "key=KEY;kill_switch=true",
    "key=KEY;comand=CANCEL;order_id={{x}}",
    "key=KEY;order_id={{x}};command=CANCEL",
    "key=KEY;command=CANCEL order_id=order-1",
    "key=KEY;command=CANCEL;order_id=a;order_id=b",
    "key=KEY;command=CANCEL",
    "key=KEY;command=CANCEL;order_id=",
    "key=KEY;command=CANCEL;order_id=STOP1",
    "key=KEY;command=CANCEL;order_id=STOP01",
    "key=KEY;command=CANCEL;order_id=a&b;strategy_id=c/d",
    "key=KEY;command=FLATTEN;order_id=a/b",
    "key=KEY;command=CANCLE",
    "key=KEY;command=PLACE",
    "key=KEY;command=PLACE;percent=5;qty=x",
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1.5;order_type=STOP;tif=DAY;limit_price=5%",
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1;order_type=LIMIT;tif=DAY",
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY;stop_loss=2;take_profit=1",
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=placed-here",
    "key=KEY;command=CANCELORDERS",
    "key=KEY;command=CANCELORDERS;account=Sim101;instrument=é",
    "key=KEY;command=CANCELORDERS;account=Sim101",
    "key=KEY;command=CANCELALLORDERS;account=Sim101",
    "key=KEY;command=CANCELREPLACE;order_id=order-1",
    "key=KEY;command=CANCELREPLACE;order_id=STOP1;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY",
    "key=KEY;command=CANCELREPLACE;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id="
    + "x" * 65,
    "key=KEY;command=CANCELREPLACE;order_id=order-1;account=sim101;instrument=ES 12-26;action=BUY;qty=1;"
    "order_type=MARKET;tif=DAY",
    "key=KEY;command=CANCELREPLACE;order_id=order-1;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY;"
    "strategy=scalp",
    "key=KEY;command=CHANGE;order_id=order-1",
    "key=KEY;command=CHANGE;order_id=order-1;qty=0;limit_price=0",
    "key=KEY;command=CHANGE;order_id=order-1;qty=1.5",
    "key=KEY;command=CHANGE;order_id=STOP1;qty=2",
    "key=KEY;command=CHANGE;order_id=order-1;qty=2",
    "key=KEY;command=CLOSESTRATEGY",
    "key=KEY;command=CLOSESTRATEGY;strategy_id=strategy-1",
    "key=KEY;command=CANCEL;order_id=order-1;notes=" + "x" * 500,
    "key=KEY;command=CANCEL;order_id=order-1;notes=" + "x" * 501,
    "key=KEY;notes=" + "x" * 9000,
    "key=KEY;" + ";".join(f"x{n}=1" for n in range(70)),
    "key=KEY;// command=CANCEL; order_id=order-1;\ncommand=CANCEL;",
    "// command=CANCEL; order_id=order-1;\nkey=KEY;command=CANCEL;",
    "key=KEY;command=CANCEL;order_id=order-1; // strategy_id=strategy-1",
    "key=KEY;command=CANCELORDERS;account=Sim101;instrument=",
    'key=KEY;command=CANCELORDERS;account="Sim101"',
    "key=KEY;command=CANCELORDERS;account=Sim101;symbol=NQ 12-26",
    "key=KEY;command=CANCELALLORDERS;instrument=ES 12-26",
    "key=KEY;command=CANCELALLORDERS",
    "key=KEY;command=CANCEL;order_id=order-1;notes=sl=4990 hit;price=5000;qty={{strategy.order.contracts}}",
    "key=KEY;command=CANCEL;orderid=order-1",
    "key=KEY;command=CANCEL;order_id=NaN",
    "key=KEY;command=CANCEL ORDER;order_id=order-1",
    "key=KEY\nBuy {{nothing}} now",
    '{"key": "KEY", "command": "CANCEL", "order_id": "order-1",}',
    '{"key": "KEY", "command": "CANCEL", "order_id": {{nothing}}}',
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY",
    "key=KEY;command=PLACE;account=A,B;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY;oco_id=g",
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY;order_id=a; // sl=4990",
    "key=KEY;command=CANCEL;order_id=order-1; (strategy_id=S)",
    "key=KEY;command=CANCELALLORDERS;require_market_position=flat",
    "key=KEY;command=CLOSESTRATEGY;strategy_id=strategy-1;market_position=long",
    "key=KEY;command=PLACE;account=A,a;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY",
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1;order_type=MARKET;tif=DAY;stop_loss=",
    "key=KEY;command=PLACE;account=A;instrument=I;action=BUY;qty=1;order_type=LIMIT;limit_price=9;tif=DAY;stop_loss=9",
]

BY_THE_ORDERS = ("nothing_to_cancel", "unprotected_quantity")
"""The warnings that depend on the orders that there are."""


@pytest.mark.parametrize("text", ALERTS, ids=range(len(ALERTS)))
def test_check_agrees_with_the_webhook(service: Service, text: str) -> None:
    service.have_strategy("Working", "ENTRY1")
    alert = text.replace("KEY", service.key)
    result = CliRunner().invoke(app, ["check", "-", "--json"], input=alert)
    explanation = json.loads(result.stdout)
    answer = service.post(alert)
    assert (result.exit_code == 0) == explanation["accepted"] == answer.body["success"]
    if not explanation["accepted"]:
        first = explanation["faults"][0]
        assert (first["status"], first["error"]) == (answer.status, answer.word)
        assert f"{answer.status} {answer.word}" in explanation["verdict"]
    else:
        warned = [it for it in answer.body.get("warnings", []) if it["code"] not in BY_THE_ORDERS]
        told = [{name: text for name, text in it.items() if text is not None} for it in explanation["warnings"]]
        assert sorted(told, key=str) == sorted(warned, key=str)
    assert service.key not in result.output
