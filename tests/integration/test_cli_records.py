"""`orderhook alerts` over records that the handlers have left: every id leads to one, and one to another."""

import json
import re
from typing import Any

import pytest

from orderhook.order_reports import Report
from orderhook.orders import OrderState
from orderhook.store import items
from orderhook.store.table import serialize
from tests.builders import provenance
from tests.integration.conftest import Run, be_a_terminal
from tests.marks import OF_A_TERMINAL
from tests.service import Service

pytestmark = OF_A_TERMINAL


def shown(run: Run, request_id: str) -> dict[str, Any]:
    result = run("alerts", "show", request_id, "--json")
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def history(run: Run, order_id: str) -> list[str]:
    """Return the ids of the alerts in an order's history, as it is printed."""
    order = json.loads(run("order", order_id, "--json").stdout)
    text = run("order", order_id).stdout
    ids = [event["request_id"] for event in order["history"]]
    assert all(request_id in text for request_id in ids)
    return ids


def test_the_release_of_an_order_that_was_cancelled_meanwhile_is_no_duplicate(service: Service, run: Run) -> None:
    service.place("order-1", delay=5)
    service.cancel("order-1")
    service.pass_time(6)
    [newest, *_] = service.alerts.newest(service.trader)
    page = run("alerts", "show", newest.request_id).stdout
    assert "duplicate" not in page
    assert "It means: The order was cancelled while it waited for its delay, so nothing was placed" in page
    assert "It was about:\n  order_id=order-1\n" in page


def test_every_id_in_an_orders_history_leads_to_a_record(service: Service, run: Run) -> None:
    answer = service.place("long", account="A,B", cancel_after=1)
    service.pass_time(62)
    placed, cancelled = history(run, "long.b")
    assert (placed, cancelled) == (f"{answer.request_id}.2", f"{answer.request_id}.2.cancel_after")
    assert shown(run, placed)["request_id"] == answer.request_id
    timed = shown(run, cancelled)
    assert (timed["origin"], timed["order_ids"]) == ("cancel_after", ["long.b"])


def test_an_alert_leads_to_the_records_of_what_followed_and_those_back_to_it(service: Service, run: Run) -> None:
    answer = service.place("later", delay=5, cancel_after=1)
    service.place("another", delay=5)
    service.pass_time(6)
    service.pass_time(62)
    alert = shown(run, answer.request_id)
    result, limit = (shown(run, request_id) for request_id in alert["related"])
    assert (alert["outcome"], result["outcome"], limit["outcome"]) == ("scheduled", "placed", "cancelled")
    assert (result["related"], limit["related"]) == (
        [answer.request_id, limit["request_id"]],
        [answer.request_id, result["request_id"]],
    )
    lines = run("alerts", "show", answer.request_id).stdout.splitlines()
    assert f"  its result   200 placed: `orderhook alerts show {result['request_id']}`" in lines
    assert f"  time limit   200 cancelled: `orderhook alerts show {limit['request_id']}`" in lines
    lines = run("alerts", "show", result["request_id"]).stdout.splitlines()
    assert f"  the alert    200 scheduled: `orderhook alerts show {answer.request_id}`" in lines


def test_a_time_limit_of_three_hours_and_its_alert_lead_to_each_other(service: Service, run: Run) -> None:
    answer = service.place("order-1", cancel_after=180)
    service.pass_time(179 * 60)
    assert service.state() == "Working"
    service.pass_time(61)
    assert service.state() == "Cancelled"
    [limit] = shown(run, answer.request_id)["related"]
    assert shown(run, limit)["related"] == [answer.request_id]


def test_a_time_limit_without_a_record_leads_to_the_alert_that_set_it(service: Service, run: Run) -> None:
    answer = service.place("long", cancel_after=1)
    assert shown(run, f"{answer.request_id}.cancel_after")["request_id"] == answer.request_id


def test_what_is_no_alerts_id_is_told_with_the_way_to_find_it(run: Run) -> None:
    result = run("alerts", "show", "long")
    assert result.exit_code == 1
    assert result.stderr == (
        "There is no record of an alert 'long', whose id is hexadecimal: `orderhook alerts` lists them, and --order ID "
        "those about an order. What the local server's demo has written itself came by no alert.\n"
    )


def test_what_has_changed_an_order_by_no_alert_is_not_shown_as_one(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = service.place("long", qty=5)
    reports = service.services.reports
    signed = provenance(service.trader, "report.1795864186770.STOP1")
    reports.record(signed, "long", Report(OrderState.PART_FILLED, filled=2))
    reports.record(provenance(service.trader, "fill-demo"), "long", Report(OrderState.FILLED, filled=5))
    for _ in range(2):
        shown = run("order", "long").stdout
        for name in (placed.request_id[:16], "report.1795864186770.STOP1", "no alert"):
            assert name in shown
        be_a_terminal(monkeypatch)
    result = run("alerts", "show", "report.1795864186770.STOP1")
    assert result.exit_code == 1
    said = (
        "no record of an alert 'report.1795864186770.STOP1': that is a report of the bridge, and `orderhook order ID`"
    )
    assert said in " ".join(result.stderr.split())


def test_the_kill_switch_that_cancelled_again_does_not_ask_for_it(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.kill_switch.time.sleep", lambda _seconds: None)
    service.place("long")
    run("kill-switch", "on", "--cancel")
    text = run("alerts", "show", history(run, "long")[-1]).stdout
    assert "200 kill_switch_on" in text
    assert "Cancel again" not in text
    assert "and again 3 seconds later" in text
    run("kill-switch", "on")
    newest = json.loads(run("alerts", "--json").stdout)[0]
    assert "Cancel again" in run("alerts", "show", newest["request_id"]).stdout


def test_alerts_refused_before_their_command_was_read_are_listed_by_it(service: Service, run: Run) -> None:
    service.post(f"key={service.key};comand=CANCEL;order_id=a")
    service.post(f'{{"key": "{service.key}", "command": "CANCEL", "order_id": a}}')
    service.post(f"key={service.key};command=PLACE")
    listed = json.loads(run("alerts", "--command", "CANCEL", "--json").stdout)
    assert [record["outcome"] for record in listed] == ["malformed_payload", "unknown_field"]


def test_a_record_that_cannot_be_read_is_a_row_and_hides_no_other(service: Service, run: Run) -> None:
    good = service.place("long").request_id
    newer = items.alert_key(service.trader, good[:-1] + "~") | {"fields": [["command", "CANCEL"]], "status": "odd"}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(newer))
    result = run("alerts")
    assert result.exit_code == 1
    assert ["unreadable" in line for line in result.stdout.splitlines()] == [False, True, False]
    of_json = json.loads(run("alerts", "--json").stdout)
    assert of_json[0].keys() == {"request_id", "received_at", "unreadable"}
    assert of_json[1]["request_id"] == good
    result = run("alerts", "show", good[:-1] + "~")
    assert (result.exit_code, "cannot be read by this version" in result.stdout) == (1, True)
    assert isinstance(result.exception, SystemExit)


def test_one_long_value_widens_no_line_of_a_list(service: Service, run: Run) -> None:
    service.cancel("x" * 7000)
    result = run("alerts")
    assert result.exit_code == 0
    assert re.search("x{63}…", result.stdout)
    assert max(map(len, result.stdout.splitlines())) < 300


def test_csv_has_a_row_for_each_record(service: Service, run: Run) -> None:
    service.place("long")
    head, row = run("alerts", "--csv").stdout.splitlines()
    assert head.startswith("trader,request_id,received_at,")
    assert row.startswith(f"{service.trader},")
    result = run("alerts", "--csv", "--follow")
    assert (result.exit_code, result.stderr) == (1, "--follow writes lines or JSON; leave --csv out.\n")
