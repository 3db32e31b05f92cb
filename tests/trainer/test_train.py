"""Whole trainings, from photos to a bundle that verifies, run as a user runs them. All slow."""

import json
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.bundle.cut import Cut
from edge.bundle.store import Bundle, open_bundle
from edge.edgetpu.twin import check_twin
from edge.records import Pixels
from edge.teaching.last_layer import read_last_layer
from edge.teaching.photos import of_folder
from edge.teaching.remembering import Remembered, recall
from edge.teaching.teach import teach
from trainer.edgetpu.tflite_graph import read_graph

Paint = Callable[..., Pixels]
SavePhoto = Callable[..., Path]
Shapes = Callable[[Path, int], Path]
Run = Callable[..., subprocess.CompletedProcess[str]]
Train = Callable[..., tuple[dict[str, Any], Path]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

V1_WEIGHTS = "mobilenet_v1_0.5_160_from_quant_no_top.h5"
PER_CLASS = 30
CLASSES = 1000
SPLIT = {"train": 66, "val": 12, "test": 12}  # 30 a class: 4 to validate, 4 to test
SCRATCH = ("--weights", "none", "--size", 32, "--epochs", 2)
COMPILER = shlex.join([sys.executable, str(Path(__file__).with_name("recorded_compiler.py"))])

# The disk has room for everything but the bundle: the limit is smaller than the model.
DISK_FULL_AT_THE_END = """
import resource
import trainer.delivery.deliver
from edge.cli import main

save = trainer.delivery.deliver.save

def save_to_a_full_disk(bundle, **options):
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    save(bundle, **options)

trainer.delivery.deliver.save = save_to_a_full_disk
main()
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Path:
    """Ninety photos of three coloured shapes."""
    return shapes(tmp_path_factory.mktemp("photos") / "shapes", PER_CLASS)


@pytest.fixture(scope="module")
def head_only(v2_weights: Path) -> tuple[object, ...]:
    """The options of the quickest training."""
    return ("--weights", v2_weights, "--size", 32, "--epochs", 0)


@pytest.fixture
def train(photos: Path, tmp_path: Path, run_fieldfare: Run) -> Callable[..., tuple[dict[str, Any], Path]]:
    """Train on the shapes. Returns the report and the path of the bundle."""

    def run(*words: object, name: str = "bundle", **options: object) -> tuple[dict[str, Any], Path]:
        out = tmp_path / name
        done = run_fieldfare("train", photos, "--out", out, "--json", *words, **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), out

    return run


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def remembered_by(bundle: Bundle) -> Remembered:
    """Return what the bundle's model remembers of its photos."""
    layer = read_last_layer(bundle.model)
    found = recall(bundle.model, layer.of_input, len(bundle.labels), layer.weights.shape[1])
    assert found is not None
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def page_of(out: Path) -> dict[str, Any]:
    """Return the report beside the bundle."""
    return json.loads(out.with_name(f"{out.name.removesuffix('.fieldfare')}-report.json").read_text())


def told(**what: object) -> dict[str, str]:
    """Return an environment in which the stand-in for Coral's compiler behaves as `what` describes."""
    return {**os.environ, "RECORDED_COMPILER": json.dumps(what, default=str)}


def test_training_from_scratch_gives_a_report_and_a_bundle_and_the_same_ones_again(
    train: Train, photos: Path, tmp_path: Path, run_fieldfare: Run
) -> None:
    out = tmp_path / "shapes"
    done = run_fieldfare("train", photos, "--out", out, "--json", *SCRATCH)
    assert done.returncode == 0, done.stderr

    assert done.stdout.endswith("}\n")
    assert done.stdout.count("\n") == 1, "one line of JSON and nothing else"
    report = json.loads(done.stdout)
    assert report["bundle"] == str(out)
    assert report["report"] == str(tmp_path / "shapes-report.html")
    assert names_in(tmp_path) == ["shapes", "shapes-report.html", "shapes-report.json"]
    assert report["classes"] == ["blue-triangle", "green-square", "red-disc"]
    assert report["photos"] == SPLIT
    assert 0 <= report["test_top1_float"] <= 1
    assert 0 <= report["test_top1_int8"] <= 1
    assert 0 < sum(report["stage_seconds"].values()) <= report["seconds"] + 1
    assert report["val_top1_head"] is None, "there is no frozen phase from scratch"
    assert 1 <= report["best_epoch"] <= 2
    assert (report["edgetpu_check"], report["edgetpu"]) == ("whole", "not requested")

    page = page_of(out)
    assert page["test"]["photos"] == SPLIT["test"]
    assert page["test"]["top1"]["value"] == report["test_top1_int8"]
    assert [epoch["number"] for epoch in page["history"]["epochs"]] == [1, 2]

    bundle = open_bundle(out)
    assert bundle.bundle_id == report["bundle_id"]
    assert bundle.labels == tuple(report["classes"])
    assert bundle.manifest.metrics.top1_int8 == report["test_top1_int8"]
    assert bundle.manifest.metrics.calibration_error == report["calibration_error"]
    assert bundle.manifest.metrics.photos == SPLIT["test"]
    assert bundle.manifest.calibration.temperature == report["temperature"]
    assert list(bundle.manifest.calibration.bias) == report["bias"]
    assert bundle.manifest.calibration.threshold == report["threshold"]
    assert (bundle.manifest.architecture.weights, bundle.manifest.architecture.seed) == ("none", 0)
    verified = run_fieldfare("bundle", "verify", out)
    assert verified.returncode == 0, verified.stderr
    assert remembered_by(bundle).learned.tolist() == [False] * SPLIT["val"] + [True] * SPLIT["train"]

    again, same = train(*SCRATCH, name="again")
    assert again["test_top1_int8"] == report["test_top1_int8"]
    assert open_bundle(same).manifest.files == bundle.manifest.files  # with every file's SHA-256


def test_few_photos_are_all_learned_from_and_the_figures_are_from_before_that(
    train: Train, v2_weights: Path, run_fieldfare: Run
) -> None:
    report, out = train("--weights", v2_weights, "--size", 32, "--patience", 1)
    assert {"fine-tuning", "joining"} <= set(report["stage_seconds"])
    assert report["photos"] == SPLIT, "the division is still that of the photos"
    history = page_of(out)["history"]
    assert history["joined"] == SPLIT["val"]
    kept = history["epochs"][-1]
    assert (report["best_epoch"], report["val_top1_float"]) == (kept["number"], kept["val_accuracy"])
    assert report["test_top1_int8"] >= 0.9
    assert run_fieldfare("bundle", "verify", out).returncode == 0
    remembered = remembered_by(open_bundle(out))
    assert remembered.learned.all(), "the network learned from those for validation, too"
    assert (np.bincount(remembered.classes) > 0).all()


def test_the_head_alone_learns_from_all_of_few_photos(
    train: Train, head_only: tuple[object, ...], run_fieldfare: Run
) -> None:
    report, out = train(*head_only)
    history = page_of(out)["history"]
    assert (history["joined"], history["kept"]) == (SPLIT["val"], 0)
    assert report["photos"] == SPLIT
    assert report["val_top1_float"] == report["val_top1_head"], "that of the head from before"
    assert remembered_by(open_bundle(out)).learned.all()
    assert run_fieldfare("bundle", "verify", out).returncode == 0


def test_fine_tuning_learns_the_shapes(train: Train, v2_weights: Path) -> None:
    report, out = train("--weights", v2_weights, "--size", 64, "--epochs", 2)
    assert report["val_top1_head"] >= 0.9
    assert report["val_top1_float"] >= 0.9
    assert report["test_top1_int8"] >= 0.9
    assert {"head", "fine-tuning", "quantizing"} <= set(report["stage_seconds"])
    history = page_of(out)["history"]
    assert len(history["epochs"]) == 2
    assert history["choice"]["last"] == 2, "the last epoch, whatever it was compared with"
    assert history["kept"] in (2, history["choice"]["rival"])


def test_mobilenet_v1_is_trained_alike(train: Train, shared: Path, run_fieldfare: Run) -> None:
    weights = shared / "weights" / V1_WEIGHTS
    report, out = train("--arch", "mobilenet_v1", "--alpha", 0.5, "--weights", weights, "--size", 64, "--epochs", 1)
    assert report["test_top1_int8"] >= 0.9
    assert open_bundle(out).manifest.architecture.family == "MobileNetV1"
    assert run_fieldfare("bundle", "verify", out).returncode == 0


def test_mobilenet_v3_is_trained_from_scratch_in_mixed_precision(train: Train, run_fieldfare: Run) -> None:
    """float16 is for GPUs, but works on a CPU, too. The result is an int8 model like any other."""
    report, out = train("--arch", "mobilenet_v3_small", *SCRATCH, "--precision", "mixed")
    assert report["best_epoch"] > 0
    assert report["edgetpu_check"] == "whole", "the minimalistic form has no operator that the Edge TPU lacks"
    quantized = page_of(out)["quantized"]
    assert quantized["agreement"] >= 0.8
    assert open_bundle(out).manifest.architecture.family == "MobileNetV3SmallMinimalistic"
    assert run_fieldfare("bundle", "verify", out).returncode == 0


def test_another_seed_draws_another_split_and_overwrite_replaces_the_bundle(
    train: Train, head_only: tuple[object, ...]
) -> None:
    _, out = train(*head_only)
    before = open_bundle(out)
    report, _ = train(*head_only, "--seed", 1, "--overwrite")
    after = open_bundle(out)
    assert after.bundle_id == report["bundle_id"] != before.bundle_id
    assert after.model != before.model
    assert page_of(out)["run"]["seed"] == 1
    assert names_in(out.parent) == ["bundle", "bundle-report.html", "bundle-report.json"], "nothing else is left"


def test_a_time_budget_takes_the_place_of_epochs(train: Train, v2_weights: Path) -> None:
    """However little fits into 42 seconds here, there is a bundle at the end."""
    report, out = train("--weights", v2_weights, "--size", 64, "--time-budget", 0.7)
    assert report["test_top1_int8"] >= 0.9
    assert page_of(out)["run"]["options"]["time budget"] == "0.7 minutes"
    assert not out.with_name("bundle.training").exists()


def test_a_thousand_classes_of_four_photos(
    tmp_path: Path, paint: Paint, save_photo: SavePhoto, head_only: tuple[object, ...], run_fieldfare: Run
) -> None:
    """Two of each to learn from, one to validate, one to test."""
    rng, photos = np.random.default_rng(5), tmp_path / "photos"
    for label in range(CLASSES):
        for number in range(4):
            save_photo(photos / f"class{label:04}" / f"{number}.jpg", paint(rng, 32, 32))
    out = tmp_path / "bundle"
    done = run_fieldfare("train", photos, "--out", out, "--json", *head_only, timeout=600)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["photos"] == {"train": 2 * CLASSES, "val": CLASSES, "test": CLASSES}
    assert len(open_bundle(out).labels) == CLASSES
    assert page_of(out)["test"]["confusion"] is None, "no matrix of a million numbers"


def test_unreadable_photos_that_are_left_out_are_told_counted_and_noted(
    tmp_path: Path, shapes: Shapes, head_only: tuple[object, ...], run_fieldfare: Run
) -> None:
    photos = shapes(tmp_path / "photos", 12)
    (photos / "red-disc" / "003.jpg").write_bytes(b"this is no photo")
    refused = run_fieldfare("train", photos, "--out", tmp_path / "bundle", *head_only, "--nights", 0.3)
    assert "warning: only the head is trained, which makes no use of --nights\n" in refused.stderr
    assert refused.returncode == 65
    assert "red-disc/003.jpg: " in refused.stderr
    assert "--skip-unreadable" in refused.stderr
    assert names_in(tmp_path) == ["photos"]

    done = run_fieldfare("train", photos, "--out", tmp_path / "bundle", "--skip-unreadable", "--json", *head_only)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["unreadable"] == 1
    assert sum(report["photos"].values()) == 35
    assert "left out: " in done.stderr
    (note,) = open_bundle(tmp_path / "bundle").manifest.origin.notes
    assert "red-disc/003.jpg" in note
    (noted,) = page_of(tmp_path / "bundle")["data"]["unreadable"]
    assert "red-disc/003.jpg" in noted


def test_what_prepares_pictures_in_training_travels_to_the_device(
    train: Train, v2_weights: Path, photos: Path, run_fieldfare: Run
) -> None:
    alter = ("--resize", "letterbox", "--any-way-up", "--mirror-vertical", "--nights", 0.3)
    short = ("--weights", v2_weights, "--size", 32, "--epochs", 1)
    _, out = train(*short, *alter, "--prepare", "clahe, Grey")
    assert open_bundle(out).manifest.preprocessing.preparation == ("grey", "clahe")
    options = page_of(out)["run"]["options"]
    assert (options["preparation"], options["any way up"]) == ("grey, clahe", "yes")
    shown = out.with_name("bundle-report.html").read_text()
    assert shown.count('<ul class="gallery sheet">') == 6
    assert shown.count(">altered<") == 24
    assert run_fieldfare("bundle", "verify", out).returncode == 0
    assert "grey, clahe" in run_fieldfare("bundle", "show", out).stdout
    named = run_fieldfare("classify", out, next(photos.rglob("*.jpg")), "--json")
    assert json.loads(named.stdout)["label"] in open_bundle(out).labels


# One training with many options: visits of five photos, strangers, an Edge TPU, one file


@pytest.fixture(scope="module")
def full(
    tmp_path_factory: pytest.TempPathFactory,
    shapes: Shapes,
    paint: Paint,
    save_photo: SavePhoto,
    head_only: tuple[object, ...],
) -> SimpleNamespace:
    """The output of a training with all of these options. Each photo is in the folder of one of six days."""
    root = tmp_path_factory.mktemp("full")
    photos = shapes(root / "photos", PER_CLASS)
    for number, path in enumerate(sorted(photos.rglob("*.jpg"))):
        day = path.parent / f"day{number % PER_CLASS // 5}"
        day.mkdir(exist_ok=True)
        path.rename(day / path.name)
    (photos / "taxonomy.csv").write_text("label,scientific_name,kind\nred-disc,,object\nowl,Strix,animal\n")
    cut = {"padding": 0.1, "slack": 1.5, "least_px": 16, "min_size": 0.025}
    (photos / "fieldfare-crop.json").write_text(json.dumps({"cut": cut}))
    rng, strangers = np.random.default_rng(3), root / "empty scenes"
    for number in range(8):
        save_photo(strangers / f"{number}.jpg", paint(rng))
    (strangers / "torn.jpg").write_bytes(b"this is no photo")
    out = root / "shapes.fieldfare"
    options = ("--group-by", "folder", "--class-weights", "balanced", "--outside", strangers)
    words = ("train", photos, "--out", out, *head_only, *options, "--edgetpu", "--compiler", COMPILER, "--json")
    done = subprocess.run(
        [sys.executable, "-m", "edge", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=told(),
    )
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(out=out, photos=photos, said=done.stderr, report=json.loads(done.stdout), page=page_of(out))


def test_a_packed_bundle_is_one_file_that_classifies(full: SimpleNamespace, run_fieldfare: Run) -> None:
    assert full.out.is_file()
    assert full.report["report"] == str(full.out.with_name("shapes-report.html"))
    done = run_fieldfare("classify", full.out, full.photos / "red-disc" / "day0" / "000.jpg", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "red-disc"


def test_how_the_photos_were_cut_is_in_the_bundle(full: SimpleNamespace) -> None:
    assert open_bundle(full.out).manifest.cut == Cut(padding=0.1, slack=1.5, least_px=16, min_size=0.025)


def test_the_taxonomy_beside_the_photos_is_in_the_bundle(full: SimpleNamespace, run_fieldfare: Run) -> None:
    assert open_bundle(full.out).taxonomy == (full.photos / "taxonomy.csv").read_bytes()
    assert "warning: " in full.said
    assert "no class is called 'owl'" in full.said
    done = run_fieldfare("bundle", "show", full.out)
    assert "taxonomy       taxonomy.csv, 1 of 3 labels: 1 object" in done.stdout


def test_photos_of_one_visit_stay_together(full: SimpleNamespace) -> None:
    """Six days of five photos a class: four to learn from, one to validate, one to test. Without visits it would
    be 22, 4 and 4."""
    assert full.page["data"]["counts"] == {"train": [20] * 3, "val": [5] * 3, "test": [5] * 3}


def test_class_weights_stand_in_the_report(full: SimpleNamespace) -> None:
    assert full.page["run"]["options"]["class weights"] == "balanced"


def test_photos_outside_the_classes_are_shown_to_the_finished_model(full: SimpleNamespace) -> None:
    (outside,) = full.page["outside"]
    assert (outside["title"], outside["photos"]) == ("empty scenes", 8)
    assert sum(count for _, count in outside["answers"]) == 8
    assert f"warning: --outside: left out: {full.out.parent}/empty scenes/torn.jpg: " in full.said
    assert f"8 photos outside the classes: {outside['unknown']:.0%} called unknown" in full.said


def test_classes_that_a_head_never_saw_are_in_the_report(full: SimpleNamespace) -> None:
    assert [row["name"] for row in full.page["left_out"]] == full.report["classes"]
    assert [row["photos"] for row in full.page["left_out"]] == [5, 5, 5]


def test_a_model_that_compiles_whole_goes_into_the_bundle_with_the_compilers_words(full: SimpleNamespace) -> None:
    bundle = open_bundle(full.out)
    edgetpu = bundle.manifest.edgetpu
    assert full.report["edgetpu"] == f"{edgetpu.operators_on_tpu} operators on the TPU, 0 on the CPU"
    assert edgetpu.operators_on_tpu > 50
    assert (edgetpu.operators_on_cpu, edgetpu.compiler_version) == (0, "16.0.384591198")
    assert b"edgetpu-custom-op" in bundle.edgetpu_model
    memory = full.page["model"]["edgetpu"]["memory"]
    assert (memory["on_chip"], memory["compiled"]) == (edgetpu.on_chip_bytes, True)
    assert edgetpu.on_chip_bytes > 100_000
    assert b"Model compiled successfully" in bundle.contents[edgetpu.log]
    assert "Model compiled successfully in 12 ms." in full.page["model"]["edgetpu"]["compiler"]


# The Edge TPU, when not all goes well


def test_a_model_that_maps_in_part_is_left_out_unless_that_is_allowed(
    photos: Path, tmp_path: Path, head_only: tuple[object, ...], run_fieldfare: Run, train: Train, shared: Path
) -> None:
    """The compiler's output is a recording of another model, with the number of operators of this one."""
    partial = told(say=shared / "edgetpu" / "compiler_stdout_partial.txt", cpu=3)
    out = tmp_path / "bundle"
    words = ("--edgetpu", "--compiler", COMPILER)
    refused = run_fieldfare("train", photos, "--out", out, "--json", *head_only, *words, env=partial)
    assert refused.returncode == 0, "the training is not thrown away"
    assert json.loads(refused.stdout)["edgetpu"] == "refused"
    (warning,) = [line for line in refused.stderr.splitlines() if line.startswith("warning: ")]
    operators = len(read_graph(open_bundle(out).model).operators)
    reason = f"3 of {operators} operators would stay on the CPU (the compiler does not name them)"
    assert warning.startswith(f"warning: the bundle is for the CPU only: {reason}")
    assert "--allow-partial" in warning
    assert f"; later: fieldfare compile {out}, or, from another machine, fieldfare bundle add-edgetpu" in warning
    assert open_bundle(out).manifest.edgetpu is None

    report, _ = train(*head_only, *words, "--allow-partial", "--overwrite", env=partial)
    assert report["edgetpu"] == f"{operators - 3} operators on the TPU, 3 on the CPU"
    edgetpu = open_bundle(out).manifest.edgetpu
    assert (edgetpu.operators_on_tpu, edgetpu.operators_on_cpu) == (operators - 3, 3)


def test_a_teachable_bundle_is_taught_and_keeps_its_compiled_model(
    photos: Path, tmp_path: Path, head_only: tuple[object, ...], train: Train
) -> None:
    report, out = train(*head_only, "--edgetpu", "--compiler", COMPILER, "--teachable", env=told())
    assert report["edgetpu"].endswith(" on the CPU: the last layer, so that it can be taught")
    old = open_bundle(out)
    assert old.edgetpu_model is not None
    assert check_twin(old.edgetpu_model, old.model).teachable
    new = teach(old, tmp_path / "taught", of_folder(photos)).bundle
    assert new.edgetpu_model is not None
    assert new.edgetpu_model != old.edgetpu_model
    assert check_twin(new.edgetpu_model, new.model).teachable


def test_without_the_compiler_the_bundle_is_for_the_cpu_and_the_compiled_model_can_be_added_later(
    photos: Path, tmp_path: Path, head_only: tuple[object, ...], run_fieldfare: Run
) -> None:
    """With the very command that the warning names."""
    out = tmp_path / "bundle"
    nowhere = {**os.environ, "PATH": "/nowhere"}
    done = run_fieldfare("train", photos, "--out", out, "--edgetpu", "--json", *head_only, env=nowhere)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["edgetpu"] == "no compiler"
    assert "warning: the bundle is for the CPU only: edgetpu_compiler is not on this machine" in done.stderr
    assert f"later: fieldfare compile {out}" in done.stderr
    assert done.stderr.count("add-edgetpu") == 1
    assert f"fieldfare bundle add-edgetpu {out} model_edgetpu.tflite --log words.txt" in done.stderr
    assert open_bundle(out).manifest.edgetpu is None

    later = run_fieldfare("compile", out, "--compiler", COMPILER, env=told())
    assert later.returncode == 0, later.stderr
    assert b"edgetpu-custom-op" in open_bundle(out).edgetpu_model


# What goes wrong


def on_a_disk_that_fills(command: Sequence[object]) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", DISK_FULL_AT_THE_END, *map(str, command)]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_a_disk_that_is_full_when_the_bundle_is_written_leaves_no_half_bundle(
    photos: Path, tmp_path: Path, head_only: tuple[object, ...]
) -> None:
    """What was learned is left for the next attempt."""
    command = ["train", photos, "--out", tmp_path / "bundle", *head_only]
    done = on_a_disk_that_fills(command)
    assert done.returncode == 74, done.stderr
    assert "Traceback" not in done.stderr
    assert f"cannot write {tmp_path / 'bundle'}: File too large; nothing was left behind" in done.stderr
    assert done.stderr.strip().endswith("; the same command then goes on from bundle.training")
    assert names_in(tmp_path) == ["bundle.training"], "no report of a bundle that is not there"


def test_a_disk_that_is_full_leaves_the_bundle_that_was_to_be_replaced_with_its_own_report(
    train: Train, photos: Path, head_only: tuple[object, ...]
) -> None:
    _, out = train(*head_only)
    before = {path.name: path.read_bytes() for path in out.parent.glob("bundle-report.*")}
    command = ["train", photos, "--out", out, *head_only, "--seed", 1, "--overwrite", "--restart"]
    done = on_a_disk_that_fills(command)
    assert done.returncode == 74, done.stderr
    assert "; the same command without --restart then goes on from bundle.training" in done.stderr
    open_bundle(out)
    assert {path.name: path.read_bytes() for path in out.parent.glob("bundle-report.*")} == before


@pytest.mark.parametrize(
    ("limit", "what", "left"),
    [
        (50_000, "the decoded photos", ["scratch"]),
        (400_000, "the features", ["scratch"]),
        (2_000_000, "the conversion", ["bundle.training", "scratch"]),
    ],
    ids=["photos", "features", "conversion"],
)
def test_a_temporary_folder_that_is_full_is_an_error_in_one_line(
    photos: Path,
    tmp_path: Path,
    head_only: tuple[object, ...],
    run_fieldfare: Run,
    limit: int,
    what: str,
    left: list[str],
) -> None:
    def shrink() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    words = ("--out", tmp_path / "bundle", *head_only)
    done = run_fieldfare("train", photos, *words, preexec_fn=shrink, env=environment)
    assert done.returncode == 74, done.stderr
    assert "Traceback" not in done.stderr
    assert f"for {what} do not fit" in done.stderr
    assert "TMPDIR" in done.stderr
    assert names_in(tmp_path) == left
    assert files_under(scratch) == []


# The real thing


def test_trashnet_with_default_options_beats_the_recipe_that_everybody_uses(
    shared: Path, v2_weights: Path, tmp_path: Path, run_fieldfare: Run
) -> None:
    """The Keras guide's two phases come to 79.8 % as float and 78.5 % as int8 (shared/FACTS.md). Here
    (2 x86-64 cores, 2026-11): 87.9 and 88.5 %, calibration error 0.028, 96.9 % of the named right."""
    out = tmp_path / "trashnet"
    words = ("--out", out, "--weights", v2_weights, "--json")
    done = run_fieldfare("train", shared / "data" / "trashnet", *words, timeout=880)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["photos"] == {"train": 1762, "val": 378, "test": 381}
    assert report["test_top1_int8"] >= 0.85
    assert report["test_top1_int8"] == pytest.approx(report["test_top1_float"], abs=0.01)
    assert report["calibration_error"] <= 0.05
    assert report["promise_shown"]
    assert report["precision"] >= 0.93, "0.95 is promised"
    assert report["coverage"] >= 0.6, "and not by saying nothing"
    verified = run_fieldfare("bundle", "verify", out)
    assert verified.returncode == 0, verified.stderr
