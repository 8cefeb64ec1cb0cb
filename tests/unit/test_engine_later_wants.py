"""The engine where something is asked of an order after a refusal, an end, or what was not done yet."""

import pytest

from bridge import oif
from bridge.events import ConnectionRead
from orderhook.orders import OrderState
from tests.bridge import Desk, want
from tests.unit.test_engine_sequences import LONG, work


@pytest.fixture
def desk() -> Desk:
    return Desk().start()


def test_a_replacement_is_opened_in_its_own_time_whatever_is_asked_after_it(desk: Desk) -> None:
    shown = work(desk, qty=2, legs={})._replace(order_type="MARKET", limit_price=None)
    desk.look(shown._replace(want=want(desk, 2, "replace")))
    assert desk.take() == [oif.cancel(LONG)]
    desk.say(LONG, "CANCELLED")
    desk.tell(ConnectionRead(connected=False))
    desk.wait(26)
    desk.look(shown._replace(qty=1, want=want(desk, 3, "change")))
    desk.wait(25)
    desk.tell(ConnectionRead(connected=True))
    desk.look(shown._replace(qty=1, want=want(desk, 3, "change")))
    desk.wait(1)
    assert desk.take() == []
    told = desk.last("long")
    assert (told.state, told.reason) == (OrderState.CANCELLED, "not replaced: too late: the bridge was away")
