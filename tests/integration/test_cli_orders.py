"""`orderhook orders`, `orderhook order` and `orderhook kill-switch on --cancel`, over trades that alerts have made."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.app import app
from orderhook.store import items
from orderhook.store.table import serialize
from tests.builders import ENTRY
from tests.integration.conftest import Run
from tests.marks import OF_A_TERMINAL
from tests.service import Service

pytestmark = OF_A_TERMINAL


def listed(run: Run, *arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def shown(orders: list[dict[str, Any]]) -> list[tuple[str, str | None, str, str, str]]:
    return [(it["order_id"], it["order_name"], it["qty"], it["filled"], it["state"]) for it in orders]


LEGS = {"stop_loss": 4990, "take_profit": 5010}


def test_orders_has_every_order_with_its_waiting_legs(service: Service, run: Run) -> None:
    service.place("alone")
    service.place("long", strategy_id="S", **LEGS)
    service.place("over", strategy_id="T", stop_loss=4990)
    service.cancel("over")
    assert shown(listed(run, "orders")) == [
        ("alone", None, "5", "0", "Working"),
        ("long", "ENTRY1", "5", "0", "Working"),
        ("long.STOP1", "STOP1", "5", "0", "Initialized"),
        ("long.TARGET1", "TARGET1", "5", "0", "Initialized"),
        ("over", "ENTRY1", "5", "0", "Cancelled"),
        ("over.STOP1", "STOP1", "5", "0", "Cancelled"),
    ]


def test_every_order_has_its_fields_and_its_numbers_as_text(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", notes="mine", **LEGS)
    entry, stop, target = listed(run, "orders")
    assert entry.items() >= {
        "order_id": "long", "order_name": "ENTRY1", "strategy_id": "S", "account": "Sim101", "instrument": "ES 12-26",
        "action": "BUY", "qty": "5", "filled": "0", "order_type": "LIMIT", "tif": "GTC", "limit_price": "5000.25",
        "stop_price": None, "state": "Working", "notes": "mine", "entry_id": None,
    }.items()  # fmt: skip
    assert stop.items() >= {
        "order_id": "long.STOP1", "order_name": "STOP1", "strategy_id": "S", "account": "Sim101", "action": "SELL",
        "qty": "5", "filled": "0", "order_type": "STOPMARKET", "tif": "GTC", "limit_price": None, "stop_price": "4990",
        "state": "Initialized", "entry_id": "long",
    }.items()  # fmt: skip
    assert target["oco_id"] == stop["oco_id"] != entry["oco_id"]
    assert all(value is None or isinstance(value, str) for order in (entry, target, stop) for value in order.values())


def test_open_lists_the_open_ones_and_their_waiting_legs_alone(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", **LEGS)
    service.cancel("TARGET1", strategy_id="S")
    service.place("over", stop_loss=4990)
    service.cancel("over")
    service.place("later", delay=5)
    assert shown(listed(run, "orders", "--open")) == [
        ("long", "ENTRY1", "5", "0", "Working"),
        ("long.STOP1", "STOP1", "5", "0", "Initialized"),
        ("later", None, "5", "0", "Initialized"),
    ]


def test_the_newest_order_is_the_last_and_legs_stand_under_their_entry(service: Service, run: Run) -> None:
    service.place("z", stop_loss=4990)
    service.place("m")
    service.place("a", stop_loss=4990)
    service.report("PartFilled", 2, order_id="z")
    rows = ["z", "z.STOP1", "m", "a", "a.STOP1"]
    assert [order["order_id"] for order in listed(run, "orders")] == rows
    service.cancel("z")
    assert [order["order_id"] for order in listed(run, "orders", "--open")] == ["m", "a", "a.STOP1", "z.STOP1"]


def test_a_leg_that_a_fill_released_is_an_order_like_others(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", stop_loss=4990)
    service.report("PartFilled", 2, order_id="long")
    assert shown(listed(run, "orders", "--open")) == [
        ("long", "ENTRY1", "5", "2", "PartFilled"),
        ("long.STOP1", "STOP1", "2", "0", "Working"),
    ]


def test_a_day_order_whose_day_is_over_is_shown_as_expired_and_is_not_open(service: Service, run: Run) -> None:
    service.place("today", tif="DAY", stop_loss=4990)
    key = items.order_key(service.trader, "today")
    service.table.client.update_item(
        TableName=service.table.name,
        Key=serialize(key),
        UpdateExpression="SET day_ends = :past",
        ExpressionAttributeValues=serialize({":past": "2026-01-02T22:00:00.000000Z"}),
    )
    assert listed(run, "orders", "--open") == []
    assert [(it["order_id"], it["state"], it["since"]) for it in listed(run, "orders")] == [
        ("today", "Expired", "2026-01-02T22:00:00.000000Z"),
        ("today.STOP1", "Cancelled", "2026-01-02T22:00:00.000000Z"),
    ]


def test_one_item_that_cannot_be_read_hides_no_other(service: Service, run: Run) -> None:
    service.place("good")
    put_item(
        service,
        items.order_key(service.trader, "newer") | {"order_id": "newer", "state": "Teleported", "account": "Sim101"},
    )
    result = run("orders", "--json")
    assert result.exit_code == 1
    good, bad = json.loads(result.stdout)
    assert good["order_id"] == "good"
    where = {"account": "Sim101", "instrument": None}
    assert bad == {"order_id": "newer", "state": "Teleported", **where, "unreadable": "true"}
    lines = run("orders").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["order", "good", "newer"]
    assert "Sim101" in lines[-1]
    assert "unreadable: Teleported" in lines[-1]


def test_an_order_that_cannot_be_read_is_said_to_be_so(service: Service, run: Run) -> None:
    put_item(service, items.order_key(service.trader, "newer") | {"order_id": "newer", "state": "Teleported"})
    for arguments in (["order", "newer"], ["order", "newer.STOP1"], ["order", "newer", "--json"]):
        result = run(*arguments)
        assert (result.exit_code, "Teleported" in result.stdout) == (1, True)
        assert isinstance(result.exception, SystemExit)


def test_a_template_that_cannot_be_read_is_a_row(service: Service, run: Run) -> None:
    service.put_template("scalp", (1, 10, 5))
    put_item(service, items.template_key(service.trader, "newer") | {"name": "newer", "brackets": 7})
    result = run("templates", "list")
    assert (result.exit_code, result.stdout.split()[5:7]) == (1, ["newer", "unreadable"])
    assert json.loads(run("templates", "list", "--json").stdout)[0] == {"name": "newer", "unreadable": "true"}


def test_a_key_that_cannot_be_read_is_a_row_and_keeps_no_command_from_working(service: Service, run: Run) -> None:
    put_item(service, items.key_key("newer") | {"trader": "new"})
    put_item(service, {"pk": items.KEY_LIST, "sk": "newer"})
    for arguments in (["orders"], ["kill-switch", "on"]):
        assert run(*arguments).exit_code == 0
    result = CliRunner().invoke(app, ["keys", "list", "--table", "any"])
    assert result.exit_code == 1
    assert [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("newer ")] == ["unreadable"]


def put_item(service: Service, item: dict[str, Any]) -> None:
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))


# What is asked for


def test_where_there_is_no_order_it_says_so(service: Service, run: Run) -> None:
    for arguments, kind in ((["orders"], "order"), (["orders", "--open"], "open order")):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (
            0,
            f"There is no {kind} of trader {service.trader} in table any on AWS.\n",
        )
    assert listed(run, "orders") == []
    assert run("orders", "--csv").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--account", "SIM101"], ["a", "b", "b.STOP1"]),
        (["--instrument", "nq  12-26"], ["c"]),
        (["--instrument", "CME_MINI:NQZ2026"], ["c"]),
        (["--instrument", "NQ1!"], ["c"]),
        (["--instrument", "NQ 12-27"], []),
        (["--strategy", "S"], ["b", "b.STOP1"]),
        (["--account", "Sim101", "--strategy", "S", "--instrument", "ES 12-26"], ["b", "b.STOP1"]),
        (["--account", "Sim101", "--instrument", "NQ 12-26"], []),
        (["--strategy", "s"], []),
    ],
    ids=" ".join,
)
def test_orders_of_an_account_an_instrument_and_a_strategy(
    service: Service, run: Run, arguments: list[str], expected: list[str]
) -> None:
    service.place("a")
    service.place("b", strategy_id="S", stop_loss=4990)
    service.place("c", account="Apex-7", instrument="NQ 12-26")
    assert [order["order_id"] for order in listed(run, "orders", *arguments)] == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--account", "Sim11"], "with account 'Sim11'; there are orders with Apex-7, Sim101.\n"),
        (["--strategy", "s"], "with strategy_id 's'; there are orders with S.\n"),
        (["--account", "Apex-7", "--strategy", "S"], "that matches all of this.\n"),
    ],
)
def test_a_filter_that_nothing_matches_says_what_there_is(
    service: Service, run: Run, arguments: list[str], says: str
) -> None:
    service.place("a", strategy_id="S")
    service.place("c", account="Apex-7")
    result = run("orders", *arguments)
    assert (result.exit_code, result.stdout.partition("on AWS ")[2]) == (0, says)


COLUMNS = (
    "order_id order_name strategy_id account instrument action qty filled order_type tif limit_price stop_price state "
    "since"
).split()


def test_csv_has_the_values_of_json_and_its_first_columns_are_the_specified_ones(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", stop_loss=4990)
    head, *rows = csv.reader(io.StringIO(run("orders", "--csv").stdout))
    of_json = listed(run, "orders")
    assert head[: len(COLUMNS)] == COLUMNS == list(of_json[0])[: len(COLUMNS)]
    assert [dict(zip(head, row, strict=True)) for row in rows] == [
        {name: value or "" for name, value in order.items()} for order in of_json
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["orders"], ["order", "long"], ["alerts"], ["alerts", "show", "0"], ["templates", "list"],
        ["templates", "put", "scalp", "--bracket", "1:1:1"], ["kill-switch"], ["kill-switch", "on", "--cancel"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_of_a_mistyped_trader_it_says_which_there_are(service: Service, run: Run, arguments: list[str]) -> None:
    service.place("long")
    result = run(*arguments, "--trader", "mian")
    says = f"No key belongs to a trader 'mian'; the traders are {service.trader}.\n"
    assert (result.exit_code, result.stderr, result.stdout) == (1, says, "")
    assert service.services.controls.kill_switch("mian").on is False


def test_in_a_table_without_keys_no_trader_is_a_mistyped_one(service: Service, run: Run) -> None:
    service.table.empty()
    assert run("orders").exit_code == 0


# One order


def test_a_waiting_leg_is_shown_by_its_id(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", **LEGS)
    service.send("CHANGE", order_id="STOP1", strategy_id="S", stop_price=4995)
    leg = listed(run, "order", "long.STOP1")
    assert (leg["order_id"], leg["stop_price"], leg["state"]) == ("long.STOP1", "4995", "Initialized")
    # The first is what its entry became, and says so.
    assert [(event["leg"], event["state"]) for event in leg["history"]] == [("ENTRY1", "Working"), ("STOP1", None)]
    assert leg["history"][1]["changes"] == {"stop_price": "4995"}
    page = run("order", "long.STOP1").stdout
    [entered] = [line for line in page.splitlines() if "ENTRY1: Working, " in line]
    assert ("qty 5" in entered, "limit_price 5000.25" in entered) == (True, True)
    assert "STOP1: stop_price 4995" in page


def test_a_replacement_is_shown_with_what_it_changed(service: Service, run: Run) -> None:
    service.place("long")
    for limit_price in ("5001", "5002"):
        answer = service.send("CANCELREPLACE", **{**ENTRY, "limit_price": limit_price}, order_id="long")
        assert answer.word == "replaced"
    history = listed(run, "order", "long")["history"]
    assert all(event["changes"].keys().isdisjoint({"account", "instrument", "action"}) for event in history)
    page = run("order", "long").stdout
    assert [line[34:].split("  ")[0].strip() for line in page.splitlines() if "limit_price 500" in line][1:] == [
        "limit_price 5001",
        "limit_price 5002",
    ]


def test_no_value_of_a_history_is_cut(service: Service, run: Run) -> None:
    service.place("long")
    whole = {**ENTRY, "order_type": "STOPLIMIT", "limit_price": "5000.12345678", "stop_price": "5000.12345678"}
    assert service.send("CANCELREPLACE", **whole, order_id="long", stop_loss="4999.12345678").word == "replaced"
    page = run("order", "long").stdout
    assert "…" not in page
    told = " ".join(line[34:].split("  ")[0].strip() for line in page.partition("values")[2].splitlines())
    assert all(f"{name} {value}" in " ".join(told.split()) for name, value in whole.items() if name.endswith("_price"))


def test_a_waiting_leg_that_was_cancelled_says_so_and_its_entry_too(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", **LEGS)
    service.cancel("STOP1", strategy_id="S")
    assert listed(run, "order", "long.STOP1")["state"] == "Cancelled"
    assert listed(run, "order", "long")["history"][1].items() >= {"state": None, "leg": "STOP1", "changes": {}}.items()
    assert "STOP1: cancelled" in run("order", "long").stdout


def test_a_leg_whose_entry_ended_says_why_it_ended(service: Service, run: Run) -> None:
    service.place("long", **LEGS)
    service.cancel("long")
    leg = listed(run, "order", "long.TARGET1")
    assert (leg["state"], leg["reason"]) == ("Cancelled", "entry ended unfilled")
    assert "reason: entry ended unfilled" in run("order", "long.TARGET1").stdout


def test_the_times_of_an_order_are_shown_as_all_times_are(service: Service, run: Run) -> None:
    service.place("long", cancel_after=1, notes="2026-01-02")
    stored = listed(run, "order", "long")["cancels_at"]
    lines = run("order", "long").stdout.splitlines()
    assert f"cancels at: {stored[:19].replace('T', ' ')} UTC" in lines
    assert "notes: 2026-01-02" in lines


def test_an_entry_is_shown_with_its_waiting_legs(service: Service, run: Run) -> None:
    service.place("long", **LEGS)
    first_cells = [line.split("  ")[0] for line in run("order", "long").stdout.splitlines()]
    assert {"long", "long.TARGET1", "long.STOP1"} <= set(first_cells)


@pytest.mark.parametrize("order_id", ["nobodys", "long.STOP2", "nobodys.STOP1", "long.ENTRY1"])
def test_what_is_not_there_is_said_to_be_so(service: Service, run: Run, order_id: str) -> None:
    service.place("long", **LEGS)
    result = run("order", order_id)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"There is no order '{order_id}' of trader {service.trader} in ")


def test_a_released_leg_that_has_left_the_table_is_not_shown_as_it_was(service: Service, run: Run) -> None:
    service.place("long", stop_loss=4990)
    service.report("Filled", 5, order_id="long")
    service.remove("long.STOP1")
    assert run("order", "long.STOP1").exit_code == 1


# The kill switch


@pytest.fixture
def seconds_slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("cli.kill_switch.time.sleep", slept.append)
    return slept


def test_the_kill_switch_cancels_everything_that_is_open(
    service: Service, run: Run, seconds_slept: list[float]
) -> None:
    service.place("long", strategy_id="S", **LEGS)
    service.place("elsewhere", account="Apex-7")
    service.place("later", delay=5)
    service.place("over")
    service.cancel("over")
    turned = listed(run, "kill-switch", "on", "--cancel")
    assert (turned["on"], turned["problems"]) == (True, [])
    assert sorted(turned["cancelled"]) == ["elsewhere", "later", "long"]
    assert service.open_orders() == []
    assert seconds_slept == [3]
    service.pass_time(6)
    assert service.state("later") == "Cancelled"


def test_what_was_under_way_when_it_was_turned_is_cancelled_too(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.place("first")
    monkeypatch.setattr("cli.kill_switch.time.sleep", lambda _seconds: service.have_order("Working", "under-way"))
    result = run("kill-switch", "on", "--cancel")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == ["2 orders were cancelled:", "  first", "  under-way"]
    assert service.open_orders() == []


@pytest.mark.usefixtures("seconds_slept")
def test_the_kill_switch_names_the_stops_that_it_takes_from_what_is_filled(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", **LEGS)
    service.report("Filled", 5, order_id="long")
    result = run("kill-switch", "on", "--cancel")
    assert result.exit_code == 0
    assert "has no stop now: long.STOP1" in " ".join(result.stdout.split())


@pytest.mark.usefixtures("seconds_slept")
def test_the_kill_switch_names_such_stops_too_where_another_cancel_fails(service: Service, run: Run) -> None:
    service.place("long", strategy_id="S", **LEGS)
    service.report("Filled", 5, order_id="long")
    put_unreadable(service)
    result = run("kill-switch", "on", "--cancel")
    assert result.exit_code == 1
    assert "has no stop now: long.STOP1" in " ".join(result.stdout.split())


def put_unreadable(service: Service) -> None:
    """Have an order be open that cannot be cancelled."""
    open_value = items.open_prefix("Sim101", "ES 12-26") + "bad"
    bad = items.order_key(service.trader, "bad") | {"order_id": "bad", "state": "Working", "open": open_value}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(bad))


def test_one_order_that_cannot_be_cancelled_is_told_and_keeps_no_other(
    service: Service, run: Run, seconds_slept: list[float]
) -> None:
    service.place("good")
    put_unreadable(service)
    result = run("kill-switch", "on", "--cancel")
    assert result.exit_code == 1
    assert "  good" in result.stdout.splitlines()
    assert "could not be cancelled" in result.stdout
    assert "bad: " in result.stdout
    assert "The kill switch of" in result.stdout
    assert service.state("good") == "Cancelled"
    assert seconds_slept == [3]


@pytest.mark.parametrize("turn", [["off"], []])
def test_only_turning_it_on_cancels(service: Service, run: Run, turn: list[str]) -> None:
    service.place("long")
    assert run("kill-switch", *turn, "--cancel").exit_code == 2
    assert service.state("long") == "Working"


@pytest.mark.usefixtures("seconds_slept")
def test_turning_it_leaves_a_record_with_who_and_from_where(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.operator_records.getpass.getuser", lambda: "operator")
    monkeypatch.setattr("cli.operator_records.socket.gethostname", lambda: "laptop")
    service.place("long")
    run("kill-switch", "on", "--cancel")
    run("kill-switch", "off")
    run("kill-switch")
    off, on, _ = service.alerts.newest(service.trader)
    assert (on.source, on.outcome, on.order_ids) == ("operator at laptop", "kill_switch_on", ("long",))
    assert (off.source, off.outcome, off.fields) == ("operator at laptop", "kill_switch_off", {"kill_switch": "off"})


def test_a_user_without_a_name_can_turn_it_too(service: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr("cli.operator_records.getpass.getuser", nobody)
    assert run("kill-switch", "on").exit_code == 0
    assert next(service.alerts.newest(service.trader)).source.startswith("somebody at ")


def test_follow_prints_each_order_once_and_again_when_it_has_changed(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.place("a")
    service.place("b", account="Sim102")
    happenings: list[Callable[[], object]] = [
        lambda: service.report("PartFilled", 2, order_id="a"),
        lambda: None,
        lambda: service.cancel("a"),
    ]

    def sleep(_: float) -> None:
        if not happenings:
            raise KeyboardInterrupt
        happenings.pop(0)()

    monkeypatch.setattr("cli.orders.time.sleep", sleep)
    result = run("orders", "--follow", "--account", "sim101")
    assert result.exit_code == 0
    lines = [line.partition("  a  ")[2] for line in result.stdout.splitlines() if "  a  " in line]
    assert lines == [
        "Working, BUY 5 ES 12-26 LIMIT GTC, limit 5000.25",
        "PartFilled, BUY 5 ES 12-26 LIMIT GTC, limit 5000.25, 2 of 5 filled",
        "Cancelled, BUY 5 ES 12-26 LIMIT GTC, limit 5000.25, 2 of 5 filled",
    ]


def test_follow_shows_last_what_happened_last(service: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        service.place(name)
    service.report("PartFilled", 2, order_id="a")
    happenings: list[Callable[[], object]] = [lambda: service.cancel("b"), lambda: None]

    def sleep(_: float) -> None:
        if not happenings:
            raise KeyboardInterrupt
        happenings.pop(0)()

    monkeypatch.setattr("cli.orders.time.sleep", sleep)
    shown = run("orders", "--follow", "--open").stdout.splitlines()
    lines = [line.split("  ")[1:] for line in shown if " UTC  " in line]
    assert [(order_id, told.partition(",")[0]) for order_id, told in lines] == [
        ("b", "Working"),
        ("c", "Working"),
        ("a", "PartFilled"),
        ("b", "Cancelled"),
    ]


def test_follow_is_for_a_person(run: Run) -> None:
    result = run("orders", "--follow", "--json")
    assert (result.exit_code, "--follow prints lines for a person" in result.stderr) == (1, True)
