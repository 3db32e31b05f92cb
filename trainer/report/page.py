"""Render report and pictures as one self-contained HTML page, and write it and its figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.storage import write_file
from trainer.measuring.threshold import CurvePoint
from trainer.pages.render import render
from trainer.pages.thumbnail import data_url
from trainer.pages.words import split_name
from trainer.quantizing.layer_errors import LayerNoise
from trainer.report import figures, sentences
from trainer.report.build import Example, Pictures
from trainer.report.records import DataSummary, Measured, Report, to_json
from trainer.report.sentences import Said

MATRIX_ON_PAGE = 20  # nobody reads a table of more columns
CLASSES_ON_PAGE = 20
LAYERS_ON_PAGE = 12


def write_report(report: Report, pictures: Pictures, page: Path, data: Path, *, overwrite: bool = False) -> None:
    """Write the page and its figures as JSON, each whole or not at all. Raises OutputExistsError,
    StorageError."""
    html = render_report(report, pictures)
    write_file(data, to_json(report), overwrite=overwrite)
    write_file(page, html.encode(), overwrite=overwrite)


def render_report(report: Report, pictures: Pictures) -> str:
    """Render the page. It needs no network and no other file."""
    return render(
        "report.html",
        report=report,
        split=split_name(report.test.split),
        words=_words(report),
        steps=sentences.next_steps(report),
        contents=_contents(report),
        matrix=matrix_rows(report.test, report.labels),
        class_table=_weakest_first(report.test),
        hidden_classes=len(report.labels) > CLASSES_ON_PAGE,
        thumbs={index: data_url(data) for index, data in pictures.test.items()},
        outside=_outside(report, pictures),
        examples=[_example_row(example) for example in pictures.examples],
        figures=_plots(report),
        choices=_choices(report.test),
        layers=_noisiest(report),
        photo_rows=_photo_rows(report.data) if report.data else [],
        facts=_facts(report),
    )


def _words(report: Report) -> dict[str, Said]:
    test = report.test
    edgetpu = None if report.model is None else report.model.edgetpu
    words = {
        "headline": sentences.headline(test),
        "confusion": sentences.confusion(test),
        "classes": sentences.classes(test),
        "worst": sentences.worst(test),
        "unsure": sentences.UNSURE,
        "calibration": sentences.calibration(test),
        "coverage": sentences.coverage(test, report.threshold),
    }
    optional: tuple[tuple[str, Any, Callable[[Any], Said]], ...] = (
        ("left_out", report.left_out, sentences.left_out),
        ("quantized", report.quantized, sentences.quantized),
        ("model", report.model, sentences.model),
        ("memory", None if edgetpu is None else edgetpu.memory, sentences.memory),
        ("history", report.history, sentences.history),
        ("data", report.data, sentences.data),
    )
    return words | {name: describe(part) for name, part, describe in optional if part}


def _contents(report: Report) -> list[tuple[str, str]]:
    entries = [
        ("short", "In short", True),
        ("classes", "Classes", True),
        ("mistakes", "Mistakes", True),
        ("unknown", "Unknown", True),
        ("scores", "Scores", True),
        ("device", "On the device", True),
        ("photos", "Photos", report.data),
        ("training", "Training", report.history),
        ("made", "Details", True),
    ]
    return [(anchor, title) for anchor, title, there in entries if there]


def matrix_rows(test: Measured, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the confusion matrix as the page shows it: per cell the count, its share of the row and its kind. Empty
    if there are too many classes."""
    if test.confusion is None or len(labels) > MATRIX_ON_PAGE:
        return []
    rows = []
    for i, counts in enumerate(test.confusion):
        total = max(1, sum(counts))
        cells = []
        for j, photos in enumerate(counts):
            share = photos / total
            # A square root lifts the rare mistakes out of the ground colour.
            shade = share if i == j else share**0.5
            kind = "none" if not photos else "right" if i == j else "wrong"
            cells.append(
                {"photos": photos, "share": round(shade, 3), "kind": kind + (" strong" if share > 0.5 else "")}
            )
        rows.append({"name": labels[i], "cells": cells})
    return rows


def _weakest_first(test: Measured) -> list[Any]:
    """Return all classes in their order if they are few, else the weakest."""
    if len(test.classes) <= CLASSES_ON_PAGE:
        return list(test.classes)
    known = [entry for entry in test.classes if entry.recall is not None]
    return sorted(known, key=lambda entry: (entry.f1 or 0.0, -entry.support))[:CLASSES_ON_PAGE]


def _example_row(example: Example) -> dict[str, Any]:
    """Return a row of the sheet of examples: pairs of what is shown and its picture."""
    shown = [("as it was read", example.photo)]
    if example.prepared is not None:
        shown.append(("prepared", example.prepared))
    shown += [("altered", data) for data in example.altered]
    return {"name": example.name, "shown": [(title, data_url(data)) for title, data in shown]}


def _outside(report: Report, pictures: Pictures) -> list[dict[str, Any]]:
    return [
        {
            "figures": entry,
            "said": sentences.outside(entry, report.threshold),
            "plot": figures.outside_figure(
                report.test.histogram,
                entry,
                report.threshold.threshold,
                title=f"Best scores of test photos and of {entry.title}",
            ),
            "thumbs": {index: data_url(data) for (p, index), data in pictures.outside.items() if p == place},
        }
        for place, entry in enumerate(report.outside)
    ]


def _plots(report: Report) -> dict[str, str]:
    test, reached = report.test, report.test.at_threshold
    here = None
    if reached is not None and reached.precision is not None and report.threshold.threshold > 0:
        here = (reached.coverage, reached.precision.value)
    plots = {
        "calibration": figures.calibration_figure(
            test.calibration.bins, test.calibration.bins_before, title="Share of right answers by score"
        ),
        "coverage": figures.coverage_figure(
            test.curve,
            report.validation.curve if report.validation else (),
            report.threshold.promise,
            here,
            title="Share of right answers by share of photos that get a name",
        ),
    }
    if report.history is not None and report.history.epochs:
        epochs, kept = report.history.epochs, report.history.kept
        plots["loss"] = figures.loss_figure(epochs, kept, title="Loss by epoch")
        plots["accuracy"] = figures.accuracy_figure(
            epochs, report.history.head_accuracy, kept, title="Right answers on validation photos by epoch"
        )
    return plots


def _choices(test: Measured) -> list[CurvePoint]:
    """Return the points of the coverage curve nearest to naming 100, 90 ... 40 % of the photos, each once."""
    near = [min(test.curve, key=lambda point: abs(point.coverage - share / 10)) for share in range(10, 3, -1)]
    return list(dict.fromkeys(near))


def _noisiest(report: Report) -> list[LayerNoise]:
    layers = report.quantized.layers if report.quantized else ()
    return sorted(layers, key=lambda layer: layer.snr_db)[:LAYERS_ON_PAGE]


def _photo_rows(summary: DataSummary) -> list[dict[str, Any]]:
    """Return the photos of each class, with a bar against the commonest; of many classes, the rarest."""
    columns = list(summary.counts.values())
    rows: list[dict[str, Any]] = [
        {"name": name, "counts": [column[i] for column in columns], "total": sum(column[i] for column in columns)}
        for i, name in enumerate(summary.classes)
    ]
    most = max(1, *(row["total"] for row in rows))
    for row in rows:
        row["width"] = round(100 * row["total"] / most, 1)
    if len(rows) > CLASSES_ON_PAGE:
        rows = sorted(rows, key=lambda row: row["total"])[:CLASSES_ON_PAGE]
    return rows


def _facts(report: Report) -> list[tuple[str, str]]:
    run = report.run
    facts = [
        ("made", run.created),
        ("network", run.network),
        ("starting weights", run.weights),
        ("seed", None if run.seed is None else str(run.seed)),
        ("options", ", ".join(f"{name} {value}" for name, value in run.options.items())),
        ("time", None if run.seconds is None else _duration(run.seconds)),
        ("of which", ", ".join(f"{stage} {_duration(took)}" for stage, took in run.stage_seconds.items())),
        ("libraries", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    ]
    return [(name, value) for name, value in facts if value]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{int(seconds // 3600)} h {seconds % 3600 / 60:.0f} min" if seconds >= 5400 else f"{seconds / 60:.0f} min"
