"""Discord, Slack and Telegram as their documentation has them: a real HTTPS server that checks what is posted to it.

It stands at the addresses of all three, with certificates of an authority of the tests' own. What it does with the
messages of a service a test says: it answers, breaks off, hangs, or is somebody else.
"""

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.hostile import TEXTS

URLS: Mapping[str, str] = {
    "discord": "https://discord.com/api/webhooks/112233/canary-9f8e7d6c5b4a-discord",
    "slack": "https://hooks.slack.com/services/T0001/B0001/canary9f8e7d6c5b4aslack",
    "telegram": "https://api.telegram.org/bot4455:canary-9f8e7d6c5b4a-telegram/sendMessage?chat_id=-100123",
}
CANARY = "9f8e7d6c5b4a"
HOSTS: Mapping[str, str] = {"discord": "discord.com", "slack": "hooks.slack.com", "telegram": "api.telegram.org"}

MARKUP = {
    **TEXTS,
    "everyone": "@everyone @here <@1> <@&2> <#3> <!channel> <!here> <@U1> @trader",
    "markdown": "# **b** __u__ ~~s~~ ||x|| `c` ```x``` > q - l 1. n [t](https://evil.example) <https://evil.example>",
    "html": "<b>bold</b> &amp; <a href='https://evil.example'>x</a>",
    "links": "https://evil.example/x www.evil.example evil.example/y discord.gg/abc mailto:a@b.example",
    "emoji": "\U0001f600" * 200,
    "backslashes": "\\" * 300,
    "very long": "@everyone_*" * 1000,
}
"""What somebody may write to have a service of messages do more than show it."""

Does = Literal[
    "answer",
    "close",
    "hang",
    "drip headers",
    "drip continue",
    "break tls",
    "plain http",
    "wrong host",
    "unknown authority",
    "hang before tls",
]


class Posted(NamedTuple):
    """A request as it came in."""

    service: str
    target: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """What a person reads of it."""
        shown: str = _READERS[self.service](self.body)
        return shown


@dataclass
class Outgoing:
    """The three services."""

    posted: list[Posted] = field(default_factory=list)
    connections: int = 0
    was_left: threading.Event = field(default_factory=threading.Event)
    """Whether a client has gone that was kept waiting."""
    does: Does = "answer"
    status: int = 200
    location: str | None = None
    only: str | None = None
    """The one service that does so; None if all do."""
    faults: list[BaseException] = field(default_factory=list)
    """What was wrong with a request."""
    posting: Callable[[], object] = lambda: None
    """What happens while a message comes in."""

    @property
    def texts(self) -> list[str]:
        return [it.text for it in self.posted]


@contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outgoing]:
    """Serve at the addresses of the three services, trusted by whoever connects from here on."""
    services = Outgoing()
    authority = _Authority(folder / "authority.pem")
    contexts = {
        "known": authority.context(folder / "known.pem", *HOSTS.values()),
        "wrong host": authority.context(folder / "wrong.pem", "discord.com.evil.example"),
        "unknown authority": _Authority(folder / "other.pem").context(folder / "unknown.pem", *HOSTS.values()),
    }
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        resolve = socket.getaddrinfo

        def getaddrinfo(host: Any, at: Any, *arguments: Any, **options: Any) -> Any:
            if host in HOSTS.values():
                assert at == 443
                return resolve("127.0.0.1", port, *arguments, **options)
            return resolve(host, at, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        thread = threading.Thread(target=_accept, args=(listener, services, contexts), daemon=True)
        thread.start()
        try:
            yield services
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert services.faults == []


def _accept(listener: socket.socket, services: Outgoing, contexts: Mapping[str, ssl.SSLContext]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            services.connections += 1
            threading.Thread(target=_serve, args=(client, services, contexts), daemon=True).start()


def _serve(client: socket.socket, services: Outgoing, contexts: Mapping[str, ssl.SSLContext]) -> None:
    with client:
        if services.does == "hang before tls":
            _wait_until_left(client, services)
            return
        if services.does == "plain http":
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            _wait_until_left(client, services)
            return
        context = contexts.get(services.does, contexts["known"])
        names: list[str] = []
        context.sni_callback = lambda _, name, __: names.append(name)
        try:
            secure = context.wrap_socket(client, server_side=True)
        except OSError:
            return  # the client does not trust it
        with secure:
            try:
                _answer(secure, services, names[0])
            except OSError:
                services.was_left.set()
            except AssertionError as fault:
                services.faults.append(fault)


def _answer(client: ssl.SSLSocket, services: Outgoing, host: str) -> None:
    posted = _read(client, host)
    services.posted.append(posted)
    services.posting()
    _CHECKS[posted.service](posted)
    does: Does = services.does if services.only in (None, posted.service) else "answer"
    status = services.status if services.only in (None, posted.service) else 200
    match does:
        case "close":
            return
        case "hang":
            _wait_until_left(client, services)
        case "drip headers":
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            _drip(client, b"x-more: 1\r\n")
        case "drip continue":
            _drip(client, b"HTTP/1.1 100 Continue\r\n\r\n")
        case "break tls":
            socket.socket.send(client, b"this is no record of TLS")
            _wait_until_left(client, services)
        case _:
            location = f"Location: {services.location}\r\n" if services.location else ""
            client.sendall(f"HTTP/1.1 {status} X\r\n{location}Content-Length: 2\r\n\r\nok".encode())


def _drip(client: socket.socket, text: bytes) -> None:
    """Send again and again until the client has gone, which raises."""
    while True:
        client.sendall(text)
        threading.Event().wait(0.05)


def _wait_until_left(client: socket.socket, services: Outgoing) -> None:
    with suppress(OSError):
        while client.recv(65536):
            pass
    services.was_left.set()


def _read(client: ssl.SSLSocket, host: str) -> Posted:
    reader = client.makefile("rb")
    method, target, version = reader.readline().decode().split()
    headers = dict[str, str]()
    while line := reader.readline().decode().strip():
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    assert (method, version) == ("POST", "HTTP/1.1")
    assert headers["host"] == host
    assert headers["content-type"] == "application/json"
    body = json.loads(reader.read(int(headers["content-length"])))
    [service] = [name for name, known in HOSTS.items() if known == host]
    return Posted(service, target, headers, body)


# What each service takes


def _check_discord(posted: Posted) -> None:
    """Check it by "Execute Webhook"."""
    assert re.fullmatch(r"/api/(v\d+/)?webhooks/\d+/[\w-]+(\?thread_id=\d+)?", posted.target)
    assert posted.body.keys() == {"content", "allowed_mentions", "flags"}
    assert 1 <= units(posted.body["content"]) <= 2000
    assert posted.body["allowed_mentions"] == {"parse": []}
    assert posted.body["flags"] == 1 << 2


def _check_slack(posted: Posted) -> None:
    """Check it by "Sending messages using incoming webhooks", "Formatting message text" and "chat.postMessage"."""
    assert re.fullmatch(r"/services/\w+/\w+/\w+", posted.target)
    text = posted.body["text"]
    assert 1 <= len(text) <= 4000
    assert "<" not in text
    assert ">" not in text
    assert not re.search(r"&(?!(amp|lt|gt);)", text)
    others = {name: it for name, it in posted.body.items() if name != "text"}
    assert others.pop("parse") == "none"
    assert others == dict.fromkeys(("mrkdwn", "link_names", "unfurl_links", "unfurl_media"), False)


def _check_telegram(posted: Posted) -> None:
    """Check it by "sendMessage" and "MessageEntity"."""
    assert re.fullmatch(r"/bot\d+:[\w-]+/sendMessage", posted.target)
    assert posted.body.keys() == {"chat_id", "text", "entities", "link_preview_options"}
    assert re.fullmatch(r"-?\d+|@\w+", posted.body["chat_id"])
    length = units(posted.body["text"])
    assert 1 <= length <= 4096
    assert posted.body["entities"] == [{"type": "pre", "offset": 0, "length": length}]
    assert posted.body["link_preview_options"] == {"is_disabled": True}


def units(text: str) -> int:
    """Return how long a text is in UTF-16; a half of a pair is none."""
    return len(text.encode("utf-16-le")) // 2


_CHECKS: Mapping[str, Callable[[Posted], None]] = {
    "discord": _check_discord,
    "slack": _check_slack,
    "telegram": _check_telegram,
}


def shown_by_discord(content: str) -> str:
    """Return what Discord shows of a content; all that its markdown knows must be escaped."""
    unescaped = re.sub(r"\\[^0-9A-Za-z\s]", "", content)
    marked = re.findall(r"[\\*_`~|>#\[\]()<:@/]", unescaped)
    assert marked == [], marked
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", content)


def shown_by_slack(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


_READERS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "discord": lambda body: shown_by_discord(body["content"]),
    "slack": lambda body: shown_by_slack(body["text"]),
    "telegram": lambda body: str(body["text"]),
}


class _Authority:
    """An authority that signs certificates of servers."""

    def __init__(self, path: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
        certificate = self._certificate(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, path: Path, *hosts: str) -> ssl.SSLContext:
        """Return the context of a server with these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(list(map(x509.DNSName, hosts)))
        certificate = self._certificate(x509.Name([]), key, names)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
        return builder.add_extension(extension, critical=True).sign(self._key, hashes.SHA256())
