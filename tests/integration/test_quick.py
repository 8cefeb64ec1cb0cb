"""What makes moto quick (tests/quick.py) changes none of its answers."""

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from moto import mock_aws

from tests import quick

KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}
VALUES = {":one": {"N": "1"}, ":list": {"L": [{"S": "ä"}, {"M": {"n": {"N": "1.5"}}}]}, ":s": {"S": "s"}}
NAMES = {"#n": "name", "#m": "map"}

CONDITIONS = (
    "attribute_not_exists(pk)",
    "#n = :s AND attribute_exists(#m.deep)",
    "(#n = :one OR NOT contains(#n, :s)) AND size(lst) >= :one",
    "num BETWEEN :one AND :one",
    "#n IN (:s, :one)",
    "begins_with(#n, :s) AND attribute_type(num, :s)",
    "#n = = :s",
    "((#n = :s))",
    "name = :s",
    "#n = :unknown",
)
UPDATES = (
    "SET #n = :s, num = if_not_exists(num, :one) + :one, lst = list_append(if_not_exists(lst, :list), :list)",
    "SET #m.deep = :one REMOVE lst[0], other ADD num :one",
    "SET #m.deep = :one, #m = :list",
    "SET #n = :s SET num = :one",
    "SET num = :one, num = :one",
    "SET sk = :s",
    "SET gone = other",
    "REMOVE #m.nothing",
    "SET lst[1] = :s, #m = :map",
    "SET",
)


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield requests of each kind: such as work, such as are refused, and such as change nothing after all."""
    table: dict[str, Any] = {"TableName": "orderhook"}
    before: dict[str, Any] = {
        "name": {"S": "s"},
        "map": {"M": {"deep": {"N": "1"}, "more": VALUES[":list"], "bytes": {"B": b"\0\xff"}}},
        "num": {"N": "1"},
        "lst": VALUES[":list"],
        "words": {"SS": ["a", "b"]},
        "open": {"S": "o"},
    }
    all_old = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    every: dict[str, dict[str, Any]] = {
        "ExpressionAttributeNames": NAMES,
        "ExpressionAttributeValues": {**VALUES, ":map": before["map"]},
    }
    for item in ({}, before):
        for expression in (*CONDITIONS, *UPDATES):
            used = {
                names: kept
                for names, known in every.items()
                if (kept := {name: value for name, value in known.items() if name in expression})
            }
            whole = {**table, "Key": KEY, **used}
            yield "put_item", {**table, "Item": {**KEY, **item}}
            if expression in UPDATES:
                yield "update_item", {**whole, "UpdateExpression": expression, "ReturnValues": "ALL_NEW"}
                write = {"Update": {**whole, "UpdateExpression": expression}}
            else:
                condition = {**used, "ConditionExpression": expression, **all_old}
                yield "put_item", {**table, "Item": {**KEY, **item, "num": {"N": "7"}}, **condition}
                yield "delete_item", {**table, "Key": KEY, **condition}
                write = {"Put": {**table, "Item": {**KEY, "num": {"N": "9"}}, **condition}}
            fails = {"ConditionCheck": {**table, "Key": {**KEY, "sk": {"S": "none"}}, **all_old}}
            fails["ConditionCheck"]["ConditionExpression"] = "attribute_exists(pk)"
            other = {"Put": {**table, "Item": {**KEY, "sk": {"S": "beside"}, **item}}}
            yield "transact_write_items", {"TransactItems": [other, write, fails]}
            yield "query", asking(table, "pk = :pk")
            yield "transact_write_items", {"TransactItems": [other, write]}
            yield "query", asking(table, "pk = :pk AND sk > :sk", ScanIndexForward=False, Limit=1)
            yield "query", asking(table, "pk = :pk", IndexName="open", ProjectionExpression="sk,num")
            yield "get_item", {**table, "Key": KEY, "ConsistentRead": True}
    for long in (399_000, 410_000):
        yield "put_item", {**table, "Item": {**KEY, "long": {"S": "x" * long}}}
        values = {":long": {"L": [{"S": "ä" * (long // 2 - 1000)}]}}
        update = {"UpdateExpression": "SET another = :long", "ExpressionAttributeValues": values}
        yield "update_item", {**table, "Key": {**KEY, "sk": {"S": "new"}}, **update}
        yield "update_item", {**table, "Key": KEY, **update}
    yield "put_item", {"TableName": "nowhere", "Item": KEY}
    yield "get_item", {**table, "Key": {"pk": {"S": "p"}}}
    yield "batch_get_item", {"RequestItems": {"orderhook": {"Keys": [KEY], "ConsistentRead": True}}}


def asking(table: dict[str, Any], condition: str, **options: Any) -> dict[str, Any]:
    values = {":pk": KEY["pk"], **({":sk": {"S": "a"}} if ":sk" in condition else {})}
    return {**table, "KeyConditionExpression": condition, "ExpressionAttributeValues": values, **options}


def answers(*, quickly: bool) -> list[str]:
    """Return what moto answers to each request, or how it refuses it."""
    from cli.aws import demo
    from cli.aws.table import create_table
    from orderhook.aws.clients import connect
    from orderhook.services import Services
    from orderhook.store.table import Table

    with quick.answers_of_moto() if quickly else nullcontext(), mock_aws():
        client: Any = connect("dynamodb")
        create_table(client, "orderhook")
        services = Services.over(
            Table(client, "orderhook"), retention=timedelta(days=9), alert_retention=timedelta(days=9)
        )
        demo.seed(services, datetime(2026, 11, 28, tzinfo=UTC))
        said = []
        for operation, arguments in requests():
            try:
                answer = getattr(client, operation)(**arguments)
            except ClientError as error:
                answer = error.response
            except Exception as error:  # moto's own, which would end a test
                answer = {"raised": repr(error)}
            answer.pop("ResponseMetadata", None)
            said.append(f"{operation} {arguments}: {json.dumps(answer, default=str, sort_keys=True)}")
    return said


def test_moto_answers_the_same_with_less_work() -> None:
    # In processes of their own: in this one, moto is in use.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        plainly, quickly = (processes.submit(answers, quickly=quickly) for quickly in (False, True))
        assert quickly.result() == plainly.result()
    assert len({answer.partition("}: ")[2] for answer in plainly.result()}) > 50
