"""The score log: what is written is read back, pieces can be cut and joined, and damage is one line."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from score_streams import LABELS, NOTHING_SEEN, OWL_SEEN, WREN_SEEN, all_reports, ended, stream

from edge.config.keeping import Events
from edge.errors import DataError, MissingInputError
from edge.events.log_clock import ClockPiece, unpacked
from edge.events.records import ClockQuality
from edge.events.score_log import ScoreLog, ScoreLogWriter, is_score_log
from edge.events.wall_clock import ClockReading

THRESHOLDS = (0.7, 0.7, 0.7)
WALL_S = 1.8e9
Frames = list[tuple[float, tuple[float, ...]]]
VISITS = stream((4, NOTHING_SEEN), (3, OWL_SEEN), (12, NOTHING_SEEN), (3, WREN_SEEN), (30, NOTHING_SEEN))


def pieces_of(frames: Frames, labels: tuple[str, ...] = LABELS, bundle: str = "b1") -> list[bytes]:
    writer = ScoreLogWriter(labels, bundle, [0.7] * len(labels))
    given = [writer.add(mono_s, WALL_S + mono_s, np.array(values, np.float32)) for mono_s, values in frames]
    return [piece for piece in [*given, writer.flush()] if piece is not None]


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "scores.log"
    path.write_bytes(data)
    return path


def read_back(path: Path) -> list[tuple[float, float, list[float]]]:
    log = ScoreLog(path)
    try:
        return [(mono, wall, list(scores)) for life in log.lives for mono, wall, scores in log.frames(life)]
    finally:
        log.close()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path, b"".join(pieces_of(VISITS)))
    assert is_score_log(path)
    read = read_back(path)
    assert len(read) == len(VISITS)
    for (mono_s, wall_s, scores), (was_s, values) in zip(read, VISITS, strict=True):
        assert mono_s == pytest.approx(was_s, abs=0.00006)
        assert wall_s == pytest.approx(WALL_S + was_s, abs=0.001)
        assert scores == pytest.approx(values, abs=0.00001)
    log = ScoreLog(path)
    (life,) = log.lives
    assert (life.bundle, tuple(life.labels), life.is_whole) == ("b1", LABELS, True)
    assert life.thresholds == pytest.approx(THRESHOLDS)
    log.close()


def clock(boot: str, mono_s: float, wall_s: float, quality: ClockQuality) -> bytes:
    return ClockPiece(boot, mono_s, ClockReading(wall_s - mono_s, quality)).packed()


def walls_of(path: Path, *moments: float) -> list[tuple[float, str]]:
    """The wall time of each moment in the log's last life, to a second, and its quality."""
    log = ScoreLog(path)
    log.close()
    readings = [(mono_s, log.reading(log.lives[-1], mono_s)) for mono_s in moments]
    return [(round(mono_s + reading.offset_s), reading.quality) for mono_s, reading in readings]


def test_a_clock_that_is_set_later_mends_what_was_before_it_in_its_boot(tmp_path: Path) -> None:
    first, *rest = pieces_of(VISITS)
    path = write(tmp_path, clock("a", 10, 10, "none") + first)
    assert walls_of(path, 3) == [(3, "none")]
    path = write(tmp_path, path.read_bytes() + clock("a", 12, WALL_S, "ntp") + b"".join(rest))
    assert is_score_log(path)
    assert walls_of(path, 3, 30) == [(WALL_S - 9, "ntp"), (WALL_S + 18, "ntp")]
    assert len(read_back(path)) == len(VISITS)


def test_the_clock_of_another_boot_mends_nothing(tmp_path: Path) -> None:
    other = b"".join(pieces_of(VISITS, bundle="b2"))
    path = write(tmp_path, clock("b", 5, WALL_S, "ntp") + other + clock("a", 5, 5, "none") + pieces_of(VISITS)[0])
    assert walls_of(path, 3) == [(3, "none")]


def test_a_log_of_before_has_the_first_time_that_a_set_clock_showed(tmp_path: Path) -> None:
    writer = ScoreLogWriter(LABELS, "b1", THRESHOLDS)
    given = [
        writer.add(i / 10, (i / 10 if i < 150 else WALL_S + i / 10), np.array(NOTHING_SEEN, np.float32))
        for i in range(400)
    ]
    pieces = [piece for piece in [*given, writer.flush()] if piece is not None]
    assert walls_of(write(tmp_path, pieces[0]), 3) == [(3, "none")]
    assert walls_of(write(tmp_path, b"".join(pieces)), 3) == [(WALL_S + 3, "rtc")]


@given(st.binary(max_size=60))
def test_no_bytes_pass_for_a_clock_by_chance(content: bytes) -> None:
    assert unpacked(content) is None
    whole = ClockPiece("a", 1.0, ClockReading(float("nan"), "ntp")).packed()
    assert unpacked(whole[12:]) is None


def test_a_piece_comes_about_every_ten_seconds_and_takes_few_bytes() -> None:
    rng = np.random.default_rng(0)
    noisy = [(i / 10, tuple(rng.dirichlet((1.0,) * 6))) for i in range(6000)]
    pieces = pieces_of(noisy, labels=tuple("abcdef"))
    assert 55 <= len(pieces) <= 61
    assert sum(map(len, pieces)) / len(noisy) < 20


def test_of_many_labels_the_best_eight_are_kept(tmp_path: Path) -> None:
    labels = tuple(f"species {number}" for number in range(1001))
    rng = np.random.default_rng(0)
    frames = [(i / 10, tuple(rng.dirichlet(np.full(1001, 0.01)))) for i in range(300)]
    data = b"".join(pieces_of(frames, labels))
    log = ScoreLog(write(tmp_path, data))
    (life,) = log.lives
    assert not life.is_whole
    for (_, _, scores), (_, values) in zip(log.frames(life), frames, strict=True):
        best = np.argsort(values)[-8:]
        kept = {life.labels[index]: float(scores[index]) for index in np.flatnonzero(scores)}
        assert kept == pytest.approx(
            {labels[index]: values[index] for index in best if round(values[index] * 65535)}, abs=0.00001
        )
    log.close()


def test_it_holds_its_messages_small_whatever_the_labels() -> None:
    labels = tuple(f"{number:0>1000}" for number in range(2000))
    rng = np.random.default_rng(0)
    pieces = pieces_of([(i / 1000, tuple(rng.random(2000))) for i in range(500)], labels)
    assert max(map(len, pieces)) < 100_000


def test_replayed_events_are_the_live_ones(tmp_path: Path) -> None:
    log = ScoreLog(write(tmp_path, b"".join(pieces_of(VISITS))))
    (life,) = log.lives
    replayed = ended(all_reports([(mono, tuple(scores)) for mono, _, scores in log.frames(life)], Events()))
    log.close()
    for event, was in zip(replayed, ended(all_reports(VISITS, Events())), strict=True):
        assert (event.label, event.frames) == (was.label, was.frames)
        assert event.begin_mono_s == pytest.approx(was.begin_mono_s, abs=0.0001)
        assert event.peak == pytest.approx(was.peak, abs=0.0001)


def test_any_run_of_pieces_is_a_log(tmp_path: Path) -> None:
    pieces = pieces_of(VISITS)
    assert len(pieces) >= 5
    whole = read_back(write(tmp_path, b"".join(pieces)))
    part = read_back(write(tmp_path, b"".join(pieces[2:4])))
    assert part == [frame for frame in whole if part[0][0] <= frame[0] <= part[-1][0]]


def test_lives_and_bundles_are_kept_apart(tmp_path: Path) -> None:
    later = [(mono_s - 900, values) for mono_s, values in VISITS[:50]]
    data = b"".join(pieces_of(VISITS[:150]) + pieces_of(later) + pieces_of(later, bundle="b2"))
    log = ScoreLog(write(tmp_path, data))
    assert [(life.bundle, life.mono_s) for life in log.lives] == [("b1", 1000.0), ("b1", 100.0), ("b2", 100.0)]
    log.close()


@pytest.mark.parametrize("torn", [1, 11, 12, 40, -1])
def test_a_torn_end_is_left_out(tmp_path: Path, torn: int) -> None:
    pieces = pieces_of(VISITS)
    whole = read_back(write(tmp_path, b"".join(pieces[:-1])))
    path = write(tmp_path, b"".join(pieces[:-1]) + pieces[-1][:torn])
    assert read_back(path) == whole
    log = ScoreLog(path)
    assert log.unread == len(pieces[-1][:torn])
    log.close()


def test_zeros_at_the_end_are_left_out(tmp_path: Path) -> None:
    data = b"".join(pieces_of(VISITS))
    whole = read_back(write(tmp_path, data))
    assert read_back(write(tmp_path, data + bytes(4096))) == whole


@pytest.mark.parametrize("data", [b"", b"FSL1", b"\0" * 100, b"\x89PNG\r\n\x1a\n" + b"x" * 100])
def test_what_is_no_log_is_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"not a score log|damaged at byte 0"):
        ScoreLog(write(tmp_path, data))


def test_damage_in_the_middle_is_one_line(tmp_path: Path) -> None:
    pieces = pieces_of(VISITS)
    broken = bytearray(b"".join(pieces))
    broken[len(pieces[0]) + 30] ^= 1
    with pytest.raises(DataError, match=f"damaged at byte {len(pieces[0])}: its checksum is wrong"):
        ScoreLog(write(tmp_path, bytes(broken)))


def test_a_log_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="cannot read: No such file"):
        ScoreLog(tmp_path / "none.log")
    assert not is_score_log(tmp_path / "none.log")


SMALL = pieces_of(VISITS)


@settings(max_examples=300)
@given(st.integers(0, 2**32 - 1))
@example(0)
def test_any_mutant_is_frames_or_one_line(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    path = tmp_path_factory.mktemp("mutant") / "scores.log"
    path.write_bytes(_mutant(random.Random(seed)))
    try:
        frames = read_back(path)
    except DataError as error:
        assert "\n" not in str(error)
        return
    assert frames
    assert all(np.isfinite(mono_s) and np.isfinite(wall_s) for mono_s, wall_s, _ in frames)
    assert all(0 <= score <= 1 for _, _, scores in frames for score in scores)


def _mutant(rng: random.Random) -> bytes:
    """Change, cut, repeat or swap bytes of a log; half of the time inside a piece whose checksum is mended."""
    import struct
    import zlib

    if rng.random() < 0.5:
        packed = bytearray(zlib.decompress(SMALL[0][12:]))
        for _ in range(rng.randint(1, 4)):
            packed[rng.randrange(len(packed))] = rng.randrange(256)
        body = zlib.compress(bytes(packed))
        return struct.pack("<4sII", b"FSL1", len(body), zlib.crc32(body)) + body + SMALL[1]
    data = bytearray(b"".join(SMALL))
    for _ in range(rng.randint(1, 3)):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        if (kind := rng.randrange(3)) == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[at:end]
        else:
            data[at:at] = data[at:end]
    return bytes(data)
