"""What the API alone refuses a request with: the rest are the refusals of alerts, with their codes."""

from collections.abc import Mapping

from orderhook.errors import OrderhookError
from orderhook.venue_words import Guidance


class ApiError(OrderhookError):
    """A request that is refused before anything of it is carried out."""

    status = 400
    code = ""
    headers: Mapping[str, str] = {}


class NoSuchPathError(ApiError):
    """There is nothing at this path."""

    status, code = 404, "no_such_path"


class AccountNotFoundError(ApiError):
    """There is no such account, or it lies outside the limits of the key."""

    status, code = 404, "account_not_found"


class AlertNotFoundError(ApiError):
    """There is no record of such an alert, or it lies outside the limits of the key."""

    status, code = 404, "alert_not_found"


class MethodNotAllowedError(ApiError):
    """There is something at this path, and it takes other methods."""

    status, code = 405, "method_not_allowed"

    def __init__(self, detail: str, allowed: str) -> None:
        super().__init__(detail)
        self.headers = {"Allow": allowed}


class UnsupportedMediaTypeError(ApiError):
    """The body is not sent as JSON."""

    status, code = 415, "unsupported_media_type"


GUIDANCE: Mapping[type[ApiError], Guidance] = {
    NoSuchPathError: Guidance(
        "There is nothing at this path. Ids with a slash in them fit no path.",
        "`didYouMean` has the path that is most like it. Give ids that fit no path as `/order?account=…&orderId=…`.",
    ),
    AccountNotFoundError: Guidance(
        "The bridge does not have this account, or the key is not for it.", "Look at `GET /accounts`."
    ),
    AlertNotFoundError: Guidance(
        "There is no record of such an alert (any more), or the key does not reach what it is about.",
        "Look at `GET /alerts`.",
    ),
    MethodNotAllowedError: Guidance(
        "There is something at this path, and it takes other methods.", "The header `Allow` names them."
    ),
    UnsupportedMediaTypeError: Guidance("The body is not sent as JSON.", "Send `Content-Type: application/json`."),
}
"""What each means, and what to do about it."""
