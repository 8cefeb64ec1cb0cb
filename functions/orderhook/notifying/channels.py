"""The ways to a trader: e-mail by the stack's topic of alarms, the outgoing webhook, or the terminal of a local run."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from botocore.exceptions import ClientError

from orderhook.aws.budget import single_attempt
from orderhook.aws.clients import connect, error_code, send
from orderhook.errors import OrderhookError
from orderhook.notifying import destinations, https
from orderhook.store.notices import State

_LONGEST_SUBJECT = 100
"""Characters; SNS takes no more, and ASCII alone."""

Sent = tuple[State, str | None]
"""What became of a message, and if it was not sent, why."""


class Channel(NamedTuple):
    """A way to a trader."""

    name: str
    send: Callable[[str, str], Sent]
    """Takes a message's subject and its text; it raises nothing."""


def url_parameter(stack: str, trader: str) -> str:
    """Return the name of SSM's parameter that has the URL of a trader's outgoing webhook."""
    return f"/orderhook/{stack}/notify/{trader.replace(':', '/-')}"  # a colon would begin a version


def by_email(topics: Sequence[str]) -> Channel:
    """Return the way by the topics of alarms, whose subscribers confirmed that they want to be told."""

    def publish(subject: str, text: str) -> Sent:
        plain = subject.encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]
        sns = connect("sns")
        try:
            with single_attempt():
                for topic in topics:
                    send(sns.publish, TopicArn=topic, Subject=plain, Message=text)
        except (OrderhookError, ClientError) as error:
            return "failed", error_code(error.__cause__ or error)
        return "sent", None

    return Channel("e-mail", publish)


def by_webhook(service: str, parameter: str) -> Channel:
    """Return the way to the URL in a parameter of SSM's, which is read for each message and kept nowhere."""

    def post(_: str, text: str) -> Sent:
        try:
            url = send(connect("ssm").get_parameter, Name=parameter, WithDecryption=True)["Parameter"]["Value"]
        except (OrderhookError, ClientError) as error:
            return "not reached", f"its URL cannot be read: {error_code(error.__cause__ or error)}"
        try:
            request = destinations.request_to(url, text)
        except ValueError:
            return "failed", "its URL is none of a known service: set it again"
        return https.post(request)

    return Channel(service, post)


def by_terminal(show: Callable[[str], None]) -> Channel:
    """Return the way to whoever watches the server on his own machine."""

    def print_it(_: str, text: str) -> Sent:
        show(text)
        return "sent", None

    return Channel("terminal", print_it)
