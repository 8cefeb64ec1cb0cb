"""What came from outside, as text on a page: nothing in it is markup, and nothing in it is invisible."""

import unicodedata

from htpy import Element, bdi

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode's categories of what shows nothing, or turns what stands around it."""


def visible(text: str) -> str:
    """Return a text in which control, bidirectional and invisible characters show as their code points."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    return f"<U+{ord(character):04X}>" if unicodedata.category(character) in _HIDDEN else character


def value(text: object) -> Element:
    """Return a value from outside: it does not turn what stands around it."""
    return bdi[visible(str(text))]
