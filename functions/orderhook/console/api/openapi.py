"""The table of operations as OpenAPI 3.1, and as the page docs/api.md; `make docs` writes both."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from orderhook.console.api import answers, models
from orderhook.console.api.routes import ROUTES, Route
from orderhook.console.http import API

DOCUMENT = Path(__file__).parents[4] / "docs" / "openapi.json"

_REF = "#/components/schemas/{model}"
_STATUSES: Mapping[int, str] = {
    400: "What is asked for cannot be understood, or cannot be done here.",
    401: "There is no key of the API, or it is not valid.",
    403: "The key may not do this.",
    404: "There is no such thing, or it lies outside the limits of the key.",
    409: "The orders are not as this needs them.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    423: "The kill switch or a trade window stops it.",
    429: "More were sent than a limit allows.",
    503: "It could not be answered. Send it again.",
}


_TAGS: Mapping[str, str] = {
    "Orders": "orders order",
    "Positions": "positions position",
    "Alerts": "alerts check",
    "Strategies": "strategies",
    "Executions": "executions",
    "Kill switch": "killswitch",
    "About": "accounts health openapi.json",
}
"""Under which heading an operation stands: the first of whose words its path has one."""


class _WithoutNull(GenerateJsonSchema):
    """What is left out of a request is absent: null is refused."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None and "default_factory" not in schema:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def document() -> dict[str, Any]:
    """Return the description of the API."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orderhook",
            "version": "1",
            "description": "Orders, alerts and positions of one trader. docs/api.md is the page about it.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": API}],
        "tags": [{"name": tag} for tag in _TAGS],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "`orderhook keys create --api` issues one."}
            },
            "responses": {str(status): _answer(told, "Error") for status, told in _STATUSES.items()},
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> dict[str, Any]:
    refused = [400, *((401, 403, 404) if route.scope else ()), *((409, 423, 429) if route.scope == "trade" else ())]
    refused += [413, 415] if route.body else []
    shown: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [tag_of(route)],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": {
            "200": _answer("What was asked for.", route.answer),
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in (*refused, 503)},
        },
        "security": [{"key": []}] if route.scope else [],
    }
    if route.scope:
        shown["description"] = f"Needs a key with the scope `{route.scope}`" + (
            "; there with a venue alone." if route.venue else "."
        )
    if route.body:
        schema = {"$ref": _REF.format(model=route.body.__name__)}
        required = any(field.is_required() for field in route.body.model_fields.values())
        shown["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return shown


def tag_of(route: Route) -> str:
    """Return the heading under which an operation stands."""
    segments = set(route.path.split("/"))
    return next(tag for tag, words in _TAGS.items() if segments.intersection(words.split()))


def operation_id(route: Route) -> str:
    """Return the name of an operation, such as `postOrderCancel`."""
    words = (word.strip("{}").replace(".", "-") for word in route.path.split("/"))
    capitals = ("".join(part[:1].upper() + part[1:] for part in word.split("-")) for word in words)
    return route.method.lower() + "".join(capitals)


def _answer(description: str, model: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _path_parameters(route: Route) -> Iterable[dict[str, Any]]:
    for segment in route.path.split("/"):
        if segment.startswith("{"):
            schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
            yield {"name": segment[1:-1], "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route) -> Iterable[dict[str, Any]]:
    schema = route.query.model_json_schema(schema_generator=_WithoutNull)
    for name, own in schema.get("properties", {}).items():
        own.pop("title", None)
        description = own.pop("description", None)
        shown = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": own}
        yield shown | ({"description": description} if description else {})


def _headers(route: Route) -> Iterable[dict[str, Any]]:
    if route.body is models.Place:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Serves as `orderId`, and is checked as one.",
            "schema": {"type": "string", "minLength": 1},
        }


def _schemas() -> dict[str, Any]:
    bodies = dict.fromkeys(route.body for route in ROUTES if route.body)
    told: list[type[BaseModel]] = [getattr(answers, name) for name in dict.fromkeys(it.answer for it in ROUTES)]
    _, asked = models_json_schema(
        [(body, "validation") for body in bodies], ref_template=_REF, schema_generator=_WithoutNull
    )
    told.append(answers.Error)
    _, answered = models_json_schema([(model, "serialization") for model in told], ref_template=_REF)
    schemas = {**asked["$defs"], **answered["$defs"]}
    return {name: _without_titles(schema) for name, schema in sorted(schemas.items())}


def _without_titles(schema: Any) -> Any:
    """Return a schema without the titles that only repeat its names."""
    if isinstance(schema, dict):
        return {
            name: _without_titles(value)
            for name, value in schema.items()
            if not (name == "title" and isinstance(value, str))
        }
    return [_without_titles(it) for it in schema] if isinstance(schema, list) else schema


def render_document() -> str:
    """Return the text of docs/openapi.json."""
    return json.dumps(document(), indent=2, default=float) + "\n"


if __name__ == "__main__":
    from orderhook.console.api.documentation import PAGE, render_page

    DOCUMENT.write_text(render_document(), encoding="utf-8")
    PAGE.write_text(render_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
