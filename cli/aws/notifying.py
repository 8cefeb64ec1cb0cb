"""What of a stack has its trader told: its queue, its topic, and the URL that SSM keeps."""

from typing import NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cli import connection
from cli.aws_errors import told
from cli.connection import TableError
from orderhook.aws.doorbell import LOOK
from orderhook.notifying.channels import EMAIL, url_parameter
from orderhook.store.notices import Notifying


class Stack(NamedTuple):
    """A deployed stack, as far as it tells its trader."""

    name: str
    queue_url: str
    has_topic: bool
    """Whether it has AlarmEmail or AlarmTopicArn."""


def find_stack(name: str) -> Stack:
    """Return a deployed stack; raises TableError if it cannot be read, or tells nobody yet."""
    queue_url = connection.stack_outputs(name).get("NotifyQueueUrl")
    if queue_url is None:
        raise TableError(
            f"Stack {name} has no output NotifyQueueUrl, so it is older, or not orderhook's: deploy it again."
        )
    parameters = connection.stack_parameters(name)
    return Stack(name, queue_url, any(parameters.get(it) for it in ("AlarmEmail", "AlarmTopicArn")))


def ways_of(stack: Stack, settings: Notifying) -> list[str]:
    """Return by which ways a stack tells its trader."""
    by_email = [EMAIL] if settings.email and stack.has_topic else []
    return by_email + ([settings.service] if settings.service else [])


def keep_url(stack: Stack, trader: str, url: str) -> None:
    """Keep the URL in SSM; raises TableError, which has nothing of the URL in it."""
    try:
        boto3.client("ssm").put_parameter(
            Name=url_parameter(stack.name, trader),
            Description="Where orderhook tells of what needs a person; set by `orderhook notify set`",
            Value=url,
            Type="SecureString",
            Overwrite=True,
        )
    except (BotoCoreError, ClientError) as error:
        reason = told(error).replace(url, "the URL")  # what AWS refuses it may quote
        raise TableError(f"The URL cannot be kept in SSM, and nothing was set: {reason}.") from None


def forget_url(stack: Stack, trader: str) -> None:
    """Delete the URL in SSM, if it is there; raises TableError."""
    name = url_parameter(stack.name, trader)
    ssm = boto3.client("ssm")
    try:
        ssm.delete_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        return
    except (BotoCoreError, ClientError) as error:
        raise TableError(
            f"No webhook is called any more, but SSM still has its URL, as {name}: {told(error)}."
        ) from None


def have_look(stack: Stack) -> str | None:
    """Have a stack look at once; return why it could not be told to, and so looks within a minute only."""
    try:
        boto3.client("sqs").send_message(QueueUrl=stack.queue_url, MessageBody=LOOK)
    except (BotoCoreError, ClientError) as error:
        return told(error)
    return None
