"""The demo: a public key, and orders to cancel with it.

`orderhook serve` starts with it, `orderhook seed` writes it for `sam local invoke`, and the requests in events/ name
its key and its orders. It may only be written into local tables: whoever reads this file can use its key.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from orderhook import commands, payload
from orderhook.keys import Key
from orderhook.orders import Bracket, OrderState, Provenance, Template, timestamp
from orderhook.services import Services

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
"""Has ENTRY1 (the order demo-entry), TARGET1, STOP1 and TARGET2 (demo-strategy.TARGET1 and so on)."""

FILLED_ID, CANCELLED_ID, UNKNOWN_ID = "demo-filled", "demo-cancelled", "demo-unknown"
REPLACED_ID = "demo-replaced"
TO_CLOSE_ID, CLOSED_ID = "demo-to-close", "demo-closed"
"""Strategies with one entry each, whose order id is the strategy's; the second is closed."""

SMALL_ACCOUNT = "Sim103"
"""Has the order demo-4 and nothing else."""

_ES = "account=Sim101; instrument=ES 12-26"
PLACES: Mapping[str, str] = {
    "demo-1": f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=5000.25; tif=GTC",
    "demo-2": f"{_ES}; action=SELL; qty=2; order_type=LIMIT; limit_price=5100; tif=GTC",
    "demo-3": "account=Sim102; instrument=NQ 12-26; action=BUY; qty=1; order_type=STOPMARKET; stop_price=18250;tif=GTC",
    "demo-entry": f"{_ES}; action=BUY; qty=2; order_type=LIMIT; limit_price=4990; tif=GTC; strategy_id={STRATEGY_ID}; "
    f"strategy={TEMPLATE.name}",
    "demo-4": f"account={SMALL_ACCOUNT}; instrument=ES 12-26; action=BUY; qty=1; order_type=LIMIT; limit_price=4950; "
    "tif=GTC",
    "demo-5": f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4960; tif=GTC",
    REPLACED_ID: f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4970; tif=GTC",
    TO_CLOSE_ID: f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4980; tif=GTC; strategy_id={TO_CLOSE_ID}; "
    "stop_loss=4975",
    CLOSED_ID: f"{_ES}; action=BUY; qty=1; order_type=LIMIT; limit_price=4980; tif=GTC; strategy_id={CLOSED_ID}",
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


def seed(services: Services, now: datetime) -> None:
    """Write the demo; run twice, the second run changes nothing."""
    for secret, key_id, trader in ((KEY, KEY_ID, TRADER), (SECOND_KEY, SECOND_KEY_ID, SECOND_TRADER)):
        if services.keys.get(key_id) is None:
            services.keys.put(_key(secret, key_id, trader, now))
    services.templates.put(TRADER, TEMPLATE)
    for order_id, text in PLACES.items():
        fields = _fields(f"command=PLACE; order_id={order_id}; {text}")
        # Legs take their ids from the id of the request that places them.
        _run(services, fields, _provenance(fields.get("strategy_id", f"place-{order_id}"), now))
    for text in _FOLLOWING:
        _run(services, _fields(text), _provenance("following", now))
    order_of_second = _fields(f"command=PLACE; order_id=demo-1; {PLACES['demo-1']}")
    _run(services, order_of_second, _provenance("place-demo-1", now)._replace(trader=SECOND_TRADER))
    services.orders.report(_provenance(f"fill-{FILLED_ID}", now), FILLED_ID, OrderState.FILLED, filled=1)
    services.orders.cancel(_provenance(f"cancel-{CANCELLED_ID}", now), CANCELLED_ID)


def _fields(text: str) -> Mapping[str, str]:
    return payload.parse_fields(payload.split(text.encode()).pairs)


def _run(services: Services, fields: Mapping[str, str], provenance: Provenance) -> None:
    command, _ = commands.parse_command(commands.command_type(fields), fields)
    command.run(services, provenance)


def _key(secret: str, key_id: str, trader: str, now: datetime) -> Key:
    return Key(
        key_id=key_id,
        digest=sha256(secret.encode()).digest(),
        trader=trader,
        label="the public key of the demo",
        scopes=frozenset(),
        created=timestamp(now),
        last_four=secret[-4:],
    )


def _provenance(request_id: str, now: datetime) -> Provenance:
    return Provenance(TRADER, KEY_ID, request_id, now)
