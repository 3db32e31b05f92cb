"""Decisions on pictures in groups: made, taken back, found again; nothing lost when something is wrong."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataError, MissingInputError, StorageError, UnavailableError
from edge.sorting.changing import ConflictError
from edge.sorting.naming import name_problem
from edge.sorting.records import Action, Change, Found, Part
from edge.sorting.session import Session


def found(groups: int = 4, each: int = 5) -> list[Found]:
    """Pictures 1 to groups * each, group by group."""
    names = [f"{group}/{number}.jpg".encode() for group in range(1, groups + 1) for number in range(each)]
    return [Found(name, name, 1 + place // each, f"heap {1 + place // each}") for place, name in enumerate(names)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "photos.sorting" / "session.db"


@pytest.fixture
def session(path: Path) -> Iterator[Session]:
    with Session(path) as opened:
        opened.add(found())
        yield opened


def change(action: Action, *, seen: int | None = None, name: str = "", **given: list[int]) -> Change:
    return Change(action, "ada", seen, given.get("pictures"), given.get("groups", []), name)


def states(session: Session) -> dict[int, tuple[str, str, int]]:
    """State, class and group of each picture."""
    shown = session.pictures(Part(), 0, 100)
    return {picture.number: (picture.state, picture.name, picture.group) for picture in shown}


def test_naming_a_group_names_all_of_it_that_is_open(session: Session) -> None:
    session.change(change("out", pictures=[2]))
    step = session.change(change("name", groups=[1], name="fox"))
    assert step is not None
    assert step.count == 4
    group = session.group(1)
    assert group is not None
    assert group.counts == {"open": 0, "named": 4, "out": 1, "skipped": 0}
    assert session.names() == [("fox", 4)]
    (first,) = session.pictures(Part(group=1, state="named"), 0, 1)
    assert first.by == "ada"
    assert first.wall_s > 1.7e9


def test_selected_ones_go_each_its_way(session: Session) -> None:
    session.change(change("name", pictures=[1, 2], name="owl"))
    session.change(change("skip", pictures=[3]))
    session.change(change("split", pictures=[4, 5], groups=[1]))
    session.change(change("reopen", pictures=[2]))
    assert states(session)[1][:2] == ("named", "owl")
    assert states(session)[2][:2] == ("open", "")
    assert states(session)[3][0] == "skipped"
    assert [group.number for group in session.groups(only_open=False, skip=0, limit=9, samples=1)[0]] == [1, 5, 2, 3, 4]


def test_merged_groups_are_one_in_the_order_of_likeness(session: Session) -> None:
    session.change(change("merge", groups=[3, 1, 2]))
    merged = session.pictures(Part(group=3), 0, 100)
    assert [picture.number for picture in merged] == list(range(1, 16))
    assert session.group(1) is None
    assert session.totals().groups == 2


def test_steps_are_taken_back_one_after_the_other(session: Session) -> None:
    seen = [states(session)]
    for one in (
        change("name", groups=[1], name="fox"),
        change("merge", groups=[1, 2]),
        change("split", pictures=[1, 9], groups=[1]),
        change("out", pictures=[1, 2, 3]),
        change("name", pictures=[1], name="owl"),
        change("skip", groups=[3]),
    ):
        session.change(one)
        seen.append(states(session))
    while (step := session.last_step()[0]) is not None:
        assert states(session) == seen.pop()
        session.take_back(step.number, "ada")
    assert states(session) == seen.pop()
    assert session.take_back(1, "ada") is None


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(["name", "out", "skip", "reopen", "split", "merge"]), st.integers(0, 2**20)),
        max_size=8,
    )
)
def test_whatever_is_done_is_undone_whole(steps: list[tuple[Action, int]]) -> None:
    path = Path(f"/dev/shm/fieldfare-test-{os.getpid()}.db") if Path("/dev/shm").is_dir() else Path("session-test.db")
    try:
        with Session(path) as session:
            session.add(found())
            before = states(session)
            for action, bits in steps:
                pictures = [number for number in range(1, 21) if bits >> (number - 1) & 1]
                groups = [1 + bits % 4, 1 + (bits >> 7) % 4] if action in ("merge", "split") else []
                given_pictures = None if action == "merge" else pictures
                session.change(Change(action, "", None, given_pictures, groups, "fox" if action == "name" else ""))
            while (step := session.last_step()[0]) is not None:
                session.take_back(step.number, "")
            assert states(session) == before
    finally:
        for ending in ("", "-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)


def test_a_change_by_others_since_the_page_was_made_stops_both(session: Session) -> None:
    session.change(change("name", pictures=[1], name="fox", seen=0))
    with pytest.raises(ConflictError, match="1 of these"):
        session.change(change("name", pictures=[1, 2], name="owl", seen=0))
    assert states(session)[2][0] == "open", "all or none"
    session.change(change("name", pictures=[1, 2], name="owl", seen=1))
    step = session.last_step()[0]
    assert step is not None
    with pytest.raises(ConflictError):
        session.take_back(step.number - 1, "ada")
    session.take_back(step.number, "ada")
    with pytest.raises(ConflictError):
        session.change(change("skip", pictures=[2], seen=step.number))


def test_everything_is_there_at_the_next_start_without_a_close(path: Path) -> None:
    session = Session(path)
    session.add(found(), {"kind": "folder"})
    session.change(change("name", groups=[2], name="fox"))
    copied = {ending: Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")}  # as a power cut leaves it
    session.close()
    for ending, data in copied.items():
        Path(f"{path.with_name('cut.db')}{ending}").write_bytes(data)
    with Session(path.with_name("cut.db")) as again:
        assert again.names() == [("fox", 5)]
        assert again.about() == {"kind": "folder"}


def test_new_pictures_come_behind_and_known_ones_stay(session: Session) -> None:
    session.change(change("name", groups=[1], name="fox"))
    more = [Found(b"1/0.jpg", b"1/0.jpg", 1), Found(b"new.jpg", b"new.jpg", 1, "fresh")]
    assert session.add(more) == 1
    assert session.totals().pictures == 21
    assert session.group(5, 3) is not None
    assert session.names() == [("fox", 5)]


def test_two_processes_cannot_sort_at_once(session: Session, path: Path) -> None:
    with pytest.raises(UnavailableError, match="another process sorts here"):
        Session(path)


def test_a_damaged_session_is_reported_in_words(path: Path) -> None:
    with Session(path) as session:
        session.add(found(40, 50))
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 12] = os.urandom(4096 * 9)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"damaged .*move it away"):
        Session(path)


@pytest.mark.parametrize("data", [b"owl at nine\n" * 500, b"SQLite format 3\0" + bytes(200)])
def test_a_file_that_is_no_session_is_refused_and_kept(path: Path, data: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(DataError):
        Session(path)
    assert path.read_bytes() == data


def test_the_database_of_another_program_is_none(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE birds (name)")
    other.close()
    with pytest.raises(DataError, match="no sorting session"):
        Session(path)


def test_on_a_full_disk_a_click_is_refused_and_nothing_is_lost(session: Session) -> None:
    session.change(change("name", groups=[1], name="fox"))
    before = states(session)
    session._connection.execute("PRAGMA max_page_count = 1")  # as SQLite sees a disk without space
    with pytest.raises(StorageError, match=r"cannot write: .*full.*free some space"):
        for number in range(2000):
            session.change(change("name", groups=[2, 3, 4], name=f"class {number} " + "x" * 150))
            session.change(change("reopen", pictures=list(range(6, 21))))
    session._connection.execute("PRAGMA max_page_count = 100000")
    assert {number: states(session)[number] for number in range(1, 6)} == {n: before[n] for n in range(1, 6)}
    session.change(change("name", groups=[2], name="owl"))


def test_a_session_that_was_moved_meanwhile_takes_no_click(session: Session, path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))
    with pytest.raises(MissingInputError, match="moved or deleted"):
        session.change(change("name", groups=[1], name="fox"))


@pytest.mark.parametrize(
    "name", ["fox", "<b>\"fox\"</b> & 'owl'", "זכוכית", "ب" * 200, "a/b\\c:d", "CON", "\u2764\ufe0f"]
)
def test_names_of_any_script_are_names(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", " ", "unknown", "UNKNOWN", "a\nb", "a\u202eb", "x" * 201, "\ud800", "a\0", "Sorted.csv"]
)
def test_what_can_be_no_label_is_no_name(name: str) -> None:
    assert name_problem(name) is not None


def test_fifty_thousand_pictures_are_paged(path: Path) -> None:
    with Session(path) as session:
        assert session.add(found(400, 125)) == 50_000
        shown, count = session.groups(only_open=True, skip=24, limit=24, samples=6)
        assert (len(shown), count, shown[0].number) == (24, 400, 25)
        assert len(shown[0].samples) == 6
        page = session.pictures(Part(group=400), 96, 96)
        assert [picture.number for picture in page] == list(range(49_972, 50_001))


@pytest.mark.parametrize(
    ("wanted", "shown"), [(6, [1, 2, 3, 4, 5]), (5, [1, 2, 3, 4, 5]), (3, [1, 3, 5]), (1, [1]), (0, [])]
)
def test_samples_are_spread_over_a_group_and_a_small_one_is_shown_whole(
    session: Session, wanted: int, shown: list[int]
) -> None:
    group = session.group(1, samples=wanted)
    assert group is not None
    assert list(group.samples) == shown


def test_what_a_groups_pictures_may_show_is_known_commonest_first(path: Path) -> None:
    with Session(path) as session:
        hints = ["owl", "fox", "", "fox", "<b>"]
        session.add(Found(b"%d" % place, b"%d.jpg" % place, 1, "", hint) for place, hint in enumerate(hints))
        group = session.group(1)
        assert group is not None
        assert list(group.hints) == ["fox", "<b>", "owl"]
