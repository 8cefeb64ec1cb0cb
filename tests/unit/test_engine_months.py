"""What an order for a continuous contract does where another month than the front one is held, as after a roll."""

from decimal import Decimal
from typing import Any

import pytest

from bridge.events import ConnectionRead, NinjaTraderStarted, PositionRead
from bridge.records import TableOrder, dump, load
from orderhook.bridge_messages import Side
from orderhook.conditions import Conditions, MarketSide, OutOfSync, Sync
from orderhook.orders import OrderState, timestamp
from tests.bridge import Desk, asked, order, placed

OLD, FRONT = "ES 12-26", "ES 03-27"
FLATTENS = Conditions(closes_first="orders_and_position", root="ES")


@pytest.fixture
def desk() -> Desk:
    desk = Desk().start()
    hold(desk, "FLAT", FRONT)
    return desk


def hold(desk: Desk, side: Side, instrument: str = OLD, qty: int = 1) -> None:
    quantity = 0 if side == "FLAT" else qty
    desk.tell(PositionRead("Sim101", instrument, side, quantity, Decimal(5000) if quantity else None))


def sell(desk: Desk, conditions: Conditions, **values: Any) -> None:
    """Show an order to sell the front month."""
    desk.look(order(desk, "short", **{"action": "SELL", "instrument": FRONT, "conditions": conditions, **values}))
    desk.wait(0.1)


def forget(desk: Desk) -> None:
    """Have NinjaTrader be started, and tell the position of the front month alone."""
    desk.start()
    hold(desk, "FLAT", FRONT)


def sent(desk: Desk) -> list[str]:
    """Have NinjaTrader take what is there; return each line's command and instrument."""
    fields = [placed(line) if line.startswith("PLACE") else dict(enumerate(line.split(";"))) for line in desk.take()]
    return sorted(
        f"PLACE {it['action']} {it['instrument']}" if "action" in it else f"{it[0]} {it[2]}"  # type: ignore[index]
        for it in fields
    )


def ended(desk: Desk) -> str:
    assert desk.last("short").state is OrderState.REJECTED
    return desk.last("short").reason or ""


@pytest.mark.parametrize("side", ["LONG", "SHORT"])
def test_every_month_of_the_root_is_closed_before_the_front_one_is_opened(desk: Desk, side: Side) -> None:
    hold(desk, side)
    sell(desk, FLATTENS)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    desk.wait(1)
    assert sent(desk) == []
    hold(desk, "FLAT")
    desk.wait(1.1)
    assert sent(desk) == [f"PLACE SELL {FRONT}"]


def test_nothing_is_opened_where_the_other_month_is_not_seen_flat(desk: Desk) -> None:
    hold(desk, "LONG")
    received_at = desk.at
    sell(desk, FLATTENS)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    for _ in range(6):
        sell(desk, FLATTENS, received_at=timestamp(received_at))
        desk.wait(0.9)
    assert (sent(desk), ended(desk)) == ([], f"flatten_timeout: {OLD}: the position was not seen flat within 5 s")


def test_a_month_of_which_nothing_is_known_is_closed_in_case(desk: Desk) -> None:
    hold(desk, "LONG")
    forget(desk)
    sell(desk, FLATTENS)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]


def test_flatplace_closes_each_month_by_an_order_of_its_own_number(desk: Desk) -> None:
    hold(desk, "LONG")
    hold(desk, "LONG", FRONT)
    sell(desk, Conditions(closes_first="position", root="ES"))
    assert sent(desk) == [f"PLACE SELL {FRONT}", f"PLACE SELL {OLD}"]
    assert [it.order_id for it in desk.state.orders.values() if it.made_by] == ["request-short.90", "request-short.91"]


def test_flatplace_opens_nothing_while_another_month_is_unknown(desk: Desk) -> None:
    hold(desk, "LONG")
    forget(desk)
    sell(desk, Conditions(closes_first="position", root="ES"))
    assert (sent(desk), ended(desk).partition(":")[0]) == ([], "position_unknown")


def test_an_order_for_one_contract_leaves_other_months_alone(desk: Desk) -> None:
    hold(desk, "LONG")
    sell(desk, FLATTENS._replace(root=None))
    desk.wait(1)
    assert sent(desk) == [f"PLACE SELL {FRONT}"]


def test_a_month_that_the_key_does_not_reach_is_left_alone(desk: Desk) -> None:
    hold(desk, "LONG")
    sell(desk, FLATTENS._replace(instruments=(FRONT,)))
    desk.wait(1)
    assert sent(desk) == [f"PLACE SELL {FRONT}"]


def test_a_crash_between_closing_and_opening_keeps_which_months_are_closed(desk: Desk) -> None:
    hold(desk, "LONG")
    sell(desk, FLATTENS)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    kept = desk.state.orders["short"]
    assert load("order/short", dump(kept)) == kept
    assert kept.month_closes == (f"short/sim101/{OLD.lower()}",)


def test_a_crash_between_closing_and_opening_closes_no_month_twice(desk: Desk) -> None:
    hold(desk, "LONG")
    shown = order(desk, "short", action="SELL", instrument=FRONT, conditions=FLATTENS)
    desk.look(shown)
    desk.wait(0.1)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    desk.crash()
    desk.tell(NinjaTraderStarted(emptied=False))
    desk.tell(ConnectionRead(connected=True))
    hold(desk, "FLAT", FRONT)
    hold(desk, "FLAT")
    desk.look(shown)
    desk.wait(1.1)
    desk.wait(0.1)
    assert sent(desk) == ["CANCEL ", f"PLACE SELL {FRONT}"]  # the first asks whether files are read


def test_orders_that_work_in_another_month_end_first(desk: Desk) -> None:
    limit = order(desk, "limit", instrument=OLD, order_type="LIMIT", limit_price=Decimal(4990))
    desk.look(limit)
    hold(desk, "FLAT")
    assert sent(desk) == [f"PLACE BUY {OLD}"]
    [known] = desk.state.venue_orders
    desk.say(known, "WORKING")
    desk.wait(1)
    desk.look(limit, order(desk, "short", action="SELL", instrument=FRONT, conditions=FLATTENS))
    desk.wait(0.1)
    assert sent(desk) == ["CANCEL "]
    desk.say(known, "CANCELLED")
    desk.wait(0.1)
    assert sent(desk) == [f"PLACE SELL {FRONT}"]


def test_what_came_later_waits_until_every_month_is_closed(desk: Desk) -> None:
    hold(desk, "LONG")
    first = order(desk, "short", action="SELL", instrument=FRONT, conditions=FLATTENS)
    desk.look(first)
    desk.wait(0.5)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    desk.look(first, order(desk, "later", instrument=FRONT))
    desk.wait(0.5)
    assert sent(desk) == []
    hold(desk, "FLAT")
    desk.wait(1.1)
    desk.wait(0.1)
    assert sent(desk) == [f"PLACE BUY {FRONT}", f"PLACE SELL {FRONT}"]


def test_what_came_later_waits_no_more_once_the_order_has_ended(desk: Desk) -> None:
    hold(desk, "LONG")
    first = order(desk, "short", action="SELL", instrument=FRONT, conditions=FLATTENS)
    desk.look(first)
    desk.wait(0.1)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    later = order(desk, "later", instrument=FRONT)
    for _ in range(6):
        desk.look(first, later)
        desk.wait(0.9)
    assert ended(desk).startswith("flatten_timeout")
    assert sent(desk) == [f"PLACE BUY {FRONT}"]


@pytest.mark.parametrize(
    "close",
    [
        {"instrument": FRONT, "root": "ES"},
        {"instrument": OLD},
        {"command": "FLATTEN"},
    ],
)
def test_a_later_close_ends_an_order_that_waits_for_another_month(desk: Desk, close: dict[str, Any]) -> None:
    hold(desk, "LONG")
    first = order(desk, "short", action="SELL", instrument=FRONT, conditions=FLATTENS)
    desk.look(first)
    desk.wait(0.1)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    desk.wait(0.4)
    closes = asked(desk, **close)
    for _ in range(12):
        desk.look(first, closes)
        desk.wait(1)
        hold(desk, "FLAT")
    assert not [it for it in sent(desk) if it.startswith("PLACE")]
    assert desk.state.orders["short"].ended
    assert desk.result()


def test_a_journal_without_months_loads() -> None:
    record = {"order_id": "a", "placed_by": "r", "account": "Sim101", "instrument": OLD, "action": "BUY", "qty": 1}
    record |= {
        "order_type": "MARKET",
        "tif": "DAY",
        "first_close": "a/sim101/es 12-26",
        "conditions": {"reverses": True},
    }
    known = load("order/a", record)
    assert isinstance(known, TableOrder)
    assert (known.month_closes, known.conditions) == ((), Conditions(reverses=True))


def test_the_kill_switch_lets_every_month_be_closed(desk: Desk) -> None:
    hold(desk, "LONG")
    shown = order(desk, "short", action="SELL", instrument=FRONT, conditions=FLATTENS)
    desk.look(shown, kill_switch=True)
    desk.wait(0.5)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]


# Where the closing half cannot, or is not asked to, close the other month

HELD = f"{OLD} is held, {FRONT} is the front month: close it by CLOSEPOSITION ES1!"


def told(desk: Desk) -> list[str]:
    return [it for it in desk.alarms if it == "other_month"]


def sync(before: MarketSide, after: MarketSide, out_of_sync: OutOfSync = "wait") -> Conditions:
    return Conditions(sync=Sync(after, before, out_of_sync, 0 if after == "flat" else 1), root="ES")


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        (FLATTENS._replace(reverses=True), f"no_position: {HELD}"),
        (
            Conditions(require_market_position=("long",), root="ES"),
            f"blocked: the position is flat, and require_market_position is long; {HELD}",
        ),
        (sync("long", "flat"), f"blocked: out of sync: {HELD}"),
        (sync("long", "short"), f"blocked: out of sync: {HELD}"),
        (sync("flat", "short"), f"blocked: out of sync: {HELD}"),
        (sync("long", "short", "resync"), f"blocked: out of sync: {HELD}"),
    ],
)
def test_an_order_that_finds_the_front_month_flat_names_the_one_held(
    desk: Desk, conditions: Conditions, why: str
) -> None:
    hold(desk, "LONG")
    sell(desk, conditions)
    assert (sent(desk), ended(desk), told(desk)) == ([], why, ["other_month"])


def test_a_strategy_out_of_sync_has_every_month_flattened(desk: Desk) -> None:
    hold(desk, "LONG")
    sell(desk, sync("flat", "short", "flatten"))
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    hold(desk, "FLAT")
    desk.wait(1.1)
    desk.wait(0.1)
    assert (sent(desk), ended(desk)) == ([], "blocked: out of sync: it was closed; the order is dropped")


@pytest.mark.parametrize("conditions", [Conditions(root="ES"), Conditions(max_positions=5, root="ES")])
def test_opening_beside_another_month_rings_once(desk: Desk, conditions: Conditions) -> None:
    hold(desk, "LONG")
    sell(desk, conditions)
    sell(desk, conditions)
    assert (sent(desk), told(desk)) == ([f"PLACE SELL {FRONT}"], ["other_month"])


def test_nothing_rings_once_every_month_is_closed(desk: Desk) -> None:
    hold(desk, "LONG")
    sell(desk, FLATTENS)
    assert sent(desk) == [f"CLOSEPOSITION {OLD}"]
    hold(desk, "FLAT")
    desk.wait(1.1)
    assert (sent(desk), told(desk)) == ([f"PLACE SELL {FRONT}"], [])


@pytest.mark.parametrize("side", ["FLAT", "UNKNOWN"])
def test_a_month_that_is_not_known_to_be_held_is_not_named(desk: Desk, side: Side) -> None:
    hold(desk, "LONG")
    if side == "FLAT":
        hold(desk, side)
    else:
        forget(desk)
    sell(desk, FLATTENS._replace(reverses=True))
    assert (ended(desk), told(desk)) == (f"no_position: {FRONT} is flat", [])


def reverse(desk: Desk, **conditions: Any) -> None:
    desk.look(asked(desk, "REVERSE", instrument=FRONT, conditions=Conditions(root="ES", **conditions)))
    desk.wait(0.1)


def test_a_reverse_that_finds_the_front_month_flat_names_the_one_held(desk: Desk) -> None:
    hold(desk, "LONG")
    reverse(desk)
    known = desk.state.instructions["close"]
    assert (known.result, known.reason, told(desk)) == ("no_position", HELD, ["other_month"])
    assert desk.results[-1].alarms == ("other_month",)


def test_a_reverse_that_is_blocked_names_the_month_held(desk: Desk) -> None:
    hold(desk, "LONG")
    reverse(desk, require_market_position=("long",))
    known = desk.state.instructions["close"]
    why = f"the position is flat, and require_market_position is long; {HELD}"
    assert (known.result, known.reason, told(desk)) == ("blocked", why, ["other_month"])


def test_a_reverse_beside_another_month_is_carried_out_and_rings(desk: Desk) -> None:
    hold(desk, "LONG")
    hold(desk, "LONG", FRONT)
    reverse(desk)
    assert (sent(desk), told(desk)) == ([f"CLOSEPOSITION {FRONT}"], ["other_month"])
