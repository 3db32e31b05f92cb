"""Put photos into a new folder, as links or copies, with a table: all of it, or nothing."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from edge.errors import MissingInputError, StorageError
from edge.images import readable_name
from edge.portable.system import refuses_links
from edge.storage import new_directory


def write_photos(folder: Path, photos: Mapping[str, Path], tables: Mapping[str, bytes], *, copy: bool) -> None:
    """Make `folder` with `photos` and `tables`, both by their names below it.

    copy: copy the files; else make links to where they are.

    Raises OutputExistsError; StorageError; MissingInputError if a photo cannot be read any more.
    """
    with new_directory(folder) as new:
        for name, data in tables.items():
            (new / name).write_bytes(data)
        for name, photo in photos.items():
            target = new / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(photo, target, folder, copy=copy)


def _put(photo: Path, target: Path, folder: Path, *, copy: bool) -> None:
    if not copy:
        try:
            # An absolute path: the link may be moved into the folder of its class.
            target.symlink_to(photo.absolute())
        except OSError as error:
            if not refuses_links(error):
                raise
            raise StorageError(f"{readable_name(folder)}: no links can be made there: add --copy") from error
        return
    try:
        source = photo.open("rb")
    except OSError as error:
        name = readable_name(photo)
        raise MissingInputError(f"{name}: cannot read any more: {error.strerror or error}; nothing written") from error
    with source, target.open("xb") as written:
        shutil.copyfileobj(source, written, 1 << 20)


def free_name(wanted: str, taken: Mapping[str, Path]) -> str:
    """Return `wanted`, a path with / between folders, or one like it that is not in `taken`."""
    name, number = wanted, 2
    while name in taken:
        path = PurePosixPath(wanted)
        name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        number += 1
    return name


def path_below(photo: Path, root: Path) -> str:
    """Return the path of `photo` below `root`, with / between folders."""
    return Path(os.path.relpath(photo, root)).as_posix()
