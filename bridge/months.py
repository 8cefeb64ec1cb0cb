"""The other months of a future: `ES1!` means the front month, and an older one may be held since a roll."""

from bridge.pairs import pair, reaches, root_of
from bridge.positions import known_pairs, may_be_open
from bridge.state import Position, Turn
from orderhook import instruments
from orderhook.conditions import Conditions
from orderhook.orders import folded


def months_to_close(turn: Turn, conditions: Conditions, account: str, instrument: str) -> list[str]:
    """Return the other months that are closed before something is done in this one: those held or worked, or unknown.

    What has expired is not held, though nobody has said so.
    """
    others = (it for it in _others(turn, conditions, account, instrument) if may_be_open(turn, it, None))
    return [it.instrument for it in others if not (it.side == "UNKNOWN" and _is_past(turn, it))]


def why_other_month(turn: Turn, conditions: Conditions, account: str, instrument: str) -> str | None:
    """Return which other months are held than the one that an alert means, and what to do; None where none is."""
    others = _others(turn, conditions, account, instrument)
    held = sorted(it.instrument for it in others if it.side in ("LONG", "SHORT"))
    if not held:
        return None
    verb, them = ("is", "it") if len(held) == 1 else ("are", "them")
    return (
        f"{' and '.join(held)} {verb} held, {instrument} is the front month: close {them} by CLOSEPOSITION "
        f"{conditions.root}1!"
    )


def _others(turn: Turn, conditions: Conditions, account: str, instrument: str) -> list[Position]:
    if conditions.root is None:
        return []
    own, root = pair(turn.at, account, instrument), folded(conditions.root)
    return [
        it
        for it in known_pairs(turn)
        if folded(it.account) == folded(account)
        and root_of(turn.at, it.instrument) == root
        and pair(turn.at, account, it.instrument) != own
        and reaches(conditions.instruments, it.instrument, turn.at)
    ]


def _is_past(turn: Turn, position: Position) -> bool:
    contract = instruments.parse(position.instrument, turn.at.date())
    return contract is not None and instruments.expired(contract, turn.at.date())
