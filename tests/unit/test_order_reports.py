"""What a report of a venue makes of an order, in every state, under every answer to what is asked of it."""

from itertools import product

import pytest

from orderhook.order_reports import Report, reported
from orderhook.orders import TRANSITIONS, OrderState, Want
from tests import builders
from tests.states import FINISHED, STATES

AT = "2026-01-02T03:04:05.000000Z"


@pytest.mark.parametrize(("before", "said", "acked"), [*product(STATES, STATES, (0, 1, 2, 3))])
def test_every_state_under_every_answer_follows_the_rule(before: str, said: str, acked: int) -> None:
    placed = builders.provenance("nobody", "r1")
    order = builders.order(
        placed, "a", state=OrderState(before), venue="ninjatrader", want=Want(2, "cancel", AT), filled=1
    )
    after = reported(order, Report(OrderState(said), 1, seq=1, acked=acked), builders.provenance("nobody", "r2"))
    assert after is not None
    assert (after.filled, after.report_seq) == (1, 1)
    asked = before in ("ChangePending", "CancelPending")
    if before in FINISHED or (asked and acked < 2 and said not in FINISHED):
        assert after.state == before
    elif asked and said in ("Initialized", "Submitted"):
        assert after.state == said
    else:
        assert after.state == (said if said in TRANSITIONS[OrderState(before)] and said != before else before)
    assert after.acked == (0 if before in FINISHED else acked)
