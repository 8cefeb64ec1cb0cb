"""A close whose bridge ends between any two things that it does, and goes on from its journal."""

from decimal import Decimal

from bridge import oif
from bridge.events import (
    ConnectionRead,
    Effect,
    FileConsumed,
    FileMovedOut,
    FileWritten,
    MoveOut,
    NinjaTraderStarted,
    WriteFile,
)
from orderhook.instructions import Instruction
from orderhook.orders import Leg, Order, OrderState
from tests.bridge import Desk, asked, order, placed

LONG = oif.venue_id("request-long", 1)
BRACKET = {"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990)), "TARGET1": Leg("LIMIT", limit_price=Decimal(5010))}


class CrashError(Exception):
    """The bridge ends here."""


class Venue(Desk):
    """A desk with a NinjaTrader that takes a file a moment later, and a bridge that ends before its `left`-th act."""

    left = 1000
    position = 0

    def __init__(self) -> None:
        super().__init__()
        self.incoming: dict[str, str] = {}
        self.states: dict[str, tuple[str, int]] = {}
        self.closed: list[int] = []
        """The position that each CLOSEPOSITION has met."""
        self._filling: list[int] = []
        """What NinjaTrader's own orders are about to close, one moment after the other."""

    def _do(self, effects: list[Effect]) -> list[Effect]:
        for effect in effects:
            self.left -= 1
            if self.left == 0:
                raise CrashError
            super()._do([effect])
            match effect:
                case WriteFile(name, line):
                    self.incoming[name] = line
                    self.tell(FileWritten(name))
                case MoveOut(name):
                    was_there = self.incoming.pop(name, None)
                    self.tell(FileMovedOut(name) if was_there else FileConsumed(name))
        return effects

    def pass_on(self, *shown: Order | Instruction) -> None:
        """Let NinjaTrader take what lies there, do it, and say so; then show the table."""
        taken, self.incoming = self.incoming, {}
        said: list[str] = []
        held = self.position
        self.position -= self._filling.pop(0) if self._filling else 0
        for line in taken.values():
            fields = placed(line)
            match fields["command"]:
                case "PLACE":
                    is_market = fields["order_type"] == "MARKET"
                    qty = int(fields["qty"])
                    self.position += (qty if fields["action"] == "BUY" else -qty) * is_market
                    self.states[fields["order_id"]] = ("FILLED", qty) if is_market else ("WORKING", 0)
                    said.append(fields["order_id"])
                case "CANCEL" if self.states.get(fields["order_id"], ("",))[0] == "WORKING":
                    self.states[fields["order_id"]] = ("CANCELLED", 0)
                    said.append(fields["order_id"])
                case "CLOSEPOSITION":
                    self.closed.append(self.position)
                    self._filling += [0, 0, 0, self.position]
        for name in taken:
            self.tell(FileConsumed(name))
        for venue_id in said:
            self.say_state(venue_id)
        if self.position != held:
            self.say_position()
        self.look(*shown)
        self.wait(0.5)

    def say_state(self, venue_id: str) -> None:
        state, filled = self.states[venue_id]
        self.say(venue_id, state, filled, "5000" if filled else None)

    def say_position(self) -> None:
        self.hold("LONG" if self.position > 0 else "SHORT" if self.position else "FLAT", abs(self.position))

    def begin_again(self) -> None:
        """Start from the journal, as the loop does: own files are taken back, and the folder is read anew."""
        self.left = 1000
        there, self.incoming = self.incoming, {}
        self.crash()
        self.state = self.state._replace(has_read=False)
        for name in there:
            self.tell(FileMovedOut(name))
        self.tell(NinjaTraderStarted(emptied=False))
        for venue_id in self.states:
            self.say_state(venue_id)
        self.say_position()
        self.tell(ConnectionRead(connected=True))


def closed_after_crash(before: int) -> Venue | None:
    """Return a venue whose long position was closed, the bridge having ended before its so many-th act, or None."""
    venue = Venue()
    venue.tell(NinjaTraderStarted())
    venue.tell(ConnectionRead(connected=True))
    shown = order(venue, legs=BRACKET, qty=2)
    for _ in range(8):
        venue.pass_on(shown)
    assert (venue.position, [it for it, _ in venue.states.values()]) == (2, ["FILLED", "WORKING", "WORKING"])
    shown = shown._replace(state=OrderState.FILLED)
    closing = asked(venue)
    venue.left = before
    has_crashed = False
    for _ in range(60):
        try:
            venue.pass_on(shown, closing)
        except CrashError:
            has_crashed = True
            venue.begin_again()
    return venue if has_crashed else None


def test_a_bridge_that_ends_before_any_act_closes_what_is_open_once() -> None:
    for before in range(1, 1000):
        if (venue := closed_after_crash(before)) is None:
            break
        closed = [it for it in venue.closed if it]
        assert (venue.position, closed, venue.result()) == (0, [2], "done"), before
        assert len(venue.closed) <= 2, before
        assert {state for state, _ in venue.states.values()} == {"FILLED", "CANCELLED"}, before
        assert not venue.state.blocks, before
    assert before > 20
