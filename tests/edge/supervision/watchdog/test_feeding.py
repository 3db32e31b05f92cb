"""A real supervisor and a real notify socket: what starves the watchdog, and what does not."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import recorders
from recorders import noted
from scripted import wait_until
from scripted_workers import PREFACE
from supervised import Memory, starting

from edge.config.keeping import Events
from edge.config.running import Camera, Engine
from edge.config.settings import Settings
from edge.supervision import life_watch
from edge.supervision.beside.attended import Attended
from edge.supervision.parts import Helpers
from edge.supervision.recording import recording
from edge.supervision.supervisor import Supervisor
from edge.supervision.systemd import Place, SystemdNotifier
from edge.supervision.watchdog import duties
from edge.supervision.worker_watch import WorkerWatch

# Looked at within 2 * 0.5 + 0.5 + 0.5 seconds.
CAMERA = Camera(source="synthetic", timeout_s=0.5, frozen_s=0.5)
SETTINGS = Settings(bundle="none", camera=CAMERA, engine=Engine(device="cpu", timeout_s=0.5))
WITH_EVENTS = Settings(bundle="none", camera=CAMERA, events=Events(store="events.db", durable_within_s=1.0))
SERVES = "started(); serve()"
SEES = """
from edge.events.records import Sighting
now = time.monotonic()
started(); decided(0)
channel.send(Sighted(Sighting(number=1, label="owl", begin_mono_s=now, end_mono_s=now, peak=0.9, peak_mono_s=now,
    mean=0.8, frames=3, ended=True)))
serve()
"""
HANGS = "started(); decided(0)\nwhile True: channel.send(Pulse(FrameCounts(1))); time.sleep(0.1)"


class Watched:
    """A supervisor in a thread, and systemd's end of its notify socket."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(str(folder / "notify"))
        notifier = SystemdNotifier({"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "400000"})
        helpers = Helpers(recorder=recorders.starting("a_recorder"))
        self.supervisor = Supervisor(
            settings,
            [Memory()],
            notifier,
            Place(folder, folder),
            service=True,
            start=starting("a_worker"),
            helpers=helpers,
        )
        self.status = self.supervisor.status
        self._thread = threading.Thread(target=self.supervisor.run)
        self._thread.start()

    def is_fed(self, seconds: float = 1.5) -> bool:
        """Whether the watchdog is fed within so many seconds from now."""
        self._end.setblocking(False)
        with suppress(BlockingIOError):
            while self._end.recv(4096):
                continue
        self._end.settimeout(seconds)
        try:
            return b"WATCHDOG=1" in self._end.recv(4096)
        except TimeoutError:
            return False

    def close(self) -> None:
        self.supervisor.stop()
        self._thread.join(30)
        self._end.close()


Watch = Callable[..., Watched]


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Start one whose grace is half a second."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(duties, "GRACE_S", 0.5)
    started: list[Watched] = []

    def begin(worker: str, settings: Settings = SETTINGS, recorder: str = "receive(); keep()") -> Watched:
        (tmp_path / "a_worker.py").write_text(PREFACE + worker)
        (tmp_path / "a_recorder.py").write_text(recorders.PREFACE + recorder)
        started.append(Watched(tmp_path, settings))
        return started[-1]

    yield begin
    for one in started:
        one.close()


pytestmark = pytest.mark.process


class TestFed:
    def test_while_frames_are_looked_at(self, watch: Watch) -> None:
        one = watch(SERVES)
        assert wait_until(lambda: one.status.state == "running")
        time.sleep(3.0)
        assert one.is_fed()

    def test_while_a_camera_is_missing_and_tried_again_and_again(self, watch: Watch) -> None:
        """For months, if need be: a restart would not bring it."""
        tries = "while True: channel.send(Step('opening', 'camera', 9.0)); channel.send(Trouble('gone', 69))"
        one = watch(f"{tries}; time.sleep(0.3)")
        assert wait_until(lambda: one.status.state == "recovering")
        time.sleep(3.0)
        assert one.is_fed()

    def test_while_a_worker_that_hangs_is_replaced_again_and_again(self, watch: Watch) -> None:
        one = watch(HANGS)
        assert wait_until(lambda: one.status.counts.worker_starts > 2)
        assert one.is_fed()

    def test_while_the_recorder_reports_a_full_disk(self, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recording, "_OVERDUE_S", 0.0)
        full = "receive()\nwhile True: pulse(fault='No space left on device'); receive(0.2)"
        one = watch(SEES, WITH_EVENTS, full)
        assert wait_until(lambda: one.supervisor.status.events and one.supervisor.status.events.waiting)
        time.sleep(3.0)
        assert one.is_fed()


class TestStarved:
    """Each time, the supervisor is robbed of its own judgement: as if by a fault of its own that no one foresaw."""

    def test_no_frame_is_looked_at_and_nothing_is_done(
        self, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(life_watch.LifeWatch, "fault", lambda *_: None)
        one = watch(HANGS)
        assert wait_until(lambda: "not fed any more" in caplog.text)
        assert "frames: nothing moved for" in caplog.text
        assert not one.is_fed()
        assert caplog.text.count("not fed any more") == 1

    def test_an_inference_hangs_and_nothing_is_done(
        self, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """While a gate turns frames away, so that some are looked at all the time."""
        monkeypatch.setattr(WorkerWatch, "verdict", lambda _: None)
        turns = "channel.send(Pulse(FrameCounts(n, 0, 0, n, 0), time.monotonic() - began))"
        one = watch(f"started(); began = time.monotonic(); n = 0\nwhile True: n += 1; {turns}; time.sleep(0.1)")
        assert wait_until(lambda: "not fed any more" in caplog.text)
        assert "inferences: nothing moved" in caplog.text
        assert not one.is_fed()

    def test_the_recorder_keeps_nothing_and_nothing_is_done(
        self, watch: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(recording, "_OVERDUE_S", 0.0)
        monkeypatch.setattr(Attended, "replace", lambda *_: None)
        one = watch(SEES, WITH_EVENTS, "receive(); note('begun')\nwhile True: pulse(); receive(0.2)")
        assert wait_until(lambda: "not fed any more" in caplog.text)
        assert noted(tmp_path) == ["begun"]
        assert "what waits for the recorder: nothing moved" in caplog.text
        assert not one.is_fed()

    def test_it_is_fed_again_if_things_move_after_all(
        self, watch: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(life_watch.LifeWatch, "fault", lambda *_: None)
        waits = "while not (HERE / 'go').exists(): channel.send(Pulse(FrameCounts(1))); time.sleep(0.1)"
        one = watch(f"started(); decided(0)\n{waits}\nserve()")
        assert wait_until(lambda: "not fed any more" in caplog.text)
        (tmp_path / "go").touch()
        assert wait_until(lambda: "fed again" in caplog.text)
        assert one.is_fed()
