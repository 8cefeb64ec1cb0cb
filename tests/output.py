"""What the functions return, and what they write to their log."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from orderhook import telemetry


@dataclass(frozen=True)
class Answer:
    """What the handler returned; `body` is without the request id, which no test can know."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    request_id: str
    text: str

    @classmethod
    def of(cls, response: Mapping[str, Any]) -> "Answer":
        assert response["isBase64Encoded"] is False
        body = json.loads(response["body"])
        return cls(response["statusCode"], response["headers"], body, body.pop("request_id"), str(response))

    @property
    def word(self) -> str:
        """The status word of a success, the code of a refusal."""
        word: str = self.body["status" if self.body["success"] else "error"]
        return word


class _Stdout:
    """Standard output as it is at the moment: the logger keeps the one of webhook's import, pytest changes it often."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


class Output:
    """Everything that the function writes to standard output and error; taking it empties it."""

    def __init__(self, take: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Take what was written with `take`."""
        self.take = take
        monkeypatch.setattr(telemetry.logger.registered_handler, "stream", _Stdout())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.take().splitlines()]
