"""Commands over many orders, and alerts for several accounts, that come again: no lost answer makes them tell less."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.builders import alert, lists
from tests.client_faults import in_requests_with
from tests.faults import lose_request, lose_response, no_fault, throttle
from tests.output import Answer
from tests.service import Service

UPDATE, PUT, READ, QUERY = "UpdateItem", "PutItem", "GetItem", "Query"

MANY: Mapping[str, dict[str, Any]] = {
    "CANCELORDERS": {"command": "CANCELORDERS", "account": "Sim101"},
    "CANCELALLORDERS": {"command": "CANCELALLORDERS"},
    "CLOSESTRATEGY": {"command": "CLOSESTRATEGY", "strategy_id": "s"},
}
every_command = pytest.mark.parametrize("fields", MANY.values(), ids=list(MANY))

OF_A: Mapping[str, Any] = {"strategy_id": "s", "stop_loss": 4980}


def have_open_stop(service: Service, account: str = "Sim101", order_id: str = "a", **fields: Any) -> None:
    """Have a position whose stop works, and an order besides."""
    service.place(order_id, **{**OF_A, "account": account, **fields})
    service.report("Filled", 5, order_id=order_id)
    service.place(f"{order_id}-other", **{**OF_A, "account": account, **fields})
    service.warm_up()


def text_of(service: Service, fields: Mapping[str, Any]) -> str:
    return alert({"key": service.key, **fields})


def lose(service: Service, body: str, part: str, fault: Any) -> Answer:
    """Have requests with this text in them meet a fault, so that the alert is answered 503."""
    service.network.always = in_requests_with(part, fault)
    answer = service.post(body)
    service.network.always = no_fault
    assert (answer.status, answer.word) == (503, "temporarily_unavailable"), answer.body
    return answer


def resend(service: Service, body: str, seconds: float = 5) -> Answer:
    service.let_pass(seconds)
    return service.post(body)


def bare(answer: Answer) -> list[str]:
    """Return what an answer says of what is filled and has no stop."""
    return [it["detail"] for it in answer.body.get("warnings", []) if it["code"] == "unprotected_quantity"]


def protected_by(*stops: str) -> list[str]:
    return [f"What is filled stays, and has no stop now: {', '.join(stops)} protected it."]


def protected_until_closed_by(*stops: str) -> list[str]:
    told = "`orderhook alerts show` tells when that is done."
    return [f"What is filled may have no stop until it is closed: {', '.join(stops)} protected it. {told}"]


# The stops of what is filled


@every_command
def test_a_resend_tells_of_the_stop_that_the_first_has_cancelled(service: Service, fields: dict[str, Any]) -> None:
    have_open_stop(service)
    body = text_of(service, fields)
    first = lose(service, body, '"ORDER#a-other"', throttle)
    assert (first.body["cancelled"], bare(first)) == (["a.STOP1"], protected_by("a.STOP1"))
    answer = resend(service, body)
    assert (answer.status, answer.body["cancelled"], bare(answer)) == (200, ["a-other"], protected_by("a.STOP1"))


@every_command
@pytest.mark.parametrize("at_venue", [False, True], ids=["without a venue", "with a venue"])
def test_a_resend_tells_of_the_stop_of_whose_end_the_first_never_heard(
    service: Service, fields: dict[str, Any], *, at_venue: bool
) -> None:
    if at_venue:
        service.use_venue()
    have_open_stop(service)
    body = text_of(service, fields)
    first = lose(service, body, '"ORDER#a', lose_response)
    # The bridge ends the stop of a strategy itself, once it knows that it can close it.
    is_closed = at_venue and fields["command"] == "CLOSESTRATEGY"
    told = (protected_until_closed_by if is_closed else protected_by)("a.STOP1")
    remaining = ["a-other"] if is_closed else ["a-other", "a.STOP1"]
    assert (first.body["remaining"], bare(first)) == (remaining, told if is_closed else [])
    answer = resend(service, body)
    assert (answer.status, bare(answer)) == (200, told)


@pytest.mark.parametrize("fields", [MANY["CLOSESTRATEGY"], {"command": "FLATTENEVERYTHING"}], ids=str)
def test_what_is_closed_is_said_to_have_no_stop_until_then_whatever_is_lost(
    service: Service, fields: dict[str, Any]
) -> None:
    service.use_venue()
    have_open_stop(service)
    body = text_of(service, fields)
    told = protected_until_closed_by("a.STOP1")
    assert bare(lose(service, body, '"ORDER#a-other"', throttle)) == told
    assert bare(resend(service, body)) == told


@every_command
@pytest.mark.parametrize("kept", [True, False], ids=["records", "no records"])
def test_the_third_tells_of_the_stop_that_the_second_has_cancelled(
    service: Service, fields: dict[str, Any], *, kept: bool
) -> None:
    if not kept:
        service.record_nothing()
    have_open_stop(service)
    body = text_of(service, fields)
    service.network.inject(QUERY, *[lose_request] * 6)
    assert service.post(body).status == 503
    service.network.inject(QUERY)
    service.let_pass(5)
    assert bare(lose(service, body, '"ORDER#a-other"', throttle)) == protected_by("a.STOP1")
    assert bare(resend(service, body)) == protected_by("a.STOP1")


def test_a_resend_tells_of_the_stop_whose_end_the_venue_has_reported_meanwhile(service: Service) -> None:
    service.use_venue()
    have_open_stop(service)
    body = text_of(service, MANY["CANCELORDERS"])
    lose(service, body, '"ORDER#a-other"', throttle)
    service.answer_want("Cancelled", "a.STOP1")
    assert bare(resend(service, body)) == protected_by("a.STOP1")


def test_a_resend_says_nothing_of_a_stop_that_another_alert_has_cancelled(service: Service) -> None:
    have_open_stop(service)
    body = text_of(service, MANY["CANCELORDERS"])
    lose(service, body, '"ORDER#a', throttle)
    assert service.cancel("a.STOP1").status == 200
    answer = resend(service, body)
    assert (answer.body["cancelled"], bare(answer)) == (["a-other"], [])


def test_a_new_alert_says_nothing_of_the_stop_that_an_answered_one_has_cancelled(service: Service) -> None:
    service.use_venue()
    have_open_stop(service)
    body = text_of(service, MANY["CANCELORDERS"])
    assert bare(service.post(body)) == protected_by("a.STOP1")
    service.network.forget()
    answer = resend(service, body, 20)
    assert (answer.body["cancel_pending"], bare(answer)) == (["a-other", "a.STOP1"], [])
    assert service.network.operations == [PUT, READ, PUT, QUERY, UPDATE, UPDATE, "SendMessage"]


def test_a_resend_looks_at_each_stop_once_and_at_nothing_else_more(service: Service) -> None:
    have_open_stop(service)
    body = text_of(service, MANY["CANCELORDERS"])
    lose(service, body, '"ORDER#a-other"', throttle)
    service.network.forget()
    resend(service, body)
    met, noted = [PUT, READ], [UPDATE]  # the trace and the record of the first, and that it is answered now
    assert service.network.operations == [*met, QUERY, UPDATE, READ, *noted]


def test_a_stop_that_cannot_be_looked_at_is_to_be_asked_for_again(service: Service) -> None:
    have_open_stop(service)
    body = text_of(service, MANY["CANCELORDERS"])
    lose(service, body, '"ORDER#a', lose_response)
    service.let_pass(5)
    again = lose(service, body, '"ORDER#a.STOP1"', throttle)
    assert again.body["remaining"] == ["a.STOP1"]
    assert bare(resend(service, body)) == protected_by("a.STOP1")


@pytest.mark.parametrize(
    "fields",
    [
        {"command": "CANCELORDERS", "account": "A,B"},
        {"command": "CLOSESTRATEGY", "account": "A,B", "strategy_id": "s"},
    ],
    ids=lambda fields: fields["command"],
)
def test_each_account_of_a_resent_list_is_told_of_its_own_stop(service: Service, fields: dict[str, Any]) -> None:
    for account in ("A", "B"):
        have_open_stop(service, account, f"{account.lower()}", strategy_id=f"s.{account.lower()}")
    body = text_of(service, fields)
    lose(service, body, '"ORDER#b-other"', throttle)
    service.let_pass(5)
    lose(service, body, '"ORDER#b-other"', throttle)
    answer = resend(service, body)
    assert answer.status == 200, answer.body
    told = {account: f"Account {account}: {protected_by(f'{account.lower()}.STOP1')[0]}" for account in ("A", "B")}
    assert bare(answer) == [*told.values()]


@every_command
def test_a_stop_that_has_closed_its_part_protects_nothing(service: Service, fields: dict[str, Any]) -> None:
    service.use_venue()
    service.place("a", **OF_A)
    service.report("PartFilled", 2, order_id="a")
    service.report("PartFilled", 2, order_id="a.STOP1")
    answer = service.send(**fields)
    spared = fields["command"] == "CLOSESTRATEGY"  # for the bridge
    assert answer.body.items() >= lists(cancel_pending=["a"] if spared else ["a", "a.STOP1"]).items()
    assert bare(answer) == []


def test_with_nothing_left_a_resend_does_not_ask_how_the_account_is_spelt(service: Service) -> None:
    have_open_stop(service)
    service.place("elsewhere", account="Sim102")
    body = text_of(service, MANY["CANCELORDERS"])
    lose(service, body, '"ORDER#a', lose_response)
    answer = resend(service, body)
    [nothing] = [it["detail"] for it in answer.body["warnings"] if it["code"] == "nothing_to_cancel"]
    assert nothing.startswith("No open order matches any more: ")


# Three receipts of an alert for several accounts


CANCEL: Mapping[str, Any] = {"command": "CANCEL", "order_id": "ENTRY1", "strategy_id": "s", "account": "A,B"}


@pytest.mark.parametrize("kept", [True, False], ids=["records", "no records"])
def test_what_the_second_was_answered_in_an_account_holds_for_the_third(service: Service, *, kept: bool) -> None:
    """Where it wrote nothing it has left no trace, and the name leads to another order by then."""
    if not kept:
        service.record_nothing()
    service.place("x", account="A,B", strategy_id="s")
    service.cancel("x.a")
    body = text_of(service, CANCEL)
    lose(service, body, "STRATEGY#s.", throttle)
    service.let_pass(5)
    second = lose(service, body, "STRATEGY#s.b", throttle)
    assert second.body["results"][0]["status"] == "already_cancelled"
    service.place("y", account="A", strategy_id="s.a")
    third = resend(service, body)
    assert [it["status"] for it in third.body["results"]] == ["already_cancelled", "cancelled"]
    assert service.open_orders() == ["y"]


def test_the_third_has_the_warnings_of_what_the_first_has_done_in_an_account(service: Service) -> None:
    for account in ("A", "B"):
        have_open_stop(service, account, f"x.{account.lower()}", strategy_id=f"s.{account.lower()}")
    body = text_of(service, {**CANCEL, "order_id": "STOP1"})
    lose(service, body, '.STOP1"', lose_response)
    service.let_pass(5)
    second = lose(service, body, '"ORDER#x.b', throttle)
    third = resend(service, body)
    for answer in (second, third):
        assert answer.body["results"][0]["status"] == "already_cancelled"
    in_a, in_b = bare(third)
    assert bare(second) == [in_a]
    assert (in_a[:10], in_b[:10]) == ("Account A:", "Account B:")


def test_what_opens_is_placed_once_in_each_account_however_often_it_comes(service: Service) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY_OF_BOTH})
    service.warm_up()
    lose(service, body, '"ORDER#', lose_response)
    service.let_pass(5)
    lose(service, body, '"ORDER#e.b', throttle)
    service.cancel("e.a")
    third = resend(service, body)
    assert [it["status"] for it in third.body["results"]] == ["already_placed", "already_placed"]
    assert service.open_orders() == ["e.b"]


ENTRY_OF_BOTH: Mapping[str, Any] = {
    "order_id": "e",
    "account": "A,B",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": 1,
    "order_type": "LIMIT",
    "limit_price": 5000,
    "tif": "GTC",
}
