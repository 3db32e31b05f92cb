"""On a device: the store's pictures brought in behind the pages, grouped, sorted and downloaded."""

import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from browsing import Answer, Browser

from edge.pages.access.attempts import Attempts
from edge.pages.application import pages
from edge.pages.assembling import assembled
from edge.pages.site import Site
from edge.pages.sorting.desk import Desk
from edge.pages.sorting.routes import ON_DEVICE
from edge.sorting.indexing import Indexing
from edge.sorting.places import Files
from edge.sorting.session import Session
from edge.sorting.stored import kept_in
from tools.make_store import made_events, make_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A night of 12 events with small pictures."""
    make_store(tmp_path / "state/events.db", made_events(12, side=16))
    return tmp_path / "state/events.db"


@pytest.fixture
def browser(store: Path) -> Iterator[Browser]:
    with served(site_of(store)) as browser:
        yield browser


def site_of(store: Path, settings: Path | None = None) -> Site:
    """The site of a store without a password."""
    return Site(store=store, run_dir=None, password=None, sessions=None, attempts=Attempts(), settings=settings)


@contextmanager
def served(site: Site) -> Iterator[Browser]:
    """A browser before its pages."""
    desk = Desk.of_store(site)
    yield Browser(assembled(pages(), {"site": site, "desk": desk}, sessions=None, ended=desk.close))
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
    for path, _, method in ON_DEVICE:
        if method == "GET" and path != "/sort":
            assert browser.get(path.replace("{number}", "3")).headers["location"] == "/sort"


def test_kept_pictures_come_in_groups_by_label_and_go_out_as_classes(browser: Browser, store: Path) -> None:
    page = begun(browser)
    groups = page.fields("group")
    assert len(groups) > 1
    titles = {one.label for one in kept_in(store, set())}
    assert all(title in page.words for title in titles)
    assert set() < {*page.fields("class")} <= titles, "what is offered are labels, not the titles of groups"
    fields = {"of": "group", "group": groups[0], "seen": "0", "back": "/sort", "name": "fox", "do": "name"}
    assert browser.post("/sort/changes", fields).status == 303
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/sort/download").body))
    assert {name.partition("/")[0] for name in archive.namelist()} == {"fox", "sorted.csv"}
    assert browser.get("/sort/pictures/1/small").status == 200


@pytest.mark.process
def test_if_the_bundle_cannot_be_used_the_page_says_so_and_sorts_by_label(store: Path) -> None:
    settings = store.with_name("fieldfare.toml")
    settings.write_text(f'bundle = "{store.with_name("no-bundle")}"\n[events]\nstore = "{store}"\n')
    with served(site_of(store, settings)) as browser:
        page = begun(browser)
    assert "Not by looks: the pictures were not grouped" in page.words
    assert "no-bundle" in page.words


def test_pictures_are_not_grouped_while_an_export_goes_on_and_the_grouping_is_cancelled_there(store: Path) -> None:
    site = site_of(store)
    with served(site) as browser:
        with site.errands.held("export to a stick"):
            refused = browser.post("/sort/begin")
            assert refused.status == 409
            assert "export to a stick goes on" in refused.words
        begun(browser)
        assert site.errands.running() is None


def test_a_grouping_that_is_cancelled_adds_nothing(store: Path, tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    indexing = Indexing(store, lambda: None, lambda: nullcontext(cancelled))
    with Session(tmp_path / "session.db") as session:
        indexing.begin(session)
        until_s = time.monotonic() + 60
        while indexing.progress.running:
            assert time.monotonic() < until_s
            time.sleep(0.02)
        assert indexing.progress.fault == "cancelled: no picture was added"
        assert session.totals().pictures == 0


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
