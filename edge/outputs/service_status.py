"""Read what the service reports about itself, as far as outputs pass it on."""

import time
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.storage import read_bounded

# As edge.supervision.status, which writes the file: the largest, and the age at which it shows a hang.
_MAX_BYTES = 1 << 20
STALE_S = 15.0
_WELL = ("starting", "running", "degraded", "asleep")


class ServiceLoad(msgspec.Struct, frozen=True):
    """Of the board."""

    temperature_c: float | None = None


class ServiceEvents(msgspec.Struct, frozen=True):
    """What becomes of events."""

    waiting: int = 0
    fault: str | None = None
    notice: str | None = None
    lost_events: int = 0
    stored: int | None = None
    pictures_mb: float = 0.0
    harvest_mb: float = 0.0
    dropped_pictures: int = 0
    written_bytes: int = 0


class ServiceStatus(msgspec.Struct, frozen=True):
    """What is used of edge.supervision.status.Status; other keys are skipped, so that versions may differ."""

    state: str
    why: str
    updated_mono_s: float
    boot_id: str
    fps: float = 0.0
    looked_at_fps: float = 0.0
    output_fault: str | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    load: ServiceLoad = ServiceLoad()
    events: ServiceEvents | None = None


def read_service(path: Path | None) -> ServiceStatus | None:
    """Return the status in the file; None if there is none, or it is not one."""
    if path is None:
        return None
    try:
        return decode_json(read_bounded(path, _MAX_BYTES, follow=False), ServiceStatus)
    except (OSError, DecodingError):
        return None  # it is reported as a problem by service_problem


def service_problem(status: ServiceStatus | None, boot: str) -> str | None:
    """Return what is wrong with the service, None if all is well."""
    if status is None or status.boot_id != boot:
        return "the service does not run"
    if status.state not in _WELL:
        return f"{status.state}: {status.why}"
    if time.monotonic() - status.updated_mono_s > STALE_S:
        return "the service does not run, or hangs"
    if status.state == "degraded":
        return f"degraded: {status.why}"
    if status.events is not None and (status.events.fault or status.events.notice):
        return status.events.fault or status.events.notice
    return status.output_fault


def boot_id() -> str:
    """Return this boot's id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
