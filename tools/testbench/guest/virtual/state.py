"""Print what is installed in this system, as JSON: packages, users, groups, units, udev rules and the file tree.

Of a file: kind and mode, owner, size, and the time of its last change; of a link: where it points. Not of what changes
by itself: logs, caches, temporary files, the kernel's folders, compiled Python.
"""

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

_PASSED_OVER = ("/proc", "/sys", "/dev", "/run", "/bench", "/tmp", "/var/tmp", "/var/log", "/var/cache")
# systemd's own notes, which change from boot to boot.
_OF_ITS_OWN = ("/var/lib/systemd", "/etc/machine-id", "/etc/resolv.conf", "/etc/.updated", "/var/.updated")


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _tree(folder: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.path in _PASSED_OVER + _OF_ITS_OWN or entry.name == "__pycache__":
            continue
        found = entry.stat(follow_symlinks=False)
        words = f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
        if entry.is_symlink():
            words += f" -> {Path(entry.path).readlink()}"
        elif entry.is_file(follow_symlinks=False):
            words += f" {found.st_size} {found.st_mtime:.0f}"
        yield entry.path, words
        if entry.is_dir(follow_symlinks=False) and not os.path.ismount(entry.path):
            yield from _tree(entry.path)


def main() -> None:
    """Print it."""
    found = {
        "packages": _lines("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Abbrev}\n"),
        "users": Path("/etc/passwd").read_text().splitlines(),
        "groups": Path("/etc/group").read_text().splitlines(),
        "units": _lines("systemctl", "list-unit-files", "--no-legend", "--no-pager", "--full"),
        "rules": [str(file) for file in sorted(Path("/etc/udev/rules.d").iterdir())],
        "tree": [f"{path} {words}" for path, words in _tree("/")],
    }
    found["units"] = [" ".join(line.split()[:2]) for line in found["units"]]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
