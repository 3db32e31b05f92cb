"""Options that a training of the head alone makes no use of are named, and no others."""

from pathlib import Path
from typing import Any

import pytest

from trainer.learning.frozen import unused_in_words
from trainer.networks.families import Network
from trainer.options import Options


def words(**given: Any) -> str | None:
    return unused_in_words(Options(Path("photos"), Path("birds"), Network("mobilenet_v2", 0.35, 224), "x", **given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mirror": False},
        {"mirror_vertical": True},
        {"class_weights": "sqrt", "machine_weight": 0.1, "prepare": ("grey",), "min_precision": 0.9},
    ],
)
def test_what_the_head_uses_is_not_named(given: dict[str, Any]) -> None:
    assert words(**given) is None


def test_what_it_does_not_use_is_one_line() -> None:
    start = "warning: only the head is trained, which "
    assert words(nights=0.3) == f"{start}makes no use of --nights"
    assert words(any_way_up=True) == f"{start}turns photos by quarters only (--any-way-up)"
    assert words(nights=0.3, patience=3, precision="mixed", any_way_up=True, mirror_vertical=True) == (
        f"{start}makes no use of --nights, --patience, --precision and turns photos by quarters only (--any-way-up)"
    )
