"""Put into words what a page shows at one moment."""

import os
from collections.abc import Iterator

import msgspec

from edge.live.picture import Live
from edge.live.places import FOCUS, PICTURE
from edge.pages.live.aim import Aim
from edge.pages.live.now import Now, look, newest
from edge.pages.rendering import local, share
from edge.pages.site import Site
from edge.pages.wording import texts
from edge.printable import printable
from edge.results import Box


class Fact(msgspec.Struct, frozen=True):
    """A line beside the picture. key: by which the page's script finds it."""

    key: str
    name: str
    value: str


class Seen(msgspec.Struct, frozen=True):
    """A picture. Boxes: left, top, width, height as shares of the frame.

    number: of the picture. width, height: in pixels.
    alt: what it shows, in words.
    part: what of the frame it shows. region: what of the frame counts; None for all.
    box: of what was classified. others: what else was found.
    sharpness: of a part of the picture, in words; "" for all of it.
    """

    number: int
    width: int
    height: int
    alt: str
    part: Box
    region: Box | None
    box: Box | None
    others: list[Box]
    sharpness: str


class Moment(msgspec.Struct, frozen=True):
    """How the service is, and what it sees.

    state: its key. state_words: for people. why: it is so; "" if nobody knows. sees: the camera gives frames.
    words: why there is no picture although it sees; "" if there is one.
    facts: always the same ones, so that each has its place; none with a part.
    """

    state: str
    state_words: str
    why: str
    sees: bool
    words: str
    facts: list[Fact]
    picture: Seen | None


def moment(site: Site, aim: Aim | None = None) -> tuple[Moment, Live | None]:
    """Return this moment and its picture, and leave word that somebody looks. aim: a part; None: all of it."""
    words, now = texts().live, look(site.run_dir)
    fault = None
    if site.watching is not None and now.sees:
        fault = site.watching.want(None if aim is None else aim.focus)
    live = newest(site.run_dir, PICTURE if aim is None else FOCUS, now)
    missing = ""
    if now.sees and live is None:
        missing = words.coming if fault is None else words.cannot_ask.format(why=printable(fault))
    made = Moment(
        state=now.state,
        state_words=getattr(words.states, now.state),
        why=words.no_service if now.state == "none" else printable(now.why),
        sees=now.sees,
        words=missing,
        facts=list(_facts(site, now, live)) if aim is None else [],
        picture=None if live is None else _seen(live, measured=shows(live, aim)),
    )
    return made, live


def shows(live: Live, aim: Aim | None) -> bool:
    """Return whether a picture shows that part, not one that was wanted before, or by somebody else."""
    return aim is None or live.part == aim.focus.box


def _seen(live: Live, *, measured: bool) -> Seen:
    """measured: its sharpness is that of the part that is wanted."""
    return Seen(
        number=live.number,
        width=live.width,
        height=live.height,
        alt=texts().live.picture_of.format(what=_label(live)),
        part=live.part,
        region=live.region,
        box=live.box,
        others=[one.box for one in live.others],
        sharpness="" if live.sharpness is None or not measured else f"{live.sharpness:.2f}",
    )


def _label(live: Live) -> str:
    if live.label is None or live.score is None:
        return str(texts().live.nothing_decided)
    return f"{printable(live.label)}, {share(live.score)}"


def _facts(site: Site, now: Now, live: Live | None) -> Iterator[Fact]:
    for key, value in (*_of_picture(live), *_of_service(now), ("space", _free_space(site))):
        yield Fact(key, getattr(texts().live.facts, key), printable(value) or texts().live.unknown)


def _of_picture(live: Live | None) -> Iterator[tuple[str, str]]:
    yield "seen", "" if live is None else _label(live)
    yield "taken", "" if live is None else local(live.captured_wall_s)
    yield "latency", "" if live is None or live.latency_ms is None else f"{live.latency_ms:.1f} ms"


def _of_service(now: Now) -> Iterator[tuple[str, str]]:
    words, status = texts().live, now.status
    if status is None:
        yield from ((key, "") for key in ("engine", "rate", "temperature", "clock", "schedule"))
        return
    yield "engine", status.engine or ""
    yield "rate", words.a_second.format(rate=f"{status.fps:.1f}") if now.sees else ""
    celsius = status.load.temperature_c
    yield "temperature", "" if celsius is None else f"{celsius:.1f} °C"
    yield "clock", "" if status.clock is None else getattr(texts().status.clocks, status.clock)
    if status.asleep_until_wall_s is not None:
        yield "schedule", words.wakes.format(time=local(status.asleep_until_wall_s))
    else:
        until_s = status.awake_until_wall_s
        yield "schedule", "" if until_s is None else words.sleeps.format(time=local(until_s))


def _free_space(site: Site) -> str:
    try:
        about = os.statvfs(site.store.parent)
    except OSError:  # its disk was pulled out
        return ""
    return f"{about.f_bavail * about.f_frsize / 1e9:.1f} GB"
