"""The mutants of a module: its source with one thing changed, anywhere but where only readers and tools look."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from verification.mutation.operators import mutations

# What a decorator is given (frozen, slots, kw_only) is for type checkers and speed; that it is there is looked at.
_NOT_LOOKED_INTO = (cst.Annotation, cst.Import, cst.ImportFrom, cst.Decorator)

_TEXTS = (cst.SimpleString, cst.FormattedStringText)


@dataclass(frozen=True)
class Change:
    """A mutant by its content: whatever else is edited, it stays the same."""

    place: str
    """The function, class or assignment that it is in."""
    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def between(cls, place: str, before: str, after: str) -> "Change":
        lines = list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
        return cls.of_lines(place, [line for line in lines if not line.startswith("@@")])

    @classmethod
    def of_lines(cls, place: str, lines: list[str]) -> "Change":
        """Read the change from lines of a diff; white space does not count."""
        sides = {sign: [" ".join(line[1:].split()) for line in lines if line.startswith(sign)] for sign in "-+"}
        return cls(place, tuple(sides["-"]), tuple(sides["+"]))

    def __str__(self) -> str:
        lines = [f"@@ {self.place}", *(f"-{line}" for line in self.before), *(f"+{line}" for line in self.after)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Mutant:
    change: Change
    source: str
    name: str | None
    """What can be put in its place when all is imported: the outermost function in whose body it is, by its qualified
    name, or a constant that only such bodies use."""
    lines: frozenset[int] | None
    """The lines at which it can be noticed: of its statement in that body, else of the body, or of those that use the
    private name; None is anywhere."""
    is_text: bool
    """Whether it alters a text, and nothing else."""


def mutants_of(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's source that compiles, each once."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    module = wrapper.module  # in which no node stands twice
    positions = wrapper.resolve(PositionProvider)
    known = {ast.dump(ast.parse(source))}
    readers = _readers(ast.parse(source))
    pieces = [module.code_for_node(part) for part in (*module.header, *module.body, *module.footer)]
    for number, statement in enumerate(module.body, len(module.header)):
        finder = _Finder()
        statement.visit(finder)
        is_constant = isinstance(statement, cst.SimpleStatementLine)
        for place, function, line, name, node, mutated in finder.found:
            changed_statement = statement.deep_replace(node, mutated)
            assert isinstance(changed_statement, cst.CSTNode)
            changed = "".join([*pieces[:number], module.code_for_node(changed_statement), *pieces[number + 1 :]])
            try:
                tree = ast.dump(ast.parse(changed))
            except SyntaxError:
                continue
            if tree not in known:
                known.add(tree)
                within = positions[line or function.body] if function else None
                lines = frozenset(range(within.start.line, within.end.line + 1)) if within else readers.get(place)
                replaceable = place if is_constant and place in readers else name
                is_text = isinstance(node, _TEXTS) and isinstance(mutated, _TEXTS) and not _is_raw(node)
                yield Mutant(Change.between(place, source, changed), changed, replaceable, lines, is_text)


def _readers(module: ast.Module) -> dict[str, frozenset[int]]:
    """Return the lines of the functions that use each private name, of those that nothing uses at import."""
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    within: dict[str, frozenset[int]] = {}
    for function in functions:
        first, last = function.body[0], function.body[-1]
        lines = frozenset(range(first.lineno, (last.end_lineno or last.lineno) + 1))
        for name in _names_in(function.body):
            within[name] = within.get(name, frozenset()) | lines
    for function in functions:
        function.body = []
    at_import = {name for node in module.body for name in _names_in([node])}
    return {name: lines for name, lines in within.items() if name.startswith("_") and name not in at_import}


def _names_in(nodes: list[ast.stmt]) -> set[str]:
    found = (name for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name))
    return {name.id for name in found if isinstance(name.ctx, ast.Load)}


_Line = cst.SimpleStatementLine


class _Finder(cst.CSTVisitor):
    """Collect what can be put in the place of each node, and where that is."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, cst.FunctionDef | None, _Line | None, str | None, cst.CSTNode, cst.CSTNode]] = []
        self._line: _Line | None = None
        self._names: list[str] = []
        self._functions: list[tuple[cst.FunctionDef, str]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        self._names += _name_of(node)
        self._line = node if isinstance(node, _Line) else self._line
        is_end = bool(self._functions) and node is self._functions[-1][0].body.body[-1]
        nothing_to_change = _is_for_tools(node) or (is_end and _returns_none(node))
        looked_into = not isinstance(node, _NOT_LOOKED_INTO) and not nothing_to_change
        if looked_into:
            place = ".".join(self._names) or "module"
            function, name = self._functions[0] if self._functions else (None, None)
            line = self._line
            self.found += ((place, function, line, name, node, mutated) for mutated in mutations(node))
        return looked_into

    def visit_FunctionDef_body(self, node: cst.FunctionDef) -> None:  # noqa: N802  the names are libcst's
        self._functions.append((node, ".".join(self._names)))

    def leave_FunctionDef_body(self, _: cst.FunctionDef) -> None:  # noqa: N802
        self._functions.pop()

    def on_leave(self, original_node: cst.CSTNode) -> None:
        del self._names[len(self._names) - len(_name_of(original_node)) :]
        self._line = None if isinstance(original_node, _Line) else self._line


def _is_raw(node: cst.CSTNode) -> bool:
    """Return whether a text is a regular expression."""
    return isinstance(node, cst.SimpleString) and "r" in node.prefix


def _name_of(node: cst.CSTNode) -> list[str]:
    match node:
        case cst.FunctionDef(name=cst.Name(name)) | cst.ClassDef(name=cst.Name(name)):
            return [name]
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(name))]) | cst.AnnAssign(target=cst.Name(name)):
            return [name]
    return []


def _is_for_tools(node: cst.CSTNode) -> bool:
    match node:
        case cst.If(test=cst.Name("TYPE_CHECKING")):
            return True
        case cst.Call(func=cst.Name("cast" | "TypeVar")):
            return True
        case cst.Assign(value=cst.Subscript(value=cst.Name("Literal" | "dict" | "tuple" | "Callable"))):
            return True  # an alias of a type
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name("__all__"))]):
            return True
    return False


def _returns_none(end: cst.CSTNode) -> bool:
    """Return whether a function does this by itself at its end."""
    match end:
        case cst.SimpleStatementLine(body=[cst.Return(value=None | cst.Name("None"))]):
            return True
    return False


def listed_in(text: str) -> dict[str, list[Change]]:
    """Read the listed survivors of each module: the hunks of the diffs under its heading."""
    listed: dict[str, list[Change]] = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        module, _, rest = section.partition("\n")
        blocks = re.findall(r"^```diff\n(.*?)^```", rest, re.MULTILINE | re.DOTALL)
        hunks = [hunk for block in blocks for hunk in re.split(r"^@@ ", block, flags=re.MULTILINE)[1:]]
        listed[module.strip()] = [Change.of_lines(place, lines) for place, *lines in map(str.splitlines, hunks)]
    return listed
