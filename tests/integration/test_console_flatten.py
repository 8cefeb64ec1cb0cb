"""Flatten everything, before it is pressed: what is held, as the bridge says it."""

from dataclasses import replace
from decimal import Decimal

from orderhook.bridge_messages import PositionReport
from orderhook.console.pages import flatten
from orderhook.grants import Grant
from orderhook.limits import Limits
from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.writes import Put
from tests.console_pages import get, text_of, visit_of
from tests.marks import OF_PAGES
from tests.service import Service

pytestmark = OF_PAGES


def test_what_would_be_closed_is_said_with_its_side_and_what_is_unknown_is_not_flat(service: Service) -> None:
    service.use_venue()
    at = timestamp(service.queue.now)
    for number, side in enumerate(("LONG", "SHORT", "FLAT", "UNKNOWN")):
        quantity = 0 if side in ("FLAT", "UNKNOWN") else number + 1
        position = PositionReport("Sim101", f"ES {number}", side, quantity, Decimal(5000), at)  # type: ignore[arg-type]
        service.services.bridge.put_position(service.trader, position)
    page = text_of(get(service, "/console/stop/flatten"))
    assert "close 3 positions at the market" in page
    assert "Sim101 ES 0 LONG 1" in page
    assert "Sim101 ES 1 SHORT 2" in page
    assert "Sim101 ES 2" not in page
    assert "UNKNOWN (not flat)" in page
    assert "Flatten everything: 3 positions" in text_of(get(service, "/console/stop"))


def test_a_position_that_this_version_cannot_read_takes_stop_from_nobody(service: Service) -> None:
    service.use_venue()
    at = timestamp(service.queue.now)
    service.services.bridge.put_position(service.trader, PositionReport("Sim101", "ES", "LONG", 1, Decimal(5000), at))
    key = items.position_key(service.trader, "Sim102", "ES")
    service.services.table.put(Put({**key, "account": "Sim102", "instrument": "ES", "quantity": "some"}))
    assert "Flatten everything: 1 position" in text_of(get(service, "/console/stop"))
    assert "close 1 position at the market" in text_of(get(service, "/console/stop/flatten"))


def test_a_limited_session_is_shown_no_position_beyond_its_limits(service: Service) -> None:
    service.use_venue()
    at = timestamp(service.queue.now)
    for account in ("Sim101", "Sim102"):
        service.services.bridge.put_position(service.trader, PositionReport(account, "ES", "LONG", 1, None, at))
    visit = visit_of(service, "/console/stop/flatten")
    grant = Grant(service.trader, limits=Limits(accounts=("Sim101",)))
    page = text_of(flatten.page(replace(visit, session=visit.session._replace(grant=grant))))
    assert "Sim101 ES" in page
    assert "Sim102" not in page
