"""Each step of preparing a picture: what it does, and that it does so to the bit everywhere."""

import hashlib
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.preparation import STEPS, fault_of, in_order
from edge.preparation.steps import Preparation
from edge.records import Pixels

CHOICES = [(step,) for step in STEPS] + [
    ("grey", "equalize"),
    ("grey", "clahe"),
    ("smooth", "clahe"),
    ("white-balance", "smooth", "equalize"),
    ("white-balance", "grey", "smooth", "clahe"),
]

# Of what each choice makes of three pictures, with OpenCV 5.0.0 on x86-64. The same were found with 4.11.0 there, with
# 5.0.0 on emulated aarch64, and with 4.6.0 on emulated armv7l (2026-11). A change here changes what every bundle with
# that step computes: never edit.
DIGESTS = {
    ("white-balance",): "b8249f0c9905af72",
    ("grey",): "917c06b3fd50aa77",
    ("smooth",): "aa8c53ba0b8a11b7",
    ("equalize",): "15730282c146f77c",
    ("clahe",): "6cbf466797a6c8c6",
    ("grey", "equalize"): "bd091c19e57b964b",
    ("grey", "clahe"): "99eef5d08265ace2",
    ("smooth", "clahe"): "386c5aef4f86725a",
    ("white-balance", "smooth", "equalize"): "f15feabb633ff2ef",
    ("white-balance", "grey", "smooth", "clahe"): "9d6a1fbe53bd412c",
}


def scene(height: int, width: int) -> Pixels:
    """Paint slopes of colour, squares and noise, in whole numbers only."""
    down, across = np.mgrid[:height, :width]
    planes = [
        (3 * down + across) % 200,
        (across * across // 16 + down) % 180 + 20,
        40 + (down // 8 + across // 8) % 2 * 90,
    ]
    noise = np.random.default_rng(5).integers(0, 12, (height, width, 3))
    return (np.stack(planes, axis=-1) + noise).astype(np.uint8)


def prepared(picture: Pixels, *steps: str) -> Pixels:
    done = picture.copy()
    Preparation(steps, "bgr", *picture.shape[:2]).apply(done)
    return done


def digest_of(steps: tuple[str, ...]) -> str:
    found = hashlib.sha256()
    for height, width in ((224, 224), (97, 131), (5, 64)):
        found.update(prepared(scene(height, width), *steps).tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize("steps", CHOICES, ids="+".join)
def test_every_bit_is_as_it_was_on_every_platform(steps: tuple[str, ...]) -> None:
    assert digest_of(steps) == DIGESTS[steps]


@pytest.mark.parametrize("steps", CHOICES, ids="+".join)
def test_the_order_of_channels_makes_no_difference(steps: tuple[str, ...]) -> None:
    """Training prepares R, G, B, the device B, G, R."""
    bgr = scene(60, 80)
    rgb = bgr[:, :, ::-1].copy()
    Preparation(steps, "rgb", 60, 80).apply(rgb)
    assert np.array_equal(rgb[:, :, ::-1], prepared(bgr, *steps))


@pytest.mark.parametrize("steps", CHOICES, ids="+".join)
def test_a_part_of_a_picture_is_prepared_in_its_place(steps: tuple[str, ...]) -> None:
    whole = np.full((100, 120, 3), 127, np.uint8)
    whole[20:80, 10:90] = scene(60, 80)
    Preparation(steps, "bgr", 100, 120).apply(whole[20:80, 10:90])
    assert np.array_equal(whole[20:80, 10:90], prepared(scene(60, 80), *steps))
    whole[20:80, 10:90] = 127
    assert (whole == 127).all()


@pytest.mark.parametrize("steps", CHOICES, ids="+".join)
def test_further_pictures_of_a_size_take_no_memory(steps: tuple[str, ...]) -> None:
    preparation, picture = Preparation(steps, "bgr", 224, 224), scene(224, 224)
    preparation.apply(picture)
    tracemalloc.start()
    try:
        for _ in range(3):
            preparation.apply(picture)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16_384  # views and numbers; a grey picture has 50,176


@given(st.sampled_from(CHOICES), st.integers(1, 70), st.integers(1, 70), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_pictures_of_any_shape_and_of_one_colour_are_prepared(
    steps: tuple[str, ...], height: int, width: int, level: int
) -> None:
    for picture in (np.full((height, width, 3), level, np.uint8), scene(height, width)):
        assert prepared(picture, *steps).shape == picture.shape


def test_grey_weighs_the_colours_as_eyes_do() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 30]]], np.uint8)
    assert prepared(colours, "grey")[0].tolist() == [[29] * 3, [150] * 3, [76] * 3, [128] * 3]


def test_every_colour_becomes_the_grey_of_whole_numbers() -> None:
    """A part of all colours here; all 16.7 million were tried once on each platform."""
    colours = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    blue, green, red = (colours[:, :, channel].astype(np.int64) for channel in range(3))
    expected = (3735 * blue + 19235 * green + 9798 * red + 16384) >> 15
    assert np.array_equal(prepared(colours, "grey")[:, :, 1], expected)


def test_the_white_balance_makes_the_means_of_the_colours_equal() -> None:
    picture = np.full((8, 8, 3), (60, 90, 120), np.uint8)
    picture[0] += 20
    means = prepared(picture, "white-balance").mean(axis=(0, 1))
    assert np.ptp(picture.mean(axis=(0, 1))) == 60
    assert np.ptp(means) < 1


def test_the_white_balance_of_a_leaf_leaves_it_green() -> None:
    leaf = np.full((8, 8, 3), (10, 200, 30), np.uint8)  # means 10, 200, 30; all together 80
    assert prepared(leaf, "white-balance")[0, 0].tolist() == [20, 100, 60]


def test_an_infrared_picture_needs_no_white_balance() -> None:
    grey = np.repeat(scene(40, 40)[:, :, :1], 3, axis=2)
    assert np.array_equal(prepared(grey, "white-balance"), grey)


def test_smoothing_takes_a_quarter_of_each_neighbour() -> None:
    point = np.zeros((5, 5, 3), np.uint8)
    point[2, 2] = 160
    assert prepared(point, "smooth")[:, :, 0].tolist() == [
        [0, 0, 0, 0, 0],
        [0, 10, 20, 10, 0],
        [0, 20, 40, 20, 0],
        [0, 10, 20, 10, 0],
        [0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("how", ["equalize", "clahe"])
def test_equalizing_spreads_a_dim_picture_and_keeps_its_hues(how: str) -> None:
    dim = scene(96, 96) // 4 + 60
    done = prepared(dim, how)
    assert done.std() > 1.5 * dim.std()
    inside = ((done > 0) & (done < 255)).all(axis=2)
    shift = done.astype(int) - dim
    assert (np.ptp(shift, axis=2)[inside] == 0).all()  # all three colours by as much


def test_equalizing_uses_all_levels() -> None:
    ramp = np.repeat(np.arange(100, 140, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    done = prepared(ramp, "grey", "equalize")
    assert (done.min(), done.max()) == (0, 255)


def test_the_adaptive_kind_brings_out_what_lies_in_the_shade() -> None:
    picture = scene(96, 96)
    picture[:, :48] = picture[:, :48] // 12
    shade = np.s_[:, 8:40]
    assert prepared(picture, "grey", "clahe")[shade].std() > 1.5 * prepared(picture, "grey")[shade].std()


def test_it_resembles_the_clahe_of_opencv() -> None:
    """Not to the bit: OpenCV's cuts histograms otherwise, and differs between processors."""
    grey = cv2.cvtColor(scene(224, 224), cv2.COLOR_BGR2GRAY)
    theirs = cv2.createCLAHE(2.0, (4, 4)).apply(grey).astype(int)
    ours = prepared(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8), "clahe")[:, :, 0].astype(int)
    assert np.abs(ours - theirs).mean() < 2


def test_steps_are_done_in_their_own_order() -> None:
    assert in_order(["clahe", "grey", "white-balance"]) == ("white-balance", "grey", "clahe")
    assert fault_of(["clahe", "grey"]) is None


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        (["gray"], "'gray' is unknown; did you mean grey? known: white-balance, grey, smooth, equalize, clahe"),
        (["sharpen"], "'sharpen' is unknown; known: white-balance, grey, smooth, equalize, clahe"),
        ([""], "'' is unknown; known: white-balance"),
        (["grey", "grey"], "'grey' is there twice"),
        (["equalize", "clahe"], "equalize and clahe exclude each other"),
    ],
)
def test_what_cannot_be_done_is_named(steps: list[str], fault: str) -> None:
    assert str(fault_of(steps)).startswith(fault)
