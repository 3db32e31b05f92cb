"""A finished training becomes a bundle for the CPU if the Edge TPU's compiler is missing or fails. Whole trainings are
in test_train.py."""

from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from edge.errors import FieldfareError, ModelError, StorageError, UnavailableError
from trainer.delivery import deliver


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UnavailableError("edgetpu_compiler is not on this machine"), "no compiler"),
        (ModelError("the compiler crashed (SIGSEGV)"), "refused"),
        (StorageError("/tmp: cannot write: No space left on device"), "no room for the compiler's files"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_a_compiled_model_the_bundle_is_for_the_cpu_and_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: FieldfareError, told: str
) -> None:
    """The line has the name of this bundle, quoted if a shell needs that."""

    def fail(model: bytes, **options: object) -> NoReturn:
        raise error

    said: list[str] = []
    options = SimpleNamespace(edgetpu=True, compiler=None, teachable=False, allow_partial=False, out=Path("my birds"))
    monkeypatch.setattr(deliver, "compile_model", fail)
    given = SimpleNamespace(options=options, progress=SimpleNamespace(say=said.append))
    assert deliver._compile(given, b"") == (None, told)
    assert said[1:] == [
        f"warning: the bundle is for the CPU only: {error}; later: fieldfare compile 'my birds', or, from another "
        "machine, fieldfare bundle add-edgetpu 'my birds' model_edgetpu.tflite --log words.txt"
    ]
