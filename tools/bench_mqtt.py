#!/usr/bin/env python3
"""Measure how `fieldfare outputs` drains a backlog of events to a real MQTT broker, and what it survives.

    python tools/bench_mqtt.py [--events 70000] [--kills 20] [--only NAME ...] [--json]

Needs mosquitto (Debian: apt install mosquitto) and openssl. Everything runs on 127.0.0.1, in a temporary folder.

Rounds:
    drain       a week of events waits (one each 8.6 s makes 70,000), the broker comes back, nobody disturbs
    kills       the same, and the outputs are killed (SIGKILL) again and again while they drain
    broker      the same, and the broker is stopped and started five times instead
    certificate a broker whose certificate another authority signed, one for another name, one that wants a
                certificate from us, and the right ones
    hostile     other clients publish nonsense, large and small, to all that the outputs subscribe to, while they drain
    idle        nothing happens for 20 s

Columns:
    per second  events that arrived, from the first to the last one
    missing     numbers of the store that never arrived
    disorder    events whose first copy came after that of a later one
    twice       events that came again, with the same id
    PSS         memory of the outputs at the end, in MiB
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.mqtt_bench.backlog import DEVICE, make_store
from tools.mqtt_bench.keys import Keys
from tools.mqtt_bench.processes import Broker, Listener, Outputs, mosquitto, wait_for

# A machine with two cores and twenty other programs drains some hundred events a second.
PATIENCE_S = 900
NONSENSE = (
    b"", b"online\n", b"ONLINE", b"\x00" * 100, b"\xff\xfe\xfd", b"{", b'{"owner":', b"[" * 5000,
    b'{"owner": "' + b"x" * 3000 + b'"}', b"<script>alert(1)</script>", b"{{ 7 * 7 }}", b"offline", b"x" * 100_000,
    b"y" * 20_000_000,
)  # fmt: skip


@dataclass
class Drained:
    """What arrived in one round."""

    round: str
    events: int
    per_second: float
    missing: int
    disorder: int
    twice: int
    deaths: int
    pss_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=70_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=list(ROUNDS), default=list(ROUNDS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    mosquitto()
    found: list[Any] = []
    try:
        for name in options.only:
            print(f"{time.strftime('%T')} {name}", file=sys.stderr)
            with tempfile.TemporaryDirectory(prefix="bench-mqtt-") as folder:
                found += ROUNDS[name](Path(folder), options)
    finally:  # if a round is given up, those before it were not in vain
        if options.json:
            print(json.dumps([asdict(one) if isinstance(one, Drained) else one for one in found]))
        else:
            show(found)
    return 0


def drain(folder: Path, options: argparse.Namespace) -> list[Any]:
    return [drained("drain", folder, options, lambda *_: 0)]


def kills(folder: Path, options: argparse.Namespace) -> list[Any]:
    def disturb(outputs: Outputs, listener: Listener, _broker: Broker) -> int:
        for number in range(options.kills):
            goal = options.events * (number + 1) // (options.kills + 1)
            wait_for(lambda goal=goal: len(set(listener.numbers)) >= goal, PATIENCE_S, "events")
            time.sleep(random.uniform(0, 0.2))
            outputs.kill()
            outputs.start()
        return int(options.kills)

    return [drained("kills", folder, options, disturb)]


def broker(folder: Path, options: argparse.Namespace) -> list[Any]:
    def disturb(_outputs: Outputs, listener: Listener, broker: Broker) -> int:
        for number in range(5):
            goal = options.events * (number + 1) // 6
            wait_for(lambda goal=goal: len(set(listener.numbers)) >= goal, PATIENCE_S, "events")
            broker.stop()
            time.sleep(random.uniform(0, 1))
            broker.start()
        return 5

    # What the broker has acknowledged it must keep, or the listener misses what the outputs have sent. It writes that
    # when it ends.
    settings = f"persistence true\npersistence_location {folder}/\nautosave_interval 0\n"
    return [drained("broker", folder, options, disturb, settings)]


def hostile(folder: Path, options: argparse.Namespace) -> list[Any]:
    stop = threading.Event()

    def shout(port: int) -> None:
        client = Client(CallbackAPIVersion.VERSION2, "hostile")
        client.connect("127.0.0.1", port)
        client.loop_start()
        topics = ("homeassistant/status", f"fieldfare/{DEVICE}/health")
        while not stop.is_set():
            for payload in NONSENSE:
                for topic in topics:
                    client.publish(topic, payload, qos=0, retain=random.random() < 0.3)
            client.publish(topics[0], b"online", qos=0)
            stop.wait(1.0)
        client.disconnect()
        client.loop_stop()

    def disturb(outputs: Outputs, listener: Listener, broker: Broker) -> int:
        thread = threading.Thread(target=shout, args=(broker.port,))
        thread.start()
        wait_for(lambda: len(set(listener.numbers)) >= options.events, PATIENCE_S, "events")
        time.sleep(5)
        stop.set()
        thread.join()
        assert outputs.process is not None
        return int(outputs.process.poll() is not None)

    return [drained("hostile", folder, options, disturb)]


def drained(
    name: str,
    folder: Path,
    options: argparse.Namespace,
    disturb: Callable[[Outputs, Listener, Broker], int],
    settings: str = "",
) -> Drained:
    """Fill a store, let the outputs drain it while `disturb` runs, and count what arrived."""
    make_store(folder / "events.db", options.events)
    broker = Broker(folder, settings)
    outputs = Outputs(folder, {"host": "127.0.0.1", "port": broker.port})
    outputs.start()
    wait_for(lambda: outputs.log.exists() and b"refused" in outputs.log.read_bytes(), 120, "a broker that is down")
    broker.start()
    listener = Listener(broker.port)
    try:
        deaths = disturb(outputs, listener, broker)
        wait_for(lambda: len(set(listener.numbers)) >= options.events, PATIENCE_S, "all events", fatal=False)
        time.sleep(1)
        pss = outputs.pss_mib()
        outputs.end()
    finally:
        listener.close()
        broker.kill()
    firsts = list(dict.fromkeys(listener.numbers))
    return Drained(
        name,
        options.events,
        len(firsts) / max(listener.last_s - listener.first_s, 1e-9),
        options.events - len(firsts),
        sum(later < before for before, later in pairwise(firsts)),
        len(listener.numbers) - len(firsts),
        deaths,
        pss,
    )


def certificate(folder: Path, _options: argparse.Namespace) -> list[Any]:
    """Try right and wrong certificates."""
    keys = Keys(folder)
    ours = {"ca": str(keys.authority("ours")), "stranger": str(keys.authority("stranger"))}
    server, wrong_name = keys.signed("localhost", "ours"), keys.signed("elsewhere.example", "ours")
    client = keys.signed("client", "ours")
    make_store(folder / "events.db", 10)
    tries = [
        ("right", server, {"ca": ours["ca"]}, False),
        ("another authority", server, {"ca": ours["stranger"]}, False),
        ("no authority given", server, {"tls": True}, False),
        ("another name", wrong_name, {"ca": ours["ca"]}, False),
        ("not encrypted", server, {}, False),
        ("wanted from us, given", server, {"ca": ours["ca"], "certificate": client[0], "key": client[1]}, True),
        ("wanted from us, missing", server, {"ca": ours["ca"]}, True),
    ]
    return [
        {"certificate": name, **try_certificate(folder / f"try{number}", cert, mqtt, ours["ca"], wants=wants)}
        for number, (name, cert, mqtt, wants) in enumerate(tries)
    ]


def try_certificate(
    folder: Path, server: tuple[str, str], mqtt: dict[str, Any], authority: str, *, wants: bool
) -> dict[str, Any]:
    folder.mkdir()
    make_store(folder / "events.db", 10)
    settings = (
        f"certfile {server[0]}\nkeyfile {server[1]}\ncafile {authority}\nrequire_certificate {str(wants).lower()}\n"
    )
    secure = Broker(folder, settings)
    secret = folder / "password"
    secret.write_text("correct-horse-battery\n")
    outputs = Outputs(
        folder,
        {"host": "localhost", "port": secure.port, "username": "me", "password_file": str(secret), **mqtt},
    )
    secure.start()
    outputs.start()
    time.sleep(6)
    outputs.end()
    secure.kill()
    position = json.loads((folder / "events.db.outputs" / "mqtt.json").read_text())
    log = outputs.log.read_text()
    assert "correct-horse" not in log
    lines = [line for line in log.splitlines() if "WARNING mqtt" in line]
    return {
        "sent": position["number"] == 10,
        "log lines": len(lines),
        "said": lines[0].partition("mqtt: ")[2] if lines else "",
    }


def idle(folder: Path, _options: argparse.Namespace) -> list[Any]:
    make_store(folder / "events.db", 100)
    broker = Broker(folder)
    broker.start()
    outputs = Outputs(folder, {"host": "127.0.0.1", "port": broker.port})
    outputs.start()
    time.sleep(5)
    before = outputs.cpu_s()
    time.sleep(20)
    result = {"idle": "20 s", "CPU %": round((outputs.cpu_s() - before) * 5, 3), "PSS MiB": round(outputs.pss_mib(), 1)}
    outputs.end()
    broker.kill()
    return [result]


ROUNDS: dict[str, Callable[[Path, argparse.Namespace], list[Any]]] = {
    "drain": drain,
    "kills": kills,
    "broker": broker,
    "certificate": certificate,
    "hostile": hostile,
    "idle": idle,
}


def show(found: list[Any]) -> None:
    version = subprocess.run([mosquitto(), "-h"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
    print(f"{version}; Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    rounds = [one for one in found if isinstance(one, Drained)]
    if rounds:
        print(f"{'round':10} {'events':>8} {'per second':>11} {'missing':>8} {'disorder':>9} {'twice':>7} "
              f"{'deaths':>7} {'PSS':>6}")  # fmt: skip
    for one in rounds:
        print(f"{one.round:10} {one.events:8} {one.per_second:11.0f} {one.missing:8} {one.disorder:9} {one.twice:7} "
              f"{one.deaths:7} {one.pss_mib:6.1f}")  # fmt: skip
    for one in found:
        if not isinstance(one, Drained):
            print("; ".join(f"{key}: {value}" for key, value in one.items()))


if __name__ == "__main__":
    sys.exit(main())
