"""The password as a file, sessions through restarts, and the limits on guessing."""

import hmac
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, DataError, MissingInputError
from edge.pages.access.attempts import FREE, Attempts, place_of
from edge.pages.access.password import LONGEST, SHORTEST, Password, find, keep, make
from edge.pages.access.sessions import Sessions


def test_a_password_is_kept_as_a_hash_for_its_owner_alone(tmp_path: Path, password: Password) -> None:
    folder = tmp_path / "events.db.pages"
    keep(folder, password)
    file = folder / "password.json"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "kestrel" not in file.read_text()
    assert find(folder) == password
    assert password.fits("kestrel and hay")
    assert not password.fits("kestrel and hay ")
    assert not password.fits("x" * (LONGEST + 1))


def test_it_is_compared_in_constant_time(password: Password, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or real(a, b))
    for text in ("", "k", "kestrel and hax", "kestrel and hay"):
        password.fits(text)
    assert compared == [(32, 32)] * 4, "whatever was given, and how much of it is right"


def test_two_hashes_of_one_password_differ(password: Password) -> None:
    other = make("kestrel and hay")
    assert (other.salt, other.key, other.id) != (password.salt, password.key, password.id)


@pytest.mark.parametrize("text", ["", "x" * (SHORTEST - 1), "x" * (LONGEST + 1)])
def test_one_that_is_too_short_or_too_long_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"must be {SHORTEST} to {LONGEST}"):
        make(text)


def test_none_is_none_but_a_damaged_one_lets_nobody_in(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    file = tmp_path / "password.json"
    for damage in ("", "{}", '{"id": "1", "salt": "zz", "key": ""}', "[" * 4000, "\xff"):
        file.write_text(damage)
        with pytest.raises(DataError, match="set it again"):
            find(tmp_path)
    file.unlink()
    file.symlink_to("/etc/passwd")
    with pytest.raises(MissingInputError, match="set it again"):
        find(tmp_path)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_password_or_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "password.json").write_bytes(data)
    with pytest.raises(DataError) as caught:
        find(folder)
    assert "\n" not in str(caught.value)


def test_sessions_outlive_a_restart_and_end_with_the_password(tmp_path: Path) -> None:
    token = Sessions(tmp_path, "one").begin()
    assert Sessions(tmp_path, "one").knows(token)
    assert token not in (tmp_path / "sessions.json").read_text()
    assert not Sessions(tmp_path, "another").knows(token)


def test_the_oldest_of_many_sessions_ends(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, "one")
    tokens = [sessions.begin() for _ in range(70)]
    assert [sessions.knows(token) for token in tokens] == [False] * 6 + [True] * 64


def test_a_file_of_sessions_that_is_damaged_ends_them_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = Sessions(tmp_path, "one").begin()
    (tmp_path / "sessions.json").write_text("{")
    assert not Sessions(tmp_path, "one").knows(token)
    assert "everybody must log in again" in caplog.text


def test_a_disk_that_takes_nothing_keeps_nobody_out(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "missing", "one")
    assert sessions.knows(sessions.begin())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_wrong_one_doubles_the_wait() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    waits = []
    for _ in range(FREE + 4):
        waits.append(attempts.wait_s("192.0.2.1"))
        clock.now += waits[-1]
        attempts.failed("192.0.2.1")
    assert waits == [0.0] * FREE + [1.0, 2.0, 4.0, 8.0]
    assert attempts.wait_s("192.0.2.2") == 0.0
    attempts.succeeded("192.0.2.1")
    assert attempts.wait_s("192.0.2.1") == 0.0


def test_many_places_together_get_no_more_than_one_each_six_seconds() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for number in range(102):
        attempts.failed(f"10.0.{number // 256}.{number % 256}")
    assert attempts.wait_s("192.0.2.1") == pytest.approx(12.0)
    clock.now += 12.0
    assert attempts.wait_s("192.0.2.1") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("not an address", "not an address", True),
    ],
)
def test_a_place_is_what_one_subscriber_has(one: str, other: str, same: bool) -> None:
    assert (place_of(one) == place_of(other)) == same
