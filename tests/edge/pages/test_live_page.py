"""The page of the newest picture: what it shows, and what it does instead if there is none of this moment."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browsing import Browser

from edge.live.picture import STALE_S, Live, show
from edge.live.places import FOCUS, PICTURE, REQUEST, requests_of
from edge.live.request import FRESH_S, Focus, Wanted
from edge.pages.application import build
from edge.pages.live.watching import Watching
from edge.pages.site import Site
from edge.pages.views import live as views
from edge.results import Other
from edge.supervision.status import LoadStatus, Status, StatusFile, begin

JPEG = b"\xff\xd8newest\n\xff\xd9"


class Beside:
    """A service beside the pages, as its files show it."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.run.mkdir()
        self.requests = requests_of(self.run)
        self.status = begin()
        self.be(state="running", why="as in the settings")

    def be(self, **fields: Any) -> None:
        """Show another status."""
        for name, value in fields.items():
            setattr(self.status, name, value)
        StatusFile(self.run / "status.json").write(self.status)

    def write(self, status: Status) -> None:
        (self.run / "status.json").write_bytes(msgspec.json.encode(status))

    def show(self, name: str = PICTURE, **fields: Any) -> Live:
        """Show a picture."""
        values: dict[str, Any] = {
            "number": 70_000_001,
            "made_mono_s": time.monotonic(),
            "captured_wall_s": 1777672800.0,
            "frame_width": 1920,
            "frame_height": 1080,
            "width": 960,
            "height": 540,
            "label": "fox",
            "score": 0.917,
            "latency_ms": 20.44,
            "jpeg": JPEG,
        }
        live = Live(**{**values, **fields})
        show(self.run / name, live)
        return live

    def wanted(self) -> Wanted | None:
        """What the pages have left."""
        try:
            return msgspec.json.decode((self.requests / REQUEST).read_bytes(), type=Wanted)
        except FileNotFoundError:
            return None


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    return Beside(tmp_path)


@pytest.fixture
def browser(site: Site, beside: Beside) -> Browser:
    return Browser(build(replace(site, run_dir=beside.run, watching=Watching(beside.requests))))


def now(browser: Browser, words: str = "") -> tuple[dict[str, Any], bytes]:
    """What the page's script gets."""
    answer = browser.get(f"/live/now{words}")
    assert answer.status == 200
    line, _, jpeg = answer.body.partition(b"\n")
    return msgspec.json.decode(line), jpeg


def facts(moment: dict[str, Any]) -> dict[str, str]:
    return {fact["key"]: fact["value"] for fact in moment["facts"]}


class TestPicture:
    def test_picture_and_what_is_known_of_it_come_together(self, browser: Browser, beside: Beside) -> None:
        beside.show(box=(0.1, 0.2, 0.3, 0.4), region=(0.0, 0.0, 0.5, 1.0), others=(Other("owl", 0.5, (0, 0, 1, 1)),))
        moment, jpeg = now(browser)
        assert jpeg == JPEG, "whatever bytes are in it"
        assert moment["words"] == ""
        picture = moment["picture"]
        assert (picture["width"], picture["height"], picture["alt"]) == (960, 540, "The newest picture: fox, 91.7 %")
        assert (picture["box"], picture["region"]) == ([0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.5, 1.0])
        assert picture["others"] == [[0, 0, 1, 1]]
        assert facts(moment)["seen"] == "fox, 91.7 %"
        assert facts(moment)["taken"] == "2026-05-02 00:00:00"
        assert facts(moment)["latency"] == "20.4 ms"

    def test_a_browser_that_has_it_gets_no_bytes_again(self, browser: Browser, beside: Beside) -> None:
        live = beside.show()
        moment, jpeg = now(browser, f"?had={live.number}")
        assert jpeg == b""
        assert moment["picture"]["number"] == live.number
        beside.show(number=live.number + 1)
        assert now(browser, f"?had={live.number}")[1] == JPEG

    def test_the_page_has_it_all_without_a_script(self, browser: Browser, beside: Beside) -> None:
        beside.show(region=(0.1, 0.0, 0.5, 1.0))
        page = browser.get("/live")
        assert 'src="/live/picture"' in page.text
        assert '<rect class="region" x="10.0" y="0.0" width="50.0" height="100.0"/>' in page.text
        assert {"fox, 91.7 %", "Reload", "running"} <= {
            word for word in ("fox, 91.7 %", "Reload", "running") if word in page.words
        }
        assert "/live" in page.links("/live")
        answer = browser.get("/live/picture")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, JPEG, "image/jpeg")
        assert answer.headers["cache-control"] == "no-store"

    def test_the_first_one_is_waited_for(
        self, browser: Browser, beside: Beside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slept: list[float] = []

        async def come(seconds: float) -> None:
            slept.append(seconds)
            beside.show()

        monkeypatch.setattr("edge.pages.views.live.anyio.sleep", come)
        assert browser.get("/live/picture").body == JPEG
        assert len(slept) == 1

    def test_but_not_for_ever(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(views, "_PATIENCE_S", 0.0)
        answer = browser.get("/live/picture")
        assert (answer.status, answer.headers["location"]) == (303, "/static/no-picture.svg")
        assert browser.get("/static/no-picture.svg").headers["content-type"] == "image/svg+xml"

    def test_a_frame_without_a_decision_is_shown_as_such(self, browser: Browser, beside: Beside) -> None:
        beside.show(label=None, score=None, latency_ms=None)
        moment, jpeg = now(browser)
        assert jpeg == JPEG
        assert (facts(moment)["seen"], facts(moment)["latency"]) == ("nothing decided", "-")

    @pytest.mark.parametrize("label", ["<script>alert(1)</script>", "a\u202eb\x1b[31m", "x" * 200, "\"&'", "\u0001"])
    def test_a_label_may_be_anything(self, browser: Browser, beside: Beside, label: str) -> None:
        beside.show(label=label)
        page = browser.get("/live")
        assert "<script>alert" not in page.text
        assert facts(now(browser)[0])["seen"].isprintable()


class TestFacts:
    def test_all_that_is_known_of_the_service_is_there(self, browser: Browser, beside: Beside) -> None:
        beside.show()
        beside.be(engine="Edge TPU", fps=12.34, load=LoadStatus(temperature_c=61.25), clock="ntp")
        beside.be(awake_until_wall_s=1777672800.0)
        seen = facts(now(browser)[0])
        assert seen["engine"] == "Edge TPU"
        assert seen["rate"] == "12.3 decisions a second"
        assert seen["temperature"] == "61.2 °C"
        assert seen["clock"] == "kept by a time server"
        assert seen["schedule"] == "sleeps from 2026-05-02 00:00:00"
        assert float(seen["space"].removesuffix(" GB")) >= 0

    def test_the_reason_of_a_state_is_there_beside_a_picture(self, browser: Browser, beside: Beside) -> None:
        beside.show()
        beside.be(state="degraded", why="Edge TPU lost: unplugged")
        moment, jpeg = now(browser)
        assert (moment["why"], jpeg) == ("Edge TPU lost: unplugged", JPEG)
        assert "running, but not as in the settings Edge TPU lost: unplugged" in browser.get("/live").words

    def test_what_is_not_known_has_its_place_too(self, browser: Browser, site: Site) -> None:
        without = facts(now(Browser(build(site)))[0])
        assert without.keys() == facts(now(browser)[0]).keys()
        assert {value for key, value in without.items() if key != "space"} == {"-"}

    def test_a_disk_that_was_pulled_out_has_no_free_space(
        self, browser: Browser, beside: Beside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: object) -> None:
            raise OSError(5, "Input/output error")

        beside.show()
        monkeypatch.setattr(os, "statvfs", fail)
        assert facts(now(browser)[0])["space"] == "-"


def be(**fields: Any) -> Callable[[Beside], None]:
    return lambda beside: beside.be(**fields)


STATES: dict[str, tuple[Callable[[Beside], Any], str, str]] = {
    "asleep": (be(state="asleep", why="by the schedule, until 06:00"), "asleep", "by the schedule, until 06:00"),
    "recovering": (be(state="recovering", why="no frame for 3 s"), "recovering", "no frame for 3 s"),
    "starting": (be(state="starting", why="opening the camera"), "starting", "opening the camera"),
    "failed": (be(state="failed", why="bundle damaged"), "failed", "bundle damaged"),
    "stopped": (be(state="stopped", why="on request"), "stopped", "on request"),
    "no file": (lambda beside: (beside.run / "status.json").unlink(), "no service", "No service runs here"),
    "damaged": (lambda beside: (beside.run / "status.json").write_bytes(b"{"), "not known", "another version?"),
    "dead": (lambda beside: beside.write(replaced(beside.status, pid=2**30)), "not running", ""),
    "stuck": (lambda beside: beside.write(replaced(beside.status, updated_mono_s=0.0)), "not running", ""),
    "another boot": (lambda beside: beside.write(replaced(beside.status, boot_id="x")), "not running", ""),
}


def replaced(status: Status, **fields: Any) -> Status:
    return msgspec.structs.replace(status, **fields)


@pytest.mark.parametrize(("change", "state", "why"), STATES.values(), ids=STATES.keys())
def test_without_a_picture_of_this_moment_the_state_and_its_reason_are_shown_and_no_old_one(
    browser: Browser, beside: Beside, change: Callable[[Beside], None], state: str, why: str
) -> None:
    beside.show()
    beside.show(FOCUS)
    change(beside)
    for words in ("", "?x=50&y=50&size=25"):
        moment, jpeg = now(browser, words)
        assert (moment["state_words"], moment["picture"], jpeg) == (state, None, b"")
        assert (why in moment["why"], moment["words"]) == (True, "")
        assert browser.get(f"/live/picture{words}").status == 303
    for path in ("/live", "/live/focus"):
        page = browser.get(path)
        assert state in page.words
        assert why in page.words
        assert page.text.count("hidden>\n<img") == page.text.count("<img"), "no picture"
    assert beside.wanted() is None, "nobody would answer"


class TestStale:
    @pytest.mark.parametrize("age_s", [STALE_S, 3600.0, -5.0])
    def test_a_picture_that_is_none_of_now_is_not_shown(self, browser: Browser, beside: Beside, age_s: float) -> None:
        beside.show(made_mono_s=time.monotonic() - age_s)
        moment, jpeg = now(browser)
        assert (moment["picture"], jpeg) == (None, b"")
        assert moment["words"] == "The newest picture is on its way."

    @pytest.mark.parametrize("data", [b"", b"junk", b"\x81\xa6number\x01"])
    def test_a_damaged_one_is_none(self, browser: Browser, beside: Beside, data: bytes) -> None:
        (beside.run / PICTURE).write_bytes(data)
        assert now(browser)[0]["picture"] is None

    def test_a_link_out_of_the_folder_is_not_followed(self, browser: Browser, beside: Beside, tmp_path: Path) -> None:
        beside.show()
        (beside.run / PICTURE).rename(tmp_path / "elsewhere")
        (beside.run / PICTURE).symlink_to(tmp_path / "elsewhere")
        assert now(browser)[0]["picture"] is None


class TestRequests:
    def test_whoever_looks_leaves_word(self, browser: Browser, beside: Beside) -> None:
        assert beside.wanted() is None
        browser.get("/live")
        assert beside.wanted() == Wanted(picture=True)

    def test_and_for_a_part_its_place(self, browser: Browser, beside: Beside) -> None:
        now(browser, "?x=25&y=75&size=10")
        assert beside.wanted() == Wanted(focus=Focus(0.25, 0.75, 0.1))

    def test_other_pages_leave_none(self, browser: Browser, beside: Beside) -> None:
        for path in ("/events", "/status", "/counts", "/static/live.js"):
            browser.get(path)
        assert beside.wanted() is None

    def test_a_folder_that_cannot_be_written_is_shown(self, browser: Browser, beside: Beside) -> None:
        beside.requests.write_text("in the way")
        words = now(browser)[0]["words"]
        assert words.startswith("The service cannot be asked for a picture: ")
        assert "File exists" in words


class TestWatching:
    def test_many_watchers_share_one_request(self, tmp_path: Path) -> None:
        moments = iter([10.0, 10.1, 10.2, 10.3, 10.6])
        watching = Watching(tmp_path, lambda: next(moments))
        watching.want()
        first = (tmp_path / REQUEST).stat().st_ino, (tmp_path / REQUEST).stat().st_mtime_ns
        for _ in range(3):
            watching.want()
        assert ((tmp_path / REQUEST).stat().st_ino, (tmp_path / REQUEST).stat().st_mtime_ns) == first
        watching.want()
        assert ((tmp_path / REQUEST).stat().st_ino, (tmp_path / REQUEST).stat().st_mtime_ns) != first

    def test_another_wish_goes_out_at_once_and_the_others_stay_for_a_while(self, tmp_path: Path) -> None:
        moments = iter([10.0, 10.1, 10.2, 10.0 + FRESH_S])
        watching = Watching(tmp_path, lambda: next(moments))

        def left() -> Wanted:
            return msgspec.json.decode((tmp_path / REQUEST).read_bytes(), type=Wanted)

        watching.want()
        watching.want(Focus(0.1, 0.1))
        assert left() == Wanted(picture=True, focus=Focus(0.1, 0.1))
        watching.want(Focus(0.9, 0.1))
        assert left() == Wanted(picture=True, focus=Focus(0.9, 0.1)), "the last one counts"
        watching.want(Focus(0.9, 0.1))
        assert left() == Wanted(focus=Focus(0.9, 0.1)), "nobody looks at all of it any more"

    def test_a_fault_goes_when_it_can_be_written_again(self, tmp_path: Path) -> None:
        moments = iter([10.0, 11.0])
        watching = Watching(tmp_path / "folder", lambda: next(moments))
        (tmp_path / "folder").touch()
        assert watching.want() is not None
        (tmp_path / "folder").unlink()
        assert watching.want() is None


class TestFocus:
    def test_the_part_and_its_sharpness(self, browser: Browser, beside: Beside) -> None:
        beside.show()
        beside.show(FOCUS, part=(0.25, 0.25, 0.5, 0.5), sharpness=6.789, label=None, jpeg=b"\xff\xd8part")
        moment, jpeg = now(browser, "?x=50&y=50&size=50")
        assert jpeg == b"\xff\xd8part"
        assert (moment["picture"]["sharpness"], moment["facts"]) == ("6.79", [])
        page = browser.get("/live/focus?x=50&y=50&size=50")
        assert "6.79" in page.words
        assert 'src="/live/picture?x=50&amp;y=50&amp;size=50"' in page.text
        assert '<rect class="part" x="25.0" y="25.0" width="50.0" height="50.0"/>' in page.text

    def test_another_part_passes_for_none(
        self, browser: Browser, beside: Beside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was wanted before, or by somebody else: figures of different parts cannot be compared."""
        monkeypatch.setattr(views, "_PATIENCE_S", 0.2)
        beside.show(FOCUS, part=(0.25, 0.25, 0.5, 0.5), sharpness=6.789)
        moment, _ = now(browser, "?x=60&y=50&size=50")
        assert moment["picture"]["sharpness"] == ""
        assert browser.get("/live/picture?x=60&y=50&size=50").status == 303
        assert browser.get("/live/picture?x=50&y=50&size=50").status == 200

    def test_without_words_it_is_the_middle(self, browser: Browser) -> None:
        page = browser.get("/live/focus")
        assert 'src="/live/picture?x=50&amp;y=50&amp;size=25"' in page.text

    def test_arrows_move_it_by_a_step_within_the_picture(self, browser: Browser) -> None:
        links = browser.get("/live/focus?x=5&y=50&size=25").links("/live/focus?")
        assert links[:4] == [
            "/live/focus?x=0&y=50&size=25",
            "/live/focus?x=5&y=40&size=25",
            "/live/focus?x=5&y=60&size=25",
            "/live/focus?x=15&y=50&size=25",
        ]

    @pytest.mark.parametrize(
        "words", ["x=101", "y=-1", "size=nan", "x=1e400", "size=%00", "x=" + "9" * 10_000, "y=<b>"]
    )
    @pytest.mark.parametrize("path", ["/live/focus", "/live/now", "/live/picture"])
    def test_what_is_no_place_is_refused(self, browser: Browser, beside: Beside, path: str, words: str) -> None:
        assert browser.get(f"{path}?{words}").status == 400
        assert beside.wanted() is None

    @pytest.mark.parametrize("had", ["0", "-1", "x", "9" * 30, "1.5"])
    def test_what_is_no_number_of_a_picture_is_refused(self, browser: Browser, had: str) -> None:
        assert browser.get(f"/live/now?had={had}").status == 400
