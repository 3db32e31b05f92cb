"""Remember across restarts what the broker knows of this device."""

import logging
import secrets
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.outputs.mqtt.topics import Topics, retained_topics
from edge.outputs.unwritable import report_unwritable
from edge.storage import read_bounded, replace_file

_log = logging.getLogger(__name__)
_MAX_BYTES = 1 << 16
# Topics that are still to be removed: those of 20 names that the device had while its broker was away.
_MAX_GONE = 100


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the broker holds.

    owner: a random name, part of the client id.
    announced: the topic of the discovery document, if there is one.
    base: what the device's topics begin with; None: written before this was kept.
    gone: topics whose retained message must be removed; each stays here until the broker has acknowledged that.
    shared: another device was seen under the same name.
    """

    owner: str
    announced: str | None = None
    base: str | None = None
    gone: tuple[str, ...] = ()
    shared: bool = False


def read_known(path: Path) -> Known | None:
    """Return the record in a file, None if there is none that can be read."""
    try:
        return decode_json(read_bounded(path, _MAX_BYTES, follow=False), Known)
    except FileNotFoundError:
        return None
    except (OSError, DecodingError) as error:
        _log.warning("%s: cannot be read, begins anew: %s", path, error)
        return None


class Memory:
    """The record in its file. If that cannot be written, it lasts as long as this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = read_known(path)
        self.known = found or Known(_random())
        if found is None:
            self._write()

    @property
    def owner(self) -> str:
        """The random name."""
        return self.known.owner

    def renew_owner(self) -> None:
        """Draw another random name."""
        self._set(msgspec.structs.replace(self.known, owner=_random()))

    def announce(self, topic: str | None, topics: Topics) -> None:
        """Note the topic of the discovery document (None: there will be none) and the device's topics, before anything
        is published there. What was published under others is to be removed."""
        old = self.known
        if (topic, topics.base) == (old.announced, old.base):
            return
        renamed = old.base not in (None, topics.base)
        if renamed and old.shared:
            _log.info("mqtt: %s stays at the broker, since another device uses the same name", old.base)
            left: list[str] = []
        else:
            left = [] if old.announced is None else [old.announced]
            left += retained_topics(old.base) if old.base is not None and renamed else ()
        used = {topic, *topics.retained}
        gone = tuple(name for name in dict.fromkeys((*old.gone, *left)) if name not in used)
        self._set(Known(old.owner, topic, topics.base, gone[-_MAX_GONE:], shared=old.shared and not renamed))

    def removed(self, topic: str) -> None:
        """Note that the broker has acknowledged the removal of a topic's message."""
        if topic in self.known.gone:
            self._set(
                msgspec.structs.replace(self.known, gone=tuple(name for name in self.known.gone if name != topic))
            )

    def share(self) -> None:
        """Note that another device has the same name: what it publishes must not be removed."""
        if not self.known.shared:
            self._set(msgspec.structs.replace(self.known, shared=True))

    def _set(self, known: Known) -> None:
        self.known = known
        self._write()

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            replace_file(self._path, msgspec.json.encode(self.known), 0o640, synced=True)
        except OSError as error:
            report_unwritable(self._path.parent, error)


def _random() -> str:
    return secrets.token_hex(4)
