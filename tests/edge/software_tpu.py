"""Prepare a bundle with a compiled model, and a software Edge TPU with the answers to its golden inputs."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle.store import open_bundle
from edge.bundle.write import save
from edge.fakes.software_edgetpu import ENVIRONMENT, Script, answers_for, write_answers, write_script
from edge.images import decode_image
from edge.importing.importer import Told, import_model
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor


@dataclass(frozen=True)
class SoftwareTpu:
    """A software Edge TPU and the bundle for it. folder: the value for FIELDFARE_SOFTWARE_EDGETPU."""

    bundle: Path
    library: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {ENVIRONMENT: str(self.folder)}

    @property
    def settings(self) -> str:
        """Return the [engine] section of the settings."""
        return (
            f'[engine]\ndevice = "usb"\nedgetpu_library = "{self.library}"\nthreads = 1\n'
            "timeout_s = 1.5\nstart_timeout_s = 5\n"
        )

    def does(self, script: Script) -> None:
        """Change its behaviour from now on."""
        write_script(self.folder, script)


@dataclass(frozen=True)
class Prepared:
    """The parts that take time to make, for all tests: a bundle with both models, the library, the table of answers."""

    bundle: Path
    library: Path
    answers: bytes

    def at(self, folder: Path) -> SoftwareTpu:
        """Make a software Edge TPU without faults, in a folder of a test's own."""
        (folder / "answers.bin").write_bytes(self.answers)
        tpu = SoftwareTpu(self.bundle, self.library, folder)
        tpu.does(Script(unknown="pick"))
        return tpu


def prepare(folder: Path, models: Path, library: Path) -> Prepared:
    """Make the parts; the table holds the golden inputs, and for any other input one of their answers is picked."""
    path = folder / "birds"
    name = "mobilenet_v1_0.25_128_quant"
    save(import_model(models / f"{name}.tflite", path, Told(resize="squash"), lambda question: ""))
    words = ["bundle", "add-edgetpu", str(path), str(models / f"{name}_edgetpu.tflite")]
    subprocess.run([sys.executable, "-m", "edge", *words], capture_output=True, check=True)
    bundle = open_bundle(path)
    preprocessor = Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input)
    known = [
        preprocessor.quantize(decode_image(bundle.contents[case.pixels], case.pixels)[:, :, ::-1])
        for case in bundle.manifest.golden.cases
    ]
    noise = np.random.default_rng(0).integers(0, 256, (20, 128, 128, 3), dtype=np.uint8)
    write_answers(folder, answers_for(TfliteClassifier(load_runtime(), bundle.model), [*known, *noise]))
    return Prepared(path, library, (folder / "answers.bin").read_bytes())
