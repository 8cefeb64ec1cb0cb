"""ministack, an emulator of AWS that others wrote, as a child process: in memory, gone when the `with` block ends.

    with running(folder) as emulator:
        emulator.client("dynamodb").list_tables()

It enforces IAM for the functions' roles; who deploys and operates is the account's root. Every request goes through a
door that notes what was denied, and that is the way to the webhook too: an HTTPS proxy, so that the address which the
stack puts out is the one that is used.
"""

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.runtime import artifact

PYTHON = artifact.ROOT / ".venv-deploy" / "bin" / "python"
REGION = "us-east-1"
API_HOSTS = f"execute-api.{REGION}.amazonaws.com"

SECONDS_TO_START = 60
_OF_A_CONNECTION = {"connection", "content-length", "expect", "keep-alive", "proxy-connection", "transfer-encoding"}


def missing() -> str | None:
    """Return in one line what this machine lacks to deploy; None if it lacks nothing."""
    if artifact.python().minor != artifact.RUNTIME:
        return (
            f"Nothing is deployed: the emulator needs the functions' Python {artifact.RUNTIME}, and there is none here"
        )
    if artifact.missing() or not PYTHON.exists():
        return "Nothing is deployed: run these tests by `make test-deploy`, which brings the SAM CLI and the emulator"
    return None


class Emulator:
    """The whole of AWS, at one address."""

    def __init__(self, door: "_Door", certificate: Path, log: Path) -> None:
        self.address = f"http://127.0.0.1:{door.server_port}"
        self.denied = door.denied
        """What IAM denied so far, in its own words."""
        self.asked_by_users = door.asked_by_users
        """What users of IAM asked for: the operation, as `DynamoDB_20120810.GetItem`, and the body."""
        self.log = log
        self.certificate = certificate

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead every tool here, and to the webhook by HTTPS."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_DEFAULT_REGION": REGION,
            "HTTPS_PROXY": self.address,
            "REQUESTS_CA_BUNDLE": str(self.certificate),
        }

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION, endpoint_url=self.address)  # type: ignore[call-overload]


@contextmanager
def running(folder: Path) -> Iterator[Emulator]:
    """Run it on a free port; `folder` has its log."""
    certificate, log = folder / "certificate.pem", folder / "emulator.log"
    _make_certificate(certificate)
    port = _free_port()
    with _Door(port, certificate) as door:
        Thread(target=door.serve_forever, daemon=True).start()
        emulator = Emulator(door, certificate, log)
        environment = os.environ | {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "TMPDIR": str(folder),
            # The functions go through the door as well.
            "AWS_ENDPOINT_URL": emulator.address,
        }
        environment.pop("PYTHONPATH", None)
        command = [str(PYTHON), "-m", "ministack"]
        # A group of its own, so that the functions' processes end with it.
        with (
            log.open("w") as output,
            subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True) as process,
        ):
            try:
                _wait_for(port, process)
                yield emulator
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                door.shutdown()


class _Door(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.upstream = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=64, retries=False, timeout=60)
        self.denied: list[str] = []
        self.asked_by_users: list[tuple[str, bytes]] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, certificate.with_suffix(".key"))


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Door
    _host: str | None = None
    """Of a connection to the webhook the name that the emulator has for it."""

    def do_CONNECT(self) -> None:
        api, _, host = self.path.partition(":")[0].partition(".")
        if host != API_HOSTS:
            self.send_error(502, f"There is no way from here to {self.path}")
            return
        self.send_response_only(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self._host = f"{api}.execute-api.localhost"
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the server knows only the one that was not encrypted

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_A_CONNECTION}
        if self._host:
            headers["Host"] = self._host
        if "Credential=AKIA" in self.headers.get("Authorization", ""):
            self.server.asked_by_users.append((self.headers.get("X-Amz-Target", ""), body))
        answer = self.server.upstream.request(self.command, self.path, body, headers=headers, decode_content=False)
        if answer.status >= 400 and (denial := _denial(answer.data)):
            self.server.denied.append(denial)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_A_CONNECTION or (self.command == "HEAD" and name.lower() == "content-length"):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    do_DELETE = do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = _forward  # noqa: N815  http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is http.server's
        """Leave stderr to the tests."""


def _denial(body: bytes) -> str | None:
    text = body.decode(errors="replace")
    return text if "AccessDenied" in text or "not authorized" in text else None


def _make_certificate(path: Path) -> None:
    """Write a certificate for the addresses of APIs, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "orderhook's tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"*.{API_HOSTS}")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("The emulator did not start")
