"""A few thousand of the payloads of which `make prove` sends a million."""

from collections.abc import Callable

import pytest

import webhook
from orderhook import commands, payload
from tests.service import Service
from verification import fuzzing

Patch = pytest.MonkeyPatch


def test_no_payload_brings_a_5xx_an_exception_a_key_or_a_long_wait(service: Service) -> None:
    result = fuzzing.send(service, payloads=4_000, seed=1)
    assert result.shown == []
    assert result.findings == 0
    assert result.payloads == 4_000
    words = {answer.split()[1] for answer in result.answers}
    assert {"cancelled", "already_cancelled", "placed", "already_placed", "invalid_value", "unknown_field"} <= words


def a_key_that_is_let_through(patch: Patch) -> None:
    patch.setattr(webhook, "holds_key", lambda _: False)


def an_unexpected_exception(patch: Patch) -> None:
    patch.setattr(payload, "_json_value", lambda value: value.strip())


def an_exception_that_gets_out(patch: Patch) -> None:
    patch.setattr(webhook, "_age", lambda event, _: event["requestContext"]["timeEpoch"] * 0)


def a_reader_that_crawls(patch: Patch) -> None:
    read = commands.read

    def crawl(*of: object) -> object:
        for _ in range(20_000_000):
            pass
        return read(*of)  # type: ignore[arg-type]

    patch.setattr(commands, "read", crawl)


@pytest.mark.parametrize(
    ("defect", "finding"),
    [
        (a_key_that_is_let_through, "the key is in the"),
        (an_unexpected_exception, "answered 503"),
        (an_exception_that_gets_out, "Error was raised"),
        (a_reader_that_crawls, "ms of CPU time"),
    ],
)
def test_the_fuzzer_notices(
    defect: Callable[[Patch], None], finding: str, service: Service, monkeypatch: Patch
) -> None:
    fuzzer = fuzzing.Fuzzer(service)
    defect(monkeypatch)
    for seed in range(20):
        fuzzer.example(
            b'{"key": "KEY", "command": "CANCEL", "order_id": "order-1", "KEY": "1", "qty": null}', seed, payloads=20
        )
        if fuzzer.result.shown:
            break
    assert finding in fuzzer.result.shown[0]
    assert service.key not in "".join(fuzzer.result.shown)
