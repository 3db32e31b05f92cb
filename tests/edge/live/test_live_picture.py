"""The file with the newest picture: whole or not at all, and never trusted."""

import math
import os
from pathlib import Path

import msgspec
import pytest

from edge.errors import DataError, MissingInputError
from edge.live.picture import MOST_BYTES, Live, read, show
from edge.results import Other

LIVE = Live(
    number=7,
    made_mono_s=12.5,
    captured_wall_s=1.7e9,
    frame_width=1920,
    frame_height=1080,
    width=960,
    height=540,
    label="owl",
    score=0.9,
    box=(0.1, 0.2, 0.3, 0.4),
    others=(Other("fox", 0.5, (0.0, 0.0, 0.1, 0.1)),),
    latency_ms=20.5,
    engine="cpu",
    jpeg=b"\xff\xd8picture",
)


def test_what_is_shown_is_read(tmp_path: Path) -> None:
    show(tmp_path / "live", LIVE)
    assert read(tmp_path / "live") == LIVE
    assert [path.name for path in tmp_path.iterdir()] == ["live"]


def test_a_picture_is_not_for_every_user(tmp_path: Path) -> None:
    show(tmp_path / "live", LIVE)
    assert (tmp_path / "live").stat().st_mode & 0o777 == 0o640


def test_none_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="live"):
        read(tmp_path / "live")


@pytest.mark.parametrize(
    "changes",
    [
        {"number": -1},
        {"number": 1 << 60},
        {"width": 0},
        {"frame_height": 10**9},
        {"part": (0.0, 0.0, 2.0, 1.0)},
        {"part": (0.0, 0.0, math.nan, 1.0)},
        {"box": (-0.1, 0.0, 0.1, 0.1)},
        {"score": math.nan},
        {"score": 7.0},
        {"captured_wall_s": math.inf},
        {"made_mono_s": math.nan},
        {"latency_ms": math.nan},
        {"sharpness": -math.inf},
        {"jpeg": "text"},
        {"label": 3},
    ],
)
def test_what_no_worker_writes_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / "live").write_bytes(msgspec.msgpack.encode({**msgspec.structs.asdict(LIVE), **changes}))
    with pytest.raises(DataError, match="another version"):
        read(tmp_path / "live")


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\x91" * 500_000, b"\xc4", bytes(20)])
def test_what_is_no_such_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "live").write_bytes(data)
    with pytest.raises(DataError):
        read(tmp_path / "live")


def test_one_that_is_larger_than_any_or_no_plain_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    (tmp_path / "link").symlink_to(tmp_path / "large")
    os.mkfifo(tmp_path / "pipe")
    for name in ("large", "link", "pipe", "."):
        with pytest.raises(MissingInputError):
            read(tmp_path / name)
