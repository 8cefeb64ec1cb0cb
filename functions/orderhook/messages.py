"""What is sent to the queue: delayed alerts, releases of orders that wait, and cancels of orders whose time is over.

How such a message is read is shared with those of the bridge.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, TypeAdapter, ValidationError

from orderhook.keys import holds_key
from orderhook.orders import timestamp

VERSION = 2
"""Version 1, that of release 0.2, did not say it and had the same fields. A field more or less is another version."""


class MessageError(Exception):
    """A message is not one that this version understands, or that it should trust; says why without quoting it."""


def _time(text: str) -> str:
    return timestamp(datetime.fromisoformat(text))


Time = Annotated[str, AfterValidator(_time)]
"""ISO 8601 text with a zone, which is read as the table holds times."""


class DelayedAlert(NamedTuple):
    """An alert that was understood and waits for its time; the key is nowhere in it."""

    trader: str
    key_id: str
    request_id: str
    """Every delivery is carried out under this id, so that its own writes are recognised."""
    received_at: Time
    fields: Mapping[str, str]
    digest: str | None = None
    """Fingerprint of the alert's text: the same alert again may be a resend."""
    due: Time | None = None


class Release(NamedTuple):
    """The release of an order that waits for the delay of its PLACE."""

    trader: str
    key_id: str
    request_id: str
    received_at: Time
    order_id: str
    due: Time
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
    cancels_at: Time
    """The order must still have this as the end of its time: another one may have its id."""


Message = DelayedAlert | Release | TimedCancel

_KINDS: Mapping[str, type[Message]] = {"alert": DelayedAlert, "release": Release, "cancel": TimedCancel}


def serialize(message: Message) -> str:
    """Return the message as the queue holds it: JSON in ASCII, because SQS does not take every character."""
    [kind] = [name for name, type_ in _KINDS.items() if type(message) is type_]
    return json.dumps({"version": VERSION, kind: message._asdict()})


def parse(body: str) -> Message:
    """Return the message that serialize wrote, in this release or in the one before; raises MessageError otherwise."""
    message = read_object(body)
    if holds_key(json.dumps(message)):
        raise MessageError("a key stands in it")
    version = message.pop("version", 1)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise MessageError("its version is unknown")
    return read_kind(message, _KINDS, strict=True)


def read_object(body: str) -> dict[str, Any]:
    """Return the object that the JSON of a message is; raises MessageError otherwise."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise MessageError("it is not JSON") from None
    if not isinstance(message, dict):
        raise MessageError("it is not a JSON object")
    return message


Read = TypeVar("Read", bound=tuple[Any, ...])


def read_kind(message: Mapping[str, Any], kinds: Mapping[str, type[Read]], *, strict: bool) -> Read:
    """Return the one thing of these kinds that a message holds; raises MessageError otherwise.

    With `strict` no value is taken for one of another type.
    """
    if len(message) != 1 or not message.keys() <= kinds.keys():
        raise MessageError(f"it is none of {', '.join(kinds)}")
    [(kind, values)] = message.items()
    if not isinstance(values, dict):
        raise MessageError(f"its {kind} has no fields")
    try:
        read: Read = _reader(kinds[kind]).validate_python(values, strict=strict)
    except ValidationError as error:
        places = {str(fault["loc"][0]) for fault in error.errors(include_url=False, include_input=False)}
        known = sorted(places.intersection(kinds[kind].__annotations__))
        raise MessageError(f"fields of its {kind} are missing, wrong or unknown: {', '.join(known)}") from None
    return read


@cache
def _reader(kind: type) -> "TypeAdapter[Any]":
    """Return what checks the fields of a message; made when the first one comes, so that no cold start waits for it."""
    return TypeAdapter(kind)
