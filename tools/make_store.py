#!/usr/bin/env python3
"""Make a store as a season in the field leaves it, to try lists, exports and outputs on.

    python tools/make_store.py FOLDER --events 1000 [--side 640] [--boxes] [--seed 0] [--until-now]

FOLDER gets events.db and, with --side, a picture for each event, for one in ten also a crop and a burst. Run it from
the repository's root.
"""

import argparse
import hashlib
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.events.records import Event, PictureInfo, PictureKind
from edge.results import Candidate
from edge.store.records import StoredPicture
from edge.store.writing import StoreWriter

LABELS = ("fox", "badger", "roe deer", "wild boar", "person", "tractor", "unknown")
_OFTEN = (30, 18, 25, 8, 12, 2, 5)
# How many of a hundred events begin in each hour: foxes and badgers come at night.
_HOURS = (8, 9, 9, 8, 7, 5, 3, 2, 1, 1, 1, 1, 2, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7)
_A_DAY = 80
_DAY_S = 86_400.0
_BOOT_S = 20 * _DAY_S  # then the battery is changed
PLACE = (52.7044, 23.8499)
SPRING_S = 1_777_600_000.0  # 1 May 2026, 01:46:40 UTC
_AT_ONCE = 2000  # events in a transaction


@dataclass(frozen=True, slots=True)
class Made:
    """An event and its pictures as JPEG. booted_s: when its boot began, after that of the first event."""

    event: Event
    booted_s: float
    pictures: tuple[tuple[PictureInfo, bytes], ...] = ()


def make_store(path: Path, made: Iterable[Made], *, began_s: float = SPRING_S) -> None:
    """Write events to a store, and their pictures into the folder `pictures` beside it.

    began_s: the wall time of the first boot, which is known from a time server.
    """
    folder = path.parent / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with StoreWriter(path) as store:
        waiting = []
        for one in made:
            zero_s = began_s + one.booted_s
            times = (zero_s + one.event.begin_mono_s, zero_s + one.event.end_mono_s)
            waiting.append((one.event, *times, "ntp", stored_pictures(one, folder, zero_s)))
            if len(waiting) == _AT_ONCE:
                store.add_events(waiting)
                waiting.clear()
        store.add_events(waiting)


def stored_pictures(made: Made, folder: Path, zero_s: float) -> tuple[StoredPicture, ...]:
    """Write the pictures of an event into `folder`. zero_s: the wall time at which its boot began."""
    found = []
    for index, (info, jpeg) in enumerate(made.pictures):
        path = folder / f"{made.event.name}-{index}.jpg"
        path.write_bytes(jpeg)
        found.append(
            StoredPicture(
                kind=info.kind,
                path=path,
                size=len(jpeg),
                width=info.width,
                height=info.height,
                captured_mono_s=info.captured_mono_s,
                captured_wall_s=zero_s + info.captured_mono_s,
                sha256=hashlib.sha256(jpeg).hexdigest(),
            )
        )
    return tuple(found)


def made_events(
    count: int, *, seed: int = 0, side: int = 0, boxes: bool = False, device: str = "barn"
) -> Iterator[Made]:
    """Yield events of one device, oldest first: about 80 a day, most of them at night.

    side: of the longer side of the pictures, in pixels; 0 for none.
    """
    dice = random.Random(seed)
    for day in range(-(-count // _A_DAY)):
        moments = sorted(_moment(dice) for _ in range(_A_DAY))
        for moment_s in moments[: count - day * _A_DAY]:
            yield _made(dice, day * _DAY_S + moment_s, side, device, boxes=boxes)


def _moment(dice: random.Random) -> float:
    (hour,) = dice.choices(range(24), _HOURS)
    return hour * 3600 + dice.uniform(0, 3600)


def _made(dice: random.Random, moment_s: float, side: int, device: str, *, boxes: bool) -> Made:
    boots, since_boot_s = divmod(moment_s, _BOOT_S)
    event = _event(dice, f"{int(boots):08x}-0000-4000-8000-000000000000", since_boot_s + 30, device, boxes=boxes)
    return Made(event, boots * _BOOT_S, tuple(_pictures(dice, event, side)) if side else ())


def _event(dice: random.Random, boot: str, begin_s: float, device: str, *, boxes: bool) -> Event:
    label, other = (*dice.choices(LABELS, _OFTEN), dice.choice(LABELS))
    peak = dice.betavariate(8, 2) if label != "unknown" else dice.betavariate(4, 6)
    lasts_s = dice.expovariate(1 / 8) + 0.5
    left, top, width, height = (round(dice.uniform(0.05, 0.45), 4) for _ in range(4))
    return Event(
        device=device,
        boot=boot,
        sequence=round(begin_s * 1000),
        label=label,
        begin_mono_s=begin_s,
        end_mono_s=begin_s + lasts_s,
        peak=peak,
        peak_mono_s=begin_s + lasts_s * dice.random(),
        mean=peak * dice.uniform(0.6, 1),
        frames=max(1, round(lasts_s * 10)),
        runner_up=Candidate(other, (1 - peak) * dice.random()) if other != label else None,
        box=(left, top, width, height) if boxes else None,
        engine="cpu litert",
        bundle="0123456789ab",
        camera="picamera2",
        temperature_c=round(dice.gauss(48, 4), 1),
        latitude=PLACE[0],
        longitude=PLACE[1],
    )


def _pictures(dice: random.Random, event: Event, side: int) -> Iterator[tuple[PictureInfo, bytes]]:
    yield _picture(dice, "best", event.peak_mono_s, side)
    if dice.random() < 0.1:
        yield _picture(dice, "crop", event.peak_mono_s, side // 2)
        yield _picture(dice, "before", event.begin_mono_s - 0.5, side)
        yield _picture(dice, "after", event.begin_mono_s + 0.5, side)


def _picture(dice: random.Random, kind: PictureKind, captured_s: float, side: int) -> tuple[PictureInfo, bytes]:
    height, width = max(1, side * 3 // 4), max(1, side)
    coarse = np.frombuffer(dice.randbytes(6 * 8 * 3), np.uint8).reshape(6, 8, 3)
    ok, jpeg = cv2.imencode(".jpg", cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    if not ok:
        raise RuntimeError(f"no JPEG of {width}x{height} pixels")
    return PictureInfo(kind=kind, captured_mono_s=captured_s, width=width, height=height), jpeg.tobytes()


def main() -> None:
    """Make the store that the command line describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--side", type=int, default=0, help="of the pictures, in pixels; 0: none")
    parser.add_argument("--boxes", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until-now", action="store_true", help="the last event began today, not in spring 2026")
    given = parser.parse_args()
    began_s = time.time() - -(-given.events // _A_DAY) * _DAY_S if given.until_now else SPRING_S
    made = made_events(given.events, seed=given.seed, side=given.side, boxes=given.boxes)
    make_store(given.folder / "events.db", made, began_s=began_s)
    print(f"{given.folder / 'events.db'}: {given.events} events")


if __name__ == "__main__":
    main()
