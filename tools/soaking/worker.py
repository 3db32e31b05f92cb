"""Run the worker with a synthetic camera that shows three colours in turn, each for `FRAMES_A_LABEL` frames.

    python -m tools.soaking.worker FD PARENT

The tests' small model names the colour of the first pixel, so each change of colour is the end of an event. All else
is the worker's own, and the camera's faults are those of its script.
"""

from edge.capture.synthetic import SyntheticSource
from edge.records import Pixels
from edge.worker.main import main

FRAMES_A_LABEL = 5
_COLOURS_BGR = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
_picture = SyntheticSource.picture


def _coloured(self: SyntheticSource, number: int) -> Pixels:
    image = _picture(self, number)
    image[: image.shape[0] // 8, : image.shape[1] // 8] = _COLOURS_BGR[number // FRAMES_A_LABEL % len(_COLOURS_BGR)]
    return image


if __name__ == "__main__":
    SyntheticSource.picture = _coloured  # type: ignore[method-assign]
    main()
