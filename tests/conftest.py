"""What every tier shares: the table, the queue, and the handlers over them.

`--engine` puts the integration tests on DynamoDB Local, Amazon's own engine, in place of moto: it chooses the table.
"""

import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

import tests.environment  # noqa: F401  before everything that imports the functions
from tests import marks, oif_watch, queues, quick, tables
from tests.engine import dynamodb_local
from tests.output import Output
from tests.queues import Queue
from tests.service import Service
from tests.tables import Table

# The same examples in every run, however long they take; what searches lives in verification/.
settings.register_profile("tests", derandomize=True, database=None, deadline=None)
settings.load_profile("tests")

_left_out = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine", action="store_true", help="run the integration tests on DynamoDB Local (needs Java 17 and Maven)"
    )
    parser.addoption(
        "--long",
        action="store_true",
        help="run on moto too what takes long there, and on either table every combination",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engine_only(reason): leave this test out unless the table is DynamoDB Local's")
    config.addinivalue_line("markers", "long: leave this test out unless the table is DynamoDB Local's, or with --long")
    config.addinivalue_line(
        "markers", "each_once: with --long alone but for so many cases as have each value of each parameter once"
    )
    config.addinivalue_line(
        "markers", "moto_only(reason): leave this test out when the table is DynamoDB Local's, unless it is long"
    )
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--engine") and not is_worker and not dynamodb_local.missing():
        dynamodb_local.fetch()  # once, before several workers want it


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are marked for the other table, and with --engine those to which it is the same."""
    on_engine = config.getoption("--engine")
    further = set() if config.getoption("--long") else _further_combinations(items)
    left_out = {
        item: reason
        for item in items
        if (reason := _reason_against_engine(item) if on_engine else _reason_against_moto(item, config))
        or (reason := "they are further combinations: --long runs them" if item in further else None)
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
    config.stash[_left_out] = Counter(left_out.values())


def _further_combinations(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return the cases that tests marked each_once can do without."""
    functions: dict[str, dict[pytest.Item, list[str]]] = {}
    for item in items:
        if item.get_closest_marker("each_once"):
            functions.setdefault(item.nodeid.partition("[")[0], {})[item] = _values(item)
    return {item for cases in functions.values() for item in cases.keys() - marks.diagonal(cases)}


def _values(item: pytest.Item) -> list[str]:
    """Return what a case has of each parametrization."""
    params = item.callspec.params  # type: ignore[attr-defined]
    names = (mark.args[0] for mark in item.iter_markers("parametrize"))
    split = (it.replace(" ", "").split(",") if isinstance(it, str) else it for it in names)
    return [repr([params[name] for name in axis]) for axis in split]


def _reason_against_moto(item: pytest.Item, config: pytest.Config) -> str | None:
    if item.get_closest_marker("long") and not config.getoption("--long"):
        return "they take long on moto: `make test-engine` runs them"
    marker = item.get_closest_marker("engine_only")
    return str(marker.args[0]) if marker else None


def _reason_against_engine(item: pytest.Item) -> str | None:
    if item.path.parent.name == "engine":
        return None
    marker = item.get_closest_marker("moto_only")
    if marker and not item.get_closest_marker("long"):  # which runs nowhere else
        return str(marker.args[0])
    return None if "table" in getattr(item, "fixturenames", ()) else "they do not use the table"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Run a test as pytest does, in one piece of stack."""
    runner: Any = item.config.pluginmanager.getplugin("runner")
    return quick.in_one_piece_of_stack(runner.pytest_runtest_protocol, {"item": item, "nextitem": nextitem})


def pytest_collection_finish() -> None:
    """Have Python's collector pass by what stays to the end: modules, and thousands of tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_report_collectionfinish(config: pytest.Config) -> str | list[str]:
    left_out = config.stash.get(_left_out, Counter[str]())
    reasons = "; ".join(f"{number}: {reason}" for reason, number in left_out.most_common())
    return f"{left_out.total()} tests are left out ({reasons})" if left_out else []


@pytest.fixture(scope="session", autouse=True)
def _odd_instructions() -> Iterator[list[str]]:
    """What NinjaTrader's grammar does not allow, of all that is written for it."""
    odd: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        oif_watch.watch(patch, odd.append)
        yield odd


@pytest.fixture(autouse=True)
def _every_instruction_is_one(_odd_instructions: list[str]) -> Iterator[None]:
    """Fail whatever test has written something else."""
    yield
    odd = _odd_instructions[:]
    _odd_instructions.clear()
    assert not odd


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where DynamoDB Local listens; without Java or Maven the test is skipped."""
    if reason := dynamodb_local.missing():
        pytest.skip(reason)
    with dynamodb_local.running() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """One table for all tests, empty before each: moto's, or with --engine DynamoDB Local's."""
    if request.config.getoption("--engine"):
        yield tables.at(request.getfixturevalue("endpoint"))
    else:
        with tables.in_process() as table:
            yield table


@pytest.fixture(scope="session")
def queue() -> Iterator[Queue]:
    """One queue and one group of schedules for all tests: always moto's."""
    with queues.in_process() as queue:
        yield queue


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Output:
    """What the functions write to their log, from here on."""
    return Output(lambda: "".join(capsys.readouterr()), monkeypatch)


@pytest.fixture
def service(table: Table, queue: Queue, output: Output, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The handlers over the table, with a trader of this test's own."""
    service = Service(table, queue, output, monkeypatch)
    yield service
    service.clear_away()
