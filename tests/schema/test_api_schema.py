"""The API holds what its description promises: schemathesis plays every operation, with what fits and what does not."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from cli.aws import console_door
from orderhook.console.api.openapi import document
from orderhook.console.api.routes import ROUTES
from orderhook.console.visit import Deployment
from orderhook.grants import Grant
from tests.api import Api
from tests.service import Service

EXAMPLES = 6
"""Of each operation, once with what its description allows and once with what it does not."""

CONFIG = """
[checks]
# What is a string for the description need not be an order that is there, nor a price that fits.
positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409, 423, 429]
"""

SCHEMA = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig.from_str(CONFIG))


@pytest.fixture
def base_url(service: Service) -> Iterator[tuple[str, Api]]:
    service.use_venue()
    api = Api(service)
    api.place("a", strategyId="s", stopLoss=4990)
    with console_door.running(service.handlers_services, Deployment("demo"), nullcontext()) as console:
        yield f"http://127.0.0.1:{urlsplit(console.link(Grant())).port}/v1/api", api


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_an_operation_holds_what_its_description_promises(
    base_url: tuple[str, Api], route: Any, mode: GenerationMode
) -> None:
    address, api = base_url
    operation = SCHEMA[route.path][route.method]
    headers = {"Authorization": f"Bearer {api.key}"} if route.scope else {}

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def play(case: Any) -> None:
        case.call_and_validate(base_url=address, headers=headers)

    try:
        play()
    except Unsatisfiable:
        assert (mode, route.scope) == (GenerationMode.NEGATIVE, None)  # what takes nothing can be given nothing wrong
