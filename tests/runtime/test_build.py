"""How a build ends: by a smoke test, with a warning where it could compile nothing, and in failure where it must."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime import artifact

TOOLS = ("cp", "find", "make", "printf", "rm", "sh")
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[artifact.ARCHITECTURE]

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or shutil.which("make") is None, reason="A build needs make, and these tests Linux"
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of functions/, as SAM makes one."""
    return Path(shutil.copytree(artifact.FUNCTIONS, tmp_path / "functions"))


def build(sources: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the makefile as SAM does, for this machine and its Python unless the environment says otherwise."""
    given = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ARCHITECTURE": artifact.ARCHITECTURE,
        "ARTIFACTS_DIR": str(sources.parent / "artifact"),
        "LAMBDA_PYTHON": artifact.python().minor,
    }
    return subprocess.run(
        ["make", "--no-print-directory", "build-AnyFunction"],
        cwd=sources,
        env=os.environ | given | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def compiled(sources: Path) -> list[Path]:
    return list((sources.parent / "artifact").rglob("*.pyc"))


def test_for_this_machine_it_imports_the_functions_from_the_artifact(sources: Path) -> None:
    done = build(sources)
    assert (done.returncode, done.stdout) == (0, "Smoke test: imported webhook and deferred from the artifact.\n")
    assert compiled(sources)


def test_for_another_processor_it_reads_the_artifact_and_says_so(sources: Path) -> None:
    done = build(sources, ARCHITECTURE=OTHER)
    assert done.returncode == 0
    assert done.stdout.startswith("Smoke test: not imported, because the artifact is for cpython-")
    assert compiled(sources)


@pytest.mark.parametrize("architecture", [artifact.ARCHITECTURE, OTHER])
def test_it_fails_where_the_functions_could_not_start(sources: Path, architecture: str) -> None:
    with (sources / "deferred.py").open("a") as module:
        module.write("import nowhere\n")
    done = build(sources, ARCHITECTURE=architecture)
    assert done.returncode
    assert "The artifact cannot start. deferred " in done.stderr


def test_it_fails_where_a_package_is_not_there_for_the_lambda(sources: Path) -> None:
    done = build(sources, LAMBDA_PYTHON="3.8")
    assert done.returncode
    assert "error: No solution found" in done.stderr


def test_without_the_runtimes_python_it_warns_that_the_artifact_is_slow(sources: Path, tmp_path: Path) -> None:
    # A machine with these tools and one Python only, which is not the runtime's.
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} on PATH"))
    (tools / "uv").symlink_to(artifact.uv())
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    cache = subprocess.run([artifact.uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    absent = "3.13" if sys.version_info[:2] != (3, 13) else "3.12"
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(Path.home() / ".config"), "UV_CACHE_DIR": cache}
    done = build(sources, LAMBDA_PYTHON=absent, PATH=str(tools), **home)
    assert done.returncode == 0
    assert "WARNING: this artifact starts slowly" in done.stdout
    assert f"There is no Python {absent} on this machine" in done.stdout
    assert "Smoke test: not imported" in done.stdout
    assert not compiled(sources)
