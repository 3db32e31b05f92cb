"""Where things are, and what is cut out around them: always inside the frame."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.locating.places import Cutting, Place, joined, overlap, place_of

SIDES = st.integers(1, 8192)


@st.composite
def places(draw: st.DrawFn) -> tuple[Place, int, int]:
    """A place in a frame of any size, and that size."""
    width, height = draw(SIDES), draw(SIDES)
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return Place(left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))), width, height


CUTTINGS = st.builds(
    Cutting, padding=st.floats(0, 1), least_px=st.integers(1, 64), aspect=st.floats(0.25, 4, allow_nan=False)
)


class TestCutting:
    @given(found=places(), cutting=CUTTINGS)
    def test_a_part_never_leaves_the_frame_and_is_never_empty(
        self, found: tuple[Place, int, int], cutting: Cutting
    ) -> None:
        place, width, height = found
        part = cutting.around(place, width, height)
        assert 0 <= part.left < part.right <= width
        assert 0 <= part.top < part.bottom <= height

    @given(found=places(), cutting=CUTTINGS)
    def test_it_holds_all_of_the_place_unless_the_frame_is_too_small_for_its_shape(
        self, found: tuple[Place, int, int], cutting: Cutting
    ) -> None:
        place, width, height = found
        assert joined(cutting.around(place, width, height), place) == cutting.around(place, width, height)

    @given(found=places(), padding=st.floats(0, 1))
    def test_it_is_a_square_where_the_frame_has_room_for_one(
        self, found: tuple[Place, int, int], padding: float
    ) -> None:
        place, width, height = found
        part = Cutting(padding=padding, least_px=1).around(place, width, height)
        if max(part.width, part.height) < min(width, height):
            assert part.width == part.height

    def test_padding_is_a_share_of_the_longer_side(self) -> None:
        part = Cutting(padding=0.25, least_px=1).around(Place(100, 100, 140, 120), 640, 480)
        assert part == Place(90, 80, 150, 140)

    def test_at_an_edge_it_is_moved_and_not_cut(self) -> None:
        part = Cutting(padding=0.5, least_px=1).around(Place(0, 440, 40, 480), 640, 480)
        assert part == Place(0, 400, 80, 480)

    def test_its_shape_is_the_models(self) -> None:
        part = Cutting(padding=0.0, least_px=1, aspect=2.0).around(Place(100, 100, 140, 140), 640, 480)
        assert (part.width, part.height) == (80, 40)

    def test_a_tiny_thing_is_cut_out_with_its_surroundings(self) -> None:
        part = Cutting(padding=0.0, least_px=32).around(Place(100, 100, 103, 102), 640, 480)
        assert (part.width, part.height) == (32, 32)


class TestBoxes:
    @given(found=places())
    def test_a_box_leads_back_to_its_pixels(self, found: tuple[Place, int, int]) -> None:
        place, width, height = found
        assert place_of(place.shares(width, height), width, height) == place

    @given(box=st.tuples(*[st.floats(-1e6, 1e6, allow_nan=False)] * 4), width=SIDES, height=SIDES)
    def test_any_numbers_lead_to_pixels_of_the_frame(
        self, box: tuple[float, float, float, float], width: int, height: int
    ) -> None:
        place = place_of(box, width, height)
        assert 0 <= place.left < place.right <= width
        assert 0 <= place.top < place.bottom <= height

    @given(found=places())
    def test_shares_lie_in_the_frame(self, found: tuple[Place, int, int]) -> None:
        left, top, width, height = found[0].shares(found[1], found[2])
        assert all(math.isfinite(share) and 0 <= share <= 1 for share in (left, top, width, height))
        assert left + width <= 1 + 2e-6
        assert top + height <= 1 + 2e-6


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (Place(0, 0, 10, 10), 1.0),
        (Place(5, 0, 15, 10), 1 / 3),
        (Place(10, 0, 20, 10), 0.0),
        (Place(0, 0, 5, 10), 0.5),
    ],
)
def test_overlap_is_what_both_cover_of_what_either_covers(other: Place, share: float) -> None:
    assert overlap(Place(0, 0, 10, 10), other) == pytest.approx(share)
    assert overlap(other, Place(0, 0, 10, 10)) == pytest.approx(share)
