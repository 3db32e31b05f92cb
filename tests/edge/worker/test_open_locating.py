"""Settings become what finds things in frames."""

from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from software_tpu import SoftwareTpu

from edge.bundle.cut import Cut
from edge.bundle.store import Bundle
from edge.config.locating import Locate
from edge.config.running import Engine
from edge.config.settings import Settings
from edge.errors import EngineError, MissingInputError, ModelError
from edge.worker.locating import doubt_of, open_cutter, open_detector

CPU = Engine(device="cpu")


def settings(**locate: object) -> Settings:
    return Settings(bundle="b", engine=CPU, locate=Locate(**locate))  # type: ignore[arg-type]


def test_off_is_nothing(sealed: Bundle) -> None:
    assert open_cutter(sealed.manifest, settings()) is None


def test_motion_needs_no_model(sealed: Bundle) -> None:
    cutter = open_cutter(sealed.manifest, settings(method="motion"))
    assert cutter is not None
    assert (cutter.motion is not None, cutter.detector) == (True, None)


def test_parts_are_cut_as_the_bundles_photos_were_unless_the_settings_do_otherwise(sealed: Bundle) -> None:
    cut = Cut(padding=0.5, slack=1.0, least_px=16, min_size=0.025)
    manifest = structs.replace(sealed.manifest, cut=cut)
    picture = np.zeros((240, 320, 3), np.uint8)
    for padding, side in ((None, 80), (0.0, 40)):
        cutter = open_cutter(manifest, settings(method="motion", padding=padding))
        assert cutter is not None
        assert cutter.around(picture, (0.5, 0.5, 0.125, 0.125)).shape == (side, side, 3)
    assert doubt_of(manifest, Locate(method="motion")) is None
    for wrong in (Locate(), Locate(method="motion", padding=0.0)):
        assert doubt_of(manifest, wrong)


def test_a_detector_runs_on_the_cpu(sealed: Bundle, shared: Path) -> None:
    model = str(shared / "models" / "traffic_model.tflite")
    cutter = open_cutter(sealed.manifest, settings(method="model", model=model))
    assert cutter is not None
    assert (cutter.motion, cutter.detector is not None) == (None, True)


def test_a_compiled_one_goes_to_the_edge_tpu(
    software_tpu: SoftwareTpu, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coral's compiled classifier runs there, and only then shows that it finds no boxes."""
    for name, value in software_tpu.environment.items():
        monkeypatch.setenv(name, value)
    model = str(shared / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite")
    with pytest.raises(ModelError, match="outputs 1x1001: a detector has boxes"):
        open_detector(Locate(method="model", model=model), Engine(edgetpu_library=str(software_tpu.library)))
    with pytest.raises(EngineError, match="no Edge TPU"):
        open_detector(Locate(method="model", model=model), Engine(edgetpu_library="/nowhere/libedgetpu.so.1"))


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("absent.tflite", MissingInputError, "cannot read: No such file"),
        (".", MissingInputError, "cannot read: Is a directory"),
        ("damaged.tflite", ModelError, "refused the detector"),
    ],
)
def test_what_is_no_model_is_an_error_that_names_the_key(
    tmp_path: Path, name: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "damaged.tflite").write_bytes(b"\0" * 100)
    with pytest.raises(error, match=rf"^locate\.model .*{words}"):
        open_detector(Locate(method="model", model=str(tmp_path / name)), CPU)
