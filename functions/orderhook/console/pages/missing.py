"""Why an alert is not in the list, and where to look instead."""

import htpy as h
from htpy import Node

from orderhook import reference
from orderhook.console.pages import ROOT, layout
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.responses import Response


def page(visit: Visit) -> Response:
    """Answer with every reason that there is, the likeliest first."""
    content = h.fragment[
        h.p(".back")[h.a(href=ROOT)["All alerts"]],
        h.h1["My alert is not in this list"],
        h.p["Look in this order: most alerts that are missing were never sent, or had no valid key."],
        h.table(".rows.missing")[
            h.thead[h.tr[h.th(scope="col")["why"], h.th(scope="col")["where to look"]]],
            h.tbody[
                (
                    h.tr[h.td(".wide")[h.b[why]], h.td(".wide", data_label="Look at:")[where]]
                    for why, where in _here(visit)
                ),
                (
                    h.tr[h.td(".wide")[h.b[_plain(why)]], h.td(".wide", data_label="Look at:")[_plain(where)]]
                    for why, where in reference.UNRECORDED.items()
                ),
            ],
        ],
        h.div(".below")[_cloudwatch(visit)],
    ]
    return layout.respond(visit, "My alert is not in this list", content, here=ROOT, live=False)


def _here(visit: Visit) -> list[tuple[Node, Node]]:
    """Return the reasons that lie in the list itself, and at TradingView."""
    return [
        (
            "The list is narrowed: a chip, a search or a time is on",
            h.fragment[h.a(href=f"{ROOT}?span=7d")["All alerts of the last 7 days"], ", and further back from there"],
        ),
        (
            "TradingView did not send it",
            "TradingView's own log of alerts: whether the alert fired, whether its webhook is on, which URL it has, "
            "and what the delivery came to. One that has expired, or was stopped for firing too often, sends nothing",
        ),
        (
            ["Its key is another trader's: this list is that of ", value(visit.trader)],
            h.fragment["The list of that trader: ", h.code[visit.command_line("alerts --trader NAME")]],
        ),
        (
            "It went to another deployment, such as the demo of another day, whose table is gone",
            "The URL in the alert's settings: it must be this deployment's",
        ),
    ]


def _plain(text: str) -> Node:
    return [h.code[part] if number % 2 else part for number, part in enumerate(text.split("`"))]


def _cloudwatch(visit: Visit) -> Node:
    if visit.deployment.is_demo:
        return h.p["The local server prints a line for each request in the terminal where it runs."]
    name = visit.deployment.name
    return h.fragment[
        h.h2["In CloudWatch"],
        h.dl(".pairs")[
            h.dt["the function's log"],
            h.dd[h.code[f"/aws/lambda/{name}-webhook"], ": a line with ", h.code["outcome"], " for each alert"],
            h.dt["the API's access log"],
            h.dd[
                h.code[f"/aws/vendedlogs/{name}-api"],
                ": a line with ",
                h.code["status"],
                " for each request, also for 429, by which API Gateway throttles",
            ],
            h.dt["alarms"],
            h.dd[
                h.code["StrangersAlarm"],
                " without a valid key, ",
                h.code["ThrottledAlertsAlarm"],
                ", ",
                h.code["AlertsNotRecordedAlarm"],
                ", ",
                h.code["ApiServerErrorsAlarm"],
            ],
        ],
    ]
