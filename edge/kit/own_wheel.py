"""Make the wheel of the Fieldfare that runs: from its clone, or from the files that pip installed.

The same files give the same bytes on every machine. No build tool does that: each version of setuptools writes itself
and its own form of the metadata into the wheel, zlib compresses differently from one system to the next, and in a new
virtual environment pip would first have to fetch setuptools.
"""

import base64
import csv
import hashlib
import importlib.metadata
import io
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge import __version__
from edge.errors import MissingInputError
from edge.kit.delivered import clone, root, units_folder
from edge.storage import read_bounded

NAME = "fieldfare"
FILE = f"{NAME}-{__version__}-py3-none-any.whl"
_INFO = f"{NAME}-{__version__}.dist-info"
_WHEEL = "Wheel-Version: 1.0\nGenerator: fieldfare\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_MOST = 16 << 20
# What a wheel does not hold, or what is written anew.
_NOT_KEPT = ("INSTALLER", "RECORD", "REQUESTED", "WHEEL", "direct_url.json", "top_level.txt")


def own_wheel() -> bytes:
    """Return the wheel of the Fieldfare that runs. Raises MissingInputError if a part of it is missing or changed."""
    project = clone()
    files = dict(_installed() if project is None else _of_clone(project))
    files[f"{_INFO}/WHEEL"] = _WHEEL.encode()
    return _zipped(files)


def _of_clone(project: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the packages as setup.py would choose them, and the metadata."""
    tools, folder = project["tool"]["setuptools"], root()
    for pattern in tools["packages"]["find"]["include"]:
        for package in sorted(path for path in folder.glob(pattern) if (path / "__init__.py").is_file()):
            kept = ["**/*.py", *tools["package-data"].get(package.name, ())]
            paths = {path for one in kept for path in package.glob(one) if path.is_file()}
            yield from ((path.relative_to(folder).as_posix(), _read(path)) for path in paths)
    units = units_folder()
    for path in (path for path in units.rglob("*") if path.is_file()):
        yield f"edge/kit/systemd/{path.relative_to(units).as_posix()}", _read(path)
    about = project["project"]
    yield f"{_INFO}/METADATA", _metadata(about).encode()
    yield f"{_INFO}/entry_points.txt", _entry_points(about).encode()
    for name in about["license-files"]:
        yield f"{_INFO}/licenses/{name}", _read(folder / name)


def _metadata(about: Mapping[str, Any]) -> str:
    lines = [
        *("Metadata-Version: 2.4", f"Name: {NAME}", f"Version: {__version__}", f"Summary: {about['description']}"),
        *(f"License-Expression: {about['license']}", f"Requires-Python: {about['requires-python']}"),
        *(f"License-File: {name}" for name in about["license-files"]),
        *(f"Requires-Dist: {need}" for need in about["dependencies"]),
    ]
    for extra, needs in about["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        for need in needs:
            package, _, marker = need.partition(";")
            also = f"({marker.strip()}) and " if marker else ""
            lines.append(f'Requires-Dist: {package.strip()}; {also}extra == "{extra}"')
    return "\n".join(lines) + "\n"


def _entry_points(about: Mapping[str, Any]) -> str:
    groups = {"console_scripts": about["scripts"], **about["entry-points"]}
    return "\n".join(
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in sorted(entries.items()))
        for group, entries in sorted(groups.items())
    )


def _installed() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the wheel that pip installed, each as its record has it."""
    try:
        listed = importlib.metadata.distribution(NAME).files
    except importlib.metadata.PackageNotFoundError:
        listed = None
    if not listed:
        raise MissingInputError(
            f"{root()}: neither a clone of Fieldfare nor installed by pip, so no wheel can be made of it: install it "
            "with pip, or run it from the clone"
        )
    for file in listed:
        # Scripts lie outside, and are made again where the wheel is installed. Compiled modules have no hash.
        if ".." in file.parts or file.hash is None or file.name in _NOT_KEPT:
            continue
        data = _read(Path(str(file.locate())))
        digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, data).digest()).rstrip(b"=").decode()
        if digest != file.hash.value:
            raise MissingInputError(f"{file.locate()} was changed since pip installed it: install Fieldfare again")
        yield file.as_posix(), data


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, _MOST)
    except OSError as error:
        reason = error.strerror or error
        raise MissingInputError(
            f"{path}: cannot read: {reason}: a part of Fieldfare itself; install it again"
        ) from error


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a wheel of these files: sorted, without times, not compressed."""
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for name, data in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow((name, f"sha256={digest}", len(data)))
    rows.writerow((f"{_INFO}/RECORD", "", ""))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (*sorted(files.items()), (f"{_INFO}/RECORD", record.getvalue().encode())):
            # As in a packed bundle: ZipInfo would note the system and the time.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
