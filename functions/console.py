"""Lambda: /console/* and /v1/api/*. The console and the HTTP API of a stack, behind an API of their own."""

# ruff: noqa: E402  the collector is off while modules are imported

import gc

# As in webhook.py: imports leave hardly any garbage to look for.
gc.disable()

import os
from collections.abc import Mapping
from typing import Any

from orderhook.console import app
from orderhook.console.visit import Deployment
from orderhook.responses import Response
from orderhook.services import Services
from orderhook.settings import Settings
from orderhook.store.sessions import TableSessions

services = Services.connect(Settings.from_environment(os.environ))
stack = os.environ.get("ORDERHOOK_STACK", "")
console = app.Console(
    services,
    TableSessions(services.table),
    Deployment(stack, os.environ.get("AWS_REGION", ""), command_options=f"--stack {stack}"),
)

gc.freeze()
gc.enable()


def handler(event: Mapping[str, Any], context: object) -> Response:
    """Answer one API Gateway request (payload format 2.0). Never raises."""
    return app.answer(console, event, context)
