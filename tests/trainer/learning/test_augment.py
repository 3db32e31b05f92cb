"""Augmented pictures, as a field camera might have taken them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainer.learning.augment
from edge.records import Pixels
from trainer.learning.augment import Augmentation, augment, augmentation_for
from trainer.networks.families import Network
from trainer.options import Options

Draw = Callable[..., list[Pixels]]

STILL = Augmentation(mirror=False, zoom=(1.0, 1.0), turn_deg=0.0, shift=0.0, light=0.0, offset=0.0, flaws=0.0)


def lamp_on_the_left(width: int = 48, height: int = 48) -> Pixels:
    picture = np.full((height, width, 3), 20, np.uint8)
    picture[:, : width // 3] = 220
    return picture


def lamp_is_left(picture: Pixels) -> bool:
    middle = picture.shape[1] // 2
    return bool(picture[:, :middle].mean() > picture[:, middle:].mean())


@pytest.fixture
def draw() -> Draw:
    """Draw one kind of change many times: (picture, how, count) -> pictures."""

    def run(picture: Pixels, how: Augmentation, count: int = 60) -> list[Pixels]:
        return [augment(picture, how, np.random.default_rng(seed)) for seed in range(count)]

    return run


def options(**chosen: Any) -> Options:
    return Options(Path("photos"), Path("bundle"), Network("mobilenet_v2", 0.35, 96), "imagenet", **chosen)


def test_the_same_generator_state_gives_the_same_picture_and_another_another(paint: Callable[..., Pixels]) -> None:
    picture = paint(np.random.default_rng(0))
    first, again, other = (
        augment(picture, Augmentation(mirror=True), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(32, 32), (96, 64), (33, 47)])
def test_shape_and_dtype_are_kept_and_the_original_is_left_alone(
    paint: Callable[..., Pixels], draw: Draw, size: tuple[int, int]
) -> None:
    picture = paint(np.random.default_rng(0), *size)
    before = picture.copy()
    for changed in draw(picture, Augmentation(mirror=True, flaws=1.0), count=10):
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        assert not np.shares_memory(changed, picture)
    assert np.array_equal(picture, before)


def test_without_mirroring_left_stays_left(draw: Draw) -> None:
    assert all(map(lamp_is_left, draw(lamp_on_the_left(), STILL)))
    everything_else = Augmentation(mirror=False, shift=0.0)
    assert all(map(lamp_is_left, draw(lamp_on_the_left(), everything_else)))


def test_with_mirroring_about_half_of_the_pictures_are_flipped(draw: Draw) -> None:
    mirrored = replace(STILL, mirror=True)
    flipped = sum(not lamp_is_left(picture) for picture in draw(lamp_on_the_left(), mirrored, count=100))
    assert 30 <= flipped <= 70


def test_with_everything_off_only_the_proportions_change_a_little(draw: Draw) -> None:
    """A stretch of up to a tenth either way always remains: things are not always seen square on."""
    picture = lamp_on_the_left()
    for changed in draw(picture, STILL):
        edge = int((changed[24, :, 0] > 120).sum())
        assert 13 <= edge <= 18  # the lamp's edge stood at 16 of 48, 8 left of the centre


def test_zoom_magnifies_about_the_centre(draw: Draw) -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[25:35, 25:35] = 255
    twice = replace(STILL, zoom=(2.0, 2.0))
    for changed in draw(picture, twice, count=20):
        area = (changed[:, :, 0] > 127).sum()
        assert area == pytest.approx(400, rel=0.15)
        rows, columns = np.nonzero(changed[:, :, 0] > 127)
        assert abs(rows.mean() - 29.5) <= 1
        assert abs(columns.mean() - 29.5) <= 1


def test_shift_moves_by_no_more_than_its_share_of_the_side(draw: Draw) -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[45:55, 45:55] = 255
    tenth = replace(STILL, shift=0.1)
    centres = [np.array(np.nonzero(c[:, :, 0] > 127)).mean(axis=1) - 49.5 for c in draw(picture, tenth)]
    furthest = np.abs(centres).max()
    assert 5 < furthest <= 11


def test_turning_stays_within_its_degrees(draw: Draw) -> None:
    picture = np.zeros((101, 101, 3), np.uint8)
    picture[48:53, 10:91] = 255
    tilted = replace(STILL, turn_deg=20.0)
    angles = []
    for changed in draw(picture, tilted):
        rows, columns = np.nonzero(changed[20:81, 20:81, 0] > 127)
        angles.append(np.degrees(np.arctan(np.polyfit(columns, rows, 1)[0])))
    assert max(np.abs(angles)) < 24  # the stretch turns 20 degrees into 24 at most
    assert min(angles) < -8
    assert max(angles) > 8


def test_light_changes_brightness_and_colour_within_its_limits(draw: Draw) -> None:
    grey = np.full((16, 16, 3), 100, np.uint8)
    lit = replace(STILL, light=0.2, offset=10.0)
    values = np.array([changed[8, 8] for changed in draw(grey, lit, count=200)], float)
    assert values.min() >= 100 * 0.8 * 0.9 - 11
    assert values.max() <= 100 * 1.2 * 1.1 + 11
    assert np.ptp(values.mean(axis=1)) > 20
    assert np.ptp(values, axis=1).max() > 5


def test_light_off_keeps_every_level(draw: Draw) -> None:
    picture = np.full((16, 16, 3), (10, 128, 250), np.uint8)
    assert all((changed == picture).all() for changed in draw(picture, STILL, count=10))


def test_no_dark_border_appears(draw: Draw) -> None:
    """The picture's own reflection fills the corners: black ones would be a feature to learn."""
    white = np.full((40, 40, 3), 255, np.uint8)
    how = replace(STILL, mirror=True, zoom=(0.5, 0.5), turn_deg=45.0, shift=0.3)
    assert all((changed == 255).all() for changed in draw(white, how))


def test_with_vertical_mirroring_about_half_stand_on_their_heads(draw: Draw) -> None:
    upright = np.ascontiguousarray(lamp_on_the_left().transpose(1, 0, 2))  # the lamp is above
    done = draw(upright, replace(STILL, mirror_vertical=True), count=100)
    assert 30 <= sum(not lamp_is_left(picture.transpose(1, 0, 2)) for picture in done) <= 70


def test_any_way_up_turns_to_all_sides(draw: Draw) -> None:
    how = augmentation_for(options(any_way_up=True, mirror=False))
    still = replace(STILL, turn_deg=how.turn_deg)
    middles = [np.argwhere(done[:, :, 0] > 120).mean(axis=0) - 23.5 for done in draw(lamp_on_the_left(), still, 60)]
    quarters = {round(np.degrees(np.arctan2(row, column)) / 90) % 4 for row, column in middles}
    assert quarters == {0, 1, 2, 3}


def test_about_so_many_pictures_become_nights_as_are_asked_for(draw: Draw) -> None:
    colours = np.full((32, 32, 3), (200, 120, 60), np.uint8)
    done = draw(colours, replace(STILL, nights=0.3), count=200)
    nights = [picture for picture in done if (picture == picture[:, :, :1]).all()]
    assert 40 <= len(nights) <= 80
    assert max(int(np.ptp(picture)) for picture in nights) > 20  # the lamp lights some of it more


def test_what_is_not_chosen_changes_nothing_of_a_training() -> None:
    assert augmentation_for(options()) == Augmentation(mirror=True)
    assert augmentation_for(options(mirror=False)) == Augmentation(mirror=False)


# Flaws, each of them alone: what a camera adds


ALONE = {"blur": 0, "noise": 1, "compression": 2}


class Chosen(np.random.Generator):
    """A generator whose first draw of three, which decides on the flaws, has one flaw only."""

    def __init__(self, seed: int, flaw: str) -> None:
        super().__init__(np.random.PCG64(seed))
        self.flaw = ALONE[flaw]

    def random(self, size: int | tuple[int, ...] | None = None, **more: object) -> np.ndarray | float:
        return np.array([float(n != self.flaw) for n in range(3)]) if size == 3 else super().random(size, **more)


@pytest.fixture
def spoil() -> Draw:
    """Draw one flaw many times: (picture, "blur" | "noise" | "compression", count) -> pictures."""

    def run(picture: Pixels, flaw: str, count: int = 40) -> list[Pixels]:
        return [augment(picture, replace(STILL, flaws=0.5), Chosen(seed, flaw)) for seed in range(count)]

    return run


def upright_edge(size: int = 224) -> Pixels:
    """Return a picture dark above, bright below: the stretch that remains leaves only the middle row in doubt."""
    picture = np.full((size, size, 3), 60, np.uint8)
    picture[size // 2 :] = 190
    return picture


def test_without_flaws_there_are_none(draw: Draw) -> None:
    flat = np.full((24, 24, 3), 128, np.uint8)
    assert all((changed == 128).all() for changed in draw(flat, STILL, count=200))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_each_flaw_has_its_share_of_the_pictures(draw: Draw, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    added = Counter()

    def count(owner: ModuleType, name: str) -> None:
        add = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *words: added.update([name]) or add(*words))

    count(trainer.learning.augment, "_blurred")
    count(trainer.learning.augment, "_noisy")
    count(cv2, "imencode")
    draw(np.full((8, 8, 3), 128, np.uint8), replace(STILL, flaws=share), count=500)
    shares = [added[name] / 500 for name in ("_blurred", "_noisy", "imencode")]
    assert shares == pytest.approx([share] * 3, abs=0.06 if share % 1 else 0)


def test_blur_takes_sharpness_and_leaves_brightness(draw: Draw, spoil: Draw) -> None:
    picture = np.random.default_rng(0).integers(60, 190, (96, 96, 3)).astype(np.uint8)
    sharp = np.mean([cv2.Laplacian(changed, cv2.CV_64F).std() for changed in draw(picture, STILL, count=40)])
    blurred = spoil(picture, "blur")
    sharpness = np.array([cv2.Laplacian(changed, cv2.CV_64F).std() for changed in blurred])
    assert sharpness.mean() < 0.6 * sharp
    assert [changed.mean() for changed in blurred] == pytest.approx([picture.mean()] * 40, abs=1.5)


def test_blur_reaches_no_further_than_a_fortieth_of_the_picture(spoil: Draw) -> None:
    """That is 5.6 of 224 rows, and the stretch may move an edge of the picture itself by 6 more."""
    softened = 0
    for changed in spoil(upright_edge(), "blur"):
        assert (changed[: 112 - 8] == 60).all()
        assert (changed[112 + 8 :] == 190).all()
        softened += len(np.unique(changed)) > 4
    assert softened > 10


def test_blur_adds_no_dark_border(spoil: Draw) -> None:
    white = np.full((40, 60, 3), 255, np.uint8)
    assert all((changed == 255).all() for changed in spoil(white, "blur"))


def test_noise_is_of_up_to_twelve_levels_about_nothing(spoil: Draw) -> None:
    flat = np.full((96, 96, 3), 128, np.uint8)
    noisy = spoil(flat, "noise")
    spreads = [changed.std() for changed in noisy]
    assert 1.9 < min(spreads) < 4
    assert 10 < max(spreads) < 12.2
    assert [changed.mean() for changed in noisy] == pytest.approx([128] * 40, abs=0.5)


def test_noise_differs_between_pictures_and_between_colours(spoil: Draw) -> None:
    first, second = spoil(np.full((32, 32, 3), 128, np.uint8), "noise", count=2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[:, :, 0], first[:, :, 1])


@pytest.mark.parametrize("level", [0, 255])
def test_noise_stops_at_black_and_at_white(spoil: Draw, level: int) -> None:
    """It does not wrap around."""
    for changed in spoil(np.full((32, 32, 3), level, np.uint8), "noise"):
        assert np.abs(changed.astype(int) - level).max() < 80


def test_noise_has_room_for_the_largest_input(spoil: Draw) -> None:
    (changed,) = spoil(np.full((320, 320, 3), 128, np.uint8), "noise", count=1)
    assert changed.std() > 1


def test_compression_changes_details_and_not_the_whole(spoil: Draw, draw: Draw) -> None:
    picture = np.random.default_rng(0).integers(60, 190, (64, 64, 3)).astype(np.uint8)
    for changed, clean in zip(spoil(picture, "compression", 10), draw(picture, STILL, 10), strict=True):
        assert not np.array_equal(changed, clean)
        assert changed.mean() == pytest.approx(clean.mean(), abs=2)


def test_compression_keeps_the_order_of_the_colours(spoil: Draw) -> None:
    red = np.full((32, 32, 3), (200, 30, 60), np.uint8)
    assert all(np.abs(changed.astype(int) - red).max() <= 6 for changed in spoil(red, "compression"))


@settings(deadline=None, max_examples=60)
@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 2**32))
def test_pictures_of_any_size_come_through_all_of_it(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    changed = augment(picture, Augmentation(mirror=True, flaws=1.0), rng)
    assert (changed.shape, changed.dtype) == (picture.shape, np.uint8)
