"""Teams: what is read from TF_CONFIG, and a team of one. test_workers.py trains with two real machines."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError, UnavailableError
from trainer.learning.team import Team, form_team, lost_members, read_tf_config
from trainer.native_output import load_tensorflow

TWO = ["desk:4000", "attic:4000"]


def config(workers: object = TWO, kind: object = "worker", index: object = 0) -> str:
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": kind, "index": index}})


# TF_CONFIG


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ([], 0)),
        (" \n", ([], 0)),
        (config(), (TWO, 0)),
        (config(index=1), (TWO, 1)),
        (config(["desk:4000"]), (["desk:4000"], 0)),
        (config(["[::1]:4000", "10.0.0.2:4000"], index=1), (["[::1]:4000", "10.0.0.2:4000"], 1)),
        (config().replace("{", '{"environment": "cloud", ', 1), (TWO, 0)),
    ],
)
def test_tf_config_names_the_workers_and_which_one_this_is(text: str, expected: tuple[list[str], int]) -> None:
    assert read_tf_config(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "worker",
        "3",
        "[]",
        "null",
        "{}",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": ["a:1", "b:1"], "task": {"type": "worker", "index": 0}}',
        config([]),
        config("desk:4000"),
        config({"desk:4000": 1}),
        config([4000, 4001]),
        config(["desk", "attic"]),
        config(kind="ps"),
        config(kind="chief"),
        config(kind=None),
        config(index=2),
        config(index=-1),
        config(index="0"),
        config(index=0.0),
        config(index=None),
    ],
)
def test_a_tf_config_that_is_not_understood_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r'TF_CONFIG: .* must be like \{"cluster": \{"worker": \["desk:4000"'):
        read_tf_config(text)


@pytest.mark.parametrize(
    "text",
    [
        config(index=True),
        json.dumps({"cluster": {"chief": ["hall:1"], "worker": TWO}, "task": {"type": "worker", "index": 0}}),
    ],
    ids=["index true", "a chief beside the workers"],
)
def test_what_tensorflow_would_understand_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_tf_config(text)


def test_a_long_tf_config_does_not_fill_the_screen() -> None:
    with pytest.raises(ConfigError) as caught:
        read_tf_config("x" * 10_000)
    assert len(str(caught.value)) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(TWO),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["cluster", "worker", "task", "type", "index"]), inner, max_size=4)
    ),
    max_leaves=12,
)
nearly_right = st.builds(config, st.lists(st.sampled_from([*TWO, "x", 3]) | st.none()), json_values, json_values)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.text() | json_values.map(json.dumps) | nearly_right)
@example("9" * 5000)  # more digits than Python turns into a number
def test_any_text_gives_workers_and_a_place_among_them_or_a_config_error(text: str) -> None:
    try:
        workers, rank = read_tf_config(text)
    except ConfigError:
        return
    assert (workers, rank) == ([], 0) or 0 <= rank < len(workers)
    assert all(isinstance(worker, str) for worker in workers)


def test_text_that_is_nested_too_deeply_is_a_config_error() -> None:
    with pytest.raises(ConfigError):
        read_tf_config("[" * 100_000)


# A team of one


@pytest.fixture(scope="module")
def alone() -> Team:
    load_tensorflow()
    import tensorflow as tf

    return Team(tf.distribute.get_strategy(), 0, 1)


def test_one_machine_is_its_own_chief_with_one_device(alone: Team) -> None:
    assert alone.is_chief
    assert alone.replicas == 1


def test_the_sum_over_one_machine_is_its_own_values(alone: Team) -> None:
    values = np.array([[1.5, -2.0], [0.0, 3e30]], np.float32)
    assert np.array_equal(alone.sum(values), values)


@pytest.mark.parametrize("data", [b"", b"\0", b"epochs", bytes(range(256)) * 3])
def test_what_the_chief_shares_with_itself_is_what_it_said(alone: Team, data: bytes) -> None:
    assert alone.share_bytes(data) == data


def test_one_machine_computes_every_row_in_one_go(alone: Team) -> None:
    asked = []
    found = alone.gather(lambda rows: asked.append(rows.tolist()) or rows[:, None] * [1.0, 10.0], 3)
    assert asked == [[0, 1, 2]]
    assert found.dtype == np.float32
    assert found.tolist() == [[0, 0], [1, 10], [2, 20]]


def test_one_machine_agrees_with_itself_and_waits_for_nobody(alone: Team) -> None:
    alone.check_same("photos", b"digest")
    alone.wait()


@pytest.mark.parametrize("text", ["", config(["desk:4000"])])
def test_without_others_in_tf_config_the_team_is_this_machine(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    said = []
    team = form_team(said.append)
    assert (team.rank, team.size, said) == (0, 1, [])


def test_a_tf_config_that_is_wrong_stops_before_tensorflow_waits_for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", config(index=7))
    with pytest.raises(ConfigError, match="the index less than their number"):
        form_team(lambda _: None)


# The others, as seen from here: a sum over three machines of which two are made up


@pytest.fixture
def three(alone: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """Return the second of three machines. `others` holds what the first and the third send: one array for each sum."""
    team = Team(alone.strategy, 1, 3)
    team.others = []
    monkeypatch.setattr(team, "_sum", lambda mine: mine + np.asarray(team.others.pop(0), mine.dtype))
    return team


def test_a_member_takes_the_chiefs_bytes_and_not_its_own(three: Team) -> None:
    said = b"12 steps!"
    three.others = [[len(said)], np.frombuffer(said.ljust(12, b"\0"), np.int32)]
    assert three.share_bytes(b"something else, longer") == said


def test_a_chief_that_says_nothing_is_understood(three: Team) -> None:
    three.others = [[0]]
    assert three.share_bytes(b"not looked at") == b""


def test_a_member_computes_its_own_rows_and_adds_those_of_the_others(three: Team) -> None:
    asked = []
    three.others = [[[0], [0], [20], [30], [0]]]
    found = three.gather(lambda rows: asked.append(rows.tolist()) or rows[:, None] * 10, 5)
    assert asked == [[1, 4]]
    assert found.tolist() == [[0], [10], [20], [30], [40]]


def test_a_member_without_a_row_adds_nothing(three: Team) -> None:
    three.others = [[[5.0, 6.0]]]
    assert three.gather(lambda rows: np.ones((len(rows), 2)), 1).tolist() == [[5, 6]]


@pytest.mark.parametrize(("mine", "elsewhere", "differ"), [(b"mine", 0, 1), (b"same", 1, 1), (b"mine", 1, 2)])
def test_machines_with_other_photos_or_options_are_told_on_all(
    three: Team, mine: bytes, elsewhere: int, differ: int
) -> None:
    three.others = [[4], np.frombuffer(b"same", np.int32), [elsewhere]]
    with pytest.raises(ConfigError, match=f"{differ} of 3 machines have other photos than the chief: every machine"):
        three.check_same("photos", mine)


def test_machines_that_agree_go_on(three: Team) -> None:
    three.others = [[4], np.frombuffer(b"same", np.int32), [0]]
    three.check_same("photos", b"same")
    assert three.others == []


# Members that get lost


def test_whatever_tensorflow_says_when_a_machine_dies_is_one_error_with_advice(alone: Team) -> None:
    import tensorflow as tf

    with (
        pytest.raises(
            UnavailableError, match=r"another of the 2 machines no longer answers .*start the same command again"
        ),
        lost_members(2),
    ):
        raise tf.errors.UnavailableError(None, None, "socket\n  closed")


def test_a_machine_alone_has_lost_nobody(alone: Team) -> None:
    import tensorflow as tf

    with pytest.raises(tf.errors.InternalError), lost_members(1):
        raise tf.errors.InternalError(None, None, "a bug")


def test_our_own_errors_are_left_as_they_are(alone: Team) -> None:
    with pytest.raises(ConfigError, match="ours"), lost_members(2):
        raise ConfigError("ours")
