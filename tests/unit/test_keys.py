import math
import re
import string
from collections.abc import Callable, Iterable
from hashlib import sha256
from urllib.parse import quote
from zlib import crc32

import pytest

from orderhook.errors import InvalidSecretKeyError
from orderhook.keys import ALERT, API, KILL_SWITCH, READ, TRADE, Key, KeyRing, holds_key, issue, key_id_of
from orderhook.limits import Limits

FORM = re.compile(r"ohk_([a-z0-9]{12})_([A-Za-z0-9]{43})([a-f0-9]{8})")


def new_key(scopes: Iterable[str] = ()) -> tuple[str, Key]:
    return issue(trader="ada", label="my alerts", scopes=frozenset(scopes), created="2026-01-02T03:04:05.000000Z")


def well_formed(key_id: str, random_part: str) -> str:
    body = f"ohk_{key_id}_{random_part}"
    return f"{body}{crc32(body.encode()):08x}"


def parts(secret: str) -> tuple[str, str, str]:
    match = FORM.fullmatch(secret)
    assert match
    return match[1], match[2], match[3]


class KeyTable:
    """What a key ring looks keys up in, and how often it has asked."""

    def __init__(self, *stored: Key) -> None:
        self.stored = {key.key_id: key for key in stored}
        self.asked: list[str] = []

    def look_up(self, key_id: str) -> Key | None:
        self.asked.append(key_id)
        return self.stored.get(key_id)

    def revoke(self, key: Key) -> None:
        self.stored[key.key_id] = key._replace(revoked="2026-01-03T00:00:00.000000Z")


# Form


def test_a_key_is_a_prefix_its_id_at_least_256_random_bits_and_a_checksum() -> None:
    issued = [new_key()[0] for _ in range(300)]
    random_parts = [parts(secret)[1] for secret in issued]
    # Each of 43 places can hold any of the characters that turn up there.
    characters = set("".join(random_parts))
    assert characters == set(string.ascii_letters + string.digits)
    assert all(len({part[place] for part in random_parts}) > 30 for place in range(43))
    assert 43 * math.log2(len(characters)) >= 256
    assert all(secret == well_formed(*parts(secret)[:2]) for secret in issued)


def test_a_key_can_stand_in_an_alert_as_it_is() -> None:
    assert all(re.fullmatch("[A-Za-z0-9_]+", new_key()[0]) for _ in range(100))


def test_no_two_keys_are_alike() -> None:
    issued = [new_key() for _ in range(300)]
    assert len({secret for secret, _ in issued}) == len({key.key_id for _, key in issued}) == 300


def test_what_is_stored_is_the_digest_and_never_the_key() -> None:
    secret, key = new_key(scopes=["CANCEL"])
    assert key == Key(
        key_id=parts(secret)[0],
        digest=sha256(secret.encode()).digest(),
        trader="ada",
        label="my alerts",
        scopes=frozenset({"CANCEL"}),
        created="2026-01-02T03:04:05.000000Z",
        last_four=secret[-4:],
        revoked=None,
        turns_kill_switch=False,
    )
    assert parts(secret)[1] not in repr(key)


def test_the_id_of_a_key_can_be_read_from_it() -> None:
    secret, key = new_key()
    assert key_id_of(secret) == key.key_id


@pytest.mark.parametrize("place", range(68))
def test_the_checksum_catches_every_change_of_one_character(place: int) -> None:
    secret, _ = new_key()
    assert len(secret) == 68
    for character in set(string.printable + "é\u212a\u0661") - {secret[place]}:
        assert key_id_of(secret[:place] + character + secret[place + 1 :]) is None


@pytest.mark.parametrize(
    "bent",
    ["", "{}x", "x{}", " {}", "{} ", "{}\n", "{}\0", "{}{}", "ohk_", "your-secret-key", "a" * 68],
)
def test_what_does_not_have_the_form_of_a_key_has_no_id(bent: str) -> None:
    assert key_id_of(bent.replace("{}", new_key()[0])) is None


def test_a_shortened_key_or_one_in_other_case_has_no_id() -> None:
    secret, _ = new_key()
    bent = [*(secret[:length] for length in range(68)), secret[1:], secret.upper(), secret.lower(), secret.swapcase()]
    assert {key_id_of(text) for text in bent} == {None}


def test_a_key_of_the_api_has_the_same_form_and_is_no_key_of_an_alert() -> None:
    secret, key = issue(trader="ada", label="", scopes=frozenset({READ}), created="", kind=API)
    assert FORM.fullmatch(secret.replace("oht_", "ohk_"))
    assert (key_id_of(secret, API), key_id_of(secret), key_id_of(new_key()[0], API)) == (key.key_id, None, None)
    assert not key.allows("PLACE")
    assert key._replace(scopes=frozenset({TRADE})).allows(KILL_SWITCH)


@pytest.mark.parametrize("kind", [ALERT, API])
def test_no_key_opens_the_other_door_even_where_it_is_stored(kind: str) -> None:
    secret, key = issue(trader="ada", label="", scopes=frozenset(), created="", kind=kind)
    table = KeyTable(key)
    other = KeyRing(table.look_up, 30, API if kind == ALERT else ALERT)
    with pytest.raises(InvalidSecretKeyError):
        other.verify(secret, 0)
    assert table.asked == []
    assert KeyRing(table.look_up, 30, kind).verify(secret, 0) == key


@pytest.mark.parametrize("bent", [str, str.upper, quote, lambda key: key[:40]])
def test_a_key_of_the_api_is_found_in_a_text(bent: Callable[[str], str]) -> None:
    secret, _ = issue(trader="ada", label="", scopes=frozenset(), created="", kind=API)
    assert holds_key(f"notes: {bent(secret)}")


@pytest.mark.parametrize("form", ["{}", "notes={}", "x{}", "{}x", "a {} b", '"{}"', "ohk_{}", "{}{}", "\n{}\n"])
def test_a_key_is_found_anywhere_in_a_text_and_in_any_case(form: str) -> None:
    secret, _ = new_key()
    for sent in (secret, secret.upper(), secret.lower(), secret.swapcase()):
        assert holds_key(form.replace("{}", sent))


@pytest.mark.parametrize("length", [29, 59, 67])
def test_a_key_that_was_cut_short_is_found_too(length: int) -> None:
    assert holds_key(f"order_id={new_key()[0][:length]}")


def test_sixteen_characters_of_the_random_half_of_a_key_in_one_piece_are_found() -> None:
    secret, _ = new_key()
    public, half = secret[:17], secret[17:]
    starts = range(len(half) - 15)
    assert all(holds_key(f"x{half[start : start + 16].upper()}x", secret) for start in starts)
    assert not any(holds_key(half[start : start + 15], secret) for start in (*starts, len(half) - 15))
    assert not holds_key(public[1:], secret)
    assert not holds_key(f"_{half[:15]}", secret)


def test_what_is_encoded_three_times_is_read_and_what_is_more_often_is_hidden() -> None:
    hidden, harmless = new_key()[0], "a text that holds no key"
    for times in range(6):
        assert holds_key(hidden)
        assert holds_key(harmless) is (times > 3)
        hidden, harmless = (
            "".join(f"%{ord(character):02x}" for character in hidden) if times < 2 else quote(hidden),
            quote(harmless),
        )


def test_a_key_is_issued_with_its_limits_and_an_older_one_turns_the_kill_switch() -> None:
    limits = Limits(max_qty=1)
    _, key = issue(trader="ada", label="l", scopes=frozenset(), created="2026-01-02T03:04:05.000000Z", limits=limits)
    assert key.limits == limits
    older = Key("k", b"", "ada", "l", frozenset(), "2026-01-02T03:04:05.000000Z", "last")
    assert older.allows(KILL_SWITCH)
    assert not key.allows(KILL_SWITCH)


def test_a_text_without_much_of_a_key_holds_none() -> None:
    secret, key = new_key()
    texts = ["", "ohk_", key.key_id, f"ohk_{key.key_id}_", secret[:28], secret[1:], secret.replace("_", "-"), "a" * 100]
    assert not any(map(holds_key, texts))
    assert not holds_key(secret.replace("k", "\u212a", 1))


@pytest.mark.parametrize(
    ("scopes", "allowed"), [([], True), (["CANCEL"], True), (["PLACE", "CANCEL"], True), (["PLACE"], False)]
)
def test_a_key_allows_the_commands_of_its_scopes_or_every_one_without(scopes: list[str], allowed: bool) -> None:
    assert new_key(scopes)[1].allows("CANCEL") is allowed


@pytest.mark.parametrize(
    ("scopes", "asked", "allowed"),
    [((), False, False), ((), True, True), (("KILLSWITCH",), False, True), (("CANCEL",), True, False)],
)
def test_a_key_turns_the_kill_switch_only_if_that_was_asked_for(
    scopes: tuple[str, ...], *, asked: bool, allowed: bool
) -> None:
    key = new_key(scopes)[1]._replace(turns_kill_switch=asked)
    assert key.allows(KILL_SWITCH) is allowed
    assert new_key()[1].turns_kill_switch is False


# Verification


def test_a_good_key_is_recognised_by_its_stored_half() -> None:
    (secret, key), (second_secret, second_key) = new_key(), new_key()
    ring = KeyRing(KeyTable(key, second_key).look_up, ttl=30)
    assert ring.verify(secret, 0) == key
    assert ring.verify(second_secret, 0) == second_key


def refused_keys() -> dict[str, str | None]:
    """Every kind of key that is not accepted where REVOKED and KNOWN are stored."""
    return {
        "none": None,
        "empty": "",
        "unknown": new_key()[0],
        "malformed": "your-secret-key",
        "wrong checksum": KNOWN_SECRET[:-1] + ("0" if KNOWN_SECRET[-1] != "0" else "1"),
        "known id, other secret": well_formed(KNOWN.key_id, "A" * 43),
        "other case": KNOWN_SECRET.swapcase(),
        "revoked": REVOKED_SECRET,
        "revoked id, other secret": well_formed(REVOKED.key_id, "A" * 43),
        "of another one's stored half": well_formed(MIXED_UP.key_id, parts(KNOWN_SECRET)[1]),
        "not ASCII": "Schl\u00fcssel" * 6,
    }


KNOWN_SECRET, KNOWN = new_key()
REVOKED_SECRET, REVOKED = new_key()
REVOKED = REVOKED._replace(revoked="2026-01-03T00:00:00.000000Z")
_, MIXED_UP = new_key()
MIXED_UP = MIXED_UP._replace(digest=KNOWN.digest)
REFUSED = refused_keys()


@pytest.mark.parametrize("presented", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("ttl", [0, 30])
def test_every_key_that_is_not_good_gets_the_same_refusal_after_the_same_work(
    presented: str | None, ttl: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    digested: list[bytes] = []

    def compare_digest(left: str | bytes, right: str | bytes) -> bool:
        if isinstance(left, bytes):  # the checksum, compared as text, is public
            compared.append((len(left), len(right)))
        return left == right

    def digest(data: bytes) -> object:
        digested.append(data)
        return sha256(data)

    ring = KeyRing(KeyTable(KNOWN, REVOKED, MIXED_UP).look_up, ttl)
    monkeypatch.setattr("orderhook.keys.hmac.compare_digest", compare_digest)
    monkeypatch.setattr("orderhook.keys.sha256", digest)
    for _ in range(2):  # the second time, what was stored may come from memory
        with pytest.raises(InvalidSecretKeyError) as refusal:
            ring.verify(presented, now=0)
        assert (
            refusal.value.detail == "The key is missing or not valid: put key=... with a key issued for this endpoint."
        )
        assert (refusal.value.field, refusal.value.state, refusal.value.__cause__) == (None, None, None)
    assert digested == [(presented or "").encode()] * 2
    assert compared == [(32, 32)] * 2


def test_what_does_not_have_the_form_of_a_key_is_not_looked_up() -> None:
    table = KeyTable(KNOWN)
    ring = KeyRing(table.look_up, ttl=30)
    for presented in (None, "", "your-secret-key", KNOWN_SECRET[:-1], KNOWN_SECRET + "0", REFUSED["wrong checksum"]):
        with pytest.raises(InvalidSecretKeyError):
            ring.verify(presented, 0)
    assert table.asked == []


# Memory


def test_a_good_key_is_looked_up_again_only_after_its_time_to_live() -> None:
    table = KeyTable(KNOWN)
    ring = KeyRing(table.look_up, ttl=30)
    for now, asked in [(100.0, 1), (100.0, 1), (129.9, 1), (130.0, 2), (159.9, 2), (160.0, 3), (1000.0, 4)]:
        assert ring.verify(KNOWN_SECRET, now) == KNOWN
        assert len(table.asked) == asked, now


def test_a_time_to_live_may_be_part_of_a_second() -> None:
    table = KeyTable(KNOWN)
    ring = KeyRing(table.look_up, ttl=0.5)
    for now, asked in [(100.0, 1), (100.4, 1), (100.5, 2)]:
        ring.verify(KNOWN_SECRET, now)
        assert len(table.asked) == asked, now


def test_without_a_time_to_live_every_verification_asks_and_nothing_is_kept() -> None:
    table = KeyTable(KNOWN)
    ring = KeyRing(table.look_up, ttl=0)
    for asked in (1, 2, 3):
        ring.verify(KNOWN_SECRET, 5)
        assert len(table.asked) == asked
    assert KNOWN.key_id not in repr(vars(ring))
    table.revoke(KNOWN)
    with pytest.raises(InvalidSecretKeyError):
        ring.verify(KNOWN_SECRET, 5)


def test_a_revocation_takes_effect_within_the_time_to_live() -> None:
    table = KeyTable(KNOWN)
    ring = KeyRing(table.look_up, ttl=30)
    ring.verify(KNOWN_SECRET, 100)
    table.revoke(KNOWN)
    assert ring.verify(KNOWN_SECRET, 129.9) == KNOWN
    for now in (130.0, 130.1, 1000.0):
        with pytest.raises(InvalidSecretKeyError):
            ring.verify(KNOWN_SECRET, now)


def test_a_remembered_key_is_still_compared() -> None:
    ring = KeyRing(KeyTable(KNOWN).look_up, ttl=30)
    ring.verify(KNOWN_SECRET, 0)
    with pytest.raises(InvalidSecretKeyError):
        ring.verify(REFUSED["known id, other secret"], 0)
    assert ring.verify(KNOWN_SECRET, 0) == KNOWN


def test_an_unknown_key_is_not_remembered_as_unknown() -> None:
    table = KeyTable()
    ring = KeyRing(table.look_up, ttl=30)
    with pytest.raises(InvalidSecretKeyError):
        ring.verify(KNOWN_SECRET, 0)
    table.stored[KNOWN.key_id] = KNOWN
    assert ring.verify(KNOWN_SECRET, 0) == KNOWN


def test_a_key_that_is_gone_when_it_is_looked_up_again_is_refused() -> None:
    table = KeyTable(KNOWN)
    ring = KeyRing(table.look_up, ttl=30)
    ring.verify(KNOWN_SECRET, 0)
    table.stored.clear()
    for now in (30.0, 30.0, 31.0):
        with pytest.raises(InvalidSecretKeyError):
            ring.verify(KNOWN_SECRET, now)


def test_the_memory_is_bounded_and_the_longest_remembered_key_is_forgotten_first() -> None:
    issued = [new_key() for _ in range(300)]
    table = KeyTable(*(key for _, key in issued))
    ring = KeyRing(table.look_up, ttl=30)
    for secret, _ in issued:
        ring.verify(secret, 0)
    table.asked.clear()
    for secret, _ in reversed(issued):  # the latest first, so that looking does not push out what is looked for
        ring.verify(secret, 0)
    assert set(table.asked) == {key.key_id for _, key in issued[:44]}


def test_a_key_that_was_looked_up_again_counts_as_new() -> None:
    issued = [new_key() for _ in range(257)]
    table = KeyTable(KNOWN, *(key for _, key in issued))
    ring = KeyRing(table.look_up, ttl=30)
    for now, (secret, _) in enumerate([issued[0], (KNOWN_SECRET, KNOWN), *issued[1:255]]):
        ring.verify(secret, now / 10)
    ring.verify(KNOWN_SECRET, 31)
    for secret, _ in issued[255:]:
        ring.verify(secret, 31)
    table.asked.clear()
    ring.verify(KNOWN_SECRET, 31)
    assert table.asked == []


def test_unknown_keys_push_no_good_one_out_of_the_memory() -> None:
    table = KeyTable(KNOWN)
    ring = KeyRing(table.look_up, ttl=30)
    ring.verify(KNOWN_SECRET, 0)
    for _ in range(300):
        with pytest.raises(InvalidSecretKeyError):
            ring.verify(new_key()[0], 0)
    ring.verify(KNOWN_SECRET, 0)
    assert table.asked.count(KNOWN.key_id) == 1


def test_the_secret_stays_nowhere() -> None:
    ring = KeyRing(KeyTable(KNOWN, REVOKED, MIXED_UP).look_up, ttl=30)
    assert ring.verify(KNOWN_SECRET, 0) == KNOWN
    said = [repr(KNOWN), str(KNOWN), repr(vars(ring))]
    for presented in REFUSED.values():
        with pytest.raises(InvalidSecretKeyError) as refusal:
            ring.verify(presented, 0)
        said.append(f"{refusal.value!r} {vars(refusal.value)} {refusal.value.__context__!r}")
    for secret in (KNOWN_SECRET, *filter(None, REFUSED.values())):
        assert not any(secret in text for text in said)
    assert not any(parts(KNOWN_SECRET)[1] in text for text in said)


@pytest.mark.parametrize("strict", [True, False])
def test_a_key_is_issued_with_what_its_trader_says_of_the_kill_switch(strict: bool) -> None:
    _, key = issue(
        trader="ada", label="", scopes=frozenset(), created="2026-01-02T03:04:05Z", strict_kill_switch=strict
    )
    assert key.strict_kill_switch is strict
