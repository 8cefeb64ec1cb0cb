"""What the stand-in can be told to do at its worst. The letters are those of `paper`."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(slots=True)
class Misbehaviour:
    """What NinjaTrader does at its worst; everything is off at first, and may be turned on and off at any time."""

    leaves_files: bool = False
    """M: a file in `incoming` is not read; one that lies there is read much later."""
    writes_halves: bool = False
    """I: an update file is met half written, without a line end; the rest follows 0.1 s later."""
    position_files_after: timedelta = timedelta(0)
    """C: a position file is written later than the state of the order that moved it."""
    has_no_data: bool = False
    """M: no market data: orders are rejected after 21 s."""
    fills_overtake_cancels: bool = False
    """D: an order that is being cancelled is filled first."""
    fills_overtake_changes: bool = False
    """D: an order that is being changed is filled first, as it was before."""
    refuses_changes: bool = False
    """C: a change is refused, in the log alone: the order works on as it was."""
    rejects_stops: bool = False
    """C: a stop is rejected."""
    stop_fills_during_close: bool = False
    """C: a stop fills while CLOSEPOSITION is under way, which sells the position a second time."""
    keeps_oco_partner: bool = False
    """I: what fills in part leaves the size of its OCO partner as it is."""
    fills_at_most: int | None = None
    """D: how much is filled at a time; the rest follows as the market moves."""
    part_filled: str = "PARTFILLED"
    """C: or PARTIALLYFILLED."""
