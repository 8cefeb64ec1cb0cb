"""How a build ends: by a smoke test, with a warning where it could compile nothing, and in failure where it must."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime import artifact

ENTRY_POINTS = "webhook and deferred and reports and before_traffic and console and notify"
TOOLS = ("cp", "find", "make", "printf", "rm", "sh")

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or shutil.which("make") is None, reason="A build needs make, and these tests Linux"
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of functions/, as SAM makes one."""
    return Path(shutil.copytree(artifact.FUNCTIONS, tmp_path / "functions"))


def build(sources: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the makefile as SAM does, for this machine's Python unless the environment says otherwise."""
    given = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
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
    assert (done.returncode, done.stdout) == (0, f"Smoke test: imported {ENTRY_POINTS} from the artifact.\n")
    assert compiled(sources)


def test_it_runs_on_either_processor(sources: Path) -> None:
    build(sources)
    libraries = [path.name for path in (sources.parent / "artifact").rglob("*.so")]
    assert {name.rpartition("-linux-gnu.so")[0].rpartition("-")[2] for name in libraries} == {"aarch64", "x86_64"}
    assert len(libraries) % 2 == 0


def test_it_fails_where_the_functions_could_not_start(sources: Path) -> None:
    with (sources / "deferred.py").open("a") as module:
        module.write("import nowhere\n")
    done = build(sources)
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
