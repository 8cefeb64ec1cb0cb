"""What a mutant does to a piece of syntax: mutmut's operators, and more for what mutmut itself leaves alone."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import libcst as cst
from mutmut.mutation.mutators import mutation_operators


def mutations(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield what can be put in the place of a node."""
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from (mutated for mutated in operator(node) if not _same_to_dynamodb(node, mutated))
    if isinstance(node, cst.Integer):
        yield cst.Integer(str(node.evaluated_value - 1)) if node.evaluated_value else node
    elif isinstance(node, cst.FormattedStringText):
        yield node.with_changes(value=f"XX{node.value}XX")
    elif isinstance(node, cst.SimpleString) and "r" in node.prefix:
        yield from (node.with_changes(value=node.value[:2] + pattern) for pattern in _patterns(node.value[2:]))
    elif isinstance(node, cst.If | cst.While | cst.CompIf):
        yield node.with_changes(test=_negated(node.test))
    elif isinstance(node, cst.SimpleStatementLine):
        yield from _deletions(node)
    elif isinstance(node, cst.FunctionDef | cst.ClassDef):
        for left_out, rest in zip(node.decorators, _shortened(node.decorators), strict=True):
            if not _only_saves_time(left_out):
                yield node.with_changes(decorators=rest)
    elif isinstance(node, cst.List | cst.Set | cst.Dict) or (isinstance(node, cst.Tuple) and node.lpar):
        yield from (node.with_changes(elements=rest) for rest in _shortened(node.elements) if rest)


def _same_to_dynamodb(node: cst.CSTNode, mutated: cst.CSTNode) -> bool:
    """Return whether they differ in the case of an expression's keywords only, which DynamoDB reads in any."""
    texts = [
        re.sub(
            r"\b(and|or|not|in|between|set|remove|add|delete)\b",
            lambda found: found[0].upper(),
            part.value,
            flags=re.IGNORECASE,
        )
        for part in (node, mutated)
        if isinstance(part, cst.SimpleString | cst.FormattedStringText)
    ]
    return len(texts) == 2 and texts[0] == texts[1]


def _shortened(members: Sequence[Any]) -> Iterator[list[Any]]:
    for place in range(len(members)):
        yield [*members[:place], *members[place + 1 :]]


def _only_saves_time(decorator: cst.Decorator) -> bool:
    call = decorator.decorator
    name = call.func if isinstance(call, cst.Call) else call
    return isinstance(name, cst.Name) and name.value in ("cache", "lru_cache")


def _negated(test: cst.BaseExpression) -> cst.BaseExpression:
    inner = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.UnaryOperation(cst.Not(), inner)


def _deletions(line: cst.SimpleStatementLine) -> Iterator[cst.CSTNode]:
    [statement, *more] = line.body
    is_docstring = isinstance(statement, cst.Expr) and isinstance(statement.value, cst.SimpleString)
    if not more and not is_docstring and isinstance(statement, cst.Expr | cst.AugAssign | cst.Raise | cst.Return):
        yield line.with_changes(body=[cst.Pass()])


def _patterns(pattern: str) -> Iterator[str]:
    """Yield a regular expression with one of its repetitions left out or its bounds moved."""
    for found in re.finditer(r"(?<!\\)(?<![(\[])[*+?](?!:)", pattern):
        yield pattern[: found.start()] + pattern[found.end() :]
    for found in re.finditer(r"(?<=[{,])[0-9]+(?=[,}])", pattern):
        for number in (int(found[0]) - 1, int(found[0]) + 1):
            yield f"{pattern[: found.start()]}{number}{pattern[found.end() :]}"
