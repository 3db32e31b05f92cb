"""Read JPEGs from a web server: as parts of one endless answer, or one picture a request, which is then polled."""

import http.client
import re
from collections.abc import Callable
from typing import Literal

import numpy as np

from edge.capture.network.http_client import HttpClient, RefusedError
from edge.capture.network.multipart import MOST_BYTES, Parts, PartsError
from edge.capture.pace import Pacer
from edge.errors import ImageError
from edge.pictures.jpeg_header import is_whole_jpeg, jpeg_header
from edge.records import Pixels

Kind = Literal["parts", "picture", "video"]

# Pictures a second from an address that gives one a request, if the settings name no rate. Small cameras take 0.2 to
# 1 s for each.
POLL_FPS = 1.0
_CHUNK = 1 << 16
_JPEG_TYPES = frozenset({"image/jpeg", "image/jpg", "image/pjpeg"})
# Playlists of HLS have no type under video/; the last two stand for a server that does not name one.
_VIDEO_TYPES = re.compile(r"video/.*|(application|audio)/(vnd\.apple|x-)?\.?mpegurl|application/octet-stream|")
_PLAIN_TYPE = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}")
_JPEG_BEGINS = b"\xff\xd8"

# What the library raises about an answer. LineTooLong and the others are HTTPExceptions themselves.
_NOT_HTTP: tuple[tuple[type[Exception], str], ...] = (
    (http.client.LineTooLong, "a line over 64 KiB in its header"),
    (http.client.BadStatusLine, "it does not begin as HTTP does"),
    (http.client.UnknownProtocol, "another version of HTTP than 1.0 and 1.1"),
    (http.client.IncompleteRead, "it ends too soon"),
    (Exception, "its header is malformed, or has over 100 lines"),
)

Read = Callable[[int], bytes]


class WebCamera:
    """A web server that sends JPEGs, to be read like OpenCV's VideoCapture: flat, undecoded.

    One thread opens and reads; any may call `close`, which ends a read that waits.

    polls: it gives one picture a request.
    size: (width, height) that the first picture claims, None if it is no JPEG.
    trouble: why the last read failed, in words that contain none of the server's.
    goes_on: another read may succeed after one that failed.
    """

    def __init__(self, url: str, check: Callable[[str], None], *, wait_s: float, fps: float | None) -> None:
        """fps: pictures a second to request, if it gives one a request. check: see HttpClient."""
        self.polls = self.goes_on = False
        self.size: tuple[int, int] | None = None
        self.trouble = ""
        self._client = HttpClient(url, check)
        self._wait_s = wait_s
        self._pacer = Pacer(fps or POLL_FPS)
        self._parts: Parts | None = None
        self._first: bytes | None = None

    def open(self) -> Kind:
        """Request the address, and return what it gives; "video" is left to others, and nothing is read of it.

        Raises RefusedError if it is neither, TimeoutError if the first picture is not there within `wait_s` seconds,
        and otherwise as HttpClient.get.
        """
        self._client.deadline.set(self._wait_s)
        answer = self._client.get()
        kind, read = _kind(answer)
        if kind == "parts":
            self._parts = Parts(read)
            try:
                self._first = self._parts.next()
            except EOFError:
                raise RefusedError("ends before its first picture") from None
        elif kind == "picture":
            self.polls = self.goes_on = True
            self._pacer.wait()
            self._first = _picture(answer, read)
        if self._first is not None:
            self.size = _size(self._first)
        return kind

    def read(self) -> tuple[bool, Pixels | None]:
        """Return the next picture's bytes. (False, None) if there is none within the time; `trouble` has the reason.

        Raises EndOfStream once closed.
        """
        body, self._first = self._first, None
        if body is None:
            if self._parts is None:
                self._pacer.wait()
            self._client.deadline.set(self._wait_s)
            try:
                body = self._next()
            except (EOFError, OSError, http.client.HTTPException, ValueError) as error:
                is_news = not isinstance(error, (EOFError, TimeoutError))  # these two are in the message anyway
                self.trouble = in_words(error) if is_news else ""
                self.goes_on = self.polls and not isinstance(error, RefusedError)
                return False, None
        return True, np.frombuffer(body, np.uint8)

    def release(self) -> None:
        """Close the connection."""
        self._client.close()

    def close(self) -> None:
        """End the current read, and each later one."""
        self._pacer.stop()
        self._client.close()

    def _next(self) -> bytes:
        if self._parts is not None:
            return self._parts.next()
        answer = self._client.get()
        kind, read = _kind(answer)
        if kind != "picture":
            raise RefusedError("sent a picture first, and now something else")
        return _picture(answer, read)


def in_words(error: Exception) -> str:
    """Return why a request failed, without any text of the server's."""
    if isinstance(error, (RefusedError, PartsError)):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"not an answer of a web server: {next(words for kind, words in _NOT_HTTP if isinstance(error, kind))}"


def _kind(answer: http.client.HTTPResponse) -> tuple[Kind, Read]:
    """Return what an answer holds, by its type and its first bytes, and what reads it. Raises RefusedError."""
    content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    first = answer.read1(_CHUNK)
    ahead = [first]

    def read(size: int) -> bytes:
        return ahead.pop() if ahead else answer.read1(size)

    if content_type.startswith("multipart/"):
        return "parts", read
    # Some cameras call everything text/plain.
    if content_type in _JPEG_TYPES or first.startswith(_JPEG_BEGINS):
        return "picture", read
    if first.lstrip(b"\r\n").startswith(b"--") and content_type in ("", "application/octet-stream"):
        return "parts", read
    if not _VIDEO_TYPES.fullmatch(content_type):
        shown = (
            content_type if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}", content_type) else "an unknown type"
        )
        raise RefusedError(f"sends {shown}, neither video nor JPEG")
    return "video", read


def _picture(answer: http.client.HTTPResponse, read: Read) -> bytes:
    """Return the body of an answer that is one picture. Raises RefusedError if it is too large."""
    if (answer.length or 0) > MOST_BYTES:
        raise RefusedError(f"sends a picture of {(answer.length or 0) >> 20} MiB, at most {MOST_BYTES >> 20}")
    body = bytearray()
    # A length may be too large or missing, and the connection stay open: the picture's own end counts, too.
    while (data := read(_CHUNK)) and not (data.endswith(b"\xff\xd9") and is_whole_jpeg(bytes(body + data))):
        body += data
        if len(body) > MOST_BYTES:
            raise RefusedError(f"sends a picture of more than {MOST_BYTES >> 20} MiB")
    return bytes(body + data)


def _size(body: bytes) -> tuple[int, int] | None:
    try:
        header = jpeg_header(body)
    except ImageError:
        return None
    return header.width, header.height
