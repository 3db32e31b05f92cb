"""A certificate of the pages' own: what is in it, who may read it, what a browser makes of it."""

import shutil
import socket
import ssl
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import PASSWORD, Browser

from edge.config.sending import Pages
from edge.errors import ConfigError, DataError, MissingInputError, UnavailableError
from edge.pages.access.password import Password
from edge.pages.access.sessions import Sessions
from edge.pages.application import build
from edge.pages.places import keep_private
from edge.pages.site import Site
from edge.pages.tls import making
from edge.pages.tls.certificate import FILE, Certificate, find
from edge.pages.tls.making import make, named, own_names
from edge.processes.process import Command

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture(scope="module")
def made() -> bytes:
    return make(["Camera.local", "192.0.2.7", "::1"])


@pytest.fixture
def certificate(made: bytes, tmp_path: Path) -> Certificate:
    keep_private(tmp_path / "events.db.pages" / FILE, made)
    found = find(tmp_path / "events.db.pages", Pages())
    assert found is not None
    return found


def shaken(certificate: Certificate, name: str, trusted: str | None) -> str:
    """Return the TLS version that a browser and the pages agree on. trusted: the authority that it knows."""
    ours, theirs = socket.socketpair()
    server = certificate.context()

    def answer() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with ssl.create_default_context(cadata=trusted).wrap_socket(ours, server_hostname=name) as secured:
            return str(secured.version())
    finally:
        thread.join(10)


@pytest.mark.parametrize("name", ["camera.local", "192.0.2.7", "::1"])
def test_a_browser_that_trusts_its_authority_takes_it_by_each_name(certificate: Certificate, name: str) -> None:
    assert shaken(certificate, name, certificate.authority()) == "TLSv1.3"


def test_no_other_name_and_no_other_authority_is_taken(certificate: Certificate) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shaken(certificate, "other.local", certificate.authority())
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        shaken(certificate, "camera.local", None)


def test_it_is_for_its_owner_alone(certificate: Certificate) -> None:
    assert stat.S_IMODE(certificate.certificate.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate.certificate.parent.stat().st_mode) == 0o700


def test_what_a_phone_gets_holds_no_key(certificate: Certificate, made: bytes) -> None:
    assert b"PRIVATE KEY" in made
    assert "PRIVATE KEY" not in certificate.authority()
    assert certificate.fingerprint() != certificate.authority_fingerprint()
    assert len(certificate.fingerprint()) == 32 * 3 - 1


def test_its_authority_can_sign_nothing_more(made: bytes) -> None:
    """Its key is nowhere: the one key in the file is the server's."""
    assert made.count(b"PRIVATE KEY-----") == 2
    assert made.count(b"BEGIN CERTIFICATE") == 2


def test_the_names_of_this_machine_can_be_in_one() -> None:
    assert {"IP:127.0.0.1", "DNS:localhost"} <= set(named(own_names()))


@pytest.mark.parametrize(
    "name",
    ["", "a b", "x,DNS:evil.example", "x\n[server]", "-x", "x" * 64, "é.local", "*.local", "a..b", "/etc", "$HOME"],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="must be a name such as"):
        named([name])


def test_there_are_not_too_many_names() -> None:
    assert len(named(["A.local", "a.local", "192.0.2.1"])) == 2
    with pytest.raises(ConfigError, match="must be 1 to 50"):
        named([f"n{number}" for number in range(51)])
    with pytest.raises(ConfigError, match="must be 1 to 50"):
        named([])


def test_a_clock_that_nobody_set_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making.time, "time", lambda: 1000.0)
    with pytest.raises(UnavailableError, match="set it first"):
        make(["camera.local"])


def test_without_openssl_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = making.run
    monkeypatch.setattr(making, "run", lambda command, *a, **k: real(_without(command), *a, **k))
    with pytest.raises(UnavailableError, match="sudo apt install openssl"):
        make(["camera.local"])


def _without(command: Command) -> Command:
    return Command([word.replace("openssl", "no-openssl") for word in command.words])


@pytest.mark.parametrize(
    "damage", [b"", b"\xff" * 100, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_one_never_means_plain_text(certificate: Certificate, damage: bytes) -> None:
    certificate.certificate.write_bytes(damage)
    again = find(certificate.certificate.parent, Pages())
    assert again is not None
    with pytest.raises(DataError, match="fieldfare serve certificate"):
        again.context()


def test_one_that_was_cut_off_or_is_gone_is_refused(certificate: Certificate, made: bytes) -> None:
    certificate.certificate.write_bytes(made[:300])
    with pytest.raises(DataError):
        certificate.context()
    certificate.certificate.unlink()
    with pytest.raises(MissingInputError):
        certificate.context()
    certificate.certificate.symlink_to("/nowhere")
    assert find(certificate.certificate.parent, Pages()) is not None


def test_that_of_the_settings_comes_first(certificate: Certificate, made: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine.pem").write_bytes(made)
    settings = Pages(certificate=str(tmp_path / "mine.pem"), key=str(tmp_path / "mine.pem"))
    found = find(certificate.certificate.parent, settings)
    assert found == Certificate(tmp_path / "mine.pem", tmp_path / "mine.pem", own=False)
    assert found is not None
    assert found.context()
    assert found.ends_soon() is None
    with pytest.raises(MissingInputError, match="check \\[pages\\] certificate and key"):
        replace(found, certificate=tmp_path / "missing.pem").context()
    with pytest.raises(DataError, match="without a pass phrase"):
        replace(found, key=Path(__file__)).context()


def test_its_end_is_announced_in_time(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificate.ends_soon() is None
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 800 * 86400)
    assert "ends on" in str(certificate.ends_soon())
    monkeypatch.setattr(time, "time", lambda: now + 826 * 86400)
    assert "ended on" in str(certificate.ends_soon())


class TestPages:
    def test_cookies_go_over_nothing_else(
        self, site: Site, certificate: Certificate, password: Password, tmp_path: Path
    ) -> None:
        secured = replace(site, certificate=certificate, password=password, sessions=Sessions(tmp_path, password.id))
        browser = Browser(build(secured), host="camera.local", scheme="https")
        assert browser.post("/login", {"password": PASSWORD}, origin="http://camera.local").status == 403
        (cookie,) = browser.post("/login", {"password": PASSWORD}, origin="https://camera.local").cookies
        assert "Secure" in cookie
        assert certificate.fingerprint() in browser.get("/status").words
        answer = browser.get("/settings/certificate")
        assert answer.text == certificate.authority()
        assert answer.headers["content-type"] == "application/x-x509-ca-cert"

    def test_without_one_there_is_none_to_get(self, browser: Browser) -> None:
        answer = browser.get("/settings/certificate")
        assert (answer.status, "fieldfare serve certificate" in answer.words) == (404, True)
