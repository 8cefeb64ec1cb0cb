"""The commands that work on a table, as a person uses them on the local server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.aws import demo
from orderhook.commands import SCOPES
from tests.local_server import Server, closed_port, running
from tests.marks import OF_A_TERMINAL

pytestmark = OF_A_TERMINAL


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("serve") / "log") as server:
        yield server


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
    assert states.keys() == {"http", "http.STOP1", "http-2", "http-3"}
    assert set(states.values()) == {"Cancelled"}


def test_send_shows_every_one_of_many_orders(server: Server) -> None:
    for number in range(7):
        place = f"key={demo.KEY};command=PLACE;order_id=many-{number};{demo.PLACES['demo-1']}"
        assert server.post(place.replace("Sim101", "Many")).json()["status"] == "placed"
    result = server.run("send", f"key={demo.KEY};command=CANCELORDERS;account=Many", "--url", server.url)
    assert result.stdout.splitlines()[:1] == ["200 cancelled"]
    assert "  cancelled       many-0, many-1, many-2, many-3, many-4, many-5, many-6" in result.stdout.splitlines()


def test_send_exits_1_when_the_alert_is_refused(server: Server) -> None:
    result = server.run("send", f"key={demo.KEY};command=CANCEL;order_id={demo.UNKNOWN_ID}", "--url", server.url)
    assert result.exit_code == 1
    assert result.stdout.startswith("404 order_not_found\nThere is no order")


def test_send_exits_2_when_nothing_answers() -> None:
    url = f"http://127.0.0.1:{closed_port()}/webhook"
    result = CliRunner().invoke(app, ["send", "x", "--url", url])
    assert result.exit_code == 2
    assert result.stderr == f"There is no answer from {url}: ConnectionError.\n"


def test_where_the_local_server_does_not_answer_it_says_how_to_start_it() -> None:
    port = str(closed_port())
    result = CliRunner().invoke(app, ["send", "x", "--port", port])
    assert result.exit_code == 2
    assert "Start the local server with `make run`, or say where it is" in result.stderr


def test_one_variable_reaches_a_server_on_another_port(server: Server) -> None:
    """What is sent, and what is read, goes to the same server."""
    reach = {"ORDERHOOK_PORT": str(server.port), "ORDERHOOK_KEY": demo.KEY}
    sent = CliRunner().invoke(app, ["send", f"command=CANCEL;order_id={demo.CANCELLED_ID}"], env=reach)
    assert (sent.exit_code, sent.stdout.splitlines()[0]) == (0, "200 already_cancelled")
    request_id = re.findall(r"request_id +(\S+)", sent.stdout)[0]
    for address in (["--port", str(server.port)], []):
        result = CliRunner().invoke(app, ["alerts", "show", request_id, *address], env={} if address else reach)
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "200 already_cancelled")


def test_send_reads_a_file(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "alert.txt"
    file.write_text(f"key={demo.KEY};\ncommand=CANCEL;\norder_id={demo.UNKNOWN_ID};\n")
    result = server.run("send", "--file", str(file), "--url", server.url)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, "404 order_not_found")


@pytest.mark.parametrize("command", ["send", "check"])
def test_the_name_of_a_file_is_not_taken_for_an_alert(tmp_path: Path, command: str) -> None:
    file = tmp_path / "alert.txt"
    file.write_text("command=CANCEL;order_id=a")
    result = CliRunner().invoke(app, [command, str(file)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{str(file)!a} is the name of a file, not an alert; write --file {file}.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Give either the alert's text, - for standard input, or --file PATH.\n"),
        (["x", "--file", "y"], "Give either the alert's text, - for standard input, or --file PATH.\n"),
        (
            ["--file", "no-such-file"],
            f"'no-such-file' cannot be read: No such file or directory. It is looked for in {Path.cwd()}.\n",
        ),
        (
            ["--file", "-"],
            "'-' cannot be read: No such file or directory. Standard input is read by -, without --file.\n",
        ),
        (["x", "--url", "http://x", "--port", "3104"], "--url and --port are both given; give only one of them.\n"),
        (["x", "--stack", "mine", "--port", "3104"], "--stack and --port are both given; give only one of them.\n"),
    ],
)
def test_send_says_what_it_needs(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["send", *arguments])
    assert (result.exit_code, result.stderr) == (2 if "--port" not in arguments else 1, says)


@pytest.mark.parametrize(("text", "hinted"), [("no-such-file.txt", True), ('{"command": 1}', False), ("a=b", False)])
def test_what_is_no_alert_is_told_how_a_file_is_read(text: str, hinted: bool) -> None:
    result = CliRunner().invoke(app, ["check", text])
    assert result.exit_code == 1
    hint = "That is no alert: it has no name=value. A file is read by --file PATH, standard input by -.\n"
    assert result.stderr == hint * hinted


CANCEL_A = "command=CANCEL;order_id=a"


def test_an_alert_without_a_key_is_told_where_to_get_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORDERHOOK_KEY", raising=False)
    result = server.run("send", CANCEL_A, "--url", server.url)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, "401 invalid_secret_key")
    assert "give --key, or set ORDERHOOK_KEY" in result.stderr
    result = server.run("send", f"key={demo.WRONG_KEY};command=CANCEL;order_id=a", "--url", server.url)
    assert (result.exit_code, result.stderr) == (1, "")
    for arguments in ([f"key=your-secret-key;{CANCEL_A}"], [CANCEL_A, "--key", "YOUR_SECRET_KEY"]):
        result = server.run("send", *arguments, "--url", server.url)
        assert (result.exit_code, "stands for your own key" in result.stderr) == (1, True)


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
    open_ids = {order["order_id"] for order in server.data("orders", "--open")}
    assert {"demo-3", "demo-entry", "demo-entry.TARGET2"} <= open_ids
    assert not open_ids & {demo.FILLED_ID, demo.CANCELLED_ID}


def test_orders_of_another_trader_are_others(server: Server) -> None:
    assert [order["order_id"] for order in server.data("orders", "--trader", demo.SECOND_TRADER)] == ["demo-1"]


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
        (["create", "--label", "a;b"], "label holds ';' (U+003B)"),
        (["create", "--trader", "a/b"], "trader holds '/' (U+002F)"),
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
    template = next(template for template in server.data("templates", "list") if template["name"] == "twice")
    assert template["brackets"] == [{"qty": "3", "target": "3", "stop": None}]


def test_a_template_of_ninjatraders_own_is_declared_by_its_name(server: Server) -> None:
    refused = server.run("templates", "put", "ES scalp", "--ninjatrader", "--bracket", "1:1:1")
    assert (refused.exit_code, "leave --bracket out" in refused.stderr) == (1, True)
    assert server.run("templates", "put", "ES scalp", "--ninjatrader").exit_code == 0
    listed = {template["name"]: template for template in server.data("templates", "list")}
    assert listed["ES scalp"] == {"name": "ES scalp", "brackets": [], "ninjatrader": True}
    assert "NinjaTrader's own" in server.run("templates", "list").stdout
    record = server.data("alerts")[0]
    assert (record["command"], record["fields"]) == ("TEMPLATES PUT", {"template": "ES scalp", "ninjatrader": "yes"})


# seed


def test_seed_is_refused_for_a_table_on_aws() -> None:
    for endpoint in ("https://dynamodb.eu-west-1.amazonaws.com", "https://dynamodb.eu-west-1.api.aws"):
        result = CliRunner().invoke(app, ["seed", "--table", "other", "--endpoint-url", endpoint])
        assert (result.exit_code, "no table on AWS" in result.stderr) == (1, True)
    result = CliRunner().invoke(app, ["seed", "--table", "other"])
    assert (result.exit_code, "no table on AWS" in result.stderr) == (1, True)


def test_seed_makes_the_table_and_the_demo_and_can_be_repeated(server: Server) -> None:
    seeded = []
    for _ in range(2):
        result = server.run("seed", "--table", "seeded")
        assert (result.exit_code, f"key: {demo.KEY}" in result.stdout) == (0, True)
        orders = server.data("orders", "--table", "seeded")
        seeded.append([(order["order_id"], order["state"], order["since"]) for order in orders])
    assert seeded[0] == seeded[1]
    assert {order_id for order_id, *_ in seeded[0]} >= {"demo-1", "demo-entry", "demo-entry.STOP1", "demo-filled"}


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


def test_a_kill_switch_is_locked_by_its_operator_and_unlocked_by_turning_it_off(server: Server) -> None:
    key = server.data("keys", "create", "--kill-switch", "--trader", "locked")["key"]
    assert "and locked" in server.run("kill-switch", "on", "--lock", "--trader", "locked").stdout
    assert server.post(f"key={key};kill_switch=off").json()["error"] == "kill_switch_on"
    assert server.data("kill-switch", "--trader", "locked")["locked"] is True
    assert server.data("kill-switch", "off", "--trader", "locked")["locked"] is False
    assert server.post(f"key={key};{PLACE}").json()["status"] == "placed"
    assert server.run("kill-switch", "off", "--lock", "--trader", "locked").exit_code == 2


def test_a_kill_switch_that_stops_cancels_does_so_for_old_and_new_keys(server: Server) -> None:
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
        (
            ["--stops-cancels", "yes", "--trader", "keyless"],
            "No key belongs to a trader 'keyless'; the traders are ",
        ),
        (["on", "--trader", "a/b"], "trader holds '/' (U+002F)"),
    ],
)
def test_a_kill_switch_that_cannot_be_set_is_left_alone(server: Server, arguments: list[str], says: str) -> None:
    result = server.run("kill-switch", *arguments)
    assert (result.exit_code, result.stderr[: len(says)]) == (1, says)
