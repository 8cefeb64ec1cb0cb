"""What a field or command that does not exist was probably meant to be.

A hint leads to an equal or a narrower act, never to a wider or an opposite one: CANCELORDER was meant to cancel one
order, though CANCELORDERS is but a letter away. Where two things may be meant there is none: no hint beats a wrong one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType

from orderhook.payload import KNOWN_NAMES, SYNONYMS, canonical, lower, upper

_FIELDS = {
    "account": "accounts account_id account_name account_number account_spec acct acct_id",
    "action": "side direction order_action order_side trade_action transaction_type buy_sell",
    "cancel_after": "cancel_after_minutes",
    "command": "cmd",
    "delay": "delay_seconds delay_sec",
    "instrument": "symbol ticker sym symbol_name ticker_symbol trading_symbol instrument_name",
    "limit_price": "limit price limit_px lmt lmt_price order_limit_price entry_limit_price",
    "notes": "comment comments remark remarks memo message msg alert_message order_comment description",
    "oco_id": "oco oco_group oca oca_id oca_name oca_group",
    "order_id": "oid client_order_id clord_id cl_ord_id new_client_order_id order_link_id order_name order_ref",
    "order_type": "type ord_type order_kind",
    "qty": "size contracts order_qty order_quantity order_size order_contracts trade_qty trade_quantity num_contracts",
    "stop_loss": "sl stop_loss_price sl_price slp",
    "stop_price": "stop stop_px trigger_price aux_price order_stop_price entry_stop_price",
    "strategy": "atm atm_template atm_name atm_strategy_name strategy_template template template_name",
    "strategy_id": "strat_id atm_strategy_id atm_id",
    "take_profit": "tp take_profit_price tp_price tpp profit_target_price target_price",
    "tif": "time_in_force order_tif",
}
"""What TradersPost, PickMyTrade, NinjaTrader, Tradovate, Interactive Brokers, Binance, Bybit and Pine call a field.

Left out is what means something else there: a distance (profit, loss, trail, sl_ticks, dollar_tp), a position
(position_size, sentiment), an amount of money (amount), a bar's time (time, interval), or a name that could be an id or
a template's (strategy_name).
"""

_COMMANDS = {
    "CANCEL": "CANCEL_ORDER",
    "CANCELALLORDERS": "CANCEL_ALL",
    "PLACE": "PLACE_ORDER NEW_ORDER SUBMIT_ORDER",
    "PLACE with action=BUY": "BUY",
    "PLACE with action=SELL": "SELL",
    "CHANGE": "CHANGE_ORDER",
    "CANCELREPLACE": "CANCEL_REPLACE_ORDER CANCEL_AND_REPLACE",
    "CHANGE or CANCELREPLACE": "REPLACE REPLACE_ORDER MODIFY MODIFY_ORDER AMEND AMEND_ORDER UPDATE_ORDER EDIT_ORDER",
    "FLATTEN": "FLATTEN_POSITIONS",
    "FLATPLACE": "FLAT_PLACE_ORDER",
}
"""What other services and the titles of CrossTrade's pages call a command."""

_KILL_SWITCH = frozenset(f"KILLSWITCH{turn}" for turn in ("", "ON", "OFF"))

_SHORTEST_WITH_A_SLIP = 3
_SHORTEST_WITH_ANY_SLIP = 5
"""In a shorter name another letter, or one less, makes another word: tf is a time frame and no tif."""


def _letters(name: str) -> str:
    return "".join(character for character in name if character.isascii() and character.isalnum())


def _by_letters(table: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({_letters(other): meant for meant, others in table.items() for other in others.split()})


_FIELD_BY_LETTERS = _by_letters(_FIELDS)
_COMMAND_BY_LETTERS = _by_letters(_COMMANDS)


def field(name: str) -> str | None:
    """Return the known name that was probably meant; letters are compared without case, blanks, '_' and '-'."""
    letters = _letters(lower(name))
    known = {_letters(each): each for each in sorted(KNOWN_NAMES - {"key"})}
    if letters in known or letters in _FIELD_BY_LETTERS:
        return known.get(letters) or _FIELD_BY_LETTERS[letters]
    near = [each for known_letters, each in known.items() if _is_a_slip(letters, known_letters)]
    return near[0] if len({SYNONYMS.get(each, each) for each in near}) == 1 else None


_WORDS = re.compile(r"[A-Za-z0-9_-]+(?:[ \t]+[A-Za-z0-9_-]+)*\s*\Z")
_MOST_WORDS = 3
_LONGEST = 64
"""A field that was meant has so many words and characters at most: stop loss limit."""


def fields_in(text: str, *, after_blank: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what stands before a '=' in a text and is a field or was probably meant as one, with that field's name.

    With `after_blank` behind its first word only.
    """
    for part in text.split("=")[:-1]:
        if not (words := _WORDS.search(part, max(0, len(part) - _LONGEST))):
            continue
        starts = [words.start() + word.start() for word in re.finditer(r"\S+", words[0])][-_MOST_WORDS:]
        if after_blank:
            starts = [start for start in starts if start and part[start - 1].isspace()]
        names = [part[start:].rstrip() for start in starts]
        meant = ((name, name if lower(name) in KNOWN_NAMES else field(name)) for name in names)
        yield from islice(((name, canonical(known)) for name, known in meant if known), 1)


def command(word: str, commands: Iterable[str]) -> str | None:
    """Return the command, among those that there are, that was probably meant."""
    letters = _letters(upper(word))
    known = {**_COMMAND_BY_LETTERS, **{each: each for each in commands}}
    near = {meant for known_letters, meant in known.items() if _is_a_slip(letters, known_letters)}
    return known.get(letters) or (near.pop() if len(near) == 1 else None)


def is_kill_switch(word: str) -> bool:
    """Return whether a word that is no command was meant to turn the kill switch, on or off."""
    letters = _letters(upper(word))
    return letters in _KILL_SWITCH or any(_is_a_slip(letters, known) for known in _KILL_SWITCH)


def _is_a_slip(letters: str, known: str) -> bool:
    """Return whether one letter of a known name was put in, left out or mistaken, or two were swapped.

    A digit that was put in is not a slip: take_profit2 is not meant to be the take_profit.
    """
    if len(known) < _SHORTEST_WITH_A_SLIP or letters == known:
        return False
    same = next(
        (n for n, (a, b) in enumerate(zip(letters, known, strict=False)) if a != b), min(len(letters), len(known))
    )
    sent, meant = letters[same:], known[same:]
    if sent[1:] == meant:
        return not sent[0].isdigit()
    if sent[:2] == meant[1::-1] and sent[2:] == meant[2:]:
        return True
    return len(known) >= _SHORTEST_WITH_ANY_SLIP and (sent == meant[1:] or sent[1:] == meant[1:])
