"""Keys: how they are issued, recognised and verified.

A key is `ohk_`, its public id (12 characters), `_`, 43 random characters of 62 (256 bits) and a checksum of all that
(CRC-32, 8 hex digits). One of the HTTP API begins with `oht_`, and neither kind is good for what the other one is for:
alert keys stand in TradingView. A key is issued here and never chosen by a user, so that a single SHA-256 is enough to
keep it: a slow hash protects guessable passwords, and would cost every alert a tenth of a second.
"""

import hmac
import re
import secrets
import string
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import unquote
from zlib import crc32

from orderhook.errors import InvalidSecretKeyError
from orderhook.limits import Limits

_ALPHABET = string.ascii_letters + string.digits
ALERT, API = "alert", "api"
"""The kinds of keys."""
READ, TRADE = "read", "trade"
"""The scopes of a key of the API."""

_PREFIX = {ALERT: "ohk_", API: "oht_"}
_KEY = {
    kind: re.compile(rf"{prefix}([0-9a-z]{{12}})_[0-9A-Za-z]{{43}}[0-9a-f]{{8}}") for kind, prefix in _PREFIX.items()
}
_MUCH_OF_A_KEY = re.compile(r"oh[kt]_[0-9a-z]{12}_[0-9a-z]{12}", re.IGNORECASE | re.ASCII)
_RANDOM_FROM = len("ohk_") + 12 + len("_")
_PART = 16
"""As much of the random half, in one piece, is worth hiding."""
_MOST_ENCODINGS = 4
KILL_SWITCH = "KILLSWITCH"
"""The command that a key may give only if that was asked for."""

_PLACEHOLDER = "your-secret-key"
"""What stands for a key in the documentation, and in CrossTrade's."""

_DUMMY_DIGEST = sha256(b"no key has this digest").digest()
_CACHE_SIZE = 256


class Key(NamedTuple):
    """What the table holds of a key: everything but the key. Times are ISO 8601 text in UTC."""

    key_id: str
    digest: bytes
    trader: str
    label: str
    scopes: frozenset[str]
    """The commands that the key may give; empty means every command, KILLSWITCH apart. Of the API, READ and TRADE."""
    created: str
    last_four: str
    revoked: str | None = None
    strict_kill_switch: bool = False
    """Whether the trader's kill switch stops even what only makes the risk smaller, such as CANCEL."""
    turns_kill_switch: bool = True
    """Whether, without scopes, it may turn the kill switch. A key of 0.2 does not say, and may."""
    limits: Limits | None = None
    """What it may reach and open; None is everything."""
    kind: str = ALERT
    """What it is for."""

    @property
    def takes_alerts(self) -> bool:
        """Whether alerts with it are taken: a key of the API is for none."""
        return self.kind == ALERT and not self.revoked

    def allows(self, command: str) -> bool:
        """Return whether the key may give this command."""
        if self.kind == API:
            return TRADE in self.scopes
        if self.scopes:
            return command in self.scopes
        return self.turns_kill_switch or command != KILL_SWITCH


def issue(
    *,
    trader: str,
    label: str,
    scopes: frozenset[str],
    created: str,
    strict_kill_switch: bool = False,
    turns_kill_switch: bool = False,
    limits: Limits | None = None,
    kind: str = ALERT,
) -> tuple[str, Key]:
    """Make a new key: the secret, to be shown once, and what may be stored of it."""
    key_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    body = f"{_PREFIX[kind]}{key_id}_{''.join(secrets.choice(_ALPHABET) for _ in range(43))}"
    secret = body + _checksum(body)
    return secret, Key(
        key_id=key_id,
        digest=sha256(secret.encode()).digest(),
        trader=trader,
        label=label,
        scopes=scopes,
        created=created,
        last_four=secret[-4:],
        strict_kill_switch=strict_kill_switch,
        turns_kill_switch=turns_kill_switch,
        limits=limits,
        kind=kind,
    )


def is_placeholder(secret: str) -> bool:
    """Return whether it is what stands for a key in the documentation, however it is written."""
    return secret.lower().replace("_", "-").replace(" ", "-") == _PLACEHOLDER


def key_id_of(secret: str, kind: str = ALERT) -> str | None:
    """Return the public id inside a key, or None if this cannot be a key of this kind: no look-up can find it then."""
    match = _KEY[kind].fullmatch(secret)
    return match[1] if match and hmac.compare_digest(_checksum(secret[:-8]), secret[-8:]) else None


def holds_key(text: str, *secrets: str) -> bool:
    """Return whether a key, or enough of one to be worth hiding, stands anywhere in the text, in whatever case.

    A key may be URL-encoded, even twice. Of `secrets` themselves their random half is enough, or a part of that.
    """
    if len(text) < _PART:
        return False
    for _ in range(_MOST_ENCODINGS):
        if _MUCH_OF_A_KEY.search(text) or any(_holds_part_of(secret, text) for secret in secrets):
            return True
        decoded = unquote(text)
        if decoded == text:
            return False
        text = decoded
    return True  # nobody encodes anything so often without wanting to hide it


def _holds_part_of(secret: str, text: str) -> bool:
    half, lowered = secret.lower()[_RANDOM_FROM:], text.lower()
    return any(half[start : start + _PART] in lowered for start in range(len(half) - _PART + 1))


def _checksum(body: str) -> str:
    return f"{crc32(body.encode()):08x}"


def _refusal(kind: str, sent: str) -> str:
    """Say how to get in: by what the text begins with, which says nothing of whether it is a key."""
    if kind == API:
        if sent.startswith(_PREFIX[ALERT]):
            return "A key that begins with ohk_ is for alerts alone: issue one by `orderhook keys create --api`."
        return "The key is missing or not valid: send the header Authorization: Bearer oht_... with a key of the API."
    if sent.startswith(_PREFIX[API]):
        return "A key that begins with oht_ is for the HTTP API alone: an alert takes one that begins with ohk_."
    return "The key is missing or not valid: put key=... with a key issued for this endpoint."


class KeyRing:
    """Verify keys, and remember the stored half of good ones for `ttl` seconds.

    A key revoked in the table is therefore accepted for at most `ttl` seconds more; 0 asks the table every time.
    """

    def __init__(self, look_up: Callable[[str], Key | None], ttl: float, kind: str = ALERT) -> None:
        self._look_up = look_up
        self._ttl = ttl
        self._kind = kind
        self._cache: dict[str, tuple[float, Key]] = {}

    def verify(self, secret: str | None, now: float) -> Key:
        """Return the stored half of a key.

        `now` is any clock's seconds that never go back. Raises InvalidSecretKeyError, the same for every reason and
        after the same work, a digest and its comparison. A text that is no key by its form and checksum, which are
        public, is compared without asking the table.
        """
        key_id = key_id_of(secret, self._kind) if secret else None
        key = self._stored(key_id, now) if key_id else None
        good = hmac.compare_digest(sha256((secret or "").encode()).digest(), key.digest if key else _DUMMY_DIGEST)
        if key is None or key.revoked or not good:
            raise InvalidSecretKeyError(_refusal(self._kind, secret or ""))
        return key

    def _stored(self, key_id: str, now: float) -> Key | None:
        read_at, key = self._cache.get(key_id, (-1.0, None))
        if key is None or now - read_at >= self._ttl:
            # The age counts from before the read, so that a revocation during it is not missed for longer.
            key = self._look_up(key_id)
            self._cache.pop(key_id, None)
            if key is not None and self._ttl > 0:
                if len(self._cache) >= _CACHE_SIZE:
                    self._cache.pop(next(iter(self._cache)), None)
                self._cache[key_id] = (now, key)
        return key
