"""A service and its pages, as processes of their own: the newest picture goes from the one to the other."""

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from running import Running
from scripted import wait_until

from edge.bundle.store import Bundle
from edge.live.places import requests_of
from edge.pages.places import make_requests
from tools.make_store import made_events, make_store

Ask = Callable[[str], tuple[dict[str, Any], bytes]]


@pytest.fixture
def service(sealed: Bundle, tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path, sealed, "--service", "--no-outputs")
    yield running
    running.close()


@pytest.fixture
def ask(service: Running, tmp_path: Path) -> Iterator[Ask]:
    """Ask the pages for this moment."""
    make_store(tmp_path / "events.db", made_events(3))
    command = [sys.executable, "-m", "edge", "serve", "--store", str(tmp_path / "events.db"), "--port", "0"]
    with subprocess.Popen([*command, "--run-dir", str(service.run)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+)/$", process.stdout.readline().strip())
        assert found is not None
        line = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)

        def now(words: str = "") -> tuple[dict[str, Any], bytes]:
            line.request("GET", f"/live/now{words}")
            head, _, jpeg = line.getresponse().read().partition(b"\n")
            return msgspec.json.decode(head), jpeg

        yield now
        line.close()
        process.kill()


@pytest.mark.process
def test_who_looks_sees_the_newest_picture_and_the_end_of_the_service(service: Running, ask: Ask) -> None:
    service.wait_until_running()
    assert not list(service.run.glob("live-*")), "nobody has looked"
    assert wait_until(lambda: ask("")[1], pause_s=0.3)
    moment, jpeg = ask("")
    assert moment["state"] in ("running", "degraded")
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (120, 160, 3)
    first = moment["picture"]["number"]
    assert wait_until(lambda: ask(f"?had={first}")[1], pause_s=0.3), "a newer one follows"
    assert wait_until(lambda: ask("?x=50&y=50&size=50")[1], pause_s=0.3)
    assert float(ask("?x=50&y=50&size=50")[0]["picture"]["sharpness"]) > 0
    assert service.end(signal.SIGTERM) == 0
    moment, jpeg = ask("")
    assert (moment["state"], moment["picture"], jpeg) == ("stopped", None, b"")


class TestFolder:
    """That of the requests, made by root for the store's owner."""

    def test_it_is_made_beside_that_of_a_service(self, tmp_path: Path) -> None:
        run = tmp_path / "run"
        run.mkdir()
        owner = tmp_path.stat()
        make_requests(run, owner.st_uid, owner.st_gid)
        made = requests_of(run).stat()
        assert (made.st_mode & 0o777, made.st_uid, made.st_gid) == (0o750, owner.st_uid, owner.st_gid)
        make_requests(run, owner.st_uid, owner.st_gid)

    def test_without_a_service_there_is_none(self, tmp_path: Path) -> None:
        make_requests(tmp_path / "run", 0, 0)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("kind", ["link", "file"])
    def test_what_is_there_already_stays_as_it_is(self, tmp_path: Path, kind: str) -> None:
        run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
        run.mkdir()
        elsewhere.mkdir()
        if kind == "link":
            requests_of(run).symlink_to(elsewhere)
        else:
            requests_of(run).touch()
        before = elsewhere.stat()
        make_requests(run, 12345, 12345)
        assert (elsewhere.stat().st_uid, elsewhere.stat().st_mode) == (before.st_uid, before.st_mode)
        assert requests_of(run).lstat().st_uid != 12345
