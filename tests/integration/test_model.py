"""The handlers beside a model of them, step by step; `make prove` takes many thousands of steps."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import Phase

from tests.integration import test_sequences
from tests.marks import LONG
from tests.service import Service
from verification import defects
from verification.defects import Defect, Patch
from verification.model import machine
from verification.model.examples import ANSWERED_RESENDS, BORNE_NAMES, EXAMPLES
from verification.model.machine import Taken

RUNS, STEPS = 4, 25


@LONG
def test_the_table_is_as_the_model_says(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    tally: Counter[str] = Counter()
    options = {"max_examples": RUNS, "stateful_step_count": STEPS, "phases": [Phase.generate]}
    machine.run(service, monkeypatch, tally, seed=1, **options)
    assert tally["steps"] > RUNS
    assert tally["CANCEL cancelled"]


@pytest.mark.parametrize("steps", ANSWERED_RESENDS, ids=["CANCEL", "PLACE"])
def test_the_text_of_an_answered_resend_is_a_new_alert(
    steps: Sequence[Taken], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.play(service, monkeypatch, steps)


@pytest.mark.parametrize("steps", BORNE_NAMES)
def test_a_resend_by_a_name_that_two_trades_bear_is_as_the_model_says(
    steps: Sequence[Taken], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.play(service, monkeypatch, steps)


def test_every_defect_that_single_steps_can_show_has_its_example() -> None:
    assert set(EXAMPLES) == set(defects.STEP_BY_STEP)


@pytest.mark.moto_only("the defects are in what is written, not in the table")
@pytest.mark.parametrize("defect", [*EXAMPLES][::8])  # `make prove` tries all of them
def test_the_model_notices_a_defect_and_nothing_without_it(
    defect: Defect, service: Service, monkeypatch: Patch
) -> None:
    machine.play(service, monkeypatch, EXAMPLES[defect])
    defect(monkeypatch)
    with pytest.raises(AssertionError):
        machine.play(service, monkeypatch, EXAMPLES[defect])


@pytest.mark.engine_only("seeded defects take long: `make test-engine` tries them")
@pytest.mark.parametrize(("defect", "sequence"), defects.OF_SEQUENCES)
def test_a_sequence_notices_a_defect(defect: Defect, sequence: str, service: Service, monkeypatch: Patch) -> None:
    defect(monkeypatch)
    with pytest.raises(AssertionError):
        getattr(test_sequences, sequence)(test_sequences.Trader(service))
