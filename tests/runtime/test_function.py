"""The artifact, started and asked as Lambda does it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from cli.aws import demo
from orderhook.services import Services
from tests.answers import ANSWERS, MESSAGES
from tests.builders import event_named
from tests.output import Answer
from tests.queues import Queue
from tests.runtime import artifact, emulator
from tests.runtime.conftest import TABLE
from tests.runtime.emulator import Function


def test_every_event_gets_its_answer(built: Path, function: Function) -> None:
    before = contents(built)
    for name, expected in reversed(ANSWERS.items()):  # a command over many orders comes after those over one
        answer = answered(function, name)
        assert (name, answer.status, answer.word) == (name, *expected)
    assert "Traceback" not in function.log
    assert contents(built) == before


def answered(function: Function, name: str) -> Answer:
    """Return what an event is answered; after a 5xx, as on a busy machine, it is sent again, as TradingView does."""
    for _ in range(3):
        answer = Answer.of(function.invoke(event_named(name)))
        if answer.status < 500:
            return answer
    return Answer.of(function.invoke(event_named(name)))


def test_every_message_is_done(built: Path, deferred_function: Function, services: Services) -> None:
    before = contents(built)
    for name, outcome in MESSAGES.items():
        assert deferred_function.invoke(event_named(f"sqs/{name}")) == {"batchItemFailures": []}
        assert f'"outcome":"{outcome}"' in deferred_function.log
    placed = services.orders.get(demo.TRADER, "alert-was-delayed")
    assert placed is not None
    assert placed.state == "Working"
    assert "Traceback" not in deferred_function.log
    assert contents(built) == before


def test_what_the_webhook_defers_the_other_function_does(
    function: Function, deferred_function: Function, services: Services, queue: Queue
) -> None:
    queue.clear()
    place = event_named("place_delayed")
    place["body"] += "cancel_after=1;"
    assert Answer.of(function.invoke(place)).word == "scheduled"
    [message] = queue.messages
    assert deferred_function.invoke(sqs_event_of(message.body)) == {"batchItemFailures": []}
    placed = services.orders.get(demo.TRADER, "alert-delayed")
    assert placed is not None
    [schedule] = queue.schedules.values()
    assert deferred_function.invoke(sqs_event_of(schedule.target["Input"])) == {"batchItemFailures": []}
    cancelled = services.orders.get(demo.TRADER, "alert-delayed")
    assert cancelled is not None
    assert (placed.state, cancelled.state) == ("Working", "Cancelled")
    queue.clear()


def sqs_event_of(body: str) -> dict[str, Any]:
    made = event_named("sqs/delayed_place")
    made["Records"][0]["body"] = body
    return made


def contents(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in artifact.files(folder)}


FIRST_ALERT = """
import json, os, sys, webhook
at_init = set(sys.modules)
response = webhook.handler(json.loads(os.environ["EVENT"]), None)
print(json.dumps([response["statusCode"], sorted(set(sys.modules) - at_init)]))
"""


def test_the_first_cancel_waits_for_no_import(built: Path, endpoint: str, services: Services) -> None:
    del services
    event = json.dumps(event_named("cancel_by_id"))
    printed = run(built, FIRST_ALERT, AWS_ENDPOINT_URL_DYNAMODB=endpoint, EVENT=event)
    assert json.loads(printed.splitlines()[-1]) == [200, []]


def run(folder: Path, program: str, **environment: str) -> str:
    """Run a program in the artifact, with the environment that Lambda gives the webhook, and return what it printed."""
    given = emulator.python_environment(folder) | emulator.lambda_environment(TABLE, "http://127.0.0.1:1")
    command = [artifact.python().path, "-S", "-c", program]
    return subprocess.run(command, env=given | environment, capture_output=True, text=True, check=True).stdout
