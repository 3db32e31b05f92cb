"""Cameras that give JPEGs over HTTP: what they send, whom they let in, and what is refused, in words and in time."""

import base64
import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from camera_standins import raw_server, scene, snapshot_server
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.capture.network.web_camera as web_camera
from edge.capture.network.stream import StreamSource
from edge.capture.network.web_camera import WebCamera
from edge.capture.urls import require_stream
from edge.errors import CameraError, EndOfStream

JPEG = cv2.imencode(".jpg", scene(64, 48))[1].tobytes()
PICTURE = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"


def picture(body: bytes = JPEG, *headers: bytes) -> bytes:
    return b"\r\n".join([PICTURE.rstrip(), *headers, b"", body])


def chunked(body: bytes) -> bytes:
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return picture(chunks + b"0\r\n\r\n", b"Transfer-Encoding: chunked")


def words_of(url: str, wait_s: float = 5.0) -> str:
    """Return the error of a stream that cannot be opened."""
    with pytest.raises(CameraError) as caught:
        StreamSource(url, wait_s=wait_s)
    return str(caught.value)


class TestPolling:
    """An address that gives one JPEG a request."""

    def test_it_is_requested_at_the_rate_of_the_settings(self) -> None:
        with snapshot_server() as url:
            source = StreamSource(url, wait_s=5, fps=20)
            assert source.description == f"stream {url} 64x48, one picture a request, 20 a second"
            started = time.monotonic()
            levels = [int(source.read().image_bgr[0, 0, 0]) for _ in range(5)]
            assert time.monotonic() - started >= 0.15
            assert levels == sorted(set(levels)), "each is another picture"
            source.close()

    def test_without_a_rate_once_a_second(self) -> None:
        with snapshot_server() as url:
            source = StreamSource(url, wait_s=5)
            assert source.description.endswith("one picture a request, 1 a second")
            source.close()

    @pytest.mark.parametrize(
        "answer",
        [
            picture(),
            picture(JPEG, b"Content-Length: %d" % len(JPEG)),
            picture(JPEG, b"Content-Length: %d" % (len(JPEG) + 1000)),
            picture(JPEG + bytes(1000), b"Content-Length: %d" % len(JPEG)),
            chunked(JPEG),
            picture(JPEG).replace(b"image/jpeg", b"image/jpg; charset=binary"),
            picture(JPEG).replace(b"Content-Type: image/jpeg\r\n", b""),
            picture(JPEG).replace(b"image/jpeg", b"text/plain"),
            picture(JPEG).replace(b"HTTP/1.1", b"HTTP/1.0"),
            b"HTTP/1.1 100 Continue\r\n\r\n" + picture(),
        ],
    )
    @pytest.mark.parametrize("stays_open", [False, True])
    def test_however_it_is_sent(self, answer: bytes, stays_open: bool) -> None:
        """Lengths may be wrong or missing, and the connection may stay open: the picture has an end of its own."""
        started = time.monotonic()
        with raw_server(lambda _: answer, stays_open=stays_open) as server:
            source = StreamSource(server.url, wait_s=20, fps=100)
            assert [source.read().image_bgr.shape for _ in range(3)] == [(48, 64, 3)] * 3
            source.close()
        assert time.monotonic() - started < 15

    def test_an_error_now_and_then_is_lived_through(self) -> None:
        answers = [
            picture(),
            b"HTTP/1.1 503 Busy\r\n\r\n",
            b"",
            b"rubbish\r\n\r\n",
            picture(JPEG[:-9]),
            *[picture()] * 9999,
        ]
        with raw_server(lambda _: answers.pop(0)) as server:
            source = StreamSource(server.url, wait_s=20, fps=100)
            assert [source.read().sequence for _ in range(3)] == [0, 1, 2]
            source.close()

    def test_one_that_is_refused_from_some_time_on_is_a_fault_at_once(self) -> None:
        answers = [picture(), *[b"HTTP/1.1 404 Gone\r\n\r\n"] * 9999]
        with raw_server(lambda _: answers.pop(0)) as server:
            source = StreamSource(server.url, wait_s=20, fps=100)
            source.read()
            with pytest.raises(CameraError, match=r"or it ended \(404 Not Found\)"):
                source.read()
            source.close()


class TestRefused:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (b"HTTP/1.1 404 \x1b[31mevil\rERROR forged\r\n\r\n", "404 Not Found"),
            (b"HTTP/1.1 999 Odd\r\n\r\n", "not an answer of a web server|999"),
            (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "sends text/html, neither video nor JPEG"),
            (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG", "sends image/png, neither"),
            (b"HTTP/1.1 200 OK\r\nContent-Type: \x1b]0;x\x07\r\n\r\nx", "sends an unknown type"),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx", "sends compressed data"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "not an answer of a web server: it does not begin as HTTP does"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n", "its header is malformed, or has over 100 lines"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "server: a line over 64 KiB in its header"),
            (picture(JPEG, b"Content-Length: 999999999999"), "a picture of 953674 MiB, at most 32"),
            (b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed\r\n\r\n" + b"x\n" * 99_999, "no boundary"),
            (b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed\r\n\r\n", "ends before its first picture"),
        ],
    )
    def test_in_one_line_without_the_servers_words(self, answer: bytes, words: str) -> None:
        with raw_server(lambda _: answer) as server:
            said = words_of(server.url)
        assert re.search(words, said)
        assert said.isprintable()
        assert "evil" not in said

    def test_a_picture_without_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(web_camera, "MOST_BYTES", 100_000)
        with raw_server(lambda _: picture(JPEG[:-2] + bytes(200_000))) as server:
            assert "a picture of more than" in words_of(server.url)

    def test_a_byte_now_and_then_extends_no_limit(self) -> None:
        def drip(_: str) -> bytes:
            time.sleep(0.2)
            return b""

        started = time.monotonic()
        with raw_server(drip, stays_open=True) as server:
            assert "no frame within 0.5 s" in words_of(server.url, wait_s=0.5)
        assert time.monotonic() - started < 5

    def test_a_bomb_is_left_out_and_named(self) -> None:
        bomb = bytearray(JPEG)
        frame = bomb.find(b"\xff\xc0")
        bomb[frame + 5 : frame + 9] = b"\x75\x30\x75\x30"
        with raw_server(lambda _: picture(bytes(bomb))) as server:
            source = StreamSource(server.url, wait_s=0.5, fps=50)
            with pytest.raises(CameraError, match="pictures were left out, the last: 30000x30000 is 900 megapixels"):
                source.read()
            source.close()

    def test_one_among_good_ones_is_logged_once_however_often_it_is_opened(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        answers = [answer for _ in range(50) for answer in (picture(), picture(JPEG[:-9]))]
        with raw_server(lambda _: answers.pop(0)) as server, caplog.at_level(logging.WARNING):
            for _ in range(3):
                source = StreamSource(server.url, wait_s=5, fps=100)
                for _ in range(3):
                    source.read()
                source.close()
        assert caplog.text.count("left out a picture: truncated") == 1


class TestRedirects:
    def to(self, place: str) -> bytes:
        return f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_they_are_followed_within_the_web(self, status: int) -> None:
        def answer(request: str) -> bytes:
            moved = self.to("new.jpg?x=1").replace(b"302", str(status).encode())
            return picture() if request.startswith("GET /new.jpg?x=1 ") else moved

        with raw_server(answer) as server:
            source = StreamSource(server.url, wait_s=5)
            assert source.read().image_bgr.shape == (48, 64, 3)
            source.close()

    @pytest.mark.parametrize(
        "place",
        [
            "file:///etc/secret.jpg",
            "rtsp://127.0.0.1/x",
            "concat:/etc/secret.jpg",
            "\x1b[31mevil://x\rERROR",
            "http://[::",
        ],
    )
    def test_not_to_anything_else(self, place: str) -> None:
        with raw_server(lambda _: self.to(place)) as server:
            said = words_of(server.url)
        assert "redirected to what is not a web address" in said
        assert said.isprintable()

    def test_not_for_ever(self) -> None:
        with raw_server(lambda _: self.to("/")) as server:
            assert "redirected more than 5 times" in words_of(server.url)
        assert len(server.requests) == 6


class TestPasswords:
    """They go to the camera that they were given for, when it asks, and nowhere else."""

    REFUSED = b"HTTP/1.1 401 No\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n"

    def with_user(self, url: str, user: str = "me:hush%40") -> str:
        return url.replace("://", f"://{user}@")

    def read_one(self, url: str) -> None:
        source = StreamSource(url, wait_s=5, fps=50)
        source.read()
        source.read()
        source.close()

    def test_basic(self) -> None:
        words = base64.b64encode(b"me:hush@").decode()

        def answer(request: str) -> bytes:
            return picture() if f"Authorization: Basic {words}" in request else self.REFUSED % b'Basic realm="cam"'

        with raw_server(answer) as server:
            self.read_one(self.with_user(server.url))
        assert "Authorization" not in server.requests[0]
        assert all("Authorization" in request for request in server.requests[1:]), "the server need not ask again"

    def test_digest(self) -> None:
        """Most cameras with a password want it so."""

        def answer(request: str) -> bytes:
            given = dict(re.findall(r'(\w+)="?([^",\r]*)', request.partition("Authorization: Digest ")[2]))
            if not given:
                return self.REFUSED % b'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5'
            first, second = (hashlib.md5(text.encode()).hexdigest() for text in ("me:cam:hush@", "GET:/"))
            joined = ":".join([first, "abc", given["nc"], given["cnonce"], "auth", second])
            right = hashlib.md5(joined.encode()).hexdigest() == given["response"]
            return picture() if right else self.REFUSED % b"Basic"

        with raw_server(answer) as server:
            self.read_one(self.with_user(server.url))

    @pytest.mark.parametrize(
        "asked", [b"", b"Digest", b"Digest x", b"Digest realm=a", b"NTLM", b'Basic realm="\x1b[31m']
    )
    def test_a_wrong_one_is_refused_in_words(self, asked: bytes) -> None:
        with raw_server(lambda _: self.REFUSED % asked) as server:
            said = words_of(self.with_user(server.url))
        assert said.isprintable()
        assert "cannot be opened" in said
        assert "hush" not in said

    def test_another_host_does_not_get_it(self) -> None:
        with raw_server(lambda _: self.REFUSED % b"Basic") as other:
            there = other.url.replace("127.0.0.1", "localhost")
            moved = f"HTTP/1.1 302 Found\r\nLocation: {there}\r\n\r\n".encode()
            with raw_server(lambda _: moved) as server:
                assert "401" in words_of(self.with_user(server.url))
        assert other.requests
        assert not any("Authorization" in request for request in other.requests)


def test_closing_ends_a_request_that_waits() -> None:
    with raw_server(lambda _: picture(JPEG[:100]), stays_open=True) as server:
        camera = WebCamera(server.url, require_stream, wait_s=30, fps=None)
        failed: list[Exception] = []

        def open_it() -> None:
            try:
                camera.open()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must come soon
                failed.append(error)

        thread = threading.Thread(target=open_it)
        thread.start()
        time.sleep(0.3)
        camera.close()
        thread.join(5)
        assert not thread.is_alive()
        with pytest.raises(EndOfStream):
            for _ in range(3):
                camera.read()


def mutated(whole: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    data = bytearray(whole)
    for place, value in changes:
        data[place % len(data)] = value
    return bytes(data[: len(data) - cut])


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 20),
    kind=st.sampled_from(["length", "chunks"]),
)
def test_any_mutant_of_an_answer_is_a_picture_or_one_line(changes: list[tuple[int, int]], cut: int, kind: str) -> None:
    make: Callable[[bytes], bytes] = chunked if kind == "chunks" else picture
    answer = mutated(make(JPEG), changes, cut)
    with raw_server(lambda _: answer) as server:
        try:
            source = StreamSource(server.url, wait_s=0.1, fps=50)
        except CameraError as error:
            assert str(error).isprintable()
            return
        try:
            assert source.read().image_bgr.dtype == np.uint8
        except CameraError as error:
            assert str(error).isprintable()
        finally:
            source.close()
