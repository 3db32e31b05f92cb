"""Open the network that looks at photos: a bundle's own, or that of a weights file."""

from edge.bundle.store import Bundle
from edge.embedding.source import BundleFeatures, FeatureSource
from trainer.features.backbone import open_backbone

_THREADS = 2


def open_network(bundle: Bundle | None, weights: str | None, alpha: float, size: int) -> FeatureSource:
    """Open the network of `weights`, or else of `bundle`, or else of Keras' ImageNet weights; to be closed.

    weights, alpha, size: as open_backbone takes them.

    Raises what BundleFeatures and open_backbone raise."""
    if bundle is not None and weights is None:
        return BundleFeatures(bundle, threads=_THREADS)
    return open_backbone(weights or "imagenet", alpha, size)
