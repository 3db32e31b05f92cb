"""The scores of one event, found in a log without reading all of it."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events.log_clock import ClockPiece
from edge.events.records import Event
from edge.events.score_curve import AROUND_S, score_curve
from edge.events.score_log import ScoreLogWriter
from edge.events.wall_clock import ClockReading

BOOT, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
EVENT = Event(
    device="barn", boot=BOOT, sequence=1, label="robin", begin_mono_s=500.0, end_mono_s=520.0, peak=0.9,
    peak_mono_s=510.0, mean=0.8, frames=200, engine="cpu", bundle="b", camera="c",
)  # fmt: skip


def score_at(mono_s: float) -> float:
    return 0.5 + 0.4 * math.sin(mono_s / 7)


def pieces(boot: str, begin_s: float, end_s: float, labels: list[str], place: int = 0) -> bytes:
    """A log of ten frames a second, in which the label at `place` follows a sine."""
    writer, log = ScoreLogWriter(labels, "b", [0.6] * len(labels)), b""
    log += ClockPiece(boot, begin_s, ClockReading(1.7e9, "ntp")).packed()
    for number in range(round((end_s - begin_s) * 10)):
        mono_s = begin_s + number / 10
        scores = np.full(len(labels), 0.01, np.float32)
        scores[place] = score_at(mono_s)
        log += writer.add(mono_s, mono_s, scores) or b""
    return log + (writer.flush() or b"")


@pytest.mark.parametrize("labels", [["robin", "owl"], [*(f"x{number}" for number in range(40)), "robin"]])
def test_it_is_the_score_of_each_frame_around_the_event(tmp_path: Path, labels: list[str]) -> None:
    log = tmp_path / "scores.log"
    log.write_bytes(pieces(OTHER, 450, 560, labels, 0) + pieces(BOOT, 0, 900, labels, labels.index("robin")))
    curve = score_curve(log, EVENT)
    assert curve is not None
    assert len(curve.seconds) == pytest.approx((20 + 2 * AROUND_S) * 10, abs=1)
    assert (curve.seconds[0], curve.seconds[-1]) == pytest.approx((-AROUND_S, 20 + AROUND_S), abs=0.11)
    for second, score in zip(curve.seconds, curve.scores, strict=True):
        assert score == pytest.approx(score_at(500 + second), abs=2e-3)
    assert curve.threshold == pytest.approx(0.6)


def test_it_goes_on_in_the_next_file(tmp_path: Path) -> None:
    log = tmp_path / "scores.log"
    (tmp_path / "scores.log.1").write_bytes(pieces(BOOT, 0, 510, ["robin"]))
    log.write_bytes(pieces(BOOT, 510, 900, ["robin"]))
    curve = score_curve(log, EVENT)
    assert curve is not None
    assert len(curve.seconds) == pytest.approx(260, abs=1)
    assert curve.seconds == sorted(curve.seconds)


def test_of_an_unknown_thing_it_is_the_best_score(tmp_path: Path) -> None:
    (tmp_path / "scores.log").write_bytes(pieces(BOOT, 400, 600, ["owl", "robin"], 1))
    curve = score_curve(tmp_path / "scores.log", msgspec.structs.replace(EVENT, label="unknown"))
    assert curve is not None
    assert curve.scores[0] == pytest.approx(score_at(500 + curve.seconds[0]), abs=2e-3)
    assert curve.threshold is None


def test_a_label_that_was_never_among_the_best_had_none(tmp_path: Path) -> None:
    (tmp_path / "scores.log").write_bytes(pieces(BOOT, 400, 600, [f"x{number}" for number in range(40)]))
    curve = score_curve(tmp_path / "scores.log", EVENT)
    assert curve is not None
    assert set(curve.scores) == {0.0}


@pytest.mark.parametrize(("begin_s", "end_s", "boot"), [(0, 400, BOOT), (600, 700, BOOT), (400, 600, OTHER)])
def test_a_log_of_another_time_holds_none(tmp_path: Path, begin_s: int, end_s: int, boot: str) -> None:
    (tmp_path / "scores.log").write_bytes(pieces(boot, begin_s, end_s, ["robin"]))
    assert score_curve(tmp_path / "scores.log", EVENT) is None


def test_no_log_a_link_and_a_pipe_hold_none(tmp_path: Path) -> None:
    assert score_curve(tmp_path / "scores.log", EVENT) is None
    (tmp_path / "real").write_bytes(pieces(BOOT, 400, 600, ["robin"]))
    (tmp_path / "scores.log").symlink_to(tmp_path / "real")
    assert score_curve(tmp_path / "scores.log", EVENT) is None


WHOLE = pieces(BOOT, 480, 540, ["robin", "owl"])


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=20), st.booleans())
def test_a_damaged_log_ends_where_it_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, place: int, junk: bytes, cut: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    data = WHOLE[:place] + junk + (b"" if cut else WHOLE[place + len(junk) :])
    (folder / "scores.log").write_bytes(data)
    curve = score_curve(folder / "scores.log", EVENT)
    assert curve is None or all(0 <= score <= 1 for score in curve.scores)
