"""`fieldfare serve` over a real port of this machine."""

import http.client
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fieldfare_here import Fieldfare

from edge.config import loading
from edge.pages.places import folder_of, keep_private
from edge.pages.tls.certificate import FILE, Certificate
from edge.pages.tls.making import make
from tools.make_store import made_events, make_store

pytestmark = pytest.mark.process

Serve = Callable[..., tuple[subprocess.Popen[str], int]]


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    return Fieldfare(capsys)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_store(tmp_path / "events.db", made_events(30, side=16))
    return tmp_path / "events.db"


@pytest.fixture
def serve(store: Path) -> Iterator[Serve]:
    """Starts the pages of the store on a free port, and returns process and port."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-m", "edge", "serve", "--store", str(store), "--port", "0", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        found = re.search(r":(\d+)/$", process.stdout.readline().strip())
        assert found is not None
        return process, int(found[1])

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def certified(store: Path) -> str:
    """Its pages get a certificate. Returns the authority to trust, in PEM form."""
    path = folder_of(store) / FILE
    keep_private(path, make(["localhost", "127.0.0.1"]))
    return Certificate(path, path, own=True).authority()


def ask(port: int, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, sent)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text


def test_events_are_served_and_marked_until_sigterm(serve: Serve, store: Path, fieldfare: Fieldfare) -> None:
    process, port = serve()
    status, text = ask(port, "/events")
    assert status == 200
    assert "30 events" in text
    form = {"origin": f"http://127.0.0.1:{port}", "content_type": "application/x-www-form-urlencoded"}
    assert ask(port, "/events/marks", "POST", "one=30:wrong&seen-30=-", **form)[0] == 303
    assert fieldfare("events", "--store", store, "-n", 1).lines[1].split()[-1] == "wrong"
    process.send_signal(signal.SIGTERM)
    process.wait(15)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_a_password_opens_them_to_others(serve: Serve, store: Path, run_fieldfare: Callable[..., object]) -> None:
    done = run_fieldfare("serve", "password", "--store", store, "--stdin", input="kestrel and hay\n", stdin=None)
    assert getattr(done, "returncode", None) == 0
    _, port = serve("--address", "0.0.0.0")
    assert ask(port, "/events", host="camera.local")[0] == 303
    form = {"origin": "http://camera.local", "content_type": "application/x-www-form-urlencoded"}
    assert ask(port, "/login", "POST", "password=kestrel+and+hay", host="camera.local", **form)[0] == 303


def test_connections_that_say_nothing_keep_nobody_out_and_are_closed(serve: Serve) -> None:
    _, port = serve()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
    try:
        assert ask(port, "/events")[0] == 200
        silent[0].settimeout(30)
        began_s = time.monotonic()
        assert silent[0].recv(100) == b""
        assert time.monotonic() - began_s < 25
    finally:
        for one in silent:
            one.close()


def test_a_connection_that_goes_on_asking_is_kept(serve: Serve) -> None:
    _, port = serve()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    until_s = time.monotonic() + 13.0
    while time.monotonic() < until_s:
        connection.request("GET", "/login")
        assert connection.getresponse().read()
        time.sleep(0.5)
    connection.close()


class TestOverTls:
    def test_the_pages_are_served_by_it_alone(self, serve: Serve, certified: str) -> None:
        _, port = serve()
        trusting = ssl.create_default_context(cadata=certified)
        connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=trusting)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"30 events" in answer.read()
        connection.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(port, "/events")

    def test_connections_that_say_nothing_keep_nobody_out_and_are_closed(self, serve: Serve, certified: str) -> None:
        """Neither those that never begin with TLS, nor those that say nothing after it."""
        _, port = serve()
        trusting = ssl.create_default_context(cadata=certified)
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(110)]
        begun = trusting.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
        try:
            connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=trusting)
            connection.request("GET", "/events")
            assert connection.getresponse().status == 200
            connection.close()
            for one in (silent[0], begun):
                one.settimeout(30)
                assert one.recv(100) == b""
        finally:
            for one in (*silent, begun):
                one.close()

    def test_a_damaged_one_starts_nothing(self, fieldfare: Fieldfare, store: Path, certified: str) -> None:
        (folder_of(store) / FILE).write_text(certified)
        done = fieldfare("serve", "--store", store, "--port", 0)
        assert done.status == 65
        assert "make it again: fieldfare serve certificate" in done.err


def test_a_certificate_is_made_and_made_again(fieldfare: Fieldfare, store: Path) -> None:
    first = fieldfare("serve", "certificate", "--store", store, "--name", "barn.example")
    assert first.status == 0
    assert "barn.example" in first.out
    assert re.search(r"^fingerprint \(SHA-256\): ([0-9A-F]{2}:){31}[0-9A-F]{2}$", first.out, re.MULTILINE)
    before = (folder_of(store) / FILE).read_bytes()
    again = fieldfare("serve", "certificate", "--store", store)
    assert again.status == 0
    assert (folder_of(store) / FILE).read_bytes() != before
    assert fieldfare("serve", "certificate", "--store", store, "--name", "a b").status == 78
    assert fieldfare("serve", "certificate", "--store", store.with_name("missing.db")).status == 66


def test_the_settings_are_read_once(
    fieldfare: Fieldfare, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "fieldfare.toml"
    read: list[Path] = []
    real = loading.read_settings
    monkeypatch.setattr(loading, "read_settings", lambda path: read.append(path) or real(path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(f'bundle = "b"\n[events]\nstore = "{store}"\n[pages]\nport = {taken.getsockname()[1]}\n')
        assert fieldfare("serve", "--config", config).status == 69
    assert read == [config]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--address", "0.0.0.0"], 78, "no password is set"),
        (["--address", "camera.local"], 2, "must be an IP address"),
        (["--address", "192.0.2.1"], 78, "no password is set"),
        (["--port", "70000"], 2, "70000"),
    ],
)
def test_what_would_be_open_to_all_is_refused(
    fieldfare: Fieldfare, store: Path, words: list[str], status: int, said: str
) -> None:
    done = fieldfare("serve", "--store", store, *words)
    assert done.status == status
    assert said in done.err


def test_the_settings_name_store_address_and_port(fieldfare: Fieldfare, store: Path, tmp_path: Path) -> None:
    config = tmp_path / "fieldfare.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(f'bundle = "b"\n[events]\nstore = "{store}"\n[pages]\nport = {port}\n')
        done = fieldfare("serve", "--config", config)
    assert f"127.0.0.1 port {port}: cannot listen" in done.err
    config.write_text(f'bundle = "b"\n[events]\nstore = "{store}"\n[pages]\naddress = "0.0.0.0"\n')
    assert fieldfare("serve", "--config", config).status == 78


def test_a_port_that_is_taken_is_said(fieldfare: Fieldfare, store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = fieldfare("serve", "--store", store, "--port", taken.getsockname()[1])
    assert done.status == 69
    assert "choose another --port" in done.err


def test_a_store_that_is_none_is_refused_before_anything_is_served(fieldfare: Fieldfare, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("owl at nine\n")
    assert fieldfare("serve", "--store", tmp_path / "missing.db").status == 66
    assert fieldfare("serve", "--store", tmp_path / "notes.txt").status == 65
    assert fieldfare("serve", "password", "--store", tmp_path / "missing.db").status == 66
