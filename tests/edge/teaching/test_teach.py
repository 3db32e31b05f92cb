"""A bundle is taught: the new one knows what it was shown, and is as sound as any."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from colour_bundles import COLOURS, KNOWN, colour_bundle, photos
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.config.running import Decisions, Engine
from edge.errors import BundleError, DatasetError
from edge.inference import golden
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from edge.records import Frame
from edge.teaching.last_layer import read_last_layer
from edge.teaching.photos import of_folder
from edge.teaching.remembering import recall, remember
from edge.teaching.teach import teach
from edge.worker.assemble import build_pipeline


def replace_calibration(bundle: Bundle, **values: object) -> Bundle:
    """The bundle in memory with another calibration."""
    calibration = msgspec.structs.replace(bundle.manifest.calibration, **values)
    return replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, calibration=calibration))


def with_learned(bundle: Bundle, which: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> Bundle:
    """The bundle in memory, whose network learned from `which` of the examples behind its model."""
    layer = read_last_layer(bundle.model)
    found = recall(bundle.model, layer.of_input, layer.classes, layer.weights.shape[1])
    assert found is not None
    model = remember(bundle.model, layer.of_input, replace(found, learned=which(found.classes)))
    return replace(bundle, contents={**bundle.contents, bundle.manifest.model: model})


def answers(bundle: Bundle) -> dict[str, str]:
    """What a bundle calls each colour."""
    pipeline = build_pipeline(bundle, Engine(device="cpu"), Decisions())
    found = {}
    for colour, rgb in COLOURS.items():
        frame = np.full((48, 64, 3), rgb[::-1], np.uint8)
        found[colour] = pipeline.process(Frame(frame, 0, 0.0, 0.0)).top[0].label
    pipeline.classifier.close()
    return found


@pytest.fixture(params=[(), ("RESHAPE", "SOFTMAX")], ids=["logits", "probabilities"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    return colour_bundle(tmp_path / "old", ending=request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of the three known colours and of a new one."""
    for label in KNOWN:
        photos(tmp_path / "photos", label, label, 6)
    return photos(tmp_path / "photos", "yellow", "yellow", 10)


def test_a_new_class_is_known_and_the_old_ones_still_are(old: Bundle, folder: Path, tmp_path: Path) -> None:
    made = teach(old, tmp_path / "new", of_folder(folder))
    assert made.verdict.better
    assert (made.verdict.known_after, made.verdict.new) == (1.0, 1.0)
    assert made.bundle.labels == (*KNOWN, "yellow")
    assert made.bundle.bundle_id != old.bundle_id
    assert answers(made.bundle) == {colour: colour for colour in COLOURS}
    assert answers(old)["yellow"] != "yellow"


def test_the_new_bundle_is_sound_and_the_same_for_the_same_photos(old: Bundle, folder: Path, tmp_path: Path) -> None:
    made, again = (teach(old, tmp_path / "new", of_folder(folder)).bundle for _ in range(2))
    assert made.model == again.model
    manifest = made.manifest
    runtime = TfliteClassifier(load_runtime(), made.model)
    check_details(runtime, manifest)
    golden.require(made, runtime, Preprocessor(manifest.preprocessing, manifest.input))
    assert old.bundle_id in manifest.origin.notes[-1]


def test_what_was_taught_is_remembered_so_that_the_next_class_needs_no_other_photos(
    old: Bundle, folder: Path, tmp_path: Path
) -> None:
    first = teach(old, tmp_path / "first", of_folder(folder)).bundle
    COLOURS_OF_NEXT = photos(tmp_path / "next", "pale", "yellow", 0)
    for number in range(8):
        rgb = np.clip(np.array([230, 225, 230]) - 4 * number, 0, 255).astype(np.uint8)
        cv2.imwrite(str(COLOURS_OF_NEXT / "pale" / f"{number}.png"), np.full((24, 24, 3), rgb, np.uint8))
    second = teach(first, tmp_path / "second", of_folder(COLOURS_OF_NEXT))
    assert second.bundle.labels == (*KNOWN, "yellow", "pale")
    assert {row.label: row.remembered for row in second.verdict.rows}["yellow"] == 10
    assert answers(second.bundle) == {colour: colour for colour in COLOURS}
    before, after = (read_last_layer(bundle.model) for bundle in (first, second.bundle))
    rounding = after.of_weights.scales.max() / 2 + 1e-9
    assert after.weights[:4] == pytest.approx(before.weights, abs=rounding), "rows moved without a photo of theirs"


def test_photos_of_known_classes_alone_move_their_rows(tmp_path: Path) -> None:
    """Yellow is called red from now on, which it is not always before."""
    old = colour_bundle(tmp_path / "old", ending=())
    for label in KNOWN:
        photos(tmp_path / "photos", label, label, 8)
    photos(tmp_path / "photos", "red", "yellow", 8, first=100)
    made = teach(old, tmp_path / "new", of_folder(tmp_path / "photos"))
    assert made.verdict.new is None
    assert made.bundle.labels == KNOWN
    assert answers(made.bundle)["yellow"] == "red"


def test_with_a_class_that_nobody_shows_rows_of_the_others_stay(old: Bundle, tmp_path: Path) -> None:
    """Moved, they would take from it unseen: of 1,001 classes with photos of one, all became that one."""
    for label in KNOWN[:2]:
        photos(tmp_path / "photos", label, label, 8)
    with pytest.raises(DatasetError, match=rf"1 class without a photo or a remembered example \({KNOWN[2]}\)"):
        teach(old, tmp_path / "new", of_folder(tmp_path / "photos"))
    notes: list[str] = []
    folder = photos(tmp_path / "photos", "yellow", "yellow", 10)
    made = teach(old, tmp_path / "new", of_folder(folder), note=notes.append)
    assert any("the others are not corrected" in note for note in notes)
    before, after = (read_last_layer(bundle.model) for bundle in (old, made.bundle))
    rounding = after.of_weights.scales.max() / 2 + 1e-9
    assert after.weights[:3] == pytest.approx(before.weights, abs=rounding)


def test_nothing_to_hold_the_known_classes_by_is_refused(old: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"0 examples of the classes that the bundle knows, must be at least 10"):
        teach(old, tmp_path / "new", of_folder(photos(tmp_path / "photos", "yellow", "yellow", 10)))


def test_a_new_class_has_a_threshold_of_its_own_at_which_most_of_it_is_named(
    old: Bundle, folder: Path, tmp_path: Path
) -> None:
    calibration = replace_calibration(old, threshold=0.999, promised_precision=0.95)
    made = teach(calibration, tmp_path / "new", of_folder(folder))
    thresholds = dict(zip(made.bundle.labels, made.bundle.thresholds, strict=True))
    assert len({thresholds[label] for label in KNOWN}) == 1
    assert thresholds["yellow"] <= thresholds["red"]
    row = next(row for row in made.verdict.rows if row.label == "yellow")
    assert row.named is not None
    assert row.named >= 0.8
    again = teach(made.bundle, tmp_path / "again", of_folder(photos(tmp_path / "more", "red", "red", 12, first=50)))
    assert again.bundle.thresholds[3] <= again.bundle.thresholds[0]


def test_what_the_network_learned_from_is_fitted_to_and_not_judged(old: Bundle, folder: Path, tmp_path: Path) -> None:
    first = teach(old, tmp_path / "first", of_folder(folder)).bundle
    learned = with_learned(first, lambda classes: classes == 0)
    pale = photos(tmp_path / "next", "pale", "yellow", 8, first=300)
    for path in (pale / "pale").iterdir():
        cv2.imwrite(str(path), 255 - cv2.imread(str(path)) // 8)
    rows = {row.label: row for row in teach(learned, tmp_path / "second", of_folder(pale)).verdict.rows}
    assert "red" not in rows
    assert rows["green"].remembered == 6


def test_if_the_network_learned_from_all_that_is_noted(old: Bundle, folder: Path, tmp_path: Path) -> None:
    first = teach(old, tmp_path / "first", of_folder(folder)).bundle
    learned = with_learned(first, lambda classes: classes >= 0)
    notes: list[str] = []
    more = of_folder(photos(tmp_path / "more", "red", "red", 5, first=50))
    verdict = teach(learned, tmp_path / "second", more, note=notes.append).verdict
    assert {row.remembered for row in verdict.rows if row.label == "green"} == {6}
    assert [note for note in notes if "may fare worse than shown" in note]


def test_copies_of_one_photo_count_once(old: Bundle, folder: Path, tmp_path: Path) -> None:
    for path in sorted((folder / "yellow").iterdir())[1:]:
        path.write_bytes((folder / "yellow" / "000.png").read_bytes())
    with pytest.raises(DatasetError, match=r"'yellow' has 1 photo of use, of 10, must have at least 5"):
        teach(old, tmp_path / "new", of_folder(folder))


def test_photos_that_taught_before_are_not_also_remembered(old: Bundle, folder: Path, tmp_path: Path) -> None:
    """Else a layer would be judged by a copy of what it was fitted to."""
    first = teach(old, tmp_path / "first", of_folder(folder)).bundle
    notes: list[str] = []
    again = teach(first, tmp_path / "again", of_folder(folder), note=notes.append).verdict
    assert {(row.label, row.photos, row.remembered) for row in again.rows} == {
        *((label, 6, 0) for label in KNOWN),
        ("yellow", 10, 0),
    }
    assert any("learned from the remembered examples of what it was taught before" in note for note in notes)


def test_photos_that_cannot_be_read_are_named_and_left_out(old: Bundle, folder: Path, tmp_path: Path) -> None:
    (folder / "yellow" / "000.png").write_bytes(b"no picture")
    notes: list[str] = []
    assert teach(old, tmp_path / "new", of_folder(folder), note=notes.append).verdict.better
    assert [note for note in notes if "000.png" in note]


def test_a_model_that_cannot_be_taught_is_named(old: Bundle, folder: Path, tmp_path: Path) -> None:
    broken = replace(old, contents={**old.contents, old.manifest.model: old.model[:200]})
    with pytest.raises(BundleError, match="old"):
        teach(broken, tmp_path / "new", of_folder(folder))
