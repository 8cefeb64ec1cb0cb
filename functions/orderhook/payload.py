"""The grammar of an alert: bytes to pairs of a name and a value, judged as far as no command matters.

Source of the language: CrossTrade's webhook documentation, and what people paste from it.
"""

import re
import string
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orderhook import flat_json
from orderhook.errors import (
    InvalidValueError,
    MalformedPayloadError,
    PayloadError,
    PayloadTooLargeError,
    UnresolvedPlaceholderError,
)
from orderhook.flat_json import NoText

MAX_BYTES = 8 * 1024
MAX_FIELDS = 64

KNOWN_NAMES = frozenset(
    "key command account instrument action qty quantity percent order_type limit_price stop_price tif oco_id order_id "
    "strategy atm_strategy strategy_id take_profit stop_loss stop_loss_limit stop_loss_stop append_atm flatten_first "
    "require_market_position max_positions max_position market_position prev_market_position sync_strategy out_of_sync "
    "target_quantity strategy_tag cancel_after start_time end_time closing_only_after bypass_trade_windows delay "
    "rate_limit id kill_switch notes destination reference_price".split()
)

SYNONYMS = {"quantity": "qty", "atm_strategy": "strategy", "max_position": "max_positions"}
"""Names that mean the same field as another."""

FORMS = "The body must be UTF-8 text: name=value pairs, each ended by ';' or a new line, or one flat JSON object."
"""All that a sender without a key is told about a malformed body."""

PLACEHOLDERS = frozenset(
    "close open high low volume time timenow ticker exchange interval strategy.order.action strategy.order.contracts "
    "strategy.order.price strategy.order.id strategy.order.comment strategy.order.alert_message strategy.position_size "
    "strategy.market_position strategy.market_position_size strategy.prev_market_position "
    "strategy.prev_market_position_size".split()
)
"""What TradingView fills in by these names; besides, plot_0 to plot_19, plot("a title") and what it calls syminfo."""

# Python compiles these when an alert is first refused: no cold start waits for them.
_OTHER_PLACEHOLDERS = r'plot_1?[0-9]|plot\("[^"{}]+"\)|syminfo\.[a-z_]+'
_PLACEHOLDER = r"\{\{([^{}\n]*)\}\}"
_BEGINS_PLACEHOLDER = r"\{\{\s*[A-Za-z_]"
# A key field, as far as one can be seen in a body that does not parse: its name begins a field, or stands in quotes,
# which have backslashes where JSON was made a string of JSON.
_QUOTE = r"""(?:\\?["'\u201c\u201d\u2018\u2019])"""
_KEY_NAME = rf"(?:(?:^|[{{\[,;\n])[ \t]*+{_QUOTE}?(?i:key){_QUOTE}?|{_QUOTE}(?i:key){_QUOTE})"
_KEY_FIELD = rf"{_KEY_NAME}\s*+[:=]\s*+{_QUOTE}?(oh[kt]_[0-9A-Za-z_]+)"

_JSON = re.compile(r"\s*(?:\{(?!\{\s*[A-Za-z_])|\[\s*\{)")
# What is possessive here keeps a body of blanks from costing more than its length.
_NAME_BEFORE_EQUALS = re.compile(r"([A-Za-z_]{1,32}+)\s*+=")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)

Pair = tuple[str, str | NoText]
"""A name as sent, and its trimmed value."""


class Remark(NamedTuple):
    """A piece of a line that is left out: in parentheses, or what stands behind `//`."""

    text: str
    is_comment: bool = False


class Split(NamedTuple):
    """A body taken apart: its pairs in order, and what kept the rest from being pairs, if anything."""

    pairs: tuple[Pair, ...]
    fault: PayloadError | None
    is_json: bool
    keys: tuple[str, ...] = ()
    """What stands in a key field of a body with a fault: it may tell whose body it is."""
    remarks: tuple[Remark, ...] = ()

    @property
    def public_fault(self) -> PayloadError | None:
        """What a sender without a key is told of the fault; None where the body does split into pairs."""
        if self.fault is None or isinstance(self.fault, InvalidValueError):
            return None
        return self.fault if isinstance(self.fault, PayloadTooLargeError) else MalformedPayloadError(FORMS)


def lower(text: str) -> str:
    """Lower ASCII letters and no others: to str.lower the Kelvin sign is a k."""
    return text.translate(_LOWER)


def upper(text: str) -> str:
    """Return the text with its ASCII letters, and no others, in upper case."""
    return text.translate(_UPPER)


def canonical(name: str) -> str:
    """Return the one name of the field that a name as sent means; a name that is not known comes back in lower case."""
    lowered = lower(name)
    return SYNONYMS.get(lowered, lowered)


def split(body: bytes) -> Split:
    """Take a body apart, without judging names or values.

    The first fault is reported beside the pairs found, so that its sender can be authenticated before being told.
    """
    fault: PayloadError | None = None
    if len(body) > MAX_BYTES:
        fault = PayloadTooLargeError(f"The body has {len(body)} bytes; at most {MAX_BYTES} are accepted.")
        body = body[:MAX_BYTES]
    text, encoding_fault = _decode(body)
    found = _split_json(text) if _JSON.match(text) else _split_text(text)
    fault = fault or encoding_fault or found.fault
    if fault is None and len(found.pairs) > MAX_FIELDS:
        fault = MalformedPayloadError(f"There are {len(found.pairs)} fields; at most {MAX_FIELDS} are accepted.")
    if fault is None:
        return found
    return found._replace(fault=fault, keys=(*take_keys(found.pairs)[0], *re.findall(_KEY_FIELD, text)))


def _decode(body: bytes) -> tuple[str, PayloadError | None]:
    try:
        text = body.decode("utf-8-sig")
        position = text.find("\0")
        what = "There is a character U+0000"
    except UnicodeDecodeError as fault:
        text = body.decode("utf-8-sig", "replace")
        position = len(fault.object[: fault.start].decode())
        what = f"There is a byte 0x{fault.object[fault.start]:02X}, which is not UTF-8,"
    if position < 0:
        return text, None
    return text.replace("\0", "\ufffd"), MalformedPayloadError(f"{what} at {_place(text, position)}. {FORMS}")


def _place(text: str, position: int) -> str:
    line_start = text.rfind("\n", 0, position) + 1
    return f"line {text.count(chr(10), 0, position) + 1}, column {position - line_start + 1}"


def _split_text(text: str) -> Split:
    pairs: list[Pair] = []
    fault: PayloadError | None = None
    remarks: list[Remark] = []
    for number, line in enumerate(text.split("\n"), 1):
        for piece, rest in _pieces(line):
            if piece.startswith("//"):
                fault = fault or _lost_in_comment(rest, number)
                remarks.append(Remark(rest, is_comment=True))
                break
            if _is_remark(piece):
                remarks.append(Remark(piece))
                continue
            name, equals, value = (part.strip() for part in piece.partition("="))
            if name and equals:
                pairs.append((name, value))
            else:
                fault = fault or _not_a_pair(piece, number)
    return Split(tuple(pairs), fault, is_json=False, remarks=tuple(remarks))


def _pieces(line: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a line that say something, each with the line from there on; none of a line of comment."""
    if line.lstrip().startswith("//"):
        return
    start = 0
    for piece in line.split(";"):
        stripped = piece.strip()
        if stripped:
            yield stripped, line[start:]
        start += len(piece) + 1


def _is_remark(piece: str) -> bool:
    """Return whether the piece's first parenthesis is closed by its last character, and not before."""
    if piece[-1] != ")":
        return False
    depth = 0
    for character in piece[:-1]:
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return False
    return depth == 1


def _lost_in_comment(rest: str, line: int) -> PayloadError | None:
    """Return the refusal of a comment behind other fields that swallows a field; an alert of one line has no other."""
    name = next(known_names_before_equals(rest), None)
    if name is None:
        return None
    return InvalidValueError(
        f"Line {line} has a comment with {name}= in it, which would be lost: put the comment on a line of its own.",
        field=canonical(name) if lower(name) != "key" else None,
    )


def _not_a_pair(piece: str, line: int) -> PayloadError:
    if "{{" in piece and "=" not in piece:
        return UnresolvedPlaceholderError(f"Line {line} {still_holds_placeholder(piece)}")
    missing = "a name" if piece.startswith("=") else "'='"
    return MalformedPayloadError(f"Line {line} has a piece without {missing}. {FORMS}")


def _split_json(text: str) -> Split:
    members, fault = flat_json.read_object(text)
    return Split(tuple(members), None if fault is None else _json_error(text, fault), is_json=True)


def _json_error(text: str, fault: flat_json.Fault) -> PayloadError:
    position = fault.position
    name = canonical(fault.name or "")
    for placeholder in re.finditer(_PLACEHOLDER, text):
        # Inside of one is the first fault where a placeholder itself has quotes.
        if placeholder.start() <= position < placeholder.end() and re.match(_BEGINS_PLACEHOLDER, placeholder[0]):
            return UnresolvedPlaceholderError(
                f"The JSON at {_place(text, placeholder.start())} {still_holds_placeholder(placeholder[0])} In JSON it "
                "stands in quotes.",
                field=name if name in KNOWN_NAMES else None,
            )
    met = f"not {text[position]!a}" if position < len(text) else "and the body ends"
    return MalformedPayloadError(f"The JSON breaks at {_place(text, position)}: expected {fault.expected}, {met}.")


def take_keys(pairs: Iterable[Pair]) -> tuple[list[str], list[Pair]]:
    """Separate the values of `key` from all other pairs. This is the first step: what comes after sees no secret."""
    secrets: list[str] = []
    others: list[Pair] = []
    for name, value in pairs:
        if lower(name) != "key":
            others.append((name, value))
        elif value not in ("", NoText.NULL):
            secrets.append(value if isinstance(value, str) else "")  # a nested value is not a key, but it is there
    return secrets, others


def known_names_before_equals(text: str) -> Iterator[str]:
    """Yield the known names, as sent, that stand before a '=' in a text."""
    for match in _NAME_BEFORE_EQUALS.finditer(text):
        if lower(match[1]) in KNOWN_NAMES:
            yield match[1]


def missing_semicolon(field: str, value: str) -> InvalidValueError:
    """Return the refusal of a value that holds '=': mostly the end of the field was forgotten."""
    following = _NAME_BEFORE_EQUALS.search(value)
    if following and lower(following[1]) in KNOWN_NAMES:
        return InvalidValueError(f"missing ';' before {following[1]}?", field=field)
    return InvalidValueError(f"{field} cannot hold '='; is a ';' missing before it?", field=field)


# Placeholders


def placeholders(text: str) -> list[str]:
    """Return the names of the placeholders in a text, without their braces."""
    return [match[1] for match in re.finditer(_PLACEHOLDER, text)]


def is_filled_in(placeholder: str) -> bool:
    """Return whether TradingView puts a value in place of this placeholder, at least in some kind of alert."""
    return placeholder in PLACEHOLDERS or re.fullmatch(_OTHER_PLACEHOLDERS, placeholder) is not None


def still_holds_placeholder(text: str) -> str:
    """Say of a text that a placeholder is left in it, and why; a name that is not TradingView's own is not quoted."""
    known = next(filter(is_filled_in, placeholders(text)), None)
    if known is None:
        return "still holds a {{placeholder}}: TradingView did not replace it. Use one that it knows."
    why = "fills it in for the orders of a strategy only" if known.startswith("strategy.") else "had no value for it"
    return f"still holds {{{{{known}}}}}: TradingView {why}."
