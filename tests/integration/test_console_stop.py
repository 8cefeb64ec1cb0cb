"""Stop and Start by the console: what they do, what they do not, and to whom."""

import re

import pytest

from orderhook.limits import Limits
from tests.builders import provenance
from tests.client_faults import in_requests_with
from tests.console_session import Page, Visitor
from tests.faults import lose_request, refuse, run_before
from tests.service import Service
from tests.trades import UPDATE

STOP, START = "/console/stop", "/console/start"
BRACKET = {"take_profit": "5100", "stop_loss": "4900"}


def stopped(service: Service) -> bool:
    return service.services_of_operator().controls.kill_switch(service.trader).on


def stop(visitor: Visitor) -> Page:
    return visitor.send(visitor.get("/console").form("Stop trading"))


def cancel_entries(visitor: Visitor) -> Page:
    return visitor.send(visitor.get(STOP).form("Cancel the"))


def start(visitor: Visitor, word: str = "START") -> Page:
    return visitor.send(visitor.get(START).form("Start trading"), word=word)


def test_stop_is_on_and_its_answer_says_since_when_by_whom_and_what_goes_on(service: Service) -> None:
    page = stop(Visitor(service, label="Tom's phone"))
    assert stopped(service)
    assert page.status == 200
    assert "Trading is stopped Since " in page.text
    assert "by the console, session Tom's phone" in page.text
    assert "may still be written for 3 s" in page.text
    assert service.place().body["error"] == "kill_switch_on"


def test_stop_again_keeps_its_time(service: Service) -> None:
    visitor = Visitor(service)
    form = visitor.get("/console").form("Stop trading")
    first, second = visitor.send(form), visitor.send(form)
    assert re.findall(r'datetime="([^"]+)"', first.markup) == re.findall(r'datetime="([^"]+)"', second.markup)


def test_stop_that_the_table_does_not_take_never_says_stopped(service: Service) -> None:
    visitor = Visitor(service)
    form = visitor.get("/console").form("Stop trading")
    service.network.inject(UPDATE, *[lose_request] * 20)
    page = visitor.send(form)
    assert not stopped(service)
    assert page.status == 503
    assert "Trading is stopped" not in page.text
    assert "not known whether trading is stopped" in page.text
    assert page.form("Stop trading").action == STOP


@pytest.mark.parametrize(
    ("grant", "why"),
    [({"read_only": True}, "may only look"), ({"limits": Limits(accounts=("Sim101",))}, "Stop is for everything")],
    ids=["read-only", "limited"],
)
def test_a_session_that_may_not_stop_is_told_so_beforehand_and_the_way(
    service: Service, grant: dict[str, object], why: str
) -> None:
    visitor = Visitor(service, **grant)
    assert 'disabled title="This session' in visitor.get("/console").markup
    assert why in visitor.get(STOP).text
    refused = visitor.post(STOP)
    assert refused.status == 403
    assert why in refused.text
    assert "orderhook kill-switch on" in refused.text
    assert not stopped(service)


def test_the_entries_are_cancelled_one_by_one_and_legs_of_what_is_filled_stay(service: Service) -> None:
    visitor = Visitor(service)
    service.place("one", **BRACKET)
    service.place("two")
    service.place("filled", **BRACKET)
    service.report("Filled", 5, order_id="filled")
    page = stop(visitor)
    assert "Entries that work: 2" in page.text
    done = cancel_entries(visitor)
    assert "What became of the 2 cancels" in done.text
    assert len(re.findall(r"✓ ?cancelled . ?Cancelled", done.text)) == 2
    assert "No entry works." in done.text
    assert [service.state(order_id) for order_id in ("one", "two")] == ["Cancelled", "Cancelled"]
    assert sorted(service.open_orders()) == ["filled.STOP1", "filled.TARGET1"]


def test_of_several_cancels_those_without_a_record_are_named(service: Service) -> None:
    visitor = Visitor(service)
    for order_id in ("one", "two", "three"):
        service.place(order_id)
    stop(visitor)
    service.network.records_meet = in_requests_with("one", refuse("ValidationException"))
    text = cancel_entries(visitor).text
    told = text[text.index("What became of the 3 cancels") : text.rindex("Entries that work")]
    assert "1 cancel left no record" in told
    assert len(re.findall(r"✓ ?cancelled . ?Cancelled", told)) == 2
    assert len(re.findall(r"one ! ?no record . ?Cancelled", told)) == 1


def test_the_form_again_cancels_nothing_new_and_shows_what_it_did(service: Service) -> None:
    visitor = Visitor(service)
    service.place("one")
    stop(visitor)
    form = visitor.get(STOP).form("Cancel the 1 entry")
    visitor.send(form)
    service.turn("off")
    service.place("later")
    again = visitor.send(form)
    assert "What became of the cancel" in again.text
    assert service.state("later") == "Working"


def test_a_limited_session_cancels_the_entries_that_it_reaches(service: Service) -> None:
    service.place("mine")
    service.place("other", account="Sim102")
    visitor = Visitor(service, limits=Limits(accounts=("Sim101",)))
    assert "Trading is not stopped" in visitor.get(STOP).text
    assert "other" not in visitor.get(STOP).text
    cancel_entries(visitor)
    assert [service.state(order_id) for order_id in ("mine", "other")] == ["Cancelled", "Working"]


def test_an_entry_that_was_written_after_stop_says_so(service: Service) -> None:
    visitor = Visitor(service)
    stop(visitor)
    service.have_order("Working", "late")
    assert "Written after Stop" in visitor.get(STOP).text


def test_with_a_venue_the_cancel_is_asked_for_and_not_done(service: Service) -> None:
    service.use_venue()
    service.place("one")
    visitor = Visitor(service)
    stop(visitor)
    done = cancel_entries(visitor)
    assert "cancel pending" in done.text
    assert "cancelled" not in done.text.replace("stay cancelled", "")
    assert "cancel asked" in done.text


def test_flatten_everything_takes_a_second_press_and_is_asked_for(service: Service) -> None:
    service.use_venue()
    service.place("one")
    visitor = Visitor(service)
    page = stop(visitor)
    assert "/console/stop/flatten" in page.links
    assert not [form for form in page.forms if "Flatten" in form.labels]
    form = visitor.get("/console/stop/flatten").form("Flatten everything now")
    done, again = visitor.send(form), visitor.send(form)
    assert "Flatten everything: accepted" in done.text
    assert "it is done where its positions say FLAT" in done.text
    assert done.text == again.text
    records = service.services_of_operator().alert_log.newest(service.trader)
    assert [record.command for record in records].count("FLATTENEVERYTHING") == 1


def test_without_a_venue_nothing_is_there_to_flatten(service: Service) -> None:
    visitor = Visitor(service)
    assert "/console/stop/flatten" not in stop(visitor).links
    assert visitor.get("/console/stop/flatten").status == 404


def test_start_takes_its_word_alone_and_once(service: Service) -> None:
    visitor = Visitor(service)
    stop(visitor)
    wrong = start(visitor, "stop")
    assert (wrong.status, stopped(service)) == (400, True)
    assert "that was not START" in wrong.text
    form = visitor.get(START).form("Start trading")
    begun = visitor.send(form, word=" start ")
    assert not stopped(service)
    assert "Trading is not stopped" in begun.text
    stop(visitor)
    assert "Trading is stopped" in visitor.send(form, word="START").text
    assert stopped(service)


def test_a_strict_switch_says_that_cancels_by_alerts_are_refused_and_cancels_here(service: Service) -> None:
    service.set_strict_kill_switch(strict=True)
    service.place("one")
    visitor = Visitor(service)
    assert "Cancels and closes by alerts and by the API are refused too" in stop(visitor).text
    assert service.cancel("one").body["error"] == "kill_switch_on"
    cancel_entries(visitor)
    assert service.state("one") == "Cancelled"


def test_start_by_a_page_of_before_a_later_stop_starts_nothing(service: Service) -> None:
    visitor = Visitor(service)
    stop(visitor)
    stale = visitor.get(START).form("Start trading")
    service.turn("off")
    service.pass_time(3600)
    service.turn("on")
    told = visitor.send(stale, word="START")
    assert (told.status, stopped(service)) == (409, True)
    assert "Nothing was started. Trading was stopped anew after this page was made" in told.text
    assert "Trading is not stopped" in visitor.send(told.form("Start trading"), word="START").text
    assert not stopped(service)


def test_start_beside_a_later_stop_starts_nothing(service: Service) -> None:
    visitor = Visitor(service)
    stop(visitor)
    form = visitor.get(START).form("Start trading")

    def stop_anew() -> None:
        service.controls.turn_off(provenance(service.trader, "starts"), lambda _: None)
        service.controls.turn_on(provenance(service.trader, "stops"))

    service.network.inject(UPDATE, run_before(stop_anew))
    told = visitor.send(form, word="START")
    assert (told.status, stopped(service)) == (409, True)
    assert "Nothing was started. Trading was stopped anew after this page was made" in told.text


def test_start_sent_again_starts_nothing_where_no_records_are_kept(service: Service) -> None:
    service.record_nothing()
    visitor = Visitor(service)
    stop(visitor)
    form = visitor.get(START).form("Start trading")
    visitor.send(form, word="START")
    assert not stopped(service)
    for seconds in (5, 3600):
        service.pass_time(seconds)
        stop(visitor)
        assert "Trading is stopped" in visitor.send(form, word="START").text
        assert stopped(service)
        service.turn("off")


def test_a_locked_switch_shows_who_locked_it_and_only_the_line_opens_it(service: Service) -> None:
    visitor = Visitor(service)
    stop(visitor)
    form = visitor.get(START).form("Start trading")
    service.services_of_operator().controls.turn_on(provenance(service.trader, "locks"), lock=True)
    page = visitor.get(START)
    assert "Stopped and locked since" in page.text
    assert "orderhook kill-switch off" in page.text
    assert "Type START" not in page.text
    refused = visitor.send(form, word="START")
    assert "Not started" in refused.text
    assert stopped(service)


def test_a_limited_session_does_not_start(service: Service) -> None:
    service.turn("on")
    visitor = Visitor(service, limits=Limits(max_qty=1))
    assert "Start is for everything" in visitor.get(START).text
    visitor.post(START, word="START", once=32 * "a")
    assert stopped(service)
