"""Delete what the functions never use from an artifact: `python prune.py FOLDER`, which the Makefile runs.

Two kinds of things go: data (botocore's service models and endpoints, time zones) and packages that nothing imports.
Every Python file that stays is the one from its wheel, and every module that a kept one imports, even in a function or
under a condition, stays too: tests/runtime checks both.
"""

import ast
import gzip
import json
import re
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

OPERATIONS = {
    "dynamodb": (
        *("BatchGetItem", "GetItem", "PutItem", "UpdateItem", "Query", "TransactWriteItems"),
        "DescribeEndpoints",
    ),
    "lambda": ("GetFunctionConfiguration", "Invoke"),
    "codedeploy": ("PutLifecycleEventHookExecutionStatus",),
    "scheduler": ("CreateSchedule",),
    "sns": ("Publish",),
    "sqs": ("ChangeMessageVisibility", "SendMessage"),
    "ssm": ("GetParameter",),
}
"""The operations that our code calls. DescribeEndpoints is botocore's own, where endpoint discovery is switched on."""

QUIET = "orderhook/notifying/quiet.py"
"""The module that names the time zones which stay: those of quiet hours, and with them that of trade windows."""


def prune(artifact: Path) -> None:
    """Apply every rule; a second run changes nothing."""
    prune_services(artifact / "botocore" / "data")
    prune_boto3(artifact / "boto3")
    for service, operations in OPERATIONS.items():
        prune_model(artifact / "botocore" / "data" / service, operations)
    prune_endpoints(artifact / "botocore" / "data" / "endpoints.json")
    prune_powertools(artifact / "aws_lambda_powertools")
    prune_zones(artifact / "tzdata", artifact / "dateutil", zones_of(artifact / QUIET))
    prune_tools(artifact)


def prune_services(data: Path) -> None:
    """Delete the models of more than 400 other services: botocore looks into each folder before it makes a client."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in OPERATIONS:
            shutil.rmtree(service)


def prune_boto3(boto3: Path) -> None:
    """Delete what only boto3.resource() reads, and what boto3 imports only for clients of S3 and EC2."""
    for folder in ("data", "ec2", "examples", "s3"):
        shutil.rmtree(boto3 / folder, ignore_errors=True)
    (boto3 / "crt.py").unlink(missing_ok=True)


def prune_model(data: Path, operations: Collection[str]) -> None:
    """Delete the other operations and all prose, which only help() shows; unpack the rest, which every start reads."""
    for packed in data.glob("*/service-2.json.gz"):
        with gzip.open(packed) as file:
            model = json.load(file, object_hook=_without_prose)
        model["operations"] = _only(operations, model["operations"])
        model["shapes"] = _only(_shapes_of(model["operations"], model["shapes"]), model["shapes"])
        _write(packed.with_suffix(""), model)
        packed.unlink()
    for examples in data.glob("*/examples-1.json"):
        examples.unlink()


def prune_endpoints(path: Path) -> None:
    """Delete other services' endpoints from 1.2 MB of JSON that every start reads; all partitions and regions stay."""
    endpoints = json.loads(path.read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = _only(OPERATIONS, partition["services"])
    _write(path, endpoints)


def prune_powertools(powertools: Path) -> None:
    """Delete the utilities that Logger and Metrics do not import, and the event handler's Swagger page.

    The event handler itself stays, because Logger would import it to log an event that is a pydantic model.
    """
    for utility in (powertools / "utilities").iterdir():
        if utility.name not in ("__init__.py", "data_classes", "jmespath_utils", "validation"):
            shutil.rmtree(utility) if utility.is_dir() else utility.unlink()
    for page in (powertools / "event_handler" / "openapi" / "swagger_ui").glob("*.min.*"):
        page.unlink()


def zones_of(module: Path) -> Collection[str]:
    """Return the time zones that a module names, which is read and not imported."""
    strings = (node.value for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Constant))
    return {text for text in strings if isinstance(text, str) and re.fullmatch("[A-Z][a-z]+/[A-Z][A-Za-z_]+", text)}


def prune_zones(tzdata: Path, dateutil: Path, zones: Collection[str]) -> None:
    """Delete every other time zone. The packages around these stay, because zoneinfo reads each as their resource.

    dateutil has all of them once more, for those who ask it for a zone by name: botocore does not.
    """
    (dateutil / "zoneinfo" / "dateutil-zoneinfo.tar.gz").unlink(missing_ok=True)
    kept = {tzdata / "zoneinfo" / zone for zone in zones}
    around = {parent for path in kept for parent in path.parents}
    for path in [*tzdata.rglob("*")]:
        is_around_them = path.name == "__init__.py" and path.parent in around
        if path.is_file() and path not in kept and not is_around_them:
            path.unlink()
    for folder in sorted((path for path in tzdata.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def prune_tools(artifact: Path) -> None:
    """Delete what type checkers, tests and installers use. METADATA stays, for scanners of vulnerabilities."""
    for pattern in (
        "**/*.pyi",
        "**/py.typed",
        "pydantic/mypy.py",
        "annotated_types/test_cases.py",
        "*.dist-info/RECORD",
    ):
        for path in artifact.glob(pattern):
            path.unlink()


def _only(names: Collection[str], entries: dict[str, object]) -> dict[str, object]:
    return {name: entry for name, entry in entries.items() if name in names}


def _without_prose(node: dict[str, object]) -> dict[str, object]:
    # A shape's member may be called "documentation" too: that one is an object, and prose is a string.
    return {name: value for name, value in node.items() if not (name == "documentation" and isinstance(value, str))}


def _shapes_of(node: object, shapes: dict[str, object]) -> set[str]:
    """Return the names of the shapes that a part of the model refers to, directly and through others."""
    names: set[str] = set()
    to_do = [node]
    while to_do:
        match to_do.pop():
            case dict() as node:
                name = node.get("shape")
                if isinstance(name, str) and name not in names:
                    names.add(name)
                    to_do.append(shapes[name])
                to_do.extend(node.values())
            case list() as nodes:
                to_do.extend(nodes)
    return names


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
