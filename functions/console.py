"""Lambda: /console/* and /v1/api/*. The console and the HTTP API of a stack, behind an API of their own."""

import os
from collections.abc import Mapping
from typing import Any

from orderhook.console import app
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Deployment
from orderhook.responses import Response
from orderhook.services import Services
from orderhook.settings import Settings

services = Services.connect(Settings.from_environment(os.environ))
console = app.Console(
    services,
    ProcessSessions(),
    Deployment(os.environ.get("POWERTOOLS_SERVICE_NAME", ""), os.environ.get("AWS_REGION")),
)


def handler(event: Mapping[str, Any], context: object) -> Response:
    """Answer one API Gateway request (payload format 2.0). Never raises."""
    return app.answer(console, event, context)
