"""A byte that the card changes in SQLite's log: what was committed behind it is gone, but not without a word."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from store_events import event, everything, new

from edge.store.files import files_of
from edge.store.reading import StoreReader
from edge.store.writes.log_damage import find_passed_over
from edge.store.writing import StoreWriter

EVENTS = 60
_HEADER, _FRAME = 32, 24 + 1024
BLOCK = 4096


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a commit for each event, as a kill leaves it: all but the tables is in the log only."""
    folder = tmp_path_factory.mktemp("killed")
    StoreWriter(folder / "made.db").close()
    with StoreWriter(folder / "made.db") as writer:
        for number in range(1, EVENTS + 1):
            writer.add_events([new(event(number * 1000))])
        copy(folder / "made.db", folder / "events.db")
    return folder / "events.db"


def copy(store: Path, to: Path) -> Path:
    """Copy the files of a store as they lie on the disk."""
    to.parent.mkdir(exist_ok=True)
    for file, other in zip(files_of(store)[:2], files_of(to), strict=False):
        shutil.copyfile(file, other)
    return to


def log_of(store: Path) -> Path:
    return files_of(store)[1]


def ends_of_commits(log: bytes) -> list[int]:
    """The places behind the frames that end a commit."""
    begins = range(_HEADER, len(log) - _FRAME + 1, _FRAME)
    return [begin + _FRAME for begin in begins if log[begin + 4 : begin + 8] != bytes(4)]


def opened(store: Path) -> tuple[str | None, int, int]:
    """What opening reports of a loss, how many events there are, and the number of the next one."""
    with StoreWriter(store) as writer:
        (number,) = writer.add_events([new(event(9_000_000))])
        assert number is not None
        assert number > writer.count() - 1
        return writer.loss, writer.count() - 1, number


def test_a_log_that_is_whole_has_lost_nothing(killed: Path, tmp_path: Path) -> None:
    assert find_passed_over(log_of(killed)) is None
    assert find_passed_over(tmp_path / "none") is None
    assert opened(copy(killed, tmp_path / "events.db")) == (None, EVENTS, EVENTS + 1)


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_byte_is_found_and_what_it_cost_is_said(killed: Path, tmp_path: Path, seed: int) -> None:
    drawn, store = random.Random(seed), copy(killed, tmp_path / "events.db")
    log = bytearray(log_of(store).read_bytes())
    # Not in the last commit: that may be a power cut's doing.
    place = drawn.randrange(_HEADER, ends_of_commits(bytes(log))[-2])
    log[place] ^= drawn.randrange(1, 256)
    log_of(store).write_bytes(log)
    loss, kept, following = opened(store)
    assert loss is not None
    lost = EVENTS - kept
    assert f"{lost} event{'s' if lost > 1 else ''} up to number {EVENTS} among them" in loss
    assert following == EVENTS + 1  # no number is given twice, so that outputs report a gap
    with StoreReader(store) as reader:
        assert reader.count_after(0) == kept + 1
    assert [one.number for one in everything(store)] == [*range(1, kept + 1), EVENTS + 1]


@pytest.mark.parametrize("place", [3, 17, 25])
def test_a_header_that_is_damaged_costs_the_whole_log(killed: Path, tmp_path: Path, place: int) -> None:
    store = copy(killed, tmp_path / "events.db")
    log = bytearray(log_of(store).read_bytes())
    log[place] ^= 0x10
    log_of(store).write_bytes(log)
    loss, kept, following = opened(store)
    assert (kept, following) == (0, EVENTS + 1)
    assert loss is not None
    assert f"{EVENTS} events" in loss


def test_a_loss_is_told_once(killed: Path, tmp_path: Path) -> None:
    """What is left of the old log behind a new end must not pass for another loss."""
    store = copy(killed, tmp_path / "events.db")
    log = bytearray(log_of(store).read_bytes())
    log[ends_of_commits(bytes(log))[3] + 100] ^= 1
    log_of(store).write_bytes(log)
    with StoreWriter(store) as writer:
        assert writer.loss is not None
        writer.add_events([new(event(9_000_000))])
        again = copy(store, tmp_path / "again" / "events.db")
    with StoreWriter(again) as writer:
        assert writer.loss is None


def cut_short(log: bytes, drawn: random.Random) -> bytes:
    return log[: drawn.randrange(len(log))]


def torn(log: bytes, drawn: random.Random) -> bytes:
    """Some blocks of the last commit never reached the disk."""
    synced = ends_of_commits(log)[-2]
    blocks = range(-(-synced // BLOCK) * BLOCK, len(log), BLOCK)
    data = bytearray(log)
    for begin in (synced, *blocks):
        if drawn.random() < 0.5:
            end = min(len(log), (begin // BLOCK + 1) * BLOCK)
            data[begin:end] = bytes(end - begin)
    return bytes(data)


@pytest.mark.parametrize("harm", [cut_short, torn])
@pytest.mark.parametrize("seed", range(8))
def test_what_a_power_cut_leaves_is_no_damage(
    killed: Path, tmp_path: Path, harm: Callable[[bytes, random.Random], bytes], seed: int
) -> None:
    store = copy(killed, tmp_path / "events.db")
    log_of(store).write_bytes(harm(log_of(store).read_bytes(), random.Random(seed)))
    loss, kept, following = opened(store)
    assert (loss, following) == (None, kept + 1)


@pytest.mark.parametrize(
    "data", [b"", b"\x37\x7f\x06\x82", bytes(5000), b"\xff" * 5000, random.Random(1).randbytes(9000)]
)
def test_what_is_no_log_is_no_damage(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log").write_bytes(data)
    assert find_passed_over(tmp_path / "log") is None
