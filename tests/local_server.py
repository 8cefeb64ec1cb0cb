"""`orderhook serve` in a process of its own, and the other commands against it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner, Result

from cli.app import app
from orderhook.aws import clients

ROOT = Path(__file__).parents[1]
ORDERHOOK = [sys.executable, "-m", "tests.patient_orderhook"]
PATIENCE_SECONDS = 60
"""How long to wait for what never comes; a busy machine needs some of it."""


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    page: str
    log: Path

    @property
    def url(self) -> str:
        return str(re.findall(r"^url: (\S+)$", self.page, re.MULTILINE)[0])

    @property
    def console_link(self) -> str:
        """Signs in once."""
        return str(re.findall(r"^console: (\S+)$", self.page, re.MULTILINE)[0])

    @property
    def console(self) -> str:
        return self.console_link.partition("/console")[0]

    @property
    def endpoint(self) -> str:
        return self.url.removesuffix("/webhook")

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def run(self, *arguments: str, **options: Any) -> Result:
        with pytest.MonkeyPatch.context() as patient:
            patient.setattr(clients, "READ_SECONDS", PATIENCE_SECONDS)
            return CliRunner().invoke(app, arguments, env={"AWS_ENDPOINT_URL_DYNAMODB": self.endpoint}, **options)

    def data(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def order(self, order_id: str) -> dict[str, Any]:
        return next(order for order in self.data("orders") if order["order_id"] == order_id)

    def post(self, body: str | bytes, content_type: str = "text/plain") -> requests.Response:
        return requests.post(self.url, data=body, headers={"Content-Type": content_type}, timeout=PATIENCE_SECONDS)


@contextmanager
def running(log: Path, *arguments: str, with_alerts: bool = False, **environment: str) -> Iterator[Server]:
    """Run the server on a free port, from when its page says so; it is gone afterwards, whatever happens.

    Its list of alerts is empty unless `with_alerts` the demo's own are sent.
    """
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*ORDERHOOK, "serve", "--port", "0", *([] if with_alerts else ["--no-alerts"]), *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=ROOT,
            # What the tests set for the functions a person's machine has not: the server sets it.
            env={**{name: it for name, it in os.environ.items() if not name.startswith("POWERTOOLS_")}, **environment},
            # Where the tests run in the background, Ctrl-C is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process,
    ):
        assert process.stdout is not None
        page = ""
        for line in process.stdout:
            page += line
            if line == "orderhook is running; Ctrl-C stops it.\n":
                break
        try:
            yield Server(process, page, log)
        finally:
            process.kill()


def stop(server: Server, how: signal.Signals = signal.SIGTERM) -> str:
    """Stop the server and return what it printed after its page."""
    server.process.send_signal(how)
    rest, _ = server.process.communicate(timeout=PATIENCE_SECONDS)
    return rest


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
