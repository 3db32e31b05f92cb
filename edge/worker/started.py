"""Report what a worker has opened."""

from typing import TYPE_CHECKING

from edge.processes.messages import Begin, Started

if TYPE_CHECKING:
    from edge.capture.base import FrameSource
    from edge.worker.pipeline import Pipeline


def started(begin: Begin, pipeline: "Pipeline", source: "FrameSource") -> Started:
    """Return the message about bundle, engine and camera, once they are open."""
    bundle, engine = pipeline.bundle, pipeline.classifier.engine
    if pipeline.on_edgetpu:
        accelerator = "in use"
    elif begin.device != "cpu" and bundle.edgetpu_model is not None:
        accelerator = "refused"
    else:
        accelerator = "none"
    return Started(
        bundle.bundle_id,
        bundle.manifest.name,
        len(bundle.labels),
        engine,
        source.description,
        source.stalls,
        accelerator,  # type: ignore[arg-type]
        pipeline.fallback,
    )
