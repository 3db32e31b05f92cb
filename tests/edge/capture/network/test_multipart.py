"""Pictures in parts, as cameras send them: by the rules, beside the rules, and as an attacker would."""

from collections.abc import Iterator

import cv2
import pytest
from camera_standins import scene
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.capture.network.multipart as multipart
from edge.capture.network.multipart import Parts, PartsError

JPEGS = [cv2.imencode(".jpg", scene(32, 24, number))[1].tobytes() for number in range(4)]
TYPE = b"Content-Type: image/jpeg"


def part(body: bytes, *headers: bytes, line: bytes = b"\r\n", delimiter: bytes = b"--frame") -> bytes:
    return line.join([delimiter, TYPE, *headers, b"", b""]) + body + line


def with_length(body: bytes, wrong: int = 0, line: bytes = b"\r\n") -> bytes:
    return part(body, b"Content-Length: %d" % (len(body) + wrong), line=line)


def parts_of(data: bytes, step: int = 7) -> Parts:
    """Return a reader that gets `step` bytes at a time."""
    pieces = (data[start : start + step] for start in range(0, len(data), step))
    return Parts(lambda size: next(pieces, b""))


def all_of(parts: Parts) -> Iterator[bytes]:
    while True:
        try:
            yield parts.next()
        except EOFError:
            return


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MOST_BYTES", 1 << 16)


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
@pytest.mark.parametrize(
    "sent",
    [
        b"".join(map(with_length, JPEGS)),
        b"".join(map(part, JPEGS)),  # no lengths
        b"".join(with_length(jpeg, line=b"\n") for jpeg in JPEGS),
        b"".join(part(jpeg, line=b"\n") for jpeg in JPEGS),
        b"\r\n\r\npreamble\r\n" + b"".join(map(with_length, JPEGS)) + b"--frame--\r\n",
        b"".join(with_length(jpeg, wrong=wrong) for jpeg, wrong in zip(JPEGS, (2, -2, 300, -300), strict=True)),
        b"".join(with_length(jpeg, wrong=10**17) for jpeg in JPEGS),
        b"".join(part(jpeg, b"Content-Length: -5") for jpeg in JPEGS),
        b"".join(part(jpeg, b"content-length:  %d  " % len(jpeg), b"X-Timestamp: 1") for jpeg in JPEGS),
        b"".join(with_length(jpeg + bytes(5)) for jpeg in JPEGS),  # padded
        b"".join(with_length(jpeg) + b"\r\n\r\n" for jpeg in JPEGS),
        b"".join(part(jpeg, delimiter=b"----x=_1") for jpeg in JPEGS),
    ],
)
def test_each_picture_comes_whole(sent: bytes, step: int) -> None:
    assert [body.rstrip(b"\r\n\0") for body in all_of(parts_of(sent, step))] == JPEGS


def test_a_picture_with_a_length_does_not_wait_for_the_next() -> None:
    """Many cameras send a delimiter with the picture that follows it."""
    sent = [with_length(JPEGS[0])]

    def read(size: int) -> bytes:
        assert sent, "the next picture is a second away"
        return sent.pop()

    assert Parts(read).next() == JPEGS[0]


def test_one_that_the_end_cuts_off_is_left_out() -> None:
    sent = part(JPEGS[0]) + part(JPEGS[1])[:-40]
    assert list(all_of(parts_of(sent))) == JPEGS[:1]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"\0" * 200_000, "a header line"),
        (b"x\n" * 100_000, "no boundary"),
        (b"--" + b"B" * 100_000 + b"\r\n", "a header line"),
        (b"--frame\r\n" + b"X-1: a\r\n" * 100_000, "headers without an end"),
        (b"--frame\r\n\r\n" + b"\x11" * 200_000, "a picture of more than"),
        (b"--frame\r\nContent-Length: 9223372036854775807\r\n\r\n" + b"a" * 200_000, "a picture of more than"),
        (with_length(JPEGS[0]) + b"\x11" * 200_000, "a picture of more than"),
    ],
)
def test_what_has_no_end_is_given_up(sent: bytes, message: str, small_bounds: None) -> None:
    with pytest.raises(PartsError, match=message):
        list(all_of(parts_of(sent, 1000)))


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    inserted=st.binary(max_size=30),
    at=st.integers(0, 10**6),
    step=st.integers(1, 5000),
)
def test_any_mutant_ends_and_gives_no_more_than_was_sent(
    changes: list[tuple[int, int]], inserted: bytes, at: int, step: int
) -> None:
    sent = bytearray(b"".join(map(with_length, JPEGS)))
    for place, value in changes:
        sent[place % len(sent)] = value
    sent[at % len(sent) : at % len(sent)] = inserted
    try:
        bodies = list(all_of(parts_of(bytes(sent), step)))
    except PartsError:
        return
    assert sum(map(len, bodies)) <= len(sent)


@given(st.binary(max_size=3000), st.integers(1, 500))
def test_any_bytes_end(sent: bytes, step: int) -> None:
    try:
        list(all_of(parts_of(sent, step)))
    except PartsError as error:
        assert "\n" not in str(error)
