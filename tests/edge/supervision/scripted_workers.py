"""Workers of a supervisor that are scripts of a few lines, and run as processes."""

from collections.abc import Callable

from supervised import Supervised

from edge.config.running import Camera, Engine
from edge.config.settings import Settings

PREFACE = """
import os, signal, socket, sys, threading, time
from pathlib import Path
import msgspec
from edge.processes.messages import *
from edge.results import Latency, Result
channel = WorkerChannel(socket.socket(fileno=int(sys.argv[1])))
HERE = Path(__file__).parent
life = len(list(HERE.glob("life-*")))

def order():
    while True:
        try:
            return msgspec.msgpack.decode(channel.socket.recv(1 << 18, socket.MSG_DONTWAIT) or os._exit(0))
        except BlockingIOError:
            time.sleep(0.01)

def obey():
    while order()[0] != "Stop":
        pass
    os._exit(0)

begin = order()
threading.Thread(target=obey, daemon=True).start()
device, fallback, fps = begin[2], begin[3], begin[4]
(HERE / "life").write_text(repr((device, fallback, fps)))
(HERE / "life").rename(HERE / f"life-{life}")  # whole, or not there

def started(accelerator="none", fallback=None):
    channel.send(Step("opening the camera", "camera", 30.0))
    channel.send(Started("abc", "birds", 5, "cpu", "scripted", True, accelerator, fallback))
    channel.send(Step("classifying", "camera", float("inf")))

def decided(number, age_s=0.0):
    now = time.monotonic() - age_s
    latency = Latency(0.0, 0.0, 0.0, 0.0, 1.0)
    channel.send(Decided(Result(number, "owl", 0.9, (), 1.7e9, now, latency, "cpu", "abc", 0)))

def serve():
    number = 0
    while True:
        decided(number)
        channel.send(Pulse(FrameCounts(number)))
        number += 1
        time.sleep(0.05)
"""
SCRIPTED = Settings(bundle="none", camera=Camera(source="synthetic"), engine=Engine(device="auto"))

# Starved after 2 * 0.5 + 2 + 0.5 seconds.
IMPATIENT = Settings(
    bundle="none", camera=Camera(source="synthetic", timeout_s=0.5), engine=Engine(device="auto", timeout_s=0.5)
)


Supervise = Callable[..., Supervised]
