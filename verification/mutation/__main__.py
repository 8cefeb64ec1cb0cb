"""Try every mutant of the modules that decide what becomes of an order, and compare the survivors with the listed ones.

    python -m verification.mutation [--seconds N] [--but-texts] [MODULE ...]

MODULE is a module or a package of functions/orderhook, such as `payload`, `commands` or `store.orders`, or of the
bridge, such as `bridge.engine`. A survivor that is not listed in survivors.md fails the run, and so does a listed one
that does not survive. With --seconds each mutant has only so many seconds of tests to survive, and none of the long
ones: then more survive, and what is killed is killed. With --but-texts the mutants are left out that only alter a text.
"""

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import partial
from itertools import accumulate, chain
from math import inf
from pathlib import Path

from verification.mutation import trial
from verification.mutation.mutants import Change, Mutant, listed_in, mutants_of
from verification.mutation.trial import Module, Rehearsal, Stage, Trial
from verification.mutation.types import TypeChecker

ROOT = Path(__file__).parents[2]
PACKAGE, BRIDGE = ROOT / "functions" / "orderhook", ROOT / "bridge"
SURVIVORS = Path(__file__).with_name("survivors.md")

_QUICK = 0.5
"""The seconds of tests that are run before the type checker is asked."""


def _tests(folder: str, *names: str) -> list[str]:
    found = [path for name in names for path in sorted((ROOT / "tests" / folder).glob(f"test_{name}.py"))]
    return [str(path.relative_to(ROOT)) for path in found]


# They take long, or are about what lies around the commands: the machine, the log, the records.
_LEFT_OUT = _tests("integration", *"canary cli_* events fuzzing gateway log model records".split())
_SERVICE = [test for test in _tests("integration", "*") if test not in _LEFT_OUT]
_COMMANDS = _tests("unit", "*command*", "opens_position")
_CORE = [*_tests("unit", "accounts", "messages", "table", "trade"), *_SERVICE]


def _alerts(names: str) -> list[str]:
    return [*_COMMANDS, *_tests("integration", *names.split())]


_ALTERING = "change cancel_replace resends more_sequences venue_changes"
_MANY = "cancel_many close_strategy venue_many"
_PLACING = "place delay venue_orders"
_ENGINE = (
    "adopting brackets cancelling carrying_out changing confirming engine events legs looking positions reading "
    "records reporting state"
)

# What each module is tried with, the fast ones first: by the first pattern that fits. What survives has run all of it,
# so a module whose behaviour a few files describe is tried with those, and not with the whole service's.
TESTS = {
    "payload": [*_tests("unit", "payload"), *_tests("integration", "refusals")],
    "keys": _tests("unit", "keys"),
    "orders": _tests("unit", "orders", "items", "responses"),
    "provenance": _tests("unit", "orders", "items", "responses"),
    "outcome": _tests("unit", "orders", "items", "responses"),
    "trade_window": _tests("unit", "trade_window"),
    "rate_limit": _tests("unit", "opens_position"),
    "instruments": _tests("unit", "instruments", "contract_dates"),
    "contract_dates": _tests("unit", "contract_dates", "instruments"),
    "exchange_days": _tests("unit", "contract_dates", "instruments"),
    "renaming": _tests("integration", "renaming", "migration"),
    "accounts": _tests("unit", "accounts"),
    "admission": _tests("integration", "key_limits", "controls", "refusals"),
    "limits": _tests("unit", "limits"),
    "pipeline": _CORE,
    "trade": _tests("unit", "trade"),
    "altering": _tests("unit", "trade"),
    "leg_prices": _tests("unit", "trade"),
    "resend": _tests("integration", "resends", "accounts", "more_sequences"),
    "messages": _tests("unit", "messages", "bridge_messages"),
    "listing": _tests("integration", "sequences", "more_sequences", "cli_orders"),
    "bridge_messages": _tests("unit", "bridge_messages"),
    "venues": _tests("unit", "venues"),
    "order_reports": _tests("integration", "reports", "venue_reports", "sequences"),
    "reporting": _tests("integration", "venue_reports"),
    "commands": _COMMANDS,
    "commands.fields": _COMMANDS,
    "commands.parsing": _alerts("refusals place change"),
    "commands.contracts": _tests("integration", "instruments"),
    "commands.addressed_order": _alerts("cancel change cancel_replace resends more_sequences"),
    "commands.cancel": _alerts("cancel cancel_after resends more_sequences venue_orders venue_changes"),
    "commands.cancel_many": _alerts(_MANY),
    "commands.cancel_*orders": _alerts(_MANY),
    "commands.close_strategy": _alerts(_MANY),
    "commands.overtaken": _tests("integration", "more_sequences"),
    "commands.strategy_names": _tests("integration", "more_sequences"),
    "commands.change": _alerts(_ALTERING),
    "commands.changing": _alerts(_ALTERING),
    "commands.price_checks": _alerts(_ALTERING),
    "commands.cancel_replace": _alerts(_ALTERING),
    "commands.asking": _alerts("venue_changes"),
    "commands.place": _alerts(_PLACING),
    "commands.placed": _alerts(_PLACING),
    "commands.new_order": _alerts(_PLACING),
    "commands.placing": _alerts(f"{_PLACING} resends sequences"),
    "commands.numbering": _alerts(f"{_PLACING} resends sequences"),
    "commands.release": _alerts("delay given_up venue_many venue_races"),
    "commands.opens_position": _alerts("controls rate_limit key_limits"),
    "commands.kill_switch": _alerts("controls"),
    "commands.*": [*_COMMANDS, *_SERVICE],
    "store.changes": _alerts(_ALTERING),
    "store.alert_log": [*_tests("unit", "alert_log"), *_tests("integration", "records")],
    "store.bridge": _tests("integration", "venue_reports", "bridge_link", "venue_orders"),
    "store.items": _tests("unit", "items"),
    "store.releases": _tests("integration", "reports", "venue_reports", "sequences"),
    "store.reports": _tests("integration", "reports", "venue_reports", "sequences"),
    "store.strategies": _tests("integration", *"place close_strategy sequences more_sequences".split()),
    "store.traces": _tests("integration", "resends", "cancel_many"),
    "store.*": _CORE,
    **dict.fromkeys([f"bridge.{name}" for name in _ENGINE.split()], _tests("unit", "engine*")),
    "bridge.contracts": _tests("unit", "ninjatrader_files"),
    "bridge.outgoing": _tests("unit", "ninjatrader_files"),
    "bridge.oif": _tests("unit", "oif"),
    "bridge.windows": _tests("unit", "bridge_windows"),
    "bridge.journal": _tests("unit", "journal"),
}


def modules(wanted: Sequence[str]) -> dict[tuple[str, ...], list[Module]]:
    """Return the modules to try, those of `wanted` or all that have tests, by their tests."""
    by_tests = defaultdict[tuple[str, ...], list[Module]](list)
    for path in (*sorted(PACKAGE.rglob("*.py")), *sorted(BRIDGE.rglob("*.py"))):
        whole_name = _name_of(path)
        name = whole_name.removesuffix(".__init__")
        tests = next((tests for pattern, tests in TESTS.items() if fnmatch(name, pattern)), None)
        chosen = not wanted or any(one in (name, whole_name) or name.startswith(f"{one}.") for one in wanted)
        if tests and chosen:
            prefix = "orderhook." if path.is_relative_to(PACKAGE) else ""
            by_tests[tuple(tests)].append(Module(f"{prefix}{name}", path))
    return by_tests


def _place_of(path: Path) -> Path:
    """Return what survivors.md calls a module: its path in functions/orderhook, or bridge/ and its path in that."""
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT)


def _name_of(path: Path) -> str:
    return ".".join(_place_of(path).with_suffix("").parts)


def rehearse(tests: Sequence[str], several: Sequence[Module], *, long: bool) -> Rehearsal:
    """Run the tests of these modules without a mutant: all of them must pass."""
    rehearsal = trial.rehearse(tests, several, long=long)
    if rehearsal.failure:
        sys.exit(f"{', '.join(module.name for module in several)}: without a mutant {rehearsal.failure} failed")
    trial.import_beforehand(rehearsal.imported)
    return rehearsal


def survivors(
    module: Module, mutants: Iterable[Mutant], rehearsal: Rehearsal, stage: Stage, types: TypeChecker, seconds: float
) -> Iterator[Change]:
    """Yield the mutants of a module that neither its types nor its tests give away, and print how many there were."""
    if types.refuses(module, module.path.read_text()):
        sys.exit(f"{module.name}: without a mutant its types are refused")
    started = time.monotonic()
    killers: list[str] = []
    verdicts: Counter[str] = Counter()
    for mutant in mutants:
        result = _try(module, mutant, rehearsal, stage, types, killers, seconds)
        verdicts[result.verdict] += 1
        if result.verdict == "survived":
            yield mutant.change
        elif result.killer:
            killers = list(dict.fromkeys([result.killer, *killers]))[:20]
    minutes = (time.monotonic() - started) / 60
    print(f"{module.name}: {verdicts.total()} mutants in {minutes:.1f} minutes, {dict(verdicts)}", flush=True)


def _try(
    module: Module,
    mutant: Mutant,
    rehearsal: Rehearsal,
    stage: Stage,
    types: TypeChecker,
    killers: Sequence[str],
    seconds: float,
) -> Trial:
    running = rehearsal.tests_of(module.path, mutant.lines)
    tests = list(rehearsal.durations) if running is None else running
    # What has killed a neighbour will mostly kill this one too, and else one of a few that run all there is to run.
    likely = [test for test in killers if test in tests]
    varied = rehearsal.varied(module.path, tests)
    if running is None:  # a test that runs none of the lines may look at what they have made
        varied = chain.from_iterable(zip(rehearsal.durations, varied, strict=True))
    others = [test for test in dict.fromkeys(varied) if test not in likely]
    spent = list(accumulate(rehearsal.durations[test] for test in others))
    quick = bisect(spent, _QUICK)
    likely, others = [*likely, *others[:quick]], others[quick : bisect(spent, seconds)]

    def run(tests: Sequence[str]) -> Trial:
        if not tests:
            return Trial("survived")
        timed = {test: rehearsal.durations[test] for test in tests}
        staged = stage.run(module, mutant.source, mutant.name, timed) if running is not None and mutant.name else None
        return staged or trial.run(module, mutant.source, timed)

    result = run(likely)
    if result.verdict == "survived" and types.refuses(module, mutant.source):
        return Trial("refused by the type checker")
    return run(others) if result.verdict == "survived" else result


def main(arguments: Sequence[str]) -> int:
    """Try the modules, as many groups at once as there are cores; return how many of them are not as listed."""
    parser = ArgumentParser(prog="python -m verification.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as payload, commands or commands.cancel")
    parser.add_argument("--seconds", type=float, default=inf, help="of tests that each mutant has to survive")
    parser.add_argument("--but-texts", action="store_true", help="leave out the mutants that only alter a text")
    wanted = parser.parse_args(arguments)
    groups = modules(wanted.modules)
    if len(groups) > 1:
        options = [f"--seconds={wanted.seconds}", *(["--but-texts"] if wanted.but_texts else [])]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(pool.map(partial(_try_apart, options), groups.values()))
    return sum(
        _try_together(tests, several, seconds=wanted.seconds, texts=not wanted.but_texts)
        for tests, several in groups.items()
    )


def _try_apart(options: Sequence[str], several: Sequence[Module]) -> bool:
    """Try modules in a process of their own; return whether it found something wrong."""
    names = [_name_of(module.path) for module in several]
    return subprocess.run([sys.executable, "-m", "verification.mutation", *options, *names]).returncode != 0


def _try_together(tests: Sequence[str], several: Sequence[Module], *, seconds: float, texts: bool) -> int:
    """Try the modules that these tests are for; return how many are not as listed."""
    listed = listed_in(SURVIVORS.read_text())
    long = seconds == inf
    rehearsal = rehearse(tests, several, long=long)
    wrong = 0
    with TypeChecker.at_work() as types, Stage.of(tests, long=long) as stage:
        for module in several:
            mutants = list(mutants_of(module.path.read_text()))
            tried = [mutant for mutant in mutants if texts or not mutant.is_text]
            left_out = {mutant.change for mutant in mutants} - {mutant.change for mutant in tried}
            allowed = [it for it in listed.get(_place_of(module.path).as_posix(), []) if it not in left_out]
            wrong += not _as_listed(allowed, survivors(module, tried, rehearsal, stage, types, seconds))
    return wrong


def _as_listed(allowed: Sequence[Change], found: Iterable[Change]) -> bool:
    """Return whether exactly the listed mutants survive, and print those that do and should not, or the other way."""
    surviving = []
    for change in found:
        surviving.append(change)
        if change not in allowed:
            print(change, flush=True)
    gone = [change for change in allowed if change not in surviving]
    for change in gone:
        print(f"Listed, and no survivor:\n{change}", flush=True)
    return not gone and set(surviving) <= set(allowed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
