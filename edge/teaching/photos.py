"""Find the photos to teach from: class folders, or events that a person marked."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle.labels import appearance, is_unknown, label_fix, label_problem
from edge.errors import DatasetError, MissingInputError
from edge.exports.locate import Locator
from edge.photo_files import find_images, is_closed
from edge.pictures.names import readable_name
from edge.printable import counted
from edge.store.reading import StoreReader
from edge.teaching.remembering import spread_evenly

# Of one class. More add little to one layer, and a Pi Zero 2 W looks at some ten a second.
MOST_OF_CLASS = 200
LEAST_OF_NEW = 5
# Examples of the classes that are there, without which nobody can see what becomes of them.
LEAST_OF_KNOWN = 10
_MOST_CLASSES = 200


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of a class. label: the class. path: of the file."""

    label: str
    path: Path


def of_folder(folder: Path) -> list[Photo]:
    """Return the photos of class folders, sorted. Raises MissingInputError, or DatasetError if there are none."""
    if not folder.is_dir():
        raise MissingInputError(f"{readable_name(folder)}: no folder there: give one with a folder of photos a class")
    try:
        classes = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not is_closed(entry))
    except OSError as error:
        raise MissingInputError(f"{readable_name(folder)}: cannot read: {error.strerror or error}") from error
    if len(classes) > _MOST_CLASSES:
        raise DatasetError(f"{readable_name(folder)}: {len(classes)} folders, at most {_MOST_CLASSES} classes at once")
    found = [Photo(entry.name, path) for entry in classes for path in find_images(entry)]
    if not found:
        raise DatasetError(f"{readable_name(folder)}: no class folder with photos in it: put them into FOLDER/CLASS")
    return found


def of_store(store: Path, *, cut: bool) -> tuple[list[Photo], int]:
    """Return the photos of events that were marked right, or given another label, oldest first, and how many pictures
    of such events are gone.

    cut: whether to take what was cut out of the frame, as the bundle learned from such photos.
    Raises what StoreReader raises, and DatasetError if no event is marked.
    """
    found, gone = [], 0
    for label, path, _ in marked(store, cut=cut):
        if path is None:
            gone += 1
        else:
            found.append(Photo(label, path))
    if not found:
        why = f": the pictures of {counted(gone, 'such event')} are gone" if gone else ""
        raise DatasetError(
            f"{readable_name(store)}: no event with a picture is marked as right or with another label{why}: "
            "mark some with `fieldfare events mark`"
        )
    return found, gone


def marked(store: Path, *, cut: bool) -> Iterator[tuple[str, Path | None, str]]:
    """Yield label, picture and the id of the bundle that saw it, of each event that was marked right, or given another
    label, oldest first. The picture is None if it is gone. Raises what StoreReader raises."""
    locator = Locator(store)
    with StoreReader(store) as reader:
        for event in reader.labelled():
            if is_unknown(event.label.strip()):
                continue
            path = (event.crop if cut else None) or event.best
            place = None if path is None else locator.find(path)
            yield event.label, place if place is not None and place.is_file() else None, event.bundle


def only(photos: Sequence[Photo], labels: Sequence[str]) -> list[Photo]:
    """Return the photos of these classes; all without any. Raises DatasetError if a class has none."""
    present = {photo.label for photo in photos}
    for label in labels:
        if label not in present:
            raise DatasetError(f"--label {label[:80]!r}: there are no photos of it")
    return [photo for photo in photos if not labels or photo.label in labels]


def thinned(
    photos: Sequence[Photo], known: Collection[str], note: Callable[[str], None], most: int | None = None
) -> list[Photo]:
    """Return at most 200 photos of a class, evenly from first to last. note: called with what was left out.

    most: of all classes together; the larger ones give way, but no new class below what it needs. known: the others.
    Raises DatasetError if that cannot be."""
    of_class: dict[str, list[int]] = {}
    for place, photo in enumerate(photos):
        of_class.setdefault(photo.label, []).append(place)
    shares = _shares({label: len(places) for label, places in of_class.items()}, known, most)
    found = []
    for label, places in of_class.items():
        if len(places) > shares[label]:
            note(f"{label}: {shares[label]} of {len(places)} photos are used")
        found += [photos[place] for place in spread_evenly(np.array(places), shares[label])]
    return found


def _shares(counts: Mapping[str, int], known: Collection[str], most: int | None) -> dict[str, int]:
    """Return how many photos of each label are used."""
    for each in range(MOST_OF_CLASS, 0, -1):
        found = {
            label: min(count, each if label in known else max(each, LEAST_OF_NEW)) for label, count in counts.items()
        }
        if most is None or sum(found.values()) <= most:
            return found
    raise DatasetError(
        f"{len(counts)} classes are too many for {most} photos, as a new one needs {LEAST_OF_NEW}: use more (--most), "
        "or fewer classes (--label)"
    )


def without_few(photos: Sequence[Photo], known: Collection[str], note: Callable[[str], None]) -> list[Photo]:
    """Return the photos without those of new classes that have too few. note: called with each class that is left out.

    Raises DatasetError if none is left."""
    counts = Counter(photo.label for photo in photos if photo.label not in known)
    few = {label for label, count in counts.items() if count < LEAST_OF_NEW}
    for label in sorted(few):
        note(few_words(label, counts[label]))
    found = [photo for photo in photos if photo.label not in few]
    if not found:
        raise DatasetError(
            f"no class is left to teach: a new one needs {LEAST_OF_NEW} photos that differ, better 20: mark more events"
        )
    return found


def few_words(label: str, count: int) -> str:
    """Return in words that a new class is left out."""
    return f"{label[:80]} is left out: {counted(count, 'photo')} of use, a new class needs {LEAST_OF_NEW} that differ"


def labels_with(known: Sequence[str], photos: Sequence[Photo]) -> tuple[str, ...]:
    """Return the labels of a bundle and behind them those that the photos add, sorted.

    Raises DatasetError for a class that cannot be a label, or that people cannot tell from one that is there."""
    labels = list(known)
    for label in sorted({photo.label for photo in photos} - set(known)):
        if problem := label_problem(label):
            raise DatasetError(f"the class {readable_name(label)[:80]!r} {problem}: {label_fix(label)}")
        for other in labels:
            if appearance(label).casefold() == appearance(other).casefold():
                raise DatasetError(
                    f"the class {label[:80]!r} reads like {other[:80]!r}, which is there: use the same name, or another"
                )
        labels.append(label)
    return tuple(labels)
