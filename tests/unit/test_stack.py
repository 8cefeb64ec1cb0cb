import resource
from collections.abc import Callable

from orderhook.stack import call_roomily

CALLS = 500


def work() -> None:
    """Call as deep as an import does, again and again."""
    for _ in range(CALLS):
        descend(20, lambda: None)


def descend(frames: int, function: Callable[[], None]) -> None:
    if frames:
        descend(frames - 1, function)
    else:
        function()


def pages_mapped() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_at_no_depth_does_a_roomy_call_map_memory_again_and_again() -> None:
    mapped = []

    def measure() -> None:
        before = pages_mapped()
        call_roomily(work)
        mapped.append(pages_mapped() - before)

    for depth in range(0, 200, 5):
        descend(depth, measure)
    assert max(mapped) < CALLS / 2


def test_a_roomy_call_returns_what_the_function_returns() -> None:
    assert call_roomily(divmod, 7, 2) == (3, 1)
