"""Take out of an artifact what the function can never use: `python prune.py FOLDER`, which the Makefile runs.

What a kept module imports is kept, be it late or under a condition: tests/runtime holds the artifact against that.
"""

import ast
import gzip
import json
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

OPERATIONS = {
    "dynamodb": ("GetItem", "PutItem", "UpdateItem", "Query", "TransactWriteItems", "DescribeEndpoints"),
    "scheduler": ("CreateSchedule",),
    "sqs": ("SendMessage",),
}
"""What our code asks each service for, and what botocore does to find DynamoDB's endpoint if it is told to."""

LATE = {
    # HTTP/2, and plug-ins: neither is there.
    "urllib3/http2/__init__.py": "importlib.metadata",
    "pydantic/plugin/_loader.py": "importlib.metadata",
    # What help() shows of a client is written when it is asked for.
    "botocore/docs/__init__.py": "botocore.docs",
    "botocore/docs/docstring.py": "botocore.docs",
    # Times are read in answers of other services, and in credentials that expire: a function's do not.
    "botocore/compat.py": "dateutil",
    "botocore/credentials.py": "dateutil",
    "botocore/tokens.py": "dateutil",
    "botocore/utils.py": "dateutil",
    # There is no file of settings.
    "botocore/configloader.py": "configparser",
}
"""Modules, and the packages that they import at once and use hardly ever."""

ZONE = "America/New_York"
"""The time zone of trade windows."""


def prune(artifact: Path) -> None:
    """Apply every rule; run twice, the second finds nothing to do."""
    prune_services(artifact)
    for service, operations in OPERATIONS.items():
        prune_model(artifact / "botocore" / "data" / service, operations)
    prune_endpoints(artifact / "botocore" / "data" / "endpoints.json")
    prune_powertools(artifact / "aws_lambda_powertools")
    prune_zones(artifact / "tzdata")
    prune_tools(artifact)
    prune_types(artifact / "pydantic_core" / "core_schema.py")
    for module, package in LATE.items():
        import_late(artifact / module, package)


def prune_services(artifact: Path) -> None:
    """Drop the more than 400 other services: botocore looks into the folder of each before it makes a client."""
    for library in ("botocore", "boto3"):
        for service in (artifact / library / "data").iterdir():
            if service.is_dir() and service.name not in OPERATIONS:
                shutil.rmtree(service)
    for extension in ("ec2", "s3", "examples"):
        shutil.rmtree(artifact / "boto3" / extension, ignore_errors=True)
    (artifact / "boto3" / "crt.py").unlink(missing_ok=True)


def prune_model(data: Path, operations: Collection[str]) -> None:
    """Drop other operations and all prose, which only help() shows, and unpack the rest: each cold start reads it."""
    for packed in data.glob("*/service-2.json.gz"):
        with gzip.open(packed) as file:
            model = json.load(file, object_hook=_without_prose)
        model["operations"] = {name: it for name, it in model["operations"].items() if name in operations}
        needed = _shapes_of(model["operations"], model["shapes"])
        model["shapes"] = {name: it for name, it in model["shapes"].items() if name in needed}
        _write(packed.with_suffix(""), model)
        packed.unlink()
    for examples in data.glob("*/examples-1.json"):
        examples.unlink()


def prune_endpoints(path: Path) -> None:
    """Drop other services' endpoints from 1.2 MB of JSON, read at every cold start; all partitions and regions stay."""
    endpoints = json.loads(path.read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: it for name, it in partition["services"].items() if name in OPERATIONS}
    _write(path, endpoints)


def prune_powertools(powertools: Path) -> None:
    """Drop what Logger and Metrics do not lead to.

    They do to the event handler, which Logger imports when it logs a pydantic model, but not to its Swagger page.
    """
    for utility in (powertools / "utilities").iterdir():
        if utility.name not in ("__init__.py", "data_classes", "jmespath_utils", "validation"):
            shutil.rmtree(utility) if utility.is_dir() else utility.unlink()
    for page in (powertools / "event_handler" / "openapi" / "swagger_ui").glob("*.min.*"):
        page.unlink()


def prune_zones(tzdata: Path) -> None:
    """Drop every time zone but one; the packages that lead to it stay, because zoneinfo reads it as their resource."""
    kept = tzdata / "zoneinfo" / ZONE
    for path in [*tzdata.rglob("*")]:
        leads_there = path.name == "__init__.py" and path.parent in kept.parents
        if path.is_file() and path != kept and not leads_there:
            path.unlink()
    for folder in sorted((path for path in tzdata.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def prune_tools(artifact: Path) -> None:
    """Drop what serves type checkers, tests and installers; scanners for vulnerabilities need METADATA, which stays."""
    for pattern in (
        "**/*.pyi",
        "**/py.typed",
        "pydantic/mypy.py",
        "annotated_types/test_cases.py",
        "*.dist-info/RECORD",
    ):
        for path in artifact.glob(pattern):
            path.unlink()


def prune_types(module: Path) -> None:
    """Drop the fields of typed dictionaries: type checkers read them, and each cold start would compile their types."""
    lines = module.read_text().splitlines(keepends=True)
    for kind in ast.parse("".join(lines)).body:
        if isinstance(kind, ast.ClassDef) and any(ast.unparse(base) == "TypedDict" for base in kind.bases):
            for field in kind.body:
                if isinstance(field, ast.AnnAssign):
                    _blank(lines, field)
                    lines[field.lineno - 1] = f"{' ' * field.col_offset}pass\n"
    module.write_text("".join(lines))


def import_late(module: Path, package: str) -> None:
    """Move a module's imports from a package to the statements that use them: for LATE, a twentieth of the cold start.

    Raises ValueError if something outside the functions uses one.
    """
    lines = module.read_text().splitlines(keepends=True)
    tree = ast.parse("".join(lines))
    late: set[tuple[int, int, str]] = set()
    for found in tree.body:
        if not isinstance(found, ast.Import | ast.ImportFrom) or not _imports_from(package, found):
            continue
        bound = {(alias.asname or alias.name).partition(".")[0] for alias in found.names}
        _blank(lines, found)
        for name, statement in _names(tree):
            if name in bound:
                if statement is None:
                    raise ValueError(f"{module} needs {name} at once")
                late.add((statement.lineno, statement.col_offset, ast.unparse(found)))
    for line, column, text in sorted(late, reverse=True):
        lines.insert(line - 1, f"{' ' * column}{text}\n")
    module.write_text("".join(lines))


def _blank(lines: list[str], statement: ast.stmt) -> None:
    for line in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
        lines[line] = "\n"


def _imports_from(package: str, found: ast.Import | ast.ImportFrom) -> bool:
    names = [found.module or ""] if isinstance(found, ast.ImportFrom) else [alias.name for alias in found.names]
    return any(f"{name}.".startswith(f"{package}.") for name in names)


def _names(node: ast.AST, statement: ast.stmt | None = None) -> Iterator[tuple[str, ast.stmt | None]]:
    """Yield each name that is used below the node, and the innermost statement of a function that does so, if any."""
    for child in ast.iter_child_nodes(node):
        runs_late = statement or (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and child in node.body)
        within = child if runs_late and isinstance(child, ast.stmt) else statement
        if isinstance(child, ast.Name):
            yield child.id, within
        yield from _names(child, within)


def _without_prose(node: dict[str, object]) -> dict[str, object]:
    # A member may be called "documentation" too: that is an object, and prose is a string.
    return {name: it for name, it in node.items() if not (name == "documentation" and isinstance(it, str))}


def _shapes_of(node: object, shapes: dict[str, object]) -> set[str]:
    """Return the names of the shapes that a part of the model refers to, directly and through others."""
    found: set[str] = set()
    to_do = [node]
    while to_do:
        match to_do.pop():
            case dict() as node:
                name = node.get("shape")
                if isinstance(name, str) and name not in found:
                    found.add(name)
                    to_do.append(shapes[name])
                to_do.extend(node.values())
            case list() as nodes:
                to_do.extend(nodes)
    return found


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
