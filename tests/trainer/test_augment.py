"""Pictures as a field camera might have taken them."""

import numpy as np
import pytest

from trainer.augment import Augmentation, augment

STILL = Augmentation(mirror=False, zoom=(1.0, 1.0), turn_deg=0.0, shift=0.0, light=0.0, offset=0.0)


def lamp_on_the_left(width: int = 48, height: int = 48) -> np.ndarray:
    picture = np.full((height, width, 3), 20, np.uint8)
    picture[:, : width // 3] = 220
    return picture


def lamp_is_left(picture: np.ndarray) -> bool:
    middle = picture.shape[1] // 2
    return bool(picture[:, :middle].mean() > picture[:, middle:].mean())


@pytest.fixture
def draw():
    """Many draws of one kind of change."""

    def run(picture, how, count=60):
        return [augment(picture, how, np.random.default_rng(seed)) for seed in range(count)]

    return run


def test_the_same_generator_state_gives_the_same_picture_and_another_another(paint):
    picture = paint(np.random.default_rng(0))
    first, again, other = (
        augment(picture, Augmentation(mirror=True), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(32, 32), (96, 64), (33, 47)])
def test_shape_and_dtype_are_kept_and_the_original_is_left_alone(paint, draw, size):
    picture = paint(np.random.default_rng(0), *size)
    before = picture.copy()
    for changed in draw(picture, Augmentation(mirror=True), count=10):
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        assert not np.shares_memory(changed, picture)
    assert np.array_equal(picture, before)


def test_without_mirroring_left_stays_left(draw):
    assert all(map(lamp_is_left, draw(lamp_on_the_left(), STILL)))
    everything_else = Augmentation(mirror=False, shift=0.0)
    assert all(map(lamp_is_left, draw(lamp_on_the_left(), everything_else)))


def test_with_mirroring_about_half_of_the_pictures_are_flipped(draw):
    mirrored = Augmentation(mirror=True, zoom=(1.0, 1.0), turn_deg=0.0, shift=0.0, light=0.0, offset=0.0)
    flipped = sum(not lamp_is_left(picture) for picture in draw(lamp_on_the_left(), mirrored, count=100))
    assert 30 <= flipped <= 70


def test_with_everything_off_only_the_proportions_change_a_little(draw):
    """A stretch of up to a tenth either way always remains: things are not always seen square on."""
    picture = lamp_on_the_left()
    for changed in draw(picture, STILL):
        edge = int((changed[24, :, 0] > 120).sum())
        assert 13 <= edge <= 18  # the lamp's edge stood at 16 of 48, 8 left of the centre


def test_zoom_magnifies_about_the_centre(draw):
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[25:35, 25:35] = 255
    twice = Augmentation(mirror=False, zoom=(2.0, 2.0), turn_deg=0.0, shift=0.0, light=0.0, offset=0.0)
    for changed in draw(picture, twice, count=20):
        area = (changed[:, :, 0] > 127).sum()
        assert area == pytest.approx(400, rel=0.15)
        rows, columns = np.nonzero(changed[:, :, 0] > 127)
        assert abs(rows.mean() - 29.5) <= 1
        assert abs(columns.mean() - 29.5) <= 1


def test_shift_moves_by_no_more_than_its_share_of_the_side(draw):
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[45:55, 45:55] = 255
    tenth = Augmentation(mirror=False, zoom=(1.0, 1.0), turn_deg=0.0, shift=0.1, light=0.0, offset=0.0)
    centres = [np.array(np.nonzero(c[:, :, 0] > 127)).mean(axis=1) - 49.5 for c in draw(picture, tenth)]
    furthest = np.abs(centres).max()
    assert 5 < furthest <= 11


def test_turning_stays_within_its_degrees(draw):
    picture = np.zeros((101, 101, 3), np.uint8)
    picture[48:53, 10:91] = 255
    tilted = Augmentation(mirror=False, zoom=(1.0, 1.0), turn_deg=20.0, shift=0.0, light=0.0, offset=0.0)
    angles = []
    for changed in draw(picture, tilted):
        rows, columns = np.nonzero(changed[20:81, 20:81, 0] > 127)
        angles.append(np.degrees(np.arctan(np.polyfit(columns, rows, 1)[0])))
    assert max(np.abs(angles)) < 24  # the stretch turns 20 degrees into 24 at most
    assert min(angles) < -8
    assert max(angles) > 8


def test_light_changes_brightness_and_colour_within_its_limits(draw):
    grey = np.full((16, 16, 3), 100, np.uint8)
    lit = Augmentation(mirror=False, light=0.2, offset=10.0)
    values = np.array([changed[8, 8] for changed in draw(grey, lit, count=200)], float)
    assert values.min() >= 100 * 0.8 * 0.9 - 11
    assert values.max() <= 100 * 1.2 * 1.1 + 11
    assert np.ptp(values.mean(axis=1)) > 20
    assert np.ptp(values, axis=1).max() > 5


def test_light_off_keeps_every_level(draw):
    picture = np.full((16, 16, 3), (10, 128, 250), np.uint8)
    assert all((changed == picture).all() for changed in draw(picture, STILL, count=10))


def test_no_dark_border_appears(draw):
    """What comes in from outside is the picture's own reflection: black corners would be a feature to learn."""
    white = np.full((40, 40, 3), 255, np.uint8)
    how = Augmentation(mirror=True, zoom=(0.5, 0.5), turn_deg=45.0, shift=0.3, light=0.0, offset=0.0)
    assert all((changed == 255).all() for changed in draw(white, how))
