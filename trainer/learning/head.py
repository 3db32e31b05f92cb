"""Train a linear head to convergence on cached features: the second half of the frozen phase.

Multinomial logistic regression by SciPy's L-BFGS. The features are read in blocks, so that a hundred thousand
photos need no more memory than a thousand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.rows import RowSource
from trainer.learning.predict import log_loss
from trainer.progress import Advance

# Inverse regularisation strengths C, in the sense of C * sum(loss) + |kernel|^2 / 2; on TrashNet validation
# peaks at 0.1-0.3 and falls off to both sides. Each starts from the one before.
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
# However late it is: fewer are hardly a head.
LEAST_ITERATIONS = 20
MAX_ITERATIONS = 200
TOLERANCE = 1e-4  # of the mean loss' slope
CHOOSING_ROWS = 20_000
BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Head:
    """A trained head.

    kernel: float64 (channels, classes).
    bias: (classes,).
    val_accuracy: 0..1.
    strength: the C chosen.
    """

    kernel: NDArray[np.float64]
    bias: NDArray[np.float64]
    val_accuracy: float
    strength: float


@dataclass(frozen=True, slots=True)
class Examples:
    """What a head is trained on.

    features: float32 (rows, channels), in memory or on disk.
    labels: int64 (rows,).
    weights: float64 (rows,), what each row counts.
    """

    features: RowSource
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    def blocks(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]]:
        """Yield all rows, a few thousand at a time."""
        for start in range(0, len(self.labels), BLOCK):
            part = slice(start, start + BLOCK)
            yield self.features[part], self.labels[part], self.weights[part]


def train_head(
    train: Examples,
    val: tuple[NDArray[np.float32], NDArray[np.int64]],
    classes: int,
    advance: Advance,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Head:
    """Return the head whose strength gives the lowest log-loss on `val` (features, labels).

    Strengths grow until the loss rises twice. Of more than 20,000 rows an even sample chooses; the winner then
    goes on with all of them. advance is called once for each of STRENGTHS. out_of_time: called before each
    strength but the first, before all rows, and in a fit, which then ends with what it has."""
    few = sample(train, CHOOSING_ROWS)
    # The same weight against the loss of a single row, whatever their number.
    share = len(train.labels) / len(few.labels)
    best: tuple[float, Head] | None = None
    flat: NDArray[np.float64] | None = None
    worse = 0
    for strength in STRENGTHS:
        if worse < 2 and (best is None or not out_of_time()):
            flat = fit_linear(few, classes, strength * share, flat, out_of_time)
            loss, head = _judge(flat, classes, strength, val)
            worse += best is not None and loss >= best[0]
            if best is None or loss < best[0]:
                best = (loss, head)
        advance(1)
    assert best is not None
    if few is train or out_of_time():
        return best[1]
    chosen = np.vstack([best[1].kernel, best[1].bias[None]]).reshape(-1)
    flat = fit_linear(train, classes, best[1].strength, chosen, out_of_time)
    return _judge(flat, classes, best[1].strength, val)[1]


def sample(train: Examples, limit: int) -> Examples:
    """Return `train` itself, or an even choice of `limit` of its rows, in memory."""
    count = len(train.labels)
    if count <= limit:
        return train
    rows = np.linspace(0, count - 1, limit).astype(np.int64)
    return Examples(train.features[rows], train.labels[rows], train.weights[rows])


def _judge(
    flat: NDArray[np.float64], classes: int, strength: float, val: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> tuple[float, Head]:
    kernel, bias = _unpack(flat, classes)
    logits = val[0] @ kernel.astype(np.float32) + bias
    accuracy = float((logits.argmax(axis=1) == val[1]).mean())
    return log_loss(logits, val[1]), Head(kernel, bias, accuracy, strength)


def fit_linear(
    train: Examples,
    classes: int,
    strength: float,
    start: NDArray[np.float64] | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> NDArray[np.float64]:
    """Return the flat parameters, (channels + 1) * classes, that minimise the regularised loss, or the best so far
    when out_of_time returns True. The bias, last, is not regularised."""
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    total = float(train.weights.sum())
    # Features of a ReLU6 network are all positive, so most of what L-BFGS would learn first is their mean: taking it
    # off (the bias makes up for it) saves two thirds of the steps, 370 instead of 1,050 on made-up photos.
    mean = _mean(train)

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        kernel, bias = _unpack(flat, classes)
        kernel32 = kernel.astype(np.float32)
        loss = 0.5 * float((kernel * kernel).sum()) / strength
        slope = np.vstack([kernel / strength, np.zeros((1, classes))])
        for features, labels, weights in train.blocks():
            centred = features - mean
            block_loss, residual = _softmax_residual(centred @ kernel32 + bias, labels, weights)
            loss += block_loss
            slope[:-1] += centred.T @ residual.astype(np.float32)
            slope[-1] += residual.sum(axis=0)
        return loss / total, slope.reshape(-1) / total

    steps = 0

    def go_on(_: NDArray[np.float64]) -> None:
        nonlocal steps
        steps += 1
        if steps >= LEAST_ITERATIONS and out_of_time():
            # SciPy takes this for the end, and returns what it has.
            raise StopIteration

    table = np.zeros((len(mean) + 1, classes)) if start is None else start.reshape(-1, classes).copy()
    table[-1] += mean @ table[:-1]
    # One thread: beside other busy processes, BLAS threads wait for each other, 14 times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        options = {"maxiter": MAX_ITERATIONS, "gtol": TOLERANCE}
        found = minimize(objective, table.reshape(-1), jac=True, method="L-BFGS-B", options=options, callback=go_on)
    table = np.asarray(found.x).reshape(-1, classes)
    table[-1] -= mean @ table[:-1]
    return table.reshape(-1)


def _mean(train: Examples) -> NDArray[np.float32]:
    total = np.zeros(train.features.shape[1])
    for features, _, _ in train.blocks():
        total += features.sum(axis=0, dtype=np.float64)
    mean: NDArray[np.float32] = (total / len(train.labels)).astype(np.float32)
    return mean


def _softmax_residual(
    logits: NDArray[Any], labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the weighted cross-entropy of all rows together, and its gradient by the logits, (rows, classes)."""
    shifted = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    exponent = np.exp(shifted)
    norm = exponent.sum(axis=1)
    rows = np.arange(len(labels))
    loss = float((weights * (np.log(norm) - shifted[rows, labels])).sum())
    residual = exponent / norm[:, None]
    residual[rows, labels] -= 1
    return loss, residual * weights[:, None]


def _unpack(flat: NDArray[np.float64], classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table = flat.reshape(-1, classes)
    return table[:-1], table[-1]
