"""What an operator sets up for a trader: keys, templates, and whether the kill switch stops cancels.

What the operator types is checked by the same rules as an alert's fields.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator

from orderhook import keys
from orderhook.commands import SCOPES
from orderhook.commands.fields import MAX_QTY, GivenLabel, Label, Qty, check_alphabet
from orderhook.errors import InvalidValueError
from orderhook.instruments import canonical, continuous_root
from orderhook.keys import ALERT, API, KILL_SWITCH, READ, TRADE, Key
from orderhook.limits import CONTINUOUS, Limits
from orderhook.orders import Bracket, Template, folded, timestamp
from orderhook.payload import lower, upper
from orderhook.rate_limit import MAX_ALERTS
from orderhook.store.keys import KeyStore
from orderhook.trade import MAX_BRACKETS

MAX_MARKETS = 20
"""To how many accounts, and to how many instruments, a key can be limited: a condition has room for as many."""

BOTH = "both"
"""What an operator types for all that a key of the API can be allowed."""

_POINTS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")


def _name(value: str) -> str:
    check_alphabet(value, "trader", re.compile(r"[^A-Za-z0-9_.:-]"), "A-Z a-z 0-9 _ . : -")
    return value


def _remark(value: str) -> str:
    check_alphabet(value, "label", re.compile(r"[^ -:<>-~]"), "printable ASCII characters other than ';' and '='")
    return value


class _Typed(BaseModel):
    """The types of alert fields, for checking what an operator typed."""

    trader: Annotated[str, BeforeValidator(_name)] = "main"
    label: Annotated[str, BeforeValidator(_remark)] = ""
    template: Label = ""
    account: GivenLabel = ""
    instrument: GivenLabel = ""
    qty: Qty = 1


def check_trader(trader: str) -> str:
    """Return a trader's name as it is stored; raises InvalidValueError if it cannot be one."""
    if not trader:
        raise InvalidValueError("trader is empty; leave it out to use main.", field="trader")
    return _Typed(trader=trader).trader


def check_label(label: str) -> str:
    """Return what a key or a session is called, as it is stored; raises InvalidValueError if it cannot be."""
    return _Typed(label=label).label


def make_limits(
    *,
    accounts: Iterable[str] = (),
    instruments: Iterable[str] = (),
    max_qty: int | None = None,
    max_orders_per_minute: int | None = None,
    on: date,
) -> Limits | None:
    """Return the limits that are typed, None without any; raises InvalidValueError.

    The day in New York decides what the name of an instrument means.
    """
    named = [instrument_name(name, on) for name in instruments]
    limits = Limits(_markets("account", accounts), _markets("instrument", named), max_qty, max_orders_per_minute)
    for option, number, most in (
        ("--max-qty", max_qty, MAX_QTY),
        ("--max-orders-per-minute", max_orders_per_minute, MAX_ALERTS),
    ):
        if number is not None and not 1 <= number <= most:
            raise InvalidValueError(f"{option} is {number}; give a whole number from 1 to {most}.")
    return limits if any(limits) else None


def instrument_name(name: str, on: date) -> str:
    """Return the one name of an instrument that an operator types; `ES1!` stays so, and is every month of ES."""
    root = continuous_root(name)
    return f"{root}{CONTINUOUS}" if root else canonical(name, on)


def _markets(field: str, names: Iterable[str]) -> tuple[str, ...]:
    by_fold: dict[str, str] = {}
    for name in names:
        if not name:
            raise InvalidValueError(f"An {field} is empty; leave --{field} out to allow any.", field=field)
        if "," in name:
            raise InvalidValueError(f"There is a ',' in {name!a}; write --{field} once for each.", field=field)
        checked = getattr(_Typed.model_validate({field: name}), field)
        by_fold.setdefault(folded(checked), checked)
    if len(by_fold) > MAX_MARKETS:
        raise InvalidValueError(f"A key can be limited to {MAX_MARKETS} of them, not {len(by_fold)}.", field=field)
    return tuple(by_fold.values())


def create_key(
    key_store: KeyStore,
    *,
    trader: str,
    label: str,
    scopes: Iterable[str],
    now: datetime,
    kill_switch: bool = False,
    limits: Limits | None = None,
    api: bool = False,
) -> tuple[str, Key]:
    """Issue a key and store its hash; return the key itself, which nobody can read again, and what is stored of it.

    Without scopes it may give every command, the kill switch only with `kill_switch`; one of the API may read and
    trade, which the kill switch is part of. Raises InvalidValueError.
    """
    allowed = _api_scopes(scopes, kill_switch) if api else _commands(scopes, kill_switch, limits)
    trader = check_trader(trader)
    secret, key = keys.issue(
        trader=trader,
        label=check_label(label),
        scopes=allowed,
        created=timestamp(now),
        strict_kill_switch=stops_cancels(key_store, trader),
        turns_kill_switch=kill_switch,
        limits=limits,
        kind=API if api else ALERT,
    )
    key_store.put(key)
    return secret, key


def _commands(scopes: Iterable[str], kill_switch: bool, limits: Limits | None) -> frozenset[str]:
    commands = frozenset(map(upper, scopes))
    for command in commands.difference(SCOPES):
        raise InvalidValueError(f"There is no command {command!a} to allow; there are {', '.join(SCOPES)}.")
    if kill_switch and commands:
        commands |= {KILL_SWITCH}
    if limits and (kill_switch or KILL_SWITCH in commands):
        raise InvalidValueError("A limited key cannot turn the kill switch, which is for everything; issue two keys.")
    return commands


def _api_scopes(scopes: Iterable[str], kill_switch: bool) -> frozenset[str]:
    if kill_switch:
        raise InvalidValueError("--kill-switch is for keys of alerts; with --api, --scope trade may turn it.")
    named = frozenset(map(lower, scopes)) or frozenset((BOTH,))
    for scope in named.difference((READ, TRADE, BOTH)):
        raise InvalidValueError(f"There is no scope {scope!a} of the API; there are {READ}, {TRADE} and {BOTH}.")
    return frozenset((READ, TRADE)) if BOTH in named else named


def describe_scopes(key: Key) -> str:
    """Say which commands a key may give, or what it may do by the API."""
    if key.kind == API:
        return f"API: {', '.join(sorted(map(str, key.scopes)))}"
    everything = "every command" if key.turns_kill_switch else f"every command but {KILL_SWITCH}"
    return ", ".join(sorted(map(str, key.scopes))) or everything


def describe_limits(limits: Limits | None) -> str:
    """Say what a key or a session is limited to; nothing where it is not."""
    accounts, instruments, max_qty, rate = limits or Limits()
    parts = (
        f"account {' or '.join(accounts)}" if accounts else "",
        f"instrument {' or '.join(instruments)}" if instruments else "",
        f"qty {max_qty}" if max_qty else "",
        f"{rate} orders a minute" if rate else "",
    )
    return ", ".join(filter(None, parts))


def check_has_key(key_store: KeyStore, trader: str) -> None:
    """Raise InvalidValueError, naming the traders that there are, where keys belong to others and none to this one."""
    traders = sorted({str(item.get("trader")) for item in key_store.items()})
    if traders and trader not in traders:
        raise InvalidValueError(
            f"No key belongs to a trader {trader!a}; the traders are {', '.join(traders)}.", field="trader"
        )


def keys_of(key_store: KeyStore, trader: str) -> list[Key]:
    """Return what is stored of a trader's keys, including revoked ones."""
    all_keys = key_store.list()
    return [key for key in all_keys if key.trader == trader]


def stops_cancels(key_store: KeyStore, trader: str) -> bool:
    """Return whether the trader's kill switch stops cancels too; all keys of a trader say the same."""
    return any(key.strict_kill_switch for key in keys_of(key_store, trader))


def set_stops_cancels(key_store: KeyStore, trader: str, *, stops: bool) -> None:
    """Set on every key of the trader whether the kill switch stops cancels; raises InvalidValueError without a key."""
    trader_keys = keys_of(key_store, trader)
    if not trader_keys:
        raise InvalidValueError(f"{trader} has no key, and this is stored with the keys; create a key first.")
    for key in trader_keys:
        key_store.set_strict_kill_switch(key.key_id, strict=stops)


def make_template(name: str, brackets: Iterable[str], *, ninjatrader: bool = False) -> Template:
    """Return the template whose brackets are typed as QTY:TARGET:STOP; raises InvalidValueError.

    One of NinjaTrader's own has none here.
    """
    if not name:
        raise InvalidValueError("The template has no name; give it one.")
    if ninjatrader:
        if any(brackets):
            raise InvalidValueError("NinjaTrader knows the brackets of its own template; leave --bracket out.")
        return Template(_Typed(template=name).template, ninjatrader=True)
    parsed = tuple(map(_parse_bracket, brackets))
    if not 1 <= len(parsed) <= MAX_BRACKETS:
        raise InvalidValueError(
            f"A template has from 1 to {MAX_BRACKETS} brackets; add --bracket QTY:TARGET:STOP, or --ninjatrader if "
            "NinjaTrader has it."
        )
    return Template(_Typed(template=name).template, parsed)


def _parse_bracket(text: str) -> Bracket:
    parts = text.split(":")
    if len(parts) != 3:
        raise InvalidValueError(f"The bracket {text!a} is not QTY:TARGET:STOP; write it like 1:10:5, 1:10: or 1::5.")
    qty, target, stop = parts
    if not target and not stop:
        raise InvalidValueError(f"The bracket {text!a} has neither a target nor a stop; give it at least one.")
    return Bracket(
        qty=_Typed.model_validate({"qty": qty}).qty,
        target=_parse_points("target", target),
        stop=_parse_points("stop", stop),
    )


def _parse_points(name: str, text: str) -> Decimal | None:
    if not text:
        return None
    points = Decimal(text) if _POINTS.fullmatch(text) else Decimal(0)
    if not points:
        raise InvalidValueError(f"The {name} {text!a} is not a distance; give points above 0, such as 10 or 2.25.")
    return points
