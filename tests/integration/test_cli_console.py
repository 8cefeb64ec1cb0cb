"""`orderhook console` as a person uses it: on this machine, and for the console of a stack."""

import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import segno
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli import connection
from cli.app import app
from cli.aws import console_door, deployed
from cli.connection import TableAddress
from cli.views.qr_code import QUIET, qr_code_lines
from orderhook.console.visit import Deployment
from orderhook.errors import TemporarilyUnavailableError, UnsupportedValueError
from orderhook.grants import Grant
from orderhook.limits import Limits
from orderhook.messages import Release
from orderhook.settings import Settings
from orderhook.store.sessions import TableSessions
from orderhook.store.table import Table
from tests.cloudformation import Answering, stand_in
from tests.console_client import SAME_ORIGIN, local_door, sign_in
from tests.faults import Refusal
from tests.local_server import ORDERHOOK, ROOT, Server, running, wait_for
from tests.marks import OF_A_TERMINAL
from tests.service import Service

pytestmark = OF_A_TERMINAL

Run = Callable[..., Result]

NOT_ALLOWED = Refusal("not_allowed", "AccessDeniedException", message="User me is not authorized to perform this")
EXPIRED = Refusal("expired", "ExpiredTokenException", message="The security token included in the request is expired")

STACK = (
    '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>'
    "<member><StackName>mine</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{}</Outputs></member>"
    "</Stacks></DescribeStacksResult></DescribeStacksResponse>"
)
OUTPUT = "<member><OutputKey>{}</OutputKey><OutputValue>{}</OutputValue></member>"
CONSOLE_URL = "https://abc.execute-api.us-east-1.amazonaws.com/console"


def stack_with(**outputs: str) -> str:
    return STACK.format("".join(OUTPUT.format(name, value) for name, value in outputs.items()))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("serve") / "log") as server:
        yield server


@contextmanager
def console(server: Server, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until the block ends; give its process, and the link that it printed."""
    with subprocess.Popen(
        [*ORDERHOOK, "console", "--port", str(server.port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if "Ctrl-C" in line:
                    break
            found = re.findall(r"^console: (\S+)$", printed, re.MULTILINE)
            assert found, printed
            yield process, str(found[0])
        finally:
            process.kill()


def open_link(link: str) -> requests.Response:
    """Do what the page does with the code."""
    where = urlsplit(link)
    address = f"{where.scheme}://{where.netloc}{where.path}"
    return requests.Session().post(address, data={"code": where.fragment}, headers=SAME_ORIGIN, timeout=60)


def test_its_link_signs_in_once_and_it_ends_by_ctrl_c(server: Server) -> None:
    with console(server, "--no-browser") as (process, link):
        page = open_link(link)
        assert (page.status_code, urlsplit(page.url).path) == (200, "/console")
        assert open_link(link).status_code == 403
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_the_browser_gets_a_file_that_leads_there_and_no_process_list_has_the_url(
    server: Server, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$1" > {seen}.part\n'
        f'file="${{1#file://}}"\nstat -c %a "$file" >> {seen}.part\ncat "$file" >> {seen}.part\nmv {seen}.part {seen}\n'
    )
    browser.chmod(0o755)
    with console(server, BROWSER=str(browser), TMPDIR=str(tmp_path)) as (process, link):
        wait_for(seen.exists)
        asked, mode, content = seen.read_text().split("\n", 2)
        assert asked.startswith(f"file://{tmp_path}/orderhook-")
        assert mode == "600"
        assert f"url={link}" in content
        path = Path(asked.removeprefix("file://"))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        code = urlsplit(link).fragment
        assert code not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert not path.exists()


@pytest.mark.parametrize("option", ["--phone", "--sign-out"])
def test_what_is_for_a_stack_says_so_without_one(option: str) -> None:
    result = CliRunner().invoke(app, ["console", option])
    assert result.exit_code == 2
    assert "add --stack NAME" in " ".join(result.output.split())


# For the console of a stack


@pytest.fixture
def of_stack(service: Service, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `orderhook console` for a stack whose table is the service's, with these outputs."""
    monkeypatch.setattr(connection, "connect", lambda _address, _environment: service.services)
    answering: Answering = stand_in(monkeypatch)

    def run(*arguments: str, **outputs: str) -> Result:
        with answering(stack_with(TableName=service.table.name, **outputs), 200):
            return CliRunner().invoke(app, ["console", "--stack", "mine", "--trader", service.trader, *arguments])

    return run


def test_a_phone_gets_a_link_whose_code_is_in_the_table_by_its_digest(of_stack: Run, service: Service) -> None:
    limited = ("--label", "phone", "--read-only", "--account", "Sim101", "--max-qty", "2")
    result = of_stack("--phone", *limited, ConsoleUrl=CONSOLE_URL)
    assert result.exit_code == 0, result.output
    [link] = re.findall(r"^console: (\S+)$", result.stdout, re.MULTILINE)
    assert link.startswith(f"{CONSOLE_URL}/login#")
    code = urlsplit(link).fragment
    assert code not in str(service.table.read_all())
    sessions = TableSessions(service.services.table)
    now = connection.aws_clock.now()
    token = sessions.redeem(code, now)
    assert token
    session = sessions.find(token, now, consistently=True, renew=False)
    assert session
    limits = Limits(accounts=("Sim101",), max_qty=2)
    assert session.grant == Grant(service.trader, "phone", read_only=True, limits=limits)


def test_signing_out_ends_all_sessions_and_leaves_a_record(of_stack: Run, service: Service) -> None:
    sessions = TableSessions(service.services.table)
    now = connection.aws_clock.now()
    token = sessions.redeem(sessions.issue_code(Grant(service.trader), now), now)
    assert token
    result = of_stack("--sign-out", ConsoleUrl=CONSOLE_URL)
    assert result.stdout.startswith(f"1 session of {service.trader} ended"), result.output
    assert sessions.find(token, now, consistently=True, renew=False) is None
    [record] = service.alerts.newest(service.trader)
    assert (record.outcome, record.origin) == ("sessions_ended", "operator")


@pytest.mark.parametrize(("option", "exit_code"), [("--phone", 1), ("--sign-out", 0)])
def test_without_a_console_of_its_own_it_says_what_to_do(of_stack: Run, option: str, exit_code: int) -> None:
    result = of_stack(option)
    assert result.exit_code == exit_code
    assert "Console=true" in " ".join(result.output.split())


# What a stack runs, and what these credentials may do there


SETTINGS = {
    "ORDERHOOK_TABLE": "orderhook-Table-1",
    "ORDERHOOK_RETENTION_DAYS": "9",
    "ORDERHOOK_ALERT_RETENTION_DAYS": "12",
    "ORDERHOOK_VERSION": version("orderhook"),
    **{f"ORDERHOOK_{name}": "x" for name in ("QUEUE_URL", "QUEUE_ARN", "DEAD_LETTER_ARN", "SCHEDULE_GROUP")},
    "ORDERHOOK_SCHEDULER_ROLE": "x",
}


@pytest.fixture
def find(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Look at a stack that has these settings."""
    services = service.services._replace(table=Table(service.table.handlers_client, service.table.name))
    connected: list[TableAddress] = []

    def connect(address: TableAddress, _: Mapping[str, str]) -> Any:
        connected.append(address)
        return services

    monkeypatch.setattr(connection, "connect", connect)

    def look(**changes: str | None) -> Any:
        given = {name: value for name, value in {**SETTINGS, **changes}.items() if value is not None}
        monkeypatch.setattr(deployed, "_variables", lambda _: given)
        found, deployment = deployed.find("mine", services, TableAddress("other"), service.trader, {})
        return found, deployment, connected[-1]

    return look


def test_every_setting_is_the_one_that_the_stack_was_deployed_with(find: Callable[..., Any]) -> None:
    services, deployment, address = find()
    settings = Settings.from_environment(SETTINGS)
    assert (address.table, address.retention) == (settings.table, settings.retention)
    assert address.record_retention == settings.alert_retention
    assert (deployment.name, deployment.region, deployment.read_only_because) == ("mine", "us-east-1", None)
    assert deployment.command_options == "--stack mine"
    assert services.venue == settings.venue


def test_beside_a_bridge_a_console_that_knows_no_venue_only_looks(service: Service) -> None:
    demo, services = Deployment("demo"), service.services_of_operator()
    assert console_door.beside_bridge(demo, services, service.trader) == demo
    service.use_venue()
    service.hear_bridge()
    told = console_door.beside_bridge(demo, services, service.trader).read_only_because
    assert "A bridge works on this table" in str(told)
    assert console_door.beside_bridge(demo, service.services_of_operator(), service.trader) == demo


@pytest.mark.parametrize(("there", "named"), [("0.1.7", "orderhook 0.1.7"), (None, "an older orderhook")])
def test_another_version_is_only_looked_at(find: Callable[..., Any], there: str | None, named: str) -> None:
    _, deployment, _ = find(ORDERHOOK_VERSION=there)
    assert f"The stack runs {named}" in deployment.read_only_because


@pytest.mark.parametrize("operation", ["UpdateItem", "PutItem", "TransactWriteItems"])
def test_without_a_permission_the_console_only_looks_and_says_which(
    find: Callable[..., Any], service: Service, operation: str
) -> None:
    if operation == "PutItem":
        service.network.records_meet = NOT_ALLOWED
    else:
        service.network.inject(operation, NOT_ALLOWED)
    _, deployment, _ = find()
    assert "may not do this" in deployment.read_only_because


def test_asking_for_permissions_writes_nothing(find: Callable[..., Any], service: Service) -> None:
    before = service.table.read_all()
    find()
    assert {"UpdateItem", "PutItem", "TransactWriteItems"} <= {*service.network.operations} | {
        request.operation for request in service.network.records
    }
    assert service.table.read_all() == before


def test_settings_of_a_newer_version_are_not_guessed(find: Callable[..., Any]) -> None:
    with pytest.raises(connection.TableError, match="install the version that the stack runs"):
        find(ORDERHOOK_VENUE="a-venue-of-tomorrow")


def test_a_delay_is_refused_where_the_queue_would_refuse_it(find: Callable[..., Any]) -> None:
    services, _, _ = find()
    with pytest.raises(UnsupportedValueError, match="cannot delay"):
        services.deferred.send(Release("main", "key", "request", "", "order-1", ""), 60)


def test_credentials_that_have_expired_are_a_page_that_says_so(service: Service) -> None:
    with local_door(service.handlers_services, what_to_do=deployed.what_to_do) as door:
        cookie = sign_in(door, Grant(service.trader))
        service.network.always = EXPIRED
        answer = door.send("GET", "/console", {"Cookie": cookie})
        assert answer.status == 503
        assert "Your AWS credentials have expired" in answer.body
        assert "load this page again" in answer.body


def test_what_nobody_here_can_mend_is_not_explained_by_credentials() -> None:
    assert deployed.what_to_do(TemporarilyUnavailableError("no")) is None
    error = TemporarilyUnavailableError("no")
    error.__cause__ = ClientError({"Error": {"Code": "ExpiredToken", "Message": ""}}, "GetItem")
    assert "expired" in str(deployed.what_to_do(error))


# The QR code


def test_the_code_that_is_printed_is_the_one_of_the_link() -> None:
    link = f"{CONSOLE_URL}/login#{'A' * 43}"
    lines = [*qr_code_lines(link)]
    modules = [[character in half for character in line] for line in lines for half in ("▀█", "▄█")]
    expected = [[bool(module) for module in row] for row in segno.make(link, micro=False).matrix_iter(border=QUIET)]
    assert modules[: len(expected)] == expected
    # What is left over, and the margin, is light.
    assert not any(any(row) for row in modules[len(expected) :])
    assert not any(any(row) for row in [*expected[:QUIET], *expected[-QUIET:]])


def test_its_colours_do_not_depend_on_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from cli.views import qr_code

    monkeypatch.setattr(Console, "is_terminal", property(lambda _: True))
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    printed: list[tuple[str, str]] = []
    monkeypatch.setattr(qr_code, "print_line", lambda line, style: printed.append((line, style)))
    qr_code.show_qr_code("https://example.com")
    assert {style for _, style in printed} == {"rgb(0,0,0) on rgb(255,255,255)"}
    monkeypatch.setenv("NO_COLOR", "1")
    printed.clear()
    qr_code.show_qr_code("https://example.com")
    assert printed == []
