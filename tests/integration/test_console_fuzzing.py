"""A few of the requests of which `make prove` sends many to the console and the API, always the same ones."""

import pytest

from tests.service import Service
from verification import console_fuzzing
from verification.console_defects import SEEDED

pytestmark = pytest.mark.moto_only("fuzzing restores its table from moto's memory")


def test_no_request_brings_an_exception_a_foreign_tag_or_a_secret(service: Service) -> None:
    result = console_fuzzing.send(service, requests=200, seed=1)
    assert result.shown == []
    assert result.findings == 0
    assert result.requests == 200


def test_the_fuzzer_notices_seeded_defects(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzer, unnoticed = console_fuzzing.Fuzzer(service), []
    for defect, finding in SEEDED[:2]:  # `make prove` tries all of them
        with monkeypatch.context() as patch:
            defect(patch)
            if not console_fuzzing.notices(fuzzer, finding, seed=0, examples=10):
                unnoticed.append(defect.__name__)
    assert unnoticed == []
