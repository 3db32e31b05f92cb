"""On a device: the store's pictures brought in behind the pages, grouped, sorted and downloaded."""

import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Answer, Browser

from edge.pages.application import pages
from edge.pages.assembling import assembled
from edge.pages.sorting.desk import Desk
from edge.pages.sorting.routes import ROUTES
from edge.sorting.places import Files
from edge.sorting.stored import kept_in
from tools.make_store import made_events, make_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A night of 12 events with small pictures."""
    make_store(tmp_path / "state/events.db", made_events(12, side=16))
    return tmp_path / "state/events.db"


@pytest.fixture
def browser(store: Path) -> Iterator[Browser]:
    desk = Desk.of_store(store, None, None)
    yield Browser(assembled(pages(), {"site": None, "desk": desk}, sessions=None, ended=desk.close))
    desk.close()


def begun(browser: Browser) -> Answer:
    """Begin, and wait until the pictures are there."""
    assert browser.post("/sort/begin").headers["location"] == "/sort"
    until_s = time.monotonic() + 60
    while "Select group" not in (page := browser.get("/sort")).text:
        assert time.monotonic() < until_s, page.words
        time.sleep(0.02)
    return page


def test_before_it_begins_every_page_leads_to_the_begin(browser: Browser) -> None:
    assert "Group them" in browser.get("/sort").words
    for path, _, method in ROUTES:
        if method == "GET" and path != "/sort":
            assert browser.get(path.replace("{number}", "3")).headers["location"] in ("/sort", "/sort/export")


def test_kept_pictures_come_in_groups_by_label_and_go_out_as_classes(browser: Browser, store: Path) -> None:
    page = begun(browser)
    groups = page.fields("group")
    assert len(groups) > 1
    titles = {one.label for one in kept_in(store, set())}
    assert all(title in page.words for title in titles)
    fields = {"of": "group", "group": groups[0], "seen": "0", "back": "/sort", "name": "fox", "do": "name"}
    assert browser.post("/sort/changes", fields).status == 303
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/sort/download").body))
    assert {name.partition("/")[0] for name in archive.namelist()} == {"fox", "sorted.csv"}
    assert browser.get("/sort/pictures/1/small").status == 200


@pytest.mark.process
def test_if_the_bundle_cannot_be_used_the_page_says_so_and_sorts_by_label(store: Path) -> None:
    desk = Desk.of_store(store, store.with_name("no-bundle"), None)
    browser = Browser(assembled(pages(), {"site": None, "desk": desk}, sessions=None, ended=desk.close))
    page = begun(browser)
    assert "Not by looks: the pictures were not grouped" in page.words
    assert "no-bundle" in page.words
    desk.close()


def test_nothing_outside_the_stores_folder_is_shown(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "state/link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "state/own.jpg").write_bytes(b"x")
    files = Files(tmp_path / "state", confined=True)
    assert files.path_of(b"own.jpg").name == "own.jpg"
    for name in (b"../secret.jpg", b"link.jpg", str(tmp_path / "secret.jpg").encode(), b"a\0b", b"/dev/zero", b"."):
        with pytest.raises(FileNotFoundError):
            files.path_of(name)
