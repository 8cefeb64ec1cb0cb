"""One log line and one metric per request, with these names and nothing of the body."""

import json
import sys
import threading
from typing import Any

import pytest

from orderhook import telemetry
from tests.builders import ENTRY, event
from tests.client_faults import in_writes
from tests.faults import Fault, cut_response, refuse
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS

ALWAYS = {"level", "location", "message", "timestamp", "service", "status", "milliseconds", "request_id", "outcome"}
ALWAYS |= {"api_request_id"}

ALERTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "cancelled": (
        {"command": "cancel", "order_id": "order-1", "notes": "a remark"},
        {"status": 200, "command": "CANCEL", "order_id": "order-1", "outcome": "cancelled", "state": "Cancelled"},
    ),
    "cancelled by name": (
        {"command": "CANCEL", "order_id": "entry1", "strategy_id": "strategy-1"},
        {
            "status": 200,
            "command": "CANCEL",
            "order_id": "ENTRY1",
            "strategy_id": "strategy-1",
            "outcome": "cancelled",
            "state": "Cancelled",
        },
    ),
    "filled": (
        {"command": "CANCEL", "order_id": "filled"},
        {
            "status": 409,
            "command": "CANCEL",
            "order_id": "filled",
            "outcome": "order_already_terminal",
            "field": "order_id",
            "state": "Filled",
        },
    ),
    "not found": (
        {"command": "CANCEL", "order_id": "nobodys"},
        {
            "status": 404,
            "command": "CANCEL",
            "order_id": "nobodys",
            "outcome": "order_not_found",
            "field": "order_id",
        },
    ),
    "changed": (
        {"command": "CHANGE", "order_id": "order-1", "qty": 7},
        {"status": 200, "command": "CHANGE", "order_id": "order-1", "outcome": "changed", "state": "Working"},
    ),
    "replaced": (
        {"command": "CANCELREPLACE", **ENTRY, "order_id": "order-1"},
        {"status": 200, "command": "CANCELREPLACE", "order_id": "order-1", "outcome": "replaced", "state": "Working"},
    ),
    "many cancelled": (
        {"command": "CANCELALLORDERS"},
        {"status": 200, "command": "CANCELALLORDERS", "outcome": "cancelled"},
    ),
    "nothing to cancel": (
        {"command": "CANCELORDERS", "account": "NoSuch"},
        {"status": 200, "command": "CANCELORDERS", "outcome": "nothing_to_cancel"},
    ),
    "waiting": (
        {"command": "PLACE", **ENTRY, "order_id": "order-9", "delay": 5},
        {
            "status": 200,
            "command": "PLACE",
            "order_id": "order-9",
            "outcome": "scheduled",
            "state": "Initialized",
        },
    ),
    "closed": (
        {"command": "CLOSESTRATEGY", "strategy_id": "strategy-1"},
        {"status": 200, "command": "CLOSESTRATEGY", "strategy_id": "strategy-1", "outcome": "closed"},
    ),
    "no order id": (
        {"command": "CANCEL"},
        {"status": 400, "command": "CANCEL", "outcome": "missing_field", "field": "order_id"},
    ),
    "no command": ({"order_id": "a"}, {"status": 400, "outcome": "missing_field", "field": "command"}),
    "unknown command": (
        {"command": "CANCLE"},
        {"status": 400, "outcome": "unknown_command", "field": "command"},
    ),
}


@pytest.fixture
def lines(service: Service, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """What is written for an alert of ALERTS."""
    service.have_strategy("Working", "ENTRY1")
    service.have_order("Filled", "filled", filled=5)
    service.warm_up()
    service.send(**{"command": None, **request.param})
    return service.output.lines()


@pytest.mark.parametrize(("lines", "expected"), ALERTS.values(), ids=list(ALERTS), indirect=["lines"])
def test_an_alert_leaves_one_line_and_one_metric(
    service: Service, lines: list[dict[str, Any]], expected: dict[str, object]
) -> None:
    line, metric = lines
    assert line.keys() == ALWAYS | {"key_id"} | expected.keys()
    assert {name: line[name] for name in expected} == expected
    assert (line["level"], line["message"], line["key_id"]) == ("INFO", "alert", service.key.split("_")[1])
    assert 0 < line["milliseconds"] < 2300
    [declared] = metric["_aws"]["CloudWatchMetrics"]
    # Each combination of dimensions is a metric that costs: the outcome stands beside them.
    assert (declared["Namespace"], declared["Dimensions"]) == ("orderhook", [["service"]])
    assert declared["Metrics"][0] == {"Name": "Alerts", "Unit": "Count"}
    assert (metric["service"], metric["outcome"], metric["Alerts"]) == ("orderhook", expected["outcome"], [1.0])


@pytest.mark.parametrize(
    ("fault", "command", "fields", "outcome", "reason"),
    [
        (
            refuse("ThrottlingException", message="THE-MESSAGE"),
            "CANCEL",
            {"order_id": "order-1"},
            "temporarily_unavailable",
            "ThrottlingException",
        ),
        (
            refuse("InternalServerError", 500, "THE-MESSAGE"),
            "CANCEL",
            {"order_id": "order-1", "account": "Sim101,Sim102"},
            "temporarily_unavailable",
            "InternalServerError",
        ),
        (cut_response, "PLACE", ENTRY, "outcome_unknown", "ChecksumError"),
    ],
    ids=["one account", "several accounts", "fate unknown"],
)
def test_the_line_says_what_kept_the_table_from_answering(
    service: Service, fault: Fault, command: str, fields: dict[str, object], outcome: str, reason: str
) -> None:
    service.warm_up()
    service.network.always = in_writes(fault)
    service.send(command, **fields)
    written = service.output.take()
    line, _ = map(json.loads, written.splitlines())
    assert (line["outcome"], line["reason"]) == (outcome, reason)
    assert "THE-MESSAGE" not in written


@pytest.mark.parametrize("body", ["key=wrong;command=CANCEL;order_id=order-1", "", "nonsense", None, b"\xff"])
def test_without_a_key_the_line_says_nothing_of_the_alert(service: Service, body: str | bytes | None) -> None:
    answer = service.post(body)
    line, metric = service.output.lines()
    assert line.keys() == ALWAYS
    assert (line["outcome"], line["request_id"]) == (answer.word, answer.request_id)
    assert metric["outcome"] == answer.word


def test_the_line_has_nothing_of_the_body_but_the_ids(service: Service) -> None:
    service.warm_up()
    service.place("order-1", account="ACCOUNT", instrument="INSTRUMENT", notes="NOTES", limit_price="1234.5678")
    service.cancel("order-1", account="ACCOUNT", unknown_NAME="VALUE")
    service.handle(event("MALFORMED", source="203.0.113.9"))
    written = service.output.take()
    for word in ("ACCOUNT", "INSTRUMENT", "NOTES", "1234.5678", "VALUE", "MALFORMED", "203.0.113.9", "Go-http"):
        assert word not in written


def test_the_answer_and_the_line_and_the_item_carry_the_same_request_id(service: Service) -> None:
    service.warm_up()
    answer = service.place("order-1")
    item = service.item()
    assert item is not None
    assert answer.request_id == service.output.lines()[0]["request_id"] == item["request_id"]["S"]


def test_two_runs_of_one_event_are_two_requests(service: Service) -> None:
    request = event("nonsense")
    first, second = service.handle(request).request_id, service.handle(request).request_id
    assert first != second
    assert first[:12] <= second[:12]  # the milliseconds: ids sort by time


def test_what_two_threads_count_at_once_is_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def write(text: str) -> int:
        lines.append(text)
        if len(lines) == 1:  # in the middle of the first thread's line
            other = threading.Thread(target=telemetry.log_report, args=("other", {}, ["Reports"]))
            other.start()
            other.join()
        return len(text)

    monkeypatch.setattr(sys.stdout, "write", write)
    telemetry.log_report("one", {}, ["Reports", "OverfillsTold"])
    counted = [json.loads(line) for line in lines if line.strip()]
    assert [line["Reports"] for line in counted] == [[1.0], [1.0]]
    assert ["OverfillsTold" in line for line in counted] == [True, False]
