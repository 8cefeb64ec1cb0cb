"""`orderhook check` tells every refusal and warning that the webhook would give for the same text, and no other."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from cli.aws import demo
from orderhook import payload, pipeline
from orderhook.errors import PayloadError
from orderhook.explain import explain, meaning_of
from orderhook.keys import Key
from orderhook.request_facts import RequestFacts
from orderhook.venues import NINJATRADER, TABLE, Venue

ALERTS = 600
NOW = datetime(2026, 12, 8, 12, tzinfo=UTC)
"""Two days before a roll."""

_ENTRY: Mapping[str, str] = {
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": "1",
    "order_type": "LIMIT",
    "limit_price": "5000",
    "tif": "GTC",
}
_ALERTS: tuple[Mapping[str, str], ...] = (
    {"command": "CANCEL", "order_id": "a"},
    {"command": "CANCEL", "order_id": "STOP1", "strategy_id": "S"},
    {"command": "CANCELORDERS", "account": "Sim101"},
    {"command": "CANCELORDERS", "account": "Sim101", "instrument": "CME_MINI:ES1!"},
    {"command": "CANCELALLORDERS"},
    {"command": "CLOSESTRATEGY", "strategy_id": "S"},
    {"command": "CHANGE", "order_id": "a", "limit_price": "5000"},
    {"command": "PLACE", **_ENTRY, "order_id": "a"},
    {"command": "PLACE", **_ENTRY, "strategy_id": "S", "take_profit": "5010", "stop_loss": "4990"},
    {
        "command": "PLACE",
        **_ENTRY,
        "order_id": "a",
        "sync_strategy": "true",
        "market_position": "long",
        "prev_market_position": "short",
        "limit_price": "-2 ticks",
        "reference_price": "5000",
        "stop_loss": "-1%",
    },
    {"command": "CANCELREPLACE", **_ENTRY, "order_id": "a"},
    {"command": "CLOSEPOSITION", "account": "Sim101", "instrument": "ES 12-26", "qty": "1"},
    {"command": "FLATTEN", "account": "Sim101", "market_position": "long"},
    {"command": "FLATTENEVERYTHING"},
    {"command": "REVERSE", "account": "Sim101", "instrument": "ES 12-26"},
    {"command": "FLATPLACE", **_ENTRY},
    {"command": "REVERSEPOSITION", **_ENTRY, "order_id": "a"},
    {
        "command": "CANCELANDBRACKET",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "long",
        "qty": "1",
        "take_profit": "+20 ticks",
        "stop_loss": "4990",
    },
    {"command": "PLACE", **_ENTRY, "instrument": "ES1!", "order_id": "a"},
    {"kill_switch": "on"},
    {"kill_switch": "off"},
    {"command": "FLATTEN", "account": "Sim101"},
    {"command": "cancel order", "order_id": "a", "account": "Sim101"},
    {"command": "REPLACE", **_ENTRY, "order_id": "a"},
    {"command": "KILL_SWITCH_ON"},
)
_MORE: tuple[tuple[str, str], ...] = (
    *(("oco_id", "g"), ("notes", "mine"), ("delay", "1.5"), ("cancel_after", "5"), ("strategy", "scalp")),
    *(("stop_loss", "4990"), ("take_profit", "5010"), ("stop_loss_limit", "4989"), ("stop_loss_stop", "4990")),
    *(("stop_price", "5000"), ("quantity", "2"), ("account", "A,B"), ("account", "A,a"), ("percent", "50")),
    *(("rate_limit", "1/60"), ("id", "x"), ("start_time", "9:30"), ("end_time", "9:30"), ("kill_switch", "on")),
    *(("closing_only_after", "15:00"), ("flatten_first", "false"), ("flatten_first", "true"), ("destination", "x")),
    *(("sync_strategy", "true"), ("market_position", "long"), ("prev_market_position", "flat"), ("max_position", "1")),
    *(("require_market_position", "flat/long"), ("out_of_sync", "resync"), ("target_quantity", "-2")),
    *(("stop_loss", "-10 ticks"), ("take_profit", "$20"), ("limit_price", "+1%"), ("reference_price", "5000")),
    *(("orderid", "a"), ("sl", "4990"), ("symbol", "NQ"), ("nonsense", "1"), ("cmd", "CANCEL"), ("sync", "1")),
    *(("strategy_id", "S"), ("order_id", "STOP1"), ("order_id", "a.STOP1"), ("action", "SELL"), ("account", "A")),
)
_VALUES = (
    *(
        "",
        "0",
        "-1",
        "5000.123456789",
        "1e5",
        "5,000",
        "NaN",
        "null",
        "x" * 65,
        "a b",
        "{{x}}",
        "a;b",
        "a=b",
        "stop_loss=1",
    ),
    *(
        "BUY",
        "long",
        "true",
        "5010",
        "4990",
        "A,B",
        "A,",
        "SELL",
        "STOP01",
        "ES 12-26",
        "ES1!",
        "ESZ5",
        "ESM7",
        "é",
        "'a'",
        "a // b",
        "\u200b",
    ),
)
_ASIDES = (
    *("(optional)", "(stop_loss=4990)", "(sl=4990)", "(symbol=NQ)", "(account=A)", "(qty=2)", "// mine", "// sl=4990"),
    *("// stop_loss=4990", "// symbol=NQ", "// orderid=b", "notes=old sl=4990", "notes=x stop_loss=4990", "hello"),
    *(
        "notes=" + "x" * 501,
        "destination=a strategy_id=S",
        "=x",
        "x=",
        "\n// a line; order_id=b",
        "notes=take profit=1",
    ),
)


_IN_JSON = ("1", "null", "true", "[1]", '{"a": 1}', "5000.123456789", "{{x}}", "1e5", '"a" "b"')


class Answered(NamedTuple):
    """How a text is answered, as far as it alone decides."""

    refusal: tuple[str, str | None, str] | None
    warnings: tuple[str, ...] = ()


def _more(draw: random.Random, fields: list[tuple[str, str]]) -> None:
    fields.insert(draw.randrange(len(fields) + 1), draw.choice(_MORE))


def _less(draw: random.Random, fields: list[tuple[str, str]]) -> None:
    if len(fields) > 1:
        del fields[draw.randrange(len(fields))]


def _twice(draw: random.Random, fields: list[tuple[str, str]]) -> None:
    fields.append(draw.choice(fields))


def _other(draw: random.Random, fields: list[tuple[str, str]]) -> None:
    at = draw.randrange(len(fields))
    fields[at] = (fields[at][0], draw.choice(_VALUES))


def _misspelt(draw: random.Random, fields: list[tuple[str, str]]) -> None:
    at = draw.randrange(len(fields))
    name, value = fields[at]
    cut = draw.randrange(len(name))
    fields[at] = (name[:cut] + draw.choice(("", "x", "_")) + name[cut + 1 :], value)


_MUTATIONS: tuple[Callable[[random.Random, list[tuple[str, str]]], None], ...] = (
    _more,
    _less,
    _twice,
    _other,
    _misspelt,
)


def generated(draw: random.Random) -> str:
    """Return an alert of some command with a few things done to it."""
    fields = [*draw.choice(_ALERTS).items()]
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        draw.choice(_MUTATIONS)(draw, fields)
    if draw.random() < 0.15:
        values = [(name, draw.choice((json.dumps(value),) * 9 + _IN_JSON)) for name, value in fields]
        members = [("key", json.dumps(demo.KEY)), *values]
        text = "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members) + "}"
        cut = draw.randrange(text.index(demo.KEY) + len(demo.KEY), len(text))
        return text if draw.random() < 0.9 else text[:cut] + text[cut + 1 :]
    pieces = [f"key={demo.KEY}", *(f"{name}={value}" for name, value in fields)]
    for _ in range(draw.choice((0, 0, 1, 2))):
        pieces.insert(draw.randrange(1, len(pieces) + 1), draw.choice(_ASIDES))
    return draw.choice((";", ";", "\n", ";\n")).join(pieces)


def by_webhook(text: str, venue: Venue) -> Answered:
    """Return how the webhook answers a text, as far as it gets without the table."""
    split = payload.split(text.encode())
    secrets, pairs = payload.take_keys(split.pairs)
    try:
        if split.fault:
            raise split.fault
        assert secrets == [demo.KEY]
        key = Key("k", b"", "t", "", frozenset(), "", "")
        alert = pipeline.parse_alert(
            pairs, key, RequestFacts("r"), received=NOW, is_json=split.is_json, remarks=split.remarks
        )
        alert.first.check_venue(venue)
    except PayloadError as error:
        return Answered((type(error).__name__, error.field, error.detail))
    certain = [it for command in alert.commands.values() for it in command.certain_warnings(venue)]
    told = [it.detail for it in (*alert.warnings, *certain)]
    if alert.instrument and alert.instrument.told:
        told.append(meaning_of(alert.instrument))
    return Answered(None, tuple(dict.fromkeys(told)))


def by_check(text: str, venue: Venue) -> tuple[list[tuple[str, str | None, str]], str]:
    """Return all that `check` finds wrong with a text, and all that it remarks on."""
    explanation = explain(text.encode(), venue=venue, on=NOW.date())
    faults = [(type(it).__name__, it.field, it.detail) for it in explanation.faults]
    remarks = [*(row.remark for row in explanation.rows), *(it.detail for it in explanation.apart)]
    return faults, " ".join(filter(None, remarks))


def assert_agree(text: str, venue: Venue = TABLE) -> None:
    webhook = by_webhook(text, venue)
    faults, remarks = by_check(text, venue)
    assert (webhook.refusal is None) == (not faults), f"refused {webhook.refusal} {faults}"
    if webhook.refusal:
        assert faults[0] == webhook.refusal, f"first {webhook.refusal} {faults}"
        return
    rest = remarks
    for told in sorted(webhook.warnings, key=len, reverse=True):
        assert told in rest, f"untold {told!r} of {remarks!r}"
        rest = rest.replace(told, "")  # a name that comes twice is remarked on twice
    assert not rest.strip(), f"more {rest!r}"


_SIDE = "{{strategy.market_position}}"
_MARKET_ORDER = "account=Sim101;instrument=ES 12-26;qty=1;order_type=MARKET;tif=DAY;order_id=a"


@pytest.mark.parametrize("venue", [TABLE, NINJATRADER], ids=["table", "ninjatrader"])
@pytest.mark.parametrize(
    "text",
    [
        "command=CLOSEPOSITION;account=Sim101;instrument=ES1!;percent={{plot_0}}",
        f"command=CLOSEPOSITION;account=Sim101;instrument=ES1!;require_market_position={_SIDE}",
        f"command=FLATTEN;account=Sim101;market_position={_SIDE}",
        "command=REVERSE;account=Sim101;instrument={{ticker}}",
        "command=REVERSE;account=Sim101;instrument=ES1!;delay={{plot_0}}",
        f"command=FLATPLACE;{_MARKET_ORDER};action={{{{strategy.order.action}}}}",
        f"command=CANCELORDERS;account=Sim101;instrument=ES1!;require_market_position={_SIDE}",
        f"command=PLACE;{_MARKET_ORDER};action=BUY;require_market_position={_SIDE}",
        f"command=PLACE;{_MARKET_ORDER};action=BUY;max_positions={{{{plot_0}}}}",
        f"command=PLACE;{_MARKET_ORDER};action=BUY;flatten_first={{{{plot_0}}}}",
        f"command=PLACE;{_MARKET_ORDER};action=BUY;flatten_first={{{{plot_0}}}};require_market_position={_SIDE}",
        f"command=PLACE;{_MARKET_ORDER};action=SELL;sync_strategy=true;market_position={_SIDE};prev_market_position=flat",
        f"command=PLACE;{_MARKET_ORDER};action=SELL;market_position={_SIDE}",
        f"command=PLACE;{_MARKET_ORDER};action=BUY;stop_loss={{{{plot_0}}}} ticks",
        f"command=PLACE;{_MARKET_ORDER};action=BUY;stop_loss={{{{plot_0}}}}",
    ],
)
def test_what_is_refused_whatever_is_filled_in_is_wrong_before(text: str, venue: Venue) -> None:
    values = {
        _SIDE: ("flat", "long", "short"), "{{plot_0}}": ("0", "0.5", "1", "-10", "4990"), "{{ticker}}": ("ESZ2026",),
        "{{strategy.order.action}}": ("buy", "sell"),
    }  # fmt: skip
    filled = [text]
    for placeholder, words in values.items():
        filled = [it.replace(placeholder, word) for it in filled for word in words]
    refused = [by_webhook(f"key={demo.KEY};{it}", venue).refusal for it in filled]
    faults, _ = by_check(f"key={demo.KEY};{text}", venue)
    assert bool(faults) == all(refused), (faults, refused)


def test_check_and_the_webhook_agree_on_alerts_that_nobody_thought_of() -> None:
    for seed in range(ALERTS):
        assert_agree(generated(random.Random(seed)), NINJATRADER if seed % 2 else TABLE)
