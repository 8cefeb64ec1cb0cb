"""The record of an alert that lists several accounts has what became of each, and every order id that it touched."""

from datetime import UTC, datetime

import pytest

from cli.aws import demo
from orderhook.errors import TemporarilyUnavailableError
from orderhook.request_facts import RequestFacts
from orderhook.store.alert_log import MAX_ORDER_IDS, RecordedResult
from orderhook.store.items import alert_key
from orderhook.store.table import deserialize, serialize
from orderhook.telemetry import alert_record
from tests import builders
from tests.builders import ENTRY
from tests.client_faults import in_requests_with
from tests.faults import lose_response, no_fault, throttle
from tests.output import Answer
from tests.service import Service
from tests.tables import Item


def results(service: Service, answer: Answer) -> list[RecordedResult]:
    """Return what the record of an alert has of its accounts; it names every order that one of them names."""
    record = service.record_of(answer)
    assert record.order_ids == tuple(order_id for result in record.results for order_id in result.order_ids)
    return list(record.results)


def details(answer: Answer) -> dict[str, str]:
    """Return the sentence that each account was refused with."""
    return {result["account"]: result["detail"] for result in answer.body["results"] if "detail" in result}


def item_of(service: Service, answer: Answer) -> Item:
    item = service.get(alert_key(service.trader, answer.request_id))
    assert item is not None
    return deserialize(item)


# Each account's result


def test_a_success_in_every_account_is_recorded_with_the_orders_of_each(service: Service) -> None:
    answer = service.place("long", account="Sim101,My  Acct", take_profit=5020)
    assert results(service, answer) == [
        RecordedResult("Sim101", 200, "placed", order_ids=("long.sim101", "long.sim101.TARGET1")),
        RecordedResult("My  Acct", 200, "placed", order_ids=("long.my acct", "long.my acct.TARGET1")),
    ]


def test_a_refusal_in_one_account_is_recorded_beside_the_others(service: Service) -> None:
    service.place("long.b", account="B", qty=1)
    answer = service.place("long", account="A,B,C")
    assert results(service, answer) == [
        RecordedResult("A", 200, "placed", order_ids=("long.a",)),
        RecordedResult("B", 409, "duplicate_order_id", details(answer)["B"], "order_id"),
        RecordedResult("C", 200, "placed", order_ids=("long.c",)),
    ]
    record = service.record_of(answer)
    assert (record.status, record.outcome, record.detail) == (409, "duplicate_order_id", answer.body["detail"])


def test_an_account_that_the_table_did_not_serve_is_recorded_as_503(service: Service) -> None:
    service.warm_up()
    service.network.always = in_requests_with("long.b", throttle)
    answer = service.place("long", account="A,B,C")
    assert answer.status == 503
    assert results(service, answer) == [
        RecordedResult("A", 200, "placed", order_ids=("long.a",)),
        RecordedResult("B", 503, "temporarily_unavailable", details(answer)["B"]),
        RecordedResult("C", 200, "placed", order_ids=("long.c",)),
    ]


def test_what_was_done_in_an_account_before_it_had_to_stop_is_recorded(service: Service) -> None:
    service.place("one", account="B")
    service.place("two", account="B")
    service.warm_up()
    service.network.always = in_requests_with("ORDER#two", throttle)
    answer = service.send("CANCELORDERS", account="A,B")
    assert results(service, answer) == [
        RecordedResult("A", 200, "nothing_to_cancel"),
        RecordedResult("B", 503, "temporarily_unavailable", details(answer)["B"], order_ids=("one",)),
    ]


def test_an_order_without_an_id_that_is_in_doubt_is_recorded_with_its_id(service: Service) -> None:
    service.warm_up()
    service.network.always = in_requests_with('.2"}', lose_response)
    answer = service.place(account="A,B,C")
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    ids = [f"{answer.request_id}.{number}" for number in (1, 2, 3)]
    assert results(service, answer) == [
        RecordedResult("A", 200, "placed", order_ids=(ids[0],)),
        RecordedResult("B", 409, "outcome_unknown", details(answer)["B"], order_ids=(ids[1],)),
        RecordedResult("C", 200, "placed", order_ids=(ids[2],)),
    ]
    assert sorted(service.open_orders()) == ids


def test_what_an_earlier_alert_had_done_is_marked_in_its_account_alone(service: Service) -> None:
    service.place("long", account="A,B")
    service.remove("long.b")
    assert results(service, service.place("long", account="A,B")) == [
        RecordedResult("A", 200, "already_placed", order_ids=("long.a",), duplicate=True),
        RecordedResult("B", 200, "placed", order_ids=("long.b",)),
    ]


@pytest.mark.parametrize("account", ["A", None])
def test_an_alert_that_lists_no_accounts_is_recorded_without_results(service: Service, account: str | None) -> None:
    service.place("long", account="A")
    answer = service.cancel("long", account=account)
    record = service.record_of(answer)
    assert (record.results, record.order_ids) == ((), ("long",))
    # Nor has the record of an earlier version any, which is read like this one.
    assert "results" not in item_of(service, answer)


# What waits for its delay


def test_a_delayed_place_is_recorded_for_each_account_and_each_release_alone(service: Service) -> None:
    answer = service.place("long", account="A,B", delay=5)
    assert results(service, answer) == [
        RecordedResult("A", 200, "scheduled", order_ids=("long.a",)),
        RecordedResult("B", 200, "scheduled", order_ids=("long.b",)),
    ]
    service.pass_time(6)
    released = [record for record in service.alerts.newest(service.trader) if record.origin == "delayed"]
    assert {(record.outcome, record.results, record.order_ids) for record in released} == {
        ("placed", (), ("long.a",)),
        ("placed", (), ("long.b",)),
    }


def test_a_delayed_list_is_recorded_when_it_is_carried_out_in_every_account(service: Service) -> None:
    service.place("long", account="A,B,C")
    service.report("Filled", 5, order_id="long.c")
    answer = service.cancel("long", account="A,B,C", delay=2)
    record = service.record_of(answer)
    assert record.outcome == "scheduled"
    assert [(result.account, result.outcome) for result in record.results] == [(it, "scheduled") for it in "ABC"]
    service.network.always = in_requests_with("ORDER#long.b", throttle)
    service.pass_time(3)
    assert not any(record.origin == "delayed" for record in service.alerts.newest(service.trader))
    service.network.always = no_fault
    service.pass_time(60)
    delayed, *_ = service.alerts.newest(service.trader)
    assert delayed.origin == "delayed"
    a, b, c = delayed.results
    assert (a, b) == (
        RecordedResult("A", 200, "cancelled", order_ids=("long.a",)),
        RecordedResult("B", 200, "cancelled", order_ids=("long.b",)),
    )
    assert (c.account, c.status, c.outcome, c.field) == ("C", 409, "order_already_terminal", "order_id")
    assert "ended as Filled" in str(c.detail)


# How it is kept


def test_results_are_read_back_as_they_were_written(service: Service) -> None:
    record = builders.alert_record(
        trader=service.trader,
        results=(
            RecordedResult("A", 200, "replaced", order_ids=("long.a", "long.a.STOP1"), duplicate=True),
            RecordedResult("B", 409, "strategy_mismatch", "A detail.", "strategy_id"),
            RecordedResult("C", 503, "temporarily_unavailable", "Again."),
        ),
    )
    service.alerts.put(record)
    assert service.alerts.get(service.trader, record.request_id) == record
    assert list(service.alerts.newest(service.trader)) == [record]


def test_what_a_later_version_adds_to_a_result_is_passed_by(service: Service) -> None:
    answer = service.place("long", account="A,B")
    item = item_of(service, answer)
    for result in item["results"]:
        result["venue"] = "new"
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    assert [result.order_ids for result in results(service, answer)] == [("long.a",), ("long.b",)]


def test_twenty_accounts_with_more_orders_than_a_record_names_fit_into_it(service: Service) -> None:
    ids = {
        f"{'X' * 62}{account:02}": tuple(f"{'x' * 58}{account:02}{number:04}.TARGET20" for number in range(60))
        for account in range(20)
    }
    refusals = [
        (account, TemporarilyUnavailableError("x" * 1000, affected_order_ids=its_ids))
        for account, its_ids in ids.items()
    ]
    every_id = tuple(order_id for its_ids in ids.values() for order_id in its_ids)
    refusal = TemporarilyUnavailableError("x" * 1000, results=refusals, affected_order_ids=every_id)
    fields = {f"name{number}": "x" * 120 for number in range(64)}
    facts = RequestFacts("request-1", key=service.keys.get(service.key.split("_")[1]), fields=fields)
    record = alert_record(facts, refusal, datetime.now(UTC), 1.5)
    assert record is not None
    assert record.order_ids == every_id[:MAX_ORDER_IDS]
    assert tuple(order_id for result in record.results for order_id in result.order_ids) == record.order_ids
    assert [len(result.order_ids) for result in record.results] == [*[60] * 16, 40, 0, 0, 0]
    service.alerts.put(record)
    assert service.alerts.get(service.trader, "request-1") == record


def test_without_retention_only_the_status_is_kept_of_the_accounts(service: Service) -> None:
    service.record_nothing()
    service.place("long.b", account="B", qty=1)
    answer = service.place("long", account="A,B")
    assert answer.word == "duplicate_order_id"
    item = item_of(service, answer)
    assert item.keys() == {"pk", "sk", "received_at", "status", "expires", "results"}
    assert item["results"] == [{"status": 200, "outcome": "placed"}, {"status": 409, "outcome": "duplicate_order_id"}]


@pytest.mark.parametrize("account", ["A,{key}", "{key},A", "A,B{key}", "A,{half}"])
def test_a_key_among_the_accounts_is_in_no_record(service: Service, account: str) -> None:
    half = service.key.split("_")[2]
    answer = service.place("long", account=account.format(key=service.key, half=half))
    record = service.record_of(answer)
    assert (record.status, record.fields["account"], record.results) == (400, "…", ())
    assert half.lower() not in str(item_of(service, answer)).lower()


def test_a_strangers_key_among_the_accounts_is_masked_too(service: Service) -> None:
    record = service.record_of(service.place("long", account=f"A,{demo.KEY}"))
    assert (record.status, record.fields["account"], record.results) == (400, "…", ())


def test_what_is_recorded_of_an_account_is_what_it_was_answered(service: Service) -> None:
    service.place("long", account="A,C", strategy_id="s")
    answer = service.send("CANCELREPLACE", **{**ENTRY, "order_id": "long", "account": "A,B,C", "limit_price": 4990})
    answered = [
        (result["account"], result.get("status", result.get("error")), result.get("detail"), result.get("field"))
        for result in answer.body["results"]
    ]
    found = results(service, answer)
    assert [(result.account, result.outcome, result.detail, result.field) for result in found] == answered
    assert [result.status for result in found] == [200, 404, 200]
