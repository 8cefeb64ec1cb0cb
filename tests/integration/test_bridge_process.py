"""The real `orderhook bridge run`, in a process of its own, is killed amid work: nothing is doubled, nothing lost.

`make prove` kills it fifty times, amid more kinds of work (verification/venue/kills.py).
"""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderhook.orders import Order
from tests import oif_reader
from tests import trading as bridged
from tests.local_server import PATIENCE_SECONDS
from tests.marks import LONG
from tests.service import Service
from tests.trading import Trading

SETTLED_SECONDS = 2 * PATIENCE_SECONDS
"""What nobody can know is `unresolved` after a minute, and no machine is so slow that this is not enough."""

ENTRY = {
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": 1,
    "order_type": "MARKET",
    "tif": "DAY",
}


@pytest.fixture
def trading(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trading]:
    with bridged.trading(service, tmp_path, monkeypatch) as trading:
        yield trading


@LONG
def test_a_bridge_process_that_is_killed_amid_work_doubles_and_loses_nothing(trading: Trading) -> None:
    for number in range(4):
        trading.start()
        answer = trading.send("PLACE", order_id=f"long-{number}", **ENTRY)
        assert answer.body["status"] == "placed", answer.body
        read = len(trading.paper.lines)
        # The kill comes as far along as the loop has got by then: that what is asserted below holds wherever it is.
        trading.until_read(read + number % 2)
        trading.kill()
    process = trading.start()
    # Between the journal's entry and the file nobody can know what came of an order: after a minute it is `unresolved`.
    trading.until(lambda: all(is_settled(order) for order in trading.service.placed()), SETTLED_SECONDS)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "The bridge has stopped." in printed) == (0, True), printed
    trading.until(lambda: not trading.is_ready())
    placed = Counter(it.order_id for it in map(oif_reader.read_line, trading.paper.lines) if it.command == "PLACE")
    filled = trading.states().count("Filled")
    assert set(placed.values()) == {1}
    # Of what is unresolved no line was read: each that was has filled, and is told of.
    assert (len(placed), trading.paper.positions["Sim101", "ES 12-26"].quantity) == (filled, filled)
    assert filled >= 2


def is_settled(order: Order) -> bool:
    return bool(order.unresolved) or order.state in ("Filled", "Rejected")
