"""How the service is, and what the store holds."""

import os
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from edge.errors import FieldfareError
from edge.pages.rendering import lasted, local, page, share
from edge.pages.site import Site
from edge.pages.wording import texts
from edge.store.reading import StoreReader
from edge.supervision.status import Status, read

Rows = list[tuple[str, str]]


def status_view(site: Site, _request: Request) -> Response:
    """Answer with the status of the service that keeps this store, and with the store's size."""
    words = texts().status
    services = []
    for path in [] if site.run_dir is None else sorted(site.run_dir.glob("**/status.json"))[:20]:
        try:
            seen = read(path)
        except FieldfareError as error:
            services.append((path.parent.name, "failed", [(words.why, str(error))]))
            continue
        alive = seen.is_alive()
        state = seen.state if alive or seen.state in ("failed", "stopped") else "gone"
        services.append((path.parent.name, state, list(_rows(seen))))
    with StoreReader(site.store) as reader:
        first, last = reader.numbers()
    about = os.statvfs(site.store.parent)
    store: Rows = [
        (words.store, str(site.store)),
        (words.numbers, f"{first} - {last}" if last else words.none),
        (words.size, f"{site.store.stat().st_size / 1e6:.1f} MB"),
        (words.free, f"{about.f_bavail * about.f_frsize / 1e9:.1f} GB"),
    ]
    return page("status.html", "status", site, services=services, store=store)


def _rows(seen: Status) -> Iterator[tuple[str, str]]:
    words, load = texts().status, seen.load
    yield words.since, local(seen.since_wall_s)
    yield words.why, seen.why
    if seen.last is not None:
        when = local(seen.last.captured_wall_s)
        yield words.last, f"{seen.last.label}, {share(seen.last.score)}, {when}"
    yield words.rate, words.a_second.format(rate=f"{seen.fps:.1f}")
    yield words.engine, seen.engine or words.none
    yield words.camera, seen.source or words.none
    yield words.bundle, f"{seen.bundle_name or words.none} ({seen.bundle or ''})"
    if load.temperature_c is not None:
        yield words.temperature, f"{load.temperature_c:.1f} °C"
    if load.reason:
        yield words.slowed, load.reason
    if seen.clock is not None:
        yield words.clock, getattr(words.clocks, seen.clock)
    if seen.asleep_until_wall_s is not None:
        yield words.wakes, local(seen.asleep_until_wall_s)
    if seen.events is not None:
        yield words.waiting, str(seen.events.waiting)
    for fault in (seen.output_fault, seen.outputs_fault):
        if fault is not None:
            yield words.outputs, fault
    yield words.version, seen.version
    yield words.up, lasted(max(0.0, seen.updated_wall_s - seen.started_wall_s))
