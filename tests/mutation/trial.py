"""The trial of one mutant: in a forked process it stands in for its module, and the tests run until one fails."""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from hypothesis import Phase, settings

# The same examples for every mutant, or a survivor of one run would be killed in the next. Shrinking is for readers.
settings.register_profile(
    "mutation", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)

OURS = {"conftest", "local", "orderhook", "tests", "webhook"}
"""The top-level packages that a trial imports anew."""


@dataclass(frozen=True)
class Module:
    """A module of the product, and the tests that it is tried with."""

    name: str
    path: Path
    tests: Sequence[str]


@dataclass(frozen=True)
class Trial:
    verdict: str
    """One of survived, killed, timed out."""
    seconds: float
    killer: str
    """The test that failed."""
    imported: Sequence[str]


def run(module: Module, source: str, *, cpu_seconds: int, killers: Sequence[str]) -> Trial:
    """Run the module's tests over a source of it; `killers` are tests to run first."""
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _try(module, source, cpu_seconds, killers, writing)
    os.close(writing)
    # Processor time is what ends an endless loop, whatever else the machine does; waiting costs none.
    ready, _, _ = select.select([reading], [], [], 10 * cpu_seconds)
    with open(reading, "rb") as pipe:
        said = pipe.read() if ready else b""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    seconds = time.monotonic() - started
    if not said:
        return Trial("timed out", seconds, "", ())
    result = json.loads(said)
    return Trial("survived" if result["code"] == 0 else "killed", seconds, result["killer"], result["imported"])


def import_beforehand(names: Sequence[str]) -> None:
    """Import what trials import and no mutant changes, so that each has it already."""
    for name in names:
        if name.partition(".")[0] not in OURS:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _try(module: Module, source: str, cpu_seconds: int, killers: Sequence[str], writing: int) -> None:
    code = 1
    watch = _Watch(killers)
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.meta_path.insert(0, _Finder(module, source))
        settings.load_profile("mutation")
        options = ["--exitfirst", "--quiet", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"]
        code = pytest.main([*options, *module.tests], plugins=[watch])
    finally:
        result = {"code": code, "killer": watch.killer, "imported": list(sys.modules)}
        os.write(writing, json.dumps(result).encode())
        os._exit(0)


class _Watch:
    """Run first the tests that have killed before, and note which one kills this time."""

    def __init__(self, killers: Sequence[str]) -> None:
        self._rank = {test: rank for rank, test in enumerate(killers)}
        self.killer = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._rank.get(item.nodeid, len(self._rank)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.killer:
            self.killer = report.nodeid


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
