"""The builder: its texts work when posted, and day after day; nothing that it is given does harm on its page."""

import re
from html import unescape

import pytest

from orderhook.console.drafts import REAL_KEY, companions, draft_of, text_of
from orderhook.console.fields import KILL_SWITCH, KINDS, NEW_ORDERS, places
from orderhook.console.placeholders import Firing, fill_in
from orderhook.venues import NINJATRADER, TABLE, Venue
from tests.alerts_of_builder import CASES, STRATEGY, Case, needed, with_options
from tests.console_session import Page, Visitor
from tests.marks import OF_PAGES
from tests.output import Answer
from tests.service import Service

pytestmark = OF_PAGES

DAY = 86_400
BUILDER = "/console/builder"
HOSTILE = "\"><script>alert(1)</script>'&amp;\u202eevil\u200b {{constructor}}"


def fire(service: Service, command: str, values: dict[str, str]) -> Answer:
    """Send a text of the builder as TradingView would now, with the trader's key in its place."""
    draft = draft_of("strategy", command, values)
    filled = fill_in(draft.values, Firing(service.queue.now, draft.values.get("action") != "SELL"))
    return service.post(text_of(command, filled).replace("your-secret-key", service.key))


def arrange(service: Service, case: Case) -> None:
    """Have what a command is about: an entry of the strategy, with a stop, which by now nothing else is."""
    if case.command in ("CANCEL", "CHANGE", "CANCELREPLACE", "CLOSESTRATEGY", "CANCELORDERS", "CANCELALLORDERS"):
        base = needed("PLACE") | {"strategy_id": STRATEGY, "order_id": "base-{{timenow}}"}
        base |= {name: case.draft.values[name] for name in ("account", "action") if name in case.draft.values}
        if (case.command, case.option) == ("CHANGE", "stop_price"):
            base |= {"order_type": "STOPMARKET", "stop_price": "{{high}}", "limit_price": ""}
        assert fire(service, "PLACE", base).status == 200


def carried_out(service: Service, case: Case) -> None:
    arrange(service, case)
    answer = fire(service, case.command, dict(case.draft.values))
    assert answer.status == 200, (str(case), answer.body)
    assert case.venue is NINJATRADER or not answer.body.get("duplicate"), (str(case), answer.body)
    if case.command == KILL_SWITCH:
        service.turn("off")


@pytest.mark.each_once
@pytest.mark.parametrize("venue", [TABLE, NINJATRADER], ids=["the table", "a venue"])
@pytest.mark.parametrize("word", KINDS)
def test_each_text_is_carried_out_today_and_tomorrow(service: Service, word: str, venue: Venue) -> None:
    service.put_template("scalp", (3, 10, 5))
    if venue is NINJATRADER:
        service.use_venue()
    for case in (it for it in CASES if it.command == word and it.venue is venue):
        for _ in range(2):
            if venue is NINJATRADER:
                service.hear_bridge(accounts=("Sim101", "Sim102"))
            carried_out(service, case)
            if venue is TABLE:
                service.send("CANCELALLORDERS")  # the next day begins with nothing open
            service.pass_time(DAY)


@pytest.mark.parametrize(
    "option", ["", "take_profit", "stop_loss", "stop_loss_limit", "strategy", "account", "delay", "tif"]
)
def test_a_cancel_by_name_reaches_each_days_order(service: Service, option: str) -> None:
    service.put_template("scalp", (3, 10, 5))
    draft = with_options("PLACE", "strategy_id", *([option] if option else []))
    (_, cancel), *_ = companions(draft)
    for _ in range(2):
        placed = fire(service, "PLACE", dict(draft.values))
        assert placed.body["status"] in ("placed", "scheduled"), placed.body
        service.pass_time(5)
        cancelled = service.post(cancel.replace("your-secret-key", service.key))
        assert cancelled.body["success"] is True, cancelled.body
        results = cancelled.body.get("results", [cancelled.body])
        placed_ids = [it["order_id"] for it in placed.body.get("results", [placed.body])]
        assert [(it["status"], it["order_id"]) for it in results] == [("cancelled", it) for it in placed_ids]
        service.pass_time(DAY)


def test_two_days_of_one_text_are_two_orders(service: Service) -> None:
    ids = set()
    for _ in range(2):
        ids.add(fire(service, "PLACE", needed("PLACE")).body["order_id"])
        service.pass_time(DAY)
    assert len(ids) == 2


# Its page


def shown_text(page: Page) -> str:
    found = re.search(r'<pre id="alert-text">(.*?)</pre>', page.markup, re.DOTALL)
    return unescape(found[1]) if found else ""


def test_every_command_has_a_form_and_its_text(service: Service) -> None:
    service.use_venue()
    visitor = Visitor(service)
    for word in KINDS:
        empty = visitor.get(BUILDER, command=word)
        assert empty.status == 200
        for it in places(word):
            assert f'name="{it.name}"' in empty.markup
        page = visitor.post(BUILDER, command=word, kind="strategy", go="preview", **needed(word))
        assert shown_text(page) == text_of(word, draft_of("strategy", word, needed(word)).values)


def test_the_form_shows_the_example_that_it_is_read_with(service: Service) -> None:
    page = Visitor(service).post(BUILDER, command="PLACE", kind="strategy", **needed("PLACE"))
    assert "for example 5000.25" in page.text
    assert "would place BUY 1 ES 12-26 LIMIT" in re.sub(r"ES [0-9-]+", "ES 12-26", page.text)


def test_without_an_error_alone_is_a_text_shown(service: Service) -> None:
    page = Visitor(service).post(BUILDER, command="PLACE", **needed("PLACE") | {"limit_price": "{{closed}}"})
    assert shown_text(page) == ""
    assert re.search(r'<button[^>]*disabled[^>]*data-copy="#alert-text"', page.markup)


@pytest.mark.parametrize("address", [BUILDER, "/console/trade"])
@pytest.mark.parametrize("word", ["PLACE", "CANCEL"])
def test_what_is_hostile_comes_back_as_text(service: Service, word: str, address: str) -> None:
    visitor = Visitor(service)
    for it in places(word):
        page = visitor.post(address, command=word, go="preview", **needed(word) | {it.name: HOSTILE})
        assert page.status == 200
        assert "<script>alert" not in page.markup
        assert shown_text(page) == ""


@pytest.mark.parametrize("address", [BUILDER, "/console/trade"])
def test_a_key_in_any_field_does_not_come_back(service: Service, address: str) -> None:
    visitor = Visitor(service)
    for word in ("PLACE", "CANCEL", "KILLSWITCH"):
        for it in places(word):
            page = visitor.post(address, command=word, go="preview", **needed(word) | {it.name: service.key})
            assert REAL_KEY in page.text, (word, it.name)
            assert service.key not in page.markup
            assert service.key[10:40] not in page.markup


def test_what_is_offered_for_an_id_is_taken_by_one_press(service: Service) -> None:
    page = Visitor(service).post(BUILDER, command="PLACE", go="offer", **needed("PLACE") | {"order_id": "es-long"})
    assert "order_id=es-long-{{timenow}};" in shown_text(page)
    assert "strategy_id=es-long;" in shown_text(page)
    assert "order_id=ENTRY1;" in unescape(page.markup)


def test_another_command_keeps_what_both_have(service: Service) -> None:
    page = Visitor(service).post(BUILDER, command="CANCELORDERS", kind="indicator", go="fields", **needed("PLACE"))
    assert 'value="Sim101"' in page.markup
    assert 'name="limit_price"' not in page.markup


# Read into it


def test_a_refused_alert_is_loaded_with_its_fault(service: Service) -> None:
    refused = service.place("es-long-2026-03-04T15:30:05Z", qty="0.5")
    assert refused.status == 400
    page = Visitor(service).get(BUILDER, alert=refused.request_id)
    assert page.status == 200
    assert 'value="es-long-{{timenow}}"' in page.markup
    assert "Refused at" in page.text
    assert "whole number from 1" in page.text
    assert service.key not in page.markup


def test_a_refused_alert_without_its_command_is_loaded_with_misspelt_names_put_right(service: Service) -> None:
    text = f"key={service.key};\ncommnd=PLACE;\naccount=Sim101;\nsymbol=ES1!;\nside=BUY;\nsl=4990;\ncolour=red;"
    refused = service.post(text)
    assert refused.status == 400
    page = Visitor(service).get(BUILDER, alert=refused.request_id)
    for value in ("Sim101", "ES1!", "4990"):
        assert f'value="{value}"' in page.markup
    assert "it stands here as stop_loss" in page.text
    assert "colour=red was left out" in page.text


@pytest.mark.parametrize("alert", ["0" * 32, "..", "<b>"])
def test_an_alert_that_is_not_there_is_not_found(service: Service, alert: str) -> None:
    assert Visitor(service).get(BUILDER, alert=alert).status == 404


def test_a_text_is_read_into_the_form(service: Service) -> None:
    text = "key=your-secret-key; command=CANCEL; order_id=STOP1; strat_id=es-long;"
    page = Visitor(service).post(BUILDER, go="read", text=text)
    assert shown_text(page) == text_of("CANCEL", {"order_id": "STOP1", "strategy_id": "es-long"})
    assert "it stands here as strategy_id" in page.text


def test_a_text_in_json_is_read_into_the_form(service: Service) -> None:
    page = Visitor(service).post(BUILDER, go="read", text='{"command": "CANCEL", "order_id": "a b", "extra": [1]}')
    assert shown_text(page) == text_of("CANCEL", {"order_id": "a b"})


def test_a_text_that_is_no_alert_has_its_faulty_line_marked(service: Service) -> None:
    page = Visitor(service).post(BUILDER, go="read", text="command=CANCEL\n<b>order 1</b>\nstrategy_id=x")
    assert "<mark>&lt;b&gt;order 1&lt;/b&gt;</mark>" in page.markup


def test_a_text_with_a_real_key_is_read_and_does_not_come_back(service: Service) -> None:
    text = f"key={service.key}\ncommand=CANCEL\norder 1\norder_id={service.key}"
    page = Visitor(service).post(BUILDER, go="read", text=text)
    assert "This is a real key" in page.text
    assert service.key[4:] not in page.markup
    assert "order 1" not in page.text


def test_nothing_that_is_built_is_done_or_recorded(service: Service) -> None:
    visitor = Visitor(service)
    for word in NEW_ORDERS:
        visitor.post(BUILDER, command=word, go="preview", **needed(word))
    visitor.post(BUILDER, go="read", text="command=CANCELALLORDERS")
    assert not any(it.command in KINDS for it in service.alerts.newest(service.trader))
    assert list(service.orders.items(service.trader, open_only=False)) == []
