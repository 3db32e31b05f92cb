"""fieldfare replay, as its users meet it: settings are tried on a recording."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.events.log_clock import ClockPiece
from edge.events.records import ClockQuality
from edge.events.score_log import ScoreLogWriter
from edge.events.wall_clock import ClockReading

pytestmark = pytest.mark.process
tiny_models = pytest.importorskip("tiny_models")

Run = Callable[..., subprocess.CompletedProcess[str]]
# Seconds of one colour, B, G, R. The tiny bundle names the colour of a picture; grey has no name.
RED, BLUE, GREY = (0, 0, 200), (200, 0, 0), (100, 100, 100)
FILM = [(3.0, GREY), (2.0, RED), (4.0, GREY), (1.0, BLUE), (4.0, GREY)]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(tiny_models.bundle_of(tiny_models.sound_model(), tmp_path / "colours").path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    colours = [colour for seconds, colour in FILM for _ in range(round(seconds * 10))]
    for number, colour in enumerate(colours):
        cv2.imwrite(str(folder / f"{number:04}.png"), np.full((16, 16, 3), colour, np.uint8))
    return folder


def film(path: Path, codec: str) -> Path:
    """Write a video of two frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 5.0, (16, 16))
    for colour in (RED, GREY):
        writer.write(np.full((16, 16, 3), colour, np.uint8))
    writer.release()
    return path


def settings(tmp_path: Path, bundle: Path, text: str = "", name: str = "new.toml") -> Path:
    path = tmp_path / name
    path.write_text(f'bundle = "{bundle}"\n{text}')
    return path


def score_log(tmp_path: Path) -> Path:
    """A log of three labels: an owl at 0.8 for three seconds, then a wren at 0.6."""
    writer = ScoreLogWriter(("owl", "wren", "nothing"), "b1", (0.7, 0.7, 0.7))
    parts = [(4, (0, 0, 1)), (3, (0.8, 0.1, 0.1)), (5, (0, 0, 1)), (3, (0.3, 0.6, 0.1)), (5, (0, 0, 1))]
    rows = [values for seconds, values in parts for _ in range(seconds * 10)]
    pieces = [writer.add(500 + i / 10, 1.8e9 + i / 10, np.array(values, np.float32)) for i, values in enumerate(rows)]
    path = tmp_path / "scores.log"
    path.write_bytes(b"".join(piece for piece in [*pieces, writer.flush()] if piece))
    return path


def test_pictures_are_classified_and_their_events_compared(
    run_fieldfare: Run, pictures: Path, bundle: Path, tmp_path: Path
) -> None:
    config = settings(tmp_path, bundle, "[events]\nmin_duration_s = 1.5\n")
    done = run_fieldfare("replay", pictures, "--config", config)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["old", "new"]
    assert lines[1].startswith("same")
    assert lines[2].startswith("only old")
    assert "0:09." in lines[2]
    assert lines[-1] == "1 same, 0 changed, 1 only old, 0 only new"


def test_a_video_is_replayed_by_its_own_times(run_fieldfare: Run, pictures: Path, bundle: Path, tmp_path: Path) -> None:
    video = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"FFV1"), 5.0, (16, 16))
    for path in sorted(pictures.iterdir()):
        writer.write(cv2.imread(str(path)))
    writer.release()
    config = settings(tmp_path, bundle)
    found = json.loads(run_fieldfare("replay", video, "--config", config, "--json").stdout)
    assert found["counts"] == {"same": 2, "changed": 0, "only old": 0, "only new": 0}
    # At five frames a second all takes twice as long.
    assert found["events"][0]["new"]["begin_s"] == pytest.approx(6.2, abs=0.5)
    found = json.loads(run_fieldfare("replay", video, "--config", config, "--fps", "10", "--json").stdout)
    assert found["events"][0]["new"]["begin_s"] == pytest.approx(3.2, abs=0.5)


def test_a_score_log_needs_no_bundle(run_fieldfare: Run, tmp_path: Path) -> None:
    config = settings(tmp_path, Path("/nowhere"), "[decision.thresholds]\nwren = 0.5\n")
    done = run_fieldfare("replay", score_log(tmp_path), "--config", config, env={"PATH": "/usr/bin", "TZ": "UTC"})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["same", "only"]
    assert "owl 2027-01-15 08:00:04" in lines[1]
    assert lines[2].split()[:4] == ["only", "new", "-", "wren"]
    assert lines[3].startswith("old (the defaults): 1 event: owl 1")


@pytest.mark.parametrize(
    ("clocks", "shown"),
    [
        ((("none", 0.0), ("ntp", 1.8e9)), "owl 2027-01-15 08:08:24 "),
        ((("none", 0.0), ("none", 0.0)), "owl ~1970-01-01 00:08:24 "),
        ((("none", 1.8e9), ("none", 1.8e9)), "owl ~2027-01-15 08:08:24 "),
    ],
)
def test_times_of_a_score_log_are_those_of_the_events(
    run_fieldfare: Run, tmp_path: Path, clocks: tuple[tuple[ClockQuality, float], ...], shown: str
) -> None:
    path = score_log(tmp_path)
    first, second = (
        ClockPiece("b", 500.0 + n, ClockReading(offset_s, quality)).packed()
        for n, (quality, offset_s) in enumerate(clocks)
    )
    path.write_bytes(first + path.read_bytes() + second)
    config = settings(tmp_path, Path("/nowhere"))
    done = run_fieldfare("replay", path, "--config", config, env={"PATH": "/usr/bin", "TZ": "UTC"})
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def many_labels(tmp_path: Path) -> Path:
    """A log of nine labels, which holds eight of them."""
    writer = ScoreLogWriter([f"bird{number}" for number in range(9)], "b1", [0.7] * 9)
    scores = np.array([0.9] + [0.01] * 7 + [0.0], np.float32)
    pieces = [*(writer.add(500 + i / 10, 1.8e9 + i / 10, scores) for i in range(30)), writer.flush()]
    path = tmp_path / "many.log"
    path.write_bytes(b"".join(piece for piece in pieces if piece))
    return path


@pytest.mark.parametrize("text", ["[decision.thresholds]\npurple = 0.4\n", '[decision]\nbackground = ["purple"]\n'])
def test_labels_that_neither_log_nor_bundle_have_are_refused(
    run_fieldfare: Run, bundle: Path, tmp_path: Path, text: str
) -> None:
    log = many_labels(tmp_path)
    done = run_fieldfare("replay", log, "--config", settings(tmp_path, bundle, text))
    assert (done.returncode, done.stdout) == (78, "")
    assert "purple" in done.stderr
    assert done.stderr.count("\n") == 1
    known = settings(tmp_path, bundle, text.replace("purple", "red"), "known.toml")
    assert run_fieldfare("replay", log, "--config", known).returncode == 0
    apart = settings(tmp_path, Path("/nowhere"), text, "apart.toml")
    done = run_fieldfare("replay", log, "--config", apart)
    assert done.returncode == 0
    assert "not in the log, and not checked, as there is no bundle: purple" in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.log", "gone.log: not there: give a score log, a video, or a folder of pictures"),
        ("x" * 300, "cannot read: File name too long"),
    ],
)
def test_a_recording_that_is_not_there_is_one_line(
    run_fieldfare: Run, bundle: Path, tmp_path: Path, name: str, words: str
) -> None:
    done = run_fieldfare("replay", name, "--config", settings(tmp_path, bundle))
    assert done.returncode == 66
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_rate_for_a_score_log_is_refused(run_fieldfare: Run, tmp_path: Path) -> None:
    done = run_fieldfare("replay", score_log(tmp_path), "--config", tmp_path / "new.toml", "--fps", 5)
    assert done.returncode == 2
    assert "--fps: a score log has the times of its frames: leave it out" in done.stderr


def test_two_settings_files_are_compared(run_fieldfare: Run, tmp_path: Path) -> None:
    new = settings(tmp_path, Path("/nowhere"), "[decision]\nthreshold = 0.5\n")
    old = settings(tmp_path, Path("/nowhere"), "[decision]\nthreshold = 0.95\n", "old.toml")
    words = ["--config", new, "--against", old, "--json"]
    found = json.loads(run_fieldfare("replay", score_log(tmp_path), *words).stdout)
    assert (found["old"]["events"], found["new"]["events"]) == (0, 2)
    assert found["new"]["labels"] == {"owl": 1, "wren": 1}
    assert found["counts"] == {"same": 0, "changed": 0, "only old": 0, "only new": 2}


def test_a_torn_log_is_replayed_up_to_there(run_fieldfare: Run, tmp_path: Path) -> None:
    path = score_log(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    done = run_fieldfare("replay", path, "--config", settings(tmp_path, Path("/nowhere")))
    assert done.returncode == 0
    assert "are torn, as a power cut leaves them" in done.stderr


@pytest.mark.parametrize(
    ("recording", "text", "status", "message"),
    [
        ("none.avi", "", 66, "none.avi"),
        ("synthetic", "", 78, "must be a score log, a video, or a folder of pictures"),
        ("rtsp://camera/1", "", 78, "must be a score log, a video, or a folder of pictures"),
        ("pipe", "", 78, "must be a score log, a video, or a folder of pictures"),
        ("junk.log", "", 65, "neither a score log, from its first bytes, nor a video: junk.log: OpenCV cannot open it"),
        ("cut.log", "", 65, "neither a score log, from its first bytes, nor a video: cut.log: OpenCV cannot open it"),
        ("empty.avi", "", 65, "empty.avi: empty file"),
        ("cut.avi", "", 65, "cut.avi: OpenCV cannot open it: not a video, damaged, or a codec that it lacks"),
        ("script.mp4", "", 65, "script.mp4: text, not a video"),
        ("odd-codec.avi", "", 65, "odd-codec.avi: OpenCV cannot open it"),
        ("scores.log", "[decision.thresholds]\nowI = 0.5\n", 78, "owI"),
        ("scores.log", "[events]\ngap_s = 0\n", 78, "events.gap_s = 0"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    run_fieldfare: Run, bundle: Path, tmp_path: Path, recording: str, text: str, status: int, message: str
) -> None:
    score_log(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "junk.log").write_bytes(b"junk" * 100)
    (tmp_path / "cut.log").write_bytes((tmp_path / "scores.log").read_bytes()[:2])
    (tmp_path / "empty.avi").touch()
    whole = film(tmp_path / "film.avi", "MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[:300])
    (tmp_path / "odd-codec.avi").write_bytes(whole.replace(b"MJPG", b"QQQQ"))
    (tmp_path / "script.mp4").write_text("ffconcat version 1.0\nfile script.mp4\n")
    done = run_fieldfare("replay", recording, "--config", settings(tmp_path, bundle, text), cwd=tmp_path, env=None)
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, "no library adds lines of its own"


def test_what_moves_is_located_as_it_is_live(run_fieldfare: Run, bundle: Path, tmp_path: Path) -> None:
    """A red square crosses a noisy scene in which the whole picture has no name."""
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.uniform(60, 120, (9, 12)).astype(np.float32), (160, 120))
    video = tmp_path / "crossing.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"FFV1"), 10.0, (160, 120))
    for number in range(80):
        frame = np.repeat((scene + rng.normal(0, 3, scene.shape)).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
        if 30 <= number < 55:
            left = (number - 30) * 5
            frame[40:70, left : left + 30] = RED
        writer.write(frame)
    writer.release()
    config = settings(tmp_path, bundle, '[locate]\nmethod = "motion"\npadding = 0.0\n')
    old = settings(tmp_path, bundle, name="old.toml")
    done = run_fieldfare("replay", video, "--config", config, "--against", old, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["old"]["events"], found["new"]["labels"]) == (0, {"red": 1})
    [event] = [row["new"] for row in found["events"]]
    assert event["begin_s"] == pytest.approx(3.2, abs=0.4)
    _, top, width, height = event["box"]
    assert (top, width, height) == pytest.approx((40 / 120, 30 / 160, 30 / 120), abs=0.05)


def test_a_detector_that_is_none_is_refused_in_one_line(
    run_fieldfare: Run, pictures: Path, bundle: Path, tmp_path: Path
) -> None:
    wrong = {
        "absent.tflite": (None, 66, "absent.tflite: cannot read: No such file or directory"),
        "colours.tflite": (tiny_models.sound_model(), 65, "a detector has boxes"),
    }
    for name, (model, status, words) in wrong.items():
        if model is not None:
            (tmp_path / name).write_bytes(model)
        config = settings(tmp_path, bundle, f'[locate]\nmethod = "model"\nmodel = "{tmp_path / name}"\n')
        done = run_fieldfare("replay", pictures, "--config", config)
        assert (done.returncode, done.stdout) == (status, "")
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
