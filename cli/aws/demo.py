"""The demo: a public key, and orders to cancel with it.

`orderhook serve` starts with it, `orderhook seed` writes it for `sam local invoke`, and the requests in events/ name
its key and its orders. It may only be written into local tables: whoever reads this file can use its key.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from orderhook import commands, payload, pipeline
from orderhook.aws.deferred import Deferred
from orderhook.keys import Key
from orderhook.messages import DelayedAlert, Release
from orderhook.order_reports import Report
from orderhook.orders import Bracket, OrderState, Template, timestamp
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.trade_window import day_in_new_york

KEY = "ohk_demolocalrun_ThisKeyIsPublicAndOpensNothingButALocalDemobca28c24"
WRONG_KEY = "ohk_demowrongkey_NobodyHasThisKeySoThatItIsAlwaysRefusedHered5d96f88"
"""Has the form of a key, but is in no table."""

KEY_ID = "demolocalrun"
TRADER = "main"

SECOND_KEY = "ohk_demosecond01_ThisKeyIsPublicAndOpensNothingButALocalDemoaf9332fd"
SECOND_KEY_ID = "demosecond01"
SECOND_TRADER = "second"
"""Has an order of its own, for the request in events/ that cancels all orders of a trader."""

TEMPLATE = Template(
    "demo-brackets",
    (Bracket(qty=1, target=Decimal(10), stop=Decimal(5)), Bracket(qty=1, target=Decimal(20))),
)

STRATEGY_ID = "demo-strategy"
"""Has ENTRY1 (the order demo-entry), TARGET1, STOP1 and TARGET2 (the orders demo-entry.TARGET1 and so on)."""

FILLED_ID, CANCELLED_ID, UNKNOWN_ID = "demo-filled", "demo-cancelled", "demo-unknown"
REPLACED_ID = "demo-replaced"
TO_CLOSE_ID, CLOSED_ID = "demo-to-close", "demo-closed"
BRACKET_ID, RUNNING_ID, POSITION_ID = "demo-bracket", "demo-running", "demo-position"
"""Strategies with one entry each, whose order id is the strategy's. CLOSED_ID is closed; the entry of POSITION_ID is
filled, so that its legs work."""

WAITING_ID, DELAYED_ID = "demo-waiting", "alert-was-delayed"
"""Wait for their delay; events/sqs has the message that releases the second."""

TIMED_ID = "demo-timed"
"""Has a time limit; events/sqs has the message that cancels it."""

SMALL_ACCOUNT = "Sim103"
"""Has the order demo-4 and nothing else."""

_ES, _NQ = "account=Sim101; instrument=ES1!", "account=Sim102; instrument=NQ1!"
_BRACKET = "action=BUY; qty=2; order_type=LIMIT; limit_price=4990; tif=GTC; take_profit=5010; stop_loss=4980"
PLACES: Mapping[str, str] = {
    "demo-1": f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=5000.25; tif=GTC",
    "demo-2": f"{_ES}; action=SELL; qty=2; order_type=LIMIT; limit_price=5100; tif=GTC",
    "demo-3": f"{_NQ}; action=BUY; qty=1; order_type=STOPMARKET; stop_price=18250; tif=GTC",
    "demo-entry": f"{_ES}; action=BUY; qty=2; order_type=LIMIT; limit_price=4990; tif=GTC; strategy_id={STRATEGY_ID}; "
    f"strategy={TEMPLATE.name}",
    "demo-4": f"account={SMALL_ACCOUNT}; instrument=ES1!; action=BUY; qty=1; order_type=LIMIT; limit_price=4950; "
    "tif=GTC",
    "demo-5": f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4960; tif=GTC",
    "demo-6": f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4940; tif=GTC",
    "demo-7": f"{_NQ}; action=BUY; qty=1; order_type=STOPMARKET; stop_price=18250; tif=GTC",
    "demo-8": f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4930; tif=GTC",
    REPLACED_ID: f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4970; tif=GTC",
    TO_CLOSE_ID: f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4980; tif=GTC; strategy_id={TO_CLOSE_ID}; "
    "stop_loss=4975",
    CLOSED_ID: f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4980; tif=GTC; strategy_id={CLOSED_ID}",
    **{each: f"{_ES}; {_BRACKET}; strategy_id={each}" for each in (BRACKET_ID, RUNNING_ID, POSITION_ID)},
    **{
        f"event-accounts.{account.lower()}": f"account={account}; instrument=ES1!; action=BUY; qty=1; "
        f"order_type=LIMIT; limit_price=4920; tif=GTC; strategy_id=event-accounts.{account.lower()}"
        for account in ("Sim104", "Apex-8")
    },
    **dict.fromkeys(
        (WAITING_ID, DELAYED_ID), f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4910; tif=GTC; delay=60"
    ),
    TIMED_ID: f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4900; tif=GTC; cancel_after=60",
    FILLED_ID: f"{_ES}; action=BUY; qty=1; order_type=MARKET; tif=DAY",
    CANCELLED_ID: f"{_ES}; action=SELL; qty=1; order_type=LIMIT; limit_price=5200; tif=DAY",
}
"""The alerts that place the demo's orders, by order id."""

_FOLLOWING: tuple[str, ...] = (
    f"command=CANCELREPLACE; order_id={REPLACED_ID}; {_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4971; "
    "tif=GTC",
    f"command=CLOSESTRATEGY; strategy_id={CLOSED_ID}",
)
"""The alerts that follow those."""

CANCELS: Mapping[str, str] = {
    "by id": f"key={KEY};command=CANCEL;order_id=demo-1;",
    "by name": f"key={KEY};command=CANCEL;order_id=STOP1;strategy_id={STRATEGY_ID};",
    "the published example": f"key={KEY};\ncommand=CANCEL\norder_id=demo-entry;\nstrategy_id={STRATEGY_ID}; (optional)",
    "JSON": f'{{"key": "{KEY}", "command": "CANCEL", "order_id": "demo-2"}}',
    "every order of an account": f"key={KEY};command=CANCELORDERS;account={SMALL_ACCOUNT};",
    "a duplicate": f"key={KEY};command=CANCEL;order_id={CANCELLED_ID};",
    "a filled order": f"key={KEY};command=CANCEL;order_id={FILLED_ID};",
    "an unknown order": f"key={KEY};command=CANCEL;order_id={UNKNOWN_ID};",
    "a wrong key": f"key={WRONG_KEY};command=CANCEL;order_id=demo-3;",
}
"""One alert for each kind of cancel. Each of them is about another order."""


_LONG = (
    f"key={KEY}; command=PLACE; account=Sim101; instrument=ES1!; action=BUY; qty=2; order_type=LIMIT; "
    "limit_price=4985.25; tif=GTC; order_id=es-long-0930; strategy_id=es-long; take_profit=5005; stop_loss=4980;"
)
ALERTS: tuple[str, ...] = (
    _LONG,
    _LONG,
    f"key={KEY}; command=CANCEL; order_id=STOP1; strategy_id=es-long;",
    f"key={KEY}; command=PLACE; account=Sim102; instrument=NQ1!; action=SELL; qty=1; order_type=STOPMARKET; "
    "stop_price=18100.50; tif=DAY; order_id=nq-short-0935;",
    f"key={KEY}; command=CANCEL; order_id=nq-short-0935;",
    f"key={KEY}; command=PLACE; account=Sim101; instrument={{{{symbol}}}}; action=BUY; qty=1; order_type=MARKET; "
    "tif=DAY; order_id=es-0936;",
    f"key={KEY}; command=PLACE; account=Sim101,Sim102; instrument=ES1!; action=BUY; qty=1; order_type=LIMIT; "
    "limit_price=4950; tif=GTC; order_id=es-two;",
    f"key={KEY}; command=CANCEL; account=Sim101,Sim103; order_id=es-two;",
    f"key={KEY}; command=CANCELORDERS; account=Sim199;",
    f"key={KEY}; command=CLOSESTRATEGY; strategy_id=es-long; delay=60;",
)
"""Alerts that the local server sends itself when it starts, so that there is something to see of each kind."""


class _Unsent(Deferred):
    """Stands for the queue where there is none: the messages in events/sqs are sent by hand."""

    def __init__(self) -> None:
        pass

    def send(self, message: DelayedAlert | Release, seconds: int) -> None:
        pass

    def schedule(self, provenance: Provenance, order_id: str, minutes: int, received: datetime) -> str:  # noqa: ARG002
        return "2099-12-31T00:00:00.000000Z"


ROOT = "ES"
"""The future whose front month the alerts to try trade, where they are filled."""


def seed(services: Services, now: datetime, *, with_orders: bool = True) -> None:
    """Write the demo, or its keys and its template alone; run twice, the second run changes nothing.

    With a queue, what waits there is done when it is due.
    """
    services = services._replace(deferred=services.deferred or _Unsent())
    for secret, key_id, trader in ((KEY, KEY_ID, TRADER), (SECOND_KEY, SECOND_KEY_ID, SECOND_TRADER)):
        if services.keys.get(key_id) is None:
            services.keys.put(_key(secret, key_id, trader, now))
    services.templates.put(TRADER, TEMPLATE)
    if not with_orders:
        return
    for order_id, text in PLACES.items():
        # Placed once: a finished order is not placed again, and another message would release it.
        if services.orders.get(TRADER, order_id) is None:
            _run(services, f"command=PLACE; order_id={order_id}; {text}", _provenance(f"place-{order_id}", now))
    for text in _FOLLOWING:
        _run(services, text, _provenance("following", now))
    of_second = _provenance("place-demo-1", now)._replace(trader=SECOND_TRADER)
    _run(services, f"command=PLACE; order_id=demo-1; {PLACES['demo-1']}", of_second)
    for order_id, filled in ((FILLED_ID, 1), (POSITION_ID, 2)):
        report = Report(OrderState.FILLED, filled=filled)
        services.reports.record(_provenance(f"fill-{order_id}", now), order_id, report)
    services.orders.cancel(_provenance(f"cancel-{CANCELLED_ID}", now), CANCELLED_ID)


def _run(services: Services, text: str, provenance: Provenance) -> None:
    pairs = payload.split(text.encode()).pairs
    kind = commands.command_type(pairs)
    fields, _ = commands.parse_fields(kind, pairs, is_json=False)
    alert = pipeline.alert_of(kind, fields, on=day_in_new_york(provenance.at))
    alert.first.run(services, provenance)


def _key(secret: str, key_id: str, trader: str, now: datetime) -> Key:
    return Key(
        key_id=key_id,
        digest=sha256(secret.encode()).digest(),
        trader=trader,
        label="the public key of the demo",
        scopes=frozenset(),
        turns_kill_switch=True,
        created=timestamp(now),
        last_four=secret[-4:],
    )


def _provenance(request_id: str, now: datetime) -> Provenance:
    return Provenance(TRADER, KEY_ID, request_id, now)
