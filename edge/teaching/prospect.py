"""Look at what the marked events of a store could teach a bundle, before anything is fitted. No model is run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edge.bundle.place import MANIFEST
from edge.bundle.store import Bundle, open_bundle
from edge.errors import BundleError, DatasetError, FieldfareError, MissingInputError, ModelError
from edge.printable import counted
from edge.teaching.beside import TAUGHT_FROM, taught_from
from edge.teaching.compiled import leaves_last_layer
from edge.teaching.last_layer import read_last_layer, weights_of_last_layer
from edge.teaching.photos import LEAST_OF_KNOWN, LEAST_OF_NEW, Photo, labels_with, marked, without_few
from edge.teaching.remembering import recall

# MobileNets have 1 to 12 MB. A larger one is for the command, as the pages have little memory.
_MOST_BYTES = 48 << 20
# For a moment each takes 24 bytes. 1,001 classes of 1,280 features are 1.3 million.
_MOST_WEIGHTS = 2_000_000


@dataclass(frozen=True, slots=True)
class Pupil:
    """A bundle as far as its teaching goes.

    labels: those that it knows.
    cut: whether it learned from what was cut out of frames.
    loses_compiled: whether it has a model for the Edge TPU that a taught one cannot have.
    remembered: how many examples it would be judged by.
    fault: why its model cannot be taught; None if it can.
    teacher: the id of the bundle that it was taught from; None if it was not.
    lesson: what came of that; "" without it.
    """

    id: str
    name: str
    labels: tuple[str, ...]
    cut: bool
    loses_compiled: bool
    remembered: int
    fault: str | None
    teacher: str | None
    lesson: str


@dataclass(frozen=True, slots=True)
class Marked:
    """The marked events of a label. new: whether the bundle does not know it. events, photos: how many there are, and
    how many of their pictures."""

    label: str
    new: bool
    events: int
    photos: int

    @property
    def is_few(self) -> bool:
        """Whether it is left out until there are more."""
        return self.new and self.photos < LEAST_OF_NEW


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a teaching would begin with. strange: how many events another bundle has seen. fault: why it cannot begin;
    None if it can."""

    classes: tuple[Marked, ...]
    strange: int
    fault: str | None


def read_pupil(path: Path) -> Pupil:
    """Read a bundle; again only if it has changed. Raises MissingInputError or BundleError."""
    return _read(path, _stamp(path))


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes with a bundle. Raises MissingInputError or BundleError."""
    try:
        found = path.stat()
        manifest = (path / MANIFEST).stat() if path.is_dir() else found
        files = list(path.iterdir()) if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise MissingInputError(f"bundle {path}: cannot read: {why}") from error
    if size > _MOST_BYTES:
        raise BundleError(f"bundle {path}: {size >> 20} MiB, at most {_MOST_BYTES >> 20} here: use the command")
    return found.st_dev, found.st_ino, found.st_mtime_ns, size, manifest.st_ino, manifest.st_mtime_ns


@lru_cache(maxsize=4)
def _read(path: Path, _stamp: tuple[int, ...]) -> Pupil:
    bundle = open_bundle(path)
    remembered, fault = _judged_by(bundle)
    teacher, notes = taught_from(bundle), bundle.manifest.origin.notes
    return Pupil(
        id=bundle.bundle_id,
        name=bundle.manifest.name,
        labels=bundle.labels,
        cut=bundle.manifest.cut is not None,
        loses_compiled=bundle.manifest.edgetpu is not None and not leaves_last_layer(bundle),
        remembered=remembered,
        fault=fault,
        teacher=teacher,
        lesson="" if teacher is None else notes[-1].removeprefix(TAUGHT_FROM).partition(": ")[2],
    )


def _judged_by(bundle: Bundle) -> tuple[int, str | None]:
    """Return how many remembered examples a new layer is judged by, and why there can be none."""
    try:
        if (weights := weights_of_last_layer(bundle.model)) > _MOST_WEIGHTS:
            return 0, f"its last layer has {weights:,} weights, at most {_MOST_WEIGHTS:,} here: use the command"
        layer = read_last_layer(bundle.model)
        remembered = recall(bundle.model, layer.of_input, layer.classes, layer.weights.shape[1])
    except ModelError as error:
        return 0, str(error)
    if remembered is None:
        return 0, None
    # As teach() does: those that the network learned from serve if there are no others.
    learned = int(remembered.learned.sum())
    return (len(remembered.classes) - learned) or learned, None


def count_marks(store: Path, pupil: Pupil | None) -> Prospect:
    """Count the marked events that can teach a bundle. pupil: None if there is none, so that all labels count as known.

    Raises what StoreReader raises."""
    events: Counter[str] = Counter()
    there: Counter[str] = Counter()
    photos: list[Photo] = []
    strange = 0
    for label, path, bundle in marked(store, cut=pupil is not None and pupil.cut):
        events[label] += 1
        strange += pupil is not None and bundle != pupil.id
        if path is not None:
            there[label] += 1
            if there[label] <= LEAST_OF_NEW:  # as many as decide: a million would take 400 MB
                photos.append(Photo(label, path))
    known = set(events) if pupil is None else set(pupil.labels)
    classes = [Marked(label, label not in known, count, there[label]) for label, count in events.items()]
    classes.sort(key=lambda one: (not one.new, -one.events, one.label))
    return Prospect(tuple(classes), strange, None if pupil is None else _fault(pupil, classes, photos))


def _fault(pupil: Pupil, classes: Sequence[Marked], photos: Sequence[Photo]) -> str | None:
    """Return why a teaching would end before it has begun; None if it would not."""
    if pupil.fault is not None:
        return pupil.fault
    if not classes:
        return "no event is marked as right or with another label"
    if not photos:
        return f"the pictures of {counted(sum(one.events for one in classes), 'marked event')} are gone"
    try:
        labels_with(pupil.labels, without_few(photos, pupil.labels, lambda _: None))
    except DatasetError as error:
        return str(error)
    known = sum(one.photos for one in classes if not one.new) + pupil.remembered
    if known < LEAST_OF_KNOWN:
        return (
            f"{counted(known, 'example')} of the classes that the bundle knows, must be at least {LEAST_OF_KNOWN}: "
            "mark more events of them, or train the bundle again with this version, which lets it remember some"
        )
    return None


def seen_or_why(path: Path) -> tuple[Pupil | None, str | None]:
    """Return a bundle, or in words why there is none."""
    try:
        return read_pupil(path), None
    except FieldfareError as error:
        return None, str(error)
