"""`orderhook notify`: how a trader is told of what needs a person, without looking."""

import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from getpass import getpass
from typing import Annotated, Any, Literal

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli import connection
from cli.aws_errors import told as aws_told
from cli.connection import TableError
from cli.operator_records import leave_record, operators_provenance
from cli.options import TableOptions, examples, takes_table_options
from cli.plain import App
from cli.terminal import BAD, GOOD, USAGE, fail, print_json, print_line, print_table, print_text, readable_time
from orderhook.aws.doorbell import LOOK
from orderhook.notifying import destinations
from orderhook.notifying.channels import EMAIL, url_parameter
from orderhook.notifying.quiet import QuietHours
from orderhook.orders import timestamp
from orderhook.services import Services
from orderhook.store.notices import Notifying, Told

_SET = "orderhook notify set --stack orderhook"
_TEST = "orderhook notify test --stack orderhook"
_LIST = "orderhook notify list --stack orderhook"

app = App(
    no_args_is_help=True,
    help="Be told of what needs a person: by e-mail, and by Discord, Slack or Telegram.",
    epilog=examples(_SET, _TEST, _LIST),
)

_SHOWN = ("service", "ends", "email", "quiet", "zone")
"""The settings that stand in the record."""

_MOST_LISTED = 20
_TEST_SECONDS = 90
"""A stack looks once a minute where nobody can tell it to look at once."""

_POLL_SECONDS = 0.5

_LOCAL = "A server on this machine tells you in its own terminal, and sends nothing"


@app.command(
    "set",
    epilog=examples(
        _SET,
        f"{_SET} --quiet 22:00-07:00 --zone Europe/Berlin",
        f"{_SET} --email no",
        f"{_SET} --off",
    ),
)
@takes_table_options(without=["local_times", "as_json"])
def set_notify(
    options: TableOptions,
    off: Annotated[bool, typer.Option("--off", help="Forget the URL: no outgoing webhook any more.")] = False,
    email: Annotated[
        Literal["yes", "no"] | None,
        typer.Option(metavar="yes|no", help="Whether the stack's AlarmEmail or AlarmTopicArn is told. At first it is."),
    ] = None,
    quiet: Annotated[
        str | None,
        typer.Option(metavar="HOURS", help="Hours in which only what cannot wait is told: 22:00-07:00, or none."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Their time zone.  [default: America/New_York]")
    ] = None,
) -> None:
    """Set where a trader is told, and when not.

    Without an option it asks for the URL of a webhook of Discord's, Slack's or Telegram's: docs/operate.md says where
    they give it out. It is a secret, kept in SSM and shown nowhere. It may come by standard input, too.
    """
    url = _ask_url(options.stack) if not (off or email or quiet or zone) else None
    with options.services_of_trader() as (services, trader, _):
        before = services.notices.settings(trader)
        changes: dict[str, Any] = _quiet_changes(before, quiet, zone)
        if email:
            changes["email"] = email == "yes"
        if off:
            changes |= {"service": None, "ends": None}
        if url:
            changes |= {"service": destinations.service_of(url), "ends": destinations.ends(url)}
        if url:
            _keep(str(options.stack), trader, url)
        # What was refused before a way was there is not told by it now.
        for way in _ways_opened(before, changes):
            services.notices.begin_summing(trader, way, connection.aws_clock.now())
        services.notices.change(trader, **changes)
        if off and options.stack:
            _forget(options.stack, trader)
        fields = {name: "none" if it is None else str(it) for name, it in changes.items() if name in _SHOWN}
        problem = leave_record(services, operators_provenance(trader), "NOTIFY", "notify_set", fields)
        print_text(_in_words(services.notices.settings(trader), options.stack), GOOD)
        if url:
            print_line(f"Try it: {_TEST.replace('--stack orderhook', f'--stack {options.stack}')}")
    if problem:
        fail(problem)


@app.command("test", epilog=examples(_TEST))
@takes_table_options(without=["local_times", "as_json"])
def test_notify(options: TableOptions) -> None:
    """Tell the trader something by every way there is, and wait for what becomes of it.

    It goes all the way: by the stack's queue, its function, and the service.
    """
    with options.services_of_trader() as (services, trader, _):
        settings = services.notices.settings(trader)
        ways = _ways(settings, options.stack)
        if not ways:
            fail(
                f"Nobody would be told: stack {options.stack} has no AlarmEmail, or --email no was said, and there is "
                f"no outgoing webhook. `{_SET}` sets one."
            )
        test_id, now = secrets.token_hex(8), connection.aws_clock.now()
        services.notices.change(trader, test=test_id, test_at=timestamp(now))
        if options.stack:
            _ring(options.stack)
        failed = False
        for way, became in _wait(services, trader, test_id, ways):
            is_sent = became is not None and became.state == "sent"
            failed |= not is_sent
            print_text(f"{way}: {_became(became)}", GOOD if is_sent else BAD)
    if failed:
        raise typer.Exit(1)


@app.command("list", epilog=examples(_LIST, f"{_LIST} --json"))
@takes_table_options()
def list_notices(options: TableOptions) -> None:
    """Show how a trader is told, and what was told last."""
    with options.services_of_trader() as (services, trader, _):
        settings = services.notices.settings(trader)
        latest = list(services.notices.latest(trader, _MOST_LISTED))
        ways = _ways(settings, options.stack)
    if options.as_json:
        shown = {"service": settings.service, "url_ends": settings.ends or None, "email": settings.email}
        hours = {"quiet": settings.quiet, "zone": settings.zone if settings.quiet else None}
        told = [it._asdict() for it in latest]
        print_json({"trader": trader, **shown, **hours, "ways": ways, "told": told})
        return
    print_text(_in_words(settings, options.stack))
    if not ways:
        print_text("Nobody is told of anything.", BAD)
    rows = [[readable_time(it.at), it.channel, _became(it), it.title] for it in latest]
    print_table(["TIME", "WAY", "STATE", "WHAT"], rows)


def _ask_url(stack: str | None) -> str:
    """Ask for the URL, which no terminal shows and no history keeps, and check it."""
    if not stack:
        fail(f"{_LOCAL}: a URL is for a stack. Add --stack NAME.", USAGE)
    asked = getpass("URL (not shown): ") if sys.stdin.isatty() else sys.stdin.readline()
    url = asked.strip()
    if not url:
        fail("No URL was given. Paste the one that Discord, Slack or Telegram gives out, or use --off.", USAGE)
    try:
        destinations.service_of(url)
    except ValueError as error:
        fail(f"Nothing was set: {error}", USAGE)
    return url


def _quiet_changes(before: Notifying, quiet: str | None, zone: str | None) -> dict[str, Any]:
    if quiet == "none":
        return {"quiet": None}
    if quiet is None and zone is None:
        return {}
    hours = quiet or before.quiet
    if hours is None:
        fail("--zone goes with --quiet: write `--quiet 22:00-07:00` too.", USAGE)
    try:
        read = QuietHours.parse(hours, zone or before.zone)
    except ValueError as error:
        fail(f"Nothing was set: {error}", USAGE)
    return {"quiet": read.text, "zone": read.zone}


def _ways_opened(before: Notifying, changes: Mapping[str, Any]) -> Iterator[str]:
    if changes.get("email") and not before.email:
        yield EMAIL
    if changes.get("service") and changes["service"] != before.service:
        yield changes["service"]


def _keep(stack: str, trader: str, url: str) -> None:
    try:
        boto3.client("ssm").put_parameter(
            Name=url_parameter(stack, trader),
            Description="Where orderhook tells of what needs a person; set by `orderhook notify set`",
            Value=url,
            Type="SecureString",
            Overwrite=True,
        )
    except (BotoCoreError, ClientError) as error:
        raise TableError(f"The URL cannot be kept in SSM, and nothing was set: {aws_told(error)}.") from None


def _forget(stack: str, trader: str) -> None:
    ssm = boto3.client("ssm")
    try:
        ssm.delete_parameter(Name=url_parameter(stack, trader))
    except ssm.exceptions.ParameterNotFound:
        return
    except (BotoCoreError, ClientError) as error:
        raise TableError(
            f"No webhook is called any more, but its URL is still in SSM as {url_parameter(stack, trader)}: "
            f"{aws_told(error)}."
        ) from None


def _ring(stack: str) -> None:
    """Have the stack look at once; where it cannot be told, it looks within a minute."""
    try:
        url = connection.stack_output(stack, "NotifyQueueUrl")
        boto3.client("sqs").send_message(QueueUrl=url, MessageBody=LOOK)
    except (BotoCoreError, ClientError) as error:
        print_text(f"The stack could not be told to look at once ({aws_told(error)}); it does within a minute.")


def _ways(settings: Notifying, stack: str | None) -> list[str]:
    """Return by which ways a trader is told."""
    if not stack:
        return ["terminal"]
    has_topic = any(connection.stack_parameter(stack, name) for name in ("AlarmEmail", "AlarmTopicArn"))
    by_email = ["e-mail"] if settings.email and has_topic else []
    return by_email + ([settings.service] if settings.service else [])


def _wait(services: Services, trader: str, test_id: str, ways: Sequence[str]) -> "list[tuple[str, Told | None]]":
    """Return what became of a test by each way, None where nobody has taken it up in time."""
    ends = time.monotonic() + _TEST_SECONDS
    while True:
        became = [(way, services.notices.told(trader, way, f"test {test_id}")) for way in ways]
        if all(it and it.state != "claimed" for _, it in became) or time.monotonic() > ends:
            return became
        time.sleep(_POLL_SECONDS)


def _became(told: Told | None) -> str:
    if told is None:
        return f"nobody has told it within {_TEST_SECONDS} s"
    words = {"claimed": "nobody knows whether it was sent", "not reached": "not sent"}
    return words.get(told.state, told.state) + (f": {told.reason}" if told.reason else "")


def _in_words(settings: Notifying, stack: str | None) -> str:
    quiet = f" Quiet from {settings.quiet.replace('-', ' to ')}, {settings.zone}." if settings.quiet else ""
    if not stack:
        return f"{_LOCAL}.{quiet}"
    webhook = f"{settings.service.title()}, by the URL that ends in {settings.ends}" if settings.service else "none"
    return f"E-mail: {'yes' if settings.email else 'no'}. Outgoing webhook: {webhook}.{quiet}"
