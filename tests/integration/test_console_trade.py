"""Trading by hand: what is confirmed is what is done, once, and what is shown of it is true."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orderhook.commands import COMMANDS
from orderhook.console.by_hand import once_of
from orderhook.limits import Limits
from orderhook.listing import find_order
from orderhook.orders import timestamp
from orderhook.store.alert_log import AlertRecord
from orderhook.store.once import OnceStore, Turn
from tests.builders import ENTRY
from tests.console_session import Page, Visitor, query_of
from tests.integration.test_console_positions import hold
from tests.marks import OF_PAGES
from tests.service import Service

pytestmark = OF_PAGES

TRADE = "/console/trade"
ORDER = {
    "command": "PLACE",
    "account": "Sim101",
    "instrument": "ES1!",
    "action": "BUY",
    "qty": "2",
    "order_type": "LIMIT",
    "limit_price": "5000.25",
    "tif": "DAY",
    "order_id": "by-hand",
}


def sent(visitor: Visitor, page: Page) -> Page:
    """Press Send, and stay where that leads: those pages are not this module's."""
    form = page.form("Send")
    return visitor.post(form.action, **form.fields)


def confirmed(visitor: Visitor, **changes: str) -> Page:
    """Fill in the form, and look at what it would do."""
    form = visitor.get(TRADE).form("Look at it")
    values = {name: value for name, value in (ORDER | changes).items() if value}
    return visitor.post(TRADE, once=form.fields["once"], **values)


def records(service: Service) -> list[AlertRecord]:
    """Return the records of commands; a sign-in has left one too."""
    return [it for it in service.alerts.newest(service.trader) if it.command in COMMANDS]


def orders(service: Service) -> list[Any]:
    return list(service.orders.items(service.trader, open_only=False))


def test_an_order_by_hand_is_placed_and_recorded_as_an_alert(service: Service) -> None:
    visitor = Visitor(service, label="phone")
    answer = sent(visitor, confirmed(visitor))
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/console/order?")
    assert query_of(answer.headers["Location"]) == {"account": "Sim101", "orderId": "by-hand"}
    order = service.order("by-hand")
    assert order is not None
    assert (order.qty, order.state) == (2, "Working")
    (record,) = records(service)
    assert (record.origin, record.key_label, record.command) == ("console", "phone", "PLACE")


def test_nothing_is_sent_before_it_is_confirmed(service: Service) -> None:
    visitor = Visitor(service)
    page = confirmed(visitor)
    visitor.get(TRADE, command="PLACE", orderId="by-hand", account="Sim101")
    assert visitor.send(page.form("Change it"), go="edit").status == 200
    assert orders(service) == records(service) == []


@pytest.mark.parametrize(
    ("changes", "told", "untold"),
    [
        ({}, ["limit 5000.25", "no stop", "BUY", "nothing reaches a market"], ["LIVE"]),
        ({"order_type": "MARKET", "limit_price": ""}, ["nobody knows it beforehand", "no stop"], ["5000"]),
        ({"stop_loss": "4990", "take_profit": "5010"}, ["4990", "target 5010"], ["no stop"]),
        ({"strategy": "scalp"}, ["of the template scalp"], ["no stop"]),
        ({"stop_loss_limit": "4989", "stop_loss_stop": "4990"}, ["4990, with the limit 4989"], ["no stop"]),
    ],
    ids=["a limit", "at the market", "with legs", "of a template", "with a stop limit"],
)
def test_the_confirmation_says_what_is_known(
    service: Service, changes: dict[str, str], told: list[str], untold: list[str]
) -> None:
    page = confirmed(Visitor(service), **changes)
    content = page.text[page.text.index("Is this what you mean?") :]
    for words in told:
        assert words in content
    for words in untold:
        assert words not in content


def test_a_live_account_and_a_simulated_one_are_told_apart(service: Service) -> None:
    service.use_venue()
    service.hear_bridge(accounts=("Sim101", "Apex-7"))
    visitor = Visitor(service)
    for account, told in (("Sim101", "Sim: a simulated account"), ("Apex-7", "LIVE: real money")):
        page = confirmed(visitor, account=account)
        assert told in page.text[page.text.index("Is this what you mean?") :]
    everything = visitor.post(TRADE, command="FLATTENEVERYTHING", once="")
    assert "LIVE: real money" in everything.text


# Once


def test_a_double_click_and_a_reload_do_nothing_new(service: Service) -> None:
    visitor = Visitor(service)
    page = confirmed(visitor, order_id="")
    first, second, third = (sent(visitor, page) for _ in range(3))
    assert first.status == 303
    for again in second, third:
        assert again.status == 200
        assert "Nothing new was sent" in again.text
    assert len(orders(service)) == 1


def test_back_to_the_form_and_the_same_again_is_known_by_its_id(service: Service) -> None:
    visitor = Visitor(service)
    sent(visitor, confirmed(visitor))
    again = sent(visitor, confirmed(visitor))
    assert "Nothing new was sent" in again.text
    assert "already placed" in again.text
    assert any(query_of(it) == {"account": "Sim101", "orderId": "by-hand"} for it in again.links)
    assert len(orders(service)) == 1


def test_back_to_the_form_and_another_price_is_another_order(service: Service) -> None:
    visitor = Visitor(service)
    form = visitor.get(TRADE).form("Look at it")
    for price, order_id in (("5000", "first"), ("5001", "second")):
        values = ORDER | {"limit_price": price, "order_id": order_id}
        assert sent(visitor, visitor.post(TRADE, once=form.fields["once"], **values)).status == 303
    assert len(orders(service)) == 2


def test_the_same_form_and_text_is_the_same_once_and_another_is_not() -> None:
    same = {once_of("f", "CANCEL", {"order_id": "a"}) for _ in range(2)}
    assert len(same) == 1
    assert re.fullmatch("[0-9a-f]{32}", same.pop())
    others = {
        once_of(*it)
        for it in (
            ("f", "CANCEL", {"order_id": "a"}),
            ("g", "CANCEL", {"order_id": "a"}),
            ("f", "CHANGE", {"order_id": "a"}),
            ("f", "CANCEL", {"order_id": "b"}),
        )
    }
    assert len(others) == 4


def test_two_tabs_place_two_orders_by_two_ids(service: Service) -> None:
    visitor = Visitor(service)
    ids = {re.findall(r'value="(hand-[^"]+)"', visitor.get(TRADE).markup)[0] for _ in range(2)}
    for order_id in ids:
        assert sent(visitor, confirmed(visitor, order_id=order_id)).status == 303
    assert len(orders(service)) == len(ids) == 2


def test_an_id_that_was_taken_meanwhile_is_refused_and_told(service: Service) -> None:
    visitor = Visitor(service)
    page = confirmed(visitor)
    service.place("by-hand", qty=5)
    answer = sent(visitor, page)
    assert answer.status == 409
    assert "duplicate_order_id" in answer.text
    assert len(orders(service)) == 1


def test_a_refusal_comes_back_with_the_form_and_may_be_sent_anew(service: Service) -> None:
    visitor = Visitor(service)
    page = confirmed(visitor)
    service.turn("on")
    answer = sent(visitor, page)
    assert answer.status == 423
    assert "kill_switch_on" in answer.text
    assert 'value="by-hand"' in answer.markup
    service.turn("off")
    again = answer.form("Look at it").fields["once"]
    assert again != page.form("Send").fields["once"]
    assert sent(visitor, visitor.post(TRADE, once=again, **ORDER)).status == 303


def stop_of(service: Service, order_id: str = "long.STOP1") -> str | None:
    now = timestamp(service.queue.now)
    leg = find_order(service.services_of_operator(), service.trader, order_id, now)
    return leg and leg.state


def test_a_form_of_before_does_nothing_new_once_its_record_has_left(service: Service) -> None:
    service.record_nothing()
    visitor = Visitor(service)
    service.place("long", stop_loss="4900")
    page = visitor.post(TRADE, command="CANCEL", order_id="long.STOP1", once="")
    assert sent(visitor, page).status == 303
    assert stop_of(service) == "Cancelled"
    service.pass_time(3600)
    service.send("CANCELREPLACE", **{**ENTRY, "order_id": "long", "stop_loss": 4890})
    assert stop_of(service) == "Initialized"
    assert "Nothing new was sent" in sent(visitor, page).text
    assert stop_of(service) == "Initialized"


# What has changed since the page said it


def looked_at(visitor: Visitor, **values: str) -> Page:
    return visitor.post(TRADE, once=16 * "ab", **values)


def test_a_change_is_of_the_order_as_the_page_has_shown_it(service: Service) -> None:
    service.place("long", stop_loss=4900)
    visitor = Visitor(service)
    page = looked_at(visitor, command="CHANGE", order_id="long", qty="4")
    service.pass_time(3600)
    service.send("CHANGE", order_id="long", limit_price=4990)
    told = sent(visitor, page)
    assert told.status == 409
    assert "has changed since the page before said it, and nothing was sent" in told.text
    assert "at 4990" in told.text
    assert orders(service)[0]["qty"] == 5
    assert sent(visitor, told).status == 303
    assert orders(service)[0]["qty"] == 4


def test_a_cancel_by_name_is_of_the_order_that_the_page_has_shown(service: Service) -> None:
    service.place("first", strategy_id="s", stop_loss=4900)
    visitor = Visitor(service)
    page = looked_at(visitor, command="CANCEL", order_id="STOP1", strategy_id="s")
    assert "leaves 5 contracts without a stop" in page.text
    service.cancel("first")
    service.place("second", strategy_id="s", stop_loss=4890)
    told = sent(visitor, page)
    assert (told.status, stop_of(service, "second.STOP1")) == (409, "Initialized")
    assert sent(visitor, told).status == 303
    assert stop_of(service, "second.STOP1") == "Cancelled"


def test_a_cancel_waits_for_no_new_look_because_an_entry_fills(service: Service) -> None:
    service.place("long")
    visitor = Visitor(service)
    page = looked_at(visitor, command="CANCEL", order_id="long")
    service.report("PartFilled", 2, order_id="long")
    assert sent(visitor, page).status == 303
    assert service.state("long") == "Cancelled"


def test_a_replacement_with_values_of_an_hour_ago_says_so(service: Service) -> None:
    service.place("long")
    visitor = Visitor(service)
    form = visitor.get(TRADE, command="CANCELREPLACE", orderId="long").form("Look at it")
    terms = {name: form.fields[name] for name in ("account", "instrument", "qty", "limit_price", "once", "seen")}
    values = {**terms, "command": "CANCELREPLACE", "order_id": "long", "action": "BUY", "order_type": "LIMIT"}
    assert "has changed" not in visitor.post(TRADE, tif="GTC", **values).text
    service.pass_time(3600)
    service.send("CHANGE", order_id="long", qty=1)
    page = visitor.post(TRADE, tif="GTC", **values)
    assert "some may be those of before" in page.text
    assert "BUY 1 ES 12-26" in page.text


def test_two_people_turn_a_position_over_once(service: Service) -> None:
    service.use_venue()
    hold(service)
    market = {"account": "Sim101", "instrument": "ES 12-26"}
    anna, tom = Visitor(service), Visitor(service)
    by_form = looked_at(tom, command="REVERSE", **market)
    assert "LONG 3" in by_form.text
    pages = [it.get("/console/positions/act", act="reverse", **market) for it in (anna, tom)]
    anna.send(pages[0].form("Reverse it"))
    for refused in (tom.send(pages[1].form("Reverse it")), sent(tom, by_form)):
        assert "is under way for this position. Look at the positions first." in refused.text
    assert [it.command for it in service.services.instructions.open(service.trader)] == ["REVERSE"]


MARKET = {"account": "Sim101", "instrument": "ES 12-26"}
SHORT_3 = MARKET | {"action": "SELL", "qty": "3", "order_type": "MARKET", "tif": "GTC"}
TURNS = [
    {"command": "REVERSEPOSITION", **SHORT_3, "order_id": "other"},
    {"command": "FLATPLACE", **SHORT_3, "order_id": "other"},
    {"command": "PLACE", **SHORT_3, "order_id": "other", "flatten_first": "true"},
    {"command": "REVERSE", **MARKET},
]


def turned_over(service: Service) -> list[str]:
    """Return what turns a position over, or has."""
    return [it["order_id"] for it in orders(service)] + [
        it.command for it in service.services.instructions.open(service.trader)
    ]


@pytest.mark.parametrize("turn", TURNS, ids=lambda it: it["command"])
def test_two_forms_close_and_open_once_between_them(service: Service, turn: dict[str, str]) -> None:
    service.use_venue()
    hold(service)
    anna, tom = Visitor(service), Visitor(service)
    first = looked_at(anna, **{"command": "FLATPLACE", **SHORT_3, "order_id": "first"})
    second = tom.post(TRADE, once=16 * "cd", **turn)
    assert "LONG 3" in second.text
    assert sent(anna, first).status == 303
    assert "FLATPLACE first, sent at" in sent(tom, second).text
    assert turned_over(service) == ["first"]


@pytest.mark.parametrize("turn", TURNS, ids=lambda it: it["command"])
def test_a_turn_is_of_the_position_that_the_page_has_shown(service: Service, turn: dict[str, str]) -> None:
    service.use_venue()
    hold(service)
    visitor = Visitor(service)
    page = looked_at(visitor, **turn)
    service.pass_time(60)
    service.hear_bridge()
    hold(service, "SHORT", at=timestamp(service.queue.now))
    told = sent(visitor, page)
    assert (told.status, "SHORT 3" in told.text) == (409, True)
    assert turned_over(service) == []
    assert sent(visitor, told).status == 303
    assert len(turned_over(service)) == 1


def test_a_turn_stands_until_the_bridge_has_told_the_position_since(service: Service) -> None:
    service.use_venue()
    hold(service)
    anna, tom = Visitor(service), Visitor(service)
    assert sent(anna, looked_at(anna, **TURNS[0])).status == 303
    service.report("Filled", 3, order_id="other")
    second = {**TURNS[1], "order_id": "second"}
    assert "has not told yet what it is since" in sent(tom, tom.post(TRADE, once=16 * "cd", **second)).text
    hold(service, "SHORT", at=timestamp(datetime.now(UTC)))
    assert sent(tom, tom.post(TRADE, once=16 * "ef", **second)).status == 303
    assert sorted(turned_over(service)) == ["other", "second"]


def test_a_turn_that_was_refused_keeps_nobody_from_another(service: Service) -> None:
    service.use_venue()
    hold(service)
    anna, tom = Visitor(service), Visitor(service)
    service.turn("on")
    assert sent(anna, looked_at(anna, **TURNS[0])).status == 423
    service.turn("off")
    assert sent(tom, tom.post(TRADE, once=16 * "cd", **TURNS[1])).status == 303


def test_a_turn_that_moved_nothing_keeps_nobody_from_another(service: Service) -> None:
    service.use_venue()
    hold(service)
    anna, tom = Visitor(service), Visitor(service)
    assert sent(anna, looked_at(anna, **TURNS[0])).status == 303
    service.report("Rejected", 0, order_id="other")
    assert sent(tom, tom.post(TRADE, once=16 * "cd", **TURNS[3])).status == 303


def test_of_two_forms_that_claim_a_position_at_once_one_has_it(service: Service) -> None:
    store, at = OnceStore(service.services.table), timestamp(service.queue.now)
    first, second = Turn("a", "LONG 3", at), Turn("b", "LONG 3", at)
    pair = ("sim101", "es 12-26")
    for before in (None, first):  # as both have read it
        newer = [it._replace(once=f"{it.once}{before}") for it in (first, second)] if before else [first, second]
        assert [store.claim_turn(service.trader, *pair, it, before) for it in newer] == [True, False]
        assert store.claim_turn(service.trader, *pair, newer[0], before)
        assert store.turn(service.trader, *pair) == newer[0]


def test_a_reverse_is_of_the_position_that_the_page_has_shown(service: Service) -> None:
    service.use_venue()
    hold(service)
    visitor = Visitor(service)
    page = looked_at(visitor, command="REVERSE", account="Sim101", instrument="ES 12-26")
    service.pass_time(60)
    hold(service, "SHORT", at=timestamp(service.queue.now))
    told = sent(visitor, page)
    assert (told.status, "SHORT 3" in told.text) == (409, True)
    assert list(service.services.instructions.open(service.trader)) == []


# What may not be


def test_nothing_waits_by_hand_for_a_delay_that_nobody_would_end(service: Service) -> None:
    visitor = Visitor(service)
    form = visitor.get(TRADE, delay="5")
    assert 'name="delay"' not in form.markup
    assert 'name="cancel_after"' in form.markup
    page = confirmed(visitor, delay="5")
    assert "By hand nothing waits for a delay" in page.text
    once = form.form("Look at it").fields["once"]
    assert "By hand nothing waits" in visitor.post(f"{TRADE}/send", once=once, **ORDER, delay="5").text
    assert orders(service) == records(service) == []


def test_a_time_limit_given_by_hand_ends_its_order_and_is_recorded(service: Service) -> None:
    visitor = Visitor(service, label="phone")
    assert sent(visitor, confirmed(visitor, cancel_after="1")).status == 303
    service.pass_time(62)
    assert service.state("by-hand") == "Cancelled"
    (ended,) = [it for it in records(service) if it.origin == "cancel_after"]
    assert (ended.outcome, ended.key_label) == ("cancelled", "console")


@pytest.mark.parametrize(
    ("name", "value"), [("qty", "0"), ("limit_price", "{{close}}"), ("account", ""), ("tif", "GTD")]
)
def test_what_would_be_refused_is_marked_before_it_is_sent(service: Service, name: str, value: str) -> None:
    visitor = Visitor(service)
    page = confirmed(visitor, **{name: value})
    assert "Nothing was sent" in page.text
    assert f'href="#f-{name}"' in page.markup
    assert "Send" not in " ".join(form.labels for form in page.forms)
    assert visitor.post(f"{TRADE}/send", once=32 * "a", **{**ORDER, name: value}).status == 200
    assert orders(service) == []


def test_a_limited_session_sees_its_limits_and_is_held_to_them(service: Service) -> None:
    visitor = Visitor(service, limits=Limits(accounts=("Sim101",), max_qty=1))
    assert "limited to account Sim101, qty 1" in visitor.get(TRADE).text
    assert "limited to a quantity of 1" in confirmed(visitor).text
    assert "limited to account Sim101" in confirmed(visitor, account="Apex-7", qty="1").text
    assert sent(visitor, confirmed(visitor, qty="1")).status == 303


def test_a_session_that_only_looks_sees_the_form_and_may_not_send(service: Service) -> None:
    visitor = Visitor(service, read_only=True)
    assert re.search(r"<button[^>]*disabled", visitor.get(TRADE).markup)
    assert visitor.post(TRADE, **ORDER).status == 403
    assert visitor.post(f"{TRADE}/send", once=32 * "a", **ORDER).status == 403
    assert orders(service) == []


# What a link fills in


def test_a_replacement_begins_as_the_order_is(service: Service) -> None:
    service.place("long", stop_loss=None, take_profit=None)
    order = service.order("long")
    assert order is not None
    page = Visitor(service).get(TRADE, command="CANCELREPLACE", orderId="long", account=order.account)
    for value in (order.account, order.instrument, str(order.qty), "long"):
        assert f'value="{value}"' in page.markup
    assert f'<option value="{order.action}" selected>' in page.markup


def test_a_change_is_confirmed_with_the_order_as_it_is(service: Service) -> None:
    service.place("long")
    visitor = Visitor(service)
    page = visitor.post(TRADE, command="CHANGE", order_id="long", qty="1", once="")
    assert "change order long" in page.text
    assert "the order now" in page.text
    answer = sent(visitor, page)
    assert query_of(answer.headers["Location"])["orderId"] == "long"


def test_a_key_in_the_address_does_not_come_back(service: Service) -> None:
    page = Visitor(service).get(TRADE, command="CHANGE", orderId=service.key)
    assert service.key not in page.markup


def test_a_sign_in_of_yesterday_looks_and_does_not_trade(service: Service) -> None:
    visitor = Visitor(service)
    page = confirmed(visitor)
    session = visitor._console.sessions
    store = session._sessions  # type: ignore[attr-defined]
    for name, it in store.items():
        store[name] = it._replace(signed_in=it.signed_in - timedelta(hours=13))
    assert sent(visitor, page).status == 403
    assert "Sign in again" in visitor.get(TRADE).text or "sign in again" in visitor.get(TRADE).text
    assert orders(service) == []
