"""The findings of the dataset check: a generated dataset for each finding, and one without any."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from PIL import Image

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import DatasetError
from edge.records import Pixels
from trainer.check.examine import DatasetReport, Finding, conflicts, examine
from trainer.dataset.duplicates import group_duplicates
from trainer.dataset.groups import join_groups, parse_group_by, visit_groups
from trainer.dataset.listing import list_photos
from trainer.dataset.machine_labels import MACHINE_LABELS, MachineLabel, write_machine_labels
from trainer.dataset.photos import load_photos
from trainer.dataset.splitting import assign_splits

Paint = Callable[..., Pixels]
SavePhoto = Callable[..., Path]
Fill = Callable[..., Path]
Check = Callable[..., DatasetReport]

CLASSES = ("owl", "wren")


@pytest.fixture
def fill(tmp_path: Path, paint: Paint, save_photo: SavePhoto) -> Fill:
    """Fill class folders with different photos, in split folders if `splits` are named."""

    def make(
        per_class: int = 60, splits: tuple[str, ...] = ("",), classes: tuple[str, ...] = CLASSES, seed: int = 1
    ) -> Path:
        rng = np.random.default_rng(seed)
        for split in splits:
            for label in classes:
                for number in range(per_class):
                    save_photo(
                        tmp_path / "photos" / split / label / f"{rng.integers(1 << 40):x}-{number}.jpg", paint(rng)
                    )
        return tmp_path / "photos"

    return make


@pytest.fixture
def check(tmp_path: Path, spec: Preprocessing, tensor: InputTensor) -> Check:
    """Run the whole check, as `fieldfare dataset check` does, for a model of 32 pixels."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(root: Path, group_by: str | None = None) -> DatasetReport:
        listing = list_photos(root, min_photos=0)
        photos = load_photos(listing, spec, tensor, scratch, workers=1, skip_unreadable=True, progress=lambda _: None)
        with photos.pixels:
            duplicates = group_duplicates(photos.hashes, photos.greys)
            visits = visit_groups(photos.listing, parse_group_by(group_by)) if group_by else None
            groups = join_groups(duplicates, visits.groups) if visits else duplicates
            try:
                splits, _ = assign_splits(photos.listing, groups, 0, conflicts(photos))
            except DatasetError as error:
                return examine(photos, duplicates, None, visits=visits, refusal=str(error))
            return examine(photos, duplicates, splits, visits=visits)

    return run


def kinds(report: DatasetReport) -> list[str]:
    return [finding.kind for finding in report.findings]


def only(report: DatasetReport) -> Finding:
    """Return the only finding."""
    assert len(report.findings) == 1, kinds(report)
    return report.findings[0]


def first(folder: Path, number: int = 0) -> Path:
    return sorted(folder.iterdir())[number]


def test_links_that_lead_nowhere_are_counted_also_where_a_photo_cannot_be_read(fill: Fill, check: Check) -> None:
    root = fill()
    for name in ("a.jpg", "b.jpg"):
        (root / "owl" / name).symlink_to(root / "unplugged" / name)
    (root / "wren" / "cut.jpg").write_bytes(b"no photo")
    report = check(root)
    assert kinds(report) == ["unreadable", "broken-links"]
    assert report.findings[1].title == "2 links to photos lead nowhere"
    assert report.findings[1].examples == ("owl/a.jpg", "owl/b.jpg")
    assert report.photos == 120


def test_a_good_dataset_gives_no_finding_at_all(fill: Fill, check: Check) -> None:
    report = check(fill())
    assert report.findings == ()
    assert (report.photos, report.splits) == (120, {"train": 84, "val": 18, "test": 18})
    assert [(entry.name, entry.photos, entry.test) for entry in report.classes] == [("owl", 60, 9), ("wren", 60, 9)]


def test_the_report_is_json_and_comes_back_as_it_was(fill: Fill, check: Check) -> None:
    root = fill(5)
    (root / "owl" / "broken.jpg").write_bytes(b"x")
    report = check(root)
    assert msgspec.json.decode(msgspec.json.encode(report), type=DatasetReport) == report


def test_where_no_photo_can_be_read_at_all_that_is_what_is_said(tmp_path: Path, check: Check) -> None:
    for label in CLASSES:
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.jpg").write_bytes(b"x")
    assert kinds(check(tmp_path / "photos")) == ["too-small-class", "unreadable"]


# Files


def test_unreadable_photos_are_a_problem_and_named_with_their_reasons(fill: Fill, check: Check) -> None:
    root = fill()
    (root / "owl" / "broken.jpg").write_bytes(b"this is no photo")
    finding = only(check(root))
    assert (finding.kind, finding.severity, finding.count) == ("unreadable", "problem", 1)
    assert finding.examples[0].startswith("owl/broken.jpg: not a picture")


def test_names_that_are_no_text_are_shown_with_question_marks(fill: Fill, check: Check) -> None:
    root = fill()
    (root / "owl" / "tab\there.jpg").write_bytes(b"this is no photo")
    assert only(check(root)).examples[0].startswith("owl/tab?here.jpg: ")


def tiny(path: Path) -> None:
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8))


def wide(path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 60, 3)).astype(np.uint8)
    cv2.imwrite(str(path), cv2.resize(picture, (400, 80)))


def shade(low: int, high: int) -> Callable[[Path], None]:
    def paint_it(path: Path) -> None:
        rng = np.random.default_rng(5)
        coarse = rng.integers(low, high, (6, 8, 3)).astype(np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (96, 72), interpolation=cv2.INTER_NEAREST))

    return paint_it


def from_scene(**options: Any) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        coarse = np.random.default_rng(6).integers(60, 190, (6, 8, 3)).astype(np.uint8)
        image = Image.fromarray(cv2.resize(coarse, (96, 72), interpolation=cv2.INTER_CUBIC))
        image.convert(options.get("mode", "RGB")).save(path, format=options.get("format"), **options.get("save", {}))

    return save


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    from_scene(save={"exif": exif})(path)


def two_pages(path: Path) -> None:
    page = Image.effect_noise((96, 72), 60).convert("RGB")
    page.save(path, save_all=True, append_images=[page])


@pytest.mark.parametrize(
    ("kind", "severity", "name", "make"),
    [
        ("blank", "warning", "blank.png", shade(120, 122)),
        ("very-dark", "warning", "dark.png", shade(0, 30)),
        ("very-bright", "warning", "bright.png", shade(228, 256)),
        ("tiny", "warning", "tiny.png", tiny),
        ("extreme-shape", "warning", "strip.png", wide),
        ("turned", "remark", "turned.jpg", turned),
        ("several-frames", "remark", "pages.tif", two_pages),
        ("wrong-ending", "remark", "really.jpg", from_scene(format="PNG")),
        ("colour-mode", "remark", "grey.png", from_scene(mode="L")),
        ("colour-mode", "remark", "palette.png", from_scene(mode="P")),
        ("colour-mode", "remark", "alpha.png", from_scene(mode="RGBA")),
        ("ignored-files", "remark", "notes.txt", Path.touch),
    ],
)
def test_each_kind_of_suspicious_file(
    fill: Fill, check: Check, kind: str, severity: str, name: str, make: Callable[[Path], None]
) -> None:
    root = fill()
    make(root / "owl" / name)
    finding = only(check(root))
    assert (finding.kind, finding.severity, finding.count) == (kind, severity, 1)
    if kind != "ignored-files":
        assert finding.examples[0].startswith(f"owl/{name}")


def test_what_is_passed_over_is_a_warning_with_the_class_if_it_is_much(fill: Fill, check: Check) -> None:
    root = fill()
    for number in range(40):
        (root / "owl" / f"{number}.HEIC").touch()
    (root / "wren" / "notes.txt").touch()
    finding = only(check(root))
    assert (finding.kind, finding.severity, finding.count) == ("ignored-files", "warning", 41)
    assert finding.examples == (
        "owl: 40 of 100 files passed over: 40 .heic (convert them to JPEG)",
        "wren: 1 of 61 files passed over: 1 .txt",
    )


def test_photos_in_no_class_and_folders_of_systems_are_counted(fill: Fill, check: Check) -> None:
    root = fill()
    (root / "loose.jpg").touch()
    (root / "owl" / "@eaDir").mkdir()
    (root / "owl" / "@eaDir" / "1.jpg").touch()
    (root / "$RECYCLE.BIN").mkdir()
    report = check(root)
    assert [(finding.kind, finding.severity, finding.count) for finding in report.findings] == [
        ("loose-photos", "warning", 1),
        ("closed-folders", "remark", 2),
    ]
    assert report.findings[1].examples == ("$RECYCLE.BIN", "owl/@eaDir")
    assert report.photos == 120


def test_a_photo_whose_name_promises_nothing_is_not_called_misnamed(fill: Fill, check: Check) -> None:
    root = fill()
    photo = first(root / "owl")
    photo.rename(photo.with_suffix(""))
    other = first(root / "wren")
    other.rename(other.with_suffix(".jfif"))
    assert check(root).findings == ()


def test_a_lit_thing_on_black_is_not_called_dark(fill: Fill, check: Check, save_photo: SavePhoto) -> None:
    root = fill()
    picture = np.zeros((72, 96, 3), np.uint8)
    cv2.circle(picture, (40, 40), 12, (250, 250, 250), -1)
    save_photo(root / "owl" / "moon.png", picture)
    assert check(root).findings == ()


# Copies


def test_copies_within_a_class_are_shown_as_pairs(fill: Fill, check: Check) -> None:
    root = fill()
    original = first(root / "owl")
    (root / "owl" / "zz copy.jpg").write_bytes(original.read_bytes())
    finding = only(check(root))
    assert (finding.kind, finding.severity, finding.count) == ("exact-copies", "warning", 2)
    assert [place.file for place in finding.pairs[0]] == [f"owl/{original.name}", "owl/zz copy.jpg"]


def test_one_photo_in_two_classes_is_a_conflict_and_left_out_of_the_splits(fill: Fill, check: Check) -> None:
    root = fill()
    (root / "wren" / "same.jpg").write_bytes(first(root / "owl").read_bytes())
    report = check(root)
    finding = only(report)
    assert (finding.kind, finding.severity, finding.count) == ("label-conflict", "problem", 2)
    assert [(place.label, place.split) for place in finding.pairs[0]] == [("owl", None), ("wren", None)]
    assert report.left_out == 2
    assert sum(report.splits.values()) == report.photos - 2


def test_one_photo_in_two_splits_is_a_leak(fill: Fill, check: Check) -> None:
    root = fill(60, ("train", "test"))
    (root / "test" / "owl" / "same.jpg").write_bytes(first(root / "train" / "owl").read_bytes())
    finding = only(check(root))
    assert (finding.kind, finding.severity) == ("leak", "problem")
    assert sorted(place.split for place in finding.pairs[0]) == ["test", "train"]


def test_a_photo_saved_again_in_another_class_is_a_warning_with_the_pair(fill: Fill, check: Check) -> None:
    root = fill()
    Image.open(first(root / "owl")).save(root / "wren" / "again.jpg", quality=70)
    finding = only(check(root))
    assert (finding.kind, finding.severity, finding.count) == ("near-duplicates-across-classes", "warning", 2)
    assert [place.label for place in finding.pairs[0]] == ["owl", "wren"]


def test_a_photo_saved_again_in_another_given_split_is_a_leak(fill: Fill, check: Check) -> None:
    root = fill(60, ("train", "test"))
    Image.open(first(root / "train" / "owl")).save(root / "test" / "owl" / "again.jpg", quality=70)
    report = check(root)
    assert kinds(report) == ["near-duplicates-across-splits"]
    assert only(report).severity == "problem"


def test_identical_photos_in_all_classes_are_told_and_cannot_be_split(fill: Fill, check: Check) -> None:
    root = fill(6, classes=("owl",))
    for number in range(6):
        (root / "wren").mkdir(exist_ok=True)
        (root / "wren" / f"{number}.jpg").write_bytes(first(root / "owl", number).read_bytes())
    report = check(root)
    assert kinds(report)[:2] == ["cannot-be-split", "label-conflict"]
    assert "and were left out (12 photos): remove the copies from the wrong classes." in report.findings[0].explanation


# Classes


def test_classes_that_are_too_small_to_train_on_are_told_together(fill: Fill, check: Check) -> None:
    root = fill(3, classes=("kite", "owl"))
    (root / "wren").mkdir()
    finding = check(root).of("problem")[0]
    assert finding.kind == "too-small-class"
    assert finding.examples == ("kite: 3 photos", "owl: 3 photos", "wren: 0 photos")


def test_small_classes_say_from_when_on_figures_mean_something(fill: Fill, check: Check) -> None:
    finding = only(check(fill(30)))
    assert (finding.kind, finding.severity, finding.count) == ("few-photos", "warning", 2)
    assert "From about 200 photos" in finding.explanation


def test_unequal_classes(fill: Fill, check: Check) -> None:
    fill(60)
    root = fill(300, classes=("robin",), seed=2)
    finding = only(check(root))
    assert finding.kind == "unbalanced-classes"
    assert finding.title == "the largest class has 5 times as many photos as the smallest"


def test_class_names_that_look_alike(fill: Fill, check: Check) -> None:
    finding = only(check(fill(50, classes=("Great tit", "great_tit", "wren"))))
    assert finding.kind == "class-names-alike"
    assert finding.examples == ("'Great tit' / 'great_tit'",)


# Recordings


def film(folder: Path, frames: int, name: str = "clip_{:03}.jpg", seed: int = 9, **exif_of: object) -> None:
    """Save the frames of a camera that pans: neighbours are alike, but no near-duplicates."""
    rng = np.random.default_rng(seed)
    strip = cv2.resize(rng.integers(30, 220, (6, 40, 3)).astype(np.uint8), (1600, 240), interpolation=cv2.INTER_CUBIC)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        exif = Image.Exif()
        if exif_of:
            exif[0x0110] = "trap camera"
            exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 06:{number // 30:02}:{2 * number % 60:02}"
        left = 8 * number
        Image.fromarray(strip[:, left : left + 320]).save(folder / name.format(number), exif=exif, quality=90)


def test_a_film_spread_over_given_splits_is_found_by_names_and_looks(fill: Fill, check: Check, tmp_path: Path) -> None:
    root = fill(60, ("train", "test"))
    film(tmp_path / "film", 30)
    for number, frame in enumerate(sorted((tmp_path / "film").iterdir())):
        frame.rename(root / ("test" if number % 4 == 0 else "train") / "owl" / frame.name)
    found = {finding.kind: finding for finding in check(root).findings}
    assert found["recording-across-splits"].severity == "warning"
    assert "numbered names" in found["recording-across-splits"].explanation
    assert found["recording-across-splits"].count >= 25


def test_photos_taken_within_seconds_are_found_by_their_exif_data_whatever_their_names(
    fill: Fill, check: Check, tmp_path: Path
) -> None:
    root = fill(60, ("train", "test"))
    film(tmp_path / "film", 8, exif=True)
    for number, frame in enumerate(sorted((tmp_path / "film").iterdir())):
        frame.rename(root / ("test" if number % 2 else "train") / "owl" / f"{'qwertzui'[number]}.jpg")
    found = {finding.kind: finding for finding in check(root).findings}
    assert "times in their EXIF data" in found["recording-across-splits"].explanation
    assert found["recording-across-splits"].count == 8


def test_numbering_alone_is_no_recording(tmp_path: Path, check: Check, paint: Paint, save_photo: SavePhoto) -> None:
    rng = np.random.default_rng(3)
    for split in ("train", "test"):
        for label in CLASSES:
            for number in range(split == "train", 120, 2):
                save_photo(tmp_path / "numbered" / split / label / f"{label}{number}.jpg", paint(rng))
    assert check(tmp_path / "numbered").findings == ()


def test_sub_folders_suggest_to_group_by_them_until_it_is_done(
    fill: Fill, check: Check, paint: Paint, save_photo: SavePhoto
) -> None:
    root, rng = fill(0), np.random.default_rng(8)
    for label in CLASSES:
        for number in range(60):
            save_photo(root / label / f"visit {number // 3}" / f"{number}.jpg", paint(rng))
    finding = only(check(root))
    assert (finding.kind, finding.severity) == ("group-by", "remark")
    assert "--group-by folder" in finding.explanation
    report = check(root, "folder")
    assert report.findings == ()
    assert (report.visits, report.unmatched) == (20, 0)


def test_trashnet_with_its_original_numbered_names_raises_no_false_alarm(
    shared: Path, tmp_path: Path, check: Check
) -> None:
    """They show single objects, photographed one after the other on one white board, then split at random."""
    data = shared / "data" / "trashnet"
    rows = [line.split(",") for line in (data / "MANIFEST.csv").read_text().splitlines()[1:]]
    for file, source, _ in rows:
        split, label, _ = file.split("/")
        if label in ("glass", "trash"):
            place = tmp_path / "trashnet" / split / label / source.split("/")[-1]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(data / file)
    assert kinds(check(tmp_path / "trashnet")) == []


def test_labels_that_a_machine_made_are_counted_with_how_sure_they_are(fill: Fill, check: Check) -> None:
    root = fill(per_class=6)
    owls = sorted((root / "owl").iterdir())
    rows = [MachineLabel(f"owl/{owl.name}", "owl", sure) for owl, sure in zip(owls, (0.9, 0.7, 0.8), strict=False)]
    table = write_machine_labels([*rows, MachineLabel("wren/moved.jpg", "wren", 0.9)])
    (root / MACHINE_LABELS).write_bytes(table)
    findings = {finding.kind: finding for finding in check(root).findings}
    made, lost = findings["machine-labels"], findings["lost-machine-labels"]
    assert made.title == "3 labels made by a machine, sure to 0.80 (median), at least 0.70"
    assert made.examples == tuple(f"owl/{owls[place].name}" for place in (1, 2, 0))
    assert (made.severity, lost.severity, lost.count) == ("remark", "warning", 1)


def test_labels_of_people_need_no_remark(fill: Fill, check: Check) -> None:
    assert not [finding for finding in check(fill(per_class=6)).findings if "machine" in finding.kind]
