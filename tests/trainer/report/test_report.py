"""The report: what its JSON holds, and a page that stands alone, escapes everything and survives extremes."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.errors import DatasetError, OutputExistsError
from trainer.check.findings import Finding
from trainer.learning.epochs import Choice, Epoch, History
from trainer.learning.left_out import LeftOut
from trainer.measuring.scaling import Scaling
from trainer.measuring.threshold import choose_threshold
from trainer.pages import thumbnail
from trainer.quantizing.layer_errors import LayerNoise
from trainer.report import sentences
from trainer.report.build import Evaluation, Evaluations, Example, Outside, Pictures, build_report
from trainer.report.page import render_report, write_report
from trainer.report.records import (
    DataSummary,
    EdgeTpuVerdict,
    MachineLabels,
    Memory,
    Model,
    Operator,
    Report,
    Run,
    to_json,
)

RUN = Run(title="belt", network="MobileNetV2 0.35 224", created="2026-11-24T10:00:00+00:00", tool="fieldfare 0.1.0")
ODD = ("<b>bold</b> & \"quoted\" 'x' 🦊" + " very long" * 20, "שלום", "$x_1$")


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.elements)


def evaluation(classes: int, photos: int, **more: Any) -> Evaluation:
    """Answers of a classifier that is right about four times of five."""
    rng = np.random.default_rng(0)
    truth = np.arange(photos) % classes
    logits = rng.normal(0, 1, (photos, classes)) + 3.2 * np.eye(classes)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = tuple(f"photo <{i}>.jpg" for i in range(photos))
    return Evaluation("test", names, truth.astype(np.int64), scores.astype(np.float32), **more)


def picture(index: int) -> np.ndarray:
    return np.full((30, 400, 3), index % 256, np.uint8)


def page_of(found: Evaluations) -> tuple[Page, Report]:
    report, pictures = build_report(found, RUN)
    return Page(render_report(report, pictures)), report


def full(labels: tuple[str, ...] = ODD) -> tuple[Report, Pictures]:
    """A report with every part."""
    test = evaluation(len(labels), 120, thumbnail=picture)
    test = evaluation(
        len(labels), 120, thumbnail=picture, uncalibrated=test.scores, float_scores=test.scores[:, ::-1].copy()
    )
    found = Evaluations(
        labels=labels,
        test=test,
        validation=evaluation(len(labels), 100),
        scaling=Scaling(1.3, (0.25, *(0.0,) * (len(labels) - 2), -0.75)),
        threshold=choose_threshold(test.scores, test.truth, 0.9),
        outside=(Outside("birds & <cats>", ("a<b>.jpg", "c.jpg"), test.scores[:2], picture),),
    )
    return build_report(
        found,
        msgspec.structs.replace(RUN, options={"--seed": "<1>"}, versions={"numpy": "2"}, seconds=300.0),
        left_out=(LeftOut.of(labels[0], 40, 0.7),),
        data=DataSummary(
            classes=labels,
            counts={"train": (50, 9, 50), "test": (40, 40, 40)},
            unreadable=("x<y>.jpg: damaged",),
            near_duplicates=3,
            torn=1,
            findings=(
                Finding(
                    kind="blur",
                    severity="problem",
                    title="Blur <i>",
                    explanation="Many are.",
                    count=9,
                    examples=("<img src=x>", *(f"{i}.jpg" for i in range(7))),
                ),
            ),
        ),
        history=History(
            epochs=tuple(Epoch(i, 1 / i, 1 / i + 0.1, 0.8, 1e-3) for i in range(1, 6)),
            head_accuracy=0.7,
            kept=5,
            choice=Choice(last=5, rival=3, photos=96, only_last=2, only_rival=8, p=0.11, learned=True),
        ),
        layers=tuple(LayerNoise(f"layer <{i}>", "CONV_2D", 20.0 - i, 0.1) for i in range(15)),
        remedy="One layer stayed in 16 bits.",
        model=Model(
            size=700_000,
            parameters=400_000,
            operators=(Operator("CONV_2D", 3, 36),),
            edgetpu=EdgeTpuVerdict(
                word="whole",
                line="All of it.",
                rows=(("CONV_2D", "TPU", "<ok>"),),
                compiler=("<log>",),
                memory=Memory(566_912, (0, 0), compiled=True),
            ),
        ),
    )


@pytest.fixture(scope="module")
def whole() -> tuple[Page, Report, str]:
    """The full report, built once."""
    report, pictures = full()
    html = render_report(report, pictures)
    return Page(html), report, html


def test_the_page_needs_nothing_but_itself(whole: tuple[Page, Report, str]) -> None:
    page, _, html = whole
    assert not re.search(r"https?:|//[a-z]", re.sub(r"base64,[^\"]*", "", html))
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object")
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_every_element_is_closed_and_no_id_is_given_twice(whole: tuple[Page, Report, str]) -> None:
    page, _, _ = whole
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for _, attributes in page.elements if "href" in attributes}
    assert targets <= set(ids)


def test_names_from_outside_stay_text(whole: tuple[Page, Report, str]) -> None:
    """The browser shows every name as it is written, and makes no element of any."""
    page, _, _ = whole
    for name in (*ODD, "x<y>.jpg: damaged", "Blur <i>", "<img src=x>", "birds & <cats>", "<log>", "layer <14>", "<ok>"):
        assert " ".join(name.split()) in page.text
    assert {"script", "y", "cats", "log", "ok"}.isdisjoint(tag for tag, _ in page.elements)
    assert "x" not in [attributes.get("src") for _, attributes in page.elements]


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (Memory(2**20, (0, 0), compiled=True), "keeps 1.00 MiB of parameters on the chip"),
        (Memory(2**20, (0, 0), compiled=True), "Nothing is sent to it again for each picture"),
        (Memory(7 * 2**20, (2**19, 2**19), compiled=True), "0.50 MiB more are sent to it again for each picture"),
        (Memory(7 * 2**20, (0, 2**19), compiled=False), "0.00 MiB to 0.50 MiB more are sent to it again"),
        (Memory(2_862_656, (2_368, 2_368), compiled=True), "2.31 KiB more are sent to it again for each picture"),
        (Memory(7 * 2**20, (0, 2**19), compiled=False), "is expected to keep 7.00 MiB"),
    ],
)
def test_the_memory_of_an_edge_tpu_is_put_into_words(memory: Memory, words: str) -> None:
    assert words in sentences.memory(memory).means


def test_all_parts_are_there(whole: tuple[Page, Report, str]) -> None:
    page, report, _ = whole
    for title in (
        "What it tells apart",
        "The worst mistakes",
        "The least certain",
        "Knowing when not to know",
        "Outside the classes",
        "One class hidden at a time",
        "Can the score be trusted?",
        "Where precision is lost",
        "Edge TPU: whole",
        "The photos",
        "How it learned",
    ):
        assert title in page.text
    assert "the model keeps 0.54 MiB of parameters on the chip" in page.text
    plots = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(plots) == 5
    assert all(plot["aria-label"] for plot in plots)
    shown = {a.index for a in (*report.test.worst, *report.test.unsure)}
    assert page.count("img") >= len(shown)


def test_colours_follow_the_page(whole: tuple[Page, Report, str]) -> None:
    """Light, dark and print set variables; a figure with a fixed colour would be lost on one of them."""
    _, _, html = whole
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        assert not re.search(r"(?<!, )#[0-9a-f]{6}", re.sub(r'(href="|url\()#[^")]*', "", svg))


def test_the_json_is_the_report(whole: tuple[Page, Report, str]) -> None:
    _, report, _ = whole
    assert msgspec.json.decode(to_json(report), type=Report) == report
    data = json.loads(to_json(report))
    assert data["schema"] == 1
    assert data["test"]["top1"]["value"] == report.test.top1.value
    assert data["test"]["classes"][0]["name"] == ODD[0]


def test_the_json_has_the_keys_that_scripts_read(whole: tuple[Page, Report, str]) -> None:
    """Records come from learning, quantizing and the dataset check: what those call their fields is public."""
    _, report, _ = whole
    data = json.loads(to_json(report))
    assert list(data["history"]) == ["epochs", "head_accuracy", "kept", "choice", "joined"]
    assert list(data["history"]["choice"]) == [
        "last",
        "rival",
        "photos",
        "only_last",
        "only_rival",
        "p",
        "learned",
        "share",
    ]
    assert list(data["history"]["epochs"][0]) == ["number", "train_loss", "val_loss", "val_accuracy", "learning_rate"]
    assert data["left_out"] == [{"name": ODD[0], "photos": 40, "unknown": 0.7, "mistaken": pytest.approx(0.3)}]
    assert list(data["quantized"]["layers"][0]) == ["name", "operator", "snr_db", "introduced"]
    (finding,) = data["data"]["findings"]
    assert list(finding) == ["kind", "severity", "title", "explanation", "count", "examples", "pairs"]
    assert len(finding["examples"]) == 8, "all of them, though the page shows six"


def test_the_page_shows_six_files_of_a_finding_and_counts_the_rest(whole: tuple[Page, Report, str]) -> None:
    page, _, _ = whole
    assert "4.jpg and 3 more" in page.text
    assert "5.jpg" not in page.text


def test_two_classes_and_four_photos_make_a_page() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.45, 0.55]], np.float32)
    truth = np.array([0, 1, 1, 1])
    test = Evaluation("test", ("a", "b", "c", "d"), truth, scores)
    page, report = page_of(Evaluations(("yes", "no"), test, threshold=choose_threshold(scores, truth, 0.95)))
    assert "Of 4 photos that it never saw while learning, it named 3 rightly" in page.text
    assert "expect 30 to 95 %" in page.text
    assert "4 validation photos cannot show 95 %" in page.text
    assert "--outside FOLDER" in page.text
    assert "4 photos are too few to judge by" in page.text
    assert (report.data, report.history, report.quantized, report.model) == (None, None, None, None)
    assert page.open == []


def test_a_single_photo_of_a_single_class_that_is_right_is_enough() -> None:
    page, _ = page_of(Evaluations(("a", "b"), Evaluation("all", ("x",), np.array([0]), np.float32([[1, 0]]))))
    assert "Not one mistake" in page.text
    assert "no precision was requested" in page.text.lower()


def test_a_thousand_classes_show_pairs_instead_of_a_matrix() -> None:
    labels = tuple(f"class {i}" for i in range(1000))
    counts = tuple(range(1, 1001))
    data = DataSummary(classes=labels, counts={"train": counts})
    report, pictures = build_report(Evaluations(labels, evaluation(1000, 2000)), RUN, data=data)
    html = render_report(report, pictures)
    page = Page(html)
    assert report.test.confusion is None
    assert "The pairs that are confused most, of 1,000 classes" in page.text
    assert not any("matrix" in attributes.get("class", "") for _, attributes in page.elements)
    assert len(html) < 600_000
    assert len(to_json(report)) < 1_000_000


def test_files_are_written_whole_and_not_over_others(tmp_path: Path) -> None:
    report, pictures = build_report(Evaluations(("a", "b"), evaluation(2, 20)), RUN)
    page, data = tmp_path / "out" / "report.html", tmp_path / "out" / "report.json"
    write_report(report, pictures, page, data)
    assert page.read_text().startswith("<!doctype html>")
    assert msgspec.json.decode(data.read_bytes(), type=Report) == report
    with pytest.raises(OutputExistsError):
        write_report(report, pictures, page, data)
    write_report(report, pictures, page, data, overwrite=True)
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="2 names, 2 labels"):
        page_of(Evaluations(("a", "b"), Evaluation("test", ("x", "y"), np.array([0]), np.zeros((1, 2)))))
    none = Evaluation("test", (), np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
    with pytest.raises(DatasetError, match="no test photos"):
        page_of(Evaluations(("a", "b"), none))


def test_thumbnails_are_small_jpegs_of_any_shape() -> None:
    import cv2

    for shape in ((1, 3000, 3), (3000, 1, 3), (64, 64, 3)):
        data = thumbnail.encode(np.zeros(shape, np.uint8))
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert max(decoded.shape) <= 200
        assert data.startswith(b"\xff\xd8")


def history(*, last: int, rival: int, kept: int, p: float = 1.0) -> History:
    """Five epochs whose validation rises from 81 to 85 %."""
    epochs = tuple(Epoch(i, 1 / i, 1.0, 0.8 + i / 100, 1e-3) for i in range(1, 6))
    choice = Choice(last, rival, photos=96, only_last=2, only_rival=8, p=p, learned=True)
    return History(epochs, head_accuracy=0.7, kept=kept, choice=choice)


def test_the_report_explains_which_state_was_kept_and_what_to_do() -> None:
    chance = sentences.history(history(last=5, rival=0, kept=5, p=0.11))
    assert "The head alone named 6 more of 96 validation photos rightly. That is within chance" in chance.means
    assert chance.means.endswith("Epoch 5 named 85.0\u00a0% of them rightly, the head 70.0\u00a0%.")
    assert chance.do.startswith("Nothing")
    assert "try more `--epochs`" in sentences.history(history(last=5, rival=5, kept=5)).do
    harm = sentences.history(history(last=5, rival=0, kept=0, p=0.01))
    assert harm.means.startswith("Kept the head alone")
    assert "More photos" in harm.do
    assert sentences.history(History((), 0.7, kept=0)).means == "Only the head was trained."
    alone = sentences.history(History((), 0.8, kept=0, joined=12))
    assert "learned at the end from the 12 validation photos, too" in alone.means
    joined = sentences.history(replace(history(last=5, rival=5, kept=5), joined=12))
    assert "trained once more in the same way, with these 12 among those that it learned from" in joined.means


def test_the_sheet_of_examples_shows_what_the_network_saw() -> None:
    report, pictures = full()
    jpeg = thumbnail.encode(picture(0))
    examples = (Example("<b>0.jpg", jpeg, jpeg, (jpeg, jpeg)), Example("1.jpg", jpeg, jpeg, (jpeg, jpeg)))
    page = Page(render_report(report, replace(pictures, examples=examples)))
    text = page.text
    assert "What the network saw" in text
    assert "as it is prepared here and on the device" in text
    assert text.count("<b>0.jpg") == 1
    assert "What the network saw" not in Page(render_report(report, pictures)).text


def test_a_sheet_of_unprepared_photos_that_only_a_head_saw_names_neither() -> None:
    report, pictures = full()
    bare = replace(pictures, examples=(Example("0.jpg", thumbnail.encode(picture(0)), None, ()),))
    text = Page(render_report(report, bare)).text
    assert "What the network saw" in text
    assert "as it is prepared here" not in text
    assert "as training altered it" not in text


@pytest.mark.parametrize(
    ("photos", "means", "do"),
    [
        ((40, 40), "80 photos of 2 classes, 40 in each.", ""),
        ((40, 39), "79 photos of 2 classes; the rarest class, “\u2068wren\u2069”, has 39, the commonest 40.", ""),
        (
            (40, 9),
            "49 photos of 2 classes; the rarest class, “\u2068wren\u2069”, has 9, the commonest 40.",
            "Add photos of “\u2068wren\u2069”: rare classes are learned worst.",
        ),
    ],
)
def test_a_class_is_the_rarest_only_if_others_have_more_photos(photos: tuple[int, int], means: str, do: str) -> None:
    said = sentences.data(DataSummary(classes=("owl", "wren"), counts={"train": photos}))
    assert (said.means, said.do) == (means, do)


def test_labels_of_a_machine_are_reported_with_how_sure_they_are_and_what_they_count() -> None:
    counts = {"train": (50, 60), "val": (9, 9), "test": (10, 10)}
    alone = sentences.data(DataSummary(classes=("owl", "wren"), counts=counts)).means
    made = MachineLabels(labels=1200, in_training=1100, weight=0.5, sure_median=0.914, sure_least=0.6)
    with_them = sentences.data(DataSummary(classes=("owl", "wren"), counts=counts, machine_labels=made)).means
    assert with_them == (
        f"{alone} A machine made 1,200 labels, sure to 0.91 (median), at least 0.60: 1,100 were learned from, each "
        "counted at most 0.5 of one made by hand; none is in validation and test."
    )
