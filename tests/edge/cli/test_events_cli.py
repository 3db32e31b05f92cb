"""`fieldfare events` on a store as a recorder leaves it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest
from fieldfare_here import Fieldfare
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.events import count, table
from edge.store.records import HourCount, Mark
from edge.store.writing import StoreWriter
from tools.make_store import SPRING_S, Made, made_events, make_store


@pytest.fixture(autouse=True)
def warsaw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time zone of this machine."""
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    return Fieldfare(capsys)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two days of spring, 160 events, numbers 1 to 160."""
    make_store(tmp_path / "events.db", made_events(160))
    return tmp_path / "events.db"


def test_the_newest_are_listed_first_within_80_columns(fieldfare: Fieldfare, store: Path) -> None:
    done = fieldfare("events", "--store", store)
    head, *lines = done.lines
    assert head.split() == ["NUMBER", "BEGIN", "LABEL", "SCORE", "TIME", "FRAMES", "CHECKED"]
    assert [int(line.split()[0]) for line in lines] == list(range(160, 140, -1))
    assert all(len(line) <= 80 for line in done.lines)
    assert re.search(r"  2026-05-0\d \d\d:\d\d:\d\d ", lines[0])
    assert done.err == "20 of 160 events; -n 0 lists all\n"


def test_the_oldest_can_come_first_and_all_of_them(fieldfare: Fieldfare, store: Path) -> None:
    assert fieldfare("events", "--store", store, "--oldest-first", "-n", 1).lines[1].split()[0] == "1"
    assert len(fieldfare("events", "--store", store, "-n", 0).lines) == 161


def test_a_copy_that_lacks_the_newest_events_is_noted_by_whatever_reads_it(
    fieldfare: Fieldfare, store: Path, tmp_path: Path
) -> None:
    taken, copy = tmp_path / "taken.db", tmp_path / "copy.db"
    with StoreWriter(store):
        shutil.copy(store, taken)
        assert "copied" not in fieldfare("events", "--store", store).err
    export = ("export", "--format", "csv", "--out", tmp_path / "out")
    marking = ("events", "mark", 1, "right")
    for words in (("events",), ("events", "count"), ("events", "show", 1), marking, export):
        shutil.copy(taken, copy)  # what writes to a copy closes it properly, and so ends the note
        noted = fieldfare(*words, "--store", copy).err
        assert noted.count("copy.db was copied or moved from a running service without copy.db-wal") == 1


def test_options_stand_before_a_command_or_after_it(fieldfare: Fieldfare, store: Path) -> None:
    before = fieldfare("events", "--store", store, "--label", "fox", "count", "--json")
    after = fieldfare("events", "count", "--json", "--store", store, "--label", "fox")
    assert before.out == after.out != ""
    both = fieldfare("events", "--label", "fox", "--store", store, "count", "--label", "badger", "--json")
    assert {json.loads(line)["label"] for line in both.lines} == {"badger"}


def test_filters_choose_what_is_listed(fieldfare: Fieldfare, store: Path) -> None:
    def listed(*words: object) -> list[dict[str, object]]:
        return [json.loads(line) for line in fieldfare("events", "--store", store, "--json", *words).lines]

    everything = listed()
    assert len(everything) == 160
    some = listed("--label", "fox", "--label", "badger")
    assert {one["label"] for one in some} == {"fox", "badger"}
    assert all(one["score"] >= 0.8 for one in listed("--min-score", 0.8))  # type: ignore[operator]
    assert listed("--max-score", 0) == []
    first_day = listed("--until", "2026-05-01")
    assert len(first_day) + len(listed("--since", "2026-05-02")) == 160
    assert first_day
    assert listed("--since", "1h") == []


def test_a_list_for_programs_holds_what_exports_hold(fieldfare: Fieldfare, store: Path) -> None:
    (line,) = fieldfare("events", "--store", store, "--json", "-n", 1).lines
    told = json.loads(line)
    assert (told["number"], told["device"], told["clock"], told["checked"]) == (160, "barn", "ntp", None)
    assert told["begin"].endswith("Z")
    assert fieldfare("events", "show", 160, "--store", store, "--json").lines == [line]


def test_marks_are_set_shown_and_taken_back(fieldfare: Fieldfare, store: Path) -> None:
    was = json.loads(fieldfare("events", "show", 3, "--store", store, "--json").out)["label"]
    assert (
        fieldfare("events", "mark", 1, 2, "right", "--by", "A. Observer", "--store", store).out == "2 events: right\n"
    )
    assert fieldfare("events", "mark", 4, "wrong", "--store", store).status == 0
    done = fieldfare("events", "mark", 3, "heron", "--store", store)
    assert (done.out, done.err) == ("1 event: heron\n", "fieldfare: note: heron is a new label here\n")
    lines = fieldfare("events", "--store", store, "--checked").lines
    assert [line.split()[-1] for line in lines[1:]] == ["wrong", "renamed", "right", "right"]
    shown = fieldfare("events", "show", 3, "--store", store).out
    assert f"heron, the model took it for {was}" in shown
    assert "right by A. Observer on " in fieldfare("events", "show", 1, "--store", store).out
    assert fieldfare("events", "mark", 1, 2, 3, 4, "--undo", "--store", store).out == "4 events: taken back\n"
    assert fieldfare("events", "--store", store, "--checked").out == "no events\n"


def test_an_event_may_be_named(fieldfare: Fieldfare, store: Path) -> None:
    name = json.loads(fieldfare("events", "show", 7, "--store", store, "--json").out)["event_id"]
    assert fieldfare("events", "mark", name, "right", "--store", store).status == 0
    assert fieldfare("events", "show", name, "--store", store).lines[0].split() == ["event", "7", name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1", "2"], "--as 7"),
        (["right"], "after the numbers"),
        (["1", " fox"], "has blanks or joiners at its ends"),
        (["1", "a\x1b[31m"], "printable"),
        (["1", "x" * 1001], "has 1001 bytes, at most 1000"),
        (
            ["1", "--as", "Unknown"],
            "reads as 'unknown', which the device reports when no class fits: mark it unknown, or",
        ),
        (["1", "--as", "\uff35NKNOWN"], "reads as 'unknown'"),
        (["1", "ow\u3164l"], "holds U+3164 HANGUL FILLER, unprintable: rename it"),
        (["1", ""], "word 4 is empty"),
        (["1", "--undo", "--as", "fox"], "--as and --undo exclude each other"),
    ],
)
def test_a_mark_that_means_nothing_is_refused(fieldfare: Fieldfare, store: Path, words: list[str], said: str) -> None:
    done = fieldfare("events", "mark", *words, "--store", store)
    assert done.status == 2
    assert said in done.err


def test_a_label_that_looks_like_a_number_can_be_given(fieldfare: Fieldfare, store: Path) -> None:
    assert fieldfare("events", "mark", 1, "--as", "42", "--store", store).out == "1 event: 42\n"


def test_a_class_may_be_called_as_a_verdict_is_and_a_slip_shows(fieldfare: Fieldfare, store: Path) -> None:
    done = fieldfare("events", "mark", 1, "--as", "right", "--store", store)
    assert (done.status, done.out) == (0, "1 event: right\n")
    assert done.err == (
        "fieldfare: note: right is a new label here; for the verdict leave out --as: fieldfare events mark 1 right\n"
    )
    assert json.loads(fieldfare("events", "show", 1, "--store", store, "--json").out)["checked"] == "other"
    assert fieldfare("events", "mark", 2, "--as", "right", "--store", store).err == ""


def test_a_slip_in_a_label_is_noted_with_the_nearest_one(fieldfare: Fieldfare, store: Path, tmp_path: Path) -> None:
    note = "fieldfare: note: no event has the label 'bagder': did you mean 'badger'?\n"
    for words in (["events"], ["events", "count"]):
        done = fieldfare(*words, "--store", store, "--label", "bagder")
        assert (done.status, done.out, done.err) == (0, "no events\n", note)
    done = fieldfare("events", "--store", store, "--label", "bagder", "--label", "fox", "-n", 0)
    assert done.err == note
    assert len(done.lines) > 1
    out = tmp_path / "out"
    done = fieldfare("export", "--store", store, "--label", "bagder", "--format", "csv", "--out", out)
    assert (done.status, done.err.splitlines(keepends=True)[0]) == (65, note)
    assert fieldfare("events", "mark", 1, "rigth", "--store", store).err == (
        "fieldfare: note: rigth is a new label here: did you mean 'right'?\n"
    )


@pytest.mark.parametrize("words", [[], ["count"], ["tail"]])
@pytest.mark.parametrize(
    ("label", "message"),
    [("", "the word after --label is empty"), ("\udcff", "must be the text of a label, in UTF-8")],
)
def test_a_label_that_no_event_can_have_is_refused(
    fieldfare: Fieldfare, store: Path, words: list[str], label: str, message: str
) -> None:
    done = fieldfare("events", *words, "--store", store, "--label", label)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


def test_a_command_that_is_none_is_refused_with_those_that_are(fieldfare: Fieldfare, store: Path) -> None:
    done = fieldfare("events", "--store", store, "lst")
    assert done.status == 2
    assert done.err.endswith("Error: no command 'lst': must be count, mark, show, tail, or none\n")
    assert "; to see one event: fieldfare events show 12\n" in fieldfare("events", "--store", store, "12").err


@pytest.mark.parametrize("numbers", ["12,13", "12-15", "12,"])
def test_several_numbers_in_one_word_are_refused_with_the_way_to_write_them(
    fieldfare: Fieldfare, store: Path, numbers: str
) -> None:
    done = fieldfare("events", "mark", numbers, "right", "--store", store)
    assert done.status == 65
    assert done.err.endswith("give one number after the other, as in 12 13\n")


@pytest.mark.parametrize("number", ["0", "161", "heron", "9" * 400, "\udcff"])
def test_an_event_that_is_not_there_is_one_line(fieldfare: Fieldfare, store: Path, number: str) -> None:
    for words in (["show", number], ["mark", number, "right"]):
        done = fieldfare("events", *words, "--store", store)
        assert (done.status, done.out) == (65, "")
        assert "is not there: the store holds 1 to 160" in done.err
        assert done.err.count("\n") == 1


def test_counts_by_the_hour_of_the_day(fieldfare: Fieldfare, store: Path) -> None:
    lines = fieldfare("events", "count", "--store", store).lines
    assert all(len(line) <= 80 for line in lines)
    assert lines[-1].split()[:2] == ["all", "160"]
    rows = [json.loads(line) for line in fieldfare("events", "count", "--store", store, "--json").lines]
    assert sum(row["events"] for row in rows) == 160
    assert all(0 <= row["hour"] < 24 for row in rows)
    # The first event began at 01:48:27 in UTC, and summer time is two hours before that.
    (first,) = fieldfare("events", "count", "--store", store, "--json", "--until", "2026-05-01 03:49").lines
    assert json.loads(first)["hour"] == 3


def test_counts_by_day(fieldfare: Fieldfare, store: Path) -> None:
    head, *lines = fieldfare("events", "count", "--by", "day", "--store", store).lines
    assert head.split() == ["DAY", "EVENTS"]
    assert sum(int(line.split()[1]) for line in lines) == 160
    assert max(line.count("█") for line in lines) == 36
    assert all(len(line) <= 80 for line in lines)


def test_a_plot_needs_no_unicode() -> None:
    hours = [HourCount(label="fox", hour_s=0, events=8), HourCount(label="fox", hour_s=3600 * 5, events=1)]
    (line, *_) = list(count.by_hour(hours, " .:-=+*%#"))[1:]
    assert line.isascii()
    assert (line.count("##"), line.count("..")) == (1, 1)


@pytest.mark.parametrize(("words", "status"), [([], 2), (["--store", "a", "--config", "b"], 2)])
def test_without_a_store_or_with_two_it_is_one_line(fieldfare: Fieldfare, words: list[str], status: int) -> None:
    if not words and Path("/etc/fieldfare/fieldfare.toml").exists():
        pytest.skip("a service is set up on this machine")
    done = fieldfare("events", *words)
    assert (done.status, done.out) == (status, "")
    assert "--store" in done.err


def test_the_settings_name_the_store(fieldfare: Fieldfare, store: Path, tmp_path: Path) -> None:
    settings = tmp_path / "fieldfare.toml"
    settings.write_text(f'bundle = "birds"\n[events]\nstore = "{store}"\n')
    assert len(fieldfare("events", "--config", settings).lines) == 21
    settings.write_text('bundle = "birds"\n')
    done = fieldfare("events", "--config", settings)
    assert done.status == 78
    assert "[events] store is not set" in done.err


def test_a_store_that_is_not_there_or_none_is_one_line(fieldfare: Fieldfare, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    for name, status in (("gone.db", 66), ("photo.jpg", 65)):
        done = fieldfare("events", "--store", tmp_path / name)
        assert (done.status, done.out, done.err.count("\n")) == (status, "", 1)


def test_times_that_cannot_be_trusted_and_labels_from_anywhere(fieldfare: Fieldfare, tmp_path: Path) -> None:
    label = "ro\u0308e \x1b[31m" + "狐" * 5000 + "\n<b>"
    with StoreWriter(tmp_path / "events.db") as writer:
        for number, made in enumerate(made_events(2)):
            event = msgspec.structs.replace(made.event, label=label)
            writer.add_events([(event, SPRING_S + number, SPRING_S + number + 70, "none", ())])
        writer.mark([1], Mark(verdict="right"))
    done = fieldfare("events", "--store", tmp_path / "events.db")
    for line in done.lines[1:]:
        assert " ~2026-05-01 03:46:4" in line
        assert "\x1b" not in line
        assert table.columns(line) <= 80
    assert fieldfare("events", "show", 1, "--store", tmp_path / "events.db").out.count("\n") == 11
    assert json.loads(fieldfare("events", "show", 1, "--json", "--store", tmp_path / "events.db").out)["label"] == label


@pytest.mark.parametrize(
    ("label", "width"),
    [("owl", 3), ("ro\u0308e", 3), ("นกเค้าแมว", 8), ("ไก่ป่า", 4), ("उल्लू", 3), ("狐", 2), ("\u1112\u1161\u11ab", 2)],
    ids=["Latin", "with a mark", "Thai", "Thai with two marks", "Hindi", "Chinese", "Korean in parts"],
)
def test_the_columns_of_a_label_are_those_of_a_terminal(label: str, width: int) -> None:
    assert table.columns(label) == width


@given(st.text(max_size=100), st.integers(4, 60))
def test_a_label_takes_exactly_its_columns(label: str, width: int) -> None:
    assert table.columns(table.fit(label, width)) == width


@pytest.mark.parametrize(
    ("lasted_s", "shown"),
    [(0, "0.0 s"), (4.25, "4.2 s"), (59.94, "59.9 s"), (60, "1:00"), (3599.9, "1:00:00"), (36_000, "10:00:00")],
)
def test_durations_are_short(lasted_s: float, shown: str) -> None:
    assert table.duration(lasted_s) == shown


@pytest.mark.process
def test_tail_follows_the_store_and_one_that_takes_its_place(store: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-u", "-m", "edge", "events", "tail", "--store", str(store), "-n", "2", "--json"]
    # Python ignores SIGINT if its parent did (a shell's background job): restore the default.
    restore = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=restore) as tail:
        assert tail.stdout is not None
        assert [json.loads(tail.stdout.readline())["number"] for _ in range(2)] == [159, 160]
        add(store, list(made_events(1, seed=5, device="pond")))
        told = json.loads(tail.stdout.readline())
        assert (told["number"], told["device"]) == (161, "pond")
        for file in tmp_path.glob("events.db*"):
            file.unlink()
        make_store(tmp_path / "new.db", made_events(1, device="hedge"))
        (tmp_path / "new.db").rename(store)
        told = json.loads(tail.stdout.readline())
        assert (told["number"], told["device"]) == (1, "hedge")
        tail.send_signal(signal.SIGINT)
        assert tail.wait(timeout=60) == 130


def add(store: Path, made: list[Made]) -> None:
    with StoreWriter(store) as writer:
        writer.add_events([(one.event, SPRING_S, SPRING_S + 5, "ntp", ()) for one in made])
