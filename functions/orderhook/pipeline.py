"""The way of an alert once its sender is known: fields to commands, past the controls, to their result.

The webhook takes it at once, and the function behind the queue when a delay is over: the same code for both.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from orderhook.accounts import per_account
from orderhook.admission import (
    beyond_limits,
    beyond_venue,
    counters,
    pass_controls,
    uncounted_if_nothing_is_done,
    within_limits,
)
from orderhook.aws.budget import Fault, may_have_written, result_in_time, run_each, unavailable
from orderhook.aws.deadline import DeadlineError
from orderhook.commands import Command, command_type, parse_command, parse_fields
from orderhook.commands.kill_switch import KillSwitch
from orderhook.errors import (
    AlertWarning,
    CommandNotAllowedError,
    ControlError,
    OrderhookError,
    OutcomeUnknownError,
    RateLimitedError,
    TemporarilyUnavailableError,
)
from orderhook.keys import Key
from orderhook.messages import DelayedAlert
from orderhook.orders import timestamp
from orderhook.outcome import AccountResults, Outcome
from orderhook.payload import Pair, Remark
from orderhook.provenance import Provenance
from orderhook.rate_limit import Rate
from orderhook.request_facts import RequestFacts
from orderhook.resend import LATEST, first_of_accounts, first_receipt
from orderhook.services import Services
from orderhook.store.bridge import BridgeState
from orderhook.store.rates import Counter
from orderhook.trade_window import day_in_new_york

if TYPE_CHECKING:
    from concurrent.futures import Future

    from orderhook.commands.contracts import Meaning
    from orderhook.store.alert_log import Earlier, RecordedResult


class Alert(NamedTuple):
    """An alert that was understood: its command for each account, and what the trader should know of its fields."""

    commands: Mapping[str, Command]
    """By account; an alert for one account has one command, under the name ""."""
    warnings: tuple[AlertWarning, ...]
    fields: Mapping[str, str]
    """What it was made of, so that it can be made again."""
    heeds_kill_switch: bool = True
    strict_kill_switch: bool = False
    """Whether its trader wants nothing to pass a kill switch that is on, not even what reduces risk."""
    instrument: "Meaning | None" = None
    """What its instrument means, where it names one."""

    @property
    def first(self) -> Command:
        """The command; of several, which differ in accounts and ids alone, the first."""
        return next(iter(self.commands.values()))

    def due(self, received_at: datetime) -> datetime:
        """Return when its delay is over."""
        return received_at + timedelta(seconds=self.first.delay)


def parse_alert(
    pairs: Iterable[Pair],
    key: Key,
    facts: RequestFacts,
    *,
    received: datetime | None = None,
    is_json: bool = True,
    remarks: Iterable[Remark] = (),
) -> Alert:
    """Make an alert of its pairs; raises the PayloadError of the first bad one, and CommandNotAllowedError.

    When it was received decides what its instrument means; without that it is left as it is. In JSON, and in what was
    parsed once already, no value can have swallowed the next field, and there are no remarks.
    """
    pairs = list(pairs)
    kind = command_type(pairs)
    facts.command = kind.word
    if not key.allows(kind.word):
        raise CommandNotAllowedError(f"This key may not give {kind.word}; use one that may.", field="command")
    fields, warnings = parse_fields(kind, pairs, is_json=is_json, remarks=remarks)
    alert = alert_of(kind, fields, warnings, on=day_in_new_york(received) if received else None)
    facts.instrument = alert.instrument
    facts.repeatable = alert.first.repeatable
    several = len(alert.commands) > 1
    facts.order_id = fields.get("order_id") if several else getattr(alert.first, "order_id", None)
    facts.strategy_id = fields.get("strategy_id") if several else getattr(alert.first, "strategy_id", None)
    # The kill switch itself must pass, or it could not be turned off.
    passes = kind is KillSwitch or (kind.risk_reducing and not key.strict_kill_switch)
    return alert._replace(heeds_kill_switch=not passes, strict_kill_switch=key.strict_kill_switch)


def alert_of(
    kind: type[Command], fields: Mapping[str, str], warnings: Iterable[AlertWarning] = (), *, on: date | None = None
) -> Alert:
    """Make the command of its fields, for each account; raises the PayloadError of the first bad one.

    The day in New York decides what its instrument means; None leaves it as it is.
    """
    commands: dict[str, Command] = {}
    collected = list(warnings)
    used = kind.alert_fields()
    meaning: Meaning | None = None
    if on is not None and "instrument" in fields and "instrument" in used:
        from orderhook.commands import contracts  # no cold start waits for it where an alert has no instrument

        meaning = contracts.meaning(kind, fields["instrument"], on)
        collected += contracts.check(kind, meaning.name, on)
    for account, own in per_account(fields, used).items():
        commands[account], of_values = parse_command(kind, {**own, **(meaning.fields if meaning else {})})
        collected += of_values
    # What is said of each account is said once.
    return Alert(commands, tuple(dict.fromkeys(collected)), fields, instrument=meaning)


def as_first_received(alert: Alert, services: Services, provenance: Provenance, facts: RequestFacts) -> Alert:
    """Return an alert as it was meant when it was first received: `ES1!`, sent again just after its roll.

    Only where the instrument changes its meaning within the time of resends, which is at midnight in New York, the
    alert leaves a trace for that, and one is looked for.
    """
    meaning, received = alert.instrument, provenance.received_on
    if meaning is None or meaning.root:
        return alert
    from orderhook.commands import contracts

    if contracts.is_steady(meaning.sent, day_in_new_york(received - LATEST), day_in_new_york(received + LATEST)):
        return alert
    first = services.traces.leave(provenance, "INSTRUMENT", partial(first_receipt, services, provenance))
    if first is None:
        return alert
    on = day_in_new_york(datetime.fromisoformat(first.received_at))
    name = contracts.meaning(type(alert.first), meaning.sent, on).name
    # By its own name, so that a message of it which waits for its delay means that too.
    fields = {**alert.fields, "instrument": name}
    warnings = [warning for warning in alert.warnings if warning.code not in contracts.OF_MEANING]
    again = alert_of(type(alert.first), fields, warnings, on=on)
    facts.instrument = meaning._replace(name=name)
    return alert._replace(commands=again.commands, warnings=again.warnings, fields=fields, instrument=facts.instrument)


def carry_out(
    alert: Alert,
    services: Services,
    provenance: Provenance,
    *,
    delayed: bool = False,
    defects: list[Exception] | None = None,
    as_recorded: "AsRecorded | None" = None,
) -> Outcome:
    """Do what an alert says, or raise the OrderhookError that says why not.

    An alert with a delay is deferred, and done when this is called again with `delayed` under the same request id; its
    rate limit counted it the first time. A PLACE with a delay is done at once: its order waits in the table. For
    several accounts it is done at once, each with a request id of its own that begins with the alert's. The error of
    one account does not keep the others from being served: it stands for all, with the result of each. Nor does a
    defect: `defects` takes it. With `as_recorded`, which reads a record's result of an account, a resend is answered so
    where the first wrote nothing.
    """
    defects = [] if defects is None else defects
    alert.first.check_venue(services.venue)
    if not within_limits(alert, provenance):
        return _of_each(alert, provenance, partial(_run, services, None), defects)
    try:
        only_reducing, bridge = pass_controls(alert, services, provenance, delayed=delayed)
    except ControlError as refusal:
        return _of_each(alert, provenance, partial(_run_refused, services, refusal), defects)

    def do() -> Outcome:
        if alert.first.delay and not delayed and not alert.first.waits_in_table:
            if only_reducing:
                _check_one_reduces(alert, services, provenance, only_reducing)
            return _defer(alert, services, provenance)  # the controls judge it again when its delay is over
        run = partial(_run_reducing, services, only_reducing) if only_reducing else partial(_run, services, bridge)
        if len(alert.commands) == 1 or as_recorded is None:
            return _of_each(alert, provenance, run, defects)
        first_received, earlier = first_of_accounts(services, provenance)
        answered = _answered(alert, services, earlier, as_recorded) if earlier else {}
        return _of_each(alert, provenance._replace(first_received=first_received), run, defects, answered)

    counted = () if delayed else counters(alert, provenance)
    return uncounted_if_nothing_is_done(counted, services, provenance, do)


def _answered(alert: Alert, services: Services, earlier: "Earlier", as_recorded: "AsRecorded") -> Mapping[str, "Run"]:
    """Return, of a resend, what answers it in accounts where no earlier receipt of it wrote anything, as it did then.

    There none has left a trace, and what has come in since must not be taken for what it meant.
    """
    return {
        account: partial(_run_as_then, services, as_recorded(result))
        for number, (account, result) in enumerate(zip(alert.commands, earlier.results, strict=False), 1)
        if 400 <= result.status < 500
        or (result.status < 400 and result.duplicate and str(number) not in earlier.stops.values())
    }


def _run_as_then(
    services: Services, then: Outcome | OrderhookError, command: Command, provenance: Provenance
) -> Outcome:
    """Answer as an earlier receipt was answered; where the orders still tell what that had done, with all they tell."""
    if isinstance(then, OrderhookError):
        raise then
    return command.already_done(services, provenance) or then


def give_up(
    alert: Alert, services: Services, provenance: Provenance, refusal: OrderhookError, defects: list[Exception]
) -> Outcome:
    """Return what an alert has done under this request id, or raise `refusal`: each account is looked at by itself."""
    return _of_each(alert, provenance, partial(_run_refused, services, refusal), defects)


def _run(services: Services, bridge: BridgeState | None, command: Command, provenance: Provenance) -> Outcome:
    """Do what the limits of the key and the venue allow, and answer a resend of what they allowed then."""
    refusal = beyond_limits(command, provenance) or beyond_venue(bridge, command, services, provenance)
    if refusal:
        return _run_refused(services, refusal, command, provenance)
    if command.may_enlarge and provenance.limits and provenance.limits.rate:
        return _run_enlarging(services, provenance.limits.rate, command, provenance)
    return command.run(services, provenance)


def _run_enlarging(services: Services, rate: Rate, command: Command, provenance: Provenance) -> Outcome:
    """Do what may make an order larger: as a new order it counts among those of its key, once the order shows that."""
    larger = RateLimitedError("The order would become larger.")
    try:
        return _run_reducing(services, larger, command, provenance)
    except RateLimitedError as error:
        if error is not larger:
            raise
    counter = Counter.for_key(provenance.key_id, rate, 1)
    services.rates.count(provenance, counter, partial(first_receipt, services, provenance))
    run = partial(command.run, services, provenance)
    return uncounted_if_nothing_is_done([counter], services, provenance, run)


def _check_one_reduces(alert: Alert, services: Services, provenance: Provenance, refusal: ControlError) -> None:
    """Raise unless at least one account's command makes what is at stake smaller; each is judged after the delay."""
    for command in alert.commands.values():
        try:
            return command.check_reduces(services, provenance, refusal)
        except ControlError:
            continue
    raise refusal


def _run_refused(services: Services, refusal: OrderhookError, command: Command, provenance: Provenance) -> Outcome:
    """Answer a resend of what was done, which nothing refuses."""
    if outcome := command.already_done(services, provenance):
        return outcome
    raise refusal


def _run_reducing(services: Services, refusal: ControlError, command: Command, provenance: Provenance) -> Outcome:
    """Do what a control lets pass that refuses the rest: a resend of what was done, and what only reduces risk."""
    if outcome := command.already_done(services, provenance):
        return outcome
    return command.reduce(services, provenance, refusal)


def as_answered(error: OrderhookError, facts: RequestFacts) -> OrderhookError:
    """Return the error to answer with: TradingView sends an alert again that is told "temporarily unavailable".

    Where that could place a second order, the error is OutcomeUnknownError instead. Either says its reason.
    """
    if fault := facts.why(error):
        error.extra = {"reason": fault.reason, **error.extra}
    if not isinstance(error, TemporarilyUnavailableError) or facts.repeatable or not may_have_written():
        return error
    results = [
        (account, _unknown(f"{facts.request_id}.{number}") if isinstance(it, TemporarilyUnavailableError) else it)
        for number, (account, it) in enumerate(error.results, 1)
    ]
    affected = tuple(order_id for _, result in results for order_id in affected_order_ids(result))
    unanswered = [account for account, it in results if isinstance(it, OutcomeUnknownError)]
    where = f"{len(unanswered)} of {len(results)} accounts could not be answered. Account {', '.join(unanswered)}: "
    detail = f"{where}{_UNKNOWN}" if unanswered else _ALL_ANSWERED
    unknown = (
        OutcomeUnknownError(detail, results=results, affected_order_ids=affected, warnings=error.warnings)
        if results
        else _unknown(facts.request_id)
    )
    unknown.extra = {**unknown.extra, "reason": facts.reason}
    unknown.__cause__ = error.__cause__
    return unknown


def cut_off(facts: RequestFacts) -> TemporarilyUnavailableError:
    """Return the error of an alert that its deadline has ended, with what is known by then of accounts and orders."""
    if not facts.faults:
        facts.faults.append(Fault(DeadlineError.__name__))
    results = [
        (account, _result(future, facts.defects) if future.done() else unavailable())
        for account, future in facts.progress.accounts
    ]
    of_accounts = [order_id for _, result in results for order_id in affected_order_ids(result)]
    affected = tuple(dict.fromkeys([*of_accounts, *facts.progress.ended]))
    return TemporarilyUnavailableError(
        UNANSWERED, results=results, affected_order_ids=affected, warnings=_warnings(results)
    )


UNANSWERED = "This alert could not be answered. Send it again; it is safe."
"""Whatever the reason: what was done of it is not done twice."""

_ALL_ANSWERED = "It was cut off, but what became of it in each account is known: see `results`. Do not send it again."

_UNKNOWN = "The order may or may not have been placed: look before you send it again. An order_id makes that safe."


def _unknown(order_id: str) -> OutcomeUnknownError:
    """Return the result of an alert, or of an account, whose order, if it was placed, has this id."""
    return OutcomeUnknownError(_UNKNOWN, extra={"order_id": order_id}, affected_order_ids=(order_id,))


def _defer(alert: Alert, services: Services, provenance: Provenance) -> Outcome:
    due = timestamp(alert.due(provenance.received_on))
    waiting = DelayedAlert(
        trader=provenance.trader,
        key_id=provenance.key_id,
        request_id=provenance.request_id,
        received_at=provenance.received_at,
        fields=alert.fields,
        digest=provenance.digest,
        due=due,
    )
    services.deferred_for("delay").send(waiting, alert.first.delay)
    results = [
        (account, beyond_limits(command, provenance) or _scheduled(command))
        for account, command in alert.commands.items()
    ]
    if any(isinstance(result, OrderhookError) for _, result in results):
        return _joined(results)
    return Outcome("scheduled", extra={"due": due}, results=results if len(results) > 1 else ())


def _scheduled(command: Command) -> Outcome:
    return Outcome("scheduled", order_id=getattr(command, "order_id", None))


Run = Callable[[Command, Provenance], Outcome]
AsRecorded = Callable[["RecordedResult"], Outcome | OrderhookError]


def _of_each(
    alert: Alert,
    provenance: Provenance,
    run: Run,
    defects: list[Exception],
    answered: "Mapping[str, Run]" = MappingProxyType({}),
) -> Outcome:
    """Run the command of each account, or what answers it already, and return one outcome for all."""
    if len(alert.commands) == 1:
        return run(alert.first, provenance)

    def run_one(numbered: tuple[int, tuple[str, Command]]) -> Outcome | OrderhookError:
        number, (account, command) = numbered
        own = provenance._replace(request_id=f"{provenance.request_id}.{number}")
        try:
            return answered.get(account, run)(command, own)
        except OrderhookError as error:
            return error

    futures = run_each(run_one, list(enumerate(alert.commands.items(), 1)))
    accounts = list(zip(alert.commands, futures, strict=True))
    if provenance.progress:
        provenance.progress.accounts = accounts
    return _joined([(account, _result(future, defects)) for account, future in accounts])


def _result(future: "Future[Outcome | OrderhookError]", defects: list[Exception]) -> Outcome | OrderhookError:
    try:
        return result_in_time(future)
    except TemporarilyUnavailableError as error:
        return error
    except Exception as defect:
        defects.append(defect)
        return TemporarilyUnavailableError("This account could not be served. Send the same alert again; it is safe.")


def _joined(results: AccountResults) -> Outcome:
    """Return one outcome for all accounts, or raise one error for all: if there is one, what may be sent again."""
    affected = tuple(order_id for _, result in results for order_id in affected_order_ids(result))
    refused = [(account, result) for account, result in results if isinstance(result, OrderhookError)]
    if refused:
        account, error = min(refused, key=lambda refusal: not isinstance(refusal[1], TemporarilyUnavailableError))
        detail = f"{len(refused)} of {len(results)} accounts were refused. Account {account}: {error.detail}"
        raise type(error)(
            detail,
            field=error.field,
            state=error.state,
            results=results,
            affected_order_ids=affected,
            warnings=_warnings(results),
        ) from error.__cause__
    outcomes = [result for _, result in results if isinstance(result, Outcome)]
    fresh = [outcome for outcome in outcomes if not outcome.is_duplicate]
    # What was done in one account is not hidden by there being nothing to do in another.
    did_something = [outcome for outcome in fresh if outcome.status != "nothing_to_cancel"]
    return Outcome(
        status=(did_something or fresh or outcomes)[0].status,
        duplicate=None if fresh else True,
        warnings=_warnings(results),
        results=results,
        affected_order_ids=affected,
    )


_OF_FIELDS = frozenset(("no_order_id", "ignored_field", "oco_without_venue", "atm_strategy"))
"""The warnings of commands that are of an alert's fields, and the same in every account."""


def _warnings(results: AccountResults) -> tuple[AlertWarning, ...]:
    """Return what is said of the accounts: of the alert's fields once, of what was done with the account's name."""
    told = (
        warning if warning.code in _OF_FIELDS else warning._replace(detail=f"Account {account}: {warning.detail}")
        for account, result in results
        for warning in result.warnings
    )
    return tuple(dict.fromkeys(told))


def affected_order_ids(result: Outcome | OrderhookError) -> Sequence[str]:
    """Return the ids of the orders that a result is about."""
    return result.affected_order_ids if isinstance(result, OrderhookError) else result.order_ids
