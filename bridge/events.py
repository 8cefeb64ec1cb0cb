"""What the engine is told, and what it asks for: the seam between deciding and doing. Plain data.

No event carries a time: that comes beside it (`engine.step(state, event, at)`), AWS's time, UTC.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from orderhook.bridge_messages import Heartbeat, InstructionReport, OrderReport, PositionReport, Side
from orderhook.instructions import Instruction
from orderhook.orders import Order

# What the engine is told


class Looked(NamedTuple):
    """The table was read: every open order of this trader and venue, then the controls."""

    orders: Sequence[Order]
    kill_switch: bool
    owner: str | None
    """The id of the journal of the bridge that owns the stack; None where none does."""
    unreadable: Sequence[str] = ()
    """The ids of the orders that could not be read: of a newer version, say. They are not taken for finished."""
    began_at: datetime | None = None
    """When the reading began: what came into the table since then may be missing. None is when it is told."""
    owned_since: str | None = None
    """Since when the owner is that, without another one in between."""
    instructions: Sequence[Instruction] = ()
    """What is asked of positions and has no result yet."""


class Fetched(NamedTuple):
    """One order was read by its id, because it has left the listing: None where there is none."""

    order_id: str
    order: Order | None


class FileWritten(NamedTuple):
    """The file of an instruction is in `incoming`."""

    name: str


class FileNotWritten(NamedTuple):
    """The file could certainly not be created: nothing of it was there."""

    name: str
    reason: str


class FileConsumed(NamedTuple):
    """NinjaTrader has taken the file: it is gone from `incoming`."""

    name: str


class FileMovedOut(NamedTuple):
    """The file was still there after 2 s, or at start, and was moved out of `incoming`: NinjaTrader has not read it."""

    name: str


class OrderStateRead(NamedTuple):
    """An order's state file, read whole."""

    venue_id: str
    account: str | None
    state: str
    """As NinjaTrader writes it, upper case without blanks: WORKING, PARTFILLED, FILLED, CANCELLED ..."""
    filled: int
    average: Decimal | None
    written_since_start: bool = True
    """False for one from before NinjaTrader's start: what has become of the order since, nobody knows."""


class PositionRead(NamedTuple):
    """A position file, read whole; `written_since_start` is False for one from before NinjaTrader's start."""

    account: str
    instrument: str
    side: Side
    quantity: int
    average: Decimal | None
    written_since_start: bool = True


class ConnectionRead(NamedTuple):
    """Whether NinjaTrader says of a connection that it is CONNECTED."""

    connected: bool


class NinjaTraderStarted(NamedTuple):
    """NinjaTrader runs; `emptied` unless it is the run that the folder was last read in, by an earlier bridge too."""

    emptied: bool = True
    """Whether it was started since, so that `outgoing` was emptied: no position is known."""


class NinjaTraderStopped(NamedTuple):
    """NinjaTrader does not run."""


class LogLine(NamedTuple):
    """A line of NinjaTrader's log that names an order of ours, or a refused file."""

    venue_id: str | None
    text: str
    is_error: bool


class FlatConfirmed(NamedTuple):
    """A person has said that an account is flat (`orderhook bridge confirm`)."""

    account: str


class Resumed(NamedTuple):
    """A person has said that an account and instrument may open again (`orderhook bridge resume`)."""

    account: str
    instrument: str


class Tick(NamedTuple):
    """Time has passed."""


Event = (
    Looked
    | Fetched
    | FileWritten
    | FileNotWritten
    | FileConsumed
    | FileMovedOut
    | OrderStateRead
    | PositionRead
    | ConnectionRead
    | NinjaTraderStarted
    | NinjaTraderStopped
    | LogLine
    | FlatConfirmed
    | Resumed
    | Tick
)

# What the engine asks for, in this order: whoever does it stops at the first that fails


class Save(NamedTuple):
    """Write these records into the journal, durably, before anything that follows."""

    records: Mapping[str, object]
    """By their ids; None removes one."""


class WriteFile(NamedTuple):
    """Create one instruction file in `incoming`; answered by FileWritten or FileNotWritten."""

    name: str
    line: str


class MoveOut(NamedTuple):
    """Move a file that NinjaTrader has not taken out of `incoming`; answered by FileMovedOut or FileConsumed."""

    name: str
    is_kept: bool = True
    """Whether a person may want to see it."""


class Fetch(NamedTuple):
    """Read one order by its id; answered by Fetched."""

    order_id: str


class Look(NamedTuple):
    """Read the table at once."""


class SendReport(NamedTuple):
    """Send a report; it is kept in the journal until the queue has taken it."""

    what: OrderReport | InstructionReport | PositionReport | Heartbeat


class Alarm(NamedTuple):
    """Tell a person now: print it, and log it. The cloud hears of it by a report, or by the heartbeat."""

    code: str
    detail: str


Effect = Save | WriteFile | MoveOut | Fetch | Look | SendReport | Alarm
