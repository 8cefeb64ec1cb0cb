"""`orderhook serve` as a person uses it: its start page, HTTP, starting and stopping, and delayed alerts."""

import json
import re
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner

from cli.app import app
from cli.aws import demo
from tests.local_server import ORDERHOOK, PATIENCE_SECONDS, ROOT, Server, closed_port, running, stop, wait_for
from tests.marks import OF_A_TERMINAL

pytestmark = OF_A_TERMINAL


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # A region of the user's own must not part the server's table from the other commands.
    log = tmp_path_factory.mktemp("serve") / "log"
    with running(log, AWS_DEFAULT_REGION="eu-west-1", AWS_PROFILE="nobody") as started:
        yield started


@dataclass(frozen=True)
class FinishedRun:
    answers: dict[str, str]
    after_page: str
    returncode: int


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A run of every curl line of the page, then of requests that are broken, ended by Ctrl-C."""
    answers = {}
    with running(tmp_path_factory.mktemp("finished") / "log") as server:
        for kind, line in re.findall(r"^# (.+)\n(curl .+)$", server.page, re.MULTILINE):
            body = json.loads(subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout)
            answers[kind] = body.get("status") or body["error"]
        server.post(f"comand={demo.KEY}")
        server.post(f"key={demo.KEY};foo={demo.KEY}")
        for line in (f"key={demo.KEY} with spaces", f"{demo.KEY} /{demo.KEY} HTTP/9"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(f"{line}\r\n\r\n".encode())
                while connection.recv(4096):
                    pass
        rest = stop(server, signal.SIGINT)
        return FinishedRun(answers, rest + server.log.read_text(), server.process.returncode)


# The start page


def test_the_page_shows_the_key_on_a_line_of_its_own(server: Server) -> None:
    assert f"\nkey: {demo.KEY}\n" in server.page


def test_the_page_lists_every_order_of_the_demo_unwrapped(server: Server) -> None:
    lines = server.page.splitlines()
    for name in ("ENTRY1", "STOP1", "TARGET1", "TARGET2"):
        assert [line for line in lines if f" {name} " in line and demo.STRATEGY_ID in line and " UTC" in line]
    for order_id, state in (("demo-1", "Working"), ("demo-filled", "Filled"), ("demo-cancelled", "Cancelled")):
        assert [line for line in lines if line.startswith(f"{order_id} ") and state in line]


def test_every_curl_line_of_the_page_does_what_it_says(finished_run: FinishedRun) -> None:
    assert finished_run.answers == {
        "by id": "cancelled",
        "by name": "cancelled",
        "the published example": "cancelled",
        "JSON": "cancelled",
        "every order of an account": "cancelled",
        "a duplicate": "already_cancelled",
        "a filled order": "order_already_terminal",
        "an unknown order": "order_not_found",
        "a wrong key": "invalid_secret_key",
    }


def test_the_lines_to_try_work_as_they_are_printed(server: Server) -> None:
    """They lead to this server, which is not on the port that commands look at by themselves."""
    lines = server.page.partition("Try it in another terminal:\n")[2].partition("\n\n")[0].splitlines()
    exported = dict(line.removeprefix("export ").split("=") for line in lines if line.startswith("export "))
    tried = [shlex.split(line) for line in lines if not line.startswith("export ")]
    assert {words[0] for words in tried} == {str(ROOT / "tests" / "patient_orderhook.py")}
    results = [CliRunner().invoke(app, words[1:], env=exported) for words in tried]
    assert [result.exit_code for result in results] == [0, 0, 0]
    sent, orders, alerts = (result.stdout for result in results)
    assert sent.startswith("200 cancelled\n")
    assert "demo-entry.STOP1" in orders
    assert "CANCEL   demo-1" in alerts


def test_the_page_says_what_the_server_does_not_do(server: Server) -> None:
    lines = server.page.splitlines()
    assert "Nothing is sent to a broker: orders are only written to the table." in lines
    assert "Everything is in memory: orders, keys, records and delayed alerts are gone when this stops." in lines


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_second_server_over_a_table_does_not_start_and_ends_nothing(server: Server, host: str) -> None:
    order_id = f"waits-{host}"
    answer = server.post(
        f"key={demo.KEY}; command=PLACE; account=Sim101; instrument=ES1!; action=BUY; qty=1; order_type=MARKET; "
        f"tif=DAY; delay=60; order_id={order_id};"
    )
    assert answer.json()["status"] == "scheduled"
    second = [*ORDERHOOK, "serve", "--port", "0", "--endpoint-url", server.endpoint.replace("127.0.0.1", host)]
    finished = subprocess.run(second, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_SECONDS, check=False)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "stop that first" in " ".join(finished.stderr.split())
    assert server.order(order_id)["state"] == "Initialized"


# HTTP


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_the_content_type_decides_nothing(server: Server, content_type: str) -> None:
    answer = server.post(f"key={demo.KEY};command=CANCEL;order_id={demo.FILLED_ID}", content_type)
    assert (answer.status_code, answer.json()["error"]) == (409, "order_already_terminal")
    assert answer.headers["Content-Type"] == "application/json"


def test_a_body_that_is_not_utf8_reaches_the_handler_unchanged(server: Server) -> None:
    answer = server.post(b"key=\xff")
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed_payload")


@pytest.mark.parametrize(("method", "path"), [("GET", "/webhook"), ("PUT", "/webhook"), ("POST", "/"), ("GET", "/x")])
def test_everything_but_the_route_is_not_found_as_on_api_gateway(server: Server, method: str, path: str) -> None:
    answer = requests.request(method, server.endpoint + path, timeout=10)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_a_body_over_ten_megabytes_is_refused_as_by_api_gateway(server: Server) -> None:
    answer = server.post(b"x" * 10_000_001)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_it_speaks_http_1_1(server: Server) -> None:
    assert server.post("x").raw.version == 11


def test_of_many_cancels_at_once_one_cancels(server: Server) -> None:
    place = f"key={demo.KEY};command=PLACE;order_id=raced;{demo.PLACES['demo-1']}"
    assert server.post(place).json()["status"] == "placed"
    words: list[str] = []
    cancel = f"key={demo.KEY};command=CANCEL;order_id=raced"
    threads = [threading.Thread(target=lambda: words.append(server.post(cancel).json()["status"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(words) == ["already_cancelled"] * 7 + ["cancelled"]


def test_a_request_is_one_short_line_of_the_log(finished_run: FinishedRun) -> None:
    lines = finished_run.after_page.splitlines()
    assert [line for line in lines if not re.fullmatch(r"\d\d:\d\d:\d\d  \d{3}  [a-z_]+.{0,40}", line)] == []
    assert len(lines) == len(finished_run.answers) + 2


def test_no_key_is_in_the_log_even_of_a_broken_request(finished_run: FinishedRun) -> None:
    assert "200  cancelled demo-1" in finished_run.after_page
    assert "ohk_" not in finished_run.after_page


# Starting and stopping


def test_ctrl_c_ends_it_quietly(finished_run: FinishedRun) -> None:
    assert finished_run.returncode == 0
    assert "Traceback" not in finished_run.after_page
    assert "Aborted" not in finished_run.after_page


def test_a_port_in_use_is_one_clear_line(server: Server) -> None:
    result = CliRunner().invoke(app, ["serve", "--port", str(server.port)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Port {server.port} is in use; stop what uses it, or choose another with --port.\n"


def test_an_endpoint_that_does_not_answer_is_one_clear_line(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"
    with running(tmp_path / "log", AWS_ENDPOINT_URL_DYNAMODB=endpoint) as server:
        assert server.process.wait(20) == 1
    assert server.log.read_text() == f"There is no answer from table orderhook at {endpoint}.\n"


def test_it_serves_a_table_at_another_endpoint(server: Server, tmp_path: Path) -> None:
    # Of all endpoints only the table's is there.
    with running(tmp_path / "log", "--table", "second", AWS_ENDPOINT_URL=server.endpoint) as second:
        assert f"table second at {server.endpoint}" in second.page
        assert second.post(f"key={demo.KEY};command=CANCEL;order_id=demo-2").json()["status"] == "cancelled"
        assert second.post(f"{DELAYED};order_id=delayed-2").json()["status"] == "scheduled"
        wait_for(lambda: _states(server, "--table", "second")["delayed-2"] == "Working")
        stop(second, signal.SIGTERM)
    assert second.process.returncode == 0
    assert _states(server, "--table", "second")["demo-2"] == "Cancelled"
    assert server.order("demo-2")["state"] == "Working"


# Delayed alerts

DELAYED = f"key={demo.KEY};command=PLACE;delay=1;cancel_after=60;{demo.PLACES['demo-1']}"


def test_a_delayed_order_is_placed_when_its_delay_is_over(server: Server) -> None:
    answer = server.post(f"{DELAYED};order_id=delayed").json()
    assert (answer["status"], answer["order_id"], answer["state"]) == ("scheduled", "delayed", "Initialized")
    keys = {"success", "status", "request_id", "order_id", "state", "due", "cancels_at"}
    assert answer.keys() - {"warnings"} == keys | {"instrument", "instrument_sent"}
    wait_for(lambda: _states(server)["delayed"] == "Working")
    assert server.order("delayed")["due"] is None


def test_an_order_that_waits_is_listed_and_can_be_cancelled(server: Server) -> None:
    answer = server.post(f"{DELAYED.replace('delay=1', 'delay=60')};order_id=waiting").json()
    listed = server.order("waiting")
    assert (listed["state"], listed["due"]) == ("Initialized", answer["due"])
    assert server.post(f"key={demo.KEY};command=CANCEL;order_id=waiting").json()["status"] == "cancelled"
    assert _states(server)["waiting"] == "Cancelled"


def _states(server: Server, *arguments: str) -> dict[str, str]:
    return {order["order_id"]: order["state"] for order in server.data("orders", *arguments)}
