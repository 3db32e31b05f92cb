"""How the service is, and what the store holds."""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from edge import __version__
from edge.errors import FieldfareError, MissingInputError
from edge.events.schedule import timetable_of
from edge.pages.rendering import lasted, local, page, share
from edge.pages.site import Site
from edge.pages.wording import texts
from edge.store.reading import StoreReader
from edge.supervision.status import EventStatus, Status, read

_MOST_SERVICES = 20

Rows = list[tuple[str, str]]
Groups = list[tuple[str, Rows]]


def status_view(site: Site, _request: Request) -> Response:
    """Answer with the status of the service that keeps this store, and with the store's size."""
    store, status = _place(site), 200
    try:
        store += _store(site)
    except FieldfareError as error:  # what is known of the service matters most just then
        refused, status = texts().refused, 503
        fault = refused.no_store if isinstance(error, MissingInputError) else refused.unavailable
        store.append((texts().status.why, f"{fault} {error}"))
    return page(
        "status.html",
        "status",
        site,
        status=status,
        services=list(_services(site)),
        store=store,
        pages=_of_pages(site),
        secure=site.secure,
    )


def _services(site: Site) -> Iterator[tuple[str, str, Groups]]:
    """Yield name, state and rows of each service."""
    for path in status_files(site):
        try:
            seen = read(path)
        except FieldfareError as error:
            yield path.parent.name, "failed", [("", [(texts().status.why, str(error))])]
            continue
        alive = seen.is_alive()
        state = seen.state if alive or seen.state in ("failed", "stopped") else "gone"
        yield path.parent.name, state, _groups(site, seen)


def status_files(site: Site) -> Sequence[Path]:
    """Return the status files of the services that run here."""
    return [] if site.run_dir is None else sorted(site.run_dir.glob("**/status.json"))[:_MOST_SERVICES]


def _groups(site: Site, seen: Status) -> Groups:
    words = texts().status
    groups = [("", list(_state(site, seen))), (words.camera_engine, list(_running(seen)))]
    groups.append((words.events, list(_kept(seen)) + list(_outputs(site, seen))))
    groups.append((words.board, list(_board(seen))))
    return groups


def _state(site: Site, seen: Status) -> Iterator[tuple[str, str]]:
    words = texts().status
    if not seen.is_alive():
        yield words.as_of, local(seen.updated_wall_s)
    yield words.since, local(seen.since_wall_s)
    yield words.why, seen.why
    if seen.asleep_until_wall_s is not None:
        yield words.wakes, local(seen.asleep_until_wall_s)
    elif (sleeps := _sleeps(site)) is not None:
        yield words.sleeps, sleeps
    if seen.reloaded is not None:
        what = words.applied if seen.reloaded.applied else words.not_applied
        yield words.reloaded, "; ".join((f"{what}: {seen.reloaded.words}", *seen.reloaded.faults))
    yield words.up, lasted(max(0.0, seen.updated_wall_s - seen.started_wall_s))
    yield words.version, seen.version


def _sleeps(site: Site) -> str | None:
    """Return when the schedule changes next, or why that is not known; None without a schedule."""
    try:
        settings = site.load_settings()
        if settings is None or not settings.schedule.awake:
            return None
        change = timetable_of(settings).next_change(time.time())
    except FieldfareError as error:  # wrong settings: the page of the settings has all of it
        return str(error)
    return texts().status.never if change is None else local(change)


def _running(seen: Status) -> Iterator[tuple[str, str]]:
    words, counts = texts().status, seen.counts
    if seen.last is not None:
        yield words.last, f"{seen.last.label}, {share(seen.last.score)}, {local(seen.last.captured_wall_s)}"
        if seen.last.latency_ms is not None:
            yield words.latency, f"{seen.last.latency_ms:.1f} ms"
    yield words.rate, words.a_second.format(rate=f"{seen.fps:.1f}")
    yield words.engine, seen.engine or words.none
    yield words.camera, seen.source or words.none
    yield words.bundle, f"{seen.bundle_name or words.none}{f' ({seen.bundle})' if seen.bundle else ''}"
    faults = (counts.camera_faults, counts.engine_faults, counts.crashes, counts.hangs, counts.edgetpu_losses)
    yield words.faults, words.fault_counts.format(*faults) if any(faults) else words.none


def _kept(seen: Status) -> Iterator[tuple[str, str]]:
    words, events = texts().status, seen.events
    if events is None:
        yield words.recorder, words.not_kept
        return
    yield words.recorder, events.fault or words.keeps
    yield words.waiting, f"{events.waiting:,}"
    if events.notice is not None:
        yield words.notice, events.notice
    if events.lost_events or events.lost_pictures:
        yield words.lost, words.lost_counts.format(events=events.lost_events, pictures=events.lost_pictures)
    yield words.written, words.written_today.format(size=f"{events.written_bytes / 1e6:.1f} MB")
    yield words.space, _space(events)


def _space(events: EventStatus) -> str:
    words: str = texts().status.space_of
    return words.format(
        pictures=f"{events.pictures_mb:.0f} MB",
        harvest=f"{events.harvest_mb:.0f} MB",
        dropped=f"{events.dropped_pictures:,}",
    )


def _outputs(site: Site, seen: Status) -> Iterator[tuple[str, str]]:
    words = texts().status
    if seen.output_fault is not None:
        yield words.results, seen.output_fault
    if seen.outputs_fault is not None:
        yield words.outputs, seen.outputs_fault
    for one in seen.outputs:
        state = words.output_state.format(state=one.fault or words.sends, waiting=f"{one.waiting:,}")
        yield f"{words.outputs}: {one.name}", f"{state}; {one.notice}" if one.notice is not None else state
    if not seen.outputs and seen.outputs_fault is None and site.run_dir is not None:
        yield words.outputs, words.elsewhere


def _board(seen: Status) -> Iterator[tuple[str, str]]:
    words, load = texts().status, seen.load
    if load.temperature_c is not None:
        yield words.temperature, f"{load.temperature_c:.1f} °C"
    if load.cpu_percent is not None:
        yield words.cpu, f"{load.cpu_percent:.0f} %"
    if load.reason:
        yield words.slowed, load.reason
    if seen.clock is not None:
        yield words.clock, getattr(words.clocks, seen.clock)


def _store(site: Site) -> Rows:
    words = texts().status
    with StoreReader(site.store) as reader:
        first, last = reader.numbers()
    return [
        (words.numbers, f"{first} - {last}" if last else words.none),
        (words.size, f"{site.store.stat().st_size / 1e6:.1f} MB"),
    ]


def _place(site: Site) -> Rows:
    words = texts().status
    disks = ((f"{words.free} ({place})", f"{_free(place) / 1e9:.1f} GB") for place in _disks(site.store.parent))
    return [(words.store, str(site.store)), *disks]


def _disks(home: Path) -> Iterator[Path]:
    """Yield the store's folder, and those of its pictures and harvest that are on another disk."""
    seen: set[int] = set()
    for place in (home, home / "pictures", home / "harvest"):
        if place.is_dir() and (device := place.stat().st_dev) not in seen:
            seen.add(device)
            yield place


def _free(place: Path) -> int:
    about = os.statvfs(place)
    return about.f_bavail * about.f_frsize


def _of_pages(site: Site) -> Rows:
    words = texts().status
    return [
        (words.version, __version__),
        ("Python", platform.python_version()),
        (words.password, words.none if site.password is None else words.is_set),
        (words.encryption, words.none if site.certificate is None else site.certificate.fingerprint()),
    ]
