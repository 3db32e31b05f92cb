"""Groups named, corrected, merged, split and handed out through the pages' own forms."""

import io
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Answer, Browser
from PIL import Image

from edge.errors import StorageError
from edge.pages.application import pages
from edge.pages.assembling import assembled
from edge.pages.sorting.asked import Sheet
from edge.pages.sorting.desk import Desk
from edge.pages.sorting.own import Key
from edge.pages.sorting.routes import ON_DESKTOP
from edge.processes.process import Command
from edge.sorting.records import Change, Part
from edge.sorting.session import Session
from edge.sorting.training import Training

HOSTILE = (
    "../3", "..%2f3", "/etc/passwd", "\x00", "3\x00.jpg", "9" * 10_000, "9" * 1000, "-1", "0", "3.0", "1e3", "\u0663",
    "{number}", "99", "\u202e3", " 3", "%", "e-barn-0-1", str(2**63),
)  # fmt: skip


def press(browser: Browser, page: Answer, *fields: tuple[str, str]) -> Answer:
    """Send the form of a page, with what a person adds to it."""
    hidden = [(name, page.fields(name)[0]) for name in ("of", "seen", "back") if page.fields(name)]
    group = [("group", page.fields("group")[0])] if hidden[0][1] == "group" else []
    return browser.post("/sort/changes", [*hidden, *group, *fields])


def named(session: Session, name: str) -> list[int]:
    return [picture.number for picture in session.pictures(Part(name=name), 0, 100)]


def test_one_press_names_a_group_and_shows_the_next(browser: Browser, session: Session) -> None:
    answer = press(browser, browser.get("/sort/groups/1"), ("class", "moss"))
    assert answer.headers["location"] == "/sort/groups/2"
    assert named(session, "moss") == [1, 2, 3, 4]
    assert "4 named moss" in browser.get("/sort").words


def test_odd_ones_are_selected_first_and_the_rest_is_named_after(browser: Browser, session: Session) -> None:
    page = browser.get("/sort/groups/1")
    answer = press(browser, page, ("picture", "2"), ("name", " rust "), ("do", "name"))
    assert answer.headers["location"] == "/sort/groups/1", "something is open there"
    page = browser.get("/sort/groups/1")
    assert page.fields("picture") == ["1", "3", "4"]
    assert press(browser, page, ("picture", "3"), ("do", "out")).status == 303
    press(browser, browser.get("/sort/groups/1"), ("class", "moss"))
    assert named(session, "rust") == [2]
    assert named(session, "moss") == [1, 4]
    out = browser.get("/sort/out")
    assert out.fields("picture") == ["3"]
    assert press(browser, out, ("picture", "3"), ("class", "rust")).headers["location"] == "/sort/out"
    assert named(session, "rust") == [2, 3]


def test_groups_are_named_and_merged_in_the_list(browser: Browser, session: Session) -> None:
    page = browser.get("/sort")
    press(browser, page, ("group", "1"), ("group", "3"), ("name", "fox"), ("do", "name"))
    assert len(named(session, "fox")) == 8
    press(browser, browser.get("/sort?all=yes"), ("group", "2"), ("group", "1"), ("do", "merge"))
    assert session.totals().groups == 2


def test_a_page_that_came_to_nothing_leads_to_the_last_one(browser: Browser) -> None:
    assert browser.get("/sort/groups/1?page=7").headers["location"] == "/sort/groups/1"
    assert browser.get("/sort?page=999999999").headers["location"] == "/sort"


def test_a_class_is_looked_through_and_corrected(browser: Browser, session: Session) -> None:
    session.change(Change("name", "", None, groups=(1, 2), name="fox"))
    sheet = browser.get("/sort/class?name=fox")
    assert len(sheet.fields("picture")) == 8
    press(browser, sheet, ("picture", "5"), ("do", "reopen"))
    assert session.count(Part(group=2, state="open")) == 1
    large = browser.get("/sort/pictures/6")
    press(browser, large, ("picture", "6"), ("do", "skip"))
    assert browser.get("/sort/skipped").fields("picture") == ["6"]


def test_steps_are_undone_by_one_button(browser: Browser, session: Session) -> None:
    for group in ("1", "2"):
        press(browser, browser.get(f"/sort/groups/{group}"), ("class", "moss"))
    for left in (4, 0):
        page = browser.get("/sort")
        undone = browser.post("/sort/undo", {"step": page.fields("step")[0], "back": "/sort?page=1"})
        assert undone.headers["location"] == "/sort?page=1"
        assert len(named(session, "moss")) == left
    assert not browser.get("/sort").fields("step")


def test_of_two_people_the_second_is_asked(browser: Browser, session: Session) -> None:
    page = browser.get("/sort/groups/1")
    session.change(Change("name", "ben", None, pictures=(2,), name="owl"))
    answer = press(browser, page, ("picture", "1"), ("picture", "2"), ("class", "fox"))
    assert answer.status == 409
    assert "1 of these pictures" in answer.words
    assert named(session, "fox") == []
    kept = [(name, value) for name in ("of", "group", "seen", "picture", "class") for value in answer.fields(name)]
    assert browser.post("/sort/changes", [*kept, ("anyway", "yes")]).status == 303
    assert named(session, "fox") == [1, 2]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([("do", "out")], "nothing is selected"),
        ([("do", "name"), ("name", "")], "the name is empty"),
        ([("class", "unknown")], "choose another name"),
        ([("class", "a\u202eb")], "unprintable"),
        ([("class", "x" * 201)], "at most 200"),
        ([("do", "burn")], "must be one of"),
        ([("do", "merge")], "at least two"),
        ([("picture", "../1"), ("class", "fox")], "must be a number"),
        ([("picture", "1" * 10_000), ("class", "fox")], "must be a number"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    browser: Browser, session: Session, fields: list[tuple[str, str]], said: str
) -> None:
    answer = press(browser, browser.get("/sort/groups/1"), *fields)
    assert answer.status == 400
    assert "Nothing was changed." in answer.words
    assert said in answer.words
    assert session.totals().counts["open"] == 12


@pytest.mark.parametrize("name", ["<b>\"fox\"</b> & 'owl'", "זכוכית", "ب" * 200, "a/../b", "{count}", "%00"])
def test_names_of_any_kind_break_no_page_and_no_path(
    browser: Browser, session: Session, desk: Desk, tmp_path: Path, name: str
) -> None:
    press(browser, browser.get("/sort/groups/1"), ("name", name), ("do", "name"))
    for path in ("/sort", "/sort/groups/2", "/sort/export", Sheet("class", name=name).link()):
        page = browser.get(path)
        assert page.status == 200
        assert name in page.words
        assert "<b>" not in page.text
    assert len(browser.get(Sheet("class", name=name).link()).fields("picture")) == 4
    assert browser.post("/sort/export", {"how": "copies"}).status == 303
    (folder,) = [entry for entry in (tmp_path / "photos-sorted").iterdir() if entry.is_dir()]
    assert len(list(folder.iterdir())) == 4


def test_named_ones_are_handed_out_and_the_command_is_shown(browser: Browser, session: Session, tmp_path: Path) -> None:
    press(browser, browser.get("/sort/groups/1"), ("class", "red"))
    press(browser, browser.get("/sort/groups/2"), ("picture", "5"), ("class", "green"))
    assert browser.post("/sort/export", {"how": "links"}).headers["location"] == "/sort/export"
    out = tmp_path / "photos-sorted"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.jpg")) == [
        "green/green-0.jpg",
        *(f"red/red-{number}.jpg" for number in range(4)),
    ]
    assert (out / "red" / "red-1.jpg").resolve() == (tmp_path / "photos" / "red-1.jpg").resolve()
    assert f"fieldfare train {out} --out my-bundle" in browser.get("/sort/export").words
    (tmp_path / "photos" / "red-0.jpg").unlink()
    assert browser.post("/sort/export", {"how": "copies"}).status == 303
    assert "1 pictures are not there any more" in browser.get("/sort/export").words
    assert not (tmp_path / "photos-sorted-2" / "red" / "red-1.jpg").is_symlink(), "and the first one stays"


def test_a_download_holds_the_same_folders(desk: Desk, photos: Path) -> None:
    browser = on_device(desk)
    press(browser, browser.get("/sort/groups/1"), ("class", "red"))
    (photos / "red-2.jpg").unlink()
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/sort/download").body))
    assert archive.namelist() == ["red/red-0.jpg", "red/red-1.jpg", "red/red-3.jpg", "sorted.csv"]
    assert archive.read("red/red-0.jpg") == (photos / "red-0.jpg").read_bytes()


def test_what_cannot_be_handed_out_is_said_and_no_folder_is_made(
    browser: Browser, photos: Path, tmp_path: Path
) -> None:
    answer = browser.post("/sort/export", {"how": "copies"})
    assert answer.status == 400
    assert "name some groups first" in answer.words
    press(browser, browser.get("/sort/groups/1"), ("class", "red"))
    for number in range(4):
        (photos / f"red-{number}.jpg").unlink()
    answer = browser.post("/sort/export", {"how": "links"})
    assert answer.status == 400
    assert "the pictures are not there any more" in answer.words
    assert not list(tmp_path.glob("photos-sorted*"))


def on_device(desk: Desk) -> Browser:
    """A browser before the pages of a device."""
    return Browser(assembled(pages(), {"site": None, "desk": desk}, sessions=None, ended=desk.close))


def test_a_download_that_cannot_be_ended_is_broken_off_and_logged_in_one_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def torn(*_: object) -> Iterator[bytes]:
        yield b"PK"
        raise OSError("Input/output error")

    monkeypatch.setattr("edge.pages.sorting.handing_out.zipped", torn)
    answer = on_device(desk).get("/sort/download")
    assert answer.body == b"PK"
    assert [record.getMessage() for record in caplog.records] == ["sorted.zip: broken off: Input/output error"]


def test_one_download_goes_on_at_a_time_and_can_be_cancelled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    browser = on_device(desk)
    with desk.errands.held("fieldfare-csv.tar"):
        assert browser.get("/sort/download").status == 409
        assert browser.ask("HEAD", "/sort/download").status == 200

    def endless(*_: object) -> Iterator[bytes]:
        while True:
            desk.errands.cancel()
            yield b"PK"

    monkeypatch.setattr("edge.pages.sorting.handing_out.zipped", endless)
    browser.get("/sort/download")
    assert [record.getMessage() for record in caplog.records] == ["sorted.zip: broken off: cancelled"]
    assert desk.errands.running() is None


def test_a_click_that_cannot_be_written_is_refused_in_words(
    browser: Browser, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_change: object) -> None:
        raise StorageError("session.db: cannot write: database or disk is full: free some space")

    page = browser.get("/sort/groups/1")
    monkeypatch.setattr(session, "change", full)
    answer = press(browser, page, ("class", "fox"))
    assert answer.status == 507
    assert "nothing was changed" in answer.words
    assert "free some space" in answer.words


def test_thumbnails_are_small_jpegs_without_anything_else(browser: Browser, photos: Path) -> None:
    with Image.new("RGB", (3000, 2000), "red") as picture:
        picture.save(photos / "red-0.jpg", exif=b"Exif\0\0secret place")
    small = browser.get("/sort/pictures/1/small")
    assert small.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(small.body)).size == (200, 133)
    assert Image.open(io.BytesIO(browser.get("/sort/pictures/1/large").body)).size == (1000, 667)
    assert b"secret" not in small.body


def test_a_picture_that_is_gone_damaged_or_none_is_not_there(browser: Browser, photos: Path) -> None:
    (photos / "red-0.jpg").unlink()
    (photos / "red-1.jpg").write_bytes(b"\xff\xd8\xff" + bytes(500))
    for number in ("1", "2", "99", "x", "1" * 5000, "..%2f1"):
        assert browser.get(f"/sort/pictures/{number}/small").status in (400, 404)
    assert browser.get("/sort/pictures/3/small").status == 200, "the next one is made all the same"
    assert browser.get("/sort/pictures/1").status == 200


def test_the_table_of_status_codes(stranger: Browser, browser: Browser, session: Session) -> None:
    """Each route of the application: without the key, with another session's, from another site, with hostile ids."""
    strangers = Browser(stranger.app, host=stranger.host)
    other = Browser(stranger.app, host=stranger.host, cookies={"fieldfare-4711": Key().text})
    press(browser, browser.get("/sort/groups/1"), ("class", "fox"))
    for path, _, method in ON_DESKTOP:
        there = path.replace("{number}", "3")
        if method == "POST":
            assert {strangers.post(there).status, other.post(there).status} == {401}, path
            for origin in ("http://127.0.0.1:4712", "https://127.0.0.1:4711", "null", "https://evil.example"):
                assert browser.post(there, {"do": "name"}, origin=origin).status == 403, path
        else:
            assert strangers.get(there).headers["location"] == other.get(there).headers["location"] == "/login", path
            assert "{" not in path or {browser.get(path.replace("{number}", one)).status for one in HOSTILE} <= {
                400,
                404,
            }
    assert strangers.get("/login").status == 403
    assert {strangers.get(path).headers["location"] for path in ("/", "/open/", "/open/x", "/nothing")} == {"/login"}
    assert session.totals().counts["named"] == 4


@pytest.mark.parametrize("back", ["https://evil.example/sort", "//evil.example/sort", "/login", "/sorting", ""])
def test_no_form_leads_elsewhere(browser: Browser, back: str) -> None:
    fields = {"of": "list", "seen": "0", "group": "1", "class": "fox", "back": back}
    assert browser.post("/sort/changes", fields).headers["location"] == "/sort"


def printing(program: str) -> Training:
    """A training that runs a small program, which gets the photos' and the bundle's place."""
    return Training(lambda photos, bundle: Command((sys.executable, "-c", program, str(photos), str(bundle))))


def followed(browser: Browser) -> Answer:
    """The page of the training, once that has ended."""
    until_s = time.monotonic() + 60
    while "data-follow" in (page := browser.get("/sort/training")).text:
        assert time.monotonic() < until_s
        time.sleep(0.02)
    return page


class TestTraining:
    @pytest.fixture(autouse=True)
    def _handed_out(self, browser: Browser) -> None:
        press(browser, browser.get("/sort/groups/1"), ("class", "red"))
        browser.post("/sort/export", {"how": "links"})

    def test_it_is_followed_and_its_report_shown(self, browser: Browser, desk: Desk, tmp_path: Path) -> None:
        program = (
            "import sys, pathlib; print('epoch 1 <b>', *sys.argv[1:]); print('x' * 9999);"
            "pathlib.Path(sys.argv[2] + '-report.html').write_text('<style>p{}</style><p>fine')"
        )
        desk.training = printing(program)
        assert browser.post("/sort/training").headers["location"] == "/sort/training"
        page = followed(browser)
        assert f"epoch 1 <b> {tmp_path / 'photos-sorted'} {tmp_path / 'photos-sorted-bundle'}" in page.words
        assert "x" * 301 not in page.words
        report = browser.get("/sort/training/report")
        assert report.text.endswith("<p>fine")
        assert "sandbox" in report.headers["content-security-policy"]
        assert "script-src" not in report.headers["content-security-policy"]

    def test_one_that_fails_is_shown_with_its_last_lines(self, browser: Browser, desk: Desk) -> None:
        desk.training = printing("import sys; sys.exit('red: 4 photos, at least 5: add some')")
        browser.post("/sort/training")
        page = followed(browser)
        assert "It ended with status 1" in page.words
        assert "add some" in page.words
        assert browser.get("/sort/training/report").status == 404

    def test_it_ends_with_the_pages(self, browser: Browser, desk: Desk) -> None:
        desk.training = printing("import time; print('begun', flush=True); time.sleep(600)")
        browser.post("/sort/training")
        desk.training.close()
        assert "It died of SIGKILL" in followed(browser).words

    def test_without_a_trainer_there_is_no_button(self, browser: Browser) -> None:
        assert "Train now" not in browser.get("/sort/export").words
        assert browser.post("/sort/training").headers["location"] == "/sort/export"
