"""fieldfare device sleep and wake, with a service whose status the test writes."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from scripted import wait_until

from edge.cli import status_of
from edge.cli.device.command import device
from edge.supervision.status import EventStatus, Status, StatusFile, begin
from edge.supervision.systemd import SLEEP


def write(folder: Path, **fields: object) -> None:
    """Write the status of a service that runs in this process."""
    folder.mkdir(exist_ok=True)
    StatusFile(folder / "status.json").write(msgspec.structs.replace(begin(), **fields))


def invoke(*words: object) -> int:
    def work() -> None:
        with device.make_context("device", [str(word) for word in words]) as context:
            device.invoke(context)

    return status_of(work)


def after_the_order(folder: Path, then: Callable[[], None]) -> threading.Thread:
    """Do what the service does once it is ordered to sleep."""
    thread = threading.Thread(target=lambda: wait_until((folder / SLEEP).exists) and then())
    thread.start()
    return thread


def test_it_waits_until_everything_is_on_the_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, state="running")
    service = after_the_order(tmp_path, lambda: write(tmp_path, state="asleep", at_rest=True))
    assert invoke("sleep", "--run-dir", tmp_path) == 0
    service.join()
    assert "everything is on the disk" in capsys.readouterr().out


def test_all_instances_must_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("front", "back"):
        write(tmp_path / name, state="running")
    service = after_the_order(tmp_path / "back", lambda: write(tmp_path / "back", state="asleep", at_rest=True))
    assert invoke("sleep", "--run-dir", tmp_path, "--wait", "1") == 74
    service.join()
    assert (tmp_path / "front" / SLEEP).exists()
    assert f"{tmp_path / 'front'}: not everything is on the disk" in capsys.readouterr().err


def test_what_it_reported_before_the_order_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, state="asleep", at_rest=True)
    time.sleep(0.01)
    assert invoke("sleep", "--run-dir", tmp_path, "--wait", "1") == 74


def test_it_reports_what_keeps_events_from_the_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, state="asleep", events=EventStatus(waiting=3, fault="database or disk is full"))
    assert invoke("sleep", "--run-dir", tmp_path, "--wait", "1", "--off") == 74
    assert "3 events or frames not written: database or disk is full" in capsys.readouterr().err


@pytest.mark.parametrize("wait", ["nan", "-nan", "inf", "0", "3601"])
def test_how_long_it_waits_is_a_number_with_an_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wait: str
) -> None:
    write(tmp_path, state="asleep")
    assert invoke("sleep", "--run-dir", tmp_path, f"--wait={wait}") == 2
    assert "is not in the range 1<=x<=3600" in capsys.readouterr().err
    assert not (tmp_path / SLEEP).exists()


def test_one_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write(tmp_path, state="running")
    old = msgspec.json.decode(file.read_bytes(), type=Status)
    old.updated_mono_s -= 60
    file.write_bytes(msgspec.json.encode(old))
    assert invoke("sleep", "--run-dir", tmp_path, "--wait", "1") == 69


def test_one_that_has_ended_has_nothing_to_write(tmp_path: Path) -> None:
    write(tmp_path, state="stopped")
    assert invoke("sleep", "--run-dir", tmp_path) == 0


def test_without_a_service_it_says_so(tmp_path: Path) -> None:
    assert invoke("sleep", "--run-dir", tmp_path) == 66
    assert invoke("wake", "--run-dir", tmp_path) == 66


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_the_right_the_fix_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, state="running")
    tmp_path.chmod(0o555)
    assert invoke("sleep", "--run-dir", tmp_path) == 74
    assert "sudo" in capsys.readouterr().err
    tmp_path.chmod(0o755)


def test_wake_takes_the_order_back(tmp_path: Path) -> None:
    write(tmp_path, state="stopped")
    assert invoke("sleep", "--run-dir", tmp_path) == 0
    assert (tmp_path / SLEEP).exists()
    assert invoke("wake", "--run-dir", tmp_path) == 0
    assert not (tmp_path / SLEEP).exists()
    assert invoke("wake", "--run-dir", tmp_path) == 0  # twice is no fault


@pytest.mark.parametrize("works", [True, False])
def test_off_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool) -> None:
    write(tmp_path / "run", state="stopped")
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "called"}\nexit {0 if works else 1}\n')
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert invoke("sleep", "--off", "--run-dir", tmp_path / "run") == (0 if works else 69)
    assert (tmp_path / "called").read_text() == "--no-block poweroff\n"


def test_an_order_is_a_plain_file_whatever_was_there(tmp_path: Path) -> None:
    """Root writes into a folder of the service's user."""
    write(tmp_path, state="stopped")
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / SLEEP).symlink_to(tmp_path / "elsewhere")
    assert invoke("sleep", "--run-dir", tmp_path) == 0
    assert not (tmp_path / SLEEP).is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "kept"
