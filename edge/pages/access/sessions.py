"""Remember who is logged in, through restarts, until the password changes."""

import hashlib
import logging
import secrets
import threading
import time
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.errors import FieldfareError
from edge.printable import one_line
from edge.storage import read_bounded, replace_file

LONGEST_S = 30 * 24 * 3600.0
_MOST = 64
_FILE = "sessions.json"
_MOST_BYTES = 1 << 16

_log = logging.getLogger(__name__)


class Session(msgspec.Struct, frozen=True):
    """One login. token: the SHA-256 of what the browser keeps, so that the file lets nobody in."""

    token: str
    begun_wall_s: float


class _Kept(msgspec.Struct, frozen=True):
    password: str
    sessions: tuple[Session, ...]


class Sessions:
    """The sessions of one password. Thread-safe.

    They are kept in a file, which is best effort: on a full or read-only disk people must log in again after a restart.
    """

    def __init__(self, folder: Path, password_id: str) -> None:
        self._path = folder / _FILE
        self._password_id = password_id
        self._lock = threading.Lock()
        self._sessions = {one.token: one for one in self._read()}

    def begin(self) -> str:
        """Begin one, and return the token for the browser. The oldest one ends if there are too many."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            made = Session(_digest(token), time.time())
            self._sessions[made.token] = made
            while len(self._sessions) > _MOST:
                del self._sessions[next(iter(self._sessions))]
            self._write()
        return token

    def knows(self, token: str) -> bool:
        """Return whether this is the token of a session that has not ended.

        A clock that went back ends none: a board without one begins each boot in the past.
        """
        with self._lock:
            found = self._sessions.get(_digest(token))
        return found is not None and time.time() - found.begun_wall_s <= LONGEST_S

    def end(self, token: str) -> None:
        """End one, if there is such a one."""
        with self._lock:
            if self._sessions.pop(_digest(token), None) is not None:
                self._write()

    def _read(self) -> tuple[Session, ...]:
        try:
            kept = decode_json(read_bounded(self._path, _MOST_BYTES, follow=False), _Kept)
        except (OSError, DecodingError) as error:
            if not isinstance(error, FileNotFoundError):
                _log.warning("sessions %s: cannot read: %s: everybody must log in again", self._path, error)
            return ()
        return kept.sessions[-_MOST:] if kept.password == self._password_id else ()

    def _write(self) -> None:
        kept = _Kept(self._password_id, tuple(self._sessions.values()))
        try:
            replace_file(self._path, msgspec.json.encode(kept) + b"\n", 0o600, synced=False)
        except (OSError, FieldfareError) as error:
            _log.warning("sessions %s: cannot write: %s", self._path, one_line(str(error)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
