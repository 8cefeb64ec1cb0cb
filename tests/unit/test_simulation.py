"""A small run of the bridge's simulation; `python -m verification venue` is the large one."""

from pathlib import Path

import pytest

from verification.venue import defects
from verification.venue.play import play
from verification.venue.run import noticed


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_short_simulation_finds_nothing(seed: int, tmp_path: Path) -> None:
    played = play(seed, 800, tmp_path)
    assert played.findings == []
    assert played.steps >= 800


@pytest.mark.parametrize(
    "defect",
    [
        defects.a_target_before_its_stop,
        defects.a_stop_that_is_not_placed,
        defects.a_second_owner,
        defects.a_global_command,
    ],
)
def test_the_simulation_notices_a_seeded_defect(defect: defects.Defect) -> None:
    assert noticed(defect, tries=3)
