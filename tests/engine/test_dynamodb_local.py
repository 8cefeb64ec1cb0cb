import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import pytest
from botocore.session import get_session

from tests.engine import dynamodb_local
from tests.engine.dynamodb_local import EngineError, missing, running

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[2]


def listens(endpoint: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(endpoint).port)) == 0


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_it_answers_as_dynamodb_does(endpoint: str) -> None:
    client = cast(
        "DynamoDBClient", get_session().create_client("dynamodb", region_name="ap-south-1", endpoint_url=endpoint)
    )
    answer = client.list_tables()
    client.close()
    assert answer["TableNames"] == []


@pytest.mark.usefixtures("endpoint")
def test_it_is_gone_when_the_block_ends_even_in_an_error() -> None:
    with pytest.raises(ZeroDivisionError), running() as own:  # noqa: PT012  the error is the block's
        assert listens(own)
        raise ZeroDivisionError
    assert not listens(own)


@pytest.mark.usefixtures("endpoint")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_is_gone_when_python_is_killed(tmp_path: Path) -> None:
    script = "from tests.engine.dynamodb_local import running\nwith running() as own: print(own, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as python:
        assert python.stdout
        own = python.stdout.readline().strip()
        assert listens(own)
        python.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while listens(own) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(own)


@pytest.mark.usefixtures("endpoint")
def test_an_error_has_javas_words_when_it_does_not_start() -> None:
    with (
        pytest.raises(EngineError, match=r"ended with 1:\n(.*\n)*Unrecognized option: -Xnonsense"),
        running(["-Xnonsense"]),
    ):
        pass


def test_what_is_missing_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dynamodb_local, "ENGINE", tmp_path)
    assert missing() == "DynamoDB Local needs Java 17 or newer: no java on PATH"

    executable(tmp_path / "java", """echo 'openjdk version "11.0.22" 2024-01-16' >&2""")
    assert missing() == f"DynamoDB Local needs Java 17 or newer: {tmp_path}/java is 11"

    executable(tmp_path / "java", """echo 'openjdk version "17.0.15" 2025-04-15' >&2""")
    assert missing() == "DynamoDB Local is fetched by Maven: no mvn on PATH"

    executable(tmp_path / "mvn", "exit 0")
    assert missing() is None


def test_what_was_fetched_needs_no_maven_until_another_version_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "java", """echo 'openjdk version "21" 2023-09-19' >&2""")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dynamodb_local, "ENGINE", tmp_path)
    (tmp_path / "pom.xml").write_bytes(dynamodb_local.POM.read_bytes())
    assert missing() is None
    (tmp_path / "pom.xml").write_text("an older one")
    assert missing() == "DynamoDB Local is fetched by Maven: no mvn on PATH"


def test_a_fetch_that_fails_is_an_error_with_mavens_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "mvn", "echo '[ERROR] no network'; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(dynamodb_local, "ENGINE", tmp_path)
    monkeypatch.setattr(dynamodb_local, "JARS", tmp_path / "lib")
    with pytest.raises(EngineError, match=r"could not fetch DynamoDB Local:\n\[ERROR\] no network"):
        dynamodb_local.fetch()
    assert not (tmp_path / "pom.xml").exists()
