"""Accounts and positions, as the bridge has told them: what it has not told is unknown, and not flat."""

from orderhook.bridge_messages import PositionReport
from orderhook.console.api import writing
from orderhook.console.api.call import Call
from orderhook.console.api.errors import AccountNotFoundError
from orderhook.instruments import canonical
from orderhook.listing import each_readable
from orderhook.orders import folded
from orderhook.responses import Response
from orderhook.trade_window import day_in_new_york


def accounts(call: Call) -> Response:
    """Answer with the bridge's accounts."""
    names = [name for name in call.services.bridge.state(call.trader).accounts if _is_reached(call, name)]
    return writing.success(accounts=[{"name": name} for name in names], bridge=_bridge(call))


def of_all(call: Call) -> Response:
    """Answer with the positions of all accounts."""
    return _listed(call, None)


def of_account(call: Call) -> Response:
    """Answer with the positions of an account."""
    check_account(call)
    return _listed(call, call.account)


def one(call: Call) -> Response:
    """Answer with the position in one instrument."""
    check_account(call)
    account, instrument = call.account, canonical(call.query.instrument, day_in_new_york(call.now))
    told = [it for it in _positions(call, account) if folded(it.instrument) == folded(instrument)]
    if not call.reaches(account, instrument):
        raise AccountNotFoundError("This key is not for this instrument in this account.", field="instrument")
    shown = _represent(told[0]) if told else _unknown(account, instrument)
    return writing.success(position=shown, bridge=_bridge(call))


def check_account(call: Call) -> None:
    """Raise AccountNotFoundError unless the bridge has the account, and the key is for it."""
    known = map(folded, call.services.bridge.state(call.trader).accounts)
    if folded(call.account) not in known or not _is_reached(call, call.account):
        raise AccountNotFoundError("The bridge has no such account; look at GET /accounts.", field="account")


def _is_reached(call: Call, account: str) -> bool:
    limits = call.key.limits
    return limits is None or not limits.accounts or folded(account) in map(folded, limits.accounts)


def _listed(call: Call, account: str | None) -> Response:
    shown = [_represent(it) for it in _positions(call, account) if call.query.include_flat or it.side != "FLAT"]
    return writing.success(positions=shown, bridge=_bridge(call))


def _positions(call: Call, account: str | None) -> list[PositionReport]:
    return [
        position
        for position in each_readable(call.services.bridge.positions(call.trader))
        if position
        and call.reaches(position.account, position.instrument)
        and (account is None or folded(position.account) == folded(account))
    ]


def _represent(position: PositionReport) -> dict[str, object]:
    is_known = position.side != "UNKNOWN"
    return {
        "account": position.account,
        "instrument": position.instrument,
        "marketPosition": position.side.capitalize(),
        "quantity": position.quantity if is_known else None,
        "averagePrice": position.average if is_known else None,
        "at": position.at,
    }


def _unknown(account: str, instrument: str) -> dict[str, object]:
    told: dict[str, object] = dict.fromkeys(("quantity", "averagePrice", "at"))
    return {"account": account, "instrument": instrument, "marketPosition": "Unknown", **told}


def _bridge(call: Call) -> dict[str, object]:
    """Return whether what is told can be as it is now: a bridge that is away has told what was."""
    state = call.services.bridge.state(call.trader)
    return {"heardAt": state.at, "away": state.away(call.now)}
