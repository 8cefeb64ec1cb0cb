"""Send events to the handler that nobody would think of, and look at everything that comes out of it.

Hypothesis draws what has a structure: an alert of any command, with other values here and there, or bytes, text or JSON
that are none; and a seed. From each, a hundred payloads are derived by random mutations, because Hypothesis takes
milliseconds for an example and the handler a fifth of one to refuse. The same seed brings the same payloads again.

Whole events go through the whole handler, over moto's table in the process.
"""

import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.builders import ENTRY, event
from tests.client_faults import perform
from tests.faults import refuse
from verification.processes import CORES, captured, results
from verification.report import Part, counts

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.client_faults import Deliver
    from tests.service import Service

PAYLOADS_OF_AN_EXAMPLE = 100
CPU_SECONDS = 0.25
"""What no payload may take, the table apart, in the fastest of some attempts: a slow machine is not a slow handler."""
ATTEMPTS = 5
RECORDS_FOR_ONE_WRITTEN = 20
"""Nothing here reads the records of alerts, and moto takes 3 ms to write one: of most only the request is looked at."""
SHOWN = 20
"""Findings that are kept in full; all are counted."""

_KEY = "KEY"
"""Stands for the key in what is drawn."""

_PLACE = {**{name: str(value) for name, value in ENTRY.items()}, "order_id": "order-9"}
ALERTS: Mapping[str, Mapping[str, str]] = {
    "CANCEL": {"order_id": "order-1"},
    "cancel": {"order_id": "entry1", "strategy_id": "strategy-1"},
    "Cancel": {"order_id": "stop1", "strategy_id": "order-3"},
    "PLACE": _PLACE,
    "Place": {**_PLACE, "strategy_id": "strategy-9", "take_profit": "5020.5", "stop_loss": "4980"},
    "place": {**_PLACE, "strategy": "brackets", "oco_id": "group-1"},
    "CANCELORDERS": {"account": "Sim101", "instrument": "ES1!"},
    "CANCELALLORDERS": {},
    "CANCELREPLACE": {**_PLACE, "order_id": "order-1"},
    "CancelReplace": {**_PLACE, "order_id": "order-3", "take_profit": "5020.5"},
    "Change": {"order_id": "order-3.STOP1", "stop_price": "4981"},
    "CHANGE": {"order_id": "order-1", "qty": "3", "limit_price": "5001"},
    "CLOSESTRATEGY": {"strategy_id": "strategy-1"},
    "CLOSEPOSITION": {"account": "Sim101", "instrument": "ES1!"},
    "FLATTEN": {"account": "Sim101"},
    "FLATTENEVERYTHING": {},
    "FLATPLACE": _PLACE,
    "REVERSE": _PLACE,
    "REVERSEPOSITION": {"account": "Sim101", "instrument": "ES1!"},
    "BUY": {"order_id": "order-1"},
}
"""A valid alert of every command, and one of none."""

OPTIONS: Mapping[str, str] = {
    "notes": "a remark",
    "quantity": "2",
    "percent": "50",
    "atm_strategy": "brackets",
    "stop_price": "5000",
    "stop_loss_limit": "4980",
    "stop_loss_stop": "4981",
    "append_atm": "true",
    "flatten_first": "true",
    "require_market_position": "long",
    "max_positions": "1",
    "max_position": "1",
    "market_position": "flat",
    "prev_market_position": "long",
    "sync_strategy": "true",
    "out_of_sync": "resync",
    "cancel_after": "10",
    "start_time": "09:30",
    "end_time": "16:00",
    "closing_only_after": "15:30",
    "bypass_trade_windows": "true",
    "delay": "5",
    "rate_limit": "1/60",
    "id": "1",
    "kill_switch": "on",
    "destination": "all",
}

TOKENS: tuple[str, ...] = (
    *"; = == : , ( ) () (optional) // # \" ' \\ { } [ ] {} [] {{close}} {{strategy.order.id}} {{ }} ${x} %s".split(),
    *"null true NaN Infinity 0 -1 1e5 1e400 .5 5. 1,5 0x10 00 ١٢ ½ 5% $5 +2 <script> ';DROP ../ #pk".split(),
    *"order-3.STOP1 order-3.TARGET1 order-3. order-3.stop1".split(),
    *"STOP1 TARGET0 ENTRY99999999999999999999 STOP stop01 \\u0000 \\ud800 \\udc00\\ud800 \\u006bey".split(),
    *"command= order_id= key= strategy_id=STOP1; ;order_id=order-1; command=CANCEL; __proto__=1;".split(),
    *f'key={_KEY}; ;{_KEY} {_KEY}=1; order_id={_KEY} notes={_KEY}; {_KEY} x{_KEY}x "{_KEY}"'.split(),
    *("\n", "\r\n", "\r", " ", "\t", "\0", "\x01", "\x1b[31m", "\x7f", "\x85", "\xa0"),
    *("\u2028", "\u200b", "\u202e", "\ufeff", "\ufffd", "\U0001f4a9", "\u212a", "\u017f", "\u0131", "ß", "e\u0301"),
    *("12 ticks", "2 pts", '{"a": {"b": [1]}}', 40 * "9", 5000 * "9", "0." + 400 * "0", 65 * "A", 9000 * "x"),
)
"""What trips parsers up."""

BYTES = (b"\xff", b"\xfe\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\x80", b"\xef\xbb\xbf")
"""What is no UTF-8, or hardly."""

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.5,
        2**63,
        10**400,
        "",
        "x",
        "true",
        "false",
        [],
        {},
        [1],
        ["x"],
        {"x": 1},
        "\ud800",
    ),
    *({"command": "CANCEL"}, [[[[]]]], "=" * 100, "a" * 9000),
)
"""What stands in an event where something else should."""

PATHS: tuple[tuple[str, ...], ...] = (
    *(("body",), ("isBase64Encoded",), ("headers",), ("requestContext",), ("requestContext", "http")),
    *(("requestContext", "http", "sourceIp"), ("requestContext", "timeEpoch"), ("requestContext", "requestId")),
    *(("version",), ("rawPath",), ("rawQueryString",), ("cookies",), ("headers", "content-type"), ("routeKey",)),
)


# What Hypothesis draws: bodies, in which KEY stands for the key


def _values() -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(TOKENS), st.text(max_size=30), st.integers().map(str), st.decimals().map(str))


@st.composite
def alerts(draw: st.DrawFn) -> bytes:
    """Draw an alert, mostly valid, as text or as JSON."""
    word = draw(st.sampled_from(sorted(ALERTS)))
    fields = {"key": _KEY, "command": word, **ALERTS[word]}
    fields |= draw(st.dictionaries(st.sampled_from(sorted(OPTIONS)), st.none(), max_size=2).map(_options))
    # The mutations will break it soon enough.
    changed = st.lists(st.sampled_from(sorted(fields.keys() - {"key"})), max_size=2)
    for name in draw(st.one_of(st.just([]), changed)):
        fields[name] = draw(_values())
    form = draw(st.sampled_from((";\n", ";", "\n", "; ", "\r\n", ";\n", "JSON", "JSON, indented")))
    if form.startswith("JSON"):
        return json.dumps(fields, indent=2 if "indented" in form else None, ensure_ascii=draw(st.booleans())).encode(
            "utf-8", "surrogatepass"
        )
    return form.join(f"{name}={value}" for name, value in fields.items()).encode("utf-8", "surrogatepass")


def _options(names: Mapping[str, None]) -> dict[str, str]:
    return {name: OPTIONS[name] for name in names}


def documents() -> st.SearchStrategy[bytes]:
    """Draw JSON of any shape, some of it about our fields."""
    names = st.one_of(st.sampled_from(("key", "command", "order_id", "qty", "notes")), st.text(max_size=8))
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just(_KEY))
    trees = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )
    return trees.map(lambda tree: json.dumps(tree).encode())


def bodies() -> st.SearchStrategy[bytes]:
    """Draw any body, alerts more often than others."""
    texts = st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    others = st.one_of(documents(), texts, st.binary(max_size=200))
    start = st.sampled_from((b"", f"key={_KEY};".encode(), f"key={_KEY};\ncommand=CANCEL;".encode()))
    return st.one_of(*[alerts()] * 8, st.builds(bytes.__add__, start, others))


# What is derived from it


def _cut(dice: random.Random, body: bytes) -> tuple[int, int]:
    start = dice.randrange(len(body) + 1)
    return start, min(len(body), start + dice.choice((0, 1, 1, 2, 5, 20, 100)))


def _delete(dice: random.Random, body: bytes) -> bytes:
    start, end = _cut(dice, body)
    return body[:start] + body[end:]


def _insert(dice: random.Random, body: bytes) -> bytes:
    start, _ = _cut(dice, body)
    return body[:start] + _token(dice) + body[start:]


def _replace(dice: random.Random, body: bytes) -> bytes:
    start, end = _cut(dice, body)
    return body[:start] + _token(dice) + body[end:]


def _token(dice: random.Random) -> bytes:
    if dice.random() < 0.1:
        return dice.choice(BYTES)
    if dice.random() < 0.1:
        return dice.randbytes(dice.randrange(1, 9))
    return dice.choice(TOKENS).encode("utf-8", "surrogatepass")


def _repeat(dice: random.Random, body: bytes) -> bytes:
    start, end = _cut(dice, body)
    return body[:end] + body[start:end] * dice.choice((1, 1, 2, 70, 1000)) + body[end:]


def _swap(dice: random.Random, body: bytes) -> bytes:
    pieces = body.split(dice.choice((b";", b"\n", b"=", b",", b":")))
    dice.shuffle(pieces)
    return dice.choice((b";", b"\n", b"=", b",", b":")).join(pieces)


def _piece(dice: random.Random, body: bytes) -> bytes:
    """Repeat, drop or change one field."""
    if body.startswith(b"{") and (changed := _member(dice, body)) is not None:
        return changed
    separator = dice.choice([mark for mark in (b";", b"\n", b",") if mark in body] or [b"\n"])
    pieces = body.split(separator)
    number = dice.randrange(_after_the_key(dice, len(pieces)), len(pieces))
    name, equals, _ = pieces[number].partition(b"=")
    pieces[number : number + 1] = dice.choice(
        (
            [],
            [pieces[number]] * 2,
            [pieces[number]] * 80,
            [name + equals],
            [name + equals + _token(dice)],
            [_token(dice) + pieces[number][len(name) :]],
            [pieces[number].swapcase()],
            [name.upper() + pieces[number][len(name) :]],
            [b"(" + pieces[number] + b")"],
            [b"//" + pieces[number]],
        )
    )
    return separator.join(pieces)


def _after_the_key(dice: random.Random, pieces: int) -> int:
    """Return where to begin: mostly past the key, which stands first, for without it all else is in vain."""
    return 1 if pieces > 1 and dice.random() < 0.9 else 0


def _member(dice: random.Random, body: bytes) -> bytes | None:
    """Do the same to a JSON object that is still one."""
    try:
        members = list(json.loads(body).items())
    except (ValueError, RecursionError, AttributeError):
        return None
    if not members:
        return None
    number = dice.randrange(_after_the_key(dice, len(members)), len(members))
    name, value = members[number]
    token = _token(dice).decode("utf-8", "replace")
    members[number : number + 1] = dice.choice(
        (
            [],
            [(name, value)] * dice.choice((2, 80)),
            [(name, token)],
            [(name, dice.choice(ODD))],
            [(name, [value])],
            [(name, {name: value})],
            [(token, value)],
            [(name.swapcase(), value)],
        )
    )
    # By hand, so that a name may stand there twice.
    return ("{" + ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in members) + "}").encode()


def _wrap(dice: random.Random, body: bytes) -> bytes:
    depth = dice.choice((1, 1, 2, 50, 4000))
    return dice.choice(
        (
            b'{"body": ' + body + b"}",
            b"[" * depth + body + b"]" * depth,
            b'{"a":' * depth + body + b"}" * depth,
            b'"' + body + b'"',
            b"\xef\xbb\xbf" + body,
            b"  \n\t" + body + b"\n\n",
            json.dumps(body.decode("utf-8", "replace")).encode(),
            json.dumps({"key": _KEY, "command": body.decode("utf-8", "replace")}).encode(),
        )
    )


def _encode(dice: random.Random, body: bytes) -> bytes:
    text = body.decode("utf-8", "replace")
    return text.encode(dice.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7")), "replace")


def _case(dice: random.Random, body: bytes) -> bytes:
    return dice.choice((bytes.upper, bytes.lower, bytes.swapcase))(body)


Mutation = Callable[[random.Random, bytes], bytes]
MUTATIONS: tuple[Mutation, ...] = (
    *(_delete, _insert, _insert, _insert, _replace, _replace, _repeat, _swap),
    *(*[_piece] * 10, _wrap, _encode, _case),
)


def derive(dice: random.Random, body: bytes) -> bytes:
    """Return the body after none to five mutations."""
    for _ in range(dice.choice((0, 1, 1, 1, 1, 2, 2, 2, 3, 5))):
        body = dice.choice(MUTATIONS)(dice, body)
    return body


def request_of(dice: random.Random, body: bytes) -> Any:
    """Return an event that brings this body; one in twenty is itself not as it should be."""
    try:
        request: Any = event(body.decode() if dice.random() < 0.8 else body)
    except UnicodeDecodeError:
        # API Gateway encodes it, but who knows.
        request = event(body if dice.random() < 0.8 else body.decode("utf-8", "surrogateescape"))
    if dice.random() < 0.05:
        return _odd_event(dice, request)
    return request


def _odd_event(dice: random.Random, request: dict[str, Any]) -> Any:
    if dice.random() < 0.1:
        return dice.choice((*deepcopy(ODD), {"body": request["body"]}, [request]))
    for _ in range(dice.choice((1, 1, 2))):
        *path, name = dice.choice(PATHS)
        within: Any = request
        for part in path:
            within = within.get(part) if isinstance(within, dict) else None
        if isinstance(within, dict):
            if dice.random() < 0.3:
                within.pop(name, None)
            else:
                within[name] = deepcopy(dice.choice(ODD))  # which may be written into next
    return request


# What is looked at


@dataclass
class Result:
    """What came of the payloads so far."""

    payloads: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """By status and word."""
    findings: int = 0
    shown: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    """The CPU seconds that one payload took, and which it was."""
    examples: int = 0

    def merge(self, other: "Result") -> None:
        self.payloads += other.payloads
        self.examples += other.examples
        self.answers += other.answers
        self.findings += other.findings
        self.shown += other.shown
        self.slowest = max(self.slowest, other.slowest)


_taken = refuse("", 200)


class Fuzzer:
    """Send what is derived, and check whatever comes out."""

    def __init__(self, service: "Service", *, cpu_seconds: float = math.inf) -> None:
        """Look at what comes out of this service, and how long it takes if that has a limit."""
        import webhook  # it reads the environment, which is set by now

        self.handler = webhook.handler
        self.cpu_seconds = cpu_seconds
        self.service = service
        self.at_table = 0.0
        self.records = 0
        self.requests: list[bytes] = []
        self.service.network.always = self.service.network.records_meet = self._to_table
        self.result = Result()
        self.secret = service.key.split("_")[2][:43].lower()
        self._arrange()
        assert service.table.checkpoint is not None
        self.restore = service.table.checkpoint()

    def example(self, body: bytes, seed: int, payloads: int) -> None:
        """Send this many payloads that are derived from one body."""
        self.result.examples += 1
        dice = random.Random(seed)
        key = self.service.key.encode()
        for _ in range(payloads):
            self.send(request_of(dice, derive(dice, body).replace(_KEY.encode(), key)), f"example {seed}")
        self.service.network.forget()
        self.restore()

    def _to_table(self, request: "AWSPreparedRequest", deliver: "Deliver") -> "AWSResponse | None":
        """Bring a request to moto, and take the time of it: it is not the handler's, and grows with the table."""
        assert isinstance(request.body, bytes)
        self.requests.append(request.body)
        began = time.process_time()
        is_record = b'"ALERTS#' in request.body
        self.records += is_record
        spared = is_record and self.records % RECORDS_FOR_ONE_WRITTEN
        answer = perform(_taken, request, deliver) if spared else deliver(request)
        self.at_table += time.process_time() - began
        return answer

    def _arrange(self) -> None:
        self.service.have_strategy("Working", "ENTRY1")
        self.service.have_order("PartFilled", "order-2", filled=2)
        self.service.put_template("brackets", (1, 10, 5))
        self.service.place("order-3", take_profit="5020", stop_loss="4980")

    def send(self, request: Any, origin: str) -> None:
        """Send one event, and record what is wrong with the answer."""
        self.service.output.take()
        self.requests.clear()
        try:
            response, seconds = self._answer(request)
            output = self.service.output.take()
            for _ in range(ATTEMPTS - 1):
                # Perhaps the collector came by, which looks through Hypothesis' and moto's objects too.
                if seconds > self.cpu_seconds:
                    seconds = min(seconds, self._answer(request)[1])
        except Exception as raised:  # whatever it is, it is a finding
            self._find(f"{type(raised).__name__} was raised", request, origin)
            return
        self.result.payloads += 1
        if seconds > self.result.slowest[0]:
            self.result.slowest = (seconds, self._shown(request)[:200])
        for wrong in self._wrongs(response, output, seconds):
            self._find(wrong, request, origin)

    def _answer(self, request: Any) -> tuple[Mapping[str, Any], float]:
        self.at_table, began = 0.0, time.process_time()
        response = self.handler(request, None)
        return response, time.process_time() - began - self.at_table

    def _wrongs(self, response: Mapping[str, Any], output: str, seconds: float) -> list[str]:
        text = json.dumps(response)
        body = json.loads(response["body"])
        word = body.get("status" if body["success"] else "error")
        self.result.answers[f"{response['statusCode']} {word}"] += 1
        wrongs = {
            f"answered {response['statusCode']} {word}": response["statusCode"] >= 500,
            # With the colon these are metrics, and not what an alert called one of its fields.
            "a defect was logged": '"UnhandledErrors":' in output or '"level":"ERROR"' in output,
            "not recorded": '"AlertsNotRecorded":' in output,
            "no log line, or no metric": '"message":"alert"' not in output or '"CloudWatchMetrics"' not in output,
            "the key is in the answer": self.secret in text.lower(),
            "the key is in the log": self.secret in output.lower(),
            "the key is in a request to the table": self.secret in b"".join(self.requests).decode().lower(),
            f"{seconds * 1000:.0f} ms of CPU time": seconds > self.cpu_seconds,
        }
        return [wrong for wrong, found in wrongs.items() if found]

    def _find(self, wrong: str, request: Any, origin: str) -> None:
        self.result.findings += 1
        if len(self.result.shown) < SHOWN:
            self.result.shown.append(f"{wrong} ({origin}): {self._shown(request)}")

    def _shown(self, request: Any) -> str:
        """Return the body, or the event where that is not as usual, with the key masked."""
        usual = isinstance(request, dict) and isinstance(body := request.get("body"), str)
        shown = repr((body, request.get("isBase64Encoded")) if usual else request)
        return shown.replace(self.service.key, "<the key>").replace(self.service.key[17:], "<most of the key>")[:2000]


def send(service: "Service", *, payloads: int, seed: int, cpu_seconds: float = math.inf) -> Result:
    """Send this many payloads to this service, and return what came of them."""
    fuzzer = Fuzzer(service, cpu_seconds=cpu_seconds)

    @hypothesis.seed(seed)
    @settings(
        max_examples=-(-payloads // PAYLOADS_OF_AN_EXAMPLE),
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(body=bodies(), seed=st.integers(0, 2**32))
    def example(body: bytes, seed: int) -> None:
        fuzzer.example(body, seed, min(PAYLOADS_OF_AN_EXAMPLE, payloads))

    example()
    return fuzzer.result


def run(*, payloads: int, seed: int) -> Part:
    """Have every core send its share of the payloads."""
    started = time.monotonic()
    shares = [{"payloads": -(-payloads // CORES), "seed": seed * 1000 + number} for number in range(CORES)]
    whole = Result()
    for result in results("verification.fuzzing:work", shares):
        whole.merge(result)
    seconds = time.monotonic() - started
    slowest, which = whole.slowest
    lines = [
        f"{whole.payloads:,} events through the whole handler, over moto, derived from {whole.examples:,} examples of "
        f"Hypothesis', in {CORES} processes, {whole.payloads / seconds:.0f} a second. Seed {seed}.",
        f"Answers: {counts(whole.answers)}.",
        "Looked for: a 5xx, an exception, a defect in the log, no log line, metric or record, the key in the answer, "
        "the log, a metric or a request to the table, more than "
        f"{CPU_SECONDS * 1000:.0f} ms of CPU time in the fastest of {ATTEMPTS} attempts.",
        f"The slowest took {slowest * 1000:.0f} ms of CPU time: `{which}`.",
    ]
    return Part("Fuzzing", lines, whole.shown[:SHOWN], whole.findings, seconds)


def work(payloads: int, seed: int) -> Result:
    """Send the payloads of one process."""
    from tests import queues, tables
    from tests.output import Output
    from tests.service import Service

    with captured() as (take, monkeypatch), tables.in_process() as table, queues.in_process() as queue:
        service = Service(table, queue, Output(take, monkeypatch), monkeypatch)
        return send(service, payloads=payloads, seed=seed, cpu_seconds=CPU_SECONDS)
