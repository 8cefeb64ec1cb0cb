"""The API's table, models and documents say the same; and its JSON is read and written exactly."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from orderhook.commands import COMMANDS
from orderhook.console.api import answers, documentation, models, openapi, reading, writing
from orderhook.console.api.errors import GUIDANCE, ApiError
from orderhook.console.api.routes import ROUTES, find
from orderhook.errors import OrderhookError
from orderhook.responses import ERRORS


def test_the_committed_description_is_that_of_the_code() -> None:
    assert openapi.DOCUMENT.read_text(encoding="utf-8") == openapi.render_document(), "run `make docs`"


def test_the_committed_page_has_the_tables_of_the_code() -> None:
    page = documentation.PAGE.read_text(encoding="utf-8")
    assert documentation.render_page(page) == page, "run `make docs`"
    assert documentation.render_page(page.replace("`alert_not_found`", "")) == page


def test_every_operation_is_described_has_an_answer_and_a_name_of_its_own() -> None:
    assert documentation.DESCRIBED.keys() == {(route.method, route.path) for route in ROUTES}
    assert all(issubclass(getattr(answers, route.answer), BaseModel) for route in ROUTES)
    names = [openapi.operation_id(route) for route in ROUTES]
    assert len(set(names)) == len(names)


def test_every_operation_stands_under_a_heading_that_is_listed() -> None:
    document = openapi.document()
    headings = [tag["name"] for tag in document["tags"]]
    assert headings == ["Orders", "Positions", "Alerts", "Strategies", "Executions", "Kill switch", "About"]
    operations = {
        f"{method} {path}": told["tags"] for path, it in document["paths"].items() for method, told in it.items()
    }
    assert {tag for tags in operations.values() for tag in tags} == {*headings}
    assert operations["post /accounts/{account}/orders/cancel"] == ["Orders"]
    assert operations["get /accounts/{account}/position"] == ["Positions"]
    assert operations["post /strategies/{strategyId}/close"] == ["Strategies"]
    assert operations["get /accounts"] == ["About"]


def test_no_path_stands_for_two_operations() -> None:
    for route in ROUTES:
        path = f"/v1/api{route.path}".replace("{account}", "Sim101").replace("{", "").replace("}", "")
        assert find(route.method, path)[0] is route


def test_every_refusal_of_the_api_is_explained_and_no_code_means_two_things() -> None:
    own = ApiError.__subclasses__()
    assert set(own) == GUIDANCE.keys()
    codes = [error.code for error in own]
    assert len(set(codes)) == len(codes)
    assert not set(codes) & ERRORS.keys()


@pytest.mark.parametrize(
    ("word", "body", "named_in_the_path"),
    [
        ("PLACE", models.Place, {"account"}),
        ("CANCELREPLACE", models.Replace, {"account", "order_id", "strategy"}),
        ("CHANGE", models.Change, {"order_id"}),
        ("CANCEL", models.Cancel, {"order_id"}),
        ("CANCELORDERS", models.CancelOrders, {"account"}),
        ("CANCELALLORDERS", models.Remarked, set()),
        ("CLOSESTRATEGY", models.Remarked, {"strategy_id"}),
        ("CLOSEPOSITION", models.Close, {"account"}),
        ("FLATTEN", models.Flatten, set()),
        ("REVERSE", models.Reverse, {"account"}),
    ],
)
def test_a_body_has_every_field_of_its_command(word: str, body: type[BaseModel], named_in_the_path: set[str]) -> None:
    names = {"quantity": "qty", "time_in_force": "tif"}
    assert {names.get(name, name) for name in body.model_fields} == COMMANDS[
        word
    ].alert_fields().keys() - named_in_the_path
    required = {names.get(name, name) for name, field in body.model_fields.items() if field.is_required()}
    needed = {name for name, is_needed in COMMANDS[word].alert_fields().items() if is_needed}
    assert required == needed - named_in_the_path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 5000.25}', Decimal("5000.25")),
        ('{"a": 0.1}', Decimal("0.1")),
        ('{"a": 5000.10}', Decimal("5000.10")),
        ('{"a": 1e3}', Decimal(1000)),
        ('{"a": 123456789012345678901234567890}', 123456789012345678901234567890),
        ('{"a": "5000.25"}', "5000.25"),
        ('{"a": true}', True),
        ('{"a": "\\ud83d\\ude00"}', "\U0001f600"),
    ],
)
def test_a_number_is_read_and_written_exactly(text: str, value: object) -> None:
    parsed = reading.parse(text)
    assert parsed == {"a": value}
    assert type(parsed["a"]) is type(value)
    assert reading.parse(writing.dumps(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e99}',
        '{"a": 1e-99}',
        f'{{"a": {"1" * 5000}}}',
        f'{{"a": 0.{"1" * 5000}}}',
        '{"a": "\\udc00"}',
        '{"\\ud800": 1}',
        '{"a": {"b": 1, "b": 2}}',
        "",
        '{"a": 1,}',
        "\ufeff{}",
        '{"a": ' * 20_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_not_exactly_json_is_refused(text: str) -> None:
    with pytest.raises(OrderhookError):
        reading.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0E-8"), "0.00000000"),
        (Decimal("1E+3"), "1000"),
        ({"a": [Decimal("-0.5"), None, True, "é\n"]}, '{"a": [-0.5, null, true, "\\u00e9\\n"]}'),
        ((), "[]"),
        ({}, "{}"),
    ],
)
def test_an_answer_is_written_as_json(value: Any, text: str) -> None:
    assert writing.dumps(value) == text


def test_ids_and_fields_as_sent_keep_their_names() -> None:
    told = {
        "cancelled_legs": {"my_order": ["my_order.STOP1"]},
        "fields": {"order_id": "a", "qty": "1"},
        "limit_offset": "0.5%",
        "qty": "2",
        "results": [{"order_id": "a", "filled": "0"}],
    }
    assert writing.for_programs(told) == {
        "cancelledLegs": {"my_order": ["my_order.STOP1"]},
        "fields": {"order_id": "a", "qty": "1"},
        "limitOffset": "0.5%",
        "quantity": 2,
        "results": [{"orderId": "a", "filled": 0}],
    }
