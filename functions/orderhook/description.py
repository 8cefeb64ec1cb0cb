"""Say in words what a command would do, and what an order asks for."""

from collections.abc import Iterator
from decimal import Decimal

from orderhook.commands import Command
from orderhook.commands.addressed_order import AddressesOrder
from orderhook.commands.cancel import Cancel
from orderhook.commands.cancel_all_orders import CancelAllOrders
from orderhook.commands.cancel_and_bracket import CancelAndBracket
from orderhook.commands.cancel_orders import CancelOrders
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.commands.change import Change
from orderhook.commands.close_position import ClosePosition
from orderhook.commands.close_strategy import CloseStrategy
from orderhook.commands.flatten import Flatten
from orderhook.commands.flatten_everything import FlattenEverything
from orderhook.commands.kill_switch import KillSwitch
from orderhook.commands.new_order import PlacesOrder
from orderhook.commands.opens_position import OpensPosition
from orderhook.commands.place import Place
from orderhook.commands.price_fields import price_text
from orderhook.commands.reverse import Reverse
from orderhook.orders import PRICES, Order, decimal_text
from orderhook.relative_prices import Offsets, Relative
from orderhook.trade_window import clock
from orderhook.venues import TABLE, Venue


def describe(command: Command, venue: Venue = TABLE) -> str:
    """Return what a command would do, and when, as the end of a sentence; with a venue it would ask for it there."""
    here = venue.name is None or isinstance(command, KillSwitch)
    action = f"would {'' if here else 'ask the venue to '}{_describe_action(command, venue)}"
    if venue.runs_own_templates and isinstance(command, Place) and command.new_order.strategy:
        action += " (NinjaTrader's own legs, if the template is declared as NinjaTrader's)"
    return f"{action}, {command.delay} s after the alert comes in" if command.delay else action


def _describe_action(command: Command, venue: Venue) -> str:
    match command:
        case Cancel():
            return f"cancel {_addressed_order(command)}"
        case Change():
            values = (f"{name.replace('_price', '')} {decimal_text(Decimal(new))}" for name, new in command.new.items())
            return f"change {_addressed_order(command)} to {', '.join((*values, *_controls(command)))}"
        case CancelReplace():
            phrases = (*_order_phrases(command, None), *_conditions(command), *_controls(command))
            return f"replace {_addressed_order(command)} by {', '.join(phrases)}"
        case Place():
            phrases = (*_order_phrases(command, command.order_id), *_conditions(command), *_controls(command))
            return f"place {', '.join(phrases)}"
        case CancelOrders():
            market = f"every month of {command.root}" if command.root else command.instrument
            of_instrument = f" in {market}" if market else ""
            condition = _if_position(command.require_market_position, "its position")
            return f"cancel every working order of account {command.account}{of_instrument}{condition}"
        case CancelAllOrders():
            return "cancel every working order of every account"
        case CloseStrategy():
            position = "leave its position as it is" if venue.name is None else "close what is filled of it"
            return f"cancel the working orders of strategy {command.strategy_id}, and {position}"
        case KillSwitch():
            return f"turn the kill switch {'on' if command.kill_switch else 'off'}"
    return _describe_on_position(command)


def _describe_on_position(command: Command) -> str:
    match command:
        case ClosePosition():
            part = f"{command.qty} of " if command.qty else ""
            part = f"{decimal_text(command.percent * 100)}% of " if command.percent else part
            return f"close {part}{_position(command)}{_if_position(command.require_market_position)}"
        case Flatten():
            side = f"{command.market_position} " if command.market_position else ""
            account = f"account {command.account}" if command.account else "every account that the key reaches"
            where = f"{side}position in {_market(command) or 'every instrument'} of {account}"
            return f"close each {where}, and cancel its orders{_if_position(command.require_market_position)}"
        case FlattenEverything():
            return "cancel every order of every account, and close every position"
        case Reverse():
            phrases = (f"turn over {_position(command)}{_if_position(command.require_market_position)}",)
            return ", ".join((*phrases, *_controls(command)))
        case CancelAndBracket():
            side = "long" if command.action == "BUY" else "short"
            condition = _if_position(command.require_market_position)
            return (
                f"give up to {_count(command.qty, 'contract')} of {_position(command)}, if it is {side}, a "
                f"{' and a '.join(_bracket(command))} in place of its orders{condition}"
            )
    return f"give the command {command.word}"


def _bracket(command: CancelAndBracket) -> Iterator[str]:
    """Say which target and stop are asked for."""
    if command.take_profit is not None:
        yield f"target {price_text(command.take_profit)}"
    if command.stop_loss is not None:
        yield f"stop {price_text(command.stop_loss)}"
    if command.stop_loss_limit is not None:
        limit = price_text(command.stop_loss_limit)
        stop = command.stop_loss_stop
        yield f"stop limit {limit}" if stop is None else f"stop {price_text(stop)} with the limit {limit}"


def _position(command: ClosePosition | Reverse | CancelAndBracket) -> str:
    return f"the position in {_market(command)} of account {command.account}"


def _market(command: ClosePosition | Flatten | Reverse | CancelAndBracket) -> str | None:
    every_month = command.risk_reducing and command.root
    return f"every month of {command.root}" if every_month else command.instrument


def _if_position(sides: tuple[str, ...], what: str = "it") -> str:
    return f", only if {what} is {' or '.join(sides)}" if sides else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _addressed_order(command: AddressesOrder) -> str:
    if not command.strategy_id:
        return f"order {command.order_id}"
    return (
        f"order {command.order_id} {'of' if command.order_name else 'if it belongs to'} strategy {command.strategy_id}"
    )


def _order_phrases(command: Place | CancelReplace, order_id: str | None) -> Iterator[str]:
    new_order = command.new_order
    yield f"{new_order.action} {new_order.qty} {new_order.instrument} {new_order.order_type}"
    texts = {
        "limit_price": "limit",
        "stop_price": "stop",
        "tif": "",
        "account": "in account",
        "order_id": "as order",
        "strategy_id": "in strategy",
        "strategy": "with the legs of template",
        "take_profit": "with a target",
        "stop_loss": "with a stop",
        "stop_loss_stop": "with a stop",
        "stop_loss_limit": "with a stop limit",
        "oco_id": "in OCO group",
    }
    strategy_id = command.strategy_id if isinstance(command, Place) else None  # a replacement stays where it is
    values = {**dict(new_order), "order_id": order_id, "strategy_id": strategy_id}
    for name, text in texts.items():
        value = values[name]
        if value is not None:
            yield f"{text} {_value(value, is_leg=name in _LEGS)}".strip()
    if command.cancel_after:
        yield f"cancelled {command.cancel_after} min later if it is still open"


_LEGS = ("take_profit", "stop_loss", "stop_loss_stop", "stop_loss_limit")


def _value(value: object, *, is_leg: bool) -> str:
    if isinstance(value, Relative):
        return f"{value} from the fill"
    text = decimal_text(value) if isinstance(value, Decimal) else str(value)
    return f"at {text}" if is_leg else text


def _conditions(command: PlacesOrder) -> Iterator[str]:
    """Say what the bridge asks of the position, in the order in which it does."""
    asked = command.position_conditions
    if asked.sync:
        goal = "" if asked.sync.target_quantity is None else f" {asked.sync.target_quantity}"
        otherwise = {
            "wait": "place nothing",
            "flatten": "close it and place nothing",
            "resync": f"bring it to {asked.sync.market_position}{goal} in place of this",
        }[asked.sync.out_of_sync]
        yield f"if the position is {asked.sync.prev_market_position} (else {otherwise})"
    if asked.require_market_position:
        yield f"only while the position is {' or '.join(asked.require_market_position)}"
    if asked.max_positions:
        instruments = _count(asked.max_positions, "instrument")
        yield f"only if at most {instruments} of the account {'is' if asked.max_positions == 1 else 'are'} open with it"
    if asked.closes_first and asked.root:
        first = "the orders are cancelled and " if asked.closes_first == "orders_and_position" else ""
        yield f"once {first}the position is closed in every month of {asked.root}"
    elif asked.closes_first == "orders_and_position":
        yield "once the orders of the instrument are cancelled and its position is closed"
    elif asked.closes_first:
        yield "once the position is closed"
    if asked.reverses:
        yield "if there is one to close"


def _controls(command: OpensPosition) -> Iterator[str]:
    window = command.window
    if window:
        yield f"from {clock(window.start)} to {clock(window.end)} in New York"
        if window.closing_only_after is not None:
            after = clock(window.closing_only_after)
            closes = f"but from {after} on it closes the position and opens nothing"
            yield closes if command.has_closing_half else f"but not from {after} on"
    if command.rate_limit:
        alerts, seconds = command.rate_limit
        yield f"at most {_count(alerts, 'time')} in {seconds} s among alerts of id {command.id}"


def _from_fill(order: Order) -> list[str]:
    """Return where a leg will lie once its entry is filled, such as `entry - 5`."""
    # A leg closes what its entry opened: a target that sells, or a stop that buys, is above the entry.
    sign = "+" if (order.order_type == "LIMIT") == (order.action == "SELL") else "-"
    offsets = Offsets(order.offset, order.limit_offset, order.in_percent).texts
    return [f"entry {sign} {text}" for text in offsets.values()]


def order_in_words(order: Order) -> str:
    """Return what an order asks for, such as `BUY 2 ES 12-26 LIMIT 5000.25 DAY`; its instrument is from outside."""
    prices = (getattr(order, name) for name in PRICES)
    texts = " / ".join([*(decimal_text(price) for price in prices if price is not None), *_from_fill(order)])
    parts = (order.action, str(order.present_qty), order.instrument, order.order_type, texts, order.tif)
    return " ".join(filter(None, parts))
