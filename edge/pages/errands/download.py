"""Send a file to a browser as it is made: by a command of Fieldfare, on its standard output, or piece by piece here.

No more of it is in memory than a pipe holds, or a piece. A browser that closes ends the command, and nothing of it is
left.
"""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from edge.errors import FieldfareError
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

Take = Callable[[], Awaitable[bytes]]
# Makes the page that says why there is nothing to download.
Refuse = Callable[[str], Response]


class Download(Response):
    """An answer that is the standard output of `fieldfare WORDS`. name: of the file that the browser makes of it."""

    def __init__(self, errands: Errands, words: Sequence[str], name: str, *, home: Path, refuse: Refuse) -> None:
        """home: the folder in which its temporary one is made, if that can be written."""
        super().__init__(media_type="application/x-tar", headers=_attached(name))
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
                    await send(_start(self))
                    fault = await _pump(first, partial(reader.read, _PIECE), receive, send, running)
                    if fault is None and await _status(process) != 0:
                        fault = "the command failed"
                    await _end(self._name, fault and (_said(errors) or fault), send)


class Pieces(Response):
    """An answer whose bytes are made here, piece by piece. pieces: none of them is empty. name: as for Download."""

    def __init__(self, errands: Errands, pieces: Iterator[bytes], name: str, media_type: str) -> None:
        super().__init__(media_type=media_type, headers=_attached(name))
        del self.headers["content-length"]
        self._errands, self._pieces, self._name = errands, pieces, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. Raises UnavailableError if another errand goes on, and what the first piece raises, before anything
        is sent."""
        take = partial(anyio.to_thread.run_sync, next, self._pieces, b"")
        with self._errands.held(self._name) as running:
            first = await take()
            await send(_start(self))
            await _end(self._name, await _pump(first, take, receive, send, running), send)


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _start(answer: Response) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": answer.raw_headers}


async def _end(name: str, fault: str | None, send: Send) -> None:
    """End an answer; if it is not whole, leave it open: then the connection is closed, which every browser reports."""
    if fault is None:
        await send({"type": "http.response.body", "body": b""})
    else:
        _log.warning("%s: broken off: %s", name, fault)


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


async def _pump(first: bytes, take: Take, receive: Receive, send: Send, running: Running) -> str | None:
    """Send all of it. Returns why it is not whole: the browser went away or took nothing for a minute, somebody
    cancelled it, or no more could be made. take: returns the next piece; b"" at the end."""
    gone = asyncio.ensure_future(_gone(receive))
    piece = first
    try:
        while piece:
            async with asyncio.timeout(_STALL_S):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            reading = asyncio.ensure_future(take())
            await asyncio.wait({reading, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or running.cancelled.is_set():
                reading.cancel()
                return "cancelled" if running.cancelled.is_set() else "the browser went away"
            piece = reading.result()
    except TimeoutError:
        return "the browser took nothing for a minute"
    except (OSError, FieldfareError) as error:
        return one_line(str(error)) or "the browser went away"
    finally:
        gone.cancel()
    return None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _status(process: Process) -> int | None:
    await anyio.to_thread.run_sync(process.wait, _REAP_S)
    return process.exit_status()


def _said(errors: IO[bytes]) -> str:
    errors.seek(0)
    return one_line(last_line(errors.read(_MOST_ERRORS)))
