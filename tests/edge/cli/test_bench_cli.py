"""`fieldfare bench`: figures that agree with each other, in a table to paste and in JSON."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge.bundle.store import Bundle
from edge.cli.bench.benchmark import STAGES, BoardState, Measured, Spread, markdown, spread

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_json_has_every_stage(run_fieldfare: Run, sealed: Bundle) -> None:
    done = run_fieldfare("bench", "--bundle", sealed.path, "--seconds", "1", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    measured = msgspec.json.decode(done.stdout, type=Measured)
    assert tuple(measured.stages_ms) == STAGES
    assert all(s.median <= s.p95 <= s.p99 <= s.max for s in measured.stages_ms.values())
    parts = sum(measured.stages_ms[name].median for name in ("preprocess", "inference", "postprocess"))
    assert measured.stages_ms["end to end"].median >= 0.9 * parts
    assert measured.frames > 10
    assert measured.fps > 1
    assert measured.bundle == sealed.bundle_id
    assert "1 thread" in measured.engine
    assert (measured.memory_mb or 0) > 10


def test_a_folder_of_pictures_is_looped(run_fieldfare: Run, sealed: Bundle, shared: Path) -> None:
    done = run_fieldfare(
        "bench", "--bundle", sealed.path, "--seconds", "1", "--source", shared / "models" / "parrot.jpg"
    )
    assert done.returncode == 0, done.stderr
    assert "| inference |" in done.stdout
    assert "1 picture in" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--bundle", "/nowhere"], 66, "no bundle there"),
        (["--bundle", "{bundle}", "--source", "/nowhere.avi"], 66, "is not there"),
        (["--bundle", "{bundle}", "--size", "big"], 78, "WIDTHxHEIGHT"),
        (["--bundle", "{bundle}", "--size", "\u00b2x\u00b2"], 78, "WIDTHxHEIGHT"),
        (
            ["--bundle", "{bundle}", "--size", "640x10"],
            78,
            "camera.height = 10: must be a whole number from 32 to 8192",
        ),
        (["--bundle", "{bundle}", "--threads", "0"], 78, "engine.threads"),
        (["--bundle", "{bundle}", "--seconds", "0"], 2, "0.0 is not in the range 1<=x<=3600"),
        (["--bundle", "{bundle}", "--seconds", "nan"], 2, "nan is not in the range 1<=x<=3600"),
    ],
)
def test_mistakes(run_fieldfare: Run, sealed: Bundle, words: list[str], status: int, message: str) -> None:
    done = run_fieldfare("bench", *(word.format(bundle=sealed.path) for word in words))
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_of_a_file_that_is_no_video_only_our_line_is_said(
    run_fieldfare: Run, sealed: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENCV_LOG_LEVEL", "OPENCV_FFMPEG_LOGLEVEL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42 and no more")
    done = run_fieldfare("bench", "--bundle", sealed.path, "--source", tmp_path / "clip.mp4")
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if "WARN" in line or "moov" in line or "ERROR" in line] == []


def test_a_spread_by_hand() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 2.9, 2.98, 3.0)


def test_the_table_holds_what_a_reader_asks_first() -> None:
    measured = Measured(
        bundle="0123456789ab",
        model="birds",
        source="camera /dev/video0 | front",
        engine="litert 2.3.0, cpu, 2 threads",
        fallback=None,
        seconds=20.0,
        frames=1234,
        fps=29.97,
        stages_ms={name: Spread(1.0, 2.0, 3.0, 4.0) for name in STAGES},
        memory_mb=None,
        before=BoardState(48.3, ()),
        after=BoardState(61.0, ("throttled",)),
        board="Raspberry Pi 4 Model B Rev 1.4, 4 cores",
        system="Debian GNU/Linux 12 (bookworm), aarch64, Linux 6.6",
        versions={"fieldfare": "0.1.0"},
    )
    table = markdown(measured)
    assert "| end to end | 1.00 | 2.00 | 3.00 | 4.00 |" in table
    assert "| speed | 30.0 frames/s |" in table
    assert "| temperature | 48.3 C before, 61.0 C after |" in table
    assert "| power | all is well before, throttled after |" in table
    assert "| memory | not offered |" in table
    assert r"/dev/video0 \| front" in table
    assert "fallback" not in table
    assert json.loads(msgspec.json.encode(measured))["fps"] == 29.97
