"""The page that `orderhook serve` starts with states the limits of each kind of table."""

from decimal import Decimal

import pytest

from cli.aws import demo, serve
from cli.aws.gateway import is_loopback, listen
from cli.connection import IN_MEMORY, TableAddress
from cli.views.start_page import first_commands, show_paper_page, show_start_page
from tests.builders import order, provenance

PROVENANCE = provenance("main", "request-1")
LINK = f"http://127.0.0.1:34567/console/login#{43 * 'c'}"
NO_BROKER = "Nothing is sent to a broker: orders are only written to the table."


def page(capsys: pytest.CaptureFixture[str], address: TableAddress) -> str:
    show_start_page("http://127.0.0.1:3000/webhook", LINK, address, [])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "limit"),
    [
        (IN_MEMORY, "Everything is in memory"),
        (TableAddress("other", "http://127.0.0.1:8000"), "Delayed alerts are in memory"),
        (TableAddress("other"), "delay and cancel_after are refused"),
    ],
    ids=str,
)
def test_it_says_that_nothing_is_sent_to_a_broker_and_what_is_not_kept(
    capsys: pytest.CaptureFixture[str], address: TableAddress, limit: str
) -> None:
    lines = page(capsys, address).splitlines()
    assert NO_BROKER in lines
    assert [line for line in lines if line.startswith(limit)]
    assert lines[-1] == "orderhook is running; Ctrl-C stops it."


def test_its_last_24_lines_have_what_one_needs(capsys: pytest.CaptureFixture[str]) -> None:
    show_start_page("http://127.0.0.1:3104/webhook", LINK, IN_MEMORY, [order(PROVENANCE, "demo-1")], is_open=True)
    wrapped = [line[n : n + 80] for line in capsys.readouterr().out.splitlines() for n in range(0, len(line) or 1, 80)]
    last = "".join(wrapped[-23:])  # the cursor has the 24th
    for needed in (
        "url: http://127.0.0.1:3104/webhook",
        f"console: {LINK}",
        f"key: {demo.KEY}",
        f"export ORDERHOOK_KEY={demo.KEY}",
    ):
        assert needed in last
    for command in ("send 'command=CANCEL; order_id=demo-1;'", "orders --open", "alerts"):
        assert f"orderhook {command}" in last or f" {command}" in last


def test_the_last_24_lines_of_the_page_about_fills_have_what_one_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/orderhook"])
    show_paper_page("http://127.0.0.1:3104/webhook", LINK, IN_MEMORY, Decimal("5000.25"))
    wrapped = [line[n : n + 80] for line in capsys.readouterr().out.splitlines() for n in range(0, len(line) or 1, 80)]
    last = "".join(wrapped[-23:])
    for needed in (
        "url: http://127.0.0.1:3104/webhook",
        f"console: {LINK}",
        f"key: {demo.KEY}",
        "export ORDERHOOK_PORT=3104",
    ):
        assert needed in last
    for command in ("PLACE", "CANCEL", "CANCELREPLACE", "CLOSESTRATEGY"):
        assert f"orderhook send 'command={command};" in last
    for needed in ("orders --follow", "bridge stop", "bridge start", "paper-2", "closes the position"):
        assert needed in last


def test_the_commands_of_a_server_on_another_port_name_it() -> None:
    assert "export ORDERHOOK_PORT=3104" in first_commands("http://127.0.0.1:3104/webhook", IN_MEMORY)
    assert not [line for line in first_commands("http://127.0.0.1:3000/webhook", IN_MEMORY) if "PORT" in line]


def test_the_commands_name_what_the_port_does_not_lead_to() -> None:
    """The server answers for a table in memory alone; another has to be named, and so has another host."""
    lasting = TableAddress("other", "http://127.0.0.1:8000")
    *_, send, orders, alerts = first_commands("http://127.0.0.1:3000/webhook", lasting)
    assert " send 'command" in send
    assert {orders.partition(" orders --open")[2], alerts.partition(" alerts")[2]} == {
        " --table other --endpoint-url http://127.0.0.1:8000"
    }
    key, send, orders, alerts = first_commands("http://192.0.2.1:3104/webhook", IN_MEMORY)
    assert key.startswith("export ORDERHOOK_KEY=")
    assert " send --url http://192.0.2.1:3104/webhook '" in send
    assert {orders.partition(" orders --open")[2], alerts.partition(" alerts")[2]} == {
        " --endpoint-url http://192.0.2.1:3104"
    }


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (IN_MEMORY, "needs none to read and write its table"),
        (TableAddress("other", "http://127.0.0.1:8000"), "which is public"),
        (TableAddress("other"), "Without --host"),
    ],
    ids=str,
)
def test_it_warns_where_other_machines_can_reach_it(
    capsys: pytest.CaptureFixture[str], address: TableAddress, says: str
) -> None:
    assert "Other machines" not in page(capsys, address)
    show_start_page("http://0.0.0.0:3000/webhook", LINK, address, [], is_open=True)
    out = capsys.readouterr().out
    assert "Other machines can reach this server, at its own address." in out
    assert says in out


@pytest.mark.parametrize(("host", "is_open"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True)])
def test_a_server_that_listens_beyond_this_machine_is_open(host: str, is_open: bool) -> None:
    with listen(host, 0) as listener:
        assert is_loopback(listener) is not is_open


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_the_url_that_is_shown_is_one_that_answers(host: str, shown: str) -> None:
    with listen(host, 0) as listener:
        assert serve._url(listener) == f"http://{shown}:{listener.getsockname()[1]}/webhook"


def test_it_shows_the_demo_for_a_local_table_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"key: {demo.KEY}\n" in page(capsys, IN_MEMORY)
    on_aws = page(capsys, TableAddress("other"))
    assert demo.KEY not in on_aws
    assert "`orderhook keys create --table other`" in on_aws
