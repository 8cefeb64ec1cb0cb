"""Races in one process, over one service: small enough to be played for every defect."""

import random
from collections.abc import Sequence
from typing import Any

from botocore.awsrequest import AWSPreparedRequest

from tests.client_faults import Selective
from tests.faults import Fault, lose_response
from tests.service import Service
from verification.histories.linearizability import contradictions
from verification.histories.order import Command, one_order
from verification.histories.order_at_venue import Snapshot, order_at_venue
from verification.races import at_venue, play

REMEMBERED_SECONDS = 0.3


def wrongs(
    service: Service, rounds: int, commands: Sequence[Command | Snapshot] = play.COMMANDS, *, seed: int = 0
) -> list[str]:
    """Play until something is wrong, for this many rounds at most, and return it."""
    service.clock.run()
    service.remember_keys(REMEMBERED_SECONDS)
    trader = play.Trader(service.trader, service.key, service.issue_key(trader=f"{service.trader}-not"))
    model: Any = order_at_venue() if service.venue.name else one_order("Working")
    service.network.always = now_and_then(lose_response)
    for number in range(rounds):
        order_ids = [f"{number}-{index}{'s' if index % 2 else ''}" for index in range(10)]
        if service.venue.name:
            at_venue.hear_bridge(service.services, trader.name, tuple(f"A-{order_id}" for order_id in order_ids))
        record = play.play(trader, order_ids, seed=seed + number, threads=6, operations=50, commands=commands)
        found = list(map(str, contradictions(record.operations, model).values())) + record.unexpected
        if found:
            return found
    uses, revoked = play.play_revocation(trader, threads=2, seconds=6 * REMEMBERED_SECONDS)
    return list(map(str, play.wrong_uses(uses, revoked, REMEMBERED_SECONDS)))


def now_and_then(fault: Fault) -> Selective:
    """Inject a fault in one request of five."""
    dice = random.Random(1)

    def meets(_: AWSPreparedRequest) -> bool:
        return dice.random() < 0.2

    return Selective(fault, meets)
