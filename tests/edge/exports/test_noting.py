"""What was exported is noted in the store, also if power or the recorder fails just before that."""

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from exporting import FakeStore, Run, stored
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DataError, StorageError, UnavailableError
from edge.exports import noting
from edge.exports.copying.record import RECORD, Record, write_record
from edge.exports.export import Outcome, Request, export
from edge.exports.taxa import no_taxa
from edge.store.locking import WriterLock
from edge.store.orders import carry_out
from edge.store.reading import StoreReader
from edge.store.reads.runs import NumberSet
from edge.store.records import Filter, StoredEvent
from tools.make_store import made_events, make_store


@pytest.fixture
def season(tmp_path: Path) -> list[StoredEvent]:
    return stored(made_events(12, side=48), tmp_path)


class BusyStore(FakeStore):
    """A store whose recorder answers nothing while it is busy."""

    busy = True

    def carry_out(self, *words: object, **keys: object) -> None:
        if self.busy:
            raise UnavailableError("the recorder did not answer within 10 s: try again later")
        super().carry_out(*words, **keys)  # type: ignore[arg-type]


def record_of(out: Path) -> Record:
    return msgspec.json.decode((out / RECORD).read_bytes(), type=Record)


def test_an_export_that_could_not_be_noted_is_noted_by_resume_and_comes_once(
    run_export: Run, season: list[StoredEvent], tmp_path: Path
) -> None:
    store, out = BusyStore(season), tmp_path / "out"
    with pytest.raises(UnavailableError, match=r"is whole, .* the same command with --resume has it noted: the rec"):
        run_export(store, "csv", since_last=True, out=out)
    with pytest.raises(UnavailableError, match="the same command with --resume"):
        run_export(store, "csv", since_last=True, out=out, resume=True)
    store.busy = False
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if path.name != RECORD}
    _, outcome, _ = run_export(store, "csv", since_last=True, out=out, resume=True)
    assert (outcome.was_finished, outcome.noted_late) == (True, True)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "nothing was copied again"
    assert all(one.exported for one in store.held)
    assert run_export(store, "csv", since_last=True)[1].events == 0
    _, outcome, _ = run_export(store, "csv", since_last=True, out=out, resume=True)
    assert (outcome.was_finished, outcome.noted_late) == (True, False)


def test_only_what_was_exported_then_is_noted_late(run_export: Run, season: list[StoredEvent], tmp_path: Path) -> None:
    store, out = BusyStore(season[:8]), tmp_path / "out"
    with pytest.raises(UnavailableError):
        run_export(store, "csv", since_last=True, out=out)
    store.busy, store.held = False, season
    run_export(store, "csv", since_last=True, out=out, resume=True)
    assert run_export(store, "csv", since_last=True)[1].events == 4


def test_without_since_last_it_is_noted_late_too(run_export: Run, season: list[StoredEvent], tmp_path: Path) -> None:
    store, out = BusyStore(season), tmp_path / "out"
    for resume in (False, True):
        _, outcome, _ = run_export(store, "csv", out=out, resume=resume)
        assert outcome.not_noted is not None
        assert not outcome.noted_late
    store.busy = False
    assert run_export(store, "csv", out=out, resume=True)[1].noted_late
    assert all(one.exported for one in store.held)


def test_a_record_of_before_keeps_opening(run_export: Run, season: list[StoredEvent], tmp_path: Path) -> None:
    out, _, store = run_export(season, "csv", out=tmp_path / "out")
    table = json.loads((out / RECORD).read_bytes())
    del table["unnoted"]
    (out / RECORD).write_text(json.dumps(table))
    _, outcome, _ = run_export(store, "csv", out=out, resume=True)
    assert (outcome.was_finished, outcome.noted_late) == (True, False)


def test_a_record_from_elsewhere_notes_nothing_that_is_still_to_come(
    run_export: Run, season: list[StoredEvent], tmp_path: Path
) -> None:
    out, _, store = run_export(season[:4], "csv", out=tmp_path / "out")
    store.done.clear()
    whole = record_of(out)
    write_record(out, msgspec.structs.replace(whole, unnoted=noting.Unnoted(events=f"1 {10**15}")))
    run_export(store, "csv", out=out, resume=True)
    store.held = season
    assert run_export(store, "csv", since_last=True)[1].events == 8
    write_record(out, msgspec.structs.replace(whole, unnoted=noting.Unnoted(events="5 -3")))
    with pytest.raises(DataError, match=r"damaged .* export again with --overwrite"):
        run_export(store, "csv", out=out, resume=True)


@given(st.sets(st.integers(1, 60)), st.integers(0, 70))
def test_the_numbers_of_a_set_up_to_one(numbers: set[int], last: int) -> None:
    assert list(NumberSet(numbers).up_to(last)) == sorted(one for one in numbers if one <= last)


def test_a_recorder_that_hangs_leaves_an_export_that_resume_has_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, out = tmp_path / "device" / "events.db", tmp_path / "out"
    store.parent.mkdir()
    make_store(store, made_events(6, side=48))
    monkeypatch.setattr(noting, "carry_out", partial(carry_out, wait_s=0.1))

    def run(out: Path, *, resume: bool = False) -> Outcome:
        request = Request(
            store=store, form="csv", out=out, wanted=Filter(), taxon_of=no_taxa, since_last=True, resume=resume
        )
        return export(request, lambda progress: None)

    with WriterLock(store), pytest.raises(UnavailableError, match="--resume has it noted"):
        run(out)
    with StoreReader(store) as reader:
        assert reader.count(Filter(exported=True)) == 0
    assert run(out, resume=True).noted_late
    with StoreReader(store) as reader:
        assert reader.count(Filter(exported=True)) == 6
    assert run(tmp_path / "next").events == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of our own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "fieldfare-test", folder]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_read_only_store_is_refused_before_anything_is_copied(disk: Path, tmp_path: Path) -> None:
    make_store(disk / "events.db", made_events(6, side=48))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    request = Request(
        store=disk / "events.db",
        form="csv",
        out=tmp_path / "out",
        wanted=Filter(),
        taxon_of=no_taxa,
        since_last=True,
    )
    with pytest.raises(StorageError, match=r"its disk is read-only: mount it writable, or export without --since-last"):
        export(request, lambda progress: None)
    assert not (tmp_path / "out").exists()
    outcome = export(dataclasses.replace(request, since_last=False), lambda progress: None)
    assert (outcome.events, outcome.not_noted is not None) == (6, True)
