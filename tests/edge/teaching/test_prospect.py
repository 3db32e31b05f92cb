"""What a bundle shows of its teaching before anything is fitted."""

import os
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
import pytest
from colour_bundles import colour_bundle

from edge.bundle.store import Bundle
from edge.bundle.write import save, seal
from edge.errors import BundleError, MissingInputError
from edge.teaching import prospect
from edge.teaching.last_layer import read_last_layer
from edge.teaching.prospect import read_pupil
from edge.teaching.remembering import Remembered, remember


def with_model(bundle: Bundle, model: bytes, out: Path) -> Path:
    files = {name: data for name, data in bundle.contents.items() if not name.startswith("manifest.")}
    save(seal(out, bundle.manifest, {**files, bundle.manifest.model: model}))
    return out


@pytest.mark.parametrize(("learned", "others", "judged_by"), [(0, 0, 0), (4, 0, 4), (4, 7, 7), (0, 7, 7)])
def test_remembered_examples_count_as_teaching_judges_by_them(
    tmp_path: Path, learned: int, others: int, judged_by: int
) -> None:
    bundle = colour_bundle(tmp_path / "old")
    assert read_pupil(tmp_path / "old").remembered == 0
    scale = read_last_layer(bundle.model).of_input
    kinds = [(learned, True), (others, False)]
    examples = [Remembered.of(np.zeros((n, 3)), np.zeros(n, np.int64), learned=kind) for n, kind in kinds]
    out = with_model(bundle, remember(bundle.model, scale, examples[0] + examples[1]), tmp_path / "new")
    assert read_pupil(out).remembered == judged_by


def test_a_model_that_cannot_be_taught_is_one_with_a_fault(tmp_path: Path) -> None:
    colour_bundle(tmp_path / "old", ending=("LOGISTIC",))
    pupil = read_pupil(tmp_path / "old")
    assert pupil.fault is not None
    assert "cannot be taught" in pupil.fault


def test_a_layer_too_wide_for_the_pages_is_for_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colour_bundle(tmp_path / "old")
    monkeypatch.setattr(prospect, "_MOST_WEIGHTS", 8)
    monkeypatch.setattr(prospect, "read_last_layer", lambda _: pytest.fail("it takes the memory"))
    assert read_pupil(tmp_path / "old").fault == "its last layer has 9 weights, at most 8 here: use the command"


def test_it_is_read_again_only_if_it_has_changed(tmp_path: Path) -> None:
    bundle = colour_bundle(tmp_path / "old")
    with mock.patch.object(prospect, "open_bundle", wraps=prospect.open_bundle) as opened:
        first = read_pupil(tmp_path / "old")
        assert read_pupil(tmp_path / "old") is first
        assert opened.call_count == 1
        files = {name: data for name, data in bundle.contents.items() if not name.startswith("manifest.")}
        save(seal(tmp_path / "old", msgspec.structs.replace(bundle.manifest, name="other"), files), overwrite=True)
        assert read_pupil(tmp_path / "old").name == "other"


def test_what_is_no_bundle_is_an_error_of_ours(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    for name, kind in (("pipe", BundleError), ("empty", MissingInputError), ("nowhere", MissingInputError)):
        with pytest.raises(kind, match=name):
            read_pupil(tmp_path / name)
    with pytest.raises(MissingInputError):
        read_pupil(tmp_path / "a\0b")
