"""`orderhook notify`: how a trader is told of what needs a person, without looking."""

import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from getpass import getpass
from typing import Annotated, Any, Literal

import typer

from cli import connection
from cli.aws import notifying
from cli.operator_records import leave_record, operators_provenance
from cli.options import TableOptions, examples, takes_table_options
from cli.plain import App
from cli.terminal import BAD, GOOD, USAGE, WARNING, fail, print_json, print_line, print_table, print_text, readable_time
from orderhook.notifying import destinations
from orderhook.notifying.channels import EMAIL
from orderhook.notifying.quiet import QuietHours
from orderhook.orders import timestamp
from orderhook.services import Services
from orderhook.store.notices import MOST_TRIES, BridgeSeen, Notifying, Told

_SET = "orderhook notify set --stack orderhook"
_TEST = "orderhook notify test --stack orderhook"
_LIST = "orderhook notify list --stack orderhook"

app = App(
    no_args_is_help=True,
    help="Be told of what needs a person, without looking.",
    epilog=examples(_SET, _TEST, _LIST),
)

_SHOWN = ("service", "ends", "email", "quiet", "zone")
"""The settings that stand in the record."""

_SHOWN_OF_TOLD = ("name", "channel", "at", "title", "state", "tries", "reason")

_MOST_LISTED = 20
_TEST_SECONDS = 90
"""A stack looks once a minute where nobody can tell it to look at once."""

_POLL_SECONDS = 0.5

_BESIDE_OPTIONS = (
    "Nothing was set: only options belong behind `set`. The URL is asked for, since what is typed in a command stays "
    "in the shell's history: if yours stands there now, delete it where it was made, and make another."
)
_LOCAL = "A server on this machine tells you in its own terminal, and sends nothing"


@app.command(
    "set",
    context_settings={"allow_extra_args": True},
    epilog=examples(
        _SET, f"{_SET} --quiet 22:00-07:00", f"{_SET} --zone Europe/Berlin", f"{_SET} --email no", f"{_SET} --off"
    ),
)
@takes_table_options(without=["local_times", "as_json"])
def set_notify(
    options: TableOptions,
    context: typer.Context,
    off: Annotated[bool, typer.Option("--off", help="Forget the URL: no outgoing webhook any more.")] = False,
    email: Annotated[
        Literal["yes", "no"] | None,
        typer.Option(metavar="yes|no", help="Whether the stack's AlarmEmail or AlarmTopicArn is told. At first it is."),
    ] = None,
    quiet: Annotated[
        str | None,
        typer.Option(metavar="HOURS", help="When only what cannot wait is told, such as 22:00-07:00; none ends that."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Their time zone.  [default: America/New_York]")
    ] = None,
) -> None:
    """Set where a trader is told, and when not.

    Without an option it asks for the URL of a webhook of Discord's, Slack's or Telegram's, or reads it from standard
    input: docs/operate.md says where each gives it out. It is a secret: SSM keeps it, and nothing shows it.
    """
    if context.args:
        fail(_BESIDE_OPTIONS, USAGE)  # without the words themselves: a URL is a secret
    url = _ask_url(options.stack) if not (off or email or quiet or zone) else None
    with options.services_of_trader() as (services, trader, _):
        stack = _stack(options.stack)
        before = services.notices.settings(trader)
        changes = _changes(before, url, email, quiet, zone, off=off)
        after = before._replace(**changes)
        if url and stack:
            notifying.keep_url(stack, trader, url)
        # What was refused before a way was there is not told by it now.
        for way in _ways_opened(before, after):
            services.notices.begin_summing(trader, way, connection.aws_clock.now())
        if not (before.email or before.service):
            # Nobody has looked since, so that nobody knows whether it was back meanwhile.
            services.notices.advance_bridge(trader, before.bridge, BridgeSeen())
        services.notices.change(trader, **changes)
        fields = {name: _field(changes[name]) for name in changes if name in _SHOWN}
        problem = leave_record(services, operators_provenance(trader), "NOTIFY", "notify_set", fields)
        if off and stack:
            notifying.forget_url(stack, trader)
        print_text(_in_words(after, stack), GOOD)
        if not _ways(after, stack):
            print_text("Nobody is told of anything.", WARNING)
        elif url and stack:
            print_line(f"Try it: {_TEST.replace('--stack orderhook', f'--stack {stack.name}')}")
    if problem:
        fail(problem)


@app.command("test", epilog=examples(_TEST))
@takes_table_options(without=["local_times", "as_json"])
def test_notify(options: TableOptions) -> None:
    """Tell the trader something, and see what becomes of it.

    It goes all the way, by each way there is: the stack's queue, its function, and the service. Quiet hours do not hold
    it back. The exit code is 1 if it did not get there by one of them.
    """
    with options.services_of_trader() as (services, trader, _):
        stack = _stack(options.stack)
        ways = _ways(services.notices.settings(trader), stack)
        if not ways and stack:
            fail(
                f"Nobody would be told: there is no outgoing webhook, and {_no_email(stack)}. "
                f"Set one: orderhook notify set --stack {stack.name}"
            )
        test_id, now = secrets.token_hex(8), connection.aws_clock.now()
        services.notices.change(trader, test=test_id, test_at=timestamp(now))
        if stack and (reason := notifying.have_look(stack)):
            print_text(f"The stack could not be told to look at once ({reason}); it looks within a minute.", WARNING)
        failed = False
        for way, became in _wait(services, trader, test_id, ways):
            is_sent = became is not None and became.state == "sent"
            failed |= not is_sent
            print_text(
                f"{way}: {_became(became)}{_WHO_GETS_IT.get(way, '') if is_sent else ''}", GOOD if is_sent else BAD
            )
    if failed:
        raise typer.Exit(1)


_WHO_GETS_IT = {
    EMAIL: ", to every address that has confirmed its subscription",
    "terminal": ": it stands in the window of the server",
}


@app.command("list", epilog=examples(_LIST, f"{_LIST} --json"))
@takes_table_options()
def list_notices(options: TableOptions) -> None:
    """Show how a trader is told, and what was told last."""
    with options.services_of_trader() as (services, trader, _):
        stack = _stack(options.stack)
        settings = services.notices.settings(trader)
        latest = list(services.notices.latest(trader, _MOST_LISTED))
        ways = _ways(settings, stack)
    if options.as_json:
        shown = {"service": settings.service, "url_ends": settings.ends or None, "email": settings.email}
        hours = {"quiet": settings.quiet, "zone": settings.zone if settings.quiet else None}
        told = [{field: getattr(it, field) for field in _SHOWN_OF_TOLD} for it in latest]
        print_json({"trader": trader, **shown, **hours, "ways": ways, "told": told})
        return
    print_text(_in_words(settings, stack))
    if not ways:
        print_text("Nobody is told of anything.", WARNING)
    if not latest:
        print_text("Nothing was told yet.")
        return
    rows = [[readable_time(it.at), it.channel, _became(it), it.title] for it in latest]
    print_table(["time", "way", "state", "what"], rows)


def _stack(name: str | None) -> notifying.Stack | None:
    return notifying.find_stack(name) if name else None


def _ask_url(stack: str | None) -> str:
    """Ask for the URL, which no terminal shows and no history keeps, and check it."""
    if not stack:
        fail(f"{_LOCAL}: a URL is for a stack. Add --stack NAME.", USAGE)
    asked = getpass("URL of the webhook (not shown): ") if _is_typed() else sys.stdin.readline()
    url = asked.strip()
    if not url:
        fail("No URL was given. Paste the one that Discord, Slack or Telegram gives out, or use --off.", USAGE)
    try:
        destinations.service_of(url)
    except ValueError as error:
        fail(f"Nothing was set: {error}", USAGE)
    return url


def _is_typed() -> bool:
    return sys.stdin.isatty()


def _changes(
    before: Notifying, url: str | None, email: str | None, quiet: str | None, zone: str | None, *, off: bool
) -> dict[str, Any]:
    changes = _quiet_changes(before, quiet, zone)
    if email:
        changes["email"] = email == "yes"
    if off:
        changes |= {"service": None, "ends": ""}
    if url:
        changes |= {"service": destinations.service_of(url), "ends": destinations.ends(url)}
    return changes


def _quiet_changes(before: Notifying, quiet: str | None, zone: str | None) -> dict[str, Any]:
    if quiet == "none":
        if zone is not None:
            fail("Nothing was set: --zone goes with hours; leave it out with --quiet none.", USAGE)
        return {"quiet": None}
    if quiet is None and zone is None:
        return {}
    hours = quiet or before.quiet
    if hours is None:
        fail("Nothing was set: --zone goes with hours; write --quiet 22:00-07:00 too.", USAGE)
    try:
        read = QuietHours.parse(hours, zone or before.zone)
    except ValueError as error:
        fail(f"Nothing was set: {error}", USAGE)
    return {"quiet": read.text, "zone": read.zone}


def _field(value: str | bool | None) -> str:
    """Return what the record says of a setting."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value or "none"


def _ways_opened(before: Notifying, after: Notifying) -> Iterator[str]:
    if after.email and not before.email:
        yield EMAIL
    if after.service and after.service != before.service:
        yield after.service


def _ways(settings: Notifying, stack: notifying.Stack | None) -> list[str]:
    """Return by which ways a trader is told."""
    return notifying.ways_of(stack, settings) if stack else ["terminal"]


def _wait(services: Services, trader: str, test_id: str, ways: Sequence[str]) -> list[tuple[str, Told | None]]:
    """Return what became of a test by each way, None where nobody has taken it up in time."""
    ends, name = time.monotonic() + _TEST_SECONDS, f"test {test_id}"
    while True:
        became = [(way, services.notices.told(trader, way, [name]).get(name)) for way in ways]
        if all(it and it.state != "claimed" for _, it in became) or time.monotonic() > ends:
            return became
        time.sleep(_POLL_SECONDS)


def _became(told: Told | None) -> str:
    if told is None:
        return f"nobody has told it within {_TEST_SECONDS} s"
    tries = f"not sent, try {told.tries} of {MOST_TRIES}"
    words = {"claimed": "nobody knows whether it was sent", "not reached": tries}
    return words.get(told.state, told.state) + (f": {told.reason}" if told.reason else "")


def _in_words(settings: Notifying, stack: notifying.Stack | None) -> str:
    quiet = f" Quiet from {settings.quiet.replace('-', ' to ')}, {settings.zone}." if settings.quiet else ""
    if not stack:
        return f"{_LOCAL}.{quiet}"
    is_mailed = settings.email and stack.has_topic
    email = "yes" if is_mailed else f"no, for {_no_email(stack)}"
    webhook = f"{settings.service.title()}, by the URL that ends in {settings.ends}" if settings.service else "none"
    return f"E-mail: {email}. Outgoing webhook: {webhook}.{quiet}"


def _no_email(stack: notifying.Stack) -> str:
    return "`--email no` was set" if stack.has_topic else "the stack has no AlarmEmail"
