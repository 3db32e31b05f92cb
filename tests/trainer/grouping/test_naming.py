"""A bundle sees the photos and names their groups."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from heard import Heard

from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.embedding.source import BundleFeatures
from edge.importing.importer import Question, Told, import_model
from trainer.grouping.naming import name_groups
from trainer.grouping.pictures import thumbnails
from trainer.grouping.views import BothWays, halves


def no_questions(question: Question) -> str:
    raise AssertionError(f"asked for {question.option}")


@pytest.fixture(scope="module")
def bundle(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    made = import_model(
        shared / "models" / "mobilenet_v1_0.25_128_quant.tflite",
        tmp_path_factory.mktemp("bundle") / "birds",
        Told(resize="squash"),
        no_questions,
    )
    save(made)
    return made


def test_a_group_has_the_name_of_what_it_shows(bundle: Bundle, shared: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    samples = [[shared / "models" / "parrot.jpg", broken], [broken], []]
    names = name_groups(bundle, samples, workers=1, progress=Heard())
    assert [None if name is None else name.label.split(",")[0] for name in names] == ["macaw", None, None]
    assert all(0 < name.score <= 1 for name in names if name is not None)


def test_features_come_from_either_side(bundle: Bundle, shared: Path) -> None:
    source = BundleFeatures(bundle)
    side = source.tensor.width
    picture = cv2.resize(cv2.imread(str(shared / "models" / "parrot.jpg")), (side, side))[None]
    both = BothWays(source)
    one, mirrored = halves(both.features(np.asarray(picture, np.uint8)))
    assert both.channels == 2 * source.channels
    assert np.array_equal(one, source.features(picture))
    assert np.array_equal(mirrored, source.features(np.ascontiguousarray(picture[:, :, ::-1])))
    both.close()


def test_small_pictures_keep_their_shape_and_leave_out_what_cannot_be_read(shared: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    found = thumbnails([shared / "models" / "parrot.jpg", broken], workers=1, progress=Heard())
    assert list(found) == [shared / "models" / "parrot.jpg"]
    assert found[shared / "models" / "parrot.jpg"].startswith("data:image/jpeg;base64,")
