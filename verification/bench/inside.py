"""Measure inside the artifact: run by the runtime's Python, with nothing to import but the artifact.

    python -S inside.py by-id|by-name|among|requests|page RESULTS [COUNT [NAME=ORDERS ...]]

The log lines go to standard output, as on Lambda; the measurements go to the file RESULTS, as JSON.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import webhook
from orderhook import keys
from orderhook.orders import Binding, Order, OrderState, Strategy, timestamp
from orderhook.provenance import Provenance
from orderhook.store import items
from orderhook.store.strategies import strategy_write
from orderhook.store.table import serialize
from orderhook.store.writes import Put, Update

EVENT = json.loads((Path(__file__).parents[2] / "events" / "cancel_by_id.json").read_text())
CLIENT = webhook.services.orders._table.client
Samples = dict[str, list[float]]


class Trader:
    """A trader with a key, who places orders and cancels them."""

    def __init__(self, name: str) -> None:
        now = datetime.now(UTC)
        self.provenance = Provenance(name, "benchmark", uuid4().hex, now)
        self._secret, key = keys.issue(trader=name, label="benchmark", scopes=frozenset(), created=timestamp(now))
        webhook.services.keys.put(key)

    def place(self, order_id: str, strategy_id: str | None = None) -> None:
        """Store a working order; in a strategy of its own its name is ENTRY1."""
        order = Order(
            order_id=order_id,
            account="Sim101",
            instrument="ES 12-26",
            action="BUY",
            qty=1,
            order_type="MARKET",
            tif="GTC",
            state=OrderState.WORKING,
            since=timestamp(self.provenance.at),
            strategy_id=strategy_id,
            order_name="ENTRY1" if strategy_id else None,
            number=1 if strategy_id else None,
            history=(self.provenance.event(OrderState.WORKING),),
        )
        services = webhook.services
        writes: list[Put | Update] = [services.orders.putting(self.provenance, order)]
        if strategy_id is not None:
            numbers = {1: Binding(order_id, self.provenance.now)}
            strategy = Strategy(strategy_id, order.account, order.instrument, numbers=numbers)
            writes.append(strategy_write(self.provenance, None, strategy))
        services.table.transact(writes)

    def cancel(self, **fields: str) -> float:
        """Send a CANCEL through the handler; return the milliseconds that it took."""
        return self.send(command="CANCEL", **fields)

    def send(self, **fields: str) -> float:
        """Send an alert through the handler; return the milliseconds that it took."""
        body = "".join(f"{name}={value};" for name, value in {"key": self._secret, **fields}.items())
        event = EVENT | {"body": body}
        started = time.perf_counter()
        response = webhook.handler(event, None)
        milliseconds = (time.perf_counter() - started) * 1000
        if response["statusCode"] != 200:
            raise RuntimeError(response["body"])
        return milliseconds


class Sent:
    """The requests that the handler's client sends, repeated attempts included, and their parameters."""

    def __init__(self, client: Any = CLIENT) -> None:
        self._client = client
        self.operations: list[str] = []
        self.parameters: dict[str, dict[str, Any]] = {}
        client.meta.events.register("provide-client-params.dynamodb", self._note)
        client.meta.events.register_first("before-send.dynamodb", self._count)

    def _note(self, params: dict[str, Any], event_name: str, **_: object) -> None:
        self.parameters[event_name.rpartition(".")[2]] = params

    def _count(self, event_name: str, **_: object) -> None:
        self.operations.append(event_name.rpartition(".")[2])

    def stop(self) -> None:
        """Stop watching the client."""
        self._client.meta.events.unregister("provide-client-params.dynamodb", self._note)
        self._client.meta.events.unregister("before-send.dynamodb", self._count)


def by_id(count: int) -> Samples:
    """Cancel by id, in turns with the same requests alone."""
    trader = Trader(f"by-id-{uuid4().hex}")

    def bare(order_id: str, parameters: dict[str, dict[str, Any]]) -> None:
        key = serialize(items.order_key(trader.provenance.trader, order_id))
        CLIENT.update_item(**parameters["UpdateItem"] | {"Key": key})
        _put_record(order_id, parameters)

    return _in_turns(count, trader.place, lambda order_id: trader.cancel(order_id=order_id), bare)


def by_name(count: int) -> Samples:
    """Cancel by name, in turns with the same requests alone."""
    trader = Trader(f"by-name-{uuid4().hex}")

    def bare(order_id: str, parameters: dict[str, dict[str, Any]]) -> None:
        strategy_key = serialize(items.strategy_key(trader.provenance.trader, f"strategy-of-{order_id}"))
        key = serialize(items.order_key(trader.provenance.trader, order_id))
        values = parameters["UpdateItem"]["ExpressionAttributeValues"]
        values |= {":strategy_id": {"S": f"strategy-of-{order_id}"}}
        CLIENT.get_item(**parameters["GetItem"] | {"Key": strategy_key})
        CLIENT.update_item(**parameters["UpdateItem"] | {"Key": key, "ExpressionAttributeValues": values})
        _put_record(order_id, parameters)

    return _in_turns(
        count,
        lambda order_id: trader.place(order_id, f"strategy-of-{order_id}"),
        lambda order_id: trader.cancel(order_id="ENTRY1", strategy_id=f"strategy-of-{order_id}"),
        bare,
    )


def _put_record(order_id: str, parameters: dict[str, dict[str, Any]]) -> None:
    record = parameters["PutItem"]["Item"] | {"sk": {"S": f"bare-{order_id}"}}
    CLIENT.put_item(**parameters["PutItem"] | {"Item": record})


def _in_turns(
    count: int,
    place: Callable[[str], None],
    cancel: Callable[[str], float],
    bare: Callable[[str, dict[str, dict[str, Any]]], None],
) -> Samples:
    place("warm-up")
    place("pattern")
    cancel("warm-up")
    sent = Sent()
    cancel("pattern")
    sent.stop()
    samples: Samples = {"handler": [], "bare": []}

    def send(order_id: str) -> None:
        started = time.perf_counter()
        bare(order_id, sent.parameters)
        samples["bare"].append((time.perf_counter() - started) * 1000)

    for turn in range(count):
        ours, theirs = f"ours-{turn}", f"theirs-{turn}"
        place(ours)
        place(theirs)
        if turn % 2:
            samples["handler"].append(cancel(ours))
            send(theirs)
        else:
            send(theirs)
            samples["handler"].append(cancel(ours))
    return samples


def among(count: int, traders: Iterable[str]) -> Samples:
    """Cancel orders of traders that have many (see orders.py), in turns; each trader is given as NAME=ORDERS."""
    sizes = {name: int(size) for name, _, size in (it.partition("=") for it in traders)}
    known = {name: Trader(name) for name in sizes}
    samples: Samples = {name: [] for name in known}
    for turn in range(count):
        for name in list(known) if turn % 2 else list(reversed(known)):
            samples[name].append(known[name].cancel(order_id=f"order-{turn * sizes[name] // count}"))
    return {name: milliseconds[1:] for name, milliseconds in samples.items()}  # the first looks the key up


def requests() -> dict[str, list[str]]:
    """List what each kind of CANCEL sends to DynamoDB."""
    trader, stranger = Trader(f"requests-{uuid4().hex}"), Trader(f"stranger-{uuid4().hex}")
    for order_id in ("warm-up", "by-id"):
        trader.place(order_id)
    trader.place("by-name", "strategy")
    stranger.place("cold")
    trader.cancel(order_id="warm-up")
    sent = Sent()
    found: dict[str, list[str]] = {}
    for kind, who, fields in (
        ("by id", trader, {"order_id": "by-id"}),
        ("by name", trader, {"order_id": "ENTRY1", "strategy_id": "strategy"}),
        ("with a cold key", stranger, {"order_id": "cold"}),
    ):
        sent.operations.clear()
        who.cancel(**fields)
        found[kind] = list(sent.operations)
    return found


ALERTS = 50


def page(name: str) -> dict[str, object]:
    """Place an order by each of 50 alerts, and look at the page of them; return what one is asked for, and its event.

    The first look fills what the console keeps for some seconds; the second is the one that counts.
    """
    import console
    from orderhook.console.sessions import Grant

    trader = Trader(name)
    for number in range(ALERTS):
        trader.send(
            command="PLACE", account="Sim101", instrument="ES1!", action="BUY", qty="1", order_type="LIMIT",
            limit_price="5000", tif="GTC", order_id=f"order-{number}",
        )  # fmt: skip
    sessions, now = console.console.sessions, datetime.now(UTC)
    token = sessions.redeem(sessions.issue_code(Grant(name), now), now)
    event = {
        "rawPath": "/console",
        "cookies": [f"__Host-orderhook={token}"],
        "requestContext": {"http": {"method": "GET"}, "domainName": "console.example.com"},
    }
    console.handler(event, None)
    sent = Sent(console.services.table.client)
    answer = console.handler(event, None)
    if answer["statusCode"] != 200 or answer["body"].count("order-") < ALERTS:
        raise RuntimeError(answer["body"])
    return {"requests": sent.operations, "event": event}


if __name__ == "__main__":
    what, results, *more = sys.argv[1:]
    measured: object
    match what:
        case "by-id":
            measured = by_id(int(more[0]))
        case "by-name":
            measured = by_name(int(more[0]))
        case "among":
            measured = among(int(more[0]), more[1:])
        case "page":
            measured = page(more[0])
        case "requests":
            measured = requests()
    Path(results).write_text(json.dumps(measured))
