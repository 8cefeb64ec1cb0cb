"""Hold every instruction that is encoded, written, or taken by the stand-in against the independent grammar.

The tests do so for all of them (conftest.py); what another process writes is met where the stand-in takes it.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from bridge import oif
from bridge.events import FileNotWritten, FileWritten
from bridge.ninjatrader import Folder
from cli.aws.paper import Paper
from tests import oif_reader

_OWN = "oif_oh_"
"""How the names of the bridge's files begin; what others write into the folder may be anything."""


def watch(patch: pytest.MonkeyPatch, find: Callable[[str], object]) -> None:
    """Have `find` be told of each instruction that NinjaTrader's grammar does not allow, until `patch` is undone."""
    encode, write, take = oif._line, Folder.write, Paper._take

    def encoded(*values: str) -> str:
        line = encode(*values)
        _judge(find, oif_reader.read_line, line)
        return line

    def written(folder: Folder, name: str, line: str) -> FileWritten | FileNotWritten:
        answer = write(folder, name, line)
        if isinstance(answer, FileWritten):
            _judge(find, oif_reader.read_file, name, f"{line}\r\n".encode("ascii"))
        return answer

    def taken(paper: Paper, name: str, at: datetime) -> None:
        if name.startswith(_OWN):
            with suppress(OSError):  # it was moved away
                content = (paper._folder / "incoming" / name).read_bytes()
                if content:  # a bridge that was killed may leave an empty one
                    _judge(find, oif_reader.read_file, name, content)
        take(paper, name, at)

    patch.setattr(oif, "_line", encoded)
    patch.setattr(Folder, "write", written)
    patch.setattr(Paper, "_take", taken)


def _judge(find: Callable[[str], object], read: Callable[..., object], *what: Any) -> None:
    try:
        read(*what)
    except (AssertionError, ValueError) as error:
        find(f"{what[-1]!r} is no instruction: {error}")
