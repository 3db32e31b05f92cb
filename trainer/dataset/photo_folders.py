"""Folders of photos without classes: their photos, those that cannot be read, and a new one of links or copies."""

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from edge.errors import MissingInputError, StorageError
from edge.images import readable_name
from edge.photo_files import find_images
from edge.portable.system import refuses_links
from edge.storage import new_directory
from trainer.pages.words import counted
from trainer.progress import Progress

_MOST_LISTED = 3
_PIECE = 1 << 20
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN)


def check_folder(folder: Path) -> None:
    """Raise MissingInputError if `folder` is none."""
    if not folder.is_dir():
        raise MissingInputError(f"{readable_name(folder)}: no such folder: give a folder of photos")


def photos_in(folder: Path) -> list[Path]:
    """Return the photos under `folder`, sorted. Raises MissingInputError if there are none."""
    check_folder(folder)
    if not (found := find_images(folder)):
        raise MissingInputError(
            f"{readable_name(folder)}: no photos there (JPEG, PNG, BMP, WebP, TIFF): give the folder that holds them"
        )
    return found


def unreadable_in_words(problems: Sequence[str]) -> str:
    """Return in one line how many photos were left out, and the first of them with the reason.

    problems: one for each photo that cannot be read, one or more."""
    more = len(problems) - _MOST_LISTED
    listed = "; ".join(problems[:_MOST_LISTED])
    rest = f"; and {more:,} more" if more > 0 else ""
    return f"{counted(len(problems), 'photo')} that cannot be read left out: {listed}{rest}"


def is_gone(error: BaseException | None) -> bool:
    """Return True if a file that was there is not any more, or its disk is not."""
    return isinstance(error, OSError) and error.errno in _GONE


def gone(photo: Path, error: OSError) -> MissingInputError:
    """Return the error for a photo that was found before and cannot be reached any more."""
    return MissingInputError(
        f"{readable_name(photo)}: was there and is gone ({error.strerror or error}): is its disk or card still plugged "
        "in? Nothing was written"
    )


class FreeNames:
    """Names below a new folder, no two of which differ only by case: FAT would make them one."""

    def __init__(self) -> None:
        # By the name in lower case, the number that its next namesake tries first: with thousands of folders that each
        # begin at IMG_0001, trying all numbers each time would take minutes.
        self._next: dict[str, int] = {}

    def free(self, wanted: str) -> str:
        """Return `wanted`, a path with / between folders, or one like it that was not returned before."""
        key, name = wanted.casefold(), wanted
        path = PurePosixPath(wanted)
        while name.casefold() in self._next:
            number = self._next[key]
            self._next[key] = number + 1
            name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        self._next[name.casefold()] = 2
        return name


def write_photos(
    folder: Path,
    photos: Mapping[str, Path],
    tables: Mapping[str, bytes],
    *,
    copy: bool,
    progress: Progress,
    copy_option: str = "--copy",
) -> None:
    """Make `folder` with `photos` and `tables`, both by their names below it: all of it, or nothing.

    copy: copy the files, with the times of their last change; else make links. copy_option: how a user has that.

    Raises OutputExistsError; StorageError; MissingInputError if a photo cannot be read any more.
    """
    with new_directory(folder) as new:
        for name, data in tables.items():
            (new / name).write_bytes(data)
        if not photos:
            return
        with progress.stage("photos", len(photos)) as advance:
            for name, photo in photos.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                if copy:
                    _copy(photo, new / name)
                elif not _link(photo, new / name):
                    raise StorageError(f"{readable_name(folder)}: no links can be made there: add {copy_option}")
                advance(1)


def _link(photo: Path, target: Path) -> bool:
    """Return False if the file system takes no links."""
    try:
        # Not to another link, which may go: a folder that `dataset group` made, for one, once its photos were picked.
        real = photo.resolve(strict=True)
    except OSError as error:
        raise gone(photo, error) from error
    try:
        target.symlink_to(real)
    except OSError as error:
        if refuses_links(error):
            return False
        raise
    return True


def _copy(photo: Path, target: Path) -> None:
    try:
        source = photo.open("rb")
    except OSError as error:
        raise gone(photo, error) from error
    with source, target.open("xb") as written:
        while piece := _read(source, photo):
            written.write(piece)
        times = os.fstat(source.fileno())
    # People and programs sort photos by it. Some file systems keep none.
    with suppress(OSError):
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _read(source: IO[bytes], photo: Path) -> bytes:
    try:
        return source.read(_PIECE)
    except OSError as error:  # a card that was pulled out: not the fault of the disk that is written to
        raise gone(photo, error) from error
