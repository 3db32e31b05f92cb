"""Group a folder of photos and write the result: `fieldfare dataset group`, from the request to the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from edge.bundle.store import Bundle
from edge.errors import DatasetError
from edge.images import readable_name
from trainer.dataset.listing import list_photos
from trainer.dataset.photo_folders import photos_in, unreadable_in_words
from trainer.features.extract import PhotoFeatures, extract
from trainer.features.opening import open_network
from trainer.grouping.group import Grouping, Wishes, group
from trainer.grouping.judging import Judgement, judge
from trainer.grouping.methods.choosing import FEWEST_CHOSEN
from trainer.grouping.methods.density import FEWEST_DENSE
from trainer.grouping.naming import name_groups
from trainer.grouping.page import chosen, render, spread
from trainer.grouping.pictures import thumbnails
from trainer.grouping.result import PAGE, TABLE, Photos, Result, write_result
from trainer.grouping.views import BothWays
from trainer.progress import Progress

# How many photos of a group its name is taken from.
_NAMED_BY = 12


@dataclass(frozen=True, slots=True)
class Request:
    """What to do.

    photos: the folder of photos; out: the one to make
    wishes: how to group
    bundle: names the groups, and sees the photos if there are no weights
    weights, alpha, size: the network that sees the photos; weights "imagenet" or a file, None for the bundle's own, or
        imagenet without one
    judge: whether the class folders in `photos` are to be compared with the groups
    bring, by_visit: see write_result
    workers: processes that decode photos
    """

    photos: Path
    out: Path
    wishes: Wishes
    bundle: Bundle | None = None
    weights: str | None = None
    alpha: float = 0.35
    size: int = 224
    judge: bool = False
    bring: Photos = "links"
    by_visit: bool = False
    workers: int = 1


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, as --json prints it.

    groups: how many there are
    silhouette: -1 to 1; None if there are fewer than two groups
    nmi, ari, purity: against the class folders; None without --judge
    photos, different: how many were grouped, and how many count, as near-duplicates and bursts count once
    unsure: photos in no group
    unreadable: photos that were left out
    notes: warnings
    page, table: the files to look at
    """

    groups: int
    silhouette: float | None
    nmi: float | None
    ari: float | None
    purity: float | None
    photos: int
    different: int
    unsure: int
    unreadable: int
    method: str
    network: str
    notes: tuple[str, ...]
    page: str
    table: str


def run(request: Request, progress: Progress) -> Answer:
    """Group the photos and write the result. Raises what its steps raise; then nothing was written."""
    paths, classes = _find(request)
    photos, network = _see(paths, request, progress)
    with progress.stage("groups", 1) as advance:
        grouping = group(photos, request.wishes)
        advance(1)
    judgement = None
    if classes is not None:
        judgement = judge(grouping.numbers, [classes[path] for path in photos.paths])
    result = _named(Result(request.photos, photos.paths, grouping), request, progress)
    notes = _notes(grouping, photos, request.wishes)
    shown = [photos.paths[photo] for places in chosen(result).values() for photo in places.tolist()]
    pictures = thumbnails(shown, workers=request.workers, progress=progress)
    page = render(result, pictures, judgement, how=_how(request, grouping, network), notes=notes)
    write_result(request.out, result, page, photos=request.bring, by_visit=request.by_visit, progress=progress)
    return _answer(request, result, photos, judgement, network, notes)


def _find(request: Request) -> tuple[list[Path], dict[Path, str] | None]:
    """Return the photos and, for judging, the class of each."""
    if not request.judge:
        return photos_in(request.photos), None
    listing = list_photos(request.photos, min_photos=0, visits=None)
    classes = {photo.path: listing.classes[photo.label] for photo in listing.photos}
    if not classes:
        raise DatasetError(f"{readable_name(request.photos)}: no photos in class folders: leave out --judge")
    return list(classes), classes


def _see(paths: Sequence[Path], request: Request, progress: Progress) -> tuple[PhotoFeatures, str]:
    """Return the photos' features from either side, and the name of the network that sees them."""
    source = BothWays(open_network(request.bundle, request.weights, request.alpha, request.size))
    try:
        return extract(paths, source, workers=request.workers, progress=progress), source.name
    finally:
        source.close()


def _named(result: Result, request: Request, progress: Progress) -> Result:
    """Return `result` with the names of its groups, if there is a bundle that knows some."""
    if request.bundle is None or not result.grouping.groups:
        return result
    numbers = range(1, result.grouping.groups + 1)
    samples = [[result.paths[photo] for photo in spread(result.members(number), _NAMED_BY)] for number in numbers]
    return replace(result, names=name_groups(request.bundle, samples, workers=request.workers, progress=progress))


ALL_ALIKE = "all photos show the same: near-duplicates count once"


def _notes(grouping: Grouping, photos: PhotoFeatures, wishes: Wishes) -> list[str]:
    notes = []
    if grouping.groups == 0:
        notes.append(f"no group was found: {_why_none(grouping)}")
    elif grouping.groups == 1 and wishes.groups is None:
        notes.append(f"one group only: {_why_one(grouping)}")
    elif not grouping.clear:
        notes.append(
            "the groups are not clear: photos are hardly more alike inside a group than outside: look before you use "
            "them, or label some photos by hand first"
        )
    if photos.unreadable:
        notes.append(unreadable_in_words(photos.unreadable))
    return notes


def _why_none(grouping: Grouping) -> str:
    """Return why HDBSCAN calls no place dense."""
    if grouping.different == 1:
        return ALL_ALIKE
    if grouping.different < FEWEST_DENSE:
        return f"{_few(grouping.different)}; --method hdbscan needs {FEWEST_DENSE}: try --method kmeans"
    # Photos that are all alike and photos that are all unlike are the same to it: of one density.
    return "the photos are all about as alike as each other, so that none stand out: try --method kmeans"


def _why_one(grouping: Grouping) -> str:
    if grouping.different == 1:
        return ALL_ALIKE
    if grouping.different < FEWEST_CHOSEN:
        return f"{_few(grouping.different)} to choose a number of groups by: give --groups"
    return "the photos are too alike to tell groups apart"


def _few(different: int) -> str:
    return f"{different} different photos (near-duplicates count once) are too few"


_WORDS = {
    "kmeans": "K-means",
    "isodata": "ISODATA",
    "hdbscan": "HDBSCAN",
}


def _how(request: Request, grouping: Grouping, network: str) -> str:
    wishes = request.wishes
    number = "as many as wanted" if wishes.groups == grouping.groups else f"{wishes.groups} were wanted"
    why = "their number was chosen by the photos" if wishes.groups is None else number
    return (
        f"Grouped by {_WORDS[wishes.method]} ({why}; seed {wishes.seed}) from what {network} sees in the photos. "
        "Neighbouring groups are alike, and so are neighbours on a sheet."
    )


def _answer(
    request: Request,
    result: Result,
    photos: PhotoFeatures,
    judgement: Judgement | None,
    network: str,
    notes: Sequence[str],
) -> Answer:
    grouping = result.grouping
    return Answer(
        groups=grouping.groups,
        silhouette=grouping.silhouette,
        nmi=None if judgement is None else judgement.nmi,
        ari=None if judgement is None else judgement.ari,
        purity=None if judgement is None else judgement.purity,
        photos=len(photos.paths),
        different=grouping.different,
        unsure=int(np.count_nonzero(grouping.numbers == 0)),
        unreadable=len(photos.unreadable),
        method=request.wishes.method,
        network=network,
        notes=tuple(notes),
        page=readable_name(request.out / PAGE),
        table=readable_name(request.out / TABLE),
    )
