"""Check that this machine has the programs of the bench, and run them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Program -> Debian package.
DEBIAN = {"mmdebstrap": "mmdebstrap", "dpkg-deb": "dpkg", "unshare": "util-linux"}
MACHINE = {"qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs", "xz": "xz-utils"}
ARM_MACHINE = {"qemu-system-aarch64": "qemu-system-arm", "arch-test": "arch-test"}
ARM = {"qemu-aarch64-static": "qemu-user-static", "qemu-arm-static": "qemu-user-static"}
# What those packages only recommend, but need here.
_ALONG = {
    "qemu-system-x86": ("qemu-system-data", "seabios", "ipxe-qemu"),
    "gcc-arm-linux-gnueabihf": ("libc6-dev-armhf-cross",),
}
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Unavailable(Exception):  # noqa: N818 - a state of the machine, not a fault of the bench
    """The bench is not available on this machine; the message gives the reason and the fix."""


class Failed(Exception):  # noqa: N818
    """The bench should work on this machine, but does not."""


def require(programs: Mapping[str, str]) -> None:
    """Raise Unavailable if the bench cannot run here. With CI set, missing packages are installed first."""
    if os.uname().machine != "x86_64":
        raise Unavailable(f"the test bench is for x86-64, this is {os.uname().machine}")
    if os.geteuid() != 0:
        raise Unavailable("the test bench needs root, for chroot and device nodes: run it with sudo")
    if shutil.which("apt-get") is None:
        raise Unavailable("the test bench needs Debian's apt-get")
    missing = _missing(programs)
    if missing and os.environ.get("CI"):
        _install(missing)
        missing = _missing(programs)
    if missing:
        raise Unavailable(f"not installed: sudo apt-get install --no-install-recommends {' '.join(missing)}")


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command; return its standard output. Raises Failed with the end of what it printed."""
    done = subprocess.run(
        [str(word) for word in command], env=env and dict(env), cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shown = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise Failed(f"{Path(command[0]).name} ended with {done.returncode}:\n{shown}")
    return done.stdout


def say(text: str) -> None:
    """Print progress on standard error."""
    print(f"testbench: {text}", file=sys.stderr, flush=True)


def certificates() -> Path:
    """Return the file with the certificate authorities that this machine trusts."""
    return Path(os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or _CERTIFICATES)


def guest_environment() -> dict[str, str]:
    """Return the environment for a command in a Debian tree: of this machine's own, only the network settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.lower().endswith("_proxy") or name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
    }
    return {
        **kept,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def _missing(programs: Mapping[str, str]) -> list[str]:
    missing = {package for program, package in programs.items() if shutil.which(program) is None}
    return sorted(missing.union(*(_ALONG.get(package, ()) for package in missing)))


def _install(packages: Sequence[str]) -> None:
    say(f"installing {' '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(["apt-get", "-qq", "update"], env=env)
        run(["apt-get", "-qq", "install", "--no-install-recommends", "-y", *packages], env=env)
    except Failed as error:
        raise Unavailable(f"packages cannot be installed: {error}") from error
