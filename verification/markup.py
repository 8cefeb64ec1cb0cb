"""What a page of the console consists of: whether all of its markup is the console's own, and what it leads to."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

ELEMENTS = frozenset(
    "a article b bdi body br button caption code details div dl dt dd em fieldset form h1 h2 h3 head header hr html "
    "i input label legend li link main meta nav ol optgroup option p pre script section select small span strong "
    "summary table tbody td textarea tfoot th thead time title tr ul kbd mark output footer aside datalist s del "
    "ins".split()
)
ATTRIBUTES = frozenset(
    "action autocapitalize autocomplete charset checked class colspan content datetime defer disabled dir for form "
    "formaction formmethod hidden href id inputmode label lang list max maxlength method min minlength multiple name "
    "novalidate open pattern placeholder readonly rel required role rows cols rowspan scope selected size spellcheck "
    "src step tabindex title type value autofocus enterkeyhint translate".split()
)
"""And those that begin with `data-` or `aria-`."""
_ADDRESSES = frozenset(("action", "formaction", "href", "src"))
_TYPED = {("input", "value"), ("textarea", "")}
"""What a person has typed, or a form sends on: it has to stay what it is."""

_EMPTY = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_COMMAND_LINE = re.compile(r"orderhook( [A-Za-z0-9./:_-]+)*")


class Link(NamedTuple):
    """Where a page leads to."""

    path: str
    query: tuple[tuple[str, str], ...]

    @property
    def address(self) -> str:
        """Where it leads to, as a browser asks for it."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass
class Form:
    """A form, and what it sends when nobody touches it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    sent: list[tuple[str, str]] = field(default_factory=list)

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """What it sends."""
        return tuple(self.sent)


class Markup(HTMLParser):
    """A page that was read: its `links`, its `forms`, and its `faults`, which are what is not the console's own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.links: list[Link] = []
        self.forms: list[Form] = []
        self._open: list[str] = []
        self._line: list[str] | None = None
        self._form: Form | None = None
        self._select = ""

    def close(self) -> None:
        """End the page."""
        super().close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.faults.append(f"there is an element <{tag}>")
        given = {name: value or "" for name, value in attrs}
        if len(given) < len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        for name, value in given.items():
            if name not in ATTRIBUTES and not re.fullmatch("(data|aria)-[a-z-]+", name):
                self.faults.append(f"<{tag}> has the attribute {name}")
            if name in _ADDRESSES and not _is_own(value):
                self.faults.append(f"<{tag}> leads to {value!r}")
            if (tag, name) not in _TYPED and _hidden(value):
                self.faults.append(f"the {name} of <{tag}> holds what cannot be seen: {value!r}")
        if tag not in _EMPTY:
            self._open.append(tag)
        if tag == "code" and self._open[-2:-1] == ["pre"]:
            self._line = []
        self._note(tag, given)

    def _note(self, tag: str, given: dict[str, str]) -> None:
        if tag == "a":
            self.links.append(_link(given.get("href", "")))
        elif tag == "form":
            self._form = Form(given.get("method", "get").upper(), *_link(given.get("action", "")))
            self.forms.append(self._form)
        elif tag == "select":
            self._select = given.get("name", "")
        elif self._form:
            is_box = given.get("type") in ("radio", "checkbox")
            if tag == "option" and self._select:
                self._form.sent.append((self._select, given.get("value", "")))
            elif given.get("name") and (tag in ("input", "textarea", "button")) and (not is_box or "checked" in given):
                self._form.sent.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> ends what is not open")
        if tag == "form":
            self._form = None
        if tag == "code" and self._line is not None:
            text, self._line = "".join(self._line), None
            if text.startswith("orderhook") and not _COMMAND_LINE.fullmatch(text):
                self.faults.append(f"a command line holds {text!r}")

    def handle_data(self, data: str) -> None:
        within = self._open[-1] if self._open else ""
        if within in ("script", "style"):
            self.faults.append(f"<{within}> has content")
        if within != "textarea" and _hidden(data):
            self.faults.append(f"a text holds what cannot be seen: {data!r}")
        if self._line is not None:
            self._line.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"there is a comment: {data[:100]!r}")

    def handle_decl(self, decl: str) -> None:
        if decl.lower() != "doctype html":
            self.faults.append(f"there is a declaration: {decl[:100]!r}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"there is a declaration: {data[:100]!r}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"there is an instruction: {data[:100]!r}")


def read(page: str) -> Markup:
    """Read a page."""
    markup = Markup()
    markup.feed(page)
    markup.close()
    return markup


def _link(address: str) -> Link:
    parts = urlsplit(address)
    return Link(parts.path, tuple(parse_qsl(parts.query, keep_blank_values=True)))


def _is_own(address: str) -> bool:
    return re.fullmatch(r"(/console(?![^/?#])[!-~]*|#[\w-]*)", address) is not None and "//" not in address


def _hidden(text: str) -> bool:
    return any(unicodedata.category(it) in _HIDDEN and it not in "\n" for it in text)
