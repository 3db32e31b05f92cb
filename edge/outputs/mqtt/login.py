"""Read what a connection to the broker needs: password, certificates. Read anew for each connection, as they change."""

import ssl
from dataclasses import dataclass, field

from edge.config.secret_files import read_secret
from edge.config.sending import Mqtt
from edge.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Login:
    """username, password: None without. tls: None for a connection that is not encrypted."""

    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None = None


def read_login(settings: Mqtt) -> Login:
    """Read it. Raises UnavailableError, whose message holds no secret."""
    password = None if settings.password_file is None else read_secret("[mqtt] password_file", settings.password_file)
    return Login(settings.username, password, _tls(settings) if settings.uses_tls else None)


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
