"""Lambda: CodeDeploy calls it before a new version gets traffic, and shifts none if the new version does not answer.

It imports little, so that it can still tell where the other functions cannot start.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

from orderhook.aws.clients import connect, error_code
from orderhook.aws.deployment import READY, REQUEST, Deployment
from orderhook.store.keys import KeyStore
from orderhook.store.table import Table

_NO_MESSAGES: tuple[Mapping[str, Any], Mapping[str, Any]] = ({"Records": []}, {"batchItemFailures": []})
"""An event without messages: it shows that a function starts."""

CHECKS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "ORDERHOOK_WEBHOOK_VERSION": (REQUEST, READY),
    "ORDERHOOK_DEFERRED_FUNCTION": _NO_MESSAGES,
    # Empty without a venue.
    "ORDERHOOK_REPORTS_FUNCTION": _NO_MESSAGES,
    "ORDERHOOK_NOTIFY_FUNCTION": _NO_MESSAGES,
}
"""Where the name of a function stands, what it is asked, and what it must answer."""

logger = Logger()
deployment = Deployment()
table = Table(connect("dynamodb"), os.environ["ORDERHOOK_TABLE"])


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001  Lambda passes a context
    """Ask each function, and tell CodeDeploy whether all answered as they should, over a table with its keys."""
    asked = {name: function for name in CHECKS if (function := os.environ[name])}
    ready = all(_answers(function, *CHECKS[name]) for name, function in asked.items())
    deployment.report(event, passed=ready and _has_its_keys(os.environ["ORDERHOOK_WEBHOOK_VERSION"]))


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


def _has_its_keys(version: str) -> bool:
    """Return whether the table is the one that alerts go to now, whatever is in it, or has a valid key.

    A stack that is new has no key yet. But one that moves to a table without any would refuse every alert.
    """
    if _found(lambda: deployment.table_in_use(version) == table.name) or _found(_some_key_is_valid):
        return True
    reason = "the table is another one than before, and has no valid key: every alert would be refused"
    logger.error("not ready", table=table.name, reason=reason)
    return False


def _some_key_is_valid() -> bool:
    return any(not key.revoked for key in KeyStore(table).list())


def _found(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except Exception as fault:
        logger.exception("not asked", table=table.name, reason=error_code(fault))
        return False
