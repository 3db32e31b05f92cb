"""Remember across restarts what the broker knows of this device."""

import logging
import secrets
from pathlib import Path

import msgspec

from edge.storage import read_bounded, replace_file

_log = logging.getLogger(__name__)
_MAX_BYTES = 4096


class Known(msgspec.Struct, frozen=True):
    """owner: a random name, part of the client id. announced: the topic that holds the discovery document, if one
    does."""

    owner: str
    announced: str | None = None


class Memory:
    """The record in its file. If that cannot be written, it lasts as long as this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = self._read()
        self.known = found or Known(_random())
        if found is None:
            self._write()

    @property
    def owner(self) -> str:
        """The random name."""
        return self.known.owner

    def renew_owner(self) -> None:
        """Draw another random name."""
        self._set(Known(_random(), self.known.announced))

    def announce(self, topic: str | None) -> None:
        """Note where the discovery document is."""
        if topic != self.known.announced:
            self._set(Known(self.known.owner, topic))

    def _set(self, known: Known) -> None:
        self.known = known
        self._write()

    def _read(self) -> Known | None:
        try:
            return msgspec.json.decode(read_bounded(self._path, _MAX_BYTES, follow=False), type=Known)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("%s: cannot be read, begins anew: %s", self._path, error)
            return None

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            replace_file(self._path, msgspec.json.encode(self.known), 0o640, synced=True)
        except OSError as error:
            _log.warning("%s: cannot write: %s", self._path, error.strerror or error)


def _random() -> str:
    return secrets.token_hex(4)
