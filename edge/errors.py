"""One tree of errors. Each carries the exit status that the command line ends with (docs/settings.md).

A message is one line: the value, the allowed range and the fix. The numbers are those of sysexits.h where
it has one, so that scripts and systemd can tell 'cannot start' from 'try again'.
"""

from typing import ClassVar


class FieldfareError(Exception):
    """Root of everything that Fieldfare raises on purpose."""

    exit_status: ClassVar[int] = 1


class DataError(FieldfareError, ValueError):
    """Input is there but wrong: repeating the command cannot help."""

    exit_status = 65


class BundleError(DataError):
    """A bundle that is damaged, incomplete, of another schema, or not what its manifest says."""


class ModelError(DataError):
    """A model that Fieldfare cannot use: float, dynamic shape, wrong rank, not a classifier."""


class ImageError(DataError):
    """A picture that cannot be read as 8-bit colour."""


class DatasetError(DataError):
    """A folder of photos that cannot be trained on."""


class MissingInputError(FieldfareError, FileNotFoundError):
    """A file or folder that was named is not there or cannot be read."""

    exit_status = 66


class UnavailableError(FieldfareError, OSError):
    """A camera or an accelerator is not there now; trying again later may help."""

    exit_status = 69


class CameraError(UnavailableError):
    """A camera that is absent, busy, forbidden or silent."""


class SpentProcessError(CameraError):
    """As CameraError, from a library that would answer the same for the rest of this process: only a new one can
    find the camera."""


class EngineError(UnavailableError):
    """An inference engine that failed to start or to answer."""


# Fieldfare is installed from its own repository, not from an index.
INSTALL_DEVICE = "pip install '.[device]' in the clone of Fieldfare"
INSTALL_TRAIN = "pip install '.[train]' in the clone of Fieldfare"


class MissingPackageError(FieldfareError, ImportError):
    """A library that this command needs is not installed."""

    exit_status = 72


class OutputExistsError(FieldfareError, FileExistsError):
    """The place to write to is taken."""

    exit_status = 73


class StorageError(FieldfareError, OSError):
    """Writing failed: disk full, read-only, no permission."""

    exit_status = 74


class ConfigError(FieldfareError, ValueError):
    """A setting that is unknown, of the wrong type or out of range."""

    exit_status = 78


class EndOfStream(FieldfareError, EOFError):  # noqa: N818 - the end of a replay is news, not a fault
    """A source that is finite has handed over its last frame."""
