"""The manifest is decoded strictly and comes back as it was written."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import manifest as manifests
from edge.bundle.store import Bundle
from edge.errors import BundleError


@pytest.fixture(scope="module")
def good(sealed: Bundle) -> dict[str, Any]:
    return dict(json.loads(sealed.contents["manifest.json"]))


def changed(good: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> bytes:
    copy = json.loads(json.dumps(good))
    change(copy)
    return json.dumps(copy).encode()


def test_a_bundle_without_preparation_keeps_its_bytes(sealed: Bundle) -> None:
    assert b"preparation" not in manifests.encode(sealed.manifest)


def test_preparation_comes_back_in_its_order(good: dict[str, Any]) -> None:
    found = manifests.decode(changed(good, lambda m: m["preprocessing"].update(preparation=["grey", "clahe"])))
    assert found.preprocessing.preparation == ("grey", "clahe")
    assert manifests.decode(manifests.encode(found)) == found


def test_an_unknown_preparation_is_an_error_of_one_line_with_the_way_on(good: dict[str, Any]) -> None:
    with pytest.raises(BundleError) as found:
        manifests.decode(changed(good, lambda m: m["preprocessing"].update(preparation=["grey", "dehaze" * 150])))
    assert str(found.value).endswith(": update Fieldfare or make the bundle again")
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 500


def test_it_comes_back_as_it_was_written(sealed: Bundle) -> None:
    assert manifests.decode(manifests.encode(sealed.manifest)) == sealed.manifest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema=2), "schema 2 is unknown; this version reads schema 1"),
        (lambda m: m.update(schema="1"), "schema"),
        (lambda m: m.pop("labels"), "labels"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m["input"].update(dtype="float32"), "float32"),
        (lambda m: m["input"].update(width=5000), "4096"),
        (lambda m: m["input"]["quantization"].update(scale=0), "> 0"),
        (lambda m: m["input"]["quantization"].update(zero_point=-5), "zero point -5 is outside uint8's 0..255"),
        (lambda m: m["preprocessing"].update(std=[0, 1, 1]), "> 0"),
        (lambda m: m["preprocessing"].update(resize="stretch"), "stretch"),
        (lambda m: m["preprocessing"].update(preparation=["dehaze"]), "'dehaze' is unknown to this version"),
        (lambda m: m["preprocessing"].update(preparation=["grey", "grey"]), "preparation: 'grey' is there twice"),
        (lambda m: m["preprocessing"].update(preparation=["clahe", "grey"]), "must be in the order grey, clahe"),
        (lambda m: m["preprocessing"].update(preparation=["equalize", "clahe"]), "exclude each other"),
        (lambda m: m["preprocessing"].update(preparation=["x\x1b[2J\n"]), r"'x\x1b[2J\n' is unknown"),
        (lambda m: m["preprocessing"].update(preparation=["grey"] * 65), "length <= 64"),
        (lambda m: m.update(model="../model.tflite"), "regex"),
        (lambda m: m.update(model="/etc/passwd"), "regex"),
        (lambda m: m["files"][0].update(name="sub/file"), "regex"),
        (lambda m: m["files"][0].update(name=".."), "regex"),
        (lambda m: m.update(model="model.tflite\n"), "regex"),
        (lambda m: m["files"][0].update(sha256="0" * 64 + "\n"), "regex"),
        (lambda m: m.update(model="other.tflite"), "'other.tflite' is used but not in the list"),
        (lambda m: m["files"].append(dict(m["files"][0], name="more.bin")), "'more.bin' is listed but nothing uses"),
        (lambda m: m["files"].append(m["files"][0]), "only once"),
        (lambda m: m["files"].append(dict(m["files"][0], name="manifest.json")), "may not be listed"),
        (lambda m: m["golden"]["cases"][0]["output"].pop(), "has 1000 outputs, the model 1001"),
        (lambda m: m["golden"].update(cases=[]), "length >= 1"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    good: dict[str, Any], change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(BundleError, match=r".") as caught:
        manifests.decode(changed(good, change))
    assert message in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    with pytest.raises(BundleError):
        manifests.decode(data)
