"""Find the minimum of a smooth convex function: L-BFGS, so that a device needs no SciPy."""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Function = Callable[[Values], tuple[float, Values]]
_KEPT = 10  # steps from which the curvature is estimated
_SUFFICIENT = 1e-4  # Armijo's share of the decrease that the slope promises
_HALVINGS = 30


def minimize(function: Function, start: Values, *, most: int = 200, tolerance: float = 1e-5) -> Values:
    """Return where `function` is lowest: the same on every machine but for the last digits.

    function: returns its value and its slope, of the shape of its argument (n,).
    most: how many steps at most. tolerance: of the largest slope, beside the largest one at the start.
    """
    place = start.astype(np.float64)
    value, slope = function(place)
    enough = tolerance * max(float(np.abs(slope).max(initial=0.0)), 1e-12)
    steps: deque[tuple[Values, Values]] = deque(maxlen=_KEPT)
    for _ in range(most):
        if float(np.abs(slope).max(initial=0.0)) <= enough:
            break
        way = -_scaled(slope, steps)
        found = _search(function, place, value, way, float(way @ slope))
        if found is None:
            break
        length, value, new_slope = found
        step, change = length * way, new_slope - slope
        place, slope = place + step, new_slope
        if float(step @ change) > 0:
            steps.append((step, change))
    return place


def _scaled(slope: Values, steps: deque[tuple[Values, Values]]) -> Values:
    """Return the slope times the estimated inverse of the curvature (Nocedal's two loops)."""
    way = slope.copy()
    shares = []
    for step, change in reversed(steps):
        share = float(step @ way) / float(step @ change)
        shares.append(share)
        way -= share * change
    if steps:
        step, change = steps[-1]
        way *= float(step @ change) / float(change @ change)
    else:
        way /= max(float(np.linalg.norm(slope)), 1e-12)
    for (step, change), share in zip(steps, reversed(shares), strict=True):
        way += (share - float(change @ way) / float(step @ change)) * step
    return way


def _search(
    function: Function, place: Values, value: float, way: Values, descent: float
) -> tuple[float, float, Values] | None:
    """Return how far to go, and value and slope there; None if nothing is lower, to the last digit."""
    length = 1.0
    for _ in range(_HALVINGS):
        new_value, new_slope = function(place + length * way)
        if new_value <= value + _SUFFICIENT * length * descent:
            return length, new_value, new_slope
        length /= 2
    return None
