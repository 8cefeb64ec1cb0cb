"""The function that tells a trader, over the service's table, with the ways to him at their places."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto.sns.models import sns_backends

import notify
from orderhook.alarms import LOOKS
from orderhook.aws.clients import connect
from orderhook.aws.doorbell import LOOK
from orderhook.notifying import channels
from orderhook.store.notices import Told
from tests.client_faults import Deliver, Raw
from tests.outgoing import URLS
from tests.output import Output
from tests.service import Service

STACK = "my-stack"


@dataclass
class Telling:
    """The function, and what it needs besides the table: a topic of alarms, and parameters."""

    service: Service
    topic: str
    fault: Callable[[AWSPreparedRequest, Deliver], AWSResponse | None] | None = None
    """What each request to SNS and SSM meets."""
    failed: list[str] = field(default_factory=list)
    """The messages that SQS is to deliver again after the last look."""

    @classmethod
    def set_up(cls, service: Service, monkeypatch: pytest.MonkeyPatch) -> "Telling":
        topic = boto3.client("sns").create_topic(Name=service.trader)["TopicArn"]
        telling = cls(service, topic)
        monkeypatch.setattr(notify, "stack", STACK)
        monkeypatch.setattr(notify, "topics", [topic])
        settings = notify.settings._replace(venue=service.venue, venue_trader=service.trader)
        monkeypatch.setattr(notify, "settings", settings)
        monkeypatch.setattr(_Clients, "telling", telling)
        monkeypatch.setattr(channels, "client_of", _Clients.of)
        return telling

    def meet(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        answer = self.fault(request, self.service.queue.deliver) if self.fault else None
        if answer is not None:
            request.url = "http://answered.already/"
        return answer

    # What a trader sets

    def set(
        self, service: str | None = None, *, trader: str | None = None, url: str | None = None, **more: Any
    ) -> None:
        """Set how a trader is told, as `orderhook notify set` does."""
        whose = trader or self.service.trader
        notices = self.service.services.notices
        if service:
            name = channels.url_parameter(STACK, whose)
            value = url or URLS[service]
            boto3.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
            more |= {"service": service, "ends": value[-4:]}
        notices.change(whose, **more)

    # Time, and looking

    def look(self, *, later: float = 0, messages: int = 1, hears: bool = True) -> None:
        """Have so many messages be taken up, some seconds later; the bridge lives unless it is not heard."""
        if later:
            self.service.let_pass(later)
            if hears:
                self.service.hear_bridge()
        records = [{"messageId": f"m-{number}", "body": LOOK} for number in range(messages)]
        answer = notify.handler({"Records": records}, None)
        self.failed = [it["itemIdentifier"] for it in answer["batchItemFailures"]]

    def begin(self) -> None:
        """Have a first look be over, from which on refused alerts are summed, and nothing be sent of it."""
        self.look()
        self.forget()

    def next_minute(self) -> None:
        """Look when the minute that is now is summed."""
        self.look(later=75)

    # What became of it

    @property
    def mails(self) -> list[str]:
        """The texts that were published."""
        return [message for _, message, *_ in self._published]

    @property
    def subjects(self) -> list[str]:
        return [subject for _, _, subject, *_ in self._published]

    @property
    def _published(self) -> list[Any]:
        [backends] = sns_backends.values()
        sent: list[Any] = backends["us-east-1"].topics[self.topic].sent_notifications
        return sent

    def forget(self) -> None:
        self._published.clear()

    @property
    def codes(self) -> list[str]:
        """What was told by e-mail, by the codes of the notices, in one list."""
        return [code for mail in self.mails for code in codes_of(mail)]

    def told(self, **matching: Any) -> list[Told]:
        """Return what the table has of what was told, the latest first."""
        found = self.service.services.notices.latest(self.service.trader, 100)
        return [it for it in found if all(getattr(it, name) == value for name, value in matching.items())]

    def metrics(self) -> list[str]:
        """Return the metrics that were counted since they were taken last, but for those of the looks themselves."""
        return [name for name in metrics_of(self.service.output) if name != LOOKS]


class _Clients:
    """The clients of what is sent, made once for all tests."""

    telling: Telling | None = None

    @staticmethod
    @cache
    def of(name: Any) -> Any:
        client: Any = connect(name)
        client.meta.events.register_first(f"before-send.{name}", _Clients.meet)
        return client

    @staticmethod
    def meet(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        return _Clients.telling.meet(request) if _Clients.telling else None


def codes_of(text: str) -> Iterable[str]:
    """Return the codes of the notices of a message."""
    blocks = text.split("\n\n")[1:]
    return [block.partition(":")[0] for block in blocks if not block.startswith("And ")]


def metrics_of(output: Output) -> list[str]:
    lines = output.lines()
    return [
        metric["Name"]
        for line in lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    ]


# What SNS and SSM may do


def refuse_connection(request: AWSPreparedRequest, _: Deliver) -> AWSResponse | None:
    raise EndpointConnectionError(endpoint_url=request.url)


def lose_answer(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
    deliver(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def _refuse(status: int, code: str, request: AWSPreparedRequest, _: Deliver) -> AWSResponse | None:
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    return AWSResponse(request.url, status, HTTPHeaders(), Raw(body.encode()))


throttled = partial(_refuse, 400, "Throttling")
broken = partial(_refuse, 500, "InternalError")
