"""Each parameter at its bounds: a stack that can be deployed answers, whatever it was given."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.aws.demo import KEY
from cli.aws.table import read_template
from tests.deploy.emulator import Emulator
from tests.deploy.stack import Stack
from tests.runtime import artifact

PARAMETERS: dict[str, dict[str, Any]] = read_template(artifact.ROOT / "template.yaml")["Parameters"]


LEFT_OUT = {"Architecture", "TrafficShift"}
"""This machine has one processor, and the emulator no CodeDeploy."""


def bounds(parameter: dict[str, Any]) -> tuple[object, object]:
    """Return the least and the most that a parameter takes; of a text, its default."""
    if values := parameter.get("AllowedValues"):
        return values[0], values[-1]
    return parameter.get("MinValue", parameter["Default"]), parameter.get("MaxValue", parameter["Default"])


LEAST = {name: bounds(parameter)[0] for name, parameter in PARAMETERS.items() if name not in LEFT_OUT}
MOST = {name: bounds(parameter)[1] for name, parameter in PARAMETERS.items() if name not in LEFT_OUT} | {
    "SourceAllowList": "10.0.0.0/8,127.0.0.0/8",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms",
    # Not together with SnapStart, by a rule of the template.
    "ProvisionedConcurrency": 0,
}


@pytest.fixture
def stack(emulator: Emulator) -> Stack:
    return Stack(emulator, "bounds")


@pytest.mark.parametrize("given", [LEAST, MOST], ids=["least", "most"])
def test_a_stack_answers_with_every_parameter_at_its_bound(
    stack: Stack, template: Path, given: dict[str, object]
) -> None:
    stack.deploy(template, **{name: value for name, value in given.items() if value != ""})
    answer = stack.post(f"key={KEY}; command=CANCEL; order_id=a;")
    assert (answer.status, answer.word) == (401, "invalid_secret_key")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name, parameter in PARAMETERS.items()
        if parameter["Type"] == "Number" and "AllowedValues" not in parameter
        for value in (parameter["MinValue"] - 1, parameter.get("MaxValue", -2) + 1)
    ],
)
def test_cloudformation_refuses_a_number_beyond_its_bounds(stack: Stack, name: str, value: int) -> None:
    others = [{"ParameterKey": each, "UsePreviousValue": True} for each in PARAMETERS if each != name]
    with pytest.raises(ClientError, match=name):
        stack.client("cloudformation").create_change_set(
            StackName=stack.name,
            ChangeSetName="beyond",
            UsePreviousTemplate=True,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[*others, {"ParameterKey": name, "ParameterValue": str(value)}],
        )
