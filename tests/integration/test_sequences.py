"""Sequences of alerts as a trader sends them: what each of them once lost, and what must come of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from orderhook.listing import Unreadable, list_orders
from orderhook.orders import OPEN, timestamp
from tests.faults import lose_response, throttle
from tests.marks import LONG
from tests.output import Answer
from tests.service import Service
from tests.trades import have_long_history

P = "command=PLACE;action=BUY;order_type=LIMIT;limit_price=5000;tif=GTC;account=Sim101;instrument=ES 12-26;"
R = "command=CANCELREPLACE;action=BUY;order_type=LIMIT;tif=GTC;account=Sim101;instrument=ES 12-26;"
SL_TP = "stop_loss=4990;take_profit=5010;"


class Trader:
    """A trader who sends alerts, and whose clock a test moves."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def send(self, *texts: str) -> Answer:
        """Send alerts, two tenths of a second apart, and return the answer to the last."""
        for text in texts:
            answer = self.service.post(f"key={self.service.key};\n{text}")
            self.service.let_pass(0.2)
        return answer

    def send_unanswered(self, text: str, operation: str = "UpdateItem") -> Answer:
        """Send an alert that is carried out, and whose answer is 503 all the same: TradingView sends it again."""
        self.service.network.inject(operation, *[lose_response] * 3)
        answer = self.send(text)
        self.service.network.inject(operation)
        assert answer.status == 503
        return answer

    def resend(self, text: str) -> Answer:
        """Send an alert again as TradingView does after a 5xx."""
        self.service.let_pass(5)
        return self.send(text)

    def wait(self, seconds: float) -> None:
        """Let time pass, and be done what is due by then."""
        self.service.pass_time(seconds)

    @property
    def orders(self) -> Mapping[str, tuple[str, int, str]]:
        """State, quantity and price of every order and waiting leg, by id."""
        now = timestamp(self.service.queue.now)
        rows = list_orders(self.service.services, self.service.trader, now)
        orders = {}
        for row in rows:
            assert not isinstance(row, Unreadable)
            orders[row.order_id] = (str(row.state), row.qty, str(row.limit_price or row.stop_price or row.offset))
        return orders

    @property
    def states(self) -> Mapping[str, str]:
        return {order_id: state for order_id, (state, _, _) in self.orders.items()}

    @property
    def open(self) -> set[str]:
        return {order_id for order_id, state in self.states.items() if state in OPEN}

    def fill(self, order_id: str, filled: int, state: str = "PartFilled") -> None:
        self.service.report(state, filled, order_id=order_id, request_id=f"{order_id}-{state}-{filled}")


@pytest.fixture
def trader(service: Service) -> Trader:
    return Trader(service)


def told(answer: Answer, *names: str) -> tuple[Any, ...]:
    return (answer.status, answer.word, *(answer.body.get(name) for name in names))


# The id that is a handle


def test_01_a_replaced_order_is_cancelled_by_its_id(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a", f"{R}qty=1;limit_price=5001;order_id=a")
    assert told(trader.send("command=CANCEL;order_id=a"), "state") == (200, "cancelled", "Cancelled")
    assert trader.open == set()


def test_02_one_replacing_text_replaces_as_often_as_it_is_sent(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    for price in ("5001", "5002", "5003"):
        answer = trader.send(f"{R}qty=1;limit_price={price};order_id=a")
        assert told(answer, "order_id", "limit_price") == (200, "replaced", "a", price)
    assert trader.orders == {"a": ("Working", 1, "5003")}


def test_03_what_is_placed_in_two_accounts_is_replaced_and_cancelled_in_both(trader: Trader) -> None:
    of_both = "order_id=long;account=A,B;"
    trader.send(f"{P}qty=1;{of_both}".replace("account=Sim101;", ""))
    assert trader.send(f"{R}qty=1;limit_price=5001;{of_both}".replace("account=Sim101;", "")).word == "replaced"
    assert trader.open == {"long.a", "long.b"}
    assert trader.send(f"command=CANCEL;{of_both}").word == "cancelled"
    assert trader.open == set()


def test_04_a_time_in_an_id_is_no_generation(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=es-09:30", f"{R}qty=1;limit_price=5001;order_id=es-09:30")
    assert trader.send(f"{P}qty=1;order_id=es-09:31").word == "placed"


# The bracket is one thing


@pytest.mark.parametrize(
    "end",
    ["command=CANCEL;order_id=long", "command=CANCELORDERS;account=Sim101", "command=CLOSESTRATEGY;strategy_id=long"],
)
def test_05_legs_end_with_their_entry(trader: Trader, end: str) -> None:
    trader.send(f"{P}qty=2;order_id=long;{SL_TP}")
    assert trader.open == {"long", "long.STOP1", "long.TARGET1"}
    trader.send(end)
    assert set(trader.states.values()) == {"Cancelled"}


@pytest.mark.parametrize("end", ["Rejected", "Expired", "Cancelled"])
def test_05_legs_end_with_what_a_venue_reports_of_their_entry(trader: Trader, end: str) -> None:
    trader.send(f"{P}qty=2;order_id=long;{SL_TP}")
    trader.service.report(end, order_id="long")
    assert trader.states == {"long": end, "long.STOP1": "Cancelled", "long.TARGET1": "Cancelled"}


def test_05_legs_end_when_the_time_of_their_entry_is_over(trader: Trader) -> None:
    trader.send(f"{P}qty=2;order_id=long;{SL_TP}cancel_after=1")
    trader.wait(62)
    assert set(trader.states.values()) == {"Cancelled"}


def test_06_a_name_leads_to_the_living_stop(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=long;strategy_id=S;{SL_TP}", "command=CANCEL;order_id=long")
    trader.send(f"{P}qty=1;order_id=long2;strategy_id=S;{SL_TP}")
    assert told(trader.send("command=CANCEL;order_id=STOP1;strategy_id=S"), "order_id") == (
        200,
        "cancelled",
        "long2.STOP1",
    )
    assert trader.open == {"long2", "long2.TARGET1"}


def test_07_one_text_cancels_todays_entry_and_tomorrows(trader: Trader) -> None:
    cancel = "command=CANCEL;order_id=ENTRY1;strategy_id=S"
    for order_id in ("d1", "d2"):
        trader.send(f"{P}qty=1;order_id={order_id};strategy_id=S")
        assert told(trader.send(cancel), "order_id") == (200, "cancelled", order_id)
        trader.service.let_pass(86_400)


def test_08_a_replaced_stop_stays_the_stop_and_waits(trader: Trader) -> None:
    trader.send(f"{P}qty=2;order_id=long;strategy_id=S;{SL_TP}")
    answer = trader.send(
        "command=CANCELREPLACE;order_id=STOP1;strategy_id=S;account=Sim101;instrument=ES 12-26;action=SELL;qty=2;"
        "order_type=STOPMARKET;stop_price=4995;tif=GTC"
    )
    assert told(answer, "order_id", "order_name", "state") == (200, "replaced", "long.STOP1", "STOP1", "Initialized")
    assert trader.orders["long.STOP1"] == ("Initialized", 2, "4995")


def test_09_legs_follow_their_entry_and_stay_on_their_side(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=long;strategy_id=S;{SL_TP}")
    assert trader.send("command=CHANGE;order_id=long;qty=2").word == "changed"
    assert trader.orders["long.STOP1"][1] == trader.orders["long.TARGET1"][1] == 2
    assert told(trader.send("command=CHANGE;order_id=long;limit_price=5020"), "field") == (
        400,
        "invalid_value",
        "limit_price",
    )
    assert told(trader.send("command=CHANGE;order_id=STOP1;strategy_id=S;stop_price=5050"), "field") == (
        400,
        "invalid_value",
        "stop_price",
    )
    assert trader.orders["long"] == ("Working", 2, "5000")


def test_10_a_stop_is_for_what_is_filled(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=long;{SL_TP}")
    trader.fill("long", 2)
    trader.send("command=CANCEL;order_id=long")
    assert trader.orders["long.STOP1"] == ("Working", 2, "4990")
    assert trader.states["long"] == "Cancelled"


def test_11_the_quantity_of_a_replacement_is_the_total(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a")
    trader.fill("a", 3)
    answer = trader.send(f"{R}qty=5;limit_price=5001;order_id=a")
    assert told(answer, "filled", "remaining") == (200, "replaced", "3", "2")


# The same alert again


def test_12_a_resend_cancels_nothing_that_came_after_its_first_receipt(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=old")
    trader.send_unanswered("command=CANCELALLORDERS")
    trader.send(f"{P}qty=1;order_id=new")
    trader.resend("command=CANCELALLORDERS")
    assert trader.open == {"new"}


def test_13_a_resent_change_does_not_undo_a_later_one(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    trader.send_unanswered("command=CHANGE;order_id=a;limit_price=4000")
    trader.send("command=CHANGE;order_id=a;limit_price=4500")
    answer = trader.resend("command=CHANGE;order_id=a;limit_price=4000")
    assert told(answer, "duplicate", "limit_price") == (200, "changed", True, "4500")


def test_14_a_resent_off_does_not_undo_a_later_on(trader: Trader) -> None:
    trader.send("kill_switch=on")
    trader.service.let_pass(60)
    trader.send_unanswered("kill_switch=off")
    trader.send("kill_switch=on")
    assert told(trader.resend("kill_switch=off"), "duplicate") == (200, "kill_switch_on", True)


def test_15_a_resend_takes_the_place_of_what_was_counted(trader: Trader) -> None:
    limited = f"{P}qty=1;order_id=a;rate_limit=1/60;id=x"
    trader.send_unanswered(limited, "PutItem")
    assert trader.resend(limited).word == "already_placed"
    assert trader.send(f"{P}qty=1;order_id=b;rate_limit=1/60;id=x").word == "rate_limited"


def test_16_a_resend_of_what_was_placed_passes_the_kill_switch(trader: Trader) -> None:
    trader.send_unanswered(f"{P}qty=1;order_id=a", "PutItem")
    trader.send("kill_switch=on")
    assert trader.resend(f"{P}qty=1;order_id=a").word == "already_placed"
    trader.service.let_pass(60)
    assert trader.send(f"{P}qty=1;order_id=a").word == "kill_switch_on"


# What waits for its delay


@pytest.mark.parametrize(
    "alerts",
    [
        ("command=CANCEL;order_id=d",),
        ("command=CANCELALLORDERS",),
        ("kill_switch=on", "kill_switch=off"),
    ],
)
def test_17_what_waits_can_be_cancelled(trader: Trader, alerts: tuple[str, ...]) -> None:
    assert told(trader.send(f"{P}qty=1;order_id=d;delay=4"), "state") == (200, "scheduled", "Initialized")
    assert trader.send(*alerts).status == 200
    trader.wait(5)
    assert trader.states == {"d": "Cancelled"}


def test_17_cancelorders_ends_what_has_waited_for_more_than_three_seconds(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=d;delay=10")
    trader.service.let_pass(4)
    assert trader.send("command=CANCELORDERS;account=Sim101").body["cancelled"] == ["d"]


def test_42_a_delayed_entry_of_the_same_bar_is_not_cancelled_with_the_old_ones(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=d;delay=2")
    answer = trader.send("command=CANCELORDERS;account=Sim101")
    assert (answer.body["cancelled"], answer.body["waiting"]) == ([], ["d"])
    trader.wait(3)
    assert trader.states == {"d": "Working"}


def test_46_a_waiting_order_is_addressed_like_any_other(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=d;delay=2;strategy_id=S")
    assert trader.send("command=CANCEL;order_id=d;strategy_id=S").word == "cancelled"
    trader.send(f"{P}qty=1;order_id=e;delay=2;strategy_id=S")
    assert trader.send("command=CHANGE;order_id=e;limit_price=5001").word == "changed"
    trader.wait(3)
    trader.service.scheduler.deliver()
    assert trader.orders == {"d": ("Cancelled", 1, "5000"), "e": ("Working", 1, "5001")}


# What is meant by a scope


def test_18_accounts_and_instruments_are_compared_without_case(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    answer = trader.send("command=CANCELORDERS;account=sim101;instrument=es 12-26")
    assert told(answer, "cancelled") == (200, "cancelled", ["a"])


def test_18_nothing_matched_is_said_with_the_accounts_that_have_open_orders(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    answer = trader.send("command=CANCELORDERS;account=NoSuch")
    assert told(answer, "duplicate") == (200, "nothing_to_cancel", None)
    assert "Sim101" in answer.body["warnings"][0]["detail"]


@pytest.mark.parametrize(
    "text",
    [
        'command=CANCELORDERS;account="Sim101"',
        "command=CANCELALLORDERS;account=A",
        f"{P}qty=1;account=Sim101,sim101".replace("account=Sim101;", ""),
        "command=CANCELORDERS;account=Sim101;instrument=;",
        f"{P}qty=1;order_id=a;stop_loss=;",
        "command=CANCELALLORDERS;instrument=ES 12-26",
        "command=CANCELORDERS;account=A;symbol=NQ 12-26",
    ],
)
def test_18_19_20_22_44_what_would_be_wider_or_barer_than_meant_is_refused(trader: Trader, text: str) -> None:
    trader.send(f"{P}qty=1;order_id=before")
    assert trader.send(text).status == 400
    assert trader.open == {"before"}


# Names and strategies


def test_29_an_id_of_yesterday_is_refused_with_a_way_out(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a", "command=CANCEL;order_id=a")
    trader.service.let_pass(86_400)
    answer = trader.send(f"{P}qty=1;order_id=a")
    assert told(answer, "state") == (409, "duplicate_order_id", "Cancelled")
    assert "{{timenow}}" in answer.body["detail"]


def test_31_an_id_that_has_left_the_table_is_used_and_replaced_again(trader: Trader) -> None:
    for _ in range(2):
        assert trader.send(f"{P}qty=1;order_id=a").word == "placed"
        answer = trader.send(f"{R}qty=1;limit_price=5001;order_id=a")
        assert told(answer, "duplicate") == (200, "replaced", None)
        trader.send("command=CANCEL;order_id=a")
        trader.service.remove("a")
        trader.service.let_pass(40 * 86_400)


def test_32_a_closed_strategy_starts_anew(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;strategy_id=S", "command=CLOSESTRATEGY;strategy_id=S")
    trader.service.let_pass(86_400)
    assert told(trader.send(f"{P}qty=1;order_id=b;strategy_id=S"), "order_name") == (200, "placed", "ENTRY1")


@LONG
def test_33_a_strategy_is_bounded_by_its_open_orders(trader: Trader) -> None:
    for number in range(40):
        trader.send(f"{P}qty=1;order_id=a{number};strategy_id=S", f"command=CANCEL;order_id=a{number}")
    strategy = trader.service.services.strategies.get(trader.service.trader, "S")
    assert strategy is not None
    assert len(strategy.numbers) == 1


@LONG
def test_33_a_history_is_bounded_and_the_first_entry_stays(trader: Trader) -> None:
    have_long_history(trader.service, 150)
    for price in range(5000, 5012):
        assert trader.send(f"command=CHANGE;order_id=order-1;limit_price={price}").word == "changed"
    order = trader.service.order("order-1")
    assert order is not None
    assert 100 <= len(order.history) <= 200
    assert order.history_dropped
    assert (order.history[0].state, order.history[0].request_id) == ("Working", "r0")
    assert len(order.history) + order.history_dropped == 150 + 12
    assert trader.send("command=CANCEL;order_id=order-1").word == "cancelled"


# Fills are facts


def test_34_a_fill_after_a_cancel_is_recorded_and_protected(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{SL_TP}", "command=CANCEL;order_id=a")
    trader.fill("a", 2)
    order = trader.service.order("a")
    assert order is not None
    assert (order.state, order.filled, order.filled_after_end) == ("Cancelled", 2, 2)
    assert trader.orders["a.STOP1"] == ("Working", 2, "4990")


def test_34_what_is_filled_beyond_the_quantity_is_recorded(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a", "command=CHANGE;order_id=a;qty=3")
    trader.fill("a", 5, "Filled")
    order = trader.service.order("a")
    assert order is not None
    assert (order.qty, order.filled) == (3, 5)


def test_34_an_unknown_order_is_open_and_its_fill_recorded(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a")
    trader.service.report("Unknown", order_id="a")
    trader.fill("a", 5, "Filled")
    assert trader.states == {"a": "Filled"}


# Each part by itself


def test_37_the_time_limit_is_that_of_the_order_which_was_placed(trader: Trader) -> None:
    first = trader.send(f"{P}qty=1;order_id=a;cancel_after=5").body["cancels_at"]
    assert trader.send(f"{P}qty=1;order_id=a;cancel_after=10").body["cancels_at"] == first
    assert trader.send(f"{P}qty=2;order_id=a;cancel_after=1").word == "duplicate_order_id"
    trader.wait(70)
    assert trader.open == {"a"}
    trader.wait(240)
    assert trader.open == set()


def test_39_the_answer_to_on_says_what_may_still_be_under_way(trader: Trader) -> None:
    assert "3 s" in trader.send("kill_switch=on").body["warnings"][0]["detail"]


def test_40_a_template_for_less_than_the_quantity_is_placed_with_a_warning(trader: Trader) -> None:
    trader.service.put_template("two", (2, 10, 5))
    answer = trader.send(f"{P}qty=5;order_id=a;strategy=two")
    assert [warning["code"] for warning in answer.body["warnings"]] == ["unprotected_quantity"]
    assert trader.orders["a.STOP1"][1] == 2


@pytest.mark.parametrize(
    "legs", ["stop_loss_limit=4991;stop_loss_stop=4990", "stop_loss=5000", "take_profit=5000", "stop_loss_limit=5001"]
)
def test_40_prices_on_the_wrong_side_of_one_another_are_refused(trader: Trader, legs: str) -> None:
    assert trader.send(f"{P}qty=1;order_id=a;{legs}").word == "invalid_value"
    assert trader.orders == {}


def test_41_after_the_fill_a_stop_may_be_moved_beyond_the_entry(trader: Trader) -> None:
    trader.send(f"{P}qty=2;order_id=a;strategy_id=S;{SL_TP}")
    trader.fill("a", 2, "Filled")
    assert trader.send("command=CHANGE;order_id=STOP1;strategy_id=S;stop_price=5001").word == "changed"


def test_43_equal_texts_are_new_alerts_and_not_resends(trader: Trader) -> None:
    text = f"{P}qty=1;rate_limit=1;id=x"
    assert [trader.send(text).word for _ in range(5)] == ["placed", *["rate_limited"] * 4]
    trader.send("command=CANCELALLORDERS", f"{P}qty=1;order_id=new")
    trader.service.let_pass(20)
    assert trader.send("command=CANCELALLORDERS").body["cancelled"] == ["new"]


def test_45_the_text_of_an_answered_resend_is_a_new_alert(trader: Trader) -> None:
    change = "command=CHANGE;order_id=a;limit_price=4000"
    trader.send(f"{P}qty=1;order_id=a")
    trader.send_unanswered(change)
    trader.send("command=CHANGE;order_id=a;limit_price=4500")
    assert trader.resend(change).body["duplicate"] is True
    trader.service.let_pass(20)
    assert told(trader.send(change), "duplicate", "limit_price") == (200, "changed", None, "4000")


# What the model found


def test_a_target_and_a_stop_are_added_to_what_is_filled_in_part(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;strategy_id=S")
    trader.fill("a", 3)
    assert trader.send(f"{R}qty=5;limit_price=5001;order_id=a;{SL_TP}").word == "replaced"
    assert trader.orders["a.STOP1"] == ("Working", 3, "4990")


def test_a_stop_that_is_added_works_though_its_alert_is_cut_short(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a")
    trader.fill("a", 2)
    replace = f"{R}qty=5;limit_price=5001;order_id=a;stop_loss=4990"
    trader.service.network.inject("TransactWriteItems", *[throttle] * 4)
    assert trader.send(replace).status == 503
    trader.service.network.inject("TransactWriteItems")
    assert trader.resend(replace).word == "replaced"
    assert trader.orders["a.STOP1"] == ("Working", 2, "4990")


def test_a_resend_finds_what_its_leg_was_given_while_it_waited(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{SL_TP}")
    change = "command=CHANGE;order_id=a.STOP1;stop_price=4985"
    trader.send_unanswered(change)
    trader.fill("a", 2)
    trader.send("command=CHANGE;order_id=a.STOP1;stop_price=4992")
    assert told(trader.resend(change), "duplicate", "stop_price") == (200, "changed", True, "4992")


def test_a_name_is_not_free_while_a_late_fill_has_its_stop_work(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;strategy_id=S")
    trader.send(*[f"{P}qty=5;order_id={order_id};strategy_id=S;{SL_TP}" for order_id in "bc"])
    trader.send("command=CANCEL;order_id=b", "command=CANCEL;order_id=c", f"{P}qty=5;order_id=d;strategy_id=S")
    trader.fill("c", 2)
    assert trader.states["c.STOP3"] == "Working"
    assert trader.send(f"{P}qty=5;order_id=e;strategy_id=S;{SL_TP}").body["order_name"] == "ENTRY4"


def test_a_lower_quantity_passes_the_kill_switch_whatever_is_filled(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a")
    trader.fill("a", 6)
    trader.send("kill_switch=on")
    assert told(trader.send("command=CHANGE;order_id=a;qty=3"), "state") == (200, "changed", "Cancelled")


def test_a_strategy_that_only_an_order_named_which_was_given_up_is_unknown(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;delay=2;strategy_id=S")
    trader.service.let_pass(310)
    assert told(trader.send("command=CLOSESTRATEGY;strategy_id=S")) == (404, "strategy_not_found")


def test_a_leg_that_is_not_there_does_not_pass_the_kill_switch(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;strategy_id=S", "kill_switch=on")
    change = "command=CHANGE;order_id=STOP1;strategy_id=S;stop_price=4990"
    assert told(trader.send(change)) == (423, "kill_switch_on")


def test_a_leg_outlives_its_entry_and_is_cancelled_beside_a_new_one_of_that_id(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{SL_TP}")
    trader.fill("a", 5, "Filled")
    trader.service.remove("a")  # 400 days later
    trader.send(f"{P}qty=5;order_id=a")
    assert trader.send("command=CANCEL;order_id=a.STOP1").word == "cancelled"


def test_a_strategy_whose_stop_a_late_fill_has_work_is_not_started_in_another_account(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;strategy_id=S", f"{P}qty=5;order_id=b;strategy_id=S;{SL_TP}")
    trader.send("command=CANCEL;order_id=a", "command=CANCEL;order_id=b")
    trader.send(f"{P}qty=5;order_id=c;strategy_id=S", "command=CANCEL;order_id=c")
    trader.fill("b", 2)
    assert trader.open == {"b.STOP2", "b.TARGET2"}
    elsewhere = f"{P}qty=5;order_id=d;strategy_id=S".replace("Sim101", "Sim102")
    assert told(trader.send(elsewhere)) == (409, "strategy_mismatch")
