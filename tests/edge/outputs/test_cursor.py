"""A cursor: in memory at once, on the card seldom, and never a reason to fail."""

import logging
from pathlib import Path

import pytest

from edge.outputs import cursor as cursors
from edge.outputs.cursor import Cursor, Position


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cursors.time, "monotonic", clock.monotonic)
    return clock


def on_disk(path: Path) -> int | None:
    found = Cursor(path, None).load()
    return found[-1].number if found else None


def test_a_trickle_is_written_to_the_card_every_ten_minutes_and_to_memory_at_once(tmp_path: Path, clock: Clock) -> None:
    disk, memory = tmp_path / "outputs" / "mqtt.json", tmp_path / "run" / "mqtt.json"
    cursor = Cursor(disk, memory)
    cursor.advance(Position("s", 1))
    writes = []
    for number in range(2, 142):
        clock.now_s += 10
        cursor.advance(Position("s", number))
        assert on_disk(memory) == number
        writes.append(on_disk(disk))
    assert len(set(writes)) == 3  # 1,400 s


def test_a_backlog_is_written_at_most_once_a_second(tmp_path: Path, clock: Clock) -> None:
    cursor = Cursor(tmp_path / "mqtt.json", None)
    seen = set()
    for number in range(1, 4001):
        clock.now_s += 0.001
        cursor.advance(Position("s", number))
        seen.add(on_disk(tmp_path / "mqtt.json"))
    assert 4 <= len(seen) <= 5


def test_what_is_due_comes_without_another_event(tmp_path: Path, clock: Clock) -> None:
    disk, memory = tmp_path / "mqtt.json", tmp_path / "run" / "mqtt.json"
    cursor = Cursor(disk, memory)
    cursor.advance(Position("s", 1))
    cursor.advance(Position("s", 2))
    assert on_disk(memory) == 1
    while (due_s := cursor.next_s()) is not None:
        clock.now_s += due_s
        cursor.tick()
    assert (on_disk(memory), on_disk(disk)) == (2, 2)


def test_the_end_is_written(tmp_path: Path) -> None:
    cursor = Cursor(tmp_path / "mqtt.json", None)
    cursor.advance(Position("s", 1))
    cursor.advance(Position("s", 2))
    cursor.save()
    assert on_disk(tmp_path / "mqtt.json") == 2


def test_the_furthest_position_is_loaded_last(tmp_path: Path) -> None:
    for name, number in (("disk", 5), ("memory", 9)):
        Cursor(tmp_path / name, None).advance(Position("s", number))
    assert [position.number for position in Cursor(tmp_path / "disk", tmp_path / "memory").load()] == [5, 9]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"store": 3, "number": 4}', b"\xff\xff", b"x" * 10_000])
def test_a_damaged_file_is_reported_and_begun_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mqtt.json"
    path.write_bytes(content)
    assert Cursor(path, None).load() == []
    assert "begins anew" in caplog.text
    Cursor(path, None).advance(Position("s", 1))
    assert on_disk(path) == 1


def test_a_disk_that_cannot_be_written_is_reported_once(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    cursor = Cursor(tmp_path / "file" / "mqtt.json", None)
    for number in range(1, 5):
        clock.now_s += 3600
        cursor.advance(Position("s", number))
    assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == [logging.WARNING]


def test_what_it_stands_for_is_on_the_disk_first(tmp_path: Path) -> None:
    path = tmp_path / "lines.json"
    seen: list[bool] = []
    Cursor(path, None, before_saving=lambda: seen.append(path.exists())).advance(Position("s", 1))
    assert seen == [False]
    assert path.exists()


def test_it_stays_behind_what_could_not_be_synced(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    Cursor(tmp_path / "lines.json", None, before_saving=fail).advance(Position("s", 1))
    assert not (tmp_path / "lines.json").exists()
