"""Several looks at a time, over the real engine: what there is to tell is told once."""

from collections import Counter

import pytest

import notify
import reports
from orderhook.aws.doorbell import LOOK
from orderhook.orders import timestamp
from tests.engine.test_console_races import at_once
from tests.integration.test_venue_reports import deliver, have, say
from tests.service import Service
from tests.telling import Telling

ROUNDS, LOOKS = 4, 6


@pytest.fixture
def telling(service: Service, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
    service.use_venue()
    return Telling.set_up(service, monkeypatch)


def look() -> object:
    return notify.handler({"Records": [{"messageId": "m", "body": LOOK}]}, None)


def test_what_many_looks_at_a_time_find_is_told_once(service: Service, telling: Telling) -> None:
    have(service, state="Working")
    telling.begin()
    expected = Counter[str]()
    for number in range(1, ROUNDS + 1):
        for order_id in ("a", "b"):
            service.cancel(f"{order_id}-{number}")
        service.turn("on" if number % 2 else "off")
        deliver(service, *(say("Working", order_id=f"n-{number}-{it}", seq=number) for it in range(5)))
        service.let_pass(75)
        service.hear_bridge()
        telling.set(test=f"t-{number}", test_at=timestamp(service.queue.now))
        service.clock.run()
        assert at_once(*[look] * LOOKS) == [{"batchItemFailures": []}] * LOOKS
        look()
        turned = "kill_switch_on" if number % 2 else "kill_switch_off"
        expected += Counter({"test": 1, "order_not_found": 1, "unattached": 5, turned: 1})
        listed = Counter(telling.codes)
        claimed = Counter(it.title.partition(":")[0] for it in telling.told())
        assert claimed == expected
        assert listed <= expected
        assert sum(mail.count("2 alerts were refused") for mail in telling.mails) == number
        assert {it.state for it in telling.told()} == {"sent"}
