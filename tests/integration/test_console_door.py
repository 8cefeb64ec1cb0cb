"""Who gets in to the console, and who does not: over HTTP on this machine, and by the events of a stack's function."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from orderhook.console import app, assets, http
from orderhook.console.pages import PAGES, Pages
from orderhook.console.visit import Deployment
from orderhook.grants import ACTS_FOR, CODE_FOR, Grant
from orderhook.store.sessions import TableSessions
from tests.api import Api
from tests.console_client import SAME_ORIGIN, Door, LocalDoor, Page, StackDoor, form, local_door, sign_in
from tests.marks import OF_PAGES
from tests.service import Service, wall_clock

pytestmark = OF_PAGES

POST_STOP = ("POST", "/console/stop")

CROSS_SITE: Mapping[str, Mapping[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a sibling": {"Sec-Fetch-Site": "same-site"},
    "the address bar": {"Sec-Fetch-Site": "none"},
    "an empty header": {"Sec-Fetch-Site": ""},
    "twice": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "another site, with a matching origin": {"Sec-Fetch-Site": "cross-site", "Origin": "{origin}"},
    "nothing said": {},
    "another origin": {"Origin": "https://evil.example"},
    "the origin of a sandbox or a file": {"Origin": "null"},
    "an origin that begins like ours": {"Origin": "{origin}.evil.example"},
    "our host by another scheme": {"Origin": "ftp://{host}"},
    "a referrer alone": {"Referer": "{origin}/console"},
}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Have the console's clock be this much later."""

    def pass_time(by: timedelta) -> None:
        monkeypatch.setattr(app, "datetime", wall_clock(lambda: datetime.now(UTC) + by))

    return pass_time


@pytest.fixture
def local(service: Service) -> Iterator[LocalDoor]:
    with local_door(service.handlers_services) as door:
        yield door


@pytest.fixture
def of_stack(service: Service) -> StackDoor:
    services = service.handlers_services
    sessions = TableSessions(services.table)
    console = app.Console(services, sessions, Deployment("orderhook", "us-east-1"))
    return StackDoor(console, lambda grant: sessions.issue_code(grant, datetime.now(UTC)))


@pytest.fixture(params=["local", "of_stack"])
def door(request: pytest.FixtureRequest) -> Door:
    found: Door = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """An address at which something is done that is neither looking nor stopping."""
    table = {"/console/acts": {"POST": ("act", "stop.turn_on")}}
    monkeypatch.setattr(app, "PAGES", Pages(PAGES._table | table))  # type: ignore[operator]
    return ("POST", "/console/acts")


def redeem(door: Door, code: str, headers: Mapping[str, str] = SAME_ORIGIN) -> Page:
    return door.send("POST", "/console/login", headers, form(code=code))


def is_stopped(service: Service) -> bool:
    return service.controls.kill_switch(service.trader).on


def refused(door: Door, headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value.format(origin=door.origin, host=door.host) for name, value in headers.items()}


# Codes


def test_a_code_lets_one_in_once(door: Door) -> None:
    code = door.code()
    answer = redeem(door, code)
    assert (answer.status, answer.headers["location"]) == (303, "/console")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert door.send("GET", "/console", {"Cookie": cookie}).status == 200
    again = redeem(door, code)
    assert again.status == 403
    assert "used already" in again.body
    assert "set-cookie" not in again.headers


def test_a_code_is_refused_after_five_minutes(door: Door, later: Callable[[timedelta], None]) -> None:
    code = door.code()
    later(CODE_FOR)
    assert redeem(door, code).status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_following_a_link_uses_nothing_up(door: Door, method: str) -> None:
    code = door.code()
    for address in (f"/console/login?code={code}", f"/console/login/{code}", f"/console?code={code}"):
        answer = door.send(method, address, SAME_ORIGIN, "" if method == "HEAD" else form(code=code))
        assert "set-cookie" not in answer.headers
    assert redeem(door, code).status == 303


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_code_is_posted_and_nothing_else(door: Door, method: str) -> None:
    code = door.code()
    assert door.send(method, "/console/login", SAME_ORIGIN, form(code=code)).status == 405
    assert redeem(door, code).status == 303


def test_a_code_in_the_address_of_the_post_counts_for_nothing(door: Door) -> None:
    code = door.code()
    assert door.send("POST", f"/console/login?code={code}", SAME_ORIGIN, form(code="")).status == 403
    assert redeem(door, code).status == 303


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "\ud83d"])
def test_what_is_no_code_lets_nobody_in(door: Door, code: str) -> None:
    body = form(code=code) if code.isascii() else "code=%ED%A0%BD"
    assert door.send("POST", "/console/login", SAME_ORIGIN, body).status in (400, 403)


# The cookie


def test_the_cookie_of_a_stack_is_for_its_host_by_https_alone(of_stack: StackDoor) -> None:
    cookie = redeem(of_stack, of_stack.code()).headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    assert name == "__Host-orderhook"
    assert rest.partition("; ")[2] == "Path=/; Secure; HttpOnly; SameSite=Lax"


def test_the_cookie_on_this_machine_has_another_name_and_needs_no_https(local: LocalDoor) -> None:
    cookie = redeem(local, local.code()).headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    assert name == "orderhook"
    assert rest.partition("; ")[2] == "Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize("path", ["/console", "/console/stop", "/console/nothing-is-here", "/console/login/"])
def test_without_a_session_every_page_is_the_one_that_signs_in(door: Door, path: str) -> None:
    answer = door.send("GET", path)
    assert answer.status == 401
    assert 'id="sign-in"' in answer.body


def test_without_a_session_nothing_is_done(door: Door, service: Service) -> None:
    assert door.send(*POST_STOP, SAME_ORIGIN).status == 401
    assert not is_stopped(service)


@pytest.mark.parametrize("value", ["", "x", "A" * 43, '"quoted"', "%00"])
def test_what_is_no_token_is_no_session(door: Door, value: str) -> None:
    sign_in(door)
    assert door.send("GET", "/console", {"Cookie": f"{door.cookie}={value}"}).status == 401


def test_two_cookies_of_one_name_count_as_none(door: Door) -> None:
    cookie, other = sign_in(door), sign_in(door)
    for both in (f"{cookie}; {other}", f"{cookie}; {cookie}", f"{cookie}; {door.cookie}="):
        assert door.send("GET", "/console", {"Cookie": both}).status == 401
    assert door.send("GET", "/console", {"Cookie": f"theme=dark; {cookie}; x=y"}).status == 200


def test_a_cookie_of_another_name_is_no_session(door: Door) -> None:
    token = sign_in(door).partition("=")[2]
    names = {"orderhook", "__Host-orderhook", "__Secure-orderhook", "__host-orderhook", "Orderhook"} - {door.cookie}
    for name in names:
        assert door.send("GET", "/console", {"Cookie": f"{name}={token}"}).status == 401


def test_signing_out_ends_the_session(door: Door) -> None:
    cookie = sign_in(door)
    answer = door.send("POST", "/console/sign-out", SAME_ORIGIN | {"Cookie": cookie})
    assert (answer.status, answer.headers["location"]) == (303, "/console/login")
    assert answer.headers["clear-site-data"] == '"cache"'  # nor does Back show a page
    assert door.send("GET", "/console", {"Cookie": cookie}).status == 401


def test_signing_in_and_out_leave_records_and_no_secret(door: Door, service: Service) -> None:
    grant = Grant(service.trader, "phone")
    code = door.code(grant)
    cookie = redeem(door, code).headers["set-cookie"].partition(";")[0]
    door.send("POST", "/console/sign-out", SAME_ORIGIN | {"Cookie": cookie})
    records = {record.outcome: record for record in service.alerts.newest(service.trader)}
    assert records.keys() == {"signed_in", "signed_out"}
    assert {(record.origin, record.key_label) for record in records.values()} == {("console", "phone")}
    assert records["signed_in"].key_id == records["signed_out"].key_id
    held = str(service.table.read_all()) + service.output.take()
    assert code not in held
    assert cookie.partition("=")[2] not in held


def test_what_signs_nobody_in_leaves_no_record_but_a_line_and_a_metric(door: Door, service: Service) -> None:
    service.output.take()
    code = "A" * 43
    redeem(door, code)
    lines = service.output.lines()
    assert list(service.alerts.newest("main")) == []
    assert [line["message"] for line in lines if "message" in line] == ["sign-in refused"]
    assert [line["SignInsRefused"] for line in lines if "SignInsRefused" in line] == [[1.0]]
    assert code not in str(lines)


# Hosts


HOSTS = [
    "evil.example:{port}",
    "127.0.0.1",
    "localhost",
    "127.0.0.1:1",
    "127.1:{port}",
    "[::1]:{port}",
    "0.0.0.0:{port}",
    "LOCALHOST.evil.example:{port}",
    "localhost.:{port}",
    "127.0.0.1:{port}.evil.example",
    "user@127.0.0.1:{port}",
    " ",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_foreign_host_is_answered_nothing(local: LocalDoor, service: Service, host: str) -> None:
    cookie = sign_in(local, Grant(service.trader))
    foreign = host.format(port=local.host.partition(":")[2])
    for method, path in (("GET", "/console"), ("GET", "/console/login"), ("GET", "/console/assets/app.js"), POST_STOP):
        headers = SAME_ORIGIN | {"Cookie": cookie, "Origin": f"http://{foreign}"}
        answer = local.send(method, path, headers, hosts=(foreign,))
        assert (answer.status, answer.body) == (421, "")
    assert not is_stopped(service)


def test_a_name_that_was_bent_to_this_machine_redeems_no_code(local: LocalDoor) -> None:
    code = local.code()
    evil = f"evil.example:{local.host.partition(':')[2]}"
    for headers in ({"Origin": f"http://{evil}"}, SAME_ORIGIN):
        answer = local.send("POST", "/console/login", headers, form(code=code), hosts=(evil,))
        assert (answer.status, answer.body) == (421, "")
    assert redeem(local, code).status == 303


def test_two_hosts_are_answered_nothing(local: LocalDoor) -> None:
    for hosts in ((local.host, local.host), (local.host, "evil.example"), ("evil.example", local.host)):
        assert local.send("GET", "/console/login", hosts=hosts).status == 421


def test_a_host_in_the_request_line_goes_before_the_header(local: LocalDoor) -> None:
    assert local.send("GET", "http://evil.example/console/login").status == 421


def test_both_names_of_this_machine_are_answered(local: LocalDoor) -> None:
    for name in (local.host, local.host.replace("127.0.0.1", "localhost")):
        assert local.send("GET", "/console/login", hosts=(name,)).status == 200


# Who may send what changes something


@pytest.mark.parametrize("headers", CROSS_SITE.values(), ids=list(CROSS_SITE))
def test_what_another_page_sends_is_refused(door: Door, service: Service, headers: Mapping[str, str]) -> None:
    cookie = sign_in(door, Grant(service.trader))
    code = door.code()
    sent = refused(door, headers)
    assert door.send(*POST_STOP, sent | {"Cookie": cookie}).status == 403
    assert door.send("POST", "/console/sign-out", sent | {"Cookie": cookie}).status == 403
    assert redeem(door, code, sent).status == 403
    assert not is_stopped(service)
    assert redeem(door, code).status == 303
    assert door.send("GET", "/console", {"Cookie": cookie}).status == 200


def test_a_browser_that_knows_no_fetch_metadata_says_its_origin(door: Door, service: Service) -> None:
    origin = {"Origin": door.origin}
    code = door.code(Grant(service.trader))
    cookie = redeem(door, code, origin).headers["set-cookie"].partition(";")[0]
    assert door.send(*POST_STOP, origin | {"Cookie": cookie}).status == 303
    assert is_stopped(service)


def test_the_other_name_of_this_machine_is_another_origin(local: LocalDoor) -> None:
    other = {"Origin": local.origin.replace("127.0.0.1", "localhost")}
    assert redeem(local, local.code(), other).status == 403


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/xml", ""]
)
def test_a_form_is_a_form(of_stack: StackDoor, content_type: str) -> None:
    headers = SAME_ORIGIN | {"Content-Type": content_type}
    assert of_stack.send("POST", "/console/login", headers, form(code=of_stack.code())).status == 415


# The API's door


def test_a_session_is_nothing_to_the_api(door: Door) -> None:
    cookie = sign_in(door)
    for path in ("/v1/api/orders", "/v1/api/killswitch", "/v1/api"):
        with_it, without = (door.send("GET", path, headers) for headers in ({"Cookie": cookie}, {}))
        assert (with_it.status, "set-cookie" in with_it.headers) == (without.status, False)
        assert with_it.status >= 400
    assert door.send("POST", "/v1/api/orders/cancelall", SAME_ORIGIN | {"Cookie": cookie}).status >= 400


def test_a_key_is_nothing_to_the_console(door: Door, service: Service) -> None:
    token = sign_in(door, Grant(service.trader)).partition("=")[2]
    for secret in (service.key, token):
        headers = SAME_ORIGIN | {"Authorization": f"Bearer {secret}"}
        assert door.send("GET", "/console", headers).status == 401
        assert door.send(*POST_STOP, headers).status == 401
    assert not is_stopped(service)


# Headers


def answers(door: Door) -> Iterator[tuple[str, Page]]:
    cookie = {"Cookie": sign_in(door)}
    yield "page", door.send("GET", "/console", cookie)
    yield "head", door.send("HEAD", "/console", cookie)
    yield "signed out", door.send("GET", "/console")
    yield "sign in", door.send("GET", "/console/login")
    yield "redirect", door.send("GET", "/")
    yield "303", door.send("POST", "/console/login", SAME_ORIGIN, form(code=door.code()))
    yield "403", door.send("POST", "/console/login", {}, form(code="x"))
    yield "404", door.send("GET", "/console/nothing-is-here", cookie)
    yield "405", door.send("DELETE", "/console", SAME_ORIGIN | cookie)
    yield "413", door.send("POST", "/console/login", SAME_ORIGIN, "code=" + "x" * 200_000)
    yield "api", door.send("GET", "/v1/api/nothing-is-here")
    for name in assets._TYPES:
        yield name, door.send("GET", f"/console/assets/{name}")
    tag = door.send("GET", "/console/assets/app.js").headers["etag"]
    yield "304", door.send("GET", "/console/assets/app.js", {"If-None-Match": tag})
    page = door.send("GET", "/console", cookie | {"X-Poll": "1"})
    yield "poll", door.send("GET", "/console", cookie | {"X-Poll": "1", "If-None-Match": page.headers["etag"]})
    if isinstance(door, LocalDoor):
        yield "421", door.send("GET", "/console", hosts=("evil.example",))


def test_every_answer_has_the_headers_that_protect_it(door: Door) -> None:
    found = dict(answers(door))
    expected = {"404": 404, "405": 405, "413": 413, "304": 304, "421": 421, "403": 403, "303": 303, "poll": 304}
    assert {name: page.status for name, page in found.items() if name in expected} == {
        name: status for name, status in expected.items() if name in found
    }
    for name, page in found.items():
        kept = "no-cache" if name in (*assets._TYPES, "304") and name != "304" else None
        for header, value in http.SECURITY.items():
            assert page.headers[header.lower()] == (kept if header == "Cache-Control" and kept else value), name


def test_what_protects_pages_is_what_was_promised() -> None:
    assert http.SECURITY == {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=31536000",
    }


@pytest.mark.parametrize(
    "path", ["//evil.example", "/console/../..//evil.example", "/console/login?next=//evil.example"]
)
def test_no_redirect_leads_to_what_a_request_says(door: Door, path: str) -> None:
    cookie = sign_in(door)
    for method, address in (("GET", path), ("POST", f"/console/login?next={path}"), ("POST", path)):
        answer = door.send(method, address, SAME_ORIGIN | {"Cookie": cookie, "Referer": "https://evil.example/"})
        assert answer.headers.get("location", "/console").partition("?")[0] in ("/console", "/console/login")


def test_a_redirect_to_elsewhere_is_a_defect() -> None:
    for path in ("https://evil.example", "//evil.example", "/", "console"):
        with pytest.raises(ValueError, match="a page of the console"):
            http.see_other(path)


# Where there is nothing


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/console/nowhere", "/nowhere", "/console/alerts/not-an-id"])
def test_an_address_without_a_page_has_the_frame_of_one(door: Door, service: Service, method: str, path: str) -> None:
    headers = SAME_ORIGIN | {"Cookie": sign_in(door, Grant(service.trader))}
    answer = door.send(method, path, headers)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in answer.body
    assert 'href="/console/orders"' in answer.body
    assert "Stop trading" in answer.body
    assert 'href="/console/orders"' not in door.send(method, path, SAME_ORIGIN).body, "not to a stranger"


# What a session may


def test_after_twelve_hours_a_session_looks_and_stops_and_is_told_why_not_more(
    door: Door, service: Service, later: Callable[[timedelta], None], acts: tuple[str, str]
) -> None:
    cookie = {"Cookie": sign_in(door, Grant(service.trader))}
    later(ACTS_FOR)
    answer = door.send(*acts, SAME_ORIGIN | cookie)
    assert answer.status == 403
    assert "more than 12 hours old" in answer.body
    assert not is_stopped(service)
    assert door.send("GET", "/console", cookie).status == 200
    assert door.send(*POST_STOP, SAME_ORIGIN | cookie).status == 303
    assert is_stopped(service)


def test_until_then_it_does_more(door: Door, service: Service, acts: tuple[str, str]) -> None:
    assert door.send(*acts, SAME_ORIGIN | {"Cookie": sign_in(door, Grant(service.trader))}).status == 303
    assert is_stopped(service)


def test_a_session_that_only_looks_does_nothing(door: Door, service: Service, acts: tuple[str, str]) -> None:
    cookie = {"Cookie": sign_in(door, Grant(service.trader, read_only=True))}
    assert door.send("GET", "/console", cookie).status == 200
    for action in (acts, POST_STOP):
        answer = door.send(*action, SAME_ORIGIN | cookie)
        assert answer.status == 403
        assert "may only look" in answer.body
    assert not is_stopped(service)
    assert door.send("POST", "/console/sign-out", SAME_ORIGIN | cookie).status == 303


def test_a_console_that_only_looks_stops_all_the_same_and_says_why(service: Service, acts: tuple[str, str]) -> None:
    deployment = Deployment("orderhook", "us-east-1", read_only_because="The versions differ.")
    with local_door(service.handlers_services, deployment) as door:
        cookie = {"Cookie": sign_in(door, Grant(service.trader))}
        answer = door.send(*acts, SAME_ORIGIN | cookie)
        assert answer.status == 403
        assert "The versions differ." in answer.body
        assert not is_stopped(service)
        bearer = {"Authorization": f"Bearer {Api(service).key}"}
        api = door.send("POST", "/v1/api/orders/cancelall", bearer)
        assert (api.status, "The versions differ." in api.body) == (403, True)
        assert door.send(*POST_STOP, SAME_ORIGIN | cookie).status == 303
        assert is_stopped(service)
