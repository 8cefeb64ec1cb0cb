"""DynamoDB Local, Amazon's own engine, as a child process: in memory, gone when the `with` block ends.

    with running() as endpoint:
        client = connect(endpoint_url=endpoint)

Every pair of access key id (letters and digits only) and region has tables of its own.
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

POM = Path(__file__).with_name("pom.xml")
ENGINE = POM.parents[2] / ".engine"
JARS = ENGINE / "lib"
SECONDS_TO_START = 60


class EngineError(Exception):
    """DynamoDB Local could not be fetched or started."""


def missing() -> str | None:
    """Say in one line what this machine lacks to run DynamoDB Local; None if it lacks nothing."""
    java = shutil.which("java")
    if java is None:
        return "DynamoDB Local needs Java 17 or newer: no java on PATH"
    version = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    number = re.search(r'version "(\d+)', version)
    if number is None or int(number[1]) < 17:
        return f"DynamoDB Local needs Java 17 or newer: {java} is {number[1] if number else 'of unknown version'}"
    if not _is_fetched() and shutil.which("mvn") is None:
        return "DynamoDB Local is fetched by Maven: no mvn on PATH"
    return None


def fetch() -> None:
    """Have Maven bring DynamoDB Local into .engine/, once for each version of pom.xml."""
    if _is_fetched():
        return
    shutil.rmtree(JARS, ignore_errors=True)
    maven = ["mvn", "--batch-mode", "--quiet", "--file", str(POM), "dependency:copy-dependencies"]
    fetched = subprocess.run(maven, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if fetched.returncode:
        raise EngineError(f"Maven could not fetch DynamoDB Local:\n{fetched.stdout}")
    # Written last, so that a fetch that was cut short is not taken for a whole one.
    shutil.copy(POM, ENGINE)


def _is_fetched() -> bool:
    pom = ENGINE / POM.name
    return pom.exists() and pom.read_bytes() == POM.read_bytes()


@contextmanager
def running(jvm_options: Sequence[str] = ()) -> Iterator[str]:
    """Start an empty DynamoDB Local, give its endpoint URL, and stop it; raise EngineError if it does not start."""
    fetch()
    # A folder of its own takes the native library that it unpacks.
    with tempfile.TemporaryDirectory(prefix="dynamodb-local-") as folder, tempfile.TemporaryFile() as log:
        port = _free_port()
        command = [
            *_die_with_parent(),
            "java",
            f"-Djava.io.tmpdir={folder}",
            *jvm_options,
            *("-cp", f"{JARS}/*", "software.amazon.dynamodb.services.local.main.ServerRunner"),
            *("-inMemory", "-disableTelemetry", "-port", str(port)),
        ]
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait_until_it_answers(endpoint, process, log)
            yield endpoint
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> list[str]:
    """Have Linux end the child when the thread that started it ends, for a Python that is killed cleans up nothing."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(endpoint, timeout=5)
        except urllib.error.HTTPError as unsigned:
            # 400: it is DynamoDB that answers, and it wants a signature.
            unsigned.close()
            return
        except OSError:
            time.sleep(0.05)
    log.seek(0)
    ended = "does not answer" if process.returncode is None else f"ended with {process.returncode}"
    raise EngineError(f"DynamoDB Local {ended}:\n{log.read().decode(errors='replace')}")
