"""Lambda: CodeDeploy calls it before a new version gets traffic, and shifts none if the new version does not answer.

It imports little, so that it can still tell where the other functions cannot start.
"""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger

from orderhook.aws.clients import error_code
from orderhook.aws.deployment import READY, REQUEST, Deployment

CHECKS = {
    "ORDERHOOK_WEBHOOK_VERSION": (REQUEST, READY),
    # An event without messages: it shows that the function starts.
    "ORDERHOOK_DEFERRED_FUNCTION": ({"Records": []}, {"batchItemFailures": []}),
}
"""Where the name of a function stands, what it is asked, and what it must answer."""

logger = Logger()
deployment = Deployment()


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001  Lambda passes a context
    """Ask each function, and tell CodeDeploy whether all answered as they should."""
    deployment.report(event, passed=all(_answers(os.environ[name], *check) for name, check in CHECKS.items()))


def _answers(function: str, request: Mapping[str, Any], expected: object) -> bool:
    try:
        answer = deployment.ask(function, request)
    except Exception as fault:
        logger.exception("not asked", function=function, reason=error_code(fault))
        return False
    if answer == expected:
        return True
    logger.error("not ready", function=function, answer=answer)
    return False
