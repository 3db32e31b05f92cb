"""Which of a detector's outputs is which, and what they hold."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.errors import EngineError, ModelError
from edge.locating.detections import Outputs, Values, found_in
from edge.locating.places import Place

BOXES = np.array([[[0.1, 0.2, 0.5, 0.6], [0.5, 0.5, 0.9, 0.7], [0, 0, 0, 0]]], np.float32)
CLASSES = np.array([[2, 0, 0]], np.float32)
SCORES = np.array([[0.9, 0.4, 0.0]], np.float32)
COUNT = np.array([2], np.float32)
ALL = {"boxes": BOXES, "classes": CLASSES, "scores": SCORES, "count": COUNT}


def read(values: list[Values], names: list[str] | None = None) -> tuple[Values, Values]:
    outputs = Outputs([one.shape for one in values], names or [f"Identity_{i}" for i in range(len(values))])
    return outputs.read(dict(enumerate(values)))


class TestOrder:
    @pytest.mark.parametrize("order", list(permutations(ALL)))
    def test_any_is_understood_without_names(self, order: tuple[str, ...]) -> None:
        boxes, scores = read([ALL[name] for name in order])
        assert np.array_equal(boxes, BOXES[0, :2])
        assert np.array_equal(scores, SCORES[0, :2])

    def test_other_outputs_beside_them_do_no_harm(self) -> None:
        state = np.zeros((1, 8, 8, 320), np.float32)
        assert len(read([state, *ALL.values(), state])[0]) == 2

    def test_what_could_be_either_is_known_by_the_names(self) -> None:
        ones = np.ones((1, 3), np.float32)
        names = ["TFLite_Detection_PostProcess", *[f"TFLite_Detection_PostProcess:{i}" for i in (1, 2, 3)]]
        _, scores = read([BOXES, ones, 0 * ones, COUNT], names)
        assert np.array_equal(scores, [0, 0])

    def test_without_names_it_is_nothing_until_it_is_certain(self) -> None:
        ones = np.ones((1, 3), np.float32)
        outputs = Outputs([BOXES.shape, ones.shape, ones.shape, COUNT.shape], ["a", "b", "c", "d"])
        assert len(outputs.read({0: BOXES, 1: ones, 2: ones, 3: COUNT})[0]) == 0
        assert len(outputs.read({0: BOXES, 1: SCORES, 2: ones, 3: COUNT})[0]) == 2
        _, scores = outputs.read({0: BOXES, 1: ones, 2: ones, 3: COUNT})
        assert np.array_equal(scores, [1, 1]), "and stays so"

    def test_what_the_outputs_hold_counts_more_than_wrong_names(self) -> None:
        _, scores = read(list(ALL.values()), ["location", "score", "category", "number"])
        assert np.array_equal(scores, SCORES[0, :2])

    def test_a_single_box_a_frame_is_understood(self) -> None:
        values = [BOXES[:, :1], CLASSES[:, :1], SCORES[:, :1], np.array([1], np.float32)]
        assert np.array_equal(read(values)[1], SCORES[0, :1])

    @pytest.mark.parametrize(
        "shapes",
        [
            [],
            [(1, 1001)],
            [(1, 40, 4), (1, 40)],
            [(1, 40, 4), (1, 40), (1, 40), (1, 40), (1,)],
            [(1, 40, 4), (1, 40, 4), (1, 40), (1, 40), (1,)],
            [(1, 2000, 4), (1, 2000), (1, 2000), (1,)],
            [(1, 17, 3)],
        ],
    )
    def test_what_is_no_detector_is_refused(self, shapes: list[tuple[int, ...]]) -> None:
        with pytest.raises(ModelError, match="a detector has boxes"):
            Outputs(shapes, [""] * len(shapes))


class TestValues:
    @pytest.mark.parametrize("count", [-5.0, 0.0, 2.0, 1e30])
    def test_the_count_is_bounded_by_the_boxes(self, count: float) -> None:
        boxes, _ = read([BOXES, CLASSES, SCORES, np.array([count], np.float32)])
        assert len(boxes) == max(0, min(3, count))

    @pytest.mark.parametrize("damaged", ["boxes", "scores", "count"])
    def test_values_that_are_no_numbers_are_the_engines_fault(self, damaged: str) -> None:
        values = {**ALL, damaged: np.full_like(ALL[damaged], np.nan)}
        with pytest.raises(EngineError, match="not finite"):
            read(list(values.values()))

    @pytest.mark.parametrize("names", [None, ["boxes", "classes", "scores", "count"]])
    def test_scores_in_percent_are_no_empty_scene(self, names: list[str] | None) -> None:
        values = [BOXES, CLASSES, 100 * SCORES + np.float32(0.5), COUNT]
        with pytest.raises(ModelError, match=r"a score of 90\.5: must be 0 to 1"):
            read(values, names)

    def test_places_that_are_not_used_and_rounding_are_no_percents(self) -> None:
        """After their own suppression some models fill up with -1, and a quantized score may be 1.004."""
        scores = np.array([[1.004, 0.4, -1]], np.float32)
        assert len(read([BOXES, CLASSES, scores], ["boxes", "classes", "scores"])[1]) == 3


def found(boxes: Values, scores: Values, **options: object) -> list[tuple[Place, float, bool]]:
    given_ = {"width": 100, "height": 50, "threshold": 0.3, "least_px": 2.0, "before": (), **options}
    return [(one.place, round(one.score, 3), one.is_new) for one in found_in(boxes, scores, **given_)]  # type: ignore[arg-type]


class TestFound:
    def test_boxes_become_pixels_surest_first(self) -> None:
        assert found(BOXES[0, 1::-1], SCORES[0, 1::-1]) == [
            (Place(20, 5, 60, 25), 0.9, True),
            (Place(50, 25, 70, 45), 0.4, True),
        ]

    def test_less_sure_ones_are_none(self) -> None:
        assert len(found(BOXES[0], SCORES[0], threshold=0.5)) == 1

    def test_boxes_beyond_the_picture_are_cut_at_its_edge(self) -> None:
        assert found(np.array([[-0.2, -0.1, 0.5, 1.4]]), np.array([0.9]))[0][0] == Place(0, 0, 100, 25)

    @pytest.mark.parametrize(
        "box", [[0.5, 0.5, 0.5, 0.5], [0.6, 0.1, 0.2, 0.9], [1.2, 1.2, 1.5, 1.5], [0, 0, 0.01, 0.01]]
    )
    def test_empty_inverted_outside_and_tiny_ones_are_none(self, box: list[float]) -> None:
        assert found(np.array([box]), np.array([0.9])) == []

    def test_boxes_in_other_units_are_no_empty_scene(self) -> None:
        with pytest.raises(ModelError, match="a box of 20, 10, 70, 60: must be shares of the picture, 0 to 1"):
            found(np.array([[20.0, 10.0, 70.0, 60.0]]), np.array([0.9]))
        assert found(np.array([[20.0, 10.0, 70.0, 60.0]]), np.array([0.1])) == []

    def test_one_thing_under_two_classes_is_one(self) -> None:
        twice = np.array([[0.1, 0.1, 0.9, 0.9], [0.12, 0.1, 0.9, 0.88]])
        assert len(found(twice, np.array([0.9, 0.8]))) == 1

    def test_what_was_there_before_is_not_new(self) -> None:
        before = (Place(22, 6, 62, 26),)
        assert [is_new for _, _, is_new in found(BOXES[0, :2], SCORES[0, :2], before=before)] == [False, False]
        assert found(BOXES[0, :1], SCORES[0, :1], before=(Place(80, 30, 90, 40),))[0][2] is True

    @given(
        boxes=arrays(np.float32, (5, 4), elements=st.floats(-2, 3, width=32)),
        scores=arrays(np.float32, 5, elements=st.floats(0, 1, width=32)),
        width=st.integers(1, 5000),
        height=st.integers(1, 5000),
    )
    def test_any_boxes_give_places_inside_the_frame(
        self, boxes: Values, scores: Values, width: int, height: int
    ) -> None:
        for place, score, _ in found(boxes, scores, width=width, height=height):
            assert 0 <= place.left < place.right <= width
            assert 0 <= place.top < place.bottom <= height
            assert 0.3 <= score <= 1
