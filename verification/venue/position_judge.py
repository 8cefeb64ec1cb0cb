"""What must hold of positions, by what was filled at the venue alone: a model that knows nothing of the bridge."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from bridge.events import WriteFile
from bridge.state import State
from orderhook.orders import folded
from tests.oif_reader import read_line
from verification.venue.judge import TRADED, Judge
from verification.venue.trader import TOO_LATE

if TYPE_CHECKING:
    from verification.venue.loop import Loop
    from verification.venue.position_trader import PositionTrader
    from verification.venue.trader import Fields

Pair = tuple[str, str]

CLOSERS = frozenset({"CLOSEPOSITION", "FLATTEN", "FLATTENEVERYTHING", "CLOSESTRATEGY"})
"""Whose made orders only close."""

_ORDERS_END_WITHIN = timedelta(seconds=5)
"""How long own orders have to end before NinjaTrader is to close beside them."""

_CLOSED_AGAIN = timedelta(seconds=9.9)
"""How soon a position may be closed again that was not seen flat."""

_KNOWN_FOR = timedelta(seconds=6)
"""How long a position must have been so that the bridge has certainly read of it: a file comes late by 3 s at most."""


class Moment(NamedTuple):
    """A position, and since when."""

    at: datetime
    net: int


class PositionJudge(Judge):
    """Watches a loop, and what its positions become."""

    def __init__(self, loop: "Loop") -> None:
        super().__init__(loop)
        self._net: dict[Pair, list[Moment]] = defaultdict(lambda: [Moment(loop.at, 0)])
        self._executions = 0
        self._made_by: dict[str, str] = {}
        """By their ids, for what the bridge has made orders: an instruction, or an order."""
        self._closed_at: dict[Pair, datetime] = {}
        """When NinjaTrader was last to close a position."""
        self._turned_over: set[Pair] = set()
        """The pairs that a close has turned over: somebody must have been told."""

    @property
    def _trader(self) -> "PositionTrader":
        trader: PositionTrader = self._loop.trader  # type: ignore[assignment]
        return trader

    def learn(self) -> None:
        """Learn what the bridge knows, and what it has told its person."""
        super().learn()
        if self._loop.is_up:
            self._learn_made(self._loop.state)

    def _learn_made(self, state: State) -> None:
        self.owners |= {venue_id: it.order_id for venue_id, it in state.venue_orders.items()}
        self._made_by |= {it.order_id: it.made_by for it in state.orders.values() if it.made_by}

    # The model: positions by what was filled

    def look_at_lines(self) -> None:
        """Judge what NinjaTrader has read and filled since the last time."""
        super().look_at_lines()
        executions = self._loop.paper.executions
        for it in executions[self._executions :]:
            pair = (it.account, it.instrument)
            before = self._net[pair][-1].net
            after = before + it.quantity
            self._net[pair].append(Moment(it.at, after))
            self._look_at_fill(it.order_id, pair, before, after)
        self._executions = len(executions)

    def _look_at_fill(self, venue_id: str, pair: Pair, before: int, after: int) -> None:
        owner = self.owners.get(venue_id)
        command = self._command_of(owner) if owner else "CLOSEPOSITION" if self._is_native(venue_id) else None
        opens = before * after < 0 or abs(after) > abs(before)
        if opens and (command in CLOSERS or (owner is None and command)):
            self._turned_over.add(pair)
            if not self._may_turn_over():
                self.find(f"a close of {pair} made {after} of {before}")
        if command == "REVERSE" and owner:
            self._look_at_reversal(owner, pair, after)

    def _look_at_reversal(self, owner: str, pair: Pair, after: int) -> None:
        asked = self._asked_at(owner)
        if not self._was(pair, 0, asked):
            self.find(f"{owner} has turned {pair}, which was never flat since it was asked")
        held = [it.net for it in self._moments(pair, asked - _KNOWN_FOR)]
        if after and not any(it * after < 0 and abs(it) >= abs(after) for it in held):
            self.find(f"{owner} has turned {pair} to {after}, and it was {held}")

    def _may_turn_over(self) -> bool:
        """Return whether a fill may come between a close and its order, which nobody can help: it must be told."""
        troubles = {"fills_overtake_cancels", "stop_fills_during_close", "a person trades", "has_no_data", "connection"}
        return bool(self._loop.had & troubles)

    def _is_native(self, venue_id: str) -> bool:
        return not venue_id.startswith("oh")

    def _command_of(self, order_id: str) -> str | None:
        """Return the command that an order was made for by the bridge."""
        asked = self._trader.instructed.get(self._made_by.get(order_id, ""))
        return str(asked.fields["command"]) if asked else None

    def _asked_at(self, order_id: str) -> datetime:
        return self._trader.instructed[self._made_by[order_id]].at

    def _was(self, pair: Pair, net: int, since: datetime) -> bool:
        """Return whether a position was of this size at some moment since then."""
        return any(it.net == net for it in self._moments(pair, since))

    def _sides_since(self, pair: Pair, since: datetime) -> set[str]:
        shown = self._moments(pair, since)
        return {"long" if it.net > 0 else "short" if it.net < 0 else "flat" for it in shown}

    def _moments(self, pair: Pair, since: datetime) -> list[Moment]:
        """Return what a position was since then, first of all at that time."""
        moments = self._net[pair]
        at_begin = [it for it in moments if it.at <= since][-1:]
        return [*at_begin, *(it for it in moments if it.at > since)]

    # Files

    def look_at_file(self, file: WriteFile, state: State) -> None:
        """Judge a file that is about to be written."""
        self._learn_made(state)
        super().look_at_file(file, state)
        try:
            line = read_line(file.line)
        except AssertionError:
            return
        if line.command == "PLACE" and self._command_of(self.owners.get(line.order_id, "")) == "CANCELANDBRACKET":
            self._look_at_bracket((line.account, line.instrument), int(line.quantity))
        if line.command == "CLOSEPOSITION":
            self._look_at_close(file, state, (line.account, line.instrument))

    def _look_at_bracket(self, pair: Pair, qty: int) -> None:
        largest = max(abs(it.net) for it in self._moments(pair, self._loop.at - _KNOWN_FOR))
        if qty > largest:
            self.find(f"{pair} had {largest} at most, and got brackets for {qty}")

    def _look_at_close(self, file: WriteFile, state: State, pair: Pair) -> None:
        if pair[0] not in TRADED:
            self.find(f"a position of account {pair[0]} was closed")
        now, last_at = self._loop.at, self._closed_at.get(pair)
        if last_at and now - last_at < _CLOSED_AGAIN and not self._was(pair, 0, last_at):
            self.find(f"{pair} was closed again after {(now - last_at).total_seconds():.1f} s")
        self._closed_at[pair] = now
        close = next(it for it in state.closes.values() if it.file is not None and it.file.name == file.name)
        is_patient = close.began is None or now - close.began >= _ORDERS_END_WITHIN
        for order in self._loop.paper.orders:
            is_own = order.order_id in state.venue_orders and (order.account, order.instrument) == pair
            if is_own and not order.is_finished and not is_patient:
                self.find(f"{pair} was closed beside {self.owners.get(order.order_id)}, which is {order.state}")

    def _look_at_opening(self, order_id: str, generation: int) -> None:
        command = self._command_of(order_id)
        if command == "REVERSE":
            self._look_at_switch(order_id)
        if order_id in self._made_by:
            return  # nobody has asked for it by name
        super()._look_at_opening(order_id, generation)
        if generation == 1 and order_id in self._trader.conditioned:
            self._look_at_conditions(order_id, self._trader.conditioned[order_id])

    def _look_at_conditions(self, order_id: str, fields: "Fields") -> None:
        pair = self._pair_of(fields)
        if pair is None:
            return
        now = self._loop.at
        asked = self._trader.may_open_until[order_id] - TOO_LATE
        closes_first = fields.get("flatten_first") or fields["command"] in ("FLATPLACE", "REVERSEPOSITION")
        if closes_first and not self._was(pair, 0, asked):
            self.find(f"{order_id} was placed, and {pair} was never flat since it was asked")
        if fields["command"] == "REVERSEPOSITION" and self._sides_since(pair, asked - _KNOWN_FOR) == {"flat"}:
            self.find(f"{order_id} was to turn a position, and {pair} was flat")
        required = str(fields.get("require_market_position", "")).replace("/", ",").split(",")
        if required != [""] and not self._sides_since(pair, now - _KNOWN_FOR) & set(required):
            self.find(f"{order_id} requires {required}, and {pair} was {self._sides_since(pair, now - _KNOWN_FOR)}")
        if "sync_strategy" in fields:
            sides = self._sides_since(pair, now - _KNOWN_FOR)
            if fields["prev_market_position"] not in sides:
                self.find(f"{order_id} is in sync with {fields['prev_market_position']}, and {pair} was {sides}")
        if "max_positions" in fields:
            others = {it for it in self._net if it[0] == pair[0] and it != pair}
            opened = [it for it in others if "flat" not in self._sides_since(it, now - _KNOWN_FOR)]
            is_further = self._sides_since(pair, now - _KNOWN_FOR) == {"flat"}
            if is_further and len(opened) >= int(fields["max_positions"]):
                self.find(f"{order_id} allows {fields['max_positions']} positions, and opened one beside {opened}")

    def _pair_of(self, fields: "Fields") -> Pair | None:
        account = next((it for it in self._loop.accounts if folded(it) == folded(str(fields["account"]))), None)
        if account is None:
            return None
        return account, "NQ 12-26" if str(fields["instrument"]).startswith("NQ") else "ES 12-26"

    # Quiet

    def judge(self) -> None:
        """Look for what may not be, now that everything rests."""
        if self._trader.instructed or self._trader.conditioned:
            # What is closed by other than its legs is not whole any more; trades alone are judged in the other loop.
            self.by_hand |= {instrument for _, instrument in self._net}
        super().judge()
        service = self._loop.service
        for name, asked in self._trader.instructed.items():
            instruction = service.services.instructions.get(service.trader, name)
            command = str(asked.fields["command"])
            if instruction is None:
                self.find(f"{command} {name} was accepted, and is not in the table")
            elif instruction.result is None:
                self.find(f"{command} {name} has no result")
            elif command == "CLOSEPOSITION" and not self._is_in_part(asked.fields):
                pair = self._pair_of(asked.fields)
                if pair and instruction.result in ("done", "no_position") and not self._was(pair, 0, asked.at):
                    self.find(f"{command} {name} is {instruction.result}, and {pair} was never flat since")
            elif command == "CLOSEPOSITION" and "qty" in asked.fields:
                closed = sum(self._filled_of(order_id) for order_id in instruction.order_ids)
                if closed > int(asked.fields["qty"]):
                    self.find(f"{command} {name} was for {asked.fields['qty']}, and closed {closed}")
        self._judge_made()
        codes = {code for codes in self.alarms.values() for code in codes}
        if self._turned_over and not codes & {"close_failed", "flipped", "blocked", "orphans"}:
            self.find(f"a close has turned {self._turned_over} over, and nobody was told")

    def _judge_made(self) -> None:
        """What was made to protect a position must not outlive it, nor be larger."""
        loop = self._loop
        live: dict[Pair, int] = defaultdict(int)
        for order in loop.paper.orders:
            owner = self.owners.get(order.order_id, "")
            if not order.is_finished and self._command_of(owner) == "CANCELANDBRACKET" and order.order_type != "LIMIT":
                live[order.account, order.instrument] += order.rest
        for pair, covered in live.items():
            if covered > abs(self._net[pair][-1].net) and pair[1] not in self._traded_by_hand:
                self.find(f"{pair} has {self._net[pair][-1].net}, and brackets for {covered}")

    def _filled_of(self, order_id: str) -> int:
        return sum(it.filled for it in self._loop.paper.orders if self.owners.get(it.order_id) == order_id)

    @property
    def _traded_by_hand(self) -> set[str]:
        return self.by_hand if "a person trades" in self._loop.had else set()

    def _is_in_part(self, fields: "Fields") -> bool:
        return "qty" in fields or "percent" in fields
