"""How the build changes modules; tests/runtime looks at what it makes of the packages."""

from pathlib import Path

import pytest

from prune import import_late, prune_types

MODULE = """\
import os
import slow.part
from slow.other import (
    fast,
    unused,
)

class Kept:
    name = os.name

    def both(self, flag):
        'A docstring.'
        if flag:
            return fast(
                slow.part.size
            )
        return [fast(it) for it in flag]
"""

MOVED = """\
import os






class Kept:
    name = os.name

    def both(self, flag):
        'A docstring.'
        if flag:
            from slow.other import fast, unused
            import slow.part
            return fast(
                slow.part.size
            )
        from slow.other import fast, unused
        return [fast(it) for it in flag]
"""

TYPES = """\
class Kept(TypedDict, total=False):
    'What it is.'
    name: list[
        str
    ]
    size: int

class Other:
    size: int
"""

PRUNED_TYPES = """\
class Kept(TypedDict, total=False):
    'What it is.'
    pass


    pass

class Other:
    size: int
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return tmp_path / "module.py"


def test_an_import_moves_to_the_statements_that_use_it_and_stays_there(module: Path) -> None:
    module.write_text(MODULE)
    for _ in range(2):
        import_late(module, "slow")
        assert module.read_text() == MOVED


@pytest.mark.parametrize(
    "use", ["slow.start()", "@slow.traced\ndef f(): pass", "def f(it=slow.it): pass", "class C(slow.C): pass"]
)
def test_an_import_that_is_needed_at_once_is_not_moved(module: Path, use: str) -> None:
    module.write_text(f"import slow\n{use}\n")
    with pytest.raises(ValueError, match="needs slow at once"):
        import_late(module, "slow")


def test_a_package_whose_name_begins_alike_is_another(module: Path) -> None:
    module.write_text("import slower\nslower.start()\n")
    import_late(module, "slow")
    assert module.read_text() == "import slower\nslower.start()\n"


def test_a_typed_dictionary_loses_its_fields_and_nothing_else(module: Path) -> None:
    module.write_text(TYPES)
    prune_types(module)
    assert module.read_text() == PRUNED_TYPES
