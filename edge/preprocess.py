"""Convert frames to input tensors with OpenCV. This is the only resize in the project.

Training, calibration, evaluation and the device all use it, so that the network sees in the field what it learned
from.

There are two steps. `fit` cuts and reduces, from uint8 to uint8, with the same bits on every platform. `write` prepares
the picture if the bundle has steps for that (edge.preparation), orders the channels and replaces each pixel by its
entry in a table of 256 values, which combines normalisation and quantization, directly in the output memory. What `fit`
returns is left as it was: gates and guards look at it, and must not see noise that an equalization made louder. If
`fit` gets `out`, neither allocates memory while frames keep their size.

A region of interest is cut out of the frame before anything else, without a copy.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import ImageError
from edge.preparation.steps import Preparation
from edge.records import Pixels

Tensor = NDArray[np.int8] | NDArray[np.uint8]
Region = tuple[float, float, float, float]
Place = tuple[slice, slice]

_ALL: Place = (slice(None), slice(None))

# Halving the largest photo, 100 megapixels, takes 100 MB in 14 steps; a camera's frame a few. Each piece has a cost
# beside its pixels, so their number is limited, too.
_MAX_SCRATCH = 16
_MAX_SCRATCH_BYTES = 128 * 1024 * 1024


class Preprocessor:
    """The conversion of frames of any size to one model's input, in two steps: `fit` (the resize, nearly all of the
    cost) and `write` (channel order and quantization, into the tensor).

    region: left, top, width and height of the part to use, as shares of the frame from 0 to 1; None for all of it.
    Holds no frame, but scratch memory: for one thread at a time.
    """

    def __init__(self, spec: Preprocessing, tensor: InputTensor, *, region: Region | None = None) -> None:
        self.spec = spec
        self.region = region
        self.width, self.height = tensor.width, tensor.height
        self.dtype = np.dtype(tensor.dtype)
        self._table = quantization_table(spec, tensor)
        self._plan = _table_plan(self._table)
        self._ordered = np.empty((self.height, self.width, 3), np.uint8)
        self._scratch = Scratch()
        self._preparation = Preparation(spec.preparation, "bgr", self.height, self.width) if spec.preparation else None
        self._prepared = np.empty((self.height, self.width, 3) if spec.preparation else 0, np.uint8)

    def fit(self, frame_bgr: Pixels, out: Pixels | None = None) -> Pixels:
        """Cut and resize a frame to uint8 (H, W, 3), B, G, R.

        frame_bgr: uint8 (height, width, 3), B, G, R.
        out: the memory for the result, contiguous uint8 (H, W, 3); None for new memory.
        Raises ImageError on any other shape or dtype.
        """
        if frame_bgr.dtype != np.uint8 or frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3 or not frame_bgr.size:
            raise ImageError(
                f"a frame must be uint8 (height, width, 3); this one is {frame_bgr.dtype} {frame_bgr.shape}"
            )
        fitted = np.empty((self.height, self.width, 3), np.uint8) if out is None else out
        if fitted.shape != (self.height, self.width, 3) or fitted.dtype != np.uint8 or not fitted.flags.c_contiguous:
            raise ImageError(f"out must be contiguous uint8 {(self.height, self.width, 3)}, not {fitted.shape}")
        self.fit_cut(self.part(frame_bgr), fitted)
        return fitted

    def fit_cut(self, cut_bgr: Pixels, out: Pixels) -> Place:
        """Resize a part that somebody else cut out of a frame; none of it is cut away. Return the rows and columns of
        `out` that show it: all but a letterbox's bars.

        cut_bgr: uint8 (height, width, 3), B, G, R, which may be a view. out: as in `fit`.
        """
        place = self._inside(cut_bgr)
        if self.spec.resize == "letterbox":
            out.fill(self.spec.pad)
        reduce_to(cut_bgr, out[place], self._scratch)
        return place

    def place_of(self, frame_bgr: Pixels) -> Place:
        """Return the rows and columns that show the frame in what `fit` makes of it: all but a letterbox's bars."""
        return self._inside(self.seen(frame_bgr))

    def seen(self, frame_bgr: Pixels) -> Pixels:
        """Return the region of a frame, or all of it if there is no region; a view."""
        return frame_bgr if self.region is None else cut_region(frame_bgr, self.region)

    def part(self, frame_bgr: Pixels) -> Pixels:
        """Return the part of a frame that the model sees: its region, and of that the middle if the bundle crops; a
        view."""
        seen_bgr = self.seen(frame_bgr)
        return self._cut_out(seen_bgr) if self.spec.resize == "crop" else seen_bgr

    @property
    def least_size(self) -> tuple[int, int]:
        """Return the smallest (width, height) of the region, or of the frame without one, that `fit` does not enlarge:
        a camera that resizes by itself need not deliver more."""
        fraction = self.spec.crop_fraction if self.spec.resize == "crop" else 1.0
        return math.ceil(round(self.width / fraction, 6)), math.ceil(round(self.height / fraction, 6))

    def write(self, fitted_bgr: Pixels, place: Place, out: Tensor) -> None:
        """Prepare and quantize what was fitted into `out`; keeps and changes neither.

        fitted_bgr: uint8 (H, W, 3), B, G, R.
        place: the rows and columns to prepare, from `fit_cut` or `place_of`; a letterbox's bars are left as they are.
        out: (1, H, W, 3) or (H, W, 3), of the model's dtype.
        """
        target = out.reshape(self.height, self.width, 3).view(np.uint8)
        if self._preparation is not None:
            np.copyto(self._prepared, fitted_bgr)
            self._preparation.apply(self._prepared[place])
            fitted_bgr = self._prepared
        if self._plan == "lookup":
            self._order(fitted_bgr, self._ordered)
            cv2.LUT(self._ordered, self._table.view(np.uint8), dst=target)
            return
        self._order(fitted_bgr, target)
        if self._plan == "flip":
            np.bitwise_xor(target, 0x80, out=target)

    def new_tensor(self) -> Tensor:
        """Return memory for `write`: (1, H, W, 3) of the model's dtype, contents undefined."""
        return np.empty((1, self.height, self.width, 3), self.dtype)

    def tensor(self, frame_bgr: Pixels) -> Tensor:
        """Run `fit` and `write`; return the tensor, (1, H, W, 3) of the model's dtype, new memory."""
        tensor = self.new_tensor()
        self.write(self.fit(frame_bgr), self.place_of(frame_bgr), tensor)
        return tensor

    def pixels(self, frame_bgr: Pixels) -> Pixels:
        """Run `fit` and prepare; return uint8 (H, W, 3) in the model's channel order, new memory. The network sees
        these."""
        fitted = self.fit(frame_bgr)
        if self._preparation is not None:
            self._preparation.apply(fitted[self.place_of(frame_bgr)])
        if self.spec.channel_order == "rgb":
            cv2.cvtColor(fitted, cv2.COLOR_BGR2RGB, dst=fitted)
        return fitted

    def quantize(self, pixels: Pixels) -> Tensor:
        """Apply the table alone: from uint8 (..., 3) in the model's channel order to the tensor's dtype, same shape,
        new memory."""
        flat = pixels.reshape(-1, 1, 3)
        return cv2.LUT(flat, self._table.view(np.uint8)).view(self.dtype).reshape(pixels.shape)

    def _order(self, fitted_bgr: Pixels, out: Pixels) -> None:
        if self.spec.channel_order == "rgb":
            cv2.cvtColor(fitted_bgr, cv2.COLOR_BGR2RGB, dst=out)
        else:
            np.copyto(out, fitted_bgr)

    def _cut_out(self, frame_bgr: Pixels) -> Pixels:
        height, width = frame_bgr.shape[:2]
        scale = min(width / self.width, height / self.height) * self.spec.crop_fraction
        cut_width = max(1, min(width, round(self.width * scale)))
        cut_height = max(1, min(height, round(self.height * scale)))
        left, top = (width - cut_width) // 2, (height - cut_height) // 2
        return frame_bgr[top : top + cut_height, left : left + cut_width]

    def _inside(self, cut_bgr: Pixels) -> Place:
        if self.spec.resize != "letterbox":
            return _ALL
        height, width = cut_bgr.shape[:2]
        return letterbox_place(width, height, self.width, self.height)


def letterbox_place(width: int, height: int, into_width: int, into_height: int) -> Place:
    """Return the rows and columns of a letterbox of into_width x into_height that show a picture of width x height."""
    scale = min(into_width / width, into_height / height)
    inner_width = max(1, min(into_width, round(width * scale)))
    inner_height = max(1, min(into_height, round(height * scale)))
    left, top = (into_width - inner_width) // 2, (into_height - inner_height) // 2
    return slice(top, top + inner_height), slice(left, left + inner_width)


def cut_region(frame_bgr: Pixels, region: Region) -> Pixels:
    """Return the part of a frame that `region` names, at least one pixel; a view.

    Each edge lies at the pixel boundary nearest to its share; halves are rounded to the even one.
    """
    height, width = frame_bgr.shape[:2]
    left, top, wide, high = region
    from_x, from_y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    to_x = max(from_x + 1, min(width, round((left + wide) * width)))
    to_y = max(from_y + 1, min(height, round((top + high) * height)))
    return frame_bgr[from_y:to_y, from_x:to_x]


class Scratch:
    """Memory for the steps of `reduce_to`, at most 128 MiB, reused while frames keep their size. Not thread-safe."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], Pixels] = {}
        self._bytes = 0

    def pixels(self, height: int, width: int) -> Pixels:
        """Return uint8 (height, width, 3), contents undefined; the same memory at each call with this size, unless
        that is too large to keep."""
        kept = self._kept.get((height, width))
        return self._new(height, width) if kept is None else kept

    def _new(self, height: int, width: int) -> Pixels:
        made = np.empty((height, width, 3), np.uint8)
        if len(self._kept) >= _MAX_SCRATCH or self._bytes + made.nbytes > _MAX_SCRATCH_BYTES:  # photos of many sizes
            self._kept.clear()
            self._bytes = 0
        if made.nbytes <= _MAX_SCRATCH_BYTES:
            self._kept[height, width] = made
            self._bytes += made.nbytes
        return made


def reduce_to(source: Pixels, out: Pixels, scratch: Scratch) -> None:
    """Resize `source` into `out`, both uint8 (height, width, 3), with the same bits on every platform.

    While both sides are at least twice the target, average 2x2 pixels. While only one side is at least three times
    the target (a strip), average two pixels along it. Then resize bilinearly. `source` is not changed.
    """
    # Not INTER_AREA: this is nearly as free of aliasing at a quarter of the cost, 0.22 instead of 0.90 ms from
    # 640x480 to 224x224 (one x86-64 core, each alone in a loop, 2026-11; twice that on a slower core). A side of less
    # than three times the target is left to the bilinear step, which aliases little there: a further pass costs more
    # than it gains. Means of 2x2 or two pixels and INTER_LINEAR_EXACT are integer arithmetic; plain INTER_LINEAR
    # rounds differently between instruction sets.
    height, width = out.shape[:2]
    while True:
        tall, wide = source.shape[0] >= 2 * height, source.shape[1] >= 2 * width
        if not (tall and wide):
            tall, wide = source.shape[0] >= 3 * height, source.shape[1] >= 3 * width
        if not (tall or wide):
            break
        new_height, new_width = source.shape[0] // (1 + tall), source.shape[1] // (1 + wide)
        even = source[: new_height * (1 + tall), : new_width * (1 + wide)]
        half = scratch.pixels(new_height, new_width)
        # For 2x2, INTER_AREA is faster than INTER_LINEAR_EXACT, and integer arithmetic too.
        method = cv2.INTER_AREA if tall and wide else cv2.INTER_LINEAR_EXACT
        cv2.resize(even, (new_width, new_height), dst=half, interpolation=method)
        source = half
    cv2.resize(source, (width, height), dst=out, interpolation=cv2.INTER_LINEAR_EXACT)


def quantization_table(spec: Preprocessing, tensor: InputTensor) -> Tensor:
    """Return the quantized value of every pixel value and channel: (1, 256, 3) of the tensor's dtype.

    q = floor((pixel - mean) / std / scale + zero_point + 0.5), clipped to the dtype's range.
    """
    # The inner value is rounded to 4 places first, so that the float32 scale's error does not shift exact halves. With
    # MobileNet's range of -1..1 this makes q equal to pixel - 128, without loss of information.
    info = np.iinfo(tensor.dtype)
    pixel = np.arange(256, dtype=np.float64)[:, None]
    mean, std = np.array(spec.mean), np.array(spec.std)
    inner = (pixel - mean) / std / tensor.quantization.scale + tensor.quantization.zero_point
    quantized = np.floor(np.round(inner, 4) + 0.5)
    table: Tensor = np.clip(quantized, info.min, info.max).astype(tensor.dtype)[None]
    return table


def _table_plan(table: Tensor) -> str:
    """Return the cheapest way to apply the table: "identity", "flip" (of the sign bit) or "lookup" (of each pixel)."""
    bits = table.view(np.uint8)
    pixel = np.arange(256, dtype=np.uint8)[None, :, None]
    if np.array_equal(bits, np.broadcast_to(pixel, bits.shape)):
        return "identity"
    if np.array_equal(bits, np.broadcast_to(pixel ^ 0x80, bits.shape)):
        return "flip"
    return "lookup"
