"""What a deployment asks: a function that is to get traffic, and CodeDeploy, which gives it."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

REQUEST = {"check": "before traffic"}
"""What the webhook is asked. No event of API Gateway's looks like this, so nobody can ask from outside."""

READY = {"ready": True}
"""What it must answer."""

_ALIAS = "live"
"""Which version has the traffic; a new one gets it by this name (AutoPublishAlias)."""

_SECONDS = 20
"""A function that starts for the first time may take this long."""


class Deployment:
    """The clients of Lambda and CodeDeploy, made once."""

    def __init__(self) -> None:
        config = Config(read_timeout=_SECONDS, retries={"mode": "standard", "total_max_attempts": 2})
        self._lambda: Any = boto3.client("lambda", config=config)
        self._code_deploy: Any = boto3.client("codedeploy", config=config)

    def ask(self, function: str, request: Mapping[str, Any]) -> Any:
        """Return what a function answers; one that fails answers with an `errorType`."""
        answer = self._lambda.invoke(FunctionName=function, Payload=json.dumps(request))
        return json.loads(answer["Payload"].read())

    def table_in_use(self, version: str) -> str:
        """Return the table of the version that has the traffic, by the ARN of any version of its function."""
        settings = self._lambda.get_function_configuration(FunctionName=version.rpartition(":")[0], Qualifier=_ALIAS)
        return str(settings["Environment"]["Variables"]["ORDERHOOK_TABLE"])

    def report(self, event: Mapping[str, Any], *, passed: bool) -> None:
        """Tell CodeDeploy whether traffic may be shifted; without a word it waits for an hour."""
        self._code_deploy.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Succeeded" if passed else "Failed",
        )
