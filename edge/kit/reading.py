"""Look into a kit, as a tar or as a folder, and check every byte, by the rules of the installer on the device. Nothing
in it is believed before it is checked."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from edge.errors import DataError, MissingInputError
from edge.installing.origins.checking import MAX_SUMS, check_folder, check_lists, parse_sums
from edge.installing.origins.kit import KIT_FILE, MAX_BYTES, MOST_FILES, NOT_LISTED, SUMS_FILE, Entry, Kit, parse_kit
from edge.kit.writing import FOLDER
from edge.printable import printable

_PIECE = 1 << 20
_LISTS = {KIT_FILE: MAX_BYTES, SUMS_FILE: MAX_SUMS}


def open_kit(path: Path) -> tuple[Kit, int]:
    """Return what a kit holds, and the bytes of all its files, after each was compared with both lists of hashes.

    path: a tar, a kit's folder, or a folder that holds one, as `fieldfare kit build --out` was given.
    Raises MissingInputError, or DataError for what is damaged, incomplete, changed or no kit.
    """
    if path.is_dir():
        held = path / FOLDER
        folder = held if (held / KIT_FILE).is_file() else path
        kit = check_folder(folder)
        return kit, sum(entry.size for entry in kit.files.values()) + sum(
            (folder / name).lstat().st_size for name in NOT_LISTED
        )
    if path.exists() and not path.is_file():  # a pipe without a writer would wait for ever
        raise MissingInputError(f"kit {_shown(path)}: cannot read: neither a folder nor a plain file")
    try:
        files, texts = _scan(path)
    except DataError:  # a ValueError, too
        raise
    except (tarfile.TarError, EOFError, RecursionError) as error:
        raise DataError(f"kit {_shown(path)}: no kit, or copied in part") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"kit {_shown(path)}: cannot read: {reason}") from error
    return _checked(path, files, texts), sum(entry.size for entry in files.values())


def _scan(path: Path) -> tuple[dict[str, Entry], dict[str, bytes]]:
    """Return size and hash of every file of a tar, and the bytes of the two lists."""
    files: dict[str, Entry] = {}
    texts: dict[str, bytes] = {}
    for name, file in _members(path):
        if len(files) == MOST_FILES:
            raise _wrong(path, f"more than {MOST_FILES} files: no kit")
        digest, size = hashlib.sha256(), 0
        kept = bytearray() if name in _LISTS else None
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            if kept is not None:
                kept += piece
                if size > _LISTS[name]:
                    raise _wrong(path, f"{name} has more than {_LISTS[name]} bytes: no kit")
        files[name] = Entry(size, digest.hexdigest())
        if kept is not None:
            texts[name] = bytes(kept)
    return files, texts


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
            if content is None or not member.name.startswith(f"{FOLDER}/"):
                raise _wrong(path, f"{member.name[:100]!a} is no file of a kit")
            yield member.name.removeprefix(f"{FOLDER}/"), content


def _checked(path: Path, files: dict[str, Entry], texts: dict[str, bytes]) -> Kit:
    """Return the kit of a tar that has these files."""
    for name in _LISTS:
        if name not in texts:
            raise _wrong(path, f"{name} is missing: no kit, or copied in part")
    sums = parse_sums(texts[SUMS_FILE], path / SUMS_FILE)
    if missing := sorted(set(sums) - set(files)):
        raise _wrong(path, f"{missing[0][:200]!a} is missing: copy the kit again")
    if extra := sorted(set(files) - set(sums) - {SUMS_FILE}):
        raise _wrong(path, f"{extra[0][:200]!a} is no part of it: make the kit again")
    if damaged := sorted(name for name in sums if sums[name] != files[name].sha256):
        raise _wrong(path, f"{damaged[0][:200]!a} is damaged (SHA-256 differs): copy the kit again")
    kit = parse_kit(texts[KIT_FILE], str(path / KIT_FILE))
    check_lists(kit, sums, path)
    if differing := sorted(name for name, entry in kit.files.items() if entry != files[name]):
        raise _wrong(path, f"{differing[0]} has another size than {KIT_FILE} lists: make the kit again")
    return kit


def _wrong(path: Path, why: str) -> DataError:
    return DataError(f"kit {_shown(path)}: {why}")


def _shown(path: Path) -> str:
    return printable(str(path))
