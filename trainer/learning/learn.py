"""Learn: frozen features -> head -> fine-tuning, or all from scratch."""

from dataclasses import dataclass, replace
from typing import Any

from trainer.learning.augment import augmentation_for
from trainer.learning.average import between, trained_share
from trainer.learning.checkpoint import Checkpoints
from trainer.learning.choice import in_words
from trainer.learning.epochs import History
from trainer.learning.fit import Recipe, fit
from trainer.learning.frozen import Layer, Setting, class_weights, frozen_phase, unused_in_words
from trainer.learning.joining import OF_SECOND, joined, joins, succeeded
from trainer.learning.left_out import LeftOut
from trainer.learning.predict import Predictor
from trainer.learning.schedule import LEAST_STEPS, Deadline
from trainer.learning.team import Team
from trainer.networks.backbone import add_head, build_backbone, fold_batch_norm, quicken_batch_norm
from trainer.options import Options
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


def learn(run: RunContext, data: Data, team: Team, checkpoints: Checkpoints, *, outside: int = 0) -> Learned:
    """Train the network of run.options from run.weights. outside: photos that the finished model will be judged on
    besides those for validation and test; they take time, too."""
    options, photos = run.options, data.photo_set
    setting = Setting(run, photos, data.classes, team, checkpoints, _deadline(run))
    model = _build(setting)
    if setting.deadline is not None:
        cost_s = Predictor(model, run.spec).seconds_per_photo(photos.pixels, photos.train)
        passes = FINISH_PASSES + 3 * len(photos.val) + 2 * len(data.splits["test"]) + outside
        setting.deadline.reserve_s = FINISH_S + cost_s * passes
    if run.weights is None:
        return _fit(setting, model, None, ())
    frozen = frozen_phase(setting, model)
    head_accuracy = frozen.accuracy
    run.progress.say(f"head on frozen features: validation {head_accuracy:.1%}")
    is_late = setting.deadline is not None and setting.deadline.left_s() <= 0
    if is_late and (unused := unused_in_words(options)):
        run.progress.say(unused)
    if options.epochs == 0 or is_late:
        alone = Learned(model, model, head_accuracy, History((), head_accuracy, kept=0), frozen.left_out)
        return alone if frozen.of_all is None else _with_head_of_all(setting, alone, frozen.of_all)
    _tune_from(model, options.network.family.first_tuned)
    return _fit(setting, model, head_accuracy, frozen.left_out)


def _deadline(run: RunContext) -> Deadline | None:
    """Return the end of the time budget."""
    minutes = run.options.time_budget_min
    return None if minutes is None else Deadline(run.clock.started + 60 * minutes)


def _build(setting: Setting) -> Any:
    """Return the network with a head, in the team's scope."""
    weights, classes = setting.run.weights, len(setting.names)
    with setting.team.strategy.scope():
        backbone = build_backbone(setting.run.options.network, weights)
        if weights is None:
            quicken_batch_norm(backbone)
            return add_head(backbone, classes)
        return add_head(fold_batch_norm(backbone), classes)


def _fit(setting: Setting, model: Any, head_accuracy: float | None, left_out: tuple[LeftOut, ...]) -> Learned:
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


def _with_head_of_all(setting: Setting, alone: Learned, of_all: Layer) -> Learned:
    """Return the same network with the head that learned from the validation photos as well."""
    model = _build(setting)
    model.set_weights(alone.model.get_weights())
    model.get_layer("logits").set_weights(list(of_all))
    added = len(setting.photos.val)
    setting.run.progress.say(f"the head is trained once more, from all {len(setting.photos.train) + added} photos")
    return replace(alone, model=model, history=replace(alone.history, joined=added))


def _with_all(setting: Setting, learned: Learned, recipe: Recipe, start: list[Any]) -> Learned:
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


def _tune_from(model: Any, first: str) -> None:
    """Freeze every layer before the one named `first`."""
    reached = False
    for layer in model.layers:
        reached = reached or layer.name == first
        layer.trainable = reached
