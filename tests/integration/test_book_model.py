"""The book beside a model of it, step by step; `make prove` takes many thousands of steps."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.prove.book_machine import machine
from tests.service import Service

RUNS, STEPS = 40, 30


def test_the_book_does_what_its_model_says(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    made = machine(service, monkeypatch)
    run_state_machine_as_test(made, settings=chosen)
    print(made.tally)
