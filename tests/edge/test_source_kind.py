"""The kind of source that a text names."""

from pathlib import Path

import pytest

from edge.source_kind import is_live, source_kind


@pytest.mark.parametrize(
    ("source", "kind", "live"),
    [
        ("synthetic", "synthetic", False),
        ("picamera2", "picamera2", True),
        ("picamera2:1", "picamera2", True),
        ("picamera2:x", "picamera2", True),  # and refused as such
        ("/dev/video0", "v4l2", True),
        ("/dev/v4l/by-id/not-there", "v4l2", True),
        ("/dev/shm", "replay", False),
        ("/dev/" + "x" * 300, "v4l2", True),  # and reported as missing
        ("rtsp://10.0.0.7/stream", "stream", True),
        ("HTTP://10.0.0.7/stream", "stream", True),
        ("ftp://10.0.0.7/stream", "stream", True),  # and refused as such
        ("photos", "replay", False),
        ("not-there.mp4", "replay", False),
    ],
)
def test_it_is_told_by_its_form(source: str, kind: str, live: bool) -> None:
    assert (source_kind(source), is_live(source)) == (kind, live)


def test_a_photo_in_dev_shm_is_a_replay() -> None:
    photo = Path("/dev/shm/fieldfare-test.jpg")
    photo.touch()
    try:
        assert source_kind(str(photo)) == "replay"
    finally:
        photo.unlink()
