"""Make the report of a training from what its steps left."""

import platform
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from edge import __version__
from edge.images import readable_name
from trainer.dataset.listing import SPLITS
from trainer.delivery.examples import make_examples
from trainer.delivery.records import Delivery
from trainer.edgetpu.compatibility import Verdict
from trainer.edgetpu.compiling import Compiled
from trainer.edgetpu.tflite_graph import Graph
from trainer.options import Options
from trainer.prepare import Data
from trainer.quantizing.int8 import Int8
from trainer.report.build import Evaluations, Pictures, build_report
from trainer.report.records import DataSummary, EdgeTpuVerdict, MachineLabels, Memory, Model, Operator, Report, Run
from trainer.run_context import RunContext


def make_report(
    given: Delivery,
    made: Int8,
    found: Evaluations,
    edgetpu: tuple[Graph, Verdict, Compiled | None, str],
) -> tuple[Report, Pictures]:
    """Return the report of a training. edgetpu: the model's graph, the verdict on it, its compiled twin and, in a few
    words, what became of that."""
    report, pictures = build_report(
        found,
        _run(given.run),
        left_out=given.learned.left_out,
        data=_data_summary(given.data),
        history=given.learned.history,
        layers=made.layers,
        remedy=made.remedy,
        model=_model_summary(given, made, *edgetpu),
    )
    return report, replace(pictures, examples=make_examples(given))


def _run(run: RunContext) -> Run:
    options = run.options
    libraries = ("tensorflow", "keras", "ai-edge-litert", "numpy", "opencv-python-headless")
    shown = {
        "resize": options.resize,
        "mirror": "yes" if options.mirror else "no",
        **_alterations(options),
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
        weights="none" if run.weights is None else readable_name(run.weights.name),
        seed=options.seed,
        options=shown,
        versions={"python": platform.python_version(), **{name: _version(name) for name in libraries}},
        stage_seconds=run.clock.stages,
        seconds=run.clock.total,
    )


def _alterations(options: Options) -> dict[str, str]:
    """Return what was chosen of preparing and altering pictures, by name."""
    chosen = {
        "preparation": ", ".join(options.prepare),
        "mirror, vertically": "yes" if options.mirror_vertical else "",
        "any way up": "yes" if options.any_way_up else "",
        "grey nights": f"{options.nights:.0%} of the pictures" if options.nights else "",
    }
    return {name: text for name, text in chosen.items() if text}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _data_summary(data: Data) -> DataSummary:
    splits, labels = data.splits, data.photos.listing.labels
    return DataSummary(
        classes=data.classes,
        counts={
            split: tuple(np.bincount(labels[splits[split]], minlength=len(data.classes)).tolist()) for split in SPLITS
        },
        unreadable=data.photos.unreadable,
        near_duplicates=data.near_duplicates,
        torn=data.torn,
        findings=data.report.findings,
        machine_labels=_machine_labels(data),
    )


def _machine_labels(data: Data) -> MachineLabels | None:
    listing = data.photos.listing
    if (made := listing.sureness) is None:
        return None
    return MachineLabels(
        labels=made.photos,
        in_training=len(np.intersect1d(listing.machine_made, data.splits["train"])),
        weight=data.machine_weight,
        sure_median=made.median,
        sure_least=made.least,
    )


def _model_summary(
    given: Delivery, made: Int8, graph: Graph, verdict: Verdict, compiled: Compiled | None, note: str
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
            line=_edgetpu_line(verdict) if compiled is None else note,
            rows=rows,
            compiler=None if compiled is None else tuple(compiled.log.splitlines()),
            memory=_memory(verdict, compiled),
        ),
    )


def _memory(verdict: Verdict, compiled: Compiled | None) -> Memory | None:
    """Return what the compiled model holds; without one, what the operators let expect."""
    if compiled is not None:
        streamed = compiled.facts.streamed_bytes
        return Memory(compiled.facts.on_chip_bytes, (streamed, streamed), compiled=True)
    if verdict.parameters is None:
        return None
    expected = verdict.parameters
    return Memory(expected.size - expected.streamed[0], expected.streamed, compiled=False)


def _edgetpu_line(verdict: Verdict) -> str:
    """Return the verdict of the operator check, in a few words."""
    if verdict.outcome == "whole":
        return f"all {verdict.on_tpu} operators are expected to run on the Edge TPU"
    return f"{verdict.on_cpu} operators are expected to stay on the CPU: {verdict.names(on_tpu=False)}"
