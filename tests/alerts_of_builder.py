"""Drafts of the builder: of every command what is needed, each option alone, and PLACE with everything."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orderhook.console.drafts import Draft, draft_of
from orderhook.console.fields import KILL_SWITCH, KINDS, NEW_ORDERS, places
from orderhook.venues import NINJATRADER, TABLE, Venue

STRATEGY = "es-long"

NEEDED: Mapping[str, str] = {
    "account": "Sim101",
    "instrument": "ES1!",
    "action": "BUY",
    "qty": "1",
    "order_type": "LIMIT",
    "limit_price": "{{close}}",
    "tif": "GTC",
    "kill_switch": "on",
    "strategy_id": STRATEGY,
    "order_id": "ENTRY1",
}
"""What a draft has where its command needs it."""

OF_COMMAND: Mapping[str, Mapping[str, str]] = {
    **{word: {"order_id": "es-{{timenow}}", "limit_price": "{{close}}"} for word in NEW_ORDERS},
    "CANCEL": {"strategy_id": STRATEGY},
    "CHANGE": {"strategy_id": STRATEGY, "limit_price": "{{low}}"},
    "CANCELREPLACE": {"strategy_id": STRATEGY, "limit_price": "{{low}}"},
    "CANCELANDBRACKET": {"stop_loss": "{{plot_0}}"},
}
"""What a command is given besides, without which it does nothing."""

OPTIONS: Mapping[str, Mapping[str, str]] = {
    "account": {"account": "Sim101,Sim102"},
    "action": {"action": "SELL"},
    "instrument": {},
    "limit_price": {},
    "qty": {"qty": "3"},
    "stop_price": {"order_type": "STOPMARKET", "stop_price": "{{close}}", "limit_price": ""},
    "order_type": {"order_type": "MARKET", "limit_price": ""},
    "tif": {"tif": "DAY"},
    "order_id": {},
    "strategy_id": {},
    "kill_switch": {},
    "percent": {"percent": "0.5", "qty": ""},
    "take_profit": {"take_profit": "{{plot_1}}"},
    "stop_loss": {"stop_loss": "{{plot_0}}"},
    "stop_loss_limit": {"stop_loss_limit": "{{plot_0}}", "stop_loss": ""},
    "stop_loss_stop": {"stop_loss_stop": "{{plot_0}}", "stop_loss_limit": "{{plot_2}}", "stop_loss": ""},
    "strategy": {"strategy": "scalp"},
    "oco_id": {"oco_id": "group-{{timenow}}"},
    "reference_price": {"reference_price": "{{close}}", "limit_price": "-8 ticks"},
    "notes": {"notes": "close {{close}} = (as plotted)"},
    "cancel_after": {"cancel_after": "15"},
    "delay": {"delay": "2"},
    "start_time": {"start_time": "9:30", "bypass_trade_windows": "true"},
    "end_time": {"end_time": "16:00", "bypass_trade_windows": "true"},
    "closing_only_after": {
        "start_time": "9:30",
        "end_time": "16:00",
        "closing_only_after": "15:45",
        "bypass_trade_windows": "true",
    },
    "bypass_trade_windows": {"bypass_trade_windows": "true"},
    "rate_limit": {"rate_limit": "1", "id": "es"},
    "id": {"rate_limit": "3/900", "id": "es"},
    "require_market_position": {"require_market_position": "flat/long"},
    "max_positions": {"max_positions": "2"},
    "flatten_first": {"flatten_first": "true"},
    "sync_strategy": {
        "sync_strategy": "true",
        "market_position": "{{strategy.market_position}}",
        "prev_market_position": "{{strategy.prev_market_position}}",
    },
    "out_of_sync": {
        "sync_strategy": "true",
        "market_position": "{{strategy.market_position}}",
        "prev_market_position": "{{strategy.prev_market_position}}",
        "out_of_sync": "wait",
    },
    "target_quantity": {
        "sync_strategy": "true",
        "market_position": "{{strategy.market_position}}",
        "prev_market_position": "{{strategy.prev_market_position}}",
        "out_of_sync": "resync",
        "target_quantity": "{{strategy.market_position_size}}",
    },
}
OPTIONS = {
    **OPTIONS,
    "market_position": OPTIONS["sync_strategy"],
    "prev_market_position": OPTIONS["sync_strategy"],
}
"""What is filled in for each option, with what it needs beside it."""

_OF_VENUE = frozenset(
    "require_market_position max_positions flatten_first sync_strategy out_of_sync target_quantity market_position "
    "prev_market_position reference_price".split()
)
_ALL_OF_PLACE = (
    "take_profit stop_loss oco_id notes cancel_after closing_only_after rate_limit strategy_id "
    "require_market_position max_positions".split()
)


class Case(NamedTuple):
    """A draft, and what it is a draft of."""

    command: str
    option: str
    draft: Draft
    venue: Venue

    def __str__(self) -> str:
        return f"{self.command} {self.option}".strip()


def needed(word: str) -> dict[str, str]:
    """Return what a command must be given."""
    own = {it.name: NEEDED[it.name] for it in places(word) if it.required}
    return own | dict(OF_COMMAND.get(word, {}))


def with_options(word: str, *options: str) -> Draft:
    """Return a draft of a command with these options."""
    values = needed(word)
    for option in options:
        values |= {"market_position": "long"} if (word, option) == ("FLATTEN", "market_position") else OPTIONS[option]
    if values.get("require_market_position") and word == "CANCELORDERS":
        values["instrument"] = "ES1!"
    if word == "FLATTEN" and "require_market_position" in options:
        values |= {"account": "Sim101", "instrument": "ES1!"}
    for name in options:  # what has no value of its own has that which commands that need it get
        if OPTIONS[name] == {} and name not in values:
            values[name] = NEEDED[name]
    return draft_of("strategy", word, values)


def _cases() -> Iterator[Case]:
    """Yield every command as it is, with each of its options alone, and PLACE with everything that goes together."""
    for word, kind in KINDS.items():
        for option in ("", *(it.name for it in places(word))):
            draft = with_options(word, *([option] if option else []))
            has_venue = kind.acts_on_positions or option in _OF_VENUE
            yield Case(word, option, draft, NINJATRADER if has_venue and word != KILL_SWITCH else TABLE)
    yield Case("PLACE", "with everything", with_options("PLACE", *_ALL_OF_PLACE), NINJATRADER)


CASES = tuple(_cases())
