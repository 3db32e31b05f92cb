"""Real camera stacks: what stands in guest/ runs inside the bench, with Fieldfare installed as on a device."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bench_runs import GUEST, ROOT, Ran

from edge.bundle.store import Bundle, pack_bytes

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(900)]

_INSTALL = "set -e\n/opt/fieldfare/bin/pip install --quiet --no-compile --no-deps --no-index fieldfare-*.whl\n"
# Each file in a process of its own: libcamera looks for cameras once a process.
_CHECK = (
    "/opt/fieldfare/bin/python -m pytest -q -p no:cacheprovider --tb short --timeout 240 --durations 5 "
    "guest/check_{name}.py"
)
_MACHINE = ("vivid", "vimc", "service")


def _script(*lines: str) -> str:
    return "#!/bin/sh\n" + _INSTALL + "export PYTHONDONTWRITEBYTECODE=1\n" + "\n".join(lines) + "\n"


def _fill(folder: Path, script: str) -> None:
    shutil.copytree(GUEST, folder / "guest", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "run").write_text(script)


def test_picamera2_on_libcameras_virtual_camera(once: Callable[..., Ran]) -> None:
    """No kernel driver is needed for it, so no virtual machine either."""

    def fill(folder: Path) -> None:
        # libcamera 0.4 leaves the state of a virtual camera's frames to what malloc finds; 0 is success.
        zeroed = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=255"
        heap = "mkdir -p /dev/dma_heap && touch /dev/dma_heap/linux,cma /dev/dma_heap/system"
        _fill(folder, _script(heap, f"{zeroed} LD_PRELOAD=/usr/local/lib/dma_heap.so {_CHECK.format(name='virtual')}"))

    ran = once("tree", "virtual", fill)
    assert ran.status == 0, ran.output


@pytest.mark.parametrize("name", _MACHINE)
def test_in_a_virtual_machine(name: str, once: Callable[..., Ran], bundle: Bundle) -> None:
    """V4L2 on vivid, picamera2 on vimc, the service under systemd on both: one boot for all of them."""

    def fill(folder: Path) -> None:
        checks = [f"{_CHECK.format(name=name)} >{name}.log 2>&1 || echo $? >{name}.failed" for name in _MACHINE]
        _fill(folder, _script(*checks))
        shutil.copytree(bundle.path, folder / "bundle")
        (folder / "bundle.fieldfare").write_bytes(pack_bytes(bundle))
        shutil.copytree(ROOT / "systemd", folder / "systemd")

    ran = once("machine", "machine", fill)
    assert ran.status == 0, ran.output
    log = ran.folder / f"{name}.log"
    assert not (ran.folder / f"{name}.failed").exists(), log.read_text()
