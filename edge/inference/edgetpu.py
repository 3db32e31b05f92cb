"""Load libedgetpu's TFLite delegate for the Coral Edge TPU.

libedgetpu can hang, abort or segfault (docs/hardware-status.md). Errors that can be caught become EngineError; the
others need a process that watches this one.
"""

import ctypes
import logging
import re
from pathlib import Path

from edge.errors import EngineError
from edge.inference.edgetpu_devices import DEV, SYSFS_USB, choose_device, describe_devices, find_devices
from edge.inference.elf import why_not_loadable
from edge.inference.runtime import TfliteRuntime

DEFAULT_LIBRARY = "libedgetpu.so.1"
_ENTRY_POINTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")

_log = logging.getLogger(__name__)


def load_edgetpu(
    runtime: TfliteRuntime, *, library: str, device: str, sysfs: Path = SYSFS_USB, dev: Path = DEV
) -> object:
    """Load the delegate for one Edge TPU. Logs a warning if its USB link is slow.

    library: a file, or a name that the loader finds.
    device: as for choose_device.
    sysfs, dev: folders in which devices are looked up.

    Raises EngineError with what to check and which Edge TPUs are plugged in.
    """
    found = find_devices(sysfs, dev)
    chosen = choose_device(device, found)
    options = {"device": chosen} if chosen else {}
    try:
        _check_library(library)
        # A hang in here stops every thread of the process: the runtimes load a delegate through ctypes.PyDLL, which
        # holds the interpreter lock. LiteRT raises OSError for a missing library, ValueError for a failing one.
        delegate: object = runtime.load_delegate(library, options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or "the library gave no reason"
        raise EngineError(
            f"no Edge TPU ({library}, device {device or 'any'}): {reason}; plugged in: {describe_devices(found)}; "
            "check the cable, the udev rules and libedgetpu"
        ) from error
    for entry in found:
        if entry.warning is not None and chosen in ("", entry.kind, entry.name):
            _log.warning("%s", entry.warning)
    return delegate


def runtime_version(library: str) -> int | None:
    """Return the runtime version of an Edge TPU library, which must not be less than a compiled model asks for.

    Returns None if the library does not report one. Raises OSError if it cannot be loaded."""
    loaded = ctypes.CDLL(library)
    if not hasattr(loaded, "edgetpu_version"):
        return None
    loaded.edgetpu_version.restype = ctypes.c_char_p
    # Such as "BuildLabel(N/A), RuntimeVersion(14)".
    found = re.search(rb"RuntimeVersion\((\d{1,9})\)", loaded.edgetpu_version() or b"")
    return int(found[1]) if found else None


def _check_library(library: str) -> None:
    """Raise OSError if `library` is no delegate for this machine, before anything calls into it."""
    path = Path(library)
    by_path = "/" in library  # else the loader searches its own folders
    problem = why_not_loadable(path) if by_path and path.is_file() else None
    if problem is not None:
        raise OSError(problem)
    # Through ctypes first: LiteRT 2.3 prints a traceback if the library is missing; ctypes only raises OSError.
    loaded = ctypes.CDLL(library)
    for name in _ENTRY_POINTS:
        if not hasattr(loaded, name):
            raise OSError(f"not a TFLite delegate: it has no {name}")
