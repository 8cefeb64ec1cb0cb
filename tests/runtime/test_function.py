"""The artifact, started and asked as Lambda does it."""

import subprocess
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from cli.aws import demo
from orderhook.store.book import OrderBook
from tests.builders import event_named
from tests.integration.test_events import ANSWERS, MESSAGES
from tests.queues import Queue
from tests.runtime import artifact, emulator
from tests.runtime.emulator import Function
from tests.service import Answer


def test_every_event_gets_its_answer(built: Path, function: Function) -> None:
    before = contents(built)
    for name, expected in reversed(ANSWERS.items()):  # a command over many orders comes after those over one
        answer = Answer.of(function.invoke(event_named(name)))
        assert (name, answer.status, answer.word) == (name, *expected)
    assert "Traceback" not in function.log
    assert contents(built) == before


def test_every_message_is_done(built: Path, delayed_function: Function, table: OrderBook) -> None:
    before = contents(built)
    for name, outcome in MESSAGES.items():
        assert delayed_function.invoke(event_named(f"sqs/{name}")) == {"batchItemFailures": []}
        assert f'"outcome":"{outcome}"' in delayed_function.log
    placed = table.order(demo.TRADER, "alert-was-delayed")
    assert placed is not None
    assert placed.state == "Working"
    assert "Traceback" not in delayed_function.log
    assert contents(built) == before


def test_what_the_webhook_puts_off_the_other_function_does(
    function: Function, delayed_function: Function, table: OrderBook, queue: Queue
) -> None:
    queue.clear()
    place = event_named("place_delayed")
    place["body"] += "cancel_after=1;"
    assert Answer.of(function.invoke(place)).word == "scheduled"
    [message] = queue.messages
    assert delayed_function.invoke(sqs_event_of(message.body)) == {"batchItemFailures": []}
    placed = table.order(demo.TRADER, "alert-delayed")
    assert placed is not None
    [schedule] = queue.schedules.values()
    assert delayed_function.invoke(sqs_event_of(schedule.target["Input"])) == {"batchItemFailures": []}
    cancelled = table.order(demo.TRADER, "alert-delayed")
    assert cancelled is not None
    assert (placed.state, cancelled.state) == ("Working", "Cancelled")
    queue.clear()


def sqs_event_of(body: str) -> dict[str, Any]:
    made = event_named("sqs/delayed_place")
    made["Records"][0]["body"] = body
    return made


def contents(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in artifact.files(folder)}


SEEN = "import sys, webhook; print(*sys.modules)"


@pytest.mark.parametrize(
    ("initialization", "place"), [("on-demand", False), ("provisioned-concurrency", True), ("snap-start", True)]
)
def test_a_cold_start_imports_what_the_first_cancel_needs(built: Path, initialization: str, *, place: bool) -> None:
    modules = printed(built, SEEN, AWS_LAMBDA_INITIALIZATION_TYPE=initialization).split()
    assert "orderhook.commands.cancel" in modules
    assert ("orderhook.commands.place" in modules) is place
    assert not {"boto3", "botocore.docs.method", "configparser", "dateutil", "importlib.metadata"} & {*modules}


IMPORT = "import webhook"
CLIENT = 'import boto3; boto3.client("dynamodb")'
BUDGET = 1.4
"""How many times a client's time the import may take, out of the same artifact."""


def test_the_import_stays_within_its_budget(built: Path) -> None:
    # In turns, so that whatever else this machine does slows both.
    turns = [(processor_seconds(built, IMPORT), processor_seconds(built, CLIENT)) for _ in range(9)]
    assert median(ours / clients for ours, clients in turns) <= BUDGET


def processor_seconds(folder: Path, program: str) -> float:
    """Return the processor's time from the start of an interpreter until the program is through."""
    return float(printed(folder, f"{program}; import time; print(time.process_time())"))


def printed(folder: Path, program: str, **environment: str) -> str:
    """Run a program in the artifact, as Lambda would, up to its end and no further, and return what it wrote."""
    given = emulator.python_environment(folder) | emulator.lambda_environment("orderhook", "http://127.0.0.1:1")
    command = [artifact.python().path, "-S", "-c", f"{program}; import os, sys; sys.stdout.flush(); os._exit(0)"]
    return subprocess.run(command, env=given | environment, capture_output=True, text=True, check=True).stdout
