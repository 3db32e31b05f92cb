"""How a bundle wants parts cut, and settings that do otherwise."""

import re
from typing import Any

import msgspec
import pytest

from edge.bundle.cut import Cut
from edge.bundle.manifest import (
    Golden,
    GoldenCase,
    InputTensor,
    Manifest,
    Origin,
    OutputTensor,
    Preprocessing,
    Quantization,
    Resize,
)
from edge.locating.cuts import cut_for, cutting_of, device_cutting, doubt_about
from edge.locating.places import Cutting, Place

LINEAR = Quantization(scale=0.1, zero_point=0)
CUT = Cut(padding=0.1, slack=16 / 9, least_px=16, min_size=0.025)


def manifest(cut: Cut | None, *, resize: Resize = "squash", **given: Any) -> Manifest:
    made = Manifest(
        schema=1,
        name="birds",
        created="2026-01-01T00:00:00+00:00",
        origin=Origin(kind="trained", source="photos", tool="fieldfare"),
        model="model.tflite",
        labels="labels.txt",
        input=InputTensor(width=64, height=32, dtype="int8", quantization=LINEAR),
        preprocessing=Preprocessing(channel_order="rgb", resize=resize, mean=(0.0,) * 3, std=(1.0,) * 3),
        output=OutputTensor(classes=2, dtype="int8", quantization=LINEAR, activation="logits"),
        golden=Golden(
            pixel_tolerance=1,
            output_tolerance=24,
            measured_spread=3,
            measured_with="litert",
            cases=(GoldenCase(frame="f.png", pixels="p.png", output=(1, 2)),),
        ),
        cut=cut,
        files=(),
    )
    return msgspec.structs.replace(made, **given)


class TestTheDevice:
    def test_cuts_as_the_photos_were_cut(self) -> None:
        assert device_cutting(manifest(CUT), None) == Cutting(padding=0.1, slack=16 / 9, least_px=16, aspect=2.0)
        square = msgspec.structs.replace(CUT, slack=1.0, least_px=40)
        assert device_cutting(manifest(square), None) == Cutting(padding=0.1, slack=1.0, least_px=40, aspect=2.0)

    def test_cuts_by_how_pictures_are_fitted_if_photos_were_not(self) -> None:
        assert device_cutting(manifest(None), None) == Cutting(padding=0.0, slack=16 / 9, least_px=16, aspect=2.0)
        letterbox = device_cutting(manifest(None, resize="letterbox"), 0.5)
        assert letterbox == Cutting(padding=0.5, slack=1.0, least_px=16, aspect=2.0)

    def test_has_the_last_word_on_padding(self) -> None:
        assert device_cutting(manifest(CUT), 0.0).padding == 0.0


def test_photos_are_cut_as_the_device_of_their_bundle_cuts() -> None:
    for resize in ("squash", "crop", "letterbox"):
        cut = cut_for(resize, padding=0.2, min_size=0.03)  # type: ignore[arg-type]
        square = InputTensor(width=96, height=96, dtype="int8", quantization=LINEAR)
        device = device_cutting(manifest(cut, input=square), None)
        place = Place(100, 100, 180, 120)
        assert device.around(place, 640, 480) == cutting_of(cut).around(place, 640, 480)


class TestDoubts:
    def doubt(self, cut: Cut | None, **given: Any) -> str | None:
        return doubt_about(manifest(cut), **{"locates": True, "padding": None, "min_size": 0.025, **given})

    def test_none_if_both_do_the_same(self) -> None:
        assert self.doubt(CUT) is None
        assert self.doubt(CUT, padding=0.1, min_size=0.1) is None
        assert self.doubt(None, locates=False) is None

    @pytest.mark.parametrize(
        ("cut", "given", "words"),
        [
            (CUT, {"locates": False}, 'locate.method is off, which shows it whole pictures: set it to "motion"'),
            (CUT, {"padding": 0.3}, "locate.padding is 0.3, and the bundle's photos were cut with 0.1: leave it out"),
            (
                CUT,
                {"min_size": 0.01},
                "locate.min_size is 0.01, and no box in the bundle's photos was smaller than 0.025",
            ),
            (None, {}, r"learned whole photos, and \[locate\] shows it parts.*set locate.padding"),
        ],
    )
    def test_in_one_line_with_the_fix(self, cut: Cut | None, given: dict[str, Any], words: str) -> None:
        doubt = self.doubt(cut, **given)
        assert doubt is not None
        assert "\n" not in doubt
        assert re.search(words, doubt)

    def test_none_about_an_imported_model_that_nobody_knows(self) -> None:
        imported = manifest(None, origin=Origin(kind="imported", source="m.tflite", tool="fieldfare"))
        assert doubt_about(imported, locates=True, padding=0.5, min_size=0.01) is None

    @pytest.mark.parametrize("padding", [0.0, 0.1])
    def test_is_none_if_a_person_has_set_the_margin_for_a_bundle_of_photos_that_nothing_here_cut(
        self, padding: float
    ) -> None:
        assert self.doubt(None) is not None
        assert self.doubt(None, padding=padding) is None
