"""`orderhook … --stack` on a deployed stack."""

from cli.aws.demo import KEY, KEY_ID, SECOND_KEY
from tests.deploy.stack import Stack, wait_for


def findings(stack: Stack, key: str | None = KEY) -> list[tuple[str, str]]:
    """Return what `orderhook verify` says of each matter, in its order."""
    result = stack.orderhook("verify", ORDERHOOK_KEY=key or "")
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert KEY not in result.output
    assert result.exit_code == any(line[0] == "failed" for line in lines), result.output
    return [(line[0], line[1]) for line in lines]


def test_a_key_is_issued_used_listed_and_revoked(demo: Stack) -> None:
    key = demo.new_key("--label", "cancels only", "--scope", "CANCEL")
    assert demo.post(f"key={key}; command=CANCEL; order_id=demo-1;").word == "cancelled"
    assert demo.post(f"key={key}; command=CANCELALLORDERS;").word == "command_not_allowed"
    listed = {each["label"]: each["key_id"] for each in demo.data("keys", "list")}
    assert demo.orderhook("keys", "revoke", listed["cancels only"]).exit_code == 0
    # Functions remember keys for up to 30 s.
    wait_for(lambda: demo.post(f"key={key}; command=CANCEL; order_id=demo-1;").word == "invalid_secret_key")


def test_orders_and_the_records_of_alerts_are_shown(demo: Stack) -> None:
    answer = demo.post(f"key={KEY}; command=CANCEL; order_id=demo-2;")
    [order] = [each for each in demo.data("orders") if each["order_id"] == "demo-2"]
    assert order["state"] == "Cancelled"
    assert demo.data("alerts", "show", answer.request_id)["outcome"] == "cancelled"
    assert [each["request_id"] for each in demo.data("alerts")] == [answer.request_id]
    assert demo.data("order", "demo-2")["history"][-1]["request_id"] == answer.request_id


def test_the_kill_switch_is_turned_and_a_template_is_stored(demo: Stack) -> None:
    place = "command=PLACE; account=Sim101; instrument=ES1!; action=BUY; qty=1; order_type=MARKET; tif=DAY;"
    assert demo.orderhook("kill-switch", "on").exit_code == 0
    assert demo.post(f"key={KEY}; {place}").word == "kill_switch_on"
    assert demo.orderhook("kill-switch", "off").exit_code == 0
    assert demo.orderhook("templates", "put", "scalp", "--bracket", "1:10:5").exit_code == 0
    assert demo.post(f"key={KEY}; {place} strategy=scalp; strategy_id=s;").word == "placed"


def test_verify_finds_nothing_wrong_but_that_nobody_is_told(demo: Stack) -> None:
    assert findings(demo) == [
        *(("ok", about) for about in ("stack", "endpoint", "table", "key", "alert", "record")),
        ("warning", "alarms"),
        *[("warning", "notify")] * 2,  # of either trader
    ]
    # The alert that it sent is the only thing that it leaves.
    assert [each["command"] for each in demo.data("alerts")] == ["CANCEL"]


def test_verify_tries_no_alert_without_a_key_or_with_another_stacks(demo: Stack) -> None:
    assert ("warning", "key") in findings(demo, None)
    keys, name = demo.client("dynamodb"), demo.output("TableName")
    keys.delete_item(TableName=name, Key={"pk": {"S": f"KEY#{KEY_ID}"}, "sk": {"S": "KEY"}})
    assert ("failed", "key") in findings(demo)
    assert SECOND_KEY not in demo.orderhook("verify", "--key", SECOND_KEY).output


def test_verify_warns_of_a_table_that_lacks_what_a_restored_one_lacks(demo: Stack) -> None:
    table, name = demo.client("dynamodb"), demo.output("TableName")
    table.update_table(TableName=name, DeletionProtectionEnabled=False)
    table.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    assert findings(demo).count(("warning", "table")) == 2
    table.update_table(TableName=name, DeletionProtectionEnabled=True)
    table.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    assert findings(demo).count(("warning", "table")) == 0
