"""What a bridge has to know of its stack: `bridge.toml`, which `orderhook bridge setup` writes. It holds no secret."""

import json
import re
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import platformdirs


class SettingsError(Exception):
    """The settings cannot be used; the message says why and what to do, in one line."""


class BridgeSettings(NamedTuple):
    """Where a stack keeps what its bridge reads and writes, and whose orders the bridge carries out."""

    stack: str
    region: str
    table: str
    trader: str
    doorbell_url: str
    report_queue_url: str
    instruments: tuple[str, ...] = ()
    """Those that it is to know though no order was ever in them."""

    @classmethod
    def read(cls, path: Path) -> "BridgeSettings":
        """Return the settings in a file; raises SettingsError."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SettingsError(
                f"There is no {path}. `orderhook bridge setup --stack NAME` writes it; --config says where it is."
            ) from None
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read: {error}. Write it anew: `orderhook bridge setup`.") from None
        instruments = values.pop("instruments", [])
        named = [name for name in cls._fields if name != "instruments"]
        wrong = [name for name in named if not (isinstance(values.get(name), str) and values[name])]
        if not (isinstance(instruments, list) and all(isinstance(it, str) and it for it in instruments)):
            wrong.append("instruments as a list of names")
        if wrong:
            raise SettingsError(f"{path} does not say {', '.join(wrong)}. Write it anew: `orderhook bridge setup`.")
        return cls(**{name: values[name] for name in named}, instruments=tuple(instruments))

    def text(self) -> str:
        """Return them as bridge.toml has them."""
        # JSON's form of a text in ASCII, and of a list of such, is TOML's too.
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in self._asdict().items())
        return "# Written by `orderhook bridge setup`; it holds no secret.\n" + "".join(lines)

    @property
    def journal_path(self) -> Path:
        """Where the journal lies of the bridge for this table and trader: on this machine, never synced to another."""
        names = "-".join(re.sub(r"[^A-Za-z0-9]+", "-", name) for name in (self.table, self.trader))
        # Names that look alike as files have journals of their own all the same.
        digest = sha256("\n".join((self.region, self.table, self.trader)).encode()).hexdigest()[:8]
        return platformdirs.user_state_path("orderhook", appauthor=False) / f"{names[:80]}-{digest}.sqlite"
