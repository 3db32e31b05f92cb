"""Find photos in a folder by their names, and pass over what no person put there."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import MissingInputError
from edge.pictures.names import SUFFIXES, readable_name

# Folders that operating systems, network storage and other programs keep in the folders of people, in lower case:
# recycle bins, snapshots (each a whole older copy of the photos), thumbnails, pieces found by a disk check. Not by
# their first letter: '#', '@' and '$' are fair names for classes of signs.
_NOBODYS_FOLDERS = frozenset(
    {
        # Windows
        *("$recycle.bin", "system volume information", "$extend", "$winreagent", "msocache"),
        *("$windows.~bt", "$windows.~ws"),
        # macOS, beside the many that begin with a dot
        *("__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "thefindbycontentfolder"),
        # Synology
        *("@eadir", "@tmp", "@sharebin", "@sharesnap", "@database", "@appstore", "@synoresource", "@img_bkp_cache"),
        *("#recycle", "#snapshot"),
        # QNAP, and NetApp's snapshots
        *("@recycle", "@recently-snapshot", "@__thumb", "@transcode", "@snapshot", "~snapshot"),
        # Linux, Android
        *("lost+found", "$orphanfiles", "lost.dir"),
        # other programs: small copies of the photos, and no photos at all
        *("_thumbnails", "_thumbs", "_thumb", "__pycache__", "node_modules"),
        *("captureone", "files_trashbin", "files_versions"),
    }
)
# Libraries of photo programs, which macOS shows as files: originals and many small copies of them.
_LIBRARIES = (".photoslibrary", ".photolibrary", ".migratedphotolibrary", ".aplibrary", ".lrdata", ".lrlibrary")
# Words of every day that Windows and other programs use too. A folder of that name beside classes may be one.
_EVERYDAY = frozenset({"recycled", "recycler", "thumbnail", "thumbnails"})
_LEAST_OF_CLASS = 4  # photos, as training wants them
# What Windows keeps in a recycle bin: its lists, a folder for each user, and files under numbers.
_OF_BIN = re.compile(r"info2?|desktop\.ini|s-1-\d.*|[$][ri].*|d[a-z]\d+\.\w+", re.IGNORECASE)
_CHKDSK = re.compile(r"found\.\d{3}", re.IGNORECASE)  # what Windows' disk check found
_NOBODYS_FILES = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "zbthumbnail.info", "picasa.ini", "icon\r"),
        *("autorun.inf", "indexervolumeguid", "desktop db", "desktop df", "aquota.user", "aquota.group"),
    }
)
_ENDING = re.compile(r"\.[a-z][a-z0-9]{0,11}")
# Not TIFF's: the raw files of most cameras begin the same, and hold a thumbnail that would be taken for the photo.
_SIGNATURES = (
    re.compile(rb"\xff\xd8\xff"),  # JPEG
    re.compile(rb"\x89PNG\r\n\x1a\n"),
    re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL),  # BMP
)
_SIGNATURE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Tree:
    """What is under a folder, sorted.

    files: everything except folders, broken links included.
    closed: folders that were not looked into: hidden ones, and those that systems keep for themselves.
    """

    files: tuple[Path, ...]
    closed: tuple[Path, ...]


def ending_of(name: str) -> str:
    """Return what the end of a file's name promises about its format, in lower case: '.jpg'; '' if nothing.

    Nothing is promised by '.01' of a date, '.jpg_large' of a web page or '.jpg?w=640' of a download."""
    ending = Path(name).suffix.lower()
    return ending if _ENDING.fullmatch(ending) else ""


def is_image_name(path: Path) -> bool:
    """Return True if a file of this name is taken as a photo; hidden files, and those in folders that are_out_of_bounds
    names, are not."""
    folders = [part for part in path.parts[:-1] if part not in (".", "..")]
    return path.suffix.lower() in SUFFIXES and not is_nobodys(path.name) and not any(map(is_out_of_bounds, folders))


def is_photo(path: Path) -> bool:
    """Return True if the file at `path` is taken as a photo: by its name, or, if that promises no format at all, by its
    first bytes. Looks at the file's own name only, not at its folders'. Raises OSError if its folder is closed."""
    if is_nobodys(path.name) or not path.is_file():
        return False
    ending = ending_of(path.name)
    return ending in SUFFIXES or (not ending and not path.name.endswith("~") and _has_signature(path))


def _has_signature(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(_SIGNATURE_BYTES)
    except OSError:  # it is no photo for us then, and is counted with what is passed over
        return False
    return any(signature.match(start) for signature in _SIGNATURES)


def find_images(root: Path) -> list[Path]:
    """Return the photos under `root`, sorted. Raises what look_through raises."""
    return photos_of(root, look_through(root, classes=True))


def photos_of(root: Path, tree: Tree) -> list[Path]:
    """Return the photos of `tree`, which look_through returned for `root`. Raises MissingInputError if it cannot be
    found out whether a file is one."""
    try:
        return [file for file in tree.files if is_photo(file)]
    except OSError as error:
        name = readable_name(error.filename or root)
        raise MissingInputError(f"{name}: cannot read: {error.strerror or error}") from error


def look_through(root: Path, *, classes: bool = False) -> Tree:
    """Return everything under `root`.

    classes: whether the folders in `root` may be those of classes, as is_closed judges them.

    Follows linked folders too, each once, unless they lead into `root` or to a folder above it. Raises
    MissingInputError, with the name, if a folder cannot be read.
    """
    # An unreadable folder is an error, because photos must not be missed silently.
    top = root.resolve()
    seen: set[Path] = set()
    files: list[Path] = []
    closed: list[Path] = []
    for place, folders, names in os.walk(root, followlinks=True, onerror=_refuse_folder):
        files += [Path(place, name) for name in names]
        shut = {name for name in folders if is_out_of_bounds(name)}
        if classes and Path(place) == root:
            shut = {name for name in shut if is_closed(root / name)}
        closed += [Path(place, name) for name in shut]
        open_ = sorted(set(folders) - shut)
        folders[:] = [name for name in open_ if _is_to_be_entered(Path(place, name), top, seen)]
    return Tree(tuple(sorted(files)), tuple(sorted(closed)))


def _refuse_folder(error: OSError) -> None:
    """Raise MissingInputError for an unreadable folder."""
    raise MissingInputError(f"{readable_name(error.filename)}: cannot read: {error.strerror}") from error


def _is_to_be_entered(folder: Path, top: Path, seen: set[Path]) -> bool:
    if not folder.is_symlink():
        return True
    real = folder.resolve()
    if real in seen or real.is_relative_to(top) or top.is_relative_to(real):
        return False
    seen.add(real)
    return True


def is_out_of_bounds(folder: str) -> bool:
    """Return True if a folder of this name holds nobody's photos: it is hidden, or a system or another program keeps it
    for itself."""
    name = folder.lower()
    return (
        name.startswith(".")
        or name in _NOBODYS_FOLDERS
        or is_everyday(name)
        or name.endswith(_LIBRARIES)
        or bool(_CHKDSK.fullmatch(name))
    )


def is_everyday(folder: str) -> bool:
    """Return True if this name of a folder is a word of every day that systems and other programs use, too."""
    return folder.lower() in _EVERYDAY


def is_closed(folder: Path) -> bool:
    """Return True if a folder at the level of classes is none: is_out_of_bounds has its name, unless that is a word of
    every day, such as 'recycled', and photos are in the folder as in a class. Raises what look_through raises."""
    if not is_out_of_bounds(folder.name):
        return False
    return not is_everyday(folder.name) or not are_a_class([folder])


def are_a_class(folders: Iterable[Path]) -> bool:
    """Return True if `folders`, of one word of every day, together hold photos as a class does. Raises what
    look_through raises."""
    return sum(map(_photos_of_person, folders)) >= _LEAST_OF_CLASS


def _photos_of_person(folder: Path) -> int:
    """Return how many photos are in `folder`; 0 if it is a recycle bin."""
    tree = look_through(folder)
    inside = {part for file in tree.files for part in file.relative_to(folder).parts}
    return 0 if any(map(_OF_BIN.fullmatch, inside)) else len(photos_of(folder, tree))


def is_nobodys(file: str) -> bool:
    """Return True if a file of this name is hidden, or a system's own."""
    return file.startswith(".") or file.lower() in _NOBODYS_FILES


def expand(images: Iterable[Path]) -> Iterator[Path | MissingInputError]:
    """Yield pictures and those in folders, in order; for a folder that has none, or cannot be read, the error."""
    for path in images:
        if not os.path.isdir(path):  # noqa: PTH112 - Path's raises for names that are too long
            yield path
            continue
        try:
            found = find_images(path)
        except MissingInputError as error:
            yield error
            continue
        yield from found
        if not found:
            yield MissingInputError(f"{readable_name(path)}: no pictures there (JPEG, PNG, BMP, WebP, TIFF)")
