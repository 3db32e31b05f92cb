"""Requests for the newest picture: what the pages leave, and how the worker reads what may be anything."""

import logging
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.live.places import REQUEST
from edge.live.request import FRESH_S, MOST_BYTES, Focus, Requests, Wanted, leave

PICTURE, FOCUS = Wanted(picture=True), Wanted(focus=Focus(0.25, 0.75, 0.1))


class TestWhatIsWanted:
    def test_nothing_if_nobody_ever_looked(self, tmp_path: Path) -> None:
        assert Requests(tmp_path).wanted(10.0) is None
        assert Requests(tmp_path / "not there").wanted(10.0) is None

    def test_a_request_is_read_and_counts_for_three_seconds(self, tmp_path: Path) -> None:
        requests = Requests(tmp_path)
        leave(tmp_path, PICTURE)
        assert requests.wanted(10.0) == PICTURE
        assert requests.wanted(10.0 + FRESH_S - 0.1) == PICTURE
        assert requests.wanted(10.0 + FRESH_S) is None
        leave(tmp_path, PICTURE)
        assert requests.wanted(20.0) == PICTURE, "the same again is new"

    def test_one_that_was_there_before_is_none(self, tmp_path: Path) -> None:
        """Whoever left it may have gone before this worker began."""
        leave(tmp_path, PICTURE)
        requests = Requests(tmp_path)
        assert requests.wanted(10.0) is None
        leave(tmp_path, PICTURE)
        assert requests.wanted(10.5) == PICTURE

    def test_no_clock_that_jumps_makes_it_older_or_newer(self, tmp_path: Path) -> None:
        requests = Requests(tmp_path)
        for wall_s in (0, 4_000_000_000):
            leave(tmp_path, PICTURE)
            os.utime(tmp_path / REQUEST, (wall_s, wall_s))
            assert requests.wanted(10.0) == PICTURE
            assert requests.wanted(10.0 + FRESH_S) is None

    def test_two_servers_that_leave_them_in_turn_both_get_what_they_want(self, tmp_path: Path) -> None:
        requests = Requests(tmp_path)
        leave(tmp_path, PICTURE)
        requests.wanted(10.0)
        leave(tmp_path, FOCUS)
        assert requests.wanted(11.0) == Wanted(picture=True, focus=FOCUS.focus)
        assert requests.wanted(10.0 + FRESH_S) == FOCUS

    def test_without_a_new_one_nothing_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        requests = Requests(tmp_path)
        leave(tmp_path, PICTURE)
        requests.wanted(10.0)
        monkeypatch.setattr("edge.live.request.read_bounded", None)
        assert requests.wanted(10.5) == PICTURE
        (tmp_path / REQUEST).unlink()
        monkeypatch.undo()
        assert requests.wanted(11.0) == PICTURE
        assert requests.wanted(20.0) is None


HOSTILE = {
    "not JSON": b"picture",
    "not UTF-8": b'{"picture": "\xff"}',
    "a field of another name": b'{"picture": true, "path": "/etc/passwd"}',
    "another type": b'{"picture": "yes"}',
    "a number that is none": b'{"focus": {"x": NaN}}',
    "a number beyond all": b'{"focus": {"size": 1e999}}',
    "far off": b'{"focus": {"size": -1e300}}',
    "nested": b"[" * (MOST_BYTES - 1),
    "too large": b'{"picture": true}' + b" " * MOST_BYTES,
    "empty": b"",
}


class TestHostile:
    @pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
    def test_what_is_no_request_is_none_and_is_logged_once(
        self, tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        requests = Requests(tmp_path)
        for now in (10.0, 11.0):
            (tmp_path / "new").write_bytes(data)
            (tmp_path / "new").replace(tmp_path / REQUEST)
            assert requests.wanted(now) is None
        assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == [logging.WARNING]
        assert caplog.messages[0].isprintable()
        leave(tmp_path, PICTURE)
        assert requests.wanted(12.0) == PICTURE

    @pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket", "loop"])
    def test_what_is_no_plain_file_is_not_read_and_never_waited_for(self, tmp_path: Path, kind: str) -> None:
        requests, path = Requests(tmp_path), tmp_path / REQUEST
        if kind == "link":
            leave(tmp_path, PICTURE)
            path.rename(tmp_path / "real")
            path.symlink_to(tmp_path / "real")
        elif kind == "loop":
            path.symlink_to(path)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(os.path.relpath(path))
        assert requests.wanted(10.0) is None

    def test_one_that_may_not_be_read_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> bytes:
            raise PermissionError(13, "Permission denied")

        requests = Requests(tmp_path)
        leave(tmp_path, PICTURE)
        monkeypatch.setattr("edge.live.request.read_bounded", refuse)
        assert requests.wanted(10.0) is None


FINITE = st.floats(-1e9, 1e9)


@given(FINITE, FINITE, FINITE)
def test_a_part_lies_in_the_frame_whatever_is_wanted(x: float, y: float, size: float) -> None:
    left, top, width, height = Focus(x, y, size).box
    assert 0 <= left <= left + width <= 1 + 1e-9
    assert 0 <= top <= top + height <= 1 + 1e-9
    assert 0.02 <= width == height <= 1


@pytest.mark.parametrize(
    ("focus", "box"),
    [
        (Focus(0.5, 0.5, 0.5), (0.25, 0.25, 0.5, 0.5)),
        (Focus(0.0, 1.0, 0.25), (0.0, 0.75, 0.25, 0.25)),
        (Focus(0.9, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0)),
    ],
)
def test_it_is_moved_in_and_not_cut_off(focus: Focus, box: tuple[float, float, float, float]) -> None:
    assert focus.box == box


def test_a_request_is_for_the_group_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    leave(tmp_path, FOCUS)
    assert [path.name for path in tmp_path.iterdir()] == [REQUEST]
    assert (tmp_path / REQUEST).stat().st_mode & 0o777 == 0o640
    assert (tmp_path / REQUEST).stat().st_size < 100
