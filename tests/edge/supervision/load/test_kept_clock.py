"""What is known of the wall clock survives a restart of the service in the same boot."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.events.records import ClockQuality
from edge.events.wall_clock import RELEASED_WALL_S, ClockReading, WallClock
from edge.supervision.load.kept_clock import KeptClock

TODAY_S = RELEASED_WALL_S + 1e6


class Board:
    """A board without a clock of its own; `service` starts a service on it."""

    def __init__(self, file: Path) -> None:
        self.file, self.mono_s, self.wall_s = file, 50.0, TODAY_S

    def service(self, boot: str = "a") -> KeptClock:
        clock = WallClock(
            clocks=lambda: (self.mono_s, self.wall_s), kernel=lambda: False, timesyncd=lambda: None, rtc=lambda: None
        )
        return KeptClock(clock, self.file, boot)

    def quality(self, clock: KeptClock, step_s: float = 0.0) -> ClockQuality:
        self.mono_s += 1.0
        self.wall_s += 1.0 + step_s
        return clock.look().quality


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "clock.json")


def test_a_clock_that_a_person_set_is_trusted_by_the_next_service(board: Board) -> None:
    first = board.service()
    assert [board.quality(first), board.quality(first, step_s=3600.0)] == ["none", "hand"]
    assert board.quality(board.service()) == "hand"


def test_one_that_was_set_in_between_was_set_by_hand(board: Board) -> None:
    board.quality(board.service())
    assert board.quality(board.service(), step_s=-90.0) == "hand"


def test_in_another_boot_it_means_nothing(board: Board) -> None:
    first = board.service()
    board.quality(first)
    board.quality(first, step_s=3600.0)
    assert board.quality(board.service("b")) == "none"


def test_the_file_is_written_only_if_something_changed(board: Board) -> None:
    clock = board.service()
    board.quality(clock)
    written = board.file.stat().st_ino
    assert [board.quality(clock) for _ in range(5)] == ["none"] * 5
    assert board.file.stat().st_ino == written
    board.quality(clock, step_s=5.0)
    assert board.file.stat().st_ino != written


def link_to_itself(file: Path) -> None:
    file.symlink_to(file.name)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda file: file.write_bytes(b"\xff{"),
    "a wrong quality": lambda file: file.write_text('{"boot":"a","offset_s":1,"quality":"best"}'),
    "no number": lambda file: file.write_text('{"boot":"a","offset_s":1e400,"quality":"hand"}'),
    "far off": lambda file: file.write_text('{"boot":"a","offset_s":1e30,"quality":"hand"}'),
    "too large": lambda file: file.write_bytes(b" " * 5000),
    "a folder": Path.mkdir,
    "a link": link_to_itself,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_file_that_cannot_be_read_is_no_fault(
    board: Board, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    damage(board.file)
    clock = board.service()
    assert board.quality(clock) == "none"
    assert "cannot be read" in caplog.text


def test_a_folder_that_is_gone_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    board = Board(tmp_path / "gone" / "clock.json")
    clock = board.service()
    assert [board.quality(clock) for _ in range(3)] == ["none"] * 3
    assert caplog.text.count("cannot be written") == 1
    assert clock.look() == ClockReading(TODAY_S - 50.0, "none")
