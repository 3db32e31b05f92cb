"""A store that looks real, its pages on a port of this machine, and people with Chromium before them."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.pages_driven import plugged_in
from tests.pages_driven.beside import Service
from tests.pages_driven.scenery import ODD_LABELS, PASSWORD, furnish, settings_for
from tools.driving.chromium import chromium, find_chromium
from tools.driving.client import Client
from tools.driving.looking import Meet, Person, meet
from tools.driving.served import Served, make_certificate, served, set_password
from tools.driving.sorted_store import sort_some
from tools.driving.taught_store import leave_taught, make_teachable
from tools.driving.tour import Tour, take

ZONE = {**os.environ, "TZ": "Europe/Warsaw"}
Serve = Callable[..., Served]
# A busy machine takes long; what is right ends the wait at once.
PATIENCE_S = 60
expect.set_options(timeout=PATIENCE_S * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder runs in a browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("browser")


@pytest.fixture(scope="package")
def chrome() -> Iterator[Browser]:
    """Chromium, started once in each worker of pytest. It ends before other folders' tests begin: Playwright keeps an
    event loop on this thread, and theirs begin loops of their own."""
    if find_chromium() is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that tests must not change; its pages have a password."""
    folder = tmp_path_factory.mktemp("furnished")
    set_password(furnish(folder), PASSWORD)
    return folder


@pytest.fixture(scope="package")
def _room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder whose content each test gets anew, and whose pages go on from test to test."""
    return tmp_path_factory.mktemp("room")


@pytest.fixture
def store(furnished: Path, _room: Path) -> Path:
    """A store of the test's own. Its pages have no password."""
    for one in _room.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
    shutil.copytree(furnished, _room / "state", ignore=shutil.ignore_patterns("*.pages"))
    return _room / "state/events.db"


@pytest.fixture
def locked_store(furnished: Path, tmp_path: Path) -> Path:
    """The same, with the password."""
    shutil.copytree(furnished, tmp_path / "locked")
    return tmp_path / "locked/events.db"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the pages of a store. They must end without a traceback in their log."""
    with ExitStack() as stack:
        started: list[Served] = []

        def start(store: Path, *words: str, **options: Any) -> Served:
            started.append(stack.enter_context(served(store, *words, **options, **ZONE)))
            return started[-1]

        yield start
        for one in started:
            assert "Traceback" not in one.reported(), one.reported()
            assert one.process.poll() is None, one.reported()


@pytest.fixture(scope="package")
def _pages(_room: Path, furnished: Path) -> Iterator[Served]:
    """To start them takes a second or more of processor time."""
    # So that there is one at their start; each test then has its own in that place.
    shutil.copytree(furnished, _room / "state", ignore=shutil.ignore_patterns("*.pages"), dirs_exist_ok=True)
    with served(_room / "state/events.db", "--run-dir", str(_room / "run"), **ZONE) as site:
        yield site


@pytest.fixture
def site(_pages: Served, store: Path) -> Iterator[Served]:
    """The pages of `store`, which open it anew for each request."""
    known = len(_pages.reported())
    yield _pages
    reported = _pages.reported()[known:]
    assert "Traceback" not in reported, reported
    assert _pages.process.poll() is None, reported


@pytest.fixture
def person(chrome: Browser) -> Iterator[Meet]:
    """Makes people with a browser before a server. At the end none of them may have seen a fault: an error in the
    console, of the policy, or an answer that they did not expect."""
    met: list[Person] = []

    def one(site: Served, **words: object) -> Person:
        met.append(meet(chrome, site.address, **words))
        return met[-1]

    yield one
    for each in met:
        each.context.close()
    for each in met:
        each.take_leave()


@pytest.fixture
def run(store: Path) -> Path:
    """Where the service of `site` keeps its files; nothing is there."""
    return store.parent.with_name("run")


@pytest.fixture(scope="package")
def museum(furnished: Path) -> Iterator[Served]:
    """Pages with all that they can have, to be looked at only: a service beside them, settings, sticks and a
    certificate. They have no password."""
    folder = furnished.parent / f"{furnished.name}-open"
    shutil.copytree(furnished, folder, ignore=shutil.ignore_patterns("*.pages"))
    store = folder / "events.db"
    make_certificate(store)
    sort_some(store)
    bundle = make_teachable(store)
    leave_taught(store, bundle, ODD_LABELS[-2])
    plugged_in.plug_in(folder)
    with Service(folder / "run") as service:
        service.warn("camera: no frame for 10 s: tried again")
        words = ("--run-dir", str(service.run))
        with served(settings_for(store, bundle), *words, program=plugged_in.program(folder), **ZONE) as site:
            yield site
            assert "Traceback" not in site.reported(), site.reported()
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def tour(museum: Served) -> Tour:
    """An address for each route of the application."""
    client = Client(museum.address)
    found = take(client)
    client.close()
    return found


@pytest.fixture(scope="package")
def _visitors(chrome: Browser, museum: Served) -> Iterator[dict[bool, Person]]:
    """A window costs a second of processor time; those who only look keep theirs."""
    people = {scripts: meet(chrome, museum.address, scripts=scripts) for scripts in (True, False)}
    yield people
    for one in people.values():
        one.context.close()


@pytest.fixture
def visitor(_visitors: dict[bool, Person]) -> Iterator[Person]:
    """Somebody before the museum. They may not see a fault."""
    yield _visitors[True]
    _visitors[True].take_leave()


@pytest.fixture
def plain_visitor(_visitors: dict[bool, Person]) -> Iterator[Person]:
    """Somebody whose browser runs no scripts."""
    yield _visitors[False]
    _visitors[False].take_leave()
