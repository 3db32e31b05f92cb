"""The section of where in the picture to look."""

from typing import Annotated, Literal

from msgspec import Meta

from edge.config.running import DeviceName
from edge.config.sections import Section, Share, Text

Method = Literal["off", "motion", "model"]


class Locate(Section, frozen=True, kw_only=True):
    """[locate]: what is cut out of the picture before it is classified.

    - method: off: the whole picture; motion: what moves; model: what a detector finds.
    - boxes: at most so many are classified of one picture, the surest first.
    - min_size: of something's longer side, as a share of the picture's width.
    - padding: around a box, on each side, as a share of its longer side; None: as the bundle's photos were cut, and
      none if they were not.
    - still_s: motion: what stands still for so long becomes background.
    - model: a detector, a .tflite with the usual four outputs. model_device: as engine.device;
      auto: the Edge TPU if the model was compiled for it, else the CPU.
    - model_threshold: a box of a lower score is none.
    """

    method: Method = "off"
    boxes: Annotated[int, Meta(ge=1, le=16)] = 3
    min_size: Annotated[float, Meta(ge=0.01, le=0.5)] = 0.025
    padding: Annotated[float, Meta(ge=0, le=1)] | None = None
    still_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    model: Text | None = None
    model_device: DeviceName = "auto"
    model_threshold: Share = 0.3

    def __post_init__(self) -> None:
        if self.method == "model" and self.model is None:
            raise ValueError('model must be given with method = "model": a .tflite file that finds boxes')
