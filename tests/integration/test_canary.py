"""The key is in no log line, item or answer, for every event, every refusal and every wrong place to put it."""

import json
import logging
from collections.abc import Callable

import pytest

from cli.aws import demo
from tests.api import Api
from tests.builders import ENTRY, EVENTS, alert, event, event_named, refused
from tests.client_faults import in_writes
from tests.faults import Fault, internal_error, lose_response, no_fault, reject, throttle
from tests.marks import OF_WORDS
from tests.output import Answer
from tests.service import Service

pytestmark = OF_WORDS

FILES = sorted(path.stem for path in EVENTS.glob("*.json"))


def cancel(**fields: object) -> Callable[[str], str]:
    """Return what writes a CANCEL with a good key and these fields; KEY among their values stands for the key."""
    return lambda key: alert({"key": key, "command": "CANCEL", "order_id": "order-1", **fields}).replace("KEY", key)


def place(**fields: object) -> Callable[[str], str]:
    return lambda key: alert({"key": key, "command": "PLACE", **ENTRY, **fields}).replace("KEY", key)


def command(word: str, **fields: object) -> Callable[[str], str]:
    return lambda key: alert({"key": key, "command": word, **fields}).replace("KEY", key)


def text(body: str) -> Callable[[str], str]:
    return lambda key: body.replace("KEY", key).replace("LOWERED", key.lower()).replace("RAISED", key.upper())


GOOD = {
    "cancel": cancel(),
    "cancel of an unknown order": cancel(order_id="nobodys"),
    "cancel by name": cancel(order_id="stop1", strategy_id="strategy-1"),
    "cancel for several accounts": cancel(account="A,B"),
    "cancel of another strategy": cancel(strategy_id="strategy-2"),
    "place": place(order_id="order-9"),
    "place in a strategy": place(strategy_id="strategy-9", take_profit=5020, stop_loss=4980),
    "place with a template": place(strategy="brackets"),
    "place with a taken id": place(order_id="order-1"),
    "change": command("CHANGE", order_id="order-1", qty=7),
    "change of a price that it has not": command("CHANGE", order_id="order-1", stop_price=7),
    "replacement": command("CANCELREPLACE", **{**ENTRY, "order_id": "order-1"}),
    "replacement of an unknown order": command("CANCELREPLACE", **{**ENTRY, "order_id": "nobodys"}),
    "cancels of an account": command("CANCELORDERS", account="Sim101"),
    "cancels of an account without orders": command("CANCELORDERS", account="NoSuch"),
    "cancels of all": command("CANCELALLORDERS", notes="all of them"),
    "close": command("CLOSESTRATEGY", strategy_id="strategy-1"),
    "place later": place(order_id="order-9", delay=5),
    "place for some time": place(order_id="order-9", cancel_after=5),
    "place later, for some time": place(delay=5, cancel_after=5),
    "cancel later": cancel(delay=5),
    "place with a rate limit": place(order_id="order-9", rate_limit="1/60", id="es"),
    "kill switch": text("key=KEY;kill_switch=on"),
}

WRONG_PLACES = {
    "as an order id": cancel(order_id="KEY"),
    "as a strategy id": cancel(strategy_id="KEY"),
    "as a name": cancel(KEY="1"),
    "as a name, last": text("key=KEY;command=CANCEL;order_id=order-1;KEY=KEY"),
    "as the command": text("key=KEY;command=KEY"),
    "as the command, with more": text("key=KEY;command=CANCEL KEY;order_id=order-1"),
    "in the notes": cancel(notes="my key is KEY, do not tell"),
    "in an ignored field": cancel(destination="KEY"),
    "in lower case": text("key=KEY;command=CANCEL;order_id=LOWERED"),
    "in lower case as a name": text("key=KEY;command=CANCEL;order_id=order-1;LOWERED=1"),
    "in capitals as a name": text("key=KEY;command=CANCEL;order_id=order-1;RAISED=1"),
    "twice": text("key=KEY;key=KEY;command=CANCEL;order_id=order-1"),
    "twice in other letters": text("key=KEY;Key=KEY;command=CANCEL;order_id=order-1"),
    "in a malformed piece": text("key=KEY;command=CANCEL;order_id=order-1;KEY"),
    "in a malformed first piece": text("KEY;command=CANCEL;order_id=order-1"),
    "without a name": text("=KEY;command=CANCEL;order_id=order-1"),
    "before a forgotten semicolon": text("key=KEY command=CANCEL;order_id=order-1"),
    "after a forgotten semicolon": text("key=KEY;command=CANCEL;order_id=order-1 key=KEY"),
    "in a comment": text("// KEY\nkey=KEY;command=CANCEL;order_id=order-1"),
    "in a remark": text("key=KEY; (KEY)\ncommand=CANCEL;order_id=order-1"),
    "in a placeholder": cancel(order_id="{{KEY}}"),
    "as an account": place(account="KEY"),
    "as an oco id": place(oco_id="KEY"),
    "as the account of many": command("CANCELORDERS", account="KEY"),
    "as a new price": command("CHANGE", order_id="order-1", limit_price="KEY"),
    "as the order to replace": command("CANCELREPLACE", **{**ENTRY, "order_id": "KEY"}),
    "as the strategy to close": command("CLOSESTRATEGY", strategy_id="KEY"),
    "as a template": place(strategy="KEY"),
    "as a price": place(limit_price="KEY"),
    "as a quantity": place(qty="KEY"),
    "as a kill switch": text("key=KEY;kill_switch=KEY"),
    "in quotes": text('key="KEY";command=CANCEL;order_id=order-1'),
    "in JSON, as an order id": text('{"key": "KEY", "command": "CANCEL", "order_id": "KEY"}'),
    "in JSON, as a name": text('{"key": "KEY", "command": "CANCEL", "order_id": "order-1", "KEY": 1}'),
    "in JSON, nested": text('{"key": "KEY", "command": "CANCEL", "order_id": {"KEY": ["KEY"]}}'),
    "in JSON, nested as the key": text('{"key": ["KEY"], "command": "CANCEL", "order_id": "order-1"}'),
    "in broken JSON": text('{"key": "KEY", "command": "CANCEL", "order_id": "order-1"'),
    "in a JSON string": text('"key=KEY;command=CANCEL"'),
    "in an oversized body": text("key=KEY;notes=" + 9000 * "x"),
    "with other letters around": cancel(order_id="xKEYx"),
    "with a NUL": text("key=KEY;command=CANCEL;order_id=order-1;notes=\0"),
}

CUT_SHORT: dict[str, Callable[[str], str]] = {
    "by its last four characters, as an order id": lambda key: alert(
        {"key": key, "command": "CANCEL", "order_id": key[:-4]}
    ),
    "by its checksum, as an unknown name": lambda key: alert({"key": key, "command": "CANCEL", key[:-8]: 1}),
}


@pytest.fixture
def holding(service: Service, caplog: pytest.LogCaptureFixture) -> Service:
    """A service with everything that the alerts of this module speak of, and every logger turned up."""
    caplog.set_level(logging.DEBUG)
    service.place("order-1", strategy_id="strategy-1", take_profit=5020, stop_loss=4980)
    service.put_template("brackets", (1, 10, 5))
    return service


def assert_nowhere(service: Service, caplog: pytest.LogCaptureFixture, answer: Answer, key: str) -> None:
    places = {
        "answer": answer.text,
        "output": service.output.take(),
        "log": caplog.text,
        "table": repr(service.everything()),
        "queue": repr([message.body for message in service.queue.messages]),
        "schedules": repr([schedule.to_dict() for schedule in service.queue.schedules.values()]),
        "requests": repr(service.network.requests),
    }
    secret = key.split("_")[2][:43]
    assert [name for name, content in places.items() if secret.lower() in content.lower()] == []


@pytest.mark.parametrize("write", GOOD.values(), ids=list(GOOD))
@pytest.mark.parametrize("form", ["text", "base64"])
def test_the_key_of_a_good_alert_is_nowhere(
    holding: Service, caplog: pytest.LogCaptureFixture, write: Callable[[str], str], form: str
) -> None:
    answer = holding.handle(event(write(holding.key), encoded=form == "base64"))
    assert answer.word != "invalid_secret_key"
    assert holding.record_of(answer).fields
    assert_nowhere(holding, caplog, answer, holding.key)
    for _ in range(2):
        holding.pass_time(302)
        assert_nowhere(holding, caplog, answer, holding.key)


@pytest.mark.parametrize("write", [*WRONG_PLACES.values(), *CUT_SHORT.values()], ids=[*WRONG_PLACES, *CUT_SHORT])
def test_a_key_in_a_wrong_place_is_nowhere(
    holding: Service, caplog: pytest.LogCaptureFixture, write: Callable[[str], str]
) -> None:
    assert_nowhere(holding, caplog, holding.post(write(holding.key)), holding.key)


@pytest.mark.parametrize("place", ["order_id", "notes", "account"])
def test_another_traders_key_in_a_wrong_place_is_nowhere(
    holding: Service, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    theirs = holding.issue_key(trader="somebody-else")
    answer = holding.cancel(**{"order_id": "order-1", place: theirs})
    assert (answer.status, answer.body) == (
        400,
        refused("invalid_value", "A key stands outside key=...; take it out, and have it revoked if others saw it."),
    )
    assert holding.state() == "Working"
    assert_nowhere(holding, caplog, answer, theirs)


@pytest.mark.parametrize(
    "write",
    [
        cancel(),
        cancel(order_id="KEY"),
        cancel(notes="KEY"),
        text('{"key": "KEY", "command": "CANCEL", "order_id": "a"'),
    ],
    ids=["as the key", "as an order id", "in the notes", "in broken JSON"],
)
def test_a_key_of_the_api_in_an_alert_is_nowhere(
    holding: Service, caplog: pytest.LogCaptureFixture, write: Callable[[str], str]
) -> None:
    key = Api(holding).key
    assert_nowhere(holding, caplog, holding.post(write(key)), key)
    assert_nowhere(holding, caplog, holding.post(write(key).replace(f"key={key}", f"key={holding.key}")), key)


def test_keys_of_both_kinds_are_nowhere_after_requests_of_the_api(
    holding: Service, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api(holding)
    for key in (api.key, holding.key):
        for told in (
            api.place("order-8", notes=key),
            api.place(key),
            api.post(f"/accounts/Sim101/orders/{key}/cancel"),
            api.post(f"/strategies/{key}/close"),
            api.post("/accounts/Sim101/orders/place", {**ENTRY, key: key}),
            api.send("GET", "/orders", headers={"authorization": f"Bearer {key}x"}),
            api.post("/check", {"alert": f"key={key}; command=CANCEL; order_id={key};"}),
        ):
            answer = Answer(told.status, told.headers, told.body, "", told.text)
            assert_nowhere(holding, caplog, answer, key)


@pytest.mark.parametrize("name", FILES)
def test_the_key_of_an_event_is_nowhere(service: Service, caplog: pytest.LogCaptureFixture, name: str) -> None:
    request = json.dumps(event_named(name)).replace(demo.KEY, service.key)
    assert_nowhere(service, caplog, service.handle(json.loads(request)), service.key)


@pytest.mark.parametrize(
    "fault",
    [
        throttle,
        internal_error,
        reject,
        lose_response,
    ],
    ids=["throttled", "internal error", "defect", "answer lost"],
)
@pytest.mark.parametrize(
    "write",
    [
        cancel(),
        place(),
        place(take_profit=5020),
        command("CHANGE", order_id="order-1", qty=7),
        command("CANCELREPLACE", **{**ENTRY, "order_id": "order-1"}),
        command("CANCELALLORDERS"),
        command("CLOSESTRATEGY", strategy_id="strategy-1"),
        place(delay=5),
        place(cancel_after=5),
    ],
    ids=["cancel", "place", "legs", "change", "replacement", "many", "close", "later", "for some time"],
)
def test_the_key_of_an_alert_that_met_a_fault_is_nowhere(
    holding: Service, caplog: pytest.LogCaptureFixture, write: Callable[[str], str], fault: Fault
) -> None:
    holding.network.always = in_writes(fault)
    assert_nowhere(holding, caplog, holding.post(write(holding.key)), holding.key)


@pytest.mark.parametrize("write", GOOD.values(), ids=list(GOOD))
def test_the_key_of_a_resend_is_nowhere(
    holding: Service, caplog: pytest.LogCaptureFixture, write: Callable[[str], str]
) -> None:
    holding.network.always = in_writes(lose_response)
    holding.post(write(holding.key))
    holding.network.always = no_fault
    holding.let_pass(5)
    assert_nowhere(holding, caplog, holding.post(write(holding.key)), holding.key)


def test_a_key_in_the_headers_or_the_address_is_nowhere(holding: Service, caplog: pytest.LogCaptureFixture) -> None:
    request = event(alert({"command": "CANCEL", "order_id": "order-1"}))
    request["headers"] |= {"authorization": holding.key, "x-key": holding.key}
    request |= {"rawQueryString": f"key={holding.key}", "queryStringParameters": {"key": holding.key}}
    answer = holding.handle(request)
    assert answer.word == "invalid_secret_key"
    assert_nowhere(holding, caplog, answer, holding.key)
