"""Compare Fieldfare's trainer with the transfer-learning recipe of the Keras guide.

    python tools/bench_training.py DATA --weights FILE [--seeds 3] [--alpha 0.35] [--size 224] [--json]

DATA holds train, val and test folders.

recipe      what a user would write after the guide: photos resized by Keras, flip and rotation, ten epochs of a dense
            head on the frozen backbone (Adam 1e-3, dropout 0.2), ten more with all layers from the hundredth on at
            1e-5, then full-int8 quantization with 100 training photos
fieldfare   the product's own command with its default options
budget      the same with --time-budget of a third of the recipe's time

Each runs in a process of its own. They take turns for every seed, so that a change in the machine's speed affects all
of them. Wall time is that of the whole process, from start to finished int8 model. Accuracy is top-1 on the test
photos.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RECIPE_EPOCHS = (10, 10)


def main() -> int:
    arguments = parse_arguments()
    if arguments.recipe_seed is not None:
        run_recipe(arguments, arguments.recipe_seed)
        return 0
    print(
        f"{platform.platform()}, Python {platform.python_version()}, tensorflow {version('tensorflow')}, "
        f"keras {version('keras')}, ai-edge-litert {version('ai-edge-litert')}"
    )
    print(f"{arguments.data.name}, alpha {arguments.alpha:g}, {arguments.size} pixels, {arguments.seeds} seeds")
    rows: dict[str, list[dict[str, float]]] = {"recipe": [], "fieldfare": [], "budget": []}
    for seed in range(arguments.seeds):
        rows["recipe"].append(timed(recipe_command(arguments, seed)))
        show("recipe", seed, rows["recipe"][-1])
        third = rows["recipe"][-1]["seconds"] / 3 / 60
        for name, more in (("fieldfare", []), ("budget", ["--time-budget", f"{third:.3f}"])):
            with tempfile.TemporaryDirectory() as folder:
                rows[name].append(timed(fieldfare_command(arguments, seed, Path(folder) / "bundle", more)))
            show(name, seed, rows[name][-1])
    summarize(rows)
    if arguments.json:
        print(json.dumps(rows))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--alpha", type=float, default=0.35)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--recipe-seed", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def recipe_command(arguments: argparse.Namespace, seed: int) -> list[str]:
    return [
        sys.executable,
        __file__,
        str(arguments.data),
        "--weights",
        str(arguments.weights),
        "--alpha",
        str(arguments.alpha),
        "--size",
        str(arguments.size),
        "--recipe-seed",
        str(seed),
    ]


def fieldfare_command(arguments: argparse.Namespace, seed: int, out: Path, more: list[str]) -> list[str]:
    return [
        sys.executable,
        "-m",
        "edge",
        "train",
        str(arguments.data),
        "--out",
        str(out),
        "--alpha",
        str(arguments.alpha),
        "--size",
        str(arguments.size),
        "--weights",
        str(arguments.weights),
        "--seed",
        str(seed),
        "--json",
        *more,
    ]


def timed(command: list[str]) -> dict[str, float]:
    """Run `command`; return the figures of its last line, a JSON object, and its wall time in seconds."""
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    names = (
        "head_float",
        "best_float",
        "test_top1_float",
        "test_top1_int8",
        "calibration_error",
        "precision",
        "coverage",
    )
    return {"seconds": seconds, **{name: told[name] for name in names if told.get(name) is not None}}


def show(name: str, seed: int, row: dict[str, float]) -> None:
    print(
        f"{name:<10} seed {seed}: float {row['test_top1_float']:.1%}, int8 {row['test_top1_int8']:.1%}, "
        f"{row['seconds']:.0f} s",
        flush=True,
    )


def summarize(rows: dict[str, list[dict[str, float]]]) -> None:
    for name, runs in rows.items():
        for figure in ("test_top1_float", "test_top1_int8", "calibration_error", "precision", "coverage", "seconds"):
            values = [run[figure] for run in runs if figure in run]
            if not values:
                continue
            spread = f"{min(values):.4g} to {max(values):.4g}"
            print(f"{name:<10} {figure:<18} mean {statistics.mean(values):.4g}, {spread}")
    recipe = statistics.mean(run["test_top1_int8"] for run in rows["recipe"])
    best = max(run["best_float"] for run in rows["recipe"])
    for name in ("fieldfare", "budget"):
        ahead = statistics.mean(run["test_top1_int8"] for run in rows[name]) - recipe
        pace = statistics.median(
            run["seconds"] / other["seconds"] for run, other in zip(rows[name], rows["recipe"], strict=True)
        )
        print(f"{name}: int8 {100 * ahead:+.1f} points against the recipe's, in {pace:.2f} of its time (median ratio)")
    print(f"the recipe's best float figure of all seeds and phases: {best:.1%}")


def run_recipe(arguments: argparse.Namespace, seed: int) -> None:
    """Run the guide's two phases and a full-int8 conversion; print the figures as JSON."""
    import keras
    from ai_edge_litert.interpreter import Interpreter

    keras.utils.set_random_seed(seed)
    train, val, test, classes = recipe_photos(arguments, seed)
    backbone, model = recipe_network(arguments, classes)
    head, tuned = fit_recipe(backbone, model, train, val, test)
    int8 = int8_accuracy(Interpreter(model_content=quantize_recipe(model, train, arguments.size)), test)
    print(
        json.dumps(
            {"head_float": head, "best_float": max(head, tuned), "test_top1_float": tuned, "test_top1_int8": int8}
        )
    )


def recipe_photos(arguments: argparse.Namespace, seed: int) -> tuple[Any, Any, Any, int]:
    """Return the train, val and test photos, as tf.data datasets of batches of 32, and the number of classes."""
    import keras
    import tensorflow as tf

    size = (arguments.size, arguments.size)

    def photos(split: str, *, shuffle: bool) -> tf.data.Dataset:
        return keras.utils.image_dataset_from_directory(
            arguments.data / split, image_size=size, batch_size=32, shuffle=shuffle, seed=seed, verbose=False
        )

    train, val, test = photos("train", shuffle=True), photos("val", shuffle=False), photos("test", shuffle=False)
    classes = len(train.class_names)
    train, val, test = (part.prefetch(tf.data.AUTOTUNE) for part in (train, val, test))
    return train, val, test, classes


def recipe_network(arguments: argparse.Namespace, classes: int) -> tuple[Any, Any]:
    """Return the frozen backbone, and the model around it: augmentation, preprocessing, backbone, dense head."""
    import keras

    size = (arguments.size, arguments.size)
    backbone = keras.applications.MobileNetV2(
        input_shape=(*size, 3), alpha=arguments.alpha, include_top=False, weights=str(arguments.weights)
    )
    backbone.trainable = False
    inputs = keras.Input((*size, 3))
    x = keras.layers.RandomRotation(0.2)(keras.layers.RandomFlip("horizontal")(inputs))
    x = backbone(keras.layers.Rescaling(1 / 127.5, offset=-1)(x), training=False)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    return backbone, keras.Model(inputs, keras.layers.Dense(classes)(x))


def fit_recipe(backbone: Any, model: Any, train: Any, val: Any, test: Any) -> tuple[float, float]:
    """Train the head, then all layers from the hundredth on; return the test accuracy after each phase."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    model.fit(train, validation_data=val, epochs=RECIPE_EPOCHS[0], verbose=0)
    head = float(model.evaluate(test, verbose=0)[1])
    backbone.trainable = True
    for layer in backbone.layers[:100]:
        layer.trainable = False
    model.compile(keras.optimizers.Adam(1e-5), loss, metrics=["accuracy"])
    model.fit(train, validation_data=val, epochs=RECIPE_EPOCHS[1], verbose=0)
    return head, float(model.evaluate(test, verbose=0)[1])


def quantize_recipe(model: Any, train: Any, side: int) -> bytes:
    """Return the model as a full-int8 .tflite file, calibrated with 100 training photos."""
    import keras
    import tensorflow as tf

    fixed = keras.Input(batch_shape=(1, side, side, 3))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(fixed, model(fixed, training=False)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [photo[None]] for batch, _ in train.take(4) for photo in batch.numpy()[:25]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def int8_accuracy(interpreter: Any, test: Any) -> float:
    """Return the share of test photos that the int8 model gets right."""
    import numpy as np

    interpreter.allocate_tensors()
    given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = given["quantization"]
    right = []
    for batch, labels in test:
        for photo, label in zip(batch.numpy(), labels.numpy(), strict=True):
            quantized = np.clip(np.round(photo / scale) + zero_point, -128, 127).astype(np.int8)
            interpreter.set_tensor(given["index"], quantized[None])
            interpreter.invoke()
            right.append(interpreter.get_tensor(result["index"])[0].argmax() == label)
    return float(np.mean(right))


if __name__ == "__main__":
    sys.exit(main())
