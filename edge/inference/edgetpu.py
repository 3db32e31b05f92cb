"""The Coral Edge TPU, through libedgetpu's TFLite delegate.

libedgetpu can hang, abort or segfault (docs/hardware-status.md); what can be caught is caught here, the rest
is for whoever watches the process from outside. A hang while loading stops every thread of the process: the
runtimes load a delegate through ctypes.PyDLL, which keeps the interpreter lock.
"""

import ctypes
import logging
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
    """The delegate for one Edge TPU.

    library: a file or a name that the loader finds. device: as choose_device takes it. Raises EngineError with
    what to check and which Edge TPUs are plugged in. A missing library raises OSError under LiteRT, a failing
    one ValueError; both arrive here. A slow USB link is logged as a warning.
    """
    found = find_devices(sysfs, dev)
    chosen = choose_device(device, found)
    options = {"device": chosen} if chosen else {}
    try:
        _check_library(library)
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


def _check_library(library: str) -> None:
    """Raise OSError where `library` cannot be what is needed, before anything calls into it."""
    path = Path(library)
    by_path = "/" in library  # else the loader looks in its own folders, not here
    problem = why_not_loadable(path) if by_path and path.is_file() else None
    if problem is not None:
        raise OSError(problem)
    # LiteRT 2.3 prints a traceback of its own where the library is missing; the loader just says so.
    loaded = ctypes.CDLL(library)
    for name in _ENTRY_POINTS:
        if not hasattr(loaded, name):
            raise OSError(f"not a TFLite delegate: it has no {name}")
