"""What is sent to the queue: delayed alerts, releases of orders that wait, and cancels of orders whose time is over."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class DelayedAlert(NamedTuple):
    """An alert that was understood and waits for its time; the key is nowhere in it."""

    trader: str
    key_id: str
    request_id: str
    """Every delivery is carried out under this id, so that its own writes are recognised."""
    received_at: str
    """ISO 8601 text in UTC."""
    fields: Mapping[str, str]
    digest: str | None = None
    """Fingerprint of the alert's text: the same alert again may be a resend."""
    due: str | None = None


class Release(NamedTuple):
    """The release of an order that waits for the delay of its PLACE."""

    trader: str
    key_id: str
    request_id: str
    received_at: str
    order_id: str
    due: str
    """The order must still wait for this time."""
    window: Sequence[int | None] | None = None
    """The trade window of its alert: start, end and closing_only_after, in minutes of the day."""


class TimedCancel(NamedTuple):
    """The cancel of the order that an alert placed for a limited time."""

    trader: str
    key_id: str
    request_id: str
    """That of the cancel, which has an id of its own."""
    order_id: str
    cancels_at: str
    """The order must still have this as the end of its time: another one may have its id."""


Message = DelayedAlert | Release | TimedCancel

_KINDS: Mapping[str, type[Message]] = {"alert": DelayedAlert, "release": Release, "cancel": TimedCancel}


def serialize(message: Message) -> str:
    """Return the message as the queue holds it: JSON in ASCII, because SQS does not take every character."""
    [kind] = [name for name, type_ in _KINDS.items() if type(message) is type_]
    return json.dumps({kind: message._asdict()})


def parse(body: str) -> Message:
    """Return the message that serialize wrote; raises ValueError, KeyError or TypeError for anything else."""
    [(kind, values)] = dict(json.loads(body)).items()
    return _KINDS[kind](**values)
