"""Keep the state of the service in one record, and in a file that `fieldfare status` and everything else read."""

import logging
import os
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge import __version__
from edge.decoding import DecodingError, decode_json
from edge.errors import DataError, MissingInputError
from edge.events.records import ClockQuality
from edge.processes.outputs_messages import OutputState
from edge.storage import read_bounded, replace_file

_log = logging.getLogger(__name__)

State = Literal["starting", "running", "degraded", "asleep", "recovering", "failed", "stopped"]
# What a file may hold, and no more: os.kill and time.localtime take no other numbers, and 0 is no process.
Pid = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
WallTime = Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]  # far off, as a clock may be
# A file that is older shows that the supervisor itself hangs: it writes every 2 s. Less than systemd's watchdog (30 s).
STALE_S = 15.0
# Root reads the file, too, and the service's user may replace it. One has 2 kB.
MAX_BYTES = 1 << 20
# No time server slews a clock by as much between two writes; more means that it was set.
_STEP_S = 1.0


class Counts(msgspec.Struct, kw_only=True):
    """Counts since the service started, through all its workers.

    results: decisions that were published.
    looked_at: fresh frames that were judged: turned away by the gate, or decided on.
    turned_away: those that the gate did not let through to inference.
    captured: frames that the camera gave.
    dropped: frames that newer ones replaced before inference.
    repeated: frames that the camera gave twice.
    stale: results that were too old to publish.
    """

    results: int = 0
    looked_at: int = 0
    turned_away: int = 0
    captured: int = 0
    dropped: int = 0
    repeated: int = 0
    stale: int = 0
    worker_starts: int = 0
    camera_faults: int = 0
    engine_faults: int = 0
    crashes: int = 0
    hangs: int = 0
    edgetpu_losses: int = 0
    edgetpu_returns: int = 0
    usb_resets: int = 0
    reboots_asked: int = 0


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last result. latency_ms: from capture to decision."""

    label: str
    score: float
    captured_wall_s: WallTime
    latency_ms: float | None = None


class LoadStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What classifying costs, and why it was slowed down, if it was. Absent: the board does not report it."""

    temperature_c: float | None = None
    cpu_percent: float | None = None
    limit_fps: float | None = None
    reason: str | None = None


class LastEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The event that was last heard of. peak: its highest score so far. ended: False while it goes on."""

    label: str
    peak: float
    begin_wall_s: WallTime
    ended: bool = True


class EventStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What becomes of events.

    heard: events that ended since the service started. last: the last one.
    waiting: events and frames for the next training that are not on the disk yet. A few are the rule: they are written
        in groups.
    fault: why they wait, None if they are written. notice: what else people must know, such as a damaged store.
    lost_events, lost_pictures: given up since the service started, as too much waited.
    stored: events in the store. pictures_mb, harvest_mb: what pictures take.
    dropped_pictures: removed for the budget or the reserve.
    written_bytes: to disks since local midnight, by the recorder.
    """

    heard: int = 0
    last: LastEvent | None = None
    waiting: int = 0
    fault: str | None = None
    notice: str | None = None
    lost_events: int = 0
    lost_pictures: int = 0
    stored: int | None = None
    pictures_mb: float = 0.0
    harvest_mb: float = 0.0
    dropped_pictures: int = 0
    written_bytes: int = 0


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the last order to read the settings again.

    applied: False if they were refused; then those before stay in use. words: what was applied, or why not.
    faults: of the settings that were refused, a line each.
    """

    at_wall_s: WallTime
    at_mono_s: float
    applied: bool
    words: str
    faults: tuple[str, ...] = ()


class Status(msgspec.Struct, kw_only=True):
    """The service at one moment.

    state: `starting` until the first frame was looked at; `running`: as in the settings; `degraded`: frames are looked
        at, but not as in the settings; `asleep`: none are, by the schedule; `recovering`: none are; `failed`: it ended,
        and trying again cannot help; `stopped`: it ended on request, or with its source.
    why: what is missing, what is tried, or what failed.
    since_wall_s, since_mono_s: when the state began.
    fps: results a second, over the last ten seconds.
    looked_at_fps: frames a second that were looked at, over the same time.
    last: the last result.
    output_fault: why results are lost at present, None if they are kept.
    events: what becomes of events, None if none are kept.
    outputs: of events, if this service runs them. outputs_fault: why none of them runs, None if they do.
    clock: how far the wall clock can be trusted; None if nothing here depends on it.
    asleep_until_wall_s: when the schedule wakes the camera; None if it is awake, or if no such time is known.
    awake_until_wall_s: when the schedule puts the camera to sleep; None if it sleeps, or if no such time is known.
    reloaded: what became of the last reload; None if there was none.
    at_rest: the service was ordered to rest, and all is on the disk: the power may be cut.
    """

    state: State = "starting"
    why: str = "starting"
    since_wall_s: WallTime
    since_mono_s: float
    started_wall_s: WallTime
    updated_wall_s: WallTime
    updated_mono_s: float
    boot_id: str
    pid: Pid
    worker_pid: Pid | None = None
    version: str = __version__
    bundle: str | None = None
    bundle_name: str | None = None
    engine: str | None = None
    source: str | None = None
    fps: float = 0.0
    looked_at_fps: float = 0.0
    last: Seen | None = None
    output_fault: str | None = None
    events: EventStatus | None = None
    outputs: tuple[OutputState, ...] = ()
    outputs_fault: str | None = None
    clock: ClockQuality | None = None
    asleep_until_wall_s: WallTime | None = None
    awake_until_wall_s: WallTime | None = None
    reloaded: Reloaded | None = None
    at_rest: bool = False
    counts: Counts = msgspec.field(default_factory=Counts)
    load: LoadStatus = LoadStatus()

    def is_alive(self) -> bool:
        """Return True if the process that wrote this still runs and is not stuck."""
        if self.boot_id != boot_id() or self.state in ("failed", "stopped"):
            return False
        return _exists(self.pid) and time.monotonic() - self.updated_mono_s < STALE_S


def begin() -> Status:
    """Return the status of a service that starts now."""
    wall, mono = time.time(), time.monotonic()
    return Status(
        since_wall_s=wall,
        since_mono_s=mono,
        started_wall_s=wall,
        updated_wall_s=wall,
        updated_mono_s=mono,
        boot_id=boot_id(),
        pid=os.getpid(),
    )


def boot_id() -> str:
    """Return this boot's id; monotonic times of two boots cannot be compared."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class StatusFile:
    """Keeps a status in a file that is whole at any moment. A file that cannot be written is logged once."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._warned = False

    def write(self, status: Status) -> None:
        """Replace the file."""
        # No sync: /run is in memory, and on a card a sync every two seconds would wear it out and block this thread.
        _look_at_clock(status)
        if self._path is None:
            return
        try:
            # For every user, whatever the service's umask.
            replace_file(self._path, msgspec.json.encode(status) + b"\n", 0o644, synced=False)
            self._warned = False
        except OSError as error:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            _log.log(level, "status %s: cannot write: %s", self._path, error.strerror or error)


def _look_at_clock(status: Status) -> None:
    """Note the time, and mend since when the service and its state are there if the wall clock was set meanwhile."""
    wall_s, mono_s = time.time(), time.monotonic()
    step_s = (wall_s - mono_s) - (status.updated_wall_s - status.updated_mono_s)
    if abs(step_s) > _STEP_S:
        status.started_wall_s += step_s
        # Not moved by the step: the state may have begun after that.
        status.since_wall_s = wall_s - (mono_s - status.since_mono_s)
    status.updated_wall_s, status.updated_mono_s = wall_s, mono_s


def read(path: Path) -> Status:
    """Read a status file. Raises MissingInputError if there is none, DataError if it is not a status."""
    try:
        return decode_json(read_bounded(path, MAX_BYTES, follow=False), Status)
    except OSError as error:
        raise MissingInputError(f"status {path}: cannot read: {error.strerror or error}") from error
    except DecodingError as error:
        raise DataError(f"status {path}: {error}: written by another version?") from error


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
