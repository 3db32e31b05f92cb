"""What commands write: never over what they read, and never into a bundle."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.cli import cli, status_of


@pytest.fixture(scope="module")
def cats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle; tests must not change it."""
    models = pytest.importorskip("tiny_models")
    return Path(models.bundle_of(models.sound_model(), tmp_path_factory.mktemp("tiny") / "cats").path)


@pytest.fixture
def place(tmp_path: Path, cats: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos, photos of something else, a bundle, a folder with the marks of one, models, tables and a store."""
    for name in (
        "photos/owl/1.jpg",
        "photos/wren/1.jpg",
        "others/1.jpg",
        f"birds/{MANIFEST}",
        f"birds/{MANIFEST_HASH}",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ("m.tflite", "w.h5", "visits.html", "birds/m.tflite", "photo.npy", "owl.csv", "b.json", "e.db"):
        (tmp_path / name).write_text(name)
    shutil.copytree(cats, tmp_path / "cats")
    (tmp_path / "link").symlink_to("photos")
    (tmp_path / "second.npy").hardlink_to(tmp_path / "photo.npy")
    (tmp_path / "w.npy").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    return tmp_path


sys.path.append(str(Path(__file__).resolve().parents[2] / "edge"))  # tiny_models

# Each command that writes where it is bidden, into a bundle that it does not read.
INTO_A_BUNDLE = [
    "train photos --out birds/new",
    "dataset check photos --report birds/page.html",
    "dataset group photos --out birds/new",
    "dataset pick photos -n 2 --bundle cats --out birds/pick",
    "dataset pick photos -n 2 --out birds/deeper/pick",
    "dataset spread photos others --bundle cats --out birds/spread",
    "dataset crop photos --boxes b.json --out birds/new",
    "compare cats cats photos --report birds/page.html --overwrite",
    "compile m.tflite --out birds/new.tflite",
    "embed others/1.jpg --bundle cats --out birds/features.npy",
    "embed others/1.jpg --bundle birds --out birds/features.parquet --overwrite",
    "embed others/1.jpg --weights imagenet --out birds/deeper/features.npy",
    "teach --bundle cats --photos photos --out birds/new",
    "bundle add-edgetpu cats m.tflite --out birds/cats",
    "bundle pack cats --out birds/cats.fieldfare",
    "bundle import m.tflite --out birds/new",
    "export --store e.db --format csv --out birds/new",
    "label photos --out birds/new",
    "label photos --session birds/new.db",
    "run --bundle cats --source synthetic --jsonl birds/new.jsonl",
    "kit build --target trixie-arm64 --bundle cats --out birds/kit.tar",
]


def commands_that_write(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the words of each command with an option for a place to write to."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from commands_that_write(command, (*words, name))
            elif command is not None and {"out", "report", "jsonl"} & {option.name for option in command.params}:
                yield " ".join((*words, name))


def test_every_command_that_writes_is_tried() -> None:
    assert {one for one in commands_that_write(cli) if not any(w.startswith(f"{one} ") for w in INTO_A_BUNDLE)} == set()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        *((words, 78 if words.startswith("run") else 73, "the bundle ") for words in INTO_A_BUNDLE),
        ("embed photo.npy --bundle cats --out photo.npy --overwrite", 73, "--out photo.npy is photo.npy, which is"),
        ("embed link/owl/1.jpg owl.csv --bundle cats --out owl.npy --overwrite", 73, "owl.csv, which is read"),
        ("embed photo.npy --bundle cats --out second.npy --overwrite", 73, "second.npy is photo.npy, which is read"),
        ("embed others/1.jpg --weights w.npy --out w.npy --overwrite", 73, "w.npy, which is read"),
        ("export --store e.db --format csv --out e.db.outputs", 73, "the place of the store"),
        ("export --store e.db --format csv --out e.db.damaged-1", 73, "the place of the store"),
        ("export --store e.db --format csv --out e.db-wal", 73, "the place of the store"),
        ("export --store e.db --format csv --out e.db.lock", 73, "the place of the store"),
        ("export --store e.db --format csv --out .november.partial", 73, "ends in .partial"),
        ("embed others/1.jpg --bundle cats --out .m.npy.partial", 2, "must end in"),
        ("train photos --out .birds.1.partial", 73, "ends in .partial"),
        ("dataset group photos --out .birds.1.PARTIAL", 73, "ends in .partial"),
        ("train photos --out photos/birds", 73, "--out photos/birds lies among the photos"),
        ("train photos --out link/birds", 73, "--out link/birds lies among the photos"),
        ("train link --out photos/birds", 73, "--out photos/birds lies among the photos"),
        ("train photos --out birds/new", 73, "--out birds/new lies in the bundle"),
        ("train photos --out others/new --outside others", 73, "--out others/new lies in others, which is read"),
        ("train photos --out others --outside others", 73, "exists"),
        ("train photos --out v --group-by csv:v-report.html:c --overwrite", 73, "v-report.html, which is read"),
        ("train photos --out w --weights w-report.json --overwrite", 73, "w-report.json, which is read"),
        ("dataset check photos --report photos/owl/page.html", 73, "lies in photos, which is read"),
        ("dataset check photos --report link/page.html", 73, "lies in photos, which is read"),
        ("dataset check photos --report birds/page.html", 73, "lies in the bundle"),
        ("dataset check photos --group-by csv:visits.html:c --report visits.html --overwrite", 73, "which is read"),
        ("dataset group photos --out photos/new", 73, "lies in photos, which is read"),
        ("dataset group photos --out link/new", 73, "lies in photos, which is read"),
        ("dataset group photos --out birds/new", 73, "lies in the bundle"),
        ("label photos --out link/new", 73, "--out link/new lies in photos, which is read"),
        ("label photos --session photos/new.db", 73, "--session photos/new.db lies in photos, which is read"),
        ("label photos --groups owl.csv --session owl.csv", 73, "--session owl.csv is owl.csv, which is read"),
        ("dataset group photos --out others", 73, "exists: choose another name"),
        ("compare birds birds photos --report photos/owl/1.jpg --overwrite", 73, "lies in photos, which is read"),
        (f"compare birds birds photos --report birds/{MANIFEST} --overwrite", 73, "lies in the bundle"),
        ("teach --bundle cats --photos photos --out photos/new", 73, "lies in photos, which is read"),
        ("compile m.tflite --out m.tflite --overwrite", 73, "--out m.tflite is m.tflite, which is read"),
        ("compile m.tflite --out x.log", 2, "the compiler's log is written there"),
        ("compile birds/m.tflite", 73, "lies in the bundle"),
    ],
)
def test_it_is_refused_before_any_work(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    words: str,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.cli.apart.run_forked", lambda work: work())
    before = {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}

    def invoke() -> None:
        with cli.make_context("fieldfare", words.split()) as context:
            cli.invoke(context)

    assert status_of(invoke) == status
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()} == before
