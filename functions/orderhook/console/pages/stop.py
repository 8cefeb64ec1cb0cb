"""Stop: one press turns the kill switch on, from every page."""

from orderhook.console import http
from orderhook.console.acting import act
from orderhook.console.pages import ROOT
from orderhook.console.visit import Visit
from orderhook.responses import Response


def turn_on(visit: Visit) -> Response:
    """Turn the trader's kill switch on; run twice, it is on."""
    act(
        visit.services,
        [("kill_switch", "on")],
        visit.session.key,
        origin="console",
        source=visit.request.source,
    )
    return http.see_other(ROOT)
