"""The page that `orderhook serve` starts with states the limits of each kind of table."""

import pytest

from cli.aws import demo
from cli.connection import IN_MEMORY, TableAddress
from cli.views.start_page import show_start_page

NO_BROKER = "Nothing is sent to a broker: orders are only written to the table."


def page(capsys: pytest.CaptureFixture[str], address: TableAddress) -> str:
    show_start_page("http://127.0.0.1:3000/webhook", address, [])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "limit"),
    [
        (IN_MEMORY, "Everything is in memory"),
        (TableAddress("other", "http://127.0.0.1:8000"), "Delayed alerts and scheduled cancels are in memory"),
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


def test_it_shows_the_demo_for_a_local_table_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"key: {demo.KEY}\n" in page(capsys, IN_MEMORY)
    on_aws = page(capsys, TableAddress("other"))
    assert demo.KEY not in on_aws
    assert "`orderhook keys create --table other`" in on_aws
