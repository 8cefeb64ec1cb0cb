"""What the instrument of an alert means: the one name of its contract, on the day on which the alert was received.

Every command that has the field `instrument` gets that name in its place. Not imported before an alert has one.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from orderhook import instruments
from orderhook.errors import AlertWarning, InvalidValueError
from orderhook.orders import folded

if TYPE_CHECKING:
    from orderhook.commands.command import Command

OF_MEANING = frozenset(("near_roll", "unlisted_instrument"))
"""The codes of the warnings that depend on the day."""


class Meaning(NamedTuple):
    """What an instrument means that an alert names."""

    name: str
    """The one name of the contract; of what is not listed the name as it is written."""
    sent: str
    """As the alert has it."""
    root: str | None = None
    """The root of a future on every month of which the alert acts."""

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of a command that say it."""
        is_other = folded(self.sent) != folded(self.name)
        return {"instrument": self.name} | ({"sent_instrument": self.sent} if is_other else {})

    @property
    def told(self) -> Mapping[str, str]:
        """What answers say of it; nothing where the alert says the same."""
        meant = self.root or self.name
        return {"instrument": meant, "instrument_sent": self.sent} if folded(meant) != folded(self.sent) else {}


def meaning(kind: "type[Command]", sent: str, on: date) -> Meaning:
    """Return what an instrument means to a command: what closes or cancels acts on every month of `ES1!`."""
    root = instruments.continuous_root(sent) if kind.risk_reducing else None
    return Meaning(instruments.canonical(sent, on), sent, root)


def is_steady(sent: str, first: date, last: date) -> bool:
    """Return whether a name means the same on two days: a front month rolls, and a year of one digit moves on."""
    return instruments.canonical(sent, first) == instruments.canonical(sent, last)


def check(kind: "type[Command]", name: str, on: date) -> Iterator[AlertWarning]:
    """Yield what to warn of an instrument; raises InvalidValueError where a command may open what trades no more."""
    contract = instruments.parse(name, on)
    if contract is None or not instruments.is_listed(contract):
        yield AlertWarning("unlisted_instrument", "instrument", _unlisted(name, contract))
    if contract and not kind.risk_reducing:
        yield from _check_opening(contract, on)


def _unlisted(name: str, contract: instruments.Contract | None) -> str:
    if contract:
        months = ", ".join(f"{month:02}" for month in instruments.months_of(contract.root))
        return (
            f"{contract.root} has the months {months} in the list here, and {name} is none of them: see that it exists."
        )
    if instruments.is_root(name):
        return (
            f"{name} is a future without its month, so it stays as it is written, and means none of its contracts: "
            f"write {name.upper()}1! or a month such as {name.upper()} 12-26."
        )
    return (
        f"{name} is none of the futures that are listed here, so it stays as it is written: the venue must know it "
        "by this name. `orderhook instruments` shows the list, and how contracts are written."
    )


def _check_opening(contract: instruments.Contract, on: date) -> Iterator[AlertWarning]:
    if instruments.expired(contract, on):
        front = instruments.front_month(contract.root, on)
        raise InvalidValueError(
            f"{contract.name} expired on {contract.expiry}, so nothing is opened in it; the front month is "
            f"{front.name}, which {contract.root}1! stands for.",
            field="instrument",
        )
    if roll := instruments.near_roll(contract, on):
        rolls = "rolls" if roll.on > on else "rolled"
        yield AlertWarning(
            "near_roll",
            "instrument",
            f"{roll.old.name} {rolls} to {roll.new.name} on {roll.on}: see that this is the month you mean, and close "
            "what is open in the other one.",
        )
