"""The artifact, built for this machine, and what it is compared with."""

import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import requires, version
from io import BytesIO
from pathlib import Path

from cli.aws.table import read_template

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
BUILDS = ROOT / ".aws-sam"
ARCHITECTURE = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
EMULATOR = f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
RUNTIME: str = read_template()["Globals"]["Function"]["Runtime"].removeprefix("python")

ENTRY_POINTS = ("webhook.py", "deferred.py", "reports.py", "before_traffic.py", "console.py", "notify.py")

BARE = """\
import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    return {}
"""
"""The function that the cold start is measured against."""

BARE_WITH_QUEUE = BARE.replace("\n\n\ndef", '\nqueue = boto3.client("sqs")\n\n\ndef')
"""The same for a deployment with a venue, which rings a doorbell."""


@dataclass(frozen=True)
class Python:
    """The interpreter that runs the artifact: the runtime's minor version if this machine has it, or else this one."""

    path: str
    minor: str

    @property
    def tag(self) -> str:
        """The part of a compiled module's file name that stands for this version."""
        return f"cpython-{self.minor.replace('.', '')}"


@cache
def python() -> Python:
    """Return the interpreter that the build finds as well."""
    found_by_uv = subprocess.run([uv(), "python", "find", "--no-project", RUNTIME], capture_output=True, text=True)
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{RUNTIME}.*/bin/python"))
    for found in (shutil.which(f"python{RUNTIME}"), found_by_uv.stdout.strip(), *map(str, pyenv)):
        if found and _minor(found) == RUNTIME:
            return Python(found, RUNTIME)
    return Python(sys.executable, _minor(sys.executable))


def _minor(path: str) -> str:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([path, "-c", program], capture_output=True, text=True, check=False).stdout.strip()


def missing() -> str | None:
    """Return in one line what this machine lacks to build and run the artifact; None if it lacks nothing."""
    if not (ROOT / ".venv-sam" / "bin" / "sam").exists():
        return "The runtime tier needs the SAM CLI: run it by `make test-runtime`"
    return None if emulator() else f"The SAM CLI has no {EMULATOR}"


def emulator() -> Path | None:
    """Return Amazon's runtime emulator, which comes with the SAM CLI."""
    return next((ROOT / ".venv-sam").glob(f"lib/python*/site-packages/{EMULATOR}"), None)


def built() -> Path:
    """Run `sam build`, and return the folder that would be deployed."""
    folder = BUILDS / "runtime"
    sam = ROOT / ".venv-sam" / "bin"
    environment = os.environ | {
        "PATH": f"{sam}{os.pathsep}{os.environ['PATH']}",
        "LAMBDA_PYTHON": python().minor,
        "SAM_CLI_TELEMETRY": "0",
    }
    _run(str(sam / "sam"), "build", "--build-dir", str(folder), environment=environment)
    return _read_only(folder / "WebhookFunction")


def plain() -> Path:
    """Put together the same code and packages, with nothing pruned and nothing compiled."""
    folder = BUILDS / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    _install(folder, "--require-hashes", "--requirement", str(FUNCTIONS / "requirements.txt"))
    shutil.copytree(FUNCTIONS / "orderhook", folder / "orderhook")
    for entry_point in ENTRY_POINTS:
        shutil.copy(FUNCTIONS / entry_point, folder)
    for compiled in list(folder.rglob("__pycache__")):
        shutil.rmtree(compiled)
    return folder


def bare(plain: Path) -> Path:
    """Put together functions that make bare boto3 clients, with their packages as pip installs them: compiled."""
    folder = BUILDS / "bare"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(plain, folder)
    (folder / "bare.py").write_text(BARE)
    (folder / "bare_with_queue.py").write_text(BARE_WITH_QUEUE)
    compile_all(folder)
    return folder


def runtime_client() -> Path:
    """Install Lambda's runtime client in a folder of its own: the artifact has to bring everything else."""
    folder = BUILDS / f"runtime-client-{python().minor}"
    if not folder.exists():
        needed = [re.split(r"[^\w-]", line)[0] for line in requires("awslambdaric") or [] if "extra ==" not in line]
        _install(folder, *(f"{name}=={version(name)}" for name in ("awslambdaric", *needed)))
        compile_all(folder)
    return folder


def compile_all(folder: Path) -> None:
    """Compile as functions/Makefile does."""
    compiler = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", str(folder)]
    _run(python().path, *compiler, environment=os.environ | {"PYTHONNODEBUGRANGES": "1"})


def zipped(folder: Path) -> int:
    """Return the size in bytes of the archive that is uploaded."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in files(folder):
            file.write(path, path.relative_to(folder))
    return archive.tell()


def files(folder: Path) -> Iterator[Path]:
    """Yield every file in a folder."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _read_only(folder: Path) -> Path:
    # As on Lambda; root writes nevertheless, so the tests look afterwards whether anything was written.
    for path in files(folder):
        path.chmod(0o555)
    return folder


def _install(folder: Path, *what: str) -> None:
    _run(
        uv(),
        "pip",
        "install",
        "--quiet",
        "--link-mode",
        "copy",
        "--target",
        str(folder),
        "--python",
        python().path,
        *what,
    )


def uv() -> str:
    """Return the uv beside this Python, or else the one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or "uv"


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
