"""Answers of the API: JSON with numbers that are exact, and names as programs know them."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from orderhook import responses
from orderhook.console.api.errors import ApiError
from orderhook.console.http import SECURITY
from orderhook.errors import OrderhookError
from orderhook.responses import Response

_OWN_NAMES = {"qty": "quantity", "tif": "timeInForce", "way_out": "whatToDo"}
"""The names that the API, as CrossTrade's, has for a field, where that is not its own in camel case."""

_NUMBERS = frozenset(
    "qty filled limit_price stop_price average filled_after_end generation history_dropped remaining quantity "
    "cumulative price milliseconds percent take_profit stop_loss stop_loss_limit stop_loss_stop number "
    "unprotected_quantity max_qty max_orders_per_minute reference_price status_code".split()
)
"""What is a number in the API, and text everywhere else."""

_BY_IDS = frozenset(("legs", "cancelled_legs", "fields", "entries"))
"""What has ids, or names as they were sent, for its names."""


def camel(name: str) -> str:
    """Return the API's name of a field."""
    first, *others = _OWN_NAMES.get(name, name).split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def for_programs(value: Any) -> Any:
    """Return what stands in answers of the webhook, or on the command line, as the API has it."""
    if isinstance(value, Mapping):
        return {camel(name): _member(name, it) for name, it in value.items()}
    if isinstance(value, list | tuple):
        return [for_programs(it) for it in value]
    return value


def _member(name: str, value: Any) -> Any:
    if name in _BY_IDS and isinstance(value, Mapping):
        return dict(value)
    if name == "unreadable":
        return True
    if name in _NUMBERS and isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            return value  # a distance, such as 0.5%
    return for_programs(value)


def dumps(value: Any) -> str:
    """Return a value as JSON; a Decimal is a number, every digit of it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {dumps(it)}" for name, it in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(dumps, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return {
        "statusCode": status,
        "headers": {**SECURITY, "Content-Type": "application/json", **(headers or {})},
        "body": dumps(body),
        "isBase64Encoded": False,
    }


def success(**body: Any) -> Response:
    """Answer what was asked for; the names are the API's already."""
    return answer({"success": True, **body})


def of_webhook(response: Response) -> Response:
    """Answer as the webhook would, in the API's names and numbers."""
    body = for_programs(json.loads(response["body"]))
    if field := body.pop("field", None):
        body |= {"field": camel(field)} if field != "command" else {}  # which the path has said
    for warning in body.get("warnings", ()):
        warning |= {"field": camel(warning["field"])} if "field" in warning else {}
    headers = {name: value for name, value in response["headers"].items() if name == "Retry-After"}
    return answer(body, response["statusCode"], headers)


def refusal(error: OrderhookError) -> Response:
    """Answer what was refused before anything was carried out, or looked up."""
    status, code = (error.status, error.code) if isinstance(error, ApiError) else responses.STATUS_AND_CODE[type(error)]
    more = {"field": camel(error.field)} if error.field else {}
    headers = dict(error.headers) if isinstance(error, ApiError) else {}
    headers |= {"Retry-After": str(responses.RETRY_AFTER_SECONDS)} if status == 503 else {}
    headers |= {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return answer({"success": False, "error": code, "detail": error.detail, **more, **error.extra}, status, headers)
