"""The format grows without breaking readers that are installed already (docs/bundle.md, "How the format grows")."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import manifest as manifests
from edge.bundle.cut import Cut
from edge.bundle.manifest import (
    Architecture,
    Calibration,
    EdgeTpu,
    FileEntry,
    Golden,
    GoldenCase,
    InputTensor,
    Manifest,
    Metrics,
    Origin,
    OutputTensor,
    Preprocessing,
    Quantization,
)
from edge.bundle.store import Bundle, open_bundle, pack_bytes
from edge.config.running import Decisions, Engine
from edge.errors import BundleError
from edge.images import read_image
from edge.inference import golden
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from edge.records import Frame
from edge.worker.assemble import build_pipeline

# What the first readers of schema 1 know: {place: (keys that they require, keys that they allow)}. Frozen: never edit.
FIRST_READERS = {
    "": (
        {"schema", "name", "created", "origin", "model", "labels", "input"}
        | {"preprocessing", "output", "golden", "files"},
        {"architecture", "calibration", "metrics", "edgetpu"},
    ),
    "origin": ({"kind", "source", "tool"}, {"notes"}),
    "architecture": ({"family", "alpha", "weights", "seed"}, {"weights_sha256"}),
    "input": ({"width", "height", "dtype", "quantization"}, set()),
    "input.quantization": ({"scale", "zero_point"}, set()),
    "preprocessing": ({"channel_order", "resize", "mean", "std"}, {"crop_fraction", "pad"}),
    "output": ({"classes", "dtype", "quantization", "activation"}, set()),
    "output.quantization": ({"scale", "zero_point"}, set()),
    "calibration": (set(), {"temperature", "bias", "threshold", "promised_precision", "method"}),
    "metrics": (
        {"split", "photos"},
        {"top1_float", "top1_int8", "validation_top1_float", "validation_photos", "calibration_error"},
    ),
    "golden": ({"pixel_tolerance", "output_tolerance", "measured_spread", "measured_with", "cases"}, set()),
    "golden.cases": ({"frame", "pixels", "output"}, set()),
    "edgetpu": (
        {"model", "operators_on_cpu"},
        {"log", "compiler_version", "operators_on_tpu", "on_chip_bytes", "off_chip_bytes"},
    ),
    "files": ({"name", "size", "sha256"}, set()),
}


def tables(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON object in a manifest, with its place."""
    if isinstance(value, dict):
        yield place, value
        for key, inner in value.items():
            yield from tables(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from tables(inner, place)


def a_bundle_of_the_version_before(folder: Path, sealed: Bundle) -> Path:
    """Write model, labels and pictures of `sealed` to `folder` as that version did: with every default spelled out."""
    files = {name: data for name, data in sealed.contents.items() if not name.startswith("manifest.")}
    record = {
        "schema": 1,
        "name": "birds",
        "created": "2026-01-01T00:00:00+00:00",
        "origin": {"kind": "imported", "source": "model.tflite", "tool": "fieldfare 0.1.0", "notes": []},
        "architecture": None,
        "model": "model.tflite",
        "labels": "labels.txt",
        "input": {
            "width": 128,
            "height": 128,
            "dtype": "uint8",
            "quantization": {"scale": sealed.manifest.input.quantization.scale, "zero_point": 128},
        },
        "preprocessing": {
            "channel_order": "rgb",
            "resize": "squash",
            "crop_fraction": 1.0,
            "pad": 127,
            "mean": [127.5, 127.5, 127.5],
            "std": [127.5, 127.5, 127.5],
        },
        "output": {
            "classes": 1001,
            "dtype": "uint8",
            "quantization": {"scale": sealed.manifest.output.quantization.scale, "zero_point": 0},
            "activation": "probabilities",
        },
        "calibration": {
            "temperature": 1.0,
            "bias": None,
            "threshold": 0.0,
            "promised_precision": None,
            "method": "none",
        },
        "metrics": None,
        "golden": {
            "pixel_tolerance": 1,
            "output_tolerance": sealed.manifest.golden.output_tolerance,
            "measured_spread": sealed.manifest.golden.measured_spread,
            "measured_with": "litert 2.3.0, 4 variants, 16 pictures",
            "cases": [
                {"frame": case.frame, "pixels": case.pixels, "output": list(case.output)}
                for case in sealed.manifest.golden.cases
            ],
        },
        "edgetpu": None,
        "files": [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(files.items())
        ],
    }
    manifest = json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(manifest).hexdigest()}  manifest.json\n")
    return folder


class TestBundlesOfTheVersionBefore:
    @pytest.fixture
    def before(self, sealed: Bundle, tmp_path: Path) -> Bundle:
        return open_bundle(a_bundle_of_the_version_before(tmp_path / "before", sealed))

    def test_open_with_the_same_meaning_in_both_forms(self, before: Bundle, sealed: Bundle, tmp_path: Path) -> None:
        only_theirs = {"name", "created", "origin", "golden"}
        for field in set(Manifest.__struct_fields__) - only_theirs:
            assert getattr(before.manifest, field) == getattr(sealed.manifest, field), field
        packed = tmp_path / "before.fieldfare"
        packed.write_bytes(pack_bytes(before))
        assert open_bundle(packed).bundle_id == before.bundle_id

    def test_verify(self, before: Bundle) -> None:
        manifest = before.manifest
        classifier = TfliteClassifier(load_runtime(), before.model)
        check_details(classifier, manifest)
        report = golden.require(before, classifier, Preprocessor(manifest.preprocessing, manifest.input))
        assert report.cases == len(manifest.golden.cases)

    def test_classify_as_one_that_is_made_today(self, before: Bundle, sealed: Bundle, shared: Path) -> None:
        picture = read_image(shared / "models" / "parrot.jpg")
        answers = []
        for bundle in (before, sealed):
            pipeline = build_pipeline(bundle, Engine(device="cpu"), Decisions())
            result = pipeline.process(Frame(picture, 0, 0.0, 0.0))
            answers.append((result.label, result.score, result.top))
            pipeline.classifier.close()
        assert answers[0] == answers[1]
        assert answers[0][0] == "macaw"


CASES = (
    GoldenCase(frame="golden0-frame.png", pixels="golden0-pixels.png", output=(-128, 127)),
    GoldenCase(frame="golden1-frame.png", pixels="golden1-pixels.png", output=(127, -128)),
)


def listed(*names: str) -> tuple[FileEntry, ...]:
    return tuple(FileEntry(name=name, size=1, sha256="0" * 64) for name in names)


NAMES = ("model.tflite", "labels.txt", *(name for case in CASES for name in (case.frame, case.pixels)))
LEAST = Manifest(
    schema=1,
    name="birds",
    created="2026-01-01T00:00:00+00:00",
    origin=Origin(kind="imported", source="birds.tflite", tool="fieldfare 0.1.0"),
    model="model.tflite",
    labels="labels.txt",
    input=InputTensor(width=224, height=224, dtype="int8", quantization=Quantization(scale=0.0078125, zero_point=0)),
    preprocessing=Preprocessing(channel_order="rgb", resize="squash", mean=(127.5,) * 3, std=(128.0,) * 3),
    output=OutputTensor(
        classes=2, dtype="int8", quantization=Quantization(scale=0.1, zero_point=-1), activation="logits"
    ),
    golden=Golden(pixel_tolerance=1, output_tolerance=24, measured_spread=3, measured_with="litert", cases=CASES),
    files=listed(*NAMES),
)
# All that the first readers knew, in use.
FULL = msgspec.structs.replace(
    LEAST,
    origin=Origin(kind="trained", source="photos", tool="fieldfare 0.1.0", notes=("a.jpg: damaged",)),
    architecture=Architecture(family="MobileNetV2", alpha=0.35, weights="w.h5", weights_sha256="1" * 64, seed=0),
    preprocessing=Preprocessing(
        channel_order="bgr", resize="crop", crop_fraction=0.875, pad=0, mean=(0.0, 1.0, 2.0), std=(255.0,) * 3
    ),
    calibration=Calibration(
        temperature=0.85, bias=(0.5, -0.5), threshold=0.84, promised_precision=0.95, method="temperature, bias"
    ),
    metrics=Metrics(
        split="test",
        photos=381,
        top1_float=0.9,
        top1_int8=0.875,
        validation_top1_float=0.5,
        validation_photos=378,
        calibration_error=0.03,
    ),
    edgetpu=EdgeTpu(
        model="model_edgetpu.tflite",
        log="compiler.log",
        compiler_version="16.0",
        operators_on_tpu=71,
        operators_on_cpu=1,
        on_chip_bytes=1,
        off_chip_bytes=0,
    ),
    files=listed(*NAMES, "model_edgetpu.tflite", "compiler.log"),
)


class TestTheFirstReaders:
    """They refuse a key that they do not know, and a manifest without one that they require."""

    @pytest.mark.parametrize("manifest", [LEAST, FULL], ids=["least", "full"])
    def test_know_every_key_and_miss_none(self, manifest: Manifest) -> None:
        for place, table in tables(json.loads(manifests.encode(manifest))):
            required, allowed = FIRST_READERS[place]
            assert required <= set(table), place
            assert set(table) <= required | allowed, place

    def test_know_every_key_of_an_imported_model(self, sealed: Bundle) -> None:
        for place, table in tables(json.loads(sealed.contents["manifest.json"])):
            required, allowed = FIRST_READERS[place]
            assert required <= set(table) <= required | allowed, place

    def test_are_all_in_use(self) -> None:
        """Else the tests above would prove nothing about a key."""
        written = {place: set(table) for place, table in tables(json.loads(manifests.encode(FULL)))}
        assert written == {place: required | allowed for place, (required, allowed) in FIRST_READERS.items()}


def test_what_has_its_default_is_left_out_however_it_came_about() -> None:
    """A computed 1.0 is another object than the default."""
    computed = Calibration(temperature=float("1.0"), threshold=sum([0.0, 0.0]), method="".join(["no", "ne"]))
    spelled_out = msgspec.structs.replace(LEAST, calibration=computed, architecture=None)
    assert manifests.encode(spelled_out) == manifests.encode(LEAST)
    assert "calibration" not in json.loads(manifests.encode(LEAST))


class TestTaxonomy:
    """Came with events: bundles without it open on the first readers, as TestTheFirstReaders shows."""

    def test_is_a_file_that_the_manifest_names(self) -> None:
        used = msgspec.structs.replace(LEAST, taxonomy="taxonomy.csv", files=listed(*NAMES, "taxonomy.csv"))
        assert manifests.decode(manifests.encode(used)) == used
        for wrong in (
            msgspec.structs.replace(LEAST, taxonomy="taxonomy.csv"),
            msgspec.structs.replace(LEAST, files=used.files),
        ):
            with pytest.raises(BundleError, match=r"taxonomy\.csv"):
                manifests.decode(manifests.encode(wrong))

    def test_is_not_in_a_manifest_without_it(self) -> None:
        assert b"taxonomy" not in manifests.encode(LEAST)


class TestThresholds:
    """Came with teaching: bundles with one threshold open on the first readers, as TestTheFirstReaders shows."""

    @pytest.mark.parametrize("values", [(), (0.5,), (0.5, 0.6, 0.7)])
    def test_are_as_many_as_the_classes(self, values: tuple[float, ...]) -> None:
        wrong = msgspec.structs.replace(LEAST, calibration=Calibration(thresholds=values))
        with pytest.raises(BundleError, match=f"thresholds has {len(values)} numbers, the model 2 classes"):
            manifests.decode(manifests.encode(wrong))

    def test_are_not_in_a_manifest_without_them(self) -> None:
        assert b"thresholds" not in manifests.encode(FULL)


class TestCut:
    """Came with locating: bundles of whole photos open on the first readers, as TestTheFirstReaders shows."""

    CUT = Cut(padding=0.0, slack=16 / 9, least_px=16, min_size=0.025)

    def test_is_written_and_read(self) -> None:
        used = msgspec.structs.replace(LEAST, cut=self.CUT)
        assert manifests.decode(manifests.encode(used)) == used
        table = json.loads(manifests.encode(used))["cut"]
        assert table == {"padding": 0.0, "slack": 16 / 9, "least_px": 16, "min_size": 0.025}

    def test_is_not_in_a_manifest_without_it(self) -> None:
        assert b"cut" not in manifests.encode(LEAST)

    @pytest.mark.parametrize("wrong", [{"padding": 1.5}, {"slack": 0.5}, {"least_px": 0}, {"min_size": -1}, {"x": 1}])
    def test_is_read_strictly(self, wrong: dict[str, float]) -> None:
        record = json.loads(manifests.encode(msgspec.structs.replace(LEAST, cut=self.CUT)))
        record["cut"] |= wrong
        with pytest.raises(BundleError, match="cut"):
            manifests.decode(json.dumps(record).encode())


def numbers(least: float, most: float, **options: Any) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_nan=False, **options)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


SCALES = numbers(0, 1e6, exclude_min=True)
SHARES = numbers(0, 1)
COUNTS = st.integers(1, 10**9)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def written_manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest that may be written, each optional key with or without its default."""
    classes = draw(st.integers(2, 5))
    raw = st.tuples(*[st.integers(-128, 127)] * classes)
    cases = tuple(
        GoldenCase(frame=f"f{n}.png", pixels=f"p{n}.png", output=draw(raw)) for n in range(draw(COUNTS) % 3 + 1)
    )
    scale = st.builds(Quantization, scale=SCALES, zero_point=st.integers(-128, 127))
    triples = st.tuples(*[numbers(-1e6, 1e6)] * 3)
    edgetpu = draw(
        optional(
            st.builds(
                EdgeTpu,
                model=st.just("twin.tflite"),
                log=st.sampled_from([None, "log.txt"]),
                compiler_version=optional(st.text()),
                operators_on_tpu=optional(COUNTS),
                operators_on_cpu=COUNTS,
                on_chip_bytes=optional(COUNTS),
                off_chip_bytes=optional(COUNTS),
            )
        )
    )
    names = ["model.tflite", "labels.txt", *(name for case in cases for name in (case.frame, case.pixels))]
    names += [] if edgetpu is None else [name for name in (edgetpu.model, edgetpu.log) if name]
    taxonomy = draw(st.sampled_from([None, "taxonomy.csv"]))
    names += [] if taxonomy is None else [taxonomy]
    return Manifest(
        schema=manifests.SCHEMA,
        name=draw(st.text()),
        created=draw(st.text()),
        origin=draw(
            st.builds(
                Origin,
                kind=st.sampled_from(["trained", "imported"]),
                source=st.text(),
                tool=st.text(),
                notes=st.lists(st.text(), max_size=3).map(tuple),
            )
        ),
        architecture=draw(
            optional(
                st.builds(
                    Architecture,
                    family=st.text(),
                    alpha=SCALES,
                    weights=st.text(),
                    weights_sha256=optional(HASHES),
                    seed=st.integers(),
                )
            )
        ),
        model="model.tflite",
        labels="labels.txt",
        input=draw(
            st.builds(
                InputTensor,
                width=st.integers(16, 4096),
                height=st.integers(16, 4096),
                dtype=st.just("int8"),
                quantization=scale,
            )
        ),
        preprocessing=draw(
            st.builds(
                Preprocessing,
                channel_order=st.sampled_from(["rgb", "bgr"]),
                resize=st.sampled_from(["squash", "crop", "letterbox"]),
                crop_fraction=st.just(1.0) | numbers(0, 1, exclude_min=True),
                pad=st.just(127) | st.integers(0, 255),
                mean=triples,
                std=st.tuples(*[SCALES] * 3),
                preparation=st.sampled_from([(), ("grey",), ("white-balance", "smooth", "clahe")]),
            )
        ),
        output=OutputTensor(classes=classes, dtype="int8", quantization=draw(scale), activation="logits"),
        calibration=draw(
            st.builds(
                Calibration,
                temperature=st.just(1.0) | SCALES,
                bias=optional(st.tuples(*[numbers(-100, 100)] * classes)),
                threshold=SHARES,
                thresholds=optional(st.tuples(*[SHARES] * classes)),
                promised_precision=optional(SHARES),
                method=st.just("none") | st.text(),
            )
        ),
        metrics=draw(
            optional(
                st.builds(
                    Metrics,
                    split=st.text(),
                    photos=COUNTS,
                    top1_float=optional(SHARES),
                    top1_int8=optional(SHARES),
                    validation_top1_float=optional(SHARES),
                    validation_photos=optional(COUNTS),
                    calibration_error=optional(SHARES),
                )
            )
        ),
        golden=Golden(
            pixel_tolerance=draw(st.integers(0, 8)),
            output_tolerance=draw(st.integers(0, 128)),
            measured_spread=draw(st.integers(0, 255)),
            measured_with=draw(st.text()),
            cases=cases,
        ),
        edgetpu=edgetpu,
        taxonomy=taxonomy,
        cut=draw(
            optional(
                st.builds(Cut, padding=SHARES, slack=numbers(1, 16), least_px=st.integers(1, 4096), min_size=SHARES)
            )
        ),
        files=tuple(FileEntry(name=name, size=draw(COUNTS), sha256=draw(HASHES)) for name in names),
    )


@given(written_manifests())
def test_what_was_written_is_read_and_written_again_alike(manifest: Manifest) -> None:
    data = manifests.encode(manifest)
    assert manifests.decode(data) == manifest
    assert manifests.encode(manifests.decode(data)) == data


class TestSchemas:
    @pytest.fixture
    def newest_is_3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if schema 2 had renamed `title` to `name`, and schema 3 had changed what `pad` counts."""

        def to_2(raw: dict[str, Any]) -> dict[str, Any]:
            return {**{key: value for key, value in raw.items() if key != "title"}, "schema": 2, "name": raw["title"]}

        def to_3(raw: dict[str, Any]) -> dict[str, Any]:
            preprocessing = {**raw["preprocessing"], "pad": raw["preprocessing"].get("pad", 127) // 2}
            return {**raw, "schema": 3, "preprocessing": preprocessing}

        monkeypatch.setattr(manifests, "_MIGRATIONS", (to_2, to_3))
        monkeypatch.setattr(manifests, "SCHEMA", 3)

    def of_schema(self, schema: int) -> bytes:
        record = {**json.loads(manifests.encode(LEAST)), "schema": schema}
        if schema == 1:
            record["title"] = record.pop("name")
        return json.dumps(record).encode()

    @pytest.mark.parametrize(("schema", "pad"), [(1, 63), (2, 63), (3, 127)])
    def test_older_ones_are_brought_up_to_the_newest(self, newest_is_3: None, schema: int, pad: int) -> None:
        manifest = manifests.decode(self.of_schema(schema))
        assert (manifest.schema, manifest.name, manifest.preprocessing.pad) == (3, "birds", pad)

    @pytest.mark.parametrize("schema", [-1, 0, 4])
    def test_others_are_refused_in_words(self, newest_is_3: None, schema: int) -> None:
        with pytest.raises(BundleError, match=f"schema {schema} is unknown; this version reads schema 1 to 3: update"):
            manifests.decode(self.of_schema(schema))

    def test_an_older_manifest_is_read_as_strictly(self, newest_is_3: None) -> None:
        record = json.loads(self.of_schema(1))
        with pytest.raises(BundleError, match="surprise"):
            manifests.decode(json.dumps({**record, "surprise": 1}).encode())


def test_a_key_of_a_newer_version_is_refused_with_the_way_out() -> None:
    record = json.loads(manifests.encode(LEAST))
    with pytest.raises(BundleError, match="unknown field `surprise`; update Fieldfare or make the bundle again"):
        manifests.decode(json.dumps({**record, "surprise": 1}).encode())


def test_a_manifest_nested_too_deep_is_refused() -> None:
    with pytest.raises(BundleError, match="recursion"):
        manifests.decode(b'{"schema": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
