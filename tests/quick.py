"""What makes the tests quick where their time was spent outside of them: in the interpreter, and in moto."""

import json
import pickle
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from functools import cache, lru_cache
from types import FunctionType
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from moto.core import responses, utils
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.serialize import JSONSerializer
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes, expressions, validators
from moto.dynamodb.responses import DynamoHandler
from werkzeug.http import http_date

_DYNAMODB = re.compile(r"https://dynamodb\.([a-z0-9-]+)\.amazonaws\.com/")

# What moto has no types for.
_Check: Any = ast_nodes.__dict__["DepthFirstTraverser"]
_Node: Any = ast_nodes.__dict__["Node"]
_UpdateExpressionParser: Any = expressions.__dict__["UpdateExpressionParser"]


def _call(run: Callable[..., object], arguments: dict[str, Any]) -> object:
    return run(**arguments)


# Up to Python 3.13, the interpreter's stack is of pieces of 16 KB, and a call that crosses from one into the next takes
# the memory from the system and gives it back, each time (CPython's issue 142183): a fifth of these tests' time went
# there. A frame that asks for more gets a larger piece, and the calls within it stay inside.
in_one_piece_of_stack = FunctionType(_call.__code__.replace(co_stacksize=2**17), globals())
"""Call a function with these arguments, and all that it calls within one megabyte of stack."""


@contextmanager
def answers_of_moto() -> Iterator[None]:
    """Have moto answer the same with less work: it reads each expression thrice, and copies an item for each look."""
    with pytest.MonkeyPatch.context() as patched:
        _take_requests_as_they_are(patched)
        _write_one_type(patched)
        _read_conditions_once(patched)
        _read_updates_once(patched)
        _copy_less(patched)
        _copy_values_plainly(patched)
        patched.setattr(responses, "method_names_from_class", cache(utils.method_names_from_class))
        yield


def _take_requests_as_they_are(patched: pytest.MonkeyPatch) -> None:
    """Hand DynamoDB's requests on without making one of another HTTP library of each, and finding its service."""
    process = BotocoreStubber.process_request

    def process_plainly(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        body, there = request.body, _DYNAMODB.match(request.url)
        if not there or not isinstance(body, bytes) or b'"B"' in body:  # what is binary has to be decoded
            return process(stubber, request)
        handler: Any = DynamoHandler()
        handler.headers = {name: it.decode() if isinstance(it, bytes) else it for name, it in request.headers.items()}
        handler.region, handler.current_account = there[1], DEFAULT_ACCOUNT_ID
        handler.querystring, handler.response_headers = {}, {"date": http_date()}
        handler.params = json.loads(body)
        return handler.call_action()

    patched.setattr(BotocoreStubber, "process_request", process_plainly)


def _write_one_type(patched: pytest.MonkeyPatch) -> None:
    """Write of a value the one type that it has, without a look for the nine others."""
    serialize: Any = JSONSerializer._serialize_type_structure

    def serialize_structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue":
            serialize(serializer, serialized, value, shape, key)
            return
        [(type_, content)] = value.items() if isinstance(value, dict) else [(value.type, value.value)]
        written: dict[str, Any] = {}
        serializer._serialize(written, content, shape.members[type_], type_)
        serializer._default_serialize(serialized, written, shape, key)

    patched.setattr(JSONSerializer, "_serialize_type_structure", serialize_structure)


def _read_conditions_once(patched: pytest.MonkeyPatch) -> None:
    """Take a condition apart once for each text, and understand it once for all looks of one request."""
    parse, lex = ConditionExpressionParser.parse, ConditionExpressionParser._lex_condition_expression

    @lru_cache(4096)
    def nodes_of(expression: str) -> tuple[Any, ...]:
        return tuple(lex(ConditionExpressionParser(expression, None, None)))

    @lru_cache(64)
    def understood(expression: str, asked: bytes) -> tuple[Any, list[str], list[str]]:
        parser = ConditionExpressionParser(expression, *pickle.loads(asked))
        return parse(parser), parser.expr_attr_names_found, parser.expr_attr_values_found

    def understand(parser: ConditionExpressionParser) -> Any:
        if not parser.condition_expression:
            return parse(parser)
        asked = parser.expression_attribute_names, parser.expression_attribute_values
        condition, names, values = understood(parser.condition_expression, pickle.dumps(asked))
        parser.expr_attr_names_found.extend(names)
        parser.expr_attr_values_found.extend(values)
        return condition

    patched.setattr(
        ConditionExpressionParser,
        "_lex_condition_expression",
        lambda parser: deque(nodes_of(parser.condition_expression)),
    )
    patched.setattr(ConditionExpressionParser, "parse", understand)


def _read_updates_once(patched: pytest.MonkeyPatch) -> None:
    """Take an update apart once for each text, and look for what a check is about only where it can be."""
    patched.setattr(_UpdateExpressionParser, "make", lru_cache(4096)(_UpdateExpressionParser.make))
    # Each use works on a copy of its own.
    patched.setattr(validators, "deepcopy", lambda parts: pickle.loads(pickle.dumps(parts)))

    concerns: dict[tuple[type, type], bool] = {}

    def traverse(check: Any, node: Any, child_id: int = -1) -> Any:
        for number, child in enumerate(node.children or ()):
            check.pre_processing_of_child(node, number)
            if isinstance(child, _Node):
                traverse(check, child, number)
        kinds = type(check), type(node)
        if kinds not in concerns:
            concerns[kinds] = isinstance(node, check.nodes_to_be_processed())
        if concerns[kinds]:
            parent = node.parent
            node = check.process(node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
        return node

    patched.setattr(_Check, "traverse_node_recursively", traverse)
    for check in (validators.ActionCountValidator, validators.OverlappingPathsValidator):
        # The whole has all that is in its parts.
        patched.setattr(check, "traverse", lambda check, node: check.process(node))


def _copy_less(patched: pytest.MonkeyPatch) -> None:
    """Copy the one item that an update changes, not for each write of a transaction the whole table."""
    update = DynamoDBBackend.update_item

    def update_copy(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *rest: Any, **options: Any) -> Any:
        if item := backend.get_item(table_name, key):
            backend.get_table(table_name).items[item.hash_key][item.range_key] = deepcopy(item)
        return update(backend, table_name, key, *rest, **options)

    def copy_of_table(table: Table, _memo: object) -> Table:
        copied = copy(table)
        copied.items = defaultdict(dict, {hash_key: items.copy() for hash_key, items in table.items.items()})
        return copied

    patched.setattr(DynamoDBBackend, "update_item", update_copy)
    patched.setattr(Table, "__deepcopy__", copy_of_table, raising=False)


def _copy_values_plainly(patched: pytest.MonkeyPatch) -> None:
    """Copy, compare and measure values, which hold nothing but values, without Python's general ways."""

    cast: Any = DynamoType.__dict__["cast_value"].fget
    measure = DynamoType.size

    def copy_of_value(value: DynamoType, _memo: object = None) -> DynamoType:
        copied = DynamoType.__new__(DynamoType)
        copied.type, held = value.type, value.value
        if isinstance(held, list):
            held = [copy_of_value(it) if type(it) is DynamoType else it for it in held]
        elif isinstance(held, dict):
            held = {name: copy_of_value(it) for name, it in held.items()}
        copied.value = held
        return copied

    def copy_of_item(item: Item, _memo: object) -> Any:
        copied: Any = object.__new__(Item)
        copied.hash_key, copied.range_key, copied.attrs = item.hash_key, item.range_key, LimitedSizeDict()
        dict.update(copied.attrs, {name: copy_of_value(value) for name, value in item.attrs.items()})
        return copied

    def make_item(item: Item, hash_key: DynamoType, range_key: DynamoType | None, attrs: dict[str, Any]) -> None:
        item.hash_key, item.range_key, item.attrs = hash_key, range_key, LimitedSizeDict()
        dict.update(item.attrs, {name: DynamoType(value) for name, value in attrs.items()})
        if item.size() > 405_000:
            raise ItemSizeTooLarge

    def size(value: DynamoType) -> int:
        held = value.value
        if value.type in ("S", "N"):
            return len(held) if held.isascii() else len(held.encode())
        if value.type == "M":
            return sum(len(name.encode()) + size(it) for name, it in held.items())
        if value.type == "L":
            return sum(map(size, held))
        return measure(value)

    patched.setattr(DynamoType, "__deepcopy__", copy_of_value)
    patched.setattr(Item, "__deepcopy__", copy_of_item)
    patched.setattr(Item, "__init__", make_item)
    patched.setattr(DynamoType, "size", size)
    patched.setattr(DynamoType, "cast_value", property(lambda it: it.value if it.type == "S" else cast(it)))
