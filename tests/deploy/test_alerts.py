"""Alerts, sent to the deployed webhook as TradingView sends them, and what the queue holds for later."""

import json

from cli.aws.demo import KEY, TRADER
from tests.answers import ANSWERS, MESSAGES
from tests.builders import event_named
from tests.deploy.stack import Stack, wait_for

PLACE = "account=Sim101; instrument=ES1!; action=BUY; qty=1; order_type=LIMIT; limit_price=4900; tif=GTC;"


def state(stack: Stack, order_id: str) -> str | None:
    order = stack.services.orders.get(TRADER, order_id)
    return order and order.state


def test_every_event_gets_its_answer_at_the_address_that_the_stack_puts_out(demo: Stack) -> None:
    for name, expected in reversed(ANSWERS.items()):  # a command over many orders comes after those over one
        answer = demo.send_event(event_named(name))
        assert (name, answer.status, answer.word) == (name, *expected)


def test_every_message_in_the_queue_is_done(demo: Stack) -> None:
    expected: dict[str, str] = {}
    for name, outcome in MESSAGES.items():
        [record] = event_named(f"sqs/{name}")["Records"]
        [content] = (part for part in json.loads(record["body"]).values() if isinstance(part, dict))
        expected[content["request_id"]] = outcome
        demo.send_message("Queue", record["body"])

    def outcomes() -> dict[str, str] | None:
        lines = demo.log("deferred")
        found = {line["request_id"]: line["outcome"] for line in lines if line.get("request_id") in expected}
        # What a busy machine's cold function has no time for, SQS delivers again.
        is_over = len(found) == len(expected) and "temporarily_unavailable" not in found.values()
        return found if is_over else None

    assert wait_for(outcomes) == expected


def test_an_order_is_placed_after_its_delay_and_cancelled_after_its_time(demo: Stack) -> None:
    place = f"key={KEY}; command=PLACE; order_id=timed; {PLACE} delay=1; cancel_after=1;"
    assert demo.post(place).word == "scheduled"
    wait_for(lambda: state(demo, "timed") == "Working")
    wait_for(lambda: state(demo, "timed") == "Cancelled")


def test_an_action_that_the_role_does_not_allow_is_denied(demo: Stack) -> None:
    # Without this, a role that lacks something would pass unseen.
    iam, role = demo.client("iam"), demo.resources["WebhookRole"]
    policy = iam.get_role_policy(RoleName=role, PolicyName="webhook")["PolicyDocument"]
    without = json.loads(json.dumps(policy).replace("dynamodb:UpdateItem", "dynamodb:DescribeTable"))
    iam.put_role_policy(RoleName=role, PolicyName="webhook", PolicyDocument=json.dumps(without))
    answer = demo.post_once(f"key={KEY}; command=CANCEL; order_id=demo-1;")
    iam.put_role_policy(RoleName=role, PolicyName="webhook", PolicyDocument=json.dumps(policy))
    assert answer.status == 503
    [denial, *_] = demo.emulator.denied
    assert "dynamodb:UpdateItem" in denial
    demo.emulator.denied.clear()
