"""The local run as a person uses it: `orderhook serve` in a process of its own, and the other commands against it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner, Result

from cli.app import app
from cli.aws import demo
from orderhook.commands import SCOPES

ROOT = Path(__file__).parents[2]
ORDERHOOK = [sys.executable, "-c", "from cli.app import app; app()"]


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    page: str
    log: Path

    @property
    def url(self) -> str:
        return str(re.findall(r"^url: (\S+)$", self.page, re.MULTILINE)[0])

    @property
    def endpoint(self) -> str:
        return self.url.removesuffix("/webhook")

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def run(self, *arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(app, arguments, env={"AWS_ENDPOINT_URL_DYNAMODB": self.endpoint}, **options)

    def data(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def order(self, order_id: str) -> dict[str, Any]:
        return next(order for order in self.data("orders") if order["order_id"] == order_id)

    def post(self, body: str | bytes, content_type: str = "text/plain") -> requests.Response:
        return requests.post(self.url, data=body, headers={"Content-Type": content_type}, timeout=10)


@contextmanager
def running(log: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """Run the server on a free port, from when its page says so; it is gone afterwards, whatever happens."""
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*ORDERHOOK, "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
            # Where the tests run in the background, Ctrl-C is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process,
    ):
        assert process.stdout is not None
        page = ""
        for line in process.stdout:
            page += line
            if line == "orderhook is running; Ctrl-C stops it.\n":
                break
        try:
            yield Server(process, page, log)
        finally:
            process.kill()


def stop(server: Server, how: signal.Signals = signal.SIGTERM) -> str:
    """Stop the server and return what it printed after its page."""
    server.process.send_signal(how)
    rest, _ = server.process.communicate(timeout=20)
    return rest


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


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


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


# HTTP


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_the_content_type_decides_nothing(server: Server, content_type: str) -> None:
    answer = server.post(f"key={demo.KEY};command=CANCEL;order_id={demo.FILLED_ID}", content_type)
    assert (answer.status_code, answer.json()["error"]) == (409, "order_already_terminal")
    assert answer.headers["Content-Type"] == "application/json"


def test_a_body_that_is_not_utf8_reaches_the_handler_as_it_is(server: Server) -> None:
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
    assert result.stderr == f"Port {server.port} is in use: stop what uses it, or choose another with --port.\n"


def test_an_endpoint_where_nothing_is_is_one_clear_line(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"
    with running(tmp_path / "log", AWS_ENDPOINT_URL_DYNAMODB=endpoint) as server:
        assert server.process.wait(20) == 1
    assert server.log.read_text() == f"There is no answer from table orderhook at {endpoint}.\n"


def test_it_serves_a_table_at_another_endpoint(server: Server, tmp_path: Path) -> None:
    # Of all endpoints only the table's is there.
    with running(tmp_path / "log", "--table", "second", AWS_ENDPOINT_URL=server.endpoint) as second:
        assert f"table second at {server.endpoint}" in second.page
        assert second.post(f"key={demo.KEY};command=CANCEL;order_id=demo-2").json()["status"] == "cancelled"
        assert second.post(f"{LATER};order_id=later-2").json()["status"] == "scheduled"
        wait_for(lambda: "later-2" in [order["order_id"] for order in server.data("orders", "--table", "second")])
        stop(second, signal.SIGTERM)
    assert second.process.returncode == 0
    states = {order["order_id"]: order["state"] for order in server.data("orders", "--table", "second")}
    assert states["demo-2"] == "Cancelled"
    assert server.order("demo-2")["state"] == "Working"


# Deferred

LATER = f"key={demo.KEY};command=PLACE;delay=1;cancel_after=60;{demo.PLACES['demo-1']}"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_delayed_order_is_there_when_its_delay_is_over(server: Server) -> None:
    sent = time.monotonic()
    answer = server.post(f"{LATER};order_id=later").json()
    assert (answer["status"], answer.keys()) == ("scheduled", {"success", "status", "request_id", "due"})
    wait_for(lambda: "later" in [order["order_id"] for order in server.data("orders")])
    assert time.monotonic() - sent > 1
    assert server.order("later")["state"] == "Working"


# send


def test_send_shows_what_happened(server: Server) -> None:
    server.post(f"key={demo.KEY};command=PLACE;order_id=sent;{demo.PLACES['demo-1']}")
    result = server.run("send", f"key={demo.KEY};command=CANCEL;order_id=sent;account=Sim101", "--url", server.url)
    assert result.exit_code == 0
    assert result.stdout.startswith("200 cancelled\n")
    assert "Warning: CANCEL does not use account." in result.stdout


def test_every_command_works_over_http(server: Server) -> None:
    order = "account=Http;instrument=ES;action=BUY;qty=2;order_type=LIMIT;tif=GTC"
    alerts = {
        f"command=PLACE;order_id=http;{order};limit_price=5000;strategy_id=http;stop_loss=4990": "placed",
        "command=CHANGE;order_id=http;qty=3": "changed",
        f"command=CANCELREPLACE;order_id=http;{order};limit_price=4995;strategy_id=http": "replaced",
        "command=CLOSESTRATEGY;strategy_id=http": "closed",
        f"command=PLACE;order_id=http-2;{order};limit_price=5000": "placed",
        "command=CANCELORDERS;account=Http": "cancelled",
        "command=CANCELALLORDERS": "cancelled",
    }
    key = server.data("keys", "create", "--trader", "http")["key"]
    for text, word in alerts.items():
        if text.endswith("ALLORDERS"):
            server.post(f"key={key};command=PLACE;order_id=http-3;{order};limit_price=5000")
        assert server.post(f"key={key};{text}").json().get("status") == word, text
    states = {order["order_id"]: order["state"] for order in server.data("orders", "--trader", "http")}
    assert len(states) == 5
    assert set(states.values()) == {"Cancelled"}


def test_send_shows_of_many_orders_the_first_few(server: Server) -> None:
    for number in range(7):
        place = f"key={demo.KEY};command=PLACE;order_id=many-{number};{demo.PLACES['demo-1']}"
        assert server.post(place.replace("Sim101", "Many")).json()["status"] == "placed"
    result = server.run("send", f"key={demo.KEY};command=CANCELORDERS;account=Many", "--url", server.url)
    assert result.stdout.splitlines()[:1] == ["200 cancelled"]
    assert "  cancelled       many-0, many-1, many-2, many-3, many-4 and 2 more" in result.stdout.splitlines()


def test_send_exits_1_when_the_alert_is_refused(server: Server) -> None:
    result = server.run("send", f"key={demo.KEY};command=CANCEL;order_id={demo.UNKNOWN_ID}", "--url", server.url)
    assert result.exit_code == 1
    assert result.stdout.startswith("404 order_not_found\nOrder linked to")


def test_send_exits_2_when_nothing_answers() -> None:
    url = f"http://127.0.0.1:{closed_port()}/webhook"
    result = CliRunner().invoke(app, ["send", "x", "--url", url])
    assert result.exit_code == 2
    assert result.stderr == f"There is no answer from {url}: ConnectionError.\n"


@pytest.mark.parametrize("text", [f"command=CANCEL;order_id={demo.FILLED_ID}", '{"command":"CANCEL","order_id":"%s"}'])
def test_send_reads_standard_input_and_adds_the_key_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ORDERHOOK_KEY", demo.KEY)
    result = server.run("send", "-", "--json", "--url", server.url, input=text.replace("%s", demo.FILLED_ID))
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["status_code"], answer["error"]) == (1, 409, "order_already_terminal")


# orders


def test_orders_lists_the_open_ones_alone(server: Server) -> None:
    found = {order["order_id"] for order in server.data("orders", "--open")}
    assert {"demo-3", "demo-strategy.TARGET2"} <= found
    assert not found & {demo.FILLED_ID, demo.CANCELLED_ID}


def test_orders_of_another_trader_are_others(server: Server) -> None:
    assert server.data("orders", "--trader", "nobody") == []


@pytest.mark.parametrize("trader", ["", "a b", "x" * 65])
def test_a_trader_is_named_in_the_alphabet_of_ids(server: Server, trader: str) -> None:
    result = server.run("orders", "--trader", trader)
    assert result.exit_code == 1
    assert result.stderr.startswith("trader ")


def test_a_table_that_is_not_there_is_one_clear_line(server: Server) -> None:
    result = server.run("orders", "--table", "nowhere")
    assert (result.exit_code, result.stderr) == (1, f"There is no table nowhere at {server.endpoint}.\n")


# keys


def test_a_created_key_opens_and_is_shown_once(server: Server) -> None:
    created = server.run("keys", "create", "--label", "for tests", "--scope", "cancel")
    secret = re.findall(r"^key: (ohk_\S+)$", created.stdout, re.MULTILINE)[0]
    assert server.post(f"key={secret};command=CANCEL;order_id={demo.UNKNOWN_ID}").status_code == 404
    assert server.post(f"key={secret};command=PLACE").json()["error"] == "command_not_allowed"
    listed = server.run("keys", "list").stdout
    assert f"{secret[4:16]}  {secret[-4:]}     main    for tests" in listed
    assert secret not in listed


def test_a_revoked_key_says_when_it_stops_working_and_does(server: Server) -> None:
    key = server.data("keys", "create")
    revoked = server.run("keys", "revoke", key["key_id"])
    assert revoked.exit_code == 0
    assert "up to 30 s" in revoked.stdout
    assert server.post(f"key={key['key']};command=CANCEL;order_id=demo-1").status_code == 401
    assert next(k for k in server.data("keys", "list") if k["key_id"] == key["key_id"])["revoked"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "--scope", "CANCLE"], f"There is no command 'CANCLE' to allow; there are {', '.join(SCOPES)}."),
        (["create", "--label", "a;b"], "label holds U+003B"),
        (["create", "--trader", "a/b"], "trader holds U+002F"),
        (["revoke", "nosuchkeyid1"], "There is no key with this id"),
    ],
)
def test_a_key_that_cannot_be_is_refused(server: Server, arguments: list[str], says: str) -> None:
    before = server.data("keys", "list")
    result = server.run("keys", *arguments)
    assert (result.exit_code, result.stderr[: len(says)]) == (1, says)
    assert server.data("keys", "list") == before


# templates


def test_a_stored_template_gives_an_entry_its_legs(server: Server) -> None:
    stored = server.run("templates", "put", "mine", "--bracket", "1:10:2.25", "--bracket", "1::5")
    assert stored.exit_code == 0, stored.output
    answer = server.post(
        f"key={demo.KEY};command=PLACE;account=Sim101;instrument=ES;action=BUY;qty=2;order_type=MARKET;tif=DAY;"
        "strategy=mine;strategy_id=with-mine;order_id=entry-of-mine"
    ).json()
    assert list(answer["legs"]) == ["TARGET1", "STOP1", "STOP2"]
    assert server.order(answer["legs"]["STOP1"])["offset"] == "2.25"


def test_a_template_is_replaced_only_when_asked(server: Server) -> None:
    assert server.run("templates", "put", "twice", "--replace", "--bracket", "1:1:1").exit_code == 1
    assert server.run("templates", "put", "twice", "--bracket", "1:1:1").exit_code == 0
    assert server.run("templates", "put", "twice", "--bracket", "2:2:2").exit_code == 1
    assert server.run("templates", "put", "twice", "--replace", "--bracket", "3:3:").exit_code == 0
    found = next(template for template in server.data("templates", "list") if template["name"] == "twice")
    assert found["brackets"] == [{"qty": "3", "target": "3", "stop": None}]


# seed


def test_seed_is_refused_for_a_table_on_aws() -> None:
    for endpoint in ("https://dynamodb.eu-west-1.amazonaws.com", "https://dynamodb.eu-west-1.api.aws"):
        result = CliRunner().invoke(app, ["seed", "--table", "book", "--endpoint-url", endpoint])
        assert (result.exit_code, "no table on AWS" in result.stderr) == (1, True)
    result = CliRunner().invoke(app, ["seed", "--table", "book"])
    assert (result.exit_code, "no table on AWS" in result.stderr) == (1, True)


def test_seed_makes_the_table_and_the_demo_and_can_be_repeated(server: Server) -> None:
    for _ in range(2):
        result = server.run("seed", "--table", "seeded")
        assert (result.exit_code, f"key: {demo.KEY}" in result.stdout) == (0, True)
    found = server.data("orders", "--table", "seeded")
    assert [(order["order_id"], order["state"]) for order in found] == [
        ("demo-1", "Working"),
        ("demo-2", "Working"),
        ("demo-3", "Working"),
        ("demo-4", "Working"),
        ("demo-5", "Working"),
        ("demo-cancelled", "Cancelled"),
        ("demo-closed", "Cancelled"),
        ("demo-entry", "Working"),
        ("demo-filled", "Filled"),
        ("demo-replaced", "Cancelled"),
        ("demo-replaced:2", "Working"),
        ("demo-strategy.STOP1", "Initialized"),
        ("demo-strategy.TARGET1", "Initialized"),
        ("demo-strategy.TARGET2", "Initialized"),
        ("demo-to-close", "Working"),
        ("demo-to-close.STOP1", "Initialized"),
    ]


# kill-switch

PLACE = "command=PLACE;account=Sim101;instrument=ES;action=BUY;qty=1;order_type=MARKET;tif=DAY"


def test_the_kill_switch_is_shown_and_turned_for_one_trader(server: Server) -> None:
    key = server.data("keys", "create", "--trader", "halted")["key"]
    assert "The kill switch of halted is off." in server.run("kill-switch", "--trader", "halted").stdout
    on = server.data("kill-switch", "on", "--trader", "halted")
    assert (on["on"], on["stops_cancels"]) == (True, False)
    assert server.post(f"key={key};{PLACE}").json()["error"] == "kill_switch_on"
    assert server.post(f"key={key};command=CANCEL;order_id=nobodys").json()["error"] == "order_not_found"
    assert server.post(f"key={demo.KEY};{PLACE}").json()["status"] == "placed"
    assert server.data("kill-switch", "on", "--trader", "halted") == on
    assert server.data("kill-switch", "off", "--trader", "halted")["on"] is False
    assert server.post(f"key={key};{PLACE}").json()["status"] == "placed"


def test_a_kill_switch_that_stops_cancels_does_so_for_all_keys_of_the_trader_and_for_new_ones(server: Server) -> None:
    # Keys that the server has not seen yet, for it remembers those that it has.
    old = server.data("keys", "create", "--trader", "strict")["key"]
    changed = server.run("kill-switch", "on", "--stops-cancels", "yes", "--trader", "strict")
    assert "cancels are refused too" in changed.stdout
    assert "up to 30 s" in changed.stdout
    new = server.data("keys", "create", "--trader", "strict")["key"]
    for key in (old, new):
        assert server.post(f"key={key};command=CANCEL;order_id=nobodys").json()["error"] == "kill_switch_on"
    assert server.data("kill-switch", "--stops-cancels", "no", "--trader", "strict")["stops_cancels"] is False
    newest = server.data("keys", "create", "--trader", "strict")["key"]
    assert server.post(f"key={newest};command=CANCEL;order_id=nobodys").json()["error"] == "order_not_found"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--stops-cancels", "yes", "--trader", "keyless"], "keyless has no key to keep this with: create one first."),
        (["on", "--trader", "a/b"], "trader holds U+002F"),
    ],
)
def test_a_kill_switch_that_cannot_be_set_is_left_alone(server: Server, arguments: list[str], says: str) -> None:
    result = server.run("kill-switch", *arguments)
    assert (result.exit_code, result.stderr[: len(says)]) == (1, says)
