"""The soak: faults are drawn by their weights, bounds are held, memory is read, and a part of a day passes well."""

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("flatbuffers")
pytest.importorskip("ai_edge_litert")

from tools.soaking.day import Log, Strike, draw
from tools.soaking.faults import FAULTS
from tools.soaking.judged import may_lack_picture, own_growth, slopes
from tools.soaking.memory import Sample, Written, look, slope

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("supervisor", "worker", "recorder", "outputs")
BY_NAME = {fault.name: fault for fault in FAULTS}


def struck(name: str, back_s: float | None, gap_s: float = 0.0) -> Strike:
    """A fault from 100 s to 110 s."""
    return Strike(BY_NAME[name], 100.0, back_s, end_s=110.0, gap_s=gap_s)


def a_sample(at: float, rss_mib: float, pid: int = 1, parts: Sequence[str] = PARTS) -> Sample:
    each = dict.fromkeys(parts, (pid, rss_mib))
    return Sample(at, rss_mib, rss_mib, rss_mib, open_files=40, threads=12, each=each, done=0)


def test_faults_are_drawn_by_their_weights_and_the_same_for_the_same_seed() -> None:
    drawn = [[draw(rng, FAULTS).name for _ in range(4000)] for rng in (random.Random(1), random.Random(1))]
    assert drawn[0] == drawn[1]
    counts, total = Counter(drawn[0]), sum(fault.weight for fault in FAULTS)
    for fault in FAULTS:
        assert counts[fault.name] == pytest.approx(4000 * fault.weight / total, rel=0.35)


@pytest.mark.parametrize(
    ("name", "back_s", "gap_s", "broken"),
    [
        ("camera stalls", 4.9, 9.0, False),
        ("camera stalls", 5.1, 9.0, True),
        ("camera stalls", None, 0.0, True),
        ("fsync hangs", 10.0, 2.9, False),
        ("fsync hangs", 10.0, 3.1, True),
        ("fsync hangs", 61.0, 0.1, True),
    ],
)
def test_a_fault_is_broken_over_its_bound_or_when_the_camera_stopped_for_a_disk(
    name: str, back_s: float | None, gap_s: float, broken: bool
) -> None:
    assert struck(name, back_s, gap_s).broken is broken


def test_only_a_disk_that_takes_nothing_excuses_a_picture() -> None:
    full, stalled = Log(strikes=[struck("writes fail: full", 1.0)]), Log(strikes=[struck("camera stalls", 1.0)])
    assert may_lack_picture(full, {"at_mono_s": 105.0})
    assert not may_lack_picture(full, {"at_mono_s": 111.0})
    assert not may_lack_picture(stalled, {"at_mono_s": 105.0})


def test_the_slope_is_a_days_and_leaves_out_the_warm_up_and_what_was_just_being_started() -> None:
    hours = [a_sample(hour / 24, 500.0 if hour < 6 else 100.0 + hour / 24) for hour in range(48)]
    missing = [a_sample(hour / 24, 10.0, parts=PARTS[:3]) for hour in (10, 20)]
    assert slope(hours[6:], "rss_mib") == pytest.approx(1.0)
    assert slopes(Log(samples=[*hours, *missing]))["rss_mib"] == pytest.approx(1.0)


def test_a_leak_is_found_even_if_its_process_is_started_again_every_day() -> None:
    saw = [a_sample(hour / 24, 100.0 + 8 * (hour % 24) / 24, pid=hour // 24) for hour in range(7 * 24)]
    assert slopes(Log(samples=saw))["rss_mib"] < 2
    assert own_growth(Log(samples=saw)) == pytest.approx(dict.fromkeys(PARTS, 8.0))


def test_nothing_is_reported_of_processes_that_lived_too_shortly() -> None:
    assert own_growth(Log(samples=[a_sample(hour / 24, 100.0, pid=hour // 5) for hour in range(48)])) == {}


def test_processes_are_looked_at_and_one_that_has_ended_is_left_out() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    seen = look(0.5, {"supervisor": os.getpid(), "worker": ended.pid}, 7)
    assert (seen.at, list(seen.each), seen.done) == (0.5, ["supervisor"], 7)
    assert seen.rss_mib >= seen.pss_mib >= seen.own_mib > 1
    assert seen.open_files > 2
    assert seen.threads >= 1


def test_written_bytes_are_kept_when_their_process_ends(tmp_path: Path) -> None:
    written = Written()
    written.look([os.getpid()])
    before = written.total
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())
    written.look([os.getpid()])
    assert written.total >= before
    written.look([])
    assert written.total >= before


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_quarter_of_a_day_in_a_minute_breaks_no_promise() -> None:
    command = [sys.executable, str(ROOT / "tools" / "soak.py"), "days", "--minutes", "1", "--days", "0.3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every promise was kept" in done.stdout
