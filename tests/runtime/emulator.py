"""A function under Lambda's runtime client and Amazon's emulator of the rest, without a container."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.aws.table import read_template
from tests.runtime import artifact

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_SESSION_TOKEN": "testing"}
REGION = "us-east-1"
SECONDS_TO_START = 30


@dataclass(frozen=True)
class Function:
    """A running function; it starts cold at its first invocation, as on Lambda."""

    url: str
    _log: Path

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Send an event and return what the handler returned."""
        request = urllib.request.Request(self.url, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            response: dict[str, Any] = json.load(answer)
        return response

    @property
    def log(self) -> str:
        """What the function and the emulator wrote."""
        return self._log.read_text()

    @property
    def init_milliseconds(self) -> float:
        """How long the cold start took, by the emulator's own account."""
        found = re.search(r"INIT REPORT\(durationMs: ([0-9.]+)", self.log)
        if found is None:
            raise RuntimeError(f"The function did not start:\n{self.log}")
        return float(found[1])


@contextmanager
def running(folder: Path, handler: str, environment: Mapping[str, str]) -> Iterator[Function]:
    """Start a function from its folder, and stop it."""
    port, runtime_port = _free_port(), _free_port()
    command = [
        str(artifact.emulator()),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
        # Without site-packages: nothing is there but the artifact, the runtime client and the standard library.
        *(artifact.python().path, "-S", "-m", "awslambdaric", handler),
    ]
    with tempfile.NamedTemporaryFile(prefix="function-") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=python_environment(folder) | dict(environment),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(port)
            yield Function(f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations", Path(log.name))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def python_environment(folder: Path) -> dict[str, str]:
    """Return what a Python needs to run code from an artifact, which it cannot write to."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}{os.pathsep}{artifact.runtime_client()}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def lambda_environment(table: str, endpoint: str, name: str = "WebhookFunction") -> dict[str, str]:
    """Return the environment that Lambda and the template give a function, with the table behind `endpoint`."""
    template = read_template()
    parameters = template["Parameters"]
    shared, own = template["Globals"]["Function"], template["Resources"][name]["Properties"]
    variables = shared["Environment"]["Variables"] | own.get("Environment", {}).get("Variables", {})
    given = variables | {"ORDERHOOK_TABLE": table}
    # What remains of !Ref is the name of a parameter or a resource.
    # Of what depends on a condition, such as the doorbell of a venue, there is none by default.
    values = {name: "" if isinstance(value, list) else value for name, value in given.items()}
    return {name: str(parameters.get(value, {}).get("Default", value)) for name, value in values.items()} | {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(parameters["MemorySize"]["Default"]),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        **CREDENTIALS,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("The emulator did not start")
