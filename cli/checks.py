"""The checks of `orderhook verify`, each over what AWS, the table or the webhook says; a check yields what it finds."""

import hmac
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from cli import tradingview
from cli.aws.table import read_template
from orderhook.administration import describe_limits, describe_scopes
from orderhook.keys import key_id_of
from orderhook.services import Services
from orderhook.store.notices import Told

_RECORD_SECONDS = 5
"""How long to look for the record of an alert; it is written within the alert's time budget."""


class Finding(NamedTuple):
    """What a check found, in one sentence."""

    result: Literal["ok", "warning", "failed"]
    about: str
    detail: str


Findings = Iterator[Finding]


def check_status(status: str) -> Findings:
    """Say how the last deployment ended."""
    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        yield Finding("ok", "stack", f"is deployed ({status})")
    elif status == "UPDATE_ROLLBACK_COMPLETE":
        yield Finding("warning", "stack", f"runs the version before: the last deployment was rolled back ({status})")
    elif status.endswith("_IN_PROGRESS"):
        yield Finding("warning", "stack", f"is being changed ({status}): look again when that is done")
    else:
        yield Finding("failed", "stack", f"is {status}: see its events in CloudFormation")


def check_endpoint(url: str) -> Findings:
    """Say whether an alert without a key is refused as it must be."""
    try:
        status, answer = tradingview.post(url, b"command=CANCEL; order_id=verify;")
    except tradingview.UnreachableError as error:
        yield Finding("failed", "endpoint", str(error))
        return
    match status, answer.get("error"):
        case 401, "invalid_secret_key":
            yield Finding("ok", "endpoint", f"{url} answers, and refuses an alert without a key (401)")
        case 403, "source_not_allowed":
            detail = "answers, but not to this machine, whose address SourceAllowList does not have: no alert was tried"
            yield Finding("warning", "endpoint", f"{url} {detail}")
        case 429, _:
            yield Finding("warning", "endpoint", f"{url} is throttled at this moment (429): no alert was tried")
        case _:
            word = answer.get("error", "no error code")
            yield Finding(
                "failed", "endpoint", f"{url} answers an alert without a key {status}, {word}, in place of 401"
            )


def check_table(table: Mapping[str, Any], expiry: Mapping[str, Any], backups: Mapping[str, Any]) -> Findings:
    """Say whether a table, as DynamoDB describes it, is as the template makes it."""
    wanted = read_template()["Resources"]["Table"]["Properties"]
    name = table["TableName"]
    if _schema(table) != _schema(wanted):
        detail = f"{name} has not the keys pk and sk and the local index `open`, which a table gets when it is made"
        yield Finding("failed", "table", detail)
    elif table["TableStatus"] not in ("ACTIVE", "UPDATING"):
        yield Finding("failed", "table", f"{name} is {table['TableStatus']}")
    else:
        yield Finding("ok", "table", f"{name} has its keys and its index, and about {table.get('ItemCount', 0)} items")
    attribute = wanted["TimeToLiveSpecification"]["AttributeName"]
    if expiry.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING") or expiry.get("AttributeName") != attribute:
        detail = f"{name} keeps what is finished for ever: turn time to live on, by the attribute `{attribute}`"
        yield Finding("warning", "table", detail)
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        yield Finding("warning", "table", f"{name} cannot be restored: turn point-in-time recovery on")
    if not table.get("DeletionProtectionEnabled"):
        yield Finding("warning", "table", f"{name} can be deleted by mistake: turn deletion protection on")


def _schema(table: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what of a table cannot be changed once it is made."""

    def keys(of: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(key["KeyType"], key["AttributeName"]) for key in of["KeySchema"]]

    indexes = table.get("LocalSecondaryIndexes", [])
    return keys(table), {index["IndexName"]: (keys(index), index["Projection"]["ProjectionType"]) for index in indexes}


def check_key(services: Services, secret: str | None) -> Findings:
    """Say whether the table has this key; without one, whether it has any."""
    if not secret:
        if not any(key.takes_alerts for key in services.keys.list()):
            yield Finding("failed", "key", "the table has none that is valid: every alert is answered 401")
        else:
            yield Finding("warning", "key", "none is given, so no alert was sent: set ORDERHOOK_KEY to try one")
        return
    key_id = key_id_of(secret)
    key = services.keys.get(key_id) if key_id else None
    if key_id is None:
        yield Finding("failed", "key", "what is given is not a key: it was cut, or mistyped")
    elif key is None or not hmac.compare_digest(sha256(secret.encode()).digest(), key.digest):
        yield Finding("failed", "key", f"{key_id} is not in this table: the key is another stack's, or mistyped")
    elif key.revoked:
        yield Finding("failed", "key", f"{key_id} has been revoked since {key.revoked}")
    else:
        described = ", ".join(filter(None, (describe_scopes(key), describe_limits(key.limits))))
        yield Finding("ok", "key", f"{key_id} is valid for {described} of trader {key.trader}")


def check_round_trip(stack: str, url: str, services: Services, secret: str, *, keeps_records: bool) -> Findings:
    """Send a CANCEL of an order that does not exist, and say whether it is answered and recorded as it must be."""
    alert = f"key={secret}; command=CANCEL; order_id=verify-{secrets.token_hex(16)};"
    started = time.monotonic()
    try:
        status, answer = tradingview.post(url, alert.encode())
    except tradingview.UnreachableError as error:
        yield Finding("failed", "alert", str(error))
        return
    took = f"{time.monotonic() - started:.2f} s"
    word = answer.get("error")
    if word == "order_not_found":
        yield Finding("ok", "alert", f"a CANCEL of an order that does not exist is answered so (404, {took})")
    elif word in ("command_not_allowed", "kill_switch_on"):
        yield Finding("ok", "alert", f"a CANCEL is answered {status}, {word}, as this key has it ({took})")
    else:
        detail = f"a CANCEL of an order that does not exist is answered {status}, {word}, in place of 404 ({took})"
        yield Finding("failed", "alert", detail)
        return
    if not keeps_records:
        yield Finding("ok", "record", "none is kept of any alert (AlertRetentionDays is 0)")
    elif _is_recorded(services, secret, str(answer.get("request_id"))):
        yield Finding("ok", "record", f"`orderhook alerts show {answer['request_id']} --stack {stack}` shows it")
    else:
        yield Finding("failed", "record", "there is none of it: look for `alert not recorded` in the function's log")


def _is_recorded(services: Services, secret: str, request_id: str) -> bool:
    key = services.keys.get(key_id_of(secret) or "")
    until = time.monotonic() + _RECORD_SECONDS
    while key is not None:
        if services.alert_log.get(key.trader, request_id) is not None:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return False


def check_alarms(
    names: Sequence[str], alarms: Sequence[Mapping[str, Any]], subscribers: Mapping[str, Sequence[str]]
) -> Findings:
    """Say whether the alarms are there, and who hears of them: `subscribers` by topic."""
    if missing := sorted(set(names) - {alarm["AlarmName"] for alarm in alarms}):
        yield Finding("failed", "alarms", f"are not all there: {', '.join(missing)}; deploy again")
    if muted := [alarm["AlarmName"] for alarm in alarms if not alarm.get("ActionsEnabled", True)]:
        yield Finding("warning", "alarms", f"are muted: {', '.join(muted)}")
    if ringing := [alarm["AlarmName"] for alarm in alarms if alarm.get("StateValue") == "ALARM"]:
        yield Finding("warning", "alarms", f"ring now: {', '.join(ringing)}; their descriptions say what to do")
    if untold := [alarm["AlarmName"] for alarm in alarms if not alarm.get("AlarmActions")]:
        which = "any of them" if len(untold) == len(alarms) else ", ".join(untold)
        yield Finding("warning", "alarms", f"nobody is told of {which}: set AlarmEmail or AlarmTopicArn, and deploy")
    for topic, subscriptions in subscribers.items():
        confirmed = [each for each in subscriptions if each.startswith("arn:")]
        if not confirmed:
            why = "whoever subscribed has not confirmed it" if subscriptions else "nobody has subscribed to it"
            yield Finding("warning", "alarms", f"nobody is told by {topic}: {why}")
        elif len(confirmed) < len(subscriptions):
            yield Finding("warning", "alarms", f"a subscription of {topic} is not confirmed")
        else:
            yield Finding("ok", "alarms", f"{len(alarms)}, which {topic} tells {len(confirmed)} subscribers of")


class Way(NamedTuple):
    """A way by which a trader is told, and what is known of it."""

    name: str
    has_url: bool = True
    """Whether its URL is where the function reads it; by e-mail none is needed."""
    last: Told | None = None
    """What was told last by it."""


def check_schedule(state: str | None) -> Findings:
    """Say whether the schedule by which a stack looks what there is to tell is there, and enabled."""
    if state is None:
        yield Finding(
            "failed", "notify", "nobody looks what there is to tell: the stack's schedule is gone; deploy again"
        )
    elif state != "ENABLED":
        yield Finding("failed", "notify", f"nobody looks what there is to tell: the stack's schedule is {state}")


def check_ways(stack: str, trader: str, ways: Sequence[Way]) -> Findings:
    """Say by which ways a trader is told of what needs a person, and which of them leads nowhere."""
    if not ways:
        how = f"set AlarmEmail, or run `orderhook notify set --stack {stack}`"
        yield Finding("warning", "notify", f"trader {trader} is told of nothing that needs a person: {how}")
        return
    bad = False
    for way in ways:
        again = f"run `orderhook notify set --stack {stack}`"
        if not way.has_url:
            bad = True
            yield Finding("failed", "notify", f"the URL for {way.name} of trader {trader} is not in SSM: {again}")
        elif way.last and way.last.state != "sent":
            bad = True
            why = f": {way.last.reason}" if way.last.reason else ""
            detail = f"the last message to trader {trader} by {way.name} is {way.last.state}{why}"
            yield Finding("warning", "notify", f"{detail}; try `orderhook notify test --stack {stack}`")
    if not bad:
        names = " and ".join(way.name for way in ways)
        yield Finding("ok", "notify", f"trader {trader} is told by {names} of what needs a person")
