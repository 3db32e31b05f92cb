"""Photos in groups, and a browser before the pages that sort them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Browser
from PIL import Image

from edge.pages.sorting.desk import Desk
from edge.pages.sorting.own import Key, build_own, opening_path
from edge.sorting.places import Files
from edge.sorting.records import Found
from edge.sorting.session import Session

COLOURS = ("red", "green", "blue")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three colours of four photos each."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for colour in COLOURS:
        for number in range(4):
            Image.new("RGB", (64, 48), colour).save(folder / f"{colour}-{number}.jpg")
    return folder


@pytest.fixture
def session(tmp_path: Path, photos: Path) -> Iterator[Session]:
    """Group 1 is red, pictures 1 to 4; group 2 green, 5 to 8; group 3 blue, 9 to 12."""
    names = [f"{colour}-{number}.jpg".encode() for colour in COLOURS for number in range(4)]
    with Session(tmp_path / "session.db") as opened:
        opened.add(Found(name, name, 1 + place // 4) for place, name in enumerate(names))
        yield opened


@pytest.fixture
def desk(photos: Path, session: Session, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(
        tmp_path / "session.db",
        Files(photos, confined=False),
        here="",
        out=tmp_path / "photos-sorted",
        classes=["moss"],
        session=session,
    )
    yield made
    made.close()


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def stranger(desk: Desk, key: Key) -> Browser:
    """A browser that did not open the address with the key."""
    return Browser(build_own(desk, key, 4711), host="127.0.0.1:4711")


@pytest.fixture
def browser(stranger: Browser, key: Key) -> Browser:
    """A browser that did."""
    assert stranger.get(opening_path(key)).headers["location"] == "/sort"
    return stranger
