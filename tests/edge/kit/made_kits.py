"""All that a kit is made of, tiny and made here: wheels in a folder that pip takes for its index, a lock, a bundle,
a script."""

import hashlib
import io
import lzma
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_models import bundle_of, sound_model

from edge.cli import cli, status_of
from edge.kit import delivered, lock
from edge.kit.lock import Wheel, format_lock
from edge.kit.targets import TARGETS

TARGET = TARGETS["trixie-arm64"]
FITTING = "cp313-cp313-manylinux_2_28_aarch64"
SCRIPT = b"#!/bin/sh\necho installed\n"


def make_wheel(folder: Path, name: str, version: str = "1.0", tag: str = "py3-none-any") -> Wheel:
    """Write a wheel with one module of one line."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    file = f"{name}-{version}-{tag}.whl"
    (folder / file).write_bytes(buffer.getvalue())
    return Wheel(name, version, hashlib.sha256(buffer.getvalue()).hexdigest(), file)


def make_deb(
    path: Path, package: str = "libthing", version: str = "1.0", architecture: str = "arm64", *, ending: str = ".xz"
) -> Path:
    """Write a Debian package with nothing in it but its control file."""
    fields = f"Package: {package}\nVersion: {version}\nArchitecture: {architecture}\nDescription: a thing\n".encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("./control")
        entry.size = len(fields)
        tar.addfile(entry, io.BytesIO(fields))
    packed = lzma.compress(buffer.getvalue()) if ending == ".xz" else buffer.getvalue()
    path.write_bytes(ar({"debian-binary": b"2.0\n", f"control.tar{ending}": packed, "data.tar.xz": b""}))
    return path


def ar(members: dict[str, bytes]) -> bytes:
    """Return an ar archive, as deb(5) describes it."""
    data = b"!<arch>\n"
    for name, content in members.items():
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        data += content + b"\n" * (len(content) % 2)
    return data


@dataclass
class Workshop:
    """A folder in which kits can be made.

    index: the folder that pip takes for the package index
    wheels: what the lock of TARGET has
    bundle: of the labels red, green and blue
    """

    folder: Path
    index: Path
    wheels: tuple[Wheel, ...]
    bundle: Path
    capsys: pytest.CaptureFixture[str]

    def kit(self, *words: object) -> tuple[int, str, str]:
        """Run `fieldfare kit` in this process; return status, output and errors."""

        def invoke() -> None:
            with cli.make_context("fieldfare", ["kit", *map(str, words)]) as context:
                cli.invoke(context)

        self.capsys.readouterr()
        status = status_of(invoke)
        shown = self.capsys.readouterr()
        return status, shown.out, shown.err

    def fetch(self, *words: object, target: str = TARGET.name) -> tuple[int, str, str]:
        """Run `fieldfare kit build` with this bundle; pip fetches the wheels."""
        return self.kit("build", "--target", target, "--bundle", self.bundle, *words)

    def build(self, *words: object) -> tuple[int, str, str]:
        """The same with all wheels at hand, so that pip need not be started: that takes longer than all the rest."""
        return self.fetch("--wheels", self.index, *words)

    def built(self, *words: object, out: str = "kit.tar") -> Path:
        """Return a kit that was built without a fault."""
        status, _, errors = self.build("--out", self.folder / out, *words)
        assert (status, errors) == (0, "")
        return self.folder / out

    def settings(self, text: str = "") -> Path:
        """Write settings for the device: those lines behind a bundle at its place."""
        path = self.folder / "fieldfare.toml"
        path.write_text(f'bundle = "/etc/fieldfare/bundle.fieldfare"\n{text}')
        return path


def make_workshop(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Workshop:
    index, locks = folder / "index", folder / "locks"
    for made in (index, locks):
        made.mkdir()
    wheels = (make_wheel(index, "alpha"), make_wheel(index, "beta", "2.0", FITTING), make_wheel(index, "pip"))
    (locks / f"{TARGET.name}.txt").write_text(format_lock(TARGET, wheels))
    script = folder / "install.sh"
    script.write_bytes(SCRIPT)
    monkeypatch.setattr(lock, "LOCKS", locks)
    monkeypatch.setattr(delivered, "_INSTALL_SCRIPT", script)
    # pip of this machine may have an index, and wheels of its own.
    for name, value in (("CONFIG_FILE", os.devnull), ("NO_INDEX", "1"), ("FIND_LINKS", str(index))):
        monkeypatch.setenv(f"PIP_{name}", value)
    bundle_of(sound_model(), folder / "colours")
    return Workshop(folder, index, wheels, folder / "colours", capsys)
