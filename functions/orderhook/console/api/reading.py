"""A request of the API, read strictly: what is not understood is refused before anything is done."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orderhook.console.api.errors import UnsupportedMediaTypeError
from orderhook.console.http import Request
from orderhook.errors import (
    DuplicateFieldError,
    InvalidValueError,
    MalformedPayloadError,
    MissingFieldError,
    PayloadTooLargeError,
    UnknownFieldError,
)
from orderhook.keys import holds_key

MAX_BYTES = 64 * 1024
"""Far more than any request needs; an alert's text to check may be as large as an alert, and escaped."""

_MAX_DIGITS = 40
_MAX_MAGNITUDE = 30
"""Beyond these a number is written by mistake, and would be long to write out."""

_SHOWN = 64
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.\-]+")

Model = TypeVar("Model", bound=BaseModel)


def read_query(request: Request, model: type[Model]) -> Model:
    """Return the parameters of the query; raises a PayloadError for one that is unknown, empty or repeated."""
    values: dict[str, str] = {}
    for name, value in request.query:
        if name in values:
            raise DuplicateFieldError(f"{_shown(name)} is given twice; give it once.", field=_shown(name))
        if not value and _is_known(model, name):
            raise InvalidValueError(f"{name} is empty; give it a value, or leave it out.", field=name)
        values[name] = value
    return _validated(model, values, "parameter")


def read_body(request: Request, model: type[Model] | None) -> Model | None:
    """Return the body as the model has it; raises the PayloadError, or other refusal, of one that is not understood.

    Where nothing in it is required it may be left out.
    """
    try:
        size = len(request.http.body())
    except ValueError:
        raise MalformedPayloadError("The body is not what it is said to be, base64.") from None
    if size > MAX_BYTES:
        raise PayloadTooLargeError(f"The body has {size} bytes; at most {MAX_BYTES} are accepted.")
    text = request.text
    if model is None:
        if text:
            raise MalformedPayloadError("This takes no body; send none.")
        return None
    if not text and not any(field.is_required() for field in model.model_fields.values()):
        return _validated(model, {}, "field")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise UnsupportedMediaTypeError("Send the body as JSON, with the header Content-Type: application/json.")
    members = parse(text)
    if null := next((name for name, value in members.items() if value is None), None):
        raise InvalidValueError(f"{_shown(null)} is null; leave it out.", field=_shown(null))
    return _validated(model, members, "field")


def parse(text: str) -> dict[str, Any]:
    """Return the members of a JSON object, its numbers exact; raises MalformedPayloadError, and DuplicateFieldError."""
    try:
        value = json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_members
        )
        text.encode()
        json.dumps(value, default=str, ensure_ascii=False).encode()  # no half of a character, which nothing can store
    except (ValueError, RecursionError) as error:
        place = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        why = error.args[0] if type(error) is ValueError else f"The body is not JSON{place}"
        raise MalformedPayloadError(f"{why}. It must be one JSON object.") from None
    if not isinstance(value, dict):
        raise MalformedPayloadError("The body is not a JSON object, such as {}.")
    return value


def _decimal(text: str) -> Decimal:
    number = Decimal(text) if len(text) <= _MAX_DIGITS else None
    if number is None or not number.is_finite() or abs(number.adjusted()) > _MAX_MAGNITUDE:
        raise ValueError("A number has too many digits")
    return number


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("A number has too many digits")
    return int(text)


def _constant(text: str) -> None:
    raise ValueError(f"{text} is not a number in JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        name = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise DuplicateFieldError(f"{_shown(name)} is given twice; give it once.", field=_shown(name))
    return members


def _validated(model: type[Model], values: Mapping[str, Any], what: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        # What is unknown comes first: it may be the misspelt name of what is missing.
        faults = sorted(invalid.errors(include_url=False, include_input=False), key=lambda it: _RANK.get(it["type"], 2))
        fault = faults[0]
    name = _shown(str(fault["loc"][0])) if fault["loc"] else None
    if fault["type"] == "extra_forbidden":
        known = ", ".join(str(field.alias or own) for own, field in model.model_fields.items())
        raise UnknownFieldError(
            f"There is no {what} {name}; {f'there are {known}' if known else f'this takes no {what}'}.", field=name
        ) from None
    if fault["type"] == "missing":
        raise MissingFieldError(f"{name} is missing: add it.", field=name) from None
    raise InvalidValueError(f"{name}: {fault['msg']}." if name else f"{fault['msg']}.", field=name) from None


_RANK = {"extra_forbidden": 0, "missing": 1}


def _is_known(model: type[BaseModel], name: str) -> bool:
    return any(name == (field.alias or own) for own, field in model.model_fields.items())


def _shown(name: str) -> str:
    """Return a name as an answer may hold it: not where it could be a secret, or cannot be seen."""
    return name if _SAFE_NAME.fullmatch(name) and len(name) <= _SHOWN and not holds_key(name) else "…"
