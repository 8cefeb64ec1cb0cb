"""What the first page says before the alerts: whether they trade, what there was today, and what needs a person."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import htpy as h
from htpy import Node

from orderhook.attention.needing import Attention
from orderhook.console import http
from orderhook.console.looking import look_at
from orderhook.console.overview import MOST_COUNTED, Overview, Shown, Today
from orderhook.console.pages import ROOT, parts
from orderhook.console.pages.forms import act_button, form
from orderhook.console.pages.layout import when
from orderhook.console.pages.switch import turned_by
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.orders import timestamp
from orderhook.responses import Response

LOOKED = f"{ROOT}/looked"
ANCHOR = "needs"

SHOWN_OF_A_KIND = 5
"""How many of one kind are shown before "and n more"."""

_TONES: dict[Shown, str] = {"done": "good", "refused": "bad", "repeated": "neutral", "later": "later"}
_SIGNS = {"good": "✓", "warn": "!", "bad": "✕", "neutral": "○"}


def overview(visit: Visit, known: Overview | None, last: Node, last_at: str | None) -> Node:
    """Return it, for the place above the alerts; `last` says what became of the last one, which came `last_at`.

    Without an overview it says that it could not be read in time.
    """
    if known is None:
        unread = h.p(".notice.warn", id=ANCHOR)[
            h.span(".mark", aria_hidden="true")["! "],
            "Whether alerts trade, and what needs you, could not be read in time. Load the page again.",
        ]
        return h.section(aria_label="Now", data_part="overview")[unread, last]
    return h.section(aria_label="Now", data_part="overview")[
        _standing(visit, known), last, _numbers(known, last_at), _needs(visit, known.needs)
    ]


def looked(visit: Visit) -> Response:
    """Have looked at an event, or at all of a kind that the page showed, and show what is left."""
    sent = visit.request.form
    look_at(visit, sent.get("what", ""), sent.get("of", ""), sent.get("told", ""))
    return http.see_other(ROOT)


def _standing(visit: Visit, known: Overview) -> Node:
    switch = known.kill_switch
    match known.standing:
        case "stopped":
            locked = [
                " It is locked: only the command line opens it. ",
                h.code[visit.command_line("kill-switch off")],
            ]
            words = [
                "Stopped",
                " since ",
                when(switch.since, visit.now),
                ", ",
                turned_by(visit, switch),
                ". What opens a position is refused.",
            ]
            return _line("bad", [words, locked if switch.locked else None])
        case "no key":
            words = ["There is no valid key: every alert is refused. On the computer where orderhook was set up: "]
            return _line("bad", [words, h.code[visit.command_line("keys create --label TradingView")]])
        case "bridge away":
            return _line(
                "bad", ["The bridge is away: it ", value(known.away), ". What opens is refused, and cancels wait."]
            )
        case "no venue":
            return _line("neutral", "Alerts change the table only: there is no venue, so nothing reaches a market.")
        case "trades":
            return _line("good", "Alerts trade.")


def _line(tone: str, words: Node) -> Node:
    return h.p(class_=["facts", "standing", tone])[h.span(".mark", aria_hidden="true")[_SIGNS[tone], " "], words]


def _numbers(known: Overview, last_at: str | None) -> Node:
    return h.p(".facts.numbers")[_today(known.today, last_at), " ", _working(known), _positions(known)]


def _today(today: Today, last_at: str | None) -> Node:
    shown: list[Shown] = [name for name in _TONES if today.counts.get(name)]
    reasons = f" for {today.reasons} {'reason' if today.reasons == 1 else 'different reasons'}"
    if not shown:
        if last_at and last_at >= timestamp(today.since):
            return None  # the numbers are from some seconds before
        return ["No alert since ", when(today.since.isoformat()), "."]
    counted = [
        [
            h.a(href=http.address(ROOT, {"show": name}))[
                _number(today.counts[name]), " ", h.span(class_=["word", _TONES[name]])[name]
            ],
            reasons if name == "refused" else None,
        ]
        for name in shown
    ]
    more = None if today.is_whole else f" (of the latest {MOST_COUNTED:,})"
    return ["Today, since 17:00 in New York: ", _listed(counted), more, "."]


def _number(number: int) -> Node:
    return h.b[f"{number:,}{'+' if number >= MOST_COUNTED else ''}"]


def _working(known: Overview) -> Node:
    number = sum(known.working.values())
    if not number:
        return "No order is working."
    link = h.a(href=http.address(f"{ROOT}/orders", {"status": "open"}))[h.b[f"{number:,}"], _plural(number, " order")]
    accounts = [[f"{count:,} in ", value(account)] for account, count in known.working.items()]
    return [link, " ", "is working: " if number == 1 else "are working: ", _listed(accounts), "."]


def _positions(known: Overview) -> Node:
    if known.positions is None:
        return None
    if not known.positions:
        return " No position is open."
    unknown = sum(it.side == "UNKNOWN" for it in known.positions)
    is_open = len(known.positions) - unknown
    less = {"without a stop": known.without_stop, "not wholly protected": known.not_wholly_protected}
    told = ", ".join(f"{number:,} {words}" for words, number in less.items() if number)
    parts = [
        [
            f"{is_open:,} {_plural(is_open, 'position')} open",
            [" (", h.span(".word.warn")[told], ")"] if told else None,
        ]
        if is_open
        else None,
        h.span(".word.warn")[f"{unknown:,} UNKNOWN, which is not flat"] if unknown else None,
    ]
    return [" ", h.a(href=f"{ROOT}/positions")[_listed([part for part in parts if part])], "."]


def _plural(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"


def _listed(parts: Sequence[Node]) -> Node:
    """Return parts as a sentence lists them."""
    between = [", "] * max(0, len(parts) - 2) + [" and "] * (len(parts) > 1)
    return [[part, *between[place : place + 1]] for place, part in enumerate(parts)]


def _needs(visit: Visit, needs: Sequence[Attention]) -> Node:
    if not needs:
        return h.p(".dim.calm")["Nothing needs you."]
    title = "One thing needs you" if len(needs) == 1 else f"{len(needs):,} things need you"
    kinds = [list(of_kind) for _, of_kind in groupby(needs, key=lambda it: it.code)]
    return h.section(".notice.bad", id=ANCHOR, aria_labelledby=f"{ANCHOR}-title")[
        h.h2(id=f"{ANCHOR}-title")[h.span(".mark", aria_hidden="true")["! "], title],
        h.ul(".todo")[(_kind(visit, of_kind) for of_kind in kinds)],
    ]


def _kind(visit: Visit, of_kind: Sequence[Attention]) -> Iterable[Node]:
    yield from (_one(visit, it) for it in of_kind[:SHOWN_OF_A_KIND])
    if len(of_kind) > SHOWN_OF_A_KIND:
        rest, first = len(of_kind) - SHOWN_OF_A_KIND, of_kind[0]
        all_of_them = f"I have looked at all {len(of_kind):,}"
        yield h.li[
            h.p[h.b[f"And {rest:,} more: "], first.entry.title],
            _button(visit, first.code, "", max(it.at for it in of_kind), all_of_them)
            if first.may_be_looked_at
            else None,
        ]


def _one(visit: Visit, it: Attention) -> Node:
    entry = it.entry
    return h.li[
        h.p[
            h.b[entry.title if it.code != "bridge_away" else ["The bridge is away: it ", value(it.detail)]],
            [": ", _what(it)] if it.subject != "bridge" or it.account else None,
            [", ", when(it.at, visit.now)] if it.at else None,
            h.br,
            [value(it.detail.rstrip(". ")), ". "] if it.detail and it.code != "bridge_away" else None,
            entry.what_to_do,
            [" ", h.code[visit.command_line(it.command)]] if entry.command else None,
            h.small[f" It leaves this list when {entry.when_over}."] if not it.may_be_looked_at else None,
        ],
        _button(visit, it.code, it.key, it.at, "I have looked") if it.may_be_looked_at else None,
    ]


def _what(it: Attention) -> Node:
    where = [" (", value(", ".join(filter(None, (it.account, it.instrument)))), ")"] if it.account else None
    if it.subject == "order":
        return [h.a(href=parts.order_address(it.account or "", it.id))["order ", value(it.id)], where]
    if it.subject in ("alert", "instruction"):
        return [parts.alert_link(it.id, f"alert {it.id.partition('.')[0][:12]}") or value(it.id), where]
    return where


def _button(visit: Visit, code: str, key: str, told: str, label: str) -> Node:
    hidden = {"what": code, "of": key, "told": told}
    return form(
        LOOKED,
        [[h.input(type="hidden", name=name, value=text) for name, text in hidden.items()], act_button(visit, label)],
        once=False,
    )
