"""Wrapping classifiers made elsewhere: what the file says is taken, what it does not say is asked for."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from handmade_models import classifier, metadata
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.store import Bundle
from edge.errors import BundleError, ConfigError, DataError, FieldfareError, MissingInputError, ModelError
from edge.events.taxonomy import load_taxonomy
from edge.importing.importer import Question, Told, import_model


class Answers:
    """Answers questions from a table and remembers which were asked."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, question: Question) -> str:
        self.asked.append(question.option)
        return self.answers[question.option.strip("-").replace("-", "_")]


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


def test_a_taxonomy_goes_into_the_bundle_and_what_differs_is_a_warning(small_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "birds.csv"
    file.write_text("label,scientific_name,kind\nmacaw,Ara,animal\ntenhc,,animal\n")
    warnings: list[str] = []
    told = Told(resize="crop", taxonomy=file)
    bundle = import_model(small_model, tmp_path / "out", told, Answers(), warn=warnings.append)
    assert bundle.taxonomy == file.read_bytes()
    assert bundle.manifest.taxonomy == "taxonomy.csv"
    assert warnings[0].startswith(f"{file}: no class is called 'tenhc'")
    assert warnings[1].startswith(f"{file}: no line for 'background', ")
    taxonomy = load_taxonomy(None, bundle)
    assert taxonomy is not None
    assert taxonomy.of("macaw") is not None


def test_a_taxonomy_that_is_wrong_is_refused_with_its_line(small_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "birds.csv"
    file.write_text("label,scientific_name,kind\nmacaw,Ara,bird\n")
    with pytest.raises(DataError, match=r"birds\.csv: line 2: kind 'bird': must be animal"):
        import_model(small_model, tmp_path / "out", Told(resize="crop", taxonomy=file), Answers())


def test_labels_that_do_not_match_are_refused_with_both_numbers(small_model: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("owl\nwren\n")
    with pytest.raises(BundleError, match=r"labels\.txt: 2 labels, but the model has 1001 outputs"):
        import_model(small_model, tmp_path / "out", Told(labels=labels, resize="squash"), Answers())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("movenet_single_pose_lightning_ptq", "output is float32, must be int8 or uint8"),
        ("deeplabv3_mnv2_dm05_pascal_quant", "output"),
        ("traffic_model", "3 inputs and 6 outputs: an image classifier has one of each"),
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


class Import:
    """Import handmade models with all questions answered, and what was warned of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warned: list[str] = []

    def __call__(self, model: bytes, labels: str | None = "red\ngreen\nblue\n", **told: Any) -> Bundle:
        path, names = self.folder / "model.tflite", self.folder / "labels.txt"
        path.write_bytes(model)
        if labels is not None:
            names.write_text(labels, encoding="utf-8")
            told["labels"] = names
        given = {"normalize": ((127.5,) * 3, (127.5,) * 3), "channel_order": "rgb", "resize": "squash", **told}
        return import_model(path, self.folder / "out", Told(**given), Answers(), warn=self.warned.append)


@pytest.fixture
def bring(tmp_path: Path) -> Import:
    return Import(tmp_path)


def test_a_handmade_model_becomes_a_bundle(bring: Import) -> None:
    bundle = bring(classifier(), labels="2,blue\n0,red\n1,green\n")
    assert bundle.labels == ("red", "green", "blue")
    assert bundle.manifest.output.activation == "probabilities"
    assert bring.warned == []
    assert bring(classifier(gate="LOGISTIC", ending=())).manifest.output.activation == "logits"


def test_an_ending_that_shows_nothing_is_asked_about(bring: Import) -> None:
    with pytest.raises(KeyError, match="activation"):
        bring(classifier(ending=("SOFTMAX", "MUL")))


@pytest.mark.parametrize(("ending", "told"), [(("SOFTMAX",), "logits"), ((), "probabilities")])
def test_an_activation_that_the_model_contradicts_is_warned_of(
    bring: Import, ending: tuple[str, ...], told: str
) -> None:
    assert bring(classifier(ending=ending), activation=told).manifest.output.activation == told
    (warning,) = bring.warned
    assert f"--activation {told} contradicts" in warning


def test_only_a_free_batch_is_no_obstacle(bring: Import) -> None:
    assert bring(classifier(free=(0,))).manifest.input.width == 16
    with pytest.raises(ModelError, match=r"model\.tflite: input shape \(-1, -1, -1, 3\) is dynamic: .* fixed height"):
        bring(classifier(free=(0, 1, 2)))


@pytest.mark.parametrize(
    ("ends", "fix"),
    [
        (("FLOAT32", "FLOAT32"), "inference_input_type = tf.int8 and converter.inference_output_type = tf.int8"),
        (("FLOAT32", "INT8"), "converter.inference_input_type = tf.int8"),
        (("INT8", "FLOAT32"), "converter.inference_output_type = tf.int8"),
    ],
)
def test_float_ends_of_an_int8_model_are_named_with_the_converters_options(
    bring: Import, ends: tuple[str, str], fix: str
) -> None:
    with pytest.raises(ModelError, match=f"inside, the model is int8: convert it again with .*{fix}$"):
        bring(classifier(ends=ends))


def test_metadata_and_tensor_that_contradict_each_other_are_refused(bring: Import) -> None:
    model = classifier(metadata=metadata(mean=(0.0,), std=(1.0,)))
    message = r"normalization in its metadata.*contradict each other.*--normalize=-1\.\.1 fits"
    with pytest.raises(ModelError, match=message):
        bring(model, normalize=None)
    assert bring(model).manifest.preprocessing.std == (127.5,) * 3


def test_labels_come_from_the_file_that_the_metadata_name(bring: Import) -> None:
    packed = {"de.txt": b"rot\ngr\xc3\xbcn\nblau\n", "names.txt": b"id,name\n2,blue\n0,red\n1,green\n"}
    model = classifier(metadata=metadata(label_files=[("de.txt", "de"), ("names.txt", "")]), packed=packed)
    assert bring(model, labels=None).labels == ("red", "green", "blue")
    bad = classifier(metadata=metadata(label_files=[("l.txt", "")]), packed={"l.txt": b"unknown\nb\nc"})
    with pytest.raises(BundleError, match=r"model\.tflite: l\.txt: label 1 is 'unknown'"):
        bring(bad, labels=None)


def test_bars_and_crop_are_given_with_their_way_to_resize(bring: Import) -> None:
    assert bring(classifier(), resize="letterbox", pad=0).manifest.preprocessing.pad == 0
    assert bring(classifier(), resize="crop", crop_fraction=0.875).manifest.preprocessing.crop_fraction == 0.875
    with pytest.raises(ConfigError, match="--pad 0 needs --resize letterbox, not squash"):
        bring(classifier(), pad=0)
    with pytest.raises(ConfigError, match=r"--crop-fraction 0\.5 needs --resize crop, not letterbox"):
        bring(classifier(), resize="letterbox", crop_fraction=0.5)


def test_a_model_that_aborts_a_kernel_costs_a_child(bring: Import) -> None:
    with pytest.raises(ModelError, match=r"model\.tflite: the runtime's .* kernels died of SIGABRT on it"):
        bring(classifier(weight=0))


def test_inputs_that_are_too_small_are_refused(bring: Import) -> None:
    with pytest.raises(ModelError, match="input of 8x8 pixels, must be 16 to 4096 a side"):
        bring(classifier(side=8))


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tflite")
    with pytest.raises(ModelError, match=r"pipe\.tflite: not a plain file"):
        import_model(tmp_path / "pipe.tflite", tmp_path / "out", Told(), Answers())
    with pytest.raises(MissingInputError, match="Is a directory"):
        import_model(tmp_path, tmp_path / "out", Told(), Answers())
    with (tmp_path / "large.tflite").open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(ModelError, match=r"large\.tflite: 256 MiB, at most 256: too large"):
        import_model(tmp_path / "large.tflite", tmp_path / "out", Told(), Answers())


@cache
def whole() -> bytes:
    """A model with its labels packed into it."""
    return classifier(metadata=metadata(label_files=[("l.txt", "")]), packed={"l.txt": b"red\ngreen\nblue\n"})


@settings(max_examples=25)
@given(
    st.deferred(
        lambda: st.lists(st.tuples(st.integers(8, len(whole()) - 1), st.integers(0, 255)), min_size=1, max_size=3)
    ),
    st.deferred(lambda: st.just(len(whole())) | st.integers(8, len(whole()))),
)
def test_mutants_are_bundles_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], size: int
) -> None:
    model = bytearray(whole())
    for place, value in changes:
        model[place] = value
    bring = Import(tmp_path_factory.mktemp("mutant"))
    try:
        bring(bytes(model[:size]), labels=None, normalize=None, activation="logits")
    except FieldfareError as error:
        assert str(error).isprintable()
        assert error.exit_status == 65
    except KeyError as error:
        assert error.args[0] in ("normalize", "channel_order")
