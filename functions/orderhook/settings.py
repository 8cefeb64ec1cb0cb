"""The environment of a function, read and checked once."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from orderhook.venues import TABLE, VENUES, Venue


class DeferredSettings(NamedTuple):
    """Where deferred work goes."""

    queue_url: str
    queue_arn: str
    dead_letter_arn: str
    schedule_group: str
    scheduler_role: str
    """The role in which EventBridge Scheduler puts its messages into the queue."""


class Settings(NamedTuple):
    """What a deployment may choose; template.yaml has a parameter for each."""

    table: str
    key_cache_seconds: float
    retention: timedelta
    alert_retention: timedelta
    """How long records of alerts are kept; zero keeps none."""
    allowed_sources: tuple[IPv4Network | IPv6Network, ...]
    deferred: DeferredSettings | None = None
    """None in a deployment without a queue: nothing can be deferred there."""
    venue: Venue = TABLE
    doorbell_url: str | None = None
    """The queue that tells a bridge to look; None without a venue."""
    venue_trader: str = "main"
    """Whose orders the bridge carries out, and whose reports are believed."""
    report_dead_letter_arn: str = ""
    """The queue of the reports that could not be taken."""

    version: str = ""
    """Of orderhook, as it was deployed; before 0.3 none said."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; raises KeyError or ValueError, so that a bad deployment never starts."""
        cache = _number(environment, "ORDERHOOK_KEY_CACHE_SECONDS", default="30", low=0, high=30)
        # A late duplicate of an alert must meet its finished order: domain rule, at least 7 days.
        days = _number(environment, "ORDERHOOK_RETENTION_DAYS", default="30", low=7, high=3650)
        alert_days = _number(environment, "ORDERHOOK_ALERT_RETENTION_DAYS", default="90", low=0, high=3650)
        sources = environment.get("ORDERHOOK_ALLOWED_SOURCES", "")
        # An address with a prefix, 52.89.214.238/24, is the network that it lies in.
        networks = tuple(ip_network(source.strip(), strict=False) for source in sources.split(",") if source.strip())
        if sources and not networks:
            raise ValueError("ORDERHOOK_ALLOWED_SOURCES has no address; leave it empty to allow any")
        if not environment["ORDERHOOK_TABLE"]:
            raise ValueError("ORDERHOOK_TABLE is empty")
        return cls(
            table=environment["ORDERHOOK_TABLE"],
            key_cache_seconds=cache,
            retention=timedelta(days=days),
            alert_retention=timedelta(days=alert_days),
            allowed_sources=networks,
            deferred=_deferred(environment),
            venue=_venue(environment),
            doorbell_url=_doorbell_url(environment),
            venue_trader=environment.get("ORDERHOOK_VENUE_TRADER") or "main",
            report_dead_letter_arn=environment.get("ORDERHOOK_REPORT_DEAD_LETTER_ARN", ""),
            version=environment.get("ORDERHOOK_VERSION", ""),
        )

    def allows_source(self, address: str) -> bool:
        """Return whether a request from this address may be answered; with an empty allow-list every one may."""
        if not self.allowed_sources:
            return True
        try:
            source = ip_address(address)
        except ValueError:
            return False
        return any(source in network for network in self.allowed_sources)


def _deferred(environment: Mapping[str, str]) -> DeferredSettings | None:
    names = {name: f"ORDERHOOK_{name.upper()}" for name in DeferredSettings._fields}
    values = {name: environment.get(variable, "") for name, variable in names.items()}
    missing = [names[name] for name, value in values.items() if not value]
    if missing and len(missing) < len(names):
        raise ValueError(f"{', '.join(missing)} must be set too; set all of {', '.join(names.values())}, or none")
    return None if missing else DeferredSettings(**values)


def _venue(environment: Mapping[str, str]) -> Venue:
    name = environment.get("ORDERHOOK_VENUE") or "none"
    if name not in VENUES:
        raise ValueError(f"ORDERHOOK_VENUE must be one of {', '.join(VENUES)}, not {name}")
    seconds = _number(environment, "ORDERHOOK_TOO_LATE_SECONDS", default="30", low=5, high=300)
    return VENUES[name]._replace(too_late=timedelta(seconds=seconds))


def _doorbell_url(environment: Mapping[str, str]) -> str | None:
    if _venue(environment).name is None:
        return None
    if not environment.get("ORDERHOOK_DOORBELL_URL"):
        raise ValueError("ORDERHOOK_DOORBELL_URL must be set too where there is a venue")
    return environment["ORDERHOOK_DOORBELL_URL"]


def _number(environment: Mapping[str, str], name: str, *, default: str, low: int, high: int) -> float:
    number = float(environment.get(name) or default)
    if not low <= number <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {number:g}")
    return number
