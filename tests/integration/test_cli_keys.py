"""`orderhook keys` with limits, and the records of what an operator does by the command line."""

import getpass
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from cli.aws import demo
from tests.local_server import Server, running

ES = "account=Sim101;instrument=ES 12-49;action=BUY;order_type=LIMIT;limit_price=5000;tif=GTC"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("serve") / "log") as server:
        yield server


def listed(server: Server, key_id: str) -> dict[str, Any]:
    [key] = [key for key in server.data("keys", "list") if key["key_id"] == key_id]
    found: dict[str, Any] = key
    return found


def test_a_key_is_limited_to_what_it_is_for(server: Server) -> None:
    limits = ["--account", "sim101", "--instrument", "ES 12-49", "--max-qty", "2", "--max-orders-per-minute", "1"]
    key = server.data("keys", "create", "--trader", "limited", "--account", "SIM101", *limits)
    shown = {"accounts": ["SIM101"], "instruments": ["ES 12-49"], "max_qty": 2, "max_orders_per_minute": 1}
    assert (key["limits"], key["kill_switch"], key["last_used"]) == (shown, False, None)
    refused = server.post(f"key={key['key']};command=PLACE;order_id=a;qty=3;{ES}").json()
    assert (refused["error"], refused["field"]) == ("command_not_allowed", "qty")
    assert server.post(f"key={key['key']};command=PLACE;order_id=a;qty=2;{ES}").json()["status"] == "placed"
    assert server.post(f"key={key['key']};command=PLACE;order_id=b;qty=2;{ES}").json()["error"] == "rate_limited"
    assert listed(server, key["key_id"])["last_used"].endswith(":00:00.000000Z")
    [line] = [line for line in server.run("keys", "list").stdout.splitlines() if key["key_id"] in line]
    assert "every command but KILLSWITCH" in line
    assert "account SIM101, instrument ES 12-49, qty 2, 1 orders a minute" in line
    assert "h UTC" in line


def test_a_limit_has_the_one_name_of_what_is_typed(server: Server) -> None:
    typed = ["--instrument", "ESZ2049", "--instrument", "ES DEC49", "--instrument", "cme_mini:nq1!"]
    key = server.data("keys", "create", "--trader", "named", *typed)
    assert key["limits"] == {"instruments": ["ES 12-49", "NQ1!"]}


def test_a_key_of_the_api_reads_or_trades_and_is_listed_as_one(server: Server) -> None:
    for scopes, may in ((["read"], "read"), (["TRADE"], "trade"), (["both"], "read, trade"), ([], "read, trade")):
        options = [word for scope in scopes for word in ("--scope", scope)]
        key = server.data("keys", "create", "--api", "--label", "dashboard", *options)
        assert key["key"].startswith("oht_")
        assert (key["kind"], ", ".join(key["scopes"])) == ("api", may)
        [line] = [line for line in server.run("keys", "list").stdout.splitlines() if key["key_id"] in line]
        assert f"API: {may}" in line
    assert server.post(f"key={key['key']};command=CANCEL;order_id=a").json()["error"] == "invalid_secret_key"


@pytest.mark.parametrize("wrong", [["--scope", "CANCEL"], ["--kill-switch"]])
def test_a_key_of_the_api_has_no_commands(server: Server, wrong: list[str]) -> None:
    result = server.run("keys", "create", "--api", *wrong)
    assert result.exit_code == 1
    assert "key:" not in result.stdout


def test_a_new_key_turns_the_kill_switch_only_if_that_was_asked_for(server: Server) -> None:
    plain, asked, scoped, both = (
        server.data("keys", "create", "--trader", "switching", *arguments)
        for arguments in ([], ["--kill-switch"], ["--scope", "KILLSWITCH"], ["--scope", "CANCEL", "--kill-switch"])
    )
    assert server.post(f"key={plain['key']};kill_switch=on").json()["error"] == "command_not_allowed"
    for key in (asked, scoped, both):
        assert server.post(f"key={key['key']};kill_switch=on").json()["status"] == "kill_switch_on"
        assert listed(server, key["key_id"])["kill_switch"] is True
    assert server.post(f"key={both['key']};command=PLACE;{ES};qty=1").json()["error"] == "command_not_allowed"
    assert server.post(f"key={demo.KEY};kill_switch=off").json()["status"] == "kill_switch_off"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--account", ""], "An account is empty; leave --account out to allow any."),
        (["--account", "Sim101,Sim102"], "There is a ',' in 'Sim101,Sim102'; write --account once for each."),
        (["--account", "a;b"], "account holds ';' (U+003B)"),
        (["--instrument", "null"], "instrument=null looks like a variable that had no value"),
        (["--max-qty", "-1"], "--max-qty is -1; give a whole number from 1 to 1000000."),
        (["--max-qty", "1000001"], "--max-qty is 1000001"),
        (["--max-orders-per-minute", "0"], "--max-orders-per-minute is 0; give a whole number from 1 to 1000."),
        (["--max-orders-per-minute", "1001"], "--max-orders-per-minute is 1001"),
        ([each for number in range(21) for each in ("--account", f"a{number}")], "A key can be limited to 20 of them"),
        (["--max-qty", "1", "--kill-switch"], "A limited key cannot turn the kill switch"),
        (["--account", "a", "--scope", "KILLSWITCH"], "A limited key cannot turn the kill switch"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:40],
)
def test_limits_that_cannot_be_are_refused(server: Server, arguments: list[str], says: str) -> None:
    before = server.data("keys", "list")
    result = server.run("keys", "create", *arguments)
    assert (result.exit_code, result.stderr[: len(says)]) == (1, says)
    assert server.data("keys", "list") == before


def test_what_an_operator_does_leaves_a_record_of_who_and_from_where(server: Server) -> None:
    server.run("kill-switch", "--stops-cancels", "no", "--trader", "operated")
    key = server.data("keys", "create", "--trader", "operated", "--label", "mine", "--max-qty", "2")
    server.run("templates", "put", "scalp", "--bracket", "1:10:5", "--bracket", "1::5", "--trader", "operated")
    server.run("kill-switch", "on", "--lock", "--trader", "operated")
    server.run("kill-switch", "--stops-cancels", "no", "--trader", "operated")
    server.run("migrate")
    server.run("keys", "revoke", key["key_id"])
    records = server.data("alerts", "--trader", "operated")
    assert [(record["command"], record["outcome"], record["fields"]) for record in reversed(records)] == [
        (
            "KEYS CREATE",
            "key_created",
            {"key_id": key["key_id"], "label": "mine", "may": "every command but KILLSWITCH", "limits": "qty 2"},
        ),
        ("TEMPLATES PUT", "template_stored", {"template": "scalp", "bracket": "1:10:5 1::5"}),
        ("KILLSWITCH", "kill_switch_on", {"kill_switch": "on", "lock": "yes"}),
        ("KILLSWITCH", "kill_switch_set", {"stops_cancels": "no"}),
        ("MIGRATE", "migrated", {}),
        ("KEYS REVOKE", "key_revoked", {"key_id": key["key_id"], "label": "mine"}),
    ]
    here = f"{getpass.getuser()} at {socket.gethostname()}"
    assert {(record["source"], record["key_id"], record["origin"]) for record in records} == {
        (here, "orderhook", "operator")
    }
    assert all(record["meaning"] and record["way_out"] for record in records)
    assert key["key"] not in str(records)
    shown = server.run("alerts", "show", records[0]["request_id"], "--trader", "operated").stdout
    assert "200 key_revoked" in shown
    assert here in shown


def test_alerts_are_listed_for_one_key_with_what_was_done_to_it(server: Server) -> None:
    mine, other = (server.data("keys", "create", "--trader", "filtered") for _ in range(2))
    for key in (mine, other):
        server.post(f"key={key['key']};command=CANCEL;order_id=nobodys")
    server.run("keys", "revoke", mine["key_id"])
    found = server.data("alerts", "--trader", "filtered", "--key", mine["key_id"])
    assert [record["outcome"] for record in found] == ["key_revoked", "order_not_found", "key_created"]
    assert server.data("alerts", "--trader", "filtered", "--command", "keys create") != []


def test_a_key_in_place_of_its_id_is_refused_and_not_shown(server: Server) -> None:
    result = server.run("alerts", "--key", demo.KEY)
    assert result.exit_code == 1
    assert result.stderr == "--key takes a key's id, as `orderhook keys list` shows it; not the key.\n"
