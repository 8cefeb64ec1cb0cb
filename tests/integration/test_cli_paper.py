"""`orderhook serve --paper`: alerts are filled before one's eyes, in a process of its own."""

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from cli.aws import demo
from tests.local_server import Server, running, wait_for
from tests.marks import OF_A_TERMINAL

pytestmark = OF_A_TERMINAL

KEY = f"key={demo.KEY};"
ES = "account=Sim101;instrument=ES1!"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("serve") / "log", "--paper") as server:
        yield server


def states(server: Server) -> dict[str, str]:
    return {order["order_id"]: order["state"] for order in server.data("orders")}


def alerts(server: Server) -> list[str]:
    """Return the alerts that the start page says to try."""
    lines = re.findall(r"^\S+ send .*$", server.page, re.M)
    return [shlex.split(line)[2] for line in lines]


def test_a_fresh_server_knows_that_its_accounts_are_flat(server: Server) -> None:
    assert "Sim101 and Sim102 hold nothing, and the bridge was told so" in server.page
    account = "account=Sim102;instrument=NQ1!;action=BUY;qty=1;order_type=MARKET;tif=DAY"
    asked = {
        "flat-1": "require_market_position=flat",
        "flat-2": "flatten_first=true",
        "flat-3": "require_market_position=long",
    }
    for order_id, condition in asked.items():
        server.post(f"{KEY}command=PLACE;order_id={order_id};{account};{condition}")
        wait_for(lambda order_id=order_id: states(server)[order_id] == "Filled")  # type: ignore[misc]
    server.post(f"{KEY}command=CLOSEPOSITION;account=Sim102;instrument=NQ1!")
    wait_for(lambda: {it["side"] for it in server.data("positions")} == {"FLAT"})


def test_the_alerts_of_the_start_page_do_what_they_say(server: Server) -> None:
    place, cancel, replace, close = alerts(server)
    assert server.post(KEY + place).json()["status"] == "placed"
    filled = {"paper-1": "Filled", "paper-1.STOP1": "Working", "paper-1.TARGET1": "Working"}
    wait_for(lambda: states(server).items() >= filled.items())
    assert server.post(KEY + cancel).json()["status"] == "cancel_pending"
    wait_for(lambda: states(server).items() >= (filled | {"paper-1.STOP1": "Cancelled"}).items())
    answer = server.post(KEY + replace).json()
    assert answer.get("status") == "replace_pending", answer
    wait_for(lambda: states(server)["paper-1.TARGET1"] == "Working")
    assert f"limit_price={server.order('paper-1.TARGET1')['limit_price']};" in replace
    assert server.post(KEY + close).json()["status"] == "accepted"
    wait_for(lambda: states(server)["paper-1.TARGET1"] == "Cancelled")


def test_without_its_bridge_what_opens_is_refused_until_it_is_back(server: Server) -> None:
    port = str(server.port)
    assert "has stopped" in server.run("bridge", "stop", "--port", port).stdout
    place = f"{KEY}command=PLACE;order_id=later;{ES};action=BUY;qty=1;order_type=MARKET;tif=DAY"
    answer = server.post(place)
    assert (answer.status_code, answer.json()["error"]) == (503, "venue_offline")
    assert "The bridge is not running." in server.run("bridge", "stop", "--port", port).stdout
    assert "is ready" in server.run("bridge", "start", "--port", port).stdout
    assert server.post(place).json()["status"] == "placed"
    wait_for(lambda: states(server)["later"] == "Filled")


def test_its_bridge_is_reached_by_the_port(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    port = str(server.port)
    found = json.loads(server.run("bridge", "status", "--port", port, "--json").stdout)
    assert found["owner"]["ready"]
    assert found["owner"]["journal"] == found["here"]["journal"]
    assert found["here"]["running"]
    doctor = json.loads(server.run("bridge", "doctor", "--account", "Sim101", "--port", port, "--json").stdout)
    assert {finding["result"] for finding in doctor} <= {"ok", "warning"}
    assert {"incoming", "table", "doorbell"} <= {finding["about"] for finding in doctor}
    monkeypatch.setenv("ORDERHOOK_PORT", port)
    for arguments, said in (
        (["status"], "ready: yes"),
        (["confirm", "Sim102", "flat"], "Sim102 counts as flat"),
    ):
        assert said in server.run("bridge", *arguments).stdout
    assert "Nothing blocks Sim101, ES 12-26." in server.run("bridge", "resume", "Sim101", "ES 12-26").stderr


def test_a_server_without_a_bridge_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("plain") / "log") as plain:
        for command in ("stop", "status"):
            result = plain.run("bridge", command, "--port", str(plain.port))
            assert (result.exit_code, "has no bridge" in result.stderr) == (1, True)
    nobody = plain.run("bridge", "stop", "--port", str(plain.port))
    assert (nobody.exit_code, "Nothing answers" in nobody.stderr) == (2, True)


def test_a_table_that_is_named_takes_no_made_up_fills(server: Server) -> None:
    result = server.run("serve", "--paper", "--table", "orders")
    assert result.exit_code == 1
    assert "--paper has a table of its own" in result.stderr
