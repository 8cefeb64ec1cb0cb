"""The ways to a trader: e-mail by the stack's topic of alarms, the outgoing webhook, or the terminal of a local run."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Literal, NamedTuple

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from orderhook.aws.budget import OutOfTimeError, single_attempt
from orderhook.aws.clients import connect, error_code, send
from orderhook.errors import OrderhookError
from orderhook.notifying import destinations, https
from orderhook.store.notices import State

EMAIL = "e-mail"

_LONGEST_SUBJECT = 99
"""Characters; SNS takes less than 100, and ASCII alone."""

Sent = tuple[State, str | None]
"""What became of a message, and if it was not sent, why."""


class Channel(NamedTuple):
    """A way to a trader."""

    name: str
    send: Callable[[str, str], Sent]
    """Takes a message's subject and its text; it raises nothing of AWS's or the service's."""
    takes: Callable[[str], bool] = lambda _: True
    """Whether a text is short enough."""


def url_parameter(stack: str, trader: str) -> str:
    """Return the name of SSM's parameter that has the URL of a trader's outgoing webhook."""
    return f"/orderhook/{stack}/notify/{trader.replace(':', '/-')}"  # a colon would begin a version


@cache  # at the first message, and then for the function's life
def client_of(service: Literal["sns", "ssm"]) -> Any:
    """Return the client of a service that only what is sent needs; no alert waits for its answer."""
    return connect(service, read_seconds=https.SECONDS)


def by_email(topics: Sequence[str]) -> Channel:
    """Return the way by the topics of alarms, whose subscribers confirmed that they want to be told."""

    def publish(subject: str, text: str) -> Sent:
        plain = subject.encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]
        published = 0
        try:
            with single_attempt():
                for topic in topics:
                    send(client_of("sns").publish, TopicArn=topic, Subject=plain, Message=text)
                    published += 1
        except (OrderhookError, ClientError) as error:
            nobody_has_it = published == 0 and _surely_not_done(error.__cause__ or error)
            return "not reached" if nobody_has_it else "failed", error_code(error.__cause__ or error)
        return "sent", None

    return Channel(EMAIL, publish)


def _surely_not_done(error: BaseException) -> bool:
    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    return isinstance(error, ConnectTimeoutError | EndpointConnectionError | OutOfTimeError)


def by_webhook(service: str, parameter: str) -> Channel:
    """Return the way to the URL in a parameter of SSM's, which is read for each message and kept nowhere."""

    def post(_: str, text: str) -> Sent:
        try:
            url = send(client_of("ssm").get_parameter, Name=parameter, WithDecryption=True)["Parameter"]["Value"]
        except (OrderhookError, ClientError) as error:
            return "not reached", f"its URL cannot be read: {error_code(error.__cause__ or error)}"
        try:
            request = destinations.request_to(url, text)
        except ValueError:
            return "failed", "its URL is none of a known service: set it again"
        return https.post(request)

    return Channel(service, post, partial(destinations.fits, service))


def by_terminal(show: Callable[[str], None]) -> Channel:
    """Return the way to whoever watches the server on his own machine."""

    def print_it(_: str, text: str) -> Sent:
        show(text)
        return "sent", None

    return Channel("terminal", print_it)
