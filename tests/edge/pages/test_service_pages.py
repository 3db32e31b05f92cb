"""Status, problems, settings and the doctor, as a browser gets them."""

import logging
import re
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from browsing import Browser

from edge.pages.application import build
from edge.pages.site import Site
from edge.processes.logs import PROBLEMS, ProblemLog
from edge.processes.outputs_messages import OutputState
from edge.supervision.status import EventStatus, LoadStatus, Seen, begin

# In every key that may hold one.
SECRETS = ("hunter2", "ada", "s3cret-token", "mqtt-ada", "/etc/fieldfare/cam-word", "/etc/fieldfare/mqtt-word", "k3y")
WITH_SECRETS = """
bundle = "birds"
[camera]
source = "rtsp://ada:hunter2@192.0.2.9/stream?key=k3y"
[decision.thresholds]
robin = 0.7
[events]
store = "{store}"
[hook]
command = ["/usr/bin/curl", "-H", "Authorization: s3cret-token"]
[mqtt]
host = "broker.example"
username = "mqtt-ada"
password_file = "/etc/fieldfare/mqtt-word"
[[schedule.awake]]
from = "06:00"
to = "20:00"
"""


@pytest.fixture
def with_settings(site: Site, tmp_path: Path, store: Path) -> Site:
    """Pages that know the settings."""
    file = tmp_path / "fieldfare.toml"
    file.write_text(WITH_SECRETS.format(store=store))
    return replace(site, settings=file)


class TestStatus:
    def test_it_has_all_that_the_service_reports(self, with_settings: Site, tmp_path: Path) -> None:
        status = begin()
        status.state, status.why, status.engine, status.fps = "degraded", "no Edge TPU", "cpu litert", 9.8
        status.last, status.clock = Seen("robin", 0.913, time.time(), 41.7), "rtc"
        status.load = LoadStatus(temperature_c=61.5, reason="too hot")
        status.events = EventStatus(waiting=2, written_bytes=48_300_000, lost_events=3, fault="disk full")
        status.outputs = (OutputState(name="mqtt", fault="connection refused", waiting=40),)
        (tmp_path / "run").mkdir()
        (tmp_path / "run/status.json").write_bytes(msgspec.json.encode(status))
        page = Browser(build(replace(with_settings, run_dir=tmp_path / "run"))).get("/status")
        for words in (
            "no Edge TPU", "cpu litert", "robin, 91.3 %", "41.7 ms", "9.8 decisions a second", "61.5 °C", "too hot",
            "kept by a real-time clock", "disk full", "3 events and 0 pictures", "48.3 MB since midnight",
            "connection refused, 40 waiting", "Next change of the schedule", "Free space", "0.1.0", "Running for",
        ):  # fmt: skip
            assert words in page.words, words

    def test_settings_that_are_wrong_are_said_and_hide_nothing_else(self, with_settings: Site, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run/status.json").write_bytes(msgspec.json.encode(begin()))
        assert with_settings.settings is not None
        with_settings.settings.write_text("bundle = 3\n")
        page = Browser(build(replace(with_settings, run_dir=tmp_path / "run"))).get("/status")
        assert page.status == 200
        assert "starting" in page.words


class TestSettings:
    def test_they_are_shown_by_section_with_what_was_changed(self, with_settings: Site) -> None:
        page = Browser(build(with_settings)).get("/settings")
        assert "[camera]" in page.words
        assert "rtsp://***@192.0.2.9/stream?***" in page.words
        assert "robin: 0.7" in page.words
        assert "from: 06:00; to: 20:00" in page.words
        changed = re.findall(r'class="changed"><th scope="row">(\w+)<', page.text)
        assert {"bundle", "source", "thresholds", "store", "command", "host", "awake"} <= set(changed)
        assert "width" not in changed
        assert re.search(r"Off, as they are not in the file: .*gpio", page.words)

    @pytest.mark.parametrize("secret", SECRETS)
    def test_no_secret_is_in_any_page(self, with_settings: Site, secret: str) -> None:
        browser = Browser(build(with_settings))
        for path in ("/settings", "/status", "/problems", "/doctor", "/exports", "/events/3"):
            assert secret not in browser.get(path).text, path

    def test_nor_if_they_are_wrong(self, with_settings: Site) -> None:
        assert with_settings.settings is not None
        with_settings.settings.write_text(WITH_SECRETS.replace("robin = 0.7", "robin = 7").format(store="x"))
        page = Browser(build(with_settings)).get("/settings")
        assert page.status == 200
        assert "from 0 to 1" in page.words
        assert not any(secret in page.text for secret in SECRETS)

    def test_a_password_of_a_camera_is_not_even_named(self, with_settings: Site) -> None:
        assert with_settings.settings is not None
        text = with_settings.settings.read_text().replace("ada:hunter2@", "ada@")
        text = text.replace("[decision", 'password_file = "/etc/fieldfare/cam-word"\n[decision')
        with_settings.settings.write_text(text)
        page = Browser(build(with_settings)).get("/settings")
        assert "set, not shown" in page.words
        assert "cam-word" not in page.text
        assert "ada" not in page.text

    def test_nothing_changes_any(self, with_settings: Site) -> None:
        """No route takes a form for them."""
        assert Browser(build(with_settings)).post("/settings", {"source": "x"}).status == 405

    def test_pages_without_them_say_so(self, browser: Browser) -> None:
        assert "know no settings" in browser.get("/settings").words


class TestProblems:
    def kept(self, folder: Path, *lines: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        log = ProblemLog(folder / PROBLEMS)
        for line in lines:
            log.handle(logging.LogRecord("x", logging.WARNING, "", 0, line, (), None))
        log.close()

    def test_those_of_the_service_its_outputs_and_the_pages_are_shown(self, site: Site, tmp_path: Path) -> None:
        self.kept(tmp_path / "fieldfare", "camera: no frame for 3 s")
        self.kept(tmp_path / "fieldfare-outputs", "broker: connection refused")
        own = ProblemLog(None)
        own.handle(logging.LogRecord("x", logging.ERROR, "", 0, "page /x: KeyError", (), None))
        page = Browser(build(replace(site, run_dir=tmp_path / "fieldfare", problems=own))).get("/problems")
        for words in (
            "camera: no frame for 3 s",
            "broker: connection refused",
            "page /x: KeyError",
            "fieldfare-outputs",
        ):
            assert words in page.words

    def test_an_instance_has_its_own(self, site: Site, tmp_path: Path) -> None:
        self.kept(tmp_path / "fieldfare/front", "front camera gone")
        self.kept(tmp_path / "fieldfare/back", "back camera gone")
        self.kept(tmp_path / "fieldfare-outputs/front", "front broker gone")
        page = Browser(build(replace(site, run_dir=tmp_path / "fieldfare/front"))).get("/problems")
        assert "front camera gone" in page.words
        assert "front broker gone" in page.words
        assert "back camera gone" not in page.words

    def test_what_others_wrote_acts_on_nothing(self, site: Site, tmp_path: Path) -> None:
        self.kept(tmp_path / "run", "<script>alert(1)</script> a\x1b[2Jb \u202eevil rtsp://u:pw@h/x")
        page = Browser(build(replace(site, run_dir=tmp_path / "run"))).get("/problems")
        assert "<script>alert" not in page.text
        assert "\x1b" not in page.text
        assert "\u202e" not in page.text
        assert "u:pw" not in page.text

    @pytest.mark.parametrize(
        "data", [b"", b"{", b"[1]", b"[" * 5000, b'[{"wall_s":1e300,"level":"x","words":"y"}]', b"\xff"]
    )
    def test_a_file_that_is_none_is_said(self, site: Site, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / PROBLEMS).write_bytes(data)
        page = Browser(build(replace(site, run_dir=tmp_path / "run"))).get("/problems")
        assert page.status == 200
        assert "written by another version?" in page.words


@pytest.mark.process
class TestDoctor:
    def test_it_looks_when_asked_and_keeps_what_it_found(self, with_settings: Site) -> None:
        browser = Browser(build(with_settings))
        assert "Nobody has looked" in browser.get("/doctor").words
        assert browser.post("/doctor").headers["location"] == "/doctor"
        running = with_settings.errands.running()
        until_s = time.monotonic() + 60
        while running is not None and time.monotonic() < until_s:
            time.sleep(0.05)
            running = with_settings.errands.running()
        page = browser.get("/doctor")
        assert "Debian" in page.words or "system" in page.words
        assert "not looked at from here: libraries, places" in page.words
        assert "What to do: sudo fieldfare doctor" in page.words
        assert re.search(r"Looked [\d.]+ (s|min) ago", page.words)
        assert not any(secret in page.text for secret in SECRETS)
        for link in page.links("#mend-"):
            assert f'id="{link[1:]}"' in page.text
