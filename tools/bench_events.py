#!/usr/bin/env python3
"""Judge events: how many of the known visits of made videos are found, and what the rules cost.

    python tools/bench_events.py --bundle BUNDLE --photos ../shared/data/trashnet/test [--seeds 0 1 2 3] [--json]
    python tools/bench_events.py --bundle BUNDLE --truth visits.json --video visits.avi
    python tools/bench_events.py --cost

For each seed it makes the frames of tools/make_visits.py, with --known-to BUNDLE unless --any-photo is given, has the
bundle score them, and counts, with the default settings,
- right: visits for which there is an event with their label, while they are in view or within half a second of it,
- extra: events that are none of those,
and beside it the same for the decisions on single frames: each stretch of equal labels counts as an event.

--settings: a TOML file whose [decision] and [events] are judged instead of the defaults.
--cost: microseconds a frame that the detector takes, for 6 to 100,000 labels, instead of all that.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.bundle.store import Bundle
from edge.config.keeping import Events
from edge.config.loading import settings_from
from edge.config.settings import Settings
from edge.events.detect import Detector
from edge.events.labels import background_of, thresholds_of
from edge.events.trial import Trial
from edge.postprocess import to_scores
from edge.records import Frame
from edge.worker.assemble import open_pipeline
from edge.worker.pipeline import Pipeline
from edge.worker.recording import Recording
from tools.make_visits import HEIGHTS, Film, Visit, photos_of

_SLACK_S = 0.5
Scores = list[tuple[float, NDArray[np.float32]]]
# Label, begin and end in seconds.
Found = tuple[str, float, float]


@dataclass(frozen=True)
class Verdict:
    """right: visits that were found. extra: events that are no visit. visits: all of them."""

    right: int
    extra: int
    visits: int


def main() -> int:
    arguments = parse_arguments()
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    if arguments.cost:
        show_cost()
        return 0
    if arguments.bundle is None:
        sys.exit("bench_events: give --bundle, or --cost")
    settings = settings_of(arguments)
    pipeline = open_pipeline(settings)
    rows = []
    for name, scores, visits in streams(arguments, pipeline):
        events = judge(events_of(scores, pipeline.bundle, settings), visits)
        frames = judge(decisions_of(scores, pipeline.bundle, settings), visits)
        rows.append({"video": name, "events": vars(events), "frames": vars(frames)})
        print(
            f"{name}: {events.visits} visits; events: {events.right} right, {events.extra} extra; "
            f"single frames: {frames.right} right, {frames.extra} extra",
            flush=True,
        )
    if arguments.json:
        print(json.dumps(rows))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--heights", type=float, nargs=2, default=HEIGHTS)
    parser.add_argument("--any-photo", action="store_true")
    parser.add_argument("--video")
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def settings_of(arguments: argparse.Namespace) -> Settings:
    import tomllib

    given = {} if arguments.settings is None else tomllib.loads(arguments.settings.read_text())
    kept = {key: given[key] for key in ("decision", "events") if key in given}
    return settings_from({"bundle": str(arguments.bundle), "engine": {"device": "cpu"}, **kept})


def streams(arguments: argparse.Namespace, pipeline: Pipeline) -> Iterator[tuple[str, Scores, list[Visit]]]:
    """Yield the name, the scores and the visits of each video."""
    if arguments.video is not None:
        visits = [Visit(**visit) for visit in json.loads(arguments.truth.read_text())]
        yield arguments.video, list(Recording(arguments.video, fps=None).scores(pipeline)), visits
        return
    photos = photos_of(arguments.photos)
    for seed in arguments.seeds:
        film = Film(
            photos,
            visits=arguments.visits,
            seed=seed,
            heights=arguments.heights,
            namer=None if arguments.any_photo else lambda bgr: pipeline.process(Frame(bgr, 0, 0.0, 0.0)).label,
        )
        scores = [(number / film.fps, scored(pipeline, bgr)) for number, bgr in enumerate(film.pictures())]
        yield f"seed {seed} ({film.scene})", scores, film.visits


def scored(pipeline: Pipeline, picture_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    prepared = pipeline.prepare(Frame(picture_bgr, 0, 0.0, 0.0))
    pipeline.load(prepared)
    manifest = pipeline.bundle.manifest
    return to_scores(pipeline.invoke(prepared).raw, manifest.output, manifest.calibration).values


def events_of(scores: Scores, bundle: Bundle, settings: Settings) -> list[Found]:
    trial = Trial(settings)
    trial.begin(bundle.labels, bundle.thresholds)
    for second, values in scores:
        trial.look(second, values)
    trial.end()
    return [(event.label, event.begin_mono_s, event.end_mono_s) for event in trial.events]


def decisions_of(scores: Scores, bundle: Bundle, settings: Settings) -> list[Found]:
    """Return the stretches of frames of one label, as the decisions on single frames give them."""
    background = background_of(bundle.labels, settings.decision.background)
    thresholds = thresholds_of(bundle.labels, settings.decision, bundle.thresholds)
    found: list[Found] = []
    last = None
    for second, values in scores:
        best = int(values.argmax())
        label = bundle.labels[best] if values[best] >= thresholds[best] else None
        label = None if label in background else label
        if label is not None:
            begin_s = found.pop()[1] if label == last else second
            found.append((label, begin_s, second))
        last = label
    return found


def judge(found: Iterable[Found], visits: Iterable[Visit]) -> Verdict:
    """Count the visits that were found, each by an event of its own, and the events that are left."""
    left, right, count = list(found), 0, 0
    for visit in visits:
        count += 1
        hits = [
            event
            for event in left
            if event[0] == visit.label and event[1] <= visit.end_s + _SLACK_S and event[2] >= visit.begin_s - _SLACK_S
        ]
        if hits:
            left.remove(hits[0])
            right += 1
    return Verdict(right, len(left), count)


def show_cost() -> None:
    """Print what a frame costs, as processor time: the best of five rounds."""
    for labels in (6, 1001, 10_000, 100_000):
        rng = np.random.default_rng(0)
        detector = Detector([str(i) for i in range(labels)], [0.7] * labels, frozenset({"0"}), Events(unknown=True))
        rows = []
        for number in range(50):  # a label for a third of a second, then another: visits begin and end all the time
            values = rng.random(labels, np.float32) / np.float32(labels * 10)
            values[number // 10] = 0.9
            rows.append(values)
        frames, best_s = (3000 if labels < 10_000 else 300), float("inf")
        for round_ in range(5):
            begun = time.process_time()
            for number in range(frames):
                detector.look(round_ * 1e6 + number / 30, rows[number % 50])
            best_s = min(best_s, (time.process_time() - begun) / frames)
        print(f"{labels:>7} labels: {best_s * 1e6:.1f} us a frame")


if __name__ == "__main__":
    sys.exit(main())
