"""The type checker, which `make test` runs before the tests: what it refuses is noticed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from verification.mutation.trial import Module


class TypeChecker:
    """mypy, with what it knows of the modules that stay as they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    @contextmanager
    def at_work(cls) -> Iterator["TypeChecker"]:
        """Keep what it knows for as long as this lasts."""
        with TemporaryDirectory() as folder:
            yield cls(Path(folder))

    def refuses(self, module: Module, source: str) -> bool:
        """Return whether there is something wrong with the types of the module when this is its source."""
        mutant = self._folder / "mutant.py"
        mutant.write_text(source)
        path = str(module.path)
        mypy = [sys.executable, "-m", "mypy", "--cache-dir", str(self._folder / "cache")]
        return subprocess.run([*mypy, "--shadow-file", path, str(mutant), path], capture_output=True).returncode == 1
