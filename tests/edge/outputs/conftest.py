"""Fixtures for the outputs: a store in memory, and a real broker if there is one."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_store import FakeStore
from real_broker import Broker, unused_port


@pytest.fixture
def free_port() -> int:
    return unused_port()


@pytest.fixture
def store(tmp_path: Path) -> FakeStore:
    found = FakeStore(tmp_path / "events.db")
    found.create()
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is missing")
        pytest.skip("mosquitto is not on this machine: apt install mosquitto")
    broker = Broker(program, tmp_path)
    broker.start()
    yield broker
    broker.kill()
