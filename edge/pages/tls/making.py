"""Make a certificate for this machine's names and addresses, with openssl.

It is signed by an authority that is made for it alone, and whose key is thrown away at once: a phone that trusts this
authority trusts no other site by that, even if the device is stolen. iOS takes no server's certificate for longer than
825 days.
"""

import fcntl
import ipaddress
import re
import secrets
import socket
import struct
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge.errors import ConfigError, UnavailableError
from edge.events.wall_clock import RELEASED_WALL_S
from edge.processes.process import Command, describe_exit
from edge.processes.run import run

DAYS = 825
_MOST_NAMES = 50
_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\Z"
)
_LIMIT_S = 60.0
_SIOCGIFADDR = 0x8915  # linux/sockios.h
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256")


def own_names() -> list[str]:
    """Return the names and addresses under which this machine is reached, as far as it knows them."""
    host = socket.gethostname().partition(".")[0]
    # .local: as avahi announces it, which Raspberry Pi OS brings.
    names = [host, f"{host}.local"] if _NAME.match(host) else []
    return [*names, "localhost", "127.0.0.1", "::1", *_addresses()]


def _addresses() -> list[str]:
    """Return the IPv4 address of each interface that has one. IPv6 ones change too often to be in a certificate."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:  # it has none
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return found


def named(words: Iterable[str]) -> list[str]:
    """Return them as openssl's configuration has them, each once. Raises ConfigError for what is no name."""
    found: dict[str, None] = {}
    for word in words:
        try:
            found[f"IP:{ipaddress.ip_address(word)}"] = None
        except ValueError:
            if not _NAME.match(word):
                raise ConfigError(
                    f"--name {word[:80]!r}: must be a name such as camera.local, or an IP address"
                ) from None
            found[f"DNS:{word.lower()}"] = None
    if not 1 <= len(found) <= _MOST_NAMES:
        raise ConfigError(f"the certificate would have {len(found)} names: must be 1 to {_MOST_NAMES}")
    return list(found)


def make(names: Sequence[str]) -> bytes:
    """Return key, certificate and authority in PEM form, for these names and addresses.

    Raises ConfigError for a wrong name, UnavailableError without openssl, or with a clock that nobody has set.
    """
    wanted = named(names)
    now_s = time.time()
    if now_s < RELEASED_WALL_S:
        today = time.strftime("%F", time.gmtime(now_s))
        raise UnavailableError(f"the clock reads {today}, and a certificate begins now: set it first: sudo date -s")
    with tempfile.TemporaryDirectory(prefix="fieldfare-") as place:
        folder = Path(place)
        shown = next((name for name in wanted if name.startswith("DNS:")), wanted[0]).partition(":")[2][:40]
        (folder / "words").write_text(_configuration(wanted, shown))
        subject = ("-subj", f"/O=Fieldfare/CN=Fieldfare of {shown}")
        days = ("-days", str(DAYS), "-set_serial")
        own = ("-config", "words", *_CURVE)
        _openssl(folder, "req", "-x509", *own, *subject, "-keyout", "ca.key", "-out", "ca.pem", *days, _serial())
        _openssl(folder, "req", "-new", *own, "-keyout", "key.pem", "-out", "request.pem")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "words", "-extensions", "server", "-sha256")
        _openssl(folder, "x509", "-req", "-in", "request.pem", *signed, "-out", "server.pem", *days, _serial())
        return b"".join((folder / name).read_bytes() for name in ("key.pem", "server.pem", "ca.pem"))


def _configuration(names: Sequence[str], shown: str) -> str:
    """Return openssl's configuration: ours alone, whatever the system's says."""
    return f"""
[req]
distinguished_name = subject
x509_extensions = authority
prompt = no
[subject]
O = Fieldfare
CN = {shown}
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {", ".join(names)}
"""


def _serial() -> str:
    return f"0x{secrets.randbits(120) | 1 << 119:x}"


def _openssl(folder: Path, *words: str) -> None:
    try:
        done = run(Command(("env", "-C", str(folder), "openssl", *words)), _LIMIT_S, merged=True)
    except OSError as error:
        raise UnavailableError(f"cannot run openssl: {error.strerror or error}") from error
    if done.killed_for is not None:
        raise UnavailableError(f"openssl took longer than {_LIMIT_S:g} s: try again")
    if done.status == 127:
        raise UnavailableError("openssl is not installed: sudo apt install openssl")
    if done.status:
        raise UnavailableError(f"openssl {words[0]} {describe_exit(done.status, done.output)}")
