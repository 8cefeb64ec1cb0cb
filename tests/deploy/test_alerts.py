"""Alerts, sent to the deployed webhook as TradingView sends them."""

from tests.deploy.stack import Stack


def test_an_alert_is_answered_at_the_address_that_the_stack_puts_out(stack: Stack) -> None:
    key = stack.new_key()
    place = f"key={key}; command=PLACE; order_id=first; account=Sim101; instrument=ES 12-26; action=BUY; qty=1; "
    place += "order_type=LIMIT; limit_price=5000; tif=GTC;"
    assert stack.post(place).word == "placed"
    answer = stack.post(f"key={key}; command=CANCEL; order_id=first;")
    assert (answer.status, answer.word) == (200, "cancelled")
