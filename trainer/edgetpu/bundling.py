"""Put a compiled model into a bundle, new or finished: the manifest's record and the files."""

from pathlib import Path

import msgspec

from edge.bundle.manifest import EdgeTpu
from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.bundle.store import Bundle
from edge.bundle.write import seal
from edge.edgetpu.twin import CompiledModel
from trainer.edgetpu.compatibility import judge
from trainer.edgetpu.compiler_report import CompilerReport
from trainer.edgetpu.tflite_graph import read_graph

MODEL_NAME = "model_edgetpu.tflite"
LOG_NAME = "compiler.log"


def edgetpu_part(
    model: bytes, facts: CompiledModel, report: CompilerReport | None, log: str | None
) -> tuple[EdgeTpu, dict[str, bytes]]:
    """Return the manifest's record and the files, by name.

    facts: what the model's package holds.
    report, log: None if the compiler's output is missing; what only it contains is then None in the record."""
    files = {MODEL_NAME: model}
    if log is not None:
        files[LOG_NAME] = log.encode()
    part = EdgeTpu(
        model=MODEL_NAME,
        log=None if log is None else LOG_NAME,
        compiler_version=None if report is None else report.version,
        operators_on_tpu=None if report is None or not report.on_tpu else report.on_tpu,
        operators_on_cpu=judge(read_graph(model)).on_cpu if report is None else report.on_cpu,
        on_chip_bytes=facts.on_chip_bytes,
        off_chip_bytes=facts.streamed_bytes,
    )
    return part, files


def with_edgetpu(
    bundle: Bundle,
    out: Path,
    model: bytes,
    facts: CompiledModel,
    *,
    report: CompilerReport | None = None,
    log: str | None = None,
) -> Bundle:
    """Return `bundle` for the path `out`, with this compiled model instead of any that it has.

    facts: what its package holds. The rest, golden inputs and figures included, is unchanged. edge.bundle.write.save
    writes the result. Raises BundleError."""
    part, added = edgetpu_part(model, facts, report, log)
    old = bundle.manifest.edgetpu
    gone = {MANIFEST, MANIFEST_HASH} | (set() if old is None else {old.model, *([old.log] if old.log else [])})
    files = {name: data for name, data in bundle.contents.items() if name not in gone}
    return seal(out, msgspec.structs.replace(bundle.manifest, edgetpu=part), files | added)
