"""Orders that a bridge has made itself: the first report that comes, whichever it is, writes them into the table."""

import json
from itertools import permutations

import pytest

import reports
from orderhook.bridge_messages import Execution, Made, OrderReport
from orderhook.orders import OrderType
from tests.integration.conftest import Run
from tests.integration.test_venue_reports import AT, deliver, say
from tests.service import Service
from tests.trades import seen

NAME = "instruction.1"
MADE = Made("Sim101", "ES 12-26", "SELL", 2, "MARKET", "DAY", "instruction", AT)


@pytest.fixture(autouse=True)
def _of_this_trader(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))


def made(state: str, filled: int = 0, **more: object) -> OrderReport:
    return say(state, filled, order_id=NAME, placed_by=NAME, **{"made": MADE, **more})  # type: ignore[arg-type]


def test_the_first_report_of_a_made_order_writes_it(service: Service) -> None:
    assert deliver(service, made("Initialized")) == []
    order = seen(service, NAME)
    assert (order.state, order.qty, order.action, order.venue) == ("Initialized", 2, "SELL", "ninjatrader")
    assert (order.made_by, order.placed_by, order.received_at) == ("instruction", NAME, AT)
    assert order.want
    assert (order.want.n, order.want.kind, order.acked) == (1, "place", 0)
    assert service.open_orders() == [NAME]


@pytest.mark.parametrize(
    ("number", "order_type", "codes"),
    [
        (1, "STOPMARKET", ["unprotected_quantity", "oco_partner"]),
        (1, "STOPLIMIT", ["unprotected_quantity", "oco_partner"]),
        (2, "LIMIT", ["oco_partner"]),
        (1, "MARKET", []),
    ],
)
def test_a_cancel_of_a_leg_that_the_bridge_made_warns_of_the_position(
    service: Service, number: int, order_type: OrderType, codes: list[str]
) -> None:
    name, leg = f"instruction.{number}", MADE._replace(order_type=order_type, tif="GTC")
    deliver(service, say("Working", acked=1, order_id=name, placed_by=name, made=leg))
    answer = service.cancel(name)
    told = {it["code"]: it["detail"] for it in answer.body.get("warnings", [])}
    assert (answer.word, list(told)) == ("cancel_pending", codes)
    if "unprotected_quantity" in told:
        assert told["unprotected_quantity"] == f"2 contracts that are filled had {name}, and have no stop now."
    if codes:
        assert f"If instruction.{3 - number} works beside it" in told["oco_partner"]


def test_a_cancel_of_all_orders_warns_of_a_stop_that_the_bridge_made(service: Service) -> None:
    stop = MADE._replace(order_type="STOPMARKET", tif="GTC")
    deliver(service, made("Working", acked=1, made=stop))
    answer = service.send("CANCELORDERS", account="Sim101")
    [warning] = answer.body["warnings"]
    assert warning == {
        "code": "unprotected_quantity",
        "detail": f"What is filled stays, and has no stop now: {NAME} protected it.",
    }


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_reports_of_a_made_order_come_twice_and_in_any_order(service: Service, order: tuple[int, ...]) -> None:
    execution = Execution("oh1", 2, 2, None, AT)
    said = [
        made("Initialized"),
        made("Working", acked=1, seq=2),
        made("Filled", 2, acked=1, seq=3, executions=(execution,)),
    ]
    assert deliver(service, *(said[n] for n in order), *said) == []
    found = seen(service, NAME)
    assert (found.state, found.filled, found.acked, found.report_seq) == ("Filled", 2, 1, 3)
    assert service.open_orders() == []
    [kept] = service.services.bridge.executions(service.trader)
    assert (kept.order_id, kept.action, kept.unattached) == (NAME, "SELL", False)


def test_a_made_order_that_was_refused_says_why(service: Service) -> None:
    deliver(service, made("Rejected", acked=1, reason="the kill switch is on"))
    order = seen(service, NAME)
    assert (order.state, order.reason) == ("Rejected", "the kill switch is on")
    assert "expires" in service.plain(NAME)


def test_a_report_of_a_made_order_touches_no_order_that_has_its_id(service: Service) -> None:
    service.place(NAME)
    before = service.plain(NAME)
    assert deliver(service, made("Filled", 2)) == ["UnattachedReports"]
    assert service.plain(NAME) == before


def test_an_order_of_an_alert_is_written_by_no_report(service: Service) -> None:
    assert deliver(service, say("Working")) == ["UnattachedReports"]
    assert service.order() is None


def test_cancels_reach_a_made_order(service: Service) -> None:
    service.use_venue()
    deliver(service, made("Working", acked=1))
    assert service.cancel(NAME).body["status"] == "cancel_pending"
    assert seen(service, NAME).want.n == 2  # type: ignore[union-attr]
    deliver(service, made("Cancelled", acked=2, seq=2))
    assert (seen(service, NAME).state, service.open_orders()) == ("Cancelled", [])


def test_cancel_orders_reaches_a_made_order(service: Service) -> None:
    service.use_venue()
    deliver(service, made("Working", acked=1))
    answer = service.send("CANCELORDERS", account="Sim101", instrument="ES 12-26")
    assert answer.body["cancel_pending"] == [NAME]


def test_an_order_shows_by_which_instruction_it_came(service: Service, run: Run) -> None:
    deliver(service, made("Filled", 2))
    assert "made by: instruction" in run("order", NAME).stdout
    assert json.loads(run("order", NAME, "--json").stdout)["made_by"] == "instruction"
    assert NAME in run("orders").stdout
