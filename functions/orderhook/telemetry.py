"""What a request leaves behind in either function: one log line, one metric, and the record of its alert."""

import json
import sys
import time
import traceback
from functools import cache

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from orderhook.aws.clients import why
from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.pipeline import LOGGED, RequestFacts
from orderhook.store.alert_log import AlertLog, AlertRecord

# One encoder for all lines; by itself, Logger makes one for each, and tries to read each message as JSON.
_json = json.JSONEncoder(default=str, separators=(",", ":"), ensure_ascii=False).encode
logger = Logger(json_serializer=_json, json_deserializer=str)


def milliseconds_since(started: float) -> float:
    """Return how long ago `started` was, a second of time.monotonic."""
    return round((time.monotonic() - started) * 1000, 1)


def log(trail: RequestFacts, status: int, milliseconds: float) -> None:
    """Write the line and the metric of a request that was answered."""
    known = {name: value for name in LOGGED if (value := getattr(trail, name)) is not None}
    logger.info("alert", status=status, milliseconds=milliseconds, **known)
    _count("Alerts", outcome=str(trail.outcome))


def report(defect: Exception, request_id: str | None) -> None:
    """Log where a defect struck. Its message stays out: it may quote the payload."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(defect.__traceback__)]
    logger.error("defect", request_id=request_id, defect=type(defect).__name__, frames=frames)
    _count("UnhandledErrors")


def record(alerts: AlertLog, made: AlertRecord, trail: RequestFacts, deadline: float) -> None:
    """Leave the record of an alert in the time that is left; without it, all else is as it is."""
    try:
        call_until(deadline, alerts.put, made)
    except (Exception, DeadlineError) as failure:
        logger.warning("alert not recorded", request_id=trail.request_id, reason=why(failure))
        _count("AlertsNotRecorded")


def _count(name: str, **dimensions: str) -> None:
    sys.stdout.write(_json(_metric(name, **dimensions).serialize_metric_set()) + "\n")


@cache
def _metric(name: str, **dimensions: str) -> EphemeralMetrics:
    """Return a metric of value 1 to be written again and again; the time of each is taken when it is serialized."""
    metric = EphemeralMetrics()
    metric.add_metric(name=name, unit=MetricUnit.Count, value=1)
    for dimension, value in {"service": logger.service, **dimensions}.items():
        metric.add_dimension(dimension, value)
    return metric
