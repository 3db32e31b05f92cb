"""Photos for a training: the warnings about them before anything is learned."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.bundle.manifest import Preprocessing
from edge.errors import DataError, MissingInputError
from edge.locating.cuts import cut_for
from trainer.cropping.record import CropRecord
from trainer.dataset.listing import list_photos
from trainer.networks.families import Network
from trainer.options import Options
from trainer.prepare import find_taxonomy, list_outside, load, load_outside
from trainer.run_context import RunContext
from trainer.stage_clock import Clock

Shapes = Callable[[Path, int], Path]


class Heard:
    """A Progress that keeps its messages."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        self.said.append(f"stage: {title}")
        yield lambda _: None


def test_what_is_passed_over_is_said_by_class_before_anything_is_decoded(
    tmp_path: Path, shapes: Shapes, spec: Preprocessing
) -> None:
    photos, heard = shapes(tmp_path / "photos", 8), Heard()
    for number in range(40):
        (photos / "red-disc" / f"IMG_{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (photos / "loose.jpg").touch()
    (photos / "thumbnails").mkdir()
    (photos / "thumbnails" / "1.jpg").touch()
    options = Options(data=photos, out=tmp_path / "bundle", network=Network("mobilenet_v2", 0.35, 32), weights="none")
    load(RunContext(options, spec, None, tmp_path, heard, Clock()), list_photos(photos)).photos.pixels.close()
    assert heard.said[:4] == [
        "warning: red-disc: 40 of 48 files passed over: 40 .heic (convert them to JPEG)",
        "warning: 1 photo beside the class folders, in no class: passed over",
        "warning: the folder 'thumbnails' (1 photo) is not looked into, because systems use that name: rename it if "
        "it is a class",
        "stage: reading photos",
    ]
    assert any(
        line.startswith("1 more warning on the photos is in") for line in heard.said
    )  # few photos; the others were said


def test_what_is_passed_over_of_outside_is_said_too(tmp_path: Path, shapes: Shapes, spec: Preprocessing) -> None:
    photos, heard = shapes(tmp_path / "photos", 8), Heard()
    outside = tmp_path / "outside"
    (outside / "@eaDir").mkdir(parents=True)
    (outside / "@eaDir" / "1.jpg").touch()
    for number in range(5):
        (outside / f"{number}.heic").touch()
    with pytest.raises(MissingInputError, match=r"no photos there \(.*\) \(5 of 5 files passed over: 5 \.heic"):
        list_outside(outside)
    (outside / "1.jfif").write_bytes(next((photos / "red-disc").iterdir()).read_bytes())
    options = Options(data=photos, out=tmp_path / "bundle", network=Network("mobilenet_v2", 0.35, 32), weights="none")
    listing = list_outside(outside)
    assert listing is not None
    loaded = load_outside(RunContext(options, spec, None, tmp_path, heard, Clock()), listing)
    assert loaded is not None
    loaded.pixels.close()
    assert len(loaded.listing.photos) == 1
    assert heard.said[0] == "warning: --outside: 5 of 6 files passed over: 5 .heic (convert them to JPEG)"


def test_links_that_lead_nowhere_are_a_warning(tmp_path: Path, shapes: Shapes, spec: Preprocessing) -> None:
    photos, heard = shapes(tmp_path / "photos", 8), Heard()
    (photos / "red-disc" / "gone.jpg").symlink_to(tmp_path / "unplugged" / "gone.jpg")
    options = Options(data=photos, out=tmp_path / "bundle", network=Network("mobilenet_v2", 0.35, 32), weights="none")
    data = load(RunContext(options, spec, None, tmp_path, heard, Clock()), list_photos(photos))
    data.photos.pixels.close()
    assert len(data.photos.listing.photos) == 24
    assert any(line.startswith("warning: 1 link to a photo leads nowhere. Training goes on") for line in heard.said)


def test_parts_of_one_photo_are_never_learned_from_and_tested_on(
    tmp_path: Path, shapes: Shapes, spec: Preprocessing
) -> None:
    """Two parts of a photo need not look alike: near-duplicates would not keep them together."""
    photos = shapes(tmp_path / "photos", 24)
    for path in sorted(photos.rglob("*.jpg")):
        number = int(path.stem)
        path.rename(path.with_name(f"{number // 2}.jpg@{number % 2}-0-9x9.jpg"))
    options = Options(data=photos, out=tmp_path / "bundle", network=Network("mobilenet_v2", 0.35, 32), weights="none")
    record = CropRecord(cut=cut_for("squash", padding=0, min_size=0.025))
    run = RunContext(options, spec, None, tmp_path, Heard(), Clock(), crop=record)
    data = load(run, list_photos(photos))
    data.photos.pixels.close()
    names = [photo.path.with_name(photo.path.name.partition("@")[0]) for photo in data.photos.listing.photos]
    sides = {split: {names[index] for index in indices} for split, indices in data.splits.items()}
    assert sum(map(len, sides.values())) == len(set(names)) == 36


class TestTaxonomy:
    """taxonomy.csv lies beside the class folders."""

    HEADER = "label,scientific_name,kind\n"

    def found(self, photos: Path) -> tuple[bytes | None, list[str]]:
        heard = Heard()
        return find_taxonomy(list_photos(photos), heard), heard.said

    def test_there_need_be_none(self, tmp_path: Path, shapes: Shapes) -> None:
        assert self.found(shapes(tmp_path / "photos", 8)) == (None, [])

    def test_it_is_found_and_is_no_stray(self, tmp_path: Path, shapes: Shapes) -> None:
        photos = shapes(tmp_path / "photos", 8)
        classes = list_photos(photos).classes
        text = self.HEADER + "".join(f"{name},,object\n" for name in classes)
        (photos / "taxonomy.csv").write_text(text)
        assert self.found(photos) == (text.encode(), [])
        listing = list_photos(photos)
        assert (listing.classes, listing.passed_over, listing.loose) == (classes, (), 0)

    def test_what_differs_from_the_classes_is_a_warning(self, tmp_path: Path, shapes: Shapes) -> None:
        photos = shapes(tmp_path / "photos", 8)
        (photos / "taxonomy.csv").write_text(f"{self.HEADER}red-disk,,object\n")
        data, said = self.found(photos)
        assert data is not None
        file = photos / "taxonomy.csv"
        assert said[0] == f"warning: {file}: no class is called 'red-disk': is 'red-disc' meant?"
        assert said[1].startswith(f"warning: {file}: no line for ")

    def test_one_that_is_wrong_is_an_error(self, tmp_path: Path, shapes: Shapes) -> None:
        photos = shapes(tmp_path / "photos", 8)
        (photos / "taxonomy.csv").write_text(f"{self.HEADER}red-disc,,thing\n")
        with pytest.raises(DataError, match=r"photos/taxonomy\.csv: line 2: kind 'thing': must be animal"):
            self.found(photos)
        (photos / "taxonomy.csv").unlink()
        (photos / "taxonomy.csv").symlink_to(tmp_path / "unplugged.csv")
        with pytest.raises(MissingInputError, match="cannot read"):
            self.found(photos)
