"""What the broker knows of a device is removed under an old name, also if that takes a restart or two."""

from pathlib import Path

import pytest

from edge.outputs.mqtt.memory import Known, Memory, read_known
from edge.outputs.mqtt.topics import Topics

BARN, SHED = Topics("fieldfare", "barn"), Topics("fieldfare", "shed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "known.json"


def test_all_of_an_old_name_is_removed_each_until_it_is_acknowledged(path: Path) -> None:
    Memory(path).announce("ha/barn", BARN)
    memory = Memory(path)
    memory.announce("ha/shed", SHED)
    assert memory.known.gone == ("ha/barn", *BARN.retained)
    for topic in ("ha/barn", *BARN.retained[:3]):
        memory.removed(topic)
    assert Memory(path).known.gone == BARN.retained[3:]
    memory.removed(BARN.status)
    assert Memory(path).known.gone == ()


def test_a_name_that_is_used_again_is_not_removed(path: Path) -> None:
    memory = Memory(path)
    memory.announce("ha/barn", BARN)
    memory.announce("ha/shed", SHED)
    memory.announce("ha/barn", BARN)
    assert memory.known.gone == ("ha/shed", *SHED.retained)


def test_only_the_document_goes_if_discovery_is_moved_or_switched_off(path: Path) -> None:
    memory = Memory(path)
    memory.announce("ha/barn", BARN)
    memory.announce("other/barn", BARN)
    memory.announce(None, BARN)
    assert memory.known.gone == ("ha/barn", "other/barn")


def test_what_another_device_of_the_same_name_publishes_stays(path: Path) -> None:
    memory = Memory(path)
    memory.announce("ha/barn", BARN)
    memory.share()
    memory.announce("ha/shed", SHED)
    assert memory.known.gone == ()
    memory.announce("ha/barn", BARN)
    assert memory.known.gone == ("ha/shed", *SHED.retained)


def test_a_file_of_an_earlier_version_is_taken(path: Path) -> None:
    path.write_text('{"owner":"0a","announced":"ha/barn"}')
    memory = Memory(path)
    assert memory.known == Known("0a", "ha/barn")
    memory.announce("ha/shed", SHED)
    assert memory.known.gone == ("ha/barn",)


def test_what_is_kept_has_a_bound_and_is_read_again(path: Path) -> None:
    memory = Memory(path)
    for number in range(100):
        memory.announce("h" * 200 + str(number), Topics("p" * 200, str(number) * 20))
    assert len(memory.known.gone) == 100
    assert read_known(path) == memory.known


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"owner":1}', b"\xff", b"x" * 100_000])
def test_a_damaged_file_begins_anew(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(content)
    memory = Memory(path)
    assert "begins anew" in caplog.text
    assert read_known(path) == memory.known
