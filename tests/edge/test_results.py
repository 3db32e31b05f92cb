"""One line of output: the keys that are always there, and those that only sometimes are."""

import msgspec

from edge.results import Candidate, Latency, Result

RESULT = Result(
    frame=7,
    label="owl",
    score=0.9,
    top=(Candidate("owl", 0.9), Candidate("wren", 0.05)),
    captured_wall_s=1.7e9,
    captured_mono_s=12.5,
    latency_ms=Latency(0.5, 0.25, 2.0, 0.25, 3.0),
    engine="litert 2.3.0, cpu, 2 threads",
    bundle="abc",
    dropped=0,
)


def test_a_plain_result_names_neither_picture_nor_fallback() -> None:
    line = msgspec.json.decode(msgspec.json.encode(RESULT))
    assert line["top"] == [{"label": "owl", "score": 0.9}, {"label": "wren", "score": 0.05}]
    assert line["latency_ms"]["total"] == 3.0
    assert line["dropped"] == 0
    assert not {"image", "fallback"} & set(line)


def test_where_there_is_a_picture_or_a_fallback_they_are_named() -> None:
    result = msgspec.structs.replace(RESULT, image="owl.jpg", fallback="Edge TPU lost: unplugged")
    line = msgspec.json.encode(result)
    assert b'"image":"owl.jpg"' in line
    assert b'"fallback":"Edge TPU lost: unplugged"' in line
    assert msgspec.json.decode(line, type=Result) == result
