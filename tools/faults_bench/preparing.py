"""Make what the services of tools/bench_faults.py run on: a bundle with both models, and a software Edge TPU."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.store import open_bundle
from edge.bundle.write import save
from edge.fakes.software_edgetpu import answers_for, build, write_answers
from edge.importing.importer import Told, import_model
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor


def prepare(folder: Path, model: Path, compiled: Path) -> tuple[Path, Path, bytes]:
    """Make a bundle with both models, the software Edge TPU, and its table of answers."""

    def ask(question: Any) -> str:
        raise SystemExit(f"bench_faults: the model does not state {question.explanation}: use one with metadata")

    path = folder / "bundle"
    save(import_model(model, path, Told(resize="squash"), ask))
    done = subprocess.run(
        [sys.executable, "-m", "edge", "bundle", "add-edgetpu", str(path), str(compiled)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"bench_faults: {done.stderr.strip()}")
    bundle = open_bundle(path)
    twin = TfliteClassifier(load_runtime(), bundle.model)
    preprocessor = Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input)
    write_answers(folder, answers_for(twin, [*golden_tensors(bundle, preprocessor), *noise_tensors(bundle, 200)]))
    return path, build(folder), (folder / "answers.bin").read_bytes()


def golden_tensors(bundle: Any, preprocessor: Preprocessor) -> list[Any]:
    from edge.images import decode_image

    return [
        preprocessor.quantize(decode_image(bundle.contents[case.pixels], case.pixels)[:, :, ::-1])
        for case in bundle.manifest.golden.cases
    ]


def noise_tensors(bundle: Any, count: int) -> list[Any]:
    rng, spec = np.random.default_rng(0), bundle.manifest.input
    shape = (count, spec.height, spec.width, 3)
    return list(rng.integers(0, 256, shape, dtype=np.uint8).view(spec.dtype))
