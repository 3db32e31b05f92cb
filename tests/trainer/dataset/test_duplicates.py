"""Near-duplicate photos, found by a difference hash and confirmed on small grey copies."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.records import Pixels
from trainer.dataset.duplicates import HASH_BITS, MAX_DISTANCE, MAX_GREY_DIFFERENCE, fingerprint, group_duplicates

Paint = Callable[..., Pixels]


def grouped(pictures: Sequence[np.ndarray]) -> list[int]:
    hashes, greys = zip(*map(fingerprint, pictures), strict=True)
    return group_duplicates(np.stack(hashes), np.stack(greys)).tolist()


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def flip_bits(row: np.ndarray, which: Sequence[int]) -> np.ndarray:
    bits = np.unpackbits(row)
    bits[list(which)] ^= 1
    return np.packbits(bits)


def brute_force(hashes: np.ndarray) -> list[int]:
    """Compare every pair. Returns groups numbered by their first member."""
    groups = list(range(len(hashes)))
    for first in range(len(hashes)):
        for second in range(first + 1, len(hashes)):
            if np.unpackbits(hashes[first] ^ hashes[second]).sum() <= MAX_DISTANCE:
                low, high = sorted((groups[first], groups[second]))
                groups = [low if group == high else group for group in groups]
    return groups


def plain_greys(count: int) -> np.ndarray:
    return np.full((count, 256), 128, np.uint8)


# Pictures


def test_an_exact_copy_is_grouped_with_its_original(paint: Paint) -> None:
    a, b = paint(np.random.default_rng(0)), paint(np.random.default_rng(1))
    assert grouped([a, b, a.copy()]) == [0, 1, 0]


def test_copies_saved_again_as_jpeg_are_grouped(paint: Paint) -> None:
    for seed in range(20):
        picture = paint(np.random.default_rng(seed), 320, 240)
        assert grouped([picture, jpeg(picture, 90), jpeg(jpeg(picture, 60), 75)]) == [0, 0, 0], f"seed {seed}"


def test_slightly_brighter_copies_are_grouped(paint: Paint) -> None:
    for seed in range(20):
        picture = paint(np.random.default_rng(seed), 320, 240)
        brighter = jpeg(cv2.convertScaleAbs(picture, alpha=1.05, beta=12), 90)
        assert grouped([picture, brighter]) == [0, 0], f"seed {seed}"


def test_smaller_copies_are_grouped(paint: Paint) -> None:
    picture = paint(np.random.default_rng(3), 640, 480)
    assert grouped([picture, cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA)]) == [0, 0]


def test_different_pictures_stay_apart(paint: Paint) -> None:
    pictures = [paint(np.random.default_rng(seed)) for seed in range(60)]
    assert grouped(pictures) == list(range(60))


def test_a_mirror_image_is_another_picture(paint: Paint) -> None:
    picture = paint(np.random.default_rng(5))
    assert grouped([picture, picture[:, ::-1].copy()]) == [0, 1]


# Hashes


def test_the_hash_says_where_it_grows_brighter_to_the_right() -> None:
    ramp = np.repeat(np.linspace(0, 255, 170, dtype=np.uint8)[None, :, None], 160, axis=0).repeat(3, axis=2)
    rising, grey = fingerprint(ramp)
    falling, _ = fingerprint(ramp[:, ::-1].copy())
    assert np.unpackbits(rising).sum() == HASH_BITS
    assert np.unpackbits(falling).sum() == 0
    assert grey.shape == (256,)
    assert grey.dtype == np.uint8


def test_hashes_12_bits_apart_are_found_even_where_every_bit_falls_into_another_band() -> None:
    one = np.random.default_rng(0).integers(0, 256, 32).astype(np.uint8)
    spread = [band[0] for band in np.array_split(np.arange(HASH_BITS), MAX_DISTANCE + 1)]
    assert len(spread) == 13
    for left_out in range(13):
        flipped = [bit for number, bit in enumerate(spread) if number != left_out]
        hashes = np.stack([one, flip_bits(one, flipped)])
        assert group_duplicates(hashes, plain_greys(2)).tolist() == [0, 0]


def test_hashes_13_bits_apart_are_different_photos() -> None:
    one = np.random.default_rng(0).integers(0, 256, 32).astype(np.uint8)
    hashes = np.stack([one, flip_bits(one, range(13))])
    assert group_duplicates(hashes, plain_greys(2)).tolist() == [0, 1]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_the_bands_find_every_pair_that_comparing_everything_finds(seed: int, count: int) -> None:
    """Each hash is an earlier one with 0 to 20 bits flipped, so that pairs lie on both sides of 12."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, 256, 32).astype(np.uint8) for _ in range(2)]
    for _ in range(count):
        origin = rows[rng.integers(len(rows))]
        rows.append(flip_bits(origin, rng.choice(HASH_BITS, rng.integers(0, 21), replace=False)))
    hashes = np.stack(rows)
    assert group_duplicates(hashes, plain_greys(len(rows))).tolist() == brute_force(hashes)


def test_a_burst_is_one_group_though_its_ends_are_far_apart() -> None:
    first = np.random.default_rng(1).integers(0, 256, 32).astype(np.uint8)
    middle = flip_bits(first, range(10))
    last = flip_bits(middle, range(10, 20))
    other = flip_bits(first, range(100, 200))
    assert group_duplicates(np.stack([other, first, last, middle]), plain_greys(4)).tolist() == [0, 1, 1, 1]


def test_thousands_of_exact_copies_are_one_group() -> None:
    """A fixed camera at night."""
    hashes = np.zeros((6000, 32), np.uint8)
    hashes[4000] = 255
    groups = group_duplicates(hashes, plain_greys(6000))
    assert groups[4000] == 4000
    assert set(np.delete(groups, 4000)) == {0}


def test_equal_hashes_of_pictures_that_look_different_are_not_enough() -> None:
    """A bare ground gives nearly the same hash as another: the grey copies decide."""
    hashes = np.tile(np.random.default_rng(0).integers(0, 256, 32).astype(np.uint8), (3, 1))
    greys = plain_greys(3)
    greys[1] += np.tile([0, 10], 128).astype(np.uint8)  # 5 levels each way once centred
    greys[2] += np.tile([0, 100], 128).astype(np.uint8)  # 50 levels
    assert 5 < MAX_GREY_DIFFERENCE < 45
    assert group_duplicates(hashes, greys).tolist() == [0, 0, 2]


def disc(rng: np.random.Generator) -> np.ndarray:
    """Paint a plain disc at a random place on a plain ground."""
    picture = np.full((64, 64, 3), rng.integers(0, 256), np.uint8)
    x, y, radius, level = (int(rng.integers(*span)) for span in ((14, 50), (14, 50), (5, 14), (0, 256)))
    cv2.circle(picture, (x, y), radius, (level, level, level), -1)
    return picture


def test_flat_pictures_of_different_things_do_not_all_hang_together() -> None:
    """Their hashes are nearly all zeros, so a distance of 12 bits means little."""
    rng = np.random.default_rng(2)
    sizes = np.bincount(grouped([disc(rng) for _ in range(400)]))
    assert sizes.max() <= 8


def test_copies_of_flat_pictures_are_still_found() -> None:
    rng = np.random.default_rng(3)
    discs = [cv2.resize(disc(rng), (224, 224)) for _ in range(40)]
    groups = grouped([*discs, *(jpeg(one, 85) for one in discs)])
    assert np.mean([groups[number] == groups[40 + number] for number in range(40)]) > 0.9


def test_thousands_of_frames_of_one_scene_with_noise_are_one_group_and_quick(paint: Paint) -> None:
    """As many as a camera takes in a night; each differs in a few bits from all others."""
    rng = np.random.default_rng(4)
    one, grey = fingerprint(paint(rng))
    hashes = np.stack([flip_bits(one, rng.choice(HASH_BITS, 5, replace=False)) for _ in range(3000)])
    assert set(group_duplicates(hashes, np.tile(grey, (3000, 1)))) == {0}


def test_no_photos_are_no_groups() -> None:
    assert group_duplicates(np.zeros((0, 32), np.uint8), np.zeros((0, 256), np.uint8)).tolist() == []
