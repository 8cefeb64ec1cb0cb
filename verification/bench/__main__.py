"""Measure everything, print the table, and write it to RESULTS.md: `make bench`.

python -m verification.bench console        the pages of the console alone, which are printed
"""

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cli.aws import demo
from cli.aws.table import create_table
from orderhook.aws.clients import connect
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.store.table import Table
from tests.engine import dynamodb_local
from tests.runtime import artifact, emulator
from verification.bench import cold, orders, pages, report, warm, way

TABLE = "orderhook"
MANY, FEW = 1_000_000, 1_000


def main() -> None:
    """Run on DynamoDB Local, which has its full speed once it is warm."""
    if reason := artifact.missing() or dynamodb_local.missing():
        sys.exit(reason)
    os.environ |= emulator.CREDENTIALS | {"AWS_DEFAULT_REGION": emulator.REGION}
    of_console = sys.argv[1:] == ["console"]
    with dynamodb_local.running(["-Xmx4g"]) as endpoint:
        rows = list(measure_console(endpoint) if of_console else measure(endpoint))
    sys.stdout.write(report.table(rows) + "\n")
    if of_console:
        return
    report.write(rows, "DynamoDB Local 3.1.0, in memory, on the same machine")


def measure(endpoint: str) -> Iterator[report.Row | report.Fact]:
    """Yield one row after another, and say on standard error what is being measured."""
    services, environment = _at(endpoint)
    now = datetime.now(UTC)
    _say("Building")
    artifact.built()
    _say("Warming DynamoDB Local up")
    warm.inside(environment, "by-id", "1000")
    _say("Cold starts")
    yield from cold.rows(services.orders, Provenance(demo.TRADER, demo.KEY_ID, "cold", now), environment)
    _say("Warm cancels")
    yield from warm.rows(environment)
    _say("Pages of the console")
    yield from pages.rows(environment)
    _say("Alerts on their way to NinjaTrader")
    yield from way.rows(endpoint, TABLE)
    _say(f"Writing {MANY:,} orders")
    orders.load(endpoint, TABLE, "many", MANY)
    orders.load(endpoint, TABLE, "few", FEW)
    _say("Cancels among them")
    yield warm.row_of_many(environment, MANY, FEW, count=FEW)


def measure_console(endpoint: str) -> Iterator[report.Row | report.Fact]:
    """Yield the rows of the console alone."""
    _, environment = _at(endpoint)
    artifact.built()
    yield from pages.rows(environment)


def _at(endpoint: str) -> tuple[Services, dict[str, str]]:
    """Return the services over a new table at an endpoint, with the demo in it, and the functions' environment."""
    client = connect("dynamodb", endpoint_url=endpoint)
    create_table(client, TABLE)
    services = Services.over(Table(client, TABLE), retention=timedelta(days=9), alert_retention=timedelta(days=9))
    demo.seed(services, datetime.now(UTC))
    return services, emulator.lambda_environment(TABLE, endpoint)


def _say(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what} ...\n")


if __name__ == "__main__":
    main()
