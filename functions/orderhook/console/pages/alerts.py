"""The first page: whether the last alert was done, what became of it, and why not."""

from itertools import islice

import htpy as h
from htpy import Node

from orderhook.console.overview import needs_person
from orderhook.console.pages import ROOT, layout
from orderhook.console.pages.overview import overview
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.responses import Response
from orderhook.store.alert_log import AlertRecord

SHOWN = 50


def page(visit: Visit) -> Response:
    """Answer with the newest alerts."""
    records = list(islice(visit.services.alert_log.newest(visit.trader), SHOWN))
    content = h.fragment[
        h.h1["Alerts"],
        overview(visit),
        h.table[
            h.thead[h.tr[h.th["time"], h.th["answer"], h.th["alert, and why"]]],
            h.tbody[map(_row, records)],
        ],
    ]
    return layout.respond(visit, "Alerts", content, here=ROOT, told=layout.Told(needs_person(visit)))


def _row(record: AlertRecord) -> Node:
    return h.tr(id=f"a{record.request_id}")[
        h.td[layout.when(record.received_at)],
        h.td[h.b[record.outcome.replace("_", " ")]],
        h.td[value(record.command or ""), h.p(".why")[value(record.detail)] if record.detail else None],
    ]
