"""Make a folder with Debian, with mmdebstrap."""

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import host

_FORMAT = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"]


def mirror() -> str:
    """Return the archive of this machine's own packages. Raises Unavailable if that is not Debian's."""
    if platform.freedesktop_os_release().get("ID") != "debian":
        raise host.Unavailable("the test bench builds Debian from the archive that apt uses: this is not Debian")
    for line in host.run(_FORMAT).splitlines():
        address, _, component = line.partition(" ")
        if component == "main" and "security" not in address:
            return address
    raise host.Unavailable("apt has no archive: run apt-get update")


def make(
    tree: Path,
    release: str,
    packages: Sequence[str],
    *,
    variant: str,
    architecture: str = "amd64",
    early: str = "",
    setup: str = "",
) -> None:
    """Unpack packages and their dependencies into `tree`.

    variant: "apt" sets them up too, "extract" does not.
    early, setup: shell scripts, run before `packages` are unpacked and as the last step; $1 is the tree.
    """
    command = ["mmdebstrap", "--quiet", f"--variant={variant}", f"--architectures={architecture}"]
    command += [f"--include={','.join(packages)}"]
    # Nothing that is built here must survive a power cut, and syncing each file takes longer than writing it.
    command += ["--dpkgopt=force-unsafe-io"]
    command += [f"--essential-hook={early}"] if early else []
    command += [f"--customize-hook={setup}"] if setup else []
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    host.run([*command, release, tree, mirror()], env=environment)


def lend_network(tree: Path) -> None:
    """Copy this machine's name resolution and certificates into `tree`."""
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    (tree / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    shutil.copy(host.certificates(), tree / "etc/ssl/certs/bench.crt")


def shell(tree: Path, script: str) -> str:
    """Run a script in `tree`, as a step of building it; its changes stay. Return its output."""
    network = {"SSL_CERT_FILE": "/etc/ssl/certs/bench.crt", "PIP_CERT": "/etc/ssl/certs/bench.crt"}
    return host.run(["chroot", tree, "sh", "-ec", script], env={**host.guest_environment(), **network})
