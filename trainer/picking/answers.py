"""A bundle's features and its answers, photo by photo, as one source of features."""

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.embedding.source import BundleFeatures, Features
from trainer.features.scores import BundleScores

_THREADS = 2


class BundleAnswers:
    """A FeatureSource whose last columns are the scores of the bundle's classes. For one thread."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError if the model cannot be run, or if its features are not found."""
        self._features, self._scores = BundleFeatures(bundle, threads=_THREADS), BundleScores(bundle, threads=_THREADS)
        self.name, self.spec, self.tensor = self._features.name, self._features.spec, self._features.tensor
        self.labels = bundle.labels
        self.channels = self._features.channels + len(self.labels)

    def features(self, pixels: NDArray[np.uint8]) -> Features:
        """See FeatureSource.features. Raises EngineError if the runtime fails."""
        return np.hstack([self._features.features(pixels), self._scores.scores(pixels)])

    def parted(self, features: Features) -> tuple[Features, NDArray[np.float32]]:
        """Return the features and the scores of rows that `features` made; views."""
        return features[:, : self._features.channels], features[:, self._features.channels :]

    def close(self) -> None:
        """Give the models' memory back. Safe to call twice."""
        self._features.close()
        self._scores.close()
