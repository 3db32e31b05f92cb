"""Compare the frames a second of the whole product with a bare interpreter loop and with other classifiers.

    python tools/bench_pipeline.py MODEL [--labels L.txt] [--rivals FOLDER] [--edgetpu SMALL COMPILED] [--json]

fieldfare       `fieldfare run` as a user starts it, supervisor and worker, on a looped folder of frames, flat out.
                Every frame is classified; its own status counts them. Frames are decoded before the clock starts,
                since a camera delivers pixels, not JPEG.
events          the same with events kept and a label in view all the time: the detector sees each frame, and the
                recorder stores. `fieldfare` must take at least 0.99 of its time.
bare            LiteRT's invoke in a loop, on the same model, and nothing else. No program that runs this model in
                this runtime can be faster, so each row also prints the share of its time that `bare` takes.
mediapipe, tflite-support
                their image classifiers on the same frames, already in the colour order that they need. Each has an
                environment of its own, made in FOLDER (--rivals; on Debian they need libusb-1.0-0 and libgles2).

All run with one thread, each in a process of its own. They take turns in rounds, and ratios are computed round by
round, so that a change in the machine's speed affects all of them.

Further figures: latency from capture to decision at 30 frames/s, and of the bare inference at that rate, since a busy
host slows both. With --edgetpu, frames/s through the software Edge TPU at 2.6 ms an inference (Coral's own figure for
MobileNetV2 1.0 on USB), in turn with a bare loop on it. Memory of all processes (PSS), time from start to first
decision, and CPU at 1 frame/s.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge import __version__
from edge.board import Board
from edge.bundle.store import open_bundle
from edge.bundle.write import save
from edge.importing.importer import Question, Told, import_model
from edge.supervision import status

RIVALS = {"mediapipe": "mediapipe==1.2.*", "tflite-support": "tflite-support==0.4.4"}
LOOPS = Path(__file__).with_name("rival_loops.py")
TPU_US = 2600


def main() -> int:
    arguments = parse_arguments()
    report: dict[str, Any] = {
        "platform": f"{platform.machine()}, {cpu_name()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "versions": f"fieldfare {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"OpenCV {cv2.__version__}, ai-edge-litert {version('ai-edge-litert')}",
        "model": arguments.model.name,
        "method": f"{arguments.rounds} rounds of {arguments.seconds:g} s each in turn; medians (smallest to largest)",
    }
    for key, value in report.items():
        print(f"{key:<10} {value}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = make_bundle(arguments.model, arguments.labels, folder / "bundle")
        pythons = {rival: environment(arguments.rivals, rival) for rival in RIVALS} if arguments.rivals else {}
        for size in arguments.sizes:
            report[size] = throughput(arguments, folder, bundle, size, pythons)
        report["30 frames/s"] = latency(bundle, arguments.latency_seconds)
        report["30 frames/s"] |= bare_latency(arguments.model, folder, arguments.latency_seconds)
        report["1 frame/s"] = idle(bundle)
        report["start"] = start(bundle)
        if arguments.edgetpu:
            report["edgetpu"] = software_edgetpu(arguments, folder)
    if arguments.json:
        print(json.dumps(report))
    return 0


def throughput(
    arguments: argparse.Namespace, folder: Path, bundle: Path, size: str, pythons: dict[str, Path]
) -> dict[str, Any]:
    """Run all of them in turn, for several rounds, on frames of one size."""
    frames = write_frames(folder / size, *(int(v) for v in size.split("x")))
    rates: dict[str, list[float]] = {name: [] for name in ("bare", "fieldfare", "events", *pythons)}
    keeping = write_keeping(folder / f"{size}-events")
    for number in range(arguments.rounds + 1):  # the first round warms up and is not counted
        for name, kept in rates.items():
            if name == "fieldfare":
                rate = product_rate(bundle, frames, arguments.seconds)
            elif name == "events":
                rate = product_rate(bundle, frames, arguments.seconds, "--config", keeping)
            else:
                python = pythons.get(name, Path(sys.executable))
                rate = loop_rate(python, name, arguments.model, frames.with_suffix(".npy"), arguments.seconds)
            if number:
                kept.append(rate)
    print(f"\n{size} frames")
    rows = {}
    for name, kept in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(rates["fieldfare"], kept, strict=True)]
        floor = statistics.median(bare / theirs for bare, theirs in zip(rates["bare"], kept, strict=True))
        rows[name] = {
            "fps": statistics.median(kept),
            "ms": 1000 / statistics.median(kept),
            "fieldfare_fps_ratio": statistics.median(ratios),
            "spread": [min(ratios), max(ratios)],
            "bare_fps_ratio": floor,
        }
        print(
            f"  {name:<15} {statistics.median(kept):7.1f} frames/s ({min(kept):.1f} to {max(kept):.1f}), "
            f"{1000 / statistics.median(kept):.2f} ms a frame; fieldfare takes {1 / statistics.median(ratios):.2f} "
            f"of its time ({1 / max(ratios):.2f} to {1 / min(ratios):.2f}), bare {1 / floor:.2f}"
        )
    return rows


@contextmanager
def running(bundle: Path, *words: object) -> Iterator[tuple[Any, Path]]:
    """Run `fieldfare run` with a status file, and stop it as systemd does."""
    with tempfile.TemporaryDirectory() as run:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--bundle", str(bundle), *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "RUNTIME_DIRECTORY": run},
        )
        try:
            yield process, Path(run) / "status.json"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def next_status(file: Path, after_s: float, process: Any) -> status.Status:
    """Wait for the first status written after `after_s` (monotonic) that has results."""
    while True:
        if process.poll() is not None:
            raise SystemExit(f"fieldfare ended with {process.returncode}: {process.stderr.read().decode()}")
        if file.exists() and (seen := status.read(file)).updated_mono_s > after_s and seen.counts.results:
            return seen
        time.sleep(0.02)


def product_rate(bundle: Path, frames: Path, seconds: float, *more: object) -> float:
    """Return the results a second, by the status of the service itself."""
    words = ("--source", frames, "--flat-out", "--loop", "--threads", 1, "--quiet", *more)
    with running(bundle, *words) as (process, file):
        first = next_status(file, time.monotonic() + 1.0, process)
        last = next_status(file, first.updated_mono_s + seconds - 0.5, process)
    return (last.counts.results - first.counts.results) / (last.updated_mono_s - first.updated_mono_s)


def loop_rate(python: Path, name: str, model: Path, frames: Path, seconds: float) -> float:
    """Return the frames a second of a loop of rival_loops.py."""
    command = [str(python), str(LOOPS), name, str(model), str(frames), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def latency(bundle: Path, seconds: float) -> dict[str, float]:
    """Measure the time from capture to decision with a camera at 30 frames a second."""
    words = ("--source", "synthetic", "--fps", 30, "--threads", 1, "--json")
    with running(bundle, *words) as (process, _):
        values = [json.loads(process.stdout.readline())["latency_ms"]["total"] for _ in range(int(30 * seconds))]
    values = values[30:]  # the first second warms up
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    print(
        f"\n30 frames/s for {seconds:g} s, capture to decision: median {p50:.2f} ms, p95 {p95:.2f}, p99 {p99:.2f}, "
        f"worst {max(values):.2f}; p99 is {p99 / p50:.2f} of the median"
    )
    return {"median_ms": p50, "p95_ms": p95, "p99_ms": p99, "worst_ms": max(values)}


def bare_latency(model: Path, folder: Path, seconds: float) -> dict[str, float]:
    """Measure the bare inference at the same rate: the part of the latency that is not the product's."""
    frames = write_frames(folder / "paced", 640, 480).with_suffix(".npy")
    command = [sys.executable, str(LOOPS), "bare", str(model), str(frames), str(seconds), "30"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    p50, p99 = map(float, done.stdout.split()[-2:])
    print(f"  the bare inference at 30 frames/s: median {p50:.2f} ms, p99 {p99:.2f}, {p99 / p50:.2f} of the median")
    return {"bare_median_ms": p50, "bare_p99_ms": p99}


def idle(bundle: Path, seconds: float = 20.0) -> dict[str, float]:
    """Measure CPU and memory of all processes at one frame a second."""
    board = Board()
    with running(bundle, "--source", "synthetic", "--fps", 1, "--threads", 1, "--quiet") as (process, file):
        seen = next_status(file, time.monotonic() + 3.0, process)
        pids = [process.pid, seen.worker_pid]
        before, began = sum(board.cpu_s(pid) or 0 for pid in pids), time.monotonic()
        time.sleep(seconds)
        percent = 100 * (sum(board.cpu_s(pid) or 0 for pid in pids) - before) / (time.monotonic() - began)
        pss = [(board.pss_bytes(pid) or 0) / 2**20 for pid in pids]
    print(
        f"\n1 frame/s: {percent:.1f} % of a core; PSS {sum(pss):.0f} MiB (supervisor {pss[0]:.0f}, worker {pss[1]:.0f})"
    )
    return {"cpu_percent": percent, "pss_mib": sum(pss)}


def start(bundle: Path, tries: int = 7) -> dict[str, float]:
    """Measure the time from the command to its first decision on standard output."""
    values = []
    for _ in range(tries):
        began = time.monotonic()
        with running(bundle, "--source", "synthetic", "--threads", 1, "--json") as (process, _):
            process.stdout.readline()
            values.append(time.monotonic() - began)
    print(f"start to first decision: median {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})")
    return {"median_s": statistics.median(values), "worst_s": max(values)}


def software_edgetpu(arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Measure the frames a second with a software Edge TPU that takes 2.6 ms for an inference."""
    from edge.fakes.software_edgetpu import ENVIRONMENT, Script, answers_for, build, write_answers, write_script
    from edge.inference.edgetpu import load_edgetpu
    from edge.inference.golden import prepare
    from edge.inference.runtime import load_runtime
    from edge.inference.tflite import TfliteClassifier
    from edge.preprocess import Preprocessor

    model, compiled = arguments.edgetpu
    path = make_bundle(model, None, folder / "small")
    subprocess.run([sys.executable, "-m", "edge", "bundle", "add-edgetpu", str(path), str(compiled)], check=True)
    bundle = open_bundle(path)
    preprocessor = Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input)
    frames = write_frames(folder / "tpu", 640, 480)
    tensors = [preprocessor.quantize(preprocessor.pixels(cv2.imread(str(file)))) for file in sorted(frames.iterdir())]
    tensors += [case.tensor for case in prepare(bundle, preprocessor).cases]
    write_answers(folder, answers_for(TfliteClassifier(load_runtime(), bundle.model), tensors))
    write_script(folder, Script(time_us=TPU_US))
    library = build(folder)
    config = folder / "tpu.toml"
    config.write_text(f'bundle = "{path}"\n[engine]\ndevice = "usb"\nedgetpu_library = "{library}"\n')
    os.environ[ENVIRONMENT] = str(folder)
    runtime = load_runtime()
    delegate = load_edgetpu(runtime, library=str(library), device="")
    tpu = TfliteClassifier(runtime, compiled.read_bytes(), delegate=delegate, processor="edgetpu")
    rates, bare = [], []
    for _ in range(arguments.rounds):
        bare.append(invoke_rate(tpu, tensors, arguments.seconds))
        rates.append(product_rate(path, frames, arguments.seconds, "--config", config))
    ratios = [ours / theirs for ours, theirs in zip(rates, bare, strict=True)]
    print(
        f"software Edge TPU at {TPU_US / 1000:g} ms, 640x480: {statistics.median(rates):.0f} frames/s "
        f"({min(rates):.0f} to {max(rates):.0f}); a bare loop {statistics.median(bare):.0f}; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    return {"fps": statistics.median(rates), "bare_fps": statistics.median(bare), "ratio": statistics.median(ratios)}


def invoke_rate(classifier: Any, tensors: list[Any], seconds: float) -> float:
    """Return the inferences a second of a loop that does nothing else."""
    classifier.load(tensors[0])
    count, started = 0, time.perf_counter()
    while (now := time.perf_counter()) - started < seconds:
        classifier.invoke()
        count += 1
    return count / (now - started)


def make_bundle(model: Path, labels: Path | None, path: Path) -> Path:
    def ask(question: Question) -> str:
        sys.exit(f"bench_pipeline: the model does not state {question.explanation}: use one with metadata")

    save(import_model(model, path, Told(labels=labels, resize="squash"), ask))
    return path


def write_frames(folder: Path, width: int, height: int) -> Path:
    """Write eight frames as PNG to `folder`, and as one array, uint8 (8, height, width, 3), B, G, R, beside it."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    frames = []
    for number in range(8):
        field = cv2.resize(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8), (width, height))
        frames.append(np.clip(field + rng.normal(0, 8, (height, width, 1)), 0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / f"{number}.png"), frames[-1])
    np.save(folder.with_suffix(".npy"), np.stack(frames))
    return folder


def write_keeping(folder: Path) -> Path:
    """Write settings that keep events with pictures in `folder`, and return their file."""
    folder.mkdir()
    path = folder / "events.toml"
    # So low a threshold, since the frames show nothing that the model knows.
    path.write_text(f'[decision]\nthreshold = 0.001\n[events]\nstore = "{folder / "events.db"}"\n')
    return path


def environment(folder: Path, rival: str) -> Path:
    """Return the Python of an environment with `rival`; makes the environment if there is none."""
    python = folder / rival / "bin" / "python"
    if not python.exists():
        print(f"making an environment for {rival} in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder / rival)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", RIVALS[rival]], check=True)
    return python


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a .tflite with TFLite metadata")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--sizes", nargs="+", default=["640x480", "1920x1080"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each round")
    parser.add_argument("--latency-seconds", type=float, default=30.0)
    parser.add_argument("--rivals", type=Path, metavar="FOLDER", help="compare with others; environments go here")
    parser.add_argument("--edgetpu", type=Path, nargs=2, metavar=("MODEL", "COMPILED"))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
