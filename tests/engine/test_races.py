"""Races on the real engine, small enough for every day; `make prove` plays a hundred thousand operations.

The checker is checked: each seeded defect, patched into the running product, has to make the same play fail.
"""

import random
from collections.abc import Sequence

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.defects import OF_MORE_COMMANDS, SEEDED, Defect, Patch
from tests.service import Service
from tests.wire import Deliver, Fault, lost_after_commit
from verification.histories.linearizability import contradictions
from verification.histories.order import Command, one_order
from verification.races import play

ROUNDS = 6
REMEMBERED_SECONDS = 0.3


def wrongs(service: Service, rounds: int, commands: Sequence[Command] = play.COMMANDS) -> list[str]:
    """Play until something is wrong, for this many rounds at most, and return it."""
    trader = play.Trader(service.trader, service.key, service.issue_key(trader=f"{service.trader}-not"))
    service.wire.always = now_and_then(lost_after_commit)
    for number in range(rounds):
        order_ids = [f"{number}-{index}{'s' if index % 2 else ''}" for index in range(10)]
        record = play.play(trader, order_ids, seed=number, threads=6, operations=50, commands=commands)
        found = list(map(str, contradictions(record.operations, one_order("Working")).values())) + record.unexpected
        if found:
            return found
    uses, revoked = play.play_revocation(trader, threads=2, seconds=6 * REMEMBERED_SECONDS)
    return list(map(str, play.wrong_uses(uses, revoked, REMEMBERED_SECONDS)))


def now_and_then(fault: Fault) -> Fault:
    dice = random.Random(1)

    def perhaps(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        return fault(request, deliver) if dice.random() < 0.2 else None

    return perhaps


@pytest.fixture
def racing(service: Service) -> Service:
    service.work_on(service.wired_book, key_cache_seconds=REMEMBERED_SECONDS)
    return service


def test_every_order_answers_as_if_its_alerts_and_reports_had_come_one_at_a_time(racing: Service) -> None:
    assert wrongs(racing, rounds=2) == []


@pytest.mark.parametrize("defect", SEEDED)
def test_the_checker_notices(defect: Defect, racing: Service, monkeypatch: Patch) -> None:
    defect(monkeypatch)
    assert wrongs(racing, rounds=ROUNDS)


@pytest.mark.parametrize("defect", OF_MORE_COMMANDS)
def test_the_checker_notices_where_there_is_more_to_change(defect: Defect, racing: Service, monkeypatch: Patch) -> None:
    defect(monkeypatch)
    assert wrongs(racing, ROUNDS, play.CALM)


def test_it_notices_nothing_there_without_a_defect(racing: Service) -> None:
    assert wrongs(racing, 2, play.CALM) == []
