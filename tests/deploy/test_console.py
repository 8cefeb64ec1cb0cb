"""The stack's own console, and the one that somebody runs over the stack on their own machine."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from cli.aws.demo import KEY
from tests.console_client import SAME_ORIGIN
from tests.deploy.emulator import Emulator
from tests.deploy.stack import PATIENCE_SECONDS, Stack, wait_for
from tests.runtime import artifact


@pytest.fixture(scope="module")
def with_console(emulator: Emulator, template: Path) -> Iterator[Stack]:
    stack = Stack(emulator, "with-console")
    stack.deploy(template, Console="true", DeletionProtection="false")
    yield stack
    stack.delete()


class Browser:
    """What somebody sees at the stack's address; a function that starts on a busy machine may need a second look."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._base = stack.output("ConsoleUrl").removesuffix("/console")
        self._cookies: dict[str, str] = {}

    def once(self, method: str, path: str, **fields: str) -> requests.Response:
        answer = requests.request(
            method,
            self._base + path,
            data=fields or None,
            headers=SAME_ORIGIN if method == "POST" else {},
            cookies=self._cookies,
            proxies={"https": self._stack.emulator.address},
            verify=str(self._stack.emulator.certificate),
            timeout=PATIENCE_SECONDS,
            allow_redirects=False,
        )
        self._cookies |= answer.cookies.get_dict()
        return answer

    def get(self, path: str) -> requests.Response:
        def answer() -> list[requests.Response]:
            found = self.once("GET", path)
            return [found] if found.status_code < 500 else []  # in a list, for a refusal is false by itself

        return wait_for(answer)[0]


def link_of(stack: Stack, *arguments: str) -> str:
    printed = stack.orderhook("console", "--phone", *arguments)
    assert printed.exit_code == 0, printed.output
    [link] = re.findall(r"^console: (\S+)$", printed.stdout, re.MULTILINE)
    return str(link)


def test_the_stacks_own_console_signs_in_stops_trading_and_signs_out(with_console: Stack) -> None:
    with_console.new_key()
    link = link_of(with_console, "--label", "phone")
    assert link.startswith(with_console.output("ConsoleUrl") + "/login#")
    browser = Browser(with_console)
    assert browser.get("/console").status_code == 401
    assert browser.get("/console/login").status_code == 200
    code = urlsplit(link).fragment
    answer = browser.once("POST", "/console/login", code=code)
    assert answer.status_code == 303, answer.text
    assert answer.headers["set-cookie"].startswith("__Host-orderhook=")
    assert browser.once("POST", "/console/login", code=code).status_code == 403
    page = browser.get("/console")
    assert page.status_code == 200
    assert with_console.name in page.text
    assert browser.once("POST", "/console/stop").status_code == 303
    assert with_console.data("kill-switch")["on"] is True
    # The records say who, and the webhook heeds it.
    recorded = {each["outcome"]: each for each in with_console.data("alerts")}
    assert {"signed_in", "kill_switch_on"} <= recorded.keys()
    assert recorded["signed_in"]["key_label"] == "phone"
    assert with_console.orderhook("kill-switch", "off").exit_code == 0
    assert browser.once("POST", "/console/sign-out").status_code == 303
    assert browser.get("/console").status_code == 401


def test_all_sessions_are_ended_by_the_command_line(with_console: Stack) -> None:
    browser = Browser(with_console)
    browser.get("/console/login")
    assert browser.once("POST", "/console/login", code=urlsplit(link_of(with_console)).fragment).status_code == 303
    waiting = link_of(with_console)
    printed = with_console.orderhook("console", "--sign-out")
    assert printed.stdout.startswith("1 session of main ended"), printed.output
    assert browser.once("POST", "/console/stop").status_code == 401
    assert browser.once("POST", "/console/login", code=urlsplit(waiting).fragment).status_code == 403


def test_a_stack_without_a_console_says_what_to_do(stack: Stack) -> None:
    printed = stack.orderhook("console", "--phone")
    assert printed.exit_code == 1
    assert "Console=true" in printed.output


@contextmanager
def console_on_this_machine(stack: Stack) -> Iterator[tuple[str, str]]:
    """Run `orderhook console --stack`; give what it printed, and the link."""
    command = [sys.executable, "-m", "tests.patient_orderhook", "console", "--no-browser", "--stack", stack.name]
    environment = {**os.environ, **stack.emulator.environment}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=artifact.ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if "Ctrl-C" in line:
                    break
            found = re.findall(r"^console: (\S+)$", printed, re.MULTILINE)
            assert found, printed
            yield printed, found[0]
        finally:
            process.kill()


def test_a_console_on_ones_own_machine_works_by_the_stacks_settings(demo: Stack) -> None:
    demo.post(f"key={KEY}; command=CANCEL; order_id=demo-1;")
    with console_on_this_machine(demo) as (printed, link):
        assert "only looks" not in printed
        where = urlsplit(link)
        origin = f"{where.scheme}://{where.netloc}"
        browser = requests.Session()
        browser.trust_env = False
        signed_in = browser.post(f"{origin}/console/login", data={"code": where.fragment}, headers=SAME_ORIGIN)
        assert signed_in.status_code == 200
        assert demo.name in signed_in.text
        assert "us-east-1" in signed_in.text
        stopped = browser.post(f"{origin}/console/stop", headers=SAME_ORIGIN, allow_redirects=False)
        assert stopped.status_code == 303
        assert demo.data("kill-switch")["on"] is True
        assert demo.orderhook("kill-switch", "off").exit_code == 0
