"""How a build checks that its artifact starts."""

import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

import smoke

OWN_TAG = sysconfig.get_config_var("SOABI").rpartition(f"-{platform.machine()}-")[0]
OTHER_TAG = "cpython-399"
HANDLER = "def handler(event, context): return {}\n"

Artifact = Callable[..., Path]


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """Make an artifact with a webhook that starts, and with files of the test's own."""

    def make(**files: str | bytes) -> Path:
        for name, content in {"webhook": HANDLER, "orderhook/__init__": "", **files}.items():
            path = tmp_path / (name if "." in name else f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return make


def library(machine: str) -> bytes:
    """Return as much of a shared library as says which processor it is for."""
    return b"\x7fELF".ljust(18, b"\0") + smoke.MACHINES[machine].to_bytes(2, "little")


def libraries(name: str, *machines: str) -> dict[str, bytes]:
    return {f"{name}.{OTHER_TAG}-{machine}-linux-gnu.so": library(machine) for machine in machines}


def test_where_the_artifacts_python_is_it_imports_the_entry_points(artifact: Artifact) -> None:
    folder = artifact(webhook=f"import os; os.environ['ORDERHOOK_TABLE']\n{HANDLER}", deferred=HANDLER)
    assert smoke.check(folder, OWN_TAG, ["webhook", "deferred"]) == "imported webhook and deferred from the artifact."


@pytest.mark.parametrize(
    ("webhook", "reason"),
    [
        # This environment has pytest, and the artifact does not.
        (f"import pytest\n{HANDLER}", "No module named 'pytest'"),
        ("handler = None\n", "handler is not a function"),
        ("def handler(:\n", "SyntaxError"),
    ],
)
def test_an_artifact_whose_entry_point_cannot_be_imported_fails(artifact: Artifact, webhook: str, reason: str) -> None:
    with pytest.raises(smoke.StartError, match=rf"webhook cannot be imported(.|\n)*{reason}"):
        smoke.check(artifact(webhook=webhook), OWN_TAG, ["webhook"])


@pytest.mark.parametrize(
    "files",
    [
        {"webhook": "import json, package.part\nfrom package import name, part\n", "package/part": ""},
        {
            "webhook": "from package.part import name\n",
            "package/part/__init__": "from . import other\nfrom .. import x\n",
        },
        {"webhook": "try:\n    import nowhere\nexcept ImportError:\n    pass\ndef f():\n    import nowhere\n"},
        {"webhook": "from six.moves import _thread\n", "six": ""},
        {"webhook": "import native\n", **libraries("native", *smoke.MACHINES)},
    ],
)
def test_elsewhere_it_reads_what_is_imported_at_once(artifact: Artifact, files: dict[str, str | bytes]) -> None:
    assert smoke.check(artifact(**files), OTHER_TAG, ["webhook"]).startswith("not imported, because")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"webhook": "import nowhere\n"}, "webhook imports nowhere,"),
        ({"webhook": "import package\n", "package/__init__": "from .part import x\n"}, "package imports package.part,"),
        (
            {"webhook": "import package.part\n", "package/part": "", "package/__init__": "import nowhere\n"},
            "package imports nowhere,",
        ),
        ({"orderhook/keys": "from orderhook.nowhere import x\n"}, "orderhook.keys imports orderhook.nowhere,"),
        ({"package/native.cpython-311-aarch64-linux-gnu.so": library("aarch64")}, "is not for cpython-399"),
        ({f"package/native.{OTHER_TAG}-aarch64-linux-gnu.so": library("x86_64")}, "is not for cpython-399"),
        # It has one name, whatever processor it is for.
        ({"package/native.abi3.so": library("aarch64")}, "is not for cpython-399"),
        (libraries("package/native", "x86_64"), "native is not there for aarch64"),
    ],
)
def test_elsewhere_an_artifact_that_lacks_something_fails(
    artifact: Artifact, files: dict[str, str | bytes], reason: str
) -> None:
    with pytest.raises(smoke.StartError, match=reason):
        smoke.check(artifact(**files), OTHER_TAG, ["webhook"])


def test_elsewhere_an_artifact_without_an_entry_point_fails(artifact: Artifact) -> None:
    with pytest.raises(smoke.StartError, match="the build imports deferred,"):
        smoke.check(artifact(), OTHER_TAG, ["webhook", "deferred"])


@pytest.mark.parametrize("tag", [OWN_TAG, OTHER_TAG])
@pytest.mark.parametrize(
    ("webhook", "starts"), [(HANDLER, True), ("import nowhere\n", False), ("def handler(:\n", False)]
)
def test_the_command_fails_where_the_artifact_cannot_start(
    artifact: Artifact, tag: str, webhook: str, *, starts: bool
) -> None:
    command = [sys.executable, smoke.__file__, str(artifact(webhook=webhook)), tag, "webhook"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:10], done.stderr[:9]) == (
        (0, "Smoke test", "") if starts else (1, "", "The artif")
    )
