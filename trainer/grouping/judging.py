"""Compare groups with the classes that people gave the photos."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray


class Judgement(msgspec.Struct, frozen=True):
    """How well groups and classes agree. Photos that no group was sure of count as one group.

    nmi: normalized mutual information, 0 to 1
    ari: adjusted Rand index, at most 1; 0 is chance
    purity: share of photos that belong to the commonest class of their group
    """

    nmi: float
    ari: float
    purity: float


def judge(groups: NDArray[np.int64], classes: Sequence[str]) -> Judgement:
    """Compare `groups`, int64 (photos,), with the class of each photo."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    labels = np.unique(np.asarray(classes), return_inverse=True)[1]
    _, numbers = np.unique(groups, return_inverse=True)
    table = np.zeros((int(numbers.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (numbers, labels), 1)
    return Judgement(
        float(normalized_mutual_info_score(labels, numbers)),
        float(adjusted_rand_score(labels, numbers)),
        float(table.max(axis=1).sum() / len(labels)),
    )
