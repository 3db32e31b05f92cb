"""The service looks at its board now and then, and slows down and speeds up with it."""

import pytest

from edge.board import Readings
from edge.config.running import Load
from edge.supervision.load import regulator as regulator_module
from edge.supervision.load.regulator import Regulator


class StandInBoard:
    """A board of two cores whose readings the test sets; each process uses `share` of a core."""

    temperature_c: float | None = 40.0
    share = 0.5
    now_s = 1000.0

    def cpus(self) -> int:
        return 2

    def cpu_s(self, pid: int) -> float | None:
        return None if pid < 0 else self.now_s * self.share

    def readings(self) -> Readings:
        return Readings(self.temperature_c, None)

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> StandInBoard:
    board = StandInBoard()
    monkeypatch.setattr(regulator_module, "time", board)
    return board


def make(board: StandInBoard, load: Load | None = None, fps: float | None = 10.0) -> Regulator:
    return Regulator(load or Load(), fps, board)  # type: ignore[arg-type]


def pass_time(board: StandInBoard, regulator: Regulator, seconds: int) -> list[bool]:
    """Look once a second; whether each look changed anything."""
    looks = []
    for _ in range(seconds):
        board.now_s += 1.0
        looks.append(regulator.look([1, 2], int(board.now_s * 10)))
    return looks


def test_a_cool_board_runs_as_the_settings_ask(board: StandInBoard) -> None:
    regulator = make(board)
    assert not any(pass_time(board, regulator, 60))
    assert (regulator.limit_fps, regulator.reason) == (None, None)


def test_the_settings_own_limit_holds_from_the_start_and_needs_no_reason(board: StandInBoard) -> None:
    regulator = make(board, Load(max_fps=2.0))
    assert regulator.limit_fps == regulator.load.limit_fps == 2.0
    pass_time(board, regulator, 10)
    assert (regulator.limit_fps, regulator.reason) == (2.0, None)


def test_a_hot_board_slows_down_and_says_why(board: StandInBoard, caplog: pytest.LogCaptureFixture) -> None:
    regulator = make(board)
    board.temperature_c = 80.0
    assert any(pass_time(board, regulator, 60))
    assert regulator.limit_fps is not None
    assert 0.2 <= regulator.limit_fps <= 1.0
    assert regulator.reason == regulator.load.reason == "80.0 C of 75 C"
    assert regulator.load.temperature_c == 80.0
    assert caplog.text.count("slowed down to") == 1


def test_when_it_has_cooled_it_runs_at_full_speed_again_and_says_so_once(
    board: StandInBoard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    regulator = make(board)
    board.temperature_c = 80.0
    pass_time(board, regulator, 60)
    caplog.clear()
    board.temperature_c = 50.0
    pass_time(board, regulator, 300)
    assert (regulator.limit_fps, regulator.reason) == (None, None)
    assert [record.getMessage() for record in caplog.records] == ["at full speed again"]


def test_it_looks_once_a_second_and_no_oftener(board: StandInBoard) -> None:
    regulator, looks = make(board), []
    board.temperature_c = 80.0
    for _ in range(80):
        board.now_s += 0.125
        looks.append(regulator.look([1], 0))
    assert 0 < sum(looks) <= 10


def test_the_share_of_all_cores_is_told_from_the_second_look_on(board: StandInBoard) -> None:
    regulator = make(board)
    pass_time(board, regulator, 1)
    assert regulator.load.cpu_percent is None
    pass_time(board, regulator, 2)
    assert regulator.load.cpu_percent == pytest.approx(50.0)  # two processes, half a core each, of two cores


def test_a_new_worker_begins_a_new_account(board: StandInBoard) -> None:
    regulator = make(board)
    pass_time(board, regulator, 10)
    board.share = 0.001
    pass_time(board, regulator, 1)
    assert regulator.load.cpu_percent is None
    pass_time(board, regulator, 1)
    assert regulator.load.cpu_percent == pytest.approx(0.1)


def test_a_board_that_offers_nothing_is_no_reason_to_slow_down(board: StandInBoard) -> None:
    board.temperature_c = None
    regulator = make(board, fps=None)
    for _ in range(20):
        board.now_s += 1.0
        assert not regulator.look([-1], 0)
    assert (regulator.limit_fps, regulator.load.temperature_c) == (None, None)
