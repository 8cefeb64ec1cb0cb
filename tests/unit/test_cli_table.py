"""The table of the local server is the one that template.yaml describes."""

from moto import mock_aws

from cli.aws.table import create_table
from orderhook.aws.clients import connect


def test_the_table_is_created_as_the_template_says() -> None:
    with mock_aws():
        client = connect("dynamodb")
        assert create_table(client, "other")
        table = client.describe_table(TableName="other")["Table"]
        lifetime = client.describe_time_to_live(TableName="other")["TimeToLiveDescription"]
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    (index,) = table["LocalSecondaryIndexes"]
    assert (index["IndexName"], index["Projection"]) == ("open", {"ProjectionType": "ALL"})
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["pk", "open"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert lifetime == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_an_existing_table_is_left_alone() -> None:
    with mock_aws():
        client = connect("dynamodb")
        create_table(client, "other")
        client.put_item(TableName="other", Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
        assert not create_table(client, "other")
        assert client.scan(TableName="other")["Count"] == 1
