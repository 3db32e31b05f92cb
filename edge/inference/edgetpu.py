"""The Coral Edge TPU, through libedgetpu's TFLite delegate.

libedgetpu can hang, abort or segfault (docs/hardware-status.md); what can be caught is caught here, the rest
is left to systemd, which restarts the service when decisions stop.
"""

import ctypes

from edge.errors import EngineError
from edge.inference.runtime import TfliteRuntime

DEFAULT_LIBRARY = "libedgetpu.so.1"


def load_edgetpu(runtime: TfliteRuntime, *, library: str, device: str) -> object:
    """The delegate for one Edge TPU.

    library: a file or a name that the loader finds. device: "" for any, "usb", "pci", "usb:N", "pci:N", as
    libedgetpu names them. Raises EngineError with what to check. A missing library raises OSError under
    LiteRT, a failing one ValueError; both arrive here.
    """
    options = {"device": device} if device else {}
    try:
        # LiteRT 2.3 prints a traceback of its own where the library is missing; the loader just says so.
        ctypes.CDLL(library)
        delegate: object = runtime.load_delegate(library, options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip() or "the library gave no reason"
        raise EngineError(
            f"no Edge TPU ({library}, device {device or 'any'}): {reason}; "
            "check the cable, the udev rules and libedgetpu"
        ) from error
    return delegate
