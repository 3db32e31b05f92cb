"""A folder of photos -> classes and splits."""

import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.labels import parse_labels
from edge.errors import DatasetError, MissingInputError
from trainer.dataset.listing import SPLITS, Listing, Photo, list_photos
from trainer.dataset.splitting import assign_splits

NOBODYS = (
    *("$RECYCLE.BIN", "System Volume Information", "RECYCLER", "Recycled", "FOUND.000", "$Extend"),
    *("__MACOSX", ".Trashes", ".Spotlight-V100", ".AppleDouble", ".fseventsd", "Network Trash Folder"),
    *("@eaDir", "#recycle", "#snapshot", "@tmp", "@Recycle", "@Recently-Snapshot", ".@__thumb", "~snapshot"),
    *("lost+found", "LOST.DIR", ".Trash-1000", ".thumbnails", "thumbnails", ".ipynb_checkpoints", "__pycache__"),
)


def fill(root: Path, **counts: int) -> Path:
    """Folders of so many empty files: listing goes by names alone."""
    for name, count in counts.items():
        folder = root / name.replace("__", "/")
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number:03}.jpg").touch()
    return root


def alone(listing: Listing) -> np.ndarray:
    """Groups in which no photo has a near-duplicate."""
    return np.arange(len(listing.photos))


def made_up(labels: list[int], splits: list[str | None] | None = None) -> Listing:
    places = enumerate(zip(labels, splits or [None] * len(labels), strict=True))
    photos = tuple(Photo(Path(f"{number}.jpg"), label, split) for number, (label, split) in places)
    return Listing(Path("made-up"), tuple(f"class {n}" for n in range(max(labels) + 1)), photos)


# Listing


def test_class_folders_are_classes_in_alphabetical_order(tmp_path: Path) -> None:
    listing = list_photos(fill(tmp_path, wren=5, owl=4, kite=6))
    assert listing.classes == ("kite", "owl", "wren")
    assert Counter(listing.labels.tolist()) == {0: 6, 1: 4, 2: 5}
    assert {photo.split for photo in listing.photos} == {None}
    assert all(photo.path.parent.name == listing.classes[photo.label] for photo in listing.photos)


def test_the_order_of_photos_does_not_depend_on_when_files_were_made(tmp_path: Path) -> None:
    for name in ("c", "a", "b", "d"):
        for kind in ("owl", "wren"):
            path = tmp_path / kind / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    names = [photo.path.name for photo in list_photos(tmp_path).photos]
    assert names == ["a.png", "b.png", "c.png", "d.png"] * 2


def test_photos_in_folders_below_a_class_folder_count_as_that_class(tmp_path: Path) -> None:
    listing = list_photos(fill(tmp_path, owl__day=3, owl__night=3, wren=4))
    assert listing.classes == ("owl", "wren")
    assert Counter(listing.labels.tolist()) == {0: 6, 1: 4}


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Validation"])
@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("training", "testing")])
def test_split_folders_go_by_their_usual_names(tmp_path: Path, train: str, val: str, test: str) -> None:
    counts = {f"{train}__owl": 4, f"{train}__wren": 4, f"{val}__owl": 2, f"{val}__wren": 2}
    listing = list_photos(fill(tmp_path, **counts, **{f"{test}__owl": 1, f"{test}__wren": 3}))
    assert listing.classes == ("owl", "wren")
    assert Counter(photo.split for photo in listing.photos) == {"train": 8, "val": 4, "test": 4}


def test_a_class_may_be_named_train_where_other_classes_stand_beside_it(tmp_path: Path) -> None:
    listing = list_photos(fill(tmp_path, train=4, tram=4, bus=4))
    assert listing.classes == ("bus", "train", "tram")
    assert {photo.split for photo in listing.photos} == {None}


@pytest.mark.parametrize(
    "names",
    [("train", "eval"), ("training_set", "test_set"), ("val", "test"), ("images-train", "images-val"), ("train",)],
)
def test_split_folders_of_other_names_are_not_taken_for_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A model would learn to distinguish the splits."""
    fill(tmp_path, **{f"{name}__{label}": 4 for name in names for label in ("owl", "wren")})
    with pytest.raises(DatasetError, match=r"look like splits, not classes.*name them train, val and test"):
        list_photos(tmp_path)


def test_one_class_of_visits_may_be_named_like_a_split(tmp_path: Path) -> None:
    listing = list_photos(fill(tmp_path, test__day=3, test__night=3, control=4))
    assert listing.classes == ("control", "test")


def test_linked_folders_of_photos_are_gone_through_each_once(tmp_path: Path) -> None:
    """Visits may be on another disk. Following a link back into the class, or to its parent, would never end."""
    root = fill(tmp_path / "photos", owl=4, wren=4)
    fill(tmp_path / "disk", visit=3)
    (root / "owl" / "a visit").symlink_to(tmp_path / "disk" / "visit")
    (root / "owl" / "the same").symlink_to(tmp_path / "disk" / "visit")
    (root / "owl" / "back").symlink_to(root / "owl")
    (root / "owl" / "up").symlink_to(tmp_path)
    listing = list_photos(root)
    assert Counter(listing.labels.tolist()) == {0: 7, 1: 4}
    assert (listing.ignored, listing.broken) == (0, ())


def test_files_that_are_no_photos_are_counted_and_left_out(tmp_path: Path) -> None:
    fill(tmp_path, owl=4, wren=4)
    (tmp_path / "owl" / "notes.txt").touch()
    (tmp_path / "wren" / "clip.mp4").touch()
    (tmp_path / "wren" / "._000.jpg").touch()  # what macOS leaves on a memory card
    listing = list_photos(tmp_path)
    assert listing.ignored == 2  # the third is nobody's, and says nothing about the class
    assert [one.words() for one in listing.passed_over] == [
        "owl: 1 of 5 files passed over: 1 .txt",
        "wren: 1 of 5 files passed over: 1 .mp4 (take single pictures from them)",
    ]
    assert len(listing.photos) == 8


def test_hidden_folders_and_files_beside_the_classes_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path, owl=4, wren=4)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "README.txt").touch()
    assert list_photos(tmp_path).classes == ("owl", "wren")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"nowhere: no such folder"):
        list_photos(tmp_path / "nowhere")


def test_a_name_that_no_folder_can_have_is_an_input_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"x: cannot read: File name too long$"):
        list_photos(tmp_path / ("x" * 300))


def test_a_file_instead_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").touch()
    with pytest.raises(MissingInputError, match=r"photos\.zip: no such folder"):
        list_photos(tmp_path / "photos.zip")


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(DatasetError, match="no class folders"):
        list_photos(tmp_path)


def test_one_class_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"one class only \('owl'\), must be 2 or more: add a folder"):
        list_photos(fill(tmp_path, owl=20))


def test_a_class_without_photos_is_refused_by_its_folder(tmp_path: Path) -> None:
    fill(tmp_path, owl=4, wren=0)
    (tmp_path / "wren" / "list.csv").touch()
    with pytest.raises(DatasetError, match=r"wren: no photos \(JPEG, PNG"):
        list_photos(tmp_path)


def test_a_class_of_three_photos_is_too_small_and_of_four_is_not(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"class 'wren' has 3 photos, at least 4"):
        list_photos(fill(tmp_path / "three", owl=9, wren=3))
    with pytest.raises(DatasetError, match=r"class 'wren' has 1 photo, at least 4"):
        list_photos(fill(tmp_path / "one", owl=9, wren=1))
    assert len(list_photos(fill(tmp_path / "four", owl=9, wren=4)).photos) == 13


def test_all_classes_that_are_too_small_are_named_and_ten_are_enough(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"3 classes have 3 photos or fewer, at least 4 each: .*: 'a', 'b', 'c'$"):
        list_photos(fill(tmp_path / "few", a=3, b=1, c=3, owl=9))
    many = {f"c{number:02}": 3 for number in range(13)}
    with pytest.raises(DatasetError, match=r"13 classes .*: 'c00', .*'c09' and 3 more$"):
        list_photos(fill(tmp_path / "many", owl=9, **many))


def test_all_classes_without_photos_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no photos \(JPEG.*\) in 'kite', 'owl': add some or remove the folders"):
        list_photos(fill(tmp_path, kite=0, owl=0, wren=4))


def test_links_that_lead_nowhere_are_kept_apart_by_their_names(tmp_path: Path) -> None:
    fill(tmp_path, owl=4, wren=4)
    (tmp_path / "owl" / "whole.jpg").symlink_to(tmp_path / "wren" / "000.jpg")
    (tmp_path / "owl" / "notes.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "owl" / "gone.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "wren" / "round.jpg").symlink_to(tmp_path / "wren" / "round.jpg")
    listing = list_photos(tmp_path)
    assert listing.broken == (tmp_path / "owl" / "gone.jpg", tmp_path / "wren" / "round.jpg")
    assert (len(listing.photos), listing.ignored) == (9, 0)


def test_a_class_of_links_that_lead_nowhere_is_told_as_such(tmp_path: Path) -> None:
    fill(tmp_path, owl=4, wren=0)
    (tmp_path / "wren" / "1.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(DatasetError, match=r"wren: no photos .*\(1 links there lead nowhere\)"):
        list_photos(tmp_path)


def test_the_dataset_check_lists_classes_however_small(tmp_path: Path) -> None:
    listing = list_photos(fill(tmp_path, owl=1, wren=0), min_photos=0)
    assert listing.classes == ("owl", "wren")
    assert listing.labels.tolist() == [0]


def test_a_class_that_a_split_lacks_is_named_with_the_folder_as_it_is_called(tmp_path: Path) -> None:
    fill(tmp_path, train__owl=4, train__wren=4, validation__owl=2, test__owl=2, test__wren=2)
    with pytest.raises(DatasetError, match=r"/validation: class folder 'wren' is missing there"):
        list_photos(tmp_path)


def test_a_folder_that_is_no_split_beside_split_folders_is_not_taken_for_a_class(tmp_path: Path) -> None:
    """Otherwise train, val and test would become the classes, and nobody would notice before the field."""
    fill(tmp_path, train__owl=4, train__wren=4, test__owl=4, test__wren=4, unsorted=9)
    with pytest.raises(DatasetError, match="'unsorted' is beside the split folders"):
        list_photos(tmp_path)


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, train__owl=4, train__wren=4, val__owl=4, val__wren=4, validation__owl=4, validation__wren=4)
    with pytest.raises(DatasetError, match="only one each of train, val and test"):
        list_photos(tmp_path)


@pytest.mark.parametrize("name", ["unknown", "Unknown", "UNKNOWN", "\uff35nknown", "un\u200dknown"])
def test_the_word_for_no_class_cannot_be_a_class(tmp_path: Path, name: str) -> None:
    words = "'unknown', which the device reports when no class fits: .* or give its photos with --outside"
    with pytest.raises(
        DatasetError, match=rf"(one class folder is|class folder {re.escape(repr(name))} reads as) {words}"
    ):
        list_photos(fill(tmp_path, owl=4, **{name: 4}))


def test_what_is_passed_over_in_all_splits_counts_for_its_class(tmp_path: Path) -> None:
    fill(tmp_path, train__owl=4, train__wren=4, test__owl=2, test__wren=2)
    for place in ("train", "test"):
        for number in range(20):
            (tmp_path / place / "owl" / f"IMG_{number}.HEIC").touch()
    (only,) = list_photos(tmp_path).passed_over
    assert only.words() == "owl: 40 of 46 files passed over: 40 .heic (convert them to JPEG)"
    assert only.is_large


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        (0, r"robin: no photos \(JPEG.*\) \[robin: 40 of 40 files passed over: 40 \.heic .*\]: add some or remove"),
        (3, r"class 'robin' has 3 photos, at least 4 \[robin: 40 of 43 files passed over: 40 \.heic .*\]: add some"),
    ],
)
def test_a_class_that_is_left_empty_by_what_is_passed_over_is_refused_with_the_numbers(
    tmp_path: Path, photos: int, message: str
) -> None:
    fill(tmp_path, robin=photos, wren=4)
    for number in range(40):
        (tmp_path / "robin" / f"{number}.heic").touch()
    with pytest.raises(DatasetError, match=message) as caught:
        list_photos(tmp_path)
    assert "\n" not in str(caught.value)


def test_photos_beside_the_class_folders_are_counted(tmp_path: Path) -> None:
    fill(tmp_path / "classes", owl=4, wren=4)
    fill(tmp_path / "splits", train__owl=4, train__wren=4, test__owl=2, test__wren=2)
    for place in ("classes", "splits", "splits/train"):
        (tmp_path / place / "loose.jpg").touch()
    assert [list_photos(tmp_path / place).loose for place in ("classes", "splits")] == [1, 2]


@pytest.mark.parametrize("name", NOBODYS)
def test_nobodys_folders_are_no_classes_and_hold_no_photos(tmp_path: Path, name: str) -> None:
    root = fill(tmp_path / "photos", owl=4, wren=4)
    places = [root / name, root / "owl" / "2024" / name, root / "owl" / name]
    for place in places:
        place.mkdir(parents=True)
        (place / "1.jpg").touch()
    listing = list_photos(root)
    assert listing.classes == ("owl", "wren")
    assert (len(listing.photos), listing.ignored) == (8, 0)
    assert set(listing.closed) == set(places)
    shutil.rmtree(root / "wren")
    with pytest.raises(DatasetError, match=r"one class only \('owl'\)"):
        list_photos(root)


@pytest.mark.parametrize("name", ["#1", "@home", "$5", "#", "~", "lost", "thumbs", "snapshot", "recycling", "Found"])
def test_names_that_are_only_like_those_of_systems_are_classes(tmp_path: Path, name: str) -> None:
    assert list_photos(fill(tmp_path, **{name: 4, "wren": 4})).classes == tuple(sorted((name, "wren")))


def test_a_bundle_among_the_photos_is_no_class(tmp_path: Path) -> None:
    """It holds pictures, too: its golden inputs."""
    fill(tmp_path, owl=4, wren=4, birds=4)
    (tmp_path / "birds" / "manifest.sha256").touch()
    with pytest.raises(DatasetError, match="birds: is a model bundle, not a class"):
        list_photos(tmp_path)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("owl ", "blanks or joiners at its ends"),
        (" owl", "blanks or joiners at its ends"),
        ("owl\u200d", "blanks or joiners at its ends"),
        ("o\twl", r"holds U\+0009, unprintable"),
        ("o\u202ewl", r"holds U\+202E RIGHT-TO-LEFT OVERRIDE, unprintable"),
        ("o\u200bwl", r"holds U\+200B ZERO WIDTH SPACE, unprintable"),
        ("o\udce9wl", "holds the byte 0xE9, which is not UTF-8, unprintable"),
    ],
)
def test_class_names_that_cannot_be_read_on_a_screen_are_refused_with_the_reason(
    tmp_path: Path, name: str, what: str
) -> None:
    fill(tmp_path, wren=4)
    (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match=f"{what}: rename it"):
        list_photos(tmp_path)


def test_class_names_that_look_the_same_are_refused(tmp_path: Path) -> None:
    """As a Mac and a PC write them into one folder of a network drive: in one Unicode form, and in another."""
    names = ("\u00e9tourneau", "e\u0301tourneau", "Wren", "wren")
    fill(tmp_path, **dict.fromkeys(names, 4))
    words = (
        r"two class folders look like '.*tourneau': their character 1 is U\+0065 LATIN SMALL LETTER E in one, "
        r"U\+00E9 LATIN SMALL LETTER E WITH ACUTE in the other: rename one"
    )
    with pytest.raises(DatasetError, match=words):
        list_photos(tmp_path)
    (tmp_path / "e\u0301tourneau").rename(tmp_path / "starling")
    assert list_photos(tmp_path).classes == ("Wren", "starling", "wren", "\u00e9tourneau")


def test_joiners_belong_to_names_of_emoji_and_in_persian(tmp_path: Path) -> None:
    """And the labels file of a bundle gives the same names back."""
    names = ("\u06af\u0644\u200c\u0647\u0627", "\U0001f469\u200d\U0001f52c")  # flowers, a woman scientist
    listing = list_photos(fill(tmp_path, **dict.fromkeys(names, 4)))
    assert listing.classes == names
    assert parse_labels("".join(f"{name}\n" for name in names).encode()) == names


# Splits


def test_each_class_is_split_70_15_15() -> None:
    listing = made_up([0] * 100 + [1] * 20 + [2] * 40)
    splits, torn = assign_splits(listing, alone(listing), seed=0)
    shares = {split: Counter(listing.labels[indices].tolist()) for split, indices in splits.items()}
    assert shares == {"train": {0: 70, 1: 14, 2: 28}, "val": {0: 15, 1: 3, 2: 6}, "test": {0: 15, 1: 3, 2: 6}}
    assert torn == 0


def test_four_photos_a_class_are_enough_for_all_three_splits() -> None:
    listing = made_up([0] * 4 + [1] * 4)
    splits, _ = assign_splits(listing, alone(listing), seed=0)
    assert {split: len(indices) for split, indices in splits.items()} == {"train": 4, "val": 2, "test": 2}


def test_the_same_seed_splits_alike_and_another_seed_otherwise() -> None:
    listing = made_up([0] * 50 + [1] * 50)
    first, again, other = (assign_splits(listing, alone(listing), seed)[0] for seed in (3, 3, 4))
    assert all(np.array_equal(first[split], again[split]) for split in SPLITS)
    assert not np.array_equal(first["test"], other["test"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 25)), min_size=60, max_size=120),
    st.integers(0, 2**31 - 1),
)
def test_near_duplicates_always_land_on_one_side_even_across_classes(drawn: list[tuple[int, int]], seed: int) -> None:
    """(class, group) pairs, drawn freely: the same photo may have been filed under two classes."""
    fixed = [(label, 1000 + 100 * label + n) for label in range(3) for n in range(12)]
    labels, groups = zip(*(drawn + fixed), strict=True)
    listing = made_up(list(labels))
    splits, torn = assign_splits(listing, np.array(groups), seed)
    sides = {}
    for split, indices in splits.items():
        for index in indices:
            sides.setdefault(groups[index], set()).add(split)
    assert all(len(found) == 1 for found in sides.values())
    assert torn == 0
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(labels)))
    assert all((np.diff(indices) > 0).all() for indices in splits.values())
    assert all(set(listing.labels[indices]) == {0, 1, 2} for indices in splits.values())


def test_large_groups_stay_in_train_so_that_the_test_holds_many_scenes() -> None:
    burst = [0] * 30 + list(range(100, 130))  # thirty frames of one scene, thirty other photos
    listing = made_up([0] * 60 + [1] * 60)
    groups = np.array(burst + list(range(200, 260)))
    splits, _ = assign_splits(listing, groups, seed=0)
    assert set(range(30)) <= set(splits["train"])
    assert len(splits["test"]) == 18


def test_a_class_that_is_mostly_one_scene_still_has_other_scenes_in_every_split() -> None:
    """Ninety frames of one owl and eight other photos: the eight are shared out."""
    listing = made_up([0] * 98 + [1] * 98)
    groups = np.array([0] * 90 + list(range(100, 108)) + list(range(200, 298)))
    splits, _ = assign_splits(listing, groups, seed=0)
    owls = {split: int((listing.labels[indices] == 0).sum()) for split, indices in splits.items()}
    assert owls == {"train": 90, "val": 4, "test": 4}


def test_split_folders_are_kept_as_they_are() -> None:
    parts = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    listing = made_up([0] * 10 + [1] * 10, parts * 2)
    splits, _ = assign_splits(listing, alone(listing), seed=5)
    for split in SPLITS:
        assert [listing.photos[i].split for i in splits[split]] == [split] * len(splits[split])


def test_a_validation_split_that_is_not_there_is_drawn_from_train_and_never_from_test() -> None:
    parts = ["train"] * 20 + ["test"] * 5
    listing = made_up([0] * 25 + [1] * 25, parts * 2)
    splits, _ = assign_splits(listing, alone(listing), seed=5)
    assert {split: len(indices) for split, indices in splits.items()} == {"train": 34, "val": 6, "test": 10}
    assert {listing.photos[i].split for i in splits["val"]} == {"train"}


def test_near_duplicates_that_the_folders_themselves_tear_apart_are_counted() -> None:
    parts = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    listing = made_up([0] * 8 + [1] * 8, parts * 2)
    groups = np.arange(16)
    groups[[0, 4]] = 0  # train and val
    groups[[9, 14, 15]] = 9  # train and test
    groups[[1, 2]] = 1  # both in train
    assert assign_splits(listing, groups, seed=0)[1] == 2


def test_a_class_of_one_scene_only_cannot_be_split() -> None:
    listing = made_up([0] * 10 + [1] * 10)
    groups = np.array([0] * 10 + list(range(10, 20)))
    with pytest.raises(DatasetError, match=r"class 'class 0' has no photo left for val: .* photos of other scenes"):
        assign_splits(listing, groups, seed=0)


# Groups of several classes


def mixed_visits(visits: int, classes: int, seed: int) -> tuple[Listing, np.ndarray]:
    """Visits of 1 to 30 photos, each of a few classes; the last class is rare."""
    rng = np.random.default_rng(seed)
    labels, groups = [], []
    for visit in range(visits):
        seen = rng.choice(classes - 1, rng.integers(1, 4), replace=False).tolist()
        seen += [classes - 1] * (visit % 20 == 0)
        size = int(rng.integers(1, 31))
        labels += rng.choice(seen, size).tolist()
        groups += [visit] * size
    return made_up(labels), np.array(groups)


def test_visits_of_several_classes_are_shared_out_70_15_15_in_every_class() -> None:
    listing, visits = mixed_visits(visits=300, classes=7, seed=0)
    splits, torn = assign_splits(listing, visits, seed=0)
    assert torn == 0
    totals = np.bincount(listing.labels)
    for split, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        shares = np.bincount(listing.labels[splits[split]], minlength=7) / totals
        assert np.abs(shares[:6] - share).max() < 0.04, split
        assert shares[6] > 0


def test_three_visits_of_a_class_go_to_three_splits() -> None:
    """Though train has room for all of them."""
    listing = made_up([0] * 12 + [1] * 100)
    visits = np.array([0] * 4 + [4] * 4 + [8] * 4 + list(range(12, 112)))
    for seed in range(10):
        splits, _ = assign_splits(listing, visits, seed)
        assert [int((listing.labels[splits[split]] == 0).sum()) for split in SPLITS] == [4, 4, 4]


def test_a_class_in_two_visits_only_cannot_be_in_three_splits() -> None:
    listing = made_up([0] * 20 + [1] * 20)
    visits = np.array([0] * 10 + [10] * 10 + list(range(20, 40)))
    with pytest.raises(DatasetError, match=r"class 'class 0' has no photo left for .* of too few visits"):
        assign_splits(listing, visits, seed=0)


def test_a_thousand_classes_are_no_matter() -> None:
    labels = sorted(list(range(1000)) * 6)
    listing = made_up(labels)
    splits, _ = assign_splits(listing, alone(listing), seed=0)
    assert {split: len(indices) for split, indices in splits.items()} == {"train": 4000, "val": 1000, "test": 1000}


# Photos left out


def test_photos_that_are_left_out_are_in_no_split_made_here() -> None:
    listing = made_up([0] * 50 + [1] * 50)
    splits, _ = assign_splits(listing, alone(listing), seed=0, left_out=[3, 70])
    assert set(range(100)) - set(np.concatenate(list(splits.values()))) == {3, 70}


def test_photos_that_the_folders_place_are_never_left_out() -> None:
    listing = made_up([0] * 10 + [1] * 10, (["train"] * 6 + ["val"] * 2 + ["test"] * 2) * 2)
    splits, _ = assign_splits(listing, alone(listing), seed=0, left_out=[0, 9])
    assert 0 in splits["train"]
    assert 9 in splits["test"]


def test_where_leaving_out_nearly_empties_a_class_the_error_says_so() -> None:
    listing = made_up([0] * 5 + [1] * 50)
    with pytest.raises(DatasetError, match=r"\(4 that are filed under several classes were left out\); add photos"):
        assign_splits(listing, alone(listing), seed=0, left_out=range(4))


def test_where_all_photos_of_classes_are_copies_the_way_out_is_to_remove_the_wrong_ones() -> None:
    """Not more photos: those would not make the copies right."""
    listing = made_up([0] * 5 + [1] * 5 + [2] * 50)
    message = (
        r"classes 'class 0', 'class 1' have no photo left for train: all are filed under other classes, too, and were "
        r"left out \(10 photos\): remove the copies from the wrong classes$"
    )
    with pytest.raises(DatasetError, match=message):
        assign_splits(listing, alone(listing), seed=0, left_out=range(10))


def test_an_empty_class_is_not_taken_for_one_of_copies() -> None:
    listing = Listing(Path("made-up"), ("none", "owl", "wren"), made_up([1] * 9 + [2] * 9).photos)
    with pytest.raises(DatasetError, match=r"class 'none' has no photo left for train: .*; add photos"):
        assign_splits(listing, alone(listing), seed=0)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test does not use permissions, because it may run as root, which has them all."""

    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(MissingInputError, match=f"^{tmp_path}: cannot read: Permission denied$"):
        list_photos(tmp_path)


def test_a_file_systems_own_folder_is_no_class(tmp_path: Path) -> None:
    for name in ("owl", "wren"):
        (tmp_path / name).mkdir()
        for number in range(4):
            (tmp_path / name / f"{number}.jpg").touch()
    (tmp_path / "lost+found").mkdir()
    assert list_photos(tmp_path).classes == ("owl", "wren")
