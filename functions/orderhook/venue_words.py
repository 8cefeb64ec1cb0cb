"""What the result of an instruction means, and the reason with which a venue's bridge refuses an order.

The words come from the bridge: it decides on positions at the moment of execution, long after the alert was answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Guidance:
    """What a word means, and what to do about it."""

    meaning: str
    what_to_do: str


UNDER_WAY = Guidance(
    "The bridge has not finished it, or is away. Positions and orders may be as before.",
    "Look again in a minute. If it stays so, look at the bridge on the trader's PC: `orderhook bridge status`. If it "
    "is gone, act in NinjaTrader itself, then say here what became of it: `orderhook resolve ID done`, or `failed`.",
)
"""Of an instruction without a result."""

INSTRUCTION_RESULTS: Mapping[str, Guidance] = MappingProxyType(
    {
        "done": Guidance(
            "NinjaTrader was seen to have done it: where a position was to be closed, its position file says so. Of "
            "positions that the reason names NinjaTrader has said nothing, as where there are none.",
            "Nothing. `orderhook positions` shows what the accounts hold. If the reason names positions, and "
            "NinjaTrader shows one of them, close it there.",
        ),
        "no_position": Guidance(
            "There was no position to do it to, so nothing was sent. Or nobody knew whether there is one: then "
            "NinjaTrader was told to close it, has said nothing of it, as where there is none, and the reason names "
            "it.",
            "Nothing, if a target or stop may have been faster. Otherwise compare account and instrument with "
            "`orderhook positions`. If the reason names positions, and NinjaTrader shows one of them, close it there.",
        ),
        "blocked": Guidance(
            "The bridge could not begin it, or may not: the reason says why. Nothing was sent.",
            "Do what the reason asks for. If entries of this account and instrument are blocked, see what went wrong "
            "with the close before, put it right in NinjaTrader, then `orderhook bridge resume ACCOUNT INSTRUMENT`.",
        ),
        "failed": Guidance(
            "It was tried, and NinjaTrader was not seen to have done it. The position may be open, or another than "
            "the alert wanted.",
            "Look into NinjaTrader now, and do by hand what is missing. No command is sent again by itself, and "
            "entries of the account and instrument may be blocked until `orderhook bridge resume`.",
        ),
        "too_late": Guidance(
            "The bridge was away when it came, and it could have opened a position. Nothing was sent.",
            "Send the alert again if you still want it.",
        ),
        "superseded": Guidance(
            "A later alert that closes has ended it, or somebody has resolved it, before it was carried out in full.",
            "Nothing, if the later alert is what you want. `orderhook positions` shows what the accounts hold.",
        ),
        "unresolved": Guidance(
            "Nobody can know what has become of it: NinjaTrader has told nothing of it, the bridge was stopped while "
            "it was sent, or another bridge may have sent it. The reason says which.",
            "Look into NinjaTrader now, and put right there what is not as you want it.",
        ),
    }
)
"""The results of an instruction."""

INSTRUCTION_REASONS: Mapping[str, Guidance] = MappingProxyType(
    {
        "blocked: the position is not settled": Guidance(
            "A market order or a fill was under way for 2 seconds, so nobody knew how much is open. Nothing was sent.",
            "Look whether the market order was filled, then send the alert again if you still want it.",
        ),
        "blocked: the position is": Guidance(
            "The position is not on the side that the alert asks for, so nothing was sent.",
            "Nothing: that is what the alert asks. `orderhook positions` shows what the accounts hold.",
        ),
        "blocked: position_unknown": Guidance(
            "NinjaTrader has not told the position since it was started, and what is to be done depends on it, so "
            "nothing was sent.",
            "Look into NinjaTrader. If the account holds nothing: `orderhook bridge confirm ACCOUNT flat`, on its PC. "
            "Otherwise do by hand what was to be done.",
        ),
        "blocked: several months are held": Guidance(
            "The alert names an instrument without its month, and the account holds several months of it, so nobody "
            "knows which is meant. Nothing was sent.",
            "Send it again for each month, such as `instrument=ES 12-26`.",
        ),
        "unresolved: NinjaTrader says nothing of the position": Guidance(
            "Its close was sent, and NinjaTrader has told nothing of the position in the minute after it, nor since "
            "its start: an account that is flat already tells nothing either.",
            "Look into NinjaTrader, and close what is open there. If the account holds nothing: `orderhook bridge "
            "confirm ACCOUNT flat`, on its PC.",
        ),
        "unresolved: position_unknown": Guidance(
            "NinjaTrader has not told the position since it was started, so it may be on the side that the alert does "
            "not mean, and was not closed.",
            "Look into NinjaTrader, and close there what is open and to be closed. If the account holds nothing: "
            "`orderhook bridge confirm ACCOUNT flat`, on its PC.",
        ),
    }
)
"""The results of an instruction, with the beginnings of reasons that say more."""

ORDER_REASONS: Mapping[str, Guidance] = MappingProxyType(
    {
        "no_position": Guidance(
            "There was no position to turn over, so the order was not placed.",
            "Nothing, if a target or stop may have been faster.",
        ),
        "flatten_timeout": Guidance(
            "The position was not seen flat in time after it was closed, so the order was not placed: a close that is "
            "not confirmed is never followed by an entry.",
            "Look into NinjaTrader: the position may be closed all the same, or open. Send the alert again when it is "
            "as you want it.",
        ),
        "blocked: the position is": Guidance(
            "The position was not where the alert's `require_market_position` asks for it, so the order was not "
            "placed.",
            "Nothing: that is what the alert asks.",
        ),
        "blocked: max_positions is": Guidance(
            "So many instruments of the account were open, or may be, so the order was not placed.",
            "Nothing: that is what the alert asks.",
        ),
        "blocked: out of sync": Guidance(
            "The position was not where the strategy was before this order, so the order was not placed.",
            "Compare the strategy's position with `orderhook positions`.",
        ),
        "blocked": Guidance(
            "The order was not placed, as the words behind it say: entries of this account and instrument are blocked "
            "since a close that was not seen to succeed, or the position was not certain.",
            "If entries are blocked, see what went wrong with the close, put it right in NinjaTrader, then `orderhook "
            "bridge resume ACCOUNT INSTRUMENT`.",
        ),
        "position_unknown": Guidance(
            "NinjaTrader has not told the position since it was started, and the order depends on it, so it was not "
            "placed.",
            "Look into NinjaTrader. If the account holds nothing: `orderhook bridge confirm ACCOUNT flat`, on its PC.",
        ),
        "already there": Guidance(
            "The position is on the side already that the strategy wants after the order, so nothing was placed.",
            "Nothing.",
        ),
        "resynced": Guidance(
            "The strategy and its account were out of sync, so one market order for the difference was placed in place "
            "of this one. That has no stop: this one's was for another quantity.",
            "Look at the position. CANCELANDBRACKET gives it a stop and a target.",
        ),
        "superseded": Guidance(
            "A later alert that closes came before the order was placed, so it was not.",
            "Nothing, if the later alert is what you want.",
        ),
        "the position is closed": Guidance(
            "An alert that closes the position came after this order, so it was cancelled, or not placed.",
            "Nothing, if that alert is what you want.",
        ),
        "too late": Guidance(
            "The bridge was away when the order came, so it was not placed.",
            "Send the alert again if you still want it.",
        ),
    }
)
"""How the reason of an order begins, where the bridge and not NinjaTrader has refused it."""

_NOT_REPLACED = "not replaced: "
"""What stands before the reason where an order was cancelled to be replaced by one of another kind."""


def guidance_for_result(result: str | None, reason: str | None = None) -> Guidance | None:
    """Return what the result of an instruction means, with its reason; None stands for none yet."""
    if result is None:
        return UNDER_WAY
    return _beginning(INSTRUCTION_REASONS, f"{result}: {reason}") or INSTRUCTION_RESULTS.get(result)


def guidance_for_reason(reason: str | None) -> Guidance | None:
    """Return what the reason of an order means, where the bridge has refused it."""
    return _beginning(ORDER_REASONS, (reason or "").removeprefix(_NOT_REPLACED))


def _beginning(words: Mapping[str, Guidance], text: str) -> Guidance | None:
    """Return what the words mean that a text begins with; the table has the longer ones first.

    After one word a colon ends it: NinjaTrader's own reasons may begin with it, too.
    """
    for word, guidance in words.items():
        if text == word or text.startswith((f"{word}:", f"{word} ") if ": " in word else f"{word}:"):
            return guidance
    return None
