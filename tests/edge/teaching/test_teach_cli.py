"""`fieldfare teach` as its users meet it: in place, beside, back again, and refused."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from colour_bundles import KNOWN, colour_bundle, photos

from edge.bundle.store import Bundle, open_bundle
from edge.bundle.write import save, seal
from edge.cli import status_of
from edge.cli.teach.command import teach
from edge.errors import StorageError
from edge.teaching import beside

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of three colours, which tests copy."""
    return colour_bundle(tmp_path_factory.mktemp("known") / "old")


@pytest.fixture
def place(tmp_path: Path, known: Bundle) -> Path:
    """A folder with the bundle `old`, and `photos` of a new class and of known ones."""
    shutil.copytree(known.path, tmp_path / "old")
    for label in KNOWN:
        photos(tmp_path / "photos", label, label, 5)
    photos(tmp_path / "photos", "<b>" + "x" * 190, "yellow", 8)
    return tmp_path


@pytest.mark.process
def test_it_takes_the_place_of_the_old_one_which_comes_back(place: Path, run_fieldfare: Run) -> None:
    before = open_bundle(place / "old").bundle_id
    done = run_fieldfare("teach", "--bundle", place / "old", "--photos", place / "photos")
    assert done.returncode == 0, done.stderr
    assert "better: known classes 100.0% before, 100.0% after; new ones 100.0%" in done.stdout
    assert all(len(line) < 220 for line in done.stdout.splitlines()[:5])
    after = open_bundle(place / "old")
    assert after.bundle_id != before
    assert open_bundle(place / "old.before-teaching").bundle_id == before
    done = run_fieldfare("teach", "--bundle", place / "old", "--undo")
    assert (done.returncode, open_bundle(place / "old").bundle_id) == (0, before)
    assert not (place / "old.before-teaching").exists()
    done = run_fieldfare("teach", "--bundle", place / "old", "--undo")
    assert done.returncode == 66
    assert "nothing to take back" in done.stderr


@pytest.mark.process
def test_a_worse_one_is_not_taken(place: Path, run_fieldfare: Run) -> None:
    """The new class looks like a known one, and cannot be told from it."""
    photos(place / "twins", "crimson", "red", 8)
    for label in KNOWN:
        photos(place / "twins", label, label, 20)
    before = open_bundle(place / "old").bundle_id
    words = ["--bundle", place / "old", "--photos", place / "twins", "--json", "--out", place / "new"]
    done = run_fieldfare("teach", *words)
    record = json.loads(done.stdout)
    assert (done.returncode, record["verdict"]["better"], record["bundle"]) == (1, False, None)
    assert not (place / "new").exists()
    assert open_bundle(place / "old").bundle_id == before


@pytest.mark.process
def test_one_that_was_written_beside_is_taken_and_comes_back(place: Path, run_fieldfare: Run) -> None:
    before = open_bundle(place / "old").bundle_id
    words = ["--bundle", place / "old", "--photos", place / "photos", "--out", place / "new.fieldfare", "--json"]
    done = run_fieldfare("teach", *words)
    new = json.loads(done.stdout)["bundle"]
    assert open_bundle(place / "old").bundle_id == before
    done = run_fieldfare("teach", "--bundle", place / "old", "--take", place / "new.fieldfare")
    assert (done.returncode, open_bundle(place / "old").bundle_id) == (0, new), done.stderr
    done = run_fieldfare("teach", "--bundle", place / "old", "--take", place / "new.fieldfare", "--json")
    assert json.loads(done.stdout)["kept"] is None, "it is there already, and the one before stays kept"
    done = run_fieldfare("teach", "--bundle", place / "old", "--undo", "--json")
    assert json.loads(done.stdout)["bundle"] == open_bundle(place / "old").bundle_id == before


@pytest.mark.process
def test_one_that_was_taught_from_another_is_not_taken(place: Path, known: Bundle, run_fieldfare: Run) -> None:
    before = open_bundle(place / "old").bundle_id
    for name in ("never", "elsewhere"):
        files = {one: data for one, data in known.contents.items() if not one.startswith("manifest.")}
        note = () if name == "never" else (f"{beside.TAUGHT_FROM}0123456789ab: photos of owl (5)",)
        origin = msgspec.structs.replace(known.manifest.origin, notes=note)
        save(seal(place / name, msgspec.structs.replace(known.manifest, name=name, origin=origin), files))
        done = run_fieldfare("teach", "--bundle", place / "old", "--take", place / name)
        assert done.returncode == 65
        assert f"was not taught from {before}" in done.stderr
        assert open_bundle(place / "old").bundle_id == before
        assert not (place / "old.before-teaching").exists()


@pytest.mark.process
def test_classes_with_few_photos_are_left_out_on_request(place: Path, run_fieldfare: Run) -> None:
    """One is few from the begin and has a name that no class can have, the photos of the other are copies."""
    photos(place / "photos", "unknown", "yellow", 2)
    photos(place / "photos", "copied", "yellow", 1, first=90)
    for number in range(6):
        shutil.copyfile(place / "photos/copied/090.png", place / f"photos/copied/{number}.png")
    words = ["--bundle", place / "old", "--photos", place / "photos", "--out", place / "new"]
    assert run_fieldfare("teach", *words).returncode == 65
    done = run_fieldfare("teach", *words, "--leave-out-few")
    assert done.returncode == 0, done.stderr
    assert "unknown is left out: 2 photos of use" in done.stderr
    assert "copied is left out: 1 photo of use" in done.stderr
    assert open_bundle(place / "new").labels == (*KNOWN, "<b>" + "x" * 190)


@pytest.mark.process
def test_with_only_few_photos_there_is_nothing_to_teach(place: Path, run_fieldfare: Run) -> None:
    photos(place / "few", "owl", "yellow", 2)
    photos(place / "copies", "owl", "yellow", 1)
    for number in range(6):
        shutil.copyfile(place / "copies/owl/000.png", place / f"copies/owl/{number}.png")
    for folder in ("few", "copies"):
        done = run_fieldfare("teach", "--bundle", place / "old", "--photos", place / folder, "--leave-out-few")
        assert done.returncode == 65
        assert "no class is left to teach" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--bundle", "{old}"], 2, "give --photos FOLDER, --store FILE, or both"),
        (["--bundle", "{old}", "--photos", "{here}/nowhere"], 66, "no folder there"),
        (["--bundle", "{here}/nowhere", "--photos", "{photos}"], 66, "no bundle there"),
        (["--bundle", "{old}", "--photos", "{photos}", "--overwrite"], 2, "--overwrite is of --out"),
        (["--bundle", "{old}", "--photos", "{photos}", "--out", "{old}"], 73, "exists"),
        (["--bundle", "{old}", "--photos", "{photos}", "--label", "owl"], 65, "there are no photos of it"),
        (["--bundle", "{old}", "--photos", "{photos}", "--undo"], 2, "--photos: does nothing with --undo"),
        (["--bundle", "{old}", "--photos", "{photos}", "--take", "{old}"], 2, "--photos: does nothing with --take"),
        (["--bundle", "{old}", "--take", "{old}", "--undo"], 2, "--take: does nothing with --undo"),
        (["--bundle", "{old}", "--take", "{here}/nowhere"], 66, "no bundle there"),
        (["--bundle", "{old}", "--photos", "{photos}", "--most", "0"], 2, "0 is not in the range"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(
    tmp_path: Path, known: Bundle, run_fieldfare: Run, words: list[str], status: int, message: str
) -> None:
    shutil.copytree(known.path, tmp_path / "old")
    photos(tmp_path / "photos", "yellow", "yellow", 1)
    names = {"old": tmp_path / "old", "photos": tmp_path / "photos", "here": tmp_path}
    before = sorted(tmp_path.rglob("*"))
    done = run_fieldfare("teach", *(word.format(**names) for word in words))
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.process
@pytest.mark.parametrize("out", [[], ["--out", "new"]], ids=["in place", "beside"])
def test_a_full_disk_leaves_the_old_bundle_and_nothing_else(place: Path, run_fieldfare: Run, out: list[str]) -> None:
    """No file may grow to the size of a model, as on a disk without room for it."""
    size = len(open_bundle(place / "old").model)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done = run_fieldfare(
        *("teach", "--bundle", "old", "--photos", "photos", *out),
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(beside.__file__).parents[2])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    refusal = done.stderr.splitlines()[-1]
    assert (done.returncode, "File too large; nothing was left behind" in refusal) == (74, True), done.stderr
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_too_little_memory_is_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("edge.teaching.teach.teach", no_memory)
    words = ["--bundle", str(place / "old"), "--photos", str(place / "photos"), "--out", str(place / "new")]
    with teach.make_context("teach", words) as context:
        assert status_of(lambda: teach.invoke(context)) == 65
    assert "more photos than the memory can hold: --most 100" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["old", "old.fieldfare"])
def test_a_whole_bundle_is_in_the_place_whenever_it_stops(
    tmp_path: Path, known: Bundle, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    old = replace(known, path=tmp_path / name)
    save(old)
    files = {name: data for name, data in old.contents.items() if not name.startswith("manifest.")}
    taught = msgspec.structs.replace(old.manifest.origin, notes=(f"{beside.TAUGHT_FROM}{old.bundle_id}: owl (5)",))
    new = seal(tmp_path / name, msgspec.structs.replace(old.manifest, name="taught", origin=taught), files)
    saves = beside.save

    def no_room(bundle: object, *, overwrite: bool) -> None:
        if bundle.path.name == name:  # type: ignore[attr-defined]
            raise StorageError("no room")
        saves(bundle, overwrite=overwrite)  # type: ignore[arg-type]

    monkeypatch.setattr(beside, "save", no_room)
    with pytest.raises(StorageError):
        beside.exchange(old, new)
    assert open_bundle(tmp_path / name).bundle_id == old.bundle_id
    assert not beside.place_before(tmp_path / name).exists(), "it would take the room that is short"
    monkeypatch.setattr(beside, "save", saves)
    saves(replace(old, path=beside.place_before(tmp_path / name)), overwrite=True)  # killed between both
    assert beside.take_back(tmp_path / name) == (old.bundle_id, old.bundle_id)
    beside.exchange(old, new)
    assert beside.take_back(tmp_path / name) == (new.bundle_id, old.bundle_id)
    assert not beside.place_before(tmp_path / name).exists()


@pytest.mark.process
def test_what_has_nothing_to_do_with_the_bundle_before_is_not_taken_back(place: Path, run_fieldfare: Run) -> None:
    """Somebody put a newer bundle there since the teaching."""
    assert run_fieldfare("teach", "--bundle", "old", "--photos", "photos", cwd=place).returncode == 0
    newer = open_bundle(place / "old")
    manifest = msgspec.structs.replace(newer.manifest, origin=msgspec.structs.replace(newer.manifest.origin, notes=()))
    files = {name: data for name, data in newer.contents.items() if not name.startswith("manifest.")}
    save(seal(place / "old", manifest, files), overwrite=True)
    there = open_bundle(place / "old").bundle_id
    done = run_fieldfare("teach", "--bundle", "old", "--undo", cwd=place)
    assert (done.returncode, f"{there} was not taught from" in done.stderr) == (65, True), done.stderr
    assert open_bundle(place / "old").bundle_id == there
    assert open_bundle(beside.place_before(place / "old"))


@pytest.mark.process
def test_a_damaged_bundle_gives_way_to_the_one_before(place: Path, run_fieldfare: Run) -> None:
    before = open_bundle(place / "old").bundle_id
    assert run_fieldfare("teach", "--bundle", "old", "--photos", "photos", cwd=place).returncode == 0
    (place / "old" / open_bundle(place / "old").manifest.model).write_bytes(b"half")
    done = run_fieldfare("teach", "--bundle", "old", "--undo", cwd=place)
    assert done.returncode == 0, done.stderr
    assert open_bundle(place / "old").bundle_id == before
