"""Codes and sessions of the console in the table, and in the process of a console on somebody's own machine."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from orderhook.console.sessions import ProcessSessions, Sessions
from orderhook.errors import OrderhookError
from orderhook.grants import ACTS_FOR, CODE_FOR, SESSION_FOR, UNUSED_FOR, Grant
from orderhook.limits import Limits
from orderhook.store import items
from orderhook.store.sessions import CACHED_FOR, NOTED_EVERY, TableSessions
from orderhook.store.table import Table
from tests.faults import deny, internal_error, lose_response, run_before, throttle
from tests.service import Service

NOW = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def of_table(service: Service) -> TableSessions:
    """Return what an instance of its own has."""
    return TableSessions(Table(service.table.handlers_client, service.table.name))


@pytest.fixture(params=["table", "process"])
def sessions(request: pytest.FixtureRequest) -> Sessions:
    service: Service = request.getfixturevalue("service")
    return of_table(service) if request.param == "table" else ProcessSessions()


@pytest.fixture
def stored(service: Service) -> TableSessions:
    return of_table(service)


def signed_in(sessions: Sessions, grant: Grant | None = None, now: datetime = NOW) -> str:
    token = sessions.redeem(sessions.issue_code(grant or Grant(), now), now)
    assert token
    return token


def is_there(sessions: Sessions, token: str, now: datetime = NOW, *, renew: bool = False) -> bool:
    return sessions.find(token, now, consistently=True, renew=renew) is not None


# Codes


def test_a_code_opens_one_session_with_what_it_grants(sessions: Sessions) -> None:
    limits = Limits(accounts=("Sim101",), instruments=("ES1!",), max_qty=2, max_orders_per_minute=3)
    grant = Grant("anna", "phone", read_only=True, limits=limits)
    code = sessions.issue_code(grant, NOW)
    token = sessions.redeem(code, NOW)
    assert token
    found = sessions.find(token, NOW, consistently=True, renew=False)
    assert found
    assert (found.grant, found.signed_in, found.used) == (grant, NOW, NOW)
    assert sessions.redeem(code, NOW) is None
    assert is_there(sessions, token)


def test_a_code_is_redeemed_within_five_minutes(sessions: Sessions) -> None:
    early, late = (sessions.issue_code(Grant(), NOW) for _ in range(2))
    assert sessions.redeem(late, NOW + CODE_FOR) is None
    assert sessions.redeem(early, NOW + CODE_FOR - MOMENT)


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "A" * 44, "ä" * 43, "\ud800" * 43, "../" * 14 + "a"])
def test_what_is_no_code_opens_nothing(sessions: Sessions, code: str) -> None:
    sessions.issue_code(Grant(), NOW)
    assert sessions.redeem(code, NOW) is None
    assert not is_there(sessions, code)


def test_the_condition_itself_asks_the_clock(service: Service, stored: TableSessions) -> None:
    code = stored.issue_code(Grant(), NOW)
    stored.redeem(code, NOW + CODE_FOR)
    [transaction] = [it for it in service.network.requests if it.operation == "TransactWriteItems"]
    assert "#until > :now" in transaction.payload["TransactItems"][0]["Update"]["ConditionExpression"]


def test_the_table_has_nothing_that_lets_somebody_in(service: Service, stored: TableSessions) -> None:
    code = stored.issue_code(Grant(), NOW)
    token = stored.redeem(code, NOW)
    assert token
    held = str(service.table.read_all())
    assert code not in held
    assert token not in held
    assert {item["pk"]["S"] for item in service.table.read_all()} >= {items.SIGN_IN_CODES, items.SESSIONS}


def test_codes_and_sessions_expire(service: Service, stored: TableSessions) -> None:
    signed_in(stored)
    [code], [session] = service.table.read(items.SIGN_IN_CODES), service.table.read(items.SESSIONS)
    assert int(code["expires"]["N"]) == (NOW + CODE_FOR).timestamp()
    assert int(session["expires"]["N"]) == (NOW + UNUSED_FOR).timestamp()


def test_what_is_no_code_by_its_form_costs_no_request(service: Service, stored: TableSessions) -> None:
    stored.redeem("no code", NOW)
    stored.find("no token", NOW, consistently=True, renew=True)
    assert service.network.requests == []


def test_a_code_opens_no_second_session_between_its_reading_and_its_use(
    service: Service, stored: TableSessions
) -> None:
    code = stored.issue_code(Grant(), NOW)
    other = TableSessions(service.services.table)
    tokens: list[str | None] = []
    service.network.inject("TransactWriteItems", run_before(lambda: tokens.append(other.redeem(code, NOW))))
    assert stored.redeem(code, NOW) is None
    assert tokens[0]
    assert len(service.table.read(items.SESSIONS)) == 1


def test_an_answer_that_is_lost_opens_one_session_all_the_same(service: Service, stored: TableSessions) -> None:
    code = stored.issue_code(Grant(), NOW)
    service.network.inject("TransactWriteItems", lose_response)
    token = stored.redeem(code, NOW)
    assert token
    assert is_there(stored, token)
    assert stored.redeem(code, NOW) is None
    assert len(service.table.read(items.SESSIONS)) == 1


def test_a_code_whose_every_answer_is_lost_opens_no_second_session(service: Service, stored: TableSessions) -> None:
    code = stored.issue_code(Grant(), NOW)
    service.network.inject("TransactWriteItems", *[lose_response] * 9)
    with pytest.raises(OrderhookError):
        stored.redeem(code, NOW)
    service.network.inject("TransactWriteItems")
    assert stored.redeem(code, NOW) is None
    assert len(service.table.read(items.SESSIONS)) == 1


def test_a_code_whose_issuing_lost_its_answer_is_good(service: Service, stored: TableSessions) -> None:
    service.network.inject("PutItem", lose_response)
    assert stored.redeem(stored.issue_code(Grant(), NOW), NOW)


@pytest.mark.engine_only("moto keeps conditional writes apart by luck alone")
def test_of_many_who_redeem_a_code_at_once_one_is_let_in(service: Service) -> None:
    instances = [of_table(service) for _ in range(8)]
    for _ in range(5):
        code = instances[0].issue_code(Grant(), NOW)
        with ThreadPoolExecutor(len(instances)) as pool:
            tokens = list(pool.map(lambda instance, code=code: _redeemed(instance, code), instances))
        assert len([token for token in tokens if token]) == 1
    assert len(service.table.read(items.SESSIONS)) == 5


def _redeemed(instance: TableSessions, code: str) -> str | None:
    while True:
        try:
            return instance.redeem(code, NOW)
        except OrderhookError:
            continue  # the table had too many at once


# Sessions


def test_a_session_ends_after_thirty_days_however_it_is_used(sessions: Sessions) -> None:
    token = signed_in(sessions)
    for day in range(30):
        assert is_there(sessions, token, NOW + timedelta(days=day), renew=True)
    assert is_there(sessions, token, NOW + SESSION_FOR - MOMENT)
    assert not is_there(sessions, token, NOW + SESSION_FOR)


def test_a_session_ends_after_seven_days_without_use_and_a_poll_is_no_use(sessions: Sessions) -> None:
    token = signed_in(sessions)
    used = NOW + timedelta(days=6)
    assert is_there(sessions, token, used, renew=True)
    assert is_there(sessions, token, used + timedelta(days=6), renew=False)
    assert not is_there(sessions, token, used + UNUSED_FOR)


def test_after_twelve_hours_a_session_only_reads_and_stops(sessions: Sessions) -> None:
    token = signed_in(sessions)
    for now, may_act in ((NOW + ACTS_FOR - MOMENT, True), (NOW + ACTS_FOR, False)):
        session = sessions.find(token, now, consistently=True, renew=True)
        assert session
        assert (session.may_act(now), session.may_stop) == (may_act, True)


def test_a_session_that_only_looks_neither_acts_nor_stops(sessions: Sessions) -> None:
    session = sessions.find(signed_in(sessions, Grant(read_only=True)), NOW, consistently=True, renew=False)
    assert session
    assert not session.may_act(NOW)
    assert not session.may_stop


def test_a_use_is_noted_once_an_hour(service: Service, stored: TableSessions) -> None:
    token = signed_in(stored)
    service.network.forget()
    for now in (NOW + MOMENT, NOW + NOTED_EVERY - MOMENT):
        assert is_there(stored, token, now, renew=True)
    assert "UpdateItem" not in service.network.operations
    for _ in range(3):
        assert is_there(stored, token, NOW + NOTED_EVERY, renew=True)
        assert is_there(of_table(service), token, NOW + NOTED_EVERY, renew=True)
    assert service.network.operations.count("UpdateItem") == 1
    [session] = service.table.read(items.SESSIONS)
    assert int(session["expires"]["N"]) == (NOW + NOTED_EVERY + UNUSED_FOR).timestamp()


@pytest.mark.parametrize("fault", [throttle, internal_error, lose_response, deny], ids=lambda fault: fault.name)
def test_where_a_use_cannot_be_noted_the_page_comes_nevertheless(
    service: Service, stored: TableSessions, fault: object
) -> None:
    token = signed_in(stored)
    service.network.inject("UpdateItem", fault)  # type: ignore[arg-type]
    assert is_there(stored, token, NOW + NOTED_EVERY, renew=True)


def test_what_only_looks_may_be_told_what_was_known_half_a_minute_ago(service: Service, stored: TableSessions) -> None:
    token = signed_in(stored)
    of_table(service).end(token)

    def found(now: datetime, *, consistently: bool) -> bool:
        return stored.find(token, now, consistently=consistently, renew=False) is not None

    assert found(NOW + CACHED_FOR - MOMENT, consistently=False)
    assert not found(NOW + CACHED_FOR, consistently=False)


def test_what_does_something_is_told_what_is_known_now(service: Service, stored: TableSessions) -> None:
    token = signed_in(stored)
    of_table(service).end(token)
    assert not is_there(stored, token)
    # And from then on nobody is told otherwise.
    assert stored.find(token, NOW, consistently=False, renew=False) is None


# Ending


def test_a_session_that_was_ended_is_over_at_once_and_its_use_brings_it_not_back(sessions: Sessions) -> None:
    token, other = signed_in(sessions), signed_in(sessions)
    for _ in range(2):
        sessions.end(token)
        assert sessions.find(token, NOW, consistently=False, renew=True) is None
    assert is_there(sessions, other)


def test_all_sessions_of_a_trader_are_ended_and_nobody_elses(sessions: Sessions) -> None:
    mine = [signed_in(sessions, Grant("anna")) for _ in range(3)]
    others = signed_in(sessions, Grant("ben"))
    sessions.end(mine[0])
    assert sessions.end_all("anna", NOW) == 2
    assert not any(is_there(sessions, token) for token in mine)
    assert is_there(sessions, others)
    assert sessions.end_all("anna", NOW) == 0


def test_what_is_over_anyway_is_not_counted(sessions: Sessions) -> None:
    signed_in(sessions)
    assert sessions.end_all("main", NOW + UNUSED_FOR) == 0


def test_a_code_that_waits_opens_nothing_after_all_were_ended(sessions: Sessions) -> None:
    mine, others = (sessions.issue_code(Grant(trader), NOW) for trader in ("anna", "ben"))
    sessions.end_all("anna", NOW)
    assert sessions.redeem(mine, NOW) is None
    assert sessions.redeem(others, NOW)


@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
def test_nobody_signs_in_behind_the_back_of_whoever_ends_all(
    service: Service, stored: TableSessions, operation: str
) -> None:
    code = stored.issue_code(Grant(), NOW)
    other = TableSessions(service.services.table)
    ends_all: Callable[[], object] = lambda: other.end_all("main", NOW)  # noqa: E731
    service.network.inject(operation, run_before(ends_all))
    assert stored.redeem(code, NOW) is None
    assert service.table.read(items.SESSIONS) == []
