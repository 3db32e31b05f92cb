"""The errors of Fieldfare, each with the exit status of the command line (docs/settings.md).

A message is one line: the value, the allowed range and the fix. The statuses are those of sysexits.h if it has one,
so that scripts and systemd can distinguish 'cannot start' from 'try again'.
"""

from collections.abc import Sequence
from typing import ClassVar


class FieldfareError(Exception):
    """Root of everything that Fieldfare raises on purpose."""

    exit_status: ClassVar[int] = 1


class DataError(FieldfareError, ValueError):
    """Input that exists but is wrong: repeating the command cannot help."""

    exit_status = 65


class BundleError(DataError):
    """A bundle that is damaged, incomplete, of another schema, or different from its manifest."""


class ModelError(DataError):
    """A model that Fieldfare cannot use: float, dynamic shape, wrong rank, not a classifier."""


class ImageError(DataError):
    """A picture that cannot be read as 8-bit colour."""


class VideoError(DataError):
    """A video file that cannot be read: none, damaged, empty, or of a codec that the library lacks."""


class DatasetError(DataError):
    """A folder of photos that cannot be trained on."""


class DamagedStoreError(DataError):
    """A store of events that is damaged: the recorder sets it aside and begins a fresh one.

    found: what is wrong with it, for who says the rest in other words.
    """

    def __init__(self, message: str, found: str) -> None:
        super().__init__(message)
        self.found = found


class MissingInputError(FieldfareError, FileNotFoundError):
    """A named file or folder that does not exist or cannot be read."""

    exit_status = 66


class UnavailableError(FieldfareError, OSError):
    """A camera or an accelerator that is not available now; trying again later may help."""

    exit_status = 69


class CameraError(UnavailableError):
    """A camera that is absent, busy, forbidden or silent."""


class SpentProcessError(CameraError):
    """A camera error that lasts as long as this process, because of the library: only a new process can find the
    camera."""


class EngineError(UnavailableError):
    """An inference engine that failed to start or to answer."""


# Fieldfare is installed from its own repository, not from an index.
INSTALL_DEVICE = "pip install '.[device]' in the clone of Fieldfare"
INSTALL_TRAIN = "pip install '.[train]' in the clone of Fieldfare"


class MissingPackageError(FieldfareError, ImportError):
    """A library that this command needs and that is not installed."""

    exit_status = 72


class OutputExistsError(FieldfareError, FileExistsError):
    """An output that exists already."""

    exit_status = 73


class StorageError(FieldfareError, OSError):
    """A failure to write: disk full, read-only, no permission."""

    exit_status = 74


class StoreGoneError(StorageError):
    """A store of events that was moved, deleted or replaced while it was open: what is written into it now is lost."""


class ConfigError(FieldfareError, ValueError):
    """A setting that is unknown, of the wrong type or out of range, or several.

    heading: the message, or if there are several faults, how many. faults: a line for each if there are several. The
    error as a text is one line, with the first five of them.
    """

    exit_status = 78
    _ON_ONE_LINE = 5

    def __init__(self, heading: str, faults: Sequence[str] = ()) -> None:
        shown = [*faults[: self._ON_ONE_LINE]]
        if len(faults) > len(shown):
            shown.append(f"and {len(faults) - len(shown)} more")
        super().__init__(f"{heading} {'; '.join(shown)}" if faults else heading)
        self.heading = heading
        self.faults = tuple(faults)


class EndOfStream(FieldfareError, EOFError):  # noqa: N818 - the end of a replay is news, not a fault
    """The end of a finite source, after its last frame."""
