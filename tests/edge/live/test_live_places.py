"""The folders by which a service and its pages find each other."""

from pathlib import Path

import pytest

from edge.live.places import requests_of


@pytest.mark.parametrize(
    ("run_dir", "requests"),
    [
        ("/run/fieldfare", "/run/fieldfare-pages"),
        ("/run/fieldfare/front", "/run/fieldfare-pages/front"),
        ("/run/user/1000/bird", "/run/user-pages/1000/bird"),
        ("/tmp/trial", "/tmp/trial-pages"),
        ("/tmp/trial/../other/", "/tmp/other-pages"),
        ("/run/../etc", "/etc-pages"),
        ("/run", "/run-pages"),
        ("/", "/-pages"),
    ],
)
def test_requests_lie_beside_what_the_service_writes_and_never_in_it(run_dir: str, requests: str) -> None:
    assert requests_of(Path(run_dir)) == Path(requests)


def test_a_folder_may_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    for name in (".", "", "../run"):
        assert requests_of(Path(name)) == tmp_path / "run-pages"
