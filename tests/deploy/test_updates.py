"""A stack of the last release, brought to this version while alerts come in, and updates that fail."""

import json
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event

import pytest

from tests.deploy.emulator import Emulator
from tests.deploy.stack import DeploymentError, Stack, build, wait_for
from tests.output import Answer
from tests.runtime import artifact

LAST_RELEASE = "5363a0bac9fa6d0f941c432fb290b7780cd18111"
"""The commit of version 0.2.0; it moves with each release."""

PLACE = "command=PLACE; account=Sim101; instrument=ES1!; action=BUY; qty=1; order_type=LIMIT; limit_price=4900; "
PLACE += "tif=GTC;"

BROKEN = {
    "Type": "AWS::SQS::Queue",
    "DependsOn": ["WebhookFunctionAliaslive", "DeferredFunction"],
    "Properties": {"MessageRetentionPeriod": 1},
}
"""A queue that SQS refuses, once the functions have been changed."""


@pytest.fixture(scope="module")
def last_release(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  see `template`
    """The built template of the last release."""
    archive = subprocess.run(["git", "archive", LAST_RELEASE], cwd=artifact.ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"No update from the last release: this clone has no commit {LAST_RELEASE[:7]}")
    source = tmp_path_factory.mktemp("last-release")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(source, filter="data")
    return build(source, source / "built")


@pytest.fixture(scope="module")
def updated(emulator: Emulator, last_release: Path, template: Path) -> tuple[Stack, str, list[Answer]]:
    """A stack that was updated; a key of its own; and what was answered meanwhile, one PLACE after another."""
    stack = Stack(emulator, "updated")
    stack.deploy(last_release)
    key = stack.new_key()
    assert stack.post(f"key={key}; {PLACE} order_id=delayed; delay=60;").word == "scheduled"
    assert stack.post(f"key={key}; {PLACE} order_id=timed; cancel_after=1;").word == "placed"
    before, done = stack.resources, Event()

    def send() -> list[Answer]:
        answers: list[Answer] = []
        while not done.wait(0.2):
            answers.append(stack.post(f"key={key}; {PLACE} order_id=during-{len(answers)};"))
        return answers

    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(send)
        try:
            stack.deploy(template)
        finally:
            done.set()
        answers = sent.result()
    assert stack.resources["Table"] == before["Table"]
    return stack, key, answers


def test_an_update_answers_every_alert_that_comes_meanwhile(updated: tuple[Stack, str, list[Answer]]) -> None:
    stack, key, answers = updated
    assert answers
    assert {answer.word for answer in answers} <= {"placed", "already_placed"}
    placed = {order["order_id"] for order in stack.data("orders")}
    assert placed >= {f"during-{number}" for number in range(len(answers))}
    assert stack.post(f"key={key}; command=CANCEL; order_id=during-0;").word == "cancelled"


def test_what_the_last_release_deferred_this_version_does(updated: tuple[Stack, str, list[Answer]]) -> None:
    stack, _, _ = updated
    states = {"delayed": "Working", "timed": "Cancelled"}

    def ended() -> bool:
        found = {order["order_id"]: order["state"] for order in stack.data("orders")}
        return found.items() >= states.items()

    wait_for(ended)


def test_the_last_release_can_be_deployed_again(
    updated: tuple[Stack, str, list[Answer]], last_release: Path, template: Path
) -> None:
    stack, key, _ = updated
    assert stack.post(f"key={key}; {PLACE} order_id=new;").word == "placed"
    stack.deploy(last_release)
    assert stack.post(f"key={key}; command=CANCEL; order_id=new;").word == "cancelled"
    assert stack.post(f"key={key}; {PLACE} order_id=old;").word == "placed"
    stack.deploy(template)
    assert stack.post(f"key={key}; command=CANCEL; order_id=old;").word == "cancelled"
    # The last release tells nobody: while the function that does comes and goes, its schedule calls it every minute,
    # and the emulator has moments in which its role has no policy.
    denied = stack.emulator.denied
    denied[:] = [it for it in denied if "-NotifyRole-" not in it]


def test_an_update_that_fails_leaves_the_version_before_at_work(stack: Stack, template: Path) -> None:
    function = stack.resources["WebhookFunction"]
    broken = template.with_name("broken.json")
    content = json.loads(template.read_text(encoding="utf-8"))
    content["Resources"]["Broken"] = BROKEN
    broken.write_text(json.dumps(content), encoding="utf-8")
    key = stack.new_key()
    with pytest.raises(DeploymentError, match="Broken"):
        stack.deploy(broken, MemorySize=512)
    del stack.parameters["MemorySize"]
    assert stack.description["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    settings = stack.client("lambda").get_function_configuration(FunctionName=function, Qualifier="live")
    assert settings["MemorySize"] == 1024
    assert stack.post(f"key={key}; {PLACE} order_id=after-failure;").word == "placed"
    assert "rolled back" in stack.orderhook("verify").stdout
