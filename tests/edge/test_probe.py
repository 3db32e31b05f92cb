"""Looking for the Edge TPU in a process that may hang or die of it: its exit status tells."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
from software_tpu import SoftwareTpu

from edge.bundle.store import Bundle
from edge.config import Settings, parse_settings
from edge.fakes.software_edgetpu import Script


def probe(settings: Settings, **environment: str) -> subprocess.CompletedProcess[str]:
    """As the supervisor starts it: settings in a pipe."""
    reading, writing = os.pipe()
    os.write(writing, msgspec.json.encode(settings))
    os.close(writing)
    try:
        return subprocess.run(
            [sys.executable, "-m", "edge.probe", str(reading)],
            pass_fds=[reading],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(reading)


def test_a_bundle_without_a_compiled_model_has_no_use_for_one(sealed: Bundle) -> None:
    done = probe(Settings(bundle=str(sealed.path)))
    assert done.returncode == 69
    assert done.stderr == "INFO Edge TPU: the bundle has no model compiled for the Edge TPU\n"


def test_a_bundle_that_is_gone_is_told(tmp_path: Path) -> None:
    done = probe(Settings(bundle=str(tmp_path / "nowhere")))
    assert done.returncode == 66
    assert done.stderr.startswith("INFO Edge TPU: ")


def test_it_is_back_when_it_gives_the_golden_answers_and_only_then(software_tpu: SoftwareTpu) -> None:
    tpu = software_tpu
    settings = parse_settings(f'bundle = "{tpu.bundle}"\n{tpu.settings}'.encode(), "f.toml")
    seen = {}
    for name, script in {
        "well": Script(unknown="pick"),
        "refuses": Script(mode="refuse"),
        "absent": Script(mode="absent"),
        "garbage": Script(mode="garbage", unknown="pick"),
        "aborts": Script(mode="abort"),
    }.items():
        tpu.does(script)
        done = probe(settings, **tpu.environment)
        seen[name] = done.returncode
        if done.returncode == 69:
            assert "INFO Edge TPU: " in done.stderr
    assert seen == {"well": 0, "refuses": 69, "absent": 69, "garbage": 69, "aborts": -6}
