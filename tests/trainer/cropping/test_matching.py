"""Which photo an entry of a file of boxes means."""

from pathlib import Path

import pytest

from edge.errors import DatasetError
from trainer.cropping.boxes import BoxFile, Entry, Given
from trainer.cropping.matching import match

ROOT = Path("/photos")
PHOTOS = [ROOT / "owl" / "1.jpg", ROOT / "owl" / "2.jpg", ROOT / "wren" / "1.jpg"]


def named(*names: str) -> BoxFile:
    return BoxFile("boxes.json", "shares", {name: Entry([Given((0, 0, 1, 1), 1.0, name)]) for name in names})


def meant(found: BoxFile, *, by_name: bool = False, photos: list[Path] = PHOTOS) -> list[str | None]:
    """The names of the entries, in the order of the photos."""
    matched = match(found, ROOT, photos, by_name=by_name)
    return [None if entry is None else entry.boxes[0].category for entry in matched.entries]


@pytest.mark.parametrize(
    "name", ["owl/2.jpg", "./owl/2.jpg", "owl\\2.jpg", "/home/me/photos/owl/2.jpg", "D:\\p\\owl\\2.jpg"]
)
def test_a_path_below_the_folder_or_one_that_ends_so(name: str) -> None:
    assert meant(named(name)) == [None, name, None]


def test_accents_in_either_form_are_the_same() -> None:
    assert meant(named("r\u00f6tel/1.jpg"), photos=[ROOT / "ro\u0308tel" / "1.jpg"]) == ["r\u00f6tel/1.jpg"]


def test_names_that_two_entries_end_with_are_left_out() -> None:
    matched = match(named("a/owl/1.jpg", "b/owl/1.jpg", "wren/1.jpg", "gull/9.jpg"), ROOT, PHOTOS, by_name=False)
    assert [entry is not None for entry in matched.entries] == [False, False, True]
    assert (matched.ambiguous, matched.left_over) == (1, 1)


def test_by_name_finds_photos_that_were_moved_but_none_of_two_with_one_name() -> None:
    assert meant(named("DCIM/2.jpg", "DCIM/1.jpg"), by_name=True) == [None, "DCIM/2.jpg", None]


def test_names_in_other_folders_are_not_taken_without_being_asked_for() -> None:
    with pytest.raises(
        DatasetError,
        match=r"names none of the 3 photos .* as 'DCIM/2.jpg', and a photo there is 'owl/1.jpg'.*--by-name",
    ):
        match(named("DCIM/2.jpg"), ROOT, PHOTOS, by_name=False)


def test_a_file_for_other_photos_is_refused() -> None:
    for by_name in (False, True):
        with pytest.raises(DatasetError, match="names none of the 3 photos"):
            match(named("gull/7.jpg"), ROOT, PHOTOS, by_name=by_name)
    with pytest.raises(DatasetError, match="names no photo at all"):
        match(named(), ROOT, PHOTOS, by_name=False)
