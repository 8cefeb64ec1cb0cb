"""The deploy tier: this repository's stack on an emulator of AWS, as SAM deploys it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.aws.demo import seed
from tests.deploy import emulator as aws
from tests.deploy.emulator import Emulator
from tests.deploy.stack import Stack, build
from tests.runtime import artifact


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    if reason := aws.missing():
        pytest.skip(reason)
    with aws.running(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def template(emulator: Emulator) -> Path:  # noqa: ARG001  it skips where nothing can be deployed
    """The template as it is built, beside what is deployed."""
    return build(artifact.ROOT, artifact.BUILDS / "deploy")


@pytest.fixture(scope="session")
def stack(emulator: Emulator, template: Path) -> Stack:
    """The stack with every parameter left as it is; tests leave it deployed."""
    stack = Stack(emulator, "orderhook")
    stack.deploy(template)
    return stack


@pytest.fixture
def demo(stack: Stack) -> Stack:
    """The stack, with the demo in its table and nothing else."""
    table = stack.client("dynamodb")
    name = stack.output("TableName")
    for item in table.scan(TableName=name)["Items"]:
        table.delete_item(TableName=name, Key={key: item[key] for key in ("pk", "sk")})
    seed(stack.services, datetime.now(UTC))
    return stack


@pytest.fixture(autouse=True)
def _nothing_is_denied(emulator: Emulator) -> Iterator[None]:
    """Fail whatever test meets a denied action; one that expects it takes it out of the list."""
    yield
    denied = emulator.denied[:]
    emulator.denied.clear()
    assert not denied
