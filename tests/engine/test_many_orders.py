"""Five hundred working orders of one account, cancelled by one alert; `make prove` looks at how long that takes."""

from tests.service import Service
from verification.deadlines import MANY, have_many


def test_five_hundred_working_orders_are_cancelled_by_one_alert(service: Service) -> None:
    order_ids = have_many(service, "Sim101")
    answer = service.send("CANCELORDERS", account="Sim101")
    assert (answer.status, answer.word) == (200, "cancelled")
    assert answer.body["counts"]["cancelled"] == MANY
    assert answer.body["cancelled"] == order_ids
    assert service.open_orders() == []
