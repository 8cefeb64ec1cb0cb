"""The kill switch, as it is."""

from orderhook.console.api import writing
from orderhook.console.api.call import Call
from orderhook.representations import represent_kill_switch
from orderhook.responses import Response


def shown(call: Call) -> Response:
    """Answer whether it is on, since when, and whether cancels are refused too."""
    state = call.services.controls.kill_switch(call.trader)
    shown = represent_kill_switch(call.trader, state, stops_cancels=call.key.strict_kill_switch)
    return writing.success(**writing.for_programs(shown))
