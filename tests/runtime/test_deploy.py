"""What the SAM CLI itself makes of the template: its questions, and the stack that it asks CloudFormation for."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runtime import artifact

SAM = artifact.ROOT / ".venv-sam" / "bin"
NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "SAM_CLI_TELEMETRY": "0",
}

TRANSFORM = """
import json, sys
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

template = yaml_parse(open("template.yaml").read())
template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
values = {name: str(it["Default"]) for name, it in template["Parameters"].items()} | json.loads(sys.argv[1])
print(json.dumps(Translator({}, Parser()).translate(template, values)["Resources"]))
"""

pytestmark = pytest.mark.skipif(
    not (SAM / "sam").exists(), reason="It needs the SAM CLI: run it by `make test-runtime`"
)


def resources(**parameters: str) -> dict[str, Any]:
    """Return the resources that SAM makes of the template, with these parameters."""
    command = [str(SAM / "python"), "-c", TRANSFORM, json.dumps(parameters)]
    done = subprocess.run(
        command, cwd=artifact.ROOT, env=os.environ | NOWHERE, capture_output=True, text=True, check=True
    )
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def test_enter_at_every_question_of_a_guided_deployment_leads_to_aws(tmp_path: Path) -> None:
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(artifact.ROOT / name, tmp_path)
    done = subprocess.run(
        [str(SAM / "sam"), "deploy", "--guided"],
        cwd=tmp_path,
        env=os.environ | NOWHERE,
        input="\n" * 100,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Stack Name [orderhook]" in said
    assert "has no authentication" not in said
    # Where Enter would be no, nothing may be asked.
    assert "Confirm changes before deploy [y/N]" in said
    assert said.index("Parameter AlarmEmail []") < said.index("Looking for resources needed for deployment")
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:1/"' in said


def test_the_alias_moves_only_after_the_check() -> None:
    made = resources()
    assert made["WebhookFunctionAliaslive"]["UpdatePolicy"] == {
        "CodeDeployLambdaAliasUpdate": {
            "ApplicationName": {"Ref": "ServerlessDeploymentApplication"},
            "DeploymentGroupName": {"Ref": "WebhookFunctionDeploymentGroup"},
            "BeforeAllowTrafficHook": {"Ref": "BeforeTrafficFunction"},
        }
    }
    # A role of SAM's making could shift the traffic of every function in the account.
    assert "CodeDeployServiceRole" not in made


def test_unchecked_does_without_codedeploy() -> None:
    made = resources(TrafficShift="Unchecked")
    assert not [name for name, resource in made.items() if resource["Type"].startswith("AWS::CodeDeploy::")]
    assert "UpdatePolicy" not in made["WebhookFunctionAliaslive"]


def test_a_version_that_another_takes_the_place_of_is_kept() -> None:
    [version] = [it for it in resources().values() if it["Type"] == "AWS::Lambda::Version"]
    # Another code makes SAM give the version another name; another parameter makes CloudFormation replace it.
    assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert "${SourceAllowList}" in version["Properties"]["Description"]["Fn::Sub"]


def test_a_domain_is_mapped_to_the_stage_that_sam_makes() -> None:
    made = resources()
    stage = made["DomainMapping"]["Properties"]["Stage"]["Ref"]
    assert made[stage]["Type"] == "AWS::ApiGatewayV2::Stage"


def test_no_route_has_an_authorizer() -> None:
    api = resources()["Api"]["Properties"]["Body"]
    assert api["paths"].keys() == {"/webhook"}
    assert "security" not in api["paths"]["/webhook"]["post"]
    assert "components" not in api
