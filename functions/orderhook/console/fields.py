"""What the forms of the console know of commands and their fields: how each is called, explained and grouped.

Plain data. What a command takes says `Command.alert_fields`; a test holds this table against it, and against the list
of fields in docs/commands.md.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, get_args

from orderhook.commands import COMMANDS, Command
from orderhook.commands.fields import IDS
from orderhook.commands.kill_switch import KillSwitch
from orderhook.orders import Action, OrderType, TimeInForce

KILL_SWITCH = KillSwitch.word
"""Stands in a form for the command that the kill switch has none of."""

KINDS: Mapping[str, type[Command]] = MappingProxyType({**COMMANDS, KILL_SWITCH: KillSwitch})

NEW_ORDERS = frozenset(word for word, kind in KINDS.items() if kind.alert_fields().get("order_id") is False)
"""The commands that place an order of an id of their own."""

NOT_BY_HAND: Mapping[str, str] = MappingProxyType(
    {"delay": "By hand nothing waits for a delay: leave it out, and send this when it is to be done."}
)
"""Fields that alerts alone have, and why: when a delay is over, nobody need know any more whose session it was."""


class CommandWords(NamedTuple):
    """How a form offers a command."""

    label: str
    says: str


COMMAND_GROUPS: Mapping[str, Mapping[str, CommandWords]] = MappingProxyType(
    {
        "Enter": {"PLACE": CommandWords("Place an order", "With its target and its stop, if you give them.")},
        "Change what works": {
            "CHANGE": CommandWords("Change an order", "Another price or quantity; what is left empty stays as it is."),
            "CANCELREPLACE": CommandWords(
                "Replace an order", "Another order under the same id: trails an entry bar by bar."
            ),
        },
        "Cancel": {
            "CANCEL": CommandWords("Cancel one order", "By its id, or by its name in a strategy."),
            "CANCELORDERS": CommandWords("Cancel an account's orders", "All of them, or those of one instrument."),
            "CANCELALLORDERS": CommandWords("Cancel every order", "In every account."),
            "CLOSESTRATEGY": CommandWords(
                "Close a strategy", "Cancels its orders; with a venue what is filled of it is closed, too."
            ),
        },
        "Positions, with a venue": {
            "CLOSEPOSITION": CommandWords("Close a position", "At the market: all of it, or a part."),
            "FLATTEN": CommandWords("Flatten", "Closes every position of an account, an instrument or a side."),
            "FLATTENEVERYTHING": CommandWords("Flatten everything", "Ends every order and every position."),
            "FLATPLACE": CommandWords(
                "Close, then place", "The order is placed once the position was seen to be closed."
            ),
            "REVERSE": CommandWords("Reverse", "As many contracts on the other side, at the market, with no stop."),
            "REVERSEPOSITION": CommandWords(
                "Reverse by an order", "Closes the position, then places the order that you describe."
            ),
            "CANCELANDBRACKET": CommandWords(
                "Protect a position", "A target, a stop or both, in place of the orders that the instrument has."
            ),
        },
        "Stop and go on": {
            KILL_SWITCH: CommandWords("Turn the kill switch", "On, no alert opens anything until it is off again.")
        },
    }
)
"""Every command, as a trader looks for it."""

COMMAND_WORDS: Mapping[str, CommandWords] = MappingProxyType(
    {word: words for group in COMMAND_GROUPS.values() for word, words in group.items()}
)


class Field(NamedTuple):
    """How a form offers a field."""

    label: str
    value: str
    """What may stand there, as docs/commands.md says it."""
    subject: str
    why: str = ""
    """What it is for, where the label does not say it."""
    choices: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    """What a form offers to write there; with `{{` it is for alerts alone."""
    of_strategy: tuple[str, ...] = ()
    """Likewise, in an alert of a strategy."""


ORDER, LEGS, POSITION, TIME, MORE = (
    "The order",
    "Target and stop",
    "Only if the position is as expected",
    "When, and how often",
    "Rarely needed",
)
SUBJECTS = (ORDER, LEGS, POSITION, TIME, MORE)

_YES = ("true",)
_DISTANCE = ("{{plot_0}}", "-8 ticks")

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "kill_switch": Field(
            "Kill switch",
            "yes or no; alone, without a command",
            ORDER,
            "on: no alert opens anything; what cancels and closes still passes.",
            choices=("on", "off"),
        ),
        "account": Field(
            "Account",
            "1 to 64 characters, or a list with commas; in the other commands a list says which orders are meant",
            ORDER,
            "Where it trades. Several with commas: Sim101,Apex-7.",
            examples=("Sim101",),
        ),
        "instrument": Field(
            "Instrument",
            "1 to 64 characters, such as ES1! or ES 12-26; every spelling of a future's month is the same",
            ORDER,
            "ES1! is the front month in what opens, and every month in what cancels or closes.",
            examples=("ES1!", "NQ1!", "{{ticker}}"),
        ),
        "action": Field(
            "Side",
            "BUY, SELL; in CANCELANDBRACKET the side of the position, long and short as well",
            ORDER,
            "BUY opens a long position or closes a short one.",
            choices=get_args(Action),
            of_strategy=("{{strategy.order.action}}",),
        ),
        "qty": Field(
            "Quantity",
            "a whole number from 1 to 1000000; in CHANGE 0 means unchanged",
            ORDER,
            "Contracts; in a change or a replacement the total wanted, with what is filled already.",
            examples=("1", "2"),
            of_strategy=("{{strategy.order.contracts}}",),
        ),
        "percent": Field(
            "Part of it",
            "a part of the position, above 0 and at most 1: 0.5 is half of it",
            ORDER,
            "In place of a quantity; rounded up to a whole contract.",
            examples=("0.5",),
        ),
        "order_type": Field(
            "Order type",
            "MARKET, LIMIT, STOPMARKET, STOPLIMIT",
            ORDER,
            "LIMIT needs the limit price, STOPMARKET the stop price, STOPLIMIT both.",
            choices=get_args(OrderType),
        ),
        "limit_price": Field(
            "Limit price",
            "a price above 0, or, but in CHANGE, a distance such as -8 ticks; 0 means none",
            ORDER,
            "For LIMIT and STOPLIMIT.",
            examples=("{{close}}", "{{plot_0}}"),
        ),
        "stop_price": Field(
            "Stop price",
            "a price above 0, or, but in CHANGE, a distance such as -8 ticks; 0 means none",
            ORDER,
            "For STOPMARKET and STOPLIMIT. What protects an entry stands under target and stop.",
            examples=("{{high}}", "{{plot_0}}"),
        ),
        "tif": Field(
            "Lasts",
            "DAY, GTC; a DAY order ends at the next 17:00 in New York",
            ORDER,
            "DAY ends at the next 17:00 in New York, GTC when it is cancelled.",
            choices=get_args(TimeInForce),
        ),
        "order_id": Field(
            "Order id",
            "an id; in commands about an order also an order name, or the id of a target or stop",
            ORDER,
            examples=("es-long-{{timenow}}",),
            of_strategy=("{{strategy.order.id}}-{{timenow}}",),
        ),
        "strategy_id": Field(
            "Strategy",
            "an id",
            ORDER,
            "Names its orders: ENTRY1, STOP1, TARGET1. A name is free again when its order is finished, so a fixed "
            "text finds today's order every day.",
            examples=("es-long",),
        ),
        "take_profit": Field(
            "Target",
            "the target's price, beyond the entry's, or a distance from the fill",
            LEGS,
            "A limit order on the other side, TARGET1: a price, or with a venue a distance from the fill.",
            examples=("{{plot_1}}", "40 ticks"),
        ),
        "stop_loss": Field(
            "Stop",
            "the stop's price, on the other side of the entry's, or a distance from the fill",
            LEGS,
            "A stop order on the other side, STOP1: a price, or with a venue a distance from the fill.",
            examples=_DISTANCE,
        ),
        "stop_loss_limit": Field(
            "Stop, with a limit",
            "the limit price of a stop-limit order, not on the entry's side of its stop price",
            LEGS,
            "In place of the stop: it is filled no worse than this, or not at all.",
            examples=_DISTANCE,
        ),
        "stop_loss_stop": Field(
            "Where that stop triggers",
            "its stop price, where that differs",
            LEGS,
            "Only with a stop that has a limit.",
            examples=_DISTANCE,
        ),
        "strategy": Field(
            "Template",
            "the name of a stored template, or of a declared one of NinjaTrader's own; CANCELREPLACE refuses it, "
            "because the order keeps its legs",
            LEGS,
            "Brings its own targets and stops, in place of the prices above.",
        ),
        "require_market_position": Field(
            "Only if the position is",
            "flat, long, short, or several of them with , or /; with a venue",
            POSITION,
            choices=("flat", "long", "short", "flat/long", "flat/short", "long/short"),
        ),
        "max_positions": Field(
            "Open instruments at most",
            "how many instruments of the account may be open with it, from 1; with a venue",
            POSITION,
            examples=("1",),
        ),
        "flatten_first": Field(
            "Flatten first",
            "yes or no: end the orders of the instrument and its position before; with a venue",
            POSITION,
            choices=_YES,
        ),
        "sync_strategy": Field(
            "Keep in step with the strategy",
            "yes or no: compare the position with the strategy's; with a venue",
            POSITION,
            choices=_YES,
        ),
        "market_position": Field(
            "Side of the position",
            "in FLATTEN long or short; in PLACE, with sync_strategy, flat too",
            POSITION,
            choices=("flat", "long", "short"),
            of_strategy=("{{strategy.market_position}}",),
        ),
        "prev_market_position": Field(
            "Side before this order",
            "flat, long, short: with sync_strategy",
            POSITION,
            choices=("flat", "long", "short"),
            of_strategy=("{{strategy.prev_market_position}}",),
        ),
        "out_of_sync": Field(
            "Where they differ",
            "wait, flatten or resync: what is done where they differ; with sync_strategy",
            POSITION,
            choices=("wait", "flatten", "resync"),
        ),
        "target_quantity": Field(
            "Size after this order",
            "a whole number of contracts, below 0 for a short: with sync_strategy",
            POSITION,
            examples=("1",),
            of_strategy=("{{strategy.market_position_size}}",),
        ),
        "cancel_after": Field(
            "Cancel after",
            "whole minutes, 1 to 180; 0 means none",
            TIME,
            "Ends the order if it is still open then.",
            examples=("15",),
        ),
        "delay": Field(
            "Delay",
            "seconds, up to 60; decimals are rounded up; 0 means none",
            TIME,
            "Alerts of one bar come in any order: with 2 the others go first.",
            examples=("2",),
        ),
        "start_time": Field(
            "From", "a time of day in New York: 9:30, 13:30, 1:30 PM", TIME, "Before it the alert is refused.",
            examples=("9:30",),
        ),
        "end_time": Field(
            "Until", "a time of day in New York, likewise", TIME, "From then on the alert is refused.",
            examples=("16:00",),
        ),
        "closing_only_after": Field(
            "Only what closes, from",
            "a time of day in New York, likewise, between the two",
            TIME,
            examples=("15:45",),
        ),
        "bypass_trade_windows": Field("At any time all the same", "yes or no", TIME, choices=_YES),
        "rate_limit": Field(
            "Alerts at most",
            "alerts, or alerts/seconds: 1, 3/900",
            TIME,
            "1 is one a minute, 3/900 three in 15 minutes. It needs the id below.",
            examples=("1", "3/900"),
        ),
        "id": Field("Counted under", "the id whose alerts rate_limit counts", TIME, examples=("es-long",)),
        "oco_id": Field(
            "OCO group",
            "an id; kept with the order, without effect until there is a venue, which a warning says",
            MORE,
            "The venue ends the others of the group when one is filled.",
        ),
        "reference_price": Field(
            "Prices count from",
            "a price above 0, from which a relative limit_price or stop_price counts",
            MORE,
            examples=("{{close}}",),
        ),
        "notes": Field("Notes", "any text, up to 500 characters", MORE, "Kept with the order and its record."),
    }
)  # fmt: skip
"""Every field that some command uses, in the order in which a form and a text have them."""

_OF_NAMES = (
    "Its id, or its name in the strategy: ENTRY1 is the entry, STOP1 its stop, TARGET1 its target. While one entry is "
    "open, the next is ENTRY2, with STOP2."
)
_OF_NEW = "Your handle on this order. It serves once: with {{timenow}} every firing has its own."
_OF_NEW_BY_HAND = "Your handle on this order. It serves once; left empty, the next page gives it one."
_EXPLAINED: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{(word, "order_id"): _OF_NEW if word in NEW_ORDERS else _OF_NAMES for word in KINDS},
        **{
            (word, "strategy_id"): "Of a name: where it is looked up. Of an id: a check."
            for word in ("CANCEL", "CHANGE")
        },
        ("CANCELREPLACE", "strategy_id"): "Of a name: where it is looked up. Of an id: a check.",
        ("CLOSESTRATEGY", "strategy_id"): "The strategy that is closed, all of it.",
        ("CANCELANDBRACKET", "action"): "The side of the position that is protected: BUY for a long one.",
        ("FLATTEN", "market_position"): "Leave it empty to close both sides.",
        **{
            (word, "account"): "Needed only for orders that were placed by a list of accounts: the same list."
            for word in ("CANCEL", "CHANGE", "CLOSESTRATEGY")
        },
    }
)

_FIRST: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "FLATTEN": frozenset(("market_position",)),
        "CANCELANDBRACKET": frozenset(name for name, it in FIELDS.items() if it.subject == LEGS),
    }
)
"""What stands with the order itself in the form of these commands."""

_NO_LIST_ALONE = frozenset(("CANCEL", "CHANGE", "CLOSESTRATEGY"))
"""They take an account only in a list."""


class Place(NamedTuple):
    """A field in the form of one command."""

    name: str
    required: bool
    subject: str


def places(word: str) -> list[Place]:
    """Return the fields that a command's form has, what says which order is meant first."""
    kind = KINDS[word]
    taken = {name: required for name, required in kind.alert_fields().items() if name not in kind.refused}
    if word in _NO_LIST_ALONE:
        taken["account"] = False
    names = [name for name in FIELDS if name in taken]
    if taken.get("order_id"):
        names.sort(key=lambda name: name not in IDS)
    return [Place(name, taken[name], _subject(word, name)) for name in names]


def _subject(word: str, name: str) -> str:
    if name in _FIRST.get(word, ()):
        return ORDER
    return MORE if name == "account" and word in _NO_LIST_ALONE else FIELDS[name].subject


def explanation(word: str, name: str, *, by_hand: bool = False) -> str:
    """Return what a field is for in a command, or else what may stand there; by hand there are no placeholders."""
    if by_hand and (word, name) in _EXPLAINED and _EXPLAINED[word, name] is _OF_NEW:
        return _OF_NEW_BY_HAND
    return _EXPLAINED.get((word, name), FIELDS[name].why) or in_full(name)


def in_full(name: str) -> str:
    """Return all that may stand in a field, as a sentence."""
    value = FIELDS[name].value
    return f"{value[0].upper()}{value[1:]}."


def choices(word: str, name: str, *, of_strategy: bool | None) -> tuple[str, ...]:
    """Return what may be chosen in a field, if it is a choice; None of a strategy is no alert at all."""
    own = FIELDS[name].choices
    if word == "FLATTEN" and name == "market_position":
        own = ("long", "short")
    return (*own, *(FIELDS[name].of_strategy if own and of_strategy else ()))


def examples(name: str, *, of_strategy: bool | None) -> tuple[str, ...]:
    """Return what a form offers to write in a field; without an alert nothing fills in a placeholder."""
    own = FIELDS[name]
    if of_strategy is None:
        return tuple(it for it in own.examples if "{{" not in it)
    return (*(own.of_strategy if of_strategy else ()), *own.examples)


DEFAULTS: Mapping[str, str] = MappingProxyType({"qty": "1", "tif": "DAY", "kill_switch": "on"})
"""What a new form has where the command needs the field."""


def defaults(word: str) -> dict[str, str]:
    """Return what stands in a new form of a command."""
    return {it.name: DEFAULTS[it.name] for it in places(word) if it.required and it.name in DEFAULTS}
