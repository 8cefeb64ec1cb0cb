"""Addresses where a table should be, and where none gives an answer."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def deaf() -> Iterator[str]:
    """Give an address that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield _address(server)


@contextmanager
def full() -> Iterator[str]:
    """Give an address that lets no further connection in, like one that cannot be reached."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield _address(server)


@contextmanager
def closed() -> Iterator[str]:
    """Give an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = _address(server)
    yield address


def _address(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"
