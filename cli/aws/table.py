"""Create the table of template.yaml where there is no CloudFormation: in moto and in DynamoDB Local."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader  # ten times as fast, where PyYAML was built with it
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

_PROPERTIES = ("BillingMode", "AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
"""What CreateTable takes as the template writes it. A local table needs no backups and no protection."""


class _Loader(SafeLoader):
    """Read CloudFormation's short forms, such as !Ref, as the value after the tag."""


def _untagged(loader: SafeLoader, _tag: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _untagged)


def read_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return a CloudFormation template as plain data, without its tags."""
    template: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506  it is a SafeLoader
    return template


def create_table(client: "DynamoDBClient", name: str) -> bool:
    """Create the template's table under this name; return False, and do nothing, if there already is one."""
    properties = read_template()["Resources"]["Table"]["Properties"]
    try:
        client.create_table(TableName=name, **{key: properties[key] for key in _PROPERTIES if key in properties})
    except client.exceptions.ResourceInUseException:
        return False
    client.get_waiter("table_exists").wait(TableName=name)
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
    return True
