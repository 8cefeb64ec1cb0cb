"""A trader in simulation who acts on positions, too: closes, turns, brackets, and entries with conditions."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tests.output import Answer
from verification.venue.trader import Fields, Trader

ACCOUNTS = ("Sim101", "Sim101", "Sim101", "sim102", "Apex1", "Sim103")
INSTRUMENTS = ("ES 12-26", "ES 12-26", "ES 12-26", "NQ 12-26", "ESZ6")

POSITION_HABITS: dict[str, float] = {
    "position commands": 0.45,
    "parts": 1,
    "brackets": 1,
    "reversals": 1,
    "conditions": 1,
    "numbers of positions": 1,
}
"""Which part of the alerts acts on positions, and how often among those each kind is chosen, beside what is usual."""


class Asked(NamedTuple):
    """What was accepted of a command about positions, and when."""

    fields: Fields
    at: datetime
    is_duplicate: bool


class PositionTrader(Trader):
    """Sends alerts about positions among the others, and keeps what was accepted."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.instructed: dict[str, Asked] = {}
        """What was accepted, by the ids of its instructions."""
        self.conditioned: dict[str, Fields] = {}
        """The orders that ask something of the position, by their ids."""

    def act(self) -> str:
        """Send an alert, or one again; returns what was answered."""
        if (answered := self.resend()) is not None:
            return answered
        if self._chance.random() >= POSITION_HABITS["position commands"]:
            return super().act()
        actions: Mapping[Callable[[], Fields], float] = {
            self._close_position: 4, self._flatten: 1.5, self._flatten_everything: 0.4,
            self._close_part: 2 * POSITION_HABITS["parts"],
            self._reverse: 2 * POSITION_HABITS["reversals"], self._bracket: 3 * POSITION_HABITS["brackets"],
            self._conditioned: 5 * POSITION_HABITS["conditions"],
        }  # fmt: skip
        [action] = self._chance.choices(list(actions), list(actions.values()))
        return self._send(action())

    def _note(self, fields: Fields, answer: Answer) -> None:
        super()._note(fields, answer)
        if answer.word == "accepted":
            if order_id := answer.body.get("order_id"):
                # FLATPLACE and REVERSEPOSITION are orders.
                self._note_order(str(order_id), fields)
            elif name := answer.body.get("instruction_id"):
                self.instructed.setdefault(str(name), Asked(fields, self._now(), bool(answer.body.get("duplicate"))))
        elif answer.word in ("placed", "scheduled") and any(it in fields for it in _CONDITIONS):
            self.conditioned[str(answer.body["order_id"])] = fields

    def _note_order(self, order_id: str, fields: Fields) -> None:
        self.placed[order_id] = fields
        self.conditioned[order_id] = fields
        self.may_open_until[order_id] = self.may_replace_until[order_id] = self.too_late_after()

    def _market(self) -> Fields:
        """Return an account and instrument, oftener than not of a position that there is."""
        held = [pair for pair, (quantity, _) in self._paper.positions.items() if quantity]
        if held and self._chance.random() < 0.7:
            account, instrument = self._chance.choice(held)
            return {"account": account, "instrument": instrument}
        return {"account": self._chance.choice(ACCOUNTS), "instrument": self._chance.choice(INSTRUMENTS)}

    def _close_position(self) -> Fields:
        return self._alert("CLOSEPOSITION", **self._market(), **self._required(0.1))

    def _close_part(self) -> Fields:
        part = self._chance.choice(({"qty": 1}, {"qty": 2}, {"percent": "0.5"}, {"percent": "0.34"}))
        return self._alert("CLOSEPOSITION", **self._market(), **part)

    def _flatten(self) -> Fields:
        narrowed = {name: value for name, value in self._market().items() if self._chance.random() < 0.6}
        if self._chance.random() < 0.2:
            narrowed["market_position"] = self._chance.choice(("long", "short"))
        return self._alert("FLATTEN", **narrowed)

    def _flatten_everything(self) -> Fields:
        return self._alert("FLATTENEVERYTHING")

    def _reverse(self) -> Fields:
        if self._chance.random() < 0.6:
            return self._alert("REVERSE", **self._market(), **self._required(0.1))
        return self._turned("REVERSEPOSITION")

    def _bracket(self) -> Fields:
        market = self._market()
        instrument = "NQ 12-26" if market["instrument"].startswith("NQ") else "ES 12-26"
        held, _ = self._paper.positions.get((market["account"], instrument), (0, 0))
        price, sign = self._paper.price(instrument), 1 if held >= 0 else -1
        legs: list[Fields] = [
            {"stop_loss": price - sign * self._points(2, 8)},
            {"take_profit": price + sign * self._points(2, 8)},
            {"stop_loss": price - sign * self._points(2, 8), "take_profit": price + sign * self._points(2, 8)},
        ]
        action = "BUY" if sign > 0 else "SELL"
        qty = self._chance.choice((1, 2, abs(held) or 1, 9))
        return self._alert(
            "CANCELANDBRACKET", **market, action=action, qty=qty, **self._chance.choice((*legs, legs[2]))
        )

    def _turned(self, word: str) -> Fields:
        order = self._order()
        self._numbers += 1
        return self._alert(word, **order, **self._legs(order), order_id=f"p{self._numbers}")

    def _conditioned(self) -> Fields:
        kind = self._chance.choice((0, 1, 2, 4, 5, *[3] * int(POSITION_HABITS["numbers of positions"])))
        if kind == 0:
            return self._turned("FLATPLACE")
        alert = self._turned("PLACE")
        match kind:
            case 1:
                alert["flatten_first"] = "true"
            case 2:
                alert["require_market_position"] = self._chance.choice(("flat", "long", "short", "flat,long"))
            case 3:
                alert["max_positions"] = self._chance.choice((1, 2))
            case 4:
                side = "long" if alert["action"] == "BUY" else "short"
                before = self._chance.choice(("flat", "short" if side == "long" else "long"))
                alert |= {"sync_strategy": "true", "market_position": side, "prev_market_position": before}
                alert |= {
                    "out_of_sync": self._chance.choice(("wait", "flatten", "resync")),
                    "target_quantity": alert["qty"],
                }
            case _:
                alert |= {"flatten_first": "true", "require_market_position": "long,short"}
        return alert

    def _required(self, likelihood: float) -> Fields:
        if self._chance.random() >= likelihood:
            return {}
        return {"require_market_position": self._chance.choice(("long", "short", "long/short"))}


_CONDITIONS = ("flatten_first", "require_market_position", "max_positions", "sync_strategy")
