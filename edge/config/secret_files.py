"""Read passwords that settings name: a file, or one of systemd's credentials. The only place that does."""

import os
import re
from collections.abc import Container
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from msgspec import Meta

from edge.errors import UnavailableError
from edge.storage import read_bounded

CREDENTIAL = "credential:"
# As systemd allows for the names of credentials, and no more.
_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}"
_WORDS = f"a file, or {CREDENTIAL}NAME for one of systemd's credentials, with a name of letters, digits, - _ and ."
SecretFile = Annotated[
    str, Meta(min_length=1, pattern=rf"^({CREDENTIAL}{_ID}|(?!{CREDENTIAL})[^\x00]+)\Z", description=_WORDS)
]
_MOST_BYTES = 4096


def credential_id(name: str) -> str | None:
    """Return the name of the credential that `name` stands for; None if it is a file."""
    return name.removeprefix(CREDENTIAL) if re.fullmatch(CREDENTIAL + _ID, name) else None


def credential_among(name: str, handed: Container[str]) -> str | None:
    """Return the name of the credential that `name` stands for in a unit that hands over these; None if it is a file.
    A bare name may be one of them, as in settings from before the prefix."""
    return name if name in handed else credential_id(name)


def read_secret(key: str, name: str) -> str:
    """Return the password, without the line break at its end. Raises UnavailableError, whose message holds no secret.

    key: which setting names it, for messages. name: as SecretFile.
    """
    path = _place(key, name)
    try:
        return read_bounded(path, _MOST_BYTES).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UnavailableError(f"{key} {path}: not UTF-8 text") from error
    except OSError as error:
        fix = "write the password into it, in one line, readable for this user (chown root:fieldfare, chmod 640)"
        if credential_id(name) is not None:
            fix = "the unit has no such credential: docs/boot-to-boot.md#passwords"
        raise UnavailableError(f"{key} {path}: cannot read: {error.strerror or error}: {fix}") from error


def _place(key: str, name: str) -> Path:
    folder, wanted = os.environ.get("CREDENTIALS_DIRECTORY"), credential_id(name)
    if wanted is not None:
        if not folder:
            raise UnavailableError(f"{key} {name}: systemd hands it to the service only: name a file to run by hand")
        return Path(folder, wanted)
    path = Path(name)
    # A bare name may be that of a credential, too, as in settings from before the prefix.
    if folder and not path.is_absolute() and (Path(folder) / path).is_file():
        return Path(folder) / path
    return path


def lacks_password(address: str) -> bool:
    """Return whether an address has a user and no password, so that one may be added."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.username) and parts.password is None


def with_password(address: str, password: str) -> str:
    """Return an address, which lacks_password, with the password in it, in percent signs where it needs them."""
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()
