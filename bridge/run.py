"""The bridge's loop: what is read becomes events, the engine decides, and what it asks for is done, in that order.

The loop never waits for the network: a fill has its stop within a second, however long AWS's answers take. Requests are
made in the background, one of a kind at a time, and again after a failure for as long as it takes.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

from bridge import operator_requests
from bridge.engine import step
from bridge.events import (
    Alarm,
    Effect,
    Event,
    Fetch,
    FlatConfirmed,
    Look,
    Looked,
    MoveOut,
    Resumed,
    Save,
    SendReport,
    Tick,
    WriteFile,
)
from bridge.journal import Journal, JournalError
from bridge.lane import Lane, Message, Tell, pause, send
from bridge.link import Link, LinkError
from bridge.ninjatrader import Folder
from bridge.pairs import pair
from bridge.positions import open_by_files
from bridge.readiness import farewell
from bridge.state import Config, State
from orderhook.bridge_messages import Heartbeat, Sent, serialize

LOOK_SECONDS = 5.0
BUSY_SECONDS, IDLE_SECONDS = 0.1, 1.0
"""Between two turns: while an order is at the venue, and otherwise."""
OWNERSHIP_SECONDS = 1.0
"""How soon after a heartbeat the table may say that this bridge owns the stack now."""
FIRST_LOOK_SECONDS = 10.0
"""How long the start waits for AWS's time; without an answer it goes by this machine's clock."""
REPORTS_AT_ONCE = 10
MOST_ALARMS = 50
"""What one heartbeat tells at most."""


class Bridge:
    """Carries out what a trader's table wants at one NinjaTrader. One thread calls `turn`, or `run`.

    With a `background` that does at once what it is given, and clocks that a test turns, a turn is deterministic.
    """

    def __init__(
        self,
        config: Config,
        journal: Journal,
        folder: Folder,
        link: Link,
        *,
        trader: str,
        background: Executor,
        tell: Tell = print,
        asked_in: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` takes a line for a person to read; what a person asks of it lies `asked_in` a folder."""
        self._config, self._journal, self._folder, self._link = config, journal, folder, link
        tell = _without_fail(tell)
        self._trader, self._tell, self._asked_in, self._monotonic = trader, tell, asked_in, monotonic
        self._state, self._has_begun = State(config), False
        self._started = monotonic()
        self._wake, self._stop = Signal(), Signal()
        self._table = Lane("the table", background, tell, monotonic, self._wake.set)
        self._reports = Lane("the queue of reports", background, tell, monotonic, self._wake.set)
        self._look_at = 0.0
        self._fetches: deque[str] = deque()
        self._heartbeat: Heartbeat | None = None
        self._folder_fault = ""
        self._readiness = ""
        self._held: set[str] = set()
        """Files that are to be moved out, and that another program holds."""
        self._taken_back: list[Event] = []
        """What became of the files that an earlier run has left in `incoming`."""

    @property
    def state(self) -> State:
        """What the engine knows."""
        return self._state

    def turn(self) -> None:
        """Take in what has come meanwhile, do what follows from it, and ask AWS for what is due."""
        self._ask()
        answer = self._table.take()
        if not self._has_begun:
            self._take_back()
            if answer is None and self._monotonic() - self._started < FIRST_LOOK_SECONDS:
                return
            self._begin()
        if answer is not None:
            self._take(answer)
            self._note_look(answer)
        self._move_out(sorted(self._held))
        for event in self._scan():
            self._take(event)
        if self._asked_in is not None:
            for event in operator_requests.take(self._asked_in, self._against):
                self._take(event)
        self._take(Tick())
        self._ask()

    def _against(self, said: operator_requests.Request) -> list[str]:
        """Return what speaks against what a person says."""
        match said:
            case FlatConfirmed(account):
                return open_by_files(self._state, account)
            case Resumed(account, instrument):
                blocked = pair(self._link.now(), account, instrument) in self._state.blocks
                return [] if blocked else ["nothing blocks it"]

    def ring(self) -> None:
        """Look at the table at once; any thread may ask for it."""
        self._look_at = 0.0
        self._wake.set()

    def run(self) -> None:
        """Turn until `stop` is called, then say goodbye."""
        listener = Thread(target=self._listen, name="doorbell", daemon=True)
        listener.start()
        try:
            while not self._stop.is_set():
                self.turn()
                self._wake.wait(BUSY_SECONDS if self._is_busy else IDLE_SECONDS)
                self._wake.clear()
        finally:
            self._stop.set()
            self.say_goodbye()

    def stop(self) -> None:
        """Have `run` end after its turn; any thread, and the handler of a signal, may call it."""
        self._stop.set()
        self._wake.set()

    def say_goodbye(self) -> None:
        """Send that nobody is here to open anything, and what is left to report; tried once."""
        self._stop.set()
        # What says that it is ready must not come after what says that it stops.
        self._reports.wait()
        self._note_sent()
        last = self._with_alarms_of_waiting(farewell(self._state, self._link.now()))
        try:
            self._link.send(self._message(last))
            for number, text in self._journal.reports():
                self._link.send(text)
                self._journal.sent(number)
        except LinkError as error:
            self._tell(f"Nobody was told that the bridge stops: {error}")

    # Events and effects

    def _take_back(self) -> None:
        """Move out what an earlier run has left in `incoming`: the first act, whenever AWS's time is known."""
        for name in self._folder.own_files():
            if (event := self._folder.move_out(name)) is not None:
                self._taken_back.append(event)

    def _begin(self) -> None:
        """Go on from the journal, and have the engine know what was moved out of `incoming`."""
        if self._asked_in is not None:
            operator_requests.forget(self._asked_in)
        self._has_begun = True
        try:
            restored = State.restored(self._config, self._journal.records(), self._link.now())
        except ValueError:
            raise JournalError(
                "The journal holds what this version of the bridge does not know: a newer one has written it. Install "
                "that one again. A new journal would take the orders that are open now for unresolved."
            ) from None
        self._state = restored._replace(has_read=False)
        for event in [*self._taken_back, *self._scan()]:  # what has no line end is believed when it is read twice
            self._take(event)
        self._move_out(self._folder.own_files())  # what another program has held so far

    def _move_out(self, names: Iterable[str]) -> None:
        for name in names:
            for event in self._do(MoveOut(name)):
                self._take(event)

    def _take(self, event: Event) -> None:
        """Have the engine decide on an event, and on those that come of doing what it asks for.

        Whatever cannot be done raises: the journal is then the truth, from which a new start goes on.
        """
        events = deque([event])
        while events:
            self._state, effects = step(self._state, events.popleft(), self._link.now())
            for effect in effects:
                events.extend(self._do(effect))

    def _do(self, effect: Effect) -> list[Event]:
        """Do what the engine asks for; return what came of it at once."""
        answer: Event | None = None
        match effect:
            case Save(records):
                self._journal.save(records)
            case WriteFile(name, line):
                answer = self._folder.write(name, line)
            case MoveOut(name, is_kept):
                with suppress(OSError):
                    answer = self._folder.move_out(name, is_kept=is_kept)
                self._held = self._held | {name} if answer is None else self._held - {name}
            case SendReport(Heartbeat() as heartbeat):
                self._heartbeat = self._with_alarms_of_waiting(heartbeat)
                self._tell_readiness(heartbeat)
            case SendReport(what):
                self._journal.put_report(self._message(what))
            case Fetch(order_id):
                self._fetches.append(order_id)
            case Look():
                self._look_at = 0.0
            case Alarm(code, detail):
                self._tell(f"ALARM {code}: {detail}")
        return [] if answer is None else [answer]

    def _tell_readiness(self, heartbeat: Heartbeat) -> None:
        """Tell a person whether what opens is carried out, and why it is not, whenever that changes."""
        line = "Ready: what opens is carried out" if heartbeat.ready else f"Not ready: {heartbeat.reason}"
        if line != self._readiness:
            self._tell(line)
        self._readiness = line

    def _with_alarms_of_waiting(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return a heartbeat that takes the place of the one that is not sent yet: of that only the alarms matter."""
        waiting = self._heartbeat.alarms if self._heartbeat else ()
        return heartbeat._replace(alarms=(*waiting, *heartbeat.alarms)[-MOST_ALARMS:])

    def _message(self, what: Any) -> str:
        return serialize(Sent(self._trader, self._journal.id, what))

    def _scan(self) -> list[Event]:
        """Return what is new in the folder; one that cannot be read now is read next time."""
        try:
            events = self._folder.scan()
        except OSError as error:
            if str(error) != self._folder_fault:
                self._tell(f"NinjaTrader's folder cannot be read: {error}")
            self._folder_fault = str(error)
            return []
        self._folder_fault = ""
        return events

    def _note_look(self, answer: Event) -> None:
        """Note that the stack was taken over, so that it is not taken over again."""
        is_owner = isinstance(answer, Looked) and answer.owner == self._journal.id
        if is_owner and self._state.config.take_over:
            self._state = self._state._replace(config=self._state.config._replace(take_over=False))

    # AWS

    def _ask(self) -> None:
        """Begin the requests that are due, of each kind one."""
        self._note_sent()
        if self._reports.is_free and (waiting := self._waiting()):
            self._reports.start(send, self._link, waiting, self._stop)
        if not self._table.is_free:
            return
        if self._fetches:
            self._table.start(self._link.fetch, self._fetches.popleft())
        elif self._monotonic() >= self._look_at or self._table.has_failed:
            self._look_at = self._monotonic() + LOOK_SECONDS
            self._table.start(self._link.look)

    def _note_sent(self) -> None:
        """Note which reports the queue has taken."""
        for number, text in self._reports.take() or []:
            if number is not None:
                self._journal.sent(number)
                continue
            if self._state.owner != self._journal.id:
                self._look_at = min(self._look_at, self._monotonic() + OWNERSHIP_SECONDS)
            if self._heartbeat and text == self._message(self._heartbeat):
                self._heartbeat = None

    def _waiting(self) -> list[Message]:
        """Return what is to be sent next: the heartbeat, which has no number, and the oldest reports."""
        heartbeat: list[Message] = [(None, self._message(self._heartbeat))] if self._heartbeat else []
        return [*heartbeat, *self._journal.reports(REPORTS_AT_ONCE)]

    def _listen(self) -> None:
        """Wait for the doorbell, again and again: a thread of its own, which nobody waits for."""
        failures = 0
        while not self._stop.is_set():
            try:
                self._link.wait(heard=self.ring)
                failures = 0
            except LinkError as error:
                if not failures:
                    self._tell(f"The doorbell is not heard, so alerts are seen {LOOK_SECONDS:g} s later: {error}")
                failures += 1
                self._stop.wait(pause(failures))

    @property
    def _is_busy(self) -> bool:
        return not self._has_begun or self._state.is_busy


def _without_fail(tell: Tell) -> Tell:
    """Return what tells a person, or does not: a stop is placed although nobody can read of its fill."""

    def told(line: str) -> None:
        with suppress(Exception):
            tell(line)

    return told
