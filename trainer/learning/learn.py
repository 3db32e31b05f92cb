"""Learn: frozen features -> head -> fine-tuning, or all from scratch."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.photo_set import PhotoSet
from trainer.dataset.rows import Rows
from trainer.learning.augment import augmentation_for
from trainer.learning.average import between, trained_share
from trainer.learning.checkpoint import Checkpoints, pack, unpack
from trainer.learning.choice import in_words
from trainer.learning.epochs import History
from trainer.learning.fit import Recipe, fit
from trainer.learning.head import STRENGTHS, Examples, train_head
from trainer.learning.head_alone import unused_in_words
from trainer.learning.joining import OF_SECOND, joined, joins, succeeded
from trainer.learning.left_out import LeftOut, leave_one_class_out
from trainer.learning.predict import Predictor, View
from trainer.learning.schedule import LEAST_STEPS, Deadline
from trainer.learning.team import Team
from trainer.networks.backbone import add_head, build_backbone, fold_batch_norm, quicken_batch_norm
from trainer.options import ClassWeights, Options
from trainer.prepare import Data
from trainer.run_context import RunContext

FINE_TUNING_EPOCHS = 10
SCRATCH_EPOCHS = 40
FINE_TUNING_PEAK = 6e-4
SCRATCH_PEAK = 4e-3
# What quantizing, measuring and writing take after learning: seconds, and passes of the float network, besides those
# over the photos that are judged (float, int8, and perhaps int8 once more). Measured with MobileNetV2 0.35 at 96 and
# 224 pixels on TrashNet (2 x86-64 cores, 2026-11), rounded up.
FINISH_S = 14.0
FINISH_PASSES = 100
# Photos whose features are computed before they go to disk: 5 MB of 1,280 channels.
_BLOCK = 1024
# Of the time for learning, the frozen phase may take this share; else mirror images and turned ones are left out.
_FROZEN_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Learned:
    """The trained network.

    model: the Keras model, at the state that is kept.
    judged: that of which the validation photos may be asked: the same, or if they have joined those that it learned
        from, the one from before that.
    val_accuracy: of `judged`, on the validation photos.
    history: how it got there.
    left_out: how classes fared that a head never saw; empty from scratch.
    """

    model: Any
    judged: Any
    val_accuracy: float
    history: History
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Setting:
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


def learn(run: RunContext, data: Data, team: Team, checkpoints: Checkpoints, *, outside: int = 0) -> Learned:
    """Train the network of run.options from run.weights. outside: photos that the finished model will be judged on
    besides those for validation and test; they take time, too."""
    options, photos = run.options, data.photo_set
    setting = _Setting(run, photos, data.classes, team, checkpoints, _deadline(run))
    model = _build(setting)
    if setting.deadline is not None:
        cost_s = Predictor(model, run.spec).seconds_per_photo(photos.pixels, photos.train)
        passes = FINISH_PASSES + 3 * len(photos.val) + 2 * len(data.splits["test"]) + outside
        setting.deadline.reserve_s = FINISH_S + cost_s * passes
    if run.weights is None:
        return _fit(setting, model, None, ())
    head_accuracy, left_out = _frozen_phase(setting, model)
    run.progress.say(f"head on frozen features: validation {head_accuracy:.1%}")
    is_late = setting.deadline is not None and setting.deadline.left_s() <= 0
    if is_late and (unused := unused_in_words(options)):
        run.progress.say(unused)
    if options.epochs == 0 or is_late:
        return Learned(model, model, head_accuracy, History((), head_accuracy, kept=0), left_out)
    _tune_from(model, options.network.family.first_tuned)
    return _fit(setting, model, head_accuracy, left_out)


def _deadline(run: RunContext) -> Deadline | None:
    """Return the end of the time budget."""
    minutes = run.options.time_budget_min
    return None if minutes is None else Deadline(run.clock.started + 60 * minutes)


def _build(setting: _Setting) -> Any:
    """Return the network with a head, in the team's scope."""
    weights, classes = setting.run.weights, len(setting.names)
    with setting.team.strategy.scope():
        backbone = build_backbone(setting.run.options.network, weights)
        if weights is None:
            quicken_batch_norm(backbone)
            return add_head(backbone, classes)
        return add_head(fold_batch_norm(backbone), classes)


def class_weights(labels: NDArray[np.int64], classes: int, how: ClassWeights) -> NDArray[np.float32]:
    """Return what a photo of each class counts, (classes,), with mean 1 over the photos `labels`.

    "none": all alike; "balanced": each class as a whole alike; "sqrt": half-way between."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[how]
    weights = counts**-power
    scaled: NDArray[np.float32] = (weights / weights[labels].mean()).astype(np.float32)
    return scaled


def _fit(setting: _Setting, model: Any, head_accuracy: float | None, left_out: tuple[LeftOut, ...]) -> Learned:
    options, photos = setting.run.options, setting.photos
    fresh = head_accuracy is None
    epochs = (SCRATCH_EPOCHS if fresh else FINE_TUNING_EPOCHS) if options.epochs is None else options.epochs
    recipe = Recipe(
        epochs=epochs,
        peak=SCRATCH_PEAK if fresh else FINE_TUNING_PEAK,
        augmentation=augmentation_for(options),
        seed=options.seed,
        class_weights=class_weights(photos.labels[photos.train], len(setting.names), options.class_weights),
        patience=options.patience,
        mixed=computes_mixed(options),
        # --epochs are passes, as many as given.
        least_steps=1 if fresh or options.epochs is not None else LEAST_STEPS,
        share=1.0 if fresh else trained_share(len(photos.train)),
    )
    start = model.get_weights()
    best = fit(
        model,
        setting.run.spec,
        photos,
        recipe,
        setting.run.progress,
        keep_start=not fresh,
        team=setting.team,
        checkpoints=setting.checkpoints,
        deadline=setting.deadline,
    )
    setting.run.clock.lap("training" if fresh else "fine-tuning")
    if best.choice is not None:
        setting.run.progress.say(in_words(best.choice))
    history = History(best.epochs, head_accuracy, kept=best.epoch, choice=best.choice)
    learned = Learned(model, model, best.val_accuracy, history, left_out)
    # Whoever gave epochs or a time for them gets these and no more.
    if fresh or options.epochs is not None or setting.deadline is not None or not joins(photos, best):
        return learned
    return _with_all(setting, learned, recipe, start)


def _with_all(setting: _Setting, learned: Learned, recipe: Recipe, start: list[Any]) -> Learned:
    """Train once more from the weights `start`, the same way, with the validation photos among those to learn from, and
    keep the mean of both networks."""
    run, photos, history = setting.run, joined(setting.photos), learned.history
    run.progress.say(f"once more, from all {len(photos.train)} photos")
    model = _build(setting)
    model.set_weights(start)
    _tune_from(model, run.options.network.family.first_tuned)
    labels = photos.labels[photos.train]
    recipe = replace(
        recipe,
        share=trained_share(len(photos.train)),
        patience=len(history.epochs),
        class_weights=class_weights(labels, len(setting.names), run.options.class_weights),
    )
    again = fit(
        model,
        run.spec,
        photos,
        recipe,
        run.progress,
        keep_start=False,
        team=setting.team,
        checkpoints=setting.checkpoints,
        stage="joining",
    )
    run.clock.lap("joining")
    if not succeeded(again):
        run.progress.say("that broke down: the network from before it is kept")
        return learned
    model.set_weights(between(learned.model.get_weights(), model.get_weights(), OF_SECOND))
    return replace(learned, model=model, history=replace(history, joined=len(setting.photos.val)))


def computes_mixed(options: Options) -> bool:
    """Return whether training computes in float16 wherever that is safe."""
    import tensorflow as tf

    if options.precision == "auto":
        return bool(tf.config.list_physical_devices("GPU"))
    return options.precision == "mixed"


def _frozen_phase(setting: _Setting, model: Any) -> tuple[float, tuple[LeftOut, ...]]:
    """Train the head on features of the untouched backbone and put it into `model`. Return its validation accuracy,
    and how classes fared that it never saw."""
    team, logits = setting.team, model.get_layer("logits")
    saved = setting.checkpoints.load("head")
    # The chief alone has checkpoints: without its word the others would wait in a sum that it skips.
    if not team.share_bytes(b"y" if saved else b""):
        saved = _train_head(setting, model)
        if saved is not None:
            setting.checkpoints.save("head", saved)
    found = unpack(team.share_bytes(pack(saved)))
    logits.set_weights([found["kernel"].astype(np.float32), found["bias"].astype(np.float32)])
    names = setting.names
    left_out = tuple(LeftOut.of(names[int(row[0])], int(row[1]), float(row[2])) for row in found["left_out"])
    return float(found["accuracy"]), left_out


def _train_head(setting: _Setting, model: Any) -> dict[str, NDArray[Any]] | None:
    """Return the head's arrays on the chief, None on other members, which only help with the features."""
    import keras

    run, photos, classes = setting.run, setting.photos, len(setting.names)
    with setting.team.strategy.scope():
        backbone = keras.Model(model.input, model.get_layer("logits").input)
    predictor = Predictor(backbone, setting.run.spec)
    with _features(setting, predictor) as (features, labels, val_features):
        run.clock.lap("features")
        if not setting.team.is_chief:
            return None
        weights = class_weights(labels, classes, run.options.class_weights).astype(np.float64)
        counts = np.resize(photos.weights_of(photos.train), len(labels))  # the mirror images count as the photos do
        examples = Examples(features, labels, weights[labels] * counts)
        val = (val_features, photos.labels[photos.val])
        deadline = setting.deadline
        with run.progress.stage("head", len(STRENGTHS)) as advance:
            late = (lambda: False) if deadline is None else (lambda: deadline.left_s() < 0)
            head = train_head(examples, val, classes, advance, late)
        run.clock.lap("head")
        # Not under a time budget: up to twelve more heads make no photo better recognised.
        precision = run.options.min_precision
        left_out = leave_one_class_out(examples, val, head, precision, setting.names) if deadline is None else ()
        run.clock.lap("leaving classes out")
    rows = [(label, row.photos, row.unknown) for label, row in enumerate(left_out)]
    return {
        "kernel": head.kernel,
        "bias": head.bias,
        "accuracy": np.array(head.val_accuracy),
        "left_out": np.array(rows, np.float64).reshape(-1, 3),
    }


class _features:  # noqa: N801 - a context manager, used like a function
    """Features of the training photos and, if there is time, of their other views, on disk; their labels; and
    features of the validation photos."""

    def __init__(self, setting: _Setting, predictor: Predictor) -> None:
        self._setting, self._predictor = setting, predictor
        self._rows: Rows | None = None

    def __enter__(self) -> tuple[Rows, NDArray[np.int64], NDArray[np.float32]]:
        setting, photos = self._setting, self._setting.photos
        views = self._views()
        train = photos.train
        channels = self._predictor.channels
        what = "the features"
        self._rows = Rows.create(setting.run.folder, len(train) * len(views), (channels,), np.float32, what)
        total = len(train) * len(views) + len(photos.val)
        with setting.run.progress.stage("features", total) as advance:
            for number, view in enumerate(views):
                for start in range(0, len(train), _BLOCK):
                    block = self._compute(train[start : start + _BLOCK], view)
                    self._rows.write_block(number * len(train) + start, block)
                    advance(len(block))
            parts = [photos.val[start : start + _BLOCK] for start in range(0, len(photos.val), _BLOCK)]
            val = np.concatenate([self._compute(part, View()) for part in parts])
            advance(len(val))
        return self._rows, np.tile(photos.labels[train], len(views)), val

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


def _tune_from(model: Any, first: str) -> None:
    """Freeze every layer before the one named `first`."""
    reached = False
    for layer in model.layers:
        reached = reached or layer.name == first
        layer.trainable = reached
