"""What needs a person: it comes, it stays, and it leaves only rightly."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orderhook.attention.entries import ENTRIES
from orderhook.attention.needing import CLOSING, Attention, Facts, needing_a_person, pair_of
from orderhook.bridge_messages import PositionReport, Side
from orderhook.commands import COMMANDS
from orderhook.errors import AlertWarning
from orderhook.instructions import Instruction
from orderhook.needs import Need
from orderhook.orders import Order, OrderState, Want, timestamp
from orderhook.provenance import Provenance
from orderhook.store.alert_log import AlertRecord, RecordedResult
from orderhook.store.bridge import BridgeState
from tests import builders
from tests.bridge import START

NOW = START
SIGNED = Provenance("main", "k", "place-1", NOW - timedelta(hours=1))
TOLD = timestamp(NOW - timedelta(minutes=10))
LATER, EARLIER = (timestamp(NOW - timedelta(minutes=minutes)) for minutes in (5, 15))
ES = pair_of("Sim101", "ES 12-26")
NAKED = Need("unprotected", "order", "long.STOP1", TOLD, account="Sim101", instrument="ES 12-26")
READY = BridgeState(("Sim101",), ready=True, at=timestamp(NOW))


def order(order_id: str = "long", *, state: str = "Working", **fields: Any) -> Order:
    return builders.order(SIGNED, order_id, state=OrderState(state), **fields)


def stop(qty: int, *, state: str = "Working", acked: int = 1, **fields: Any) -> Order:
    more = {"action": "SELL", "order_type": "STOPMARKET", "stop_price": Decimal(4990), "venue": "ninjatrader"}
    more |= {"confirmed": {"qty": str(qty)} if acked else {}} | fields
    return order(f"stop-{qty}", state=state, qty=qty, acked=acked, **more)


def position(side: Side, quantity: int = 0, at: str = TOLD) -> dict[tuple[str, str], PositionReport]:
    return {ES: PositionReport("Sim101", "ES 12-26", side, quantity, None, at)}


def record(status: int = 200, outcome: str = "placed", **fields: Any) -> AlertRecord:
    own: dict[str, Any] = {"trader": "main", "request_id": "0a", "received_at": TOLD, "key_id": "k", "key_label": ""}
    own |= {"source": "", "fields": {}, "command": "PLACE", "milliseconds": Decimal(1)}
    return AlertRecord(**own | {"status": status, "outcome": outcome} | fields)


def listed(**facts: Any) -> list[Attention]:
    return needing_a_person(Facts(NOW, **{"bridge": READY} | facts))


def codes(**facts: Any) -> list[str]:
    return [it.code for it in listed(**facts)]


def opened(*orders: Order) -> dict[str, Any]:
    return {"orders": orders, "open_ids": {it.order_id for it in orders}}


def test_nothing_needs_a_person_where_nothing_is_wrong() -> None:
    assert listed(**opened(order()), positions=position("LONG", 2)) == []


# Without a stop


def test_a_position_without_its_stop_needs_a_person_until_it_is_flat() -> None:
    [it] = listed(kept=[NAKED], positions=position("LONG", 2))
    assert (it.code, it.id, it.may_be_looked_at) == ("unprotected", "long.STOP1", False)
    assert codes(kept=[NAKED], positions=position("FLAT", at=EARLIER)) == ["unprotected"]
    assert codes(kept=[NAKED], positions=position("FLAT", at=LATER)) == []


def test_a_position_that_is_not_known_is_not_flat() -> None:
    assert codes(kept=[NAKED], positions=position("UNKNOWN", at=LATER)) == ["unprotected"]
    assert codes(kept=[NAKED]) == ["unprotected"]


def test_a_new_position_is_not_without_the_stop_of_an_old_one() -> None:
    facts = {"kept": [NAKED], "positions": position("LONG", 1)}
    assert codes(**facts, seen_flat={ES: EARLIER}) == ["unprotected"]
    assert codes(**facts, seen_flat={ES: LATER}) == []


def test_stops_that_work_for_all_of_it_end_it() -> None:
    facts = {"kept": [NAKED], "positions": position("LONG", 3)}
    assert codes(**facts, orders=[stop(2)]) == ["unprotected"]
    assert codes(**facts, orders=[stop(2), stop(1)]) == []


@pytest.mark.parametrize(
    "other",
    [
        stop(3, state="Initialized"),
        stop(3, state="CancelPending"),
        stop(3, state="Unknown"),
        stop(3, acked=0),
        stop(3, filled=1),
        stop(3, action="BUY"),
        stop(3, order_type="LIMIT"),
        stop(3, unresolved="nobody knows"),
        stop(3, instrument="NQ 12-26"),
        stop(3, account="Sim102"),
    ],
)
def test_what_does_not_protect_the_position_ends_nothing(other: Order) -> None:
    assert "unprotected" in codes(kept=[NAKED], positions=position("LONG", 3), orders=[other])


def test_without_account_or_instrument_only_looking_ends_it() -> None:
    [it] = listed(kept=[NAKED._replace(instrument=None)], positions=position("FLAT", at=LATER))
    assert it.may_be_looked_at


# Orders


def test_an_order_of_which_nobody_knows_needs_a_person_while_that_is_so() -> None:
    [it] = listed(**opened(order(unresolved="NinjaTrader has said nothing")))
    assert (it.code, it.may_be_looked_at, it.command) == ("unresolved", False, "resolve ORDER_ID cancelled")
    assert codes(**opened(order(state="Unknown"))) == ["unknown"]
    assert codes(**opened(order())) == []


def test_a_refused_cancel_is_over_when_the_order_is_finished() -> None:
    refused = Need("cancel_refused", "order", "long", TOLD, placed_by="place-1", want=2)
    [it] = listed(kept=[refused], **opened(order()))
    assert not it.may_be_looked_at
    assert codes(kept=[refused]) == []


def test_an_order_that_took_the_id_later_is_another_one() -> None:
    refused = Need("cancel_refused", "order", "long", TOLD, placed_by="an-earlier-one")
    assert codes(kept=[refused], **opened(order())) == []


def test_what_cannot_be_read_is_not_finished() -> None:
    refused = Need("cancel_refused", "order", "long", TOLD, placed_by="place-1")
    assert codes(kept=[refused], open_ids={"long"}) == ["cancel_refused"]


@pytest.mark.parametrize(("n", "acked", "is_over"), [(2, 2, False), (3, 2, False), (3, 3, True)])
def test_an_unconfirmed_change_is_over_when_a_later_one_is_confirmed(n: int, acked: int, is_over: bool) -> None:
    unconfirmed = Need("change_unconfirmed", "order", "long", TOLD, placed_by="place-1", want=2)
    now = order(want=Want(n, "change", TOLD), acked=acked)
    assert codes(kept=[unconfirmed], **opened(now)) == ["change_unconfirmed"] * (not is_over)


@pytest.mark.parametrize("code", ["overfill", "filled_after_end", "unattached", "blocked", "failed", "a_newer_word"])
def test_what_has_happened_stays_until_somebody_has_looked(code: str) -> None:
    [it] = listed(kept=[Need(code, "order", "long", TOLD)], positions=position("FLAT", at=LATER))
    assert (it.code, it.may_be_looked_at, bool(it.entry.title)) == (code, True, True)


# What is asked of positions, and the bridge


@pytest.mark.parametrize(("minutes", "needs"), [(4, []), (6, ["overdue"])])
def test_an_instruction_that_has_no_result_for_long_needs_a_person(minutes: int, needs: list[str]) -> None:
    asked = Instruction("0a1b", "FLATTEN", timestamp(NOW - timedelta(minutes=minutes)), "ninjatrader")
    found = listed(instructions=[asked])
    assert [it.code for it in found] == needs
    assert [it.command for it in found] == ["resolve 0a1b done"] * len(needs)


def test_a_bridge_that_is_away_needs_a_person_until_it_is_back() -> None:
    silent = READY._replace(at=timestamp(NOW - timedelta(minutes=2)))
    assert codes(bridge=silent) == ["bridge_away"]
    assert codes(bridge=READY._replace(ready=False)) == ["bridge_away"]
    assert codes(bridge=BridgeState()) == ["bridge_away"]
    assert codes(bridge=READY) == codes(bridge=None) == []


# Alerts


@pytest.mark.parametrize(
    ("of_it", "needs"),
    [
        (record(), []),
        (record(400, "invalid_value"), []),
        (record(409, "outcome_unknown"), ["outcome_unknown"]),
        (record(503, "venue_offline"), ["not_repeated"]),
        (record(503, "venue_offline", origin="console"), []),
        (record(503, "venue_offline", origin="api"), []),
        (record(409, "too_late", origin="delayed"), ["not_done_later"]),
        (record(409, "order_already_terminal", origin="delayed"), []),
        (record(warnings=(AlertWarning("unprotected_quantity", "qty", "bare"),)), ["unprotected_quantity"]),
        (record(results=(RecordedResult("A", 200, "placed"), RecordedResult("B", 403, "no"))), ["partly_done"]),
        (record(results=(RecordedResult("A", 200, "placed"), RecordedResult("B", 200, "placed"))), []),
        (record(409, "no", results=(RecordedResult("A", 409, "outcome_unknown"),)), ["outcome_unknown"]),
    ],
)
def test_an_alert_needs_a_person_where_nobody_else_mends_it(of_it: AlertRecord, needs: list[str]) -> None:
    found = listed(records=[of_it])
    assert [it.code for it in found] == needs
    assert all(it.may_be_looked_at and it.subject == "alert" for it in found)


def test_tradingview_has_half_a_minute_to_send_an_alert_again() -> None:
    at = timestamp(NOW - timedelta(seconds=29))
    assert codes(records=[record(503, "venue_offline", received_at=at)]) == []
    assert codes(records=[record(503, "venue_offline")], repeated={"0a"}) == []


def test_an_alert_that_has_several_troubles_is_listed_once_by_the_worst() -> None:
    bare = AlertWarning("unprotected_quantity", "qty", "2 have no stop")
    results = (RecordedResult("A", 200, "placed"), RecordedResult("B", 503, "venue_offline"))
    [it] = listed(records=[record(503, "venue_offline", warnings=(bare,), results=results)])
    assert (it.code, it.detail) == ("unprotected_quantity", "2 have no stop; B: venue offline")


def test_a_warning_of_what_is_covered_or_flat_by_now_is_over() -> None:
    warned = record(
        warnings=(AlertWarning("unprotected_quantity", "qty", "bare"),),
        fields={"account": "Sim101", "instrument": "ES 12-26"},
    )
    assert codes(records=[warned], positions=position("LONG", 1)) == ["unprotected_quantity"]
    assert codes(records=[warned], positions=position("FLAT", at=LATER)) == []


def test_what_hurts_most_comes_first_and_of_each_the_latest() -> None:
    kept = [Need(code, "order", code, TOLD) for code in [*ENTRIES][::-1] if code in ("overfill", "blocked", "flipped")]
    kept.append(Need("overfill", "order", "later", LATER))
    found = listed(kept=[*kept, Need("a_newer_word", "bridge", "1", LATER)], **opened(order(unresolved="x")))
    assert [it.code for it in found] == ["flipped", "unresolved", "blocked", "overfill", "overfill", "a_newer_word"]
    assert [it.id for it in found if it.code == "overfill"] == ["later", "overfill"]


def test_what_was_to_close_is_named_by_commands_that_there_are() -> None:
    assert COMMANDS.keys() > CLOSING
