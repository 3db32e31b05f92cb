"""Features of photos and of their mirror images: what is alike must be so from either side."""

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, FeatureSource
from edge.inference.model_limits import TIMEOUT_S
from edge.processes.fork import time_limit


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


class Limited:
    """A FeatureSource that ends this process, by SIGALRM, if a batch hangs: for a bundle's model, which may be a
    stranger's, in the fork of a command (edge.cli.apart)."""

    def __init__(self, source: FeatureSource) -> None:
        self.name, self.spec, self.tensor, self.channels = source.name, source.spec, source.tensor, source.channels
        self._source = source

    def features(self, pixels: NDArray[np.uint8]) -> Features:
        """See FeatureSource.features."""
        with time_limit(TIMEOUT_S):
            return self._source.features(pixels)


def halves(features: Features) -> tuple[Features, Features]:
    """Return the features of the photos and those of their mirror images, (photos, channels) each; views."""
    channels = features.shape[1] // 2
    return features[:, :channels], features[:, channels:]
