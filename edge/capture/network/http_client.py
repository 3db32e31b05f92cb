"""Request one address of a web server again and again, within bounds: time, redirects, headers.

The standard library reads status, headers and chunks, at most 100 headers of 64 KiB each.
"""

import base64
import http.client
import io
import re
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from edge.errors import CameraError, ConfigError

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Everything printable that may be in an address; what is not ASCII is written in percent signs.
_SAFE = "".join(map(chr, range(0x21, 0x7F)))


class RefusedError(CameraError):
    """A camera error that another request, unchanged, would bring again."""


class Deadline:
    """The moment after which no more is read. One thread uses it."""

    def __init__(self) -> None:
        self._ends_s = float("inf")

    def set(self, seconds: float) -> None:
        """End in so many seconds."""
        self._ends_s = time.monotonic() + seconds

    def left_s(self) -> float:
        """Return the seconds left. Raises TimeoutError after the end."""
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


class _Bytes(io.RawIOBase):
    """A socket's bytes until the deadline: a server that sends a byte now and then does not extend it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._connection.settimeout(self._deadline.left_s())
        return self._connection.recv_into(buffer)


class _Incoming:
    """What http.client.HTTPResponse needs of a socket."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._bytes = _Bytes(connection, deadline)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._bytes, 1 << 16)


class HttpClient:
    """Requests `url` and follows redirects to other web addresses. One thread requests; any may call `close`.

    User and password in the URL go to its own host only, as Basic or Digest authentication, and only on request.
    The server's certificate is not checked: a camera has one that it signed itself.
    """

    def __init__(self, url: str, check: Callable[[str], None]) -> None:
        """check: raises ConfigError for a text that is not the URL of a stream."""
        self.deadline = Deadline()
        self._url, self._check = url, check
        self._digests = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        self._digest = urllib.request.AbstractDigestAuthHandler(self._digests)
        # The header's value for a request of a target, once the server has asked for it: often each time anew.
        self._authorize: Callable[[str], str | None] | None = None
        self._connection: socket.socket | None = None
        self._closed = False

    def get(self) -> http.client.HTTPResponse:
        """Return the answer, its body not yet read, before `deadline`. Closes the connection of the last one.

        Raises RefusedError if the server refuses or sends nothing of use, TimeoutError at the deadline, other
        OSError and HTTPException if it cannot be reached or does not speak HTTP.
        """
        url, asked = self._url, False
        for _ in range(_MOST_REDIRECTS + 1):
            place = urlsplit(url)
            target = _target(place)
            answer = self._send(place, target)
            if answer.status == HTTPStatus.UNAUTHORIZED and not asked and self._may_authorize(place):
                asked, self._authorize = True, self._method(place, answer)
                answer = self._send(place, target)
            if answer.status not in _REDIRECTS:
                return _accepted(answer)
            url, asked = self._redirected(url, answer), False
        raise RefusedError(f"redirected more than {_MOST_REDIRECTS} times")

    def close(self) -> None:
        """Close the connection; a read that waits for it ends."""
        self._closed = True
        self._hang_up()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):  # the server was faster
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _send(self, place: SplitResult, target: str) -> http.client.HTTPResponse:
        self._hang_up()
        host, port = place.hostname or "", place.port or _DEFAULT_PORTS[place.scheme]
        connection = socket.create_connection((host, port), timeout=self.deadline.left_s())
        self._connection = connection
        if place.scheme == "https":
            connection.settimeout(self.deadline.left_s())
            connection = self._connection = _unchecked().wrap_socket(connection, server_hostname=host)
        if self._closed:
            self._hang_up()
            raise TimeoutError
        authorization = self._authorize(target) if self._authorize and self._may_authorize(place) else None
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {place.netloc.rpartition('@')[2]}",
            "User-Agent: fieldfare",
            "Accept: multipart/x-mixed-replace, image/jpeg, video/*, */*;q=0.1",
            "Accept-Encoding: identity",
            "Connection: close",
            *([f"Authorization: {authorization}"] if authorization else []),
        ]
        connection.settimeout(self.deadline.left_s())
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        answer = http.client.HTTPResponse(_Incoming(connection, self.deadline), method="GET")  # type: ignore[arg-type]
        answer.begin()
        return answer

    def _may_authorize(self, place: SplitResult) -> bool:
        """Return True if the user's password may go to this place: the host that it was given for, and not in the
        clear if it was given for an encrypted connection."""
        own = urlsplit(self._url)
        return (
            own.username is not None
            and own.hostname == place.hostname
            and (own.scheme, place.scheme)
            != (
                "https",
                "http",
            )
        )

    def _method(self, place: SplitResult, answer: http.client.HTTPResponse) -> Callable[[str], str | None]:
        """Return what makes the Authorization header that the server asks for."""
        own = urlsplit(self._url)
        user, password = unquote(own.username or ""), unquote(own.password or "")
        asked = ", ".join(answer.headers.get_all("WWW-Authenticate", []))
        if digest := re.search(r"\bdigest\s+(.*)", asked, re.IGNORECASE):
            challenge = urllib.request.parse_keqv_list(urllib.request.parse_http_list(digest[1]))
            root = f"{place.scheme}://{place.netloc.rpartition('@')[2]}"
            self._digests.add_password(None, root, user, password)
            return lambda target: self._digested(f"{root}{target}", challenge)
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        return lambda _: f"Basic {basic}"

    def _digested(self, url: str, challenge: dict[str, str]) -> str | None:
        words = self._digest.get_authorization(urllib.request.Request(url), challenge)
        return f"Digest {words}" if words else None

    def _redirected(self, url: str, answer: http.client.HTTPResponse) -> str:
        location = answer.headers.get("Location", "")
        try:
            to = urljoin(url, location)
            self._check(to)
            # urljoin takes control characters out.
            is_web = urlsplit(to).scheme in _DEFAULT_PORTS and location.isprintable()
        except (ConfigError, ValueError):
            is_web = False
        if not is_web:
            raise RefusedError("redirected to what is not a web address")
        return to


def _accepted(answer: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """Return the answer if it has a body to be used. Raises RefusedError, or OSError if that may change."""
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if answer.status == HTTPStatus.OK and coding in ("", "identity"):
        return answer
    if answer.status == HTTPStatus.OK:
        raise RefusedError("sends compressed data, though asked not to")
    words = phrase(answer.status)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in (
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    ):
        raise ConnectionError(words)
    raise RefusedError(words)


def phrase(status: int) -> str:
    """Return a status in words, never the server's own."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _target(place: SplitResult) -> str:
    return quote((place.path or "/") + (f"?{place.query}" if place.query else ""), safe=_SAFE)


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
