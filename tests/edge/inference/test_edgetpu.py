"""The Edge TPUs that are plugged in, and the errors if none can be used."""

import logging
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import EngineError
from edge.fakes.software_edgetpu import ENVIRONMENT, Script, write_script
from edge.inference.edgetpu import load_edgetpu, runtime_version
from edge.inference.edgetpu_devices import (
    EdgeTpuDevice,
    choose_device,
    describe_devices,
    find_devices,
    library_clock,
    may_be_installed,
)
from edge.inference.runtime import load_runtime

FRESH, USED = ("1a6e", "089a"), ("18d1", "9302")


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A machine with a hub, a mouse, and an interface folder, as Linux shows them."""
    folder = tmp_path / "devices"
    plug(folder, "usb1", ("1d6b", "0003"), "10000")
    plug(folder, "1-2", ("046d", "c077"), "1.5")
    (folder / "1-2:1.0").mkdir()
    return folder


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "null").touch()
    return tmp_path / "dev"


def plug(sysfs: Path, place: str, ids: tuple[str, str], speed: str) -> None:
    device = sysfs / place
    device.mkdir(parents=True)
    for name, text in zip(("idVendor", "idProduct", "speed"), (*ids, speed), strict=True):
        (device / name).write_text(text + "\n")


def test_no_edge_tpu(sysfs: Path, dev: Path, tmp_path: Path) -> None:
    assert find_devices(sysfs, dev) == ()
    assert find_devices(tmp_path / "nowhere", tmp_path / "nowhere") == ()
    assert describe_devices(()) == "none"


def test_each_kind_is_counted_by_place(sysfs: Path, dev: Path) -> None:
    """Ports as numbers: 2-1.4 comes before 2-1.10."""
    plug(sysfs, "2-1.10", USED, "5000")
    plug(sysfs, "2-1.4", FRESH, "480")
    (dev / "apex_0").touch()
    (dev / "apex_10").touch()
    assert find_devices(sysfs, dev) == (
        EdgeTpuDevice("usb:0", "2-1.4", "usb", 480, loaded=False),
        EdgeTpuDevice("usb:1", "2-1.10", "usb", 5000),
        EdgeTpuDevice("pci:0", str(dev / "apex_0"), "pci"),
        EdgeTpuDevice("pci:1", str(dev / "apex_10"), "pci"),
    )


@pytest.mark.parametrize(("speed", "warned"), [(480, True), (4999, True), (5000, False), (10000, False), (None, False)])
def test_a_slow_link_is_worth_a_warning(speed: int | None, warned: bool) -> None:
    warning = EdgeTpuDevice("usb:0", "1-1", "usb", speed).warning
    assert (warning is not None) is warned
    assert warning is None or "USB 3 port" in warning


def test_one_that_vanishes_while_it_is_read_is_left_out(sysfs: Path, dev: Path) -> None:
    plug(sysfs, "2-1", USED, "5000")
    (sysfs / "2-1" / "idProduct").unlink()
    assert find_devices(sysfs, dev) == ()


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ("", ""),
        ("any", ""),
        ("usb", "usb"),
        ("pci:3", "pci:3"),
        ("usb:1", "usb:1"),
        ("usb:2-1.4", "usb:0"),
        ("2-1.4", "usb:0"),
        ("/dev/apex_0", "pci:0"),
    ],
)
def test_one_is_chosen_by_kind_by_number_or_by_place(wanted: str, asked: str) -> None:
    devices = (EdgeTpuDevice("usb:0", "2-1.4", "usb", 5000), EdgeTpuDevice("pci:0", "/dev/apex_0", "pci"))
    assert choose_device(wanted, devices) == asked


def test_a_place_with_nothing_at_it_names_what_is_there() -> None:
    devices = (EdgeTpuDevice("usb:0", "2-1.4", "usb", 5000), EdgeTpuDevice("pci:0", "/dev/apex_0", "pci"))
    there = r"there: usb:0 \(2-1\.4, 5000 Mbit/s\), pci:0 \(/dev/apex_0\)"
    with pytest.raises(EngineError, match=f"no Edge TPU at 'usb:3-1'; {there}"):
        choose_device("usb:3-1", devices)


@pytest.mark.parametrize(
    ("packages", "clock"),
    [
        (["libedgetpu1-std:arm64.list"], "standard"),
        (["libedgetpu1-max.list"], "maximum"),
        (["libedgetpu-dev.list", "libedgetpu1-max.md5sums"], None),
    ],
)
def test_which_of_corals_libraries_is_installed(tmp_path: Path, packages: list[str], clock: str | None) -> None:
    for name in packages:
        (tmp_path / name).touch()
    assert library_clock(tmp_path) == clock


class TestLoading:
    def load(self, library: Path | str, sysfs: Path, dev: Path, device: str = "") -> object:
        return load_edgetpu(load_runtime(), library=str(library), device=device, sysfs=sysfs, dev=dev)

    def test_a_missing_library(self, sysfs: Path, dev: Path, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match=r"no Edge TPU \(.*nowhere\.so, device any\): .*plugged in: none; check"):
            self.load(tmp_path / "nowhere.so", sysfs, dev)

    def test_a_file_that_is_no_library(self, sysfs: Path, dev: Path, tmp_path: Path) -> None:
        (tmp_path / "lib.so").write_text("INPUT(libedgetpu.so.1)\n")
        with pytest.raises(EngineError, match="not a shared library"):
            self.load(tmp_path / "lib.so", sysfs, dev)

    def test_a_library_for_another_processor(self, sysfs: Path, dev: Path, tmp_path: Path) -> None:
        head = Path(sys.executable).resolve().read_bytes()[:64]
        (machine,) = struct.unpack_from("<H", head, 18)
        other = 40 if machine != 40 else 62
        (tmp_path / "lib.so").write_bytes(head[:18] + struct.pack("<H", other) + head[20:])
        with pytest.raises(EngineError, match=r"built for (32-bit ARM|x86-64), this Python is"):
            self.load(tmp_path / "lib.so", sysfs, dev)

    def test_a_library_that_is_cut_off(self, sysfs: Path, dev: Path, tmp_path: Path, edgetpu_library: Path) -> None:
        """The loader would crash on it."""
        whole = edgetpu_library.read_bytes()
        for size in (70, 3000, 9000):
            (tmp_path / "lib.so").write_bytes(whole[:size])
            with pytest.raises(EngineError, match=f"cut off: {size} bytes, [0-9]+ promised"):
                self.load(tmp_path / "lib.so", sysfs, dev)

    def test_a_library_of_another_kind(self, sysfs: Path, dev: Path, tmp_path: Path) -> None:
        words = ["cc", "-shared", "-o", str(tmp_path / "lib.so"), "-x", "c", "/dev/null"]
        subprocess.run(words, check=True, timeout=60)
        with pytest.raises(EngineError, match="it has no tflite_plugin_create_delegate"):
            self.load(tmp_path / "lib.so", sysfs, dev)

    def test_a_number_that_is_not_there_names_what_is(
        self, sysfs: Path, dev: Path, tmp_path: Path, edgetpu_library: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
        write_script(tmp_path, Script())
        plug(sysfs, "2-1", USED, "5000")
        with pytest.raises(EngineError, match=r"device usb:4\).*plugged in: usb:0 \(2-1, 5000 Mbit/s\)"):
            self.load(edgetpu_library, sysfs, dev, "usb:4")

    def test_a_slow_link_is_logged(
        self,
        sysfs: Path,
        dev: Path,
        tmp_path: Path,
        edgetpu_library: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
        write_script(tmp_path, Script(devices=("usb:0", "usb:1")))
        plug(sysfs, "1-1", USED, "480")
        plug(sysfs, "2-1", USED, "5000")
        with caplog.at_level(logging.WARNING):
            self.load(edgetpu_library, sysfs, dev, "usb:1")
            assert caplog.text == ""
            self.load(edgetpu_library, sysfs, dev, "usb:1-1")
        assert "usb:0 (1-1) runs at 480 Mbit/s" in caplog.text


def test_a_library_in_a_folder_that_may_not_be_searched_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor checks this, and must not fail. Simulated, since root may enter every folder."""

    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", forbidden)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert not may_be_installed(str(tmp_path / "libedgetpu.so.1"))
    assert not may_be_installed("no-such-library.so.1")


def test_a_library_reports_its_runtime_version(edgetpu_library: Path) -> None:
    assert runtime_version(str(edgetpu_library)) == 14


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('"BuildLabel(N/A), RuntimeVersion(12)"', 12),
        ('"RuntimeVersion()"', None),
        ('"RuntimeVersion(99999999999)"', None),
        ("0", None),
    ],
)
def test_what_a_library_reports_is_not_trusted(tmp_path: Path, said: str, version: int | None) -> None:
    assert (
        runtime_version(str(compiled(tmp_path, f"const char *edgetpu_version(void) {{ return {said}; }}"))) == version
    )


def test_a_library_that_reports_no_version_has_none(tmp_path: Path) -> None:
    assert runtime_version(str(compiled(tmp_path, "int other;"))) is None


def compiled(folder: Path, code: str) -> Path:
    """Compile a library of one line."""
    (folder / "one.c").write_text(code + "\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "one.so", folder / "one.c"], check=True)
    return folder / "one.so"
