"""moto in this process, as `orderhook serve` and these tests use it."""

from moto.dynamodb.models.table import Table

from tests.service import Service


def test_moto_keeps_no_copy_of_the_table_after_a_transaction(service: Service) -> None:
    assert service.place("order-1", limit_price="5000", take_profit="5010").word == "placed"
    assert Table.instances_tracked == []  # type: ignore[attr-defined]
