"""`orderhook alerts` and `orderhook order` as a person uses them on the local server."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.aws import demo
from cli.views.alerts import show_alert, show_alert_line, show_alerts
from orderhook.store.alert_log import AlertRecord, RecordedResult
from tests.builders import alert_record
from tests.local_server import ORDERHOOK, ROOT, Server, running
from tests.marks import OF_A_TERMINAL

pytestmark = OF_A_TERMINAL


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The local server, after six alerts: two orders placed, one of them cancelled twice, and two refusals."""
    with running(tmp_path_factory.mktemp("serve") / "log") as started:
        for text in (
            f"command=PLACE;order_id=first;{demo.PLACES['demo-1']};take_profit=5100",
            f"command=PLACE;order_id=second;{demo.PLACES['demo-1']}",
            "command=CANCEL;order_id=second",
            "command=CANCEL;order_id=second",
            "command=CANCEL;order_id=nobodys",
            "comand=CANCEL;order_id=second",
        ):
            started.post(f"key={demo.KEY};{text}")
        started.post(f"key={demo.WRONG_KEY};command=CANCEL;order_id=second")
        yield started


def outcomes(server: Server, *arguments: str) -> list[str]:
    return [record["outcome"] for record in server.data("alerts", *arguments)]


def newest(server: Server, outcome: str) -> dict[str, Any]:
    record: dict[str, Any] = server.data("alerts", "--status", outcome)[0]
    return record


ALL = ["unknown_field", "order_not_found", "already_cancelled", "cancelled", "placed", "placed"]


# alerts


def test_alerts_lists_what_came_in_newest_first(server: Server) -> None:
    assert outcomes(server) == ALL
    result = server.run("alerts")
    heading, *lines = result.stdout.splitlines()
    assert heading.split() == ["id", "received", "status", "outcome", "command", "orders", "ms", "key", "source"]
    assert [line.split()[5] for line in lines] == ALL
    assert "CANCEL   nobodys" in lines[1]
    assert "the public key of the demo  127.0.0.1" in lines[0]
    assert " UTC " in lines[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--status", "refused"], ALL[:2]),
        (["--status", "done"], ALL[2:]),
        (["--status", "404"], ["order_not_found"]),
        (["--status", "Cancelled"], ["cancelled"]),
        (["--command", "cancel"], ALL[:4]),
        (["--command", "PLACE", "--limit", "1"], ["placed"]),
        (["--order", "second"], ["unknown_field", "already_cancelled", "cancelled", "placed"]),
        (["--order", "second", "--status", "done", "--command", "CANCEL"], ["already_cancelled", "cancelled"]),
        (["--since", "1h"], ALL),
        (["--until", "1h"], []),
        (["--since", "2020-01-01", "--until", "2020-01-02T12:00"], []),
    ],
    ids=" ".join,
)
def test_alerts_lists_what_it_is_asked_for(server: Server, arguments: list[str], expected: list[str]) -> None:
    assert outcomes(server, *arguments) == expected


def test_without_a_record_it_says_so(server: Server) -> None:
    result = server.run("alerts", "--until", "1h")
    assert result.exit_code == 0
    assert (
        result.stdout
        == f"There is no record of such an alert of trader main in table orderhook at {server.endpoint}.\n"
    )


def test_of_an_order_that_there_is_not_it_says_so(server: Server) -> None:
    none = f"There is no record of such an alert of trader main in table orderhook at {server.endpoint}"
    assert server.run("alerts", "--order", "mistyped").stdout == f"{none}, nor an order 'mistyped'.\n"
    assert server.run("alerts", "--order", "demo-1").stdout == f"{none}.\n"


def test_a_word_that_there_is_not_is_answered_with_each_word_once(server: Server) -> None:
    told = server.run("alerts", "--status", "xyz").stderr
    assert told.count("kill_switch_on,") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--status", "canceled"], "There is no status 'canceled'; did you mean cancelled?"),
        (["--command", "CANCLE"], "There is no command 'CANCLE'; did you mean CANCEL?"),
        (["--since", "yesterday"], "'yesterday' is not a time; write 2h, 30m, 09:30, 2026-01-02 or 2026-01-02T09:30."),
        (
            ["--follow", "--until", "2h"],
            "--follow waits for new alerts, so --until makes no sense with it; leave --until out.",
        ),
        (["--key", "nosuch"], "There is no key with the id 'nosuch'; `orderhook keys list` shows all ids."),
        (["--trader", "second", "--key", demo.KEY_ID], f"The key {demo.KEY_ID} is of trader main; add --trader main."),
        (["--trader", "a/b"], "trader holds '/' (U+002F)"),
        (["show", "zz"], "There is no record of an alert 'zz', whose id is hexadecimal: `orderhook alerts` "),
        (["show", "0"], "More than one alert's id begins with '0'; give more of it."),
        (["--table", "nowhere"], "There is no table nowhere at "),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(server: Server, arguments: list[str], says: str) -> None:
    result = server.run("alerts", *arguments)
    assert (result.exit_code, result.stderr[: len(says)]) == (1, says)
    assert result.stderr.count("\n") == 1


def test_an_option_before_show_is_not_overlooked(server: Server) -> None:
    result = server.run("alerts", "--table", "another", "show", "0")
    assert (result.exit_code, result.stderr) == (2, "The options stand before show; write them after it.\n")


# alerts --follow


@contextmanager
def following(server: Server, stderr: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `orderhook alerts --follow`."""
    with (
        stderr.open("w") as log,
        subprocess.Popen(
            [*ORDERHOOK, "alerts", "--follow", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "AWS_ENDPOINT_URL_DYNAMODB": server.endpoint},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("form", ["lines", "json"])
def test_follow_shows_the_newest_then_each_as_it_comes_until_ctrl_c(server: Server, tmp_path: Path, form: str) -> None:
    options = ["--trader", f"followed-{form}", "--status", "404", *(["--json"] if form == "json" else [])]
    key = server.data("keys", "create", "--trader", f"followed-{form}")["key"]
    server.post(f"key={key};command=CANCEL;order_id=before")
    with following(server, tmp_path / "stderr", *options) as process:
        assert process.stdout is not None

        def next_order() -> Any:
            line = process.stdout.readline() if process.stdout else ""
            if form == "json":
                return json.loads(line)["fields"]["order_id"]
            assert "  404 order_not_found CANCEL " in line
            return line.split()[7]

        assert next_order() == "before"
        server.post(f"key={key};command=CANCLE;order_id=filtered-out")
        server.post(f"key={key};command=CANCEL;order_id=after-1")
        server.post(f"key={key};command=CANCEL;order_id=after-2")
        assert [next_order(), next_order()] == ["after-1", "after-2"]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert (process.returncode, rest, (tmp_path / "stderr").read_text()) == (0, "", "")


# alerts show


def test_show_explains_a_refusal_and_the_way_out(server: Server) -> None:
    record = newest(server, "order_not_found")
    result = server.run("alerts", "show", record["request_id"][:16])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == ["404 order_not_found", record["detail"]]
    assert f"  id           {record['request_id']}" in lines
    assert "  key          the public key of the demo (demolocalrun)" in lines
    assert "  source       127.0.0.1" in lines
    assert "  field        order_id" in lines
    assert lines[-7:-3] == ["The alert, without its key:", "  command=CANCEL", "  order_id=nobodys", ""]
    assert lines[-3].startswith("It means: None of the trader's orders has this id")
    assert lines[-2].startswith("What to do: Check with `orderhook orders`")
    assert lines[-1] == "TradingView does not send it again."


def test_show_says_of_a_duplicate_that_it_is_one(server: Server) -> None:
    result = server.run("alerts", "show", newest(server, "already_cancelled")["request_id"])
    assert "  duplicate    of an earlier alert\n" in result.stdout
    assert "  orders       second\n" in result.stdout
    assert "TradingView" not in result.stdout


def test_show_tells_which_contract_was_meant(server: Server) -> None:
    key = server.data("keys", "create", "--trader", "spells")["key"]
    server.post(f"key={key};command=PLACE;order_id=a;{demo.PLACES['demo-1'].replace('ES1!', 'ES SEP49')}")
    server.post(f"key={key};command=CANCELORDERS;account=Sim101;instrument=ES1!")
    for record, instrument in zip(server.data("alerts", "--trader", "spells")[:2], ("ES", "ES 09-49"), strict=True):
        assert record["instrument"] == instrument
        result = server.run("alerts", "show", record["request_id"], "--trader", "spells")
        assert f"  instrument   {instrument}\n" in result.stdout


def test_show_has_a_line_for_each_account(server: Server) -> None:
    key = server.data("keys", "create", "--trader", "accounts")["key"]
    fields = demo.PLACES["demo-1"].replace("account=Sim101", "account=A,B")
    server.post(f"key={key};command=PLACE;order_id=long;take_profit=5100;stop_loss=4900;{fields}")
    server.post(f"key={key};command=CANCEL;order_id=long.b")
    server.post(f"key={key};command=CANCEL;order_id=long;account=B,C,A")
    cancelled, _, placed, _ = server.data("alerts", "--trader", "accounts")
    shown = server.run("alerts", "show", placed["request_id"], "--trader", "accounts").stdout.splitlines()
    lines = [
        "  accounts     A: 200 placed, long.a, long.a.TARGET1, long.a.STOP1",
        "               B: 200 placed, long.b, long.b.TARGET1, long.b.STOP1",
    ]
    assert "\n".join(lines) in "\n".join(shown)
    shown = server.run("alerts", "show", cancelled["request_id"], "--trader", "accounts").stdout.splitlines()
    detail = cancelled["results"][1]["detail"]
    lines = [
        "  accounts     B: 200 already_cancelled, long.b",
        f"               C: 404 order_not_found, {detail}",
        "               A: 200 cancelled, long.a, long.a.TARGET1, long.a.STOP1",
    ]
    assert "\n".join(lines) in "\n".join(shown)
    assert detail.startswith("There is no order 'long.c' of yours")
    assert [result["order_ids"] for result in cancelled["results"]] == [
        ["long.b"],
        [],
        ["long.a", "long.a.TARGET1", "long.a.STOP1"],
    ]


def test_show_names_the_first_few_of_many_orders_of_an_account(capsys: pytest.CaptureFixture[str]) -> None:
    ids = tuple(f"long-{number}.a" for number in range(500))
    results = (
        RecordedResult("A", 200, "cancelled", order_ids=ids),
        RecordedResult("B", 200, "closed", duplicate=True),
    )
    show_alert(alert_record(order_ids=ids, results=results))
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("  accounts     A: 200 cancelled, long-0.a, long-1.a, long-2.a, and 497 more")
    assert lines[first + 1 : first + 3] == ["               B: 200 closed (duplicate)", ""]


def test_show_gives_a_script_the_same(server: Server) -> None:
    listed = newest(server, "unknown_field")
    shown = server.data("alerts", "show", listed["request_id"])
    assert shown == listed | {"related": [], "orders": [], "instructions": []}
    assert shown["fields"] == {"comand": "CANCEL", "order_id": "second"}
    assert shown["meaning"] == "There is no field with this name."
    assert (shown["sent_again"], shown["command"], shown["origin"]) == (False, None, "webhook")
    assert float(shown["milliseconds"]) > 0


def test_the_key_is_in_nothing_that_is_shown(server: Server) -> None:
    key = server.data("keys", "create", "--trader", "mistaken")["key"]
    server.post(f"key={key};command=CANCEL;order_id={key};{key}=1;notes=my {key}")
    mistaken, _ = server.data("alerts", "--trader", "mistaken")
    assert list(mistaken["fields"].items()) == [("command", "CANCEL"), ("order_id", "…"), ("…", "1"), ("notes", "…")]
    for arguments in (["alerts"], ["alerts", "--json"], ["alerts", "show", mistaken["request_id"]]):
        shown = server.run(*arguments, "--trader", "mistaken").stdout
        assert mistaken["request_id"][:16] in shown
        assert "ohk_" not in shown


# order


def test_order_shows_its_whole_history(server: Server) -> None:
    result = server.run("order", "second")
    assert result.exit_code == 0
    assert result.stdout.startswith("order id ")
    history = [line for line in result.stdout.split("\n\n")[1].splitlines() if line]
    assert history[0].split() == ["time", "state", "values", "alert", "key", "id"]
    placed, cancelled = history[1:]
    assert placed.split()[3] == "Working"
    assert cancelled.split()[3] == "Cancelled"
    assert newest(server, "cancelled")["request_id"] in cancelled
    assert demo.KEY_ID in cancelled


def test_order_gives_a_script_its_history(server: Server) -> None:
    order = server.data("order", "second")
    assert (order["order_id"], order["state"], order["limit_price"]) == ("second", "Cancelled", "5000.25")
    assert [entry["state"] for entry in order["history"]] == ["Working", "Cancelled"]
    assert order["history"][1].keys() == {"at", "state", "changes", "leg", "request_id", "key_id"}
    assert order["history"][1]["at"] == order["cancelled_at"]


def test_an_order_that_is_not_there_is_one_clear_line(server: Server) -> None:
    result = server.run("order", "nobodys")
    says = f"There is no order 'nobodys' of trader main in table orderhook at {server.endpoint}; `orderhook orders` "
    assert (result.exit_code, result.stderr) == (1, f"{says}lists them.\n")


# In a terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 100 columns without colours."""
    monkeypatch.setattr(Console, "is_terminal", property(lambda _: True))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")


HOSTILE = "\x1b[2J\u202e"


def shown(capsys: pytest.CaptureFixture[str], record: AlertRecord) -> str:
    show_alerts([record])
    show_alert_line(record)
    show_alert(record)
    return capsys.readouterr().out


@pytest.mark.usefixtures("terminal")
def test_in_a_terminal_an_alert_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    record = alert_record(request_id="0123456789abcdef0123", order_ids=tuple("abcde"), outcome="closed", duplicate=True)
    show_alerts([record])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["alert", "answer", "command"],
        ["0123456789abcdef", "closed", "(duplicate)", "CANCEL"],
        ["2026-01-02", "03:04:05", "UTC", "200,", "1.5", "ms", "a"],
        ["and", "4", "more"],
    ]


@pytest.mark.usefixtures("terminal")
def test_in_a_terminal_the_key_is_named_where_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    show_alerts([alert_record(), alert_record(key_id="other", key_label="second")])
    assert re.findall(r"by (\w+)", capsys.readouterr().out) == ["label", "second"]


@pytest.mark.usefixtures("terminal")
def test_in_a_terminal_sentences_are_wrapped_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "The order is of another strategy than the one that was given; give its own, or leave strategy_id out."
    show_alert(alert_record(status=409, outcome="strategy_mismatch", detail=f"{sentence} {sentence}"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert f"{sentence} {sentence}" in " ".join(lines)


HOSTILE_VALUES: dict[str, Any] = {
    "detail": HOSTILE,
    "fields": {f"order_id{HOSTILE}": HOSTILE, "order_id": HOSTILE},
    "key_label": HOSTILE,
    "source": HOSTILE,
    "results": (RecordedResult(HOSTILE, 404, "order_not_found", HOSTILE, order_ids=(HOSTILE,)),),
}


@pytest.mark.parametrize(("place", "value"), HOSTILE_VALUES.items(), ids=list(HOSTILE_VALUES))
@pytest.mark.usefixtures("terminal")
def test_control_characters_of_an_alert_are_escaped(capsys: pytest.CaptureFixture[str], place: str, value: Any) -> None:
    text = shown(capsys, alert_record(status=404, outcome="order_not_found", **{place: value}))
    assert "\u202e" not in text
    assert "\x1b[2J" not in text
    assert r"\x1b[2J\u202e" in text


@pytest.mark.usefixtures("terminal")
def test_of_a_delayed_alert_it_does_not_say_what_tradingview_does(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, alert_record(status=503, outcome="temporarily_unavailable", origin="delayed"))
    assert "  came by      delayed\n" in text
    assert "TradingView" not in text
