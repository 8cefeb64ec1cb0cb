"""What there is to tell, and its text: our own words, ids, accounts, instruments; no notes, no alert's text."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from orderhook import reference
from orderhook.attention.needing import Attention
from orderhook.description import order_in_words
from orderhook.notifying.refusals import BY_SWITCH, Refused
from orderhook.orders import Order
from orderhook.store.alert_log import id_prefix
from orderhook.store.controls import KillSwitchState
from orderhook.visible import visible

_CLOCKS_DIFFER = timedelta(seconds=1)
"""How far that of the requests may be before that of the functions."""

_LONGEST_VALUE = 80
"""Characters of what came from outside."""


class Notice(NamedTuple):
    """Something to tell: by its name it is claimed, and told anew when it is of a later time."""

    name: str
    at: str
    title: str
    lines: Sequence[str] = ()
    cannot_wait: bool = False
    """Whether quiet hours do not hold it back."""
    about: Attention | None = None
    only_after: str | None = None
    """What was told before this, by its name; whoever was not told of that is not told of this."""


def of_attention(it: Attention, options: str) -> Notice:
    """Return that something needs a person; `options` are what the command line needs to reach the table."""
    steps = [it.entry.what_to_do]
    if it.command:
        steps.append(f"orderhook {it.command}" + ("" if it.command.startswith("bridge") else options))
    # An order that takes an id later is another one.
    name = f"{it.code} {it.subject} {it.id} {it.placed_by}"
    title = f"{_from_outside(it.code)}: {it.entry.title}"
    return Notice(name, it.at, title, steps, cannot_wait=it.entry.naked or it.was_to_close, about=it)


def again(notice: Notice, since: str) -> Notice:
    """Return that something was over and is so again, since another time."""
    return notice._replace(
        at=since, lines=[f"It was over meanwhile, and is so again since {_clock(since)}.", *notice.lines]
    )


def of_switch(switch: KillSwitchState, options: str) -> Notice:
    """Return that the kill switch was turned."""
    since, locked = switch.since or "", ", and locked" if switch.locked else ""
    by = ""
    if switch.request_id and since:
        by = f" By {_from_outside(switch.key_id)}, request {_from_outside(switch.request_id)}."
        if switch.request_id > id_prefix(datetime.fromisoformat(since) + _CLOCKS_DIFFER):
            # Who asks again turns nothing, and stands in the place of who did.
            by = " It was asked for again since; who asked first stands in the list of alerts."
    what = "alerts that trade are refused" if switch.on else "alerts trade again"
    turn = "on" if switch.on else "off"
    lines = [f"Since {_clock(since)}.{by}", f"If it was not you, see who has the key: orderhook keys list{options}"]
    title = f"kill_switch_{turn}: The kill switch is {turn}{locked}; {what}"
    return Notice(f"kill_switch {since}", since, title, lines)


def bridge_away(why: str, since: str) -> Notice:
    """Return that the bridge is away."""
    steps = [
        f"It {_from_outside(why, 200)}.",
        "What opens is refused, and cancels wait. See whether the PC, NinjaTrader and its connection run; there:",
        "orderhook bridge doctor",
    ]
    return Notice(f"bridge_away {since}", since, "bridge_away: The bridge is away", steps)


def bridge_back(since: str, back: str) -> Notice:
    """Return that the bridge is there again, for whoever was told that it was away."""
    was = f"It was away from {_clock(since)} to {_clock(back)}."
    lines = [f"{was} What waited is carried out now, and what came too late is not."]
    title = "bridge_back: The bridge is there again"
    return Notice(f"bridge_back {since}", back, title, lines, only_after=f"bridge_away {since}")


def of_refused(
    refused: Refused, since: str, until: str, last_on: str | None, options: str, looked_at: int | None = None
) -> Notice:
    """Return how many alerts were refused for one reason between two times.

    Of those that the kill switch refuses the first are told, each time that it was turned on: `last_on` is when.
    `looked_at` is how many alerts of that time were looked at, where there may be more.
    """
    guidance = reference.ERROR_CODES.get(refused.code)
    alerts = f"{refused.alerts} alert{'s were' if refused.alerts > 1 else ' was'} refused"
    latest = f" Of that time only the latest {looked_at:,} alerts were looked at." if looked_at else ""
    lines = [
        f"From {_clock(since)} to {_clock(until)}. The last is request {refused.last_id}.{latest}",
        guidance.meaning if guidance else "",
        "They do not come again: do by hand what they were to do.",
        f"orderhook alerts show {refused.last_id}{options}",
    ]
    told_of = since
    if refused.code == BY_SWITCH and last_on:
        lines[2] = "No more is told of those that it refuses until it is turned on again."
        told_of = last_on
    name = f"refused {refused.code} {told_of}"
    least = "at least " if looked_at else ""
    return Notice(name, told_of, f"{refused.code}: {least}{alerts}", [line for line in lines if line])


def of_test(test_id: str, at: str) -> Notice:
    """Return what is told when somebody tries it."""
    return Notice(f"test {test_id}", at, "test: This is how you are told", ["Nothing is to be done."], cannot_wait=True)


def as_text(notice: Notice, order: Order | None) -> str:
    """Return a notice as lines of text; `order` is the one that it is about, where that is known."""
    about = notice.about
    lines = [notice.title]
    if about:
        lines += [line for line in (_what(about, order), _request(about), f"At {_clock(about.at)}") if line]
    return "\n".join([*lines, *notice.lines])


def as_message(stack: str, trader: str, texts: Iterable[str], count: int, takes: Callable[[str], bool]) -> str:
    """Return notices as one message: as many as it has room for, the first in any case, and how many more there are.

    `texts` are `count`, and hardly more of them are made than are used.
    """
    # Most stacks have one trader, of this name.
    whose = "" if trader == "main" else f", trader {visible(trader)}"
    parts, message = [f"orderhook, {visible(stack)}{whose}"], ""
    for listed, text in enumerate(texts, 1):
        parts.append(text)
        more = [f"And {count - listed} more: see what needs a person in the console."] if listed < count else []
        longer = "\n\n".join([*parts, *more])
        if message and not takes(longer):
            break
        message = longer
    return message


def _what(it: Attention, order: Order | None) -> str:
    words = _from_outside(order_in_words(order)) if order else ""
    market = [_from_outside(part) for part in (it.account, None if words else it.instrument) if part]
    named = f"order {_from_outside(it.id)}" if it.subject == "order" else ""
    # What a heartbeat tells has no other name than the bridge's own sentence.
    said = _from_outside(it.detail, 200) if it.subject == "bridge" else ""
    return ", ".join(filter(None, (words, *market, named, said)))


def _request(it: Attention) -> str:
    request_id = it.id if it.subject in ("alert", "instruction") else it.placed_by
    # A leg is placed by its entry's fill: the report of that is no request.
    if request_id and request_id.startswith("report."):
        return ""
    return f"Request {_from_outside(request_id)}" if request_id else ""


def _from_outside(text: str | None, most: int = _LONGEST_VALUE) -> str:
    # What leads nowhere is no link for any reader, be it of mail.
    shown = visible(text or "").replace("://", "[:]//")
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _clock(at: str) -> str:
    """Return a time as `2026-11-28 14:30:05 UTC`."""
    return f"{at[:10]} {at[11:19]} UTC" if at else "an unknown time"
