"""Who may do what with a file, by owner, mode and access list; against the kernel's own answer if this is root."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.doctor.access import ENTER, READ, WRITE, changeable, mode_permits, permits, refusal, replaceable
from edge.processes.process import Account, Command, Process

SERVICE = Account("fieldfare", 990, 991, (44, 46))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def acl(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "may"),
    [
        (0o600, 990, 0, True),
        (0o077, 990, 991, False),  # the owner counts first
        (0o640, 0, 991, True),
        (0o640, 0, 44, True),  # a supplementary group
        (0o604, 0, 991, False),
        (0o604, 0, 0, True),
        (0o600, 0, 0, False),
    ],
)
def test_owner_group_and_others(mode: int, uid: int, gid: int, may: bool) -> None:
    assert mode_permits(mode, uid, gid, SERVICE, READ) is may


@pytest.mark.parametrize(
    ("entry", "mask", "may"),
    [((0x02, 4, 990), 7, True), ((0x02, 4, 990), 0, False), ((0x02, 4, 1000), 7, False), ((0x08, 4, 44), 7, True)],
)
def test_an_access_list_opens_what_the_mode_closes(entry: tuple[int, int, int], mask: int, may: bool) -> None:
    """As udisks does with /media/pi: 0750 root, and an entry for pi."""
    listed = acl((0x01, 7, 0xFFFFFFFF), entry, (0x04, 0, 0), (0x10, mask, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF))
    assert mode_permits(0o750, 0, 0, SERVICE, READ, listed) is may


@given(st.binary(max_size=200), st.integers(0, 0o7777), st.integers(0, 7))
def test_no_access_list_stumbles(listed: bytes, mode: int, wanted: int) -> None:
    assert mode_permits(mode, 0, 0, SERVICE, wanted, listed) in (True, False)


def test_the_first_closed_folder_is_named(tmp_path: Path) -> None:
    # From here on down, as tmp_path itself is closed to others.
    other = Account("other", 0x7FFF0000, 0x7FFF0000)
    (tmp_path / "shut/open").mkdir(parents=True)
    (tmp_path / "shut").chmod(0o700)
    named = refusal(tmp_path / "shut/open", other, READ)
    assert named is not None
    assert (tmp_path / "shut").is_relative_to(named)
    assert refusal(Path("/"), other, READ | ENTER) is None
    assert refusal(Path("/"), other, WRITE) == Path("/")
    assert refusal(Path("/not/there"), other, READ) is None


def test_a_folder_of_the_service_makes_its_contents_changeable(tmp_path: Path) -> None:
    mine = Account("me", os.geteuid(), os.getegid())
    (tmp_path / "state").mkdir()
    (tmp_path / "state/bundle").touch()
    assert changeable(tmp_path / "state/bundle", mine) is not None
    assert changeable(Path("/usr"), Account("other", 0x7FFF0000, 0x7FFF0000)) is None
    assert changeable(Path("/tmp/not-there"), Account("other", 0x7FFF0000, 0x7FFF0000)) is None


@as_root
class TestReplaceable:
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Path:
        (tmp_path / "birds").mkdir()
        (tmp_path / "birds/model.tflite").touch()
        return tmp_path / "birds"

    def test_what_is_roots_alone_is_not(self, bundle: Path) -> None:
        assert replaceable(bundle) is None
        assert replaceable(bundle / "model.tflite") is None
        assert replaceable(bundle / "../birds/./model.tflite") is None
        assert replaceable(bundle / "missing") is None

    @pytest.mark.parametrize("place", [".", "..", "model.tflite"])
    def test_a_folder_or_file_of_another_user_is(self, bundle: Path, place: str) -> None:
        os.chown(bundle / place, 12345, 12345)
        assert replaceable(bundle) == (bundle / place).resolve()

    @pytest.mark.parametrize("mode", [0o757, 0o777])
    def test_a_folder_open_to_all_is(self, bundle: Path, mode: int) -> None:
        bundle.chmod(mode)
        assert replaceable(bundle / "model.tflite") == bundle
        assert replaceable(bundle / "missing") == bundle

    def test_in_a_sticky_folder_only_what_is_missing_is(self, bundle: Path) -> None:
        bundle.chmod(0o1777)
        assert replaceable(bundle / "model.tflite") is None
        assert replaceable(bundle / "missing") == bundle

    def test_a_link_is_judged_by_its_own_folder_and_its_targets(self, bundle: Path, tmp_path: Path) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "model").touch()
        (tmp_path / "link").symlink_to("theirs/model")
        assert replaceable(tmp_path / "link") is None
        os.chown(theirs, 12345, 12345)
        assert replaceable(tmp_path / "link") == theirs
        (theirs / "back").symlink_to(bundle)
        assert replaceable(theirs / "back") == theirs
        (tmp_path / "ring").symlink_to("ring")
        assert replaceable(tmp_path / "ring") == tmp_path / "ring"
        (bundle / "way out").symlink_to("/tmp")
        assert replaceable(bundle) == bundle / "way out"


@as_root
@settings(max_examples=40, deadline=None)
@given(mode=st.integers(0, 0o777), owner=st.sampled_from([(0, 0), (12345, 0), (0, 12345), (0, 54321)]))
def test_as_the_kernel_answers(tmp_path_factory: pytest.TempPathFactory, mode: int, owner: tuple[int, int]) -> None:
    """By a file that a process of that user tries to open, through the folder of this process."""
    account = Account("other", 12345, 12345, (54321,))
    file = tmp_path_factory.mktemp("kernel") / "file"
    file.touch()
    os.chown(file, *owner)
    file.chmod(mode)
    handle = os.open(file, os.O_PATH)
    try:
        process = Process(
            Command(["/bin/sh", "-c", f"test -r /proc/self/fd/{handle}"]),
            pass_fds=[handle],
            account=account,
        )
        assert process.wait(20)
        assert permits(file, account, READ) == (process.exit_status() == 0)
        process.end(5)
    finally:
        os.close(handle)
