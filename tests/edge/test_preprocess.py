"""Frames become tensors in one way only, checked with numbers computed by hand."""

import tracemalloc
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization
from edge.errors import ImageError
from edge.preprocess import Preprocessor, Region, Scratch, cut_region, quantization_table, reduce_to

MOBILENET = ((127.5,) * 3, (127.5,) * 3)


def make(
    *,
    resize: str = "squash",
    order: str = "rgb",
    size: tuple[int, int] = (32, 32),
    dtype: str = "int8",
    scale: float = 2 / 255,
    zero_point: int = -1,
    region: Region | None = None,
    **spec: object,
) -> Preprocessor:
    mean, std = MOBILENET
    return Preprocessor(
        Preprocessing(**{"channel_order": order, "resize": resize, "mean": mean, "std": std, **spec}),
        InputTensor(
            width=size[0],
            height=size[1],
            dtype=dtype,
            quantization=Quantization(scale=scale, zero_point=zero_point),
        ),
        region=region,
    )


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        # MobileNet's range on int8: the pixel minus 128, nothing lost.
        ("int8", np.float32(2 / 255).item(), -1, {0: -128, 1: -127, 127: -1, 128: 0, 254: 126, 255: 127}),
        # The same on uint8: the pixel itself.
        ("uint8", np.float32(2 / 255).item(), 127, {0: 0, 1: 1, 127: 127, 128: 128, 255: 255}),
        # A scale of 1/128: (p - 127.5) / 127.5 * 128 + 128; only 256 is clipped.
        ("uint8", 1 / 128, 128, {0: 0, 1: 1, 64: 64, 200: 201, 254: 255, 255: 255}),
        # A scale too small for the range clips on both sides.
        ("int8", 1 / 255, 0, {0: -128, 63: -128, 64: -127, 127: -1, 128: 1, 191: 127, 192: 127}),
    ],
)
def test_the_table_holds_what_a_hand_computes(
    dtype: str, scale: float, zero_point: int, expected: dict[int, int]
) -> None:
    prep = make(dtype=dtype, scale=scale, zero_point=zero_point)
    tensor = InputTensor(
        width=32, height=32, dtype=dtype, quantization=Quantization(scale=scale, zero_point=zero_point)
    )
    table = quantization_table(prep.spec, tensor)
    assert {pixel: int(table[0, pixel, 1]) for pixel in expected} == expected


@pytest.mark.parametrize("scale", [2 / 255, 1 / 128, 0.01])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("resize", ["squash", "crop", "letterbox"])
def test_the_tensor_is_the_table_applied_to_the_pixels(scale: float, order: str, resize: str) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    prep = make(scale=scale, order=order, resize=resize)
    out = prep.tensor(frame)
    assert (out.shape, out.dtype) == ((1, 32, 32, 3), np.int8)
    assert np.array_equal(out[0], prep.quantize(prep.pixels(frame)))


def test_channels_come_in_the_models_order() -> None:
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[..., 2] = 200  # red, in B, G, R
    assert make(order="rgb").pixels(frame)[0, 0].tolist() == [200, 0, 0]
    assert make(order="bgr").pixels(frame)[0, 0].tolist() == [0, 0, 200]


def striped(width: int, height: int) -> NDArray[np.uint8]:
    """Left third blue, middle green, right red."""
    frame = np.zeros((height, width, 3), np.uint8)
    for third in range(3):
        frame[:, third * width // 3 : (third + 1) * width // 3, third] = 255
    return frame


def test_squash_shows_everything() -> None:
    pixels = make(order="bgr").pixels(striped(96, 48))
    assert pixels[16, [2, 16, 29]].argmax(axis=1).tolist() == [0, 1, 2]


def test_crop_takes_the_middle() -> None:
    pixels = make(order="bgr", resize="crop").pixels(striped(96, 32))
    assert (pixels.argmax(axis=2) == 1).all()


def test_a_crop_fraction_takes_less() -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[16:48, 16:48] = 255
    assert (make(resize="crop", crop_fraction=0.5).pixels(frame) == 255).all()


def test_letterbox_keeps_the_shape_and_fills_the_rest() -> None:
    frame = np.full((32, 64, 3), 255, np.uint8)
    pixels = make(resize="letterbox", pad=7).pixels(frame)
    assert (pixels[8:24] == 255).all()
    assert (pixels[:8] == 7).all()
    assert (pixels[24:] == 7).all()


def test_strong_reduction_does_not_alias() -> None:
    """A fine checkerboard becomes its mean; plain bilinear would pick black or white pixels."""
    board = (np.indices((480, 640)).sum(axis=0) % 2 * 255).astype(np.uint8)
    out = np.empty((60, 80, 3), np.uint8)
    reduce_to(np.repeat(board[..., None], 3, axis=2), out, Scratch())
    assert out.min() >= 126
    assert out.max() <= 129


@pytest.mark.parametrize("size", [(1920, 40), (40, 1920), (1920, 238), (1024, 64)])
def test_nor_where_one_side_is_reduced_far_more_than_the_other(size: tuple[int, int]) -> None:
    """As with a region that is a strip: noise nearly vanishes in a mean, and stays if single pixels are picked."""
    noise = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    ours = make(size=(32, 32)).fit(noise)
    exact = cv2.resize(noise, (32, 32), interpolation=cv2.INTER_AREA)
    assert ours.std() < 2.0 * exact.std()
    picked = cv2.resize(noise, (32, 32), interpolation=cv2.INTER_LINEAR)
    assert ours.std() < 0.6 * picked.std()


def test_it_is_close_to_the_exact_area_mean() -> None:
    rng = np.random.default_rng(3)
    frame = cv2.resize(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    out = np.empty((224, 224, 3), np.uint8)
    reduce_to(frame, out, Scratch())
    exact = cv2.resize(frame, (224, 224), interpolation=cv2.INTER_AREA)
    assert np.abs(out.astype(int) - exact).mean() < 1.0


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    resize=st.sampled_from(["squash", "crop", "letterbox"]),
    size=st.tuples(st.integers(16, 80), st.integers(16, 80)),
)
def test_frames_of_any_size_fit(width: int, height: int, resize: str, size: tuple[int, int]) -> None:
    """A grey frame stays grey whatever its size and shape."""
    prep = make(resize=resize, size=size, pad=90)
    pixels = prep.pixels(np.full((height, width, 3), 90, np.uint8))
    assert pixels.shape == (size[1], size[0], 3)
    assert (pixels == 90).all()


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_frames_of_another_kind_are_refused(frame: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="uint8"):
        make().fit(frame)


def test_the_frame_itself_is_left_alone() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    before = frame.copy()
    make().pixels(frame)
    assert np.array_equal(frame, before)


class TestRegion:
    """The part of a frame that camera.region cuts out: left, top, width, height as shares."""

    @pytest.mark.parametrize("resize", ["squash", "crop", "letterbox"])
    def test_it_is_as_if_the_frame_had_been_cut_before(self, resize: str) -> None:
        frame = np.random.default_rng(5).integers(0, 256, (300, 400, 3)).astype(np.uint8)
        seen = make(resize=resize, region=(0.25, 0.5, 0.5, 0.25)).fit(frame)
        assert np.array_equal(seen, make(resize=resize).fit(frame[150:225, 100:300].copy()))

    def test_the_whole_is_the_same_as_none(self) -> None:
        frame = np.random.default_rng(6).integers(0, 256, (101, 203, 3)).astype(np.uint8)
        assert np.array_equal(make(region=(0.0, 0.0, 1.0, 1.0)).fit(frame), make().fit(frame))

    def test_nothing_is_copied(self) -> None:
        frame = np.zeros((40, 60, 3), np.uint8)
        assert np.shares_memory(cut_region(frame, (0.5, 0.5, 0.5, 0.5)), frame)

    @pytest.mark.parametrize(
        ("region", "width", "height", "expected"),
        [
            ((0.0, 0.0, 0.5, 1.0), 100, 50, (0, 50, 0, 50)),
            ((0.1, 0.2, 0.3, 0.4), 100, 50, (10, 40, 10, 30)),
            # 0.5 of 5 pixels is 2.5, which goes to the even 2; 0.75 of 5 is 3.75, which goes to 4.
            ((0.5, 0.0, 0.25, 1.0), 5, 1, (2, 4, 0, 1)),
            # Never less than a pixel, never outside.
            ((0.5, 0.5, 0.001, 0.001), 10, 10, (5, 6, 5, 6)),
            ((1.0, 1.0, 0.001, 0.001), 10, 10, (9, 10, 9, 10)),
            ((0.7, 0.9, 0.30000000000000004, 0.1), 10, 10, (7, 10, 9, 10)),
        ],
    )
    def test_edges_go_to_the_nearest_pixel(
        self, region: tuple[float, float, float, float], width: int, height: int, expected: tuple[int, ...]
    ) -> None:
        across = np.arange(width, dtype=np.uint8)[None, :]
        down = np.arange(height, dtype=np.uint8)[:, None]
        frame = np.stack(np.broadcast_arrays(across, down, down), axis=2)
        cut = cut_region(frame, region)
        assert (cut[0, 0, 0], cut[0, -1, 0] + 1, cut[0, 0, 1], cut[-1, 0, 1] + 1) == expected

    @settings(max_examples=100, deadline=None)
    @given(
        sides=st.tuples(st.integers(1, 300), st.integers(1, 300)),
        near=st.tuples(st.floats(0, 1), st.floats(0, 1)),
        part=st.tuples(st.floats(0.0001, 1), st.floats(0.0001, 1)),
    )
    def test_any_region_of_any_frame_fits(
        self, sides: tuple[int, int], near: tuple[float, float], part: tuple[float, float]
    ) -> None:
        region = (near[0], near[1], min(part[0], 1 - near[0]), min(part[1], 1 - near[1]))
        assert (make(region=region).fit(np.full((*sides, 3), 90, np.uint8)) == 90).all()


class TestLeastSize:
    """The smallest size that a camera which resizes by itself must deliver."""

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"resize": "squash"}, (224, 224)),
            ({"resize": "letterbox"}, (224, 224)),
            ({"resize": "crop"}, (224, 224)),
            ({"resize": "crop", "crop_fraction": 0.875}, (256, 256)),
            ({"resize": "squash", "crop_fraction": 0.875}, (224, 224)),
            ({"resize": "crop", "crop_fraction": 0.9}, (249, 249)),  # 248.9
        ],
    )
    def test_it_is_the_models_own_but_for_what_a_crop_cuts_off(
        self, options: dict[str, Any], expected: tuple[int, int]
    ) -> None:
        assert make(size=(224, 224), **options).least_size == expected

    @settings(max_examples=50, deadline=None)
    @given(fraction=st.floats(0.1, 1), size=st.tuples(st.integers(16, 300), st.integers(16, 300)))
    def test_a_frame_of_it_is_not_enlarged(self, fraction: float, size: tuple[int, int]) -> None:
        prep = make(resize="crop", size=size, crop_fraction=fraction)
        width, height = prep.least_size
        cut_height, cut_width = prep._cut_out(np.zeros((height, width, 3), np.uint8)).shape[:2]
        assert cut_width >= size[0]
        assert cut_height >= size[1]


def test_the_caller_may_give_the_memory() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (70, 90, 3)).astype(np.uint8)
    for resize in ("squash", "crop", "letterbox"):
        out = np.full((32, 32, 3), 77, np.uint8)
        assert make(resize=resize).fit(frame, out) is out
        assert np.array_equal(out, make(resize=resize).fit(frame))


@pytest.mark.parametrize("resize", ["squash", "crop", "letterbox"])
def test_nothing_is_allocated_while_frames_keep_their_size(resize: str) -> None:
    prep = make(resize=resize, size=(96, 96), region=(0.1, 0.1, 0.8, 0.7))
    frame, out, tensor = (
        np.zeros((1080, 1920, 3), np.uint8),
        np.empty((96, 96, 3), np.uint8),
        np.empty((96, 96, 3), np.int8),
    )
    for _ in range(2):
        prep.write(prep.fit(frame, out), prep.place_of(frame), tensor)
    tracemalloc.start()
    try:
        for _ in range(3):
            prep.write(prep.fit(frame, out), prep.place_of(frame), tensor)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 96 * 96  # a few views, no picture: that has three times as many


def test_scratch_memory_does_not_grow_with_the_sizes_of_photos() -> None:
    prep = make()
    for width in range(64, 264):
        prep.fit(np.zeros((200, width, 3), np.uint8))
    assert len(prep._scratch._kept) <= 16


def test_scratch_memory_is_limited_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.preprocess._MAX_SCRATCH_BYTES", 1_000_000)
    prep = make()
    before = prep.fit(np.full((200, 200, 3), 7, np.uint8))
    for width in (400, 500, 600, 20_000):  # half of the last is too large to keep
        prep.fit(np.zeros((400, width, 3), np.uint8))
        assert sum(kept.nbytes for kept in prep._scratch._kept.values()) <= 1_000_000
    assert np.array_equal(prep.fit(np.full((200, 200, 3), 7, np.uint8)), before)


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), resize=st.sampled_from(["squash", "crop", "letterbox"]))
def test_the_picture_is_what_shows_the_frame(width: int, height: int, resize: str) -> None:
    prep, frame = make(resize=resize, pad=0, size=(48, 32)), np.full((height, width, 3), 255, np.uint8)
    fitted = prep.fit(frame)
    picture = fitted[prep.place_of(frame)]
    assert picture.size
    assert (picture == 255).all()
    assert np.count_nonzero(fitted == 255) == picture.size


@pytest.mark.parametrize(
    "out",
    [np.zeros((32, 31, 3), np.uint8), np.zeros((32, 32, 3), np.int8), np.zeros((32, 64, 3), np.uint8)[:, ::2]],
)
def test_memory_of_another_kind_is_refused(out: Any) -> None:
    with pytest.raises(ImageError, match="out must be contiguous uint8"):
        make().fit(np.zeros((40, 40, 3), np.uint8), out)


# Preparation: between the resize and the table


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("resize", ["squash", "crop", "letterbox"])
def test_the_tensor_is_the_table_applied_to_the_prepared_pixels(order: str, resize: str) -> None:
    frame = np.random.default_rng(0).integers(0, 100, (50, 70, 3)).astype(np.uint8)
    prep = make(scale=0.01, order=order, resize=resize, preparation=("grey", "clahe"))
    pixels = prep.pixels(frame)
    assert np.array_equal(prep.tensor(frame)[0], prep.quantize(pixels))
    assert (pixels == pixels[:, :, :1]).all()
    assert not np.array_equal(pixels, make(scale=0.01, order=order, resize=resize).pixels(frame))


def test_what_is_fitted_stays_unprepared_for_gates_and_guards() -> None:
    frame = np.random.default_rng(0).integers(0, 100, (50, 70, 3)).astype(np.uint8)
    prep = make(preparation=("equalize",))
    fitted = prep.fit(frame)
    prep.write(fitted, prep.place_of(frame), prep.new_tensor())
    assert np.array_equal(fitted, make().fit(frame))


def test_the_bars_of_a_letterbox_are_not_prepared() -> None:
    """Nor do they count: their brightness would be the commonest level by far."""
    frame = np.random.default_rng(0).integers(20, 80, (24, 64, 3)).astype(np.uint8)
    boxed = make(resize="letterbox", size=(64, 64), pad=127, preparation=("grey", "equalize")).pixels(frame)
    assert (boxed[:20] == 127).all()
    assert (boxed[44:] == 127).all()
    alone = make(size=(64, 24), preparation=("grey", "equalize")).pixels(frame)
    assert np.array_equal(boxed[20:44], alone)


def test_another_frame_that_was_fitted_meanwhile_changes_nothing() -> None:
    """What is prepared is named by the caller, not remembered from the last frame."""
    rng = np.random.default_rng(0)
    wide, tall = (rng.integers(20, 80, shape).astype(np.uint8) for shape in ((24, 64, 3), (64, 24, 3)))
    prep = make(resize="letterbox", size=(64, 64), preparation=("grey", "equalize"))
    fitted, tensor = prep.fit(wide), prep.new_tensor()
    prep.fit(tall)
    prep.write(fitted, prep.place_of(wide), tensor)
    assert np.array_equal(tensor, prep.tensor(wide))


def test_preparing_takes_no_memory_while_frames_keep_their_size() -> None:
    prep = make(size=(96, 96), resize="letterbox", preparation=("white-balance", "smooth", "clahe"))
    frame = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    fitted, tensor = np.empty((96, 96, 3), np.uint8), prep.new_tensor()
    for _ in range(2):
        prep.write(prep.fit(frame, fitted), prep.place_of(frame), tensor)
    tracemalloc.start()
    try:
        for _ in range(3):
            prep.write(prep.fit(frame, fitted), prep.place_of(frame), tensor)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 96 * 96
