"""The book beside a model of it, step by step; `make prove` takes many thousands of steps."""

import os
from collections import Counter
from contextlib import redirect_stderr

import pytest
from hypothesis import Phase
from hypothesis.errors import Flaky

from tests import defects
from tests.defects import Defect
from tests.service import Service
from verification.model import machine

RUNS, STEPS = 12, 30

NOT_STEP_BY_STEP = {defects.a_read_that_decides_a_later_write, defects.a_key_remembered_for_too_long}
"""Only a race shows the one, only time the other."""


def test_the_book_does_what_its_model_says(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    tally: Counter[str] = Counter()
    machine.run(service, monkeypatch, tally, max_examples=RUNS, stateful_step_count=STEPS)
    assert tally["steps"] > RUNS
    assert tally["CANCEL cancelled"]


NOTICED = (*defects.SEEDED, *defects.OF_MORE_COMMANDS, *defects.OF_A_WHOLE_BOOK)


@pytest.mark.parametrize("defect", [defect for defect in NOTICED if defect not in NOT_STEP_BY_STEP])
def test_the_model_notices(defect: Defect, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)
    # A defect that remembers what it did may hide when the same steps are taken again.
    with pytest.raises((AssertionError, Flaky)), open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        machine.run(
            service,
            monkeypatch,
            Counter(),
            max_examples=100,
            stateful_step_count=STEPS,
            phases=[Phase.generate],
            seed=3,
        )
