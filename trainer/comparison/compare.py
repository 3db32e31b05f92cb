"""Two bundles on the same photos, each through its own preprocessing, as on the device: which is better, and is
the difference more than chance?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.errors import BundleError, DatasetError, ImageError, MissingInputError
from edge.images import read_image, readable_name
from edge.inference.runtime import TfliteRuntime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor
from edge.records import Pixels
from trainer.comparison.paired import SIGNIFICANT, Paired, compare_answers
from trainer.dataset.duplicates import fingerprint, group_duplicates
from trainer.dataset.listing import Listing, Photo
from trainer.measuring.metrics import Interval, wilson
from trainer.measuring.threshold import CurvePoint, ThresholdEffect, curve_of, effect_of
from trainer.progress import Progress

PICTURES = 6  # of each kind of disagreement
_VIEW = 224  # pixels


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle and how it did. width, height: of its input in pixels; bytes_model: of its int8 model;
    invoke_ms: the median of one inference here; at_threshold: with its own threshold for unknown."""

    path: str
    bundle_id: str
    width: int
    height: int
    bytes_model: int
    invoke_ms: float
    top1: Interval
    threshold: float
    at_threshold: ThresholdEffect
    curve: tuple[CurvePoint, ...]


class ClassContest(msgspec.Struct, frozen=True):
    """One class: its photos, how many each names rightly, and how many only one does."""

    name: str
    photos: int
    right_a: int
    right_b: int
    only_a: int
    only_b: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. near_duplicates: photos that are nearly the same as an earlier one, each counted all the same;
    better: the one with more right answers, None where they have as many; certain: the
    difference is more than chance (McNemar's exact p under 0.05); verdict says both in a sentence."""

    data: str
    split: str
    photos: int
    unreadable: tuple[str, ...]
    near_duplicates: int
    notes: tuple[str, ...]
    a: Contender
    b: Contender
    paired: Paired
    better: str | None
    certain: bool
    verdict: str
    classes: tuple[ClassContest, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A photo that only one named rightly: `who` did, the other said `other`."""

    who: str
    name: str
    truth: str
    other: str
    picture: bytes


@dataclass(slots=True)
class _Answers:
    """What one bundle said: names, best scores as the device rounds them, and milliseconds."""

    names: list[str] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


class Runner:
    """A bundle's int8 model with its own pre- and postprocessing, on the CPU. Used by one thread."""

    def __init__(self, bundle: Bundle, runtime: TfliteRuntime, threads: int) -> None:
        """Raises EngineError, or BundleError where the model is not what its manifest says."""
        self.bundle = bundle
        manifest = bundle.manifest
        self._classifier = TfliteClassifier(runtime, bundle.model, threads=threads)
        check_details(self._classifier, manifest)
        self._preprocessor = Preprocessor(manifest.preprocessing, manifest.input)
        self.answers = _Answers()

    def look(self, frame_bgr: Pixels) -> str:
        """Classify one frame, keep the answer and return its name."""
        self._classifier.load(self._preprocessor.tensor(frame_bgr))
        started = time.perf_counter()
        raw = self._classifier.invoke()
        self.answers.ms.append((time.perf_counter() - started) * 1000)
        values = to_scores(raw, self.bundle.manifest.output, self.bundle.manifest.calibration).values
        place = int(values.argmax())
        self.answers.names.append(self.bundle.labels[place])
        self.answers.best.append(round(float(values[place]), 6))
        return self.answers.names[-1]

    def close(self) -> None:
        """Free the model."""
        self._classifier.close()


def choose_photos(
    listing: Listing, split: str | None, labels: Sequence[set[str]]
) -> tuple[list[Photo], str, list[str]]:
    """The photos to compare on, their split ('train', 'val', 'test' or 'all') and remarks.

    split None: the test folder where there is one, else all. labels: the names that each bundle knows; where
    one knows more, its further classes are left out. Raises BundleError where each knows classes that the other
    does not, DatasetError where no photos remain or a folder is a class of neither."""
    common = _common(labels[0], labels[1])
    notes = []
    if extra := (labels[0] | labels[1]) - common:
        notes.append(
            f"only {'A' if labels[0] - common else 'B'} knows {_list(extra)}: photos of those are left out, and "
            "saying so of another photo counts as wrong"
        )
    if strange := set(listing.classes) - (labels[0] | labels[1]):
        raise DatasetError(
            f"{listing.root}: neither bundle knows {_list(strange)}: name the folders as the bundles' labels"
        )
    there = {photo.split for photo in listing.photos}
    if split is None:
        split = "test" if "test" in there else "all"
        if split == "all":
            notes.append("no test folder: all photos are used, and a bundle that learned from them looks too good")
    elif split != "all" and split not in there:
        raise DatasetError(f"{listing.root}: no {split} folder: give --split all")
    photos = [
        photo
        for photo in listing.photos
        if (split == "all" or photo.split == split) and listing.classes[photo.label] in common
    ]
    if not photos:
        raise DatasetError(f"{listing.root}: no photos of a class that both bundles know ({_list(common)})")
    return photos, split, notes


def compare_bundles(
    pair: tuple[Bundle, Bundle],
    listing: Listing,
    runtime: TfliteRuntime,
    progress: Progress,
    *,
    split: str | None = None,
    skip_unreadable: bool = False,
    threads: int = 2,
    pictures: bool = False,
) -> tuple[Comparison, tuple[Disagreement, ...]]:
    """Run both on the same photos, each photo decoded once, and say which is better. pictures: also keep some
    photos that only one named rightly. Raises as choose_photos, and DatasetError at a photo that cannot be
    read unless skip_unreadable."""
    photos, chosen, notes = choose_photos(listing, split, [set(bundle.labels) for bundle in pair])
    a, b = (Runner(bundle, runtime, threads) for bundle in pair)
    unreadable: list[str] = []
    truth: list[str] = []
    prints: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    shown: list[Disagreement] = []
    with progress.stage("comparing", len(photos)) as advance:
        for photo in photos:
            advance(1)
            try:
                frame_bgr = read_image(photo.path)
            except (ImageError, MissingInputError) as error:
                if not skip_unreadable:
                    raise DatasetError(f"{error}; or leave such photos out with --skip-unreadable") from error
                unreadable.append(str(error))
                continue
            truth.append(listing.classes[photo.label])
            prints.append(_fingerprint(frame_bgr))
            said = a.look(frame_bgr), b.look(frame_bgr)
            if pictures and (said[0] == truth[-1]) != (said[1] == truth[-1]):
                _show(shown, photo.path, frame_bgr, truth[-1], said)
    a.close()
    b.close()
    if not truth:
        raise DatasetError(f"{listing.root}: not one of {len(photos)} photos can be read: {unreadable[0]}")
    result = _conclude(a, b, np.array(truth, dtype=object))
    return (
        msgspec.structs.replace(
            result,
            data=readable_name(listing.root),
            split=chosen,
            unreadable=tuple(unreadable),
            near_duplicates=_near_duplicates(prints),
            notes=tuple(notes),
        ),
        tuple(shown),
    )


def verdict(paired: Paired, a: Interval, b: Interval, photos: int) -> tuple[str | None, bool, str]:
    """(the better one, more than chance?, one sentence)."""
    certain = paired.p < SIGNIFICANT
    figures = f"A is right on {a.value:.1%}, B on {b.value:.1%} of the same {photos} photos"
    if paired.only_a == paired.only_b:
        if paired.only_a == 0:
            return None, False, f"No difference: both are right on {a.value:.1%}, on the same photos of {photos}."
        return None, False, f"No difference: {figures}."
    better = "A" if paired.only_a > paired.only_b else "B"
    if certain:
        return better, True, f"{better} is better: {figures}, and so large a difference is hardly chance."
    return better, False, f"{better} did better here, but it may be chance: {figures}."


def _conclude(a: Runner, b: Runner, truth: NDArray[np.object_]) -> Comparison:
    right_a, right_b = (np.array(runner.answers.names, dtype=object) == truth for runner in (a, b))
    paired = compare_answers(right_a, right_b)
    contender_a, contender_b = _contender(a, right_a), _contender(b, right_b)
    better, certain, sentence = verdict(paired, contender_a.top1, contender_b.top1, len(truth))
    classes = []
    for name in sorted(set(truth.tolist())):
        inside = truth == name
        x, y = right_a[inside], right_b[inside]
        counts = (len(x), x.sum(), y.sum(), (x & ~y).sum(), (~x & y).sum())
        classes.append(ClassContest(name, *map(int, counts)))
    return Comparison(
        data="",
        split="",
        photos=len(truth),
        unreadable=(),
        near_duplicates=0,
        notes=(),
        a=contender_a,
        b=contender_b,
        paired=paired,
        better=better,
        certain=certain,
        verdict=sentence,
        classes=tuple(classes),
    )


def _contender(runner: Runner, right: NDArray[np.bool_]) -> Contender:
    manifest, best = runner.bundle.manifest, np.array(runner.answers.best)
    threshold = manifest.calibration.threshold
    reached = effect_of(best, right, threshold)
    assert reached is not None  # there is at least one photo
    return Contender(
        path=readable_name(runner.bundle.path),
        bundle_id=runner.bundle.bundle_id,
        width=manifest.input.width,
        height=manifest.input.height,
        bytes_model=len(runner.bundle.model),
        invoke_ms=round(float(np.median(runner.answers.ms)), 3),
        top1=wilson(int(right.sum()), len(right)),
        threshold=threshold,
        at_threshold=reached,
        curve=curve_of(best, right),
    )


def _fingerprint(frame_bgr: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """As the dataset check takes it, from a view of the default size."""
    small = cv2.resize(frame_bgr, (_VIEW, _VIEW), interpolation=cv2.INTER_AREA)
    return fingerprint(cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))


def _near_duplicates(prints: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> int:
    hashes, greys = (np.stack(column) for column in zip(*prints, strict=True))
    return len(prints) - len(np.unique(group_duplicates(hashes, greys)))


def _common(a: set[str], b: set[str]) -> set[str]:
    if a <= b or b <= a:
        return a & b
    raise BundleError(
        f"the bundles do not know the same classes: only A knows {_list(a - b)}, only B {_list(b - a)}: compare "
        "bundles of the same labels, or of which one knows all of the other's"
    )


def _list(names: set[str]) -> str:
    """Up to three names, sorted, and how many more."""
    shown = ", ".join(repr(name) for name in sorted(names)[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _show(shown: list[Disagreement], path: Path, frame_bgr: Pixels, truth: str, said: tuple[str, str]) -> None:
    from trainer.pages import thumbnail

    who, other = ("A", said[1]) if said[0] == truth else ("B", said[0])
    if sum(entry.who == who for entry in shown) < PICTURES:
        picture = thumbnail.encode(frame_bgr[:, :, ::-1])
        shown.append(Disagreement(who, readable_name(path.name), truth, other, picture))
