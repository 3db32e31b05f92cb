#!/usr/bin/env python3
"""Make a video of known visits: photos that move over a background, and a list of which came when.

    python tools/make_visits.py PHOTOS --out visits.avi [--visits 20] [--seed 0] [--scene leaves] [--known-to BUNDLE]
    python tools/make_visits.py --nothing FOLDER --count 200 [--seed 0]

PHOTOS holds one folder of photos for each class. The truth is written beside the video as visits.json: for each visit
its label, photo, and the seconds of the first and the last frame that shows it. If --out ends without a suffix, it is
a folder of JPEGs instead, one for each frame.

--known-to: only photos that this bundle names rightly, at its own threshold, when they are in the middle of the scene.
Then what is judged is the rules over time, and not the model: one that never names a photo cannot do so in passing.
--nothing: pictures of the scenes without a visit, other ones than in the videos, for a class of background.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.photo_files import find_images

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Namer = Callable[[Pixels], str]
SCENES = ("leaves", "ground", "wall", "belt")
# A photo's height as a share of the picture's. Smaller ones are another task: a network that learned from photos that
# fill the picture does not know them.
HEIGHTS = (0.95, 1.3)
_WIDTH, _HEIGHT = 640, 480
# Scenes of --nothing have seeds of their own: a class of background must not hold the very scene that is judged.
_OTHER_SCENES = 1_000_000
_NOISES = 6
# To find a photo that is known.
_TRIES = 40


@dataclass(frozen=True)
class Visit:
    """A photo on its way through the picture. begin_s, end_s: of the first and the last frame that shows any of it."""

    label: str
    photo: str
    begin_s: float
    end_s: float


def main() -> int:
    arguments = parse_arguments()
    if arguments.nothing is not None:
        make_nothing(arguments.nothing, arguments.count, arguments.seed)
        return 0
    if arguments.photos is None or arguments.out is None:
        sys.exit("make_visits: give PHOTOS and --out, or --nothing FOLDER")
    film = Film(
        photos_of(arguments.photos),
        visits=arguments.visits,
        seed=arguments.seed,
        fps=arguments.fps,
        scene=arguments.scene,
        heights=arguments.heights,
        namer=None if arguments.known_to is None else known_to(arguments.known_to),
    )
    write(film, arguments.out)
    truth = arguments.out.with_suffix(".json")
    truth.write_text(json.dumps([asdict(visit) for visit in film.visits], indent=1) + "\n")
    print(f"{len(film.visits)} visits in {film.frames / film.fps:.0f} s at {film.fps:g} frames a second: {truth}")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--scene", choices=SCENES, default=None, help="default: by the seed")
    parser.add_argument(
        "--heights",
        type=float,
        nargs=2,
        default=HEIGHTS,
        metavar=("FROM", "TO"),
        help="of the photos",
    )
    parser.add_argument("--known-to", type=Path, metavar="BUNDLE")
    parser.add_argument("--nothing", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=200)
    return parser.parse_args()


def photos_of(folder: Path) -> dict[str, list[Path]]:
    """Return the photos of each class."""
    return {place.name: find_images(place) for place in sorted(folder.iterdir()) if place.is_dir()}


def known_to(bundle: Path) -> "Namer":
    """Return what names a picture by this bundle."""
    from edge.config.loading import settings_from
    from edge.records import Frame
    from edge.worker.assemble import open_pipeline

    pipeline = open_pipeline(settings_from({"bundle": str(bundle), "engine": {"device": "cpu"}}))
    return lambda picture_bgr: pipeline.process(Frame(picture_bgr, 0, 0.0, 0.0)).label


class Scene:
    """A background: a still texture under light that drifts, with a camera's noise."""

    def __init__(self, kind: str, rng: np.random.Generator) -> None:
        self._rng = rng
        self._picture = _PAINTERS[kind](rng)
        self._phase, self._period_s = rng.uniform(0, 2 * math.pi), rng.uniform(30, 90)
        self._swing, strength = rng.uniform(0.05, 0.25), np.float32(rng.uniform(1.5, 5.0))
        # Drawn once, and taken in turn: for each frame anew it takes longer than all else.
        self._noise = [rng.standard_normal(self._picture.shape, np.float32) * strength for _ in range(_NOISES)]

    def light(self, second: float) -> float:
        """Return the factor of the light."""
        return 1 + self._swing * math.sin(2 * math.pi * second / self._period_s + self._phase)

    def lit(self, picture: Floats, second: float) -> Pixels:
        """Return the picture as the camera sees it: lit, and with noise."""
        noise = self._noise[int(self._rng.integers(_NOISES))]
        return np.clip(picture * np.float32(self.light(second)) + noise, 0, 255).astype(np.uint8)

    def empty(self) -> Floats:
        """Return a copy of the bare scene: float32 (480, 640, 3), B, G, R."""
        return self._picture.copy()


def _cloud(rng: np.random.Generator, coarsest: int = 4) -> Floats:
    """Return smooth noise of several sizes, -1..1."""
    total = np.zeros((_HEIGHT, _WIDTH), np.float32)
    for octave in range(6):
        cells = rng.uniform(-1, 1, (coarsest * 2**octave, coarsest * 2**octave)).astype(np.float32)
        total += cv2.resize(cells, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC) / np.float32(1.6**octave)
    return total / np.abs(total).max()


def _tinted(grey: Floats, rng: np.random.Generator, low: tuple[int, int, int], high: tuple[int, int, int]) -> Floats:
    share = ((grey + 1) / 2)[..., None]
    ends = [np.array(end, np.float32) * np.float32(rng.uniform(0.8, 1.2)) for end in (low, high)]
    return np.asarray(ends[0] * (1 - share) + ends[1] * share, np.float32)


def _ground(rng: np.random.Generator) -> Floats:
    return _tinted(_cloud(rng, 6), rng, (30, 45, 60), (110, 140, 165))


def _leaves(rng: np.random.Generator) -> Floats:
    picture = _tinted(_cloud(rng), rng, (15, 35, 20), (50, 110, 70))
    for _ in range(250):
        centre = (int(rng.integers(0, _WIDTH)), int(rng.integers(0, _HEIGHT)))
        axes = (int(rng.integers(8, 45)), int(rng.integers(4, 14)))
        colour = (float(rng.integers(20, 70)), float(rng.integers(60, 170)), float(rng.integers(30, 120)))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return picture


def _wall(rng: np.random.Generator) -> Floats:
    grey = np.linspace(-1, 1, _WIDTH, dtype=np.float32)[None, :] * 0.6 + _cloud(rng, 8) * 0.15
    return _tinted(grey.astype(np.float32), rng, (120, 125, 130), (190, 195, 200))


def _belt(rng: np.random.Generator) -> Floats:
    rows = np.sin(np.arange(_HEIGHT, dtype=np.float32)[:, None] / np.float32(rng.uniform(3, 9)))
    grey = rows * 0.25 + _cloud(rng, 10) * 0.35
    return _tinted(grey.astype(np.float32), rng, (25, 25, 25), (95, 90, 85))


_PAINTERS = {"leaves": _leaves, "ground": _ground, "wall": _wall, "belt": _belt}


@dataclass(frozen=True)
class _Path:
    """How one photo moves. Times in seconds, places in pixels of its centre."""

    picture: Floats
    label: str
    photo: str
    begin_s: float
    duration_s: float
    start: tuple[float, float]
    end: tuple[float, float]
    stops: bool

    def place(self, second: float) -> tuple[float, float] | None:
        """Return its centre, None if it is not on its way."""
        share = (second - self.begin_s) / self.duration_s
        if not 0 <= share <= 1:
            return None
        if self.stops:  # in the middle, for a third of the time
            share = min(share, 1 / 3) * 1.5 + max(0.0, share - 2 / 3) * 1.5
        return tuple(a + (b - a) * share for a, b in zip(self.start, self.end, strict=True))  # type: ignore[return-value]


class Film:
    """The frames of a video with visits. visits: known when all frames have been made."""

    def __init__(
        self,
        photos: dict[str, list[Path]],
        *,
        visits: int,
        seed: int,
        fps: float = 10.0,
        scene: str | None = None,
        heights: Sequence[float] = HEIGHTS,
        namer: "Namer | None" = None,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self.fps, self._heights, self._namer = fps, heights, namer
        self.scene = scene or SCENES[seed % len(SCENES)]
        self._scene = Scene(self.scene, self._rng)
        self._paths, length_s = self._plan(photos, visits)
        self.frames = math.ceil(length_s * fps)
        self._shown: dict[int, list[float]] = {}

    @property
    def visits(self) -> list[Visit]:
        return [
            Visit(path.label, path.photo, seconds[0], seconds[-1])
            for number, path in enumerate(self._paths)
            if (seconds := self._shown.get(number))
        ]

    def pictures(self) -> Iterator[Pixels]:
        """Yield the frames: uint8 (480, 640, 3), B, G, R."""
        for number in range(self.frames):
            second = number / self.fps
            picture = self._scene.empty()
            for index, path in enumerate(self._paths):
                place = path.place(second)
                if place is not None and paste(picture, path.picture, place):
                    self._shown.setdefault(index, []).append(round(second, 3))
            yield self._scene.lit(picture, second)

    def _plan(self, photos: dict[str, list[Path]], visits: int) -> tuple[list[_Path], float]:
        rng, second, paths = self._rng, 5.0, []
        labels = sorted(photos)
        while len(paths) < visits:
            for index in rng.permutation(len(labels))[: visits - len(paths)]:
                path = self._known(labels[index], photos[labels[index]], second)
                if path is not None:
                    paths.append(path)
                    second += path.duration_s + rng.uniform(3, 7)
        return paths, second

    def _known(self, label: str, photos: list[Path], begin_s: float) -> _Path | None:
        """Return the path of a photo that is known, None if none is found."""
        for _ in range(_TRIES):
            photo = photos[int(self._rng.integers(len(photos)))]
            path = self._path(photo, label, begin_s)
            if self._namer is None or self._namer(self._in_the_middle(path, begin_s)) == label:
                return path
        return None

    def _in_the_middle(self, path: _Path, second: float) -> Pixels:
        picture = self._scene.empty()
        paste(picture, path.picture, (_WIDTH / 2, _HEIGHT / 2))
        return self._scene.lit(picture, second)

    def _path(self, photo: Path, label: str, begin_s: float) -> _Path:
        rng = self._rng
        picture = _read(photo, height=rng.uniform(*self._heights) * _HEIGHT)
        half = picture.shape[1] / 2
        y = tuple(_HEIGHT * rng.uniform(0.45, 0.55) for _ in range(2))
        x = (-half, _WIDTH + half) if rng.random() < 0.5 else (_WIDTH + half, -half)
        return _Path(
            picture=picture,
            label=label,
            photo=f"{label}/{photo.name}",
            begin_s=begin_s,
            duration_s=rng.uniform(2.5, 8.0),
            start=(x[0], y[0]),
            end=(x[1], y[1]),
            stops=bool(rng.random() < 0.5),
        )


def _read(photo: Path, *, height: float) -> Floats:
    picture = cv2.imread(str(photo))
    if picture is None:
        sys.exit(f"make_visits: {photo}: not a picture that OpenCV reads")
    factor = height / picture.shape[0]
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.float32)


def paste(picture: Floats, photo: Floats, centre: tuple[float, float]) -> bool:
    """Put the photo into the picture, cut at its edges. Return whether any of it shows."""
    height, width = photo.shape[:2]
    left, top = round(centre[0] - width / 2), round(centre[1] - height / 2)
    right, bottom = min(left + width, picture.shape[1]), min(top + height, picture.shape[0])
    if right <= max(left, 0) or bottom <= max(top, 0):
        return False
    inside = photo[max(0, -top) : bottom - top, max(0, -left) : right - left]
    picture[max(top, 0) : bottom, max(left, 0) : right] = inside
    return True


def write(film: Film, out: Path) -> None:
    """Write the film as Motion JPEG, or as a folder of JPEGs if `out` has no suffix."""
    if not out.suffix:
        out.mkdir(parents=True)
        for number, picture in enumerate(film.pictures()):
            cv2.imwrite(str(out / f"{number:06}.jpg"), picture)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"MJPG"), film.fps, (_WIDTH, _HEIGHT))
    if not writer.isOpened():
        sys.exit(f"make_visits: {out}: OpenCV cannot write it: give a name that ends in .avi")
    for picture in film.pictures():
        writer.write(picture)
    writer.release()


def make_nothing(folder: Path, count: int, seed: int) -> None:
    """Write `count` pictures of scenes without a visit."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(_OTHER_SCENES + seed * count + number)
        scene = Scene(SCENES[number % len(SCENES)], rng)
        cv2.imwrite(str(folder / f"nothing{number:05}.jpg"), scene.lit(scene.empty(), float(rng.uniform(0, 90))))
    print(f"{count} pictures without a visit: {folder}")


if __name__ == "__main__":
    sys.exit(main())
