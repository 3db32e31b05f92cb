"""Passwords: from a file or from one of systemd's credentials, into an address, and never shown."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture import opening
from edge.capture.network import stream
from edge.config.loading import settings_from
from edge.config.running import Camera
from edge.config.secret_files import credential_id, lacks_password, read_secret, with_password
from edge.errors import CameraError, ConfigError, UnavailableError

STREAM = "rtsp://viewer@192.168.1.20/stream"


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


class TestReading:
    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("hush42\r\n")
        assert read_secret("k", str(tmp_path / "password")) == "hush42"

    def test_a_credential(self, credentials: Path) -> None:
        (credentials / "mqtt-password").write_text("hush42\n")
        assert read_secret("k", "credential:mqtt-password") == "hush42"

    def test_a_bare_name_may_be_one(self, credentials: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (credentials / "password").write_text("theirs")
        (tmp_path / "password").write_text("ours")
        monkeypatch.chdir(tmp_path)
        assert read_secret("k", "password") == "theirs"
        (credentials / "password").unlink()
        assert read_secret("k", "password") == "ours"

    def test_one_that_the_unit_lacks_is_named_with_the_fix(self, credentials: Path) -> None:
        with pytest.raises(UnavailableError, match=r"^k .*mqtt-password: cannot read.*no such credential"):
            read_secret("k", "credential:mqtt-password")

    def test_by_hand_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
        with pytest.raises(UnavailableError, match="name a file to run by hand"):
            read_secret("k", "credential:mqtt-password")

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 5000])
    def test_what_is_no_password_is_refused_and_not_shown(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "password").write_bytes(content)
        with pytest.raises(UnavailableError) as caught:
            read_secret("k", str(tmp_path / "password"))
        assert "xxxx" not in str(caught.value)


class TestNames:
    @pytest.mark.parametrize("name", ["credential:", "credential:../x", "credential:a/b", "credential:.x", "", "a\0b"])
    def test_those_that_can_be_no_credential_are_refused(self, name: str) -> None:
        with pytest.raises(ConfigError, match=r"camera.password_file = .*: must be a file, or credential:NAME"):
            settings_from({"bundle": "b", "camera": {"source": STREAM, "password_file": name}})

    @pytest.mark.parametrize("name", ["credential:x", "credential:front.camera-1_a", "/etc/x", "x"])
    def test_others_are_taken(self, name: str) -> None:
        settings = settings_from({"bundle": "b", "camera": {"source": STREAM, "password_file": name}})
        assert settings.camera.password_file == name
        assert (credential_id(name) is not None) == name.startswith("credential:")


class TestAddress:
    @given(st.text(st.characters(codec="utf-8"), max_size=40))
    def test_any_password_arrives_as_it_is(self, password: str) -> None:
        parts = urlsplit(with_password(STREAM, password))
        assert unquote(parts.password or "") == password
        assert (parts.username, parts.hostname, parts.path) == ("viewer", "192.168.1.20", "/stream")

    def test_port_and_query_stay(self) -> None:
        assert with_password("http://me@[::1]:81/v?a=b#c", "p@:/") == "http://me:p%40%3A%2F@[::1]:81/v?a=b#c"

    @pytest.mark.parametrize(
        ("address", "lacks"),
        [(STREAM, True), ("rtsp://a:b@h/", False), ("rtsp://a:@h/", False), ("rtsp://h/", False), ("rtsp://[", False)],
    )
    def test_only_one_with_a_user_and_no_password_takes_one(self, address: str, lacks: bool) -> None:
        assert lacks_password(address) is lacks

    @pytest.mark.parametrize("source", ["rtsp://viewer:secret@h/", "rtsp://h/", "/dev/video0", "synthetic"])
    def test_for_others_the_key_is_refused(self, source: str) -> None:
        with pytest.raises(ConfigError, match=r"camera.password_file = \*\*\*: must be left out") as caught:
            settings_from({"bundle": "b", "camera": {"source": source, "password_file": "hush42"}})
        assert "hush42" not in str(caught.value)
        assert "secret" not in str(caught.value)


class TestCamera:
    def test_the_stream_is_opened_with_the_password(self, credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (credentials / "camera-password").write_text("hush 42\n")
        opened: list[str] = []
        monkeypatch.setattr(stream, "StreamSource", lambda url, **_: opened.append(url))
        opening.open_source(Camera(source=STREAM, password_file="credential:camera-password"))
        assert opened == ["rtsp://viewer:hush%2042@192.168.1.20/stream"]

    def test_a_password_that_is_not_there_is_a_fault_of_the_camera_which_is_tried_again(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match=r"camera.password_file"):
            opening.open_source(Camera(source=STREAM, password_file=str(tmp_path / "nowhere")))
