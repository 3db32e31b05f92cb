#!/usr/bin/env python3
"""Write the locks of the kit's targets: which wheels a device gets, resolved by pip from pyproject.toml, with hashes.

    python tools/lock_targets.py [TARGET ...]       # needs the package index; without TARGET, all of them

Run it when the requirements of [device], [outputs] or [pages] change, and from time to time for newer versions. A lock
names no place that wheels come from, but pip must have found them in an index: a wheel that was built here has another
hash than the one that users get.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edge.kit.lock import LOCKS, Wheel, format_lock  # noqa: E402 - from this clone, whatever is installed
from edge.kit.targets import TARGETS, Target  # noqa: E402

# What runs on a device. pip itself goes along: Debian's Python has none unless python3-pip is installed.
EXTRAS = ("device", "outputs", "pages")
BESIDE = ("pip",)


class Found(NamedTuple):
    """A wheel that pip chose, and what its metadata requires."""

    wheel: Wheel
    requires: list[Requirement]


def environment(target: Target) -> dict[str, str]:
    """Return the values of a requirement's markers on the target."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{target.python}.0",
        "os_name": "posix",
        "platform_machine": target.machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "platform_release": "",
        "platform_version": "",
        "python_full_version": f"{target.python}.0",
        "python_version": target.python,
        "sys_platform": "linux",
        "extra": "",
    }


def tags(target: Target) -> frozenset[Tag]:
    """Return the tags of the wheels that the target's Python takes."""
    major, minor = map(int, target.python.split("."))
    platforms = target.platforms
    return frozenset(
        (
            *cpython_tags((major, minor), [target.abi], platforms),
            *compatible_tags((major, minor), target.abi, platforms),
        )
    )


def wanted(target: Target) -> list[Requirement]:
    """Return what a device of this kind requires by pyproject.toml, its own constraints and pip."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *(text for name in EXTRAS for text in project["optional-dependencies"][name])]
    every = [Requirement(text) for text in (*texts, *target.constraints, *BESIDE)]
    return [need for need in every if applies(need, target)]


def applies(need: Requirement, target: Target, extra: str = "") -> bool:
    """Return whether a requirement holds on the target."""
    return need.marker is None or need.marker.evaluate({**environment(target), "extra": extra})


def resolve(target: Target) -> list[Wheel]:
    """Return the wheels that the target needs, and no others."""
    # pip judges the markers of what it finds by the Python that it runs on. So what the target needs beyond that is
    # added until nothing is missing, and what it does not need is left out.
    roots = wanted(target)
    while True:
        found = _run_pip(target, [f"{need.name}{_extras(need)}{need.specifier}" for need in roots])
        missing = [need for need in _needed(target, roots, found) if canonicalize_name(need.name) not in found]
        if not missing:
            break
        roots += missing
    names = {canonicalize_name(need.name) for need in _needed(target, roots, found)}
    wheels = [found[name].wheel for name in sorted(names)]
    _check(target, wheels, list(_needed(target, roots, found)))
    return wheels


def _extras(need: Requirement) -> str:
    return f"[{','.join(sorted(need.extras))}]" if need.extras else ""


def _needed(target: Target, roots: list[Requirement], found: Mapping[str, Found]) -> Iterator[Requirement]:
    """Yield all requirements on the target: `roots`, what these require, and so on."""
    seen, waiting = set(), list(roots)
    while waiting:
        need = waiting.pop()
        if str(need) in seen:
            continue
        seen.add(str(need))
        yield need
        theirs = found[name].requires if (name := canonicalize_name(need.name)) in found else []
        waiting += [one for one in theirs if any(applies(one, target, extra) for extra in ("", *need.extras))]


def _run_pip(target: Target, requirements: list[str]) -> dict[str, Found]:
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--dry-run"]
    words += ["--ignore-installed", "--report", "-", *target.pip_words, *requirements]
    report = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return dict(_found(entry) for entry in report["install"])


def _found(entry: dict[str, Any]) -> tuple[str, Found]:
    url, archive = entry["download_info"]["url"], entry["download_info"]["archive_info"]
    if not url.startswith("https://"):
        raise SystemExit(f"{url}: a local file: let pip use the index alone (PIP_CONFIG_FILE, PIP_FIND_LINKS)")
    metadata, file = entry["metadata"], url.rpartition("/")[2].replace("%2B", "+")
    name = canonicalize_name(metadata["name"])
    wheel = Wheel(name, metadata["version"], archive["hashes"]["sha256"], file)
    return name, Found(wheel, [Requirement(text) for text in metadata.get("requires_dist", ())])


def _check(target: Target, wheels: list[Wheel], needs: list[Requirement]) -> None:
    """Raise SystemExit unless each wheel fits the target and all requirements."""
    fitting, versions = tags(target), {wheel.name: wheel.version for wheel in wheels}
    for wheel in wheels:
        if fitting.isdisjoint(parse_wheel_filename(wheel.file)[3]):
            raise SystemExit(f"{wheel.file}: does not fit {target.name}")
    for need in needs:
        version = versions[canonicalize_name(need.name)]
        if not need.specifier.contains(version, prereleases=True):
            raise SystemExit(f"{target.name}: {need.name} {version}: must be {need.specifier}")


def main() -> None:
    """Write the locks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    given = parser.parse_args().targets
    if unknown := sorted(set(given) - set(TARGETS)):
        parser.error(f"target {unknown[0]!r}: must be one of {', '.join(TARGETS)}")
    for name in given or TARGETS:
        wheels = resolve(TARGETS[name])
        (LOCKS / f"{name}.txt").write_text(format_lock(TARGETS[name], wheels))
        print(f"{name}: {', '.join(f'{wheel.name} {wheel.version}' for wheel in wheels)}")


if __name__ == "__main__":
    main()
