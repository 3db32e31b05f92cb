"""Call one function that may crash or hang, in a child of the doctor, and print its answer as JSON.

Run as `python -m edge.doctor.probe NAME`, with the arguments as JSON on standard input. The only module of the doctor
that uses native libraries.
"""

import importlib
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from edge.config.running import Camera, Engine
from edge.errors import ConfigError, FieldfareError, ModelError

_FRAMES = 3  # the first of a camera can be black or torn
RUNTIME = "the compiled model needs the Edge TPU runtime"
_SLOW_FPS = 1.0  # below that, the first frame must suffice


def libraries(names: list[str]) -> dict[str, Any]:
    """Import one module after another. Returns {name: {"version": ..., "error": ...}}."""
    found = {}
    for name in names:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - broken packages raise anything
            found[name] = {"version": None, "error": f"{type(error).__name__}: {error}"}
        else:
            found[name] = {"version": getattr(module, "__version__", None), "error": None}
    return found


def pi_cameras() -> list[str]:
    """Return the models that picamera2 lists, by number."""
    module: Any = importlib.import_module("picamera2")
    return [str(entry.get("Model", "camera")) for entry in module.Picamera2.global_camera_info()]


def frame(camera: dict[str, Any]) -> dict[str, Any]:
    """Open the configured source and read a frame. Returns its description, size and brightness."""
    from edge.capture.opening import open_source
    from edge.errors import EndOfStream

    settings = msgspec.convert(camera, Camera)
    frames = 1 if settings.fps is not None and settings.fps < _SLOW_FPS else _FRAMES
    source = open_source(settings)
    try:
        taken = source.read()
        for _ in range(frames - 1):
            try:
                taken = source.read()
            except EndOfStream:
                break
        height, width = taken.image_bgr.shape[:2]
        mean, spread = float(taken.image_bgr.mean()), float(taken.image_bgr.std())
        return {"description": source.description, "size": [width, height], "mean": mean, "spread": spread}
    finally:
        source.close()


def bundle(path: str, named: dict[str, list[str]], locate: dict[str, Any] | None = None) -> dict[str, Any]:
    """Open a bundle, check every hash, look for the labels that the settings name, and compare how its photos were cut
    with [locate], None if there are no settings. The model is not parsed."""
    from edge.bundle.store import open_bundle
    from edge.config.locating import Locate
    from edge.events.labels import check_named
    from edge.worker.locating import doubt_of

    opened, labels_error = open_bundle(Path(path)), None
    try:
        check_named(named, opened.labels)
    except ConfigError as error:
        labels_error = str(error)
    return {
        "id": opened.bundle_id,
        "name": opened.manifest.name,
        "classes": len(opened.labels),
        "edgetpu": opened.edgetpu_model is not None,
        "threshold": opened.manifest.calibration.threshold,
        "labels_error": labels_error,
        "cut_doubt": None if locate is None else doubt_of(opened.manifest, msgspec.convert(locate, Locate)),
    }


def compiled(path: str) -> dict[str, Any] | None:
    """Read the package in the bundle's compiled model, and compare it with the model for the CPU. Returns None if the
    bundle has no compiled model."""
    from edge.bundle.store import open_bundle
    from edge.edgetpu.twin import check_twin

    opened = open_bundle(Path(path))
    if opened.edgetpu_model is None:
        return None
    found = check_twin(opened.edgetpu_model, opened.model)
    return {
        "min_runtime": found.min_runtime,
        "on_chip": found.on_chip_bytes,
        "streamed": found.streamed_bytes,
        "teachable": found.teachable,
    }


def golden(path: str, engine: dict[str, Any]) -> dict[str, Any]:
    """Run the bundle's golden inputs on one engine, without a fallback."""
    from edge.bundle.store import open_bundle
    from edge.worker.assemble import open_classifier, open_on_edgetpu

    settings, opened = msgspec.convert(engine, Engine), open_bundle(Path(path))
    if settings.device == "cpu":
        return {"engine": open_classifier(opened, settings).classifier.engine}
    _check_runtime(opened.edgetpu_model, settings.edgetpu_library)
    return {"engine": open_on_edgetpu(opened, settings).engine}


def _check_runtime(model: bytes | None, library: str) -> None:
    """Raise ModelError if the compiled model is a placeholder, damaged, or too new for the library."""
    from edge.edgetpu.twin import read_compiled
    from edge.inference.edgetpu import runtime_version

    if model is None:
        return
    needed, there = read_compiled(model).min_runtime, runtime_version(library)
    if there is not None and there < needed:
        raise ModelError(f"{RUNTIME} {needed}, {library} has {there}")


def delegate(library: str, device: str, runtime: str) -> dict[str, Any]:
    """Load libedgetpu and make its delegate, as the service does."""
    from edge.inference.edgetpu import load_edgetpu
    from edge.inference.runtime import RuntimeName, load_runtime

    loaded = load_runtime(cast("RuntimeName", runtime))
    made = load_edgetpu(loaded, library=library, device=device)
    return {"runtime": f"{loaded.name} {loaded.version}", "delegate": type(made).__name__}


_PROBES: dict[str, Callable[..., Any]] = {
    "libraries": libraries,
    "pi_cameras": pi_cameras,
    "frame": frame,
    "bundle": bundle,
    "compiled": compiled,
    "golden": golden,
    "delegate": delegate,
}


def main(name: str, arguments: bytes) -> None:
    """Write the answer, or in one line why there is none. arguments: JSON, a list."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash of libedgetpu would leave hundreds of megabytes
    # Libraries print to standard output, too, which is the answer's: from here on that goes to standard error.
    channel = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = _PROBES[name](*msgspec.json.decode(arguments))
    except FieldfareError as error:
        answer = {"refused": " ".join(str(error).split())}
    os.write(channel, msgspec.json.encode(answer))
    sys.stderr.flush()
    os._exit(0)  # native libraries may hang while they are unloaded


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.buffer.read())
