"""`account=A,B,C`: one alert, carried out once for each account (CrossTrade, "Multi-Account Placement").

An order id belongs to one order, so for account B the alert's `order_id=long` becomes `long.B`; likewise strategy_id
and oco_id. That goes for every command: what PLACE with three accounts wrote, CANCEL with the same three cancels, and
CANCEL of `long.B` that one.
"""

from collections.abc import Iterable, Mapping

from orderhook.commands.fields import LIKE_A_NAME, OUTSIDE_ID
from orderhook.errors import InvalidValueError
from orderhook.payload import upper

MAX_ACCOUNTS = 20
"""As many commands, of three requests each, fit into the time budget."""

_IDS = ("order_id", "strategy_id", "oco_id")

Fields = dict[str, str]


def per_account(fields: Mapping[str, str], used: Iterable[str]) -> dict[str, Fields]:
    """Return the fields of the command for each account; `used` are the names that the command knows.

    An alert for one account, or of a command that has neither an account nor an id, comes back as it is, under the name
    "". Raises InvalidValueError for too many accounts, or two that would give their orders the same ids.
    """
    names = [name for name in map(str.strip, fields.get("account", "").split(",")) if name]
    known = set(used)
    if "," not in fields.get("account", "") or not known & {"account", *_IDS}:
        return {"": dict(fields)}
    _check(names)
    if len(names) == 1:
        return {"": {**fields, "account": names[0]}}
    return {name: _for_account(fields, name, known) for name in names}


def _check(names: list[str]) -> None:
    if not 1 <= len(names) <= MAX_ACCOUNTS:
        raise InvalidValueError(
            f"account lists {len(names)} accounts; from 1 to {MAX_ACCOUNTS} are accepted.", field="account"
        )
    by_ending: dict[str, str] = {}
    for name in names:
        if (ending := _ending(name)) in by_ending:
            raise InvalidValueError(
                f"Accounts {by_ending[ending]} and {name} would give their orders the same ids; list each once, or "
                "send an alert for each.",
                field="account",
            )
        by_ending[ending] = name


def _for_account(fields: Mapping[str, str], account: str, known: set[str]) -> Fields:
    own = {**fields, "account": account}
    for name in _IDS:
        # A name such as STOP1 is the same in every account: there it is its strategy that has an id of its own.
        if name in own and not (name == "order_id" and LIKE_A_NAME.fullmatch(upper(own[name]))):
            own[name] = f"{own[name]}.{_ending(account)}"
    if "account" not in known:
        del own["account"]  # it has done its work
    return own


def _ending(account: str) -> str:
    return OUTSIDE_ID.sub("_", account)
