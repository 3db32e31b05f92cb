"""Exports: a tar to download, made as it is sent; a folder on a stick; both in words if it does not work."""

import asyncio
import hashlib
import io
import os
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browsing import Answer, Browser

from edge.pages.application import build
from edge.pages.errands.sticks import Stick
from edge.pages.places import folder_of
from edge.pages.site import Site
from edge.pages.views import exports
from edge.store.orders import MarkEvents, carry_out
from edge.store.records import Mark


def wait_for_end(site: Site) -> None:
    until_s = time.monotonic() + 60
    while site.errands.running() is not None:
        assert time.monotonic() < until_s
        time.sleep(0.02)


def opened(answer: Answer) -> dict[str, bytes]:
    """The files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}  # type: ignore[union-attr]


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stick that is mounted."""
    folder = tmp_path / "media/stick"
    folder.mkdir(parents=True)
    found = [Stick("8:1", folder, 10**9, None), Stick("8:17", tmp_path / "media/old", 0, "read-only")]
    monkeypatch.setattr(exports, "find_sticks", lambda: [one for one in found if one.fault or folder.is_dir()])
    return folder


@pytest.mark.parametrize(
    "words",
    ["", "format=exe", "format=csv&since=yesterday", "format=csv&since=2026-05-02&until=2026-05-01", "format=--out=/x",
     "format=csv&since=--out", "format=csv%00", "format=../csv"],
)  # fmt: skip
def test_what_no_form_sends_is_refused_before_anything_starts(browser: Browser, site: Site, words: str) -> None:
    assert browser.get(f"/exports/download?{words}").status == 400
    assert site.errands.running() is None


def test_a_look_at_the_head_makes_no_export(browser: Browser) -> None:
    answer = browser.ask("HEAD", "/exports/download?format=csv")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.process
class TestDownload:
    def test_it_is_a_whole_export(self, browser: Browser, site: Site, store: Path) -> None:
        answer = browser.get("/exports/download?format=csv&pictures=yes&since=2026-05-01&until=2026-05-01")
        assert answer.status == 200
        assert answer.headers["content-disposition"].startswith('attachment; filename="fieldfare-csv-')
        assert "content-length" not in answer.headers
        files = opened(answer)
        manifest = files.pop("fieldfare-csv/manifest-sha256.txt").decode().splitlines()
        for line in manifest:
            digest, name = line.split("  ", 1)
            assert hashlib.sha256(files.pop(f"fieldfare-csv/{name}")).hexdigest() == digest
        assert not files
        assert any(line.endswith(".jpg") for line in manifest)
        assert site.errands.running() is None
        assert not list(folder_of(store).glob("*")) if folder_of(store).exists() else True

    def test_nothing_to_export_is_said(self, browser: Browser) -> None:
        answer = browser.get("/exports/download?format=folders")
        assert answer.status == 409
        assert "no event is marked" in answer.words

    def test_a_browser_that_closes_leaves_nothing_behind(self, site: Site, store: Path) -> None:
        folder_of(store).mkdir()
        statuses = asyncio.run(_close_early(site))
        assert statuses == [200]
        assert site.errands.running() is None
        assert list(folder_of(store).iterdir()) == []

    def test_another_one_meanwhile_is_refused(self, browser: Browser, site: Site) -> None:
        with site.errands.held("export"):
            answer = browser.get("/exports/download?format=csv")
            assert answer.status == 409
            assert "Something else is being done." in answer.words
            assert browser.post("/doctor").status == 409
            assert "export: going on for" in browser.get("/exports").words

    def test_a_damaged_picture_is_left_out(self, browser: Browser, store: Path) -> None:
        for picture in sorted((store.parent / "pictures").rglob("*.jpg"))[:1]:
            picture.write_bytes(b"x" * picture.stat().st_size)
        files = opened(browser.get("/exports/download?format=csv&pictures=yes"))
        assert (
            len([name for name in files if name.endswith(".jpg")])
            == len(list((store.parent / "pictures").rglob("*.jpg"))) - 1
        )


async def _close_early(site: Site) -> list[int]:
    """Ask for an export, and go away after its first piece."""
    started, sent = asyncio.Event(), []
    first = True

    async def receive() -> Any:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await started.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            started.set()

    scope = {
        "type": "http", "method": "GET", "path": "/exports/download", "raw_path": b"", "root_path": "",
        "query_string": b"format=csv&pictures=yes", "headers": [(b"host", b"localhost")], "scheme": "http",
        "client": ("127.0.0.1", 1), "server": ("localhost", 80), "http_version": "1.1", "asgi": {"version": "3.0"},
    }  # fmt: skip
    await build(site)(scope, receive, send)
    return [message["status"] for message in sent if message["type"] == "http.response.start"]


class TestSticks:
    def test_the_page_lists_them(self, browser: Browser, stick: Path) -> None:
        page = browser.get("/exports")
        assert "stick , 1.0 GB free" in page.words
        assert "old , read-only" in page.words
        assert str(stick) not in page.text, "an id, not a path"

    @pytest.mark.parametrize("chosen", ["", "8:2", "/media/stick", "../8:1", "8:1\x00", "/etc"])
    def test_no_other_place_is_written_to(self, browser: Browser, site: Site, stick: Path, chosen: str) -> None:
        answer = browser.post("/exports/stick", {"format": "csv", "stick": chosen})
        assert answer.status == 409
        assert "not there any more" in answer.words
        assert site.errands.running() is None

    def test_one_that_was_pulled_while_the_page_showed_it_is_said(self, browser: Browser, stick: Path) -> None:
        assert 'value="8:1"' in browser.get("/exports").text
        stick.rmdir()
        answer = browser.post("/exports/stick", {"format": "csv", "stick": "8:1"})
        assert (answer.status, "Plug it in and mount it" in answer.words) == (409, True)

    def test_one_that_takes_nothing_is_said(self, browser: Browser, stick: Path) -> None:
        answer = browser.post("/exports/stick", {"format": "csv", "stick": "8:17"})
        assert (answer.status, "old: read-only" in answer.words) == (409, True)

    def test_without_any_the_page_says_what_to_do(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exports, "find_sticks", list)
        assert "No stick is mounted below /media or /mnt." in browser.get("/exports").words

    @pytest.mark.process
    def test_an_export_is_written_and_noted(self, browser: Browser, site: Site, stick: Path) -> None:
        form = {"format": "csv", "stick": "8:1", "pictures": "yes", "new": "yes"}
        assert browser.post("/exports/stick", form).headers["location"] == "/exports"
        wait_for_end(site)
        page = browser.get("/exports")
        assert "Written to the stick, and read back" in page.words
        assert "60 events" in page.words
        (folder,) = stick.iterdir()
        assert (folder / "events.csv").is_file()
        browser.post("/exports/stick", form)
        wait_for_end(site)
        assert "nothing new since the last export" in browser.get("/exports").words

    @pytest.mark.process
    def test_one_that_broke_off_goes_on(self, browser: Browser, site: Site, stick: Path) -> None:
        assert browser.post("/exports/again").status == 409
        stick.chmod(0o500)
        if os.access(stick, os.W_OK):  # root: take the folder itself away
            stick.rmdir()
            words = ["export", "--store", str(site.store), "--format", "csv", "--out", str(stick / "x")]
            site.errands.begin("export to a stick", words, 60.0)
        else:
            browser.post("/exports/stick", {"format": "csv", "stick": "8:1"})
        wait_for_end(site)
        page = browser.get("/exports")
        assert "Not written whole" in page.words
        assert "Go on with it" in page.words
        stick.mkdir(exist_ok=True)
        stick.chmod(0o700)
        assert browser.post("/exports/again").status == 303
        wait_for_end(site)
        assert "Written to the stick" in browser.get("/exports").words


@pytest.mark.process
def test_what_goes_on_is_cancelled(site: Site) -> None:
    browser = Browser(build(site))
    site.errands.begin("a long one", ["run", "--bundle", "x", "--service", "--source", "synthetic"], 60.0)
    assert "a long one: going on for" in browser.get("/exports").words
    assert browser.post("/exports/cancel").status == 303
    wait_for_end(site)
    ended = site.errands.ended("a long one")
    assert ended is not None
    assert ended.finished.killed_for == "cancelled" or ended.finished.status != 0
    assert not ended.is_well


def test_a_label_in_an_export_is_a_name_and_no_path(site: Site, store: Path) -> None:
    carry_out(store, [MarkEvents((60,), Mark(verdict="other", label="../../<b>évil\u2019s " + "x" * 150, wall_s=1.0))])
    files = opened(Browser(build(replace(site))).get("/exports/download?format=folders"))
    assert files
    assert not [name for name in files if ".." in Path(name).parts or name.startswith("/")]
