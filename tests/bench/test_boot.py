"""Starting the virtual machine, with a program in qemu's place that does what a guest would."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from bench_runs import ROOT

_PANIC = "echo 'Kernel panic - not syncing: Fatal exception in interrupt'"


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "testbench"))
    return importlib.import_module("boot")


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    (tmp_path / "bench").mkdir()
    return tmp_path / "bench"


@pytest.fixture
def qemu(tmp_path: Path, bench: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program; what it shall do is appended. It counts its starts in `starts`, in the bench."""
    program = tmp_path / "bin" / "qemu-system-x86_64"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncd {bench}\necho started >>starts\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


def starts(bench: Path) -> int:
    return len((bench / "starts").read_text().splitlines())


def act(qemu: Path, script: str) -> None:
    qemu.write_text(qemu.read_text() + script)


def test_the_status_is_that_of_the_program_that_ran(boot: ModuleType, qemu: Path, bench: Path) -> None:
    act(qemu, "echo 3 >status")
    assert boot.boot(Path("device"), bench, timeout_s=30) == 3
    assert starts(bench) == 1


def test_a_kernel_that_panics_while_it_starts_is_started_again(boot: ModuleType, qemu: Path, bench: Path) -> None:
    act(qemu, f"if [ $(wc -l <starts) -lt 3 ]; then {_PANIC}; exit 0; fi\necho 0 >status")
    assert boot.boot(Path("device"), bench, timeout_s=30) == 0
    assert starts(bench) == 3


def test_it_is_given_up_after_the_third_time(boot: ModuleType, qemu: Path, bench: Path) -> None:
    act(qemu, _PANIC)
    with pytest.raises(Exception, match="Kernel panic"):
        boot.boot(Path("device"), bench, timeout_s=30)
    assert starts(bench) == 3


def test_what_had_begun_to_run_is_not_run_twice(boot: ModuleType, qemu: Path, bench: Path) -> None:
    act(qemu, f"echo begun >log\n{_PANIC}")
    with pytest.raises(Exception, match="Kernel panic"):
        boot.boot(Path("device"), bench, timeout_s=30)
    assert starts(bench) == 1


def test_a_machine_that_ends_otherwise_is_a_failure_at_once(boot: ModuleType, qemu: Path, bench: Path) -> None:
    act(qemu, "echo no disk")
    with pytest.raises(Exception, match="ended without a status"):
        boot.boot(Path("device"), bench, timeout_s=30)
    assert starts(bench) == 1
