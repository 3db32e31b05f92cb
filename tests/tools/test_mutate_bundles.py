"""The mutation campaign: the same mutants for a seed, each run once, and what breaks something is found and kept."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle.store import open_bundle, pack_bytes
from tools.mutants import write_mutant

sys.path.append(str(Path(__file__).resolve().parents[1] / "edge"))
tiny_models = pytest.importorskip("tiny_models")

TOOL = Path(__file__).resolve().parents[2] / "tools" / "mutate_bundles.py"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(tiny_models.bundle_of(tiny_models.sound_model(), tmp_path / "colours").path)


def test_a_seed_always_gives_the_same_mutants(bundle: Path, tmp_path: Path) -> None:
    opened = open_bundle(bundle)
    made = []
    for attempt in ("one", "two"):
        for number in range(30):
            place = tmp_path / attempt / str(number)
            place.mkdir(parents=True)
            path = write_mutant(opened.contents, pack_bytes(opened), random.Random(f"0 {number}"), place)
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            made.append([(file.name, file.read_bytes()) for file in files if "zip" not in file.name])
    assert made[:30] == made[30:]


def test_a_campaign_goes_on_and_reports(bundle: Path, tmp_path: Path) -> None:
    def call(bundles: int) -> list[str]:
        words = [sys.executable, TOOL, bundle, "--out", tmp_path / "out", "--bundles", str(bundles), "--models", "1"]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=280, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout.splitlines()

    assert call(3)[-1] == "0 broke something: {}"
    results = tmp_path / "out" / "results.jsonl"
    first = results.read_text()
    assert call(5)[-3].startswith("6 mutants, ")
    assert results.read_text().startswith(first)
    entries = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(entry["kind"], entry["number"]) for entry in entries[4:]] == [("bundle", 3), ("bundle", 4)]
