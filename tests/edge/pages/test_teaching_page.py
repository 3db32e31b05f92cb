"""The page that teaches: what it counts and refuses, what runs, what came of it, and the commands that it names."""

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path

import msgspec
import pytest
from browsing import Answer, Browser

from edge.bundle.store import open_bundle
from edge.bundle.write import save, seal
from edge.pages.access.attempts import Attempts
from edge.pages.application import build
from edge.pages.errands import errands as module
from edge.pages.errands.errands import MEMORY, Errands
from edge.pages.places import folder_of
from edge.pages.site import Site
from edge.pages.views.teaching import figures_of, place_of
from edge.processes.process import Command
from edge.store.orders import MarkEvents, carry_out
from edge.store.reading import StoreReader
from edge.store.records import Filter, Mark, StoredEvent
from edge.teaching.beside import TAUGHT_FROM
from edge.teaching.verdict import Row, Verdict
from tools.driving.photo_store import photo_store

sys.path.append(str(Path(__file__).resolve().parents[1] / "teaching"))
from colour_bundles import KNOWN, colour_bundle, photos

Run = Callable[..., subprocess.CompletedProcess[str]]
Script = Callable[[str], None]
ODD = ("<script>alert(1)</script>", "\"'><b>", "\u05e9\u05d5\u05e2\u05dc (fox)", "x" * 200)
WORSE = Verdict(False, "known classes 90.0% before, 80.0% after", ("more owls",), 0.9, 0.8, None, ())


@pytest.fixture(scope="module")
def _colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of three colours, and a store of 60 events that show these, or yellow; none is marked."""
    folder = tmp_path_factory.mktemp("colours")
    colour_bundle(folder / "bundle")
    for label in (*KNOWN, "yellow"):
        photos(folder / "photos", label, label, 30)
    photo_store(folder, folder / "photos", 60)
    return folder


@pytest.fixture
def store(_colours: Path, tmp_path: Path) -> Path:
    shutil.copytree(_colours, tmp_path / "state")
    return tmp_path / "state/events.db"


@pytest.fixture
def bundle(store: Path) -> Path:
    return store.with_name("bundle")


@pytest.fixture
def site(store: Path, bundle: Path) -> Site:
    return site_of(store, bundle)


def site_of(store: Path, bundle: Path) -> Site:
    settings = store.with_name("fieldfare.toml")
    settings.write_text(f'bundle = "{bundle}"\n[events]\nstore = "{store}"\n')
    return Site(store=store, run_dir=None, password=None, sessions=None, attempts=Attempts(), settings=settings)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Let a line of the shell run in place of the command."""

    def run(line: str) -> None:
        monkeypatch.setattr(module, "bounded", lambda words, memory: Command(["sh", "-c", line, "sh", *words]))

    return run


def events_of(store: Path) -> list[StoredEvent]:
    with StoreReader(store) as reader:
        return list(reader.events(Filter(), newest_first=False))


def mark(store: Path, some: Sequence[StoredEvent], label: str | None = None) -> None:
    """Mark events right, or with another label."""
    found = Mark(verdict="right", wall_s=1e9) if label is None else Mark(verdict="other", label=label, wall_s=1e9)
    carry_out(store, [MarkEvents(tuple(one.number for one in some), found)])


def ended(site: Site, browser: Browser) -> Answer:
    until_s = time.monotonic() + 120
    while site.errands.running() is not None:
        assert time.monotonic() < until_s
        time.sleep(0.02)
    return browser.get("/teach")


def rows_of(page: Answer) -> dict[str, str]:
    """The rows of the page's tables, by their label."""
    parts = [part.partition("</tr>")[0] for part in page.text.split('<tr><th scope="row">')[1:]]
    rows = [Answer(200, {}, part.encode(), []).words for part in parts]
    return {row.rpartition(" ")[0].rpartition(" ")[0].partition(" ")[0]: row for row in rows}


def leave_taught(site: Site, teacher: str, figures_of_bundle: str | None = None) -> str:
    """Leave a taught bundle, and figures of one. Returns its id."""
    old = open_bundle(site.store.with_name("bundle"))
    note = f"{TAUGHT_FROM}{teacher}: photos of owl (9); known classes 90.0% before, 91.0% after"
    origin = msgspec.structs.replace(old.manifest.origin, notes=(note,))
    files = {name: data for name, data in old.contents.items() if not name.startswith("manifest.")}
    folder_of(site.store).mkdir(exist_ok=True)
    made = seal(place_of(site.store), msgspec.structs.replace(old.manifest, origin=origin), files)
    save(made)
    row = Row("owl" + ODD[0], True, 9, 0, None, 0.654, 0.5)
    verdict = msgspec.structs.replace(WORSE, better=True, rows=(row,))
    kept = {"bundle": figures_of_bundle or made.bundle_id, "verdict": verdict, "path": "somewhere"}
    figures_of(site.store).write_bytes(msgspec.json.encode(kept))
    return made.bundle_id


class TestCounting:
    def test_labels_are_shown_with_what_they_are_to_the_bundle(self, site: Site, store: Path) -> None:
        found = events_of(store)
        reds = [one for one in found if one.label == "red"]
        yellows = [one for one in found if one.label == "yellow"]
        mark(store, reds)
        mark(store, yellows, "canary")
        mark(store, [one for one in found if one.label == "blue"][:2], "jay")
        for one in yellows[:3]:
            one.pictures[0].path.unlink()
        page = Browser(build(site)).get("/teach")
        rows = rows_of(page)
        assert rows["red"] == f"red known {len(reds)} {len(reds)}"
        assert rows["canary"] == f"canary new {len(yellows)} {len(yellows) - 3}"
        assert rows["jay"] == "jay new, too few 2 2"
        assert f"Seen by another bundle: {len(reds) + len(yellows) + 2}." in page.words
        assert f"The bundle: bundle ({open_bundle(store.with_name('bundle')).bundle_id})" in page.words
        assert '<form method="post" action="/teach">' in page.text

    def test_odd_labels_act_on_nothing(self, site: Site, store: Path) -> None:
        found = events_of(store)
        mark(store, found[4:])
        for one, label in zip(found, ODD, strict=False):
            mark(store, [one], label)
        page = Browser(build(site)).get("/teach")
        assert "<script>alert" not in page.text
        assert "<b>" not in page.text
        for label in ODD:
            assert f"{label} new, too few 1 1" in page.words

    def test_the_application_starts_without_numpy(self) -> None:
        """It would take 9 MB more, of pages that nobody teaches on, too."""
        line = "import sys, edge.pages.application; sys.exit('numpy' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", line], check=False).returncode == 0


def _nothing(site: Site) -> Site:
    return site


def _no_settings(site: Site) -> Site:
    return replace(site, settings=None)


def _wrong_settings(site: Site) -> Site:
    assert site.settings is not None
    site.settings.write_text("bundle = 3\n")
    return site


def _no_bundle(site: Site) -> Site:
    shutil.rmtree(site.store.with_name("bundle"))
    return site


def _damaged_bundle(site: Site) -> Site:
    (site.store.with_name("bundle") / "model.tflite").write_bytes(b"x" * 3000)
    return site


def _few_known(site: Site) -> Site:
    mark(site.store, [one for one in events_of(site.store) if one.label == "yellow"])
    return site


def _few_of_all(site: Site) -> Site:
    mark(site.store, events_of(site.store)[:2], "owl")
    return site


def _no_pictures(site: Site) -> Site:
    mark(site.store, events_of(site.store))
    shutil.rmtree(site.store.with_name("pictures"))
    return site


def _reads_alike(site: Site) -> Site:
    found = events_of(site.store)
    mark(site.store, found[20:])
    mark(site.store, found[:6], "RED")
    return site


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_nothing, "No event is marked as right or with another label"),
        (_no_settings, "Start them with --config FILE"),
        (_wrong_settings, "bundle"),
        (_no_bundle, "No such file or directory"),
        (_damaged_bundle, "model.tflite"),
        (_few_known, "0 examples of the classes that the bundle knows, must be at least 10"),
        (_few_of_all, "no class is left to teach: a new one needs 5 photos"),
        (_no_pictures, "the pictures of 60 marked events are gone"),
        (_reads_alike, "reads like 'red'"),
    ],
)
def test_what_cannot_be_taught_is_said_and_not_begun(site: Site, prepare: Callable[[Site], Site], words: str) -> None:
    site = prepare(site)
    browser = Browser(build(site))
    page = browser.get("/teach")
    assert (page.status, words in page.words) == (200, True), page.words
    assert 'action="/teach"' not in page.text
    refused = browser.post("/teach")
    assert (refused.status, words.lower() in refused.words.lower()) == (409, True), refused.words
    assert site.errands.running() is None
    assert not folder_of(site.store).exists()


def test_a_bundle_that_is_too_large_to_look_at_is_for_the_command(site: Site, bundle: Path) -> None:
    with (bundle / "model.tflite").open("r+b") as file:
        file.truncate(60 << 20)
    assert "at most 48 here: use the command" in Browser(build(site)).get("/teach").words


def test_one_that_cannot_be_taught_is_named_before_anybody_marks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.teaching import prospect

    seen = prospect.read_pupil(site.store.with_name("bundle"))
    monkeypatch.setattr(prospect, "read_pupil", lambda _: replace(seen, fault="its last layer cannot be taught"))
    words = Browser(build(site)).get("/teach").words
    assert "It cannot be taught now: its last layer cannot be taught" in words
    assert "No event is marked" in words


def test_a_compiled_bundle_is_said_to_serve_from_the_cpu(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.teaching import prospect

    seen = prospect.read_pupil(site.store.with_name("bundle"))
    monkeypatch.setattr(prospect, "read_pupil", lambda _: replace(seen, loses_compiled=True))
    assert "it serves from the CPU until the desktop compiles it" in Browser(build(site)).get("/teach").words


@pytest.mark.parametrize("content", [None, b"not a store" * 1000])
def test_a_store_that_is_gone_or_damaged_is_said(site: Site, content: bytes | None) -> None:
    site.store.unlink()
    if content is not None:
        site.store.write_bytes(content)
    browser = Browser(build(site))
    for answer in (browser.get("/teach"), browser.post("/teach")):
        assert answer.status == 503
        assert "The store of events" in answer.words


@pytest.mark.process
class TestTeaching:
    def test_better_is_shown_taken_by_its_command_and_taken_back(
        self, site: Site, store: Path, bundle: Path, run_fieldfare: Run
    ) -> None:
        mark(store, events_of(store))
        before = open_bundle(bundle).bundle_id
        browser = Browser(build(site))
        assert browser.post("/teach").headers["location"] == "/teach"
        page = ended(site, browser)
        new = open_bundle(place_of(store)).bundle_id
        assert f"A taught bundle waits: {new}" in page.words
        assert "Better, and written beside" in page.words
        assert rows_of(page)["yellow"].startswith("yellow")
        assert "100.0 %" in page.words
        assert open_bundle(bundle).bundle_id == before, "the service's own is as it was"
        assert place_of(store).parent.stat().st_mode & 0o077 == 0
        for option, wanted, state in (("--take", new, "is in its place"), ("--undo", before, "waits")):
            commands = (unescape(line) for line in re.findall(r'<pre class="command">sudo (.*)', page.text))
            (shown,) = (command for command in commands if "--store" not in command)
            assert option in shown
            done = run_fieldfare(*shlex.split(shown)[1:])
            assert (done.returncode, open_bundle(bundle).bundle_id) == (0, wanted), done.stderr
            # Pages that start anew know as much.
            page = Browser(build(replace(site, errands=Errands()))).get("/teach")
            assert state in page.words
            assert "100.0 %" in page.words

    def test_what_runs_is_the_same_whatever_the_form_holds(
        self, site: Site, store: Path, bundle: Path, script: Script
    ) -> None:
        mark(store, events_of(store))
        script('printf "%s\\n" "$@" >&2; exit 3')
        browser = Browser(build(site))
        browser.post("/teach", {"bundle": "/etc", "store": "/etc", "out": "/tmp/x", "label": "--undo"})
        page = ended(site, browser)
        found = site.errands.ended("teaching")
        assert found is not None
        assert found.lines == list(found.words) == [
            "teach", "--bundle", str(bundle), "--store", str(store), "--out", str(place_of(store)),
            "--overwrite", "--leave-out-few", "--most", "200", "--json",
        ]  # fmt: skip
        assert "Nothing was taught" in page.words

    def test_it_is_bounded(self, site: Site, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        mark(store, events_of(store))
        seen: list[int] = []
        monkeypatch.setattr(module, "bounded", lambda words, memory: seen.append(memory) or Command(["true"]))
        browser = Browser(build(site))
        browser.post("/teach")
        ended(site, browser)
        assert MEMORY < seen[0] < 256 << 20

    def test_worse_is_shown_with_its_figures(self, site: Site, store: Path, script: Script) -> None:
        mark(store, events_of(store))
        record = msgspec.json.encode({"bundle": None, "verdict": msgspec.to_builtins(WORSE)}).decode()
        script(f"echo {shlex.quote(record)}; echo 'fieldfare: left out: <b>' >&2; exit 1")
        browser = Browser(build(site))
        browser.post("/teach")
        page = ended(site, browser)
        for words in ("Worse: not taken", "known classes 90.0% before, 80.0% after", "more owls", "left out: <b>"):
            assert words in page.words
        assert not figures_of(store).exists()
        assert "To put it in the place" not in page.words

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("echo 'fieldfare: /x: cannot write: No space left on device' >&2; exit 74", "No space left on device"),
            ("echo 'nonsense'; exit 0", "It ended with status 0."),
            ("kill -9 $$", "It ended with status -9."),
            ("echo '{\"bundle\": 3}'", "It ended with status 0."),
        ],
    )
    def test_what_fails_is_said_and_the_one_before_stays(
        self, site: Site, store: Path, script: Script, line: str, words: str
    ) -> None:
        mark(store, events_of(store))
        old = open_bundle(store.with_name("bundle")).bundle_id
        taught = leave_taught(site, old)
        script(line)
        browser = Browser(build(site))
        browser.post("/teach")
        page = ended(site, browser)
        assert words in page.words
        assert f"A taught bundle waits: {taught}" in page.words
        assert "65.4 %" in page.words

    def test_there_is_one_at_a_time_and_it_can_be_cancelled(self, site: Site, store: Path, script: Script) -> None:
        mark(store, events_of(store))
        script("echo 'so far <b>' >&2; sleep 60")
        browser = Browser(build(site))
        assert [browser.post("/teach").status for _ in range(2)] == [303, 409]
        page = browser.get("/teach")
        assert "Teaching for" in page.words
        assert 'action="/teach"' not in page.text
        assert "teaching: going on for" in browser.get("/exports").words
        assert browser.post("/exports/cancel").status == 303
        assert "It was cancelled." in ended(site, browser).words

    def test_beside_something_else_it_does_not_begin(self, site: Site, store: Path) -> None:
        mark(store, events_of(store))
        browser = Browser(build(site))
        with site.errands.held("export"):
            page = browser.get("/teach")
            assert "export: going on for" in page.words
            assert 'action="/teach"' not in page.text
            assert browser.post("/teach").status == 409

    def test_without_room_for_the_figures_they_are_shown_all_the_same(
        self, site: Site, store: Path, script: Script
    ) -> None:
        """They cannot be kept for pages that start anew."""
        mark(store, events_of(store))
        verdict = msgspec.to_builtins(msgspec.structs.replace(WORSE, better=True))
        script(f"echo {shlex.quote(msgspec.json.encode({'bundle': 'x', 'verdict': verdict}).decode())}")
        figures_of(store).mkdir(parents=True)
        browser = Browser(build(site))
        browser.post("/teach")
        assert "Better, and written beside" in ended(site, browser).words
        assert site.errands.running() is None


class TestWaiting:
    def test_of_another_bundle_it_is_of_no_use(self, site: Site) -> None:
        leave_taught(site, "0123456789ab")
        page = Browser(build(site)).get("/teach")
        assert "It was taught from 0123456789ab, which is not in the place" in page.words
        assert "--take" not in page.text
        assert "<script>alert" not in page.text

    def test_figures_of_another_one_are_not_shown(self, site: Site, store: Path) -> None:
        """The pages were ended between the bundle and its figures."""
        leave_taught(site, open_bundle(store.with_name("bundle")).bundle_id, "0123456789ab")
        page = Browser(build(site)).get("/teach")
        assert "65.4 %" not in page.words
        assert "Its figures were not kept." in page.words
        assert "photos of owl (9); known classes 90.0% before, 91.0% after" in page.words

    @pytest.mark.parametrize("data", [b"", b"{", b'{"bundle":1}', b"[" * 5000, b"\xff"])
    def test_damaged_figures_are_none(self, site: Site, store: Path, data: bytes) -> None:
        leave_taught(site, open_bundle(store.with_name("bundle")).bundle_id)
        figures_of(store).write_bytes(data)
        assert "Its figures were not kept." in Browser(build(site)).get("/teach").words

    def test_a_damaged_bundle_is_said_and_makes_room(self, site: Site, store: Path, script: Script) -> None:
        mark(store, events_of(store))
        leave_taught(site, "0123456789ab")
        place_of(store).write_bytes(b"x" * 1000)
        browser = Browser(build(site))
        assert "cannot be read. Teach again." in browser.get("/teach").words
        script("exit 3")
        assert browser.post("/teach").status == 303
        ended(site, browser)
        assert not place_of(store).exists()

    def test_without_a_place_to_write_nothing_begins(self, site: Site, store: Path) -> None:
        mark(store, events_of(store))
        folder_of(store).write_text("a file in its place")
        browser = Browser(build(site))
        assert browser.get("/teach").status == 200
        answer = browser.post("/teach")
        assert answer.status == 507
        assert "cannot be made" in answer.words
        assert site.errands.running() is None

    @pytest.mark.parametrize(
        ("run", "unit"),
        [(None, "fieldfare"), ("/run/fieldfare", "fieldfare"), ("/run/fieldfare/front", "fieldfare@front")],
    )
    def test_an_instance_has_a_unit_of_its_own(self, site: Site, run: str | None, unit: str) -> None:
        seen = replace(site, run_dir=None if run is None else Path(run))
        assert f"reload-or-restart {unit}\n" in Browser(build(seen)).get("/teach").text
