"""Load the TFLite runtime: LiteRT, or tflite-runtime if LiteRT is not installed."""

import base64
import importlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Literal

from edge.errors import INSTALL_DEVICE, MissingPackageError
from edge.portable.system import is_linux

RuntimeName = Literal["auto", "litert", "tflite-runtime"]
# In the order in which they are tried. LiteRT is 20 times faster on int8 than tflite-runtime 2.14 (x86-64, measured for
# this project), but has no wheel for 32-bit Raspberry Pi OS.
_MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}
# Both announce on standard error, once a process and at no option's will, that they made their XNNPACK delegate: when
# the first tensors are allocated. So that happens to this model of one operator (ADD of two float32 tensors; 252 bytes,
# 0.6 ms), and all that they write about any other model goes where it should.
_ANNOUNCEMENT = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
_SMALLEST_MODEL = base64.b64decode(
    "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAABAAAAAGAAAAAMAAAABAAAACAAAAAQABAAEAAAAAQAAABAAAAAMABAADwAAAAgABAAMAAAAEwAA"
    "AAEAAAAAAAATAQAAABAAAAAMABQAEAAMAAgABAAMAAAAIAAAAAwAAAAQAAAARAAAAAEAAAABAAAAAQAAAAAAAAABAAAAEAAAAAAACgAMAAAACAAEAAoA"
    "AAAIAAAADAAAAAEAAAABAAAAAQAAAAAAAAACAAAAIAAAAAwAAAAAAAYACgAEAAYAAAAUAAAAAAAGAAgABAAGAAAABAAAAAEAAAABAAAA"
)
_announced: set[str] = set()
_lock = threading.Lock()

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TfliteRuntime:
    """A runtime's name, version and classes."""

    name: str
    version: str
    interpreter: Callable[..., Any]
    load_delegate: Callable[..., Any]
    resolver_types: Any


def load_runtime(preference: RuntimeName = "auto") -> TfliteRuntime:
    """Import the runtime `preference`, or with "auto" the first that imports. Raises MissingPackageError with the
    error of each."""
    # Here, as it brings 46 modules and 2.9 MiB along (measured 2026-11): supervisor, recorder and outputs import this
    # module for the names of the settings only.
    from importlib import metadata

    names = list(_MODULES) if preference == "auto" else [preference]
    problems = []
    for name in names:
        module_name, package = _MODULES[name]
        try:
            module = importlib.import_module(module_name)
        except (ImportError, AttributeError) as error:  # AttributeError: tflite-runtime on NumPy 2
            problems.append(f"{package}: {error}")
            continue
        _let_announce(name, module.Interpreter)
        return TfliteRuntime(
            name,
            metadata.version(package),
            module.Interpreter,
            module.load_delegate,
            getattr(module, "OpResolverType", None),
        )
    raise MissingPackageError(f"no TFLite runtime ({'; '.join(problems)}): {INSTALL_DEVICE}")


def _let_announce(name: str, interpreter: Callable[..., Any]) -> None:
    """Let a runtime announce its delegate for the CPU, once a process, where nobody reads it."""
    with _lock:
        if name in _announced:
            return
        _announced.add(name)
        try:
            with _without_announcement():
                interpreter(model_content=_SMALLEST_MODEL).allocate_tensors()
        except (ValueError, RuntimeError) as error:
            _log.debug("%s refused the smallest model: %s", name, error)


@contextmanager
def _without_announcement() -> Iterator[None]:
    """Leave the announcement out of what the block's native code writes to standard error; the rest is passed on."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nobody can read anything
        yield
        return
    with os.fdopen(stderr, "wb", buffering=0) as kept, _file_of_no_name() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept.fileno(), 2)
            written.seek(0)
            rest = b"".join(line for line in written if not line.startswith(_ANNOUNCEMENT))
            with suppress(OSError):  # nobody reads it any more, as without us
                kept.write(rest)


def _file_of_no_name() -> IO[bytes]:
    """Open a file in memory, or a temporary one on systems without such files."""
    # Not a temporary one everywhere: the service's disk may be full or read-only.
    return os.fdopen(os.memfd_create("stderr"), "w+b") if is_linux() else tempfile.TemporaryFile()
