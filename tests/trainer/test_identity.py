"""What makes a training this one and no other: it is resumed only with the same preparation and alterations."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.errors import OutputExistsError
from trainer.dataset.listing import SPLITS
from trainer.learning.checkpoint import opened
from trainer.networks.families import Network
from trainer.options import Options
from trainer.train import _identity


def identity(**chosen: Any) -> dict[str, object]:
    options = Options(Path("photos"), Path("bundle"), Network("mobilenet_v2", 0.35, 96), "none", **chosen)
    prints = np.zeros((4, 32), np.uint8)
    listing = SimpleNamespace(labels=np.arange(4) % 2, machine_made=np.zeros(0, np.int64))
    photos = SimpleNamespace(hashes=prints, greys=prints, listing=listing)
    data = SimpleNamespace(photos=photos, splits=dict.fromkeys(SPLITS, np.arange(4)), classes=("owl", "wren"))
    return _identity(SimpleNamespace(options=options, weights=None), data)  # type: ignore[arg-type]


def test_a_training_of_before_there_was_preparation_goes_on() -> None:
    assert not {"preparation", "any way up", "mirror, vertically", "grey nights"} & set(identity())


@pytest.mark.parametrize(
    ("chosen", "difference"),
    [
        ({"prepare": ("grey", "clahe")}, "another preparation"),
        ({"any_way_up": True}, "another any way up"),
        ({"mirror_vertical": True}, "another mirror, vertically"),
        ({"nights": 0.3}, "another grey nights"),
    ],
)
def test_other_pictures_are_another_training(tmp_path: Path, chosen: dict[str, Any], difference: str) -> None:
    with opened(tmp_path / "bundle", restart=False) as checkpoints:
        checkpoints.identify(identity())
        checkpoints.save("head", {"kernel": np.zeros(1)})
        with pytest.raises(OutputExistsError, match=difference):
            checkpoints.identify(identity(**chosen))
        checkpoints.identify(identity())
