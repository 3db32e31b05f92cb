"""Find the bundle that a path lies in, by the names of its files."""

from contextlib import suppress
from pathlib import Path, PurePath

MANIFEST = "manifest.json"
MANIFEST_HASH = "manifest.sha256"


def bundle_around(path: PurePath) -> Path | None:
    """Return the folder that is a bundle, as far as names show it: this one or one around it; None if none is.

    path: absolute, links followed.
    """
    for folder in (Path(path), *Path(path).parents):
        with suppress(OSError):  # a folder that may not be looked into
            if all((folder / name).is_file() for name in (MANIFEST, MANIFEST_HASH)):
                return folder
    return None
