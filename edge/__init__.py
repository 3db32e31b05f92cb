"""Fieldfare's device side: capture, preprocess, classify, decide, record.

Importing this package loads no runtime, no camera library and no TensorFlow. Adapters import theirs when they are
constructed.
"""

__version__: str


def __getattr__(name: str) -> str:
    """Look up `__version__` when it is first used."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not at the top: importlib.metadata alone takes longer to import than all else that this package needs at once
    # (30 of 45 ms on an x86-64 core, 2026-11).
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("fieldfare")
    except PackageNotFoundError:  # a source tree that was never installed
        found = "0+unknown"
    globals()[name] = found
    return found
