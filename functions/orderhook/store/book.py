"""The order book: every key, item, expression and condition of the table.

No write without a condition, no read before a write that decides it, never a scan. Every write stores the id of its
request: when an answer is lost and the SDK sends the write again, our own item is recognised by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from orderhook.aws.clients import call, existing_item, pages, reasons
from orderhook.keys import Key
from orderhook.orders import (
    CANCELLABLE,
    CHANGEABLE,
    MAX_HISTORY,
    PRICES,
    TERMINAL,
    Event,
    Order,
    OrderState,
    Provenance,
    Strategy,
    StrategyState,
    Template,
    decimal_text,
    sources,
    timestamp,
)
from orderhook.store import items
from orderhook.store.items import Item, aliases, plain, wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NEW = "attribute_not_exists(pk)"
_THERE = "attribute_exists(pk)"


# What is rendered of the same states and expressions is the same for every alert: once is enough.


@cache
def _state_in(states: frozenset[OrderState]) -> tuple[str, Mapping[str, Any]]:
    values = {f":state{number}": {"S": str(state)} for number, state in enumerate(sorted(states))}
    return f"#state IN ({', '.join(values)})", values


_VERSIONED = "#version = #version + :one, #request_id = :request_id"
"""What every change of an order or a strategy sets; of an order there is more."""
_SIGNED = f"{_VERSIONED}, #history = list_append(#history, :event)"

_CANCEL = ", #cancelled_at = :at, #cancel_request_id = :request_id, #cancel_key_id = :key_id, #cancel_filled = #filled"
_REPLACED = ", #replaced_by = :replaced_by"
_OF_STRATEGY = " AND #strategy_id = :strategy_id"
_OF_CONTENT = " AND #content = :content"


def _signature(provenance: Provenance, event: Event) -> Item:
    return wire({":one": 1, ":request_id": provenance.request_id, ":event": [items.event(event)]})


# What may be written again after something else has its request ids in a list of their own. They are not looked up in
# the history: DynamoDB's manual promises `contains` for a list's strings, and no word of maps.


def _once(requests: str) -> str:
    return f" AND NOT contains(#{requests}, :request_id)"


def _noted(requests: str) -> str:
    return f", #{requests} = list_append(if_not_exists(#{requests}, :none), :own)"


def _note(provenance: Provenance) -> Item:
    return wire({":none": [], ":own": [provenance.request_id]})


def _changes(provenance: Provenance, state: OrderState, retention: timedelta, more: str) -> tuple[str, Item]:
    """Render what every change of state writes, whatever the state before; `more` is set besides."""
    update = f"SET #state = :state, #since = :at, {_SIGNED}{more}"
    values: dict[str, object] = {":state": str(state), ":at": timestamp(provenance.at)}
    if state in TERMINAL:
        values[":expires"] = int((provenance.at + retention).timestamp())
        update += ", #expires = :expires REMOVE #open"
    return update, wire(values) | _signature(provenance, provenance.event(state))


def _refused_by(error: ClientError) -> Order | None:
    """Return the order that a failed condition met, None if there is none; raises any other error as it is."""
    item = existing_item(error)
    return items.order(item) if item else None


class _Met(NamedTuple):
    """What the condition of one part of a transaction met."""

    refused: bool
    item: Item | None


_NOTHING = _Met(refused=False, item=None)


def _met_by_transaction(error: ClientError) -> list[_Met]:
    """Return what each condition of a cancelled transaction met, by position; raises any other error as it is."""
    if not set(reasons(error.response)) == {"ConditionalCheckFailed"}:
        raise error
    met: list[Any] = error.response["CancellationReasons"]
    return [_Met(reason["Code"] != "None", reason.get("Item")) for reason in met]


class WriteResult(NamedTuple):
    """What a conditional write met: the order as it was before (None: there was none), and whether it is done.

    When this very request had written already and its answer was lost, it is done, and `before` has the state that
    the order had before that write, but the filled quantity that it reported.
    """

    before: Order | None
    done: bool


def _met(order: Order | None, request_id: str) -> WriteResult:
    """Tell a refusal from our own write, whose answer was lost and which the SDK has sent again."""
    if order is None or request_id not in [event.request_id for event in order.history]:
        return WriteResult(order, done=False)
    # A fill may have overtaken the cancel since.
    filled = order.filled if order.cancel_filled is None else order.cancel_filled
    return WriteResult(order._replace(state=_state_before(order, request_id), filled=filled), done=True)


def _state_before(order: Order, request_id: str) -> OrderState:
    state = order.state
    for event in order.history:
        if event.request_id == request_id:
            break
        state = event.state or state
    return state


class PlaceResult(NamedTuple):
    """What a transaction of orders, and maybe a strategy and a cancel, met; nothing is written unless `done`."""

    done: bool
    entry: Order | None = None
    """The order that has the entry's id already."""
    strategy: Strategy | None = None
    """The strategy as it is, where it is not as the transaction expected."""
    kept: Order | None = None
    """The order that was to be replaced, where its state forbade it."""
    missing: bool = False
    """Whether the order that was to be replaced is not there."""

    @property
    def cancellable(self) -> bool:
        """Tell whether nothing is known against cancelling the order that was to be replaced."""
        return self.kept is None and not self.missing


class OrderBook:
    """The orders, strategies, templates and keys of one table.

    Every method raises TemporarilyUnavailableError when the table does not answer inside the time budget.
    """

    def __init__(self, client: "DynamoDBClient", table: str, retention: timedelta) -> None:
        self._client = client
        self._table = table
        self._retention = retention

    # Orders

    def cancel(
        self, provenance: Provenance, order_id: str, strategy_id: str | None = None, content: str | None = None
    ) -> WriteResult:
        """Mark an order cancelled by one conditional write; run twice, the second finds it cancelled.

        With `strategy_id` the order must belong to that strategy, with `content` it must be the one that was placed
        with it, or nothing is written.
        """
        condition, states = _state_in(CANCELLABLE)
        values = {**states, ":key_id": {"S": provenance.key_id}}
        if strategy_id is not None:
            condition += _OF_STRATEGY
            values[":strategy_id"] = {"S": strategy_id}
        if content is not None:
            condition += _OF_CONTENT
            values[":content"] = {"S": content}
        return self._move(provenance, order_id, OrderState.CANCELLED, condition, values, _CANCEL)

    def change(
        self, provenance: Provenance, order_id: str, new: Mapping[str, int | Decimal], strategy_id: str | None = None
    ) -> WriteResult:
        """Give an open order a new qty, limit_price or stop_price by one conditional write; its state stays.

        Nothing is written unless every value fits: no quantity below the filled one, no price that the order's type
        does not have, and at least one value that is not there already; nor when the history is full. Run twice, the
        second writes nothing, whatever has changed in between.
        """
        condition, states = _state_in(CHANGEABLE)
        texts = {name: decimal_text(Decimal(value)) for name, value in new.items()}
        values = {**states, **wire({f":{name}": value for name, value in new.items()})}
        values |= _signature(provenance, provenance.event(None, texts))
        if strategy_id is not None:
            condition += _OF_STRATEGY
            values[":strategy_id"] = {"S": strategy_id}
        prices = [name for name in PRICES if name in new]
        for name in prices:
            types = {f":{word}": {"S": word} for word in PRICES[name]}
            condition += f" AND #order_type IN ({', '.join(types)})"
            values |= types
        if "qty" in new:
            condition += " AND #filled <= :qty"
        condition += " AND size(#history) < :room"
        values[":room"] = {"N": str(MAX_HISTORY)}
        condition += f" AND ({' OR '.join(f'attribute_not_exists(#{name}) OR #{name} <> :{name}' for name in new)})"
        condition += _once("changed_by")
        update = f"SET {_SIGNED}, " + ", ".join(f"#{name} = :{name}" for name in new) + _noted("changed_by")
        values |= _note(provenance)
        if prices:
            update += " REMOVE #offset"  # a leg whose price is given no longer takes it from its entry's fill
        return self._update(provenance, order_id, update, condition, values)

    def report(
        self, provenance: Provenance, order_id: str, state: OrderState, filled: int | None = None
    ) -> WriteResult:
        """Record a state that a venue reports, if TRANSITIONS lets it follow; `filled` is the quantity so far.

        Run twice, the second writes nothing, whatever was reported in between.
        """
        condition, states = _state_in(sources(state))
        condition += _once("reports")  # the same state may follow again, in another report
        sets = _noted("reports")
        values = {**states, **_note(provenance)}
        if filled is not None:
            condition += " AND #filled <= :filled AND #qty >= :filled"
            values[":filled"] = {"N": str(filled)}
            sets += ", #filled = :filled"
        return self._move(provenance, order_id, state, condition, values, sets)

    def _move(
        self, provenance: Provenance, order_id: str, state: OrderState, condition: str, values: Item, more_sets: str
    ) -> WriteResult:
        update, more_values = _changes(provenance, state, self._retention, more_sets)
        return self._update(provenance, order_id, update, condition, values | more_values)

    def _update(self, provenance: Provenance, order_id: str, update: str, condition: str, values: Item) -> WriteResult:
        write = self._conditional_update(items.order_key(provenance.trader, order_id), update, condition, values)
        try:
            answer = call(self._client.update_item, **write, ReturnValues="ALL_OLD")
        except ClientError as refusal:
            return _met(_refused_by(refusal), provenance.request_id)
        return WriteResult(items.order(answer["Attributes"]), done=True)

    def _conditional_update(self, key: Item, update: str, condition: str, values: Item) -> Any:
        return {
            "TableName": self._table,
            "Key": wire(key),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": aliases(update, condition),
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def place(self, provenance: Provenance, order: Order) -> WriteResult:
        """Write a new order by one conditional write; an id that is taken leaves the order that has it as it is."""
        try:
            call(
                self._client.put_item,
                TableName=self._table,
                Item=items.order_item(provenance, order),
                ConditionExpression=_NEW,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as refusal:
            return _met(_refused_by(refusal), provenance.request_id)
        return WriteResult(None, done=True)

    def place_in_strategy(
        self, provenance: Provenance, strategy: Strategy, orders: Sequence[Order], *, join: bool
    ) -> PlaceResult:
        """Write the orders, entry first, and start the strategy with them or `join` it, in one transaction.

        Everything must be new: the strategy (or the names in it) and every order id. Run twice, the second is refused.
        """
        return self._transact(provenance, [self._strategy_write(provenance, strategy, orders, join=join)], orders)

    def replace(
        self,
        provenance: Provenance,
        old_order_id: str,
        orders: Sequence[Order],
        strategy: Strategy | None,
        *,
        join: bool,
    ) -> PlaceResult:
        """Cancel an order and write others in its place, entry first, in one transaction: both, or neither.

        With a `strategy`, it is started or joined as by place_in_strategy. Run twice, the second is refused.
        """
        condition, states = _state_in(CANCELLABLE)
        update, changes = _changes(provenance, OrderState.CANCELLED, self._retention, _CANCEL + _REPLACED)
        own = wire({":key_id": provenance.key_id, ":replaced_by": orders[0].order_id})
        values = {**states, **changes, **own}
        old_key = items.order_key(provenance.trader, old_order_id)
        cancel = {"Update": self._conditional_update(old_key, update, condition, values)}
        first = [self._strategy_write(provenance, strategy, orders, join=join)] if strategy else []
        return self._transact(provenance, [*first, cancel], orders, replacing=True)

    def _transact(
        self, provenance: Provenance, first: list[Any], orders: Sequence[Order], *, replacing: bool = False
    ) -> PlaceResult:
        """Write what comes first (a strategy, then a cancel, if any) and the orders."""
        rest = [self._put_new(items.order_item(provenance, order)) for order in orders]
        try:
            call(self._client.transact_write_items, TransactItems=[*first, *rest])
        except ClientError as refusal:
            met = _met_by_transaction(refusal)
            old_entry = met[len(first)].item
            entry = items.order(old_entry) if old_entry else None
            if entry is not None and entry.history[0].request_id == provenance.request_id:
                return PlaceResult(done=True)
            old = met[len(first) - 1] if replacing else _NOTHING
            old_strategy = met[0].item if len(first) > replacing else None
            return PlaceResult(
                done=False,
                entry=entry,
                strategy=items.strategy(old_strategy) if old_strategy else None,
                kept=items.order(old.item) if old.item else None,
                missing=old.refused and old.item is None,
            )
        return PlaceResult(done=True)

    def _strategy_write(
        self, provenance: Provenance, strategy: Strategy, orders: Sequence[Order], *, join: bool
    ) -> Any:
        names = {str(order.order_name): order.order_id for order in orders}
        return self._join(provenance, strategy, names) if join else self._start(provenance, strategy, names)

    def _put_new(self, item: Item) -> Any:
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": _NEW,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _start(self, provenance: Provenance, strategy: Strategy, names: Mapping[str, str]) -> Any:
        return self._put_new(items.strategy_item(provenance, strategy, names))

    def _join(self, provenance: Provenance, strategy: Strategy, names: Mapping[str, str]) -> Any:
        # Order names are letters and digits, so that each can serve as its own alias and value name.
        update = f"SET {_VERSIONED}, " + ", ".join(f"#names.#{name} = :{name}" for name in names)
        condition = " AND ".join(["#state = :active", *(f"attribute_not_exists(#names.#{name})" for name in names)])
        values = {f":{name}": order_id for name, order_id in names.items()}
        return {"Update": self._strategy_update(provenance, strategy.strategy_id, update, condition, values)}

    def _strategy_update(
        self, provenance: Provenance, strategy_id: str, update: str, condition: str, values: Item
    ) -> Any:
        own = {":one": 1, ":request_id": provenance.request_id, ":active": StrategyState.ACTIVE}
        key = items.strategy_key(provenance.trader, strategy_id)
        return self._conditional_update(key, update, condition, wire(values | own))

    def order(self, trader: str, order_id: str) -> Order | None:
        """Return the order as it is now."""
        item = self._get(items.order_key(trader, order_id))
        return items.order(item) if item else None

    def orders(self, trader: str, *, open_only: bool = False) -> Iterator[Order]:
        """Yield the trader's orders as they are now, by id; with `open_only` at the cost of the open ones alone."""
        pk = items.trader_partition(trader)
        return map(items.order, self._query(pk, index="open") if open_only else self._query(pk, "ORDER#"))

    def open_order_ids(
        self, trader: str, account: str | None = None, instrument: str | None = None, strategy_id: str | None = None
    ) -> Iterator[str]:
        """Yield the ids of the trader's open orders as they are now, page by page, without reading a finished one.

        `account` narrows it, `instrument` narrows that, and `strategy_id` narrows what they leave.
        """
        options: Item = {"ProjectionExpression": "#order_id"}
        values = None
        if strategy_id is not None:
            options["FilterExpression"] = "#strategy_id = :strategy_id"
            values = {":strategy_id": strategy_id}
        prefix = items.open_prefix(account, instrument) if account is not None else ""
        found = self._query(items.trader_partition(trader), prefix, index="open", values=values, **options)
        return (plain(item)["order_id"] for item in found)

    # Strategies and templates

    def close_strategy(self, provenance: Provenance, strategy_id: str) -> tuple[Strategy | None, bool]:
        """Close a strategy by one conditional write; return it as it was (None: there is none), and whether it is done.

        No entry joins a closed one: joining has the condition that it is active. Run twice, the second finds it closed.
        """
        values = {":closed": StrategyState.CLOSED, ":at": timestamp(provenance.at)}
        update = f"SET {_VERSIONED}, #state = :closed, #closed_at = :at"
        write = self._strategy_update(provenance, strategy_id, update, "#state = :active", values)
        try:
            answer = call(self._client.update_item, **write, ReturnValues="ALL_OLD")
        except ClientError as refusal:
            item = existing_item(refusal)
            ours = item is not None and plain(item)["request_id"] == provenance.request_id
            return (items.strategy(item) if item else None), ours
        return items.strategy(answer["Attributes"]), True

    def strategy(self, trader: str, strategy_id: str) -> Strategy | None:
        """Return the strategy as it is now."""
        item = self._get(items.strategy_key(trader, strategy_id))
        return items.strategy(item) if item else None

    def strategies(self, trader: str) -> Iterator[Strategy]:
        """Yield the trader's strategies as they are now, by id."""
        return map(items.strategy, self._query(items.trader_partition(trader), "STRATEGY#"))

    def template(self, trader: str, name: str) -> Template | None:
        """Return the stored template of that name."""
        item = self._get(items.template_key(trader, name))
        return items.template(item) if item else None

    def templates(self, trader: str) -> Iterator[Template]:
        """Yield the trader's templates, by name."""
        return map(items.template, self._query(items.trader_partition(trader), "TEMPLATE#"))

    def put_template(self, trader: str, template: Template, *, replacing: bool = False) -> bool:
        """Store a template; returns False, and stores nothing, when the name is taken (or, `replacing`, is not)."""
        try:
            call(
                self._client.put_item,
                TableName=self._table,
                Item=items.template_item(trader, template),
                ConditionExpression=_THERE if replacing else _NEW,
            )
        except ClientError as refusal:
            existing_item(refusal)
            return False
        return True

    # Keys

    def key(self, key_id: str) -> Key | None:
        """Return the stored half of a key as it is now."""
        item = self._get(items.key_key(key_id))
        return items.key(item) if item else None

    def keys(self) -> Iterator[Key]:
        """Yield the stored halves of all keys, by id."""
        for entry in self._query(items.KEY_LIST):
            key = self.key(plain(entry)["sk"])
            if key is not None:
                yield key

    def put_key(self, key: Key) -> None:
        """Store a new key, and its name in the list of keys; raises ClientError if its id is taken."""
        entry = wire({"pk": items.KEY_LIST, "sk": key.key_id})
        new = [self._put_new(items.key_item(key)), self._put_new(entry)]
        call(self._client.transact_write_items, TransactItems=new)

    def revoke_key(self, key_id: str, at: datetime) -> Key | None:
        """Revoke a key for good and return it, None if there is none; run twice, the first time stays."""
        return self._update_key(key_id, "SET #revoked = if_not_exists(#revoked, :at)", {":at": timestamp(at)})

    def set_strict_kill_switch(self, key_id: str, *, strict: bool) -> Key | None:
        """Say whether the kill switch stops even what reduces risk; returns the key, None if there is none."""
        return self._update_key(key_id, "SET #strict_kill_switch = :strict", {":strict": strict})

    def _update_key(self, key_id: str, update: str, values: Item) -> Key | None:
        write = self._conditional_update(items.key_key(key_id), update, _THERE, wire(values))
        try:
            answer = call(self._client.update_item, **write, ReturnValues="ALL_NEW")
        except ClientError as refusal:
            existing_item(refusal)
            return None
        return items.key(answer["Attributes"])

    # Reads: all of them consistent

    def _get(self, key: Item) -> Item | None:
        answer = call(self._client.get_item, TableName=self._table, Key=wire(key), ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    def _query(
        self, pk: str, prefix: str = "", index: str = "", values: Item | None = None, **options: str
    ) -> Iterator[Item]:
        condition, values = "#pk = :pk", {":pk": pk} | (values or {})
        if prefix:
            condition += f" AND begins_with(#{index or 'sk'}, :prefix)"
            values[":prefix"] = prefix
        return pages(
            self._client.query,
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=aliases(condition, *options.values()),
            ExpressionAttributeValues=wire(values),
            ConsistentRead=True,
            **options,
            **({"IndexName": index} if index else {}),
        )
