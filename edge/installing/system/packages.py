"""Debian packages: those that the service needs of the system, and those that a kit brings."""

from collections.abc import Sequence
from pathlib import Path

from edge.installing.layout import Layout
from edge.installing.system.files import content, put
from edge.installing.system.programs import Programs, must

_DPKG_S = 900.0
_FIX = "sudo dpkg --configure -a, then install again"


def missing(programs: Programs, names: Sequence[str]) -> list[str]:
    """Return those of `names` that are not installed."""
    return [name for name in names if not _version(programs, name)]


def to_install(programs: Programs, debs: Sequence[Path]) -> list[tuple[str, Path]]:
    """Return the name and the file of each package that is missing or older than the file."""
    found = []
    for file in debs:
        words = ["dpkg-deb", "--show", "--showformat=${Package} ${Version}", str(file)]
        name, _, version = must(programs, words, "build the kit again").strip().partition(" ")
        here = _version(programs, name)
        if not here or programs.run(["dpkg", "--compare-versions", here, "lt", version]).status == 0:
            found.append((name, file))
    return found


def install(layout: Layout, programs: Programs, debs: Sequence[tuple[str, Path]]) -> None:
    """Install packages, and note first which of them are new, so that they can be removed again."""
    new = missing(programs, [name for name, _ in debs])
    put(layout.packages, "".join(f"{name}\n" for name in sorted({*noted(layout), *new})).encode())
    must(programs, ["dpkg", "--install", *(str(file) for _, file in debs)], _FIX, _DPKG_S)


def remove(programs: Programs, names: Sequence[str]) -> str | None:
    """Remove packages. Return the reason if dpkg refuses."""
    there = [name for name in names if _version(programs, name)]
    outcome = programs.run(["dpkg", "--remove", *there], _DPKG_S) if there else None
    return outcome.reason if outcome is not None and outcome.status else None


def noted(layout: Layout) -> list[str]:
    """Return the names of the packages that came with a kit."""
    return (content(layout.packages) or b"").decode(errors="replace").split()


def _version(programs: Programs, name: str) -> str:
    outcome = programs.run(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", name])
    state, _, version = outcome.printed.strip().partition(" ")
    return version if outcome.status == 0 and state == "installed" else ""
