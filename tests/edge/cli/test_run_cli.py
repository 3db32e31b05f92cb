"""`fieldfare run` as its users meet it: so many results, an exit status, and nothing left behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec import structs
from running import Running
from scripted import is_gone, wait_until

from edge.bundle.cut import Cut
from edge.bundle.store import Bundle
from edge.bundle.write import save, seal
from edge.store.writing import StoreWriter
from edge.supervision.status import read

pytestmark = pytest.mark.process

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("--source", "synthetic", "--size", "160x120")


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Nine pictures, each of one grey."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(9):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((40, 60, 3), number * 20, np.uint8))
    return folder


@pytest.fixture
def begin(sealed: Bundle) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `fieldfare run --json` with the synthetic camera and both outputs in pipes."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "edge", "run", "--bundle", str(sealed.path), *SMALL, "--json", *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env={**os.environ, **environment}, text=True, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def test_a_bundle_of_cut_photos_that_sees_whole_pictures_is_warned_of(
    run_fieldfare: Run, sealed: Bundle, tmp_path: Path
) -> None:
    files = {name: data for name, data in sealed.contents.items() if not name.startswith("manifest.")}
    cut = Cut(padding=0.0, slack=1.0, least_px=16, min_size=0.025)
    save(seal(tmp_path / "cut", structs.replace(sealed.manifest, cut=cut), files))
    done = run_fieldfare("run", "--bundle", tmp_path / "cut", *SMALL, "--frames", 1)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cut around boxes, and locate.method is off, which shows it whole pictures") == 1


@pytest.mark.parametrize(
    ("words", "warns"), [((), True), (("--fps", "30"), False), (("--flat-out",), True)], ids=["none", "fps", "flat out"]
)
def test_events_of_a_recording_that_is_read_without_a_rate_are_warned_of(
    run_fieldfare: Run, sealed: Bundle, pictures: Path, tmp_path: Path, words: tuple[str, ...], *, warns: bool
) -> None:
    config = tmp_path / "fieldfare.toml"
    config.write_text(f'[events]\nstore = "{tmp_path}/kept/events.db"\n')
    done = run_fieldfare("run", "--config", config, "--bundle", sealed.path, "--source", pictures, "--quiet", *words)
    assert done.returncode == 0, done.stderr
    found = [line for line in done.stderr.splitlines() if "fps = 10" in line and "fieldfare replay" in line]
    assert len(found) == warns, done.stderr


class TestEnds:
    @pytest.mark.parametrize("count", [1, 25])
    def test_after_so_many_frames(self, run_fieldfare: Run, sealed: Bundle, count: int) -> None:
        done = run_fieldfare("run", "--bundle", sealed.path, *SMALL, "--flat-out", "--json", "--frames", count)
        assert done.returncode == 0, done.stderr
        assert [line["frame"] for line in lines(done.stdout)] == list(range(count))
        assert f"{count} frame{'' if count == 1 else 's'} classified" in done.stderr

    def test_after_so_many_frames_although_the_worker_died_in_between(self, sealed: Bundle, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text("run\n")
        running = Running(tmp_path, sealed, "--frames", "300", script=f"@{script}")
        try:
            running.wait_for_more()
            script.write_text("abort\n")
            assert wait_until(lambda: "died of SIGABRT" in running.errors())
            script.write_text("run\n")
            assert running.process.wait(120) == 0
            assert running.results() == 300
        finally:
            running.close()

    def test_with_the_last_picture_of_a_replay(self, run_fieldfare: Run, sealed: Bundle, pictures: Path) -> None:
        done = run_fieldfare("run", "--bundle", sealed.path, "--source", pictures, "--json")
        assert done.returncode == 0, done.stderr
        assert [line["image"] for line in lines(done.stdout)] == [f"{number}.png" for number in range(9)]
        assert {line["dropped"] for line in lines(done.stdout)} == {0}

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_on_a_signal_within_seconds_with_a_summary(
        self, begin: Callable[..., subprocess.Popen[str]], number: int
    ) -> None:
        child = begin()
        assert child.stdout is not None
        assert child.stderr is not None
        first = child.stdout.readline()
        child.send_signal(number)
        results = lines(first + child.stdout.read())  # no half line
        errors = child.stderr.read()
        assert child.wait(8) == 0
        assert [line["frame"] for line in results] == sorted({line["frame"] for line in results})  # type: ignore[type-var]
        assert re.search(r"\d frames? classified", errors)
        assert "Traceback" not in errors

    def test_when_its_reader_has_left(self, begin: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
        child = begin("--flat-out", RUNTIME_DIRECTORY=str(tmp_path))
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        assert wait_until(lambda: (tmp_path / "status.json").exists())
        worker = read(tmp_path / "status.json").worker_pid
        child.stdout.close()
        assert child.wait(10) == 0
        errors = child.stderr.read()
        assert "Traceback" not in errors
        assert "Exception" not in errors
        assert worker is None or is_gone(worker)

    def test_a_reader_that_pauses_loses_nothing(self, begin: Callable[..., subprocess.Popen[str]]) -> None:
        child = begin("--flat-out", "--frames", "1500")
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(5.0)  # longer than the silence that ends a worker
        text, errors = child.communicate(timeout=60)
        assert [line["frame"] for line in lines(text)] == list(range(1500))
        assert child.returncode == 0
        assert "WARNING" not in errors


class TestMistakes:
    @pytest.mark.parametrize(
        ("source", "status", "words"),
        [
            ("/dev/video93", 69, "/dev/video93"),
            ("nowhere", 66, "'nowhere' is not there"),
            ("{tmp}/none.jpg", 66, "no such picture"),
            ("picamera2:x", 78, "picamera2:0"),
            ("{tmp}/empty.avi", 65, "empty.avi: empty file"),
            ("{tmp}/cut.mp4", 65, "cut.mp4: OpenCV cannot open it: not a video, damaged"),
        ],
    )
    def test_by_hand_a_source_that_is_not_there_is_one_line_and_a_status(
        self, run_fieldfare: Run, sealed: Bundle, tmp_path: Path, source: str, status: int, words: str
    ) -> None:
        (tmp_path / "empty.avi").touch()
        (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41\0\0\1")
        done = run_fieldfare("run", "--bundle", sealed.path, "--source", source.format(tmp=tmp_path))
        assert done.returncode == status
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("fieldfare: ")]
        assert words in line
        assert "Traceback" not in done.stderr
        assert done.stdout == ""

    @pytest.mark.parametrize("size", ["big", "\u00b2x\u00b2", "9" * 5000 + "x480", "10x480"])
    def test_a_size_that_is_none_is_one_line(self, run_fieldfare: Run, sealed: Bundle, size: str) -> None:
        done = run_fieldfare("run", "--bundle", sealed.path, "--source", "synthetic", "--size", size)
        assert done.returncode == 78
        (line,) = done.stderr.splitlines()
        assert "must be" in line

    @pytest.mark.parametrize(
        "source",
        ["rtsp:/me:hush42@cam/x", " rtsp://me:hush42@cam/x", "rtsp//me:hush42@cam/x", "picamera2:me:hush42@cam"],
    )
    def test_a_mistyped_address_shows_no_password(self, run_fieldfare: Run, sealed: Bundle, source: str) -> None:
        for words in (["run", "--bundle", sealed.path], ["doctor"]):
            done = run_fieldfare(*words, "--source", source)
            assert done.returncode != 0
            assert "***@cam" in done.stdout + done.stderr
            assert "hush42" not in done.stdout + done.stderr

    def test_a_service_too_ends_for_a_bundle_that_cannot_be_used(
        self, run_fieldfare: Run, bundle_copy: Path, tmp_path: Path
    ) -> None:
        (bundle_copy / "labels.txt").write_text("other\n")
        done = run_fieldfare(
            "run", "--service", "--bundle", bundle_copy, *SMALL, env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)}
        )
        assert done.returncode == 65
        seen = read(tmp_path / "status.json")
        assert seen.state == "failed"
        assert seen.why in done.stderr

    def test_a_damaged_picture_of_a_replay_is_named_and_passed_over(
        self, run_fieldfare: Run, sealed: Bundle, pictures: Path
    ) -> None:
        damaged = os.fsencode(pictures) + b"/5\xe9.png"
        Path(os.fsdecode(damaged)).write_bytes(b"\x89PNG damaged")
        done = run_fieldfare("run", "--bundle", sealed.path, "--source", pictures, "--json")
        assert done.returncode == 0
        assert len(lines(done.stdout)) == 9
        assert re.search(r"WARNING .*/5.+\.png", done.stderr)

    def test_a_source_whose_name_is_no_utf_8_is_refused(
        self, run_fieldfare: Run, sealed: Bundle, pictures: Path
    ) -> None:
        strange = os.fsdecode(os.fsencode(pictures) + b"\xe9")
        shutil.move(pictures, strange)
        done = run_fieldfare("run", "--bundle", sealed.path, "--source", strange)
        assert done.returncode == 78
        assert "not UTF-8" in done.stderr
        assert "Traceback" not in done.stderr


class TestJournal:
    def test_each_line_has_its_priority_and_a_name_has_none(
        self, run_fieldfare: Run, sealed: Bundle, pictures: Path
    ) -> None:
        folder = pictures.rename(pictures.with_name("birds\n<0>kernel: EXT4-fs error"))
        (folder / "a\n<0>b.png").write_bytes(b"\x89PNG damaged")
        journal = {**os.environ, "JOURNAL_STREAM": "1:1"}
        done = run_fieldfare("run", "--bundle", sealed.path, "--source", folder, env=journal)
        assert done.returncode == 0
        assert {line[:3] for line in done.stderr.splitlines()} == {"<4>", "<6>"}
        assert "birds <0>kernel" in done.stderr
        assert len(done.stdout.splitlines()) == 9
        done = run_fieldfare("run", "--bundle", folder / "none", *SMALL, env=journal)
        assert done.stderr.splitlines()[-1].startswith("<3>fieldfare: ")


class TestPlaces:
    def test_by_hand_there_is_no_status_file(self, run_fieldfare: Run, sealed: Bundle, tmp_path: Path) -> None:
        plain = {key: value for key, value in os.environ.items() if not key.endswith("_DIRECTORY")}
        words = ["run", "--bundle", sealed.path, *SMALL, "--frames", 1, "--quiet"]
        done = run_fieldfare(*words, cwd=tmp_path, env={**plain, "PYTHONPATH": os.getcwd()})  # noqa: PTH109
        assert (done.returncode, done.stdout) == (0, "")
        assert list(tmp_path.iterdir()) == []

    def test_of_several_folders_the_first_is_its_own(self, run_fieldfare: Run, sealed: Bundle, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        places = {**os.environ, "RUNTIME_DIRECTORY": f"{tmp_path}/one:{tmp_path}/two"}
        assert run_fieldfare("run", "--bundle", sealed.path, *SMALL, "--frames", 1, env=places).returncode == 0
        assert read(tmp_path / "one" / "status.json").state == "stopped"
        assert list((tmp_path / "two").iterdir()) == []
        done = run_fieldfare("status", "--run-dir", tmp_path / "one")
        assert done.returncode == 69
        assert done.stdout.startswith("stopped since ")


def test_a_limit_on_decisions_is_kept(sealed: Bundle, tmp_path: Path) -> None:
    running = Running(tmp_path, sealed, "--frames", "6", more="[load]\nmax_fps = 5")
    try:
        assert running.process.wait(120) == 0
    finally:
        running.close()
    results = lines(running.results_file.read_text())
    times = [float(line["captured_mono_s"]) for line in results]  # type: ignore[arg-type]
    assert times[-1] - times[0] >= 0.7


@pytest.mark.process
def test_a_store_that_can_never_be_kept_is_refused_before_anything_is_opened(
    run_fieldfare: Run, tmp_path: Path
) -> None:
    """By hand. The service goes on, and keeps events in memory until somebody mends that."""
    config = tmp_path / "fieldfare.toml"
    folder = tmp_path / "store"
    folder.mkdir()
    config.write_text(f'bundle = "nowhere"\ncamera.source = "synthetic"\nevents.store = "{folder}"\n')
    done = run_fieldfare("run", "--config", config)
    words = f"fieldfare: {folder} is a folder, so it cannot be a store: name a file, such as {folder}/events.db\n"
    assert (done.returncode, done.stdout, done.stderr) == (65, "", words)


@pytest.mark.process
def test_a_store_that_another_process_writes_is_refused_before_anything_is_opened(
    run_fieldfare: Run, tmp_path: Path
) -> None:
    config, store = tmp_path / "fieldfare.toml", tmp_path / "events.db"
    config.write_text(f'bundle = "nowhere"\ncamera.source = "synthetic"\nevents.store = "{store}"\n')
    with StoreWriter(store):
        done = run_fieldfare("run", "--config", config)
    words = f"fieldfare: another process writes the store {store} (it holds events.db.lock): stop it first, or name "
    assert (done.returncode, done.stdout, done.stderr) == (69, "", f"{words}another file in events.store\n")
