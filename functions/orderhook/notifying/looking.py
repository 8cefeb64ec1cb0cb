"""One look: what there is to tell is claimed by a conditional write, and then sent, once, by each way to the trader."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from orderhook.attention.gathering import Gathered
from orderhook.attention.needing import needing_a_person
from orderhook.errors import OrderhookError
from orderhook.listing import UnreadableError, find_order
from orderhook.notifying import notices
from orderhook.notifying.channels import Channel
from orderhook.notifying.notices import Notice
from orderhook.notifying.quiet import QuietHours
from orderhook.notifying.refusals import summed
from orderhook.orders import Order, timestamp
from orderhook.services import Services
from orderhook.store.bridge import BridgeState
from orderhook.store.controls import ControlsNow
from orderhook.store.notices import Notifying, State

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

_MOST_CLAIMED = 50
"""How many notices one look tells of; the next one has the rest."""


class Result(NamedTuple):
    """What became of one message."""

    channel: str
    state: State
    reason: str | None
    notices: int


class Place(NamedTuple):
    """Whose notices these are."""

    services: Services
    trader: str
    stack: str
    """How the deployment is called."""
    options: str = ""
    """What the command line needs to reach its table, with a blank before it."""


class _Found(NamedTuple):
    """What there is to tell."""

    notices: Sequence[Notice]
    """What hurts most comes first."""
    orders: Mapping[str, Order]
    """Those that were read for it, by their ids."""
    progress: Mapping[str, object]
    """How far it has got once these are told, in the words of the settings."""


def look(place: Place, now: datetime, channels: Callable[[Notifying], Sequence[Channel]]) -> Iterator[Result]:
    """Tell the trader what there is to tell now, and yield what became of each message.

    Run twice, or by two at a time, nothing is told twice. Raises TemporarilyUnavailableError where the table does not
    answer; what was not claimed by then, the next look tells.
    """
    store = place.services.notices
    settings = store.settings(place.trader)
    ways = channels(settings)
    if not ways:
        return
    found = _found(place, settings, now)
    all_told = True
    for way in ways:
        claimed = list(_claimed(place, way, found.notices, now))
        all_told &= len(claimed) < _MOST_CLAIMED
        if claimed:
            yield _send(place, way, claimed, found.orders)
    if found.progress and all_told:
        store.advance(place.trader, settings, **found.progress)


def _found(place: Place, settings: Notifying, now: datetime) -> _Found:
    services, trader = place.services, place.trader
    controls = services.controls.look(trader)
    bridge = controls.bridge if services.venue.name else None
    gathered = Gathered.of(services, trader, now)
    needs = needing_a_person(gathered.facts(bridge, now))
    # A bridge that is away is told of when it has been for a while, and when it is back.
    found = [notices.of_attention(it, place.options) for it in needs if it.code != "bridge_away"]
    if settings.test and settings.test_at and settings.test_at > timestamp(now - _TESTED_WITHIN):
        found.append(notices.of_test(settings.test, settings.test_at))
    progress: dict[str, object] = {}
    if settings.quiet and QuietHours.parse(settings.quiet, settings.zone).hold(now):
        found = [it for it in found if it.cannot_wait]
    else:
        found += [*_turned(controls, now), *_refused(place, settings, controls, now, progress)]
        found += _of_bridge(settings, bridge, now, progress) if bridge else []
    return _Found(found, {order.order_id: order for order in gathered.orders}, progress)


def _turned(controls: ControlsNow, now: datetime) -> Iterator[Notice]:
    switch = controls.kill_switch
    if switch.since and switch.since > timestamp(now - TURNED_WITHIN):
        yield notices.of_switch(switch)


def _refused(
    place: Place, settings: Notifying, controls: ControlsNow, now: datetime, progress: dict[str, object]
) -> Iterator[Notice]:
    """Yield the refused alerts of the whole minutes since the last sum.

    Two looks at a time sum the same minutes, under the same names.
    """
    until = (now - _STILL_COMING).replace(second=0, microsecond=0)
    progress["refused_until"] = timestamp(until)
    if settings.refused_until is None:
        return
    since = max(datetime.fromisoformat(settings.refused_until), until - _SUMMED_WITHIN)
    if since >= until:
        del progress["refused_until"]
        return
    answers = place.services.alert_log.answers(place.trader, since, MOST_SUMMED, until)
    for refused in summed(answers):
        yield notices.of_refused(refused, since, until, controls.kill_switch, place.options)


def _of_bridge(settings: Notifying, bridge: BridgeState, now: datetime, progress: dict[str, object]) -> list[Notice]:
    """Return that the bridge is away, once it has been for a while, or that it is back."""
    away = bridge.away(now)
    if bridge.at is None:
        return []  # it has never been there, as with a trader whose orders no bridge carries out
    if away is None:
        if settings.away_since:
            progress |= {"away_since": None, "away_told": False}
        return [notices.bridge_back(now, settings.away_since)] if settings.away_since and settings.away_told else []
    if settings.away_since is None:
        progress["away_since"] = timestamp(now)
        return []
    since = datetime.fromisoformat(settings.away_since)
    if settings.away_told or now - since < AWAY_FOR:
        return []
    progress |= {"away_since": settings.away_since, "away_told": True}
    return [notices.bridge_away(away, since)]


def _claimed(place: Place, way: Channel, found: Sequence[Notice], now: datetime) -> Iterator[Notice]:
    """Yield what is now this look's to tell; where the table fails, what is claimed by then."""
    store = place.services.notices
    news = store.news(place.trader, way.name, {it.name: it.at for it in found}, now)
    claimed = 0
    try:
        for it in found:
            if it.name in news and store.claim(place.trader, way.name, it.name, it.at, it.title, now):
                claimed += 1
                yield it
            if claimed == _MOST_CLAIMED:
                return
    except OrderhookError:
        if not claimed:
            raise


def _send(place: Place, way: Channel, claimed: Sequence[Notice], known: Mapping[str, Order]) -> Result:
    texts = (notices.as_text(it, _order_of(place, it, known)) for it in claimed)
    subject = f"{place.stack}: {claimed[0].title}" + (f" (and {len(claimed) - 1} more)" if len(claimed) > 1 else "")
    state, reason = way.send(subject, notices.as_message(place.stack, place.trader, texts, len(claimed)))
    for it in claimed:
        try:
            place.services.notices.note(place.trader, way.name, it.name, state, reason)
        except OrderhookError:
            break  # its claim says that nobody knows
    return Result(way.name, state, reason, len(claimed))


def _order_of(place: Place, notice: Notice, known: Mapping[str, Order]) -> Order | None:
    if notice.about is None or notice.about.subject != "order":
        return None
    order_id = notice.about.id
    with suppress(OrderhookError, UnreadableError):  # it is told all the same
        order = known.get(order_id) or find_order(place.services, place.trader, order_id, notice.at)
        if order and order.placed_by == notice.about.placed_by:
            return order
    return None
