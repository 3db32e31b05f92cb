"""Write the contact sheets: a page with some photos of each group, neighbours alike."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge import __version__
from edge.images import readable_name
from trainer.grouping.judging import Judgement
from trainer.grouping.result import Result
from trainer.pages.render import render as fill_in
from trainer.pages.words import counted

# About 4 KB each: a page of 12 MB at most.
_MOST_PICTURES = 3000
_MOST_OF_A_GROUP, _FEWEST_OF_A_GROUP = 60, 6


@dataclass(frozen=True, slots=True)
class _Picture:
    """A photo on a sheet. more: how many others are counted with it. visit: 0 if its time is not known."""

    address: str
    file: str
    more: int
    visit: int


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A group on the page. number: 0 for photos that no group is sure of."""

    number: int
    folder: str
    nearest: str
    photos: int
    different: int
    visits: int
    pictures: Sequence[_Picture]


def chosen(result: Result) -> dict[int, NDArray[np.int64]]:
    """Return the photos to show of each group, 0 being those of none: spread over the group, in its order."""
    numbers = [*range(1, result.grouping.groups + 1), 0]
    most = max(_FEWEST_OF_A_GROUP, min(_MOST_OF_A_GROUP, _MOST_PICTURES // len(numbers)))
    return {number: spread(_different(result, number), most) for number in numbers}


def spread(members: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most `most` of `members`, evenly spread over them, in their order."""
    places = np.linspace(0, len(members) - 1, min(most, len(members))).round().astype(np.int64)
    found: NDArray[np.int64] = members[places]
    return found


def _different(result: Result, number: int) -> NDArray[np.int64]:
    """Return the photos of group `number` that count for themselves."""
    members = result.members(number)
    found: NDArray[np.int64] = members[result.grouping.counted_with[members] == members]
    return found


def render(
    result: Result,
    pictures: Mapping[Path, str],
    judgement: Judgement | None,
    *,
    how: str,
    notes: Sequence[str],
) -> str:
    """Return the page as text; names of files and classes are escaped.

    pictures: small pictures as `data:` addresses. how: what was done, for people. notes: warnings."""
    shown = chosen(result)
    with_each = Counter(result.grouping.counted_with.tolist())
    sheets = [_sheet(result, number, photos, pictures, with_each) for number, photos in shown.items() if len(photos)]
    return fill_in(
        "groups.html",
        folder=str(result.root),
        photos=len(result.paths),
        different=len(with_each),
        groups=result.grouping.groups,
        silhouette=result.grouping.silhouette,
        judgement=judgement,
        sheets=sheets,
        how=how,
        notes=notes,
        counted=counted,
        version=__version__,
    )


def _sheet(
    result: Result, number: int, shown: NDArray[np.int64], pictures: Mapping[Path, str], with_each: Counter[int]
) -> _Sheet:
    name = result.names[number - 1] if number and result.names else None
    members = result.members(number)
    visits = result.grouping.visits[members]
    return _Sheet(
        number,
        result.folder(number),
        f"{name.label}, mean score {name.score:.2f}" if name else "",
        len(members),
        len(_different(result, number)),
        len(np.unique(visits[visits > 0])),
        [
            _Picture(
                pictures[path],
                readable_name(result.file(photo)),
                with_each[photo] - 1,
                int(result.grouping.visits[photo]),
            )
            for photo in shown.tolist()
            if (path := result.paths[photo]) in pictures
        ],
    )
