"""Read what a connection to the broker needs: password, certificates. Read anew for each connection, as they change."""

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from edge.config.sending import Mqtt
from edge.errors import UnavailableError
from edge.storage import read_bounded

_MAX_PASSWORD = 4096


@dataclass(frozen=True, slots=True)
class Login:
    """username, password: None without. tls: None for a connection that is not encrypted."""

    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None = None


def read_login(settings: Mqtt) -> Login:
    """Read it. Raises UnavailableError, whose message holds no secret."""
    password = None if settings.password_file is None else _password(settings.password_file)
    return Login(settings.username, password, _tls(settings) if settings.uses_tls else None)


def _password(name: str) -> str:
    path = Path(name)
    # The name of one of systemd's credentials (LoadCredential=), which are in a folder of the unit's own.
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and not path.is_absolute() and (Path(credentials) / path).is_file():
        path = Path(credentials) / path
    try:
        return read_bounded(path, _MAX_PASSWORD).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UnavailableError(f"[mqtt] password_file {path}: not UTF-8 text") from error
    except OSError as error:
        fix = "write the password into it, in one line, readable for this user (chown root:fieldfare, chmod 640)"
        raise UnavailableError(f"[mqtt] password_file {path}: cannot read: {error.strerror or error}: {fix}") from error


def _tls(settings: Mqtt) -> ssl.SSLContext:
    what = "ca"
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.certificate is not None:
            what = "certificate, key"
            # A key with a passphrase would make OpenSSL ask the terminal for it.
            context.load_cert_chain(settings.certificate, settings.key, password=lambda: "")
    except (OSError, ValueError) as error:  # also ssl.SSLError
        files = settings.ca if what == "ca" else f"{settings.certificate}, {settings.key}"
        reason = getattr(error, "strerror", None) or error
        fix = "name files in PEM form that this user may read"
        if what != "ca":
            fix += ", the key without a passphrase, and of that certificate"
        raise UnavailableError(f"[mqtt] {what} {files}: cannot be used: {reason}: {fix}") from error
    return context
