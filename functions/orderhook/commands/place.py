"""PLACE: place an order; it may bring a target and a stop, and start or join a strategy."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar, Self

from pydantic import model_validator

from orderhook.commands.command import TimeLimit
from orderhook.commands.fields import (
    ActionWord,
    Id,
    Label,
    Minutes,
    NewOrderId,
    OrderTypeWord,
    Price,
    Qty,
    TimeInForceWord,
)
from orderhook.commands.opens_position import OpensPosition
from orderhook.errors import (
    DuplicateOrderIdError,
    InvalidValueError,
    MissingFieldError,
    StrategyMismatchError,
    StrategyNotFoundError,
    TemporarilyUnavailableError,
)
from orderhook.orders import (
    PRICES,
    Bracket,
    Order,
    OrderState,
    Outcome,
    Provenance,
    Strategy,
    StrategyState,
    Template,
    decimal_text,
    next_number,
    timestamp,
)
from orderhook.store.book import OrderBook, PlaceResult

_RACES = 4
"""How often another alert may start or join the same strategy at the same moment before this one gives way."""

_NOT_YET = "is not available yet; take it out"


_NOT_OF_THE_ORDER = {*OpensPosition.model_fields, "cancel_after"}
"""Fields with which the same order is still the same."""


class Place(OpensPosition):
    """Place one order, and with it the legs that its fields or its template ask for."""

    word: ClassVar[str] = "PLACE"
    refused: ClassVar[Mapping[str, str]] = {
        **OpensPosition.refused,
        "append_atm": _NOT_YET,
    }

    account: Label
    instrument: Label
    action: ActionWord
    qty: Qty
    order_type: OrderTypeWord
    tif: TimeInForceWord
    limit_price: Price = None
    stop_price: Price = None
    oco_id: Id | None = None
    order_id: NewOrderId | None = None
    strategy: Label | None = None
    strategy_id: Id | None = None
    take_profit: Price = None
    stop_loss: Price = None
    stop_loss_limit: Price = None
    stop_loss_stop: Price = None
    cancel_after: Minutes = 0

    @model_validator(mode="after")
    def _prices_fit_the_order_type(self) -> Self:
        for field, takers in PRICES.items():
            price = getattr(self, field)
            if self.order_type in takers and price is None:
                raise MissingFieldError(f"A {self.order_type} order needs {field}=... above 0.", field=field)
            if self.order_type not in takers and price is not None:
                raise InvalidValueError(f"A {self.order_type} order takes no {field}; take it out.", field=field)
        return self

    @model_validator(mode="after")
    def _legs_fit_together(self) -> Self:
        for field in ("take_profit", "stop_loss", "stop_loss_limit", "stop_loss_stop"):
            if self.strategy and getattr(self, field):
                raise InvalidValueError(
                    f"The template brings its own legs: take out {field}, or strategy.", field=field
                )
        # CrossTrade, "Bracket Orders": stop_loss or stop_loss_limit, and stop_loss_stop only beside the latter.
        if self.stop_loss and self.stop_loss_limit:
            raise InvalidValueError("Give stop_loss or stop_loss_limit, not both.", field="stop_loss_limit")
        if self.stop_loss_stop and not self.stop_loss_limit:
            raise MissingFieldError("stop_loss_stop needs stop_loss_limit=... beside it.", field="stop_loss_limit")
        return self

    @model_validator(mode="after")
    def _prices_stand_in_order(self) -> Self:
        stop = self.stop_loss or self.stop_loss_stop or self.stop_loss_limit
        levels = [price for price in (stop, self.limit_price or self.stop_price, self.take_profit) if price]
        if levels != sorted(levels, reverse=self.action == "SELL"):
            raise InvalidValueError(
                f"For a {self.action} the stop loss, the order's price and the take profit must stand in "
                f"{'rising' if self.action == 'BUY' else 'falling'} order.",
                field="take_profit" if self.take_profit else "stop_loss" if self.stop_loss else "stop_loss_limit",
            )
        return self

    @property
    def repeatable(self) -> bool:
        """Tell whether a resend is recognised: without an order_id it would be another order."""
        return self.order_id is not None

    @property
    def content(self) -> str:
        """Return the fingerprint of the order that this alert asks for: two spellings of a number are one."""
        names = [name for name in type(self).model_fields if name not in _NOT_OF_THE_ORDER]
        fields = {name: getattr(self, name) for name in names}
        lines = (f"{k}={decimal_text(v) if isinstance(v, Decimal) else v}" for k, v in fields.items() if v is not None)
        return sha256("\n".join(lines).encode()).hexdigest()

    def run(self, book: OrderBook, provenance: Provenance) -> Outcome:
        """Write the order, and in one transaction with it its strategy and legs.

        Run twice with an order_id, the second writes nothing and answers already_placed. Raises DuplicateOrderIdError,
        StrategyMismatchError and StrategyNotFoundError (for a template that is not stored).
        """
        return self._place(book, provenance, self._new_order_id(book, provenance))

    def _new_order_id(self, book: OrderBook, provenance: Provenance) -> str:  # noqa: ARG002  it may depend on another order's
        return self.order_id or provenance.request_id

    def time_limit(self, book: OrderBook, provenance: Provenance) -> TimeLimit | None:
        """Return the order with its cancel_after."""
        if not self.cancel_after:
            return None
        return TimeLimit(self._new_order_id(book, provenance), self.content, self.cancel_after)

    def _place(self, book: OrderBook, provenance: Provenance, order_id: str, replaced: str | None = None) -> Outcome:
        """Write the order under this id, in place of the `replaced` one if there is one."""
        template = book.template(provenance.trader, self.strategy) if self.strategy else None
        if self.strategy and not (template and sum(bracket.qty for bracket in template.brackets) <= self.qty):
            return self._answer_without_template(book, provenance, order_id, template)
        brackets = template.brackets if template else ()
        has_legs = bool(brackets or self.take_profit or self.stop_loss or self.stop_loss_limit)
        # Legs have names, and names need a strategy: without one of its own the order's id serves.
        strategy_id = self.strategy_id or (order_id if has_legs else None)
        if strategy_id is None:
            order = self._entry(provenance, order_id, replaces=replaced)
            return self._answer(order, self._write(book, provenance, [order], replaced))
        strategy = Strategy(
            strategy_id=strategy_id,
            account=self.account,
            instrument=self.instrument,
            state=StrategyState.ACTIVE,
            template=self.strategy,
        )
        running: Strategy | None = None
        for _ in range(_RACES):
            orders = self._orders(provenance, order_id, running or strategy, brackets, replaced)
            placed = self._write(book, provenance, orders, replaced, running or strategy, join=running is not None)
            if placed.done or placed.entry or not placed.cancellable:
                return self._answer(orders[0], placed)
            running = placed.strategy
            self._check_that_it_can_be_joined(running)
        raise TemporarilyUnavailableError(
            "Other alerts are changing this strategy. Send the same alert again; it is safe."
        )

    def _write(
        self,
        book: OrderBook,
        provenance: Provenance,
        orders: Sequence[Order],
        replaced: str | None,
        strategy: Strategy | None = None,
        *,
        join: bool = False,
    ) -> PlaceResult:
        if replaced is not None:
            return book.replace(provenance, replaced, orders, strategy, join=join)
        if strategy is not None:
            return book.place_in_strategy(provenance, strategy, orders, join=join)
        written = book.place(provenance, orders[0])
        return PlaceResult(written.done, written.before)

    def _answer_without_template(
        self, book: OrderBook, provenance: Provenance, order_id: str, template: Template | None
    ) -> Outcome:
        """Refuse for want of a template that fits, unless it did when this very alert placed its order."""
        holder = book.order(provenance.trader, order_id) if self.repeatable else None
        if holder is not None:
            return self._answer(holder, PlaceResult(done=False, entry=holder))
        if template is None:
            raise StrategyNotFoundError(
                f"There is no template {self.strategy}; store it with `orderhook templates put`.", field="strategy"
            )
        raise InvalidValueError(
            f"The brackets of template {self.strategy} are for more than qty={self.qty}.", field="qty"
        )

    def _check_that_it_can_be_joined(self, running: Strategy | None) -> None:
        if running is None:
            raise DuplicateOrderIdError("One of the new order ids is taken; choose another order_id.", field="order_id")
        if self.strategy_id is None:
            raise StrategyMismatchError(
                f"The legs need a strategy, and {running.strategy_id} is taken by another: add a strategy_id.",
                field="strategy_id",
            )
        if (self.account, self.instrument) != (running.account, running.instrument):
            raise StrategyMismatchError(
                f"Strategy {running.strategy_id} trades {running.instrument} in account {running.account}.",
                field="strategy_id",
            )
        if running.state is not StrategyState.ACTIVE:
            raise StrategyMismatchError(
                f"Strategy {running.strategy_id} is closed; use a new strategy_id.", field="strategy_id"
            )

    def _orders(
        self,
        provenance: Provenance,
        order_id: str,
        strategy: Strategy,
        brackets: tuple[Bracket, ...],
        replaced: str | None,
    ) -> list[Order]:
        """Return the entry and its legs, named by the first numbers that are free in the strategy."""
        first = max(next_number(kind, strategy.names) for kind in ("TARGET", "STOP"))
        levels = [self._levels(bracket) for bracket in brackets] or [self._own_levels()]
        legs = [
            leg
            for n, level in enumerate(levels, first)
            for leg in self._legs(provenance, strategy.strategy_id, n, level)
        ]
        entry = self._entry(
            provenance,
            order_id,
            strategy_id=strategy.strategy_id,
            order_name=f"ENTRY{next_number('ENTRY', strategy.names)}",
            legs={str(leg.order_name): leg.order_id for leg in legs},
            replaces=replaced,
        )
        return [entry, *legs]

    def _levels(self, bracket: Bracket) -> dict[str, dict[str, Any]]:
        """Return a template's bracket as the legs' fields: their prices come when the entry has its fill price."""
        legs = {"TARGET": ("LIMIT", bracket.target), "STOP": ("STOPMARKET", bracket.stop)}
        return {
            kind: {"order_type": order_type, "offset": offset, "qty": bracket.qty}
            for kind, (order_type, offset) in legs.items()
            if offset is not None
        }

    def _own_levels(self) -> dict[str, dict[str, Any]]:
        """Return the legs' fields that the alert itself gives."""
        levels: dict[str, dict[str, Any]] = {}
        if self.take_profit:
            levels["TARGET"] = {"order_type": "LIMIT", "limit_price": self.take_profit}
        if self.stop_loss:
            levels["STOP"] = {"order_type": "STOPMARKET", "stop_price": self.stop_loss}
        if self.stop_loss_limit:
            stop_price = self.stop_loss_stop or self.stop_loss_limit
            levels["STOP"] = {"order_type": "STOPLIMIT", "stop_price": stop_price, "limit_price": self.stop_loss_limit}
        return levels

    def _legs(
        self, provenance: Provenance, strategy_id: str, number: int, levels: dict[str, dict[str, Any]]
    ) -> Iterator[Order]:
        for kind, level in levels.items():
            name = f"{kind}{number}"
            fields = {
                "order_id": f"{provenance.request_id}.{name}",
                "action": "SELL" if self.action == "BUY" else "BUY",
                "tif": "GTC",
                "oco_id": f"{provenance.request_id}.OCO{number}" if len(levels) > 1 else None,
                "state": OrderState.INITIALIZED,
                "strategy_id": strategy_id,
                "order_name": name,
            }
            yield self._order(provenance, fields | level)

    def _entry(self, provenance: Provenance, order_id: str, **more: Any) -> Order:
        fields = {
            "order_id": order_id,
            "action": self.action,
            "order_type": self.order_type,
            "tif": self.tif,
            "limit_price": self.limit_price,
            "stop_price": self.stop_price,
            "oco_id": self.oco_id,
            # Without a venue the book is the authority: what stands in it works.
            "state": OrderState.WORKING,
            "content": self.content,
        }
        return self._order(provenance, fields | more)

    def _order(self, provenance: Provenance, fields: Mapping[str, Any]) -> Order:
        common: dict[str, Any] = {"account": self.account, "instrument": self.instrument, "qty": self.qty}
        values = common | dict(fields)
        first = {name: decimal_text(Decimal(values[name])) for name in ("qty", *PRICES) if values.get(name) is not None}
        history = (provenance.event(values["state"], first),)
        return Order(**values, since=timestamp(provenance.at), notes=self.notes, history=history)

    def _answer(self, order: Order, placed: PlaceResult) -> Outcome:
        """Answer for the order as written, or for the one that has its id already."""
        holder = placed.entry
        if not placed.done and holder is not None:
            if holder.content != self.content:
                raise DuplicateOrderIdError(
                    f"order_id {holder.order_id} is taken by another order, which is {holder.state}; choose another.",
                    field="order_id",
                    state=holder.state,
                )
            order = holder
        return Outcome(
            status="placed" if placed.done else "already_placed",
            order_id=order.order_id,
            strategy_id=order.strategy_id,
            order_name=order.order_name,
            legs=order.legs or None,
            state=order.state,
        )
