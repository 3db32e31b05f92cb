"""The Coral Edge TPU, through libedgetpu's TFLite delegate.

libedgetpu can hang, abort or segfault (docs/hardware-status.md); what can be caught is caught here, the rest
is for whoever watches the process from outside. A hang while loading stops every thread of the process: the
runtimes load a delegate through ctypes.PyDLL, which keeps the interpreter lock.
"""

import ctypes
import logging
import struct
import sys
from pathlib import Path

from edge.errors import EngineError
from edge.inference.edgetpu_devices import DEV, SYSFS_USB, choose_device, describe_devices, find_devices
from edge.inference.runtime import TfliteRuntime

DEFAULT_LIBRARY = "libedgetpu.so.1"
_ENTRY_POINTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
# e_machine of the ELF header, from elf.h.
_MACHINES = {3: "32-bit x86", 40: "32-bit ARM", 62: "x86-64", 183: "64-bit ARM", 243: "RISC-V"}

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
        reason = str(error).strip() or "the library gave no reason"
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
    if path.is_file():
        found, own = _machine(path), _machine(Path(sys.executable))
        if found is None:
            raise OSError("not a shared library (no ELF file)")
        if own is not None and found != own:
            raise OSError(f"built for {_MACHINES.get(found, found)}, this Python is {_MACHINES.get(own, own)}")
    # LiteRT 2.3 prints a traceback of its own where the library is missing; the loader just says so.
    loaded = ctypes.CDLL(library)
    for name in _ENTRY_POINTS:
        if not hasattr(loaded, name):
            raise OSError(f"not a TFLite delegate: it has no {name}")


def _machine(path: Path) -> int | None:
    """The processor that an ELF file is for, as elf.h numbers them; None where it is none."""
    with path.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != b"\x7fELF" or head[5] not in (1, 2):
        return None
    machine: int = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)[0]
    return machine
