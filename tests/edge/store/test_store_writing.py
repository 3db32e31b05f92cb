"""Each identity is in the store once, under a number that grows in the order in which events became durable."""

import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_events import BOOT, OFFSET_S, OTHER_BOOT, event, everything, full_event, new, picture, sample

from edge.errors import DamagedStoreError, DataError, UnavailableError
from edge.store import writing
from edge.store.faults import of_ours
from edge.store.reading import StoreReader
from edge.store.records import Filter, HourCount, Mark
from edge.store.writing import StoreWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def test_an_event_comes_out_as_it_went_in(path: Path) -> None:
    with StoreWriter(path) as writer:
        assert writer.add_events([new(full_event()), new(event(2000))]) == [1, 2]
    full, plain = everything(path)
    assert (full.event, plain.event) == (full_event(), event(2000))
    assert (full.begin_wall_s, full.end_wall_s, full.clock) == (OFFSET_S + 1, OFFSET_S + 5, "ntp")
    assert (full.mark, full.exported, full.pictures, full.label) == (None, False, (), "fox")


def test_an_event_that_comes_again_stays_as_it_is(path: Path) -> None:
    with StoreWriter(path) as writer:
        assert writer.add_events([new(event()), new(event())]) == [1, 1]
        assert writer.add_events([new(event())]) == [1]
        assert writer.count() == 1
        assert writer.add_events([new(event(device="trap-4")), new(event(boot=OTHER_BOOT))]) == [2, 3]


def test_a_longer_form_replaces_a_shorter_one_under_a_new_number(path: Path) -> None:
    """So that outputs, which have sent the shorter one, send the longer one, too."""
    with StoreWriter(path) as writer:
        writer.add_events([new(event())])
        writer.mark([1], Mark(verdict="other", label="cat"))
        assert writer.add_events([new(event(end_mono_s=9.0, frames=70))]) == [2]
        assert writer.count() == 1
    (stored,) = everything(path)
    assert (stored.number, stored.event.end_mono_s, stored.label) == (2, 9.0, "cat")


@pytest.mark.parametrize(
    ("mark", "label", "expected"),
    [
        (Mark(verdict="right"), "hare", Mark(verdict="other", label="fox")),
        (Mark(verdict="right"), "fox", Mark(verdict="right")),
        (Mark(verdict="wrong"), "hare", None),
        (Mark(verdict="wrong"), "fox", Mark(verdict="wrong")),
        (Mark(verdict="other", label="cat"), "hare", Mark(verdict="other", label="cat")),
    ],
)
def test_a_mark_on_a_shorter_form_is_about_its_label(path: Path, mark: Mark, label: str, expected: Mark | None) -> None:
    with StoreWriter(path) as writer:
        writer.add_events([new(event())])
        writer.mark([1], mark)
        writer.add_events([new(event(end_mono_s=9.0, label=label))])
    (stored,) = everything(path)
    assert stored.mark == expected
    with StoreReader(path) as reader:
        for checked in (True, False):
            counted = [(found.label, found.events) for found in reader.hours(Filter(checked=checked))]
            assert counted == ([(stored.label, 1)] if checked == (expected is not None) else [])


def test_an_open_event_is_not_seen_and_gets_its_number_when_it_ends(path: Path) -> None:
    with StoreWriter(path) as writer:
        assert writer.add_events([new(event(1000, ended=False)), new(event(2000))]) == [None, 1]
        assert [stored.event.sequence for stored in everything(path)] == [2000]
        assert writer.add_events([new(event(1000, ended=False, frames=50)), new(event(1000, frames=60))]) == [None, 2]
        assert writer.end_left_open() == 0
        assert writer.add_events([new(event(1000, ended=False))]) == [None]  # a late message of one that has ended
        assert writer.end_left_open() == 0
    assert [stored.event.frames for stored in everything(path)] == [40, 60]


def test_what_was_left_open_is_ended_as_it_was_last_heard_of(path: Path) -> None:
    with StoreWriter(path) as writer:
        writer.add_events([new(full_event(1000, ended=False)), new(event(2000, ended=False))])
        writer.add_events([new(full_event(1000, ended=False, end_mono_s=30.0))])
    with StoreWriter(path) as writer:
        assert writer.end_left_open(still_going={("trap-3", BOOT, 2000)}) == 1
        (stored,) = everything(path)
        assert stored.event == full_event(1000, end_mono_s=30.0)
        assert (stored.begin_wall_s, stored.end_wall_s) == (OFFSET_S + 1, OFFSET_S + 30)
        assert writer.end_left_open() == 1


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 5), st.sampled_from(["goes on", "ended", "recorder restarts"])),
        max_size=20,
    )
)
def test_a_cursor_sees_the_last_form_of_every_event(tmp_path_factory: pytest.TempPathFactory, steps: object) -> None:
    """Whatever the order of messages, restarts and commits: no identity twice, none missed."""
    path = tmp_path_factory.mktemp("store") / "events.db"
    seen, cursor, ended = {}, 0, {}
    with StoreReader_beside(path) as (writer, reader):
        for sequence, frames, what in steps:  # type: ignore[attr-defined]
            if what == "recorder restarts":
                writer.end_left_open()
            else:
                writer.add_events([new(event(sequence, frames=frames, ended=what == "ended"))])
                if what == "ended":
                    ended[sequence] = max(frames, ended.get(sequence, 0))
            for stored in reader.after(cursor, 100):
                assert stored.number > cursor
                cursor, seen[stored.event.sequence] = stored.number, stored.event.frames
            now = {stored.event.sequence: stored.event.frames for stored in reader.after(0, 100)}
            assert now == seen
            assert reader.count_after(0) == writer.count() == len(now) == len(reader.after(0, 100))
    assert all(seen[sequence] >= frames for sequence, frames in ended.items())


class StoreReader_beside:
    """A writer and a reader of one store."""

    def __init__(self, path: Path) -> None:
        self.writer = StoreWriter(path)
        self.reader = StoreReader(path)

    def __enter__(self) -> tuple[StoreWriter, StoreReader]:
        return self.writer, self.reader

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.writer.close()


def test_a_transaction_is_made_whole_or_not_at_all(path: Path) -> None:
    with StoreWriter(path) as writer:
        with pytest.raises(RuntimeError), writer.transaction():
            writer.add_events([new(event(label="never heard of"))])
            writer.set_value("written_bytes", 5)
            raise RuntimeError
        assert writer.value("written_bytes", 0) == 0
        # The ids of labels that were given in it are not taken for good.
        writer.add_events([new(event(label="never heard of"))])
    assert [stored.label for stored in everything(path)] == ["never heard of"]


def test_one_process_writes(path: Path) -> None:
    with StoreWriter(path) as writer:
        with pytest.raises(UnavailableError, match="another process writes the store"):
            StoreWriter(path)
        writer.add_events([new(event())])
    with StoreWriter(path) as writer:
        assert writer.count() == 1


def test_a_store_keeps_its_id_and_values(path: Path) -> None:
    with StoreWriter(path) as writer:
        first = writer.store_id
        writer.set_value("written_bytes", 123)
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        assert writer.store_id == reader.store_id() == first
        assert len(first) == 32
        assert writer.value("written_bytes", 0) == 123


@pytest.mark.parametrize(
    "label", ["\x00\x1b[2J\n", "<script>alert(1)</script>", "../../etc/passwd", "x" * 10_000, "é\u202e", ""]
)
def test_labels_of_any_kind_are_kept_as_they_are(path: Path, label: str) -> None:
    with StoreWriter(path) as writer:
        writer.add_events([new(event(label=label))])
        writer.mark([1], Mark(verdict="other", label=label, by=label))
    with StoreReader(path) as reader:
        assert reader.labels() == [label]
        (stored,) = reader.events(Filter(labels=(label,)))
    assert (stored.event.label, stored.label) == (label, label)


@pytest.mark.parametrize(
    "wrong",
    [
        new(event(label="\udcff")),
        new(event(sequence=1 << 70)),
        (event(), float("nan"), 0.0, "ntp", ()),
        (event(), float("inf"), 0.0, "ntp", ()),
        new(event(peak=float("nan"))),
    ],
)
def test_what_can_never_be_stored_is_refused_and_the_rest_goes_on(path: Path, wrong: object) -> None:
    with StoreWriter(path) as writer:
        with pytest.raises(DataError, match="cannot hold this"):
            writer.add_events([wrong])  # type: ignore[list-item]
        assert writer.add_events([new(event())]) == [1]


# Clocks


def test_events_are_mended_once_their_boot_has_a_better_clock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SETTLED_AT_ONCE", 3)
    with StoreWriter(path) as writer:
        untrusted = [new(event(n * 1000), "none", offset_s=0) for n in range(1, 6)]
        writer.add_events([*untrusted, new(event(1, boot=OTHER_BOOT), "none", offset_s=0)])
        writer.add_events([new(event(9000, ended=False), "none", offset_s=0)])
        writer.add_samples([sample(2.5, path.parent / "a.jpg", clock="none", captured_wall_s=2.5)])
        assert writer.mend(BOOT, 900.0, "rtc", most=2) == 2
        assert [writer.mend(BOOT, 950.0, "hand", most=2) for _ in range(4)] == [2, 2, 1, 0]
        assert writer.mend(BOOT, 1000.0, "hand", most=2) == 2  # set a second time
        assert [writer.mend(BOOT, OFFSET_S, "ntp", most=3) for _ in range(3)] == [3, 2, 0]
        assert writer.mend(BOOT, 5.0, "rtc") == 0
        writer.end_left_open()
    with StoreReader(path) as reader:
        (mended,) = reader.samples()
    assert (mended.captured_wall_s, mended.clock) == (OFFSET_S + 2.5, "ntp")
    stored = {one.event.sequence: one for one in everything(path) if one.event.boot == BOOT}
    assert {s: (one.begin_wall_s, one.end_wall_s, one.clock) for s, one in stored.items()} == {
        s: (OFFSET_S + s / 1000, OFFSET_S + s / 1000 + 4, "ntp") for s in (1000, 2000, 3000, 4000, 5000, 9000)
    }
    with StoreReader(path) as reader:
        since = Filter(since_wall_s=OFFSET_S)
        assert reader.count(since) == sum(hour.events for hour in reader.hours(since)) == 6


def test_events_of_a_boot_without_a_clock_are_listed_after_those_before_it(path: Path) -> None:
    """A board whose clock begins at 1970 again saw its events after all that is in the store."""
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000)), new(event(500_000))])
        writer.add_events([new(event(n, boot=OTHER_BOOT), "none", offset_s=0) for n in (3000, 63_000)])
    with StoreReader(path) as reader:
        listed = [(one.event.sequence, one.clock, one.begin_wall_s) for one in reader.events(Filter())]
    assert listed == [
        (63_000, "none", OFFSET_S + 560),
        (3000, "none", OFFSET_S + 500),
        (500_000, "ntp", OFFSET_S + 500),
        (1000, "ntp", OFFSET_S + 1),
    ]


# Marks, and what was exported


def test_a_mark_gives_an_event_its_label_until_it_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SETTLED_AT_ONCE", 2)
    mark = Mark(verdict="other", label="badger", by="Ana", wall_s=5.0)
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        writer.add_events([new(event(1000)), new(event(2000)), new(event(3000))])
        writer.mark([1, 3], mark)
        assert [one.mark for one in reader.after(0, 9)] == [mark, None, mark]
        hour = int(OFFSET_S) // 3600 * 3600
        assert reader.hours(Filter()) == [
            HourCount(label="badger", hour_s=hour, events=2),
            HourCount(label="fox", hour_s=hour, events=1),
        ]
        assert reader.count(Filter(checked=True)) == reader.count(Filter(labels=("badger",))) == 2
        writer.mark([1], Mark(verdict="wrong"))
        assert reader.labels() == ["badger", "fox"]
        assert reader.count(Filter(labels=("fox",))) == 2
        writer.mark([1, 2, 3], None)
        assert (reader.labels(), reader.count(Filter(checked=True))) == (["fox"], 0)


def test_marking_what_is_not_there_changes_nothing(path: Path) -> None:
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        writer.add_events([new(event())])
        with pytest.raises(DataError, match="no event of number 7, 8, 9, 10, 11 and 2 more"):
            writer.mark([1, *range(7, 14)], Mark(verdict="right"))
        assert reader.count(Filter(checked=True)) == 0


def test_what_was_exported_is_noted_and_what_is_gone_is_no_error(path: Path) -> None:
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        writer.add_events([new(event(1000)), new(event(2000))])
        writer.add_samples([sample(1.0, path.parent / "a.jpg"), sample(2.0, path.parent / "b.jpg")])
        writer.note_exported([2, 77], [1, 99])
        assert [one.exported for one in reader.after(0, 9)] == [False, True]
        assert [one.number for one in reader.samples(exported=True)] == [1]
        assert [one.number for one in reader.samples(exported=False)] == [2]


# Pictures and samples


def test_pictures_move_with_the_folder_of_the_store(path: Path, tmp_path: Path) -> None:
    inside, outside = path.parent / "pictures" / "a.jpg", Path("/elsewhere/b.jpg")
    with StoreWriter(path) as writer:
        writer.add_events([new(event(), pictures=[picture(inside), picture(outside, kind="crop")])])
    (stored,) = everything(path)
    assert stored.pictures == (picture(inside), picture(outside, kind="crop"))
    copied = tmp_path / "copied"
    copied.mkdir()
    shutil.copy(path, copied)
    (stored,) = everything(copied / path.name)
    assert [one.path for one in stored.pictures] == [copied / "pictures" / "a.jpg", outside]


def test_pictures_that_come_late_or_again_are_kept_once(path: Path) -> None:
    image = picture(path.parent / "a.jpg")
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        writer.add_events([new(event())])
        writer.add_events([new(event(), pictures=[image])])
        writer.add_events([new(event(), pictures=[image])])
        assert [one.pictures for one in reader.after(0, 9)] == [(image,)]
        writer.add_events([new(event(frames=50))])
        assert [one.pictures for one in reader.after(0, 9)] == [(image,)]


def test_the_pictures_of_an_event_are_listed_and_go_together(path: Path) -> None:
    folder = path.parent
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        burst = [picture(folder / f"{n}.jpg", b"12345", "before") for n in range(3)]
        writer.add_events(
            [new(event(1000), pictures=burst), new(event(2000, peak=0.4), pictures=[picture(folder / "x.jpg")])]
        )
        writer.mark([2], Mark(verdict="other", label="cat"))
        writer.note_exported([2])
        first, second = writer.picture_groups()
        assert (first.event, first.label, first.pictures, first.size, first.verdict) == (1, "fox", 3, 15, None)
        assert (second.label, second.peak, second.exported, second.verdict) == ("cat", 0.4, True, "other")
        assert writer.remove_pictures([1]) == [folder / f"{n}.jpg" for n in range(3)]
        assert [len(one.pictures) for one in reader.after(0, 9)] == [0, 1]


def test_samples_are_kept_once_and_go_with_their_files(path: Path) -> None:
    file = path.parent / "harvest" / "a.jpg"
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        writer.add_samples([sample(1.0, file), sample(1.0, file), sample(2.0, file.with_name("b.jpg"))])
        first, second = reader.samples()
        assert msgspec.structs.asdict(sample(1.0, file)).items() <= msgspec.structs.asdict(first).items()
        assert [(one.number, one.sample, one.size, one.exported) for one in writer.sample_gists()] == [
            (one.number, one.sample, one.size, False) for one in (first, second)
        ]
        assert writer.sample_files([second.number, first.number, 99]) == [file, file.with_name("b.jpg")]
        assert writer.remove_samples([first.number, 99]) == [file]
        assert [one.path for one in reader.samples()] == [file.with_name("b.jpg")]


@pytest.mark.parametrize("number", [1 << 63, -1 << 64, 1 << 200])
def test_a_number_of_more_than_64_bits_is_no_damage(path: Path, number: int) -> None:
    """A damaged store is set aside: no number that comes from outside may have that done to one that is whole."""
    with StoreWriter(path) as writer:
        writer.add_events([new(event())])
        steps = [
            lambda: writer.note_exported([number]),
            lambda: writer.note_exported([], [number]),
            lambda: writer.mark([number], Mark(verdict="right")),
            lambda: writer.set_value("written_bytes", number),
            lambda: writer.remove_pictures([number]),
            lambda: writer.add_events([new(event(2000, frames=number))]),
            lambda: writer.add_events([new(event(2000, ended=False, begin_mono_s=float(number) * 1e300))]),
        ]
        for step in steps:
            with pytest.raises(DataError) as raised:
                step()
            assert not isinstance(raised.value, DamagedStoreError)
    with StoreReader(path) as reader:
        with pytest.raises(DataError) as raised:
            reader.after(number, 1)
        assert not isinstance(raised.value, DamagedStoreError)
        assert reader.numbers() == (1, 1)


def test_a_text_that_is_too_long_for_sqlite_is_no_damage() -> None:
    """Python's adapter refuses 2 GiB by an error without a code, as it does bytes that it cannot read."""
    too_long, unreadable = sqlite3.DataError("string longer than INT_MAX bytes"), sqlite3.OperationalError("UTF-8")
    assert not isinstance(of_ours(Path("events.db"), too_long), DamagedStoreError)
    assert isinstance(of_ours(Path("events.db"), unreadable), DamagedStoreError)
