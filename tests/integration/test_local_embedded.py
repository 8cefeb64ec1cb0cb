"""moto inside the process, as `orderhook serve` and these tests use it."""

from moto.dynamodb.models.table import Table

from tests.service import Service


def test_no_copy_that_a_transaction_makes_of_the_table_is_kept(service: Service) -> None:
    assert service.place("order-1", limit_price="5000", take_profit="5010").word == "placed"
    assert Table.instances_tracked == []  # type: ignore[attr-defined]
