"""The whole loop in one process, by chance: alerts, webhook, table, bridge, folder, stand-in, reports, and back.

All of it is the product's own: handlers, store, link, engine, journal, folder, and the stand-in for NinjaTrader. What
is put in between is what may befall them: crashes, lost requests, late answers, a folder that is away.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.sqs.models import sqs_backends

import reports
from bridge.events import Effect, Event, WriteFile
from bridge.link import LinkError
from bridge.run import Bridge
from cli.aws.scheduler import sqs_event
from orderhook.aws.clients import connect
from tests import faults
from tests.bridge_world import World
from tests.client_faults import Deliver, perform
from tests.service import Service
from verification.venue.judge import Judge
from verification.venue.position_judge import PositionJudge
from verification.venue.position_trader import PositionTrader
from verification.venue.trader import Trader

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP = 0.1
QUIET_SECONDS = 100
"""Longer than anything that the bridge waits for: a first state, a refused cancel, another owner's silence."""

ON_THE_WAY: tuple[faults.Fault, ...] = (
    faults.lose_request,
    faults.lose_response,
    faults.cut_response,
    faults.throttle,
    faults.internal_error,
    faults.refuse_connection,
)

TROUBLES = (
    "crashes", "network", "slow answers", "late reports", "lost doorbells", "lost answers", "folder away",
    "restarts", "yesterday's files", "connection", "a person trades", "journal lost",
    "leaves_files", "writes_halves", "late positions", "has_no_data", "fills_overtake_cancels",
    "fills_overtake_changes", "refuses_changes", "rejects_stops", "keeps_oco_partner", "part fills",
)  # fmt: skip


class Loop(World):
    """A world in which everything happens that may; every chance comes from one seed."""

    accounts_at_venue = ("Sim101", "Sim102", "Apex1")
    accounts = ("Sim101", "Sim102", "Apex1")
    may_befall: Sequence[str] = TROUBLES
    trader_type: type[Trader] = Trader
    judge_type: type[Judge] = Judge

    def __init__(
        self,
        service: Service,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        seed: int,
        troubles: Sequence[str] = TROUBLES,
    ) -> None:
        """Take a seed, and what may go wrong."""
        super().__init__(service, folder, monkeypatch)
        self.chance = Random(seed)
        # Ids become the names of files, which are read in their order: a seed has the same ids in every run.
        ids = Random(seed)
        for token_hex in ("secrets.token_hex", "bridge.journal.token_hex"):
            monkeypatch.setattr(token_hex, lambda size: ids.randbytes(size).hex())
        self.at = START
        self.paper.start(self.at)
        self.trader = self.trader_type(self.chance, service, self.paper, lambda: self.at)
        self.judge = self.judge_type(self)
        self.steps = 0
        self.trail: list[str] = []
        """What was done, for whoever looks for the cause of a finding."""
        self._possible = troubles
        self.troubles: frozenset[str] = frozenset()
        self.had: set[str] = set()
        self._away_until: datetime | None = None
        self._down_until: datetime | None = None
        self._closed_until: datetime | None = None
        self._yesterday: list[Path] = []
        self._held: list[Any] = []
        self._journals = 0
        self._sqs = connect("sqs")
        [backends] = sqs_backends.values()
        self._reports_waiting: Any = backends["us-east-1"].queues[f"reports-{service.trader}"]
        monkeypatch.setattr(reports, "services", service.handlers_services)
        self.network.always = self._meet
        self.start()

    # The bridge, which may die at any moment

    def make_bridge(self, *parts: Any, **options: Any) -> Bridge:
        """Return one that may die before and after everything it does."""
        self._background = _Slow(self)
        return _Mortal(self, *parts, **options | {"background": self._background})

    def start(self, *, take_over: bool = False) -> None:
        """Start the bridge."""
        super().start(take_over=take_over)
        self.note("the bridge starts")

    def may_die(self, likelihood: float = 0.02) -> None:
        """Die by chance."""
        if "crashes" in self.troubles and self.chance.random() < likelihood:
            raise faults.Stopped

    def _die(self) -> None:
        self.note("the bridge dies")
        self.judge.learn()
        self.kill()
        self._down_until = self.at + timedelta(seconds=self.chance.choice((0, 0, 0.3, 3, 20, 45)))

    def lose_journal(self) -> None:
        """Have the journal be gone, and another one be begun."""
        self.note("the journal is lost")
        if self._bridge:
            self.judge.learn()
            self.kill()
        for file in self._path.glob("journal.sqlite*"):
            file.unlink()
        self.judge.journal_lost_at = self.at
        self.start(take_over=True)

    @property
    def is_up(self) -> bool:
        """Whether the bridge runs."""
        return self._bridge is not None

    @property
    def waits_for_reports(self) -> bool:
        """Whether there are reports that the table has not taken."""
        return bool(self._reports_waiting._messages or self._held)

    # What lies between

    def _meet(self, request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        if "network" in self.troubles and self.chance.random() < 0.25:
            return perform(self.chance.choice(ON_THE_WAY), request, deliver)
        return None

    def note(self, what: str) -> None:
        """Take down what was done."""
        self.trail.append(f"{self.at:%H:%M:%S.%f}"[:-4] + f" {what}")

    # Time

    def step(self) -> None:
        """Let a moment pass."""
        self.moment()

    def moment(self, seconds: float = STEP) -> None:
        """Let some time pass: NinjaTrader, the bridge, and the functions take their turns."""
        self.at += timedelta(seconds=seconds)
        self._end_troubles()
        if "part fills" in self.troubles and self.chance.random() < 0.2:
            self._move_market()  # so that the parts have prices of their own
        if self._away_until is None:
            self.paper.step(self.at)
            self.judge.look_at_lines()
        if self._bridge:
            try:
                self._take_turn()
            except faults.Stopped:
                self._die()
        elif self._down_until is None or self.at >= self._down_until:
            self.start()
        self.judge.learn()
        self._deliver()
        self._do_due()

    def _take_turn(self) -> None:
        assert self._bridge
        rings = self.service.queue.rings
        if rings:
            if "lost doorbells" in self.troubles and self.chance.random() < 0.6:
                rings.clear()
            with suppress(LinkError):
                if self.link.wait(0):
                    self._bridge.ring()
        self._background.tell()
        self._bridge.turn()

    def _deliver(self) -> None:
        """Deliver reports: at once and in their order, or late, twice and in another order."""
        messages, self._held = self._held, []
        if any(message.visible and not message.delayed for message in self._reports_waiting._messages):
            answer = self._sqs.receive_message(
                QueueUrl=self._reports_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
            )
            messages += answer.get("Messages", [])
        is_late = "late reports" in self.troubles
        if is_late:
            self.chance.shuffle(messages)
        for message in messages:
            if is_late and self.chance.random() < 0.7:
                self._held.append(message)
                continue
            event = sqs_event(message, self._reports_arn)
            if is_late and self.chance.random() < 0.2:
                reports.handler(event, None)
            if not reports.handler(event, None)["batchItemFailures"]:
                self._sqs.delete_message(QueueUrl=self._reports_url, ReceiptHandle=message["ReceiptHandle"])
        self.service.output.take()

    def _do_due(self) -> None:
        queue = self.service.queue
        if queue.schedules and self.at.microsecond < 100_000:
            self.service.scheduler.send_due_messages(self.at)
        if any(message.visible and not message.delayed for message in (*queue.messages, *queue.dead_letters)):
            self.service.scheduler.deliver()

    # Chances

    def wander(self) -> None:
        """Have something happen, by chance, and let some time pass."""
        actions: Mapping[Callable[[], None], int] = {
            self._alert: 10, self._move_market: 6, self._trouble: 8 if self.troubles else 0, lambda: None: 6,
        }  # fmt: skip
        [action] = self.chance.choices(list(actions), list(actions.values()))
        action()
        for _ in range(self.chance.choice((1, 1, 2, 3, 5, 12, 30))):
            self.moment()

    def _alert(self) -> None:
        self.note(self.trader.act())

    def _move_market(self) -> None:
        instrument = self.chance.choice(("ES 12-26", "ES 12-26", "NQ 12-26"))
        ticks = self.chance.randint(-8, 8) * self.chance.choice((1, 1, 1, 4))
        price = self.paper.price(instrument) + Decimal(ticks) / 4
        self.note(f"{instrument} at {price}")
        if self._away_until is None:
            self.paper.set_price(instrument, price, self.at)

    def choose_troubles(self) -> None:
        """Choose what is to go wrong until the next quiet point; often nothing."""
        number = min(self.chance.choice((0, 1, 1, 2, 2, 3)), len(self._possible))
        self.troubles = frozenset(self.chance.sample(self._possible, number))
        self.had |= self.troubles
        self.note(f"troubles: {', '.join(sorted(self.troubles)) or 'none'}")
        self.trader.loses_answers = "lost answers" in self.troubles
        for trouble in self.troubles & {it.name for it in fields(self.paper.misbehaviour)}:
            setattr(self.paper.misbehaviour, trouble, True)
        self.paper.misbehaviour.fills_at_most = self.chance.choice((None, 1)) if "part fills" in self.troubles else None

    def _trouble(self) -> None:
        """Begin or end one of the troubles."""
        trouble = self.chance.choice(sorted(self.troubles))
        worse = self.paper.misbehaviour
        if hasattr(worse, trouble):
            setattr(worse, trouble, not getattr(worse, trouble))
            self.note(f"{trouble} {getattr(worse, trouble)}")
        match trouble:
            case "late positions":
                worse.position_files_after = timedelta(seconds=self.chance.choice((0, 0.5, 3)))
            case "folder away" if self._away_until is None:
                (self._path / "incoming").rename(self._path / "away")
                self._away_until = self.at + timedelta(seconds=self.chance.choice((0.2, 1, 3)))
            case "restarts" | "yesterday's files" if self._closed_until is None:
                self.paper.stop()
                self._closed_until = self.at + timedelta(seconds=self.chance.choice((0, 0.5, 5, 40)))
                self.note("NinjaTrader stops")
            case "connection":
                self.paper.set_connected(self.chance.random() < 0.5, self.at)
            case "a person trades":
                self._trade_by_hand()
            case "journal lost" if self.chance.random() < 0.1:
                self.lose_journal()

    def _trade_by_hand(self) -> None:
        instrument = self.chance.choice(("ES 12-26", "NQ 12-26"))
        held, _ = self.paper.positions.get(("Sim101", instrument), (0, 0))
        if not held or self._away_until or self._closed_until:
            return
        side = "SELL" if held > 0 else "BUY"
        order = f"PLACE;Sim101;{instrument};{side};{abs(held)};MARKET;;;GTC;;;;"
        line = self.chance.choice((order, order, f"CLOSEPOSITION;Sim101;{instrument};;;;;;;;;;"))
        (self._path / "incoming" / f"oif_person_{self.steps}.txt").write_bytes(f"{line}\r\n".encode())
        self.judge.by_hand.add(instrument)
        self.note(f"a person writes {line}")

    def _end_troubles(self) -> None:
        if self._away_until and self.at >= self._away_until:
            (self._path / "away").rename(self._path / "incoming")
            self._away_until = None
        if self._yesterday and self.chance.random() < 0.2:
            for file in self._yesterday:
                with suppress(FileNotFoundError):
                    if file.stat().st_mtime < (self.judge.restarted_at or self.at).timestamp():
                        file.unlink()
            self._yesterday = []
        if self._closed_until and self.at >= self._closed_until:
            self._closed_until = None
            self._open_ninjatrader()

    def _open_ninjatrader(self) -> None:
        """Start it; by chance what it had written before stands there for a moment more."""
        outgoing, kept = self._path / "outgoing", self._path / "yesterday"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(outgoing, kept)
        self.paper.start(self.at)
        self.judge.restarted_at = self.at
        self.note("NinjaTrader starts")
        if "yesterday's files" in self.troubles:
            for file in kept.glob("*_position.txt"):
                # Of an earlier moment than the last one, by chance.
                if self.chance.random() < 0.5:
                    file.write_text("FLAT;0;0\r\n")
                    os.utime(file, ((self.at - timedelta(hours=9)).timestamp(),) * 2)
                if not (outgoing / file.name).exists():
                    shutil.copy2(file, outgoing / file.name)
                    self._yesterday.append(outgoing / file.name)

    def round(self) -> None:
        """Have chances for a while, then quiet, and judge."""
        if not self.trail[1:]:
            self.until(lambda: self.link.owner().get("ready"))
        self.choose_troubles()
        for _ in range(self.chance.randint(15, 50)):
            self.wander()
        self.settle()

    # Quiet

    def settle(self) -> None:
        """Let everything come to rest, without chances, and judge."""
        self.note("it gets quiet")
        self._away_until = self._away_until and self.at
        self._closed_until = self._closed_until and self.at
        self._down_until = None
        self.troubles = frozenset()
        self.trader.loses_answers = False
        worse = self.paper.misbehaviour
        usual = type(worse)()
        for it in fields(usual):
            setattr(worse, it.name, getattr(usual, it.name))
        self.moment()
        self.paper.set_connected(True, self.at)
        if self.trader.switched_on:
            self.trader.switch_off()
        for _ in range(200):
            if answered := self.trader.resend():
                self.note(answered)
            self.moment()
        for _ in range(QUIET_SECONDS):
            self.moment(1)
        self.judge.judge()


class PositionsLoop(Loop):
    """A loop whose trader acts on positions, too."""

    may_befall = (*TROUBLES, "stop_fills_during_close")
    trader_type = PositionTrader
    judge_type = PositionJudge


class _Mortal(Bridge):
    """A bridge that may end between any two effects."""

    def __init__(self, loop: Loop, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self._loop = loop

    def _take(self, event: Event) -> None:
        self._loop.steps += 1
        super()._take(event)

    def _do(self, effect: Effect) -> list[Event]:
        self._loop.may_die()
        if isinstance(effect, WriteFile):
            self._loop.judge.look_at_file(effect, self.state)
        answers = super()._do(effect)
        if isinstance(effect, WriteFile):
            self._loop.note(f"{effect.line} {answers}")
            self._loop.may_die(0.15)
        return answers


class _Slow(Executor):
    """Does at once what it is given, and tells of it a while later."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: list[tuple[Future[Any], Any]] = []

    def submit(self, request: Callable[..., Any], /, *arguments: Any, **options: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            answer = request(*arguments, **options)
        except LinkError as error:
            future.set_exception(error)
            return future
        if "slow answers" in self._loop.troubles:
            self._waiting.append((future, answer))
        else:
            future.set_result(answer)
        return future

    def tell(self) -> None:
        """Tell of what was done, by chance."""
        for future, answer in list(self._waiting):
            if "slow answers" not in self._loop.troubles or self._loop.chance.random() < 0.1:
                self._waiting.remove((future, answer))
                future.set_result(answer)
