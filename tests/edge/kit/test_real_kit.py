"""The kit for a Pi, from the package index: what a user gets."""

import os
from pathlib import Path

import pytest
from made_kits import SCRIPT
from tiny_models import bundle_of, sound_model

from edge.errors import UnavailableError
from edge.kit import delivered
from edge.kit.build import Made, Order, build_kit
from edge.kit.reading import open_kit
from edge.kit.targets import TARGETS

MOST_BYTES = 150_000_000


def build(folder: Path, name: str) -> Made:
    order = Order(TARGETS["trixie-arm64"], folder / "colours", folder / name, wheels=folder / "wheels")
    return build_kit(order, lambda _: None)


@pytest.mark.slow
def test_the_kit_for_a_pi_is_small_and_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "install.sh").write_bytes(SCRIPT)
    monkeypatch.setattr(delivered, "_INSTALL_SCRIPT", tmp_path / "install.sh")
    bundle_of(sound_model(), tmp_path / "colours")
    try:
        made = build(tmp_path, "one.tar")
    except UnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    assert made.size < MOST_BYTES
    assert open_kit(tmp_path / "one.tar") == (made.kit, made.size)
    # Without a network now.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    build(tmp_path, "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
