"""Run one loop of tools/bench_pipeline.py, in the environment that holds its library. Imports nothing of Fieldfare.

    python tools/rival_loops.py bare|mediapipe|tflite-support MODEL FRAMES.npy SECONDS [FPS]

FRAMES.npy is uint8 (n, height, width, 3), B, G, R; it is converted to R, G, B before the clock starts. Prints frames
a second. With FPS it starts FPS frames a second, and prints the median and the 99th percentile of their milliseconds.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

Step = Callable[[np.ndarray], object]


def bare(model: str) -> Step:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    return lambda _: interpreter.invoke()


def mediapipe(model: str) -> Step:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model), max_results=3)
    classifier = vision.ImageClassifier.create_from_options(options)
    return lambda frame: classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=frame))


def tflite_support(model: str) -> Step:
    from tflite_support.task import core, processor, vision

    options = vision.ImageClassifierOptions(
        base_options=core.BaseOptions(file_name=model, num_threads=1),
        classification_options=processor.ClassificationOptions(max_results=3),
    )
    classifier = vision.ImageClassifier.create_from_options(options)
    return lambda frame: classifier.classify(vision.TensorImage.create_from_array(frame))


def paced(step: Step, frames: list[np.ndarray], seconds: float, fps: float) -> list[float]:
    """Start `fps` steps a second; return the milliseconds that each took."""
    taken = []
    started = time.perf_counter()
    for number in range(int(seconds * fps)):
        time.sleep(max(0.0, started + number / fps - time.perf_counter()))
        began = time.perf_counter()
        step(frames[number % len(frames)])
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


def main() -> None:
    name, model, frames_path, seconds = sys.argv[1:5]
    frames = [np.ascontiguousarray(frame[:, :, ::-1]) for frame in np.load(frames_path)]
    step = {"bare": bare, "mediapipe": mediapipe, "tflite-support": tflite_support}[name](model)
    for frame in frames:
        step(frame)
    if len(sys.argv) > 5:
        print(*np.percentile(paced(step, frames, float(seconds), float(sys.argv[5])), [50, 99]))
        return
    count, started = 0, time.perf_counter()
    while (now := time.perf_counter()) - started < float(seconds):
        step(frames[count % len(frames)])
        count += 1
    print(count / (now - started))


if __name__ == "__main__":
    main()
