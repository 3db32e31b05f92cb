"""The service of a soak: its settings, what can be done to it, and what is seen of it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.supervision.status import Status
from tools.reliability.clock_jumps import FakeClock
from tools.reliability.disk import Disk
from tools.reliability.service import GAP_S, Service, children, keeps, prepare
from tools.soaking import WORKER

FPS = 20
PATIENCE_S = 120.0
_POLL_S = 0.02
PARTS = {"worker": WORKER, "recorder": "edge.recorder.main", "outputs": "edge.outputs.main"}


class SoakedService(Service):
    """A service whose workers have the camera of worker.py."""

    program = "tools.soaking.observed"

    def part(self, name: str) -> int | None:
        """Return the process id of supervisor, worker, recorder or outputs; None if it does not run now."""
        if name == "supervisor":
            return self.pid if self.lives else None
        return next(iter(children(self.pid, PARTS[name])), None)


class Scene:
    """A service with a scripted camera, a disk and a clock that can fail, and all its results.

    planned: spans in which no results are due, monotonic: the service starts, or sleeps by its schedule.
    """

    def __init__(self, folder: Path) -> None:
        """Make all of it in `folder`; nothing is started yet."""
        self.folder, self.store, self.lines = folder, folder / "disk/state/events.db", folder / "lines.jsonl"
        self.disk, self.clock = Disk.at(folder, folder / "disk"), FakeClock(folder)
        self.planned: list[tuple[float, float]] = []
        self._arrived: list[tuple[float, float]] = []
        self._lock = threading.Lock()
        prepare(folder)
        self.camera("run")
        self.clock.set(0, synchronized=True)
        variables = {**self.disk.variables(mirrored=False), **self.clock.variables}
        self.settings = self.configure()
        self.service = SoakedService(folder, self.settings, variables)

    def configure(self, more: str = "") -> Path:
        """Write the settings. more: further tables."""
        settings = self.folder / "settings.toml"
        partial = settings.with_suffix(".new")
        partial.write_text(
            f'bundle = "{self.folder}/bundle"\n[camera]\nsource = "synthetic"\nwidth = 320\nheight = 240\n'
            f'fps = {FPS}\nscript = "@{self.folder}/camera"\n[engine]\ndevice = "cpu"\nthreads = 1\n'
            f'[output]\nconsole = "off"\n[device]\nname = "bench"\n[events]\nstore = "{self.store}"\n'
            f"smoothing_s = 0.0\nmin_duration_s = 0.0\ngap_s = {GAP_S}\ndurable_within_s = 1\n"
            f'[pictures]\nreserve_mb = 0\n[event_lines]\nfile = "{self.lines}"\nmax_mb = 1000\n{more}'
        )
        partial.replace(settings)
        return settings

    def camera(self, word: str) -> None:
        """Change what the camera suffers: a word of edge/capture/script.py."""
        partial = self.folder / "camera.new"
        partial.write_text(word + "\n")
        partial.replace(self.folder / "camera")

    def start(self) -> None:
        """Start the service, and wait until it keeps events. Raises SystemExit if it does not."""
        self.service.start(on_result=self._on_result)
        if self.service.wait_for(keeps, PATIENCE_S) is None:
            raise SystemExit(f"soak: the service does not run: {self.tail()}")

    def tail(self) -> str:
        """Return the end of the service's log."""
        return self.service.log.read_text()[-2000:]

    def _on_result(self, result: dict[str, Any]) -> None:
        with self._lock:
            self._arrived.append((time.monotonic(), result["captured_mono_s"]))

    def arrivals(self) -> list[tuple[float, float]]:
        """Return when each result arrived and its frame was taken, monotonic."""
        with self._lock:
            return list(self._arrived)

    def result_after(self, moment_s: float) -> float | None:
        """Wait for a result of a frame taken after this moment. Return when it arrived, None if it took too long."""
        ends_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends_s:
            with self._lock:
                newest = self._arrived[-1] if self._arrived else (0.0, 0.0)
            if newest[1] > moment_s:
                return next(arrived for arrived, captured in self.arrivals() if captured > moment_s)
            if not self.service.lives:
                raise SystemExit(f"soak: the service ended: {self.tail()}")
            time.sleep(_POLL_S)
        return None

    def seconds_until(self, fits: Callable[[Status], bool], since_s: float) -> float | None:
        """Wait until the status fits. Return the seconds from `since_s`, None if it took too long."""
        waited = self.service.wait_for(fits, PATIENCE_S)
        return None if waited is None else time.monotonic() - since_s

    def is_well(self) -> bool:
        """Wait until results come and events are kept. Return whether they do."""
        return (
            self.result_after(time.monotonic()) is not None and self.service.wait_for(is_back, PATIENCE_S) is not None
        )

    @contextmanager
    def no_results_due(self) -> Iterator[None]:
        """Note the span of the block as planned, up to the first result after it."""
        began_s = time.monotonic()
        yield
        self.result_after(time.monotonic())
        self.planned.append((began_s, time.monotonic()))

    def longest_gap(self, begin_s: float, end_s: float) -> float:
        """Return the longest time without a result within this span, in seconds; planned spans do not count."""
        moments = [begin_s, *(arrived for arrived, _ in self.arrivals() if begin_s < arrived < end_s), end_s]
        return max(
            (
                after - before
                for before, after in itertools.pairwise(moments)
                if not any(before < ends and after > begins for begins, ends in self.planned)
            ),
            default=0.0,
        )


def is_back(status: Status) -> bool:
    """Return whether events are kept, and none is left from before."""
    return keeps(status) and status.events is not None and status.events.waiting < 20
