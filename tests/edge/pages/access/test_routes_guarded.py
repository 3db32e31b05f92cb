"""Every route, taken from the application itself: without a login, from another site, with an old session."""

import re
from pathlib import Path

import pytest
from browsing import PASSWORD, Browser, Locked

from edge.pages.access import sessions
from edge.pages.application import pages
from tools.driving.sorted_store import sort_some


def filled(path: str, value: str | None = None) -> str:
    """The path of a route with something in the place of each parameter; if not given, with what is there."""
    return re.sub(r"{(\w+)}", lambda found: value or {"number": "3"}.get(found[1], "1"), path)


ROUTES = [(one.method, filled(one.path), one.open) for one in pages()]
LOCKED = [(method, path) for method, path, is_open in ROUTES if not is_open]


def logged_in(locked: Locked) -> Browser:
    browser = locked()
    assert browser.post("/login", {"password": PASSWORD}).status == 303
    return browser


@pytest.mark.parametrize(("method", "path"), LOCKED)
def test_without_a_login_nothing_is_served(locked: Locked, method: str, path: str) -> None:
    browser = locked()
    answer = browser.post(path) if method == "POST" else browser.get(path)
    assert (answer.status, answer.headers.get("location")) == ((401, None) if method == "POST" else (303, "/login"))


@pytest.mark.parametrize("path", ["/nothing", "/events/../status", "//events", "/static/../application.py", "/EVENTS"])
def test_without_a_login_what_is_not_there_looks_the_same(locked: Locked, path: str) -> None:
    assert locked().get(path).status == 303


@pytest.mark.parametrize("cookie", ["x", "'", '"', "é" * 40, "a" * 5000])
def test_a_token_that_was_never_given_is_none(locked: Locked, cookie: str) -> None:
    assert locked().get("/events", cookie=f"fieldfare={cookie}".encode().decode("latin-1")).status == 303


def test_a_login_opens_every_page(locked: Locked) -> None:
    browser = logged_in(locked)
    for method, path in LOCKED:
        if method == "GET":
            answer = browser.get(path)
            assert (answer.status, answer.headers.get("location")) != (303, "/login"), path
            assert answer.status < 500, path
    assert browser.get("/").headers["location"] == "/events"


@pytest.mark.parametrize(("method", "path", "is_open"), [one for one in ROUTES if one[0] == "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://camera.local:81"},
        {"origin": "https://camera.local"},
        {"origin": "null"},
        {"origin": "", "sec_fetch_site": "cross-site"},
    ],
)
def test_no_other_site_changes_anything(
    locked: Locked, method: str, path: str, is_open: bool, headers: dict[str, str]
) -> None:
    answer = locked.member().post(path, {"password": PASSWORD}, **headers)
    assert answer.status == 403
    assert not answer.cookies


def test_a_change_without_any_sign_of_its_page_is_refused(locked: Locked) -> None:
    browser = locked.member()
    assert browser.ask("POST", "/logout").status == 403
    assert browser.ask("POST", "/logout", sec_fetch_site="same-origin").status == 303


HOSTILE = [
    "../3", "..%2f3", "/etc/passwd", "%2fetc%2fpasswd", "\x00", "3\x00.jpg", "9" * 10_000, "-1", "0", "3.0", "1e3", "٣",
    "NaN", "front:3", "barn-00000000-107891", "' OR 1=1 --", "<script>", "{number}", "\u202e3", "3 ", " 3", "%",
]  # fmt: skip


def test_the_table_of_status_codes(locked: Locked, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each route of the application: without a login, from another site, with an old session, with hostile ids."""
    sort_some(store)
    table = {}
    stranger, member = locked(), locked.member()
    real = sessions.time.time()
    for one in pages():
        ask = "POST" if one.method == "POST" else "GET"
        path = filled(one.path)
        codes = [stranger.post(path).status if ask == "POST" else stranger.get(path).status]
        codes.append(member.post(path, origin="https://evil.example").status if ask == "POST" else 0)
        with monkeypatch.context() as patch:
            patch.setattr(sessions.time, "time", lambda: real + sessions.LONGEST_S + 60)
            codes.append(member.post(path).status if ask == "POST" else member.get(path).status)
        ids = HOSTILE if "{" in one.path else []
        hostile = {member.get(filled(one.path, value)).status for value in ids}
        table[f"{one.method} {one.path}"] = (*codes, *sorted(hostile))
    print("\n".join(f"{name:<44}{row}" for name, row in table.items()))  # noqa: T201 - what `pytest -s` shows
    for one in pages():
        without, elsewhere, old, *hostile = table[f"{one.method} {one.path}"]
        denied = (401,) if one.method == "POST" else (303,)
        assert (without in denied and old in denied) or one.open, one.path
        assert elsewhere == (403 if one.method == "POST" else 0), one.path
        assert set(hostile) <= {400, 404}, one.path


def test_a_session_ends_on_both_sides(locked: Locked) -> None:
    browser = logged_in(locked)
    token = browser.cookies["fieldfare"]
    assert browser.post("/logout").headers["location"] == "/login"
    assert not browser.cookies
    browser.cookies["fieldfare"] = token
    assert browser.get("/events").status == 303


@pytest.mark.parametrize(("passed_s", "status"), [(sessions.LONGEST_S + 1, 303), (-1e9, 200), (60.0, 200)])
def test_a_session_ends_after_a_month_and_by_no_clock_that_went_back(
    locked: Locked, monkeypatch: pytest.MonkeyPatch, passed_s: float, status: int
) -> None:
    browser = locked.member()
    real = sessions.time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: real + passed_s)
    assert browser.get("/events").status == status


def test_its_cookie_is_for_this_site_and_for_no_script(locked: Locked) -> None:
    (cookie,) = locked().post("/login", {"password": PASSWORD}).cookies
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/" in cookie


def test_a_wrong_password_is_said_and_ever_more_of_them_must_wait(locked: Locked) -> None:
    browser = locked()
    for _ in range(5):
        answer = browser.post("/login", {"password": "wrong one"})
        assert answer.status == 403
        assert "That is not the password." in answer.words
    late = browser.post("/login", {"password": PASSWORD})
    assert late.status == 429, "even the right one"
    assert int(late.headers["retry-after"]) >= 1
    elsewhere = locked()
    elsewhere.address = "192.0.2.8"
    assert elsewhere.post("/login", {"password": PASSWORD}).status == 303


@pytest.mark.parametrize("path", ["/events", "/login", "/static/page.js", "/nothing", "/events/x"])
def test_every_answer_forbids_scripts_inside_frames_around_and_guessing(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin", "no-referrer would make a form's Origin null"


def test_no_page_holds_a_script_or_a_style_inside(browser: Browser) -> None:
    for path in ("/events", "/events/3", "/counts", "/status", "/login", "/nothing"):
        text = browser.get(path).text
        assert "style=" not in text
        assert "<style" not in text
        assert " onclick" not in text
        assert text.count("<script") == text.count('<script src="/static/page.js"></script>')


class TestWithoutAPassword:
    @pytest.mark.parametrize(
        "host", ["localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]:8080", "127.8.9.1"]
    )
    def test_this_machine_is_served_by_its_own_names(self, browser: Browser, host: str) -> None:
        assert browser.get("/events", host=host).status == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost.evil.example", "192.168.1.5", "", "camera.local", "::1x"]
    )
    def test_a_name_of_others_that_leads_here_is_not(self, browser: Browser, host: str) -> None:
        answer = browser.get("/events", host=host)
        assert answer.status == 403
        assert "fieldfare serve password" in answer.words


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_do_nothing(browser: Browser, method: str) -> None:
    assert browser.ask(method, "/events", origin="http://localhost").status == 405
