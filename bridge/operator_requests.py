"""What a person asks of a bridge that runs, by another process: one file each, gone when the bridge has taken it."""

import json
import os
import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bridge.events import FlatConfirmed, Resumed

Request = FlatConfirmed | Resumed

_KINDS: Mapping[str, Callable[..., Request]] = {"flat": FlatConfirmed, "resume": Resumed}

_ANSWER = ".answer"

PATIENCE_SECONDS = 10
"""How long to wait for a bridge that runs to take what is asked of it."""


def folder_of(journal: Path) -> Path:
    """Return the folder for what is asked of the bridge with this journal."""
    return journal.with_suffix(".asked")


def ask(folder: Path, request: Request) -> Path:
    """Leave what is asked; return its file, which is gone when it was taken."""
    [kind] = [kind for kind, type_ in _KINDS.items() if type(request) is type_]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(8)}.json"
    written = path.with_suffix(".new")
    written.write_text(json.dumps({kind: list(request)}), encoding="utf-8")
    os.replace(written, path)  # whole or not at all
    return path


def ask_and_wait(folder: Path, request: Request) -> list[str] | None:
    """Leave what is asked, and return what speaks against it; None where no answer says that the bridge has taken it.

    Then it is asked no more.
    """
    left = ask(folder, request)
    for _ in range(PATIENCE_SECONDS * 10):
        if not left.exists():
            return _answer(left)
        time.sleep(0.1)
    left.unlink(missing_ok=True)
    return None


def take(folder: Path, against: Callable[[Request], Sequence[str]] = lambda _: ()) -> Generator[Request, None, None]:
    """Yield what is asked; each file goes after what was done of it, so that a crash loses nothing.

    The one who asks is told what spoke `against` it.
    """
    for path in sorted(folder.glob("*.json")):
        try:
            [(kind, values)] = json.loads(path.read_text(encoding="utf-8")).items()
            request = _KINDS[kind](*values)
        except OSError:
            continue  # a scanner of viruses may hold it; it is taken next time
        except (AttributeError, KeyError, TypeError, ValueError):
            _remove(path)  # nobody of ours wrote it
            continue
        found = list(against(request))
        yield request
        with suppress(OSError):  # without an answer nobody takes it for done
            path.with_suffix(_ANSWER).write_text(json.dumps(found), encoding="utf-8")
        _remove(path)


def _answer(left: Path) -> list[str] | None:
    path = left.with_suffix(_ANSWER)
    try:
        told: list[str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    _remove(path)
    return told


def forget(folder: Path) -> None:
    """Forget what was asked of an earlier run: what a person saw then may no longer be so."""
    for path in (*folder.glob("*.json"), *folder.glob(f"*{_ANSWER}")):
        _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):  # what stays is taken again, which does no harm
        path.unlink()
