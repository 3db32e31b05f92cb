"""Make mutants of a bundle, with their hashes recomputed, and of a model: for mutate_bundles.py and for tests."""

import copy
import hashlib
import io
import json
import random
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edge.bundle.files import PACK_COMMENT_SIZE, PACK_MARK
from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.bundle.store import manifest_hash_line

_PNG_HEADER = slice(12, 29)

Files = dict[str, bytes]
VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 255, 256, 4097, 100_001, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400),
    *(5e-324, 1e-300, 1e-30, 1e30, 1e308, -1e308, float("nan"), float("inf"), -0.0, 0.5),
    *(
        "",
        "a",
        "a" * 100_000,
        "\x1b[2J\r\n",
        "\u202e\u2028",
        "\ud800",
        "../labels.txt",
        "manifest.json",
        "NaN",
        "é" * 500,
    ),
    *([], {}, [0] * 100_000, [[]] * 1000, [1e999] * 3, {"": {}}, ["model.tflite"]),
]


def reseal(files: Files, manifest: bytes | None = None) -> Files:
    """Recompute all hashes and sizes, as whoever made the mutant would. manifest: its bytes as they are."""
    files = dict(files)
    if manifest is None:
        record = json.loads(files[MANIFEST])
        for entry in record["files"]:
            data = files.get(entry["name"], b"")
            entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
        manifest = json.dumps(record).encode()
    files[MANIFEST] = manifest
    files[MANIFEST_HASH] = manifest_hash_line(hashlib.sha256(manifest).hexdigest())
    return files


def mutate_bytes(data: bytes, chance: random.Random, most: int = 8) -> bytes:
    """Flip, overwrite, insert, delete, repeat or cut off some bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, most)):
        place = chance.randrange(len(changed)) if changed else 0
        length = chance.choice((1, 1, 2, 4, 4, 8, 64))
        edit = chance.randrange(8)
        if edit <= 2 and changed:
            changed[place] ^= 1 << chance.randrange(8)
        elif edit <= 4:
            changed[place : place + 4] = struct.pack("<I", chance.choice((0, 1, 2**31 - 1, 2**32 - 1, len(data))))
        elif edit == 5:
            changed[place:place] = chance.randbytes(length)
        elif edit == 6:
            del changed[place : place + length]
        else:
            changed[place:place] = changed[place : place + length]
    return bytes(changed[: chance.randrange(len(changed) + 1)] if chance.random() < 0.05 else changed)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """List every (container, key) in a JSON value; of a long list the first and the last few."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        found = [(value, key) for key in value]
    elif isinstance(value, list):
        found = [(value, number) for number in sorted({*range(min(3, len(value))), *range(len(value))[-2:]})]
    return found + [place for container, key in found for place in _places(container[key])]


def mutate_values(files: Files, chance: random.Random) -> Files:
    """Change values of the manifest: replaced, dropped, doubled, repeated, nested, or one key too many."""
    files = reseal(files)
    record = json.loads(files[MANIFEST])
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        container, key = chance.choice(_places(record) or [({}, "")])
        edit = chance.randrange(10)
        if edit <= 5:
            container[key] = copy.deepcopy(chance.choice(VALUES))  # what follows may change it
        elif edit == 6:
            container.pop(key, None) if isinstance(container, dict) else container.pop(key)
        elif edit == 7 and isinstance(container, dict):
            container[chance.choice(("zz", "", "\x1b[2J", "a" * 5000))] = copy.deepcopy(chance.choice(VALUES))
        elif edit == 8 and isinstance(container, list) and container:
            container *= min(chance.choice((2, 100, 5000)), 1_000_000 // len(container) + 1)
        else:
            container[key] = 1 if isinstance(container.get(key) if isinstance(container, dict) else 0, str) else "1"
    text = json.dumps(record)
    if chance.random() < 0.05:
        depth = chance.choice((500, 3000, 200_000))
        text = text.replace("{", '{"zz": ' + "[" * depth + "]" * depth + ", ", 1)
    if chance.random() < 0.05:
        text = text.replace('"name":', '"name": "twice", "name":', 1)
    return reseal(files, text.encode())


def mutate_picture(files: Files, chance: random.Random) -> Files:
    """Give a golden picture other sides, with its check sum recomputed, or other bytes."""
    name = chance.choice([name for name in sorted(files) if name.endswith(".png")])
    data = bytearray(files[name])
    if chance.random() < 0.5:
        start = _PNG_HEADER.start
        sides = chance.choices((0, 1, 319, 320, 321, 4096, 20_000, 60_000, 2**31 - 1, 2**32 - 1), k=2)
        data[start + 4 : start + 12] = struct.pack(">2I", *sides)
        data[start + 12] = chance.choice((8, 8, 16, 1, 7))
        data[_PNG_HEADER.stop : _PNG_HEADER.stop + 4] = struct.pack(">I", zlib.crc32(data[_PNG_HEADER]))
        return reseal({**files, name: bytes(data)})
    return reseal({**files, name: mutate_bytes(bytes(data), chance)})


def mutate_file(files: Files, chance: random.Random) -> Files:
    """Change the bytes of any file, most often the labels or the model."""
    name = chance.choice(["labels.txt", "model.tflite", *sorted(files)])
    changed = {**files, name: mutate_bytes(files[name], chance)}
    if name == "labels.txt" and chance.random() < 0.3:
        line = chance.choice((b"x" * 100_000, b"\x1b[2J", b"\xff\xfe", "\u2028".encode(), b"\r", b"\x00", b""))
        changed[name] = files[name].replace(b"\n", b"\n" + line, 1)
    return changed if name in (MANIFEST, MANIFEST_HASH) else reseal(changed)


def seal_pack(body: bytes) -> bytes:
    """Add the mark and the hash to a ZIP without its comment."""
    return body + PACK_MARK + hashlib.sha256(body).hexdigest().encode()


def mutate_pack(pack: bytes, chance: random.Random) -> bytes:
    """Change the structure of a packed bundle: its end, its directory, or a header; the hash is right again."""
    body = bytearray(pack[:-PACK_COMMENT_SIZE])
    end = len(body) - 22
    size, start = struct.unpack_from("<2L", body, end + 12)
    where = chance.randrange(5)
    if where == 0:
        body[end + chance.randrange(4, 22)] = chance.randrange(256)
    elif where == 1:
        place = start + chance.randrange(size)
        body[place] = chance.randrange(256)
    elif where == 2:
        body[chance.randrange(30)] = chance.randrange(256)
    elif where == 3:
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, chance.randrange(end), 1)
        wide = struct.pack(
            "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *chance.choices((1, 9, 2**40), k=2), size, start
        )
        body[end:end] = wide + locator
    else:
        times = chance.choice((2, 100, 60_000))
        directory = bytes(body[start:end]) * times if size * times < 64 << 20 else bytes(body[start:end])
        count = struct.unpack_from("<H", body, end + 10)[0] * times & 0xFFFF
        body[start:] = directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 81)
    return seal_pack(bytes(body))


def rezip(files: Files, chance: random.Random) -> bytes:
    """Pack by another program: compressed, with other names, or with many entries."""
    buffer = io.BytesIO()
    warnings.simplefilter("ignore")  # of a name twice
    kind = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, data in files.items():
            _add(archive, chance.choice((name, name, name, f"../{name}", "x" * 300, f"{name}/")), data)
        if chance.random() < 0.3:
            _add(archive, "bomb", bytes(50_000_000))
        archive.comment = PACK_MARK + b"0" * 64
    return seal_pack(buffer.getvalue()[:-PACK_COMMENT_SIZE])


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # Not with the time of day: a mutant depends on its number only.
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, archive.compression)


def write_mutant(files: Files, pack: bytes, chance: random.Random, place: Path) -> Path:
    """Write a mutant of the bundle beneath `place`, as a directory or packed; return its path."""
    kind = chance.choice(("values", "values", "values", "file", "file", "picture", "pack", "pack", "rezip"))
    if kind in ("pack", "rezip"):
        path = place / "mutant.fieldfare"
        path.write_bytes(mutate_pack(pack, chance) if kind == "pack" else rezip(files, chance))
        return path
    change = {"values": mutate_values, "file": mutate_file, "picture": mutate_picture}[kind]
    path = place / "mutant"
    path.mkdir()
    for name, data in change(files, chance).items():
        (path / name).write_bytes(data)
    return path
