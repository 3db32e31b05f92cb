"""fieldfare dataset check, as its users run it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.records import Pixels

Paint = Callable[..., Pixels]
SavePhoto = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def photo_folder(tmp_path: Path, paint: Paint, save_photo: SavePhoto) -> Path:
    """Two classes of twelve photos, one of which is in both."""
    rng = np.random.default_rng(0)
    for label in ("owl", "wren"):
        for number in range(12):
            save_photo(tmp_path / "photos" / label / f"visit{number // 2}" / f"{number}.jpg", paint(rng))
    owl = (tmp_path / "photos" / "owl" / "visit0" / "0.jpg").read_bytes()
    (tmp_path / "photos" / "wren" / "same.jpg").write_bytes(owl)
    return tmp_path / "photos"


def check(run_fieldfare: Run, *words: object) -> subprocess.CompletedProcess[str]:
    return run_fieldfare("dataset", "check", "--size", "32", *words)


def flat(text: str) -> str:
    """Return `text` without the line breaks of a narrow terminal."""
    return " ".join(text.split())


def test_the_summary_names_classes_splits_and_findings_worst_first(photo_folder: Path, run_fieldfare: Run) -> None:
    done = check(run_fieldfare, photo_folder)
    assert done.returncode == 0, done.stderr
    assert re.search(r"owl .* 12 .* wren .* 13 ", done.stdout, re.DOTALL)
    assert "25 photos of 2 classes; 15 train, 4 val, 4 test (as training would split them)" in flat(done.stdout)
    assert done.stdout.index("problem: 1 picture filed under several classes") < done.stdout.index("warning: ")
    assert "owl/visit0/0.jpg  =  wren/same.jpg" in done.stdout


def test_json_is_one_object_on_standard_output(photo_folder: Path, run_fieldfare: Run) -> None:
    report = json.loads(check(run_fieldfare, photo_folder, "--json").stdout)
    assert report["photos"] == 25
    assert report["findings"][0]["kind"] == "label-conflict"
    assert report["findings"][0]["pairs"][0][0] == {"file": "owl/visit0/0.jpg", "label": "owl", "split": None}


def test_strict_ends_with_65_where_there_are_problems_only(photo_folder: Path, run_fieldfare: Run) -> None:
    assert check(run_fieldfare, photo_folder, "--strict").returncode == 65
    (photo_folder / "wren" / "same.jpg").unlink()
    assert check(run_fieldfare, photo_folder, "--strict").returncode == 0  # warnings are left


def test_visits_are_counted(photo_folder: Path, run_fieldfare: Run) -> None:
    done = check(run_fieldfare, photo_folder, "--group-by", "folder")
    assert "6 visits; 1 photo of no visit" in flat(done.stdout)


@pytest.mark.parametrize(
    ("group_by", "status", "message"),
    [
        ("visit", 78, "must be 'folder', 'name:REGEX' or 'csv:FILE:COLUMN'"),
        ("name:(", 78, "not a regular expression"),
        ("name:nowhere", 65, "found in no file name"),
        ("csv:nowhere.csv:visit", 66, "nowhere.csv: no such file"),
    ],
)
def test_a_group_by_that_cannot_be_is_one_line_and_told_at_once(
    photo_folder: Path, run_fieldfare: Run, group_by: str, status: int, message: str
) -> None:
    done = check(run_fieldfare, photo_folder, "--group-by", group_by)
    assert done.returncode == status
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_links_that_lead_nowhere_are_a_problem(photo_folder: Path, run_fieldfare: Run) -> None:
    (photo_folder / "owl" / "gone.jpg").symlink_to(photo_folder / "nowhere.jpg")
    report = json.loads(check(run_fieldfare, photo_folder, "--json").stdout)
    (found,) = [finding for finding in report["findings"] if finding["kind"] == "broken-links"]
    assert (found["severity"], found["count"], found["examples"]) == ("problem", 1, ["owl/gone.jpg"])
    assert found["title"] == "1 link to a photo leads nowhere"


def test_a_folder_that_is_not_there(tmp_path: Path, run_fieldfare: Run) -> None:
    done = check(run_fieldfare, tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (66, "")
    assert "no such folder" in done.stderr


# The page


def test_the_page_stands_alone_and_shows_the_pictures(photo_folder: Path, tmp_path: Path, run_fieldfare: Run) -> None:
    page = tmp_path / "page.html"
    assert check(run_fieldfare, photo_folder, "--report", page).returncode == 0
    text = page.read_text()
    assert text.count('src="data:image/jpeg;base64,') >= 2 + 12
    assert all(link.startswith(("data:", "#")) for link in re.findall(r'(?:src|href)="([^"]*)', text))
    assert "1 picture filed under several classes" in text
    assert "default-src 'none'" in text
    assert not re.search(r"<script|https?://|@import|url\(", text)


def test_odd_names_of_classes_and_files_are_text_everywhere(
    tmp_path: Path, run_fieldfare: Run, paint: Paint, save_photo: SavePhoto
) -> None:
    """Neither HTML, nor rich's markup, nor terminal codes."""
    rng, page = np.random.default_rng(0), tmp_path / "page.html"
    names = ("<script>alert(1)<", "[bold red]owl[", "{{ 7*7 }}", "'\";--", "R\u00f6tel \u9e1f \U0001f426")
    for name in names:
        for number in range(5):
            save_photo(tmp_path / "photos" / name / f"{number}.jpg", paint(rng))
    for odd in ("<img src=x>.jpg", "[red]x.jpg", "a\x1b[31m.jpg"):
        (tmp_path / "photos" / names[0] / odd).write_bytes(b"no photo")
    done = check(run_fieldfare, tmp_path / "photos", "--report", page)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("[bold red]owl[", "{{ 7*7 }}", "[red]x.jpg", "a?[31m.jpg"))
    text = page.read_text()
    assert "<script>alert" not in text
    assert "<img src=x>" not in text
    assert "{{ 7*7 }}" in text
    assert "R\u00f6tel \u9e1f \U0001f426" in text


def test_a_page_that_cannot_be_written_is_told_before_the_work(
    photo_folder: Path, tmp_path: Path, run_fieldfare: Run
) -> None:
    assert check(run_fieldfare, photo_folder, "--report", tmp_path / "page.pdf").returncode == 2
    done = check(run_fieldfare, photo_folder, "--report", tmp_path / "nowhere" / "page.html")
    assert done.returncode == 73
    assert "reading photos" not in done.stderr


def test_a_page_that_exists_is_replaced_only_with_overwrite(
    photo_folder: Path, tmp_path: Path, run_fieldfare: Run
) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    refused = check(run_fieldfare, photo_folder, "--report", page)
    assert refused.returncode == 73
    assert refused.stderr.strip().endswith("page.html exists: choose another name or add --overwrite")
    assert "reading photos" not in refused.stderr
    assert page.read_text() == "mine"
    assert check(run_fieldfare, photo_folder, "--report", page, "--overwrite").returncode == 0
    assert page.read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "photos"], "nothing else is left"


def test_a_thousand_classes_give_a_table_of_the_smallest_and_a_page_of_some(tmp_path: Path, run_fieldfare: Run) -> None:
    tile = Image.effect_noise((40, 40), 60)
    for label in range(1000):
        folder = tmp_path / "photos" / f"species {label:04}"
        folder.mkdir(parents=True)
        tile.rotate(label % 360).save(folder / "1.png")
    page = tmp_path / "page.html"
    done = check(run_fieldfare, tmp_path / "photos", "--report", page)
    assert done.returncode == 0, done.stderr
    assert "the 30 smallest of 1,000 classes" in done.stdout
    assert "1,000 classes too small to train on" in done.stdout
    assert page.stat().st_size < 3_000_000


# Leaving


def test_tensorflow_is_not_needed(photo_folder: Path) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; from edge.cli import main; "
        f"sys.argv = ['fieldfare', 'dataset', 'check', {str(photo_folder)!r}, '--size', '32']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_no_process_and_no_file(tmp_path: Path, number: signal.Signals) -> None:
    root = tmp_path / "photos"
    for label in ("owl", "wren"):
        (root / label).mkdir(parents=True)
        Image.effect_noise((2500, 2500), 60).convert("RGB").save(root / label / "0.png", compress_level=1)
        for copy in range(1, 30):
            os.link(root / label / "0.png", root / label / f"{copy}.png")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "edge", "dataset", "check", str(root)]
    # Python ignores SIGINT if its parent did (a shell's background job): restore the default.
    process = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        deadline = time.monotonic() + 60
        while not (children := descendants(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
    assert children
    assert not any(os.path.exists(f"/proc/{child}") for child in children)  # noqa: PTH110
    assert list(scratch.iterdir()) == []


def descendants(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
        return [int(child) for child in file.read().split()]
