"""Run a command in a Debian folder."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import host

# The namespaces end with the program, and with them the mounts. What the program writes stays in memory and is lost.
_ENTER = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$SCRATCH"
mkdir "$SCRATCH/upper" "$SCRATCH/work" "$SCRATCH/root"
mount -t overlay overlay -o "lowerdir=$TREE,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work" "$SCRATCH/root"
cd "$SCRATCH/root"
mkdir -p proc dev tmp bench
[ -e dev/null ] || { mknod -m 666 dev/null c 1 3; mknod -m 666 dev/urandom c 1 9; }
mount -t proc proc proc
mount --bind "$BENCH" bench
exec chroot . "$@"
"""


def enter(tree: Path, bench: Path, command: Sequence[str], *, timeout_s: float) -> int:
    """Run a command in `tree`, with the folder `bench` at /bench; return its exit status. `tree` is not changed."""
    with tempfile.TemporaryDirectory() as scratch:
        places = {"TREE": str(tree), "BENCH": str(bench), "SCRATCH": scratch}
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", _ENTER, "enter", *command]
        try:
            environment = {**host.guest_environment(), **places}
            return subprocess.run(words, env=environment, timeout=timeout_s, check=False).returncode
        except subprocess.TimeoutExpired as error:
            raise host.Failed(f"{' '.join(command)}: not done within {timeout_s:g} s") from error
