"""`orderhook bridge`: setting it up, what keeps it from running, and what it says of itself."""

import json
import re
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge import operator_requests, windows
from bridge.events import FlatConfirmed, Resumed
from bridge.journal import Journal
from bridge.records import Block, dump, record_id
from bridge.run import Bridge
from bridge.settings import BridgeSettings
from cli.app import app
from orderhook.orders import Want, timestamp
from orderhook.store import items
from orderhook.store.table import serialize
from orderhook.venues import NINJATRADER
from tests.builders import order, provenance
from tests.cloudformation import OUTPUT, STACK, stand_in
from tests.marks import OF_A_TERMINAL
from tests.service import Service

pytestmark = OF_A_TERMINAL

OUTPUTS = {
    "TableName": "orderhook-Table-1",
    "DoorbellUrl": "https://sqs/bell",
    "ReportQueueUrl": "https://sqs/reports",
    "BridgePolicyArn": "arn:aws:iam::123456789012:policy/orderhook-BridgePolicy",
}

PARAMETERS = (
    "<Parameters><member><ParameterKey>VenueTrader</ParameterKey><ParameterValue>main</ParameterValue></member>"
    "</Parameters>"
)

Run = Callable[..., Result]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command runs in, where its journals lie too."""
    monkeypatch.chdir(tmp_path)
    for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    return tmp_path


@pytest.fixture
def folder(here: Path) -> Path:
    """NinjaTrader's folder."""
    for name in ("incoming", "outgoing", "log"):
        (here / "NinjaTrader 8" / name).mkdir(parents=True)
    return here / "NinjaTrader 8"


@pytest.fixture
def settings(here: Path, service: Service, monkeypatch: pytest.MonkeyPatch) -> BridgeSettings:
    """bridge.toml, for the service's table and trader."""
    for endpoint in filter(None, [service.table.options.get("endpoint_url")]):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
    urls = service.queue.doorbell_url, "https://sqs.us-east-1.amazonaws.com/123456789012/none"
    settings = BridgeSettings("stack", "us-east-1", service.table.name, service.trader, *urls)
    (here / "bridge.toml").write_text(settings.text())
    return settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bridge", *arguments])


def outputs(names: dict[str, str]) -> str:
    members = (OUTPUT.format(name).replace("orderhook-Table-1", value) for name, value in names.items())
    return "".join(members).replace("</Outputs><Outputs>", "")


def test_setup_writes_down_what_the_stack_says(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(monkeypatch)(STACK.format(PARAMETERS + outputs(OUTPUTS)), 200):
        result = run("setup", "--stack", "mine", "--instrument", "ES 12-26", "--instrument", "NQ 12-26")
    assert result.exit_code == 0, result.output
    assert OUTPUTS["BridgePolicyArn"] in result.stdout
    written = BridgeSettings(
        "mine",
        "us-east-1",
        "orderhook-Table-1",
        "main",
        "https://sqs/bell",
        "https://sqs/reports",
        ("ES 12-26", "NQ 12-26"),
    )
    assert BridgeSettings.read(here / "bridge.toml") == written


def test_a_stack_without_a_venue_has_no_bridge(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(monkeypatch)(STACK.format(outputs({"TableName": "t"})), 200):
        result = run("setup", "--stack", "mine")
    assert result.exit_code == 1
    assert "Venue=ninjatrader" in result.stderr
    assert not (here / "bridge.toml").exists()


@pytest.mark.parametrize("command", [["run", "--account", "Sim101"], ["status"], ["confirm", "Sim101", "flat"]])
def test_without_its_settings_every_command_says_how_to_get_them(here: Path, command: list[str]) -> None:
    result = run(*command)
    assert (result.exit_code, list(here.iterdir())) == (1, [])
    assert "orderhook bridge setup" in result.stderr


def test_who_has_no_settings_is_told_of_the_local_servers_bridge(here: Path) -> None:
    del here
    for command in (["status"], ["doctor", "--account", "Sim101"], ["confirm", "Sim101", "flat"]):
        assert "--port 3000" in run(*command).stderr
    assert "--port" not in run("status", "--config", "other.toml").stderr


def test_one_bridge_is_meant_at_a_time(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "bridge.toml").write_text("")
    both = run("status", "--config", "bridge.toml", "--port", "3310")
    assert (both.exit_code, "--config and --port are both given" in both.stderr) == (2, True)
    monkeypatch.setenv("ORDERHOOK_PORT", "none")
    assert "ORDERHOOK_PORT is 'none'" in run("status").stderr
    # What is given goes before the environment.
    assert "bridge.toml does not say" in run("status", "--config", "bridge.toml").stderr


def test_a_folder_that_is_not_ninjatraders_is_refused(settings: BridgeSettings, here: Path) -> None:
    del settings
    result = run("run", "--account", "Sim101", "--folder", str(here))
    assert result.exit_code == 1
    assert "no folder `incoming`" in result.stderr


def test_a_folder_that_is_synced_to_another_pc_is_refused(
    settings: BridgeSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del settings
    monkeypatch.setenv("OneDrive", str(folder.parent))
    result = run("run", "--account", "Sim101", "--folder", str(folder))
    assert result.exit_code == 1
    assert "OneDrive" in result.stderr


def test_a_folder_or_a_trader_has_one_bridge_on_a_machine(settings: BridgeSettings, folder: Path) -> None:
    for lock, says in (
        (folder / "orderhook.lock", "over this NinjaTrader"),
        (settings.journal_path.with_suffix(".lock"), f"for the trader {settings.trader}"),
    ):
        lock.parent.mkdir(exist_ok=True)
        with windows.lock(lock):
            result = run("run", "--account", "Sim101", "--folder", str(folder))
        assert result.exit_code == 1
        assert f"A bridge is running already {says}." in result.stderr


def test_a_run_needs_to_be_told_its_accounts() -> None:
    assert run("run").exit_code == 2


def test_a_run_knows_the_contracts_of_its_settings_and_those_it_is_given(
    settings: BridgeSettings, folder: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "bridge.toml").write_text(settings._replace(instruments=("NQ 12-26",)).text())
    ran: list[Bridge] = []
    monkeypatch.setattr(Bridge, "run", lambda bridge: ran.append(bridge))
    monkeypatch.setattr("cli.bridge.signal.signal", lambda *_: None)
    result = run("run", "--account", "Sim101", "--folder", str(folder), "--instrument", "ES 12-26")
    assert result.exit_code == 0, result.output
    assert [[*bridge.state.config.instruments] for bridge in ran] == [["NQ 12-26", "ES 12-26"]]


def test_nothing_is_asked_where_no_bridge_runs(settings: BridgeSettings) -> None:
    result = run("confirm", "Sim101", "flat")
    assert result.exit_code == 1
    assert "No bridge is running on this machine" in result.stderr
    assert list(operator_requests.take(operator_requests.folder_of(settings.journal_path))) == []


@pytest.mark.parametrize("blocked", [True, False])
def test_the_bridge_that_runs_is_asked_to_resume_a_pair(
    settings: BridgeSettings, service: Service, monkeypatch: pytest.MonkeyPatch, *, blocked: bool
) -> None:
    service.hear_bridge()
    path = settings.journal_path
    path.parent.mkdir(exist_ok=True)
    taken: list[operator_requests.Request] = []
    against = [] if blocked else ["nothing blocks it"]
    requests = operator_requests.folder_of(path)
    monkeypatch.setattr(
        "bridge.operator_requests.time.sleep",
        lambda _: taken.extend(operator_requests.take(requests, lambda _: against)),
    )
    with windows.lock(path.with_suffix(".lock")):
        result = run("resume", "Sim101", "ES 12-26")
    assert taken == [Resumed("Sim101", "ES 12-26")]
    assert result.exit_code == (0 if blocked else 1)
    assert ("Sim101, ES 12-26 trades again." in result.stdout) is blocked
    assert ("Nothing blocks Sim101, ES 12-26." in result.stderr) is not blocked


def test_status_shows_what_is_blocked_and_how_to_resume_it(settings: BridgeSettings) -> None:
    with closing(Journal.open(settings.journal_path)) as journal:
        since = datetime(2026, 11, 28, 12, tzinfo=UTC)
        block = Block("sim101/es 12-26", "Sim101", "ES 12-26", "it is SHORT 1", since)
        journal.save({record_id(block): dump(block)})
    [shown] = json.loads(run("status", "--json").stdout)["here"]["blocked"]
    assert shown == {
        "account": "Sim101",
        "instrument": "ES 12-26",
        "why": "it is SHORT 1",
        "since": timestamp(since),
    }
    text = run("status").stdout
    assert "Sim101, ES 12-26 opens nothing since" in text
    assert "orderhook bridge resume Sim101 'ES 12-26'" in text


def test_an_account_that_is_not_the_bridges_cannot_be_confirmed(settings: BridgeSettings, service: Service) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    path = settings.journal_path
    path.parent.mkdir(exist_ok=True)
    with windows.lock(path.with_suffix(".lock")):
        result = run("confirm", "Sim103", "flat")
    assert result.exit_code == 1
    assert "Sim103 is no account of the stack's bridge, which has Sim101, Sim102." in result.stderr
    assert list(operator_requests.take(operator_requests.folder_of(path))) == []


def test_a_run_is_not_refused_by_a_command_that_looks_whether_one_runs(
    settings: BridgeSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del settings
    lock = ExitStack()
    lock.enter_context(windows.lock(folder / "orderhook.lock"))
    monkeypatch.setattr("cli.bridge_process.time.sleep", lambda _: lock.close())
    monkeypatch.setattr("cli.bridge.signal.signal", lambda *_: None)
    monkeypatch.setattr("cli.bridge.Bridge.run", lambda _: None)
    result = run("run", "--account", "Sim101", "--folder", str(folder))
    assert (result.exit_code, result.stderr) == (0, "")


def test_what_is_asked_waits_until_the_bridge_has_taken_it(
    settings: BridgeSettings, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.hear_bridge()
    path = settings.journal_path
    path.parent.mkdir(exist_ok=True)
    taken: list[operator_requests.Request] = []
    folder = operator_requests.folder_of(path)
    monkeypatch.setattr("bridge.operator_requests.time.sleep", lambda _: taken.extend(operator_requests.take(folder)))
    with windows.lock(path.with_suffix(".lock")):
        result = run("confirm", "Sim101", "flat")
    assert (result.exit_code, taken) == (0, [FlatConfirmed("Sim101")])
    assert "Sim101 counts as flat" in result.stdout


def test_a_person_is_told_what_is_open_by_ninjatraders_files(
    settings: BridgeSettings, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.hear_bridge()
    path = settings.journal_path
    path.parent.mkdir(exist_ok=True)
    held = ["LONG 1 ES 12-26", "SHORT 2 NQ 12-26"]
    folder = operator_requests.folder_of(path)
    monkeypatch.setattr(
        "bridge.operator_requests.time.sleep", lambda _: list(operator_requests.take(folder, lambda _: held))
    )
    with windows.lock(path.with_suffix(".lock")):
        result = run("confirm", "Sim101", "flat")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Sim101 is not flat by NinjaTrader's own files: LONG 1 ES 12-26, SHORT 2 NQ 12-26." in result.stderr
    assert "That stays" in result.stderr


def test_status_shows_the_owner_and_what_is_at_the_venue(settings: BridgeSettings, service: Service) -> None:
    signed = provenance(service.trader, "placing")
    want = Want(2, "cancel", signed.now)
    pending = order(signed, "long", venue=NINJATRADER.name, want=want, acked=1)
    bridge = {"journal": "j1", "host": "PC", "accounts": ["Sim101"], "ready": False, "reason": "it rains"}
    bridge["at"] = timestamp(signed.at)
    for item in (
        items.order_item(service.trader, pending),
        items.controls_key(service.trader) | {"bridge": bridge, "kill_switch": True},
    ):
        service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    found = json.loads(run("status", "--json").stdout)
    assert found["owner"] == bridge
    assert found["here"] == {"journal": None, "running": False, "reports_waiting": 0, "blocked": []}
    [shown] = found["orders"]
    assert (shown["order_id"], shown["waits_for"], shown["qty"]) == ("long", "cancel", "5")
    text = run("status").stdout
    for part in ("ready: no, it rains", "another's, j1, on PC", "The kill switch is on", "this machine: not running"):
        assert part in text
    assert not settings.journal_path.exists()


@pytest.mark.parametrize(("seconds", "says"), [(0, "ready: yes"), (600, "ready: no, the bridge was last heard of at ")])
def test_status_calls_no_bridge_ready_that_was_not_heard_of_for_long(
    settings: BridgeSettings, service: Service, seconds: int, says: str
) -> None:
    del settings
    at = timestamp(provenance(service.trader, "").at - timedelta(seconds=seconds))
    bridge = {"journal": "j1", "host": "PC", "accounts": ["Sim101"], "ready": True, "at": at}
    item = items.controls_key(service.trader) | {"bridge": bridge}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    assert says in run("status").stdout


def test_status_says_where_no_bridge_ever_owned_the_stack(settings: BridgeSettings) -> None:
    del settings
    assert "No bridge has ever owned this stack" in run("status").stdout


def test_the_doctor_says_what_is_in_order_and_what_is_not(settings: BridgeSettings, folder: Path) -> None:
    del settings
    arguments = ["doctor", "--account", "Sim101", "--folder", str(folder)]
    result = run(*arguments)
    assert result.exit_code == 1  # NinjaTrader does not run
    for line in (
        r"failed +process +NinjaTrader does not run",
        r"ok +table +0 orders are open",
        r"ok +doorbell",
        "ok +clock",
    ):
        assert re.search(rf"^{line}", result.stdout, re.M), result.stdout
    found = json.loads(run(*arguments, "--json").stdout)
    assert {"result", "about", "detail"} == set(found[0])
    assert [line for line in found if line["result"] == "look"]
