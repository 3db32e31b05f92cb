"""The frozen phase's second half: a linear head, trained to convergence on cached features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.predict import log_loss
from trainer.progress import Advance

# Inverse regularisation strengths; on TrashNet validation peaks at 0.1-0.3 and falls off to both sides.
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Head:
    """kernel: float64 (channels, classes); bias: (classes,); val_accuracy: 0..1."""

    kernel: NDArray[np.float64]
    bias: NDArray[np.float64]
    val_accuracy: float


def train_head(
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    val: tuple[NDArray[np.float32], NDArray[np.int64]],
    classes: int,
    advance: Advance,
) -> Head:
    """Multinomial logistic regression by L-BFGS, its strength chosen by validation log-loss."""
    from sklearn.linear_model import LogisticRegression

    best: tuple[float, Head] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=500).fit(*train)
        kernel, bias = model.coef_.T, model.intercept_
        if classes == 2:  # scikit-learn keeps one column for two classes
            kernel, bias = np.hstack([-kernel / 2, kernel / 2]), np.hstack([-bias / 2, bias / 2])
        logits = val[0] @ kernel + bias
        loss, accuracy = log_loss(logits, val[1]), float((logits.argmax(axis=1) == val[1]).mean())
        advance(1)
        if best is None or loss < best[0]:
            best = (loss, Head(kernel, bias, accuracy))
    assert best is not None
    return best[1]
