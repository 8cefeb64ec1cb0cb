"""A trader in simulation: alerts as one sends them, to the real webhook, and what was answered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from cli.aws.paper import Paper
from tests.faults import lose_response, no_fault
from tests.output import Answer
from tests.service import Service

STRATEGIES = ("S1", "S2")
NAMES = ("ENTRY1", "STOP1", "TARGET1", "STOP2", "TARGET2")
TEMPLATE = "scalp"

RESENDS = 3
TOO_LATE = timedelta(seconds=30)

Fields = dict[str, Any]

HABITS: dict[str, float] = {
    "market orders": 4,
    "templates": 1,
    "replacements": 3,
    "replacements with legs": 0.5,
    "points to a limit": 4,
}
"""How many of ten orders and of some thirty alerts these are, which part of the replacements brings legs, how far from
the market a limit is at most, and how many seconds a bridge that has died is away at least, if it does not start at
once."""


class Trader:
    """Sends alerts by chance, and keeps what it was answered."""

    def __init__(self, chance: Random, service: Service, paper: Paper, now: Callable[[], datetime]) -> None:
        self._chance, self._service, self._paper, self._now = chance, service, paper, now
        self._numbers = 0
        self.placed: dict[str, Fields] = {}
        """What was answered `placed` or `scheduled`, as it was asked."""
        self.cancelled: dict[str, datetime] = {}
        """The orders of which a cancel was taken, and when."""
        self.may_open_until: dict[str, datetime] = {}
        """Until when each order may get to the venue first, and its further generations."""
        self.may_replace_until: dict[str, datetime] = {}
        self.switched_on: datetime | None = None
        """Since when the kill switch is on."""
        self._unanswered: list[tuple[datetime, int, Fields]] = []
        """What was answered 503: when it is sent again, and how often it was."""
        self.loses_answers = False
        self.answers: list[str] = []
        service.put_template(TEMPLATE, (1, 4, 4), (2, 8, 6))

    def resend(self) -> str | None:
        """Send again what was answered 5xx, as TradingView does, if it is time; returns what was answered."""
        due = next((it for it in self._unanswered if it[0] <= self._now()), None)
        if due is None:
            return None
        self._unanswered.remove(due)
        _, times, fields = due
        return self._send(fields, times + 1)

    def act(self) -> str:
        """Send an alert, or one again; returns what was answered."""
        if (answered := self.resend()) is not None:
            return answered
        actions: Mapping[Callable[[], Fields], float] = {
            self._place: 9, self._cancel: 3, self._cancel_by_name: 3, self._change: 3, self._change_by_name: 3,
            self._replace: HABITS["replacements"], self._close_strategy: 0.7, self._cancel_orders: 0.7,
            self._switch: 9 if self.switched_on else 0.5,
        }  # fmt: skip
        [action] = self._chance.choices(list(actions), list(actions.values()))
        return self._send(action())

    def _send(self, fields: Fields, times: int = 0) -> str:
        if self.loses_answers and self._chance.random() < 0.2:
            self._service.network.always = lose_response
        answer = self._service.post("".join(f"{name}={value};" for name, value in fields.items() if value is not None))
        self._service.network.always = no_fault
        if answer.status == 503 and times < RESENDS:
            self._unanswered.append((self._now() + timedelta(seconds=5), times, fields))
        self._note(fields, answer)
        self.answers.append(f"{fields.get('command', 'KILLSWITCH')} {answer.word}")
        asked = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None and name != "key")
        return f"{asked} -> {answer.status} {answer.word}"

    def _note(self, fields: Fields, answer: Answer) -> None:
        now, body = self._now(), answer.body
        order_id = str(body.get("order_id"))
        match answer.word:
            case "placed" | "scheduled":
                self.placed[order_id] = fields
                until = self.too_late_after(int(fields.get("delay") or 0))
                self.may_open_until[order_id] = self.may_replace_until[order_id] = until
            case "change_pending" | "replace_pending":
                self.may_replace_until[order_id] = now + TOO_LATE
            case "cancel_pending":
                self.cancelled.setdefault(order_id, now)
            case "kill_switch_on" if "kill_switch" in fields:
                self.switched_on = self.switched_on or now
            case "kill_switch_off":
                self.switched_on = None
        for listed in (*body.get("cancel_pending", ()), *body.get("cancelled", ())):
            self.cancelled.setdefault(str(listed), now)

    def too_late_after(self, delay: int = 0) -> datetime:
        """Return until when what is asked now, and waits so many seconds, may get to the venue.

        While the venue is away a release is tried as long again as it may be late then.
        """
        return self._now() + timedelta(seconds=delay) + TOO_LATE * (2 if delay else 1)

    def switch_off(self) -> None:
        """Turn the kill switch off."""
        self._send({"key": self._service.key, "kill_switch": "off"})

    # Alerts

    def _alert(self, command: str, **fields: Any) -> Fields:
        return {"key": self._service.key, "command": command, **fields}

    def _points(self, low: int, high: int) -> Decimal:
        return Decimal(self._chance.randint(low * 4, high * 4)) / 4

    def _order(self) -> Fields:
        chance = self._chance
        instrument = chance.choice(("ES 12-26",) * 3 + ("NQ 12-26",))
        market = self._paper.price(instrument)
        action, sign = chance.choice((("BUY", 1), ("BUY", 1), ("SELL", -1)))
        order_type = chance.choice(
            ("MARKET",) * int(HABITS["market orders"]) + ("LIMIT",) * 4 + ("STOPMARKET", "STOPLIMIT")
        )
        fields: Fields = {"account": self._account(), "instrument": instrument, "action": action}
        fields |= {"qty": chance.randint(1, 4), "order_type": order_type, "tif": chance.choice(("DAY", "GTC"))}
        if order_type == "LIMIT":
            fields["limit_price"] = market - sign * self._points(0, int(HABITS["points to a limit"]))
        if order_type.startswith("STOP"):
            fields["stop_price"] = market + sign * self._points(1, 4)
        if order_type == "STOPLIMIT":
            fields["limit_price"] = fields["stop_price"] + sign
        return fields

    def _account(self) -> str:
        chance = self._chance.random()
        return "Sim101" if chance < 0.9 else "sim102" if chance < 0.94 else "Apex1" if chance < 0.97 else "Sim103"

    def _legs(self, order: Fields) -> Fields:
        sign = 1 if order["action"] == "BUY" else -1
        basis = order.get("limit_price") or order.get("stop_price") or self._paper.price(order["instrument"])
        target = {"take_profit": basis + sign * self._points(3, 10)}
        stop = {"stop_loss": basis - sign * self._points(3, 10)}
        limited = basis - sign * self._points(3, 10)
        stop_limit = {"stop_loss_stop": limited, "stop_loss_limit": limited - sign}
        templates = [{"strategy": TEMPLATE}] * int(HABITS["templates"])
        choices: list[Fields] = [{}, *templates, stop, target, target | stop_limit]
        return self._chance.choice((*choices, *[target | stop] * 5))

    def _place(self) -> Fields:
        chance, order = self._chance, self._order()
        self._numbers += 1
        extra: Fields = {"order_id": f"o{self._numbers}"}
        if chance.random() < 0.7:
            extra["strategy_id"] = f"{chance.choice(STRATEGIES)}-{order['instrument'][:2]}"
        if chance.random() < 0.08:
            extra["delay"] = 2
        if chance.random() < 0.05:
            extra["cancel_after"] = 1
        if chance.random() < 0.08:
            extra["oco_id"] = chance.choice(("G1", "G2"))
        return self._alert("PLACE", **order, **self._legs(order), **extra)

    def _some_id(self) -> str:
        ids = list(self.placed) or ["none"]
        entry = self._chance.choice((ids[-1], self._chance.choice(ids[-4:])))
        return entry + self._chance.choice(("",) * 6 + (".STOP1", ".TARGET1"))

    def _cancel(self) -> Fields:
        return self._alert("CANCEL", order_id=self._some_id())

    def _named(self) -> Fields:
        return {"order_id": self._chance.choice(NAMES), "strategy_id": self._some_strategy()}

    def _some_strategy(self) -> str:
        known = [str(it["strategy_id"]) for it in self.placed.values() if "strategy_id" in it]
        return self._chance.choice(known[-4:] or ["none"])

    def _cancel_by_name(self) -> Fields:
        return self._alert("CANCEL", **self._named())

    def _change(self) -> Fields:
        order_id = self._some_id()
        before = self.placed.get(order_id.partition(".")[0], {"instrument": "ES 12-26"})
        of_leg = {"STOP1": "stop_price", "TARGET1": "limit_price"}.get(order_id.partition(".")[2])
        own: list[str] = [it for it in ("limit_price", "stop_price") if it in before]
        names = [of_leg] if of_leg else own or ["qty"]
        return self._alert("CHANGE", order_id=order_id, **self._other_value(names, before["instrument"]))

    def _other_value(self, names: Sequence[str], instrument: str) -> Fields:
        name = self._chance.choice((*names, *names, "qty"))
        value = self._chance.randint(1, 4) if name == "qty" else self._paper.price(instrument) + self._points(-6, 6)
        return {name: value}

    def _change_by_name(self) -> Fields:
        named = self._named()
        names = ["stop_price" if "STOP" in named["order_id"] else "limit_price"]
        instrument = "NQ 12-26" if named["strategy_id"].endswith("NQ") else "ES 12-26"
        return self._alert("CHANGE", **named, **self._other_value(names, instrument))

    def _replace(self) -> Fields:
        """Replace an order by one of its account, instrument and side; of another kind, often."""
        if not self.placed:
            return self._place()
        order_id, before = self._chance.choice(list(self.placed.items())[-4:])
        kept = {name: before[name] for name in ("account", "instrument", "action")}
        order = self._order()
        sign = 1 if kept["action"] == "BUY" else -1
        market = self._paper.price(kept["instrument"])
        prices = [name for name in ("limit_price", "stop_price") if name in order]
        order |= kept | {name: market + sign * self._points(-3, 3) for name in prices}
        if self._chance.random() < HABITS["replacements with legs"]:
            return self._replace_with_legs(order_id, before)
        time_limit = {"cancel_after": self._chance.choice((0, 1, 60))} if self._chance.random() < 0.2 else {}
        return self._alert("CANCELREPLACE", **order, **time_limit, order_id=order_id)

    def _replace_with_legs(self, order_id: str, before: Fields) -> Fields:
        """Move an order of the same kind away from the market, with a target and a stop."""
        sign = 1 if before["action"] == "BUY" else -1
        names = ("account", "instrument", "action", "qty", "order_type", "tif")
        order = {name: before[name] for name in names}
        order |= {it: before[it] - sign * self._points(-8, 8) for it in ("limit_price", "stop_price") if it in before}
        legs = self._legs(order)
        legs.pop("strategy", None)
        return self._alert("CANCELREPLACE", **order, **legs, order_id=order_id)

    def _close_strategy(self) -> Fields:
        return self._alert("CLOSESTRATEGY", strategy_id=self._some_strategy())

    def _cancel_orders(self) -> Fields:
        if self._chance.random() < 0.3:
            return self._alert("CANCELALLORDERS")
        return self._alert("CANCELORDERS", account="Sim101", instrument=self._chance.choice((None, "NQ1!")))

    def _switch(self) -> Fields:
        return {"key": self._service.key, "kill_switch": "off" if self.switched_on else "on"}
