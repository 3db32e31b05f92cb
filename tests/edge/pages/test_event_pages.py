"""The list of events, one event, counts and status, as a browser gets them."""

import os
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from browsing import Browser

from edge.errors import StorageError
from edge.events.log_clock import ClockPiece
from edge.events.records import Event
from edge.events.score_log import ScoreLogWriter
from edge.events.wall_clock import ClockReading
from edge.pages.application import build
from edge.pages.site import Site
from edge.results import Candidate
from edge.store.reading import StoreReader
from edge.store.records import Filter
from edge.store.writing import StoreWriter
from edge.supervision.status import begin
from tools.make_store import Made, made_events, make_store


def numbers(text: str) -> list[int]:
    """The events of a page, in its order."""
    return [int(number) for number in re.findall(r'<li id="event-(\d+)"', text)]


def test_the_newest_come_first_and_every_event_is_on_one_page(browser: Browser) -> None:
    page = browser.get("/events")
    found, pages = numbers(page.text), 1
    assert found == list(range(60, 36, -1))
    assert "60 events" in page.words
    while older := [link for link in page.links("/events?") if "before=" in link]:
        page = browser.get(older[0])
        found += numbers(page.text)
        pages += 1
    assert found == list(range(60, 0, -1))
    assert pages == 3


def test_events_of_one_millisecond_are_on_one_page_each(site: Site, tmp_path: Path) -> None:
    one = next(iter(made_events(1)))
    same = [Made(msgspec.structs.replace(one.event, sequence=number), one.booted_s) for number in range(1, 61)]
    make_store(tmp_path / "events.db", same)
    browser = Browser(build(replace(site, store=tmp_path / "events.db")))
    found, page = [], browser.get("/events")
    while True:
        found += numbers(page.text)
        older = [link for link in page.links("/events?") if "before=" in link]
        if not older:
            break
        page = browser.get(older[0])
    assert sorted(found) == list(range(1, 61))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("label=fox", Filter(labels=("fox",))),
        ("least=80&most=90.5", Filter(least_score=0.8, most_score=0.905)),
        ("checked=no", Filter(checked=False)),
        ("checked=yes", Filter(checked=True)),
        ("label=no+such+animal", Filter(labels=("no such animal",))),
    ],
)
def test_the_form_chooses_events(browser: Browser, store: Path, words: str, wanted: Filter) -> None:
    with StoreReader(store) as reader:
        expected = [stored.number for stored in reader.events(wanted)]
    page = browser.get(f"/events?{words}")
    assert numbers(page.text) == expected[:24]
    if not expected:
        assert "No event matches." in page.words


def test_a_day_is_one_of_this_machine(browser: Browser, store: Path) -> None:
    """2026-05-02 begins at 22 h UTC of the day before."""
    with StoreReader(store) as reader:
        begins = {stored.number: stored.begin_wall_s for stored in reader.events(Filter())}
    midnight_s = 1777672800.0
    expected = {number for number, begin_s in begins.items() if midnight_s <= begin_s < midnight_s + 86400}
    assert f"{len(expected)} events" in browser.get("/events?day=2026-05-02").words
    assert expected


@pytest.mark.parametrize(
    "words",
    ["day=yesterday", "day=2026-13-40", "least=101", "least=nan", "least=-1", "checked=maybe", "before=x", "before=9-"],
)
def test_words_that_no_form_sends_are_refused_in_words(browser: Browser, words: str) -> None:
    page = browser.get(f"/events?{words}")
    assert page.status == 400
    assert "The page sent something that cannot be." in page.words


def test_one_event_shows_everything(browser: Browser, store: Path) -> None:
    with StoreReader(store) as reader:
        stored = next(one for one in reader.events(Filter()) if len(one.pictures) == 4)
    page = browser.get(f"/events/{stored.number}")
    assert len(re.findall(rf'<img src="/events/{stored.number}/pictures/[1-4]"', page.text)) == 4
    for words in (stored.label, "barn", "best picture", "cut out", "before", "after", "Runner-up"):
        assert words in page.words


class TestScoreCurve:
    def logged(self, path: Path, event: Event) -> None:
        """Write a log in which the event's label had 0.9 in it, and 0.1 around it."""
        writer = ScoreLogWriter([event.label, "other"], event.bundle, [0.6, 0.6])
        log = ClockPiece(event.boot, 0.0, ClockReading(1.7e9, "ntp")).packed()
        for number in range(round((event.end_mono_s - event.begin_mono_s + 20) * 5)):
            mono_s = event.begin_mono_s - 10 + number / 5
            inside = event.begin_mono_s <= mono_s <= event.end_mono_s
            log += writer.add(mono_s, mono_s, np.array([0.9 if inside else 0.1, 0.0], np.float32)) or b""
        path.write_bytes(log + (writer.flush() or b""))

    def test_it_is_drawn_from_the_log_beside_the_store(self, browser: Browser, store: Path) -> None:
        with StoreReader(store) as reader:
            stored = reader.find("7")
        assert stored is not None
        self.logged(store.with_name("scores.log"), stored.event)
        page = browser.get("/events/7")
        (points,) = re.findall(r'<polyline points="([^"]*)"/>', page.text)
        heights = {float(pair.split(",")[1]) for pair in points.split()}
        assert heights == {12.0, 108.0}
        assert "10.0 % to 90.0 %" in page.words
        assert 'class="threshold" x1="0" x2="480" y1="48.0"' in page.text
        assert "holds this event" not in page.words
        assert "does not hold this event" in browser.get("/events/60").words

    @pytest.mark.parametrize(
        "label",
        ["<svg onload=alert(1)>", '"/><script>alert(1)</script>', "a\u202eb\u2066c", 'it\'s & "so"', "é" * 200],
    )
    def test_no_label_acts_in_a_page_or_a_drawing(self, site: Site, tmp_path: Path, label: str) -> None:
        """As one of a bundle or a store from elsewhere may."""
        one = next(iter(made_events(1)))
        made = Made(msgspec.structs.replace(one.event, label=label, runner_up=Candidate(label, 0.1)), one.booted_s)
        make_store(tmp_path / "events.db", [made])
        self.logged(tmp_path / "scores.log", made.event)
        browser = Browser(build(replace(site, store=tmp_path / "events.db")))
        for path in ("/events", "/events/1", "/counts", "/exports", "/status"):
            page = browser.get(path)
            assert page.status == 200
            assert "<svg onload" not in page.text
            assert "<script>" not in page.text
            assert not set("\u202e\u2066") & set(page.text)
        assert "<polyline" in browser.get("/events/1").text

    def test_or_from_that_of_the_settings(self, site: Site, store: Path, tmp_path: Path) -> None:
        with StoreReader(store) as reader:
            stored = reader.find("7")
        assert stored is not None
        self.logged(tmp_path / "my.log", stored.event)
        file = tmp_path / "fieldfare.toml"
        file.write_text(f'bundle = "b"\n[events]\nstore = "{store}"\nscores = "{tmp_path}/my.log"\n')
        assert "<polyline" in Browser(build(replace(site, settings=file))).get("/events/7").text
        file.write_text(f'bundle = "b"\n[events]\nstore = "{store}"\n')
        page = Browser(build(replace(site, settings=file))).get("/events/7")
        assert "To keep them: [events] scores" in page.words
        file.write_text("bundle = 3\n")
        assert "bundle = 3" in Browser(build(replace(site, settings=file))).get("/events/7").words

    def test_without_any_log_the_page_says_so(self, browser: Browser) -> None:
        assert "There is no log of scores" in browser.get("/events/7").words


@pytest.mark.parametrize("number", ["0", "61", "x", "-1", "9" * 10_000, "1" * 15, "٣", "..", "%00"])
def test_there_is_no_event_of_another_number(browser: Browser, number: str) -> None:
    for path in (f"/events/{number}", f"/events/{number}/pictures/1"):
        page = browser.get(path)
        assert page.status in (400, 404), path


class TestPictures:
    def test_it_comes_as_it_is_stored(self, browser: Browser, store: Path) -> None:
        with StoreReader(store) as reader:
            stored = reader.find("7")
        assert stored is not None
        answer = browser.get("/events/7/pictures/1")
        assert answer.body == stored.pictures[0].path.read_bytes()
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert browser.get("/events/7/pictures/1", if_none_match=answer.headers["etag"]).status == 304

    @pytest.mark.parametrize("place", ["0", "5", "99", "../1", "/etc/passwd", "1.jpg", "9" * 5000])
    def test_there_is_none_at_another_place(self, browser: Browser, place: str) -> None:
        assert browser.get(f"/events/7/pictures/{place}").status in (400, 404)

    def test_one_that_its_budget_dropped_is_gone_in_words(self, browser: Browser, store: Path) -> None:
        for picture in (store.parent / "pictures").iterdir():
            picture.unlink()
        answer = browser.get("/events/7/pictures/1")
        assert answer.status == 404
        assert "This picture is not kept any more." in answer.words

    def test_a_link_out_of_the_store_is_followed_nowhere(self, browser: Browser, store: Path, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("secret")
        for picture in (store.parent / "pictures").iterdir():
            picture.unlink()
            picture.symlink_to(secret)
        assert browser.get("/events/7/pictures/1").status == 404

    def test_a_pipe_in_its_place_holds_nobody_up(self, browser: Browser, store: Path) -> None:
        for picture in (store.parent / "pictures").iterdir():
            picture.unlink()
            os.mkfifo(picture)
        assert browser.get("/events/7/pictures/1").status == 404


def test_a_disk_that_lets_nothing_be_read_is_no_change_that_failed(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite makes a small file even to read, for which a full disk has no room."""

    def no_room(_: Path) -> StoreReader:
        raise StorageError("disk I/O error")

    monkeypatch.setattr("edge.pages.views.events.StoreReader", no_room)
    answer = browser.get("/events")
    assert answer.status == 507
    assert "nothing was changed" not in answer.words
    assert "disk I/O error" in answer.words


def test_counts_are_those_of_the_store(browser: Browser, store: Path) -> None:
    page = browser.get("/counts?label=fox")
    with StoreReader(store) as reader:
        foxes = reader.count(Filter(labels=("fox",)))
    assert f"{foxes} events" in page.words
    assert re.search(rf"fox</bdi></th><td class=\"figure\">{foxes}</td>", page.text)
    hours = [int(count) for count in re.findall(r'<th scope="row">\d+</th><td>(\d+)</td>', page.text)]
    assert len(hours) == 24
    assert sum(hours) == foxes


def test_the_status_is_that_of_the_service(site: Site, tmp_path: Path) -> None:
    status = begin()
    status.state, status.why, status.engine = "degraded", "no Edge TPU <b>", "cpu"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/status.json").write_bytes(msgspec.json.encode(status))
    page = Browser(build(replace(site, run_dir=tmp_path / "run"))).get("/status")
    assert "running, but not as in the settings" in page.words
    assert "no Edge TPU <b>" in page.words
    assert "<b>" not in page.text
    assert "1 - 60" in page.words


def test_a_damaged_status_is_said_and_harms_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/status.json").write_text("{")
    page = Browser(build(replace(site, run_dir=tmp_path / "run"))).get("/status")
    assert page.status == 200
    assert "written by another version?" in page.words


@pytest.mark.parametrize("path", ["/events", "/counts", "/status", "/events/3", "/events/3/pictures/1"])
class TestAStoreThatIsGone:
    def test_is_said_in_a_page(self, browser: Browser, store: Path, path: str) -> None:
        store.unlink()
        page = browser.get(path)
        assert page.status == 503
        assert "The store of events is not there." in page.words

    def test_damage_too(self, browser: Browser, store: Path, path: str) -> None:
        store.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
        page = browser.get(path)
        assert page.status == 503
        assert "cannot be read now" in page.words


def test_any_label_is_shown_as_text(site: Site, tmp_path: Path) -> None:
    one = next(iter(made_events(1)))
    label = "<script>alert('1')</script> \"שלום\" " + "x" * 200
    make_store(tmp_path / "events.db", [Made(msgspec.structs.replace(one.event, label=label), one.booted_s)])
    browser = Browser(build(replace(site, store=tmp_path / "events.db")))
    for path in ("/events", "/events/1", "/counts"):
        page = browser.get(path)
        assert label in page.words.replace("< ", "<") or label[:20] in page.words
        assert "<script>alert" not in page.text


def test_an_empty_store_says_so(site: Site, tmp_path: Path) -> None:
    StoreWriter(tmp_path / "events.db").close()
    browser = Browser(build(replace(site, store=tmp_path / "events.db")))
    assert "No events yet." in browser.get("/events").words
    assert browser.get("/counts").status == browser.get("/status").status == 200
