"""One look: what there is to tell is claimed by a conditional write, and then sent, once, by each way to the trader."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from orderhook import telemetry
from orderhook.attention.gathering import Gathered
from orderhook.attention.needing import needing_a_person
from orderhook.aws.budget import time_budget
from orderhook.errors import OrderhookError
from orderhook.listing import UnreadableError, find_order
from orderhook.notifying import notices
from orderhook.notifying.channels import Channel
from orderhook.notifying.notices import Notice
from orderhook.notifying.quiet import QuietHours
from orderhook.notifying.recurring import STAYS_FOR, can_recur, seen_by
from orderhook.notifying.refusals import summed
from orderhook.orders import Order, timestamp
from orderhook.services import Services
from orderhook.store.bridge import BridgeState
from orderhook.store.controls import ControlsNow
from orderhook.store.notices import (
    AGAIN_AFTER,
    URGENT_AGAIN_AFTER,
    BridgeSeen,
    Notifying,
    State,
    Summing,
    Told,
    short,
)

AWAY_FOR = timedelta(minutes=1)
"""How long a bridge is away before that is told: one that is started again is none to be told of."""

TURNED_WITHIN = timedelta(days=1)
"""How long ago the kill switch was turned that is still told, as after quiet hours."""

_STILL_COMING = timedelta(seconds=10)
"""A record is written after its alert was received, so that a minute is summed a little later."""

_SUMMED_WITHIN = timedelta(days=1)
MOST_SUMMED = 2000
"""How many alerts of the time since the last sum are looked at."""

_TESTED_WITHIN = timedelta(minutes=10)
_BACK_WITHIN = timedelta(days=1)

_NOTE_SECONDS = 2.5
"""How long it may take to note what became of a message, whatever time is left for a look."""

_MOST_CLAIMED = 50
"""How many notices one look tells of; the next one has the rest."""


class Result(NamedTuple):
    """What became of one message."""

    channel: str
    state: State
    reason: str | None
    notices: int


class Recipient(NamedTuple):
    """The trader who is told, and what it takes to reach what he is told of."""

    services: Services
    trader: str
    stack: str
    """The name of the deployment."""
    options: str = ""
    """What the command line needs to reach its table, with a blank before it."""


class _Found(NamedTuple):
    """What there is to tell by any way, but for refused alerts."""

    notices: Sequence[Notice]
    """What hurts most comes first."""
    orders: Mapping[str, Order]
    """Those that were read for it, by their ids."""
    is_quiet: bool
    last_on: str | None
    """When the kill switch was turned on last."""


class _Refused(NamedTuple):
    """What was refused in some whole minutes, which are summed for one way until all of it is told."""

    minutes: Summing
    """As the table has them."""
    until: str
    notices: Sequence[Notice]


def look(recipient: Recipient, now: datetime, channels: Callable[[Notifying], Sequence[Channel]]) -> Iterator[Result]:
    """Tell the trader what there is to tell now, and yield what became of each message.

    Run twice, or by two at a time, nothing is told twice. Raises TemporarilyUnavailableError where the table does not
    answer; what was not claimed by then, the next look tells.
    """
    settings = recipient.services.notices.settings(recipient.trader)
    ways = channels(settings)
    if not ways:
        return
    found = _found(recipient, settings, now)
    failed: OrderhookError | None = None
    for way in ways:
        try:
            yield from _tell(recipient, way, found, now)
        except OrderhookError as error:
            failed = error  # which is not the other way's
    if failed:
        raise failed


def _found(recipient: Recipient, settings: Notifying, now: datetime) -> _Found:
    services, trader = recipient.services, recipient.trader
    controls = services.controls.look(trader)
    bridge = controls.bridge if services.venue.name else None
    gathered = Gathered.of(services, trader, now)
    needs = needing_a_person(gathered.facts(bridge, now))
    # A bridge that is away is told of when it has been for a while, and when it is back.
    found = [notices.of_attention(it, recipient.options) for it in needs if it.code != "bridge_away"]
    found = list(_with_recurring(recipient, settings, found, now))
    if settings.test and settings.test_at and settings.test_at > timestamp(now - _TESTED_WITHIN):
        found.append(notices.of_test(settings.test, settings.test_at))
    found += _turned(controls, recipient.options, now)
    found += _of_bridge(recipient, settings, bridge, now) if bridge else []
    is_quiet = _is_quiet(settings, now)
    if is_quiet:
        found = [it for it in found if it.cannot_wait]
    return _Found(found, {order.order_id: order for order in gathered.orders}, is_quiet, controls.last_on)


def _with_recurring(
    recipient: Recipient, settings: Notifying, found: Sequence[Notice], now: datetime
) -> Iterator[Notice]:
    """Yield the notices; what was naked, was over, and is naked again is one of the time since which it is so."""
    naked = {short(it.name): it.at for it in found if it.about and can_recur(it.about.entry)}
    before, seen = settings.naked, seen_by(settings.naked, naked, now)
    if seen != before and not recipient.services.notices.advance_naked(recipient.trader, before, seen):
        seen = dict(before)  # the next look sees what another has written meanwhile
    for it in found:
        since = seen[short(it.name)].since if short(it.name) in seen else it.at
        yield notices.again(it, since) if it.at < since <= timestamp(now - STAYS_FOR) else it


def _is_quiet(settings: Notifying, now: datetime) -> bool:
    try:
        return settings.quiet is not None and QuietHours.parse(settings.quiet, settings.zone).hold(now)
    except (LookupError, ValueError):  # another version has set them; whoever is not told is worse off
        return False


def _turned(controls: ControlsNow, options: str, now: datetime) -> Iterator[Notice]:
    switch = controls.kill_switch
    # Who turns off what never was on has turned nothing.
    was_turned = switch.on or controls.last_on is not None
    if was_turned and switch.since and switch.since > timestamp(now - TURNED_WITHIN):
        yield notices.of_switch(switch, options)


def _of_bridge(recipient: Recipient, settings: Notifying, bridge: BridgeState, now: datetime) -> list[Notice]:
    """Return that the bridge is away, once it has been for a while, or that it is back."""
    if bridge.at is None:
        return []  # it has never been there, as with a trader whose orders no bridge carries out
    away, seen = bridge.away(now), settings.bridge
    advance = recipient.services.notices.advance_bridge
    if away and not seen.is_away:
        advance(recipient.trader, seen, BridgeSeen(timestamp(now)))
        return []
    if seen.is_away and not away:
        before, seen = seen, seen._replace(back_since=timestamp(now))
        if not advance(recipient.trader, before, seen):
            return []
    since, back = seen
    if since is None:
        return []
    if away:
        return [notices.bridge_away(away, since)] if since <= timestamp(now - AWAY_FOR) else []
    return [notices.bridge_back(since, back)] if back and back > timestamp(now - _BACK_WITHIN) else []


def _tell(recipient: Recipient, way: Channel, found: _Found, now: datetime) -> Iterator[Result]:
    """Tell by one way what there is to tell by it."""
    store = recipient.services.notices
    refused = None if found.is_quiet else _refused(recipient, way, found, now)
    there = [*found.notices, *(refused.notices if refused else ())]
    told = store.told(recipient.trader, way.name, [name for it in there for name in (it.name, it.only_after) if name])
    claimed = _claimed(recipient, way, [it for it in there if _is_news(it, told, now)], told, now)
    if claimed:
        result = _send(recipient, way, claimed, found.orders)
        told |= {claim.name: claim._replace(state=result.state) for _, claim in claimed}
        yield result
    # What is left for the next look it finds again, but for refused alerts that are summed by then.
    if refused and all(it.name in told and told[it.name].is_over(now) for it in refused.notices):
        store.advance_summing(recipient.trader, way.name, refused.minutes, Summing(refused.until))


def _is_news(notice: Notice, told: Mapping[str, Told], now: datetime) -> bool:
    if notice.only_after:
        before = told.get(notice.only_after)
        if before is None or before.state == "not reached":
            return False
    same = told.get(notice.name)
    again_after = URGENT_AGAIN_AFTER if notice.cannot_wait else AGAIN_AFTER
    return same is None or same.may_be_claimed(notice.at, now, again_after)


def _refused(recipient: Recipient, way: Channel, found: _Found, now: datetime) -> _Refused | None:
    """Return the refused alerts of the whole minutes since the last sum; None where there is nothing to sum.

    The minutes are written down before, so that two looks at a time, or after one that has died, sum the same.
    """
    store, trader = recipient.services.notices, recipient.trader
    before = store.summing(trader, way.name)
    last = timestamp((now - _STILL_COMING).replace(second=0, microsecond=0))
    if before is None:  # the first look by this way: what was refused by now is not told by it
        store.advance_summing(trader, way.name, None, Summing(last))
        return None
    until = before.until or last
    if until <= before.since:
        return None
    since = max(before.since, timestamp(datetime.fromisoformat(until) - _SUMMED_WITHIN))
    span = datetime.fromisoformat(since), datetime.fromisoformat(until)
    answers = list(recipient.services.alert_log.answers(trader, span[0], MOST_SUMMED, span[1]))
    sums = summed(answers)
    minutes = Summing(before.since, until)
    if before.until is None:
        after = minutes if sums else Summing(until)
        if not store.advance_summing(trader, way.name, before, after) or not sums:
            return None
    looked_at = len(answers) if len(answers) == MOST_SUMMED else None
    told = [notices.of_refused(it, since, until, found.last_on, recipient.options, looked_at) for it in sums]
    return _Refused(minutes, until, told)


def _claimed(
    recipient: Recipient, way: Channel, news: Iterable[Notice], told: Mapping[str, Told], now: datetime
) -> list[tuple[Notice, Told]]:
    """Return what is now this look's to tell, with its claims; where the table fails, what is claimed by then."""
    claimed: list[tuple[Notice, Told]] = []
    look_id = secrets.token_hex(8)
    try:
        for it in news:
            before = told.get(it.name)
            tries = before.tries + 1 if before and before.is_tried_again else 1
            claim = Told(it.name, way.name, it.at, timestamp(now), it.title, "claimed", look_id, tries)
            if recipient.services.notices.claim(recipient.trader, claim, before):
                claimed.append((it, claim))
            if len(claimed) == _MOST_CLAIMED:
                break
    except OrderhookError:
        if not claimed:
            raise
    return claimed


def _send(
    recipient: Recipient, way: Channel, claimed: Sequence[tuple[Notice, Told]], known: Mapping[str, Order]
) -> Result:
    texts = (notices.as_text(it, _order_of(recipient, it, known)) for it, _ in claimed)
    [(first, _), *others] = claimed
    subject = f"{recipient.stack}: {first.title}" + (f" (and {len(others)} more)" if others else "")
    try:
        text = notices.as_message(recipient.stack, recipient.trader, texts, len(claimed), way.takes)
        state, reason = way.send(subject, text)
    except Exception as defect:  # the other way, and the other trader, are told all the same
        telemetry.report(defect, None)
        state, reason = "failed", type(defect).__name__
    # What was sent shortly before the time for the table was over is noted all the same.
    with time_budget(time.monotonic() + _NOTE_SECONDS):
        for _, claim in claimed:
            try:
                recipient.services.notices.note(recipient.trader, claim, state, reason)
            except OrderhookError:
                break  # its claim says that nobody knows
    return Result(way.name, state, reason, len(claimed))


def _order_of(recipient: Recipient, notice: Notice, known: Mapping[str, Order]) -> Order | None:
    if notice.about is None or notice.about.subject != "order":
        return None
    order_id = notice.about.id
    with suppress(OrderhookError, UnreadableError):  # it is told all the same
        order = known.get(order_id) or find_order(recipient.services, recipient.trader, order_id, notice.at)
        if order and order.placed_by == notice.about.placed_by:
            return order
    return None
