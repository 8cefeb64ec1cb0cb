"""What an operator sees of the bridge's reports, and says of an order of which nobody else can know it."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from cli import connection
from orderhook.aws.doorbell import LOOK
from orderhook.bridge_messages import ANOTHER_JOURNALS, Execution, PositionReport
from orderhook.order_reports import Report
from orderhook.orders import Order, OrderState, Want, timestamp
from orderhook.profit import trading_day
from orderhook.trade import LegTerms, own_legs
from tests import builders
from tests.integration.conftest import Run, be_a_terminal
from tests.marks import OF_A_TERMINAL
from tests.service import Service
from tests.trades import seen

pytestmark = OF_A_TERMINAL

AT = "2026-01-02T03:04:05.000000Z"


def have(service: Service, order_id: str = "order-1", **fields: Any) -> Order:
    """Have an order be at the venue, with a stop that waits."""
    placed = builders.provenance(service.trader, f"r-{order_id}")
    legs = own_legs(1, [LegTerms("STOP", "STOPMARKET", stop_price=Decimal(4990))], "g")
    order = builders.order(
        placed, order_id, venue="ninjatrader", want=Want(1, "place", AT), legs=legs, received_at=AT, **fields
    )
    assert service.orders.put(placed, order).applied
    return order


def have_positions(service: Service) -> None:
    for account, side, quantity, average in (("Sim101", "LONG", 2, "5000.25"), ("Sim102", "FLAT", 0, None)):
        price = None if average is None else Decimal(average)
        said = PositionReport(account, "ES 12-26", side, quantity, price, AT)  # type: ignore[arg-type]
        service.services.bridge.put_position(service.trader, said)


def have_executions(service: Service) -> None:
    order = have(service)
    bridge = service.services.bridge
    for n, at in ((1, "2026-01-02T03:04:01.000000Z"), (2, "2026-01-02T03:04:02.000000Z")):
        fill = Execution("oh1", n, 1, Decimal("5000.25"), at)
        assert bridge.put_execution(service.trader, fill, "order-1", order)
        assert not bridge.put_execution(service.trader, fill, "order-1", order)
    stray = Execution("oh9", 1, 1, None, "2026-01-02T03:04:03.000000Z")
    assert bridge.put_execution(service.trader, stray, "gone", None)


def test_positions_are_listed_for_a_person_and_a_script(service: Service, run: Run) -> None:
    have_positions(service)
    lines = run("positions").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["account", "Sim101", "Sim102"]
    assert "5000.25" in lines[1]
    [shown] = json.loads(run("positions", "--account", "sim101", "--json").stdout)
    expected = {"side": "LONG", "quantity": "2", "average": "5000.25", "at": AT}
    assert shown == {"account": "Sim101", "instrument": "ES 12-26", **expected}
    assert run("positions", "--csv").stdout.splitlines()[2] == f"Sim102,ES 12-26,FLAT,0,,{AT}"


def test_executions_are_listed_newest_first(service: Service, run: Run) -> None:
    have_executions(service)
    shown = json.loads(run("executions", "--json").stdout)
    assert [(it["order_id"], it["cumulative"], it["price"], it["unattached"]) for it in shown] == [
        ("gone", "1", None, True),
        ("order-1", "2", "5000.25", False),
        ("order-1", "1", "5000.25", False),
    ]
    assert "gone (not known)" in run("executions").stdout


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--order", "order-1"], 2),
        (["--account", "SIM101"], 2),
        (["--since", "2026-01-02T03:04:02"], 2),
        (["--until", "2026-01-02T03:04:02"], 1),
        (["--limit", "1"], 1),
        (["--order", "nobodys"], 0),
    ],
    ids=str,
)
def test_executions_are_chosen(service: Service, run: Run, arguments: list[str], found: int) -> None:
    have_executions(service)
    assert len(json.loads(run("executions", "--json", *arguments).stdout)) == found


@pytest.mark.parametrize("command", ["positions", "executions"])
def test_where_nothing_was_reported_it_says_so(run: Run, command: str) -> None:
    assert "reported" in run(command).stdout
    assert run(command, "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("outcome", "state", "filled"),
    [
        ("cancelled", "Cancelled", 1),
        ("filled=2", "Cancelled", 2),
        ("filled=5", "Filled", 5),
    ],
)
def test_a_person_says_what_became_of_an_order(
    service: Service, run: Run, outcome: str, state: str, filled: int
) -> None:
    have(service, unresolved="the bridge was stopped", filled=1, average=Decimal(5000))
    result = run("resolve", "order-1", outcome)
    assert (result.exit_code, result.stdout) == (0, f"Order order-1 is {state}, {filled} filled.\n")
    order = seen(service)
    assert (order.state, order.filled, order.unresolved) == (state, filled, None)
    assert order.reason == order.history[-1].changes["reason"] == "resolved by an operator"
    assert "order-1" not in service.open_orders()
    [record] = service.alerts.newest(service.trader)
    assert (record.outcome, record.command, record.order_ids) == ("order_resolved", "RESOLVE", ("order-1",))
    assert record.fields == {"order_id": "order-1", "outcome": outcome}
    if filled > 1:
        assert seen(service, "order-1.STOP1").qty == filled


@pytest.mark.parametrize(("outcome", "is_told"), [("filled=2", True), ("cancelled", False)])
def test_a_person_is_told_where_no_bridge_places_a_stop_for_what_was_filled(
    service: Service, run: Run, outcome: str, *, is_told: bool
) -> None:
    have(service, unresolved=f"{ANOTHER_JOURNALS}: look in NinjaTrader", filled=1, average=Decimal(5000))
    result = run("resolve", "order-1", outcome)
    assert (result.exit_code, "no targets and stops" in result.stderr) == (0, is_told)


def test_more_than_was_ordered_is_taken_only_when_it_is_said_twice(service: Service, run: Run) -> None:
    have(service, unresolved="the bridge was stopped", filled=1, average=Decimal(5000))
    refused = run("resolve", "order-1", "filled=6")
    assert refused.exit_code == 1
    assert "Order order-1 is for 5" in refused.stderr
    assert "--more-than-ordered" in refused.stderr
    assert (seen(service).filled, seen(service).unresolved) == (1, "the bridge was stopped")
    taken = run("resolve", "order-1", "filled=6", "--more-than-ordered")
    assert (taken.exit_code, taken.stdout) == (0, "Order order-1 is Filled, 6 filled.\n")
    assert seen(service, "order-1.STOP1").qty == 6


def test_what_was_overfilled_before_is_resolved_without_saying_it_twice(service: Service, run: Run) -> None:
    have(service, unresolved="the bridge was stopped", filled=6, average=Decimal(5000))
    assert run("resolve", "order-1", "cancelled").exit_code == 0
    assert seen(service).filled == 6


def test_a_bridge_is_told_to_look_at_what_a_person_has_said(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.use_venue()
    monkeypatch.setattr(connection, "connect", lambda *_: service.services_of_operator())
    have(service, unresolved="its file was not read")
    assert run("resolve", "order-1", "cancelled").exit_code == 0
    assert [it.body for it in service.queue.rings] == [LOOK]


def test_what_was_never_filled_may_have_been_rejected(service: Service, run: Run) -> None:
    have(service, unresolved="its file was not read")
    assert run("resolve", "order-1", "rejected").exit_code == 0
    assert seen(service).state == "Rejected"


@pytest.mark.parametrize(
    ("order_id", "outcome", "unresolved", "exit_code", "says"),
    [
        ("order-1", "cancelled", None, 1, "not marked unresolved"),
        ("order-1", "filled=1", "x", 1, "2 are filled already"),
        ("order-1", "rejected", "x", 1, "2 are filled already"),
        ("order-1", "lost", "x", 2, "is no outcome"),
        ("order-1", "filled=0", "x", 2, "is no outcome"),
        ("nobodys", "cancelled", "x", 1, "There is no order"),
    ],
)
def test_what_cannot_be_is_refused_and_writes_nothing(
    service: Service, run: Run, order_id: str, outcome: str, unresolved: str | None, exit_code: int, says: str
) -> None:
    have(service, unresolved=unresolved, filled=2)
    before = service.everything()
    result = run("resolve", order_id, outcome)
    assert (result.exit_code, says in result.stderr) == (exit_code, True)
    assert service.everything() == before


def test_an_order_that_its_bridge_knew_meanwhile_is_left_alone(service: Service) -> None:
    have(service)
    said = Report(OrderState.CANCELLED, 0)
    result = service.services.reports.resolve(builders.provenance(service.trader, "r9"), "order-1", said)
    assert (result.after, seen(service).state) == (None, "Initialized")


def test_an_order_shows_what_its_venue_has_and_what_nobody_can_know(service: Service, run: Run) -> None:
    have(
        service,
        confirmed={"qty": "5", "limit_price": "5000"},
        unresolved="the bridge was stopped",
        reason="why",
        acked=0,
        atm_template="ES scalp",
    )
    shown = run("order", "order-1").stdout
    for line in ("reason: why", "venue: ninjatrader, which has limit_price 5000, qty 5", "UNRESOLVED: the bridge"):
        assert line in shown
    assert "not answered: place" in shown
    assert "NinjaTrader's, by its own template ES scalp" in shown
    assert "`orderhook resolve order-1 cancelled`" in shown
    as_json = json.loads(run("order", "order-1", "--json").stdout)
    assert (as_json["venue"], as_json["unresolved"]) == ("ninjatrader", "the bridge was stopped")
    assert as_json["confirmed"] == {"qty": "5", "limit_price": "5000"}


def test_an_alert_shows_what_has_become_of_its_orders(service: Service, run: Run) -> None:
    answer = service.place("order-1")
    service.report("PartFilled", 2)
    shown = run("alerts", "show", answer.request_id)
    assert "  now          order-1: PartFilled, BUY 5 ES 12-26 LIMIT GTC, limit 5000.25, 2 of 5 filled" in shown.stdout
    [order] = json.loads(run("alerts", "show", answer.request_id, "--json").stdout)["orders"]
    assert (order["order_id"], order["state"]) == ("order-1", "PartFilled")


def test_an_order_shows_its_fills_its_legs_and_what_rang_of_them(service: Service, run: Run) -> None:
    order = have(service)
    alarmed = order._replace(
        history=(
            *order.history,
            builders.provenance(service.trader, "r2").event(None, {"alarm": "unprotected"}, "STOP1"),
        )
    )
    service.orders.rewrite(builders.provenance(service.trader, "r3"), order, alarmed)
    report = Report(OrderState.FILLED, 5, Decimal("5000.0833333333333"), seq=1, acked=1)
    service.services.reports.record(builders.provenance(service.trader, "r4"), "order-1", report)
    shown = run("order", "order-1").stdout
    assert shown.count("ALARM of STOP1: unprotected") == 1
    [entry, stop] = shown.splitlines()[1:3]
    assert "5000.0833 " in entry
    assert stop.startswith("order-1.STOP1")
    assert "filled 5, average 5000.0833" in shown
    assert "ALARM of STOP1: unprotected" in run("order", "order-1.STOP1").stdout


def test_a_leg_that_waits_says_of_which_order_an_alarm_was(service: Service, run: Run) -> None:
    order = have(service)
    rung = builders.provenance(service.trader, "r2").event(None, {"alarm": "cancel_refused"})
    service.orders.rewrite(
        builders.provenance(service.trader, "r3"), order, order._replace(history=(*order.history, rung))
    )
    assert "ALARM of ENTRY: cancel_refused" in run("order", "order-1.STOP1").stdout


def test_a_waiting_stop_is_not_called_cancelled_before_its_bridge_says_so(service: Service, run: Run) -> None:
    order = have(service)
    asked = builders.provenance(service.trader, "a1").event(None, leg="STOP1")
    after = order._replace(history=(*order.history, asked))
    assert service.orders.rewrite(builders.provenance(service.trader, "r3"), order, after)
    shown = run("order", "order-1").stdout
    assert ("STOP1: CancelPending" in shown, "STOP1: cancelled" in shown) == (True, False)
    said = asked._replace(request_id="report.1.STOP1", key_id="ninjatrader")
    now = seen(service)
    answered = now._replace(history=(*now.history, said))
    assert service.orders.rewrite(builders.provenance(service.trader, "r4"), now, answered)
    assert "STOP1: cancelled" in run("order", "order-1").stdout


LONG = "es-long-2026-11-28T14:30:00Z"


@pytest.mark.parametrize(
    ("command", "whole"),
    [
        (["orders"], [LONG, "BUY 5 ES 12-26, Sim101", "2 of 5 at 5000.0833"]),
        (["order", LONG], [LONG, "BUY 5 ES 12-26, Sim101", "filled 2, average 5000.0833"]),
        (["positions"], ["Sim101", "ES 12-26", "LONG 2 at 5000.25"]),
        (["executions"], [LONG, "ES 12-26, Sim101", "BUY 1 at 5000.0833", "ohabcdefghijklmnop"]),
        (["alerts"], [LONG, "placed", "PLACE"]),
    ],
    ids=lambda value: value[0],
)
def test_in_a_terminal_of_80_columns_what_matters_is_whole(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], whole: list[str]
) -> None:
    service.place(LONG, strategy_id="es-long", stop_loss=4990)
    signed, average = builders.provenance(service.trader, "r9"), Decimal("5000.08333333333")
    result = service.services.reports.record(signed, LONG, Report(OrderState.PART_FILLED, 2, average))
    have_positions(service)
    fill = Execution("ohabcdefghijklmnop", 1, 1, average, AT)
    service.services.bridge.put_execution(service.trader, fill, LONG, result.after)
    be_a_terminal(monkeypatch)
    lines = run(*command).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for value in whole:
        assert [line for line in lines if value in line], "\n".join(lines)


@pytest.mark.parametrize("arguments", [[], ["--open"]], ids=str)
def test_lists_mark_the_order_of_which_nobody_knows_what_has_become(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    have(service, "known", state="ChangeSubmitted")
    assert "UNRESOLVED" not in run("orders", *arguments).stdout
    have(service, "lost", state="ChangeSubmitted", unresolved="the bridge was stopped")
    [row] = [line for line in run("orders", *arguments).stdout.splitlines() if line.startswith("lost ")]
    assert "ChangeSubmitted, UNRESOLVED" in row
    be_a_terminal(monkeypatch)
    lines = run("orders", *arguments).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    [first] = [number for number, line in enumerate(lines) if line.startswith("lost ")]
    assert "UNRESOLVED" in lines[first + 1]
    assert "`orderhook order ID`" in " ".join(lines)


# Realized profit and loss

TUESDAY_NOON = "2026-11-24T17:00:00.000000Z"


def fill(
    service: Service,
    action: str,
    quantity: int,
    price: str | None,
    minute: int = 0,
    **of_order: Any,
) -> None:
    """Have an order of Sim101 in ES be filled, so many minutes after noon in New York."""
    at = timestamp(datetime.fromisoformat(TUESDAY_NOON) + timedelta(minutes=minute))
    order = builders.order(builders.provenance(service.trader, "r"), "order-1", action=action, **of_order)
    said = Execution(f"oh{uuid4().hex}", quantity, quantity, None if price is None else Decimal(price), at)
    assert service.services.bridge.put_execution(service.trader, said, "order-1", order)


def profit_of(run: Run, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("positions", "--pnl", "--json", *arguments).stdout)
    return found


def test_what_was_realized_is_shown_by_account_and_day(service: Service, run: Run) -> None:
    fill(service, "BUY", 2, "5000")
    fill(service, "SELL", 2, "5000.75", 1)
    fill(service, "SELL", 1, "21000", 2, instrument="NQ 12-26")
    fill(service, "BUY", 1, "21010.25", 3, instrument="NQ 12-26")
    found = profit_of(run)
    rows = [
        {"instrument": "ES 12-26", "closed": "2", "points": "1.5", "realized": "75", "unpriced": "0"},
        {"instrument": "NQ 12-26", "closed": "1", "points": "-10.25", "realized": "-205", "unpriced": "0"},
    ]
    day = {"day": "2026-11-24", "account": "Sim101", "currency": "USD", "realized": "-130", "instruments": rows}
    assert found["days"] == [day]
    assert found["totals"] == [
        {"account": "Sim101", "currency": "USD", "realized": "-130", "closed": "3", "unpriced": "0"}
    ]
    [what_it_is] = found["notes"]
    assert all(word in what_it_is for word in ("without commissions and open profit", "17:00 in New York", "400 days"))
    lines = [line.split() for line in run("positions", "--pnl").stdout.splitlines()]
    assert lines[1:4] == [
        ["2026-11-24", "Sim101", "ES", "12-26", "2", "1.5", "75.00", "USD"],
        ["2026-11-24", "Sim101", "NQ", "12-26", "1", "-10.25", "-205.00", "USD"],
        ["2026-11-24", "Sim101", "together", "-130.00", "USD"],
    ]
    csv = run("positions", "--pnl", "--csv").stdout.splitlines()
    assert csv[0] == "day,account,currency,realized,instruments"
    assert csv[1].startswith("2026-11-24,Sim101,USD,-130,")


def test_a_sum_says_of_how_many_contracts_it_is(service: Service, run: Run) -> None:
    for day in (0, 24 * 60):
        fill(service, "BUY", 3, "5000", day)
        fill(service, "SELL", 1, "5001", day + 1)
        fill(service, "SELL", 2, None, day + 2)
        fill(service, "BUY", 1, "21000", day + 3, instrument="NQ 12-26")
        fill(service, "SELL", 1, "21001", day + 4, instrument="NQ 12-26")
    shown = run("positions", "--pnl").stdout
    assert "Sim101, together: 140.00 USD of 4 of 8 contracts\n" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["2026-11-25", "Sim101", "together", "2", "of", "4", "70.00", "USD"] in lines
    [total] = profit_of(run)["totals"]
    assert (total["realized"], total["closed"], total["unpriced"]) == ("140", "4", "4")


@pytest.mark.parametrize(
    ("arguments", "days"),
    [
        ([], ["2026-11-24", "2026-11-25"]),
        (["--day", "2026-11-25"], ["2026-11-25"]),
        (["--day", "2026-11-26"], []),
        (["--since", "2026-11-24T17:02"], ["2026-11-25"]),
        (["--account", "SIM101"], ["2026-11-24", "2026-11-25"]),
        (["--account", "Sim102"], []),
    ],
    ids=str,
)
def test_days_are_chosen_and_what_was_opened_before_counts(
    service: Service, run: Run, arguments: list[str], days: list[str]
) -> None:
    fill(service, "BUY", 3, "5000")
    fill(service, "SELL", 1, "5001", 1)
    fill(service, "SELL", 1, "5002", 6 * 60)
    found = profit_of(run, *arguments)
    assert [day["day"] for day in found["days"]] == days
    won = {"2026-11-24": "50", "2026-11-25": "100"}
    assert [day["realized"] for day in found["days"]] == [won[day] for day in days]


def test_a_day_may_be_today(service: Service, run: Run) -> None:
    now = service.queue.now
    minutes = int((now - datetime.fromisoformat(TUESDAY_NOON)).total_seconds() // 60)
    fill(service, "BUY", 1, "5000", minutes - 60 * 24 * 30)
    fill(service, "SELL", 1, "5001", minutes)
    [day] = profit_of(run, "--day", "TODAY")["days"]
    assert day["day"] == trading_day(now).isoformat()


def test_what_is_left_out_is_told(service: Service, run: Run) -> None:
    fill(service, "BUY", 1, "5000")
    fill(service, "SELL", 1, None, 1)
    fill(service, "BUY", 1, "10", 2, instrument="AAPL")
    fill(service, "SELL", 1, "12", 3, instrument="AAPL")
    fill(service, "BUY", 2, "21000", 4, instrument="NQ 12-26")
    stray = Execution("oh9", 1, 1, Decimal(5000), TUESDAY_NOON)
    assert service.services.bridge.put_execution(service.trader, stray, "gone", None)
    filled_at = datetime.fromisoformat(TUESDAY_NOON) + timedelta(minutes=4)
    early, late = timestamp(filled_at), timestamp(filled_at + timedelta(minutes=1))
    said = PositionReport("sim101", "NQ DEC26", "SHORT", 1, Decimal(21000), early)
    service.services.bridge.put_position(service.trader, said)
    assert len(profit_of(run)["notes"]) == 4, "the position may be from before the fill"
    service.services.bridge.put_position(service.trader, said._replace(at=late))
    found = profit_of(run)
    assert [(day["currency"], day["realized"]) for day in found["days"]] == [(None, None), ("USD", "0")]
    _, strays, unpriced, of_three, differs = found["notes"]
    assert strays.startswith("1 execution belongs to no known order")
    assert unpriced.startswith("1 execution has no price")
    assert "the price is not known" in of_three
    assert differs.startswith("NQ 12-26 of Sim101: long 2 by its fills, short 1 by NinjaTrader.")
    shown = run("positions", "--pnl").stdout
    assert "not listed" in shown
    assert "0 of 1" in shown


def test_that_a_position_was_seen_flat_is_no_execution(service: Service, run: Run) -> None:
    fill(service, "BUY", 2, "5000")
    later = timestamp(datetime.fromisoformat(TUESDAY_NOON) + timedelta(minutes=1))
    for _ in range(2):
        service.services.bridge.note_flat(service.trader, PositionReport("Sim101", "ES 12-26", "FLAT", 0, None, later))
    assert [it["quantity"] for it in json.loads(run("executions", "--json").stdout)] == ["2"]
    [day] = profit_of(run)["days"]
    assert (day["realized"], day["instruments"][0]["unpriced"]) == ("0", "2")


def test_in_a_terminal_profits_fit_80_columns(service: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    account = "DEMO1234567890-MARGIN"
    fill(service, "BUY", 40, "21000", account=account, instrument="MNQ 12-26")
    fill(service, "SELL", 40, "23500.75", 1, account=account, instrument="MNQ 12-26")
    fill(service, "BUY", 1, "5000", 2, account=account)
    fill(service, "SELL", 1, None, 3, account=account)
    be_a_terminal(monkeypatch)
    lines = run("positions", "--pnl").stdout.splitlines()
    assert "200,060.00 USD" in lines[2]
    assert all(len(line) <= 80 for line in lines)


def test_where_nothing_was_closed_it_says_so_and_what_it_would_tell(run: Run) -> None:
    shown = run("positions", "--pnl").stdout
    assert "was closed then by what was filled" in shown
    assert "without commissions" in shown
    assert profit_of(run) == {"days": [], "totals": [], "notes": profit_of(run)["notes"]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pnl", "--day", "yesterday"], "'yesterday' is not a day"),
        (["--pnl", "--since", "then"], "'then' is not a time"),
        (["--since", "2h"], "are of --pnl"),
        (["--day", "today"], "are of --pnl"),
    ],
    ids=str,
)
def test_what_profits_cannot_be_asked_is_one_clear_line(run: Run, arguments: list[str], says: str) -> None:
    result = run("positions", *arguments)
    assert result.exit_code
    assert says in result.stderr
