"""What pip prints when it cannot fetch a wheel comes to one line, with what to do and the right status."""

import importlib.util
import subprocess
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
    ("Traceback:\nValueError: something else\n\n", UnavailableError, "ValueError: something else"),
    ("", UnavailableError, "it gave no reason"),
]


@pytest.mark.parametrize(("printed", "kind", "line"), PRINTED)
def test_what_pip_prints_is_one_line(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, printed: str, kind: type[FieldfareError], line: str
) -> None:
    monkeypatch.setattr(fetching, "_run", lambda *_: (1, printed))
    with pytest.raises(kind) as caught, wheels_at_hand(TARGET, workshop.wheels, None, lambda _: None):
        pass
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


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
