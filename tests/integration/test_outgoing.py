"""What becomes of a message on its way out: by a real HTTPS server in the place of each service, and by SNS."""

import logging
import signal
import socket
from typing import Any

import pytest

from orderhook.aws.budget import OutOfTimeError
from orderhook.bridge_messages import Heartbeat
from orderhook.needs import Need
from orderhook.notifying import channels, https, looking
from orderhook.orders import timestamp
from orderhook.store.notices import AGAIN_AFTER, MOST_TRIES
from tests.api import Api
from tests.faults import Stopped
from tests.integration.conftest import Run
from tests.integration.test_notifying import by_report
from tests.integration.test_venue_reports import deliver, say
from tests.integration.test_what_needs_a_person import Console
from tests.marks import OF_MESSAGES
from tests.outgoing import CANARY, MARKUP, URLS, Does, Outgoing
from tests.service import Service
from tests.telling import Telling, broken, codes_of, lose_answer, refuse_connection, throttled

pytestmark = OF_MESSAGES

FAILED = ["Notifications", "NotificationsFailed"]
every_service = pytest.mark.parametrize("name", list(URLS))


@pytest.fixture
def need(service: Service, telling: Telling) -> None:
    """Something that there is to tell, by a webhook alone."""
    telling.set(email=False)
    by_report("overfill")(service)
    service.output.take()


def state(telling: Telling) -> tuple[str, str | None, int]:
    [it] = telling.told()
    return it.state, it.reason, it.tries


@every_service
@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.usefixtures("need")
def test_each_service_takes_what_is_posted(telling: Telling, outgoing: Outgoing, name: str, status: int) -> None:
    outgoing.status = status
    telling.set(name)
    telling.look()
    assert [(it.service, list(codes_of(it.text))) for it in outgoing.posted] == [(name, ["overfill"])]
    assert state(telling) == ("sent", None, 1)
    assert telling.metrics() == ["Notifications"]


@pytest.mark.parametrize("status", [302, 307, 401, 404, 500])
@pytest.mark.usefixtures("need")
def test_what_is_refused_or_sent_elsewhere_failed_and_is_not_repeated(
    telling: Telling, outgoing: Outgoing, status: int
) -> None:
    outgoing.status, outgoing.location = status, URLS["discord"]
    telling.set("discord")
    telling.look()
    telling.look(later=60)
    assert (outgoing.connections, len(outgoing.posted)) == (1, 1)
    assert state(telling) == ("failed", f"it was answered {status}", 1)
    assert telling.metrics() == FAILED


@every_service
@pytest.mark.usefixtures("need")
def test_what_a_service_takes_none_of_now_is_tried_three_times(telling: Telling, outgoing: Outgoing, name: str) -> None:
    outgoing.status = 429
    telling.set(name)
    for _ in range(MOST_TRIES + 1):
        telling.look(later=31)
    assert len(outgoing.posted) == MOST_TRIES
    assert state(telling) == ("not reached", "it was answered 429", MOST_TRIES)


def test_what_is_said_again_and_again_is_tried_three_times_too(
    service: Service, telling: Telling, outgoing: Outgoing
) -> None:
    outgoing.status = 429
    telling.set("discord", email=False)
    for _ in range(MOST_TRIES + 2):
        at = timestamp(service.queue.now)
        deliver(service, Heartbeat("j1", "PC", ("Sim101",), ready=True, at=at, alarms=["unreadable: order a"]))
        telling.look(later=31)
    assert len(outgoing.posted) == MOST_TRIES
    outgoing.status = 200
    telling.look(later=AGAIN_AFTER.total_seconds())
    assert state(telling) == ("sent", None, 1)


@pytest.mark.usefixtures("need")
def test_what_nobody_has_got_is_told_when_the_service_is_there_again(telling: Telling, outgoing: Outgoing) -> None:
    outgoing.status = 429
    telling.set("slack")
    telling.look()
    outgoing.status = 200
    telling.look()
    assert len(outgoing.posted) == 1
    telling.look(later=31)
    telling.look(later=31)
    assert len(outgoing.posted) == 2
    assert state(telling) == ("sent", None, 2)


@pytest.mark.parametrize("does", ["wrong host", "unknown authority", "plain http"])
@pytest.mark.usefixtures("need")
def test_whoever_has_no_good_certificate_gets_nothing(telling: Telling, outgoing: Outgoing, does: Does) -> None:
    outgoing.does = does
    telling.set("slack")
    telling.look()
    assert (outgoing.posted, outgoing.connections) == ([], 1)
    assert state(telling)[::2] == ("not reached", 1)
    assert state(telling)[1] in ("SSLCertVerificationError", "SSLError")


@pytest.mark.usefixtures("need")
def test_a_host_that_nobody_knows_is_not_reached(
    telling: Telling, outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", unknown_host)
    telling.set("discord")
    telling.look()
    assert state(telling) == ("not reached", "gaierror", 1)
    assert outgoing.connections == 0


def unknown_host(*_: Any, **__: Any) -> Any:
    raise socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize("does", ["close", "break tls"])
@pytest.mark.usefixtures("need")
def test_what_breaks_off_after_the_message_is_not_repeated(telling: Telling, outgoing: Outgoing, does: Does) -> None:
    outgoing.does = does
    telling.set("discord")
    telling.look()
    telling.look(later=60)
    assert len(outgoing.posted) == 1
    assert state(telling)[::2] == ("failed", 1)
    assert state(telling)[1] in ("RemoteDisconnected", "SSLError")


@pytest.mark.parametrize("does", ["hang", "drip headers", "drip continue"])
@pytest.mark.usefixtures("need")
def test_whoever_does_not_answer_in_time_is_left_and_told_nothing_again(
    service: Service, telling: Telling, outgoing: Outgoing, does: Does, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.clock.ring_alarms()
    set_timer, asked = signal.setitimer, list[float]()

    def note(which: int, seconds: float, interval: float = 0) -> None:
        asked.append(seconds)
        set_timer(which, seconds and 60, interval)

    # The alarm rings as soon as the message is there: a busy machine may be long in getting it there.
    monkeypatch.setattr(signal, "setitimer", note)
    outgoing.posting = lambda: set_timer(signal.ITIMER_REAL, 0.01, 0.01)
    outgoing.does = does
    telling.set("discord")
    telling.look()
    assert outgoing.was_left.wait(60)
    telling.look(later=60)
    assert len(outgoing.posted) == 1
    assert asked == pytest.approx([https.SECONDS, 0, https.SECONDS, 0])  # the clock of the test stands still
    assert state(telling) == ("failed", "there was no answer within 3 s", 1)
    assert telling.metrics() == FAILED


@pytest.mark.usefixtures("need")
def test_whoever_does_not_even_begin_in_time_is_left_and_tried_again(
    service: Service, telling: Telling, outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "SECONDS", 0.5)
    service.clock.ring_alarms()
    outgoing.does = "hang before tls"
    telling.set("discord")
    telling.look()
    assert outgoing.was_left.wait(60)
    assert state(telling) == ("not reached", "there was no answer within 0.5 s", 1)


def test_a_message_has_three_seconds_by_each_way() -> None:
    assert https.SECONDS == 3
    assert channels.client_of("sns").meta.config.read_timeout == 3


@pytest.mark.usefixtures("need")
def test_a_url_that_is_gone_from_ssm_is_not_reached_and_a_strange_one_fails(
    telling: Telling, outgoing: Outgoing
) -> None:
    telling.set(service=None, ends="none")
    telling.service.services.notices.change(telling.service.trader, service="discord")
    telling.look()
    assert state(telling) == ("not reached", "its URL cannot be read: ParameterNotFound", 1)
    telling.set("discord", url="https://discord.com.evil.example/api/webhooks/1/x")
    telling.look(later=31)
    assert state(telling) == ("failed", "its URL is none of a known service: set it again", 2)
    assert outgoing.connections == 0


# E-mail


def begin_too_late(*_: object) -> None:
    raise OutOfTimeError


@pytest.mark.parametrize("fault", [refuse_connection, throttled, begin_too_late])
def test_a_mail_that_surely_was_not_taken_is_sent_again(service: Service, telling: Telling, fault: Any) -> None:
    by_report("unprotected")(service)
    telling.fault = fault
    telling.look()
    assert state(telling)[0] == "not reached"
    telling.fault = None
    telling.look(later=31)
    assert telling.codes == ["unprotected"]
    assert state(telling) == ("sent", None, 2)


@pytest.mark.parametrize("fault", [lose_answer, broken])
def test_a_mail_that_may_have_been_taken_is_not_sent_again(service: Service, telling: Telling, fault: Any) -> None:
    by_report("unprotected")(service)
    telling.fault = fault
    telling.look()
    telling.fault = None
    taken = list(telling.mails)
    telling.look(later=31)
    assert telling.mails == taken
    assert state(telling)[::2] == ("failed", 1)


def test_a_subject_is_short_and_ascii_though_the_stacks_name_is_not(service: Service, telling: Telling) -> None:
    service.monkeypatch.setattr("notify.stack", "Ü" * 128)
    by_report("unprotected")(service)
    telling.look()
    assert telling.subjects == ["?" * 99]


# One way does not hold up the other


@pytest.mark.parametrize("does", ["close", "wrong host"])
def test_a_way_that_fails_holds_up_neither_the_other_nor_its_refused_alerts(
    service: Service, telling: Telling, outgoing: Outgoing, does: Does
) -> None:
    telling.set("discord")
    telling.begin()
    outgoing.posted.clear()
    outgoing.does = does
    service.cancel("a")
    telling.next_minute()
    service.cancel("b")
    telling.next_minute()
    assert telling.codes == ["order_not_found", "order_not_found"]


def test_a_way_that_is_not_reached_is_told_its_refused_alerts_later(
    service: Service, telling: Telling, outgoing: Outgoing
) -> None:
    telling.set("discord", email=False)
    telling.look()
    outgoing.status = 429
    service.cancel("a")
    telling.next_minute()
    outgoing.status = 200
    service.cancel("b")
    telling.next_minute()
    telling.next_minute()
    counted = [text.count("1 alert was refused") for text in outgoing.texts]
    assert counted == [1, 1, 1]
    assert outgoing.texts[0] == outgoing.texts[1] != outgoing.texts[2]


def test_a_defect_in_one_way_is_logged_and_the_other_is_told(
    service: Service, telling: Telling, outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(URLS["discord"])

    telling.set("discord")
    by_report("overfill")(service)
    monkeypatch.setattr("orderhook.notifying.https.post", fail)
    service.output.take()
    telling.look()
    assert telling.codes == ["overfill"]
    assert {(it.channel, it.state, it.reason) for it in telling.told()} == {
        ("e-mail", "sent", None),
        ("discord", "failed", "RuntimeError"),
    }
    assert outgoing.posted == []
    written = service.output.take()
    assert "UnhandledErrors" in written
    assert CANARY not in written


# Hostile ids and labels


@every_service
def test_hostile_words_stay_words_in_messages_of_the_right_length(
    service: Service, telling: Telling, outgoing: Outgoing, name: str
) -> None:
    telling.set(name, email=False)
    needs = []
    for number, text in enumerate(MARKUP.values()):
        order_id = f"{number}{text}"[:64]
        service.have_order(
            "Working", order_id, venue="ninjatrader", account=text[:64], instrument=text[:64], notes="NOTE"
        )
        at = timestamp(service.queue.now)
        needs.append(Need("not_read", "order", order_id, at, text, text, text, f"place-{order_id}"))
        needs.append(Need(text[:60], "order", text[:900], at, text, text, text, text))
    service.services.needs.note(service.trader, needs)
    service.monkeypatch.setattr(looking, "_MOST_CLAIMED", 12)
    for _ in range(4):
        telling.look()
    service.hear_bridge(ready=False, reason="\n".join(MARKUP.values()))
    telling.look()
    service.let_pass(61)
    service.hear_bridge(ready=False, reason="\n".join(MARKUP.values()))
    telling.look()
    assert len(outgoing.posted) == len(needs) // 12 + 1
    assert {it.state for it in telling.told()} == {"sent"}
    for text in outgoing.texts:
        assert "://" not in text
        assert all(character == "\n" or character.isprintable() for character in text)
        assert "NOTE" not in text


# What is in no message


def test_no_message_has_the_notes_or_the_text_of_an_alert(
    service: Service, telling: Telling, outgoing: Outgoing
) -> None:
    telling.set("slack")
    telling.begin()
    outgoing.posted.clear()
    service.place("a", notes="CANARY-N", oco_id="CANARY-O", strategy_id="CANARY-S")
    service.send("CANARY-C", order_id="CANARY-I", notes="CANARY-N", **{"CANARY-F": "CANARY-V"})
    service.cancel("CANARY-I", notes="CANARY-N")
    order = service.order("a")
    assert order is not None
    deliver(service, say("Working", order_id="a", placed_by=order.placed_by, reason="CANARY-R", alarms=["not_read"]))
    telling.next_minute()
    assert set(telling.codes) == {"not_read", "unknown_command", "order_not_found"}
    assert "CANARY" not in repr([telling.mails, telling.subjects, outgoing.posted, telling.told()])


# The URL


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("discord", "answer"),
        ("slack", "close"),
        ("telegram", "break tls"),
        ("discord", "wrong host"),
        ("slack", "plain http"),
        ("telegram", "hang"),
    ],
)
def test_the_url_is_nowhere_but_in_ssm_and_at_its_service(
    service: Service,
    telling: Telling,
    outgoing: Outgoing,
    name: str,
    does: Does,
    run: Run,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    for talkative in ("botocore", "urllib3", "moto"):  # SSM's own answer, which only debugging shows
        caplog.set_level(logging.INFO, talkative)
    monkeypatch.setattr(https, "SECONDS", 0.5)
    service.clock.ring_alarms()
    outgoing.does, outgoing.status = does, 404
    telling.set(name, test="t1", test_at=timestamp(service.queue.now))
    by_report("unprotected")(service)
    telling.look()
    telling.look(later=31)
    console, api = Console(service, monkeypatch), Api(service)
    listed = run("notify", "list"), run("notify", "list", "--json")
    places = {
        "output": service.output.take(),
        "log": caplog.text,
        "table": repr(service.everything()),
        "requests": repr(service.network.requests),
        "mails": repr([telling.mails, telling.subjects]),
        "bodies": repr([it.body for it in outgoing.posted]),
        "command line": repr([(it.output, it.exception) for it in listed]),
        "console": repr([console.get(page)["body"] for page in ("/console", "/console/orders", "/console/keys")]),
        "api": repr([api.send("GET", path).text for path in ("/alerts", "/orders", "/killswitch")]),
    }
    assert [it for it, content in places.items() if CANARY in content] == []


# At most once


@pytest.mark.usefixtures("need")
def test_two_messages_and_two_looks_send_one(telling: Telling, outgoing: Outgoing) -> None:
    telling.set("discord")
    telling.look(messages=10)
    telling.look()
    assert len(outgoing.posted) == 1


@pytest.mark.usefixtures("need")
def test_a_look_in_the_middle_of_another_ones_sending_sends_nothing(telling: Telling, outgoing: Outgoing) -> None:
    telling.set("discord")

    def look_again() -> None:
        outgoing.posting = lambda: None
        looks.append(telling.look())  # type: ignore[func-returns-value]

    looks: list[None] = []
    outgoing.posting = look_again
    telling.look()
    assert (len(outgoing.posted), len(looks)) == (1, 1)
    assert state(telling) == ("sent", None, 1)


def test_a_process_that_ends_before_its_message_leaves_a_claim_that_says_so(service: Service, telling: Telling) -> None:
    def stop(*_: object) -> None:
        raise Stopped

    by_report("unprotected")(service)
    telling.fault = stop
    with pytest.raises(Stopped):
        telling.look()
    telling.fault = None
    telling.look(later=120)
    assert telling.mails == []
    assert state(telling) == ("claimed", None, 1)


def test_a_process_that_ends_after_its_message_sends_it_once(service: Service, telling: Telling) -> None:
    def deliver_and_stop(request: Any, deliver: Any) -> None:
        deliver(request)
        raise Stopped

    by_report("unprotected")(service)
    telling.fault = deliver_and_stop
    with pytest.raises(Stopped):
        telling.look()
    telling.fault = None
    telling.look(later=120)
    assert telling.codes == ["unprotected"]
    assert state(telling) == ("claimed", None, 1)
