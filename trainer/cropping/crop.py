"""Cut a folder of photos into a folder of parts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edge.bundle.labels import label_fix, label_problem
from edge.errors import DatasetError, ImageError, MissingInputError
from edge.images import read_image, readable_name
from edge.locating.cuts import cutting_of
from edge.photo_files import is_out_of_bounds
from edge.storage import new_directory
from trainer.cropping.boxes import Entry, Unit
from trainer.cropping.choosing import OTHER_KIND, OUTSIDE, Wanted, choose
from trainer.cropping.parts import Format, notes_of, part_name, save_part
from trainer.cropping.record import CropRecord, encoded
from trainer.dataset.layouts.nested import CROP_NAME
from trainer.dataset.photo_folders import gone, is_gone, unreadable_in_words
from trainer.pages.words import counted
from trainer.progress import Advance

# From so many boxes on, half of them outside of their photos are no accident.
_ENOUGH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How photos become parts.

    root: the folder of the photos. unit: of the boxes. wanted: which boxes count. record: how they are cut, and into
    which folders they go. form: of the files.
    """

    root: Path
    unit: Unit
    wanted: Wanted
    record: CropRecord
    form: Format = "jpeg"


@dataclass(slots=True)
class Tally:
    """What became of the photos.

    photos, parts: how many. not_named: photos that the boxes' file does not name. empty: photos without a box that
    counts. left_out: boxes that do not count, by the reason. cut_off: boxes that reach past an edge of their photo, and
    end there. corners: boxes that do and would fit as two corners. failed: photos that the tool that wrote the boxes
    could not look at. unreadable, mismatched: photos that were left out. Both with the reason.
    """

    photos: int = 0
    parts: int = 0
    not_named: int = 0
    empty: int = 0
    left_out: "Counter[str]" = field(default_factory=Counter)
    cut_off: int = 0
    corners: int = 0
    failed: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add what became of other photos."""
        self.photos += other.photos
        self.parts += other.parts
        self.not_named += other.not_named
        self.empty += other.empty
        self.left_out += other.left_out
        self.cut_off += other.cut_off
        self.corners += other.corners
        self.failed += other.failed
        self.unreadable += other.unreadable
        self.mismatched += other.mismatched

    def figures(self) -> dict[str, object]:
        """Return it for JSON."""
        return {**asdict(self), "left_out": dict(self.left_out)}


def crop(
    plan: Plan,
    photos: Sequence[tuple[Path, Entry | None]],
    out: Path,
    *,
    workers: int,
    overwrite: bool,
    advance: Advance,
) -> Tally:
    """Cut `photos` into a new folder `out`, whole or not at all. entries: the boxes of each; None: it has none.

    Raises DatasetError if not one part comes of them, or half of the boxes lie outside of their photos or
    reach past an edge as corners do; StorageError,
    OutputExistsError; MissingInputError if photos vanish meanwhile.
    """
    tally = Tally()
    with new_directory(out, overwrite=overwrite) as folder:
        for one in _all(plan, photos, folder, workers):
            tally.add(one)
            advance(1)
            _check_places(tally, least=_ENOUGH)
        _check_places(tally, least=1)
        _check_corners(tally)
        if not tally.parts:
            raise DatasetError(f"{readable_name(plan.root)}: not one part was cut: {'; '.join(remarks(tally))}")
        (folder / CROP_NAME).write_bytes(encoded(plan.record))
    return tally


def remarks(tally: Tally) -> list[str]:
    """Return in words what did not become parts."""
    lines = []
    if tally.unreadable:
        lines.append(unreadable_in_words(tally.unreadable))
    if tally.failed:
        failed = counted(len(tally.failed), "photo")
        lines.append(f"{failed} failed in what wrote the boxes, such as {tally.failed[0]}: let it look again")
    if tally.mismatched:
        fit = "does not fit its" if len(tally.mismatched) == 1 else "do not fit their"
        lines.append(f"{counted(len(tally.mismatched), 'photo')} {fit} boxes, such as {tally.mismatched[0]}")
    if tally.not_named:
        are = "is" if tally.not_named == 1 else "are"
        lines.append(f"{tally.not_named} of {counted(tally.photos, 'photo')} {are} not named with the boxes")
    if tally.empty:
        lines.append(f"{counted(tally.empty, 'photo')} {'has' if tally.empty == 1 else 'have'} no box that counts")
    for reason, count in tally.left_out.most_common():
        hint = " (--category names those that count)" if reason == OTHER_KIND else ""
        lines.append(f"{counted(count, 'box', 'boxes')} left out: {reason}{hint}")
    return lines


def _all(plan: Plan, photos: Sequence[tuple[Path, Entry | None]], folder: Path, workers: int) -> Iterator[Tally]:
    # Threads: decoding and encoding take the time, and both free the interpreter.
    executor = ThreadPoolExecutor(workers)
    try:
        yield from executor.map(lambda one: _cut(plan, one[0], one[1], folder), photos)
    finally:
        executor.shutdown(cancel_futures=True)


def _cut(plan: Plan, photo: Path, entry: Entry | None, folder: Path) -> Tally:
    if entry is None:
        return Tally(photos=1, not_named=1)
    if entry.problem:
        return Tally(photos=1, unreadable=[entry.problem])
    if entry.failure:
        return Tally(photos=1, failed=[f"{readable_name(photo)} ({entry.failure})"])
    if not entry.boxes:
        return Tally(photos=1, empty=1)
    try:
        photo_bgr, notes = read_image(photo), notes_of(photo)
    except (ImageError, MissingInputError) as error:
        if isinstance(error.__cause__, OSError) and is_gone(error.__cause__):
            raise gone(photo, error.__cause__) from error
        return Tally(photos=1, unreadable=[str(error)])
    height, width = photo_bgr.shape[:2]
    choice = choose(entry, plan.unit, plan.wanted, (width, height), notes.orientation)
    if choice.problem:
        return Tally(photos=1, mismatched=[f"{readable_name(photo)}: {choice.problem}"])
    cutting = cutting_of(plan.record.cut)
    for place, category in zip(choice.places, choice.categories, strict=True):
        target = folder / _folder_of(plan, photo, category)
        target.mkdir(parents=True, exist_ok=True)
        part = cutting.around(place, width, height)
        save_part(target / part_name(photo.name, place, plan.form), photo_bgr, part, notes, plan.form)
    return Tally(
        photos=1,
        parts=len(choice.places),
        empty=not choice.places,
        left_out=choice.left_out,
        cut_off=choice.cut_off,
        corners=choice.corners,
    )


def _folder_of(plan: Plan, photo: Path, category: str) -> Path:
    inside = photo.parent.relative_to(plan.root)
    return inside if plan.record.classes == "folders" else Path(category) / inside


def check_categories(categories: Sequence[str]) -> None:
    """Raise DatasetError if one of these cannot be the name of a class, and so of a folder."""
    for name in categories:
        if not name:
            raise DatasetError("--classes boxes: a box has no label: give each one in the file of boxes")
        problem, fix = label_problem(name), "mend the file of boxes"
        if problem is None and ("/" in name or is_out_of_bounds(name)):
            problem, fix = "is no name of a folder", "rename it in the file of boxes"
        elif problem is not None:
            fix = label_fix(name)
        if problem is not None:
            raise DatasetError(f"--classes boxes: {name!a} {problem}: {fix}")


def _check_places(tally: Tally, *, least: int) -> None:
    outside = tally.left_out[OUTSIDE]
    boxes = tally.parts + tally.left_out.total()
    if outside and boxes >= least and 2 * outside >= boxes:
        raise DatasetError(
            f"{outside} of {boxes} boxes lie outside of their photos: they are in other units or of other photos: "
            "give the file that belongs to these, or --stored if they are of pictures that were not turned upright"
        )


def _check_corners(tally: Tally) -> None:
    # At the end: one camera that animals pass at the edge of its pictures is no other format.
    boxes = tally.parts + tally.left_out.total()
    if 2 * tally.corners > boxes:
        raise DatasetError(
            f"{tally.corners} of {boxes} boxes reach past the right or bottom edge, and would fit as x1,y1,x2,y2 "
            "(left, top, right, bottom): boxes must be x,y,w,h (left, top, width, height): write them so, or end them "
            "at the edge if they are"
        )
