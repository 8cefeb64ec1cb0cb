"""Defects of how reports are taken, to be seeded: the races at a venue have to notice each."""

from collections.abc import Callable
from typing import Any

import pytest

from orderhook import order_reports
from orderhook.order_reports import Report
from orderhook.orders import Order, OrderState
from orderhook.store import asking as order_asking
from orderhook.store import reports
from orderhook.store.expressions import Condition

Patch = pytest.MonkeyPatch


def _as_said(patch: Patch, said: Callable[[Order, Report], Report]) -> None:
    """Have every report say something else."""
    reported = order_reports.reported

    def otherwise(order: Order, report: Report, provenance: Any) -> Order | None:
        return reported(order, said(order, report), provenance)

    for module in (order_reports, reports):
        patch.setattr(module, "reported", otherwise)


def a_late_report_that_takes_a_cancel_away(patch: Patch) -> None:
    patch.setattr(order_reports, "_ASKED", frozenset({OrderState.CHANGE_PENDING}))


def a_report_that_ends_a_newer_want(patch: Patch) -> None:
    _as_said(patch, lambda order, report: report._replace(acked=order.want.n if order.want else report.acked))


def an_older_report_that_is_believed(patch: Patch) -> None:
    _as_said(patch, lambda order, report: report._replace(seq=max(report.seq or 0, (order.report_seq or 0) + 1)))


def a_fill_that_only_a_newer_report_tells(patch: Patch) -> None:
    def without(order: Order, report: Report) -> Report:
        is_older = (report.seq or 0) <= (order.report_seq or 0)
        return report._replace(filled=order.filled) if is_older else report

    _as_said(patch, without)


def a_confirmation_that_is_dropped(patch: Patch) -> None:
    _as_said(patch, lambda _, report: report._replace(values={}))


def a_cancel_that_is_asked_again_and_again(patch: Patch) -> None:
    patch.setattr(order_asking, "no_cancel_asked", lambda: Condition("attribute_exists(#pk)", {}))


SEEDED = (
    a_late_report_that_takes_a_cancel_away,
    a_report_that_ends_a_newer_want,
    an_older_report_that_is_believed,
    a_fill_that_only_a_newer_report_tells,
    a_confirmation_that_is_dropped,
    a_cancel_that_is_asked_again_and_again,
)
