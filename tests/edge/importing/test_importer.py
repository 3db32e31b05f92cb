"""Wrapping classifiers made elsewhere: what the file says is taken, what it does not say is asked for."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import BundleError, FieldfareError, MissingInputError, ModelError
from edge.importing.importer import Question, Told, import_model
from edge.importing.metadata import read_metadata
from edge.importing.model_trial import probe_model
from edge.importing.normalization import parse_normalize


class Answers:
    """Answers questions from a table and remembers which were asked."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, question: Question) -> str:
        self.asked.append(question.option)
        return self.answers[question.option.strip("-").replace("-", "_")]


def test_embedded_metadata_is_read(shared: Path) -> None:
    found = read_metadata((shared / "models" / "mobilenet_v2_1.0_224_inat_bird_quant.tflite").read_bytes())
    assert (found.mean, found.std, found.colour) == ((127.5,), (127.5,), "rgb")
    assert found.activation == "probabilities"
    assert found.labels == (shared / "models" / "inat_bird_labels.txt").read_bytes()


def test_only_what_the_file_does_not_say_is_asked_for(small_model: Path, tmp_path: Path) -> None:
    ask = Answers(resize="crop")
    bundle = import_model(small_model, tmp_path / "out", Told(), ask)
    assert ask.asked == ["--resize"]
    assert bundle.manifest.preprocessing.resize == "crop"
    assert bundle.manifest.preprocessing.mean == (127.5,) * 3
    assert bundle.labels[:2] == ("background", "tench, Tinca tinca")
    assert bundle.manifest.metrics is None


def test_a_file_that_says_nothing_leads_to_every_question(small_model: Path, tmp_path: Path) -> None:
    """Without its metadata block the same model says neither colours nor normalization."""
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(small_model.read_bytes().replace(b"TFLITE_METADATA", b"SOMETHING_OTHER"))
    ask = Answers(normalize="-1..1", channel_order="bgr", resize="squash")
    bundle = import_model(bare, tmp_path / "out", Told(), ask)
    assert ask.asked == ["--normalize", "--channel-order", "--resize"]
    assert bundle.manifest.preprocessing.channel_order == "bgr"


def test_what_the_user_says_goes_first(small_model: Path, tmp_path: Path) -> None:
    told = Told(normalize=((0.0,) * 3, (255.0,) * 3), channel_order="bgr", resize="letterbox")
    bundle = import_model(small_model, tmp_path / "out", told, Answers())
    assert bundle.manifest.preprocessing.std == (255.0,) * 3


def test_labels_that_do_not_match_are_refused_with_both_numbers(small_model: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("owl\nwren\n")
    with pytest.raises(BundleError, match=r"labels\.txt: 2 labels, but the model has 1001 outputs"):
        import_model(small_model, tmp_path / "out", Told(labels=labels, resize="squash"), Answers())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("movenet_single_pose_lightning_ptq", "input has 0 quantization scales, must be 1"),
        ("deeplabv3_mnv2_dm05_pascal_quant", "output"),
        ("keras_lstm_mnist_ptq", r"must be \(1, height, width, 3\)"),
        ("mobilenet_v1_0.25_128_quant_edgetpu", "import the uncompiled model, then add this one"),
        ("model_invoking_error", "."),
    ],
)
def test_models_that_are_no_usable_classifiers_are_refused(
    shared: Path, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises((ModelError, BundleError), match=message):
        import_model(shared / "models" / f"{name}.tflite", tmp_path / "out", Told(resize="squash"), Answers())


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "model.tflite"
    fake.write_bytes(b"hello" * 100)
    with pytest.raises(ModelError, match="not a TFLite model"):
        import_model(fake, tmp_path / "out", Told(), Answers())
    with pytest.raises(MissingInputError, match="cannot read"):
        import_model(tmp_path / "nowhere.tflite", tmp_path / "out", Told(), Answers())


def test_a_model_cut_short_cannot_crash_us(small_model: Path, tmp_path: Path) -> None:
    """The runtime may die of it; that happens in a child."""
    for share in (0.2, 0.6, 0.95):
        cut = tmp_path / f"cut{share}.tflite"
        data = small_model.read_bytes()
        cut.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(FieldfareError):
            probe_model(cut)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_metadata_never_crashes_the_reader(small_model: Path, data: st.DataObject) -> None:
    model = bytearray(small_model.read_bytes())
    ends = st.one_of(st.integers(0, 4000), st.integers(len(model) - 30_000, len(model) - 1))
    for _ in range(data.draw(st.integers(1, 8))):
        model[data.draw(ends)] = data.draw(st.integers(0, 255))
    try:
        read_metadata(bytes(model))
    except ModelError as error:
        assert "\n" not in str(error)


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
