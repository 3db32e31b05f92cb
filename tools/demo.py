"""Demonstrate the whole path without photos or a camera: digits -> MobileNet -> int8 bundle -> camera -> events.

scikit-learn ships 1,797 scans of handwritten digits (8x8 pixels, 16 greys; UCI Optical Recognition of Handwritten
Digits). The demo paints them onto noisy backgrounds and trains a MobileNet on them from scratch. Then the device
program watches a video in which other digits move over such backgrounds, and keeps an event for each. Run by
tools/demo.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FIELDFARE = [sys.executable, "-m", "edge"]
SIDE = 48  # input of the network
SCENE = (640, 480)
FPS = 30
FRAMES_PER_DIGIT = 12
SEED = 7
MARK = "made-by-demo.txt"
# Digits follow each other like parts on a belt, every 0.4 s: what is one visit must end sooner than by default.
SETTINGS = """\
bundle = {bundle}

[camera]
source = {source}

[device]
name = "demo"

[events]
store = {store}
smoothing_s = 0.1
min_duration_s = 0.2
gap_s = 0.2
"""


def main() -> int:
    arguments = parse_arguments()
    out: Path = arguments.out
    begin_afresh(out)
    started = time.monotonic()

    title("1  Photos: 1,797 scans of handwritten digits, on noisy backgrounds")
    test = write_photos(out / "photos")
    title("2  Train a MobileNetV2 0.35 from scratch and quantize it to int8")
    print(f"Its view is {SIDE}x{SIDE} pixels, enough for scans of 8x8: a note that this is no multiple of 32 may pass.")
    report = train(out, arguments.epochs)
    title("3  Verify the bundle: hashes, tensors, golden inputs")
    subprocess.run([*FIELDFARE, "bundle", "verify", str(out / "digits")], check=True)
    if arguments.camera:
        title(f"4  Watch {arguments.camera} (Ctrl-C ends it)")
        command = [*FIELDFARE, "run", "--bundle", str(out / "digits"), "--source", arguments.camera]
        return subprocess.run(command, check=False).returncode
    title(f"4  The device program on a replayed camera: {arguments.digits} digits it never saw, {FPS} frames/s")
    truth = write_video(out / "camera.avi", test, arguments.digits)
    results = watch(out, truth)
    title("Done")
    summarize(report, results, truth, time.monotonic() - started, out)
    show_events(out)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/demo", description="Train on digits, then watch a camera.")
    parser.add_argument("--camera", help="a real camera at the end: /dev/video0, picamera2")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="folder for everything made")
    parser.add_argument("--epochs", type=int, default=20, help="training epochs (default: 20)")
    parser.add_argument("--digits", type=int, default=40, help="digits in the replay (default: 40)")
    return parser.parse_args()


def begin_afresh(out: Path) -> None:
    """Make an empty folder at `out`; deletes only what an earlier demo made."""
    mark = out / MARK
    if out.exists() and not mark.is_file() and any(out.iterdir()):
        sys.exit(f"tools/demo: {out} holds files that are not from a demo: name a new folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    mark.write_text("Made by tools/demo, which deletes this folder when it runs again.\n")


def title(text: str) -> None:
    print(f"\n--- {text}", flush=True)


def write_photos(folder: Path) -> list[tuple[NDArray[np.float64], int]]:
    """Write class folders under train, val and test; return the test scans with their labels."""
    scans, labels = load_digits(return_X_y=True)
    rest, test = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=SEED)
    train_part, val = train_test_split(rest, test_size=0.12, stratify=labels[rest], random_state=SEED)
    rng = np.random.default_rng(SEED)
    for split, indices, copies in (("train", train_part, 2), ("val", val, 1), ("test", test, 1)):
        for index in indices:
            where = folder / split / str(labels[index])
            where.mkdir(parents=True, exist_ok=True)
            for copy in range(copies):
                ground = noisy_ground((96, 96), rng)
                side = int(rng.integers(64, 84))
                place = rng.integers(2, 96 - side - 1, 2)
                photo = paint(ground, scans[index].reshape(8, 8), place, side, rng)
                cv2.imwrite(str(where / f"{index:04d}-{copy}.png"), photo)
        print(f"{split}: {len(indices)} scans", flush=True)
    return [(scans[index].reshape(8, 8), int(labels[index])) for index in test]


def noisy_ground(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw blotches of two dark colours with grain: uint8 (height, width, 3) for size (width, height)."""
    small = rng.random((5, 6, 1)).astype(np.float32)
    mix = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)[..., None]
    colours = rng.uniform(10, 110, (2, 3))
    ground = mix * colours[0] + (1 - mix) * colours[1] + rng.normal(0, rng.uniform(2, 14), (size[1], size[0], 1))
    return np.clip(ground, 0, 255).astype(np.uint8)


def paint(
    ground: NDArray[np.uint8],
    scan: NDArray[np.float64],
    place: NDArray[np.int64],
    side: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return a copy of `ground` with the scan's strokes in a light colour, its corner at place = (x, y)."""
    strokes = cv2.resize((scan / 16).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    strokes = np.clip(strokes, 0, 1)[..., None]
    x, y = (int(v) for v in place)
    picture = ground.copy()
    part = picture[y : y + side, x : x + side]
    colour = rng.uniform(180, 255, 3)
    part[:] = (part * (1 - strokes) + colour * strokes).astype(np.uint8)
    return picture


def train(out: Path, epochs: int) -> dict[str, float]:
    command = [*FIELDFARE, "train", str(out / "photos"), "--out", str(out / "digits"), "--weights", "none"]
    command += ["--size", str(SIDE), "--epochs", str(epochs), "--no-mirror", "--seed", "1", "--json"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    report: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return report


def write_video(path: Path, test: list[tuple[NDArray[np.float64], int]], digits: int) -> list[int]:
    """Write a Motion JPEG video; return the digit that each frame shows."""
    rng = np.random.default_rng(SEED + 1)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SCENE)
    if not writer.isOpened():
        sys.exit(f"tools/demo: OpenCV cannot write {path}")
    truth: list[int] = []
    for choice in rng.permutation(len(test))[:digits]:
        scan, label = test[choice]
        ground = noisy_ground(SCENE, rng)
        phase = rng.uniform(0, 2 * np.pi, 2)
        colour_seed = int(rng.integers(2**31))
        for step in range(FRAMES_PER_DIGIT):
            angle = phase + 2 * np.pi * step / FRAMES_PER_DIGIT * np.array([1, 2])
            centre = np.array([SCENE[0] / 2, SCENE[1] / 2]) + np.sin(angle) * [40, 25]
            grain = rng.normal(0, 6, (SCENE[1], SCENE[0], 1))
            frame = np.clip(ground + grain, 0, 255).astype(np.uint8)
            # The camera is 4:3 and the network's view square: paint wide, so that digits keep their shape.
            square = cv2.resize(frame, (480, 480), interpolation=cv2.INTER_AREA)
            place = (centre * [480 / SCENE[0], 1] - 185).astype(np.int64)
            square = paint(square, scan, place, 370, np.random.default_rng(colour_seed))
            writer.write(cv2.resize(square, SCENE, interpolation=cv2.INTER_LINEAR))
            truth.append(label)
    writer.release()
    return truth


def watch(out: Path, truth: list[int]) -> list[dict[str, object]]:
    """Run the device program on the video in real time, and show its decisions as they arrive."""
    places = {"bundle": out / "digits", "source": out / "camera.avi", "store": out / "events.db"}
    texts = {name: json.dumps(str(place), ensure_ascii=False) for name, place in places.items()}
    (out / "demo.toml").write_text(SETTINGS.format(**texts))
    command = [*FIELDFARE, "run", "--config", str(out / "demo.toml"), "--json"]
    results: list[dict[str, object]] = []
    with (
        (out / "results.jsonl").open("w") as record,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as device,
    ):
        assert device.stdout is not None
        for line in device.stdout:
            record.write(line)
            result = json.loads(line)
            results.append(result)
            show(result, truth[result["frame"]], live=sys.stdout.isatty())
    print()
    if device.returncode:
        sys.exit(device.returncode)
    return results


def show(result: dict[str, object], digit: int, *, live: bool) -> None:
    """Print a result: on a terminal one line that is overwritten, elsewhere a line for each digit."""
    right = result["label"] == str(digit)
    text = (
        f"frame {result['frame']:>4}: shown {digit}, seen {result['label']} "
        f"({result['score']:.2f}) {'ok' if right else 'WRONG'}"
    )
    if live:
        print(f"\r\x1b[K{text}", end="" if right else "\n", flush=True)
    elif int(str(result["frame"])) % FRAMES_PER_DIGIT == 0 or not right:
        print(text, flush=True)


def summarize(
    report: dict[str, float], results: list[dict[str, object]], truth: list[int], seconds: float, out: Path
) -> None:
    right = sum(r["label"] == str(truth[int(str(r["frame"]))]) for r in results)
    latency = np.array([r["latency_ms"]["total"] for r in results])  # type: ignore[index]
    times = np.array([r["captured_mono_s"] for r in results], dtype=np.float64)
    fps = (len(times) - 1) / (times[-1] - times[0])
    p50, p95, p99 = np.percentile(latency, [50, 95, 99])
    # The same digit twice in a row is one visit: nothing lies between them.
    visits = [str(digit) for digit, _ in groupby(truth)]
    events = [event["label"] for event in stored_events(out)]
    rows = [
        ("test photos, float", f"{report['test_top1_float']:.1%}"),
        ("test photos, int8", f"{report['test_top1_int8']:.1%}"),
        ("replayed camera", f"{right / len(results):.1%} of {len(results)} frames right"),
        ("events", f"{len(events)} for {len(visits)} visits{', all of them right' if events == visits else ''}"),
        ("speed", f"{fps:.1f} frames/s (the camera gives {FPS})"),
        ("latency", f"median {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, capture to decision"),
        ("dropped", f"{len(truth) - len(results)} of {len(truth)} frames"),
        ("engine", str(results[-1]["engine"])),
        ("whole demo", f"{seconds:.0f} s"),
    ]
    for name, value in rows:
        print(f"{name:<20} {value}")
    print(f"\nThe bundle is {out / 'digits'}, its report {out / 'digits-report.html'} (open it in a browser).")
    print(f"Try: .venv/bin/fieldfare bundle show {out / 'digits'}")


def stored_events(out: Path) -> list[dict[str, object]]:
    """Return the events of the store, in the order of time."""
    command = [*FIELDFARE, "events", "--store", str(out / "events.db"), "--oldest-first", "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def show_events(out: Path) -> None:
    """Print what the device program has kept, as a user sees it."""
    store = ["--store", str(out / "events.db")]
    for words in ("events -n 5", "events count"):
        name, *rest = words.split()
        print(f"\n$ .venv/bin/fieldfare {words} --store {store[1]}", flush=True)
        subprocess.run([*FIELDFARE, name, *rest, *store], check=True)


if __name__ == "__main__":
    sys.exit(main())
