"""A store of events, and browsers before its pages."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import PASSWORD, Browser, Locked

from edge.pages.access.attempts import Attempts
from edge.pages.access.password import Password, make
from edge.pages.access.sessions import Sessions
from edge.pages.application import build
from edge.pages.site import Site
from tools.make_store import made_events, make_store


@pytest.fixture(scope="session")
def password() -> Password:
    return make(PASSWORD)


@pytest.fixture(autouse=True)
def warsaw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time zone of this machine."""
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    make_store(folder / "events.db", made_events(60, side=16))
    return folder


@pytest.fixture
def store(_made: Path, tmp_path: Path) -> Path:
    """A night of 60 events with small pictures, numbers 1 to 60."""
    shutil.copytree(_made, tmp_path / "state")
    return tmp_path / "state/events.db"


@pytest.fixture
def site(store: Path) -> Site:
    """Pages without a password."""
    return Site(store=store, run_dir=None, password=None, sessions=None, attempts=Attempts())


@pytest.fixture
def browser(site: Site) -> Browser:
    """A browser on the machine itself."""
    return Browser(build(site))


@pytest.fixture
def locked(site: Site, password: Password, tmp_path: Path) -> Locked:
    """Makes browsers before pages with a password."""
    sessions = Sessions(tmp_path, password.id)
    return Locked(build(replace(site, password=password, sessions=sessions)), sessions)
