"""A folder of photos becomes a folder of parts, whole or not at all."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DatasetError, MissingInputError, OutputExistsError
from edge.images import read_image
from edge.locating.cuts import cut_for
from trainer.cropping.boxes import Entry, Four, Given
from trainer.cropping.choosing import OUTSIDE, Wanted
from trainer.cropping.crop import Plan, Tally, check_categories, crop, remarks
from trainer.cropping.record import CROP_NAME, CropRecord, encoded, find_record
from trainer.cropping.sources import source_groups
from trainer.dataset.listing import list_photos

SavePhoto = Callable[..., Path]
Paint = Callable[..., np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]


@pytest.fixture
def root(tmp_path: Path, paint: Paint, save_photo: SavePhoto) -> Path:
    """Two classes of five photos, 96 wide and 72 high."""
    rng = np.random.default_rng(0)
    for label in ("owl", "wren"):
        for number in range(5):
            save_photo(tmp_path / "photos" / label / "may" / f"{number}.jpg", paint(rng))
    return tmp_path / "photos"


def plan(root: Path, record: CropRecord | None = None) -> Plan:
    cut = cut_for("crop", padding=0.25, min_size=0.05)
    wanted = Wanted(threshold=0.3, min_size=0.05, most=3)
    return Plan(root=root, unit="shares", wanted=wanted, record=record or CropRecord(cut=cut))


def run(plan: Plan, boxes: list[Four] | Entry | None, out: Path, *, overwrite: bool = False) -> Tally:
    """Cut all photos around the same boxes."""
    entry = Entry([Given(box, 0.9, "bird") for box in boxes]) if isinstance(boxes, list) else boxes
    photos = [(path, entry) for path in sorted(plan.root.rglob("*.jpg"))]
    return crop(plan, photos, out, workers=2, overwrite=overwrite, advance=lambda _: None)


def test_parts_lie_as_their_photos_and_are_cut_as_the_device_cuts(root: Path, tmp_path: Path) -> None:
    tally = run(plan(root), [(0.25, 0.25, 0.25, 0.25), (0.5, 0.5, 0.25, 0.5)], tmp_path / "parts")
    assert (tally.photos, tally.parts, tally.left_out) == (10, 20, Counter())
    names = {path.relative_to(tmp_path / "parts").as_posix() for path in (tmp_path / "parts").rglob("*.jpg")}
    assert {"owl/may/0.jpg@24-18-24x18.jpg", "wren/may/4.jpg@48-36-24x36.jpg"} <= names
    part = read_image(tmp_path / "parts/owl/may/0.jpg@24-18-24x18.jpg")
    assert part.shape == (36, 36, 3), "24 and a quarter of it on each side, square"
    photo = read_image(root / "owl/may/0.jpg")
    assert np.abs(part.astype(int) - photo[9:45, 18:54]).mean() < 4


def test_how_they_were_cut_lies_beside_them(root: Path, tmp_path: Path) -> None:
    made = plan(root)
    run(made, [(0.25, 0.25, 0.25, 0.25)], tmp_path / "parts")
    assert find_record(tmp_path / "parts") == made.record
    assert find_record(root) is None


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    (tmp_path / CROP_NAME).write_text('{"cut": {"padding": 2}}')
    with pytest.raises(DatasetError, match=r"fieldfare-crop.json: .*: cut the photos again"):
        find_record(tmp_path)


def test_parts_of_one_photo_stay_together(root: Path, tmp_path: Path) -> None:
    boxes: list[Four] = [(0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.3, 0.3)]
    run(plan(root), boxes, tmp_path / "parts")
    listing = list_photos(tmp_path / "parts")
    record = find_record(tmp_path / "parts")
    assert record is not None
    groups = Counter(source_groups(listing, record).tolist())
    assert sorted(groups.values()) == [2] * 10, "owl/may/0.jpg is another photo than wren/may/0.jpg"


def test_by_what_boxes_show_parts_of_one_photo_lie_in_several_classes(root: Path, tmp_path: Path) -> None:
    shown = Entry([Given((0.1, 0.1, 0.3, 0.3), 0.9, "beak"), Given((0.6, 0.6, 0.3, 0.3), 0.8, "tail")])
    record = CropRecord(cut=cut_for("squash", padding=0, min_size=0), classes="boxes")
    run(plan(root, record), shown, tmp_path / "parts")
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["beak", CROP_NAME, "tail"]
    groups = Counter(source_groups(list_photos(tmp_path / "parts"), record).tolist())
    assert sorted(groups.values()) == [2] * 10


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "unknown", "a\nb", "lost+found"])
def test_what_is_no_name_of_a_class_is_refused(name: str) -> None:
    with pytest.raises(DatasetError, match="--classes boxes: "):
        check_categories(["owl", name])


class TestNothingIsLeft:
    def test_if_half_of_the_boxes_lie_outside(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="10 of 20 boxes lie outside of their photos"):
            run(plan(root), [(0.1, 0.1, 0.5, 0.5), (1.1, 0.1, 0.5, 0.5)], tmp_path / "parts")
        assert [path.name for path in tmp_path.iterdir()] == ["photos"]

    def test_if_most_boxes_are_two_corners(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"20 of 30 boxes reach past .* as x1,y1,x2,y2 .* must be x,y,w,h"):
            run(plan(root), [(0.2, 0.3, 0.9, 0.9), (0.5, 0.6, 0.7, 0.8), (0.1, 0.1, 0.3, 0.3)], tmp_path / "parts")
        assert [path.name for path in tmp_path.iterdir()] == ["photos"]

    def test_if_corners_are_in_pixels(self, root: Path, tmp_path: Path) -> None:
        made = replace(plan(root), unit="pixels")  # of 96x72
        with pytest.raises(DatasetError, match=r"10 of 10 boxes reach past .* x,y,w,h"):
            run(made, [(40, 30, 80, 70)], tmp_path / "parts")

    def test_if_no_box_counts(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="not one part was cut: 10 photos have no box that counts; 10 boxes"):
            run(plan(root), [(0.1, 0.1, 0.0, 0.5)], tmp_path / "parts")
        assert [path.name for path in tmp_path.iterdir()] == ["photos"]

    def test_of_what_was_there_before_unless_it_is_replaced(self, root: Path, tmp_path: Path) -> None:
        out = tmp_path / "parts"
        (out / "old").mkdir(parents=True)
        with pytest.raises(OutputExistsError):
            run(plan(root), [(0.1, 0.1, 0.5, 0.5)], out)
        run(plan(root), [(0.1, 0.1, 0.5, 0.5)], out, overwrite=True)
        assert not (out / "old").exists()


def test_boxes_that_reach_past_an_edge_are_counted_and_end_there(root: Path, tmp_path: Path) -> None:
    # As corners the second would end before it begins, and the first reaches past by rounding alone.
    tally = run(plan(root), [(0.1, 0.1, 0.905, 0.3), (0.75, 0.7, 0.5, 0.5)], tmp_path / "parts")
    assert (tally.parts, tally.cut_off, tally.corners) == (20, 10, 0)


def test_photos_that_the_tool_could_not_look_at_are_not_empty(root: Path, tmp_path: Path) -> None:
    good = Entry([Given((0.1, 0.1, 0.5, 0.5), 0.9, "")])
    entries = [Entry(failure="image access"), Entry(), *[good] * 8]
    photos = list(zip(sorted(root.rglob("*.jpg")), entries, strict=True))
    tally = crop(plan(root), photos, tmp_path / "parts", workers=1, overwrite=False, advance=lambda _: None)
    assert (tally.photos, tally.parts, tally.empty, len(tally.failed)) == (10, 8, 1, 1)
    assert remarks(tally) == [
        f"1 photo failed in what wrote the boxes, such as {root}/owl/may/0.jpg (image access): let it look again",
        "1 photo has no box that counts",
    ]


def test_what_gave_no_part_is_counted(root: Path, tmp_path: Path) -> None:
    (root / "owl/may/0.jpg").write_bytes(b"no photo")
    good = Entry([Given((0.1, 0.1, 0.5, 0.5), 0.9, ""), Given((1.1, 0.1, 0.5, 0.5), 0.9, "")])
    entries = [good, good, Entry(), None, Entry(problem="owl.jpg: not found in"), Entry(good.boxes, (1, 9))]
    photos = list(zip(sorted(root.rglob("*.jpg")), entries, strict=False))
    more = [*photos, *[(path, Entry(good.boxes[:1])) for path in sorted(root.rglob("*.jpg"))[6:]]]
    tally = crop(plan(root), more, tmp_path / "parts", workers=1, overwrite=False, advance=lambda _: None)
    assert (tally.photos, tally.parts, tally.empty, tally.not_named) == (10, 5, 1, 1)
    assert (len(tally.unreadable), len(tally.mismatched), tally.left_out) == (2, 1, Counter({OUTSIDE: 1}))
    assert len(remarks(tally)) == 5


def test_the_record_is_plain_json() -> None:
    text = encoded(CropRecord(cut=cut_for("squash", padding=0, min_size=0.025))).decode()
    assert text.startswith('{\n "cut": {\n  "padding": 0')
    assert text.endswith("}\n")


def test_photos_that_vanish_while_they_are_cut_leave_no_folder(root: Path, tmp_path: Path) -> None:
    entry = Entry([Given((0.25, 0.25, 0.25, 0.25), 0.9, "bird")])
    photos = [(path, entry) for path in sorted(root.rglob("*.jpg"))]
    photos[-1][0].unlink()  # the card was pulled out after it was listed
    with pytest.raises(MissingInputError, match=r"4\.jpg: was there and is gone .*still plugged in"):
        crop(plan(root), photos, tmp_path / "parts", workers=2, overwrite=False, advance=lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]
