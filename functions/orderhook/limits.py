"""What a key may reach, and how much it may open: an operator limits it when it is issued."""

from typing import NamedTuple

from orderhook.conditions import Sync
from orderhook.errors import CommandNotAllowedError
from orderhook.orders import folded
from orderhook.rate_limit import Rate

_MINUTE = 60

CONTINUOUS = "1!"
"""What the name of a continuous contract ends in, behind the root."""


class Limits(NamedTuple):
    """The limits of a key; an empty tuple or None is any."""

    accounts: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    """By their one names; a continuous contract, such as `ES1!`, is every month of its future."""
    max_qty: int | None = None
    max_orders_per_minute: int | None = None

    @property
    def is_to_markets(self) -> bool:
        """Whether there are orders of its trader that the key does not reach."""
        return bool(self.accounts or self.instruments)

    @property
    def rate(self) -> Rate | None:
        """How many orders it may open; None is any number."""
        return Rate(self.max_orders_per_minute, _MINUTE) if self.max_orders_per_minute else None

    def reaches(self, account: str, instrument: str) -> bool:
        """Return whether what is in this account and instrument is there for the key at all."""
        return _allows(self.accounts, account) and allows_instrument(self.instruments, instrument)

    def refusal(
        self, *, account: str | None = None, instrument: str | None = None, qty: int | None = None
    ) -> CommandNotAllowedError | None:
        """Return the refusal of an alert that asks for this, None where the key may."""
        for field, given, allowed, allows in (
            ("account", account, self.accounts, _allows),
            ("instrument", instrument, self.instruments, allows_instrument),
        ):
            if given is not None and not allows(allowed, given):
                return CommandNotAllowedError(
                    f"This key is limited to {field} {' or '.join(allowed)}; give that, or use another key.",
                    field=field,
                )
        if qty is not None and self.max_qty is not None and qty > self.max_qty:
            return CommandNotAllowedError(
                f"This key is limited to a quantity of {self.max_qty}; give no more, or use another key.", field="qty"
            )
        return None

    def refusal_of_resync(self, sync: Sync | None) -> CommandNotAllowedError | None:
        """Return the refusal of a resync to a side by a key with a largest quantity, None where the key may.

        How much it buys or sells nobody knows before the bridge does.
        """
        if self.max_qty is None or sync is None or sync.out_of_sync != "resync" or sync.market_position == "flat":
            return None
        return CommandNotAllowedError(
            f"This key is limited to a quantity of {self.max_qty}, and a resync sends as much as is missing; give "
            "out_of_sync=wait or flatten, or use another key.",
            field="out_of_sync",
        )


def reaches(limits: Limits | None, account: str | None, instrument: str | None) -> bool:
    """Return whether what is in this account and instrument is there for whoever has these limits, if any.

    What does not say where it is, None or empty, is not there where that is limited.
    """
    if limits is None:
        return True
    is_known = bool((account or not limits.accounts) and (instrument or not limits.instruments))
    return is_known and limits.reaches(account or "", instrument or "")


def _allows(allowed: tuple[str, ...], given: str) -> bool:
    return not allowed or folded(given) in map(folded, allowed)


def allows_instrument(allowed: tuple[str, ...], given: str) -> bool:
    """Return whether an instrument is one of these, or of a month of a continuous contract among them."""
    return _allows(allowed, given) or any(given.startswith(month) for month in months_of(allowed))


def months_of(instruments: tuple[str, ...]) -> list[str]:
    """Return how the names of all months begin of the continuous contracts among instruments: `ES ` of `ES1!`."""
    return [f"{name.removesuffix(CONTINUOUS)} " for name in instruments if name.endswith(CONTINUOUS)]
