"""Keep the password of the pages as a hash, in a file that only its owner may read."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.decoding import DecodingError, decode_json
from edge.errors import ConfigError, DataError, MissingInputError
from edge.pages.places import keep_private
from edge.printable import printable
from edge.storage import read_bounded

SHORTEST, LONGEST = 8, 1000
_FILE = "password.json"
# OWASP's least for scrypt with 16 MiB; more would not fit beside the pages in 60 MiB on a small board.
_COST, _BLOCK, _LANES = 1 << 14, 8, 5
_SALT, _KEY = 16, 32
_MOST_BYTES = 4096


class Password(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hash by scrypt (RFC 7914). id: another one for each password that was set, which ends its sessions.

    salt, key: in hexadecimal digits. cost, block, lanes: scrypt's N, r and p.
    """

    id: str
    salt: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32,128}\Z")]
    key: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32,128}\Z")]
    cost: Annotated[int, Meta(ge=1 << 10, le=1 << 15)] = _COST
    block: Annotated[int, Meta(ge=1, le=8)] = _BLOCK
    lanes: Annotated[int, Meta(ge=1, le=16)] = _LANES

    def fits(self, given: str) -> bool:
        """Return whether this is the password, in a time that does not depend on how much of it is right.

        Takes 16 MiB and some tenths of a second: not on the thread that serves everybody.
        """
        if len(given) > LONGEST:
            return False
        found = _hashed(given, bytes.fromhex(self.salt), self.cost, self.block, self.lanes, len(self.key) // 2)
        return hmac.compare_digest(found, bytes.fromhex(self.key))


def make(text: str) -> Password:
    """Return the hash of a new password. Raises ConfigError if it is too short or too long."""
    if not SHORTEST <= len(text) <= LONGEST:
        raise ConfigError(f"the password has {len(text)} characters: must be {SHORTEST} to {LONGEST}")
    salt = os.urandom(_SALT)
    key = _hashed(text, salt, _COST, _BLOCK, _LANES, _KEY)
    return Password(id=secrets.token_hex(8), salt=salt.hex(), key=key.hex())


def keep(folder: Path, password: Password) -> None:
    """Write it into `folder`, which is made if need be. Raises StorageError."""
    keep_private(folder / _FILE, msgspec.json.encode(password) + b"\n")


def find(folder: Path) -> Password | None:
    """Return the password in `folder`; None if none was set.

    Raises MissingInputError if it cannot be read, DataError if it is damaged: nobody gets in by damaging it.
    """
    path = folder / _FILE
    again = "set it again: fieldfare serve password"
    try:
        data = read_bounded(path, _MOST_BYTES, follow=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingInputError(f"{printable(str(path))}: cannot read: {error.strerror or error}: {again}") from error
    try:
        return decode_json(data, Password)
    except DecodingError as error:
        raise DataError(f"{printable(str(path))}: damaged: {again}") from error


def _hashed(text: str, salt: bytes, cost: int, block: int, lanes: int, size: int) -> bytes:
    data = text.encode(errors="surrogatepass")
    # One more than 128 * N * r: OpenSSL counts its own small tables, too.
    return hashlib.scrypt(data, salt=salt, n=cost, r=block, p=lanes, dklen=size, maxmem=256 * cost * block)
