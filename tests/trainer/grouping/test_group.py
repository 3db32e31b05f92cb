"""Photos to groups: near-duplicates and bursts count once, bad input is refused in words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import DatasetError
from trainer.dataset.inspection import PhotoRecord
from trainer.features.extract import PhotoFeatures
from trainer.grouping.group import METHODS, Wishes, group
from trainer.grouping.judging import judge
from trainer.grouping.methods.isodata import Isodata
from trainer.grouping.times import bursts, visits


def photos(features: NDArray[np.float32], moments: list[float | None] | None = None, seed: int = 0) -> PhotoFeatures:
    """Return photos with these features on either side, no two of which are near-duplicates."""
    rng = np.random.default_rng(seed)
    count = len(features)
    return PhotoFeatures(
        tuple(Path(f"/card/{number:03}.jpg") for number in range(count)),
        np.hstack([features, features]),
        rng.integers(0, 256, (count, 32), dtype=np.uint8),
        rng.integers(0, 256, (count, 256), dtype=np.uint8),
        tuple(taken(moment) for moment in moments or [None] * count),
        (),
    )


def taken(moment: float | None) -> PhotoRecord:
    return PhotoRecord(b"", 1, 640, 480, "JPEG", "RGB", False, 1, 1, moment, "trap", 100.0, 40.0)


def three_kinds(each: int = 20) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((3, 32)) * 3
    return np.abs(np.repeat(centres, each, axis=0) + rng.standard_normal((3 * each, 32))).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_finds_the_kinds_and_orders_all_photos(method: str) -> None:
    wishes = Wishes(method, None if method == "hdbscan" else 3)  # type: ignore[arg-type]
    found = group(photos(three_kinds()), wishes)
    kinds = np.repeat(["a", "b", "c"], 20).tolist()
    assert judge(found.numbers, kinds).purity > 0.95
    assert sorted(found.order.tolist()) == list(range(60))
    known = found.numbers[found.order]
    assert (np.diff(known[known > 0]) >= 0).all()
    assert found.groups == known.max()
    assert found.clear


def test_the_number_is_chosen_if_none_is_given_and_the_same_each_time() -> None:
    one, other = (group(photos(three_kinds()), Wishes(seed=4)) for _ in range(2))
    assert one.groups == 3
    assert one.numbers.tolist() == other.numbers.tolist()
    assert one.order.tolist() == other.order.tolist()


def test_near_duplicates_count_once_and_go_with_the_first() -> None:
    given = photos(three_kinds())
    for copy in range(41, 60):  # the third kind is one photo and 19 copies
        given.hashes[copy], given.greys[copy], given.features[copy] = (
            given.hashes[40],
            given.greys[40],
            given.features[40],
        )
    found = group(given, Wishes(groups=2))
    assert found.counted_with[40:].tolist() == [40] * 20
    assert len(set(found.numbers[40:].tolist())) == 1


def test_what_looks_the_same_to_a_hash_and_not_to_the_network_counts_for_itself() -> None:
    given = photos(three_kinds())
    given.hashes[:], given.greys[:] = given.hashes[0], given.greys[0]
    found = group(given, Wishes(groups=3))
    assert len(set(found.counted_with.tolist())) > 1
    assert found.groups == 3


def test_a_burst_counts_once_whatever_the_network_sees_in_it() -> None:
    """What moves turns meanwhile; in pictures of 64 pixels its features then differ as those of another kind."""
    given = photos(three_kinds(), moments=[None] * 40 + [100.0 + 2 * shot for shot in range(4)] + [None] * 16)
    for shot in range(41, 44):
        given.hashes[shot], given.greys[shot] = given.hashes[40], given.greys[40]
        given.hashes[shot, 0] ^= 1 << (shot - 40)
        given.features[shot] = np.roll(given.features[40], 7 * shot)
    found = group(given, Wishes(groups=3))
    assert found.counted_with[40:44].tolist() == [40] * 4
    assert found.different == 57


def test_photos_without_structure_are_grouped_with_a_warning() -> None:
    found = group(photos(np.random.default_rng(0).random((300, 64), dtype=np.float32)), Wishes())
    assert not found.clear


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [12, 60, 500])
@pytest.mark.parametrize("causes", [8, 64])
def test_noise_has_no_clear_groups_however_few_photos_there_are(method: str, count: int, causes: int) -> None:
    """Channels that follow a few common causes, as those of a network do in pictures of noise."""
    rng = np.random.default_rng(count)
    followed = rng.standard_normal((count, causes)) @ rng.standard_normal((causes, 128))
    found = group(photos(np.abs(3 + followed / causes).astype(np.float32)), Wishes(method))  # type: ignore[arg-type]
    assert not found.clear


def test_the_silhouette_is_that_of_the_features_and_not_of_their_map() -> None:
    found = group(photos(np.random.default_rng(0).random((60, 64), dtype=np.float32)), Wishes())
    assert found.silhouette is not None
    assert found.silhouette < 0.1
    clear = group(photos(three_kinds()), Wishes(groups=3)).silhouette
    assert clear is not None
    assert clear > 0.15


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_two_or_three_photos(method: str, count: int) -> None:
    found = group(photos(three_kinds()[:count]), Wishes(method))  # type: ignore[arg-type]
    assert sorted(found.order.tolist()) == list(range(count))
    assert found.groups <= 1
    assert found.silhouette is None


@pytest.mark.parametrize("method", METHODS)
def test_photos_all_alike_are_at_most_one_group(method: str) -> None:
    given = photos(np.ones((30, 8), np.float32))
    assert group(given, Wishes(method)).groups <= 1  # type: ignore[arg-type]


def test_more_groups_than_photos_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"7 groups of 5 different photos .* must be 1 to 5"):
        group(photos(three_kinds()[:5]), Wishes(groups=7))


def test_as_many_groups_as_photos() -> None:
    assert group(photos(three_kinds()[:5]), Wishes(groups=5)).groups == 5


def test_isodata_takes_k_from_the_wishes() -> None:
    wishes = Wishes("isodata", 3, isodata=Isodata(1, start=20, smallest=2))
    assert 2 <= group(photos(three_kinds()), wishes).groups <= 5


def test_pictures_of_one_scene_within_ten_seconds_are_a_burst() -> None:
    moments: list[float | None] = [100.0, 101.0, 109.0, 111.0, 112.0, None]
    given = photos(three_kinds()[:6], moments)
    given.hashes[:], given.greys[:] = given.hashes[0], given.greys[0]
    given.hashes[4], given.greys[4] = ~given.hashes[4], ~given.greys[4]  # another scene
    assert bursts(given.records, given.hashes, given.greys, np.arange(6)).tolist() == [0, 0, 0, 3, 4, 5]


def test_a_visit_ends_with_a_pause_and_each_camera_has_its_own() -> None:
    records = [taken(moment) for moment in (0.0, 200.0, 900.0, None)]
    records.append(PhotoRecord(b"", 1, 640, 480, "JPEG", "RGB", False, 1, 1, 100.0, "other", 100.0, 40.0))
    assert visits(records, 300.0).tolist() == [1, 1, 2, 0, 3]


def test_a_clock_that_was_never_set_gives_no_visits() -> None:
    assert visits([taken(0.0)] * 30, 300.0).tolist() == [0] * 30


def test_agreement_with_classes_by_hand() -> None:
    found = judge(np.array([1, 1, 2, 2, 0]), ["a", "a", "b", "a", "b"])
    assert found.purity == pytest.approx(4 / 5)
    assert judge(np.array([1, 1, 2, 2]), ["a", "a", "b", "b"]) == judgement(1.0, 1.0, 1.0)
    assert judge(np.array([1, 1, 1, 1]), ["a", "a", "b", "b"]) == judgement(0.0, 0.0, 0.5)


def judgement(nmi: float, ari: float, purity: float) -> object:
    from trainer.grouping.judging import Judgement

    return Judgement(nmi, ari, purity)


def test_photos_left_out_do_not_shift_the_others() -> None:
    given = photos(three_kinds())
    assert group(replace(given, unreadable=("x.jpg: broken",)), Wishes(groups=3)).groups == 3
