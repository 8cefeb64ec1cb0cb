"""The trial of one mutant: the tests that run it run in a forked process.

A mutant of a function's body, or of a constant that only such bodies use, is put in its place where the tests are
collected already, which takes little time; one of anything else that runs at import is imported anew, with all of ours.
"""

import ast
import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import pairwise
from math import ceil, inf
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from coverage import Coverage
from hypothesis import Phase, settings

# The same examples for every mutant, or a survivor of one run would be killed in the next. Shrinking is for readers.
settings.register_profile(
    "mutation", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)

_ROOT = Path(__file__).parents[2]
_OURS = {path.stem for folder in (_ROOT, _ROOT / "functions") for path in folder.iterdir()}
"""The top-level modules and packages that a trial imports anew."""

_FIXED = 0.1
"""The seconds that a test costs beside its own: a quick one that runs little is not better for it."""

_A_STANDSTILL = 0.05
"""The seconds of processor time that what only waits may use meanwhile."""


@dataclass(frozen=True)
class Module:
    """A module of the product."""

    name: str
    path: Path


@dataclass(frozen=True)
class Rehearsal:
    """What tests do when nothing is changed."""

    failure: str | None
    """The test that fails nevertheless."""
    imported: Sequence[str]
    durations: Mapping[str, float]
    """The seconds of processor time that each test takes, the shortest first."""
    by_line: Mapping[str, Mapping[int, frozenset[str]]]
    """The tests that run a line of a file; the empty one is the import."""

    def tests_of(self, path: Path, lines: frozenset[int] | None) -> Sequence[str] | None:
        """Return the tests that run any of these lines; None for what runs at import, which is up to all of them."""
        by_line = self.by_line[str(path)]
        running = frozenset[str]().union(*(by_line.get(line, frozenset()) for line in lines or ()))
        return None if lines is None or "" in running else [test for test in self.durations if test in running]

    def varied(self, path: Path, tests: Sequence[str]) -> Iterator[str]:
        """Yield these tests in an order in which a few run all the lines that any of them runs, and then others."""
        lines: dict[str, set[int]] = {test: set() for test in tests}
        for line, running in self.by_line[str(path)].items():
            for test in running & lines.keys():
                lines[test].add(line)
        missing: set[int] = set()
        while lines:
            missing = missing or set().union(*lines.values())
            test = max(lines, key=lambda it: len(lines[it] & missing) / (_FIXED + self.durations[it]))
            missing = missing - lines[test] if lines[test] & missing else set()
            del lines[test]
            yield test


@dataclass(frozen=True)
class Trial:
    verdict: str
    """One of survived, killed, timed out."""
    killer: str | None = None
    """The test that failed."""


def rehearse(files: Sequence[str], modules: Sequence[Module], *, long: bool) -> Rehearsal:
    """Run the tests of these files, if wanted the long ones too, and see which lines of the modules each one runs."""
    said = _fork(_Rehearsing(files, [str(module.path) for module in modules], long=long).run, seconds=600)
    tests, durations = said["tests"], said["durations"]
    by_line = {
        path: {int(line): frozenset(tests[place] for place in places) for line, places in of_path.items()}
        for path, of_path in said["by_line"].items()
    }
    failure = said["failure"] if said["code"] == 0 else said["failure"] or "collecting them"
    return Rehearsal(failure, said["imported"], durations, by_line)


def run(module: Module, source: str, tests: Mapping[str, float]) -> Trial:
    """Import a mutant in place of its module, and run these tests in this order; they should take the seconds given."""
    return _trial(_fork(_Watch(tests, _Finder(module, source)).run, seconds=sum(tests.values())))


def import_beforehand(names: Sequence[str]) -> None:
    """Import what trials import and no mutant changes, so that each has it already."""
    for name in names:
        if name.partition(".")[0] not in _OURS:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    assert "orderhook" not in sys.modules, "what is imported already is no mutant"


@dataclass
class Stage:
    """A process in which the tests are collected already: a mutant that can be put there is tried in a fork of it."""

    _tests: Connection

    @classmethod
    @contextlib.contextmanager
    def of(cls, files: Sequence[str], *, long: bool) -> Iterator["Stage"]:
        """Collect the tests of these files, if wanted the long ones too."""
        ours, theirs = Pipe()
        child = os.fork()
        if child == 0:
            ours.close()
            _be_quiet()
            with contextlib.suppress(BaseException):
                _pytest(files, _Staging(theirs), long=long)
            os._exit(0)
        theirs.close()
        try:
            yield cls(ours)
        finally:
            ours.close()
            os.waitpid(child, 0)

    def run(self, module: Module, source: str, name: str, tests: Mapping[str, float]) -> Trial | None:
        """Run these tests in this order with what has this name as this source has it; None if it cannot be put there.

        It is a function, or a constant of the module. The time that a test may take is told from the seconds given.
        """
        self._tests.send((module, source, name, tests))
        said = self._tests.recv()
        return None if said == {"cannot": True} else _trial(said)


def _trial(said: Any) -> Trial:
    if not said:
        return Trial("timed out")
    if "broken" in said:
        raise RuntimeError(said["broken"])
    return Trial("survived" if said["code"] == 0 else "killed", said["failure"])


class _Staging:
    """Hold the collected tests, and run those that are asked for in a fork each time."""

    def __init__(self, requests: Connection) -> None:
        self._requests = requests

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        self._warm_up(session.items)
        with contextlib.suppress(EOFError):
            while True:
                module, source, name, tests = self._requests.recv()
                timed = [(items[test], seconds) for test, seconds in tests.items()]
                _functions(module)  # looked for here, once, and not in each fork
                play = partial(_play, session, partial(_put, module, source, name), timed)
                self._requests.send(_fork(play, seconds=sum(tests.values())))
        return True

    def _warm_up(self, items: Sequence[pytest.Item]) -> None:
        """Run one test of the service, if there is one, so that what it imports and makes is there for all."""
        for item, following in pairwise(items):
            if "service" in getattr(item, "fixturenames", ()):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                break
        else:
            return
        from orderhook.aws.budget import CONNECTIONS
        from orderhook.store import orders

        # A fork has none of the threads.
        orders._threads.shutdown()
        orders._threads = ThreadPoolExecutor(CONNECTIONS)
        assert threading.active_count() == 1


def _play(session: pytest.Session, put: Callable[[], bool], timed: list[tuple[pytest.Item, float]]) -> Any:
    if not put():
        return {"cannot": True}
    items = [item for item, _ in timed]
    session._setupstate.teardown_exact(items[0])  # what the last test leaves for the one that it knew would follow
    for (item, seconds), following in zip(timed, [*items[1:], None], strict=True):
        _end_after(seconds)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return {"code": 1, "failure": item.nodeid}
    return {"code": 0, "failure": None}


def _put(module: Module, source: str, name: str) -> bool:
    """Make the constant or the one function of this name what it is in the source; False if that cannot be done."""
    tree = ast.parse(source)
    assignments = [
        part for part in tree.body if isinstance(part, ast.Assign | ast.AnnAssign) and name in _targets(part)
    ]
    if assignments:
        tree.body = list(assignments)
        with contextlib.suppress(Exception):  # what fails here will fail at import
            exec(compile(tree, module.path, "exec", dont_inherit=True), vars(sys.modules[module.name]))
            return True
        return False
    compiled = compile(source, module.path, "exec", dont_inherit=True)
    codes = [code for code in _codes(compiled) if code.co_qualname == name]
    there = _functions(module).get(name, [])
    if len(codes) != 1 or len(there) != 1:
        return False
    try:
        there[0].__code__ = codes[0]
    except ValueError:  # it closes over something else
        return False
    return True


@cache
def _functions(module: Module) -> Mapping[str, Sequence[FunctionType]]:
    """Return the functions that the source of a module has made, by their qualified names."""
    importlib.import_module(module.name)
    gc.unfreeze()  # or what is frozen would not be seen
    found = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == str(module.path):
            found[thing.__code__.co_qualname].append(thing)
    gc.freeze()  # a fork that collects garbage would copy all of it
    return found


def _targets(assignment: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = assignment.targets if isinstance(assignment, ast.Assign) else [assignment.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


class _Watch:
    """Run these tests in this order, and note which one fails."""

    def __init__(self, tests: Iterable[str], mutant: "_Finder | None" = None) -> None:
        self._files = sorted({test.partition("::")[0] for test in tests})
        self._rank = {test: rank for rank, test in enumerate(tests)}
        self._mutant = mutant
        self._failure: str | None = None
        self._long = True  # a long one that is not among the tests is left out all the same

    def run(self) -> dict[str, Any]:
        if self._mutant:
            sys.meta_path.insert(0, self._mutant)
        code = _pytest(self._files, self, long=self._long)
        return {"code": code, "failure": self._failure}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._rank), key=lambda item: self._rank[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self._failure is None:
            self._failure = report.nodeid


class _Rehearsing(_Watch):
    """Run all tests of these files, and note which lines of the modules each one runs."""

    def __init__(self, files: Sequence[str], modules: Sequence[str], *, long: bool) -> None:
        super().__init__(())
        self._files = list(files)
        self._long = long
        self._modules = modules
        self._tests = [""]
        self._durations: dict[str, float] = defaultdict(float)
        self._used = 0.0
        self._coverage = Coverage(data_file=None, config_file=False, include=list(modules))
        self._coverage.start()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._tests += [item.nodeid for item in items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._coverage.switch_context(item.nodeid)
        self._used = time.process_time()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        super().pytest_runtest_logreport(report)
        # Of the processor, so that what else the machine does makes no test longer.
        used = time.process_time()
        self._durations[report.nodeid] += used - self._used
        self._used = used

    def run(self) -> dict[str, Any]:
        said = super().run()
        self._coverage.stop()
        place = {test: number for number, test in enumerate(self._tests)}
        data = self._coverage.get_data()
        by_line = {
            path: {line: [place[test] for test in tests] for line, tests in data.contexts_by_lineno(path).items()}
            for path in self._modules
        }
        imported = [name for name in sys.modules if name.partition(".")[0] != "coverage"]
        durations = dict(sorted(self._durations.items(), key=lambda item: item[1]))
        return said | {"imported": imported, "tests": self._tests, "durations": durations, "by_line": by_line}


def _pytest(files: Sequence[str], plugin: object, *, long: bool) -> int:
    options = ["--exitfirst", "--quiet", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"]
    options += ["--hypothesis-profile=mutation", *(["--long"] if long else [])]
    return int(pytest.main([*options, *files], plugins=[plugin]))


def _fork(play: Callable[[], Any], *, seconds: float) -> Any:
    """Play in a process of its own what takes these seconds, and return what it says; None if it takes much more."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            _be_quiet()
            _end_after(seconds)
            said = play()
        except BaseException:
            said = {"broken": traceback.format_exc()}
        finally:
            with open(writing, "wb") as pipe:
                pipe.write(json.dumps(said).encode())
            os._exit(0)
    os.close(writing)
    # Processor time is what ends an endless loop, whatever else the machine does. What only waits has longer, and
    # what the machine keeps waiting as long as it takes: it goes on.
    ready, used, before = False, 0.0, -inf
    while not ready and used > before:
        before = used + _A_STANDSTILL
        ready = bool(select.select([reading], [], [], 4 * _most(seconds))[0])
        used = _used_by(child)
    with open(reading, "rb") as pipe:
        said = pipe.read() if ready else b""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(said) if said else None


def _used_by(process: int) -> float:
    """Return the seconds of processor time that a process has used."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _end_after(seconds: float) -> None:
    """End this process when it takes much more processor time than these seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = ceil(used.ru_utime + used.ru_stime + _most(seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _most(seconds: float) -> float:
    return 10 + 2 * seconds


def _be_quiet() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


class _Finder(MetaPathFinder):
    def __init__(self, module: Module, source: str) -> None:
        self._name = module.name
        self._loader = _Loader(module.name, str(module.path), source)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  the signature is importlib's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_file_location(fullname, self._loader.path, loader=self._loader)


class _Loader(SourceFileLoader):
    """Load a module from a source that is not its file's."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002  the signature is importlib's
        code: CodeType = compile(self._source, self.path, "exec", dont_inherit=True)
        return code
