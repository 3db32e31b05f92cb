"""How well does motion find what moves, what does it find where nothing is, and what does it cost?

    python tools/bench_locating.py PHOTOS BACKGROUNDS [--bundle BUNDLE] [--things 24] [--empty 6000] [--json]

PHOTOS has a folder for each class, of photos that show one thing before a plain background; BACKGROUNDS are pictures.
Things are cut out, and move over the backgrounds, with their longer side at 1/3 to 1/16 of the frame's width, with a
sensor's noise, steps of the light and swaying plants (made_scenes.py). Printed are, for each size, the share of frames
with a box that overlaps the truth by half (intersection over union), and with a bundle the share of frames that are
named right by the whole frame and by what is located; then the boxes in scenes where nothing comes; then the time a
frame of 640x480 takes.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from made_scenes import FPS, HEIGHT, WIDTH, Camera, CutOut, Scene, cut_outs, path, seen
from msgspec import structs

from edge.config.locating import Locate
from edge.config.running import Engine
from edge.config.settings import Settings
from edge.locating.motion import MotionFinder
from edge.locating.places import overlap
from edge.photo_files import find_images
from edge.records import Frame, Pixels
from edge.worker.assemble import open_pipeline

SIZES = (3, 4, 6, 8, 12, 16)
EMPTY_S, VISIT_S = 6.0, 6.0
# A thing counts as there once so much of it is in the picture.
WHOLE = 0.9
SCENES = {
    "still": Scene(noise=3, steps=0, sway=0, gust_s=0),
    "noisy": Scene(noise=10, steps=0, sway=0, gust_s=0),
    "steps": Scene(noise=3, steps=0.5, sway=0, gust_s=0),
    "sways": Scene(noise=3, steps=0, sway=5, gust_s=2),
    "pumps": Scene(noise=3, steps=0, sway=0, gust_s=0, pump=0.25),
    "night": Scene(noise=8, steps=0, sway=0, gust_s=0, switch_s=3),
    "all": Scene(noise=6, steps=0.3, sway=5, gust_s=2, pump=0.1),
}


def main() -> int:
    arguments = parse_arguments()
    rng = random.Random(arguments.seed)
    things = cut_outs(arguments.photos, arguments.things, rng)
    backgrounds = [cv2.imread(str(file)) for file in find_images(arguments.backgrounds)]
    print(f"{len(things)} things, {len(backgrounds)} backgrounds, {WIDTH}x{HEIGHT}, {FPS:g} frames/s")
    judge = Judge(arguments.bundle) if arguments.bundle else None
    report: dict[str, Any] = {"sizes": {}}
    for size in arguments.sizes:
        report["sizes"][size] = visits(things, backgrounds, size, judge, random.Random(arguments.seed))
    report["empty"] = {name: empty(scene, backgrounds, arguments.empty) for name, scene in SCENES.items()}
    report["ms"] = cost(backgrounds, things[0])
    if arguments.json:
        print(json.dumps(report))
    return 0


class Judge:
    """A bundle that names frames, as `fieldfare run` does without and with locating."""

    def __init__(self, bundle: Path) -> None:
        whole = Settings(bundle=str(bundle), engine=Engine(device="cpu"))
        self._whole = open_pipeline(whole)
        self._located = open_pipeline(structs.replace(whole, locate=Locate(method="motion")))

    def begin(self) -> None:
        """Begin with a new scene."""
        assert self._located.cutter is not None
        self._located.cutter.motion = new_finder()

    def name(self, frame_bgr: Pixels, second: float, *, located: bool) -> str | None:
        """Return the best label of a frame, None if nothing is found in it."""
        pipeline = self._located if located else self._whole
        prepared = pipeline.prepare(Frame(frame_bgr, 0, second, 0.0))
        if not prepared.cuts:
            return None
        pipeline.load(prepared)
        return pipeline.decide(pipeline.invoke(prepared), dropped=0).top[0].label


def new_finder() -> MotionFinder:
    """Return a finder with the default settings."""
    return MotionFinder(least=Locate().min_size, still_s=Locate().still_s)


def visits(
    things: Sequence[CutOut], backgrounds: Sequence[Pixels], size: int, judge: Judge | None, rng: random.Random
) -> dict[str, Any]:
    """Let each thing visit one scene; print and return what became of it."""
    counts: dict[str, list[int]] = {name: [0, 0] for name in SCENES}
    right = {"whole": 0, "located": 0}
    for number, thing in enumerate(things):
        name = list(SCENES)[number % len(SCENES)]
        sized = thing.sized(WIDTH // size, flip=rng.random() < 0.5)
        camera, finder, second = Camera(rng.choice(list(backgrounds)), SCENES[name], number), new_finder(), 0.0
        if judge is not None:
            judge.begin()
        places = [None] * round(EMPTY_S * FPS) + list(path(sized, round(VISIT_S * FPS), rng))
        for at in places:
            frame = camera.frame() if at is None else camera.frame(sized, at)
            found = finder.find(frame, second)
            named = {} if judge is None else {"located": judge.name(frame, second, located=True)}
            second += 1 / FPS
            truth = None if at is None else seen(sized, at)
            if truth is None or truth.area < WHOLE * sized.mask.size:
                continue
            counts[name][0] += any(overlap(one.place, truth) >= 0.5 for one in found)
            counts[name][1] += 1
            if judge is not None:
                named["whole"] = judge.name(frame, second, located=False)
                for way, label in named.items():
                    right[way] += label == thing.label
    return summary(size, counts, right if judge is not None else {})


def summary(size: int, counts: dict[str, list[int]], right: dict[str, int]) -> dict[str, Any]:
    """Print and return the shares of one size."""
    hits, frames = (sum(count[i] for count in counts.values()) for i in (0, 1))
    shares = {name: hit / seen_in for name, (hit, seen_in) in counts.items() if seen_in}
    words = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    print(f"1/{size:<2}  found in {hits / frames:.1%} of {frames} frames ({words})", flush=True)
    named = {way: count / frames for way, count in right.items()}
    if named:
        print("      named right: " + ", ".join(f"{way} {share:.1%}" for way, share in named.items()), flush=True)
    return {"found": hits / frames, "frames": frames, **shares, "right": named}


def empty(scene: Scene, backgrounds: Sequence[Pixels], frames: int) -> dict[str, Any]:
    """Count the frames with a box in scenes without any thing, from the first frame on."""
    wrong = total = 0
    each = max(1, frames // len(backgrounds))
    for number, background in enumerate(backgrounds):
        camera, finder = Camera(background, scene, 1000 + number), new_finder()
        for second in np.arange(each) / FPS:
            wrong += bool(finder.find(camera.frame(), float(second)))
            total += 1
    print(f"empty, {scene}: a box in {wrong} of {total} frames", flush=True)
    return {"boxes": wrong, "frames": total}


def cost(backgrounds: Sequence[Pixels], thing: CutOut) -> dict[str, float]:
    """Measure what a frame takes, while nothing moves and while something does; each once as a camera has just written
    it, and once from memory that nobody has read for long, which is the worse."""
    took: dict[str, float] = {}
    written = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for name, one in (("nothing", None), ("a thing", thing.sized(WIDTH // 8, flip=False))):
        camera, rng = Camera(backgrounds[0], SCENES["still"], 7), random.Random(7)
        places = [(0, 0)] * 60 if one is None else list(path(one, 60, rng))
        frames = [camera.frame() for _ in range(20)] + [camera.frame(one, at) for at in places]
        for memory in ("just written", "cold"):
            rounds = []
            for _ in range(7):
                finder = new_finder()
                times = []
                for number, frame in enumerate(frames):
                    if memory == "just written":
                        np.copyto(written, frame)
                        frame = written
                    began_s = time.process_time()
                    finder.find(frame, number / FPS)
                    times.append(time.process_time() - began_s)
                rounds.append(statistics.median(times[20:]) * 1e3)
            took[f"{name}, {memory}"] = statistics.median(rounds)
            print(
                f"{name} moves, {memory}: {statistics.median(rounds):.3f} ms a frame "
                f"({min(rounds):.3f} to {max(rounds):.3f})"
            )
    return took


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--bundle", type=Path, help="also count the frames that are named right")
    parser.add_argument("--things", type=int, default=25)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--empty", type=int, default=6000, help="frames of each scene without a thing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="also print one JSON object at the end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
