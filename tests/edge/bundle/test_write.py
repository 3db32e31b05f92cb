"""Bundles are written whole, and never over anything but a bundle."""

from pathlib import Path

import msgspec
import pytest

from edge.bundle.store import Bundle, open_bundle
from edge.bundle.write import check_target, save
from edge.errors import OutputExistsError, StorageError
from edge.portable import renames


def at(bundle: Bundle, path: Path) -> Bundle:
    return Bundle(path, bundle.manifest, bundle.bundle_id, bundle.labels, bundle.contents)


@pytest.mark.parametrize("name", ["birds", "birds.fieldfare", "deep/er/birds"])
def test_it_is_there_whole_and_can_be_replaced(sealed: Bundle, tmp_path: Path, name: str) -> None:
    target = at(sealed, tmp_path / name)
    save(target)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        save(target)
    save(target, overwrite=True)
    assert open_bundle(tmp_path / name).bundle_id == sealed.bundle_id


def test_overwrite_leaves_what_is_no_bundle_alone(sealed: Bundle, tmp_path: Path) -> None:
    folder, file = tmp_path / "thesis", tmp_path / "thesis.fieldfare"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "text.txt").write_text("years of work")
    file.write_text("years of work")
    for path in (folder, file, tmp_path):
        with pytest.raises(OutputExistsError, match="is not a bundle"):
            save(at(sealed, path), overwrite=True)
    assert (folder / "sub" / "text.txt").read_text() == file.read_text() == "years of work"


def test_a_bundle_with_something_added_is_left_alone(sealed: Bundle, bundle_copy: Path) -> None:
    (bundle_copy / "notes").mkdir()
    with pytest.raises(OutputExistsError, match="is not a bundle"):
        save(at(sealed, bundle_copy), overwrite=True)


def test_ctrl_c_between_the_renames_keeps_the_old_one(
    sealed: Bundle, bundle_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system that cannot exchange two directories in one step."""
    monkeypatch.setattr(renames, "libc", object)
    real = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(at(sealed, bundle_copy), overwrite=True)
    assert open_bundle(bundle_copy).bundle_id == sealed.bundle_id
    assert [p.name for p in bundle_copy.parent.iterdir()] == [bundle_copy.name]


@pytest.mark.parametrize("name", ["x" * 300, "file/below"])
def test_a_place_that_cannot_be_written_is_found_out_before_the_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        check_target(tmp_path / name, overwrite=False)
    assert str(caught.value).count(name) == 1


def test_the_id_covers_every_file(sealed: Bundle, tmp_path: Path) -> None:
    from edge.bundle.write import seal

    kept = {n: d for n, d in sealed.contents.items() if not n.startswith("manifest")}
    renamed = msgspec.structs.replace(sealed.manifest, name="other")
    assert seal(tmp_path, sealed.manifest, kept).bundle_id == sealed.bundle_id
    assert seal(tmp_path, renamed, kept).bundle_id != sealed.bundle_id
    labels = kept["labels.txt"].replace(b"background", b"Background")
    assert seal(tmp_path, sealed.manifest, {**kept, "labels.txt": labels}).bundle_id != sealed.bundle_id
    assert list(tmp_path.iterdir()) == []
