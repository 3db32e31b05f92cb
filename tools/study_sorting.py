#!/usr/bin/env python3
"""Sort photos with known classes through the pages' own forms, as a person would, and count the clicks.

    python tools/study_sorting.py ../shared/data/trashnet --photos 500 [--bundle BIRDS] [--groups CSV] [--seed 0] \
        [--train OUT]

The true classes play the person: in the list of groups all that show mostly one class are ticked and named at once, by
the samples that are seen there; then each class is looked through, and what does not belong there is ticked and named.
A box ticked, a button or link pressed and a new name typed are a click each; one by one would be a click a photo.

--groups: the table of `fieldfare dataset group` on the folder that --keep made. --train: train on the result, and on
the true classes of the same photos, and test both on the test photos; takes minutes. Run it from the repository's root.
"""

import argparse
import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp

from edge.pages.sorting.desk import Desk
from edge.pages.sorting.own import Key, build_own, opening_path
from edge.sorting.grouping import group_pictures
from edge.sorting.places import Files
from edge.sorting.records import Part
from edge.sorting.session import Session
from edge.sorting.sources import grouped, of_table, photos_in

ROOT = Path(__file__).resolve().parent.parent
_PORT = 4711
_MOST_PRESSES = 20_000


@dataclass
class Browser:
    """Asks the application as a browser would, without a network, and counts what a person does there."""

    app: ASGIApp
    cookie: str = ""
    ticks: int = 0
    presses: int = 0
    typed: int = 0
    known: set[str] = field(default_factory=set)

    @property
    def clicks(self) -> int:
        """All of them."""
        return self.ticks + self.presses + self.typed

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, Mapping[str, str], str]:
        """Return status, headers and text of an answer."""
        return asyncio.run(self._ask(method, path, body))

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, Mapping[str, str], str]:
        parts = urlsplit(path)
        host = f"127.0.0.1:{_PORT}"
        headers = {"host": host, "origin": f"http://{host}", "cookie": self.cookie}
        headers["content-type"] = "application/x-www-form-urlencoded"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "root_path": "",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", _PORT),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:]).decode()

    def press(self, page: str, what: str, ticked: Sequence[str], name: str) -> None:
        """Tick boxes and name them. what: "picture" or "group"."""
        self.ticks += len(ticked)
        self.presses += 1
        fields = [*_hidden(page), *((what, number) for number in ticked)]
        if _has_button(page, name):
            fields.append(("class", name))
        else:
            self.typed += 1
            fields += [("name", name), ("do", "name")]
        status, _, text = self.ask("POST", "/sort/changes", urlencode(fields).encode())
        if status != 303:
            raise SystemExit(f"the page answered {status}: {text[-400:]}")


def _hidden(page: str) -> list[tuple[str, str]]:
    form = page.partition('class="sorting">\n<input')[2].partition("</form>")[0]
    pairs = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', "<input" + form)
    return [(name, unescape(value)) for name, value in pairs]


def _has_button(page: str, name: str) -> bool:
    return name in [unescape(value) for value in re.findall(r'<button name="class" value="([^"]*)"', page)]


def name_groups(browser: Browser, truth: Mapping[str, str]) -> None:
    """Name groups in the list by what most of their samples show, all of one class at once. truth: the class of each
    picture's number."""
    for _ in range(_MOST_PRESSES):
        page = browser.ask("GET", "/sort")[2]
        by_class: dict[str, list[str]] = defaultdict(list)
        for number, samples in re.findall(r'name="group" value="(\d+)"(.*?)</li>', page, re.DOTALL):
            shown = Counter(truth[one] for one in re.findall(r"/pictures/(\d+)/small", samples))
            by_class[shown.most_common(1)[0][0]].append(number)
        if not by_class:
            return
        name, groups = max(by_class.items(), key=lambda pair: len(pair[1]))
        browser.press(page, "group", groups, name)
    raise SystemExit("the list of groups never came to an end")


def correct(browser: Browser, truth: Mapping[str, str]) -> None:
    """Look through the sheets of each class, and give the pictures that do not belong there their own."""
    for name in sorted(set(truth.values())):
        at = 1
        for _ in range(_MOST_PRESSES):
            page = browser.ask("GET", f"/sort/class?{urlencode({'name': name, 'page': at})}")[2]
            shown = re.findall(r'name="picture" value="(\d+)"', page)
            wrong = Counter(truth[number] for number in shown if truth[number] != name)
            if wrong:
                other = wrong.most_common(1)[0][0]
                browser.press(page, "picture", [number for number in shown if truth[number] == other], other)
            elif 'rel="next"' in page:
                at += 1
                browser.presses += 1
            else:
                break


def drawn(data: Path, count: int, seed: int) -> list[Path]:
    """Return photos of the train and val folders, at random."""
    found = sorted(path for split in ("train", "val") for path in (data / split).rglob("*.jpg"))
    return sorted(random.Random(seed).sample(found, min(count, len(found))))


def prepare(data: Path, folder: Path, count: int, seed: int) -> dict[bytes, str]:
    """Copy photos without their classes into `folder`. Return the class of each by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    classes: dict[bytes, str] = {}
    for number, path in enumerate(drawn(data, count, seed)):
        name = f"{number:05}.jpg"
        shutil.copyfile(path, folder / name)
        classes[name.encode()] = path.parent.name
    return classes


def sort_through_pages(
    folder: Path, classes: Mapping[bytes, str], bundle: Path | None, table: Path | None, out: Path
) -> tuple[Browser, int]:
    """Sort the photos and export them to `out`. Return the browser with its counts, and how many groups there were."""
    session_path = folder.with_name(f"{folder.name}.study") / "session.db"
    files = photos_in(folder)
    if table is not None:
        found = of_table(table, folder)
    else:
        paths = [folder / name.decode() for name in files]
        found = list(grouped(files, group_pictures(paths, bundle, lambda *_: None, threads=2)))
    with Session(session_path) as session:
        session.add(found)
        desk = Desk(session_path, Files(folder, confined=False), here="", out=out, session=session)
        key = Key()
        browser = Browser(build_own(desk, key, _PORT))
        browser.cookie = browser.ask("GET", opening_path(key))[1]["set-cookie"].partition(";")[0]
        groups = session.totals().groups
        truth = {str(one.number): classes[one.file] for one in session.pictures(Part(), 0, 1_000_000)}
        name_groups(browser, truth)
        correct(browser, truth)
        browser.presses += 1
        status, _, text = browser.ask("POST", "/sort/export", b"how=copies")
        if status != 303:
            raise SystemExit(f"nothing was handed out: {text[-400:]}")
        desk.close()
    return browser, groups


def check(out: Path, classes: Mapping[bytes, str]) -> int:
    """Return how many exported photos are in the folder of their true class. The session renames no file."""
    return sum(classes[path.name.encode()] == path.parent.name for path in out.rglob("*.jpg"))


def train(photos: Path, data: Path, work: Path, epochs: int) -> float:
    """Train on class folders, test on the test photos of the data, and return the share of right answers, int8."""
    whole = work / "data"
    shutil.rmtree(whole, ignore_errors=True)
    (whole / "train").mkdir(parents=True)
    by_class: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(photos.rglob("*.jpg")):
        by_class[path.parent.name].append(path)
    for name, paths in by_class.items():
        for number, path in enumerate(paths):
            place = whole / ("val" if number % 6 == 0 else "train") / name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / path.name)
    shutil.copytree(data / "test", whole / "test")
    weights = sorted((ROOT.parent / "shared" / "weights").glob("*0.35*224*.h5"))
    words = ["train", whole, "--out", work / "bundle", "--epochs", epochs, "--overwrite", "--restart", "--json"]
    words += ["--weights", weights[0]] if weights else []
    command = [sys.executable, "-m", "edge", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the training ended with status {done.returncode} (above)")
    report = json.loads((work / "bundle-report.json").read_text())
    return float(report["test"]["top1"]["value"])


def main() -> None:
    """Sort what the command line names, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="train, val and test folders of class folders")
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--bundle", type=Path, help="groups by its network; without it by colours and edges")
    parser.add_argument("--groups", type=Path, help="a table of groups of the same photos")
    parser.add_argument("--keep", type=Path, help="put the photos there and end, to be grouped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", type=Path, metavar="OUT", help="train on both, in this folder")
    parser.add_argument("--epochs", type=int, default=0)
    given = parser.parse_args()
    if given.keep is not None:
        prepare(given.data, given.keep, given.photos, given.seed)
        print(f"fieldfare dataset group {given.keep} --out {given.keep}-groups --photos none")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary, "photos"), Path(temporary, "sorted")
        classes = prepare(given.data, folder, given.photos, given.seed)
        browser, groups = sort_through_pages(folder, classes, given.bundle, given.groups, out)
        right = check(out, classes)
        print(f"{len(classes)} photos in {groups} groups, {len(set(classes.values()))} classes")
        print(
            f"clicks: {browser.clicks} ({browser.ticks} ticks, {browser.presses} presses, {browser.typed} names typed)"
        )
        print(f"one by one: {len(classes)}; {browser.clicks / len(classes):.0%} of that")
        print(f"in the folder of their true class: {right} of {len(classes)}")
        if given.train is not None:
            true = Path(temporary, "true")
            for name, label in classes.items():
                (true / label).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name.decode(), true / label / name.decode())
            for what, photos in (("sorted", out), ("true classes", true)):
                print(f"test accuracy from {what}: {train(photos, given.data, given.train, given.epochs):.1%}")


if __name__ == "__main__":
    main()
