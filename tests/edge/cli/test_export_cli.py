"""`fieldfare export`: from a store, with its pictures, to a folder, by way of the command line."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fieldfare_here import Fieldfare

from edge.cli.export import progress_words, warn
from edge.exports.export import Outcome, Progress
from edge.store.reading import StoreReader
from edge.store.records import Filter
from tools.make_store import made_events, make_store

FORMATS = ("camtrap-dp", "csv", "jsonl", "parquet", "folders", "megadetector")
TAXONOMY = """label,scientific_name,kind,taxon_rank,eng
fox,Vulpes vulpes,animal,species,red fox
badger,Meles meles,animal,species,badger
person,Homo sapiens,human,species,
tractor,,object,,
"""


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    return Fieldfare(capsys)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Eighty events with pictures and boxes."""
    (tmp_path / "device").mkdir()
    make_store(tmp_path / "device" / "events.db", made_events(80, side=48, boxes=True))
    return tmp_path / "device" / "events.db"


def is_whole(out: Path) -> bool:
    words = ["sha256sum", "-c", "--quiet", "--strict", "manifest-sha256.txt"]
    return subprocess.run(words, cwd=out, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_from_the_store_to_a_folder(fieldfare: Fieldfare, store: Path, tmp_path: Path, form: str) -> None:
    fieldfare("events", "mark", *range(1, 11), "right", "--store", store)
    done = fieldfare("export", "--store", store, "--format", form, "--out", tmp_path / "out")
    assert done.status == 0
    assert "all of it was read back" in done.out
    assert is_whole(tmp_path / "out")
    again = fieldfare("export", "--store", store, "--format", form, "--out", tmp_path / "out")
    assert again.status == 73
    assert "add --overwrite" in again.err


def test_going_on_with_a_finished_export_says_so_and_leaves_it(
    fieldfare: Fieldfare, store: Path, tmp_path: Path
) -> None:
    out, words = tmp_path / "out", ["export", "--store", store, "--format", "csv", "--out", tmp_path / "out"]
    assert fieldfare(*words).status == 0
    was = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    make_store(store, made_events(3, seed=1, device="pond"))
    again = fieldfare(*words, "--resume")
    assert (again.status, again.out, again.err) == (0, f"{out}: this export is finished: nothing is left to do\n", "")
    assert json.loads(fieldfare(*words, "--resume", "--json").out)["was_finished"] is True
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == was
    other = fieldfare("export", "--store", store, "--format", "jsonl", "--out", out, "--resume")
    assert (other.status, other.out) == (73, "")
    make_store(tmp_path / "other.db", made_events(3))
    other = fieldfare("export", "--store", tmp_path / "other.db", "--format", "csv", "--out", out, "--resume")
    assert (other.status, other.out) == (73, "")


def test_a_store_that_was_copied_from_a_card_brings_its_pictures(
    fieldfare: Fieldfare, store: Path, tmp_path: Path
) -> None:
    shutil.copytree(store.parent, tmp_path / "card")
    shutil.rmtree(store.parent)
    out = tmp_path / "out"
    told = json.loads(
        fieldfare("export", "--store", tmp_path / "card/events.db", "--format", "csv", "--out", out, "--json").out
    )
    assert (told["events"], told["missing"]) == (80, 0)
    assert told["pictures"] == len(list(out.rglob("*.jpg")))


def test_since_last_exports_only_what_is_new(fieldfare: Fieldfare, store: Path, tmp_path: Path) -> None:
    words = ["export", "--store", store, "--format", "csv", "--since-last", "--out"]
    assert fieldfare(*words, tmp_path / "first").out.startswith(f"{tmp_path / 'first'}: 80 events, ")
    done = fieldfare(*words, tmp_path / "second")
    assert (done.status, done.out) == (0, "nothing new since the last export: nothing was written\n")
    make_store(store, made_events(3, seed=1, device="pond"))
    assert fieldfare(*words, tmp_path / "third").out.startswith(f"{tmp_path / 'third'}: 3 events")
    with (tmp_path / "third/events.csv").open() as file:
        assert {row["device"] for row in csv.DictReader(file)} == {"pond"}


def test_a_failed_export_is_not_noted(fieldfare: Fieldfare, store: Path, tmp_path: Path) -> None:
    done = fieldfare("export", "--store", store, "--format", "csv", "--since-last", "--out", tmp_path / "gone" / "out")
    assert done.status == 74
    assert "is the stick mounted?" in done.err
    with StoreReader(store) as reader:
        assert reader.count(Filter(exported=True)) == 0


def test_labels_that_hold_commas_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    warn(Outcome(unnamed=("duck, wild", "heron"), others=1, missing=1), "camtrap-dp")
    errors = capsys.readouterr().err
    assert "with the label as a tag: duck, wild; heron\n" in errors
    assert "not there any more, and left out: 1 picture\n" in errors
    assert "in other-observations.csv: 1 event\n" in errors
    warn(Outcome(unnamed=("heron",), others=1, blanks=2), "megadetector")
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        "fieldfare: of plants or objects, for which MegaDetector has no category, and so without a detection: 1 event",
        "fieldfare: of nothing, and so without a detection: 2 events",
        "fieldfare: without an entry in the taxonomy, and so of category unknown: heron",
    ]


def test_the_taxonomy_comes_from_a_file_or_the_settings(fieldfare: Fieldfare, store: Path, tmp_path: Path) -> None:
    (tmp_path / "taxonomy.csv").write_text(TAXONOMY)
    (tmp_path / "fieldfare.toml").write_text(
        f'bundle = "none"\n[device]\ntaxonomy = "{tmp_path / "taxonomy.csv"}"\n[events]\nstore = "{store}"\n'
    )
    sources = (["--store", store, "--taxonomy", tmp_path / "taxonomy.csv"], ["--config", tmp_path / "fieldfare.toml"])
    for number, words in enumerate(sources):
        out = tmp_path / f"out{number}"
        done = fieldfare("export", *words, "--format", "camtrap-dp", "--out", out, "--title", "Foxes")
        assert done.status == 0
        assert "plants or objects, which Camtrap DP cannot hold" in done.err
        assert "without an entry in the taxonomy" in done.err
        told = json.loads((out / "datapackage.json").read_bytes())
        assert told["title"] == "Foxes"
        assert [one["scientificName"] for one in told["taxonomic"]] == ["Homo sapiens", "Meles meles", "Vulpes vulpes"]


def test_time_and_labels_choose_what_is_exported(fieldfare: Fieldfare, store: Path, tmp_path: Path) -> None:
    words = ["export", "--store", store, "--format", "csv", "--no-media", "--label", "fox", "--out"]
    assert fieldfare(*words, tmp_path / "foxes").status == 0
    with (tmp_path / "foxes/events.csv").open() as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"fox"}
    done = fieldfare(*words, tmp_path / "late", "--since", "2030-01-01")
    assert (done.status, done.err.count("\n")) == (65, 1)
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--format", "folders", "--no-media"], 2, "consists of pictures"),
        (["--format", "folders"], 65, "no event is marked"),
        (["--format", "camtrap-dp", "--position", "91,0"], 2, "LATITUDE,LONGITUDE"),
        (["--format", "camtrap-dp", "--position", "x"], 2, "LATITUDE,LONGITUDE"),
        (["--format", "camtrap-dp", "--project", "gone.toml"], 66, "gone.toml"),
        (["--format", "camtrap-dp", "--taxonomy", "gone.csv"], 66, "gone.csv"),
        (["--format", "camtrap-dp", "--contributor", ""], 2, "--contributor"),
        (["--format", "csv", "--since", "whenever"], 2, "yesterday"),
        (["--format", "csv", "--store", "gone.db"], 66, "gone.db"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    fieldfare: Fieldfare, store: Path, tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    done = fieldfare("export", "--store", store, "--out", tmp_path / "out", *words)
    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.process
def test_an_export_that_is_killed_goes_on_and_half_a_file_never_has_a_name(store: Path, tmp_path: Path) -> None:
    make_store(store, made_events(400, seed=3, side=300, device="pond"))
    out = tmp_path / "out"
    words = [sys.executable, "-m", "edge", "export", "--store", store, "--format", "csv", "--out", out]
    for copied in (1, 150, 300):
        resume = ["--resume"] if out.exists() else []
        with subprocess.Popen([*words, *resume], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as export:
            wait_for(lambda: len(list(out.rglob("*.jpg"))) >= copied or export.poll() is not None)  # noqa: B023
            os.kill(export.pid, signal.SIGKILL)
        for picture in out.rglob("*.jpg"):
            assert picture.read_bytes().endswith(b"\xff\xd9")
    done = subprocess.run([*words, "--resume"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert is_whole(out)
    assert not list(out.rglob("*.partial"))


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never happened")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "1,200 of 3,000 events"),
        (400_000, "1,200 of 3,000 events"),
        (5_000_000_000, "1,200 of 3,000 events, 2,500 of 5,000 MB"),
    ],
)
def test_progress_is_in_megabytes_only_if_there_are_several(size: int, words: str) -> None:
    assert progress_words(Progress(1200, 3000, size // 2, size)) == words


class TestAPipe:
    def test_a_tar_goes_to_standard_output(self, store: Path) -> None:
        command = [sys.executable, "-m", "edge", "export", "--store", str(store), "--format", "csv", "--out", "-"]
        done = subprocess.run(command, capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            assert {"fieldfare-csv/events.csv", "fieldfare-csv/manifest-sha256.txt"} <= set(archive.getnames())
        assert not done.stderr

    @pytest.mark.parametrize("word", ["--since-last", "--resume", "--overwrite", "--json"])
    def test_what_means_nothing_to_it_is_refused(self, fieldfare: Fieldfare, store: Path, word: str) -> None:
        done = fieldfare("export", "--store", store, "--format", "csv", "--out", "-", word)
        assert done.status == 2
        assert f"{word}: --out - writes a tar to standard output" in done.err

    def test_a_reader_that_leaves_ends_it_quietly(self, store: Path) -> None:
        command = [sys.executable, "-m", "edge", "export", "--store", str(store), "--format", "csv", "--out", "-"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.read(100)
            process.stdout.close()
            assert process.wait(60) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
