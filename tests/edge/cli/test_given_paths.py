"""Paths on the command line: none is empty by accident, and nothing is written over what is read."""

import shutil
from pathlib import Path

import pytest
from fieldfare_here import Fieldfare
from handmade_models import classifier
from tiny_models import bundle_of, sound_model

from tools.make_store import made_events, make_store
from tools.mutants import reseal


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    return Fieldfare(capsys)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle; tests must not change it."""
    return bundle_of(sound_model(), tmp_path_factory.mktemp("tiny") / "birds").path


@pytest.fixture
def birds(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of a test's own, in the present folder, called `birds`."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(tiny, "birds"))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Empty words


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["classify", "", "x.jpg"], "word 2"),
        (["classify", "birds", ""], "word 3"),
        (["classify", "birds", "a.jpg", "  "], "word 4"),
        (["replay", "", "--config", "s.toml"], "word 2"),
        (["run", "--bundle", "", "--source", "synthetic"], "the word after --bundle"),
        (["run", "--bundle=", "--source", "synthetic"], "the value of --bundle"),
        (["run", "--bundle= ", "--source", "synthetic"], "the value of --bundle"),
        (["run", "--bundle", "b", "--source", ""], "the word after --source"),
        (["run", "--bundle", "b", "--source", "synthetic", "--jsonl", "\t"], "the word after --jsonl"),
        (["run", "--config", ""], "the word after --config"),
        (["export", "--format", "csv", "--store", "s", "--out", ""], "the word after --out"),
        (["export", "--format", "csv", "--store=", "--out", "o"], "the value of --store"),
        (["bundle", "show", ""], "word 3"),
        (["bundle", "pack", "birds", "--out", ""], "the word after --out"),
        (["bundle", "import", "m.tflite", "--out", "o", "--labels", ""], "the word after --labels"),
        (["status", ""], "word 2"),
        (["status", "--run-dir", ""], "the word after --run-dir"),
        (["outputs", "--config", "c", "--status-file", ""], "the word after --status-file"),
        (["doctor", "--bundle", ""], "the word after --bundle"),
        (["events", "--store", "", "count"], "the word after --store"),
        (["train", "", "--out", "o"], "word 2"),
        (["train", "p", "--out", "o", "--weights", ""], "the word after --weights"),
        (["dataset", "check", "p", "--report="], "the value of --report"),
        (["compare", "a", "", "c"], "word 3"),
        (["classify", "--", "", "x.jpg"], "the word after --"),
    ],
)
def test_an_empty_word_is_not_the_present_folder(fieldfare: Fieldfare, words: list[str], place: str) -> None:
    done = fieldfare(*words)
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith(f"Error: {place} is empty: give a value there (was a variable never set?)\n")


def test_a_file_may_be_called_like_an_empty_option(fieldfare: Fieldfare) -> None:
    assert fieldfare("bundle", "show", "--", "--out=").status == 66


# What is written, and what is read


@pytest.mark.parametrize("out", ["birds/x", "birds/x.fieldfare", "link/x", "birds/deeper/x", "birds/../birds/x"])
def test_nothing_is_put_into_a_bundle(fieldfare: Fieldfare, birds: Path, out: str) -> None:
    Path("link").symlink_to("birds")
    before = content(birds)
    for words in (["bundle", "pack", "birds"], ["bundle", "import", "birds/model.tflite"]):
        name = out if words[1] == "import" or out.endswith(".fieldfare") else f"{out}.fieldfare"
        done = fieldfare(*words, "--out", name)
        assert (done.status, done.out) == (73, "")
        assert f"--out {name} lies in the bundle " in done.err
    assert content(birds) == before


def test_an_import_does_not_replace_what_it_reads(fieldfare: Fieldfare, birds: Path) -> None:
    before = content(birds)
    for words in (
        ["birds/model.tflite"],
        ["m.tflite", "--labels", "birds/labels.txt"],
        ["m.tflite", "--sample", "birds/f0.png"],
    ):
        done = fieldfare("bundle", "import", *words, "--out", "birds", "--overwrite")
        assert (done.status, done.out) == (73, "")
        assert f"--out birds holds {words[-1]}, which is read: choose another name" in done.err
    assert content(birds) == before


@pytest.mark.parametrize(
    "out", ["birds/x", "device/pictures/x", "device/harvest", "device/events.db.orders/x", "device"]
)
def test_an_export_keeps_out_of_bundles_and_of_the_stores_own_folders(
    fieldfare: Fieldfare, birds: Path, out: str
) -> None:
    Path("device").mkdir()
    make_store(Path("device/events.db"), made_events(3, side=48))
    before = sorted(Path("device").rglob("*"))
    done = fieldfare("export", "--store", "device/events.db", "--format", "csv", "--out", out)
    assert (done.status, done.out) == (73, "")
    assert sorted(Path("device").rglob("*")) == before
    assert not (birds / "x").exists()


def test_results_stay_out_of_the_bundle_and_the_settings(
    fieldfare: Fieldfare, birds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(birds)
    Path("s.toml").write_text('bundle = "birds"\n[camera]\nsource = "synthetic"\n')
    Path("second.toml").hardlink_to("s.toml")
    for path, words in (
        ("birds/r.jsonl", "must be outside of bundle"),
        ("s.toml", "must be another path than the settings file"),
        ("second.toml", "must be another file than the settings file"),
    ):
        done = fieldfare("run", "--config", "s.toml", "--frames", 1, "--jsonl", path)
        assert (done.status, done.out) == (78, "")
        assert words in done.err
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(birds.absolute()))
    done = fieldfare("run", "--config", "s.toml", "--frames", 1)
    assert done.status == 78
    assert "the status file" in done.err
    assert content(birds) == before
    assert (
        Path("s.toml").read_text()
        == Path("second.toml").read_text()
        == ('bundle = "birds"\n[camera]\nsource = "synthetic"\n')
    )


# Labels


@pytest.mark.parametrize(
    ("label", "commands"),
    [
        ("unknown", ("show", "verify", "pack")),
        ("o\u2066wl", ("show", "verify", "pack")),
        ("\u3164", ("show", "verify", "pack")),
        # What users made before there was this rule keeps opening.
        ("Unknown", ("verify",)),
        ("\uff35\uff2e\uff2b\uff2e\uff2f\uff37\uff2e", ("verify",)),
    ],
)
def test_a_bundle_with_such_a_label_is_refused(
    fieldfare: Fieldfare, birds: Path, label: str, commands: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.cli.apart.run_forked", lambda work: work())
    labels = f"red\n{label}\nblue\n".encode()
    for name, data in reseal({**content(birds), "labels.txt": labels}).items():
        (birds / name).write_bytes(data)
    for command in commands:
        done = fieldfare("bundle", command, "birds")
        assert (done.status, done.out) == (65, "")
        assert "bundle birds: labels: line 2 " in done.err
        assert done.err.strip().isprintable()


def test_two_outputs_of_one_name_are_told_by_import(fieldfare: Fieldfare, birds: Path) -> None:
    Path("m.tflite").write_bytes(classifier())
    Path("l.txt").write_text("crane\ncrane\nowl\n")
    options = ["--labels", "l.txt", "--normalize=-1..1", "--channel-order", "rgb", "--resize", "squash"]
    done = fieldfare("bundle", "import", "m.tflite", *options, "--out", "cranes")
    assert done.status == 0
    assert "warning: l.txt: 2 outputs are called 'crane': the number of the output, from 0, is added" in done.err
    assert Path("cranes/labels.txt").read_text() == "crane (0)\ncrane (1)\nowl\n"
