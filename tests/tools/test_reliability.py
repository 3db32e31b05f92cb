"""The proofs of reliability: their oracles find what is wrong, and each of them runs, with small counts."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("flatbuffers")
pytest.importorskip("ai_edge_litert")

from edge.events.records import Event
from edge.store.writing import StoreWriter
from tools.reliability import clock_jumps, disk_faults, flipped_bytes, kills, power_cuts, slow_fsync
from tools.reliability.disk import Cut, Disk, torn
from tools.reliability.judging import Judge, integrity

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
slow = pytest.mark.slow

# Each line is a step of a program on the disk.
_SYNC = "import os, sys\nfrom pathlib import Path\nhere = Path(sys.argv[1])\n"
_FILE = "handle = os.open(here / 'file', os.O_RDWR | os.O_CREAT)\nos.write(handle, b'first')\n"
_NAMES = "os.fsync(os.open(here, os.O_RDONLY))\n"


def after_cut(folder: Path, program: str, cut: Cut = "strict") -> dict[str, bytes]:
    """Run a program, cut the power, and return the files that are left."""
    disk = Disk.at(folder, folder / "disk")
    disk.sync_all()
    command = [sys.executable, "-c", _SYNC + program, str(disk.root)]
    subprocess.run(command, check=True, env={**os.environ, **disk.variables(mirrored=True)})
    disk.after_power_cut(folder / "booted", cut, random.Random(1))
    return {path.name: path.read_bytes() for path in (folder / "booted").iterdir()}


@needs_cc
@pytest.mark.parametrize(
    ("program", "left"),
    [
        (_FILE, {}),
        (_FILE + "os.fsync(handle)\n", {}),
        (_FILE + _NAMES, {"file": b""}),
        (_FILE + "os.fsync(handle)\n" + _NAMES, {"file": b"first"}),
        (_FILE + "os.fdatasync(handle)\n" + _NAMES + "os.write(handle, b' second')\n", {"file": b"first"}),
        (_FILE + "os.fsync(handle)\n" + _NAMES + "os.unlink(here / 'file')\n", {"file": b"first"}),
        (_FILE + "os.fsync(handle)\n" + _NAMES + "os.rename(here / 'file', here / 'other')\n", {"file": b"first"}),
        (
            _FILE + "os.fsync(handle)\nos.rename(here / 'file', here / 'other')\n" + _NAMES,
            {"other": b"first"},
        ),
    ],
)
def test_a_power_cut_leaves_what_was_synced_under_names_that_were_synced(
    tmp_path: Path, program: str, left: dict[str, bytes]
) -> None:
    assert after_cut(tmp_path, program) == left


def test_a_torn_file_has_blocks_of_both() -> None:
    old, new = b"o" * 40_960, b"n" * 40_960
    mixed = torn(old, new, random.Random(3))
    assert set(mixed) == set(b"on")
    assert {mixed[at : at + 4096] for at in range(0, len(mixed), 4096)} == {b"o" * 4096, b"n" * 4096}


def an_event(sequence: int) -> Event:
    return Event(
        device="garden",
        boot="b00b",
        sequence=sequence,
        label="tit",
        begin_mono_s=1.0,
        end_mono_s=2.0,
        peak=0.9,
        peak_mono_s=1.5,
        mean=0.8,
        frames=30,
        engine="litert",
        bundle="abc",
        camera="front",
    )


def notes_of(file: Path, *events: tuple[Event, int]) -> None:
    """Write notes of events that were heard of with so many pictures, and acknowledged."""
    with file.open("w") as notes:
        for event, pictures in events:
            for what in ("heard", "kept"):
                words = {
                    "what": what,
                    "at_mono_s": 3.0,
                    "identity": [event.device, event.boot, event.sequence],
                    "end_mono_s": event.end_mono_s,
                    "frames": event.frames,
                    "pictures": pictures,
                }
                notes.write(json.dumps(words) + "\n")


def test_the_judge_finds_what_is_missing_shorter_or_without_its_picture(tmp_path: Path) -> None:
    store, notes = tmp_path / "events.db", tmp_path / "notes"
    with StoreWriter(store) as writer:
        writer.add_events([(an_event(number), 1.0, 2.0, "ntp", ()) for number in (1, 2, 3)])
    longer = Event(**{name: getattr(an_event(2), name) for name in Event.__struct_fields__} | {"frames": 31})
    notes_of(notes, (an_event(1), 0), (longer, 0), (an_event(3), 1), (an_event(4), 0))
    verdict = Judge(store, notes).verdict()
    assert not verdict.is_right
    assert [identity[2] for identity in verdict.missing] == [4]
    assert [identity[2] for identity in verdict.shorter] == [2]
    assert verdict.bad_pictures == [f"none of {an_event(3).name}"]
    assert (verdict.acknowledged, verdict.stored, verdict.twice, verdict.whole) == (4, 3, [], "ok")


def test_the_judge_finds_a_damaged_database(tmp_path: Path) -> None:
    store, notes = tmp_path / "events.db", tmp_path / "notes"
    with StoreWriter(store) as writer:
        writer.add_events([(an_event(number), 1.0, 2.0, "ntp", ()) for number in range(500)])
    notes_of(notes, (an_event(1), 0))
    assert Judge(store, notes).verdict().is_right
    data = bytearray(store.read_bytes())
    data[20_000:30_000] = bytes(10_000)
    store.write_bytes(data)
    assert integrity(store) != "ok"


def exit_status(program: object, words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["program", *words])
    status = program.main()  # type: ignore[attr-defined]
    assert isinstance(status, int)
    return status


@slow
@pytest.mark.parametrize(
    ("program", "words"),
    [
        (kills, ["--rounds", "4"]),
        (flipped_bytes, ["--places", "4", "--services", "1"]),
        (disk_faults, ["--seconds", "3", "--only", "deleted-log", "deleted"]),
        pytest.param(power_cuts, ["--rounds", "3"], marks=needs_cc),
        pytest.param(slow_fsync, ["--seconds", "8"], marks=needs_cc),
        pytest.param(disk_faults, ["--seconds", "3", "--only", "erofs"], marks=needs_cc),
        pytest.param(clock_jumps, ["--seconds", "5", "--events", "300"], marks=needs_cc),
    ],
)
def test_each_promise_is_kept(program: object, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_status(program, words, monkeypatch) == 0
