"""Is a video file cut short? Its container shows it, not its count of frames."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.capture.replay.container import is_cut_short

KINDS = [
    ("MJPG", "a.avi"),
    ("mp4v", "a.avi"),
    ("mp4v", "a.mp4"),
    ("mp4v", "a.mov"),
    ("mp4v", "a.mkv"),
    ("VP80", "a.webm"),
]


def recorded(folder: Path, codec: str, name: str) -> Path:
    path = folder / name
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), 10 * number, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("codec", "name"), KINDS)
def test_a_whole_one_is_not_and_a_shorter_one_is(codec: str, name: str, tmp_path: Path) -> None:
    path = recorded(tmp_path, codec, name)
    assert not is_cut_short(path)
    whole = path.read_bytes()
    for kept in (0.3, 0.7, 0.95):
        path.write_bytes(whole[: int(len(whole) * kept)])
        assert is_cut_short(path), f"{kept:.0%} of it"


def test_zeros_in_place_of_an_end_are_seen(tmp_path: Path) -> None:
    path = recorded(tmp_path, "MJPG", "a.avi")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
    assert is_cut_short(path)


def test_a_recorder_that_could_not_write_the_length_is_not_blamed(tmp_path: Path) -> None:
    path = recorded(tmp_path, "MJPG", "a.avi")
    path.write_bytes(b"RIFF" + struct.pack("<I", 0) + path.read_bytes()[8:])
    assert not is_cut_short(path)


@pytest.mark.parametrize("data", [b"", b"\0", b"\x47" * 188, b"\0\0\x01\xba" + bytes(100), b"nothing of the kind"])
def test_other_files_are_not_judged(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    assert not is_cut_short(tmp_path / "a")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from([b"RIFF", b"\0\0\0\x18ftyp", b"\0\0\0\0moov", b"\0\0\0\x01mdat", b"\x1a\x45\xdf\xa3", b""]),
    rest=st.binary(max_size=120),
)
def test_any_bytes_are_judged(head: bytes, rest: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(head + rest)
    assert is_cut_short(tmp_path / "a") in (True, False)
