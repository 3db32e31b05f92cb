"""Photos for a training: the warnings about them before anything is learned."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.bundle.manifest import Preprocessing
from trainer.dataset.listing import list_photos
from trainer.networks.families import Network
from trainer.options import Options
from trainer.prepare import load
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
        yield lambda _: None


def test_links_that_lead_nowhere_are_a_warning(tmp_path: Path, shapes: Shapes, spec: Preprocessing) -> None:
    photos, heard = shapes(tmp_path / "photos", 8), Heard()
    (photos / "red-disc" / "gone.jpg").symlink_to(tmp_path / "unplugged" / "gone.jpg")
    options = Options(data=photos, out=tmp_path / "bundle", network=Network("mobilenet_v2", 0.35, 32), weights="none")
    data = load(RunContext(options, spec, None, tmp_path, heard, Clock()), list_photos(photos))
    data.photos.pixels.close()
    assert len(data.photos.listing.photos) == 24
    assert any(line.startswith("warning: 1 link to a photo leads nowhere. Training goes on") for line in heard.said)
