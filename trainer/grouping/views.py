"""Features of photos and of their mirror images: what is alike must be so from either side."""

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, FeatureSource


class BothWays:
    """A FeatureSource that gives a picture's features and those of its mirror image, one after the other."""

    def __init__(self, source: FeatureSource) -> None:
        self.name, self.spec, self.tensor = source.name, source.spec, source.tensor
        self.channels = 2 * source.channels
        self._source = source

    def features(self, pixels: NDArray[np.uint8]) -> Features:
        """See FeatureSource.features: float32 (pictures, 2 * channels)."""
        mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
        return np.hstack([self._source.features(pixels), self._source.features(mirrored)])

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def halves(features: Features) -> tuple[Features, Features]:
    """Return the features of the photos and those of their mirror images, (photos, channels) each; views."""
    channels = features.shape[1] // 2
    return features[:, :channels], features[:, channels:]
