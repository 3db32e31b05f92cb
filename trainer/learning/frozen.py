"""The frozen phase: features of the untouched backbone, and the head that is trained on them."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.photo_set import PhotoSet
from trainer.dataset.rows import Rows, RowSource
from trainer.learning.checkpoint import Checkpoints, pack, unpack
from trainer.learning.head import STRENGTHS, Examples, fit_linear, train_head
from trainer.learning.joining import are_few
from trainer.learning.left_out import LeftOut, leave_one_class_out
from trainer.learning.predict import Predictor, View
from trainer.learning.schedule import Deadline
from trainer.learning.team import Team
from trainer.options import ClassWeights, Options
from trainer.run_context import RunContext

# Kernel, float32 (channels, classes), and bias, float32 (classes,).
Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
# Photos whose features are computed before they go to disk: 5 MB of 1,280 channels.
_BLOCK = 1024
# Of the time for learning, the frozen phase may take this share; else mirror images and turned ones are left out.
_FROZEN_SHARE = 0.4
# They belong to the epochs of gradient training. The views of views_of are the head's, too.
_OF_EPOCHS = ("nights", "patience", "precision")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all of learning shares.

    run: the training that this is part of.
    photos: to learn from and to choose by.
    names: the classes.
    team: the machines that train together.
    checkpoints: for going on after a kill.
    deadline: the end of the time budget, if there is one.
    """

    run: RunContext
    photos: PhotoSet
    names: tuple[str, ...]
    team: Team
    checkpoints: Checkpoints
    deadline: Deadline | None


@dataclass(frozen=True, slots=True)
class Frozen:
    """What the frozen phase came to.

    accuracy: of the head on the validation photos.
    left_out: how classes fared that a head never saw.
    of_all: the layer of the head that learned from the validation photos, too; None if there is none.
    """

    accuracy: float
    left_out: tuple[LeftOut, ...]
    of_all: Layer | None


def unused_in_words(options: Options) -> str | None:
    """Return in one line which options that differ from their defaults the head alone does not use; None if it uses
    all of them."""
    defaults = {field.name: field.default for field in fields(Options)}
    given = [f"--{name}" for name in _OF_EPOCHS if getattr(options, name) != defaults[name]]
    parts = [f"makes no use of {', '.join(given)}"] if given else []
    if options.any_way_up:
        parts.append("turns photos by quarters only (--any-way-up)")
    return f"warning: only the head is trained, which {' and '.join(parts)}" if parts else None


def class_weights(labels: NDArray[np.int64], classes: int, how: ClassWeights) -> NDArray[np.float32]:
    """Return what a photo of each class counts, (classes,), with mean 1 over the photos `labels`.

    "none": all alike; "balanced": each class as a whole alike; "sqrt": half-way between."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[how]
    weights = counts**-power
    scaled: NDArray[np.float32] = (weights / weights[labels].mean()).astype(np.float32)
    return scaled


def frozen_phase(setting: Setting, model: Any) -> Frozen:
    """Train the head on features of the untouched backbone and put it into `model`."""
    team, logits = setting.team, model.get_layer("logits")
    saved = setting.checkpoints.load("head")
    # The chief alone has checkpoints: without its word the others would wait in a sum that it skips.
    if not team.share_bytes(b"y" if saved else b""):
        saved = _train_head(setting, model)
        if saved is not None:
            setting.checkpoints.save("head", saved)
    found = unpack(team.share_bytes(pack(saved)))
    logits.set_weights(list(_layer(found, "")))
    names = setting.names
    left_out = tuple(LeftOut.of(names[int(row[0])], int(row[1]), float(row[2])) for row in found["left_out"])
    return Frozen(float(found["accuracy"]), left_out, _layer(found, "all_") if "all_kernel" in found else None)


def _layer(found: dict[str, NDArray[Any]], before: str) -> Layer:
    return found[f"{before}kernel"].astype(np.float32), found[f"{before}bias"].astype(np.float32)


def _joins_head(setting: Setting) -> bool:
    """Return whether validation photos join those that the head learns from: if it is all that is wanted, and photos
    are few. Not if it is all that a time budget leaves time for."""
    return setting.run.options.epochs == 0 and setting.deadline is None and are_few(setting.photos)


def _train_head(setting: Setting, model: Any) -> dict[str, NDArray[Any]] | None:
    """Return the head's arrays on the chief, None on other members, which only help with the features."""
    import keras

    run, photos, classes = setting.run, setting.photos, len(setting.names)
    with setting.team.strategy.scope():
        backbone = keras.Model(model.input, model.get_layer("logits").input)
    predictor = Predictor(backbone, setting.run.spec)
    with _features(setting, predictor) as (features, rows, val_views):
        run.clock.lap("features")
        if not setting.team.is_chief:
            return None
        examples = _examples(setting, features, rows)
        val = (val_views[0], photos.labels[photos.val])
        deadline = setting.deadline
        with run.progress.stage("head", len(STRENGTHS)) as advance:
            late = (lambda: False) if deadline is None else (lambda: deadline.left_s() < 0)
            head = train_head(examples, val, classes, advance, late)
        of_all = _head_of_all(setting, features[:], rows, val_views, head.strength) if _joins_head(setting) else {}
        run.clock.lap("head")
        # Not under a time budget: up to twelve more heads make no photo better recognised.
        precision = run.options.min_precision
        left_out = leave_one_class_out(examples, val, head, precision, setting.names) if deadline is None else ()
        run.clock.lap("leaving classes out")
    fared = [(label, row.photos, row.unknown) for label, row in enumerate(left_out)]
    return of_all | {
        "kernel": head.kernel,
        "bias": head.bias,
        "accuracy": np.array(head.val_accuracy),
        "left_out": np.array(fared, np.float64).reshape(-1, 3),
    }


def _examples(setting: Setting, features: RowSource, rows: NDArray[np.int64]) -> Examples:
    """Return examples for a head: features, (rows, channels), of these photos, of which each view counts."""
    labels, classes = setting.photos.labels[rows], len(setting.names)
    weights = class_weights(labels, classes, setting.run.options.class_weights).astype(np.float64)
    return Examples(features, labels, weights[labels] * setting.photos.weights_of(rows))


def _head_of_all(
    setting: Setting,
    features: NDArray[np.float32],
    rows: NDArray[np.int64],
    val_views: list[NDArray[np.float32]],
    strength: float,
) -> dict[str, NDArray[Any]]:
    """Return the layer of a head, as strict as that of the training photos `rows`, that learned from those for
    validation, too."""
    classes = len(setting.names)
    every = np.concatenate([rows, np.tile(setting.photos.val, len(val_views))])
    head = fit_linear(_examples(setting, np.concatenate([features, *val_views]), every), classes, strength)
    return {"all_kernel": head.reshape(-1, classes)[:-1], "all_bias": head.reshape(-1, classes)[-1]}


class _features:  # noqa: N801 - a context manager, used like a function
    """Features of the training photos and, if there is time, of their other views, on disk; the photo of each row; and
    features of the validation photos, of each view that is used."""

    def __init__(self, setting: Setting, predictor: Predictor) -> None:
        self._setting, self._predictor = setting, predictor
        self._rows: Rows | None = None

    def __enter__(self) -> tuple[Rows, NDArray[np.int64], list[NDArray[np.float32]]]:
        setting, photos = self._setting, self._setting.photos
        views = self._views()
        train = photos.train
        channels = self._predictor.channels
        what = "the features"
        self._rows = Rows.create(setting.run.folder, len(train) * len(views), (channels,), np.float32, what)
        val_views = views if _joins_head(setting) else views[:1]
        total = len(train) * len(views) + len(photos.val) * len(val_views)
        with setting.run.progress.stage("features", total) as advance:
            for number, view in enumerate(views):
                for start in range(0, len(train), _BLOCK):
                    block = self._compute(train[start : start + _BLOCK], view)
                    self._rows.write_block(number * len(train) + start, block)
                    advance(len(block))
            val = []
            for view in val_views:
                parts = [photos.val[start : start + _BLOCK] for start in range(0, len(photos.val), _BLOCK)]
                val.append(np.concatenate([self._compute(part, view) for part in parts]))
                advance(len(photos.val))
        return self._rows, np.tile(train, len(views)), val

    def __exit__(self, *_: object) -> None:
        if self._rows is not None:
            self._rows.close()

    def _compute(self, indices: NDArray[np.int64], view: View) -> NDArray[np.float32]:
        pixels = self._setting.photos.pixels
        return self._setting.team.gather(
            lambda rows: self._predictor.predict(pixels, indices[rows], view=view), len(indices)
        )

    def _views(self) -> tuple[View, ...]:
        """Return which views are computed: those that mean the same, if there is time, else the photos alone."""
        setting = self._setting
        views = views_of(setting.run.options)
        if len(views) == 1 or setting.deadline is None:
            return views
        cost_s = self._predictor.seconds_per_photo(setting.photos.pixels, setting.photos.train)
        fits = len(views) * cost_s * len(setting.photos.train) < _FROZEN_SHARE * setting.deadline.left_s()
        # The chief's answer is that of all: their clocks differ, the rows that they share must not.
        return views if setting.team.share_bytes(b"y" if fits else b"n") == b"y" else views[:1]


def views_of(options: Options) -> tuple[View, ...]:
    """Return the views of a photo that show the same thing, by what the training may alter; the photo itself first."""
    views = [View(), View(mirrored=True)] if options.mirror else [View()]
    if options.mirror_vertical:
        views += [View(view.turns + 2, not view.mirrored) for view in views]
    if options.any_way_up:
        views += [View((view.turns + turns) % 4, view.mirrored) for turns in (1, 2, 3) for view in views]
    return tuple(dict.fromkeys(views))
