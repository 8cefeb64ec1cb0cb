"""What a request leaves behind in either function: a log line, a metric, and the record of its alert.

A line, metric or record that cannot be written takes no answer away. Nothing here can hold a secret.
"""

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from orderhook import responses
from orderhook.aws.clients import error_code
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.errors import OrderhookError
from orderhook.orders import Outcome, timestamp
from orderhook.pipeline import RequestFacts, affected_order_ids
from orderhook.store.alert_log import MAX_ORDER_IDS, AlertLog, AlertRecord, Origin

_LOGGED_FACTS = ("request_id", "key_id", "command", "order_id", "strategy_id")

logger = Logger()


def milliseconds_since(started: float) -> float:
    """Return how long ago `started` was, a second of time.monotonic."""
    return round((time.monotonic() - started) * 1000, 1)


def log(facts: RequestFacts, result: Outcome | OrderhookError, milliseconds: float) -> None:
    """Write the line and the metric of a request that was answered."""
    with _never_raising():
        values = {name: getattr(facts, name) for name in _LOGGED_FACTS}
        values |= {"outcome": responses.word(result), "state": result.state}
        if isinstance(result, OrderhookError):
            # The reason is what kept the table from answering.
            values |= {"field": result.field, "reason": error_code(result) if result.__cause__ else None}
        present = {name: value for name, value in values.items() if value is not None}
        logger.info("alert", status=responses.status(result), milliseconds=milliseconds, **present)
        _count("Alerts", outcome=responses.word(result))


def report(defect: Exception, request_id: str | None) -> None:
    """Log where a defect struck. Its message stays out: it may quote the payload."""
    with _never_raising():
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(defect.__traceback__)
        ]
        logger.error("defect", request_id=request_id, defect=type(defect).__name__, frames=frames)
        _count("UnhandledErrors")


def write_record(alert_log: AlertLog, record: AlertRecord, request_id: str, deadline: float) -> None:
    """Write the record of an alert in the time that is left; a failure changes nothing else."""
    try:
        call_until(deadline, alert_log.put, record)
    except (Exception, DeadlineError) as failure:
        with _never_raising():
            logger.warning("alert not recorded", request_id=request_id, reason=error_code(failure))
            _count("AlertsNotRecorded")


def alert_record(
    facts: RequestFacts,
    result: Outcome | OrderhookError,
    received_at: datetime,
    milliseconds: float,
    *,
    origin: Origin = "webhook",
    record_id: str | None = None,
) -> AlertRecord | None:
    """Return the record of an alert that had this result, None where it is not known whose it is.

    What is deferred has a record of its own, with an id of its own.
    """
    key = facts.key
    if key is None:
        return None
    return AlertRecord(
        trader=key.trader,
        request_id=record_id or facts.request_id,
        received_at=timestamp(received_at),
        key_id=key.key_id,
        key_label=key.label,
        source=facts.source,
        fields=facts.fields or {},
        command=facts.command,
        status=responses.status(result),
        outcome=responses.word(result),
        detail=result.detail if isinstance(result, OrderhookError) else None,
        field=result.field if isinstance(result, OrderhookError) else None,
        milliseconds=Decimal(str(milliseconds)),
        order_ids=tuple(affected_order_ids(result))[:MAX_ORDER_IDS],
        duplicate=isinstance(result, Outcome) and result.is_duplicate,
        origin=origin,
    )


def _count(name: str, **dimensions: str) -> None:
    with single_metric(name=name, unit=MetricUnit.Count, value=1) as metric:
        for dimension, value in dimensions.items():
            metric.add_dimension(dimension, value)


@contextmanager
def _never_raising() -> Iterator[None]:
    """Turn a failure to log into a plain line on standard error, which CloudWatch keeps too."""
    try:
        yield
    except Exception as failure:
        sys.stderr.write(f"telemetry failed: {type(failure).__name__}\n")
