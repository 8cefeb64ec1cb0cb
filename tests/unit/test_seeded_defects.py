"""What the proof tools seed is still there to be broken; whether they notice takes them longer."""

import pytest

import verification.defects as of_functions
from verification import console_defects
from verification.races import venue_defects
from verification.venue import defects, loop_defects, position_defects

SEEDED: set[of_functions.Defect] = {
    *of_functions.SEEDED,
    *of_functions.OF_MORE_COMMANDS,
    *of_functions.STEP_BY_STEP,
    *(defect for defect, _ in of_functions.OF_READING),
    *(defect for defect, _ in console_defects.SEEDED),
    *venue_defects.SEEDED,
    *defects.SEEDED,
    *(seeded.defect for seeded in loop_defects.SEEDED),
    *(seeded.defect for seeded in position_defects.SEEDED),
}


@pytest.mark.parametrize("defect", sorted(SEEDED, key=repr), ids=lambda it: it.__name__)
def test_a_defect_finds_what_it_breaks(defect: of_functions.Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        defect(patch)
