"""What differs on Windows: no call that only POSIX has; synced folders, the Store's Python, locks, processes."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bridge import windows

BRIDGE = Path(__file__).parents[2] / "bridge"

MODULES = frozenset("fcntl grp pwd pty termios tty resource syslog posix crypt spwd readline".split())
"""Modules that Windows has not."""

NAMES = frozenset(
    """
    os.chown os.chroot os.fchmod os.fchown os.fork os.forkpty os.getegid os.geteuid os.getgid os.getpgid os.getuid
    os.initgroups os.killpg os.lchown os.link os.lockf os.mkfifo os.mknod os.nice os.O_CLOEXEC os.O_DIRECTORY
    os.O_NOFOLLOW os.O_NONBLOCK os.O_SYNC os.pipe2 os.posix_spawn os.pread os.pwrite os.rename os.setsid os.setuid
    os.statvfs os.symlink os.sync os.uname os.wait os.waitpid signal.alarm signal.pause signal.pthread_kill
    signal.setitimer signal.SIGALRM signal.SIGCHLD signal.SIGHUP signal.SIGKILL signal.SIGPIPE signal.SIGQUIT
    signal.SIGUSR1 signal.SIGUSR2 socket.AF_UNIX time.tzset
    """.split()
)
"""Attributes that Windows has not, or that do otherwise there: os.rename fails where the new name exists."""

METHODS = frozenset({"rename", "symlink_to", "hardlink_to", "owner", "group", "chmod", "mkfifo"})
"""Methods of a path, likewise; `replace` does the same everywhere."""


def calls_of_posix_alone(source: str) -> Iterator[str]:
    """Yield every name in a source that Windows has not."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                found = {f"{module}.{name.name}" for name in names}
                yield from found if module.split(".")[0] in MODULES else found & NAMES
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if f"{owner}.{name}" in NAMES:
                yield f"{owner}.{name}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"))):
                pass
            case ast.Call(func=ast.Attribute(attr=name)) if name in METHODS:
                yield f".{name}()"


@pytest.mark.parametrize("path", sorted(BRIDGE.glob("*.py")), ids=lambda path: path.name)
def test_the_bridge_calls_nothing_that_windows_has_not(path: Path) -> None:
    assert list(calls_of_posix_alone(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import fcntl",
        "from os import fork",
        "from pwd import getpwnam",
        "os.kill(1, signal.SIGKILL)",
        "os.rename(a, b)",
        "path.rename(b)",
        "os.open(path, os.O_DIRECTORY)",
    ],
)
def test_the_list_notices_a_call_of_posix_alone(source: str) -> None:
    assert list(calls_of_posix_alone(source))


def test_every_file_that_the_bridge_opens_as_text_names_its_encoding() -> None:
    # Windows has another default than every other system.
    for path in sorted(BRIDGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="read_text" | "write_text"), keywords=keywords):
                    assert "encoding" in {keyword.arg for keyword in keywords}, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    ("folder", "environment", "expected"),
    [
        ("C/Users/ann/Documents/NinjaTrader 8", {}, False),
        ("C/Users/ann/OneDrive/Documents/NinjaTrader 8", {}, True),
        ("C/Users/ann/OneDrive - Firm/NinjaTrader 8", {}, True),
        ("D/cloud/Documents/NinjaTrader 8", {"OneDriveConsumer": "D/cloud"}, True),
        ("D/CLOUD/Documents/NinjaTrader 8", {"OneDrive": "D/cloud", "OneDriveCommercial": ""}, True),
        ("D/cloudless/NinjaTrader 8", {"OneDrive": "D/cloud"}, False),
        ("C/Users/ann/OneDriver/NinjaTrader 8", {}, False),
    ],
)
def test_a_folder_that_onedrive_syncs(tmp_path: Path, folder: str, environment: dict[str, str], expected: bool) -> None:
    known = {name: str(tmp_path / root) if root else "" for name, root in environment.items()}
    assert windows.is_under_onedrive(tmp_path / folder, known) == expected


def test_an_empty_variable_of_onedrives_is_not_the_folder_one_is_in() -> None:
    assert not windows.is_under_onedrive(Path("NinjaTrader 8"), {"OneDrive": ""})


@pytest.mark.parametrize(
    ("executable", "expected"),
    [
        (r"C:\Users\ann\AppData\Local\Microsoft\WindowsApps\python.exe", True),
        (r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.12_x\python.exe", True),
        (r"C:\Users\ann\AppData\Local\Packages\PythonSoftwareFoundation.Python.3.12_qbz\python.exe", True),
        (r"C:\Users\ann\AppData\Local\Programs\Python\Python312\python.exe", False),
        ("/usr/bin/python3", False),
    ],
)
def test_the_stores_python(executable: str, expected: bool) -> None:
    assert windows.is_store_python(executable) == expected


def test_ninjatraders_folder_is_in_documents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path))
    assert windows.ninjatrader_folder().name == "NinjaTrader 8"


HOLDER = """
import sys
from pathlib import Path
from bridge import windows
with windows.lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(BRIDGE.parent)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(windows.HeldElsewhereError), windows.lock(path):
            pass
        holder.kill()
        holder.wait()
    with windows.lock(path):
        pass


def test_a_lock_is_free_after_whatever_happened_under_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), windows.lock(path):
        raise ZeroDivisionError
    with windows.lock(path):
        pass


def test_a_program_is_found_by_its_name_with_its_start() -> None:
    this = psutil.Process()
    found = windows.Process(this.name().upper()).started()
    assert found is not None
    assert found <= time.time()
    assert windows.Process("no program has this name").started() is None


def test_a_program_that_has_ended_does_not_run_and_one_that_begins_is_found() -> None:
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        process = windows.Process("no program has this name")
        process._found = psutil.Process(program.pid)
        assert process.started() == psutil.Process(program.pid).create_time()
        program.kill()
        program.wait()
        assert process.started() is None


def test_a_program_is_looked_for_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[float] = []
    now = [100.0]

    def none_runs() -> list[psutil.Process]:
        looked.append(now[0])
        return []

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(psutil, "process_iter", none_runs)
    process = windows.Process()
    for now[0] in (100.0, 100.9, 101.0):
        assert process.started() is None
    assert looked == [100.0, 101.0]


def test_a_process_that_ends_while_it_is_looked_at_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(psutil.Process):
        def name(self) -> str:
            raise psutil.NoSuchProcess(self.pid)

        def create_time(self) -> float:
            raise psutil.NoSuchProcess(self.pid)

    this = psutil.Process()
    monkeypatch.setattr(psutil, "process_iter", lambda: [Ended(this.pid), this])
    assert windows.Process(this.name()).started() == this.create_time()
    process = windows.Process()
    process._found = Ended(this.pid)
    assert process.started() is None


def test_a_file_is_read_from_a_place_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert [windows.read_shared(path), windows.read_shared(path, 7)] == [b"0123456789", b"789"]


def test_what_is_for_windows_alone_does_nothing_elsewhere() -> None:
    windows.stay_awake()
    windows.turn_quick_edit_off()
