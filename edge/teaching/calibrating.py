"""Find temperature and threshold of a taught layer, from its answers to examples that it was not fitted to."""

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Calibration
from edge.postprocess import softmax
from edge.teaching.fitting import Numbers, Table

# The normal quantile of 0.85: trainer.measuring.threshold chooses by the same bound, and shows why.
_Z = 1.0364333894937898
_FACTORS = np.geomspace(0.5, 2.0, 57)
METHOD = "temperature and thresholds, photos and remembered examples, each judged by a layer that had not seen it"
# Of the photos that are rightly given a new label, this share reaches its threshold.
_SHOWN = 0.9


def recalibrated(
    old: Calibration, after: Table, classes: Numbers, known: int, *, logits: bool
) -> tuple[Calibration, NDArray[np.bool_]]:
    """Return the calibration of the taught layer, and which examples it names rightly, bool (examples,).

    after: (examples, classes), what a softmax turns into scores under the old calibration. known: how many classes are
    not new. logits: whether the model's outputs are logits. Probabilities keep their temperature.
    """
    factor = _factor(after, classes) if logits else 1.0
    scores = softmax((after / factor).astype(np.float32)).astype(np.float64)
    best, answers = scores.max(axis=1), scores.argmax(axis=1)
    right, taught = answers == classes, _taught(old, known, after.shape[1])
    threshold, promise = old.threshold, old.promised_precision
    if promise is not None:
        usual = ~taught[answers]
        found = _threshold(best[usual], right[usual], promise)
        # Without enough examples the old threshold is the best guess, and a guess promises nothing.
        threshold, promise = (threshold, None) if found is None else (found, promise)
    thresholds = np.full(len(taught), threshold)
    for number in np.flatnonzero(taught):
        own = best[right & (classes == number)]
        if own.size:
            thresholds[number] = min(threshold, round(float(np.quantile(own, 1 - _SHOWN)), 6))
    calibration = Calibration(
        temperature=round(old.temperature * factor, 4) if factor != 1.0 else old.temperature,
        bias=None if old.bias is None else _padded(old.bias, after.shape[1], factor),
        threshold=threshold,
        thresholds=None if (thresholds == threshold).all() else tuple(thresholds.tolist()),
        promised_precision=promise,
        method=METHOD,
    )
    return calibration, named_rightly(after / factor, classes, thresholds)


def named_rightly(answers: Table, classes: Numbers, thresholds: Table) -> NDArray[np.bool_]:
    """Return which examples are answered rightly, and reach their threshold, bool (examples,).

    answers: (examples, classes), what a softmax turns into scores. thresholds: (classes,)."""
    scores = softmax(answers.astype(np.float32)).astype(np.float64)
    best = scores.argmax(axis=1)
    named: NDArray[np.bool_] = (best == classes) & (scores.max(axis=1) >= thresholds[best])
    return named


def _taught(old: Calibration, known: int, classes: int) -> NDArray[np.bool_]:
    """Return which classes have thresholds of their own, as nobody is sure of them: those from 20 photos or so."""
    found = np.arange(classes) >= known
    if old.thresholds is not None:
        found[:known] = np.array(old.thresholds) != old.threshold
    return found


def _padded(bias: tuple[float, ...], classes: int, factor: float) -> tuple[float, ...]:
    return tuple(round(value / factor, 4) for value in bias) + (0.0,) * (classes - len(bias))


def _factor(after: Table, classes: Numbers) -> float:
    """Return what to divide by so that the answers are most likely; as if half an answer more were wrong."""
    rows, wrong = np.arange(len(classes)), 0.5 / (len(classes) + 1)

    def loss(factor: float) -> float:
        scaled = after / factor
        logs = scaled - scaled.max(axis=1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        right = logs[rows, classes]
        others = (logs.sum(axis=1) - right) / max(1, after.shape[1] - 1)
        return -float(((1 - wrong) * right + wrong * others).mean())

    return float(min(_FACTORS, key=loss))


def _threshold(best: Table, right: Table, promise: float) -> float | None:
    """Return the least threshold at which the answers bear out `promise` by Wilson's lower bound; None for none."""
    order = np.argsort(-best, kind="stable")
    accepted = np.arange(1, len(best) + 1)
    share = np.cumsum(right[order]) / accepted
    spread = _Z * np.sqrt(share * (1 - share) / accepted + _Z**2 / (4 * accepted**2))
    bound = (share + _Z**2 / (2 * accepted) - spread) / (1 + _Z**2 / accepted)
    passing = np.flatnonzero(bound >= promise)
    if not passing.size:
        return None
    last = int(passing[-1])
    if last + 1 == len(best):
        return 0.0
    return round(float(best[order[last]] + best[order[last + 1]]) / 2, 6)
