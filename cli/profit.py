"""`orderhook positions --pnl`: what was realized, by account and day, from what the bridge has reported."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from operator import attrgetter

from cli.options import TableOptions
from cli.terminal import USAGE, fail, print_csv, print_json, print_text, printable, shown_zone
from cli.views import profit as view
from orderhook import profit
from orderhook.bridge_messages import PositionReport
from orderhook.instruments import canonical
from orderhook.orders import folded
from orderhook.profit import Fill, Flat, Matched
from orderhook.records import parse_time
from orderhook.representations import represent_profit
from orderhook.store.bridge import EXECUTIONS_KEPT, ExecutionRecord, SeenFlat
from orderhook.trade_window import day_in_new_york

WHAT_IT_IS = (
    "From fills, without commissions and open profit. A day ends at 17:00 in New York. It knows the bridge's fills of "
    f"the last {EXECUTIONS_KEPT.days} days alone: what was held before them, fills by hand and those of NinjaTrader's "
    "own targets and stops are not in it."
)


def list_profit(
    options: TableOptions, account: str | None, since: str | None, day: str | None, *, as_csv: bool
) -> None:
    """Print what was realized, oldest day first."""
    with options.services_of_trader() as (services, trader, address):
        now = datetime.now(UTC)
        start = parse_time(since, now, shown_zone()) if since else None
        only = _parse_day(day, now) if day else None
        records = list(services.bridge.ledger(trader))
        positions = list(services.bridge.positions(trader))
    named = profit.same_names(_events(records))
    events = [it for it in named if account is None or folded(it.account) == folded(account)]
    matched = profit.match(events)
    closed = [
        it
        for it in matched.closed
        if (start is None or it.at >= start) and (only is None or profit.trading_day(it.at) == only)
    ]
    days = profit.by_day(closed)
    notes = [WHAT_IT_IS, *_notes(records, events, matched, positions)]
    if as_csv:
        print_csv(represent_profit(days, notes)["days"])
    elif options.as_json:
        print_json(represent_profit(days, notes))
    elif days:
        view.show_profit(days, notes)
    else:
        print_text(printable(f"No position of trader {trader} in {address} was closed then by what was filled."))
        view.show_notes(notes)


def _parse_day(text: str, now: datetime) -> date:
    if text.lower() == "today":
        return profit.trading_day(now)
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{text!a} is not a day; write today or 2026-01-02, the day on which it ends in New York.", USAGE)


def _events(records: Iterable[ExecutionRecord | SeenFlat]) -> Iterator[Fill | Flat]:
    for it in records:
        at = datetime.fromisoformat(it.at)
        if isinstance(it, SeenFlat):
            yield Flat(it.account, it.instrument, at)
        elif it.account and it.instrument and it.action:
            yield Fill(it.account, it.instrument, it.quantity if it.action == "BUY" else -it.quantity, it.price, at)


def _notes(
    records: Iterable[ExecutionRecord | SeenFlat],
    events: Iterable[Fill | Flat],
    matched: Matched,
    positions: Iterable[PositionReport],
) -> Iterator[str]:
    """Yield what keeps the figures from being whole, as far as that can be seen."""
    strays = sum(1 for it in records if isinstance(it, ExecutionRecord) and not (it.account and it.action))
    if strays:
        yield (
            f"{strays} {'execution belongs' if strays == 1 else 'executions belong'} to no known order, and so to no "
            "account: left out. `orderhook executions` marks such ones as not known."
        )
    unpriced = sum(1 for it in events if isinstance(it, Fill) and it.price is None)
    if unpriced:
        yield (
            f"{unpriced} {'execution has' if unpriced == 1 else 'executions have'} no price: what was opened or closed "
            "by such a one is left out."
        )
    if any(it.points is None for it in matched.closed):
        yield (
            "`1 of 3` is: three contracts were closed, and of two the price is not known, be it because NinjaTrader "
            "closed them itself (CLOSEPOSITION, FLATTEN, by hand): the position was seen flat, and there is no fill."
        )
    filled = sorted((it for it in events if isinstance(it, Fill)), key=attrgetter("at"))
    last = {(it.account, it.instrument): it.at for it in filled}
    accounts = {folded(account): account for account, _ in last}
    for it in positions:
        at = datetime.fromisoformat(it.at)
        pair = accounts.get(folded(it.account), it.account), canonical(it.instrument, day_in_new_york(at))
        # One that was told at the time of the last fill may be from before it.
        if it.side == "UNKNOWN" or pair not in last or at - last[pair] <= profit.SETTLED:
            continue
        held, by_fills = -it.quantity if it.side == "SHORT" else it.quantity, matched.open.get(pair, 0)
        if held != by_fills:
            yield (
                f"{pair[1]} of {pair[0]}: {_side(by_fills)} by its fills, {_side(held)} by NinjaTrader. Fills are "
                "missing, so what stands above of it may be wrong."
            )


def _side(quantity: int) -> str:
    return f"{'long' if quantity > 0 else 'short'} {abs(quantity)}" if quantity else "flat"
