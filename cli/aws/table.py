"""The table of template.yaml, made where no CloudFormation makes it: in moto and in DynamoDB Local."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

# What the resource and the API's CreateTable write alike. Backups and protection are for a table that is worth them.
_ALIKE = ("BillingMode", "AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")


class _Loader(yaml.SafeLoader):
    """Read CloudFormation's short forms, such as !Ref, as what stands behind the tag."""


def _untagged(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _untagged)


def read_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return a CloudFormation template as plain data, its tags left out."""
    template: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506  it is a SafeLoader
    return template


def create_table(client: "DynamoDBClient", name: str) -> bool:
    """Make the template's table under this name; returns False, and does nothing, when there is one already."""
    properties = read_template()["Resources"]["Table"]["Properties"]
    try:
        client.create_table(TableName=name, **{part: properties[part] for part in _ALIKE if part in properties})
    except client.exceptions.ResourceInUseException:
        return False
    client.get_waiter("table_exists").wait(TableName=name)
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
    return True
