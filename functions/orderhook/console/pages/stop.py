"""Stop: one press turns the kill switch on, from every page; what it does not end, and what else ends that."""

import htpy as h
from htpy import Node

from orderhook import administration
from orderhook.console import http
from orderhook.console.acting import act
from orderhook.console.pages import ROOT, STOP, alone, entries, flatten, layout
from orderhook.console.pages.switch import turned_by, ways_without_console, why_not
from orderhook.console.remembered import remembered
from orderhook.console.visit import Visit
from orderhook.outcome import Outcome
from orderhook.responses import Response
from orderhook.store.bridge import BridgeState
from orderhook.store.controls import KillSwitchState

_SECONDS = 30
"""As long it is remembered whether the switch is strict, which reads every key."""


def turn_on(visit: Visit) -> Response:
    """Turn the trader's kill switch on; run twice, it is on.

    Where that was not answered, nobody is told that trading is stopped.
    """
    if why := why_not(visit):
        return alone.not_stopped(visit, why)
    acted = act(
        visit.services,
        [("kill_switch", "on")],
        visit.session.key,
        origin="console",
        source=visit.request.source,
    )
    if isinstance(acted.result, Outcome):
        return http.see_other(STOP)
    return alone.stop_unknown(visit.deployment)


def page(visit: Visit) -> Response:
    """Answer with how trading stands, as the table has it now, and what can still be ended."""
    switch, bridge, *_ = visit.controls()
    pressed = visit.request.parameter("entries")
    asked = visit.request.parameter("asked")
    work = entries.working(visit)
    content = h.fragment[
        h.div(data_part="stop-state")[_state(visit, switch, bridge)],
        h.div(data_part="stop-results")[
            entries.results(visit, pressed) if pressed else None,
            flatten.result(visit, asked) if asked else None,
        ],
        h.div(data_part="stop-entries")[_entries(visit, switch, work)],
        flatten.offer(visit) if visit.services.venue.name else None,
        ways_without_console(visit),
    ]
    told = layout.Told(aloud="Trading is stopped." if switch.on else "Trading is not stopped.")
    return layout.respond(visit, "Stopped" if switch.on else "Not stopped", content, here=STOP, told=told)


def _state(visit: Visit, switch: KillSwitchState, bridge: BridgeState) -> Node:
    if not switch.on:
        why = why_not(visit)
        return h.fragment[
            h.h1["Trading is not stopped"],
            h.p(".facts")["Alerts are carried out. ", why or "“Stop trading”, above, stops them by one press."],
        ]
    return h.fragment[
        h.h1["Trading is stopped"],
        h.p(".facts")[
            "Since ",
            layout.when(switch.since, visit.now),
            " ",
            layout.age(switch.since),
            ", ",
            turned_by(visit, switch),
            ". Alerts that would open or enlarge a position are refused. ",
            h.a(href=f"{ROOT}/start")["Start again"],
        ],
        h.div(".notice.warn")[
            h.p[h.span(".mark", aria_hidden="true")["!"], h.span(".word")["What Stop does not do"]],
            h.ul[(h.li[words] for words in _goes_on(visit, bridge))],
        ],
    ]


def _goes_on(visit: Visit, bridge: BridgeState) -> list[Node]:
    said: list[Node] = [
        "An alert that had passed the check may still be written for 3 s. This page looks again every few seconds.",
        "Entries that work can still be filled, until you cancel them.",
    ]
    if _is_strict(visit):
        said.append(
            h.b[
                "Cancels and closes by alerts and by the API are refused too, as the command line has set it: what is "
                "to end, end here or at the broker."
            ]
        )
    if visit.services.venue.name is None:
        return [*said, "There is no venue, so orderhook has no position anywhere."]
    said += [
        "Positions stay open: nothing is closed.",
        "Stops and targets work on, and those of an entry that fills begin to.",
    ]
    if away := bridge.away(visit.now):
        said.append(h.b["The bridge ", layout.told_times(away), ": what is asked of it now waits until it is there."])
    return said


def _is_strict(visit: Visit) -> bool:
    """Return whether the trader wants nothing by a key to pass the switch; a session is none, and still cancels."""

    def asked() -> bool:
        return administration.stops_cancels(visit.services.keys, visit.trader)

    return remembered(visit.trader, "strict", visit.now, _SECONDS, asked)


def _entries(visit: Visit, switch: KillSwitchState, work: entries.Working) -> Node:
    count = len(work.entries)
    return h.section[
        h.h2[f"Entries that work: {count}"],
        entries.list_of(visit, work.entries, switch.since if switch.on else None),
        h.div(".acts")[
            entries.button(visit, work.entries),
            h.a(href=STOP)["Look again"],
            h.span(".dim")[f"{work.others} stops, targets and other orders that close stay." if work.others else None,],
        ],
        h.p(".notice.warn")[f"{work.unreadable} open orders cannot be read by this version, and are not among these."]
        if work.unreadable
        else None,
    ]
