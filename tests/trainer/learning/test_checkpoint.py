"""Checkpoints on disk: written whole, read only if whole, used by one training at a time."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainer.learning.checkpoint
from edge.errors import OutputExistsError, StorageError
from trainer.learning.checkpoint import Checkpoints, NoCheckpoints, folder_of, opened, pack, unpack

CutOff = Callable[..., None]
Saved = tuple[Checkpoints, Path, bytes]

STATE = {
    "weight0": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "counts": np.array([3, 6], np.int64),
    "figures": np.array([np.inf, np.nan, -0.0]),
    "nothing": np.zeros((0, 5)),
    "scalar": np.array(0.5),
}
OPTIONS = {"seed": 0, "classes": ["fox", "hare"], "time budget": None}

HOLD = """
import sys
from pathlib import Path
from trainer.learning.checkpoint import opened
with opened(Path(sys.argv[1]), restart=False):
    print("training", flush=True)
    sys.stdin.read()
"""
SAVE_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from edge.errors import StorageError
from trainer.learning.checkpoint import opened
with opened(Path(sys.argv[1]), restart=False) as checkpoints:
    checkpoints.save("training", {"step": np.array(1)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        checkpoints.save("training", {"step": np.array(2), "weights": np.zeros(100_000)})
    except StorageError as error:
        print(error)
    print(checkpoints.load("training")["step"], sorted(path.name for path in checkpoints.folder.iterdir()))
"""


class PulledPlug(Exception):
    """The training ends here."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the path of the bundle-to-be."""
    return tmp_path / "birds"


@pytest.fixture
def folder(out: Path) -> Path:
    return folder_of(out)


@pytest.fixture
def cut_off(out: Path) -> CutOff:
    """Run a training that reaches `state`, or nothing, and is killed."""

    def run(state: dict[str, np.ndarray] | None = STATE, options: dict[str, object] = OPTIONS) -> None:
        with pytest.raises(PulledPlug), opened(out, restart=False) as checkpoints:
            checkpoints.identify(options)
            if state is not None:
                checkpoints.save("training", state)
            raise PulledPlug

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Save and load


def test_what_was_saved_is_loaded_bit_by_bit(out: Path) -> None:
    with opened(out, restart=False) as checkpoints:
        checkpoints.save("training", STATE)
        found = checkpoints.load("training")
    assert {name: (array.dtype, array.shape, array.tobytes()) for name, array in found.items()} == {
        name: (array.dtype, array.shape, array.tobytes()) for name, array in STATE.items()
    }


def test_the_last_save_of_a_stage_counts_and_stages_are_apart(out: Path) -> None:
    with opened(out, restart=False) as checkpoints:
        checkpoints.save("head", {"step": np.array(7)})
        for step in (1, 2):
            checkpoints.save("training", {"step": np.array(step)})
        assert (checkpoints.load("head")["step"], checkpoints.load("training")["step"]) == (7, 2)


def test_a_stage_that_was_not_reached_has_no_state(out: Path) -> None:
    with opened(out, restart=False) as checkpoints:
        assert checkpoints.load("training") is None


def test_nothing_packs_to_nothing() -> None:
    assert pack(None) == b""
    assert unpack(pack(STATE)).keys() == STATE.keys()


def test_pickled_objects_are_never_read() -> None:
    """An .npz file can hold them, and reading them runs code."""
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        unpack(pack({"trap": np.array([print], dtype=object)}))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return checkpoints with one state, its file and the file's content."""
    checkpoints = Checkpoints(tmp_path_factory.mktemp("birds.training"))
    checkpoints.save("training", {"step": np.array(3)})
    path = checkpoints.folder / "training.npz"
    return checkpoints, path, path.read_bytes()


def test_a_file_cut_short_at_any_length_is_no_state(saved: Saved) -> None:
    checkpoints, path, content = saved
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert checkpoints.load("training") is None, f"{length} of {len(content)} bytes"
    path.write_bytes(content)
    assert checkpoints.load("training") == {"step": 3}


@settings(deadline=None)
@given(data=st.data())
def test_a_file_with_a_changed_byte_is_no_state(saved: Saved, data: st.DataObject) -> None:
    checkpoints, path, content = saved
    place = data.draw(st.integers(0, len(content) - 1))
    change = data.draw(st.integers(1, 255))
    path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
    assert checkpoints.load("training") is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_other_file_is_no_state(saved: Saved, data: bytes) -> None:
    checkpoints, path, _ = saved
    path.write_bytes(data)
    assert checkpoints.load("training") is None


# Who may go on


def test_the_same_options_go_on(out: Path, cut_off: CutOff) -> None:
    cut_off()
    with opened(out, restart=False) as checkpoints:
        checkpoints.identify(dict(reversed(OPTIONS.items())))
        assert checkpoints.load("training").keys() == STATE.keys()


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({**OPTIONS, "seed": 1}, r"another seed \(0, now 1\)"),
        ({**OPTIONS, "classes": ["fox"]}, r"another classes \(\['fox', 'hare'\], now \['fox'\]\)"),
        ({**OPTIONS, "time budget": 5.0}, r"another time budget \(None, now 5\.0\)"),
        ({**OPTIONS, "epochs": 5}, r"another epochs \(None, now 5\)"),
    ],
)
def test_other_options_are_refused_and_the_message_names_the_difference(
    out: Path, folder: Path, cut_off: CutOff, options: dict[str, object], difference: str
) -> None:
    cut_off()
    with (
        pytest.raises(OutputExistsError, match=rf"birds\.training holds an unfinished training with {difference}: "),
        opened(out, restart=False) as checkpoints,
    ):
        checkpoints.identify(options)
    assert names(folder) == ["training.json", "training.npz"], "the refusal must not cost the unfinished one"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"seed": 0'])
def test_a_description_that_cannot_be_read_is_refused_too(
    out: Path, folder: Path, cut_off: CutOff, content: bytes
) -> None:
    cut_off()
    (folder / "training.json").write_bytes(content)
    with (
        pytest.raises(OutputExistsError, match=r"with other options: .* or add --restart"),
        opened(out, restart=False) as checkpoints,
    ):
        checkpoints.identify(OPTIONS)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_a_description_that_is_json_but_no_object_is_refused_too(
    out: Path, folder: Path, cut_off: CutOff, content: str
) -> None:
    cut_off()
    (folder / "training.json").write_text(content)
    with pytest.raises(OutputExistsError, match="other options"), opened(out, restart=False) as checkpoints:
        checkpoints.identify(OPTIONS)


def test_restart_throws_the_unfinished_training_away(out: Path, cut_off: CutOff) -> None:
    cut_off()
    with opened(out, restart=True) as checkpoints:
        checkpoints.identify({**OPTIONS, "seed": 1})
        assert checkpoints.load("training") is None


def test_a_clean_up_that_is_killed_leaves_no_state_without_its_description(
    out: Path, folder: Path, cut_off: CutOff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a state could belong to any training."""
    cut_off()
    with opened(out, restart=False) as checkpoints:
        checkpoints.save("head", STATE)
        unlink = Path.unlink

        def unlink_and_die(path: Path, *, missing_ok: bool = False) -> None:
            unlink(path, missing_ok=missing_ok)
            raise PulledPlug

        monkeypatch.setattr(Path, "unlink", unlink_and_die)
        with pytest.raises(PulledPlug):
            trainer.learning.checkpoint._empty(folder)
        monkeypatch.undo()
        assert set(names(folder)) in ({"training.json", "training.npz"}, {"training.json", "head.npz"})


def test_states_without_a_description_are_thrown_away(out: Path, folder: Path) -> None:
    folder.mkdir()
    with opened(out, restart=False) as checkpoints:
        checkpoints.save("training", STATE)
        checkpoints.identify(OPTIONS)
        assert checkpoints.load("training") is None


def test_restart_where_nothing_is_unfinished_is_a_start(out: Path) -> None:
    with opened(out, restart=True) as checkpoints:
        assert checkpoints.load("training") is None


# The folder


def test_the_folder_stands_beside_the_bundle() -> None:
    assert folder_of(Path("models/birds.fieldfare")) == Path("models/birds.fieldfare.training")


def test_the_folder_is_gone_when_the_bundle_is_there(out: Path, folder: Path) -> None:
    with opened(out, restart=False) as checkpoints:
        checkpoints.identify(OPTIONS)
        checkpoints.save("training", STATE)
        assert names(folder) == ["training.json", "training.npz"]
    assert not folder.exists()


def test_what_was_reached_is_kept_when_a_training_ends_in_an_error(folder: Path, cut_off: CutOff) -> None:
    cut_off()
    assert names(folder) == ["training.json", "training.npz"]


def test_nothing_is_kept_of_a_training_that_reached_nothing(folder: Path, cut_off: CutOff) -> None:
    cut_off(state=None)
    assert not folder.exists()


@pytest.mark.parametrize("ending", ["finished", "failed", "restarted"])
def test_a_file_of_the_users_in_the_folder_survives(out: Path, folder: Path, cut_off: CutOff, ending: str) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("lens cleaned")
    (folder / ".hidden").touch()
    if ending == "failed":
        cut_off(state=None)
    else:
        with opened(out, restart=ending == "restarted") as checkpoints:
            checkpoints.save("training", STATE)
    assert names(folder) == [".hidden", "notes.txt"]
    assert (folder / "notes.txt").read_text() == "lens cleaned"


def test_an_array_of_the_users_in_the_folder_survives(out: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "my-measurements.npz").write_bytes(b"precious")
    with opened(out, restart=True):
        pass
    assert (folder / "my-measurements.npz").is_file()


def test_half_files_of_a_killed_process_go_with_the_rest(out: Path, folder: Path) -> None:
    half = folder / ".training.npz.x7k2.partial"
    half.mkdir(parents=True)
    (half / "new").write_bytes(b"half")
    with opened(out, restart=False):
        pass
    assert not folder.exists()


def test_members_that_are_not_the_chief_write_nothing_and_find_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints = NoCheckpoints()
    checkpoints.identify(OPTIONS)
    checkpoints.save("training", STATE)
    assert checkpoints.load("training") is None
    assert names(tmp_path) == []


# One at a time


@pytest.fixture
def another(out: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a second process that trains the same bundle."""
    command = [sys.executable, "-c", HOLD, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "training\n"
        yield process
        process.kill()


@pytest.mark.parametrize("restart", [False, True])
def test_a_second_training_of_the_same_bundle_is_refused(
    out: Path, folder: Path, another: subprocess.Popen[str], restart: bool
) -> None:
    (folder / "training.npz").touch()
    with (
        pytest.raises(OutputExistsError, match=r"birds\.training: another training is running there: wait for it"),
        opened(out, restart=restart),
    ):
        pass
    assert names(folder) == ["training.npz"], "what belongs to the other one is left alone"


def test_a_killed_process_holds_nothing_back(out: Path, another: subprocess.Popen[str]) -> None:
    another.send_signal(signal.SIGKILL)
    another.wait()
    with opened(out, restart=False) as checkpoints:
        checkpoints.save("training", STATE)


# Disks


def test_a_full_disk_is_a_storage_error_and_the_state_before_stays(out: Path) -> None:
    command = [sys.executable, "-c", SAVE_ON_A_FULL_DISK, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    message, left = done.stdout.splitlines()
    assert message.startswith(f"cannot write {out}.training/training.npz: File too large; nothing was left behind")
    assert left == "1 ['training.npz']"


def test_a_disk_that_fails_to_sync_is_a_storage_error(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with opened(out, restart=False) as checkpoints:
        with monkeypatch.context() as patch, pytest.raises(StorageError, match="Input/output error"):
            patch.setattr(os, "fsync", fail)
            checkpoints.save("training", STATE)
        assert checkpoints.load("training") is None


def test_a_place_where_no_folder_can_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match=r"birds\.training: cannot be made: Not a directory: choose another --out"),
        opened(tmp_path / "file" / "birds", restart=False),
    ):
        pass


def test_a_file_where_the_folder_should_be_is_a_storage_error(out: Path, folder: Path) -> None:
    folder.write_text("mine")
    with pytest.raises(StorageError, match="cannot be made: File exists"), opened(out, restart=False):
        pass
    assert folder.read_text() == "mine"
