"""A stack of this repository on the emulator: built by SAM, deployed by SAM, and reached as TradingView reaches it."""

import json
import os
import re
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import requests
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]  # cfn-lint ships no types
from typer.testing import CliRunner, Result

from cli import connection
from cli.app import app
from cli.connection import TableAddress
from orderhook.services import Services
from tests.deploy.emulator import Emulator
from tests.output import Answer
from tests.runtime import artifact

SAM = artifact.ROOT / ".venv-sam" / "bin" / "sam"
Found = TypeVar("Found")

PATIENCE_SECONDS = 180
"""How long to wait for what never comes; a busy machine needs some of it."""


def build(source: Path, folder: Path) -> Path:
    """Build the repository at `source` for this machine's processor into `folder`; return the template."""
    environment = os.environ | {
        "PATH": os.pathsep.join([str(SAM.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "SAM_CLI_TELEMETRY": "0",
    }
    options = ["--build-dir", str(folder), "--parameter-overrides", f"Architecture={artifact.ARCHITECTURE}"]
    _run([str(SAM), "build", *options], cwd=source, env=environment)
    return _for_emulator(folder / "template.yaml")


def _for_emulator(template: Path) -> Path:
    """Write the template, as JSON, as the emulator takes it.

    It has no CodeDeploy, which shifts traffic to a new version. As `aws:PrincipalArn` of a function it has its session,
    where AWS says its role.
    """
    content: dict[str, Any] = cfn_yaml.load(str(template))
    for resource in content["Resources"].values():
        resource.get("Properties", {}).pop("DeploymentPreference", None)
        if resource["Type"] == "AWS::SQS::QueuePolicy":
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                if "ArnNotEquals" not in statement["Condition"]:
                    continue  # it names an account, not roles
                roles = statement["Condition"].pop("ArnNotEquals")["aws:PrincipalArn"]
                sessions = [_session_of(role) for role in (roles if isinstance(roles, list) else [roles])]
                statement["Condition"]["ArnNotLike"] = {"aws:PrincipalArn": sessions}
    written = template.with_name("for-emulator.json")
    written.write_text(json.dumps(content), encoding="utf-8")
    return written


def _session_of(role: dict[str, Any]) -> dict[str, Any]:
    if "Fn::If" in role:
        condition, there, otherwise = role["Fn::If"]
        return {"Fn::If": [condition, _session_of(there), otherwise]}
    [name, _] = role["Fn::GetAtt"]
    return {"Fn::Sub": f"arn:aws:sts::${{AWS::AccountId}}:assumed-role/${{{name}}}/*"}


def _where_it_holds(value: Any) -> Any:
    """Return a part of a template as it is where every condition holds: SAM puts one around each part of a route."""
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        return _where_it_holds(value["Fn::If"][1])
    return {name: _where_it_holds(it) for name, it in value.items()}


def _run(command: list[str], **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    printed: str = done.stdout
    if done.returncode:
        raise DeploymentError("\n".join([*printed.splitlines()[-30:], *done.stderr.splitlines()[-10:]]))
    return printed


class DeploymentError(Exception):
    """SAM or CloudFormation refused; the message is the end of what it printed."""


class Stack:
    """One stack, by its name; it need not exist yet."""

    def __init__(self, emulator: Emulator, name: str) -> None:
        self.emulator, self.name = emulator, name
        self.parameters: dict[str, str] = {}

    def deploy(self, template: Path, **parameters: object) -> str:
        """Deploy with these parameters, and those that were given before; return what was printed."""
        self.parameters |= {name: str(value) for name, value in parameters.items()}
        given = {"Architecture": artifact.ARCHITECTURE} | self.parameters
        options = ["--stack-name", self.name, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
        options += ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
        overrides = [f"{name}={value}" for name, value in given.items()]
        printed = self._sam("deploy", "--template-file", str(template), *options, "--parameter-overrides", *overrides)
        self._adapt_to_emulator()
        return printed

    def delete(self) -> None:
        self._sam("delete", "--stack-name", self.name, "--no-prompts", "--region", "us-east-1")

    def _sam(self, *arguments: str) -> str:
        environment = os.environ | self.emulator.environment | {"SAM_CLI_TELEMETRY": "0"}
        return _run([str(SAM), *arguments], cwd=artifact.ROOT, env=environment)

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    @property
    def description(self) -> dict[str, Any]:
        [stack] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return stack  # type: ignore[no-any-return]

    def output(self, name: str) -> str:
        outputs: dict[str, str] = {each["OutputKey"]: each["OutputValue"] for each in self.description["Outputs"]}
        return outputs[name]

    @property
    def resources(self) -> dict[str, str]:
        """The physical ids, by logical id."""
        found = self.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def post(self, body: str | bytes) -> Answer:
        """Send an alert to the address that the stack puts out, and as TradingView does again after a 5xx.

        A function that starts on a busy machine may not answer the first one in time.
        """

        def answer() -> Answer | None:
            found = self.post_once(body)
            return found if found.status < 500 else None

        return wait_for(answer)

    def post_once(self, alert: str | bytes) -> Answer:
        """Send an alert, whatever is answered."""
        response = requests.post(
            self.output("WebhookUrl"),
            data=alert,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            proxies={"https": self.emulator.address},
            verify=str(self.emulator.certificate),
            timeout=PATIENCE_SECONDS,
        )
        body = response.json()
        return Answer(response.status_code, response.headers, body, body.pop("request_id", ""), response.text)

    def send_event(self, event: Mapping[str, Any]) -> Answer:
        """Send the body of an event of API Gateway."""
        return self.post(b64decode(event["body"]) if event["isBase64Encoded"] else event["body"])

    def orderhook(self, *arguments: str, **environment: str) -> Result:
        """Run a command about this stack."""
        given = self.emulator.environment | environment
        return CliRunner().invoke(app, [*arguments, "--stack", self.name], env=given)

    def data(self, *arguments: str) -> Any:
        result = self.orderhook(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def new_key(self, *arguments: str) -> str:
        key: str = self.data("keys", "create", *arguments)["key"]
        return key

    def send_message(self, queue: str, body: str) -> None:
        """Put a message into a queue of the stack, whose policy, if it has one, admits nobody but the stack's own."""
        sqs, url = self.client("sqs"), self.resources[queue]
        policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        if policy:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        sqs.send_message(QueueUrl=url, MessageBody=body)
        if policy:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=policy)

    @property
    def services(self) -> Services:
        """The stores over the stack's table."""
        return connection.connect(TableAddress(self.output("TableName"), self.emulator.address), os.environ)

    def log(self, function: str) -> list[dict[str, Any]]:
        """Return the lines that a function has logged as JSON."""
        found = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{self.name}-{function}")["events"]
        return [json.loads(event["message"]) for event in found if event["message"].startswith("{")]

    def _adapt_to_emulator(self) -> None:
        template = self.client("cloudformation").get_template(StackName=self.name, TemplateStage="Processed")
        resources = template["TemplateBody"]["Resources"]
        for api in ("Api", "ConsoleApi"):
            if api in self.resources:
                self._import_routes(api, resources[api]["Properties"]["Body"])
        self._allow_schedules()
        if "Table" in self.resources:
            self._set_up_table(resources["Table"]["Properties"])

    def _set_up_table(self, properties: dict[str, Any]) -> None:
        """Turn expiry and backups on as the template does: the emulator passes both by."""
        table, name = self.client("dynamodb"), self.resources["Table"]
        if table.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"] != "ENABLED":
            table.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
        recovery = properties["PointInTimeRecoverySpecification"]
        table.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)

    def _import_routes(self, name: str, body: dict[str, Any]) -> None:
        """Make what the API's definition asks for: the emulator reads none."""
        gateway, resources = self.client("apigatewayv2"), self.resources
        api = resources[name]
        there = {route["RouteKey"]: route["Target"] for route in gateway.get_routes(ApiId=api)["Items"]}
        for path, methods in _where_it_holds(body["paths"]).items():
            for method, operation in methods.items():
                definition = operation["x-amazon-apigateway-integration"]
                [(called, function)] = re.findall(r"functions/\$\{(\w+)(\.Arn)?\}/", definition["uri"]["Fn::Sub"])
                settings = {
                    "ApiId": api,
                    # An alias is called by its ARN, which is its id; a function by its own.
                    "IntegrationUri": self._arn(resources[called]) if function else resources[called],
                    "PayloadFormatVersion": definition["payloadFormatVersion"],
                    "TimeoutInMillis": definition["timeoutInMillis"],
                }
                key = "$default" if path == "/$default" else f"{method.upper()} {path}"
                if key in there:
                    gateway.update_integration(IntegrationId=there[key].rpartition("/")[2], **settings)
                else:
                    made = gateway.create_integration(IntegrationType="AWS_PROXY", **settings)
                    gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{made['IntegrationId']}")

    def _arn(self, function: str) -> str:
        found = self.client("lambda").get_function(FunctionName=function)
        return str(found["Configuration"]["FunctionArn"])

    def _allow_schedules(self) -> None:
        """Allow for the group `default` what is allowed for the stack's own: the emulator takes every group for it."""
        iam, resources = self.client("iam"), self.resources
        own = f"/{resources['ScheduleGroup']}/"
        writers = ("WebhookRole", "DeferredRole", "ConsoleRole")
        for role in (resources[name] for name in writers if name in resources):
            policies = set(iam.list_role_policies(RoleName=role)["PolicyNames"]) - {"default-group"}
            documents = [iam.get_role_policy(RoleName=role, PolicyName=it)["PolicyDocument"] for it in policies]
            statements = [json.dumps(statement) for document in documents for statement in document["Statement"]]
            allowed = [json.loads(text.replace(own, "/default/")) for text in statements if own in text]
            text = json.dumps({"Version": documents[0]["Version"], "Statement": allowed})
            iam.put_role_policy(RoleName=role, PolicyName="default-group", PolicyDocument=text)


def wait_for(look: Callable[[], Found | None], seconds: float = PATIENCE_SECONDS) -> Found:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found
