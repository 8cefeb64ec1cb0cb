"""`account=A,B,C`: one alert, carried out once for each account (CrossTrade, "Multi-Account Placement").

An order id belongs to one order, so for account Sim101 the alert's `order_id=long` becomes `long.sim101`; likewise
strategy_id and oco_id. That goes for every command that has an id: what PLACE with three accounts wrote, CANCEL with
the same three cancels, and CANCEL of `long.sim101` that one. A leg's ending stays last: `long.sim101.STOP1`.
"""

from collections.abc import Iterable, Mapping

from orderhook.commands.fields import IDS, LIKE_A_NAME, MAX_LENGTH, check_is_something, check_label, leg_parts
from orderhook.errors import InvalidValueError
from orderhook.orders import folded
from orderhook.payload import upper

MAX_ACCOUNTS = 20
"""As many commands, of three requests each, fit into the time budget."""

Fields = dict[str, str]


def per_account(fields: Mapping[str, str], used: Iterable[str]) -> dict[str, Fields]:
    """Return the fields of the command for each account; `used` are the names that the command knows.

    An alert for one account, or of a command that has neither an account nor an id, comes back as it is, under the name
    "". Raises InvalidValueError for a list that cannot be, and for an id that has no value.
    """
    known = set(used)
    if "," not in fields.get("account", "") or not known & {"account", *IDS}:
        return {"": dict(fields)}
    names = [name.strip() for name in fields["account"].split(",")]
    _check(names)
    for name in IDS:
        if name in fields:
            check_is_something(fields[name], name)  # with an ending it would look like something
    return {name: _for_account(fields, name, known) for name in names}


def _check(names: list[str]) -> None:
    if not all(names):
        raise InvalidValueError("account has a ',' without an account beside it; take it out.", field="account")
    if len(names) > MAX_ACCOUNTS:
        raise InvalidValueError(
            f"account lists {len(names)} accounts; at most {MAX_ACCOUNTS} are accepted.", field="account"
        )
    by_fold: dict[str, str] = {}
    for name in names:
        check_is_something(name, "account")
        check_label(name, "account")
        if LIKE_A_NAME.fullmatch(upper(name)):
            raise InvalidValueError(
                f"Account {name} looks like an order name, so it cannot be in a list; send an alert of its own for it.",
                field="account",
            )
        if folded(name) in by_fold:
            raise InvalidValueError(
                f"account lists {by_fold[folded(name)]} and {name}, which are the same account; list it once.",
                field="account",
            )
        by_fold[folded(name)] = name


def _for_account(fields: Mapping[str, str], account: str, known: set[str]) -> Fields:
    own = {**fields, "account": account}
    for name in IDS:
        # A name such as STOP1 is the same in every account: there it is its strategy that has an id of its own.
        if name in own and not (name == "order_id" and LIKE_A_NAME.fullmatch(upper(own[name]))):
            own[name] = _with_ending(own[name], folded(account), name)
    if "account" not in known:
        del own["account"]  # it has done its work
    return own


def _with_ending(sent_id: str, ending: str, field: str) -> str:
    leg = leg_parts(sent_id)
    length = len(folded(f"{leg[0] if leg else sent_id}.{ending}"))
    if length > MAX_LENGTH:
        raise InvalidValueError(
            f"{field} has {length} characters with '.{ending}', in which it ends for that account of the list; at most "
            f"{MAX_LENGTH} are accepted: write a shorter one.",
            field=field,
        )
    return f"{leg[0]}.{ending}.{leg[1]}" if leg else f"{sent_id}.{ending}"
