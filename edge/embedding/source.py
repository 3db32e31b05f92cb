"""Compute the features of pictures, as a bundle's network sees them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.bundle.store import Bundle
from edge.errors import BundleError, EngineError, ModelError
from edge.importing.feature_tensor import with_features_as_output
from edge.inference.model_limits import TIMEOUT_S
from edge.inference.runtime import RuntimeName, load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor
from edge.processes.fork import time_limit

Features = NDArray[np.float32]


class FeatureSource(Protocol):
    """A network without its last layer.

    name: for people
    spec, tensor: how a picture becomes its input
    channels: how many features a picture has
    """

    name: str
    spec: Preprocessing
    tensor: InputTensor
    channels: int

    def features(self, pixels: NDArray[np.uint8]) -> Features:
        """Return float32 (pictures, channels), new memory.

        pixels: uint8 (pictures, height, width, 3) in the model's channel order, from Preprocessor.pixels.
        """

    def close(self) -> None:
        """Give the network's memory back. Safe to call twice."""


class BundleFeatures:
    """The features of a bundle's int8 model for the CPU: what its last layer reads, averaged over all places if it
    has several. For the main thread of a command's fork (edge.cli.apart): a model that hangs for TIMEOUT_S ends the
    process, as it may be a stranger's."""

    def __init__(self, bundle: Bundle, *, runtime: RuntimeName = "auto", threads: int = 1) -> None:
        """Raises BundleError if the model cannot be run, or if its features are not found."""
        manifest = bundle.manifest
        self.name = f"{manifest.name} ({bundle.bundle_id})"
        self.spec, self.tensor = manifest.preprocessing, manifest.input
        self._preprocessor = Preprocessor(self.spec, self.tensor)
        try:
            with time_limit(TIMEOUT_S):
                model = with_features_as_output(bundle.model)
                self._engine = TfliteClassifier(load_runtime(runtime), model, threads=threads)
        except (ModelError, EngineError) as error:
            raise BundleError(f"bundle {bundle.path}: {error}") from error
        self._output = self._engine.outputs[0]
        self.channels = int(self._output.shape[-1])

    def features(self, pixels: NDArray[np.uint8]) -> Features:
        """See FeatureSource.features; of all pictures within TIMEOUT_S. Raises EngineError if the runtime fails."""
        found = np.empty((len(pixels), self.channels), np.float32)
        with time_limit(TIMEOUT_S):
            for row, picture in zip(found, pixels, strict=True):
                self._engine.load(self._preprocessor.quantize(picture)[None])
                row[:] = self._read(self._engine.invoke())
        return found

    def _read(self, raw: NDArray[np.generic]) -> Features:
        values = raw.reshape(-1, self.channels).mean(axis=0, dtype=np.float64)
        if self._output.scales:
            values = (values - self._output.zero_point) * self._output.scale
        read: Features = values.astype(np.float32)
        return read

    def close(self) -> None:
        """See FeatureSource.close."""
        self._engine.close()


def unit_length(features: Features) -> Features:
    """Return the rows of `features`, (pictures, channels), scaled to length 1; rows of zeros stay so. New memory."""
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features, dtype=np.float64))
    lengths[lengths == 0] = 1
    scaled: Features = (features / lengths[:, None].astype(np.float32)).astype(np.float32, copy=False)
    return scaled
