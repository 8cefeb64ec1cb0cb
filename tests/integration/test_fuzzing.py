"""A few of the payloads of which `make prove` sends a million, always the same ones and without a limit of time."""

import pytest

from tests.builders import event
from tests.service import Service
from verification import fuzzing
from verification.defects import (
    Defect,
    Patch,
    a_key_that_is_let_through,
    an_exception_that_gets_out,
    an_unexpected_exception,
)

pytestmark = pytest.mark.moto_only("fuzzing restores its table from moto's memory")


def test_no_payload_brings_a_5xx_an_exception_or_a_key(service: Service) -> None:
    result = fuzzing.send(service, payloads=2000, seed=1)
    assert result.shown == []
    assert result.findings == 0
    assert result.payloads == 2000
    words = {answer.split()[1] for answer in result.answers}
    assert {"cancelled", "already_cancelled", "placed", "already_placed", "invalid_value", "unknown_field"} <= words


@pytest.mark.parametrize(
    ("defect", "body", "finding"),
    [
        (a_key_that_is_let_through, "key=KEY;command=PLACE;KEY=1", "the key is in the"),
        (an_unexpected_exception, '{"key": "KEY", "command": "CANCEL", "order_id": null}', "answered 503"),
        (an_exception_that_gets_out, "key=KEY;command=CANCEL;order_id=order-1", "Error was raised"),
    ],
)
def test_the_fuzzer_notices_a_defect_and_nothing_without_it(
    defect: Defect, body: str, finding: str, service: Service, monkeypatch: Patch
) -> None:
    fuzzer = fuzzing.Fuzzer(service)
    request = event(body.replace("KEY", service.key))
    if defect is an_exception_that_gets_out:
        request["requestContext"] = None
    fuzzer.send(request, "an example")
    assert fuzzer.result.shown == []
    defect(monkeypatch)
    fuzzer.send(request, "an example")
    assert finding in fuzzer.result.shown[0]
    assert service.key not in "".join(fuzzer.result.shown)
