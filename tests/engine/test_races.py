"""Races on the real engine, small enough for every day; `make prove` plays a hundred thousand operations."""

from collections.abc import Sequence

import pytest

from tests.service import Service
from verification.histories.order import Command
from verification.races import at_venue, play, small


@pytest.mark.parametrize("commands", [play.COMMANDS, play.CALM], ids=["all commands", "fewer cancels"])
def test_every_order_answers_as_if_its_alerts_and_reports_had_come_one_at_a_time(
    service: Service, commands: Sequence[Command]
) -> None:
    assert small.wrongs(service, rounds=2, commands=commands) == []


def test_every_order_at_a_venue_answers_as_if_alerts_and_late_reports_had_come_one_at_a_time(service: Service) -> None:
    service.use_venue()
    service.record_nothing()
    assert small.wrongs(service, rounds=2, commands=at_venue.COMMANDS) == []
