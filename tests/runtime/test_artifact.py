"""What is in the artifact, and what is not."""

import ast
import csv
import json
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

import prune
from orderhook.notifying.quiet import ZONES
from tests.runtime import artifact, emulator

BUILD_ONLY = {"Makefile", "prune.py", "requirements.txt", "smoke.py"}

UNCHECKED = 0b01
"""The flags of a compiled module (PEP 552): it is known by a hash, which is not compared."""


def test_every_module_is_compiled_for_the_interpreter_that_runs_it(built: Path) -> None:
    for source in built.rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.{artifact.python().tag}.pyc"
        assert compiled.exists(), source
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == UNCHECKED, source


def test_our_code_is_there_and_what_builds_it_is_not(built: Path) -> None:
    ours = {path.name for path in artifact.FUNCTIONS.iterdir() if not path.name.startswith((".", "__"))}
    assert ours - {path.name for path in built.iterdir()} == BUILD_ONLY
    for path in (artifact.FUNCTIONS / "orderhook").rglob("*.py"):
        assert (built / path.relative_to(artifact.FUNCTIONS)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("pattern", ["**/tests", "**/test_*.py", "**/*.pyi", "**/*.md", "**/Makefile", "bin", ".lock"])
def test_nothing_is_there_that_only_developers_need(built: Path, pattern: str) -> None:
    assert not list(built.glob(pattern))


def test_every_python_file_of_a_package_is_the_one_in_its_wheel(built: Path, plain: Path) -> None:
    # The artifact itself has no RECORD, but the packages as they come have: the same wheels.
    hashes = {
        path: digest.removeprefix("sha256=")
        for record in plain.glob("*.dist-info/RECORD")
        for path, digest, _ in csv.reader(record.read_text().splitlines())
    }
    ours = {*artifact.ENTRY_POINTS}
    sources = {path.relative_to(built).as_posix(): path for path in built.rglob("*.py")}
    of_packages = {name for name in sources if name not in ours and not name.startswith("orderhook/")}
    assert len(of_packages) > 300
    edited = {name for name in of_packages if hashes.get(name) != record_hash(sources[name])}
    assert not edited


def record_hash(path: Path) -> str:
    """Return a file's hash as RECORD writes it (PEP 376)."""
    return urlsafe_b64encode(sha256(path.read_bytes()).digest()).decode().rstrip("=")


def test_nothing_that_is_left_imports_what_was_left_out(built: Path, plain: Path) -> None:
    left_out = set(modules(plain)) - set(modules(built))
    assert left_out
    broken = {
        (path.relative_to(built).as_posix(), name)
        for module, path in modules(built).items()
        for name in imports(module, path)
        if name in left_out
    }
    assert not broken


def test_every_package_is_one_that_the_functions_import(built: Path) -> None:
    found = modules(built)
    to_do, reached = [Path(name).stem for name in artifact.ENTRY_POINTS], set()
    while to_do:
        name = to_do.pop()
        package = name.rpartition(".")[0]
        if name not in reached and name in found:
            reached.add(name)
            to_do += [package, *imports(name, found[name])]
    # zoneinfo reads the time zone as a resource of tzdata, and names it in no import statement.
    assert top_level(reached) | {"tzdata"} == top_level(found)


def top_level(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def modules(folder: Path) -> dict[str, Path]:
    found = {
        path.relative_to(folder).with_suffix("").as_posix().replace("/", "."): path for path in folder.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): path for name, path in found.items()}


def imports(module: str, path: Path) -> Iterator[str]:
    """Yield every module that the source may import, be it late or under a condition, but not for type checkers."""
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    to_do: list[ast.AST] = [ast.parse(path.read_bytes())]
    while to_do:
        node = to_do.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            to_do.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        to_do.extend(ast.iter_child_nodes(node))


def test_of_aws_services_it_knows_only_the_operations_that_our_code_calls(built: Path) -> None:
    models = {path.parts[-3]: json.loads(path.read_text()) for path in built.glob("botocore/data/*/*/service-2.json*")}
    known = {service: sorted(model["operations"]) for service, model in models.items()}
    assert known == {service: sorted(operations) for service, operations in prune.OPERATIONS.items()}


NEW_YORK = """
from datetime import UTC, datetime
from orderhook.trade_window import TradeWindow

TradeWindow(start=9 * 60 + 30, end=9 * 60 + 31).check(datetime(2026, 1, 15, 14, 30, tzinfo=UTC))
TradeWindow(start=9 * 60 + 30, end=9 * 60 + 31).check(datetime(2026, 7, 15, 13, 30, tzinfo=UTC))
import tzdata
print(tzdata.__file__)
"""


def test_it_knows_the_time_in_new_york_where_the_machine_does_not(built: Path) -> None:
    environment = emulator.python_environment(built) | {"PYTHONTZPATH": ""}
    command = [artifact.python().path, "-S", "-c", NEW_YORK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).is_relative_to(built)
    zones = [
        path.relative_to(built / "tzdata" / "zoneinfo").as_posix()
        for path in (built / "tzdata").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert sorted(zones) == sorted(ZONES)  # those of quiet hours, and New York's is one of them
    assert not list(built.rglob("*zoneinfo*.gz"))


def test_it_is_much_less_than_half_of_what_it_is_made_of(built: Path, plain: Path) -> None:
    # It is for both processors; what it is made of is for this one.
    assert artifact.zipped(built) <= 0.46 * artifact.zipped(plain)
