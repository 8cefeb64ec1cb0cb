"""Try every mutant of the modules that decide what becomes of an order, and compare the survivors with the listed ones.

    python -m tests.mutation [--list] [MODULE ...]

MODULE is a module or a package of functions/orderhook, such as `payload`, `commands` or `commands.cancel`. A survivor
that is not listed in survivors.md fails the run, and so does a listed one that does not survive.
"""

import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tests.mutation import trial
from tests.mutation.mutants import Change, listed_in, mutants_of
from tests.mutation.trial import Module

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "functions" / "orderhook"
SURVIVORS = Path(__file__).with_name("survivors.md")


def _tests(folder: str, *names: str) -> list[str]:
    found = [path for name in names for path in sorted((ROOT / "tests" / folder).glob(f"test_{name}.py"))]
    return [str(path.relative_to(ROOT)) for path in found if path.name not in _LEFT_OUT]


# They take long, or are about what lies around the commands: the machine, the log, the records, the queue.
_LEFT_OUT = {
    f"test_{name}.py"
    for name in (
        "book_model canary delay events faults fuzz gateway local_check local_later local_records local_run log records"
    ).split()
}

_COMMANDS = _tests("unit", "*command*", "control*")
_SERVICE = _tests("integration", "*")

# What each module is tried with, the fast ones first: by the first pattern that fits.
TESTS = {
    "payload": [*_tests("unit", "payload"), *_tests("integration", "refusals")],
    "keys": _tests("unit", "keys"),
    "orders": _tests("unit", "orders", "items", "responses"),
    "items": _tests("unit", "items"),
    "commands": _COMMANDS,
    "commands.fields": _COMMANDS,
    "commands.*": [*_COMMANDS, *_SERVICE],
    "book": _SERVICE,
}


def modules(wanted: Sequence[str]) -> Iterator[Module]:
    """Yield the modules to try, those of `wanted` or all that have tests."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        tests = next((tests for pattern, tests in TESTS.items() if fnmatch(name, pattern)), None)
        chosen = not wanted or any(name == one or name.startswith(f"{one}.") for one in wanted)
        if tests and chosen:
            yield Module(f"orderhook.{name}", path, tests)


def survivors(module: Module) -> Iterator[Change]:
    """Yield the mutants of a module that its tests do not notice, and print how many there were."""
    started = time.monotonic()
    rehearsal = trial.rehearse(module)
    if rehearsal.failure:
        sys.exit(f"{module.name}: without a mutant its tests failed at {rehearsal.failure}")
    trial.import_beforehand(rehearsal.imported)
    cpu_seconds = 5 + int(2 * rehearsal.seconds)
    killers: list[str] = []
    verdicts: Counter[str] = Counter()
    for mutant in mutants_of(module.path.read_text()):
        tests = rehearsal.tests_of(mutant.lines)
        # What has killed a neighbour will mostly kill this one too.
        result = trial.run(module, mutant.source, [test for test in killers if test in tests], cpu_seconds=cpu_seconds)
        if result.verdict == "survived":
            result = trial.run(module, mutant.source, tests, cpu_seconds=cpu_seconds)
        verdicts[result.verdict] += 1
        if result.verdict == "survived":
            yield mutant.change
        elif result.killer:
            killers = list(dict.fromkeys([result.killer, *killers]))[:20]
    minutes = (time.monotonic() - started) / 60
    print(f"{module.name}: {verdicts.total()} mutants in {minutes:.1f} minutes, {dict(verdicts)}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Try the modules; return how many of them are not as listed."""
    parser = ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as payload, commands or commands.cancel")
    wanted = parser.parse_args(arguments).modules
    listed = listed_in(SURVIVORS.read_text())
    wrong = 0
    for module in modules(wanted):
        allowed = listed.get(module.path.relative_to(PACKAGE).as_posix(), [])
        found = []
        for change in survivors(module):
            found.append(change)
            if change not in allowed:
                print(change, flush=True)
        gone = [change for change in allowed if change not in found]
        for change in gone:
            print(f"Listed, and no survivor:\n{change}", flush=True)
        wrong += bool(gone or set(found) - set(allowed))
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
