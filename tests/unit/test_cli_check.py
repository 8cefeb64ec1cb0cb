"""How `orderhook check` shows the explanation of an alert."""

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.aws import demo


def test_the_key_is_masked_wherever_it_stands() -> None:
    text = f"key={demo.KEY};command=CANCEL;order_id={demo.KEY};{demo.KEY}=1"
    for arguments in (["check", text], ["check", text, "--json"]):
        assert demo.KEY not in CliRunner().invoke(app, arguments).output


def test_ignored_and_empty_fields_are_remarked_on() -> None:
    result = CliRunner().invoke(app, ["check", f"key={demo.KEY};command=CANCEL;order_id=a;account=Sim101;qty="])
    assert result.exit_code == 0
    assert "CANCEL does not use account." in result.stdout
    assert "empty, so it counts as absent" in result.stdout


def test_no_line_is_cut_where_there_is_no_terminal() -> None:
    stdout = CliRunner().invoke(app, ["check", f"key={demo.KEY};command=CANCEL;order_id=TARGET01"]).stdout
    assert "such as TARGET1." in next(
        line for line in stdout.splitlines() if line.startswith("order_id ") and "such as" in line
    )


def test_a_long_value_widens_no_line() -> None:
    stdout = CliRunner().invoke(app, ["check", f"key={demo.KEY};command=CANCEL;order_id={'x' * 7000}"]).stdout
    assert max(map(len, stdout.splitlines())) < 200


def test_the_key_of_the_environment_counts_for_an_alert_that_has_none() -> None:
    result = CliRunner().invoke(app, ["check", "command=CANCEL;order_id=a"], env={"ORDERHOOK_KEY": demo.KEY})
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "This alert would cancel order a.")
    assert "key" not in result.stdout


@pytest.mark.parametrize("written", ["your-secret-key", "YOUR_SECRET_KEY", "Your Secret Key"])
def test_the_placeholder_of_the_documentation_is_told_from_a_mistyped_key(written: str) -> None:
    text = "command=CANCEL;order_id=a"
    for arguments in ([f"key={written};{text}"], [text, "--key", written]):
        result = CliRunner().invoke(app, ["check", *arguments])
        assert (result.exit_code, "stands for your own key" in result.stdout) == (1, True)
    mistyped = CliRunner().invoke(app, ["check", f"key=ohk_x;{text}"]).stdout
    assert "The key was not issued here" in mistyped


def test_a_fault_has_the_place_that_it_has_in_the_alert() -> None:
    alert = "command=CANCEL;\nhello;\norder_id=a"
    stdout = CliRunner().invoke(app, ["check", alert], env={"ORDERHOOK_KEY": demo.KEY}).stdout
    assert "Line 2 has a piece without '='." in stdout


def test_control_characters_are_escaped() -> None:
    stdout = CliRunner().invoke(app, ["check", f"key={demo.KEY};command=CANCEL;order_id=a\x1b[2Jb"]).stdout
    assert "a\\x1b[2Jb" in stdout
    assert "\x1b" not in stdout


def test_bytes_that_are_not_utf8_are_refused() -> None:
    result = CliRunner().invoke(app, ["check", "key=\udcff"])
    assert result.exit_code == 1
    assert "This alert would be refused: 400 malformed_payload." in result.stdout


def test_a_name_that_needs_its_strategy_is_not_called_right() -> None:
    result = CliRunner().invoke(app, ["check", "command=CANCEL; order_id=stop1;"])
    [row] = [line for line in result.stdout.splitlines() if line.startswith("order_id ")]
    assert row.split() == ["order_id", "order_id", "stop1", "wrong"]
