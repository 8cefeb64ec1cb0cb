"""An instrument has one name, however an alert spells it; `ES1!` is the front month of when it was first received."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orderhook import instruments
from orderhook.instruments import Contract, Roll, rolls
from orderhook.messages import DelayedAlert, parse
from orderhook.venues import VENUES, Venue
from tests.builders import ENTRY, alert
from tests.client_faults import in_requests_with
from tests.faults import lose_request, lose_response, no_fault
from tests.marks import OF_WORDS
from tests.output import Answer
from tests.service import Service

pytestmark = OF_WORDS

NEW_YORK = ZoneInfo("America/New_York")

every_venue = pytest.mark.parametrize("venue", VENUES.values(), ids=list(VENUES))


@pytest.fixture
def roll(service: Service, monkeypatch: pytest.MonkeyPatch) -> Roll:
    """The next roll of ES that is some weeks off; it is noon in New York, ten days before it."""
    monkeypatch.setattr(instruments, "PUBLISHED_OTHERWISE", {})
    today = datetime.now(NEW_YORK).date()
    roll = next(it for it in rolls(today + timedelta(days=15), today + timedelta(days=150)) if it.new.root == "ES")
    be_at(service, roll, time(12), days=-10)
    return roll


def be_at(service: Service, roll: Roll, at: time, *, days: int = 0) -> None:
    """Have it be this time in New York, so many days after a roll."""
    moment = datetime.combine(roll.on + timedelta(days=days), at, NEW_YORK)
    service.let_pass((moment.astimezone(UTC) - service.queue.now).total_seconds())


def code(contract: Contract) -> str:
    """Return the letter of a contract's month and the digits of its year, as TradingView writes them."""
    return f"{'FGHJKMNQUVXZ'[contract.month - 1]}{contract.year}"


def spellings(contract: Contract) -> list[str]:
    month = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()[contract.month - 1]
    letter, year = code(contract)[0], f"{contract.year}"
    names = [f"{month}{year[2:]}", f"{contract.month:02}-{year[2:]}"]
    return [f"ES {it}" for it in names] + [f"ES{letter}{it}" for it in (year[3], year[2:], year)] + ["ES1!", "es1!"]


def codes(answer: Answer) -> list[str]:
    return [warning["code"] for warning in answer.body.get("warnings", [])]


def cancel_all(service: Service, instrument: str, **fields: Any) -> Answer:
    return service.send("CANCELORDERS", account="Sim101", instrument=instrument, **fields)


@pytest.mark.parametrize("prefix", ["", "CME_MINI:"])
def test_every_spelling_of_a_contract_places_the_same_order(service: Service, roll: Roll, prefix: str) -> None:
    for number, spelling in enumerate(spellings(roll.old)):
        answer = service.place(f"order-{number}", instrument=f"{prefix}{spelling}")
        assert (answer.status, codes(answer)) == (200, []), answer.body
        stored = service.plain(f"order-{number}")
        assert stored["instrument"] == roll.old.name
        assert stored["open"] == f"3#sim101#{roll.old.name.lower()}#order-{number}"
        assert stored["placed"]["instrument"] == roll.old.name.lower()


def test_the_answer_and_the_record_tell_both_names(service: Service, roll: Roll) -> None:
    answer = service.place("long", instrument="CME_MINI:ES1!")
    assert (answer.body["instrument"], answer.body["instrument_sent"]) == (roll.old.name, "CME_MINI:ES1!")
    record = service.record_of(answer)
    assert (record.instrument, record.fields["instrument"]) == (roll.old.name, "CME_MINI:ES1!")


def test_a_refusal_tells_both_names_too(service: Service, roll: Roll) -> None:
    service.place("long", instrument="ES1!")
    answer = service.place("long", instrument="ES1!", qty=2)
    assert (answer.word, answer.body["instrument"]) == ("duplicate_order_id", roll.old.name)


def test_what_is_written_by_its_one_name_is_not_told_again(service: Service, roll: Roll) -> None:
    answer = service.place("long", instrument=roll.old.name)
    assert "instrument" not in answer.body
    assert service.record_of(answer).instrument is None


def test_a_place_again_under_another_spelling_is_the_same(service: Service, roll: Roll) -> None:
    service.place("long", instrument="ES1!")
    assert [service.place("long", instrument=it).word for it in spellings(roll.old)] == ["already_placed"] * 7


def test_a_place_of_another_month_is_another(service: Service, roll: Roll) -> None:
    service.place("long", instrument="ES1!")
    assert service.place("long", instrument=f"ES{code(roll.new)}").word == "duplicate_order_id"


@pytest.mark.parametrize("which", range(7))
def test_cancelorders_finds_an_order_under_any_spelling(service: Service, roll: Roll, which: int) -> None:
    service.place("long", instrument="ES1!")
    assert cancel_all(service, spellings(roll.old)[which]).body["cancelled"] == ["long"]


def test_cancelorders_of_a_contract_leaves_the_other_months_alone(service: Service, roll: Roll) -> None:
    service.place("old", instrument=roll.old.name)
    service.place("new", instrument=roll.new.name)
    assert cancel_all(service, f"ES{code(roll.new)}").body["cancelled"] == ["new"]
    assert service.open_orders() == ["old"]


@every_venue
def test_cancelorders_of_a_continuous_contract_reaches_every_month(service: Service, roll: Roll, venue: Venue) -> None:
    service.use_venue(venue)
    service.place("old", instrument="ES1!")
    service.place("other", instrument="MES1!")
    service.place("spelt-alike", instrument="ESTX 12-26")
    be_at(service, roll, time(12), days=10)
    service.hear_bridge()
    service.place("new", instrument="ES1!")
    assert [service.plain(it)["instrument"] for it in ("old", "new")] == [roll.old.name, roll.new.name]
    answer = cancel_all(service, "ES1!")
    assert (answer.body["instrument"], answer.body["instrument_sent"]) == ("ES", "ES1!")
    untouched = {it for it in service.open_orders() if service.state(it) != "CancelPending"}
    assert untouched == {"other", "spelt-alike"}


def test_a_delayed_cancel_of_a_continuous_contract_reaches_every_month(service: Service, roll: Roll) -> None:
    service.place("old", instrument=roll.old.name)
    service.place("new", instrument=roll.new.name)
    assert cancel_all(service, "ES1!", delay=5).word == "scheduled"
    service.pass_time(6)
    assert service.open_orders() == []


def test_a_strategy_is_joined_under_another_spelling(service: Service, roll: Roll) -> None:
    service.place("one", instrument="ES1!", strategy_id="s")
    answer = service.place("two", instrument=f"ES{code(roll.old)}", strategy_id="s")
    assert answer.body["order_name"] == "ENTRY2"
    assert service.place("three", instrument=roll.new.name, strategy_id="s").word == "strategy_mismatch"


def test_a_replacement_may_spell_the_contract_otherwise(service: Service, roll: Roll) -> None:
    service.place("long", instrument=roll.old.name)
    for price, spelling in enumerate(spellings(roll.old), 5001):
        answer = service.send(
            "CANCELREPLACE", **{**ENTRY, "order_id": "long", "instrument": spelling, "limit_price": price}
        )
        assert answer.word == "replaced", answer.body
    assert service.plain("long")["instrument"] == roll.old.name


@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("order_id", ["long", "long.STOP1"])
def test_an_alert_that_trails_an_order_in_es1_trails_it_over_a_roll(
    service: Service, roll: Roll, order_id: str, looked_at: bool
) -> None:
    service.place("long", instrument="ES1!", stop_loss=4980)
    be_at(service, roll, time(12), days=10)
    service.warm_up()
    prices: dict[str, Any] = {"limit_price": 5001}
    if order_id != "long":
        prices = {"action": "SELL", "order_type": "STOPMARKET", "limit_price": 0, "stop_price": 4990}
    if looked_at:
        prices["oco_id"] = "group"
        prices |= {"stop_loss": 4985} if order_id == "long" else {}
    answer = service.send("CANCELREPLACE", **{**ENTRY, "order_id": order_id, "instrument": "ES1!", **prices})
    assert answer.word == "replaced", answer.body
    assert (answer.body["instrument"], answer.body["instrument_sent"]) == (roll.old.name, "ES1!")
    assert len(service.network.requests) == 2 + looked_at
    record = service.record_of(answer)
    assert record is not None
    assert record.instrument == roll.old.name
    assert service.plain("long")["instrument"] == roll.old.name
    answer = service.send("CANCELREPLACE", **{**ENTRY, "order_id": order_id, "instrument": roll.new.name, **prices})
    assert (answer.word, answer.body["field"]) == ("invalid_value", "instrument")


# What a day does to it


@pytest.mark.parametrize("fields", [{}, {"delay": 10}, {"strategy_id": "s"}, {"account": "Sim101,Sim102"}])
def test_a_resend_over_a_roll_means_what_the_first_meant(service: Service, roll: Roll, fields: Any) -> None:
    be_at(service, roll, time(23, 59, 57), days=-1)
    body = alert({"key": service.key, "command": "PLACE", "order_id": "long", **ENTRY, "instrument": "ES1!", **fields})
    service.network.always = in_requests_with("ORDER#long", lose_response)
    assert service.post(body).status == 503
    service.network.always = no_fault
    service.let_pass(6)
    answer = service.post(body)
    assert (answer.status, answer.body["instrument"]) == (200, roll.old.name), answer.body
    service.pass_time(15)
    assert {order.instrument for order in service.placed()} == {roll.old.name}


def test_a_resend_over_a_roll_of_what_never_arrived_means_it_too(service: Service, roll: Roll) -> None:
    be_at(service, roll, time(23, 59, 57), days=-1)
    body = alert({"key": service.key, "command": "PLACE", "order_id": "long", **ENTRY, "instrument": "ES1!"})
    service.network.always = in_requests_with("ORDER#long", lose_request)
    for _ in range(3):
        assert service.post(body).status == 503
        service.let_pass(6)
    service.network.always = no_fault
    answer = service.post(body)
    assert (answer.word, answer.body["instrument"]) == ("placed", roll.old.name)
    assert codes(answer) == ["near_roll"]


def test_the_same_text_after_a_roll_is_a_new_alert_of_the_new_month(service: Service, roll: Roll) -> None:
    be_at(service, roll, time(23, 59, 57), days=-1)
    body = alert({"key": service.key, "command": "PLACE", **ENTRY, "instrument": "ES1!"})
    first = service.post(body)
    service.let_pass(6)
    assert [first.body["instrument"], service.post(body).body["instrument"]] == [roll.old.name, roll.new.name]


def test_what_is_sent_again_over_a_roll_and_waits_for_a_delay_has_its_month_by_name(
    service: Service, roll: Roll
) -> None:
    service.place("long", instrument="ES1!")
    be_at(service, roll, time(23, 59, 57), days=-1)
    fields = {**ENTRY, "order_id": "long", "instrument": "ES1!", "limit_price": 5001, "delay": 20}
    body = alert({"key": service.key, "command": "CANCELREPLACE", **fields})
    service.network.inject("SendMessage", *[lose_request] * 6)
    assert service.post(body).status == 503
    service.network.inject("SendMessage")
    service.let_pass(6)
    assert service.post(body).word == "scheduled"
    [message] = service.queue.messages
    waiting = parse(message.body)
    assert isinstance(waiting, DelayedAlert)
    assert waiting.fields["instrument"] == roll.old.name


@pytest.mark.parametrize("command", ["PLACE", "CANCELORDERS"])
def test_no_request_more_is_needed_but_about_midnight_of_a_roll(service: Service, roll: Roll, command: str) -> None:
    def requests(instrument: str) -> int:
        service.warm_up()
        if command == "PLACE":
            service.place(instrument=instrument)
        else:
            cancel_all(service, instrument)
        return len(service.network.requests)

    named, continuous = requests(f"ES{code(roll.old)}"), requests("ES1!")
    assert continuous == named
    be_at(service, roll, time(23, 59, 57), days=-1)
    assert requests("MES1!") == named + (command == "PLACE")
    assert requests(f"MES{code(roll.new)}") == named


def test_a_delayed_alert_means_what_it_meant_at_its_receipt(service: Service, roll: Roll) -> None:
    be_at(service, roll, time(23, 59, 0), days=-1)
    service.place("long", instrument=roll.old.name)
    service.pass_time(50)
    trailing = {**ENTRY, "order_id": "long", "instrument": "ES1!", "limit_price": 5001, "delay": 20}
    assert service.send("CANCELREPLACE", **trailing).word == "scheduled"
    service.place("late", instrument="ES1!", delay=20)
    service.pass_time(30)
    assert service.plain("long")["limit_price"] == 5001
    assert service.plain("late")["instrument"] == roll.old.name


@pytest.mark.parametrize(
    ("days", "warned"), [(-10, False), (-4, False), (-3, True), (-1, True), (0, True), (5, True), (10, False)]
)
def test_what_opens_near_a_roll_is_warned_of_it(service: Service, roll: Roll, days: int, warned: bool) -> None:
    be_at(service, roll, time(12), days=days)
    answer = service.place("long", instrument="ES1!")
    assert ("near_roll" in codes(answer)) == warned
    if warned:
        [warning] = answer.body["warnings"]
        assert (roll.old.name in warning["detail"], roll.new.name in warning["detail"]) == (True, True)
    assert codes(cancel_all(service, "ES1!")) == []


def test_nothing_is_opened_in_a_contract_that_has_expired(service: Service, roll: Roll) -> None:
    service.place("long", instrument=roll.old.name)
    days = (roll.old.expiry - roll.on).days
    be_at(service, roll, time(23, 59), days=days)
    assert service.place("last", instrument=roll.old.name).word == "placed"
    be_at(service, roll, time(0, 1), days=days + 1)
    answer = service.place("late", instrument=roll.old.name)
    assert (answer.status, answer.word, answer.body["field"]) == (400, "invalid_value", "instrument")
    assert roll.new.name in answer.body["detail"]
    assert sorted(cancel_all(service, roll.old.name).body["cancelled"]) == ["last", "long"]


# What is not listed


@pytest.mark.parametrize("instrument", ["AAPL", "FOO 12-26", "ES2!", "MOEX:SI1!", "ES 13-26"])
def test_what_is_not_listed_stays_as_it_is_written(service: Service, instrument: str) -> None:
    answer = service.place("order-1", instrument=instrument)
    assert (answer.word, codes(answer)) == ("placed", ["unlisted_instrument"])
    assert "instrument" not in answer.body
    assert service.plain()["instrument"] == instrument
    answer = cancel_all(service, instrument.lower())
    assert (answer.body["cancelled"], codes(answer)) == (["order-1"], ["unlisted_instrument"])


@pytest.mark.parametrize(
    "command", ["CLOSEPOSITION", "FLATTEN", "CANCELORDERS", "REVERSE", "CANCELANDBRACKET", "PLACE"]
)
@pytest.mark.parametrize(
    ("instrument", "says"),
    [
        ("ES", "write ES1! or a month such as ES 12-26"),
        ("es", "write ES1! or a month such as ES 12-26"),
        ("NYMEX:ES1!", "none of the futures that are listed"),
        ("ES2!", "none of the futures that are listed"),
        ("ES 02-27", "ES has the months 03, 06, 09, 12 in the list here, and ES 02-27 is none of them"),
        ("ESG7", "ES has the months 03, 06, 09, 12 in the list here, and ES 02-27 is none of them"),
        ("ES 13-26", "none of the futures that are listed"),
        ("ES 12-26", None),
        ("CME_MINI:ES1!", None),
    ],
)
def test_a_name_that_may_be_mistyped_is_warned_of_whatever_it_is_for(
    service: Service, command: str, instrument: str, says: str | None
) -> None:
    service.use_venue(VENUES["ninjatrader"])
    more = {"PLACE": ENTRY, "CANCELANDBRACKET": {"action": "BUY", "qty": 1, "stop_loss": 4990}}.get(command, {})
    answer = service.send(command, **{**more, "account": "Sim101", "instrument": instrument})
    told = [it["detail"] for it in answer.body.get("warnings", []) if it["code"] == "unlisted_instrument"]
    assert (answer.status, len(told), (says or "") in "".join(told)) == (200, 1 if says else 0, True)


# A key with a limit


@pytest.mark.parametrize("limit", ["ES 12-26", "NQ1!"])
def test_a_key_s_limit_is_compared_by_the_one_name(service: Service, limit: str) -> None:
    key = service.issue_key(instruments=(limit,))
    root, other = limit[:2], {"ES": "NQ", "NQ": "ES"}[limit[:2]]
    service.place("a", key=key, instrument=f"{root}Z2026")
    service.place("b", instrument=f"{other}Z2026")
    assert service.place("c", key=key, instrument=f"{other}Z2026").word == "command_not_allowed"
    assert [service.send("CANCEL", key=key, order_id=it).word for it in "ab"] == ["cancelled", "order_not_found"]


def test_a_key_limited_to_a_continuous_contract_reaches_every_month(service: Service, roll: Roll) -> None:
    key = service.issue_key(instruments=("ES1!", "YM 12-26"))
    service.place("old", key=key, instrument="ES1!")
    service.place("new", key=key, instrument=roll.new.name)
    service.place("MES", instrument="MES1!")
    service.place("x#ES 12-26#es ", instrument="NQ1!")
    assert service.send("CANCEL", key=key, order_id="MES").word == "order_not_found"
    assert service.send("CANCEL", key=key, order_id="x#ES 12-26#es").word == "order_not_found"
    be_at(service, roll, time(12), days=10)
    assert service.send("CANCEL", key=key, order_id="old").word == "cancelled"
    assert cancel_all(service, "ES1!", key=key).body["cancelled"] == ["new"]


# Instructions


@pytest.mark.parametrize(
    ("command", "fields", "root"),
    [("CLOSEPOSITION", {}, "ES"), ("FLATTEN", {}, "ES"), ("REVERSE", {}, None)],
)
def test_an_instruction_in_a_continuous_contract_closes_every_month(
    service: Service, roll: Roll, command: str, fields: Any, root: str | None
) -> None:
    service.use_venue(VENUES["ninjatrader"])
    answer = service.send(command, account="Sim101", instrument="CME_MINI:ES1!", **fields)
    assert (answer.word, answer.body["instrument"]) == ("accepted", root or roll.old.name)
    written = service.services.instructions.get(service.trader, answer.body["instruction_id"])
    assert written is not None
    assert (written.instrument, written.root) == (roll.old.name, root)


def test_what_closes_in_an_expired_contract_is_taken(service: Service, roll: Roll) -> None:
    be_at(service, roll, time(12), days=30)
    service.use_venue(VENUES["ninjatrader"])
    assert service.send("CLOSEPOSITION", account="Sim101", instrument=roll.old.name).word == "accepted"
    for command in ("REVERSE", "FLATPLACE"):
        fields = ENTRY if command == "FLATPLACE" else {"account": "Sim101"}
        answer = service.send(command, **{**fields, "instrument": roll.old.name})
        assert (answer.status, answer.body["field"]) == (400, "instrument"), answer.body
