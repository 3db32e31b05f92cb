"""`fieldfare label`: from a folder to named photos, ended and resumed."""

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fieldfare_here import Fieldfare
from PIL import Image

Start = Callable[..., tuple[subprocess.Popen[str], int, str]]

# For what takes a second: while other tests fill the disk, a file that is synced may wait for all of theirs.
LIMIT_S = 120


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    return Fieldfare(capsys)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of two colours, one of them named by no text, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(15):
        Image.new("RGB", (40, 30), "red" if number % 2 else "blue").save(folder / f"{number}.jpg")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff<b>.jpg")).write_bytes((folder / "1.jpg").read_bytes())
    (folder / "torn.jpg").write_bytes((folder / "1.jpg").read_bytes()[:300])
    return folder


@pytest.fixture
def start(photos: Path) -> Iterator[Start]:
    """Starts the command, and returns its process, port and path with the key."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: object) -> tuple[subprocess.Popen[str], int, str]:
        command = [sys.executable, "-m", "edge", "label", str(photos), *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)(/open/\S+)$", line.strip())
        assert found is not None, line or process.communicate()[1]
        return process, int(found[1]), found[2]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def ask(port: int, method: str, path: str, body: str = "", cookie: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"cookie": cookie, "origin": f"http://127.0.0.1:{port}"}
    headers["content-type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.process
def test_every_click_is_there_when_it_is_started_again(start: Start, photos: Path) -> None:
    process, port, path = start()
    cookie = (ask(port, "GET", path).getheader("set-cookie") or "").partition(";")[0]
    form = urlencode({"of": "group", "group": "1", "seen": "0", "class": "red"})
    assert ask(port, "POST", "/sort/changes", form, cookie).status == 303
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT_S)
    Image.new("RGB", (40, 30), "green").save(photos / "new.jpg")
    process, port, path = start()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert re.search(r"^saved: 16 named in 1 class, 0 in no class, 1 to go; next: the same command goes on$", out, re.M)
    assert "resumed; 1 photo came anew" in err
    assert "1 photo that cannot be read left out" in err
    assert "Traceback" not in err


@pytest.mark.process
def test_the_groups_of_a_table_are_taken(start: Start, photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("file,group,class\n1.jpg,1,rust\n2.jpg,2,\n3.jpg,1,rust\nmissing.jpg,1,\n../torn.jpg,1,\n")
    process, _, _ = start("--groups", table)
    process.send_signal(signal.SIGTERM)
    assert "0 named in 0 classes, 0 in no class, 3 to go" in process.communicate(timeout=LIMIT_S)[0]
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--class", "unknown"], 2, "choose another name"),
        (["--groups", "a.csv", "--report", "b.json"], 2, "exclude each other"),
        (["--groups", "missing.csv"], 66, "cannot read"),
        (["--report", "{photos}"], 66, "0 reports there"),
        (["--report", "{photos}/1.jpg"], 65, "no report of a training"),
        (["--groups", "{photos}/1.jpg"], 65, "no table of groups"),
    ],
)
def test_what_cannot_be_sorted_is_said(
    fieldfare: Fieldfare, photos: Path, words: list[str], status: int, said: str
) -> None:
    done = fieldfare("label", photos, *(word.format(photos=photos) for word in words))
    assert (done.status, done.out) == (status, "")
    assert said in done.err


def test_a_folder_without_photos_or_none_is_refused(fieldfare: Fieldfare, tmp_path: Path) -> None:
    assert fieldfare("label", tmp_path / "missing").status == 66
    (tmp_path / "empty").mkdir()
    done = fieldfare("label", tmp_path / "empty")
    assert done.status == 66
    assert "no photos there" in done.err
    assert not (tmp_path / "empty.sorting").exists(), "nothing is left of an attempt"
