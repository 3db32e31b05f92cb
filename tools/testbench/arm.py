"""Build and run a Pi's userland for other processors: Debian, unpacked but not set up, and Python under qemu.

arm64 is Debian 13 with LiteRT and wheels only. armhf is Debian 12, whose Python 3.11 is the last with a
tflite-runtime. The package index has no armv7l wheels of NumPy, OpenCV and Pillow: they come from Debian, older than
pyproject.toml requires (NumPy 1.24). msgspec is compiled here by a cross compiler.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cache
import debian
import enter
import host
from packaging.requirements import Requirement

_SITE = "opt/site"


@dataclass(frozen=True)
class _Architecture:
    machine: str
    release: str
    python: str
    qemu: str
    packages: tuple[str, ...] = ("python3",)
    from_debian: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


ARCHITECTURES = {
    "arm64": _Architecture("aarch64", "trixie", "3.13", "qemu-aarch64-static", ("python3", "libstdc++6")),
    "armhf": _Architecture(
        machine="armv7l",
        release="bookworm",
        python="3.11",
        qemu="qemu-arm-static",
        packages=("python3", "libpython3.11-dev", "python3-numpy", "python3-opencv", "python3-pil"),
        from_debian=("numpy", "opencv-python-headless", "pillow"),
        compiled=("msgspec",),
        # Setting a package up chooses one of several BLAS libraries; these packages are not set up.
        libraries=("/usr/lib/arm-linux-gnueabihf/blas", "/usr/lib/arm-linux-gnueabihf/lapack"),
    ),
}
_CROSS = {"arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf"}
# pip takes a wheel for any of these; the last is the newest that Debian 12's C library can run.
_MANYLINUX = ("2014", "_2_17", "_2_24", "_2_27", "_2_28", "_2_31", "_2_34", "_2_35")


def build(name: str) -> Path:
    """Return the folder with `tree`: Debian, and at /opt/site the packages that Fieldfare needs."""
    wanted = ARCHITECTURES[name]
    host.require({**host.DEBIAN, **host.ARM, **(_CROSS if wanted.compiled else {})})
    requirements = _requirements(wanted)
    return cache.built(name, lambda place: _build(name, requirements, place / "tree"), *map(str, requirements))


def run(name: str, place: Path, bench: Path, *, timeout_s: float) -> int:
    """Run the Python program `bench`/run there, with Fieldfare and its packages; return the exit status."""
    wanted = ARCHITECTURES[name]
    path = f"PYTHONPATH=/bench/site:/{_SITE},LC_ALL=C.UTF-8,PYTHONDONTWRITEBYTECODE=1"
    libraries = f",LD_LIBRARY_PATH={':'.join(wanted.libraries)}" if wanted.libraries else ""
    shutil.unpack_archive(next(bench.glob("fieldfare-*.whl")), bench / "site", "zip")
    command = [f"/{wanted.qemu}", "-E", path + libraries, f"/usr/bin/python{wanted.python}", "/bench/run"]
    return enter.enter(place / "tree", bench, command, timeout_s=timeout_s)


def _requirements(wanted: _Architecture) -> list[Requirement]:
    """Return the requirements of Fieldfare on a device with this processor."""
    there = {"platform_machine": wanted.machine, "python_version": wanted.python}
    every = [Requirement(text) for text in cache.device_requirements()]
    return [need for need in every if need.marker is None or need.marker.evaluate(there)]


def _build(name: str, requirements: Sequence[Requirement], tree: Path) -> None:
    wanted = ARCHITECTURES[name]
    debian.make(tree, wanted.release, wanted.packages, variant="extract", architecture=name)
    for folder in ("bin", "lib", "sbin"):
        if not (tree / folder).exists():  # Debian 13 links them when packages are set up
            (tree / folder).symlink_to(f"usr/{folder}")
    shutil.copy(shutil.which(wanted.qemu) or "", tree / wanted.qemu)
    site = tree / _SITE
    wheels = [need for need in requirements if need.name not in wanted.from_debian + wanted.compiled]
    _install_wheels(wanted, wheels, site)
    for need in requirements:
        if need.name in wanted.compiled:
            _compile(need, tree, site)


def _install_wheels(wanted: _Architecture, needs: Sequence[Requirement], site: Path) -> None:
    """Install the wheels of `needs` into `site`."""
    # pip does not see Debian's packages: with some of them from Debian, it must not install dependencies (--no-deps).
    version = wanted.python.replace(".", "")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--target", site]
    command += ["--only-binary=:all:", "--python-version", wanted.python, "--implementation", "cp"]
    command += [f"--platform=manylinux{tag}_{wanted.machine}" for tag in _MANYLINUX]
    command += [f"--abi={abi}" for abi in (f"cp{version}", "abi3", "none")]
    command += ["--no-deps"] if wanted.from_debian else []
    host.run([*command, *(f"{need.name}{need.specifier}" for need in needs)])


def _compile(need: Requirement, tree: Path, site: Path) -> None:
    """Compile msgspec into `site`: Python modules, and one extension in one C file."""
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        host.run([*pip, "--no-binary=:all:", "--dest", scratch, f"{need.name}{need.specifier}"])
        shutil.unpack_archive(next(Path(scratch).glob("*.tar.gz")), scratch)
        source = next(Path(scratch).glob(f"{need.name}-*/src/{need.name}"))
        shutil.copytree(source, site / need.name, ignore=shutil.ignore_patterns("*.c", "*.h"))
        include = tree / "usr/include"
        extension = site / need.name / "_core.cpython-311-arm-linux-gnueabihf.so"
        compiler = ["arm-linux-gnueabihf-gcc", "-O1", "-shared", "-fPIC", "-I", include / "python3.11", "-I", include]
        host.run([*compiler, "-isystem", include / "arm-linux-gnueabihf", source / "_core.c", "-o", extension])
