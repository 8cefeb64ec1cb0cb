"""Send requests to the console and the HTTP API that no page of theirs would, and look at everything that comes out.

The table holds alerts, orders and a bridge's reports that were written to get at whoever looks at them. Which requests
there are is learned as a browser learns it: from the table of pages, the API's routes, and the links and forms of what
was answered. Each is then sent with another method, path, query, form, body or header here and there, by somebody who
may do it, may not, or is nobody. The same seed brings the same requests again, but for secrets.

Whole events go through the whole handler, over moto's table in the process.
"""

import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, unquote_plus, urlencode, urlsplit

import tests.environment  # noqa: F401  the functions read it when they are imported

# isort: split

from orderhook import keys
from orderhook.console import app
from orderhook.console.api.routes import BASE, ROUTES
from orderhook.console.pages import PAGES, ROOT, STOP
from orderhook.console.pages.forms import ONCE
from orderhook.console.sessions import Grant, ProcessSessions
from orderhook.console.visit import Deployment
from orderhook.store.sessions import TableSessions
from tests import hostile
from tests.builders import provenance
from verification.fuzzing import SHOWN, TOKENS
from verification.markup import Markup, read
from verification.processes import CORES, captured, results
from verification.report import Part, counts

if TYPE_CHECKING:
    from tests.service import Service

REQUESTS_OF_AN_EXAMPLE = 40
"""After so many the table is as it was, and everybody is signed in again."""

OF_API = 0.4
"""As large a part of them goes to the API."""

LOCAL, DOMAIN = "http://127.0.0.1:3280", "console.example.com"
FORM = "application/x-www-form-urlencoded"
LOGIN, SIGN_OUT = f"{ROOT}/login", f"{ROOT}/sign-out"

_KEY = "KEY"
"""Stands for a key in what is drawn."""

WORDS: tuple[str, ...] = (
    *hostile.TEXTS.values(),
    *TOKENS,
    *"main order-1 Sim101 ES1! START ALERT trade read open closed 0 -1 1 500 501 1e9 true on off LONG".split(),
    *"2026-01-02 2026-01-02T03:04:05Z 9999-12-31T23:59:59Z 0001-01-01T00:00:00+14:00 .. ../.. /etc/passwd".split(),
    *("", "0" * 32, "a" * 32, "%", "%00", "%2F", "%252e%252e", "//evil.example", "https://evil.example/", "\\\\evil"),
)
METHODS = (*"GET POST PUT DELETE HEAD PATCH OPTIONS TRACE CONNECT get post BREW".split(), "", "GET\r\nX: y")
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


SECURITY: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
"""What every answer has."""


@dataclass(frozen=True)
class Known:
    """A request that somebody would send."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] | None = None
    """Of its form, or of its JSON object where it is the API's; None for a request without a body."""

    @property
    def kind(self) -> tuple[object, ...]:
        """What is the same of all requests that differ in values alone."""
        path = re.sub(r"/[0-9a-f]{8,}(?=/|$)", "/{id}", self.path)
        return self.method, path, _names(self.query), _names(self.fields)


def _sent(headers: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if value is not None}


def _names(pairs: Iterable[tuple[str, str]] | None) -> tuple[str, ...]:
    return tuple(sorted({name for name, _ in pairs or ()}))


def known_by_tables() -> Iterator[Known]:
    """Yield a request for each page and operation that there is."""
    for method, fields in (("GET", None), ("POST", ())):
        for path in PAGES.addresses(method):
            yield Known(method, path.replace("{id}", 32 * "0"), fields=fields)
    yield from (Known("GET", path) for path in ("/", "/console/", LOGIN, "/console/assets/app.js", "/favicon.ico"))
    yield Known("POST", LOGIN, fields=(("code", "CODE"),))
    for route in ROUTES:
        path = BASE + re.sub(r"\{(\w+)\}", lambda name: _SAMPLES.get(name[1], "x"), route.path)
        yield Known(route.method, path, _sampled(route.query), _sampled(route.body) if route.body else None)


_SAMPLES = {
    "account": "Sim101",
    "orderId": "order-1",
    "strategyId": "strategy-1",
    "requestId": 32 * "0",
    "instrument": "ES1!",
    "action": "BUY",
    "quantity": "2",
    "orderType": "LIMIT",
    "timeInForce": "GTC",
    "limitPrice": "5000",
    "limit": "50",
    "status": "open",
    "on": "true",
    "activeOnly": "true",
    "alert": "key=KEY;command=CANCEL;order_id=order-1",
    "notes": "a remark",
    "delay": "5",
    "since": "2026-01-02T03:04:05Z",
    "until": "2036-01-02T03:04:05Z",
    "takeProfit": "5020",
    "stopLoss": "4980",
}


def _sampled(model: Any) -> tuple[tuple[str, str], ...]:
    names = (fields.alias or name for name, fields in model.model_fields.items())
    return tuple((name, _SAMPLES[name]) for name in names if name in _SAMPLES)


# Who sends it


@dataclass(frozen=True)
class Sender:
    """What a request carries that says who sends it, and what that allows."""

    headers: Mapping[str, str]
    cookies: tuple[str, ...] = ()
    may_act: bool = False
    """Whether what it changes at the console may be done: a page of the console sends it for a session that acts."""
    may_stop: bool = False
    may_trade: bool = False
    """The same at the API."""
    is_own_page: bool = False


# What is looked at


@dataclass
class Result:
    """What came of the requests so far."""

    requests: int = 0
    examples: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """By method, door and status."""
    pages: set[str] = field(default_factory=set)
    """The addresses that were answered with a page in full."""
    findings: int = 0
    shown: list[str] = field(default_factory=list)

    def merge(self, other: "Result") -> None:
        """Add what came of others."""
        self.requests += other.requests
        self.examples += other.examples
        self.answers += other.answers
        self.pages |= other.pages
        self.findings += other.findings
        self.shown += other.shown


class Fuzzer:
    """Send what is derived, and check whatever comes out."""

    def __init__(self, service: "Service") -> None:
        """Fill a service's table with what is hostile, and open a console over it, with a venue and without one."""
        self.service = service
        self.result = Result()
        self.seen: set[int] = set()
        """Pages that were read."""
        self.known: dict[tuple[object, ...], Known] = {it.kind: it for it in known_by_tables()}
        self.api_keys = {scope: self._issue(scope) for scope in ("read", "trade")}
        self._arrange()
        without = service.handlers_services
        service.use_venue(heard=False)
        self.over = (without, service.handlers_services)
        assert service.table.checkpoint is not None
        self.restore = service.table.checkpoint()
        self.sign_in(venue=False, local=True)

    def _issue(self, scope: str) -> str:
        secret, key = keys.issue(
            trader=self.service.trader,
            label=hostile.TEXTS["image"],
            scopes=frozenset({"read", scope}),
            created="2026-01-02T03:04:05.000000Z",
            kind=keys.API,
        )
        self.service.keys.put(key)
        return secret

    def _arrange(self) -> None:
        service = self.service
        service.have_strategy("Working", "ENTRY1")
        service.have_order("PartFilled", "order-2", filled=2)
        service.put_template("brackets", (1, 10, 5))
        service.place("order-3", take_profit="5020", stop_loss="4980")
        for number, alert in enumerate(hostile.alerts(service.key)):
            if number % 2 == 0:  # the rest of them would only make the pages longer
                service.post(alert)
        hostile.have(service.services, service.trader, lambda request_id: provenance(service.trader, request_id))

    def sign_in(self, *, venue: bool, local: bool) -> None:
        """Have a console that nobody was signed in to before, and sessions of every kind."""
        now = datetime.now(UTC)
        sessions = ProcessSessions() if local else TableSessions(self.over[venue].table)
        origin = LOCAL if local else None
        self.console = app.Console(self.over[venue], sessions, Deployment("demo"), origin)
        self.origin = origin or f"https://{DOMAIN}"
        then = now - timedelta(hours=13)
        grants = {
            "acts": (Grant(self.service.trader, label=hostile.TEXTS["svg"]), now),
            "reads": (Grant(self.service.trader, read_only=True), now),
            "stops": (Grant(self.service.trader), then),
        }
        self.tokens = {who: str(sessions.redeem(sessions.issue_code(*it), it[1])) for who, it in grants.items()}
        self.codes = [sessions.issue_code(grants["acts"][0], now) for _ in range(2)]
        self.secrets = [self.service.key, *self.api_keys.values(), *self.tokens.values(), *self.codes]

    def example(self, seed: int, requests: int = REQUESTS_OF_AN_EXAMPLE) -> None:
        """Send this many requests to a console that nobody has used yet."""
        self.result.examples += 1
        dice = random.Random(seed)
        self.sign_in(venue=dice.random() < 0.5, local=dice.random() < 0.5)
        for _ in range(requests):
            is_api = dice.random() < OF_API
            known = dice.choice([it for it in self.known.values() if _is_api(it.path) == is_api])
            self.send(*self.derive(dice, known), f"example {seed}")
        self.service.network.forget()
        self.restore()

    # What is derived

    def derive(self, dice: random.Random, known: Known) -> tuple[dict[str, Any], Sender]:
        """Return an event of a request, changed in up to four places, and who sends it."""
        sender = self._sender(dice)
        # Who may not do it is to be refused for that alone.
        for _ in range(dice.choice((0, 0, 1, 1, 1, 2, 2, 4) if sender.may_act else (0, 0, 0, 1))):
            known = self._changed(dice, known)
        return self._event(dice, known, sender), sender

    def _sender(self, dice: random.Random) -> Sender:
        roll = dice.random()
        trades = {"authorization": f"Bearer {self.api_keys['trade']}"}
        if roll < 0.45:
            return self._signed_in("acts", {**SAME_ORIGIN, **trades})
        if roll < 0.6:  # who may less, by the console's own page
            return self._signed_in(dice.choice(("reads", "stops")), SAME_ORIGIN)
        sites = (*SAME_ORIGIN.values(), "same-site", "cross-site", "none", "", "same-origin, x", None, None, None)
        origins = (self.origin, f"{self.origin}.evil.example", "https://evil.example", "null", "", None)
        headers = {"sec-fetch-site": dice.choice(sites), "origin": dice.choice(origins)}
        if roll < 0.82:  # who may all, by another page
            return self._signed_in("acts", _sent({**headers, **trades}))
        secret = dice.choice((*self.api_keys.values(), self.service.key, *self.tokens.values(), "oht_x", ""))
        sent = _sent({**headers, "authorization": f"{dice.choice(('Bearer', 'bearer', 'Basic'))} {secret}".strip()})
        if who := dice.choice((*self.tokens, None)):
            return self._signed_in(who, sent, also=dice.choice((None, "reads", "acts")))
        cookie = dice.choice((self.service.key, self.codes[0], "x", "", "\ud83d"))
        own = self._is_own(sent)
        return Sender(sent, (f"{self.console.cookie}={cookie}",), may_trade=self._trades(sent), is_own_page=own)

    def _signed_in(self, who: str, headers: Mapping[str, str], also: str | None = None) -> Sender:
        cookies = tuple(f"{self.console.cookie}={self.tokens[it]}" for it in (who, also) if it)
        own = self._is_own(headers)
        is_known = own and not also
        may_stop = is_known and who in ("acts", "stops")
        return Sender(headers, cookies, is_known and who == "acts", may_stop, self._trades(headers), own)

    def _is_own(self, headers: Mapping[str, str]) -> bool:
        """Return whether a browser says that a page of the console sends it."""
        site = headers.get("sec-fetch-site")
        return site == "same-origin" if site is not None else headers.get("origin") == self.origin

    def _trades(self, headers: Mapping[str, str]) -> bool:
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and secret == self.api_keys["trade"]

    def _changed(self, dice: random.Random, known: Known) -> Known:
        roll = dice.random()
        if roll < 0.1:
            return replace(known, method=dice.choice(METHODS))
        if roll < 0.2:
            return replace(known, path=_changed_path(dice, known.path))
        if roll < 0.5 or not known.fields:
            return replace(known, query=_changed_pairs(dice, known.query))
        return replace(known, fields=_changed_pairs(dice, known.fields))

    def _event(self, dice: random.Random, known: Known, sender: Sender) -> dict[str, Any]:
        is_api = _is_api(known.path)
        headers = {**sender.headers, "host": DOMAIN, "user-agent": dice.choice(WORDS)}
        body = None
        if known.fields is not None:
            pairs = [(name, dice.choice(self.codes) if value == "CODE" else value) for name, value in known.fields]
            body = _json(dice, pairs) if is_api else urlencode(pairs, errors="replace")
            headers["content-type"] = dice.choice((*7 * ["application/json" if is_api else FORM], "text/plain", ""))
        if dice.random() < 0.1:
            headers |= {"x-poll": "1", "if-none-match": dice.choice(WORDS)}
        for name in ("x-forwarded-host", "content-type", "idempotency-key", "authorization", "x-poll"):
            if dice.random() < 0.02:
                headers[name] = dice.choice(WORDS).replace(_KEY, self.service.key)
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": known.path,
            "rawQueryString": urlencode(known.query, errors="replace"),
            "headers": headers,
            "cookies": list(sender.cookies),
            "requestContext": {
                "domainName": DOMAIN,
                "http": {"method": known.method, "path": known.path, "sourceIp": "192.0.2.1"},
            },
            "body": body,
            "isBase64Encoded": False,
        }
        text: dict[str, Any] = json.loads(
            json.dumps(event).replace(_KEY, dice.choice((self.service.key, *self.api_keys.values())))
        )
        return text

    # What comes out

    def send(self, event: dict[str, Any], sender: Sender, origin: str) -> Mapping[str, Any] | None:
        """Send one event, and record what is wrong with what comes of it."""
        self.service.output.take()
        self.service.network.forget()
        self.result.requests += 1
        try:
            answer = app.answer(self.console, event, None)
            wrongs = list(self._wrongs(event, sender, answer))
        except Exception as raised:
            self._find(f"{type(raised).__name__} was raised: {raised}", event, origin)
            return None
        for wrong in wrongs:
            self._find(wrong, event, origin)
        return answer

    def _wrongs(self, event: Mapping[str, Any], sender: Sender, answer: Mapping[str, Any]) -> Iterator[str]:
        method, path, status = event["requestContext"]["http"]["method"], event["rawPath"], answer["statusCode"]
        output, door = self.service.output.take(), "API" if _is_api(path) else "console"
        self.result.answers[f"{door} {status}"] += 1
        if status >= 500:
            yield f"answered {status}"
        if '"UnhandledErrors":' in output or '"level":"ERROR"' in output:
            yield "a defect was logged"
        yield from self._of_changes(method, path, status, sender)
        yield from _of_headers(answer, self.origin)
        yield from self._of_secrets(event, answer, output)
        if answer["headers"].get("Content-Type", "").startswith("text/html"):
            page = re.sub(f'name="{ONCE}" value="[0-9a-f]+"', "", answer["body"])
            if hash(page) not in self.seen:  # what is the same again takes as long to read as to make
                self.seen.add(hash(page))
                markup = read(answer["body"])
                yield from markup.faults
                self._learn(markup)
            if status == 200:
                self.result.pages.add(re.sub("[0-9a-f]{32}", "{id}", path))
        elif door == "API" and answer["body"]:
            json.loads(answer["body"])

    def _of_changes(self, method: str, path: str, status: int, sender: Sender) -> Iterator[str]:
        written = [request for request in self.service.network.requests if request.writes]
        written = [it for it in written if not _may_come_of_looking(it.payload)]
        is_api = _is_api(path)
        may = sender.may_trade if is_api else sender.may_act or (sender.may_stop and path == STOP)
        if method in ("GET", "HEAD"):
            if written:
                yield f"a {method} wrote {[it.payload for it in written]}"
        elif not may:
            if written and not (path == LOGIN and sender.is_own_page):
                yield f"somebody who may not has written {[it.payload for it in written]}"
            if status < 400 and not _may_anyway(method, path, sender, is_api=is_api):
                yield f"answered {status} to somebody who may not"

    def _of_secrets(self, event: Mapping[str, Any], answer: Mapping[str, Any], output: str) -> Iterator[str]:
        new = [cookie.partition("=")[2].partition(";")[0] for cookie in answer.get("cookies", ())]
        kept = json.dumps([it.payload for it in (*self.service.network.requests, *self.service.network.records)])
        places = {
            "the answer": f"{answer['body']} {answer['headers']}",
            "the log": output,
            "a request to the table": kept,
        }
        if event["requestContext"]["http"]["method"] == "POST" and event["rawPath"] != LOGIN and new != [""] and new:
            yield "a session was opened by another page than the one that signs in"
        for where, text in places.items():
            seen = {text.lower(), unquote(text).lower(), unquote(unquote_plus(text)).lower()}
            for secret in (*self.secrets, *filter(None, new)):
                half = secret.lower()[17:60] if secret.startswith(("ohk_", "oht_")) else secret.lower()
                if any(half in each for each in seen):
                    yield f"a secret that begins with {secret[:4]} is in {where}"

    def _learn(self, page: Markup) -> None:
        """Take up the requests that a page leads to."""
        found = [Known("GET", link.path, link.query) for link in page.links]
        found += [Known(it.method, it.path, it.query, it.fields) for it in page.forms]
        for known in found:
            if known.path.startswith(ROOT) and known.path not in (LOGIN, SIGN_OUT):
                self.known[known.kind] = known

    def _find(self, wrong: str, event: Mapping[str, Any], origin: str) -> None:
        self.result.findings += 1
        if len(self.result.shown) < SHOWN:
            shown = f"{wrong} ({origin}): {json.dumps(event)}"
            for secret in self.secrets:
                shown = shown.replace(secret, "<a secret>")
            self.result.shown.append(shown[:2000])


def _is_api(path: str) -> bool:
    return path == BASE or path.startswith(f"{BASE}/")


def _may_come_of_looking(payload: Mapping[str, Any]) -> bool:
    """Return whether a write only notes that a key or a session was used."""
    key = payload.get("Key", {})
    is_use = payload.get("UpdateExpression") == "SET #used = :used, #expires = :expires"
    return is_use or str(key.get("sk", {}).get("S", "")).startswith("KEYUSE#")


def _may_anyway(method: str, path: str, sender: Sender, *, is_api: bool) -> bool:
    """Return whether an unsafe request may be answered well though its sender may change nothing."""
    if is_api:
        return (method, path) == ("POST", f"{BASE}/check")  # it reads
    if path in ("/", "/console/"):
        return True  # to where it begins
    # Signing in and out are for everybody, and a builder only reads; the page that sends it must be the console's own.
    return sender.is_own_page and path in (LOGIN, SIGN_OUT, f"{ROOT}/builder")


def _of_headers(answer: Mapping[str, Any], origin: str) -> Iterator[str]:
    headers = answer["headers"]
    for name, value in SECURITY.items():
        is_asset = name == "Cache-Control" and headers.get(name) == "no-cache" and "ETag" in headers
        if headers.get(name) != value and not is_asset:
            yield f"{name} is {headers.get(name)!r}"
    for name, value in (*headers.items(), *(("Set-Cookie", cookie) for cookie in answer.get("cookies", ()))):
        if not re.fullmatch(r"[ -~]*", f"{name}{value}"):
            yield f"the header {name} is {value!r}"
        if name.lower().startswith("access-control-"):
            yield f"the header {name} lets others read it"
    for cookie in answer.get("cookies", ()):
        rest = "Path=/; HttpOnly; SameSite=Lax" if origin == LOCAL else "Path=/; Secure; HttpOnly; SameSite=Lax"
        if cookie.partition("; ")[2].partition("; Max-Age")[0] != rest:
            yield f"a cookie is kept as {cookie.partition('; ')[2]}"
    location = urlsplit(headers.get("Location", ROOT))
    known = location.path == LOGIN or re.sub("/[0-9a-f]{32}$", "/{id}", location.path) in (*PAGES.addresses("GET"),)
    if location.netloc or location.scheme or not known:
        yield f"redirected to {headers['Location']!r}"


def _changed_path(dice: random.Random, path: str) -> str:
    segments = path.split("/")
    at = dice.randrange(len(segments))
    word = dice.choice(WORDS)
    segments[at : at + 1] = dice.choice(
        ([], [word], [segments[at], ""], [segments[at], word], [segments[at].swapcase()], [quote(segments[at] + word)])
    )
    changed = "/".join(segments)
    return dice.choice((changed, changed, changed, f"{changed}/", f"/{changed}", word))


def _changed_pairs(dice: random.Random, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    changed = list(pairs)
    names = [name for name, _ in changed] or ["account", "orderId", "cursor", "q", "limit", "status", "since"]
    at, name, word = dice.randrange(len(changed) + 1), dice.choice(names), dice.choice(WORDS)
    replaced = dice.choice(([], [(name, word)], [(name, word)], [(name, word)], [(word, name)], [(name, word)] * 300))
    changed[at : at + dice.choice((0, 1, 1, 1))] = replaced
    return tuple(changed)


def _json(dice: random.Random, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a JSON object of these members, mostly with the types that they need."""
    values: list[tuple[str, Any]] = []
    for name, text in pairs:
        is_number = re.fullmatch(r"-?\d{1,9}(\.\d+)?", text) or text in ("true", "false", "null")
        value = json.loads(text) if is_number and not re.match("-?0[0-9]", text) and dice.random() < 0.8 else text
        values.append((name, dice.choice((value, value, value, value, [value], {name: value}))))
    body = "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values) + "}"
    return dice.choice((*8 * [body], body[:-1], f"[{body}]", body * 2, "", dice.choice(WORDS)))


def notices(fuzzer: Fuzzer, finding: str, *, seed: int, examples: int) -> bool:
    """Return whether the fuzzer comes to a finding with these words within so many examples."""
    fuzzer.result = Result()
    fuzzer.seen.clear()
    for number in range(examples):
        fuzzer.example(seed + number)
        if any(finding in shown for shown in fuzzer.result.shown):
            return True
    return False


def send(service: "Service", *, requests: int, seed: int) -> Result:
    """Send this many requests to a console over this service's table, and return what came of them."""
    fuzzer = Fuzzer(service)
    for number in range(-(-requests // REQUESTS_OF_AN_EXAMPLE)):
        fuzzer.example(seed * 1_000_000 + number, min(REQUESTS_OF_AN_EXAMPLE, requests))
    return fuzzer.result


def run(*, requests: int, seed: int) -> Part:
    """Have every core send its share of the requests."""
    started = time.monotonic()
    shares = [{"requests": -(-requests // CORES), "seed": seed * 1000 + number} for number in range(CORES)]
    whole = Result()
    for result in results("verification.console_fuzzing:work", shares):
        whole.merge(result)
    seconds = time.monotonic() - started
    lines = [
        f"{whole.requests:,} requests through the console's whole handler, over moto, in {whole.examples:,} examples "
        f"and {CORES} processes, {whole.requests / seconds:.0f} a second, with a venue and without one. Seed {seed}.",
        f"Answers: {counts(whole.answers)}. Pages that were looked at in full: {len(whole.pages)}.",
        "Looked for: an exception, a 5xx, a defect in the log, a write by a GET or by somebody who may not, an answer "
        "below 400 to the same, a header of security that is missing, a redirect elsewhere, markup or an attribute "
        "that the console has not made, a control, bidirectional or invisible character, a command line with more than "
        "an id, and a key, a code or a session's token in an answer, the log or a request to the table.",
    ]
    return Part("Fuzzing of the console", lines, whole.shown[:SHOWN], whole.findings, seconds)


def work(requests: int, seed: int) -> Result:
    """Send the requests of one process."""
    from tests import queues, tables
    from tests.output import Output
    from tests.service import Service

    with captured() as (take, monkeypatch), tables.in_process() as table, queues.in_process() as queue:
        service = Service(table, queue, Output(take, monkeypatch), monkeypatch)
        return send(service, requests=requests, seed=seed)
