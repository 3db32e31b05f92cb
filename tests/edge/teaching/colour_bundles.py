"""A bundle that knows red, green and blue by the mean colour of a picture, and photos of colours to teach it with."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from handmade_models import classifier

from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.importing.importer import Question, Told, import_model

# R, G, B.
COLOURS = {"red": (220, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 220), "yellow": (220, 220, 40)}
KNOWN = ("red", "green", "blue")


def no_questions(question: Question) -> str:
    raise AssertionError(f"asked for {question.option}")


def colour_bundle(out: Path, *, ending: Sequence[str] = ("SOFTMAX",)) -> Bundle:
    """Write the bundle to `out`. ending: as of handmade_models.classifier."""
    model, labels = out.with_suffix(".tflite"), out.with_suffix(".txt")
    model.write_bytes(classifier(ending=ending))
    labels.write_text("".join(f"{label}\n" for label in KNOWN))
    told = Told(labels=labels, normalize=((127.5,) * 3, (127.5,) * 3), channel_order="rgb", resize="squash")
    bundle = import_model(model, out, told, no_questions)
    save(bundle)
    return bundle


def photos(folder: Path, label: str, colour: str, count: int, *, first: int = 0) -> Path:
    """Write photos of nearly one colour to folder/label, no two alike; return `folder`."""
    (folder / label).mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        rng = np.random.default_rng([number, *COLOURS[colour]])
        base = np.clip(np.array(COLOURS[colour])[::-1] + rng.integers(-35, 36, 3), 0, 255)
        noise = rng.integers(-15, 16, (32, 32, 3))
        picture = np.clip(base + noise, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / label / f"{number:03d}.png"), picture)
    return folder
