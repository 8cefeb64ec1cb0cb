"""Check that an artifact can start: `python smoke.py FOLDER TAG ENTRY_POINT...`, which ends every build.

TAG names the Python that the artifact is for, such as cpython-313. It runs on Linux on both of Lambda's processors, so
each shared library must be there for both. The Python that runs this imports the entry points if the artifact is for
it; otherwise it reads the code.
"""

import ast
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "smoke",
    "AWS_SECRET_ACCESS_KEY": "smoke",
    "AWS_DEFAULT_REGION": "us-east-1",
    "ORDERHOOK_TABLE": "smoke",
    "POWERTOOLS_METRICS_NAMESPACE": "smoke",
    "POWERTOOLS_SERVICE_NAME": "smoke",
}
"""Everything that the entry points find in their environment when they are imported here."""

IMPORT = """\
import sys
from importlib import import_module

sys.path.insert(0, sys.argv[1])
if not callable(import_module(sys.argv[2]).handler):
    sys.exit("handler is not a function")
"""

MACHINES = {"aarch64": 183, "x86_64": 62}
"""What the header of a shared library says of the processor that it is for (ELF's e_machine)."""


class StartError(Exception):
    """The artifact cannot start; the message says why."""


def check(artifact: Path, tag: str, entry_points: list[str]) -> str:
    """Return what was checked, in words; raises StartError or SyntaxError if the artifact cannot start."""
    own_platform = sysconfig.get_config_var("SOABI")
    libraries = check_libraries(artifact, tag)
    if own_platform in platforms(tag):
        for entry_point in entry_points:
            import_alone(artifact, entry_point)
        return f"imported {' and '.join(entry_points)} from the artifact."
    modules = find_modules(artifact, entry_points)
    return (
        f"not imported, because the artifact is for {tag} on Linux and this is {own_platform}. Checked instead: "
        f"{len(modules)} modules parse and find what they import at once, and each shared library ({libraries}) is "
        f"there for {' and '.join(MACHINES)}."
    )


def platforms(tag: str) -> dict[str, str]:
    """Return the platforms that an artifact is for, as names of shared libraries have them, with their machines."""
    return {f"{tag}-{machine}-linux-gnu": machine for machine in MACHINES}


def import_alone(artifact: Path, entry_point: str) -> None:
    """Import an entry point in a process that finds the standard library and the artifact, and nothing else."""
    command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT, str(artifact), entry_point]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)  # noqa: S603  no shell
    if done.returncode:
        raise StartError(f"{entry_point} cannot be imported from the artifact:\n{done.stderr}")


def find_modules(artifact: Path, entry_points: list[str]) -> set[str]:
    """Return the modules that every import of the entry points and our package runs.

    Raises StartError if one is missing and SyntaxError if one cannot be read.
    """
    ours = [path.relative_to(artifact).with_suffix("") for path in artifact.glob("orderhook/**/*.py")]
    to_do = [(name, "the build") for name in (*entry_points, *(".".join(path.parts) for path in ours))]
    modules: set[str] = set()
    while to_do:
        name, importer = to_do.pop()
        if name in modules or name.partition(".")[0] in sys.stdlib_module_names:
            continue
        source = find_source(artifact, name)
        if source is None and not is_made_at_run_time(artifact, name):
            raise StartError(f"{importer} imports {name}, which is not in the artifact.")
        modules.add(name)
        if source and source.suffix == ".py":
            to_do += [(imported, name) for imported in find_imports(artifact, name, source)]
    return modules


def find_source(artifact: Path, module: str) -> Path | None:
    """Return the file or folder that a module is imported from; None if there is none."""
    path = artifact.joinpath(*module.split("."))
    candidates = [
        path / "__init__.py",
        path.with_name(f"{path.name}.py"),
        *path.parent.glob(f"{path.name}.*.so"),
        path,
    ]
    return next((candidate for candidate in candidates if candidate.exists()), None)


def is_made_at_run_time(artifact: Path, module: str) -> bool:
    """Return whether a module is in one that is not a package, which must make it itself, as six does."""
    parent = find_source(artifact, module.rpartition(".")[0])
    return parent is not None and parent.suffix == ".py" and parent.stem != "__init__"


def find_imports(artifact: Path, module: str, source: Path) -> Iterator[str]:
    """Yield the modules that a module imports under no condition, and the packages around it."""
    if "." in module:
        yield module.rpartition(".")[0]
    package = module if source.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.parse(source.read_bytes(), source).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield base
            names = [f"{base}.{alias.name}" for alias in node.names]
            yield from (name for name in names if find_source(artifact, name))


def check_libraries(artifact: Path, tag: str) -> int:
    """Return how many shared libraries there are; raises StartError if one is not there for each machine."""
    found: dict[Path, set[str]] = {}
    for library in artifact.rglob("*.so"):
        name, _, platform = library.name.removesuffix(".so").rpartition(".")
        machine = platforms(tag).get(platform, "")
        # Bytes 18 and 19 of an ELF file are its e_machine.
        if MACHINES.get(machine) != int.from_bytes(library.read_bytes()[18:20], "little"):
            raise StartError(f"{library.name} is not for {tag} on one of Lambda's machines.")
        found.setdefault(library.with_name(name), set()).add(machine)
    for library, machines in found.items():
        if missing := MACHINES.keys() - machines:
            raise StartError(f"{library.name} is not there for {' and '.join(missing)}.")
    return len(found)


if __name__ == "__main__":
    folder, expected_tag, *names = sys.argv[1:]
    try:
        print(f"Smoke test: {check(Path(folder), expected_tag, names)}")  # noqa: T201  it is a command
    except (StartError, SyntaxError) as error:
        sys.exit(f"The artifact cannot start. {error}")
