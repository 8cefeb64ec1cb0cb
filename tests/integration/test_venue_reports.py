"""What a bridge reports: through the handler of the report queue into the table."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import reports
import webhook
from cli.aws.table import read_template
from orderhook.bridge_messages import Execution, Heartbeat, InstructionReport, OrderReport, PositionReport, Sent
from orderhook.bridge_messages import serialize as message_of
from orderhook.instructions import Instruction
from orderhook.leg_prices import with_bounds
from orderhook.orders import Leg, LegEnd, Order, OrderState, Want, timestamp
from orderhook.store import items
from tests import builders, faults
from tests.marks import EACH_ONCE
from tests.service import Service
from tests.trades import seen

AT = "2026-01-02T03:04:05.000000Z"
STOP, TARGET = "order-1.STOP1", "order-1.TARGET1"


@pytest.fixture(autouse=True)
def _of_this_trader(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))


def have(service: Service, *, state: str = "Initialized", n: int = 1, kind: Any = "place", **fields: Any) -> Order:
    """Have order-1 be at the venue, with a stop and a target that wait, and with this asked of it last."""
    placed = builders.provenance(service.trader, "r1")
    place = Want(1, "place", AT)
    legs = {
        "STOP1": Leg("STOPMARKET", stop_price=Decimal(4990), oco_id="g", want=place),
        "TARGET1": Leg("LIMIT", limit_price=Decimal(5010), oco_id="g", want=place),
    }
    more: dict[str, Any] = {"legs": legs, "strategy_id": "s", "order_name": "ENTRY1", "number": 1, **fields}
    order = builders.order(
        placed, "order-1", state=OrderState(state), venue="ninjatrader", want=Want(n, kind, AT), received_at=AT, **more
    )
    order = with_bounds(order)
    assert service.orders.put(placed, order).applied
    return order


def say(state: str, filled: int = 0, *, seq: int = 1, order_id: str = "order-1", **more: Any) -> OrderReport:
    return OrderReport(order_id, more.pop("placed_by", "r1"), OrderState(state), filled, seq, **more)


def deliver(
    service: Service,
    *what: OrderReport | InstructionReport | PositionReport | Heartbeat,
    journal: str = "j1",
    at: datetime | None = None,
    trader: str | None = None,
) -> list[str]:
    """Deliver messages in one event, and return the metrics that are counted."""
    sent = int((at or service.queue.now).timestamp() * 1000)
    service.output.take()
    bodies = [message_of(Sent(trader or service.trader, journal, it)) for it in what]
    failed = reports.handler({"Records": [record(body, n, sent) for n, body in enumerate(bodies)]}, None)
    assert failed == {"batchItemFailures": []}
    return counted(service)


def record(body: str, number: int, sent: int) -> dict[str, Any]:
    return {"messageId": f"m-{number}", "body": body, "attributes": {"SentTimestamp": str(sent)}}


def counted(service: Service) -> list[str]:
    declared = [line["_aws"]["CloudWatchMetrics"] for line in service.output.lines() if "_aws" in line]
    return [
        metric["Name"] for [directive] in declared for metric in directive["Metrics"] if metric["Name"] != "Reports"
    ]


def states(service: Service, *order_ids: str) -> list[tuple[str, int, int]]:
    found = [seen(service, order_id) for order_id in order_ids]
    return [(str(it.state), it.qty, it.filled) for it in found]


def bridge(service: Service) -> dict[str, Any]:
    item = service.services.table.get(items.controls_key(service.trader)) or {}
    noted: dict[str, Any] = item["bridge"]
    return noted


# What was asked last


@EACH_ONCE
@pytest.mark.parametrize("kind", ["cancel", "change"])
@pytest.mark.parametrize("late", ["Accepted", "Working", "PartFilled", "Unknown", "CancelSubmitted"])
def test_a_late_report_of_an_earlier_want_takes_nothing_away(service: Service, kind: str, late: str) -> None:
    pending = f"{kind.title()}Pending"
    have(service, state=pending, n=2, kind=kind)
    deliver(service, say(late, 2, acked=1))
    assert states(service, "order-1") == [(pending, 5, 2)]
    assert seen(service).acked == 1
    deliver(service, say("Working", 2, seq=2, acked=2))
    assert states(service, "order-1") == [("Working", 5, 2)]


def test_a_fill_that_overtakes_a_cancel_ends_the_order(service: Service) -> None:
    have(service, state="CancelPending", n=2, kind="cancel")
    deliver(service, say("Filled", 5, acked=1))
    assert states(service, "order-1", STOP, TARGET) == [
        ("Filled", 5, 5),
        ("Initialized", 5, 0),
        ("Initialized", 5, 0),
    ]
    assert sorted(service.open_orders()) == [STOP, TARGET]
    assert "expires" in service.plain()


def test_a_change_that_was_too_late_leads_back_to_what_is_confirmed(service: Service) -> None:
    have(service, state="ChangePending", n=2, kind="change", qty=3)
    deliver(
        service,
        say("Working", acked=2, values={"qty": "5", "limit_price": "4999.5"}, reason="too late: the bridge was away"),
    )
    order = seen(service)
    assert (order.state, order.qty, order.limit_price) == ("Working", 5, Decimal("4999.5"))
    assert order.history[-1].changes == {
        "qty": "5",
        "limit_price": "4999.5",
        "reason": "too late: the bridge was away",
    }


def test_a_change_that_nobody_confirms_keeps_the_values_asked_for(service: Service) -> None:
    have(service, state="ChangePending", n=2, kind="change", qty=3, confirmed={"qty": "5"})
    assert deliver(service, say("Working", acked=2, alarms=["change_unconfirmed"])) == ["ChangesUnconfirmed"]
    assert (seen(service).qty, seen(service).confirmed) == (3, {"qty": "5"})


def test_what_an_earlier_want_has_confirmed_takes_no_value_away(service: Service) -> None:
    have(service, state="ChangePending", n=2, kind="change", qty=3)
    deliver(service, say("Working", acked=1, values={"qty": "5", "limit_price": "4999"}))
    order = seen(service)
    assert (order.qty, order.limit_price) == (3, Decimal("5000.25"))
    assert order.confirmed == {"qty": "5", "limit_price": "4999"}


def test_a_change_to_what_is_filled_is_answered_by_the_end(service: Service) -> None:
    have(service, state="ChangePending", n=2, kind="change", qty=2, filled=2, confirmed={"qty": "5"})
    deliver(service, say("Filled", 2, acked=2))
    assert states(service, "order-1") == [("Filled", 2, 2)]


@pytest.mark.parametrize(
    ("wanted", "confirmed"),
    [
        (
            {"order_type": "STOPMARKET", "limit_price": None, "stop_price": 5},
            {"order_type": "LIMIT", "limit_price": "4999"},
        ),
        ({"order_type": "LIMIT"}, {"order_type": "MARKET"}),
        ({"tif": "GTC"}, {"order_type": "LIMIT", "limit_price": "5000.25", "tif": "DAY"}),
    ],
)
def test_an_order_of_another_kind_that_was_not_made_is_what_it_was(
    service: Service, wanted: dict[str, Any], confirmed: dict[str, str]
) -> None:
    have(service, state="ChangePending", n=2, kind="replace", **wanted)
    deliver(service, say("Working", acked=2, values={"qty": "5", "tif": "DAY", **confirmed}))
    order = seen(service)
    limit = Decimal(confirmed["limit_price"]) if "limit_price" in confirmed else None
    assert (order.order_type, order.tif, order.limit_price, order.stop_price) == (
        confirmed["order_type"],
        "DAY",
        limit,
        None,
    )


def test_a_fill_while_a_change_waits_is_no_overfill_of_what_is_confirmed(service: Service) -> None:
    have(service, state="ChangePending", n=2, kind="change", qty=3)
    assert deliver(service, say("Filled", 5, acked=1, values={"qty": "5", "limit_price": "5000.25"})) == []
    assert states(service, "order-1") == [("Filled", 5, 5)]
    assert deliver(service, say("Filled", 6, seq=2, acked=1)) == ["Overfills"]


# Lost, doubled, reordered


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 1, 2, 2), (2, 0, 1, 0)], ids=str)
def test_in_whatever_order_and_however_often_the_same_is_known(service: Service, order: tuple[int, ...]) -> None:
    have(service)
    fills = [Execution("oh1", n, 1, Decimal(5000 + n), AT) for n in (1, 2)]
    told = (
        say("Working", seq=1, acked=1),
        say("PartFilled", 1, seq=2, acked=1, average=Decimal(5001), executions=fills[:1]),
        say("PartFilled", 2, seq=3, acked=1, average=Decimal("5001.5"), executions=fills),
    )
    for number in order:
        deliver(service, told[number])
    assert states(service, "order-1", STOP, TARGET) == [
        ("PartFilled", 5, 2),
        ("Initialized", 2, 0),
        ("Initialized", 2, 0),
    ]
    assert seen(service).average == Decimal("5001.5")
    stored = list(service.services.bridge.executions(service.trader))
    assert [(it.cumulative, it.quantity, it.price) for it in stored] == [(2, 1, 5002), (1, 1, 5001)]
    assert {(it.order_id, it.account, it.action) for it in stored} == {("order-1", "Sim101", "BUY")}


def test_a_report_twice_writes_once_and_rings_at_least_once(service: Service) -> None:
    have(service)
    said, sent = say("Working", acked=1, alarms=["cancel_refused"]), service.queue.now
    assert deliver(service, said, at=sent) == ["CancelsRefused"]
    before = service.everything()
    assert deliver(service, said, at=sent) == ["CancelsRefused"]
    assert service.everything() == before


@pytest.mark.parametrize("seqs", [(1, 2), (2, 1)], ids=str)
def test_an_alarm_stands_in_the_history_whatever_was_known(service: Service, seqs: tuple[int, int]) -> None:
    have(service)
    for seq in seqs:
        deliver(service, say("Working", seq=seq, acked=1, alarms=["cancel_refused", "overfill"] if seq == 1 else []))
    assert [it.changes["alarm"] for it in seen(service).history if it.changes.get("alarm")] == [
        "cancel_refused, overfill"
    ]


def test_an_alarm_of_a_leg_stands_in_its_history_and_while_it_waits_in_its_entrys(service: Service) -> None:
    have(service)
    waits = say("Initialized", order_id=STOP, acked=1, alarms=["unprotected"])
    for _ in range(2):
        assert deliver(service, waits) == ["Unprotected"]
    rung = [(it.leg, it.changes) for it in seen(service).history if "alarm" in it.changes]
    assert rung == [("STOP1", {"alarm": "unprotected"})]
    deliver(service, say("Filled", 5, acked=1), say("Rejected", order_id=STOP, seq=2, alarms=["stop_rejected"]))
    told = [it.changes.get("alarm") for it in seen(service, STOP).history]
    assert [alarm for alarm in told if alarm] == ["unprotected", "stop_rejected"]


def test_each_fill_in_the_history_has_the_average_price(service: Service) -> None:
    have(service)
    for seq, filled, average in ((1, 1, "5000"), (2, 3, "5000.5")):
        deliver(service, say("PartFilled", filled, seq=seq, acked=1, average=Decimal(average)))
    fills = [it.changes for it in seen(service).history if "filled" in it.changes]
    assert fills == [{"filled": "1", "average": "5000"}, {"filled": "3", "average": "5000.5"}]


@pytest.mark.parametrize(
    ("operation", "script"),
    [("PutItem", [faults.deny]), ("TransactWriteItems", [faults.lose_response, *[faults.refuse_connection] * 5])],
    ids=["the execution fails", "the answer of the write is lost"],
)
def test_a_report_that_fails_after_its_write_rings_when_it_comes_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, operation: str, script: list[faults.Fault]
) -> None:
    monkeypatch.setattr(reports, "services", webhook.services)
    end = LegEnd(OrderState.CANCELLED, AT, "r0", "key")
    have(service, legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990), end=end)})
    fill = Execution("oh1", 7, 7, Decimal(5000), AT)
    said = say("Filled", 7, acked=1, alarms=["change_unconfirmed"], executions=[fill])
    service.network.inject(operation, *script)
    body = message_of(Sent(service.trader, "j1", said))
    failed = reports.handler({"Records": [record(body, 0, 1)]}, None)
    assert failed == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert states(service, "order-1") == [("Filled", 5, 7)]
    service.network.inject(operation)
    assert deliver(service, said) == ["ChangesUnconfirmed", "Overfills", "Unprotected"]


def test_a_mark_whose_report_comes_again_rings_again(service: Service) -> None:
    have(service)
    for _ in range(2):
        assert deliver(service, say("Initialized", acked=1, unresolved="it is gone")) == ["UnresolvedOrders"]


def test_a_stop_that_a_fill_did_not_raise_rings_when_its_report_comes_again(service: Service) -> None:
    have(service)
    deliver(service, say("PartFilled", 2, acked=1))
    stop = seen(service, STOP)
    pending = stop._replace(state=OrderState.CANCEL_PENDING, want=Want(2, "cancel", AT))
    assert service.orders.rewrite(builders.provenance(service.trader, "r2"), stop, pending)
    deliver(service, say("Cancelled", order_id=STOP, acked=2))
    for _ in range(2):
        assert deliver(service, say("Filled", 5, seq=2, acked=1)) == ["Unprotected"]
    rung = [(it.leg, it.changes) for it in seen(service).history if "alarm" in it.changes]
    assert rung == [("STOP1", {"alarm": "unprotected"})]


def test_the_line_of_a_fill_that_a_stop_is_missing_for_names_it(service: Service) -> None:
    entry = have(service)
    ended = entry.legs["STOP1"]._replace(end=LegEnd(OrderState.CANCELLED, AT, "r2", "k"))
    legs = {**entry.legs, "STOP1": ended}
    assert service.orders.rewrite(builders.provenance(service.trader, "r2"), entry, entry._replace(legs=legs))
    service.output.take()
    sent = message_of(Sent(service.trader, "j1", say("Filled", 5, acked=1)))
    reports.handler({"Records": [record(sent, 0, 0)]}, None)
    [line] = [it for it in service.output.lines() if it.get("order_id") == "order-1"]
    assert line["unprotected"] == ["STOP1"]


def test_the_messages_of_one_event_are_judged_each_by_itself(service: Service) -> None:
    have(service)
    good = message_of(Sent(service.trader, "j1", say("Working", acked=1)))
    records = [record("{", 0, 1), record(good, 1, 1), record(message_of(Sent("other", "j1", say("Filled", 5))), 2, 1)]
    assert reports.handler({"Records": records}, None) == {
        "batchItemFailures": [{"itemIdentifier": "m-0"}, {"itemIdentifier": "m-2"}]
    }
    assert states(service, "order-1") == [("Working", 5, 0)]


def test_a_poisonous_message_ends_among_the_dead_letters(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(report_dead_letter_arn="arn:dead"))
    dead = record("{", 0, 1) | {"eventSourceARN": "arn:dead"}
    assert reports.handler({"Records": [dead]}, None) == {"batchItemFailures": []}
    assert counted(service) == ["MessagesRefused"]


# Orders that are others, or nobody's


@pytest.mark.parametrize("order_id", ["order-1", "order-1.STOP1", "nobodys"])
def test_a_fill_of_no_known_order_is_kept_and_rings(service: Service, order_id: str) -> None:
    before = have(service)
    fill = Execution("oh9", 2, 2, Decimal(5000), AT)
    said = say("Filled", 2, order_id=order_id, placed_by="another", executions=[fill])
    assert deliver(service, said) == ["UnattachedReports"]
    assert service.order() == before
    [stored] = service.services.bridge.executions(service.trader)
    assert (stored.unattached, stored.order_id, stored.account) == (True, order_id, None)


def test_the_end_of_an_order_that_is_gone_rings_nothing(service: Service) -> None:
    assert deliver(service, say("Cancelled")) == []


# Legs


def test_a_fill_releases_each_leg_with_what_is_asked_of_it(service: Service) -> None:
    entry = have(service)
    cancel = entry.legs["STOP1"]._replace(want=Want(2, "cancel", AT))
    change = entry.legs["TARGET1"]._replace(want=Want(2, "change", AT))
    after = entry._replace(legs={"STOP1": cancel, "TARGET1": change})
    assert service.orders.rewrite(builders.provenance(service.trader, "r2"), entry, after)
    deliver(service, say("PartFilled", 2, acked=1))
    stop, target = seen(service, STOP), seen(service, TARGET)
    assert (stop.state, stop.want, stop.venue, stop.received_at) == ("CancelPending", cancel.want, "ninjatrader", AT)
    assert (target.state, target.want, target.qty) == ("ChangePending", change.want, 2)
    deliver(service, say("Working", order_id=STOP, acked=1))
    assert seen(service, STOP).state == "CancelPending"


def test_a_waiting_leg_answers_what_is_asked_of_it(service: Service) -> None:
    entry = have(service)
    asked = {name: leg._replace(want=Want(2, "change", AT)) for name, leg in entry.legs.items()}
    asked["STOP1"] = asked["STOP1"]._replace(want=Want(2, "cancel", AT))
    assert service.orders.rewrite(builders.provenance(service.trader, "r2"), entry, entry._replace(legs=asked))
    assert [seen(service, it).state for it in (STOP, TARGET)] == ["CancelPending", "ChangePending"]
    deliver(service, say("Cancelled", order_id=STOP, acked=2), say("Initialized", order_id=TARGET, acked=2))
    assert [seen(service, it).state for it in (STOP, TARGET)] == ["Cancelled", "Initialized"]
    assert deliver(service, say("PartFilled", 2, acked=1)) == ["Unprotected"]
    assert states(service, STOP, TARGET) == [("Cancelled", 5, 0), ("Initialized", 2, 0)]


def test_a_legs_report_before_its_release_releases_it(service: Service) -> None:
    have(service)
    deliver(service, say("Working", seq=7, order_id=STOP, acked=1, values={"qty": "2", "stop_price": "4990.25"}))
    assert states(service, "order-1", STOP) == [("Initialized", 5, 0), ("Working", 2, 0)]
    assert seen(service, STOP).stop_price == Decimal("4990.25")
    deliver(service, say("PartFilled", 3, seq=7, acked=1))
    assert states(service, "order-1", STOP, TARGET) == [
        ("PartFilled", 5, 3),
        ("Working", 3, 0),
        ("Initialized", 3, 0),
    ]
    deliver(service, say("Filled", 3, seq=8, order_id=STOP, acked=1))
    assert states(service, STOP) == [("Filled", 3, 3)]


def test_a_leg_of_which_nothing_works_any_more_waits_for_the_next_fill(service: Service) -> None:
    have(service)
    deliver(service, say("PartFilled", 2, acked=1))
    deliver(service, say("Working", order_id=STOP, acked=1))
    deliver(service, say("Initialized", seq=2, order_id=STOP, acked=1))
    assert states(service, STOP) == [("Initialized", 2, 0)]
    deliver(service, say("Working", order_id=STOP, acked=1))
    assert states(service, STOP) == [("Initialized", 2, 0)]


def test_legs_that_ended_before_their_entrys_fill_was_told_stay_ended(service: Service) -> None:
    have(service)
    deliver(service, say("Filled", 5, order_id=TARGET, acked=1, values={"qty": "5"}))
    deliver(service, say("Cancelled", order_id=STOP, acked=1, values={"qty": "5"}))
    assert deliver(service, say("Filled", 5, acked=1)) == []
    assert states(service, "order-1", STOP, TARGET) == [("Filled", 5, 5), ("Cancelled", 5, 0), ("Filled", 5, 5)]
    assert service.open_orders() == []


@EACH_ONCE
@pytest.mark.parametrize("end", ["Filled", "Cancelled", "Rejected"])
@pytest.mark.parametrize("leg_first", [False, True])
def test_a_further_fill_has_a_leg_work_again_that_ended_at_the_venue(
    service: Service, end: str, *, leg_first: bool
) -> None:
    have(service)
    deliver(service, say("PartFilled", 2, acked=1))
    deliver(service, say(end, 2 if end == "Filled" else 0, order_id=STOP, acked=1))
    again = [
        say("Filled", 5, seq=2, acked=1),
        say("Working", 2 if end == "Filled" else 0, seq=2, order_id=STOP, acked=1),
    ]
    for what in reversed(again) if leg_first else again:
        deliver(service, what)
    assert states(service, STOP) == [("Working", 5, 2 if end == "Filled" else 0)]
    assert STOP in service.open_orders()
    assert "expires" not in service.plain(STOP)


@pytest.mark.parametrize(("end", "filled"), [("Cancelled", 0), ("Filled", 2)])
def test_a_leg_that_its_trader_cancelled_stays_so(service: Service, end: str, filled: int) -> None:
    have(service)
    deliver(service, say("PartFilled", 2, acked=1))
    stop = seen(service, STOP)
    pending = stop._replace(state=OrderState.CANCEL_PENDING, want=Want(2, "cancel", AT))
    assert service.orders.rewrite(builders.provenance(service.trader, "r2"), stop, pending)
    deliver(service, say(end, filled, order_id=STOP, acked=2))
    assert deliver(service, say("Filled", 5, seq=2, acked=1)) == ["Unprotected"]
    assert states(service, STOP) == [(end, 2, filled)]


def test_a_stop_that_came_with_a_dropped_change_is_not_raised_and_rings(service: Service) -> None:
    have(service)
    deliver(service, say("PartFilled", 2, acked=1))
    waiting = {"order_type": "STOPMARKET", "stop_price": "4990"}
    deliver(service, say("Cancelled", order_id=STOP, acked=1, dropped=1, values=waiting))
    assert deliver(service, say("Filled", 5, seq=2, acked=1)) == ["Unprotected"]
    assert states(service, STOP) == [("Cancelled", 2, 0)]


def test_a_stop_that_ends_after_its_cancel_was_refused_works_again(service: Service) -> None:
    have(service)
    deliver(service, say("PartFilled", 2, acked=1))
    stop = seen(service, STOP)
    pending = stop._replace(state=OrderState.CANCEL_PENDING, want=Want(2, "cancel", AT))
    assert service.orders.rewrite(builders.provenance(service.trader, "r2"), stop, pending)
    works = {"qty": "2", "order_type": "STOPMARKET", "stop_price": "4990"}
    for seq, state in enumerate(("Working", "Cancelled", "Working"), 1):
        deliver(service, say(state, seq=seq, order_id=STOP, acked=2, dropped=2, values=works))
        assert states(service, STOP) == [(state, 2, 0)]


def test_the_end_of_an_entry_takes_its_waiting_legs_and_a_late_fill_brings_them(service: Service) -> None:
    have(service, state="CancelPending", n=2, kind="cancel")
    deliver(service, say("Cancelled", acked=2))
    assert [seen(service, it).state for it in ("order-1", STOP, TARGET)] == ["Cancelled"] * 3
    assert service.open_orders() == []
    deliver(service, say("Cancelled", 2, seq=2, acked=2))
    assert (seen(service).state, seen(service).filled_after_end) == ("Cancelled", 2)
    assert states(service, STOP, TARGET) == [("Initialized", 2, 0)] * 2


@pytest.mark.parametrize("legs_first", [False, True])
def test_a_leg_that_was_never_placed_ends_in_its_entry_and_a_late_fill_brings_it(
    service: Service, *, legs_first: bool
) -> None:
    have(service, state="CancelPending", n=2, kind="cancel")
    entry, legs = say("Cancelled", acked=2), [say("Cancelled", order_id=it, acked=1) for it in (STOP, TARGET)]
    deliver(service, *((*legs, entry) if legs_first else (entry, *legs)))
    assert [seen(service, it).state for it in ("order-1", STOP, TARGET)] == ["Cancelled"] * 3
    assert not any(leg.released for leg in seen(service).legs.values())
    deliver(service, say("Cancelled", 2, seq=2, acked=2))
    deliver(service, say("Working", seq=2, order_id=STOP, acked=1, values={"qty": "2", "stop_price": "4990"}))
    assert states(service, STOP, TARGET) == [("Working", 2, 0), ("Initialized", 2, 0)]


def test_a_trade_of_twenty_brackets_is_one_transaction(service: Service) -> None:
    place = Want(1, "place", AT)
    legs: dict[str, Leg] = {}
    for n in range(1, 21):
        legs[f"STOP{n}"] = Leg("STOPMARKET", stop_price=Decimal(4990), start=n - 1, size=1, oco_id=f"g{n}", want=place)
        legs[f"TARGET{n}"] = Leg("LIMIT", limit_price=Decimal(5010), start=n - 1, size=1, oco_id=f"g{n}", want=place)
    have(service, legs=legs, qty=20)
    deliver(service, say("Filled", 20, acked=1))
    assert len(service.open_orders()) == 40


# What nobody can know


def test_what_cannot_be_known_rings_stays_open_and_ends_by_a_later_report(service: Service) -> None:
    have(service)
    assert deliver(service, say("Initialized", acked=1, unresolved="the bridge was stopped")) == ["UnresolvedOrders"]
    assert seen(service).unresolved == "the bridge was stopped"
    assert service.open_orders() == ["order-1"]
    deliver(service, say("Filled", 5, seq=2, acked=1))
    assert (seen(service).unresolved, seen(service).state) == (None, "Filled")


def test_an_unknown_order_rings(service: Service) -> None:
    have(service)
    assert deliver(service, say("Unknown", acked=1)) == ["UnresolvedOrders"]


# The bridge itself


def beat(journal: str = "j1", **more: Any) -> Heartbeat:
    return Heartbeat(journal, "PC", ["Sim101"], more.pop("ready", True), AT, **more)


def test_a_heartbeat_is_noted_beside_the_kill_switch(service: Service) -> None:
    service.turn("on")
    now = service.queue.now
    assert deliver(service, beat(), at=now) == ["BridgeReady"]
    noted = bridge(service)
    assert (noted["journal"], noted["host"], noted["accounts"], noted["ready"]) == ("j1", "PC", ["Sim101"], True)
    assert noted["at"] == timestamp(now.replace(microsecond=now.microsecond // 1000 * 1000))
    assert service.controls.kill_switch(service.trader).on


def test_a_bridge_that_is_not_ready_is_noted_and_not_counted(service: Service) -> None:
    assert deliver(service, beat(ready=False, reason="NinjaTrader does not run")) == []
    assert (bridge(service)["ready"], bridge(service)["reason"]) == (False, "NinjaTrader does not run")


def test_an_older_heartbeat_changes_nothing(service: Service) -> None:
    now = service.queue.now
    deliver(service, beat(ready=False), at=now)
    assert deliver(service, beat(), at=now - timedelta(seconds=1)) == ["BridgeReady"]
    assert bridge(service)["ready"] is False


@pytest.mark.parametrize(("seconds", "take_over", "owner"), [(89, False, "j1"), (91, False, "j2"), (1, True, "j2")])
def test_another_bridge_takes_over_from_a_silent_one_or_when_told_to(
    service: Service, seconds: int, *, take_over: bool, owner: str
) -> None:
    now = service.queue.now
    deliver(service, beat(), at=now)
    told = deliver(service, beat("j2", take_over=take_over), journal="j2", at=now + timedelta(seconds=seconds))
    assert (bridge(service)["journal"], told) == (owner, ["BridgeReady"] if owner == "j2" else [])
    deliver(service, beat(), at=now + timedelta(seconds=seconds + 5))
    assert bridge(service)["journal"] == owner


def test_it_is_noted_since_when_a_bridge_owns_the_stack_without_another_between(service: Service) -> None:
    first = service.queue.now.replace(microsecond=0)
    since = []
    heard: list[tuple[int, str, dict[str, Any]]] = [
        (0, "j1", {"ready": False, "reason": "NinjaTrader does not run"}),
        (30, "j1", {}),
        (1000, "j1", {}),
        (1001, "j2", {"take_over": True}),
        (1030, "j2", {}),
        (1121, "j1", {}),
    ]
    for seconds, journal, more in heard:
        deliver(service, beat(journal, **more), journal=journal, at=first + timedelta(seconds=seconds))
        noted = bridge(service)
        since.append(datetime.fromisoformat(noted["since"]) - first)
        assert (noted["journal"], noted.get("reason")) == (journal, more.get("reason"))
    assert [it.total_seconds() for it in since] == [0, 0, 0, 1001, 1001, 1121]


def position(quantity: int, at: str = AT, instrument: str = "ES 12-26") -> PositionReport:
    return PositionReport("Sim101", instrument, "LONG", quantity, Decimal("5000.25"), at)


def positions(service: Service) -> Iterable[int]:
    return [it.quantity for it in service.services.bridge.positions(service.trader)]


def test_the_newest_position_wins_whatever_the_case_of_its_names(service: Service) -> None:
    deliver(service, beat(positions=[position(2, "2026-01-02T03:04:06Z")]))
    deliver(service, position(3, "2026-01-02T03:04:07Z", instrument="es  12-26"), position(1))
    assert positions(service) == [3]


def test_only_the_bridge_that_owns_the_stack_tells_positions(service: Service) -> None:
    deliver(service, beat())
    deliver(service, position(2), journal="j2")
    deliver(service, beat("j2", positions=[position(2)]), journal="j2")
    assert positions(service) == []


def test_what_a_bridge_calls_out_rings_though_its_name_be_new(service: Service) -> None:
    called = ["unprotected", "something_new: look", "not_read: long: its file lies there"]
    assert deliver(service, beat(alarms=called)) == ["BridgeReady", "Unprotected", "BridgeAlarms", "UnreadInstructions"]


def test_an_order_that_becomes_unresolved_with_an_alarm_rings_once(service: Service) -> None:
    have(service)
    said = say("Working", acked=1, unresolved="it is gone", alarms=["unresolved"])
    assert deliver(service, said) == ["UnresolvedOrders"]


def test_executions_are_listed_by_their_times(service: Service) -> None:
    have(service)
    fills = [Execution("oh1", n, 1, None, f"2026-01-02T03:04:0{n}+00:00") for n in (1, 2, 3)]
    deliver(service, say("PartFilled", 3, acked=1, executions=fills))
    at = datetime.fromisoformat("2026-01-02T03:04:02+00:00")
    since = service.services.bridge.executions(service.trader, at, at + timedelta(seconds=1))
    assert [it.cumulative for it in since] == [2]


def test_all_that_reports_write_is_in_partitions_that_their_role_may_write(service: Service) -> None:
    have(service)
    asked = Instruction("closing", "CLOSEPOSITION", AT, "ninjatrader")
    service.services.instructions.put(builders.provenance(service.trader, "closing"), asked)
    service.network.forget()
    fill = Execution("oh1", 5, 5, Decimal(5000), AT)
    unattached = Execution("oh9", 1, 1, Decimal(5000), AT)
    deliver(
        service,
        beat(positions=[position(5)]),
        say("Filled", 5, acked=1, executions=[fill]),
        say("Filled", 1, order_id="nobodys", executions=[unattached]),
        InstructionReport("closing", 1, AT, "done"),
    )
    written = {
        (write.get("Key") or write["Item"])["pk"]["S"]
        for request in service.network.requests
        for write in request.writes
    }
    [allowed] = [
        {it.replace("${VenueTrader}", service.trader) for it in keys}
        for policy in read_template()["Resources"]["ReportsRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "dynamodb:PutItem" in statement["Action"]
        for keys in statement["Condition"]["ForAllValues:StringEquals"].values()
    ]
    assert written == allowed
