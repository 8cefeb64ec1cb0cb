"""What came from outside, as text in which nothing is invisible."""

import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode's categories of what shows nothing, or turns what stands around it."""


def visible(text: str) -> str:
    """Return a text in which control, bidirectional and invisible characters show as their code points."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    return f"<U+{ord(character):04X}>" if unicodedata.category(character) in _HIDDEN else character
