"""Keep the newest picture and what is known of it in one file: what belongs together is never of two frames."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.decoding import DecodingError, decode_msgpack
from edge.errors import DataError, MissingInputError
from edge.results import Other
from edge.storage import read_bounded, replace_file

# A picture of 960 pixels has 0.1 to 0.5 MB, whatever it shows.
MOST_BYTES = 4 << 20
# The worker shows one every second, or a focus ten times as often.
STALE_S = 4.0

Side = Annotated[int, Meta(ge=1, le=1 << 16)]
Number = Annotated[float, Meta(ge=-1e11, le=1e11)]
Share = Annotated[float, Meta(ge=0, le=1)]
Part = tuple[Share, Share, Share, Share]


class Live(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture, and what is known of it. Boxes: left, top, width, height as shares of the frame.

    number: of the picture; it rises from one to the next, through all workers since the boot.
    made_mono_s: when the worker found it to be the newest, monotonic.
    captured_wall_s: when the frame was captured.
    frame_width, frame_height: of the frame. width, height: of the picture.
    part: what of the frame it shows.
    region: what of the frame counts, camera.region; None for all.
    label, score, box, others, latency_ms, engine: of the decision on this frame; None if there is none yet.
    sharpness: of this part, from 0; to compare with itself (edge.worker.showing.sharpness).
    jpeg: the picture.
    """

    number: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
    made_mono_s: Number
    captured_wall_s: Number
    frame_width: Side
    frame_height: Side
    width: Side
    height: Side
    part: Part = (0.0, 0.0, 1.0, 1.0)
    region: Part | None = None
    label: str | None = None
    score: Share | None = None
    box: Part | None = None
    others: tuple[Other, ...] = ()
    latency_ms: Number | None = None
    engine: str | None = None
    sharpness: Number | None = None
    jpeg: bytes


def show(path: Path, live: Live) -> None:
    """Replace the picture. Raises OSError."""
    # Pictures are for the service's own user and group; no sync, as it lies in memory.
    replace_file(path, msgspec.msgpack.encode(live), 0o640, synced=False)


def read(path: Path) -> Live:
    """Return the picture. Raises MissingInputError if there is none, DataError if it is no such file."""
    try:
        return decode_msgpack(read_bounded(path, MOST_BYTES, follow=False), Live)
    except OSError as error:
        raise MissingInputError(f"{path}: cannot read: {error.strerror or error}") from error
    except DecodingError as error:
        raise DataError(f"{path}: {error}: written by another version?") from error
