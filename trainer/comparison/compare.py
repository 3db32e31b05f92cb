"""Run two bundles on the same photos, each with its own preprocessing as on the device, and compare their answers."""

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
from trainer.comparison.records import ClassContest, Comparison, Contender, Disagreement
from trainer.dataset.duplicates import fingerprint, group_duplicates
from trainer.dataset.listing import Listing, Photo
from trainer.measuring.metrics import Interval, wilson
from trainer.measuring.paired import SIGNIFICANT, Paired, compare_answers
from trainer.measuring.threshold import curve_of, effect_of
from trainer.progress import Progress

PICTURES = 6  # of each kind of disagreement
_VIEW = 224  # pixels


@dataclass(slots=True)
class _Answers:
    """One bundle's answers, photo by photo.

    names: the class with the best score.
    best: that score, rounded as on the device.
    ms: milliseconds of one inference.
    """

    names: list[str] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    """The photos that both bundles looked at, in their order.

    truth: their classes.
    prints: of each photo, to count near-duplicates.
    shown: some that only one bundle named rightly.
    unreadable: why others were left out.
    """

    truth: list[str] = field(default_factory=list)
    prints: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = field(default_factory=list)
    shown: list[Disagreement] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, path: Path, frame_bgr: Pixels, truth: str, answers: tuple[str, str], *, pictures: bool) -> None:
        """Add a photo. pictures: whether to keep it if only one answer is right."""
        self.truth.append(truth)
        self.prints.append(_fingerprint(frame_bgr))
        if pictures and (answers[0] == truth) != (answers[1] == truth):
            _show(self.shown, path, frame_bgr, truth, answers)


class Runner:
    """A bundle's int8 model with its own pre- and postprocessing, on the CPU. Not for use by several threads."""

    def __init__(self, bundle: Bundle, runtime: TfliteRuntime, threads: int) -> None:
        """Load the model. Raises EngineError, or BundleError if the model does not match its manifest."""
        self.bundle = bundle
        manifest = bundle.manifest
        self._classifier = TfliteClassifier(runtime, bundle.model, threads=threads)
        check_details(self._classifier, manifest)
        self._preprocessor = Preprocessor(manifest.preprocessing, manifest.input)
        self.answers = _Answers()

    def look(self, frame_bgr: Pixels) -> str:
        """Classify one frame, uint8 (height, width, 3), B, G, R; keep the answer and return its name."""
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
    """Return the photos to compare on, their split ('train', 'val', 'test' or 'all') and warnings.

    Raises BundleError if each bundle has classes that the other has not; DatasetError if no photos remain or a folder
    is a class of neither bundle.

    split: None for the test folder if there is one, otherwise all.
    labels: the classes of each bundle. If one has more, photos of those are left out.
    """
    common = _common(labels[0], labels[1])
    notes = []
    if extra := (labels[0] | labels[1]) - common:
        notes.append(
            f"only {'A' if labels[0] - common else 'B'} has {_list(extra)}: photos of those are left out, and "
            "such an answer to another photo counts as wrong"
        )
    if strange := set(listing.classes) - (labels[0] | labels[1]):
        raise DatasetError(
            f"{listing.root}: neither bundle has {_list(strange)}: name the folders like the bundles' labels"
        )
    there = {photo.split for photo in listing.photos}
    if split is None:
        split = "test" if "test" in there else "all"
        if split == "all":
            notes.append(
                "no test folder: all photos are used, and the figures of a bundle that learned from them are too good"
            )
    elif split != "all" and split not in there:
        raise DatasetError(f"{listing.root}: no {split} folder: give --split all")
    photos = [
        photo
        for photo in listing.photos
        if (split == "all" or photo.split == split) and listing.classes[photo.label] in common
    ]
    if not photos:
        raise DatasetError(f"{listing.root}: no photos of a class that both bundles have ({_list(common)})")
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
    """Run both bundles on the same photos, decoding each photo once, and return which is better.

    Raises the errors of choose_photos, and DatasetError at a photo that cannot be read unless skip_unreadable.

    split: see choose_photos.
    threads: of the inference.
    pictures: whether to keep some photos that only one named rightly; otherwise the second result is empty.
    """
    photos, chosen, notes = choose_photos(listing, split, [set(bundle.labels) for bundle in pair])
    a, b = (Runner(bundle, runtime, threads) for bundle in pair)
    seen = _Seen()
    with progress.stage("comparing", len(photos)) as advance:
        for photo in photos:
            advance(1)
            frame_bgr = _read(photo.path, seen, skip_unreadable=skip_unreadable)
            if frame_bgr is not None:
                answers = a.look(frame_bgr), b.look(frame_bgr)
                seen.add(photo.path, frame_bgr, listing.classes[photo.label], answers, pictures=pictures)
    a.close()
    b.close()
    if not seen.truth:
        raise DatasetError(f"{listing.root}: not one of {len(photos)} photos can be read: {seen.unreadable[0]}")
    result = msgspec.structs.replace(
        _conclude(a, b, np.array(seen.truth, dtype=object)),
        data=readable_name(listing.root),
        split=chosen,
        unreadable=tuple(seen.unreadable),
        near_duplicates=_near_duplicates(seen.prints),
        notes=tuple(notes),
    )
    return result, tuple(seen.shown)


def _read(path: Path, seen: _Seen, *, skip_unreadable: bool) -> Pixels | None:
    """Return a photo; None, and a note in `seen`, if it cannot be read and may be left out. Raises DatasetError."""
    try:
        return read_image(path)
    except (ImageError, MissingInputError) as error:
        if not skip_unreadable:
            raise DatasetError(f"{error}; or leave such photos out with --skip-unreadable") from error
        seen.unreadable.append(str(error))
        return None


def verdict(paired: Paired, a: Interval, b: Interval, photos: int) -> tuple[str | None, bool, str]:
    """Return the better one ('A', 'B' or None), whether that is more than chance, and a sentence on both."""
    certain = paired.p < SIGNIFICANT
    figures = f"A is right on {a.value:.1%}, B on {b.value:.1%} of the same {photos} photos"
    if paired.only_a == paired.only_b:
        if paired.only_a == 0:
            return None, False, f"No difference: both are right on the same {a.value:.1%} of {photos} photos."
        return None, False, f"No difference: {figures}."
    better = "A" if paired.only_a > paired.only_b else "B"
    if certain:
        return better, True, f"{better} is better: {figures}; so large a difference is hardly chance."
    return better, False, f"{better} did better here, but that may be chance: {figures}."


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
    """Return the hash and grey copy of a frame, as the dataset check computes them for a model of 224 pixels."""
    small = cv2.resize(frame_bgr, (_VIEW, _VIEW), interpolation=cv2.INTER_AREA)
    return fingerprint(cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))


def _near_duplicates(prints: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> int:
    hashes, greys = (np.stack(column) for column in zip(*prints, strict=True))
    return len(prints) - len(np.unique(group_duplicates(hashes, greys)))


def _common(a: set[str], b: set[str]) -> set[str]:
    if a <= b or b <= a:
        return a & b
    raise BundleError(
        f"the bundles have different classes: only A has {_list(a - b)}, only B {_list(b - a)}: compare bundles with "
        "the same labels, or one that has all labels of the other"
    )


def _list(names: set[str]) -> str:
    """Return up to three names, sorted, and how many more there are."""
    shown = ", ".join(repr(name) for name in sorted(names)[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _show(shown: list[Disagreement], path: Path, frame_bgr: Pixels, truth: str, answers: tuple[str, str]) -> None:
    from trainer.pages import thumbnail

    who, other = ("A", answers[1]) if answers[0] == truth else ("B", answers[0])
    if sum(entry.who == who for entry in shown) < PICTURES:
        picture = thumbnail.encode(frame_bgr[:, :, ::-1])
        shown.append(Disagreement(who, readable_name(path.name), truth, other, picture))
