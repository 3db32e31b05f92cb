"""Asking for a reboot: recorded before it is asked for, and never more often than the budget says."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge.supervision.reboot import Reboot, RebootHook
from edge.supervision.systemd import RECORD, REQUEST


@pytest.fixture
def hook(tmp_path: Path) -> RebootHook:
    for name in ("state", "run"):
        (tmp_path / name).mkdir()
    return RebootHook(tmp_path / "state", tmp_path / "run", a_day=2)


def boot_again(hook: RebootHook) -> RebootHook:
    """What is in memory is gone."""
    (hook.run / REQUEST).unlink(missing_ok=True)
    return RebootHook(hook.state, hook.run, hook.a_day)


def recorded(hook: RebootHook) -> list[Reboot]:
    return msgspec.json.decode((hook.state / RECORD).read_bytes(), type=list[Reboot])


def test_a_request_says_why_and_is_recorded(hook: RebootHook) -> None:
    before = time.time()
    assert hook.request("no frame for 3 s")
    assert (hook.run / REQUEST).read_text() == "no frame for 3 s\n"
    (reboot,) = recorded(hook)
    assert reboot.why == "no frame for 3 s"
    assert before <= reboot.wall_s <= time.time()
    assert [path.name for path in hook.state.iterdir()] == [RECORD]


def test_the_budget_outlives_the_reboots(hook: RebootHook, caplog: pytest.LogCaptureFixture) -> None:
    asked = []
    for _ in range(4):
        asked.append(hook.request("silent"))
        requested = (hook.run / REQUEST).exists()
        assert requested == asked[-1]
        hook = boot_again(hook)
    assert asked == [True, True, False, False]
    assert "no reboot: 2 in 24 hours were tried already (recovery.reboots_a_day)" in caplog.text


def test_after_a_day_there_are_new_ones(hook: RebootHook) -> None:
    yesterday = time.time() - 24 * 3600 - 1
    (hook.state / RECORD).write_bytes(msgspec.json.encode([Reboot(yesterday, "silent")] * 9))
    assert hook.request("silent")
    assert len(recorded(hook)) == 10


def test_the_record_does_not_grow_for_ever(hook: RebootHook) -> None:
    (hook.state / RECORD).write_bytes(msgspec.json.encode([Reboot(float(n), "silent") for n in range(500)]))
    assert hook.request("silent")
    assert len(recorded(hook)) == 100
    assert recorded(hook)[-1].wall_s > 500


@pytest.mark.parametrize("torn", [b"", b'[{"wall_s":17', b"\xff\x00", b'[{"wall_s":1,"why":"\xff"}]', b"{}"])
def test_a_torn_record_counts_as_one_and_is_begun_anew(
    hook: RebootHook, torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (hook.state / RECORD).write_bytes(torn)
    assert [hook.request("silent"), hook.request("silent")] == [True, False]
    assert "begun anew" in caplog.text
    assert [reboot.why for reboot in recorded(hook)] == ["record was damaged", "silent"]


def test_without_a_record_there_is_no_request(hook: RebootHook, caplog: pytest.LogCaptureFixture) -> None:
    # Not by permissions: root, as which tests may run, has them all.
    hook.state.rmdir()
    assert not hook.request("silent")
    assert not (hook.run / REQUEST).exists()
    assert "no reboot: " in caplog.text
    assert "No such file or directory" in caplog.text


def test_a_record_that_cannot_be_read_is_no_reason_to_reboot(hook: RebootHook) -> None:
    (hook.state / RECORD).mkdir()
    assert not hook.request("silent")
    assert not (hook.run / REQUEST).exists()


def test_a_request_that_cannot_be_written_is_said(hook: RebootHook, caplog: pytest.LogCaptureFixture) -> None:
    hook.run.rmdir()
    assert not hook.request("silent")
    assert f"no reboot: {hook.run / REQUEST}: No such file or directory" in caplog.text


@pytest.mark.parametrize("name", [REQUEST, f".{REQUEST}.partial"])
def test_a_pipe_in_the_place_of_the_request_does_not_block(hook: RebootHook, name: str) -> None:
    os.mkfifo(hook.run / name)
    assert hook.request("silent")
    assert (hook.run / REQUEST).read_text() == "silent\n"


def test_a_folder_in_the_place_of_the_request_is_said(hook: RebootHook, caplog: pytest.LogCaptureFixture) -> None:
    (hook.run / REQUEST).mkdir()
    assert not hook.request("silent")
    assert f"no reboot: {hook.run / REQUEST}: Is a directory" in caplog.text


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: Path(path).symlink_to("/dev/zero")])
def test_a_record_that_is_no_file_is_no_reason_to_reboot(hook: RebootHook, make: Callable[[Path], None]) -> None:
    make(hook.state / RECORD)
    assert not hook.request("silent")


def test_the_record_is_synced_before_the_request_is_there(hook: RebootHook, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[bool, bool]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append(((hook.state / RECORD).exists(), (hook.run / REQUEST).exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    assert hook.request("silent")
    assert synced == [(False, False), (True, False)]  # the file before it has its name, then the folder
