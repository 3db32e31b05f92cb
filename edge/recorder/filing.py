"""Turn what came into what the store takes: pictures written as files, wall times found."""

import logging
import math
from collections import Counter
from collections.abc import Sequence

from edge.events.records import Event, PictureInfo
from edge.events.wall_clock import ClockHistory
from edge.processes.recorder_messages import KeepSample
from edge.recorder.exif import PictureNotes, with_exif
from edge.recorder.faults import describe
from edge.recorder.pictures import PictureFolder, StoredFile, file_name, read_jpeg
from edge.store.records import NewSample, StoredPicture
from edge.store.writes.adding import NewEvent

_log = logging.getLogger(__name__)

# Beyond them a number is no time, and SQLite cannot hold it.
_LONGEST_S = 1e10
_LARGEST = 1 << 62


def is_storable(event: Event) -> bool:
    """Return whether all numbers of an event are ones that can be stored."""
    seconds = (event.begin_mono_s, event.end_mono_s, event.peak_mono_s)
    scores = (event.peak, event.mean)
    counts = (event.sequence, event.frames)
    return (
        all(math.isfinite(value) for value in (*seconds, *scores))
        and all(abs(value) < _LONGEST_S for value in seconds)
        and all(abs(value) < _LARGEST for value in counts)
    )


class Filer:
    """Files the pictures of events, and samples. Used by one thread.

    fault: why pictures cannot be written, None if they can. Their events are kept all the same.
    """

    def __init__(
        self, pictures: PictureFolder, harvest: PictureFolder, device: str, boot: str, history: ClockHistory
    ) -> None:
        """device, boot: of samples; events have their own."""
        self._pictures, self._harvest = pictures, harvest
        self._device, self._boot, self._history = device, boot, history
        self.fault: str | None = None

    def event(self, event: Event, pictures: Sequence[PictureInfo] = (), files: Sequence[int] = ()) -> NewEvent:
        """Return the event for the store. Its pictures are in their files, and on the disk after `sync`."""
        clock = self._history.at(event.end_mono_s)
        stored: list[StoredPicture] = []
        of_kind: Counter[str] = Counter()
        for info, file in zip(pictures, files, strict=False):
            name = file_name(event.boot, event.sequence, info.kind, of_kind[info.kind])
            of_kind[info.kind] += 1
            found = self._write(self._pictures, name, file, self._event_notes(event, info))
            if found is not None:
                stored.append(self._stored_picture(info, found))
        begin_s, end_s = event.begin_mono_s + clock.offset_s, event.end_mono_s + clock.offset_s
        return event, begin_s, end_s, clock.quality, stored

    def sample(self, message: KeepSample, file: int) -> NewSample | None:
        """Return the sample for the store, None if its picture cannot be kept."""
        sample = message.sample
        clock = self._history.at(sample.captured_mono_s)
        why = sample.reasons[0] if sample.reasons else "random"
        milliseconds = int(sample.captured_mono_s * 1000)
        name = file_name(self._boot, milliseconds, why, 0)
        notes = PictureNotes(
            label=sample.label,
            score=sample.score,
            kind=f"sample ({', '.join(sample.reasons)})",
            name=f"{self._device}-{self._boot[:8]}-{milliseconds}",
            captured_wall_s=sample.captured_mono_s + clock.offset_s,
            clock=clock.quality,
            boot_s=sample.captured_mono_s,
            engine=f"{message.engine}, bundle {message.bundle}",
        )
        found = self._write(self._harvest, name, file, notes)
        if found is None:
            return None
        return NewSample(
            sample=sample,
            device=self._device,
            boot=self._boot,
            engine=message.engine,
            bundle=message.bundle,
            captured_wall_s=notes.captured_wall_s,
            clock=clock.quality,
            path=self._harvest.root / found.name,
            size=found.size,
            sha256=found.sha256,
        )

    def sync(self) -> None:
        """Put all names of files onto the disk. Raises OSError."""
        self._pictures.sync()
        self._harvest.sync()

    def _write(self, folder: PictureFolder, name: str, file: int, notes: PictureNotes) -> StoredFile | None:
        try:
            jpeg = read_jpeg(file)
        except (OSError, ValueError) as error:
            _log.warning("%s of %s is left out: %s", notes.kind, notes.name, error)
            return None
        try:
            stored = folder.keep(name, with_exif(jpeg, notes))
        except OSError as error:
            self.note(describe(error))
            return None
        self.note(None)
        return stored

    def note(self, fault: str | None) -> None:
        """Note why pictures are not written, None if they are."""
        if fault is not None:
            fault = f"{fault}; events are kept without pictures"
        if fault != self.fault:
            _log.warning("%s", fault or "pictures are written again")
        self.fault = fault

    def _stored_picture(self, info: PictureInfo, file: StoredFile) -> StoredPicture:
        return StoredPicture(
            kind=info.kind,
            path=self._pictures.root / file.name,
            size=file.size,
            width=info.width,
            height=info.height,
            captured_mono_s=info.captured_mono_s,
            captured_wall_s=info.captured_mono_s + self._history.at(info.captured_mono_s).offset_s,
            sha256=file.sha256,
        )

    def _event_notes(self, event: Event, info: PictureInfo) -> PictureNotes:
        clock = self._history.at(info.captured_mono_s)
        return PictureNotes(
            label=event.label,
            score=event.peak,
            kind=info.kind,
            name=event.name,
            captured_wall_s=info.captured_mono_s + clock.offset_s,
            clock=clock.quality,
            boot_s=info.captured_mono_s,
            engine=f"{event.engine}, bundle {event.bundle}",
            latitude=event.latitude,
            longitude=event.longitude,
        )
