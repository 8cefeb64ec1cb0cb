"""Accounts and positions by the API: what only a bridge knows, and what is asked of it."""

import pytest

from orderhook.store import items
from orderhook.store.writes import Put
from tests.api import Api
from tests.service import Service

READS = [
    "/accounts",
    "/positions",
    "/accounts/Sim101/positions",
    "/accounts/Sim101/position?instrument=ES+12-26",
    "/executions",
    "/accounts/Sim101/executions",
]
CLOSE = {"instrument": "ES 12-26"}


@pytest.fixture
def api(service: Service) -> Api:
    return Api(service)


def test_without_a_venue_what_only_a_venue_knows_is_refused_and_never_empty(api: Api) -> None:
    for path in READS:
        path, _, query = path.partition("?")
        assert api.send("GET", path, query=query).refusal == (400, "unsupported_command")
    for path in ("/accounts/Sim101/positions/close", "/accounts/Sim101/positions/reverse"):
        assert api.post(path, CLOSE).refusal == (400, "unsupported_command")
    for body in ({}, {"account": "Sim101"}):
        assert api.post("/positions/flatten", body).refusal == (400, "unsupported_command")


@pytest.mark.parametrize("path", ["/market/quote", "/market/bars", "/accounts/Sim101/quote"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_prices_of_a_market_are_refused_with_a_venue_too(api: Api, method: str, path: str) -> None:
    api.service.use_venue()
    assert api.send(method, path).refusal == (400, "unsupported_command")


def test_the_accounts_are_those_of_the_bridge_within_the_limits(api: Api) -> None:
    api.service.use_venue(heard=False)
    assert api.get("/accounts").body["bridge"] == {"heardAt": None, "away": "has not been heard of"}
    api.service.hear_bridge(accounts=("Sim101", "Sim102"))
    told = api.get("/accounts").body
    assert told["accounts"] == [{"name": "Sim101"}, {"name": "Sim102"}]
    assert told["bridge"]["away"] is None
    limited = api.limited(accounts=("sim102",))
    assert limited.get("/accounts").body["accounts"] == [{"name": "Sim102"}]
    for path in ("/accounts/Sim101/positions", "/accounts/Sim101/executions", "/accounts/Nobodys/positions"):
        assert limited.get(path).refusal == (404, "account_not_found")


def test_positions_say_what_is_open_and_what_is_not_known(api: Api) -> None:
    api.service.use_venue()
    api.service.hear_bridge(accounts=("Sim101", "Sim102", "Sim103"))
    api.have_position("LONG", 2, average="5000.25")
    api.have_position("UNKNOWN", 0, account="Sim102")
    api.have_position("FLAT", 0, account="Sim103")
    told = api.get("/positions")
    long, unknown = told.body["positions"]
    assert (long["marketPosition"], long["quantity"]) == ("Long", 2)
    assert '"averagePrice": 5000.25' in told.text
    assert (unknown["account"], unknown["marketPosition"], unknown["quantity"]) == ("Sim102", "Unknown", None)
    assert len(api.get("/positions", includeFlat="true").body["positions"]) == 3
    assert api.get("/accounts/Sim103/positions").body["positions"] == []
    assert api.limited(accounts=("Sim101",)).get("/positions").body["positions"] == [long]


def test_a_position_that_the_bridge_has_not_told_is_unknown_and_not_flat(api: Api) -> None:
    api.service.use_venue()
    path = "/accounts/Sim101/position"
    told = api.get(path, instrument="ESZ6").body["position"]
    assert told == {
        "account": "Sim101",
        "instrument": "ES 12-26",
        "marketPosition": "Unknown",
        "quantity": None,
        "averagePrice": None,
        "at": None,
    }
    api.have_position("SHORT", 1, average="5001")
    assert api.get(path, instrument="ESZ6").body["position"]["marketPosition"] == "Short"
    assert api.get(path).refusal == (400, "missing_field")
    limited = api.limited(instruments=("NQ 12-26",))
    assert limited.get(path, instrument="ESZ6").refusal == (404, "account_not_found")


def test_a_close_is_accepted_and_its_alert_tells_the_result(api: Api) -> None:
    api.service.use_venue()
    told = api.post("/accounts/Sim101/positions/close", {**CLOSE, "quantity": 1})
    assert told.word == "accepted"
    alert = api.get(f"/alerts/{told.body['requestId']}").body["alert"]
    [asked] = alert["instructions"]
    assert (asked["command"], asked["quantity"], asked["underWay"]) == ("CLOSEPOSITION", 1, True)
    again = api.post("/accounts/Sim101/positions/close", {**CLOSE, "quantity": 1})
    assert (again.word, again.body["duplicate"]) == ("accepted", True)
    both = api.post("/accounts/Sim101/positions/close", {**CLOSE, "quantity": 1, "percent": 0.5})
    assert both.refusal == (400, "invalid_value")


def test_a_position_is_not_turned_over_twice_by_a_request_that_comes_twice(api: Api) -> None:
    api.service.use_venue()
    told = [api.post("/accounts/Sim101/positions/reverse", CLOSE) for _ in range(2)]
    assert told[0].word == "accepted"
    assert told[1].refusal == (409, "duplicate_alert") or told[1].body["duplicate"] is True
    assert len(list(api.service.services.instructions.open_items(api.service.trader))) == 1


def test_flatten_closes_what_the_body_says_and_everything_for_an_empty_object(api: Api) -> None:
    api.service.use_venue()
    api.service.hear_bridge(accounts=("Sim101",))
    api.place("a")
    assert api.post("/positions/flatten").refusal == (400, "missing_field")
    narrowed = api.post("/positions/flatten", {"account": "Sim101", "marketPosition": "long"})
    assert narrowed.word == "accepted"
    assert api.get(f"/alerts/{narrowed.body['requestId']}").body["alert"]["command"] == "FLATTEN"
    everything = api.post("/positions/flatten", {})
    assert api.get(f"/alerts/{everything.body['requestId']}").body["alert"]["command"] == "FLATTENEVERYTHING"
    assert api.limited(accounts=("Sim101",)).post("/positions/flatten", {}).refusal == (403, "command_not_allowed")


def test_what_this_version_cannot_read_hides_no_other(api: Api) -> None:
    api.service.use_venue()
    api.have_position("LONG", 2)
    trader, table = api.service.trader, api.service.services.table
    table.put(Put({**items.position_key(trader, "Sim102", "ES"), "account": "Sim102", "quantity": "some"}))
    assert [it["account"] for it in api.get("/positions").body["positions"]] == ["Sim101"]
