"""The handlers beside a model of them, step by step; `make prove` takes many thousands of steps."""

from collections import Counter

import pytest

from tests.service import Service
from verification import defects
from verification.defects import Defect, Patch
from verification.model import machine
from verification.model.examples import EXAMPLES

RUNS, STEPS = 8, 25


def test_the_table_is_as_the_model_says(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    tally: Counter[str] = Counter()
    machine.run(service, monkeypatch, tally, seed=1, max_examples=RUNS, stateful_step_count=STEPS)
    assert tally["steps"] > RUNS
    assert tally["CANCEL cancelled"]


def test_every_defect_that_single_steps_can_show_has_its_example() -> None:
    assert set(EXAMPLES) == set(defects.STEP_BY_STEP)


@pytest.mark.parametrize("defect", EXAMPLES)
def test_the_model_notices_a_defect_and_nothing_without_it(
    defect: Defect, service: Service, monkeypatch: Patch
) -> None:
    machine.play(service, monkeypatch, EXAMPLES[defect])
    defect(monkeypatch)
    with pytest.raises(AssertionError):
        machine.play(service, monkeypatch, EXAMPLES[defect])
