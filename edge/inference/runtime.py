"""Load the TFLite runtime: LiteRT, or tflite-runtime if LiteRT is not installed."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

from edge.errors import INSTALL_DEVICE, MissingPackageError

RuntimeName = Literal["auto", "litert", "tflite-runtime"]
# In the order in which they are tried. LiteRT is 20 times faster on int8 than tflite-runtime 2.14 (x86-64, measured for
# this project), but has no wheel for 32-bit Raspberry Pi OS.
_MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}


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
    names = list(_MODULES) if preference == "auto" else [preference]
    problems = []
    for name in names:
        module_name, package = _MODULES[name]
        try:
            module = importlib.import_module(module_name)
        except (ImportError, AttributeError) as error:  # AttributeError: tflite-runtime on NumPy 2
            problems.append(f"{package}: {error}")
            continue
        return TfliteRuntime(
            name,
            metadata.version(package),
            module.Interpreter,
            module.load_delegate,
            getattr(module, "OpResolverType", None),
        )
    raise MissingPackageError(f"no TFLite runtime ({'; '.join(problems)}): {INSTALL_DEVICE}")
