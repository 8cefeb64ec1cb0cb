"""The bridge of the local server (`orderhook serve --paper`): when it is meant, and what is asked of it."""

import os
from pathlib import Path
from typing import Any

import requests

from cli import connection
from cli.connection import LOCAL_PORT, PORT_VARIABLE, TableError
from cli.terminal import UNREACHABLE, USAGE, fail

_SECONDS = 40
"""How long an answer may take: the bridge is waited for until the table says that it is ready, or gone."""


def port_of(config: Path | None, port: int | None) -> int | None:
    """Return the port of the local server whose bridge is meant; None where bridge.toml says which is.

    What is given goes before the environment.
    """
    if config is None:
        return usual_port(port) if port is not None or os.environ.get(PORT_VARIABLE) else None
    if port is not None:
        fail("--config and --port are both given; give only one of them.", USAGE)
    return None


def usual_port(port: int | None) -> int:
    """Return the port of the local server, as commands find it that ask for nothing else."""
    try:
        port = port if port is not None else connection.port_of(os.environ)
    except TableError as error:
        fail(str(error))
    return LOCAL_PORT if port is None else port


def ask(port: int, what: str, **values: list[str]) -> Any:
    """Ask something of the bridge, and return its answer; ends the command where there is none."""
    try:
        url = f"{connection.local_endpoint(port)}/bridge/{what}"
        answer = requests.post(url, params=values, timeout=_SECONDS)
    except TableError as error:
        fail(str(error))
    except requests.RequestException:
        fail(f"Nothing answers at port {port}. Start it with `make run ARGS=--paper`.", UNREACHABLE)
    if answer.status_code != 200:
        fail("This server has no bridge. Start it with `make run ARGS=--paper`.")
    return answer.json()
