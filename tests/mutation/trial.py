"""The trial of one mutant: in a forked process it stands in for its module, while the tests that run it run."""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
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
    seconds: float
    imported: Sequence[str]
    tests: Sequence[str]
    by_line: Mapping[str, Mapping[int, frozenset[str]]]
    """The tests that run a line of a file; the empty one is the import."""

    def tests_of(self, path: Path, lines: range | None) -> Sequence[str]:
        """Return the tests that run any of these lines; all of them for what runs once, at import."""
        by_line = self.by_line[str(path)]
        running = frozenset[str]().union(*(by_line.get(line, frozenset()) for line in lines or ()))
        return self.tests if lines is None or "" in running else [test for test in self.tests if test in running]


@dataclass(frozen=True)
class Trial:
    verdict: str
    """One of survived, killed, timed out."""
    killer: str | None = None
    """The test that failed."""


def rehearse(files: Sequence[str], modules: Sequence[Module]) -> Rehearsal:
    """Run the tests of these files, and see which lines of the modules each one runs."""
    started = time.monotonic()
    said = _fork(None, _Rehearsing(files, [str(module.path) for module in modules]), cpu_seconds=900)
    tests = said["tests"]
    by_line = {
        path: {int(line): frozenset(tests[place] for place in places) for line, places in of_path.items()}
        for path, of_path in said["by_line"].items()
    }
    failure = said["failure"] if said["code"] == 0 else said["failure"] or "collecting them"
    return Rehearsal(failure, time.monotonic() - started, said["imported"], tests[1:], by_line)


def run(module: Module, source: str, tests: Sequence[str], *, cpu_seconds: int) -> Trial:
    """Run these tests, in this order, over a mutant's source."""
    if not tests:
        return Trial("survived")
    said = _fork(_Finder(module, source), _Watch(tests), cpu_seconds=cpu_seconds)
    if not said:
        return Trial("timed out")
    return Trial("survived" if said["code"] == 0 else "killed", said["failure"])


def import_beforehand(names: Sequence[str]) -> None:
    """Import what trials import and no mutant changes, so that each has it already."""
    for name in names:
        if name.partition(".")[0] not in _OURS:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    assert "orderhook" not in sys.modules, "what is imported already is no mutant"


class _Watch:
    """Run these tests in this order, and note which one fails."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.files = sorted({test.partition("::")[0] for test in tests})
        self._rank = {test: rank for rank, test in enumerate(tests)}
        self._failure: str | None = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._rank), key=lambda item: self._rank[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self._failure is None:
            self._failure = report.nodeid

    def result(self) -> dict[str, Any]:
        return {"failure": self._failure}


class _Rehearsing(_Watch):
    """Run all tests of these files, and note which lines of the modules each one runs."""

    def __init__(self, files: Sequence[str], modules: Sequence[str]) -> None:
        super().__init__(())
        self.files = list(files)
        self._modules = modules
        self._tests = [""]
        self._coverage = Coverage(data_file=None, config_file=False, include=list(modules))
        self._coverage.start()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._tests += [item.nodeid for item in items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._coverage.switch_context(item.nodeid)

    def result(self) -> dict[str, Any]:
        self._coverage.stop()
        place = {test: number for number, test in enumerate(self._tests)}
        data = self._coverage.get_data()
        by_line = {
            path: {line: [place[test] for test in tests] for line, tests in data.contexts_by_lineno(path).items()}
            for path in self._modules
        }
        imported = [name for name in sys.modules if name.partition(".")[0] != "coverage"]
        return super().result() | {"imported": imported, "tests": self._tests, "by_line": by_line}


def _fork(mutant: "_Finder | None", watch: _Watch, *, cpu_seconds: int) -> Any:
    """Run the tests in a process of its own and return what it says, None if it took too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _be_the_child(mutant, watch, cpu_seconds, writing)
    os.close(writing)
    # Processor time is what ends an endless loop, whatever else the machine does; waiting costs none.
    ready, _, _ = select.select([reading], [], [], 10 * cpu_seconds)
    with open(reading, "rb") as pipe:
        said = pipe.read() if ready else b""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(said) if said else None


def _be_the_child(mutant: "_Finder | None", watch: _Watch, cpu_seconds: int, writing: int) -> None:
    code = -1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        if mutant:
            sys.meta_path.insert(0, mutant)
        settings.load_profile("mutation")
        options = ["--exitfirst", "--quiet", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"]
        code = pytest.main([*options, *watch.files], plugins=[watch])
    finally:
        with open(writing, "wb") as pipe:
            pipe.write(json.dumps(watch.result() | {"code": code}).encode())
        os._exit(0)


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
