#!/usr/bin/env python3
"""Send thousands of strange requests to the pages: `python tools/fuzz_pages.py --requests 20000`.

Makes a store, serves it on a port of this machine, and asks every route of the application with ids, words, forms and
headers of every shape. Fails on an answer of 500 or more, a traceback, or memory that grows. It is a tool and no test,
as it takes minutes; tests/edge/pages/test_pages_fuzzed.py sends some hundred.
"""

import argparse
import http.client
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edge.pages.application import pages  # noqa: E402 - from this clone
from tools.make_store import made_events, make_store  # noqa: E402

# A disk that is full or gone is no fault of ours: 507 and 503 are answers in words.
_IN_WORDS = (503, 507)
# They start a process each.
_COSTLY = ("/doctor", "/exports/download", "/exports/stick", "/exports/again")
_COSTLY_SHARE = 0.02
_WARM = 2000
_GROWTH_KIB = 2048
_NAMES = (
    "label", "day", "least", "most", "checked", "before", "done", "event", "one", "verdict", "back", "undo", "anyway",
    "seen-1", "label-1", "password", "format", "since", "until", "pictures", "stick", "new", "q", "",
)  # fmt: skip
_WORDS = (
    "right", "wrong", "other", "1:right", "1:other", "-", "yes", "no", "2026-05-01", "0001-01-01", "9999-12-31", "csv",
    "folders", "../../etc/passwd", "/etc/passwd", "\x00", "9" * 400, "-1", "1e309", "nan", "<script>alert(1)</script>",
    "\u202egnirts", "\ud800", "a" * 3000, "8:1", "%00", "' OR 1=1 --", "{{7*7}}", "${x}", "\r\nX: y", "٣", "",
)  # fmt: skip


def value(chance: random.Random) -> str:
    """Return a word that may be anything."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(_WORDS)
    if kind == 1:
        return str(chance.randint(-(10**18), 10**18) if chance.random() < 0.3 else chance.randint(-3, 40))
    if kind == 2:
        return "".join(chr(chance.choice((chance.randrange(1, 127), chance.randrange(1, 0xD7FF)))) for _ in range(12))
    return f"{chance.randint(0, 10**13)}-{chance.randint(0, 40)}"


def request(chance: random.Random, port: int) -> tuple[str, str, bytes, dict[str, str]]:
    """Return method, path, body and headers of one request."""
    table = pages()
    one = chance.choice(table)
    while one.path in _COSTLY and chance.random() > _COSTLY_SHARE:
        one = chance.choice(table)
    path = re.sub(r"{\w+}", lambda _: quote(value(chance), safe="", errors="replace"), one.path)
    if chance.random() < 0.1:
        path = "/" + quote(value(chance), safe="/", errors="replace")
    pairs = [(chance.choice(_NAMES), value(chance)) for _ in range(chance.randrange(5))]
    if chance.random() < 0.7:
        path += f"?{urlencode(pairs, errors='replace')}"
    method = one.method if chance.random() < 0.8 else chance.choice(("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"))
    headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
    if chance.random() < 0.1:
        headers[chance.choice(("Origin", "Content-Type", "Cookie", "Host", "If-None-Match", "Range"))] = "x" * 40
    body = urlencode([(chance.choice(_NAMES), value(chance)) for _ in range(6)], errors="replace").encode()
    if chance.random() < 0.2:
        body += chance.randbytes(40)
    return method, path, body if method in ("POST", "PUT") else b"", headers


def pss_kib(pid: int) -> int:
    """Return the memory of a process."""
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def ask(port: int, chance: random.Random, connection: http.client.HTTPConnection) -> tuple[int, bytes, str]:
    """Send one request. Returns status, body and what was asked."""
    method, path, body, headers = request(chance, port)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), f"{method} {path}"
    except (http.client.HTTPException, OSError):  # the pages close a connection that they do not like
        connection.close()
        return 0, b"", f"{method} {path}"


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """Serve a store of 40 events in the block. Yields port, process and the file with what it prints as a log."""
    make_store(folder / "events.db", made_events(40, side=16))
    log = folder / "log"
    command = [sys.executable, "-m", "edge", "serve", "--store", f"{folder}/events.db", "--port", "0"]
    with (
        log.open("w") as file,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True) as process,
    ):
        assert process.stdout is not None
        yield int(re.findall(r":(\d+)/", process.stdout.readline())[0]), process.pid, log
        process.terminate()


def main() -> int:
    """Send them, and report. Returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance, codes, faults, before = random.Random(given.seed), Counter[int](), list[str](), 0
    with tempfile.TemporaryDirectory() as place, served(Path(place)) as (port, pid, log):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in range(given.requests):
            status, body, asked = ask(port, chance, connection)
            codes[status] += 1
            if (status >= 500 and status not in _IN_WORDS) or b"Traceback" in body:
                faults.append(f"{status}: {asked[:200]!r}")
            if number == min(_WARM, given.requests // 2):
                before = pss_kib(pid)
            if number % 1000 == 999:
                print(f"{number + 1} requests, {pss_kib(pid)} KiB, {len(faults)} faults", file=sys.stderr, flush=True)
        grown = pss_kib(pid) - before
        faults += [line for line in log.read_text().splitlines() if "Traceback" in line or "ERROR" in line]
    if grown > _GROWTH_KIB:
        faults.append(f"memory grew by {grown} KiB")
    print(f"{given.requests} requests, seed {given.seed}: statuses {dict(sorted(codes.items()))}")
    print(f"memory {before} KiB after {min(_WARM, given.requests // 2)} requests, {before + grown} KiB at the end")
    print("\n".join(faults[:20]) or "no answer of 500 or more, no traceback, no growth")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
