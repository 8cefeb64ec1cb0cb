"""Further sequences that lost money when trades were tried by those who wished them ill, and what must come of them."""

from datetime import timedelta
from decimal import Decimal

import pytest

import deferred
from orderhook.commands import parse_command
from orderhook.commands.cancel import Cancel
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.limits import Limits
from orderhook.listing import Unreadable, find_order, list_orders
from orderhook.order_reports import Report
from orderhook.orders import OrderState, timestamp
from orderhook.reference import guidance_of
from orderhook.representations import represent_order
from orderhook.trade_window import end_of_day
from tests.builders import ENTRY, provenance
from tests.client_faults import Selective, in_requests_with, in_writes
from tests.faults import Fault, lose_request, lose_response, no_fault, refuse, run_before, throttle
from tests.integration.test_key_limits import narrow
from tests.integration.test_sequences import SL_TP, P, R, Trader, told
from tests.marks import EACH_ONCE, LONG, OF_SEQUENCES
from tests.output import Answer
from tests.service import Service
from tests.trades import seen

pytestmark = OF_SEQUENCES

OF_S = "strategy_id=S;"
STOP = "command=CHANGE;order_id=STOP1;strategy_id=S;"
TARGET = "command=CHANGE;order_id=TARGET1;strategy_id=S;"


@pytest.fixture
def trader(service: Service) -> Trader:
    return Trader(service)


@pytest.fixture
def long(trader: Trader) -> Trader:
    """A trader whose entry of five is filled: its target works at 5010, and its stop at 4990."""
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}")
    trader.fill("a", 5, "Filled")
    return trader


# A name that another order has taken


@pytest.mark.parametrize(
    ("text", "untouched"),
    [
        ("command=CANCEL;order_id=ENTRY2;", ("Working", 1, "5000")),
        ("command=CHANGE;order_id=ENTRY2;limit_price=4000;", ("Working", 1, "5000")),
        (f"{R}order_id=ENTRY2;qty=4;limit_price=4900;", ("Working", 1, "5000")),
    ],
    ids=["CANCEL", "CHANGE", "CANCELREPLACE"],
)
def test_a_resend_by_name_finds_its_order_though_several_names_were_free(
    trader: Trader, text: str, untouched: tuple[str, int, str]
) -> None:
    for order_id in ("a", "b"):
        trader.send(f"{P}qty=1;order_id={order_id};{OF_S}")
    trader.send_unanswered(f"{text}{OF_S}")
    trader.send("command=CANCEL;order_id=a", "command=CANCEL;order_id=b")
    for order_id in ("c", "d"):
        trader.send(f"{P}qty=1;order_id={order_id};{OF_S}")
    assert trader.resend(f"{text}{OF_S}").status == 200
    assert [trader.orders[order_id] for order_id in ("c", "d")] == [untouched] * 2


def test_a_resend_of_a_stops_cancel_leaves_the_stop_of_the_next_trade(trader: Trader) -> None:
    cancel = f"command=CANCEL;order_id=STOP2;{OF_S}"
    for order_id in ("a", "b"):
        trader.send(f"{P}qty=1;order_id={order_id};{OF_S}{SL_TP}")
    trader.send_unanswered(cancel)
    trader.send(f"command=CLOSESTRATEGY;{OF_S}")
    for order_id in ("c", "d"):
        trader.send(f"{P}qty=1;order_id={order_id};{OF_S}{SL_TP}")
    assert trader.resend(cancel).word == "already_cancelled"
    assert {"c.STOP1", "d.STOP2"} <= trader.open


# Stop and target


@pytest.mark.parametrize("text", [f"{STOP}stop_price=5010", f"{STOP}stop_price=5050", f"{TARGET}limit_price=4990"])
def test_legs_that_work_do_not_cross(long: Trader, text: str) -> None:
    before = long.orders
    answer = long.send(text)
    assert told(answer, "field") == (400, "invalid_value", "stop_price" if "STOP1" in text else "limit_price")
    assert long.orders == before


def test_a_text_sent_once_more_is_checked_once_more(long: Trader) -> None:
    for text in (f"{STOP}stop_price=5005", f"{STOP}stop_price=4990", f"{TARGET}limit_price=5003"):
        assert long.send(text).word == "changed"
    long.service.let_pass(60)
    assert long.send(f"{STOP}stop_price=5005").word == "invalid_value"


def test_a_refused_command_leaves_nothing_that_a_later_check_goes_by(long: Trader) -> None:
    before = long.service.belongings()
    assert long.send(f"{TARGET}limit_price=5100;qty=9").word == "invalid_value"
    replacement = "command=CANCELREPLACE;action=SELL;order_type=LIMIT;tif=GTC;account=Sim101;instrument=ES 12-26;"
    assert long.send(f"{replacement}order_id=TARGET1;{OF_S}qty=9;limit_price=5100").word == "invalid_value"
    assert long.service.belongings() == before
    assert long.send(f"{STOP}stop_price=5050").word == "invalid_value"


def test_while_the_kill_switch_is_on_legs_do_not_cross_either(long: Trader) -> None:
    long.send("kill_switch=on")
    assert long.send(f"{STOP}stop_price=5050").word == "invalid_value"
    assert long.send(f"{STOP}stop_price=5005").word == "changed"
    long.send("kill_switch=off")
    assert long.send(f"{TARGET}limit_price=5003").word == "invalid_value"


@pytest.mark.parametrize("qty", [5, 2])
def test_a_stop_that_is_added_does_not_cross_the_target_that_works(trader: Trader, qty: int) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}take_profit=5010")
    trader.fill("a", 2)
    assert trader.send(f"{R}order_id=a;qty={qty};limit_price=5000;stop_loss=5020").word == "invalid_value"
    assert trader.open == {"a", "a.TARGET1"}


def test_a_stop_that_is_added_after_a_fill_works_at_once_and_has_its_name(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;")
    trader.fill("a", 2)
    answer = trader.send(f"{R}order_id=a;qty=5;limit_price=5000;stop_loss=4980")
    assert told(answer, "strategy_id", "order_name") == (200, "replaced", "a", "ENTRY1")
    assert trader.orders["a.STOP1"] == ("Working", 2, "4980")
    trader.fill("a", 5, "Filled")
    assert trader.orders["a.STOP1"] == ("Working", 5, "4980")
    assert trader.send("command=CANCEL;order_id=STOP1;strategy_id=a").word == "cancelled"


def test_a_stop_that_is_added_before_the_fill_has_its_name(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;")
    answer = trader.send(f"{R}order_id=a;qty=5;limit_price=5000;stop_loss=4980")
    assert answer.body["legs"] == {"STOP1": "a.STOP1"}
    assert trader.send("command=CANCEL;order_id=STOP1;strategy_id=a").word == "cancelled"


@pytest.mark.parametrize("text", ["order_id=STOP2;stop_price=5015", "order_id=TARGET1;limit_price=4994"])
def test_legs_of_a_template_do_not_cross_though_some_work_and_some_wait(trader: Trader, text: str) -> None:
    trader.service.put_template("two", (2, 10, 5), (3, 20, 8))
    trader.send(f"{P}qty=5;order_id=a;{OF_S}strategy=two")
    trader.fill("a", 2)
    for leg in ("order_id=TARGET1;limit_price=5010", "order_id=STOP2;stop_price=4995"):
        assert trader.send(f"command=CHANGE;{leg};{OF_S}").word == "changed"
    assert trader.send(f"command=CHANGE;{text};{OF_S}").word == "invalid_value"


def test_a_working_stop_limit_keeps_its_limit_on_its_side(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}stop_loss_limit=4985;stop_loss_stop=4990")
    trader.fill("a", 1, "Filled")
    assert trader.send(f"{STOP}limit_price=4995").word == "invalid_value"
    assert trader.send(f"{STOP}limit_price=4990").word == "changed"


# Commands over many orders


@EACH_ONCE
@pytest.mark.parametrize("filled", [2, 5])
@pytest.mark.parametrize(
    ("text", "updates"),
    [
        ("command=CANCELORDERS;account=Sim101", 0),
        ("command=CANCELALLORDERS", 1),
        (f"command=CLOSESTRATEGY;{OF_S}", 1),
    ],
    ids=["CANCELORDERS", "CANCELALLORDERS", "CLOSESTRATEGY"],
)
def test_legs_that_a_fill_releases_meanwhile_are_cancelled_too(
    trader: Trader, text: str, updates: int, filled: int
) -> None:
    """`updates` is how many the command sends before it lists the orders."""
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}")
    fill = run_before(lambda: trader.fill("a", filled, "Filled" if filled == 5 else "PartFilled"))
    trader.service.network.inject("UpdateItem", *[no_fault] * updates, fill)
    answer = trader.send(text)
    assert trader.states["a"] == ("Filled" if filled == 5 else "Cancelled")
    assert trader.open == set()
    assert {"a.STOP1", "a.TARGET1"} <= set(answer.body["cancelled"])
    assert "cancelled_legs" not in answer.body


def test_twenty_accounts_are_cancelled_by_one_alert(trader: Trader) -> None:
    accounts = ",".join(f"A{number}" for number in range(20))
    assert trader.send(f"{P}qty=1;order_id=a;".replace("Sim101", accounts)).word == "placed"
    assert trader.send(f"command=CANCELORDERS;account={accounts}").word == "cancelled"
    assert trader.open == set()


@pytest.mark.parametrize("text", ["command=CANCELORDERS;account=Sim101;delay=5", "command=CANCELALLORDERS;delay=5"])
def test_a_cancel_with_delay_means_what_came_in_before_its_delay_is_over(trader: Trader, text: str) -> None:
    trader.send(text, f"{P}qty=1;order_id=a")
    trader.wait(6)
    assert trader.states == {"a": "Cancelled"}


# Limits, delays, the kill switch


def test_what_may_have_been_placed_counts_in_its_rate_limit(trader: Trader) -> None:
    limited = "rate_limit=1/60;id=x;"
    trader.send_unanswered(f"{P}qty=1;order_id=a;{limited}", "PutItem")
    assert trader.send(f"{P}qty=1;order_id=b;{limited}").word == "rate_limited"
    assert trader.resend(f"{P}qty=1;order_id=a;{limited}").word == "already_placed"
    assert trader.open == {"a"}


def test_a_template_that_is_not_there_is_told_before_the_delay(trader: Trader) -> None:
    assert trader.send(f"{P}qty=1;order_id=a;strategy=none-such;delay=5").word == "strategy_not_found"
    assert trader.orders == {}


def test_what_a_template_leaves_unprotected_is_told_before_the_delay(trader: Trader) -> None:
    trader.service.put_template("two", (2, 10, 5))
    answer = trader.send(f"{P}qty=5;order_id=a;strategy=two;delay=5")
    assert [warning["code"] for warning in answer.body["warnings"]] == ["unprotected_quantity"]


def test_a_template_order_that_waits_for_its_delay_takes_no_other_legs(trader: Trader) -> None:
    trader.service.put_template("two", (2, 10, 5))
    trader.send(f"{P}qty=2;order_id=a;strategy=two;delay=5")
    answer = trader.send(f"{R}order_id=a;qty=2;limit_price=5000;stop_loss=4980")
    assert told(answer, "field") == (400, "invalid_value", "stop_loss")


def test_a_change_with_delay_waits_though_the_kill_switch_lets_it_pass(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}", "kill_switch=on")
    for text in (f"{STOP}stop_price=4985;delay=5", "command=CHANGE;order_id=a;qty=2;delay=5"):
        assert trader.send(text).word == "scheduled"
    assert trader.send("command=CHANGE;order_id=a;qty=9;delay=5").word == "kill_switch_on"
    trader.wait(6)
    assert [trader.orders[order_id][1:] for order_id in ("a", "a.STOP1")] == [(2, "5000"), (2, "4985")]


def test_a_day_order_that_is_over_is_not_said_to_be_changed_by_a_resend(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;".replace("GTC", "DAY"))
    trader.service.let_pass(48 * 3600)
    text = "command=CHANGE;order_id=a;limit_price=4000"
    assert told(trader.send(text), "state") == (409, "order_already_terminal", "Expired")
    assert told(trader.resend(text), "state") == (409, "order_already_terminal", "Expired")


def test_a_close_that_comes_late_does_not_take_a_later_one_back(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}")
    trader.send(f"command=CLOSESTRATEGY;{OF_S}delay=3")
    trader.service.let_pass(1)
    trader.send(f"command=CLOSESTRATEGY;{OF_S}notes=now")
    before = trader.service.services.strategies.get(trader.service.trader, "S")
    trader.wait(4)
    after = trader.service.services.strategies.get(trader.service.trader, "S")
    assert before is not None
    assert after is not None
    assert after.closed_at == before.closed_at


def test_a_waiting_order_that_was_cancelled_leaves_no_record_of_a_placing(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;delay=5", "command=CANCEL;order_id=a")
    trader.wait(6)
    record = next(trader.service.alerts.newest(trader.service.trader))
    assert (record.origin, record.outcome) == ("delayed", "already_cancelled")


def test_a_name_does_not_lead_to_an_id_that_has_another_name_now(trader: Trader) -> None:
    for order_id in ("a", "b"):
        trader.send(f"{P}qty=1;order_id={order_id};{OF_S}")
    for order_id in ("a", "b"):
        trader.send(f"command=CANCEL;order_id={order_id}")
        trader.service.remove(order_id)  # days later
    answer = trader.send(f"{P}qty=1;order_id=b;{OF_S}")
    assert told(answer, "order_name") == (200, "placed", "ENTRY1")
    assert trader.send(f"command=CANCEL;order_id=ENTRY2;{OF_S}").word == "order_not_found"
    assert trader.open == {"b"}


@LONG
def test_of_many_names_that_are_free_at_once_a_resend_finds_its_own(trader: Trader) -> None:
    for number in range(1, 14):
        trader.send(f"{P}qty=1;order_id=o{number};{OF_S}")
    cancel = f"command=CANCEL;order_id=ENTRY2;{OF_S}"
    trader.send("command=CANCEL;order_id=o1")
    trader.send_unanswered(cancel)
    trader.send("command=CANCELORDERS;account=Sim101")
    for order_id in ("c", "d"):
        trader.send(f"{P}qty=1;order_id={order_id};{OF_S}")
    assert trader.resend(cancel).word == "already_cancelled"
    assert trader.open == {"c", "d"}


def test_a_second_resend_takes_the_place_that_the_first_took(trader: Trader) -> None:
    text = f"{P}qty=1;order_id=a;rate_limit=1/60;id=x"
    trader.service.network.inject("PutItem", *[throttle] * 4)
    assert trader.send(text).status == 503
    trader.service.network.inject("PutItem", *[lose_request] * 4)
    assert trader.resend(text).status == 503
    trader.service.network.inject("PutItem")
    assert trader.resend(text).word == "placed"


def test_a_leg_that_is_given_anew_at_its_old_price_is_checked(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}", "command=CANCEL;order_id=a.TARGET1")
    trader.fill("a", 2)
    assert trader.send(f"{STOP}stop_price=5020").word == "changed"
    answer = trader.send(f"{R}order_id=a;qty=5;limit_price=5000;take_profit=5010")
    assert told(answer, "field") == (400, "invalid_value", "take_profit")


@pytest.mark.parametrize("filled", [0, 2])
def test_a_resend_of_a_cancel_leaves_a_stop_that_was_given_since(trader: Trader, filled: int) -> None:
    cancel = f"command=CANCEL;order_id=STOP1;{OF_S}"
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}")
    trader.send_unanswered(cancel)
    assert trader.send(f"{R}order_id=a;qty=5;limit_price=5000;stop_loss=4980").word == "replaced"
    if filled:
        trader.fill("a", filled)
    assert trader.resend(cancel).word == "already_cancelled"
    assert "a.STOP1" in trader.open
    trader.service.let_pass(60)
    assert trader.send(cancel).word == "cancelled"
    assert "a.STOP1" not in trader.open


def test_a_stop_that_is_added_while_orders_are_cancelled_is_cancelled_too(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}")
    trader.fill("a", 2)
    entry = {**ENTRY, "order_id": "a", "qty": "5", "limit_price": "5000", "stop_loss": "4980"}
    add, _ = parse_command(CancelReplace, {name: str(value) for name, value in entry.items()})
    trader.service.network.inject("UpdateItem", run_before(lambda: trader.service.run(add, "meanwhile")))
    trader.send("command=CANCELORDERS;account=Sim101")
    assert trader.open == set()


# What a trader must be told


def warned(answer: Answer) -> list[tuple[str, str | None]]:
    return [(warning["code"], warning.get("field")) for warning in answer.body.get("warnings", [])]


@pytest.mark.parametrize(
    ("text", "word"), [("command=CANCELALLORDERS", "cancelled"), (f"command=CLOSESTRATEGY;{OF_S}", "closed")]
)
def test_a_resend_names_the_orders_that_came_in_since_the_first(trader: Trader, text: str, word: str) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}")
    trader.service.network.inject("Query", *[lose_request] * 3)
    assert trader.send(text).status == 503
    trader.service.network.inject("Query")
    trader.send(f"{P}qty=1;order_id=b;{OF_S}")
    answer = trader.resend(text)
    assert told(answer, "cancelled", "newer") == (200, word, ["a"], ["b"])
    assert ("newer_orders", None) in warned(answer)
    assert trader.open == {"b"}


def test_an_order_that_comes_in_during_a_first_command_over_many_is_not_called_newer(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    assert "newer" not in trader.send("command=CANCELALLORDERS").body


def test_the_cancel_of_a_stop_that_protects_says_so(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}")
    assert warned(trader.send(f"command=CANCEL;order_id=STOP1;{OF_S}")) == []
    trader.send(f"{P}qty=5;order_id=b;{OF_S}{SL_TP}")
    trader.fill("b", 3)
    answer = trader.send(f"command=CANCEL;order_id=STOP2;{OF_S}")
    assert warned(answer) == [("unprotected_quantity", "order_id")]
    assert "3 contracts that are filled" in answer.body["warnings"][0]["detail"]
    assert warned(trader.send(f"command=CANCEL;order_id=TARGET2;{OF_S}")) == []


def test_the_cancel_of_a_filled_entry_names_the_legs_that_work_on(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}")
    trader.fill("a", 1, "Filled")
    assert "may still work" not in trader.send("command=CANCEL;order_id=a").body["detail"]
    trader.send(f"{P}qty=1;order_id=b;{OF_S}{SL_TP}")
    trader.fill("b", 1, "Filled")
    assert "b.STOP1 and b.TARGET1 may still work" in trader.send("command=CANCEL;order_id=b").body["detail"]


def test_a_waiting_leg_that_cannot_be_a_day_order_says_so(trader: Trader) -> None:
    trader.send(f"{P}qty=2;order_id=a;{OF_S}{SL_TP}")
    stop = (
        "command=CANCELREPLACE;order_id=a.STOP1;account=Sim101;instrument=ES 12-26;action=SELL;order_type=STOPMARKET;"
    )
    assert warned(trader.send(f"{stop}qty=2;stop_price=4991;tif=DAY")) == [("ignored_field", "tif")]
    assert warned(trader.send(f"{stop}qty=2;stop_price=4992;tif=GTC")) == []


def test_a_time_limit_that_comes_too_late_is_told(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    answer = trader.send(f"{P}qty=1;order_id=a;cancel_after=5")
    assert told(answer, "cancels_at") == (200, "already_placed", None)
    assert warned(answer) == [("ignored_field", "cancel_after")]
    trader.send(f"{P}qty=1;order_id=b;cancel_after=5")
    assert warned(trader.send(f"{P}qty=1;order_id=b;cancel_after=5")) == []


@pytest.mark.parametrize("command", ["command=CANCEL;", "command=CHANGE;qty=2;", f"{R}qty=1;limit_price=5001;"])
def test_a_name_in_a_strategy_that_only_a_waiting_order_names_is_not_there_yet(trader: Trader, command: str) -> None:
    trader.send(f"{P}qty=1;order_id=d;{OF_S}delay=9")
    answer = trader.send(f"{command}order_id=ENTRY1;{OF_S}")
    assert told(answer, "field") == (404, "order_not_found", "order_id")
    assert "d waits for its delay" in answer.body["detail"]


# A PLACE with delay is one trade too


@EACH_ONCE
@pytest.mark.parametrize("text", ["command=CANCELORDERS;account=Sim101", f"command=CLOSESTRATEGY;{OF_S}"])
@pytest.mark.parametrize("filled", [2, 5])
def test_what_leaves_a_delayed_entry_of_its_bar_alone_leaves_its_legs_alone(
    trader: Trader, text: str, filled: int
) -> None:
    trader.send(f"{P}qty=5;order_id=d;{OF_S}delay=1;{SL_TP}")
    trader.wait(1)
    trader.fill("d", filled, "PartFilled" if filled < 5 else "Filled")
    answer = trader.send(text)
    assert set(answer.body["waiting"]) == {"d", "d.STOP1", "d.TARGET1"} - ({"d"} if filled == 5 else set())
    trader.fill("d", 5, "Filled")
    assert {"d.STOP1", "d.TARGET1"} <= trader.open
    trader.wait(4)
    trader.send(text)
    assert trader.open == set()


def test_a_resend_leaves_a_stop_alone_that_was_asked_for_since(trader: Trader) -> None:
    sweep = "command=CANCELORDERS;account=Sim101"
    trader.send(f"{P}qty=5;order_id=a;{OF_S}")
    trader.fill("a", 2)
    trader.service.network.inject("Query", *[lose_request] * 3)
    assert trader.send(sweep).status == 503
    trader.service.network.inject("Query")
    trader.send(f"{R}order_id=a;qty=2;limit_price=5000;stop_loss=4990")
    answer = trader.resend(sweep)
    assert told(answer, "newer") == (200, "nothing_to_cancel", ["a.STOP1"])
    assert trader.open == {"a.STOP1"}
    trader.wait(60)
    assert trader.send(sweep).body["cancelled"] == ["a.STOP1"]


@EACH_ONCE
@pytest.mark.parametrize(
    "first",
    ["command=CANCEL;", "command=CHANGE;qty=9;", f"{R}qty=9;limit_price=5050;"],
    ids=["CANCEL", "CHANGE", "CANCELREPLACE"],
)
@pytest.mark.parametrize("answers", ["arrive", "are lost"])
def test_a_message_that_comes_again_does_not_touch_the_next_order_of_the_name(
    trader: Trader, first: str, answers: str
) -> None:
    trader.send(f"{P}qty=1;order_id=d1;{OF_S}", f"{first}order_id=ENTRY1;{OF_S}delay=1")
    [message] = trader.service.queue.messages
    body = message.body
    trader.service.network.inject("UpdateItem", *([lose_response] * 20 if answers == "are lost" else []))
    trader.wait(1)
    trader.service.network.inject("UpdateItem")
    trader.send("command=CANCEL;order_id=d1", f"{P}qty=1;order_id=d2;{OF_S}")
    if answers == "arrive":
        sqs_message = {"messageId": "again", "body": body}
        assert deferred.handler({"Records": [sqs_message]}, None) == {"batchItemFailures": []}
    trader.wait(40)
    assert trader.orders["d2"] == ("Working", 1, "5000")
    [record] = [it for it in trader.service.alerts.newest(trader.service.trader) if it.origin == "delayed"]
    assert (record.status, record.order_ids) == (200, ("d1",))


def test_a_message_that_comes_again_when_the_kill_switch_is_on_tells_what_it_did(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a", f"{R}qty=9;limit_price=5050;order_id=a;delay=1")
    trader.service.network.inject("UpdateItem", *[lose_response] * 20)
    trader.wait(1)
    trader.service.network.inject("UpdateItem")
    trader.send("kill_switch=on")
    trader.wait(40)
    [record] = [it for it in trader.service.alerts.newest(trader.service.trader) if it.origin == "delayed"]
    assert (record.status, record.outcome, record.order_ids) == (200, "replaced", ("a",))


@pytest.mark.parametrize("voids", [("kill_switch=on", "kill_switch=off"), ("command=CANCELALLORDERS",)])
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (f"{P}qty=1;order_id=d;delay=30", (409, "duplicate_order_id", "Cancelled")),
        ("command=CHANGE;order_id=d;qty=3", (409, "order_already_terminal", "Cancelled")),
        (f"{R}qty=3;limit_price=5000;order_id=d", (409, "order_already_terminal", "Cancelled")),
    ],
    ids=["PLACE", "CHANGE", "CANCELREPLACE"],
)
def test_an_order_that_is_void_is_not_said_to_wait(
    trader: Trader, voids: tuple[str, ...], text: str, answer: tuple[int, str, str]
) -> None:
    trader.send(f"{P}qty=1;order_id=d;delay=30")
    trader.service.let_pass(31)  # the same text then is another alert
    trader.service.network.inject("Query", *[lose_request] * 3)
    trader.send(*voids)
    trader.service.network.inject("Query")
    assert told(trader.send(text), "state") == answer
    assert trader.open == set()


def test_the_time_limit_of_a_replacement_counts_from_the_end_of_its_delay(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a", f"{R}qty=1;limit_price=5001;order_id=a;delay=50;cancel_after=1")
    trader.wait(50)
    trader.wait(45)
    assert trader.states["a"] == "Working"
    trader.wait(20)
    assert trader.states["a"] == "Cancelled"


def test_a_stop_that_ends_at_what_is_filled_of_it_says_what_it_leaves(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}")
    trader.fill("a", 5, "Filled")
    trader.fill("a.STOP1", 1)
    answer = trader.send(f"{STOP}qty=1")
    assert told(answer, "state") == (200, "changed", "Filled")
    assert warned(answer) == [("unprotected_quantity", "qty")]
    assert answer.body["warnings"][0]["detail"].startswith("4 of what is filled")


# Success and refusal


def test_the_answer_of_an_old_cancel_does_not_speak_of_the_leg_that_was_given_since(trader: Trader) -> None:
    cancel = f"command=CANCEL;order_id=STOP1;{OF_S}"
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}")
    trader.send_unanswered(cancel)
    trader.send(f"{R}order_id=a;qty=5;limit_price=5000;stop_loss=4980")
    assert told(trader.resend(cancel), "state") == (200, "already_cancelled", None)


def test_what_only_met_finished_orders_is_not_called_cancelled(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    fill = run_before(lambda: trader.fill("a", 1, "Filled"))
    trader.service.network.inject("UpdateItem", fill)
    answer = trader.send("command=CANCELORDERS;account=Sim101")
    assert told(answer, "already_terminal") == (200, "nothing_to_cancel", ["a"])


def test_a_kill_switch_that_is_on_does_not_turn_a_rate_limit_off(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a", "kill_switch=on")
    limit = "rate_limit=1/60;id=x"
    assert trader.send(f"command=CHANGE;order_id=a;qty=9;{limit}").word == "kill_switch_on"
    assert trader.send(f"command=CHANGE;order_id=a;qty=4;{limit}").word == "changed"
    assert trader.send(f"command=CHANGE;order_id=a;qty=3;{limit}").word == "rate_limited"


def test_what_waits_for_several_accounts_names_each(trader: Trader) -> None:
    answer = trader.send("command=CANCEL;account=A,B;order_id=zz;delay=2")
    assert answer.word == "scheduled"
    assert [(it["account"], it["status"], it["order_id"]) for it in answer.body["results"]] == [
        ("A", "scheduled", "zz.a"),
        ("B", "scheduled", "zz.b"),
    ]


def test_an_order_that_is_refused_without_a_reason_is_not_said_to_be_placed(trader: Trader) -> None:
    for text in (f"{P}qty=1;order_id=a", f"{P}qty=1;order_id=b;delay=2"):
        trader.service.network.inject("PutItem", refuse("ConditionalCheckFailedException"))
        assert trader.send(text).status == 503
        trader.service.network.inject("PutItem")
    assert trader.orders == {}


# Names, traces and legs, in longer sequences


def test_a_command_over_many_with_a_delay_ends_what_came_after_its_bar(trader: Trader) -> None:
    trader.send("command=CANCELORDERS;account=Sim101;delay=60")
    trader.wait(10)
    trader.send(f"{P}qty=1;order_id=d;delay=2")
    trader.wait(3)
    assert trader.open == {"d"}
    trader.wait(60)
    assert trader.open == set()


@pytest.mark.parametrize("text", ["command=CANCELORDERS;account=Sim101", f"command=CLOSESTRATEGY;{OF_S}"])
def test_a_leg_that_came_long_after_its_delayed_entry_is_not_of_that_bar(trader: Trader, text: str) -> None:
    trader.send(f"{P}qty=4;order_id=d;{OF_S}delay=2")
    trader.wait(2)
    trader.fill("d", 2)
    trader.service.let_pass(3600)
    trader.send(f"{R}order_id=d;qty=4;limit_price=5000;stop_loss=4990")
    trader.send(text)
    assert trader.open == set()


@pytest.mark.parametrize(
    "text",
    [f"{STOP}stop_price=4995", "CANCELREPLACE"],
    ids=["CHANGE", "CANCELREPLACE"],
)
def test_a_leg_without_a_price_works_as_soon_as_it_is_given_one(trader: Trader, text: str) -> None:
    trader.service.put_template("T", (2, 10, 10))
    market = "command=PLACE;account=Sim101;instrument=ES 12-26;action=BUY;order_type=MARKET;tif=GTC;"
    trader.send(f"{market}qty=2;order_id=m;{OF_S}strategy=T")
    trader.fill("m", 2, "Filled")
    assert trader.states["m.STOP1"] == "Initialized"
    if text == "CANCELREPLACE":
        text = (
            "command=CANCELREPLACE;order_id=STOP1;strategy_id=S;account=Sim101;instrument=ES 12-26;action=SELL;"
            "order_type=STOPMARKET;tif=GTC;qty=2;stop_price=4995"
        )
    assert told(trader.send(text), "state")[2] == "Working"
    assert trader.orders["m.STOP1"] == ("Working", 2, "4995")


def test_the_legs_of_a_market_entry_get_their_price_though_it_was_replaced(trader: Trader) -> None:
    trader.service.put_template("T", (2, 10, 10))
    market = "command=PLACE;account=Sim101;instrument=ES 12-26;action=BUY;order_type=MARKET;tif=GTC;"
    trader.send(f"{market}qty=2;order_id=m;{OF_S}strategy=T")
    trader.fill("m", 1)
    assert trader.send(f"{R}order_id=m;qty=2;limit_price=5000").word == "replaced"
    report = Report(OrderState.FILLED, 2, average=Decimal(5001))
    assert trader.service.services.reports.record(provenance(trader.service.trader, "filled"), "m", report).applied
    assert trader.orders["m.STOP1"] == ("Working", 2, "4991")


@pytest.mark.parametrize(
    ("text", "first"), [("command=CHANGE;limit_price=4000;", 409), ("command=CANCEL;", 200)], ids=["CHANGE", "CANCEL"]
)
def test_a_message_that_was_refused_does_nothing_when_it_comes_again(trader: Trader, text: str, first: int) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}", "command=CANCEL;order_id=a", f"{text}order_id=ENTRY1;{OF_S}delay=2")
    [message] = trader.service.queue.messages
    body = message.body
    trader.wait(2)
    [record] = [it for it in trader.service.alerts.newest(trader.service.trader) if it.origin == "delayed"]
    assert record.status == first
    trader.send(f"{P}qty=1;order_id=b;{OF_S}")
    assert deferred.handler({"Records": [{"messageId": "again", "body": body}]}, None) == {"batchItemFailures": []}
    assert trader.orders["b"] == ("Working", 1, "5000")


@pytest.mark.parametrize(
    "text",
    [f"{P}qty=1;order_id=d;delay=30", "command=CHANGE;order_id=d;qty=3", f"{R}qty=3;limit_price=5000;order_id=d"],
    ids=["PLACE", "CHANGE", "CANCELREPLACE"],
)
@pytest.mark.parametrize("lost", [1, 2])
def test_a_void_order_is_refused_though_the_answer_to_its_end_is_lost(trader: Trader, text: str, lost: int) -> None:
    trader.send(f"{P}qty=1;order_id=d;delay=30")
    trader.service.let_pass(31)
    trader.send("kill_switch=on", "kill_switch=off")
    ending = {"UpdateItem": [no_fault] * (not text.startswith("command=PLACE")) + [lose_response] * lost}
    for operation, faults in ending.items():
        trader.service.network.inject(operation, *faults)
    answer = trader.send(text)
    if lost == 2:
        assert answer.status == 503
        answer = trader.resend(text)
    assert told(answer, "state") in [
        (409, "duplicate_order_id", "Cancelled"),
        (409, "order_already_terminal", "Cancelled"),
    ]


def test_a_resend_leaves_a_stop_alone_that_an_order_without_strategy_was_given(trader: Trader) -> None:
    many = "command=CANCELORDERS;account=Sim101"
    trader.send(f"{P}qty=4;order_id=e")
    trader.fill("e", 2)
    trader.service.network.inject("Query", *[lose_request] * 3)
    assert trader.send(many).status == 503
    trader.service.network.inject("Query")
    trader.send(f"{R}order_id=e;qty=4;limit_price=5000;stop_loss=4990")
    trader.resend(many)
    assert "e.STOP1" in trader.open


# Several accounts


IN = "command=PLACE;action=BUY;order_type=LIMIT;limit_price=5000;tif=GTC;instrument=ES 12-26;qty=1;"
OF_BOTH = "account=A,B;"


@EACH_ONCE
@pytest.mark.parametrize("records", ["are kept", "are not kept"])
@pytest.mark.parametrize(
    ("before", "text", "between", "first", "opened"),
    [
        (
            (f"{IN}{OF_BOTH}order_id=x;{OF_S}", "command=CANCEL;order_id=x.a"),
            f"command=CANCEL;order_id=ENTRY1;{OF_S}",
            f"{IN}account=A;order_id=y;strategy_id=S.a",
            "already_cancelled",
            {"y"},
        ),
        (
            (f"{IN}account=B;order_id=x.b",),
            "command=CANCEL;order_id=x;",
            f"{IN}account=A;order_id=x.a",
            "order_not_found",
            {"x.a"},
        ),
        (
            (f"{IN}account=B;order_id=x.b;strategy_id=S.b",),
            f"command=CLOSESTRATEGY;{OF_S}",
            f"{IN}account=A;order_id=x.a;strategy_id=S.a",
            "strategy_not_found",
            {"x.a"},
        ),
        (
            (f"{IN}{OF_BOTH}order_id=x;{OF_S}{SL_TP}",),
            f"{STOP}limit_price=4000;",
            "command=CANCEL;order_id=x.a",
            "invalid_value",
            set(),
        ),
        (
            (f"{IN}account=C;order_id=c;strategy_id=S.a",),
            f"{IN}order_id=x;{OF_S}",
            "command=CANCEL;order_id=c",
            "strategy_mismatch",
            set(),
        ),
    ],
    ids=["CANCEL by name", "CANCEL by id", "CLOSESTRATEGY", "CHANGE", "PLACE"],
)
def test_a_resend_for_several_accounts_does_nothing_where_the_first_was_answered(
    trader: Trader, before: tuple[str, ...], text: str, between: str, first: str, opened: set[str], records: str
) -> None:
    if records == "are not kept":
        trader.service.record_nothing()
    trader.send(*before)
    text = f"{text}{OF_BOTH}"
    trader.service.network.always = in_requests_with(".b", lose_request)
    answer = trader.send(text)
    assert (answer.status, _in_a(answer)) == (503, first)
    trader.service.network.always = no_fault
    assert trader.send(between).status == 200
    trader.service.let_pass(4)
    assert _in_a(trader.resend(text)) == first
    assert {order_id for order_id in trader.open if ".b" not in order_id} == opened
    trader.service.let_pass(60)
    assert trader.send(text).status != 503


def _in_a(answer: Answer) -> str:
    in_a = answer.body["results"][0]
    word: str = in_a.get("error") or in_a["status"]
    return word


def test_the_same_text_for_several_accounts_is_a_new_alert_once_it_was_answered(trader: Trader) -> None:
    cancel = f"command=CANCEL;order_id=ENTRY1;{OF_S}{OF_BOTH}"
    trader.send(f"{IN}{OF_BOTH}order_id=x;{OF_S}", cancel)
    trader.send(f"{IN}{OF_BOTH}order_id=y;{OF_S}")
    assert trader.resend(cancel).word == "cancelled"
    assert trader.open == set()


# Orders that wait


@pytest.mark.parametrize(
    "voids", [("kill_switch=on",), ("kill_switch=on", "kill_switch=off"), ("command=CANCELALLORDERS",)]
)
def test_an_order_that_waits_and_is_void_is_listed_as_cancelled(trader: Trader, voids: tuple[str, ...]) -> None:
    trader.send(f"{P}qty=1;order_id=d;{OF_S}delay=30")
    assert trader.open == {"d"}
    trader.service.network.inject("Query", *[lose_request] * 3)  # CANCELALLORDERS voids it before it ends anything
    trader.send(*voids)
    trader.service.network.inject("Query")
    assert trader.states == {"d": "Cancelled"}
    now = timestamp(trader.service.queue.now)
    assert list(list_orders(trader.service.services, trader.service.trader, now, open_only=True)) == []
    shown = seen(trader.service, "d")
    assert (shown.state, shown.due) == ("Cancelled", None)
    assert str(shown.reason).startswith(("the kill switch", "CANCELALLORDERS"))
    answer = trader.send("command=CANCELORDERS;account=Sim101")
    assert told(answer, "waiting", "already_cancelled") == (200, "already_cancelled", None, ["d"])
    answer = trader.send(f"command=CLOSESTRATEGY;{OF_S}")
    assert told(answer, "waiting", "already_cancelled") == (200, "closed", None, ["d"])
    trader.wait(31)
    assert trader.states == {"d": "Cancelled"}


# Delays, rate limits, legs that ended, time limits


@pytest.mark.parametrize("command", ["command=CANCELORDERS;account=Sim101;", f"command=CLOSESTRATEGY;{OF_S}"])
def test_a_cancel_with_delay_ends_what_of_its_bar_is_placed_before_it(trader: Trader, command: str) -> None:
    trader.send(f"{P}qty=2;order_id=early;{OF_S}delay=2;stop_loss=4990", f"{P}qty=2;order_id=late;{OF_S}delay=60")
    trader.service.queue.passed -= timedelta(seconds=0.2)  # all of one moment
    trader.send(f"{command}delay=60")
    trader.wait(3)
    trader.wait(60)
    assert trader.states == {"early": "Cancelled", "early.STOP1": "Cancelled", "late": "Working"}


def test_a_key_makes_orders_larger_no_more_often_than_it_may_open_them(trader: Trader) -> None:
    key = trader.service.issue_key(max_orders_per_minute=2)
    trader.service.place("a", qty=1, key=key)
    assert trader.service.send("CHANGE", order_id="a", qty=10, key=key).word == "changed"
    assert trader.service.send("CHANGE", order_id="a", qty=1000, key=key).word == "rate_limited"
    assert trader.service.send("CHANGE", order_id="a", qty=5, key=key).word == "changed"
    assert trader.orders["a"][1] == 5
    trader.service.let_pass(61)
    assert trader.service.send("CHANGE", order_id="gone", qty=5, key=key).word == "order_not_found"
    for qty in (6, 7):
        assert trader.service.send("CHANGE", order_id="a", qty=qty, key=key).word == "changed"
    assert trader.service.send("CHANGE", order_id="a", qty=8, key=key).word == "rate_limited"


@EACH_ONCE
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("command=CHANGE;order_id=gone;limit_price=5", "order_not_found"),
        (f"{P}qty=2;order_id=a", "duplicate_order_id"),
        (f"{P}qty=2;order_id=a;delay=5", "duplicate_order_id"),
        (f"{P}qty=1;order_id=a", "already_placed"),
        (f"{P}qty=2;order_id=b;{OF_S}".replace("Sim101", "B"), "strategy_mismatch"),
    ],
)
@pytest.mark.parametrize("limit", ["rate_limit=1;id=x;", ""], ids=["of the alert", "of the key"])
def test_what_comes_to_nothing_counts_in_no_rate_limit(trader: Trader, text: str, word: str, limit: str) -> None:
    trader.send(f"{P}qty=1;order_id=a;", f"{P}qty=1;order_id=of-s;{OF_S}")
    trader.service.key = trader.service.issue_key(max_orders_per_minute=1)
    assert trader.send(f"{text};{limit}").word == word
    assert trader.send(f"{P}qty=1;order_id=real;{limit}").word == "placed"
    assert trader.send(f"{P}qty=1;order_id=more;{limit}").word == "rate_limited"


def test_a_resend_that_finds_its_order_placed_leaves_it_counted(trader: Trader) -> None:
    text = f"{P}qty=1;order_id=a;rate_limit=2;id=x"
    trader.send_unanswered(text, "PutItem")
    assert trader.resend(text).word == "already_placed"
    assert trader.send(f"{P}qty=1;order_id=b;rate_limit=2;id=x").word == "placed"
    assert trader.send(f"{P}qty=1;order_id=c;rate_limit=2;id=x").word == "rate_limited"


@pytest.mark.parametrize("end", ["Cancelled", "Filled"])
def test_a_released_stop_that_has_ended_is_not_said_to_work(trader: Trader, end: str) -> None:
    trader.send(f"{P}qty=2;order_id=a;{OF_S}stop_loss=4990")
    trader.fill("a", 1)
    if end == "Filled":
        trader.fill("a.STOP1", 1, "Filled")
    else:
        trader.send(f"command=CANCEL;order_id=STOP1;{OF_S}")
    answer = trader.send(f"{R}order_id=ENTRY1;{OF_S}qty=2;limit_price=5000;stop_loss=4985")
    assert told(answer, "field") == (400, "invalid_value", "stop_loss")
    assert f"a.STOP1 ended as {end} at" in answer.body["detail"]
    assert "PLACE a SELL with order_type=STOPMARKET" in answer.body["detail"]
    way_out = P.replace("BUY", "SELL").replace("LIMIT;limit_price=5000", "STOPMARKET;stop_price=4985")
    assert trader.send(f"{way_out}qty=1;{OF_S}").word == "placed"


@pytest.mark.parametrize("ended", [["STOP2", "TARGET2"], ["STOP2"]])
def test_a_bracket_whose_stop_was_ended_protects_nothing(trader: Trader, ended: list[str]) -> None:
    trader.service.put_template("two", (1, 10, 5), (2, 20, 8))
    trader.send(f"{P}qty=3;order_id=a;{OF_S}strategy=two")
    for name in ended:
        assert trader.send(f"command=CANCEL;order_id={name};{OF_S}").status == 200
    trader.send(f"command=CHANGE;order_id=ENTRY1;{OF_S}qty=1")
    answer = trader.send(f"command=CHANGE;order_id=ENTRY1;{OF_S}qty=3")
    assert warned(answer) == [("unprotected_quantity", "qty")]
    assert "leave 2 of qty" in answer.body["warnings"][0]["detail"]


def test_what_an_unlimited_key_makes_of_a_waiting_order_is_placed(trader: Trader) -> None:
    limited = trader.service.issue_key(max_qty=2)
    trader.service.place("a", qty=2, delay=5, key=limited)
    trader.service.place("b", qty=2, delay=5, key=limited)
    assert trader.send("command=CHANGE;order_id=a;qty=5").word == "changed"
    narrow(trader.service, limited, Limits(max_qty=1))
    trader.wait(6)
    assert (trader.states["a"], trader.states["b"]) == ("Working", "Cancelled")


def test_the_day_of_a_replacement_begins_when_its_delay_is_over(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    close = end_of_day(trader.service.queue.now)
    trader.service.let_pass((close - trader.service.queue.now).total_seconds() - 5)
    trader.send(f"{R}qty=1;limit_price=5001;order_id=a;delay=10".replace("GTC", "DAY"))
    trader.wait(11)
    assert trader.orders["a"] == ("Working", 1, "5001")
    trader.service.let_pass(24 * 3600)
    assert trader.states["a"] == "Expired"


def test_a_released_leg_that_cannot_be_a_day_order_says_so(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}")
    trader.fill("a", 1, "Filled")
    stop = "command=CANCELREPLACE;account=Sim101;instrument=ES 12-26;action=SELL;order_type=STOPMARKET;qty=1;"
    for price, tif, warnings in ((4991, "DAY", [("ignored_field", "tif")]), (4992, "GTC", [])):
        answer = trader.send(f"{stop}order_id=STOP1;{OF_S}stop_price={price};tif={tif}")
        assert (answer.word, warned(answer)) == ("replaced", warnings)


@pytest.mark.parametrize("legs", ["", "stop_loss=4980;"], ids=["alone", "with a new stop"])
def test_a_replacement_lifts_a_time_limit(trader: Trader, legs: str) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}stop_loss=4990;cancel_after=1")
    replacement = f"{R}qty=1;order_id=a;{legs}"
    assert "cancels_at" in trader.send(f"{replacement}limit_price=5000").body
    assert "cancels_at" not in trader.send(f"{replacement}limit_price=5000;cancel_after=0").body
    trader.wait(65)
    assert trader.states["a"] == "Working"


def test_an_order_whose_id_is_taken_as_a_strategy_is_told_a_way_to_its_stop(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a", f"{P}qty=1;order_id=z;strategy_id=a".replace("Sim101", "B"))
    answer = trader.send(f"{R}qty=1;limit_price=5000;order_id=a;stop_loss=4990")
    assert told(answer) == (409, "strategy_mismatch")
    assert "add a strategy_id" not in answer.body["detail"]
    assert "by a PLACE of its own" in answer.body["detail"]


def test_a_stop_limit_that_ends_at_what_is_filled_of_it_ends_whatever_its_prices(trader: Trader) -> None:
    trader.send(f"{P}qty=4;order_id=a;{OF_S}{SL_TP}".replace("stop_loss=", "stop_loss_limit="))
    trader.fill("a", 4, "Filled")
    trader.fill("a.STOP1", 3)
    answer = trader.send(f"{STOP}qty=3;stop_price=5010;limit_price=5020")
    assert told(answer, "state", "remaining") == (200, "changed", "Filled", "0")


def test_no_leg_works_at_a_price_that_is_not_above_zero(trader: Trader) -> None:
    trader.service.put_template("wide", (1, 10, 5))
    cheap = P.replace("5000", "3")
    for number, delay in enumerate((0, 5), 1):
        answer = trader.send(f"{cheap}qty=1;order_id=a{number};strategy_id=S{number};strategy=wide;delay={delay}")
        assert warned(answer) == [("leg_without_price", "strategy")]
        assert "STOP1" in answer.body["warnings"][0]["detail"]
    trader.fill("a1", 1, "Filled")
    assert trader.states["a1.STOP1"] == "Initialized"
    assert trader.orders["a1.TARGET1"] == ("Working", 1, "13")
    assert trader.send("command=CHANGE;order_id=STOP1;strategy_id=S1;stop_price=1").word == "changed"
    assert trader.orders["a1.STOP1"] == ("Working", 1, "1")


def test_a_replacement_names_the_legs_that_work_at_once(trader: Trader) -> None:
    trader.send(f"{P}qty=2;order_id=a;")
    trader.fill("a", 1)
    answer = trader.send(f"{R}qty=2;limit_price=5000;order_id=a;{SL_TP}")
    assert answer.body["legs"] == {"STOP1": "a.STOP1", "TARGET1": "a.TARGET1"}
    assert {"a.STOP1", "a.TARGET1"} <= trader.open


@pytest.mark.parametrize("delay", ["", "delay=1;"])
def test_a_limited_key_starts_no_strategy_that_an_order_elsewhere_waits_for(trader: Trader, delay: str) -> None:
    limited = trader.service.issue_key(instruments=("NQ 12-26",))
    trader.send(f"{P}qty=1;order_id=d;{OF_S}delay=30")
    text = f"{IN}account=Sim101;order_id=n;{OF_S}{delay}".replace("ES", "NQ")
    answer = trader.service.post(f"key={limited};\n{text}")
    if not delay:
        assert told(answer, "field") == (409, "strategy_mismatch", "strategy_id")
        assert "d" not in answer.body["detail"].split()
    trader.wait(1)
    trader.wait(30)
    assert trader.open == {"d"}


def test_a_limited_key_joins_what_it_has_open_though_an_order_elsewhere_waits(trader: Trader) -> None:
    limited = trader.service.issue_key(instruments=("NQ 12-26",))
    text = f"key={limited};\n{IN}account=Sim101;{OF_S}".replace("ES", "NQ")
    assert trader.service.post(f"{text}order_id=n").word == "placed"
    trader.send(f"{P}qty=1;order_id=d;{OF_S}delay=30")
    assert trader.service.post(f"{text}order_id=m").word == "placed"


@pytest.mark.parametrize(
    "text", ["command=CHANGE;qty=5;", f"{R}qty=5;limit_price=5000;"], ids=["CHANGE", "CANCELREPLACE"]
)
def test_a_waiting_order_says_what_its_template_will_leave_without_a_leg(trader: Trader, text: str) -> None:
    trader.service.put_template("T", (2, 10, 10))
    trader.send(f"{P}qty=2;order_id=d;{OF_S}strategy=T;delay=30")
    answer = trader.send(f"{text}order_id=d")
    assert warned(answer) == [("unprotected_quantity", "qty")]
    assert answer.body["warnings"][0]["detail"].endswith("leave 3 of qty without a leg.")
    assert warned(trader.send(f"{text}order_id=d".replace("qty=5", "qty=2"))) == []


@EACH_ONCE
@pytest.mark.parametrize("name", ["STOP2", "TARGET2"])
@pytest.mark.parametrize("by_name", [True, False], ids=["by name", "by id"])
def test_a_leg_that_the_quantity_does_not_reach_is_not_there(trader: Trader, name: str, *, by_name: bool) -> None:
    trader.service.put_template("T", (1, 10, 10), (1, 20, 20))
    trader.send(f"{P}qty=1;order_id=a;{OF_S}strategy=T")
    price = "stop_price=4980" if name == "STOP2" else "limit_price=5020"
    address = f"order_id={name};{OF_S}" if by_name else f"order_id=a.{name};"
    assert told(trader.send(f"command=CHANGE;{address}{price}")) == (404, "order_not_found")
    assert told(trader.send(f"command=CANCEL;{address}")) == (404, "order_not_found")
    now = timestamp(trader.service.queue.now)
    assert find_order(trader.service.services, trader.service.trader, f"a.{name}", now) is None
    trader.send("command=CHANGE;order_id=a;qty=2")
    assert told(trader.send(f"command=CANCEL;{address}")) == (200, "cancelled")
    trader.send("command=CHANGE;order_id=a;qty=1")
    assert told(trader.send(f"command=CANCEL;{address}notes=again")) == (200, "already_cancelled")


@pytest.mark.parametrize(
    ("first", "added"), [("stop_loss=4990", "take_profit=5010"), ("take_profit=5010", "stop_loss=4990")]
)
def test_a_leg_that_is_added_after_the_release_stands_in_the_group_of_its_partner(
    trader: Trader, first: str, added: str
) -> None:
    trader.send(f"{P}qty=4;order_id=a;{OF_S}{first}")
    trader.fill("a", 2)
    trader.send(f"{R}order_id=a;qty=4;limit_price=5000;{added}")
    groups = {seen(trader.service, f"a.{name}").oco_id for name in ("STOP1", "TARGET1")}
    assert len(groups) == 1
    assert None not in groups


# A name that an order which waits for its delay takes next

CANCEL_NAME = f"command=CANCEL;order_id=ENTRY1;{OF_S}"


@pytest.fixture(params=[False, True], ids=["without a venue", "with a venue"])
def trader_anywhere(service: Service, request: pytest.FixtureRequest) -> Trader:
    """A trader whose orders go to the table, or to a venue whose bridge is there."""
    if request.param:
        service.use_venue()
    return Trader(service)


@pytest.mark.parametrize("name", ["ENTRY1", "STOP1", "TARGET1"])
def test_a_name_that_a_waiting_order_takes_next_is_not_said_to_be_cancelled(trader_anywhere: Trader, name: str) -> None:
    trader = trader_anywhere
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", "command=CANCEL;order_id=a")
    if trader.service.venue.name:
        trader.service.report("Cancelled", order_id="a")
    trader.send(f"{P}qty=1;order_id=d;{OF_S}{SL_TP}delay=30")
    trader.service.let_pass(4)
    answer = trader.send(f"command=CANCEL;order_id={name};{OF_S}")
    assert told(answer, "field") == (404, "order_not_found", "order_id")
    assert "d waits for its delay" in answer.body["detail"]
    assert trader.open == {"d"}
    assert trader.send("command=CANCEL;order_id=d").word == "cancelled"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (f"{P}qty=1;order_id=d;{OF_S}stop_loss=4990;delay=30", "TARGET1"),
        (f"{P}qty=1;order_id=d;strategy_id=T;{SL_TP}delay=30", "ENTRY1"),
    ],
    ids=["no such leg", "another strategy"],
)
def test_a_name_that_a_waiting_order_does_not_take_is_cancelled_already(trader: Trader, sent: str, name: str) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", CANCEL_NAME, sent)
    trader.service.let_pass(4)
    assert trader.send(f"command=CANCEL;order_id={name};{OF_S}notes=again").word == "already_cancelled"


def test_of_one_bar_a_cancel_by_name_leaves_the_order_that_is_to_be_placed_after_it(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}", CANCEL_NAME, f"{P}qty=1;order_id=d;{OF_S}delay=2")
    assert trader.send(f"{CANCEL_NAME}notes=again").word == "already_cancelled"


def test_a_waiting_order_takes_the_smallest_free_number(trader: Trader) -> None:
    trader.send(*(f"{P}qty=1;order_id={order_id};{OF_S}" for order_id in ("a", "b")))
    trader.send("command=CANCEL;order_id=b", f"{P}qty=1;order_id=d;{OF_S}delay=60")
    trader.service.let_pass(4)
    assert trader.send(f"command=CANCEL;order_id=ENTRY2;{OF_S}").word == "order_not_found"
    trader.send("command=CANCEL;order_id=a")
    assert trader.send(f"command=CANCEL;order_id=ENTRY2;{OF_S}notes=again").word == "already_cancelled"
    trader.send(f"{P}qty=1;order_id=e;{OF_S}delay=60")
    trader.service.let_pass(4)
    assert trader.send(f"command=CANCEL;order_id=ENTRY2;{OF_S}notes=third").word == "order_not_found"


def test_a_waiting_order_may_take_any_free_number_for_the_brackets_of_its_template(trader: Trader) -> None:
    trader.service.put_template("T", (1, 10, 10), (1, 20, 20))
    trader.send(f"{P}qty=2;order_id=a;{OF_S}strategy=T", "command=CANCEL;order_id=a")
    trader.send(f"{P}qty=2;order_id=d;{OF_S}strategy=T;delay=60")
    trader.service.let_pass(4)
    assert trader.send(f"command=CANCEL;order_id=STOP2;{OF_S}").word == "order_not_found"


def test_a_resent_cancel_by_name_is_done_though_an_order_waits_for_the_name(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}", f"{P}qty=1;order_id=d;{OF_S}delay=60")
    trader.service.let_pass(4)
    trader.send_unanswered(CANCEL_NAME)
    assert trader.resend(CANCEL_NAME).word == "already_cancelled"


def test_a_waiting_order_that_the_kill_switch_has_voided_takes_no_name(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}", CANCEL_NAME, f"{P}qty=1;order_id=d;{OF_S}delay=60")
    trader.service.let_pass(4)
    trader.send("kill_switch=on", "kill_switch=off")
    assert trader.send(f"{CANCEL_NAME}notes=again").word == "already_cancelled"


@pytest.mark.parametrize(
    "text",
    ["command=CANCEL;", "command=CHANGE;limit_price=5001;", f"{R}qty=1;limit_price=5001;"],
    ids=["CANCEL", "CHANGE", "CANCELREPLACE"],
)
@pytest.mark.parametrize(
    ("ended", "answer"),
    [
        ("Filled", (409, "order_already_terminal", "Filled")),
        ("Expired", (409, "order_already_terminal", "Expired")),
        (None, (404, "order_not_found", None)),
    ],
)
def test_a_refused_name_tells_which_order_waits_to_take_it(
    trader: Trader, text: str, ended: str | None, answer: tuple[int, str, str | None]
) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}")
    if ended:
        trader.service.report(ended, 1 if ended == "Filled" else 0, order_id="a")
    name = "ENTRY1" if ended else "ENTRY2"
    trader.send(f"{P}qty=1;order_id=d;{OF_S}delay=60")
    told_of = trader.send(f"{text}order_id={name};{OF_S}")
    assert told(told_of, "state") == answer
    assert "d waits for its delay; address it by that id." in told_of.body["detail"]
    assert f"Order linked to '{name}' not found or already terminal." in told_of.body["detail"]


@pytest.mark.parametrize(
    "text", ["command=CHANGE;limit_price=5001;", f"{R}qty=1;limit_price=5001;"], ids=["CHANGE", "CANCELREPLACE"]
)
def test_a_change_by_the_name_of_a_cancelled_order_tells_which_waits_to_take_it(trader: Trader, text: str) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}", CANCEL_NAME, f"{P}qty=1;order_id=d;{OF_S}delay=60")
    answer = trader.send(f"{text}order_id=ENTRY1;{OF_S}")
    assert told(answer, "state") == (409, "order_already_terminal", "Cancelled")
    assert "d waits for its delay" in answer.body["detail"]


# A name that another order has taken before a late fill


@pytest.fixture
def late(trader_anywhere: Trader) -> Trader:
    """A trader whose cancelled entry `a` is filled after `b`, which has no stop, has taken its name."""
    trader = trader_anywhere
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", "command=CANCEL;order_id=a")
    if trader.service.venue.name:
        trader.service.report("Cancelled", order_id="a")
    assert trader.send(f"{P}qty=1;order_id=b;{OF_S}take_profit=5010").body["order_name"] == "ENTRY1"
    trader.fill("a", 1, "Filled")
    return trader


def test_a_leg_that_a_late_fill_has_work_is_reached_by_its_name(late: Trader) -> None:
    word = late.service.venue.word("changed")
    answer = late.send(f"{STOP}stop_price=4985")
    assert told(answer, "order_id") == (200, word, "a.STOP1")
    replacement = "action=SELL;order_type=STOPMARKET;tif=GTC;account=Sim101;instrument=ES 12-26;qty=1;stop_price=4980;"
    answer = late.send(f"command=CANCELREPLACE;order_id=STOP1;{OF_S}{replacement}")
    assert told(answer, "order_id") == (200, late.service.venue.word("replaced"), "a.STOP1")
    answer = late.send(f"command=CANCEL;order_id=STOP1;{OF_S}")
    assert told(answer, "order_id") == (200, late.service.venue.word("cancelled"), "a.STOP1")


def test_a_name_reaches_the_leg_that_works_on_once_the_order_that_took_it_is_finished(late: Trader) -> None:
    service, cancel = late.service, f"command=CANCEL;order_id=TARGET1;{OF_S}"
    late.send("command=CANCEL;order_id=b")
    if service.venue.name:
        service.report("Cancelled", order_id="b")
    assert told(late.send(cancel), "order_id") == (200, service.venue.word("cancelled"), "a.TARGET1")
    again = late.send(f"{cancel}notes=again")
    pending = (200, "cancel_pending", "a.TARGET1")
    assert told(again, "order_id") == (pending if service.venue.name else (200, "already_cancelled", "b.TARGET1"))


def test_of_two_legs_of_one_name_a_cancel_reaches_one_after_the_other(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", "command=CANCEL;order_id=a", f"{P}qty=1;order_id=b;{OF_S}{SL_TP}")
    trader.fill("a", 1, "Filled")
    answers = [trader.send(f"command=CANCEL;order_id=STOP1;{OF_S}notes={number}") for number in range(3)]
    assert [told(answer, "order_id")[1:] for answer in answers] == [
        ("cancelled", "b.STOP1"),
        ("cancelled", "a.STOP1"),
        ("already_cancelled", "b.STOP1"),
    ]


def test_a_resent_cancel_by_name_leaves_the_leg_that_a_late_fill_has_work(trader: Trader) -> None:
    cancel = f"command=CANCEL;order_id=STOP1;{OF_S}"
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", "command=CANCEL;order_id=a", f"{P}qty=1;order_id=b;{OF_S}{SL_TP}")
    trader.send_unanswered(cancel)
    trader.fill("a", 1, "Filled")
    assert told(trader.resend(cancel), "order_id") == (200, "already_cancelled", "b.STOP1")
    assert "a.STOP1" in trader.open


# The same alert by a name that several trades have borne

BEARERS = (f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", f"{P}qty=1;order_id=b;{OF_S}{SL_TP}", f"{P}qty=1;order_id=c;{OF_S}")
TO_STOP = "action=SELL;order_type=STOPMARKET;tif=GTC;account=Sim101;instrument=ES 12-26;qty=1;"
by_stop = pytest.mark.parametrize(
    "text",
    [
        f"command=CANCEL;order_id=STOP1;{OF_S}",
        f"{STOP}stop_price=4985;",
        f"command=CANCELREPLACE;order_id=STOP1;{OF_S}{TO_STOP}stop_price=4985;",
    ],
    ids=["CANCEL", "CHANGE", "CANCELREPLACE"],
)


def writes_of(order_id: str) -> Selective:
    """Have the answers to the writes of an order be lost: what is asked of it is done."""
    return _in_writes_of(order_id, lose_response)


def _in_writes_of(order_id: str, fault: Fault) -> Selective:
    meets = in_writes(fault).meets
    return Selective(fault, lambda request: meets(request) and f'"ORDER#{order_id}"' in str(request.body))


def untouched(trader: Trader, *order_ids: str) -> bool:
    return all(trader.orders[order_id] == ("Working", 1, "4990") for order_id in order_ids)


@pytest.fixture
def two_stops(trader: Trader) -> Trader:
    """A trader with two cancelled trades that were filled late: STOP1 is bound to `c`, which has no stop."""
    for text in BEARERS:
        trader.send("command=CANCELORDERS;account=Sim101", text)
    trader.service.let_pass(40)
    for order_id in ("a", "b"):
        trader.fill(order_id, 1, "Filled")
    assert untouched(trader, "a.STOP1", "b.STOP1")
    return trader


def unanswered(trader: Trader, text: str, fault: Selective) -> None:
    trader.service.network.always = fault
    assert trader.send(text).status == 503
    trader.service.network.always = no_fault


@EACH_ONCE
@by_stop
@pytest.mark.parametrize("deliveries", [2, 3])
def test_a_resend_by_name_leaves_the_other_trade_that_bears_the_name(
    two_stops: Trader, text: str, deliveries: int
) -> None:
    trader = two_stops
    unanswered(trader, text, writes_of("a.STOP1"))
    if "=CANCEL;" not in text:
        assert trader.orders["a.STOP1"] == ("Working", 1, "4985")
        trader.send("command=CANCEL;order_id=a.STOP1")
    for _ in range(deliveries - 2):
        trader.service.let_pass(5)
        unanswered(trader, text, in_requests_with("a.STOP1", lose_request))
    assert told(trader.resend(text), "order_id") == (200, _word_of_resend(text), "a.STOP1")
    assert untouched(trader, "b.STOP1")
    trader.service.let_pass(60)
    assert told(trader.send(text), "order_id")[2] == "b.STOP1"


def _word_of_resend(text: str) -> str:
    words = {"CANCEL": "already_cancelled", "CHANGE": "changed", "CANCELREPLACE": "replaced"}
    return words[text.partition(";")[0].removeprefix("command=")]


@EACH_ONCE
@by_stop
@pytest.mark.parametrize("kill_switch", ["off", "on"])
def test_a_resend_by_name_leaves_the_trade_that_has_taken_the_name_since(
    two_stops: Trader, text: str, kill_switch: str
) -> None:
    trader = two_stops
    unanswered(trader, text, writes_of("a.STOP1"))
    trader.send("command=CANCEL;order_id=c", f"{P}qty=1;order_id=d;{OF_S}stop_loss=4990", f"kill_switch={kill_switch}")
    assert told(trader.resend(text), "order_id") == (200, _word_of_resend(text), "a.STOP1")
    assert trader.orders["d.STOP1"] == ("Initialized", 1, "4990")
    assert untouched(trader, "b.STOP1")


def test_a_resent_cancel_by_name_leaves_the_stop_that_has_come_to_work_since(trader: Trader) -> None:
    cancel = f"command=CANCEL;order_id=STOP1;{OF_S}"
    for text in BEARERS[:2]:
        trader.send(text, "command=CANCELORDERS;account=Sim101")
    trader.service.let_pass(40)
    trader.fill("a", 1, "Filled")
    unanswered(trader, cancel, writes_of("a.STOP1"))
    trader.fill("b", 1, "Filled")
    assert told(trader.resend(cancel), "order_id") == (200, "already_cancelled", "a.STOP1")
    assert untouched(trader, "b.STOP1")


@EACH_ONCE
@by_stop
@pytest.mark.parametrize("ended", [False, True], ids=["works on", "has filled"])
def test_a_resend_by_name_means_the_trade_that_the_first_had_found_but_not_written(
    two_stops: Trader, text: str, *, ended: bool
) -> None:
    trader = two_stops
    unanswered(trader, text, _in_writes_of("a.STOP1", lose_request))
    assert untouched(trader, "a.STOP1")
    if ended:
        trader.fill("a.STOP1", 1, "Filled")
    answer = trader.resend(text)
    assert answer.status == (409 if ended else 200)
    assert ended or answer.body["order_id"] == "a.STOP1"
    assert untouched(trader, "b.STOP1")


@pytest.mark.parametrize(
    ("end", "word", "order_id"),
    [("fill", "order_already_terminal", None), ("cancel", "already_cancelled", "a.STOP1")],
)
def test_a_resent_cancel_by_name_means_what_the_first_had_found_whatever_ended_it(
    two_stops: Trader, end: str, word: str, order_id: str | None
) -> None:
    trader = two_stops
    cancel = f"command=CANCEL;order_id=STOP1;{OF_S}"
    unanswered(trader, cancel, _in_writes_of("a.STOP1", lose_request))
    if end == "fill":
        trader.fill("a.STOP1", 1, "Filled")
    else:
        trader.send("command=CANCEL;order_id=a.STOP1")
    assert told(trader.resend(cancel), "order_id")[1:] == (word, order_id)
    assert untouched(trader, "b.STOP1")


@pytest.fixture
def overtaken(service: Service) -> Trader:
    """A trader whose CANCEL of ENTRY1 had no answer, and was overtaken by a fill of `a` at the venue."""
    service.use_venue()
    trader = Trader(service)
    trader.send(f"{P}qty=1;order_id=a;{OF_S}")
    trader.send_unanswered(CANCEL_NAME)
    trader.fill("a", 1, "Filled")
    return trader


@pytest.mark.parametrize("follows", [True, False], ids=["another has its name", "it has its name"])
def test_a_resent_cancel_of_what_a_fill_has_overtaken_says_so(overtaken: Trader, *, follows: bool) -> None:
    if follows:
        overtaken.send(f"{P}qty=1;order_id=b;{OF_S}")
    answer = overtaken.resend(CANCEL_NAME)
    assert told(answer, "state") == (409, "order_already_terminal", "Filled")
    assert "Order 'ENTRY1' ended as Filled" in answer.body["detail"]
    assert overtaken.open == ({"b"} if follows else set())


def test_a_resent_cancel_of_what_a_fill_has_overtaken_says_so_with_the_switch_on(overtaken: Trader) -> None:
    service = overtaken.service
    service.set_strict_kill_switch(strict=True)
    overtaken.send("kill_switch=on")
    service.remember_keys(30)
    assert told(overtaken.resend(CANCEL_NAME), "state") == (409, "order_already_terminal", "Filled")


def test_a_cancel_that_is_delivered_again_leaves_the_next_order_of_the_name(service: Service) -> None:
    service.use_venue()
    trader, cancel = Trader(service), Cancel(order_id="ENTRY1", strategy_id="S")
    trader.send(f"{P}qty=1;order_id=a;{OF_S}")
    service.run(cancel, "r1")
    trader.fill("a", 1, "Filled")
    trader.send(f"{P}qty=1;order_id=b;{OF_S}")
    assert service.run(cancel, "r1").order_id == "a"
    assert trader.open == {"b"}


@pytest.mark.parametrize(("end", "word"), [("Filled", "order_already_terminal"), ("Cancelled", "already_cancelled")])
def test_a_resent_cancel_of_a_stop_that_has_ended_leaves_the_others_of_its_name(
    service: Service, end: str, word: str
) -> None:
    service.use_venue()
    trader, cancel = Trader(service), f"command=CANCEL;order_id=STOP1;{OF_S}"
    trader.send(BEARERS[0], "command=CANCEL;order_id=a")
    service.report("Cancelled", order_id="a")
    trader.send(BEARERS[1])
    for order_id in ("b", "a"):
        trader.fill(order_id, 1, "Filled")
    unanswered(trader, cancel, writes_of("b.STOP1"))
    service.report(end, int(end == "Filled"), order_id="b.STOP1")
    service.report("Cancelled", order_id="b.TARGET1")
    assert trader.send(f"{P}qty=1;order_id=c;{OF_S}{SL_TP}").body["order_name"] == "ENTRY1"
    assert trader.resend(cancel).word == word
    assert {"a.STOP1", "c.STOP1"} <= trader.open
    assert trader.states["a.STOP1"] != "CancelPending"


def test_a_resent_cancel_warns_of_what_has_no_stop_though_the_switch_stops_it(long: Trader) -> None:
    cancel = "command=CANCEL;order_id=a.STOP1;"
    unanswered(long, cancel, writes_of("a.STOP1"))
    long.service.set_strict_kill_switch(strict=True)
    long.send("kill_switch=on")
    long.service.remember_keys(30)
    answer = long.resend(cancel)
    assert answer.word == "already_cancelled"
    assert [it["code"] for it in answer.body["warnings"]] == ["unprotected_quantity"]


@by_stop
def test_a_message_that_comes_again_leaves_the_other_trade_that_bears_the_name(two_stops: Trader, text: str) -> None:
    trader = two_stops
    trader.send(f"{text}delay=1")
    trader.service.network.always = writes_of("a.STOP1")
    trader.wait(1)
    trader.service.network.always = no_fault
    trader.send("command=CANCEL;order_id=a.STOP1")
    trader.wait(40)
    [record] = [it for it in trader.service.alerts.newest(trader.service.trader) if it.origin == "delayed"]
    assert (record.status, record.order_ids) == (200, ("a.STOP1",))
    assert untouched(trader, "b.STOP1")


@by_stop
def test_two_messages_of_one_alert_reach_one_of_the_trades_that_bear_the_name(two_stops: Trader, text: str) -> None:
    trader = two_stops
    trader.send_unanswered(f"{text}delay=1", "SendMessage")
    trader.wait(1)
    trader.send("command=CANCEL;order_id=a.STOP1")
    assert trader.resend(f"{text}delay=1").word == "scheduled"
    trader.wait(1)
    assert untouched(trader, "b.STOP1")


@by_stop
def test_a_resend_for_several_accounts_leaves_the_other_trade_that_bears_the_name(trader: Trader, text: str) -> None:
    both = "account=A,B;"
    text = text.replace("account=Sim101;", "") + both
    for placing in BEARERS:
        trader.send(f"command=CANCELORDERS;{both}", placing.replace("account=Sim101;", both))
    trader.service.let_pass(40)
    for order_id in ("a.a", "b.a", "a.b", "b.b"):
        trader.fill(order_id, 1, "Filled")
    unanswered(trader, text, in_requests_with("a.b", lose_request))
    trader.send("command=CANCEL;order_id=a.a.STOP1")
    answer = trader.resend(text)
    assert [it["order_id"] for it in answer.body["results"]] == ["a.a.STOP1", "a.b.STOP1"]
    assert untouched(trader, "b.a.STOP1", "b.b.STOP1")


def named_in(trader: Trader) -> list[str | None]:
    strategy = trader.service.services.strategies.get(trader.service.trader, "S")
    assert strategy is not None
    return [trace.order_id for trace in strategy.named]


def test_a_strategy_keeps_what_its_names_led_to_for_minutes_and_no_more_than_fifty(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}")
    service = trader.service
    signed = provenance(service.trader, "r")
    for number in range(52):
        signed = signed._replace(request_id=f"r{number}", at=signed.at + timedelta(seconds=1))
        service.services.strategies.note_named(signed, "S", f"o{number}")
    assert named_in(trader) == [f"o{number}" for number in range(2, 52)]
    service.services.strategies.note_named(signed, "S", "again")
    assert named_in(trader) == [*(f"o{number}" for number in range(2, 51)), "again"]
    later = signed._replace(request_id="later", at=signed.at + timedelta(minutes=10))
    service.services.strategies.note_named(later, "S", "o")
    assert named_in(trader) == ["again", "o"]
    service.services.strategies.note_named(later, "gone", "o")
    assert service.strategy("gone") is None


def test_what_a_name_leads_to_is_noted_though_others_change_the_strategy(two_stops: Trader) -> None:
    trader = two_stops
    close = run_before(lambda: trader.service.close_strategy("S"))
    trader.service.network.inject("UpdateItem", no_fault, no_fault, close)
    assert told(trader.send(f"command=CANCEL;order_id=STOP1;{OF_S}"), "order_id") == (200, "cancelled", "a.STOP1")
    assert named_in(trader) == ["a.STOP1"]


def test_a_limited_key_resends_to_its_order_though_the_strategy_is_elsewhere_now(two_stops: Trader) -> None:
    trader, cancel = two_stops, f"command=CANCEL;order_id=STOP1;{OF_S}"
    trader.send("command=CANCEL;order_id=c", f"{IN}account=Sim101;order_id=n;{OF_S}".replace("ES", "NQ"))
    trader.service.key = trader.service.issue_key(instruments=("ES 12-26",))
    unanswered(trader, cancel, writes_of("a.STOP1"))
    assert told(trader.resend(cancel), "order_id") == (200, "already_cancelled", "a.STOP1")
    assert untouched(trader, "b.STOP1")


# A delayed alert that is delivered again, where nothing of it or a part was written


def delayed_records(trader: Trader) -> list[tuple[int, tuple[str, ...]]]:
    records = trader.service.alerts.newest(trader.service.trader)
    return [(it.status, it.order_ids) for it in records if it.origin == "delayed"]


by_entry = pytest.mark.parametrize(
    "text",
    ["command=CANCEL;", "command=CHANGE;qty=9;", f"{R}qty=9;limit_price=5050;"],
    ids=["CANCEL", "CHANGE", "CANCELREPLACE"],
)


def fail_once(trader: Trader, fault: Selective, seconds: float = 1) -> None:
    """Have the delay be over, and what is done then meet the fault; SQS delivers it again 36 s later."""
    trader.service.network.always = fault
    trader.wait(seconds)
    trader.service.network.always = no_fault
    assert delayed_records(trader) == []


@EACH_ONCE
@by_entry
@pytest.mark.parametrize("address", ["order_id=ENTRY1;strategy_id=S;", "order_id=d2;"], ids=["by name", "by id"])
def test_a_delayed_alert_that_nothing_was_written_of_does_not_touch_a_later_order(
    trader: Trader, text: str, address: str
) -> None:
    trader.send(f"{P}qty=1;order_id=d1;{OF_S}", f"{text}{address}delay=1")
    fail_once(trader, in_requests_with("TRADER", lose_request))
    trader.send("command=CANCEL;order_id=d1", f"{P}qty=1;order_id=d2;{OF_S}")
    trader.wait(40)
    assert trader.orders["d2"] == ("Working", 1, "5000")
    [(status, _)] = delayed_records(trader)
    assert status == (200 if "ENTRY1" in address and "=CANCEL;" in text else 409 if "ENTRY1" in address else 404)


@EACH_ONCE
@by_entry
@pytest.mark.parametrize("of", ["order_id=ENTRY1;strategy_id=S;", "order_id=y;"], ids=["by name", "by id"])
def test_a_delayed_list_that_comes_again_does_not_touch_a_later_order(trader: Trader, text: str, of: str) -> None:
    both = "account=A,B;"
    text = text.replace("account=Sim101;", "") + of + both
    trader.send(f"{P}qty=1;order_id=x.a;strategy_id=S.a".replace("Sim101", "A"), "command=CANCEL;order_id=x.a")
    trader.send(f"{P}qty=1;order_id=y.b;strategy_id=S.b".replace("Sim101", "B"), f"{text}delay=1")
    fail_once(trader, in_requests_with(".b", lose_request))
    trader.send(f"{P}qty=1;order_id=y.a;strategy_id=S.a".replace("Sim101", "A"))
    trader.wait(40)
    assert trader.orders["y.a"] == ("Working", 1, "5000")
    assert trader.orders["y.b"] == (
        ("Cancelled", 1, "5000") if "=CANCEL;" in text else ("Working", 9, "5050" if "5050" in text else "5000")
    )


@by_stop
def test_a_delayed_alert_that_comes_again_leaves_a_stop_that_was_given_since(trader: Trader, text: str) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", f"{text}delay=1")
    fail_once(trader, in_writes(lose_request))
    trader.send("command=CANCEL;order_id=a.STOP1", f"{R}order_id=a;qty=1;limit_price=5000;stop_loss=4980")
    trader.wait(40)
    assert trader.orders["a.STOP1"] == ("Initialized", 1, "4980")
    assert delayed_records(trader) == [(404, ())]


@by_stop
def test_a_delayed_alert_that_comes_again_leaves_a_stop_that_has_come_to_work_since(trader: Trader, text: str) -> None:
    trader.send(*BEARERS[:1], "command=CANCEL;order_id=a", f"{P}qty=1;order_id=b;{OF_S}", f"{text}delay=1")
    fail_once(trader, in_requests_with("TRADER", lose_request))
    late = provenance(trader.service.trader, "late")._replace(at=trader.service.queue.now)
    assert trader.service.services.reports.record(late, "a", Report(OrderState.FILLED, 1)).applied
    trader.wait(40)
    assert untouched(trader, "a.STOP1")


def test_a_delayed_alert_that_comes_again_reaches_the_stop_that_it_meant(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;{OF_S}{SL_TP}", f"command=CANCEL;order_id=STOP1;{OF_S}delay=1")
    fail_once(trader, in_writes(lose_request))
    trader.fill("a", 1, "Filled")
    trader.wait(40)
    assert trader.states["a.STOP1"] == "Cancelled"


@EACH_ONCE
@pytest.mark.parametrize("part", [False, True], ids=["nothing", "a part"])
@pytest.mark.parametrize(
    "text",
    ["command=CANCELORDERS;account=A,B;", f"command=CLOSESTRATEGY;account=A,B;{OF_S}", "command=CANCELALLORDERS;"],
    ids=["CANCELORDERS", "CLOSESTRATEGY", "CANCELALLORDERS"],
)
def test_a_delayed_command_over_many_that_comes_again_leaves_what_came_in_since(
    trader: Trader, text: str, *, part: bool
) -> None:
    for account in ("A", "B"):
        entry = f"{P}qty=1;order_id=x.{account.lower()};strategy_id=S.{account.lower()};stop_loss=4990"
        trader.send(entry.replace("Sim101", account))
    trader.send(f"{text}delay=5")
    fail_once(trader, in_requests_with(".b", lose_request) if part else in_writes(lose_request), 5)
    for account in ("A", "B"):
        trader.send(f"{P}qty=1;order_id=y.{account.lower()};strategy_id=S.{account.lower()}".replace("Sim101", account))
    trader.send(f"{R}order_id=x.b;qty=1;limit_price=5000;take_profit=5010".replace("Sim101", "B"))
    trader.wait(40)
    assert trader.open == {"y.a", "y.b"}
    [(status, _)] = delayed_records(trader)
    assert status == 200


@pytest.mark.parametrize(
    ("text", "newer"),
    [
        ("command=CHANGE;order_id=a;limit_price=4000;", "command=CHANGE;order_id=a;limit_price=4500"),
        (f"{R}qty=1;order_id=a;limit_price=4000;", f"{R}qty=1;order_id=a;limit_price=4500"),
    ],
    ids=["CHANGE", "CANCELREPLACE"],
)
def test_a_message_after_that_of_its_resend_does_not_undo_what_came_since(
    trader: Trader, text: str, newer: str
) -> None:
    trader.send(f"{P}qty=1;order_id=a")
    trader.send_unanswered(f"{text}delay=1", "SendMessage")
    fail_once(trader, in_writes(lose_request))
    assert trader.resend(f"{text}delay=1").word == "scheduled"
    trader.wait(1)
    assert trader.orders["a"] == ("Working", 1, "4000")
    trader.send(newer)
    trader.wait(40)
    assert trader.orders["a"] == ("Working", 1, "4500")
    assert delayed_records(trader) == [(200, ("a",))] * 2


@by_stop
def test_a_message_after_that_of_its_resend_leaves_the_other_trade_of_the_name(two_stops: Trader, text: str) -> None:
    trader = two_stops
    trader.send_unanswered(f"{text}delay=1", "SendMessage")
    fail_once(trader, in_writes(lose_request))
    trader.resend(f"{text}delay=1")
    trader.wait(1)
    trader.send("command=CANCEL;order_id=a.STOP1")
    trader.wait(40)
    assert untouched(trader, "b.STOP1")
    assert delayed_records(trader) == [(200, ("a.STOP1",))] * 2


@pytest.mark.parametrize("name", ["ENTRY1", "STOP1"])
def test_a_cancel_with_a_longer_delay_ends_what_comes_before_it_in_a_late_queue(trader: Trader, name: str) -> None:
    trader.send(f"{P}qty=1;order_id=d;{OF_S}{SL_TP}delay=2", f"command=CANCEL;order_id={name};{OF_S}delay=3")
    trader.wait(12)
    assert trader.states["d" if name == "ENTRY1" else "d.STOP1"] == "Cancelled"


def test_of_forty_names_that_are_free_a_resend_finds_its_own(trader: Trader) -> None:
    trader.service.put_template("T", *[(1, 10, 10)] * 20)
    entry = f"{P}qty=20;{OF_S}strategy=T;"
    trader.send(f"{entry}order_id=a", f"{entry}order_id=b")
    cancel = f"command=CANCEL;order_id=STOP5;{OF_S}"
    trader.send_unanswered(cancel)
    trader.send("command=CANCELORDERS;account=Sim101", f"{P}qty=1;order_id=c;{OF_S}", f"{entry}order_id=d")
    assert told(trader.resend(cancel), "order_id") == (200, "already_cancelled", "a.STOP5")
    assert "d.STOP5" in trader.open


@EACH_ONCE
@pytest.mark.parametrize(
    ("text", "newer", "order_id", "seen_then"),
    [
        ("command=CHANGE;order_id=a;limit_price=4992;", "order_id=a;limit_price=4995", "a", (5, "4995")),
        ("command=CHANGE;order_id=a;limit_price=4992;", "order_id=a;qty=4", "a", (4, "4992")),
        (f"{R}order_id=a;qty=5;limit_price=4992;", "order_id=a;limit_price=4995", "a", (5, "4995")),
        (f"{STOP}stop_price=4985;", "order_id=a.STOP1;stop_price=4980", "a.STOP1", (5, "4980")),
        (f"{STOP}stop_price=4985;", "order_id=a.TARGET1;limit_price=5020", "a.STOP1", (5, "4985")),
    ],
    ids=["the same value", "another value", "CANCELREPLACE", "the price of a leg", "that of another leg"],
)
@pytest.mark.parametrize("filled", [0, 5])
def test_a_message_that_failed_does_not_undo_what_a_later_alert_has_given(
    trader: Trader, text: str, newer: str, order_id: str, seen_then: tuple[int, str], filled: int
) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}")
    if filled and order_id != "a":
        trader.fill("a", filled, "Filled")
    trader.send(f"{text}delay=1")
    fail_once(trader, in_writes(lose_request))
    assert trader.send(f"command=CHANGE;{newer}").word == "changed"
    trader.wait(40)
    assert trader.orders[order_id][1:] == seen_then
    assert [status for status, _ in delayed_records(trader)] == [200]


def test_a_message_that_failed_does_not_move_a_stop_that_its_entry_was_given_since(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;{OF_S}{SL_TP}", f"{STOP}stop_price=4985;delay=1")
    fail_once(trader, in_writes(lose_request))
    trader.send(f"{R}order_id=a;qty=5;limit_price=5000;stop_loss=4980")
    trader.wait(40)
    assert trader.orders["a.STOP1"] == ("Initialized", 5, "4980")


def test_a_message_that_failed_moves_a_stop_though_its_entry_was_changed_since(trader: Trader) -> None:
    entry = P.replace("=LIMIT;limit_price=5000", "=STOPMARKET;stop_price=5000")
    trader.send(f"{entry}qty=5;order_id=a;{OF_S}{SL_TP}", f"{STOP}stop_price=4985;delay=1")
    fail_once(trader, in_writes(lose_request))
    trader.send("command=CHANGE;order_id=a;stop_price=5001")
    trader.wait(40)
    assert trader.orders["a.STOP1"] == ("Initialized", 5, "4985")


def test_a_message_that_comes_again_counts_once_in_the_rate_of_its_key(trader: Trader) -> None:
    trader.service.key = trader.service.issue_key(max_orders_per_minute=2)
    trader.send(f"{P}qty=1;order_id=a", "command=CHANGE;order_id=a;qty=3;delay=1")
    fail_once(trader, _in_writes_of("a", lose_request))
    trader.wait(37)
    assert trader.orders["a"] == ("Working", 3, "5000")
    assert trader.send(f"{P}qty=1;order_id=b").word == "rate_limited"


@pytest.mark.parametrize("text", ["command=CANCELORDERS;", f"command=CLOSESTRATEGY;{OF_S}"])
def test_a_resend_over_many_leaves_what_came_in_since_where_the_first_had_no_trace(trader: Trader, text: str) -> None:
    text = f"{text}{OF_BOTH}"
    trader.send(f"{IN}{OF_BOTH}order_id=x;{OF_S}")
    meets = (in_requests_with(part, lose_request).meets for part in ("CANCELORDERS#b#", "STRATEGY#S.b"))
    of_b = tuple(meets)
    unanswered(trader, text, Selective(lose_request, lambda request: any(meet(request) for meet in of_b)))
    trader.send(f"{IN}account=B;order_id=y;strategy_id=S.b")
    assert trader.resend(text).status == 200
    assert trader.open == {"y"}


# Warnings of what was done, told again


def details(answer: Answer) -> list[str]:
    return [f"{it['code']}: {it['detail']}" for it in answer.body.get("warnings", [])]


OTHER_STOP = (
    "command=CANCELREPLACE;action=SELL;order_type=STOPMARKET;stop_price=4991;tif=GTC;account=Sim101;"
    f"instrument=ES 12-26;order_id=STOP1;{OF_S}qty=2"
)


@pytest.mark.parametrize(
    ("text", "bare", "operation"),
    [
        (f"command=CANCEL;order_id=STOP1;{OF_S}", "5 contracts that are filled had STOP1", "UpdateItem"),
        (f"{STOP}qty=2", "3 of what is filled", "UpdateItem"),
        (OTHER_STOP, "3 of what is filled", "TransactWriteItems"),
    ],
    ids=["CANCEL", "CHANGE", "CANCELREPLACE"],
)
@pytest.mark.parametrize("switched", [False, True], ids=["", "the kill switch is on"])
def test_a_resend_tells_again_what_has_no_stop(
    long: Trader, text: str, bare: str, operation: str, *, switched: bool
) -> None:
    # A CANCEL of a leg that works looks for it in its entry's item first.
    looks = [no_fault] if "=CANCEL;" in text else []
    long.service.network.inject(operation, *looks, *[lose_response] * 3)
    assert long.send(text).status == 503
    long.service.network.inject(operation)
    if switched:
        long.send("kill_switch=on")
    [detail] = details(long.resend(text))
    assert detail.startswith(f"unprotected_quantity: {bare}")


def test_a_resend_does_not_warn_of_what_has_its_stop_again(long: Trader) -> None:
    long.send_unanswered(f"{STOP}qty=2")
    long.send(f"{STOP}qty=5")
    answer = long.resend(f"{STOP}qty=2")
    assert told(answer, "qty") == (200, "changed", "5")
    assert warned(answer) == []


def test_a_resend_tells_again_that_more_is_filled_than_it_asks_for(trader: Trader) -> None:
    trader.send(f"{P}qty=5;order_id=a;")
    trader.fill("a", 3)
    trader.service.network.inject("UpdateItem", no_fault, *[lose_response] * 3)
    assert trader.send("command=CHANGE;order_id=a;qty=2").status == 503
    trader.service.network.inject("UpdateItem")
    answer = trader.resend("command=CHANGE;order_id=a;qty=2")
    assert (answer.body["duplicate"], warned(answer)) == (True, [("filled_more", "qty")])


# A name that another trade bears


@pytest.fixture
def late_long(trader: Trader) -> Trader:
    """A trader whose first entry was filled after its end: its stop works, and another entry has taken its name."""
    trader.send(f"{P}qty=1;order_id=a;{OF_S}stop_loss=4990", f"command=CANCEL;order_id=ENTRY1;{OF_S}")
    return trader


@pytest.mark.parametrize(
    "later",
    [
        f"{P}qty=1;order_id=b;{OF_S}stop_loss=4900".replace("ES 12-26", "NQ 12-26"),
        f"{P}qty=1;order_id=b;{OF_S}stop_loss=4900".replace("Sim101", "Sim102"),
        f"{P}qty=1;order_id=b;{OF_S}stop_loss=5010".replace("BUY", "SELL"),
        f"{P}qty=1;order_id=b;{OF_S}".replace("BUY", "SELL"),
    ],
    ids=["instrument", "account", "action", "action, without a stop"],
)
@pytest.mark.parametrize("delay", ["", "delay=1"])
def test_a_change_by_name_moves_no_stop_of_another_market_or_side(late_long: Trader, later: str, delay: str) -> None:
    trader = late_long
    trader.send(later)
    trader.fill("a", 1, "Filled")
    trader.send(f"command=CANCEL;order_id=ENTRY1;{OF_S}")
    answer = trader.send(f"{STOP}stop_price=4995;{delay}")
    trader.wait(2)
    assert trader.orders["a.STOP1"] == ("Working", 1, "4990")
    if not delay:
        assert answer.status in (404, 409)
        assert answer.body["detail"].startswith("a.STOP1 bears the name STOP1 too")
    assert trader.send(f"command=CANCEL;order_id=STOP1;{OF_S}").body["order_id"] == "a.STOP1"


def test_a_change_by_name_moves_the_stop_of_its_own_market_and_side(late_long: Trader) -> None:
    late_long.send(f"{P}qty=1;order_id=b;{OF_S}")
    late_long.fill("a", 1, "Filled")
    late_long.send(f"command=CANCEL;order_id=ENTRY1;{OF_S}")
    assert told(late_long.send(f"{STOP}stop_price=4995"), "order_id") == (200, "changed", "a.STOP1")


@pytest.mark.parametrize(
    "text",
    ["command=CANCEL;order_id=ENTRY2;", "command=CHANGE;order_id=ENTRY2;limit_price=4000;"],
    ids=["CANCEL", "CHANGE"],
)
def test_a_resend_finds_its_entry_though_another_has_its_number_for_legs_alone(trader: Trader, text: str) -> None:
    trader.service.put_template("two", (1, 10, 5), (1, 20, 5))
    trader.send(f"{P}qty=1;order_id=a;{OF_S}", f"{P}qty=1;order_id=b;{OF_S}")
    trader.send_unanswered(f"{text}{OF_S}")
    trader.send("command=CANCEL;order_id=a", "command=CANCEL;order_id=b")
    trader.send(f"{P}qty=2;order_id=c;{OF_S}strategy=two")
    assert told(trader.resend(f"{text}{OF_S}"), "order_id")[::2] == (200, "b")
    trader.service.let_pass(60)
    assert trader.send(f"{text}{OF_S}").word == "order_not_found"


# Several accounts


def test_what_has_no_stop_is_told_of_each_account(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=p;{OF_S}{SL_TP}".replace("Sim101", "A,B"))
    for order_id in ("p.a", "p.b"):
        trader.fill(order_id, 1, "Filled")
    answer = trader.send(f"command=CANCEL;account=A,B;order_id=STOP1;{OF_S}")
    bare = "1 contract that is filled had STOP1, and has no stop now."
    assert details(answer) == [f"unprotected_quantity: Account {account}: {bare}" for account in ("A", "B")]


def test_the_record_of_a_list_says_in_which_accounts_it_was_done(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=p;{OF_S}".replace("Sim101", "A,B"), "command=CANCEL;order_id=p.b")
    answer = trader.send(f"command=CHANGE;account=A,B;order_id=ENTRY1;{OF_S}limit_price=5001")
    assert (answer.status, answer.word) == (409, "order_already_terminal")
    guidance = guidance_of(trader.service.record_of(answer))
    assert guidance is not None
    assert guidance.meaning.startswith("It was done in A. In B: The order is finished")


# What was placed before its template went


def test_a_resend_of_a_delayed_place_finds_its_order_though_the_template_has_gone(trader: Trader) -> None:
    trader.service.put_template("two", (1, 10, 5))
    text = f"{P}qty=1;order_id=a;{OF_S}strategy=two;delay=2"
    trader.send_unanswered(text, "PutItem")
    trader.wait(3)
    trader.service.remove_template("two")
    assert told(trader.resend(text), "order_id", "state") == (200, "already_placed", "a", "Working")
    assert trader.send(text.replace("=a;", "=b;")).word == "strategy_not_found"


def test_a_place_without_an_id_whose_outcome_is_unknown_names_its_order(trader: Trader) -> None:
    trader.service.network.inject("PutItem", *[lose_response] * 3)
    answer = trader.send(f"{P}qty=1")
    trader.service.network.inject("PutItem")
    assert (answer.status, answer.word) == (409, "outcome_unknown")
    assert trader.open == {answer.body["order_id"]}
    assert trader.service.record_of(answer).order_ids == (answer.body["order_id"],)


def test_an_order_that_was_cancelled_is_due_no_more(trader: Trader) -> None:
    trader.send(f"{P}qty=1;order_id=a;delay=30")
    now = timestamp(trader.service.queue.now)
    [waiting] = list_orders(trader.service.services, trader.service.trader, now)
    trader.send("command=CANCEL;order_id=a")
    [cancelled] = list_orders(trader.service.services, trader.service.trader, now)
    assert not isinstance(waiting, Unreadable)
    assert not isinstance(cancelled, Unreadable)
    assert represent_order(waiting)["due"] is not None
    assert represent_order(cancelled)["due"] is None


# What a refusal names


REPLACE_STOP = (
    "command=CANCELREPLACE;action=SELL;order_type=STOPMARKET;stop_price=4992;tif=GTC;account=Sim101;"
    f"instrument=ES 12-26;order_id=STOP1;{OF_S}qty=1;"
)
MARKET = f"{R}order_id=ENTRY1;{OF_S}qty=1;".replace("order_type=LIMIT", "order_type=MARKET")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (f"{REPLACE_STOP}stop_loss=4985", "stop_loss"),
        (f"{REPLACE_STOP}stop_loss_limit=4985", "stop_loss_limit"),
        (f"{REPLACE_STOP}take_profit=5020", "take_profit"),
        (f"command=CHANGE;order_id=ENTRY1;{OF_S}stop_price=4985", "stop_price"),
        (f"command=CHANGE;order_id=ENTRY1;{OF_S}limit_price=5020", "limit_price"),
        (f"{MARKET}stop_loss=5011", "stop_loss"),
        (f"{MARKET}stop_loss_limit=5011", "stop_loss_limit"),
        (f"{MARKET}take_profit=4980", "take_profit"),
        (f"{R}order_id=ENTRY1;{OF_S}qty=1;limit_price=4985", "limit_price"),
        (f"{STOP}stop_price=5015", "stop_price"),
        (f"{TARGET}limit_price=4985", "limit_price"),
    ],
)
@pytest.mark.parametrize("filled", [0, 1])
def test_a_refusal_names_a_field_of_the_alert_and_says_what_to_do(
    trader: Trader, text: str, field: str, filled: int
) -> None:
    entry = f"{P}qty=2;order_id=a;{OF_S}{SL_TP}stop_price=5001;".replace("order_type=LIMIT", "order_type=STOPLIMIT")
    trader.send(entry)
    if filled:
        trader.fill("a", filled)
    answer = trader.send(text.replace("qty=1", f"qty={filled or 2}"))
    if answer.status == 200:
        return  # once it fills, the entry's own prices count no more
    assert told(answer, "field") == (400, "invalid_value", field)
    assert f"{field}=" in text
    assert f"correct {field}." in answer.body["detail"] or f"ake {field} out" in answer.body["detail"]


def test_the_length_of_an_id_in_a_list_is_told_with_the_ending_that_it_gets(trader: Trader) -> None:
    answer = trader.send(f"{P}qty=1;order_id={'x' * 60}".replace("Sim101", "Sim101,Sim102"))
    assert told(answer, "field") == (400, "invalid_value", "order_id")
    assert answer.body["detail"] == (
        "order_id has 67 characters with '.sim101', in which it ends for that account of the list; at most 64 are "
        "accepted: write a shorter one."
    )


# A stop for a template


def test_a_stop_for_a_template_warns_of_the_bracket_that_has_none(trader: Trader) -> None:
    trader.service.put_template("runner", (1, 10, 5), (1, 20, None))
    trader.send(f"{P}qty=3;order_id=a;{OF_S}strategy=runner")
    text = f"{R}order_id=ENTRY1;{OF_S}qty=3;limit_price=5000;stop_loss=4990"
    bare = "unprotected_quantity: 2 of qty have no stop: the template has none for them."
    for _ in range(2):
        [detail] = details(trader.send(text))
        assert detail.startswith(bare)


def test_a_stop_for_a_template_without_any_is_for_all(trader: Trader) -> None:
    trader.service.put_template("targets", (1, 10, None), (1, 20, None))
    trader.send(f"{P}qty=2;order_id=a;{OF_S}strategy=targets")
    assert details(trader.send(f"{R}order_id=ENTRY1;{OF_S}qty=2;limit_price=5000;stop_loss=4990")) == []
    trader.fill("a", 2, "Filled")
    assert trader.orders["a.STOP1"] == ("Working", 2, "4990")
