"""Find which photos a bundle learned from, as far as it remembers them."""

import numpy as np

from edge.bundle.store import Bundle
from edge.embedding.source import Features
from edge.errors import BundleError, ModelError
from edge.teaching.last_layer import read_last_layer
from edge.teaching.remembering import recall
from edge.teaching.seeing import are_alike


def learned_by(bundle: Bundle) -> Features:
    """Return the features of the photos that a bundle remembers to have learned from, (photos, channels): at most 100 a
    class; none if it remembers none, or its last layer is not found. Raises BundleError if what it remembers is
    damaged."""
    try:
        layer = read_last_layer(bundle.model)
    except ModelError:
        return np.empty((0, 0), np.float32)
    try:
        remembered = recall(bundle.model, layer.of_input, layer.classes, layer.weights.shape[1])
    except ModelError as error:
        raise BundleError(f"bundle {bundle.path}: {error}") from error
    if remembered is None:
        return np.empty((0, 0), np.float32)
    return remembered.features[remembered.learned].astype(np.float32)


def count_learned(features: Features, learned: Features) -> int:
    """Return how many of some photos are among those learned from.

    features: (photos, channels or more), first those by the same network."""
    if not len(learned):
        return 0
    exact = learned.astype(np.float64)
    own = features[:, : exact.shape[1]]
    return sum(bool(are_alike(exact, one.astype(np.float64)).any()) for one in own)
