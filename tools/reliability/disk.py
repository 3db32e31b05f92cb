"""Keep apart what is on the disk from what is only in memory, and make the disk fail: the shim, built and driven.

The shim (shim.c) copies what fsync and fdatasync made durable into a mirror. `after_power_cut` makes of it the folder
that the next boot would find:

- kind "strict": only what was synced. A file whose name was never synced is not there.
- kind "torn": each folder has its present names or those that were synced; of each file any of the 4 KiB blocks that
  were written since its last sync may be on the disk, too, in any order.
"""

import ctypes
import os
import random
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Cut = Literal["strict", "torn"]
DiskFault = Literal["hang", "slow", "erofs", "enospc"]
_BLOCK = 4096
# linux/fcntl.h, linux/stat.h
_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _INO_AND_BTIME = -100, 0x100, 0x100 | 0x800
_LIBC = ctypes.CDLL(None, use_errno=True)


def build_shim(folder: Path) -> Path:
    """Compile the shim with cc, and return it."""
    out = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(out), str(source), "-ldl"], check=True)
    return out


@dataclass(frozen=True)
class Disk:
    """A folder whose disk can be cut off from power, or fail."""

    root: Path
    mirror: Path
    fault: Path
    shim: Path

    @classmethod
    def at(cls, folder: Path, root: Path) -> "Disk":
        """Make one for `root`, with its own files in `folder`."""
        root.mkdir(parents=True, exist_ok=True)
        (folder / "mirror").mkdir()
        return cls(root, folder / "mirror", folder / "fault", build_shim(folder))

    def variables(self, *, mirrored: bool) -> dict[str, str]:
        """Return what the service needs in its environment."""
        found = {
            "LD_PRELOAD": str(self.shim),
            "RELIABILITY_ROOT": str(self.root),
            "RELIABILITY_FAULT": str(self.fault),
        }
        return {**found, "RELIABILITY_MIRROR": str(self.mirror)} if mirrored else found

    def fail(self, word: DiskFault | None) -> None:
        """Make the disk fail from now on, or not any more."""
        if word is None:
            self.fault.unlink(missing_ok=True)
        else:
            partial = self.fault.with_suffix(".new")
            partial.write_text(word)
            partial.replace(self.fault)

    def sync_all(self) -> None:
        """Note that all that is there is on the disk, as after a boot. Nothing may write meanwhile."""
        keys = {key_of(path): path for path in [self.root, *self.root.rglob("*")]}
        for old in list(self.mirror.iterdir()):
            old.unlink()
        for key, path in keys.items():
            if path.is_dir():
                (self.mirror / key).write_text("".join(f"{k} {c} {n}\n" for k, c, n in names_now(path)))
            else:
                shutil.copyfile(path, self.mirror / key)

    def after_power_cut(self, out: Path, cut: Cut, rng: random.Random) -> None:
        """Write to `out` what the next boot finds. Nothing may write meanwhile."""
        present = {key_of(path): path for path in self.root.rglob("*")}
        self._rebuild(key_of(self.root), self.root, out, cut, rng, present)

    def _rebuild(
        self, key: str, now: Path | None, out: Path, cut: Cut, rng: random.Random, present: dict[str, Path]
    ) -> None:
        out.mkdir()
        names = names_synced(self.mirror / key)
        if cut == "torn" and now is not None and rng.random() < 0.5:
            names = names_now(now)
        for kind, entry, name in names:
            if kind == "d":
                self._rebuild(entry, present.get(entry), out / name, cut, rng, present)
            else:
                (out / name).write_bytes(self._content(entry, present.get(entry), cut, rng))

    def _content(self, key: str, now: Path | None, cut: Cut, rng: random.Random) -> bytes:
        copy = self.mirror / key
        synced = copy.read_bytes() if copy.exists() else b""
        if cut == "strict" or now is None:
            return synced
        return torn(synced, now.read_bytes(), rng)


def torn(synced: bytes, written: bytes, rng: random.Random) -> bytes:
    """Mix the blocks of both, with the length of either. Blocks that neither has are zeros."""
    length = rng.choice((len(synced), len(written)))
    blocks = []
    for at in range(0, length, _BLOCK):
        old, new = (data[at : at + _BLOCK].ljust(_BLOCK, b"\0") for data in (synced, written))
        # What a file system gives back of a block that was never written is zeros.
        blocks.append(rng.choice((old, new)))
    return b"".join(blocks)[:length]


def key_of(path: Path) -> str:
    """Return what the shim calls this file: its inode and when it was born. Raises OSError."""
    # os.stat has no time of birth on Linux.
    found = ctypes.create_string_buffer(256)
    if _LIBC.statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _INO_AND_BTIME, found):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    (inode,) = struct.unpack_from("Q", found, 32)
    seconds, nanoseconds = struct.unpack_from("qI", found, 80)
    return f"{inode}-{seconds}{nanoseconds:09}"


def names_synced(listing: Path) -> list[tuple[str, str, str]]:
    """Return (kind, key, name) of each entry that was synced with its folder."""
    if not listing.exists():
        return []
    found = []
    for line in listing.read_text().splitlines():
        kind, key, name = line.split(" ", 2)
        found.append((kind, key, name))
    return found


def names_now(folder: Path) -> list[tuple[str, str, str]]:
    """Return the same of each entry that is there."""
    return [("d" if entry.is_dir() else "f", key_of(Path(entry.path)), entry.name) for entry in os.scandir(folder)]
