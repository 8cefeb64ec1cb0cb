"""Flatten everything, before it is pressed: what is held, as the bridge says it."""

from decimal import Decimal

from orderhook.bridge_messages import PositionReport
from orderhook.orders import timestamp
from tests.console_pages import get, text_of
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
