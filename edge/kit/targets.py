"""Name the systems that a kit can be made for, and which wheels fit them."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A system: a release of Debian, or of Raspberry Pi OS, on one kind of processor.

    name: as --target has it
    machine: the processor as `uname -m` and the tags of wheels have it
    architecture: the same as Debian has it
    os_release: VERSION_ID in /etc/os-release
    python: the version of the system's Python
    glibc: the minor version of its C library, 2.x
    constraints: what its lock must hold beside the requirements of Fieldfare
    """

    name: str
    machine: str
    architecture: str
    os_release: str
    python: str
    glibc: int
    constraints: tuple[str, ...] = ()

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags of its wheels, those for the newest C library first, as pip prefers them."""
        return (*self._manylinux(), f"linux_{self.machine}")

    def _manylinux(self) -> Iterator[str]:
        # The first C library of x86-64 that wheels were made for is 2.5, that of all others 2.17 (PEP 600).
        oldest = 5 if self.machine == "x86_64" else 17
        for minor in range(self.glibc, oldest - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor in _OLD_NAMES:
                yield f"manylinux{_OLD_NAMES[minor]}_{self.machine}"

    @property
    def abi(self) -> str:
        """The tag of its Python, such as cp313."""
        return f"cp{self.python.replace('.', '')}"

    @property
    def pip_words(self) -> tuple[str, ...]:
        """The options with which pip, on any machine, chooses wheels for this system."""
        return (
            *("--only-binary=:all:", "--implementation=cp", f"--python-version={self.python}"),
            *(f"--abi={abi}" for abi in (self.abi, "abi3", "none")),
            *(f"--platform={platform}" for platform in self.platforms),
        )


_OLD_NAMES = {17: "2014", 12: "2010", 5: "1"}
# ID in /etc/os-release: Raspberry Pi OS is "debian" as a 64-bit system and "raspbian" as a 32-bit one.
OS_IDS = ("debian", "raspbian")
TARGETS = {
    target.name: target
    for target in (
        Target("trixie-arm64", "aarch64", "arm64", "13", "3.13", 41),
        # Bookworm's picamera2 was built for NumPy 1 and fails with 2: "numpy.dtype size changed" (its issue 1088).
        Target("bookworm-arm64", "aarch64", "arm64", "12", "3.11", 36, ("numpy<2",)),
        Target("trixie-amd64", "x86_64", "amd64", "13", "3.13", 41),
    )
}
# Systems that Fieldfare runs on, and for which no kit can be made, with the reason and what to do.
NO_KIT = {
    "bookworm-armhf": "Debian 12's own packages are older than Fieldfare needs (NumPy 1.24, must be at least 1.26; "
    "OpenCV 4.6, at least 4.8; Pillow 9.4, at least 10.3), and the package index has none of them for armv7l: use the "
    "64-bit system, and bookworm-arm64"
}
