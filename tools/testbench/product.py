"""Build Fieldfare's wheel."""

import shutil
import sys
import tempfile
from pathlib import Path

import cache
import host

_SOURCES = ("edge", "trainer", "pyproject.toml", "README.md", "LICENSE")


def wheel(into: Path) -> Path:
    """Build the wheel of the source tree as it is now; return its path."""
    # In a copy, because setuptools leaves folders behind.
    with tempfile.TemporaryDirectory() as scratch:
        for name in _SOURCES:
            source = cache.ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, Path(scratch) / name)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
        host.run([*pip, "--wheel-dir", into, scratch])
    return next(into.glob("fieldfare-*.whl"))
