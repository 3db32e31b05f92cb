"""Which boxes of a photo become parts, and where they are in it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.images import read_image
from edge.locating.places import Place
from trainer.cropping.boxes import Entry, Four, Given
from trainer.cropping.choosing import BESIDE, NO_AREA, OTHER_KIND, OUTSIDE, SMALL, UNSURE, Wanted, choose

WANTED = Wanted(threshold=0.3, min_size=0.05, most=3)
SIZE = (200, 100)


def entry(*boxes: Four, score: float = 1.0) -> Entry:
    return Entry([Given(box, score, "animal") for box in boxes])


def test_shares_and_pixels_are_the_same_place() -> None:
    for unit, box in (("shares", (0.1, 0.2, 0.3, 0.4)), ("pixels", (20, 20, 60, 40))):
        assert choose(entry(box), unit, WANTED, SIZE, 1).places == (Place(20, 20, 80, 60),)  # type: ignore[arg-type]


def test_the_surest_come_first_and_no_more_than_wanted() -> None:
    boxes = [Given((0.2 * i, 0.1, 0.15, 0.3), 0.5 + 0.1 * i, str(i)) for i in range(5)]
    choice = choose(Entry(boxes), "shares", WANTED, SIZE, 1)
    assert choice.categories == ("4", "3", "2")
    assert choice.left_out == Counter({BESIDE: 2})


@pytest.mark.parametrize(
    ("box", "score", "reason"),
    [
        ((0.1, 0.1, 0.0, 0.5), 1.0, NO_AREA),
        ((0.1, 0.1, 0.5, -0.2), 1.0, NO_AREA),
        ((0.1, 0.1, float("inf"), 0.2), 1.0, NO_AREA),
        ((1.0, 0.1, 0.5, 0.5), 1.0, OUTSIDE),
        ((0.1, -0.5, 0.5, 0.5), 1.0, OUTSIDE),
        ((0.1, 0.1, 0.5, 0.5), 0.29, UNSURE),
        ((0.1, 0.1, 0.5, 0.5), float("nan"), UNSURE),
        ((0.1, 0.1, 0.04, 0.05), 1.0, SMALL),
    ],
)
def test_what_does_not_count_is_left_out_for_a_reason(box: Four, score: float, reason: str) -> None:
    choice = choose(entry(box, score=score), "shares", WANTED, SIZE, 1)
    assert (choice.places, choice.left_out) == ((), Counter({reason: 1}))


def test_what_lies_partly_outside_is_cut_off() -> None:
    assert choose(entry((-0.1, 0.5, 0.2, 2.0)), "shares", WANTED, SIZE, 1).places == (Place(0, 50, 20, 100),)


def test_other_kinds_do_not_count() -> None:
    choice = choose(entry((0, 0, 1, 1)), "shares", replace(WANTED, categories={"person"}), SIZE, 1)
    assert (choice.places, choice.left_out) == ((), Counter({OTHER_KIND: 1}))


def test_ten_thousand_boxes_are_no_burden() -> None:
    rng = np.random.default_rng(0)
    boxes = [Given((x, y, 0.01, 0.01), float(s), "") for x, y, s in rng.random((10_000, 3))]
    choice = choose(Entry(boxes), "shares", replace(WANTED, min_size=0, most=16), (4000, 3000), 1)
    assert len(choice.places) == 16
    assert choice.left_out.total() == 9_984


class TestSize:
    """COCO's files hold the size of the picture that their boxes are of."""

    def test_copies_of_another_size_are_fine(self) -> None:
        found = Entry([Given((200, 200, 600, 400), 1.0, "")], (2000, 1000))
        assert choose(found, "pixels", WANTED, SIZE, 1).places == (Place(20, 20, 80, 60),)

    def test_another_shape_is_another_photo(self) -> None:
        found = Entry([Given((0, 0, 60, 40), 1.0, "")], (640, 480))
        assert choose(found, "pixels", WANTED, SIZE, 1).problem.endswith("of a picture of 640x480: another photo")

    def test_a_turned_one_is_named_with_the_option(self) -> None:
        found = Entry([Given((0, 0, 60, 40), 1.0, "")], (100, 200))
        assert "add --stored" in choose(found, "pixels", WANTED, SIZE, 6).problem
        assert not choose(found, "pixels", replace(WANTED, stored=True), SIZE, 6).problem


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_of_the_stored_picture_is_turned_as_the_picture_is(tmp_path: Path, orientation: int) -> None:
    """A white field in the stored picture is inside the box in the upright one."""
    stored = np.zeros((60, 100, 3), np.uint8)
    stored[10:30, 20:70] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    upright = read_image(tmp_path / "a.png")
    height, width = upright.shape[:2]
    for unit, box in (("pixels", (20, 10, 50, 20)), ("shares", (0.2, 1 / 6, 0.5, 1 / 3))):
        wanted = replace(WANTED, stored=True)
        (place,) = choose(entry(box), unit, wanted, (width, height), orientation).places  # type: ignore[arg-type]
        assert place.area == 1000
        assert upright[place.top : place.bottom, place.left : place.right].min() == 255


BOXES = st.tuples(*[st.floats(-3, 3)] * 4)


@given(st.lists(BOXES, max_size=12), st.integers(1, 300), st.integers(1, 300), st.integers(1, 8))
def test_every_place_lies_in_the_photo_and_every_box_is_accounted_for(
    boxes: list[Four], width: int, height: int, orientation: int
) -> None:
    choice = choose(entry(*boxes), "shares", replace(WANTED, stored=True, min_size=0), (width, height), orientation)
    for place in choice.places:
        assert 0 <= place.left < place.right <= width
        assert 0 <= place.top < place.bottom <= height
    assert len(choice.places) + choice.left_out.total() == len(boxes)
