"""Compute features with a network of Keras, from a weights file or Keras' own ImageNet weights."""

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features
from edge.errors import ModelError
from trainer.learning.predict import Predictor
from trainer.native_output import load_tensorflow
from trainer.networks.backbone import build_backbone
from trainer.networks.families import DEFAULT_FAMILY, Network
from trainer.networks.pixels import input_of, preprocessing_for
from trainer.networks.weights import find_weights


class BackboneFeatures:
    """The pooled features of a float network, as training sees them before fine-tuning."""

    def __init__(self, network: Network, weights: str) -> None:
        """Load the weights, which may take a download.

        weights: a *_no_top.h5 file, or "imagenet".

        Raises ModelError, MissingInputError or UnavailableError.
        """
        if weights == "none":
            raise ModelError("--weights none: the features of random weights mean nothing: give a file, or imagenet")
        network.check(weights)
        load_tensorflow()
        self.name = network.title
        self.spec, self.tensor = preprocessing_for(network, "squash"), input_of(network)
        self._predictor = Predictor(build_backbone(network, find_weights(network, weights)), self.spec)
        self.channels = self._predictor.channels

    def features(self, pixels: NDArray[np.uint8]) -> Features:
        """See FeatureSource.features."""
        return self._predictor.predict(pixels, np.arange(len(pixels)))

    def close(self) -> None:
        """Do nothing: TensorFlow keeps its memory."""


def open_backbone(weights: str, alpha: float, size: int) -> BackboneFeatures:
    """Open MobileNetV2, which training takes by default. Raises as BackboneFeatures does."""
    return BackboneFeatures(Network(DEFAULT_FAMILY, alpha, size), weights)
