"""Frame -> input tensor, with OpenCV: the only resize in the project. Training, calibration, evaluation and
the device all come through here, so what the network learned on is what it sees in the field.

Two steps. `fit` cuts and reduces; uint8 in, uint8 out, bit-exact on every platform (2x2 means and
INTER_LINEAR_EXACT are integer arithmetic; plain INTER_LINEAR rounds differently between instruction sets).
`write` orders the channels and takes each pixel through a table of 256 entries that does normalisation and
quantization at once, straight into the memory it is given: the interpreter's own.

Cost on one x86-64 core for 224x224 from 640x480: 0.22 ms, a quarter of INTER_AREA's 0.90 ms, each
alone in a loop (2026-11); 0.5 ms inside the running device path, where tools/bench_pipeline.py prints it.
Giving `fit` its `out` saves 0.002 ms of that, scratch memory for the 2x2 means 0.005 ms: not worth holding on to.

A region of interest is cut out of the frame before anything else, without copying it.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import ImageError
from edge.records import Pixels

Tensor = NDArray[np.int8] | NDArray[np.uint8]
Region = tuple[float, float, float, float]


class Preprocessor:
    """Fits frames of any size to one model's input, in two steps that may run in different threads: `fit`
    (the resize, nearly all of the cost) and `write` (channel order and quantization, into the tensor).

    region: left, top, width and height of what counts, as shares of the frame from 0 to 1; None for all of it.
    Holds no frame; scratch memory belongs to `write`, which one thread at a time may call.
    """

    def __init__(self, spec: Preprocessing, tensor: InputTensor, *, region: Region | None = None) -> None:
        self.spec = spec
        self.region = region
        self.width, self.height = tensor.width, tensor.height
        self.dtype = np.dtype(tensor.dtype)
        self._table = quantization_table(spec, tensor)
        self._plan = _table_plan(self._table)
        self._ordered = np.empty((self.height, self.width, 3), np.uint8)

    def fit(self, frame_bgr: Pixels, out: Pixels | None = None) -> Pixels:
        """frame_bgr: uint8 (height, width, 3) in B, G, R. Returns uint8 (H, W, 3), B, G, R, cut and resized: in
        `out`, contiguous and of that shape, where given, else in new memory. Raises ImageError on any other
        shape or dtype."""
        if frame_bgr.dtype != np.uint8 or frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3 or not frame_bgr.size:
            raise ImageError(
                f"a frame must be uint8 (height, width, 3); this one is {frame_bgr.dtype} {frame_bgr.shape}"
            )
        fitted = np.empty((self.height, self.width, 3), np.uint8) if out is None else out
        if fitted.shape != (self.height, self.width, 3) or fitted.dtype != np.uint8 or not fitted.flags.c_contiguous:
            raise ImageError(f"out must be contiguous uint8 {(self.height, self.width, 3)}, not {fitted.shape}")
        seen_bgr = frame_bgr if self.region is None else cut_region(frame_bgr, self.region)
        if self.spec.resize == "letterbox":
            self._letterbox(seen_bgr, fitted)
        else:
            reduce_to(seen_bgr if self.spec.resize == "squash" else self._cut_out(seen_bgr), fitted)
        return fitted

    @property
    def least_size(self) -> tuple[int, int]:
        """The smallest (width, height) of the region, or of a whole frame without one, that `fit` does not have to
        enlarge: what a camera that resizes by itself may be asked for."""
        fraction = self.spec.crop_fraction if self.spec.resize == "crop" else 1.0
        return math.ceil(round(self.width / fraction, 6)), math.ceil(round(self.height / fraction, 6))

    def write(self, fitted_bgr: Pixels, out: Tensor) -> None:
        """Fill `out`, (1, H, W, 3) or (H, W, 3) of the model's dtype, from what `fit` returned; keeps
        neither."""
        target = out.reshape(self.height, self.width, 3).view(np.uint8)
        if self._plan == "lookup":
            self._order(fitted_bgr, self._ordered)
            cv2.LUT(self._ordered, self._table.view(np.uint8), dst=target)
            return
        self._order(fitted_bgr, target)
        if self._plan == "flip":
            np.bitwise_xor(target, 0x80, out=target)

    def tensor(self, frame_bgr: Pixels, out: Tensor) -> None:
        """`fit` and `write` at once."""
        self.write(self.fit(frame_bgr), out)

    def pixels(self, frame_bgr: Pixels) -> Pixels:
        """As `fit`, but in the model's channel order: what training learns from."""
        fitted = self.fit(frame_bgr)
        if self.spec.channel_order == "rgb":
            cv2.cvtColor(fitted, cv2.COLOR_BGR2RGB, dst=fitted)
        return fitted

    def quantize(self, pixels: Pixels) -> Tensor:
        """The table alone: uint8 (..., 3) in the model's channel order to the tensor's dtype, same shape."""
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

    def _letterbox(self, frame_bgr: Pixels, out: Pixels) -> None:
        height, width = frame_bgr.shape[:2]
        scale = min(self.width / width, self.height / height)
        inner_width = max(1, min(self.width, round(width * scale)))
        inner_height = max(1, min(self.height, round(height * scale)))
        inner = np.empty((inner_height, inner_width, 3), np.uint8)
        reduce_to(frame_bgr, inner)
        left, top = (self.width - inner_width) // 2, (self.height - inner_height) // 2
        out.fill(self.spec.pad)
        out[top : top + inner_height, left : left + inner_width] = inner


def cut_region(frame_bgr: Pixels, region: Region) -> Pixels:
    """The part of a frame that `region` names, a view of it, at least one pixel: each edge at the pixel boundary
    nearest to its share, halves to the even one."""
    height, width = frame_bgr.shape[:2]
    left, top, wide, high = region
    from_x, from_y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    to_x = max(from_x + 1, min(width, round((left + wide) * width)))
    to_y = max(from_y + 1, min(height, round((top + high) * height)))
    return frame_bgr[from_y:to_y, from_x:to_x]


def reduce_to(source: Pixels, out: Pixels) -> None:
    """Resize `source` into `out` (both uint8, (height, width, 3)): 2x2 means while both sides are at least
    twice the target, then bit-exact bilinear. Nearly free of aliasing at a fifth of INTER_AREA's cost."""
    height, width = out.shape[:2]
    while source.shape[0] >= 2 * height and source.shape[1] >= 2 * width:
        half_height, half_width = source.shape[0] // 2, source.shape[1] // 2
        even = source[: half_height * 2, : half_width * 2]
        source = np.asarray(cv2.resize(even, (half_width, half_height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    cv2.resize(source, (width, height), dst=out, interpolation=cv2.INTER_LINEAR_EXACT)


def quantization_table(spec: Preprocessing, tensor: InputTensor) -> Tensor:
    """The quantized value of every pixel value and channel: (1, 256, 3) of the tensor's dtype.

    q = floor((pixel - mean) / std / scale + zero_point + 0.5), clipped. Rounding the inner value to 4 places
    first keeps a float32 scale from tipping exact halves; with MobileNet's -1..1 range it makes q equal to
    pixel - 128, so that no information is lost.
    """
    info = np.iinfo(tensor.dtype)
    pixel = np.arange(256, dtype=np.float64)[:, None]
    mean, std = np.array(spec.mean), np.array(spec.std)
    inner = (pixel - mean) / std / tensor.quantization.scale + tensor.quantization.zero_point
    quantized = np.floor(np.round(inner, 4) + 0.5)
    table: Tensor = np.clip(quantized, info.min, info.max).astype(tensor.dtype)[None]
    return table


def _table_plan(table: Tensor) -> str:
    """How to apply the table cheaply: nothing to do, flip the sign bit, or look every pixel up."""
    bits = table.view(np.uint8)
    pixel = np.arange(256, dtype=np.uint8)[None, :, None]
    if np.array_equal(bits, np.broadcast_to(pixel, bits.shape)):
        return "identity"
    if np.array_equal(bits, np.broadcast_to(pixel ^ 0x80, bits.shape)):
        return "flip"
    return "lookup"
