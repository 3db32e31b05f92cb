#!/usr/bin/env python3
"""Make pictures of every page, in three widths, light and dark, such as those that docs/pages.md shows.

    python tools/screenshots.py --store demo-out/events.db --only events-360-light event-360-light counts-768-light
    python tools/screenshots.py --photos FOLDER --out OUT --whole
    python tools/screenshots.py --label demo-out/photos/train --named seven --only label-768-light label-group-360-light

Needs Chromium (Debian: apt install chromium) and the packages of [dev]. --store: with pictures, such as ./tools/demo
leaves; it is copied first, as some pictures show what a mark does. --photos: a folder with a folder of photos for each
label, of which a store is made for this. --label: such a folder, whose photos are sorted with `fieldfare label`,
without their labels. The older half of the events is marked, and a bundle of made-up figures waits, for *Teach*. The
pages are found by following links, so new ones need no word here. Writes NAME-WIDTH-light.png or -dark.png.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.pages.sorting.routes import ON_DESKTOP
from tools.driving.chromium import chromium
from tools.driving.client import Client
from tools.driving.looking import HEIGHTS, Person, Scheme, meet
from tools.driving.photo_store import photo_store
from tools.driving.served import ROOT, Served, labelling, served
from tools.driving.sorted_store import sort_some
from tools.driving.taught_store import leave_taught, make_teachable, settings_of
from tools.driving.tour import Tour, take

Shots = dict[str, Callable[[Page], object]]
# Pictures that are loaded once they are in sight are there.
_IN_SIGHT = "() => [...document.images].every(one => one.complete || one.getBoundingClientRect().top > innerHeight)"
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def name_of(route: str) -> str:
    """Return a name for a page: /events/{number} shows one of the events, so it is "event"."""
    words = route.strip("/").split("/")
    singular = [
        word.removesuffix("s") if place + 1 < len(words) and words[place + 1].startswith("{") else word
        for place, word in enumerate(words)
        if not word.startswith("{")
    ]
    return "-".join(singular) or "start"


def _marked(page: Page) -> None:
    """After a press of "Right"."""
    page.goto("/events")
    page.get_by_role("button", name="Right").first.click()
    page.get_by_role("button", name="Undo").wait_for()


def _conflict(page: Page) -> None:
    """Somebody else marks the event that this one marks."""
    page.goto("/events")
    other = page.context.new_page()
    _marked(other)
    page.get_by_role("button", name="Wrong").first.click()
    page.get_by_role("button", name="Mark them all the same").wait_for()
    other.close()


def _refused(page: Page) -> None:
    page.goto("/events/999999999")


def _selected(page: Page) -> None:
    """Two events are selected, and the choice of events is open."""
    page.goto("/events")
    page.locator("summary").first.click()
    for place in (0, 2):
        page.get_by_role("checkbox").nth(place).check()


# What no link leads to.
STATES: dict[str, Callable[[Page], None]] = {
    "events-selected": _selected,
    "events-marked": _marked,
    "conflict": _conflict,
    "refused": _refused,
}


def shots(tour: Tour) -> Shots:
    """Return all pictures of pages by name, each with how to get to what it shows."""
    found: Shots = {
        name_of(route): lambda page, address=address: page.goto(address) for route, address in tour.pages.items()
    }
    return found


def shoot(person: Person, name: str, show: Callable[[Page], object], given: argparse.Namespace) -> None:
    """Write all pictures of one page, or those that are asked for."""
    for width in HEIGHTS:
        for scheme in SCHEMES:
            file = given.out / f"{name}-{width}-{scheme}.png"
            if given.only and file.stem not in given.only:
                continue
            person.resize(width, scheme)
            show(person.page)
            person.page.wait_for_load_state("load")
            person.page.wait_for_function(_IN_SIGHT)
            person.page.screenshot(path=file, full_page=given.whole)
            print(file)


@contextmanager
def copied(given: argparse.Namespace) -> Iterator[Path]:
    """Yield the settings of a store that may be changed."""
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        if given.photos is not None:
            store = photo_store(Path(folder), given.photos, given.events)
        else:
            shutil.copytree(given.store.resolve().parent, Path(folder) / "state", ignore=_others(given.store))
            store = Path(folder) / "state" / given.store.name
        sort_some(store, given.named)
        bundle = make_teachable(store)
        leave_taught(store, bundle)
        yield settings_of(store, bundle)


def _others(store: Path) -> Callable[[str, list[str]], list[str]]:
    """Return what leaves out all but the store, its journal and its pictures: a password, and what is large."""

    def ignore(folder: str, names: list[str]) -> list[str]:
        if Path(folder) != store.resolve().parent:
            return []
        kept = {store.name, f"{store.name}-wal", "pictures", "harvest"}
        return [name for name in names if name not in kept]

    return ignore


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--store", type=Path)
    what.add_argument("--photos", type=Path)
    what.add_argument("--label", type=Path, metavar="PHOTOS")
    parser.add_argument("--events", type=int, default=120, help="made of the photos; or how many of them are sorted")
    parser.add_argument("--named", default="fox", help="what a group of sorted pictures is called")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/pictures")
    parser.add_argument("--only", nargs="*", help="names without .png, such as events-360-light")
    parser.add_argument("--whole", action="store_true", help="as high as the page, not as the window")
    return parser.parse_args()


@contextmanager
def store_pages(given: argparse.Namespace) -> Iterator[tuple[Served, Client, Shots]]:
    """Serve a store, and yield how to get to each picture of its pages."""
    with copied(given) as settings, served(settings) as site:
        client = Client(site.address)
        yield site, client, shots(take(client)) | STATES


@contextmanager
def label_pages(given: argparse.Namespace) -> Iterator[tuple[Served, Client, Shots]]:
    """Serve photos that are sorted, some of them named, in the same way."""
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        found = sorted(path for path in given.label.glob("*/*") if path.is_file())
        for path in random.Random(0).sample(found, min(len(found), given.events)):
            shutil.copyfile(path, photos / f"{path.parent.name}-{path.name}")
        with labelling(photos) as site:
            client = Client(site.address)
            client.cookie = client.get(site.opening).headers["set-cookie"].partition(";")[0]
            client.post("/sort/changes", [("of", "list"), ("group", "1"), ("seen", "0"), ("name", given.named)])
            found_pages = take(client, ("/sort",), [path for path, _, method in ON_DESKTOP if method == "GET"])
            named = {name.replace("sort", "label", 1): show for name, show in shots(found_pages).items()}
            yield site, client, named


def main() -> None:
    """Make those that the command line wants."""
    given = parse_arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    kind = store_pages if given.label is None else label_pages
    with kind(given) as (site, client, named), chromium() as browser:
        person = meet(browser, site.address)
        person.open(site.opening)
        for name, show in named.items():
            shoot(person, name, show, given)
        client.close()


if __name__ == "__main__":
    main()
