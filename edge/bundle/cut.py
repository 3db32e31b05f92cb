"""Describe how photos were cut around boxes before a model learned from them."""

from typing import Annotated

from msgspec import Meta

from edge.bundle.strict import Strict

Share = Annotated[float, Meta(ge=0, le=1)]


class Cut(Strict, frozen=True, kw_only=True):
    """How the photos were cut; edge.locating.places.Cutting is its one implementation.

    - padding: on each side of a box, as a share of its longer side.
    - slack: a part may be so many times wider or higher than the model's input.
    - least_px: a part is at least so wide and high.
    - min_size: no box had a shorter longer side, as a share of its picture's width.
    """

    padding: Share
    slack: Annotated[float, Meta(ge=1, le=16)]
    least_px: Annotated[int, Meta(ge=1, le=4096)]
    min_size: Share
