"""Right, wrong, another label; several at once; undo; two people at one event."""

import base64
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browsing import Answer, Browser

from edge.errors import StorageError
from edge.pages.views import marking
from edge.store.orders import MarkEvents, carry_out
from edge.store.reading import StoreReader
from edge.store.records import Mark

GIVEN = Mark(verdict="right", by="page", wall_s=9.0)


def mark_of(store: Path, number: int) -> Mark | None:
    with StoreReader(store) as reader:
        stored = reader.find(str(number))
    assert stored is not None
    return stored.mark


def press(browser: Browser, page: Answer, *fields: tuple[str, str]) -> Answer:
    """Send the form of a page, with what a person adds to it."""
    names = [f"seen-{number}" for number in range(1, 61)]
    seen = [(name, value) for name in names for value in page.fields(name)]
    return browser.post("/events/marks", [("back", page.fields("back")[0]), *seen, *fields])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("one", "60:right")], ("right", None)),
        ([("one", "60:wrong")], ("wrong", None)),
        ([("one", "60:other"), ("label-60", " polecat ")], ("other", "polecat")),
        ([("one", "60:other"), ("label-60", "unknown")], ("other", "unknown")),
    ],
)
def test_one_press_marks_an_event(
    browser: Browser, store: Path, fields: list[tuple[str, str]], expected: tuple[str, str | None]
) -> None:
    answer = press(browser, browser.get("/events"), *fields)
    assert answer.status == 303
    mark = mark_of(store, 60)
    assert mark is not None
    assert (mark.verdict, mark.label) == expected
    assert mark.by == "page"
    page = browser.get(answer.headers["location"].partition("#")[0])
    assert "Marked: 1." in page.words
    assert mark_of(store, 59) is None


def test_several_are_marked_at_once_and_taken_back_at_once(browser: Browser, store: Path) -> None:
    carry_out(store, [MarkEvents((58,), Mark(verdict="wrong", by="ada", wall_s=5.0))])
    answer = press(
        browser, browser.get("/events"), ("event", "60"), ("event", "58"), ("verdict", "other"), ("label", "polecat")
    )
    for number in (60, 58):
        assert getattr(mark_of(store, number), "label", None) == "polecat"
    page = browser.get(answer.headers["location"].partition("#")[0])
    undone = browser.post("/events/undo", {"undo": page.fields("undo")[0], "back": "/events"})
    assert undone.headers["location"] == "/events"
    assert mark_of(store, 60) is None
    assert mark_of(store, 58) == Mark(verdict="wrong", by="ada", wall_s=5.0)


class TestUndo:
    def marked(self, browser: Browser) -> str:
        """Mark 60 and 59, and return what the button sends."""
        answer = press(browser, browser.get("/events"), ("event", "60"), ("event", "59"), ("verdict", "right"))
        return browser.get(answer.headers["location"].partition("#")[0]).fields("undo")[0]

    def test_it_overwrites_nothing_that_somebody_else_marked_later(self, browser: Browser, store: Path) -> None:
        undo = self.marked(browser)
        theirs = Mark(verdict="other", label="<b>polecat\u2019s", by="ada", wall_s=5e9)
        carry_out(store, [MarkEvents((60,), theirs)])
        answer = browser.post("/events/undo", {"undo": undo, "back": "/events"})
        assert answer.status == 409
        assert "Event 60 : <b>polecat" in answer.words
        assert "Event 59" not in answer.words
        assert "<b>" not in answer.text
        assert mark_of(store, 60) == theirs
        assert getattr(mark_of(store, 59), "verdict", None) == "right", "all or none"
        again = browser.post("/events/undo", {"undo": answer.fields("undo")[0], "back": "/events", "anyway": "yes"})
        assert again.headers["location"] == "/events"
        assert mark_of(store, 60) is None
        assert mark_of(store, 59) is None

    def test_a_second_press_changes_nothing(self, browser: Browser, store: Path) -> None:
        undo = self.marked(browser)
        assert browser.post("/events/undo", {"undo": undo}).status == 303
        carry_out(store, [MarkEvents((60,), Mark(verdict="wrong", by="ada", wall_s=5e9))])
        assert browser.post("/events/undo", {"undo": undo}).status == 409
        assert getattr(mark_of(store, 60), "verdict", None) == "wrong"

    def test_events_that_are_gone_are_left_out(self, browser: Browser, store: Path) -> None:
        with StoreReader(store) as reader:
            stored = reader.find("60")
        assert stored is not None
        gone = msgspec.structs.replace(stored, number=999)
        assert browser.post("/events/undo", {"undo": marking.Undo.of([gone], GIVEN).text}).status == 303

    @pytest.mark.parametrize("number", [0, -1, 10**16, 10**30])
    def test_no_number_of_an_event_is_too_odd(self, browser: Browser, store: Path, number: int) -> None:
        with StoreReader(store) as reader:
            stored = reader.find("60")
        assert stored is not None
        packed = base64.urlsafe_b64encode(zlib.compress(b'["right.9.000",[[%d,null]]]' % number)).decode()
        assert browser.post("/events/undo", {"undo": packed}).status == 400


def test_after_a_mark_the_list_is_as_it_was_chosen(browser: Browser) -> None:
    page = browser.get("/events?label=fox&checked=no")
    answer = press(browser, page, ("one", f"{page.fields('event')[0]}:right"))
    assert answer.headers["location"].startswith("/events?label=fox&checked=no&done=")


@pytest.mark.parametrize(
    "back",
    ["https://evil.example/events", "//evil.example/events", "/login", "/eventsx", "javascript:1", "http://[", "[", ""],
)
def test_no_form_leads_to_another_site(browser: Browser, back: str) -> None:
    answer = browser.post("/events/marks", [("back", back), ("seen-60", "-"), ("one", "60:right")])
    assert answer.headers["location"].startswith("/events?done=")


def test_of_two_people_the_second_is_asked(browser: Browser, store: Path) -> None:
    page = browser.get("/events")
    carry_out(store, [MarkEvents((60,), Mark(verdict="wrong", by="ada", wall_s=5.0))])
    answer = press(browser, page, ("event", "60"), ("event", "59"), ("verdict", "right"))
    assert answer.status == 409
    assert "Event 60" in answer.words
    assert "Event 59" not in answer.words
    assert mark_of(store, 59) is None, "all or none"
    kept = [(name, value) for name in ("event", "seen-60", "seen-59", "verdict") for value in answer.fields(name)]
    assert browser.post("/events/marks", [*kept, ("anyway", "yes")]).status == 303
    assert getattr(mark_of(store, 60), "verdict", None) == "right"


def test_of_two_people_at_the_same_moment_the_second_is_asked(
    browser: Browser, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder takes a mark within a second or two: the second one comes meanwhile."""

    def slow(*words: Any) -> None:
        time.sleep(0.5)
        carry_out(*words)

    monkeypatch.setattr(marking, "carry_out", slow)
    with ThreadPoolExecutor() as people:
        verdicts = ("right", "wrong")
        asked = [people.submit(browser.post, "/events/marks", {"seen-60": "-", "one": f"60:{one}"}) for one in verdicts]
        statuses = [answer.result().status for answer in asked]
    assert sorted(statuses) == [303, 409]
    assert getattr(mark_of(store, 60), "verdict", None) == verdicts[statuses.index(303)]


def test_one_who_waits_too_long_for_another_mark_is_told_so(
    browser: Browser, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "_PATIENCE_S", 0.1)

    def ask_meanwhile(*words: Any) -> None:
        answer = browser.post("/events/marks", {"seen-59": "-", "one": "59:right"})
        assert answer.status == 503
        assert "nothing was changed" in answer.words
        carry_out(*words)

    monkeypatch.setattr(marking, "carry_out", ask_meanwhile)
    assert browser.post("/events/marks", {"seen-60": "-", "one": "60:right"}).status == 303
    assert mark_of(store, 59) is None


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("event", "x"), ("verdict", "right")],
        [("event", "60"), ("verdict", "perhaps")],
        [("event", "60"), ("verdict", "other"), ("label", "")],
        [("event", "60"), ("label", "a\u202eb")],
        [("event", "60"), ("label", "x" * 2000)],
        [("event", "60"), ("label", "Unknown")],
        [("one", "60:right:x")],
        [("one", "9999:right")],
    ],
)
def test_what_is_no_mark_is_refused_and_changes_nothing(
    browser: Browser, store: Path, fields: list[tuple[str, str]]
) -> None:
    answer = browser.post("/events/marks", [("seen-60", "-"), *fields])
    assert answer.status == 400
    assert mark_of(store, 60) is None


@pytest.mark.parametrize("text", ["", "x", "eNo=", "AAAA", "é"])
def test_no_other_text_undoes_anything(browser: Browser, text: str) -> None:
    assert browser.post("/events/undo", {"undo": text}).status == 400


def test_an_undo_cannot_give_labels_that_nobody_may_give(browser: Browser, store: Path) -> None:
    with StoreReader(store) as reader:
        stored = reader.find("60")
    assert stored is not None
    for mark in (Mark(verdict="other", label="a\x1b[2J", wall_s=1.0), Mark(verdict="right", by="a\x1b[2J", wall_s=1.0)):
        odd = msgspec.structs.replace(stored, mark=mark)
        assert browser.post("/events/undo", {"undo": marking.Undo.of([odd], GIVEN).text}).status == 400


def test_a_mark_that_cannot_be_written_is_refused_in_words(
    browser: Browser, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("events.db: No space left on device")

    page = browser.get("/events")
    monkeypatch.setattr(marking, "carry_out", full)
    answer = press(browser, page, ("one", "60:right"))
    assert answer.status == 507
    assert "It could not be written, so nothing was changed. events.db: No space left on device" in answer.words


def test_a_browser_that_closes_within_a_form_changes_nothing(
    browser: Browser, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert browser.break_off("/events/marks", b"one=60:right&seen-60=-").status == 400
    assert mark_of(store, 60) is None
    assert not caplog.records


def test_a_form_that_is_too_large_or_of_another_kind_is_refused(browser: Browser) -> None:
    assert browser.post("/events/marks", {"label": "x" * 70_000}, content_length="70100").status == 413
    assert browser.post("/events/marks", {"label": "x" * 70_000}).status == 400
    assert browser.post("/events/marks", {"one": "60:right"}, content_type="application/json").status == 400
