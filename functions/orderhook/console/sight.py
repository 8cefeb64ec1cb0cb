"""Which alerts whoever has limits may see: those about what the limits reach, and those by the same key or session."""

from orderhook import payload
from orderhook.limits import Limits, reaches
from orderhook.store.alert_log import AlertRecord


def reaches_record(limits: Limits | None, key_id: str, record: AlertRecord) -> bool:
    """Return whether limits reach what an alert is about: what that is must stand in it, or be the key's own.

    An alert that names an order alone does not say so.
    """
    if limits is None or not limits.is_to_markets or record.key_id == key_id:
        return True
    fields = {payload.canonical(name): value for name, value in record.fields.items()}
    named = fields.get("account", "").split(",")
    accounts = [result.account for result in record.results] or [name.strip() for name in named]
    instrument = record.instrument or fields.get("instrument")
    return all(reaches(limits, account or None, instrument) for account in accounts)
