"""How the build prunes data; tests/runtime checks what it makes of the packages."""

import ast
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session

import prune
from orderhook.notifying.quiet import ZONES
from orderhook.trade_window import NEW_YORK

FUNCTIONS = Path(prune.__file__).parent

MODEL = {
    "metadata": {"protocol": "json"},
    "operations": {
        "GetItem": {"input": {"shape": "Key"}, "documentation": "Prose."},
        "DeleteTable": {"input": {"shape": "TableName"}},
    },
    "shapes": {
        "Key": {"type": "structure", "members": {"documentation": {"shape": "Text", "documentation": "Prose."}}},
        "Text": {"type": "string", "documentation": "Prose."},
        "TableName": {"type": "string"},
    },
}

PRUNED_MODEL = {
    "metadata": {"protocol": "json"},
    "operations": {"GetItem": {"input": {"shape": "Key"}}},
    "shapes": {
        "Key": {"type": "structure", "members": {"documentation": {"shape": "Text"}}},
        "Text": {"type": "string"},
    },
}


def write(path: Path, content: object = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def operations_called(service: str) -> set[str]:
    """Return the operations that our code calls: attributes named like a method of the service's client."""
    named: dict[str, Any] = {
        xform_name(operation): operation for operation in get_session().get_service_model(service).operation_names
    }
    attributes = {
        node.attr
        for path in FUNCTIONS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute)
    }
    return {named[name] for name in attributes & named.keys()}


@pytest.mark.parametrize("service", prune.OPERATIONS)
def test_the_operations_that_stay_are_those_that_our_code_calls(service: str) -> None:
    assert set(prune.OPERATIONS[service]) - {"DescribeEndpoints"} == operations_called(service)


def test_a_model_keeps_its_operations_with_every_shape_they_refer_to_and_no_prose(tmp_path: Path) -> None:
    folder = tmp_path / "2012-08-10"
    write(folder / "examples-1.json")
    (folder / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(MODEL).encode()))
    for _ in range(2):
        prune.prune_model(tmp_path, ["GetItem"])
        assert json.loads((folder / "service-2.json").read_text()) == PRUNED_MODEL
        assert files(folder) == {"service-2.json"}


def test_endpoints_keep_every_partition_and_region_of_the_services_in_use(tmp_path: Path) -> None:
    dynamodb: dict[str, Any] = {"endpoints": {"eu-west-1": {}}}
    partition = {"partition": "aws", "regions": {"eu-west-1": {}}, "services": {"dynamodb": dynamodb, "s3": {}}}
    path = write(tmp_path / "endpoints.json", {"partitions": [partition]})
    prune.prune_endpoints(path)
    assert json.loads(path.read_text()) == {"partitions": [partition | {"services": {"dynamodb": dynamodb}}]}


def test_only_the_services_in_use_and_files_that_all_share_stay(tmp_path: Path) -> None:
    for name in ("s3/2006-03-01/service-2.json.gz", "dynamodb/2012-08-10/service-2.json.gz", "partitions.json"):
        write(tmp_path / name)
    prune.prune_services(tmp_path)
    assert files(tmp_path) == {"dynamodb/2012-08-10/service-2.json.gz", "partitions.json"}


def test_the_zones_of_quiet_hours_stay_and_new_yorks_is_one_of_them() -> None:
    zones = prune.zones_of(FUNCTIONS / prune.QUIET)
    assert sorted(zones) == sorted(ZONES)
    assert str(NEW_YORK) in zones


def test_of_the_time_zones_those_named_stay_with_the_packages_around_them(tmp_path: Path) -> None:
    kept = {"__init__.py", "zoneinfo/__init__.py", "zoneinfo/America/__init__.py", "zoneinfo/America/New_York"}
    tzdata, dateutil = tmp_path / "tzdata", tmp_path / "dateutil"
    for name in kept | {"zones", "zoneinfo/America/Chicago", "zoneinfo/Europe/__init__.py", "zoneinfo/Europe/Paris"}:
        write(tzdata / name)
    for name in ("zoneinfo/__init__.py", "zoneinfo/dateutil-zoneinfo.tar.gz"):
        write(dateutil / name)
    prune.prune_zones(tzdata, dateutil, ["America/New_York"])
    assert files(tzdata) == kept
    assert files(dateutil) == {"zoneinfo/__init__.py"}
    assert not (tzdata / "zoneinfo" / "Europe").exists()
