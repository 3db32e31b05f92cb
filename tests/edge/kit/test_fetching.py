"""What pip prints when it cannot fetch a wheel comes to one line, with what to do and the right status."""

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from made_kits import TARGET, Workshop

from edge.errors import DataError, FieldfareError, MissingPackageError, StorageError, UnavailableError
from edge.kit import fetching
from edge.kit.fetching import wheels_at_hand

# As pip 26 prints them, shortened.
PRINTED: list[tuple[str, type[FieldfareError], str]] = [
    (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NameResolutionError(\"Failed to resolve\")'\n"
        "ERROR: No matching distribution found for alpha==1.0",
        UnavailableError,
        "3 wheels to fetch, and the package index does not answer",
    ),
    (
        "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool: Read timed out.",
        UnavailableError,
        "does not answer",
    ),
    (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        StorageError,
        "set TMPDIR",
    ),
    (
        "ERROR: Could not find a version that satisfies the requirement alpha==1.0 (from versions: 2.0)\n"
        "ERROR: No matching distribution found for alpha==1.0",
        DataError,
        "wheel alpha==1.0: the package index has none",
    ),
    (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated\n"
        "    alpha==1.0 from https://x/alpha.whl:\n        Expected sha256 0\n             Got        1\n",
        DataError,
        "wheel alpha==1.0: what was fetched has another SHA-256",
    ),
    (
        "  Downloading alpha.whl (40.0 MB)\nWARNING: Connection interrupted while downloading.\n"
        "error: incomplete-download\n\n\N{MULTIPLICATION SIGN} Download failed because not enough bytes came\n"
        "╰─> URL: https://x/alpha.whl\n\nnote: This is an issue with network connectivity, not pip.\n"
        "hint: Use --resume-retries to configure resume attempt limit.",
        UnavailableError,
        "the package index does not answer",
    ),
    (
        "ProtocolError: ('Connection broken: OSError(28, 'No space left on device')', OSError(28, 'No space left'))",
        StorageError,
        "no space for the wheels",
    ),
    (
        "ERROR: Could not install packages due to an OSError: [Errno 122] Disk quota exceeded",
        StorageError,
        "no space for the wheels",
    ),
    (
        "error: metadata-generation-failed\n\n\N{MULTIPLICATION SIGN} Encountered error.\n╰─> See above.\n\n"
        "note: This is an issue with the package mentioned above.\nhint: See above for details.",
        UnavailableError,
        "pip could not fetch the wheels: Encountered error.",
    ),
    ("Traceback:\nValueError: something else\n\n", UnavailableError, "ValueError: something else"),
    ("", UnavailableError, "it gave no reason"),
]


@pytest.mark.parametrize(("printed", "kind", "line"), PRINTED)
def test_what_pip_prints_is_one_line(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, printed: str, kind: type[FieldfareError], line: str
) -> None:
    monkeypatch.setattr(fetching, "_run", lambda *_: (1, printed, 1 << 30))
    with pytest.raises(kind) as caught, wheels_at_hand(TARGET, workshop.wheels, None, lambda _: None):
        pass
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_disk_that_was_full_meanwhile_is_no_fault_of_the_network(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip 26 says nothing of it, and has removed what it wrote when it ends."""
    printed = (
        "WARNING: Connection interrupted while downloading.\nerror: incomplete-download\nhint: Use --resume-retries\n"
    )
    usage, left = shutil.disk_usage(workshop.folder), [1 << 30, 4096, 1 << 30, 1 << 30]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=left.pop(0)))
    said = f"import sys; print({printed!r}, end=''); sys.exit(1)"
    monkeypatch.setattr(fetching, "_pip", lambda: [sys.executable, "-c", said])
    with (
        pytest.raises(StorageError, match=r"no space for the wheels in .*: free some, or set TMPDIR"),
        wheels_at_hand(TARGET, workshop.wheels, None, lambda _: None),
    ):
        pass


def test_a_full_folder_for_temporary_files_is_one_line(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    words = r"no place for the wheels in .*: No space left on device: set TMPDIR"
    with pytest.raises(StorageError, match=words), wheels_at_hand(TARGET, workshop.wheels, None, lambda _: None):
        pass


def test_a_python_without_pip(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="ensurepip"), wheels_at_hand(TARGET, workshop.wheels, None, print):
        pass


def test_a_folder_for_wheels_that_cannot_be_written_is_found_before_they_are_fetched(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_run", lambda *_: pytest.fail("fetched"))
    file = workshop.folder / "file"
    file.write_text("no folder")
    with pytest.raises(StorageError), wheels_at_hand(TARGET, workshop.wheels, file / "wheels", lambda _: None):
        pass


@pytest.mark.parametrize("name", ["file", "link"])
def test_a_file_as_the_folder_for_wheels_is_named_so(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(fetching, "_run", lambda *_: pytest.fail("fetched"))
    (workshop.folder / "file").write_text("no folder")
    (workshop.folder / "link").symlink_to("nowhere")
    cache = workshop.folder / name
    words = f"--wheels {cache}: no folder: name one, or leave --wheels out"
    with pytest.raises(StorageError, match=words), wheels_at_hand(TARGET, workshop.wheels, cache, lambda _: None):
        pass


def test_a_folder_for_wheels_that_may_not_be_written(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> str:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkdtemp", closed)
    cache = workshop.folder / "kept"
    words = f"--wheels {cache}: cannot write .*: Read-only file system; nothing was fetched: choose another place"
    with pytest.raises(StorageError, match=words), wheels_at_hand(TARGET, workshop.wheels, cache, lambda _: None):
        pass


def test_a_folder_for_wheels_that_fills_up_keeps_those_before(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the message does not claim that nothing is left."""
    cache, real = workshop.folder / "kept", os.write

    def full(handle: int, data: bytes) -> int:
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    left = [(workshop.index / workshop.wheels[0].file).stat().st_size]
    monkeypatch.setattr(os, "write", full)
    words = (
        f"--wheels {cache}: cannot write {workshop.wheels[1].file}: No space left on device; the wheels before it stay "
        "there, and no kit was made: free some space or choose another place"
    )
    with pytest.raises(StorageError) as caught, wheels_at_hand(TARGET, workshop.wheels, cache, lambda _: None):
        pass
    assert str(caught.value) == words
    assert [one.name for one in cache.iterdir()] == [workshop.wheels[0].file]


def test_every_wheel_is_a_step_whether_fetched_or_kept(workshop: Workshop) -> None:
    kept = workshop.folder / "kept"
    kept.mkdir()
    (kept / workshop.wheels[0].file).write_bytes((workshop.index / workshop.wheels[0].file).read_bytes())
    steps: list[str] = []
    with wheels_at_hand(TARGET, workshop.wheels, kept, steps.append) as found:
        assert found == {wheel.file: kept / wheel.file for wheel in workshop.wheels}
    assert steps == [wheel.file for wheel in workshop.wheels]


def test_pip_ends_with_whoever_is_interrupted(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Seen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *words: object, **options: object) -> None:
            super().__init__(*words, **options)  # type: ignore[call-overload]
            started.append(self)

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Seen)
    with pytest.raises(KeyboardInterrupt), wheels_at_hand(TARGET, workshop.wheels, None, interrupted):
        pass
    assert started[0].poll() is not None


def test_wheels_that_are_not_kept_leave_nothing(workshop: Workshop) -> None:
    with wheels_at_hand(TARGET, workshop.wheels, None, lambda _: None) as found:
        places = list(found.values())
        assert all(path.is_file() for path in places)
    assert not any(Path(path).exists() for path in places)
