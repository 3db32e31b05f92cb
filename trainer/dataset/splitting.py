"""Divide groups of photos into train, val and test, so that each split gets its share of every class.

The algorithm is greedy, as for stratified group k-folds: groups of rare classes come first, then large groups before
small ones. A group goes to train as long as train has room for it in all of the group's classes, so that large bursts
are in train, and val and test hold many scenes. Otherwise it goes to the split whose classes lack the most photos.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError
from trainer.dataset.layouts.splits import named
from trainer.dataset.listing import SHARES, SPLITS, Listing, Split
from trainer.pages.words import counted

# A class of fewer groups is assigned before the others, while every split still has room.
_FEW_GROUPS = 9
_ATTEMPTS = 8  # orders that are tried if a class is missing from a split


@dataclass(frozen=True, slots=True)
class _Group:
    """Photos that stay together: their indices, and (class, number of photos) for each class."""

    members: tuple[int, ...]
    classes: tuple[tuple[int, int], ...]


def assign_splits(
    listing: Listing, groups: NDArray[np.int64], seed: int, left_out: Sequence[int] | NDArray[np.int64] = ()
) -> tuple[dict[Split, NDArray[np.int64]], int]:
    """Return the sorted indices of the photos of each split, and how many groups the folders themselves divide.

    The splits are stratified by class, 70/15/15, and drawn with `seed`. Photos whose folder names a split stay in it;
    if there is no val or test folder, that split is drawn from train. Photos that a machine labelled are in train, if
    nothing of their group is elsewhere, or in no split. Raises DatasetError if a class cannot be in every split.

    groups: (photos,), equal numbers for photos that belong together; no split made here divides them.
    left_out: photos that no split made here takes.
    """
    chosen: list[Split | None] = [photo.split for photo in listing.photos]
    made = {int(index) for index in listing.machine_made}
    for index in made:
        chosen[index] = None
    out = {int(index) for index in left_out if chosen[int(index)] is None}
    present = {split for split in chosen if split}
    wanted: list[Split] = [split for split in SPLITS if split == "train" or split not in present]
    pool = [i for i, split in enumerate(chosen) if split in (None, "train") and i not in out | made]
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng(seed if not attempt else [seed, attempt])
        whole = _groups(pool, groups, listing, rng)
        sides, complete = _share_out(whole, wanted)
        if complete:
            break
    for group, side in zip(whole, sides, strict=True):
        for index in group.members:
            chosen[index] = side
    judged = {int(groups[index]) for index, side in enumerate(chosen) if side in ("val", "test")}
    for index in made - out:
        if int(groups[index]) not in judged:
            chosen[index] = "train"
    result = {
        split: np.array([i for i, side in enumerate(chosen) if side == split], dtype=np.int64) for split in SPLITS
    }
    _check(listing, result, out)
    return result, _torn(groups, chosen)


def _groups(pool: Sequence[int], groups: NDArray[np.int64], listing: Listing, rng: np.random.Generator) -> list[_Group]:
    """Return the groups of the photos `pool`, in the order in which they are assigned."""
    members: dict[int, list[int]] = {}
    for index in pool:
        members.setdefault(int(groups[index]), []).append(index)
    drawn = list(members.values())
    drawn = [drawn[place] for place in rng.permutation(len(drawn))]
    whole = [
        _Group(tuple(indices), tuple(sorted(Counter(listing.photos[i].label for i in indices).items())))
        for indices in drawn
    ]
    spread = Counter(label for group in whole for label, _ in group.classes)

    def urgency(group: _Group) -> tuple[int, int]:
        rarest = min(spread[label] for label, _ in group.classes)
        # Sizes count by powers of two: visits of 12 and of 15 photos stay in random order, but bursts come before
        # single photos.
        return min(rarest, _FEW_GROUPS), -len(group.members).bit_length()

    return sorted(whole, key=urgency)


def _share_out(whole: Sequence[_Group], wanted: Sequence[Split]) -> tuple[list[Split], bool]:
    """Return the split of each group, and whether every class is in every split."""
    photos: Counter[int] = Counter()
    left: Counter[int] = Counter()  # groups of each class that are still to come
    for group in whole:
        photos.update(dict(group.classes))
        left.update(label for label, _ in group.classes)
    quota = {split: _quota(split, photos, wanted) for split in wanted}
    room = {split: dict(shares) for split, shares in quota.items()}
    lacking = {label: set(wanted) for label in photos}
    sides = []
    for group in whole:
        # A class with only as many groups left as it has empty splits must fill those.
        due = Counter(
            split
            for label, _ in group.classes
            if lacking[label] and left[label] <= len(lacking[label])
            for split in lacking[label]
        )
        most = max(due.values(), default=0)
        side = _side(group, room, quota, [split for split in wanted if due[split] == most])
        for label, count in group.classes:
            room[side][label] -= count
            left[label] -= 1
            lacking[label].discard(side)
        sides.append(side)
    return sides, not any(lacking.values())


def _quota(split: Split, photos: Mapping[int, int], wanted: Sequence[Split]) -> dict[int, int]:
    if split != "train":
        return {label: max(1, round(SHARES[split] * count)) for label, count in photos.items()}
    others = [other for other in wanted if other != "train"]
    taken = {label: sum(_quota(other, photos, wanted)[label] for other in others) for label in photos}
    return {label: max(1, count - taken[label]) for label, count in photos.items()}


def _side(
    group: _Group,
    room: Mapping[Split, Mapping[int, int]],
    quota: Mapping[Split, Mapping[int, int]],
    allowed: Sequence[Split],
) -> Split:
    if "train" in allowed and all(room["train"][label] >= count for label, count in group.classes):
        return "train"

    def cost(split: Split) -> float:
        """Return the growth of the squared distance from the quotas, in shares of them."""
        return sum(
            ((room[split][label] - count) ** 2 - room[split][label] ** 2) / quota[split][label]
            for label, count in group.classes
        )

    return min(allowed, key=cost)


def _torn(groups: NDArray[np.int64], chosen: Sequence[Split | None]) -> int:
    sides: dict[int, set[Split]] = {}
    for group, side in zip(groups.tolist(), chosen, strict=True):
        if side:
            sides.setdefault(group, set()).add(side)
    return sum(len(found) > 1 for found in sides.values())


def _check(listing: Listing, splits: Mapping[Split, NDArray[np.int64]], left_out: set[int]) -> None:
    labels, count = listing.labels, len(listing.classes)
    copies = np.bincount(labels[sorted(left_out)], minlength=count)
    also = f" ({len(left_out)} that are filed under several classes were left out)" if left_out else ""
    for split, indices in splits.items():
        missing = np.flatnonzero(np.bincount(labels[indices], minlength=count) == 0)
        if not len(missing):
            continue
        gone = missing[(copies[missing] > 0) & (copies == np.bincount(labels, minlength=count))[missing]]
        told = gone if len(gone) else missing
        names = named(listing.classes[label] for label in told)
        who = f"class {names} has" if len(told) == 1 else f"classes {names} have"
        if len(gone):
            raise DatasetError(
                f"{listing.root}: {who} no photo left for {split}: all are filed under other classes, too, and were "
                f"left out ({counted(len(left_out), 'photo')}): remove the copies from the wrong classes"
            )
        raise DatasetError(
            f"{listing.root}: {who} no photo left for {split}: {'its' if len(told) == 1 else 'their'} photos are too "
            f"few, nearly the same, or of too few visits{also}; add photos of other scenes"
        )
