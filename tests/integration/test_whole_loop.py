"""Small runs of the simulations of the whole loop; `python -m verification whole-loop positions` is the large one."""

import pytest

from tests.queues import Queue
from tests.tables import Table
from verification.venue import whole


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_from_alert_to_report_nothing_is_found(table: Table, queue: Queue, seed: int) -> None:
    played = whole.play(table, queue, seed)
    assert played.judge.findings == []
    assert played.steps > 200


@pytest.mark.long
@pytest.mark.parametrize(
    "defect", ["a_real_account_without_leave", "legs_that_nobody_cancels"]
)  # `make prove` seeds all of them
def test_the_whole_loop_notices_a_seeded_defect(table: Table, queue: Queue, defect: str) -> None:
    assert whole.noticed(defect, table, queue, tries=4)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_of_positions_nothing_is_found(table: Table, queue: Queue, seed: int) -> None:
    played = whole.play(table, queue, seed, of=whole.POSITIONS)
    assert played.judge.findings == []
    assert any(it.endswith(" accepted") for it in played.trader.answers)


@pytest.mark.long
@pytest.mark.parametrize("defect", ["a_close_of_another_bridges_account", "a_result_that_is_not_told"])
def test_the_simulation_of_positions_notices_a_seeded_defect(table: Table, queue: Queue, defect: str) -> None:
    assert whole.noticed(defect, table, queue, tries=4, of=whole.POSITIONS)
