"""Export events and their pictures to a folder: choose, check, copy, write, read back, and only then note it."""

import contextlib
import itertools
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import DataError, FieldfareError, StorageError
from edge.exports.camtrap.deployments import Deployed, deployed
from edge.exports.camtrap.package import PackageWriter, open_package
from edge.exports.camtrap.project import Project
from edge.exports.copying.pictures import Copy, CopyOutcome, copy_pictures
from edge.exports.copying.record import Format, Unnoted
from edge.exports.copying.target import Target, settle
from edge.exports.folders import FolderWriter, open_folders, takes_marked
from edge.exports.locate import Locator
from edge.exports.media import Named, takes_all
from edge.exports.megadetector import BoxWriter, open_boxes, takes_boxed
from edge.exports.noting import note, numbers_of, refuse_unnotable, unnoted_of
from edge.exports.parquet import load
from edge.exports.selection import Selection, Stays, Survey, Takes
from edge.exports.tabular import open_table
from edge.exports.taxa import TaxonOf
from edge.exports.writing import Writer
from edge.store.reading import StoreReader
from edge.store.reads.runs import NumberSet
from edge.store.records import Filter, Stay, StoredEvent, StoredPicture, StoredSample

_TAKES: dict[Format, Takes] = {"folders": takes_marked, "megadetector": takes_boxed}
_SAMPLES_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to export.

    since_last: only what is not noted as exported in this format yet.
    media: pictures, too. taxon_of: what labels stand for.
    project, position: for Camtrap DP; position: latitude and longitude of devices without any.
    divert: takes the pictures in place of `out`, which then gets the tables only; the store notes nothing.
    """

    store: Path
    form: Format
    out: Path
    wanted: Filter
    taxon_of: TaxonOf
    since_last: bool = False
    media: bool = True
    overwrite: bool = False
    resume: bool = False
    project: Project = field(default_factory=Project)
    position: tuple[float, float] | None = None
    divert: Callable[[Sequence[Copy]], list[CopyOutcome]] | None = None


@dataclass
class Outcome:
    """What became of it.

    events, pictures, samples: that are in the target. pictures counts those of samples, too.
    missing, damaged: pictures that could not be copied: gone since, or not as they were once written.
    others: events that Camtrap DP cannot hold, or for which MegaDetector has no category.
    blanks: events of nothing, which have no detection in MegaDetector's file.
    unnamed: some of the labels that the taxonomy does not have.
    unchecked: events that nobody marked; they are not in class folders.
    not_noted: why the export is not noted in the store; None: it is, or need not be.
    was_finished: the export to go on with is whole already, so that nothing was copied.
    noted_late: the store had not noted such an export yet, and has now.
    """

    events: int = 0
    pictures: int = 0
    samples: int = 0
    size: int = 0
    missing: int = 0
    damaged: int = 0
    others: int = 0
    blanks: int = 0
    unchecked: int = 0
    unnamed: tuple[str, ...] = ()
    not_noted: str | None = None
    was_finished: bool = False
    noted_late: bool = False


@dataclass
class Progress:
    """How far it is. size, all_size: bytes of pictures."""

    events: int
    all_events: int
    size: int
    all_size: int


OnProgress = Callable[[Progress], None]


def export(request: Request, on_progress: OnProgress) -> Outcome:
    """Export, and return what became of it when all of it was read back from the target.

    Raises MissingInputError without a store, DataError if there is nothing to export or the format cannot hold it,
    OutputExistsError and StorageError about the target, MissingPackageError without pyarrow.
    """
    with StoreReader(request.store) as reader:
        return _Export(request, reader, on_progress).run()


class _Export:
    def __init__(self, request: Request, reader: StoreReader, on_progress: OnProgress) -> None:
        self._request = request
        self._reader = reader
        self._on_progress = on_progress
        self._done = reader.exported(request.form) if request.since_last else NumberSet()
        self._selection = Selection(reader, request.wanted, self._done)
        self._stays = Stays(reader.stays() if request.form == "camtrap-dp" else ())
        self._locator = Locator(request.store)
        self._outcome = Outcome()
        self._events = array("q")
        self._samples = array("q")

    def run(self) -> Outcome:
        """Do it."""
        request, store = self._request, self._reader.store_id()
        if request.resume and settle(request.out, request.form, store, self._note_late) is not None:
            self._outcome.was_finished = True
            return self._outcome
        takes = _TAKES.get(request.form, takes_all) if request.media else _takes_none
        survey = self._selection.survey(takes, self._stays if request.form == "camtrap-dp" else None)
        harvest = [sample.size for sample in self._harvest()]
        # Most events are never marked: to class folders they are nothing new, once there was an export.
        known = bool(self._done) and request.form == "folders"
        if not (survey.checked if known else survey.events) and not harvest:
            if request.since_last:
                return self._outcome
            raise DataError("no event matches: nothing was written; `fieldfare events` lists what there is")
        deployments = self._check(survey, harvest=bool(harvest))
        progress = Progress(0, survey.events, 0, survey.size + sum(harvest))
        if not (request.resume or request.overwrite or request.divert):  # else some of it may be there already
            _check_space(request.out, progress.all_size)
        with Target(request.out, request.form, store, overwrite=request.overwrite, resume=request.resume) as target:
            with self._open(target, deployments, store) as writer:
                self._write_events(target, writer, progress)
                if isinstance(writer, FolderWriter):
                    self._write_harvest(target, writer, progress)
            if isinstance(writer, PackageWriter):
                self._outcome.others, self._outcome.unnamed = writer.others, tuple(sorted(writer.unnamed))
            elif isinstance(writer, BoxWriter):
                self._outcome.others, self._outcome.blanks = writer.others, writer.blanks
                self._outcome.unnamed = tuple(sorted(writer.unnamed))
            # A look at the tables is no reason to let pictures go.
            meant = (request.media or request.since_last) and request.divert is None
            unnoted = unnoted_of(self._events, self._samples) if meant else None
            target.finish(unnoted)
            if unnoted is not None and self._note():
                target.noted()
        return self._outcome

    def _check(self, survey: Survey, *, harvest: bool) -> dict[Stay, Deployed]:
        """Raise what the format cannot do with these events, before anything is written; return the deployments."""
        request = self._request
        if request.since_last:
            refuse_unnotable(request.store)
        if request.form == "parquet":
            load()
        if request.form == "megadetector" and not survey.boxes:
            raise DataError("no event has a box: nothing locates what is in the picture: choose csv or camtrap-dp")
        if request.form == "folders" and not survey.checked and not harvest:
            raise DataError(
                "no event is marked, and nothing was harvested: mark some, such as `fieldfare events mark 12 right`, "
                "or set [harvest] max_mb"
            )
        if request.form != "camtrap-dp":
            return {}
        return deployed(survey.periods, request.project.deployments, request.position)

    def _open(
        self, target: Target, deployments: dict[Stay, Deployed], store: str
    ) -> contextlib.AbstractContextManager[Writer]:
        request = self._request
        taxa, media = request.taxon_of, request.media
        if request.form == "camtrap-dp":
            return open_package(target, deployments, self._stays, request.project, taxa, store=store, media=media)
        if request.form == "folders":
            return open_folders(target)
        if request.form == "megadetector":
            return open_boxes(target, taxa)
        return open_table(target, request.form, taxa, media=media)

    def _write_events(self, target: Target, writer: Writer, progress: Progress) -> None:
        whole = self._request.form not in _TAKES  # all events are written, not only those with pictures for it
        for batch in self._selection.batches():
            plans = [(stored, writer.pictures(stored)) for stored in batch]
            there = self._copy(target, [named for _, plan in plans for named in plan], progress)
            with target.writing(target.folder):
                for stored, plan in plans:
                    writer.add(stored, [named for named in plan if named.name in there])
            for stored, plan in plans:
                self._outcome.unchecked += stored.mark is None
                if whole or plan:
                    self._outcome.events += 1
                    self._events.append(stored.number)
            progress.events += len(batch)
            self._on_progress(progress)

    def _copy(self, target: Target, plan: list[Named], progress: Progress) -> set[str]:
        """Copy them, and return the names of those that are there."""
        found = self._take(target, [self._copy_of(n.picture.path, n.name, n.picture.sha256) for n in plan])
        self._count(found, [named.picture.size for named in plan], progress)
        return {named.name for named, outcome in zip(plan, found, strict=True) if outcome == "there"}

    def _take(self, target: Target, copies: Sequence[Copy]) -> list[CopyOutcome]:
        divert = self._request.divert
        if divert is None:
            return copy_pictures(target, copies)
        found = divert(copies)
        for copy, outcome in zip(copies, found, strict=True):
            if outcome == "there":
                target.enter(copy.name, copy.sha256)
        return found

    def _copy_of(self, path: Path, name: str, sha256: str) -> Copy:
        return Copy(self._locator.find(path), name, sha256)

    def _count(self, found: list[CopyOutcome], sizes: list[int], progress: Progress) -> None:
        outcome = self._outcome
        for one, size in zip(found, sizes, strict=True):
            outcome.pictures += one == "there"
            outcome.size += size if one == "there" else 0
            outcome.missing += one == "missing"
            outcome.damaged += one == "damaged"
        progress.size += sum(sizes)

    def _harvest(self) -> Iterator[StoredSample]:
        """Yield the harvest for class folders that the filter lets through; nothing for the other formats."""
        request, wanted = self._request, self._request.wanted
        # No other format takes them, so that their one flag is enough.
        exported = False if request.since_last else None
        for sample in self._reader.samples(exported=exported) if request.form == "folders" else ():
            late = wanted.until_wall_s is not None and sample.captured_wall_s >= wanted.until_wall_s
            early = wanted.since_wall_s is not None and sample.captured_wall_s < wanted.since_wall_s
            if not (late or early) and (not wanted.labels or sample.sample.label in wanted.labels):
                yield sample

    def _write_harvest(self, target: Target, writer: FolderWriter, progress: Progress) -> None:
        for batch in _groups(self._harvest()):
            names = [writer.sample_name(sample) for sample in batch]
            pairs = list(zip(batch, names, strict=True))
            found = self._take(target, [self._copy_of(one.path, name, one.sha256) for one, name in pairs])
            self._count(found, [sample.size for sample in batch], progress)
            with target.writing(target.folder):
                for (sample, name), one in zip(pairs, found, strict=True):
                    if one == "there":
                        writer.add_sample(sample, name)
                        self._outcome.samples += 1
                        self._samples.append(sample.number)
            self._on_progress(progress)

    def _note(self) -> bool:
        """Have the store note what was exported. Return whether it did. Raises what prevents it with --since-last."""
        try:
            note(self._request.store, self._request.form, self._events, self._samples)
        except FieldfareError as error:
            if self._request.since_last:
                raise type(error)(
                    f"{self._request.out} is whole, but the store did not note that; the same command with --resume "
                    f"has it noted: {error}"
                ) from error
            self._outcome.not_noted = str(error)
            return False
        return True

    def _note_late(self, unnoted: Unnoted) -> bool:
        """Have the store note what an export that is whole has left to note. Return whether it did."""
        self._events, self._samples = numbers_of(unnoted, self._reader, self._request.out)
        self._outcome.noted_late = self._note()
        return self._outcome.noted_late


def _takes_none(_stored: StoredEvent, _picture: StoredPicture) -> bool:
    return False


def _groups(samples: Iterator[StoredSample]) -> Iterator[list[StoredSample]]:
    while batch := list(itertools.islice(samples, _SAMPLES_AT_ONCE)):
        yield batch


def _check_space(folder: Path, size: int) -> None:
    """Raise StorageError if the pictures alone do not fit."""
    try:
        about = os.statvfs(folder if folder.exists() else folder.parent)
    except OSError:  # making it gives the reason
        return
    free = about.f_bavail * about.f_frsize
    if size > free:
        raise StorageError(
            f"cannot write {folder}: the pictures take {size / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free: free "
            "some space, choose another place, or export less with --since, --until or --no-media"
        )
