"""Send what a command of Fieldfare writes to standard output to a browser, as it comes.

No more of it is in memory than a pipe holds. A browser that closes ends the command, and nothing of it is left.
"""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from edge.pages.errands.errands import Errands, Running, bounded
from edge.printable import one_line
from edge.processes.process import PIPE, Process, last_line

_log = logging.getLogger(__name__)

_PIECE = 1 << 16
# A browser that takes nothing for so long is gone; without this its export would keep all others waiting.
_STALL_S = 60.0
_REAP_S = 2.0
_FOLDER = "download-"
_MOST_ERRORS = 1 << 16

# Makes the page that says why there is nothing to download.
Refuse = Callable[[str], Response]


class Download(Response):
    """An answer that is the standard output of `fieldfare WORDS`. name: of the file that the browser makes of it."""

    def __init__(self, errands: Errands, words: Sequence[str], name: str, *, home: Path, refuse: Refuse) -> None:
        """home: the folder in which its temporary one is made, if that can be written."""
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(media_type="application/x-tar", headers=headers)
        del self.headers["content-length"]
        self._errands, self._words, self._home, self._refuse = errands, words, home, refuse
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. Raises UnavailableError if another errand goes on, before anything is sent."""
        with self._errands.held(self._name) as running, _folder(self._home) as folder:
            errors = (folder / "errors").open("w+b")
            with errors:
                async with _started(self._words, folder, errors) as (process, reader):
                    first = await reader.read(_PIECE)
                    if not first:
                        await _status(process)
                        await self._refuse(_said(errors))(scope, receive, send)
                        return
                    start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                    await send(start)
                    is_whole = await _pump(first, reader, receive, send, running) and await _status(process) == 0
                    if is_whole:
                        await send({"type": "http.response.body", "body": b""})
                    else:  # the connection is closed before the end of the answer, which every browser reports
                        _log.warning("%s: broken off: %s", self._name, _said(errors) or "the browser went away")


@contextlib.contextmanager
def _folder(home: Path) -> Iterator[Path]:
    """Yield a temporary folder, which is gone after the block with all that a killed command left in it."""
    try:
        made = tempfile.mkdtemp(prefix=_FOLDER, dir=home)
    except OSError:  # a read-only disk, or no such folder: on the desktop the system's own serves as well
        made = tempfile.mkdtemp(prefix=f"fieldfare-{_FOLDER}")
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(home: Path) -> None:
    """Remove what pages that were killed have left in their folder."""
    for left in home.glob(f"{_FOLDER}*"):
        shutil.rmtree(left, ignore_errors=True)


@contextlib.asynccontextmanager
async def _started(
    words: Sequence[str], folder: Path, errors: IO[bytes]
) -> AsyncIterator[tuple[Process, asyncio.StreamReader]]:
    """Run the command in the block, and kill it after that."""
    process = Process(bounded(words, {"TMPDIR": str(folder)}), stdout=PIPE, stderr=errors)
    try:
        reader = asyncio.StreamReader(limit=_PIECE)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
        try:
            yield process, reader
        finally:
            transport.close()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(process.end, _REAP_S)


async def _pump(first: bytes, reader: asyncio.StreamReader, receive: Receive, send: Send, running: Running) -> bool:
    """Send all of it; False if the browser went away, took nothing for a minute, or somebody cancelled it."""
    gone = asyncio.ensure_future(_gone(receive))
    piece = first
    try:
        while piece:
            async with asyncio.timeout(_STALL_S):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            reading = asyncio.ensure_future(reader.read(_PIECE))
            await asyncio.wait({reading, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or running.cancelled.is_set():
                reading.cancel()
                return False
            piece = reading.result()
    except (TimeoutError, OSError):
        return False
    finally:
        gone.cancel()
    return True


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _status(process: Process) -> int | None:
    await anyio.to_thread.run_sync(process.wait, _REAP_S)
    return process.exit_status()


def _said(errors: IO[bytes]) -> str:
    errors.seek(0)
    return one_line(last_line(errors.read(_MOST_ERRORS)))
