"""A normalization is a pair of sane numbers, and fits the input tensor or is called contradictory."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization, TensorType, Triple
from edge.errors import ModelError
from edge.importing.metadata import ModelMetadata
from edge.importing.normalization import check_normalization, of_metadata, parse_normalize


@pytest.mark.parametrize(
    ("text", "mean", "std"),
    [
        ("-1..1", (127.5,) * 3, (127.5,) * 3),
        ("0..1", (0.0,) * 3, (255.0,) * 3),
        ("0..255", (0.0,) * 3, (1.0,) * 3),
        ("128,64", (128.0,) * 3, (64.0,) * 3),
        ("123.7,116.3,103.5,58.4,57.1,57.4", (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)),
    ],
)
def test_normalization_can_be_named_or_given(text: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    assert parse_normalize(text) == (mean, std)


@pytest.mark.parametrize("text", ["", "1", "1,0", "a,b", "1,2,3", "0,-1"])
def test_other_normalizations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_normalize(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nan,1", "mean nan, must be a number from"),
        ("0,inf", "std inf, must be a number from"),
        ("1e308,1e-308", "mean 1e\\+308"),
        ("0,1e-308", "std 1e-308"),
        ("x" * 5000, r"must be -1\.\.1"),
    ],
)
def test_numbers_that_overflow_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_normalize(text)
    assert len(str(caught.value)) < 200


def test_metadata_give_one_number_or_three() -> None:
    assert of_metadata(ModelMetadata()) is None
    assert of_metadata(ModelMetadata(mean=(127.5,), std=(127.5,))) == ((127.5,) * 3, (127.5,) * 3)
    assert of_metadata(ModelMetadata(mean=(1, 2, 3), std=(9,))) == ((1, 2, 3), (9, 9, 9))


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((0.0,), (0.0,), "std 0, must be a number from 1e-06"),
        ((0.0,), (-1.0,), "std -1"),
        ((0.0,), (float("nan"),), "std nan"),
        ((float("inf"),), (1.0,), "mean inf"),
        ((0.0, 0.0, 0.0), (1.0, 1.0, 0.0), "std 0"),
        ((0.0, 0.0), (1.0,), "2 mean values, must be 1 or 3"),
        ((0.0,), (), "0 std values, must be 1 or 3"),
        ((0.0,), (1.0,) * 4, "4 std values"),
    ],
)
def test_nonsense_in_metadata_is_named(mean: tuple[float, ...], std: tuple[float, ...], message: str) -> None:
    with pytest.raises(ModelError, match=rf"the metadata's normalization.*{message}.*--normalize"):
        of_metadata(ModelMetadata(mean=mean, std=std))


def check(mean: Triple, std: Triple, scale: float, zero_point: int, dtype: TensorType = "int8") -> list[str]:
    """Return the warnings."""
    spec = Preprocessing(channel_order="rgb", resize="squash", mean=mean, std=std)
    tensor = InputTensor(
        width=16, height=16, dtype=dtype, quantization=Quantization(scale=scale, zero_point=zero_point)
    )
    warned: list[str] = []
    check_normalization(spec, tensor, "of a test", warned.append)
    return warned


MINUS_1_TO_1, UNIT, BYTES = (1 / 127.5, -1), (1 / 255, -128), (1.0, -128)


@pytest.mark.parametrize(
    ("mean", "std", "tensor"),
    [
        ((127.5,) * 3, (127.5,) * 3, MINUS_1_TO_1),
        ((128.0,) * 3, (128.0,) * 3, MINUS_1_TO_1),
        ((0.0,) * 3, (255.0,) * 3, UNIT),
        ((0.0,) * 3, (1.0,) * 3, BYTES),
        # ImageNet's, on the range that its calibration gives.
        ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), (0.0187, -14)),
        # A calibration on dark pictures saw only two thirds of the range.
        ((127.5,) * 3, (127.5,) * 3, (1.3333 / 255, 63)),
    ],
)
def test_a_fitting_normalization_is_no_news(mean: Triple, std: Triple, tensor: tuple[float, int]) -> None:
    assert check(mean, std, *tensor) == []


@pytest.mark.parametrize(
    ("text", "tensor", "values", "fix"),
    [
        ("-1..1", BYTES, 2, "--normalize=0..255 fits"),
        ("0..1", BYTES, 2, "--normalize=0..255 fits"),
        ("0..255", MINUS_1_TO_1, 2, "--normalize=-1..1 fits"),
        ("0.5,0.5", MINUS_1_TO_1, 1, "--normalize=-1..1 fits"),
        ("0..255", UNIT, 2, "--normalize=0..1 fits"),
        ("0..1", (4 / 128, 0), 33 - 1, "find out"),
    ],
)
def test_pixels_that_fall_on_a_few_values_are_an_error_or_a_warning(
    text: str, tensor: tuple[float, int], values: int, fix: str
) -> None:
    message = rf"contradict each other: the 256 pixel values fall on \d+ of its values: {fix}"
    if values < 32:
        with pytest.raises(ModelError, match=message):
            check(*parse_normalize(text), *tensor)
    else:
        assert [fix in line for line in check(*parse_normalize(text), *tensor)] == [True]


@pytest.mark.parametrize(("text", "tensor"), [("0..1", MINUS_1_TO_1), ("-1..1", UNIT)])
def test_half_the_range_is_a_warning(text: str, tensor: tuple[float, int]) -> None:
    (warning,) = check(*parse_normalize(text), *tensor)
    assert "the normalization of a test" in warning
    assert "fall on 129 of its values" in warning or "fall on 128 of its values" in warning


@given(st.text(max_size=30) | st.lists(st.floats() | st.integers(), max_size=7).map(lambda n: ",".join(map(str, n))))
def test_any_text_is_a_normalization_or_one_line_without_a_warning(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            mean, std = parse_normalize(text)
            check(mean, std, 1 / 127.5, -1)
        except (ValueError, ModelError) as error:
            assert "\n" not in str(error)
