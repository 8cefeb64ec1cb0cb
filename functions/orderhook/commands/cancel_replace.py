"""CANCELREPLACE: replace an order by another under the same id, or a leg by another of its kind."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from orderhook.altering import Replacement, check_replaced, check_replaced_leg, replaced, replaced_leg
from orderhook.commands.addressed_order import Address, AddressesOrder, Met, ended
from orderhook.commands.change import answered, remaining
from orderhook.commands.changing import Altered, alter, alter_addressed, find_resent, needs_venue, values
from orderhook.commands.fields import Minutes
from orderhook.commands.new_order import OCO_WITHOUT_VENUE, PlacesOrder
from orderhook.commands.place import schedule_end
from orderhook.errors import AlertWarning, InvalidValueError
from orderhook.orders import Order, folded
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.store.expressions import in_market
from orderhook.store.results import WriteResult
from orderhook.trade import kind_of, leg_id, open_legs

if TYPE_CHECKING:
    from orderhook.services import Services


class CancelReplace(AddressesOrder, PlacesOrder):
    """Replace the order that `order_id` addresses by what the other fields say; it keeps its id, name and strategy.

    `qty` is the total wanted, fills included (FIX, OrderQty of a cancel/replace).
    """

    word: ClassVar[str] = "CANCELREPLACE"
    refused: ClassVar[Mapping[str, str]] = {
        **PlacesOrder.refused,
        "strategy": "does not go with CANCELREPLACE: the order keeps the legs that its template gave it; take it out",
    }

    cancel_after: Minutes = 0

    @property
    def lifts_time_limit(self) -> bool:
        """Whether it says that the order is to have no time limit: without `cancel_after` it keeps the one it has."""
        return "cancel_after" in self.model_fields_set and not self.cancel_after

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Replace it by one conditional write; a resend changes nothing and is a success.

        An order that is finished, or about to be cancelled, is not replaced, so that exposure never doubles. Raises
        OrderNotFoundError, StrategyNotFoundError, StrategyMismatchError, OrderAlreadyTerminalError, InvalidValueError.
        """

        def replace(address: Address) -> Altered:
            minutes = self.cancel_after
            ends = schedule_end(services, provenance, address.order_id, minutes, after=self.delay) if minutes else None
            return alter(_Replacing(self, services, provenance, ends), services, provenance, address)

        return self._outcome(alter_addressed(self, services, provenance, replace))

    def needs_venue(self, services: "Services", provenance: Provenance) -> bool:
        """Return whether it alters an entry that a venue has."""
        return needs_venue(self, services, provenance)

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome for an order that this very alert has replaced, if this is its resend."""
        altered = find_resent(self, services, provenance, _Replacing(self, services, provenance, None))
        return self._outcome(altered) if altered else None

    def _outcome(self, altered: Altered) -> Outcome:
        order = altered.order
        same = order.generation == altered.before.generation and not altered.is_asked
        unchanged = altered.resent or (same and not altered.own)
        # A time limit is kept here: its venue is not asked for that.
        asks = altered.is_asked or altered.own or order.legs != altered.before.legs
        # `ES1!` after a roll: the order stays in the month that it has.
        stays = (
            {} if folded(order.instrument) == folded(self.new_order.instrument) else {"instrument": order.instrument}
        )
        ends = {"cancels_at": order.cancels_at} if order.cancels_at else {}
        kinds = {leg.kind for leg in self.new_order.legs}
        # Legs that fills reach work at once; of a kind that had been released before there is none among those given.
        at_once = {n: leg_id(order.order_id, n) for n, it in order.legs.items() if it.released and kind_of(n) in kinds}
        return Outcome.of(
            order,
            answered("replaced", order, unchanged=unchanged or not asks),
            duplicate=True if unchanged else None,
            filled=str(order.filled),
            legs=({**at_once, **open_legs(order)} or None) if kinds else None,
            extra={**values(order), "remaining": remaining(order), "generation": order.generation, **ends, **stays},
            warnings=(*altered.warnings, *([OCO_WITHOUT_VENUE] if self.new_order.oco_id and not order.venue else [])),
        )


_STAYS = frozenset({"account", "instrument", "action"})

_LEG_STAYS_GTC = AlertWarning("ignored_field", "tif", "A target or stop stays GTC.")


class _Replacing:
    """A CANCELREPLACE at its time."""

    def __init__(
        self, command: CancelReplace, services: "Services", provenance: Provenance, cancels_at: str | None
    ) -> None:
        self.command = command
        self._services = services
        self._provenance = provenance
        new = command.new_order
        self._new = Replacement(
            account=new.account,
            instrument=new.instrument,
            action=new.action,
            qty=new.qty,
            order_type=new.order_type,
            tif=new.tif,
            limit_price=new.limit_price,
            stop_price=new.stop_price,
            legs=new.legs,
            oco_id=new.oco_id,
            cancels_at=cancels_at,
            root=command.root,
            lifts_time_limit=command.lifts_time_limit,
            conditions=command.position_conditions,
            day_ends=new.day_ends(provenance, after=command.delay),
            notes=command.notes,
        )

    def try_at_once(
        self, services: "Services", provenance: Provenance, order_id: str, leg: str | None = None
    ) -> WriteResult:
        """Replace the order, or a leg in its item, by the one write that serves where it need not be looked at."""
        conditions = self.command.conditions(provenance, leg)
        if leg is not None:
            return services.orders.replace_leg(provenance, order_id, leg, self._new, self.changes, *conditions)
        conditions.append(in_market(self._new.account, self._new.instrument, self._new.root))
        return services.orders.replace(provenance, order_id, self._new, self.changes, *conditions)

    def applied_to(self, met: Met) -> tuple[Order, list[AlertWarning]]:
        """Return the item as the replacement makes it, and what to warn of."""
        if met.leg is not None:
            warnings = [_LEG_STAYS_GTC] if self._new.tif != "GTC" else []
            return replaced_leg(met.item, met.leg, self._new), warnings
        after, warnings = replaced(met.item, self._new)
        return after, warnings + ([_LEG_STAYS_GTC] if after.tif != self._new.tif else [])

    def check(self, met: Met, after: Order) -> None:
        """Raise InvalidValueError unless the item can be replaced so."""
        if met.leg is not None:
            check_replaced_leg(met.item, met.leg, self._new, after)
        else:
            self._check_released(met.item)
            check_replaced(met.item, self._new, after)

    def _check_released(self, entry: Order) -> None:
        """Raise InvalidValueError where a leg of a kind that is given has an item of its own, with what became of it.

        One that has ended there is not given anew: its id is taken.
        """
        fields = {leg.kind: leg.field for leg in self._new.legs}
        for name in (name for name, leg in entry.legs.items() if leg.released and kind_of(name) in fields):
            leg = self._services.orders.reached(self._provenance, leg_id(entry.order_id, name))
            leg = leg and leg.at(self._provenance.now)
            if leg is not None and not leg.is_open:
                field = fields[kind_of(name)]
                raise InvalidValueError(
                    f"{leg.order_id} {ended(leg)}, and an entry gets no other. Take {field} out; what is still to be "
                    f"closed needs an order of its own: PLACE a {leg.action} with order_type={leg.order_type}.",
                    field=field,
                )

    @property
    def changes(self) -> Mapping[str, str]:
        """The new values as the history has them: without what it cannot alter."""
        return {name: text for name, text in self.command.new_order.texts().items() if name not in _STAYS}
