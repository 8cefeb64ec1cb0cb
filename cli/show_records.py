"""What a person sees of records: the alerts that came in, one of them explained, and an order's history."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from cli import show
from cli.show import BAD, DIM, GOOD, WARNING, Cell
from orderhook import reference
from orderhook.orders import Event, Order
from orderhook.payload import lower
from orderhook.store.alert_log import AlertRecord

_SHORT = 16
"""So much of a request id tells it from others: its milliseconds, and four digits for those of the same one."""

_WIDTH = 12


def alerts(found: Iterable[AlertRecord]) -> None:
    """Print records as a table: a line for each, or two in a terminal, which is seldom wide enough for one."""
    if Console().is_terminal:
        show.table(("alert", "answer", "command", "key"), map(_two_lines, found))
    else:
        names = ("id", "received", "status", "outcome", "command", "orders", "ms", "key", "source")
        show.table(names, map(_one_line, found))


def alert_line(record: AlertRecord) -> None:
    """Print one record as a line that needs no others to stand under."""
    parts = (
        f"{record.status} {_outcome(record)}",
        record.command or "",
        _orders(record),
        f"({record.milliseconds} ms)",
    )
    text = " ".join(filter(None, parts))
    show.line(
        show.printable(f"{show.moment(record.received_at)}  {record.request_id[:_SHORT]}  {text}"), _style(record)
    )


def _one_line(record: AlertRecord) -> list[Cell]:
    return [
        record.request_id,
        show.moment(record.received_at),
        f"{record.status}",
        _outcome(record),
        record.command or "",
        _orders(record),
        f"{record.milliseconds}",
        record.key_label or record.key_id,
        record.source,
    ]


def _two_lines(record: AlertRecord) -> list[Cell]:
    return [
        Text.assemble(record.request_id[:_SHORT], "\n", (show.moment(record.received_at), DIM)),
        Text.assemble((_outcome(record), _style(record)), "\n", (f"{record.status}, {record.milliseconds} ms", DIM)),
        Text.assemble(record.command or "", "\n", (show.printable(_orders(record, few=1)), DIM)),
        Text.assemble(show.printable(record.key_label or record.key_id), "\n", (show.printable(record.source), DIM)),
    ]


def _style(record: AlertRecord) -> str:
    return BAD if record.status >= 400 else WARNING if record.duplicate else GOOD


def _outcome(record: AlertRecord) -> str:
    marked = record.duplicate and not record.outcome.startswith("already_")
    return f"{record.outcome} (duplicate)" if marked else record.outcome


def _orders(record: AlertRecord, few: int = 3) -> str:
    ids = record.order_ids or [value for name, value in record.fields.items() if lower(name) == "order_id"]
    more = [f"and {len(ids) - few} more"] if len(ids) > few else []
    return ", ".join([*ids[:few], *more])


def alert(record: AlertRecord) -> None:
    """Print all that is known of one alert, what its answer means, and what to do."""
    show.line(f"{record.status} {record.outcome}", _style(record))
    if record.detail:
        show.line(show.printable(record.detail))
    for name, value in _facts(record).items():
        if value:
            show.line(show.printable(f"  {name:<{_WIDTH}} {value}"))
    show.line()
    show.line("The alert, without its key:", DIM)
    for name, value in record.fields.items():
        show.line(show.printable(f"  {name}={value}"), WARNING if _is_at_fault(name, record) else "")
    show.line()
    for name, text in _explanation(record).items():
        show.line(f"{name}: {text}")


def _facts(record: AlertRecord) -> Mapping[str, str]:
    return {
        "received": show.moment(record.received_at),
        "id": record.request_id,
        "command": record.command or "",
        "orders": ", ".join(record.order_ids),
        "duplicate": "of an earlier alert" if record.duplicate else "",
        "field": record.field or "",
        "key": " ".join(filter(None, (record.key_label, f"({record.key_id})"))),
        "source": record.source,
        "took": f"{record.milliseconds} ms",
        "came by": "" if record.origin == "webhook" else record.origin,
    }


def _is_at_fault(name: str, record: AlertRecord) -> bool:
    return record.field is not None and lower(name) == lower(record.field)


def _explanation(record: AlertRecord) -> Mapping[str, str]:
    entry = reference.entry(record.status, record.outcome)
    said = {"It means": entry.meaning, "What to do": entry.way_out} if entry else {}
    if record.status < 400 or record.origin != "webhook":
        return said
    again = reference.is_sent_again(record.status)
    return said | {"TradingView": "sends it again, three times at most." if again else "does not send it again."}


def alert_as_data(record: AlertRecord) -> dict[str, Any]:
    """Return a record for a script, with its explanation."""
    entry = reference.entry(record.status, record.outcome)
    return record._asdict() | {
        "milliseconds": str(record.milliseconds),
        "meaning": entry.meaning if entry else None,
        "way_out": entry.way_out if entry else None,
        "sent_again": reference.is_sent_again(record.status),
    }


def order(found: Order) -> None:
    """Print an order and its whole history, oldest first."""
    show.orders([found])
    for name in ("notes", "replaces", "replaced_by"):
        if text := getattr(found, name):
            show.line(show.printable(f"{name.replace('_', ' ')}: {text}"))
    show.line()
    names = ("time", "state", "values", "alert", "key id")
    show.table(names, map(_event, found.history))


def _event(event: Event) -> list[Cell]:
    values = ", ".join(f"{name} {value}" for name, value in event.changes.items())
    return [show.moment(event.at), event.state or "", values, event.request_id, event.key_id]


def order_as_data(found: Order) -> dict[str, Any]:
    """Return an order with its history for a script."""
    history = [
        {
            "at": event.at,
            "state": event.state,
            "changes": dict(event.changes),
            "request_id": event.request_id,
            "key_id": event.key_id,
        }
        for event in found.history
    ]
    return show.order_as_data(found) | {"history": history}
