#!/usr/bin/env python3
"""A STAND-IN, not Coral's edgetpu_compiler: it replays recorded output and compiles nothing.

It takes the compiler's options, of which --intermediate_tensors makes a "twin" stop there as Coral documents it, and
behaves as RECORDED_COMPILER describes, a JSON object in the environment:
  say     file whose content it prints, or text
  cpu     how many of the given model's operators stay on the CPU, in its output and only there
  log     file or text that it writes to *_edgetpu.log
  output  "twin": the given model with all operators replaced by one edgetpu-custom-op, whose package holds the model's
          layers and weights, and noise instead of instructions (the default);
          "empty": the same without a package, a placeholder; "none", "same", "garbage"; or a file, such as a compiled
          model of Coral's, that it copies
  status  its exit status; "crash" ends it by SIGSEGV, "hang" never ends, with a child that does not either,
          "endless" prints without end, "leaves a child" ends at once and leaves one that holds its output open
  refuses option that it rejects as unknown, with the compiler's message for unknown options
  seen    file that it writes its arguments to, or the child's process id if there is a child
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

WHOLE = """Edge TPU Compiler version 16.0.384591198
Model compiled successfully in 12 ms.
Number of Edge TPU subgraphs: 1
Total number of operations: {count}
"""
STOPPED = (
    WHOLE
    + """Number of operations that will run on Edge TPU: {on_tpu}
Number of operations that will run on CPU: {on_cpu}
"""
)
# What version 16.0 prints if a name has a colon (google-coral/edgetpu issue 778).
LISTS = "The number of lists given to intermediate_tensors doesn't match the number of input models.\n"


def text_of(source: str) -> str:
    path = Path(source)
    return path.read_text() if "\n" not in source and path.is_file() else source


def retold(words: str, on_tpu: int, on_cpu: int = 0) -> str:
    """Return recorded output as it would be for a model of so many operators, without the table."""
    for title, count in (
        ("Total number of operations", on_tpu + on_cpu),
        ("Number of operations that will run on Edge TPU", on_tpu),
        ("Number of operations that will run on CPU", on_cpu),
    ):
        words = re.sub(rf"{title}: \d+", f"{title}: {count}", words)
    return words.partition("Operator ")[0]


def is_at_work(process: int) -> bool:
    """Return False if a process is gone, or dead and not yet collected by its new parent."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main(words: list[str]) -> int:
    told = json.loads(os.environ.get("RECORDED_COMPILER", "{}"))
    model = Path(words[-1])
    folder = Path(words[words.index("--out_dir") + 1])
    if "seen" in told:
        Path(told["seen"]).write_text("\n".join(words))
    if told.get("refuses") in words:
        sys.stdout.write(f"ERROR: Unknown command line flag '{told['refuses'].removeprefix('--')}'\n")
        return 1
    if told.get("status") == "hang":
        child = subprocess.Popen(["sleep", "600"])
        Path(told["seen"]).write_text(str(child.pid))
        time.sleep(600)
    if told.get("status") == "endless":
        while True:
            sys.stdout.write("y\n" * 32768)
    output, target, count = told.get("output", "twin"), folder / f"{model.stem}_edgetpu.tflite", 0
    stop = words[words.index("--intermediate_tensors") + 1] if "--intermediate_tensors" in words else None
    if stop is not None and ":" in stop:
        sys.stdout.write(LISTS)
        return 1
    from standin_twins import stopped_twin_of, twin_of

    words_said = WHOLE
    if stop is not None and output == "twin":
        data, on_cpu = stopped_twin_of(model.read_bytes(), stop)
        target.write_bytes(data)
        count = twin_of(model.read_bytes())[1]
        words_said = STOPPED.format(count="{count}", on_tpu=count - on_cpu, on_cpu=on_cpu)
    elif output in ("twin", "empty"):
        data, count = twin_of(model.read_bytes(), empty=output == "empty")
        target.write_bytes(data)
    elif output == "same":
        shutil.copyfile(model, target)
    elif output == "garbage":
        target.write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 500)
    elif output != "none":
        shutil.copyfile(output, target)
    if "log" in told:
        (folder / f"{model.stem}_edgetpu.log").write_text(text_of(told["log"]))
    said = text_of(told.get("say", words_said.format(count=count)))
    sys.stdout.write(retold(said, count - told["cpu"], told["cpu"]) if "cpu" in told else said)
    sys.stdout.flush()
    if told.get("status") == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if told.get("status") == "leaves a child":
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        Path(told["seen"]).write_text(str(child.pid))
        return 0
    return int(told.get("status", 0))


if __name__ == "__main__":
    # A program's path holds its own folder only. tests/edge must not be taken for the product.
    sys.path[:0] = [str(Path(__file__).resolve().parents[number]) for number in (2, 1)]
    sys.exit(main(sys.argv[1:]))
