"""Count near-duplicates and bursts once."""

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.duplicates import group_duplicates
from trainer.features.extract import PhotoFeatures
from trainer.grouping.times import bursts

# Near-duplicates may differ by what matters: a small animal before a fixed camera changes few of the pixels by which
# they are found. Of 300 photos of TrashNet that were saved again at JPEG quality 50, 99 % keep a cosine above 0.86 with
# themselves (MobileNetV2 0.35, 224 pixels); the most similar other photo has 0.75 (median).
LEAST_COSINE = 0.85
_BLOCK = 4096


def counted_with(photos: PhotoFeatures) -> NDArray[np.int64]:
    """Return, for each photo, the photo that it is counted with: the first of its near-duplicates, if the network sees
    the same in both, or of its burst, or itself. int64 (photos,)."""
    first = group_duplicates(photos.hashes, photos.greys)
    others = np.flatnonzero(first != np.arange(len(first)))
    for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK]
        one, other = photos.features[block], photos.features[first[block]]
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        apart = np.einsum("ij,ij->i", one, other) < LEAST_COSINE * lengths
        first[block[apart]] = block[apart]
    # The network has no word on bursts: what moves turns, and in small pictures that changes features more than another
    # animal at the same place does.
    return bursts(photos.records, photos.hashes, photos.greys, first)
