"""`import edge` works on a bare laptop and loads nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest
from running import Running

from edge.bundle.store import Bundle

HEAVY = ("tensorflow", "keras", "sklearn", "cv2", "PIL", "picamera2", "libcamera", "ai_edge_litert", "tflite_runtime")


def loaded_after(code: str) -> set[str]:
    """Return the loaded modules, and their packages."""
    script = f"{code}\nimport sys\nprint(*sys.modules, *{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


# The supervisor must load none of these either: native code that could end it.
NATIVE = ("numpy", "edge.capture.synthetic", "edge.inference.tflite", "edge.worker.pipeline", "edge.worker.main")


@pytest.mark.parametrize(
    "code",
    [
        "import edge",
        "import edge.errors, edge.records, edge.config, edge.supervision.systemd",
        "import trainer, trainer.cli",
        "from edge.cli import cli; cli.main(['--help'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_after(code).isdisjoint(HEAVY)


def test_help_needs_none_of_what_commands_need() -> None:
    """msgspec, which brings decimal with it, was a fifth of its time."""
    loaded = loaded_after("from edge.cli import cli; cli.main(['--help'], standalone_mode=False)")
    assert loaded.isdisjoint(("msgspec", "sqlite3", "edge.store", "edge.supervision", "edge.config.settings"))


def test_the_device_side_never_loads_the_trainer() -> None:
    code = "import edge.worker.assemble, edge.cli.run, edge.cli.bundle, edge.cli.classify, edge.importing.importer"
    assert loaded_after(code).isdisjoint({"trainer", "tensorflow", "sklearn", "rich", "picamera2", "ai_edge_litert"})


@pytest.mark.parametrize("words", [["run", "--bundle", "nowhere", "--source", "synthetic"], ["status"]])
def test_supervisor_and_status_stay_free_of_native_code(words: list[str]) -> None:
    code = f"from edge.cli import _run; import sys; print(_run({words}), file=sys.stderr)"
    modules = loaded_after(code)
    assert f"edge.cli.{words[0]}" in modules
    assert modules.isdisjoint({*HEAVY, *NATIVE})


def test_without_a_store_nothing_that_keeps_events_is_loaded(tmp_path: Path) -> None:
    """It took a twentieth of the time to the first frame."""
    config = tmp_path / "fieldfare.toml"
    config.write_text('bundle = "nowhere"\ncamera.source = "synthetic"\n')
    code = f"from edge.cli import _run; import sys; print(_run(['run', '--config', '{config}']), file=sys.stderr)"
    keeping = {"edge.supervision.recording.recording", "edge.supervision.beside.attended", "edge.store", "sqlite3"}
    assert loaded_after(code).isdisjoint(keeping)
    with config.open("a") as file:
        file.write(f'events.store = "{tmp_path / "events.db"}"\n')
    loaded = loaded_after(code)
    assert "edge.supervision.recording.recording" in loaded
    assert "edge.supervision.beside.outputs" not in loaded


def test_a_supervisor_that_served_still_has_no_native_library_in_its_memory(sealed: Bundle, tmp_path: Path) -> None:
    running = Running(tmp_path, sealed)
    try:
        status = running.wait_until_running()
        assert status.worker_pid is not None
        maps = {pid: Path(f"/proc/{pid}/maps").read_text().lower() for pid in (status.pid, status.worker_pid)}
    finally:
        running.close()
    for library in ("numpy", "cv2", "litert"):
        assert library in maps[status.worker_pid]
        assert library not in maps[status.pid]


def test_what_leaves_the_worker_needs_no_numpy() -> None:
    light = (
        "results",
        "processes.messages",
        "sinks.jsonl",
        "sinks.console",
        "supervision.status",
        "supervision.recovery",
    )
    code = f"import {', '.join(f'edge.{name}' for name in light)}"
    assert loaded_after(code).isdisjoint({*HEAVY, *NATIVE})


def test_kits_are_made_on_any_desktop() -> None:
    """What only Linux has, processes and users, is not needed to make a kit for it."""
    hidden = "import sys\nfor name in ('pwd', 'grp', 'resource', 'termios'): sys.modules[name] = None"
    loaded = loaded_after(f"{hidden}\nimport edge.cli.kit, edge.kit.build, edge.kit.reading")
    assert loaded.isdisjoint(("edge.processes", "edge.doctor.case", "edge.doctor.children"))
