"""Looking for the Edge TPU in a process that may hang or die of it: its exit status tells."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from scripted import exists, is_gone
from software_tpu import SoftwareTpu

from edge.bundle.store import Bundle
from edge.config.loading import parse_settings
from edge.config.running import Camera, Engine
from edge.config.settings import Settings
from edge.fakes.software_edgetpu import Script
from edge.processes.edgetpu_trial import MODULE, WORKS, hand_over, why_unusable

pytestmark = pytest.mark.process


def probe(settings: Settings, seconds: float = 0.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """As the supervisor starts it."""
    memory = hand_over(settings)
    try:
        return subprocess.run(
            [sys.executable, "-m", MODULE, str(memory), str(os.getpid()), f"{seconds:g}"],
            pass_fds=[memory],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(memory)


def test_a_bundle_without_a_compiled_model_has_no_use_for_one(sealed: Bundle) -> None:
    done = probe(Settings(bundle=str(sealed.path)))
    assert done.returncode == 69
    assert done.stderr == "DEBUG Edge TPU: the bundle has no model compiled for the Edge TPU\n"


def test_a_bundle_that_is_gone_is_told(tmp_path: Path) -> None:
    done = probe(Settings(bundle=str(tmp_path / "nowhere")))
    assert done.returncode == 66
    assert done.stderr.startswith("DEBUG Edge TPU: ")


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
            assert "DEBUG Edge TPU: " in done.stderr
    assert seen == {"well": WORKS, "refuses": 69, "absent": 69, "garbage": 69, "aborts": -6}


def test_one_that_fails_after_a_while_passes_only_where_that_is_not_waited_for(software_tpu: SoftwareTpu) -> None:
    tpu = software_tpu
    settings = parse_settings(f'bundle = "{tpu.bundle}"\n{tpu.settings}'.encode(), "f.toml")
    tpu.does(Script(mode="abort", after=100, unknown="pick"))
    assert probe(settings, **tpu.environment).returncode == WORKS
    assert probe(settings, seconds=60, **tpu.environment).returncode == -6


def test_one_whose_results_would_all_be_too_old_is_of_no_use(software_tpu: SoftwareTpu) -> None:
    software_tpu.does(Script(unknown="pick", time_us=400_000))
    toml = f'bundle = "{software_tpu.bundle}"\n{software_tpu.settings}[camera]\ntimeout_s = 0.5\n'
    done = probe(parse_settings(toml.encode(), "f.toml"), **software_tpu.environment)
    assert done.returncode == 69
    assert "an inference takes 0.4 s: results would be too old (camera.timeout_s)" in done.stderr


def test_a_library_that_ends_the_process_with_0_does_not_pass(software_tpu: SoftwareTpu, tmp_path: Path) -> None:
    source, library = tmp_path / "ends.c", tmp_path / "libends.so"
    source.write_text("#include <stdlib.h>\n__attribute__((constructor)) static void end(void) { exit(0); }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    engine = Engine(device="usb", edgetpu_library=str(library))
    why = why_unusable(Settings(bundle=str(software_tpu.bundle), engine=engine))
    assert why == "the process that opened the Edge TPU ended with status 0"


def test_settings_of_any_size_reach_it(sealed: Bundle) -> None:
    """More than a pipe holds."""
    script = "; ".join(["run 1", "stall 1"] * 4500)
    settings = Settings(bundle=str(sealed.path), camera=Camera(source="synthetic", script=script))
    assert len(msgspec.json.encode(settings)) > 1 << 16
    assert "no model compiled" in probe(settings).stderr


def test_a_bundle_whose_name_is_not_utf8_is_a_reason_and_leaves_nothing_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert "not UTF-8" in (why_unusable(Settings(bundle="b\udcff")) or "")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_one_that_hangs_ends_with_who_started_it(software_tpu: SoftwareTpu) -> None:
    """Else it would hold the Edge TPU for ever."""
    software_tpu.does(Script(mode="hang", at="load"))
    toml = f'bundle = "{software_tpu.bundle}"\n{software_tpu.settings}'.encode()
    starter = (
        "import os, subprocess, sys\nfrom edge.config.loading import parse_settings\n"
        "from edge.processes.edgetpu_trial import *\n"
        f"memory = hand_over(parse_settings({toml!r}, 'f'))\n"
        "words = [sys.executable, '-m', MODULE, str(memory), str(os.getpid()), '0']\n"
        "print(subprocess.Popen(words, pass_fds=[memory], stderr=subprocess.DEVNULL).pid, flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **software_tpu.environment},
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        time.sleep(1.0)
        assert exists(child)
        process.kill()
    assert is_gone(child)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (Script(unknown="pick"), None),
        (Script(mode="refuse"), "no Edge TPU"),
        (Script(mode="segfault", at="load"), "the process that opened the Edge TPU died of SIGSEGV"),
        (Script(mode="abort"), "the process that opened the Edge TPU died of SIGABRT"),
        (Script(mode="hang", at="load"), "opening the Edge TPU took more than 6 s"),
    ],
    ids=["well", "refuses", "segfaults", "aborts", "hangs"],
)
def test_what_is_wrong_with_it_is_told_in_words(
    software_tpu: SoftwareTpu, monkeypatch: pytest.MonkeyPatch, script: Script, said: str | None
) -> None:
    software_tpu.does(script)
    for name, value in software_tpu.environment.items():
        monkeypatch.setenv(name, value)
    toml = f'bundle = "{software_tpu.bundle}"\n{software_tpu.settings}'.replace("timeout_s = 5", "timeout_s = 1")
    why = why_unusable(parse_settings(toml.encode(), "f.toml"))
    assert (why is None) if said is None else (why is not None and said in why)
