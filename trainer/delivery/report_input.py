"""What the report of a training is made from, gathered."""

import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from edge import __version__
from edge.images import readable_name
from trainer.dataset.listing import SPLITS
from trainer.delivery.records import Delivery, Figures
from trainer.edgetpu.compatibility import Verdict
from trainer.edgetpu.compiling import Compiled
from trainer.edgetpu.tflite_graph import Graph
from trainer.quantizing.int8 import Int8
from trainer.report.build import Ingredients, Outside
from trainer.report.records import (
    DataSummary,
    EdgeTpuVerdict,
    Epoch,
    Finding,
    History,
    Layer,
    LeftOut,
    Model,
    Operator,
    Run,
)


def gather(
    given: Delivery,
    made: Int8,
    figures: Figures,
    strangers: tuple[Outside, ...],
    edgetpu: tuple[Graph, Verdict, Compiled | None, str],
) -> Ingredients:
    """All of a training that its report shows. strangers: photos that belong to no class. edgetpu: the model's
    graph, what the check says of it, its compiled twin and what became of that in a few words."""
    learned, classes = given.learned, given.data.photos.listing.classes
    epochs = tuple(Epoch(e.epoch, e.train_loss, e.val_loss, e.val_accuracy, e.rate) for e in learned.history)
    return Ingredients(
        run=_run(given),
        labels=classes,
        test=figures.test,
        validation=figures.validation,
        scaling=figures.scaling,
        threshold=figures.threshold,
        outside=strangers,
        left_out=tuple(
            LeftOut(classes[row.label], row.photos, row.unknown, 1 - row.unknown) for row in learned.left_out
        ),
        data=_data_summary(given),
        history=History(epochs=epochs, head_accuracy=learned.head_accuracy, kept=learned.epoch),
        layers=tuple(Layer(row.layer, row.operator, row.signal_to_noise_db, row.own_share) for row in made.layers),
        remedy=made.remedy,
        model=_model_summary(given, made, *edgetpu),
    )


def _run(given: Delivery) -> Run:
    options = given.options
    libraries = ("tensorflow", "keras", "ai-edge-litert", "numpy", "opencv-python-headless")
    shown = {
        "resize": options.resize,
        "mirror": "yes" if options.mirror else "no",
        "class weights": options.class_weights,
        "promised precision": f"{options.min_precision:g}",
    }
    if options.time_budget_min is not None:
        shown["time budget"] = f"{options.time_budget_min:g} minutes"
    return Run(
        title=readable_name(options.out.resolve().name.removesuffix(".fieldfare")),
        network=options.network.title,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"fieldfare {__version__}",
        weights="none" if given.weights is None else readable_name(given.weights.name),
        seed=options.seed,
        options=shown,
        versions={"python": platform.python_version(), **{name: _version(name) for name in libraries}},
        stage_seconds=given.clock.stages,
        seconds=given.clock.total,
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _data_summary(given: Delivery) -> DataSummary:
    listing, splits = given.data.photos.listing, given.data.splits
    labels = listing.labels
    return DataSummary(
        classes=listing.classes,
        counts={
            split: tuple(np.bincount(labels[splits[split]], minlength=len(listing.classes)).tolist())
            for split in SPLITS
        },
        unreadable=given.data.photos.unreadable,
        near_duplicates=given.data.near_duplicates,
        torn=given.data.torn,
        findings=tuple(
            Finding(
                severity=found.severity, title=found.title, explanation=found.explanation, examples=found.examples[:6]
            )
            for found in given.data.report.findings
        ),
    )


def _model_summary(
    given: Delivery, made: Int8, graph: Graph, verdict: Verdict, compiled: Compiled | None, told: str
) -> Model:
    counts = Counter((op.name, op.version) for op in graph.operators)
    rows = tuple(
        (f"{row.operator} x{row.count}", "Edge TPU" if row.maps else "CPU", row.status) for row in verdict.rows
    )
    return Model(
        size=len(made.model),
        parameters=int(given.learned.model.count_params()),
        operators=tuple(Operator(name, number, count) for (name, number), count in counts.items()),
        edgetpu=EdgeTpuVerdict(
            word=verdict.outcome,
            line=_edgetpu_line(verdict) if compiled is None else told,
            rows=rows,
            compiler=None if compiled is None else tuple(compiled.log.splitlines()),
        ),
    )


def _edgetpu_line(verdict: Verdict) -> str:
    """What the check foretells, in a few words."""
    if verdict.outcome == "whole":
        return f"all {verdict.on_tpu} operators are expected to run on the Edge TPU"
    return f"{verdict.on_cpu} operators are expected to stay on the CPU: {verdict.names(on_tpu=False)}"
