"""Find the certificate of the pages, and say what is in it."""

import hashlib
import re
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge.config.sending import Pages
from edge.errors import DataError, MissingInputError
from edge.printable import printable
from edge.storage import read_bounded

FILE = "certificate.pem"
_MOST_BYTES = 1 << 18
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\n?")
# People must trust a new one by hand, so they learn of it in time.
_SOON_S = 30 * 24 * 3600.0
_AGAIN = "make it again: fieldfare serve certificate"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form. own: made by `fieldfare serve certificate`: key, certificate and authority in one file."""

    certificate: Path
    key: Path
    own: bool

    def context(self) -> ssl.SSLContext:
        """Return it ready for a server. Raises MissingInputError if it cannot be read, DataError if it is none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # A key with a pass phrase would have openssl read one from the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: b"")
        except ssl.SSLError as error:
            fix = _AGAIN if self.own else "give a certificate and its key in PEM form, without a pass phrase"
            raise DataError(
                f"{self._shown}: no certificate with its key ({error.reason or 'damaged'}): {fix}"
            ) from error
        except OSError as error:
            fix = _AGAIN if self.own else "check [pages] certificate and key, and who may read them"
            raise MissingInputError(f"{self._shown}: cannot read: {error.strerror or error}: {fix}") from error
        return context

    def ends_soon(self) -> str | None:
        """Return a line if one of our own has ended or ends within 30 days; None else, and for those of others."""
        ends_s = self._ends_s() if self.own else None
        if ends_s is None or ends_s - time.time() > _SOON_S:
            return None
        day = datetime.fromtimestamp(ends_s, UTC).strftime("%Y-%m-%d")
        return f"the certificate {'ended' if ends_s <= time.time() else 'ends'} on {day}: {_AGAIN}"

    def fingerprint(self) -> str:
        """Return the SHA-256 of the certificate, as browsers show it. Raises DataError if there is none."""
        return _fingerprint(self._blocks()[0])

    def authority(self) -> str:
        """Return what a phone must trust, in PEM form: the authority of an own one, else the chain's end."""
        return self._blocks()[-1]

    def authority_fingerprint(self) -> str:
        """Return the SHA-256 of that."""
        return _fingerprint(self.authority())

    @property
    def _shown(self) -> str:
        return printable(str(self.certificate))

    def _blocks(self) -> list[str]:
        try:
            text = read_bounded(self.certificate, _MOST_BYTES).decode("ascii", "replace")
        except OSError as error:
            raise MissingInputError(f"{self._shown}: cannot read: {error.strerror or error}") from error
        found = _BLOCK.findall(text)
        if not found:
            raise DataError(f"{self._shown}: holds no certificate in PEM form")
        return found

    def _ends_s(self) -> float | None:
        """Return when the authority ends, which does so together with what it signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority())
        ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in context.get_ca_certs()]
        return min(ends, default=None)


def find(folder: Path, settings: Pages) -> Certificate | None:
    """Return the certificate of the settings, else the own one in `folder`; None if there is none."""
    if settings.certificate is not None and settings.key is not None:
        return Certificate(Path(settings.certificate), Path(settings.key), own=False)
    own = folder / FILE
    # Its presence alone decides: one that cannot be read must not mean plain text.
    return Certificate(own, own, own=True) if own.exists() or own.is_symlink() else None


def _fingerprint(pem: str) -> str:
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.strip())).digest().hex(":").upper()
    except ValueError as error:
        raise DataError("the certificate is damaged: its text is no base64") from error
