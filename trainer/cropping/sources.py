"""Find parts that were cut from one photo: they must stay in one split."""

import numpy as np
from numpy.typing import NDArray

from trainer.cropping.parts import source_name
from trainer.cropping.record import CropRecord
from trainer.dataset.components import numbered
from trainer.dataset.listing import Listing, Photo


def source_groups(listing: Listing, record: CropRecord) -> NDArray[np.int64]:
    """Return int64 (photos,): parts of one photo share a number; what is no part has its own."""
    return numbered(_key(listing, photo, record) or index for index, photo in enumerate(listing.photos))


def _key(listing: Listing, photo: Photo, record: CropRecord) -> tuple[str, ...] | None:
    source = source_name(photo.path.name)
    folders = photo.path.relative_to(listing.root).parts[:-1]
    if record.classes == "boxes":  # one photo may have parts in several classes
        folders = folders[1 if photo.split is None else 2 :]
    return None if source is None else (*folders, source)
