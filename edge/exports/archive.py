"""Write an export as one tar to a stream, as to a browser that downloads it: pictures straight from the store."""

import contextlib
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from edge.exports.copying.disk import open_plain
from edge.exports.copying.pictures import Copy, CopyOutcome
from edge.exports.copying.record import RECORD
from edge.exports.export import OnProgress, Outcome, Request, export

# Whole in memory, so that a damaged one is left out: the recorder takes none of more than 16 MiB.
_MOST_PICTURE = 32 << 20


def export_archive(request: Request, stream: BinaryIO, on_progress: OnProgress) -> Outcome:
    """Write the export that `request` wants to `stream`, in a folder named after its format.

    The tables are made in a temporary folder, for they must be whole before a tar can take them. The store notes
    nothing: nobody here knows what arrived. Raises as edge.exports.export.export does, and what `stream` raises.
    """
    with tempfile.TemporaryDirectory(prefix="fieldfare-export-") as place:
        folder = Path(place) / "export"
        root = f"fieldfare-{request.form}"
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            pourer = _Pourer(archive, root)
            outcome = export(replace(request, out=folder, divert=pourer.pour), on_progress)
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != RECORD:
                    archive.add(path, f"{root}/{path.relative_to(folder)}", recursive=False, filter=_plain)
    return outcome


class _Pourer:
    """Puts pictures into a tar."""

    def __init__(self, archive: tarfile.TarFile, root: str) -> None:
        self._archive, self._root = archive, root

    def pour(self, copies: Sequence[Copy]) -> list[CopyOutcome]:
        """Put each in that is whole, and return what became of all."""
        return [self._pour(copy) for copy in copies]

    def _pour(self, copy: Copy) -> CopyOutcome:
        try:
            handle = open_plain(copy.source)
        except OSError:
            return "missing"
        with open(handle, "rb") as source:  # noqa: PTH123 - a descriptor
            about = os.fstat(handle)
            data = b""
            with contextlib.suppress(OSError):  # a worn card: the other pictures may be whole
                data = source.read(_MOST_PICTURE)
            if hashlib.sha256(data).hexdigest() != copy.sha256:
                return "damaged"
            entry = _plain(tarfile.TarInfo(f"{self._root}/{copy.name}"))
            entry.size, entry.mtime = len(data), about.st_mtime
        self._archive.addfile(entry, io.BytesIO(data))
        return "there"


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry without whose it was."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry
