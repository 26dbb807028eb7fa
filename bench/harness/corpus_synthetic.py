"""Corpora that need nothing but a seed."""

import os
import random
import shutil
import subprocess

VERSION = 1
MIB = 1 << 20
LARGE_BYTES = 1 << 30
OVERWRITTEN = 64 << 10
OVERWRITTEN_AT = (100 * MIB + 12_345, 500 * MIB + 7, 900 * MIB + 777_777)
# Most of the bytes of caches are text, or were compressed before.
WORDS = [f"{word}{number}" for number in range(400) for word in ("import ", "return ", "const x", "\n  ", "(a, b) ")]


def text(source, size):
    """Compressible bytes, about 4 : 1."""
    parts = []
    length = 0
    while length < size:
        part = source.choice(WORDS)
        parts.append(part)
        length += len(part)
    return "".join(parts).encode()[:size]


def build_tiny(_pins, corpus):
    """50 files; three of them differ in v2."""
    source = random.Random(50)
    for number in range(50):
        path = corpus.first / f"d{number % 5}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text(source, source.randrange(100, 8000)))
    subprocess.run(["cp", "-a", corpus.first, corpus.second], check=True)
    for number in (3, 14, 41):
        (corpus.second / f"d{number % 5}" / f"f{number}").write_bytes(text(source, 4000))


def build_large(_pins, corpus):
    """One file of 1 GiB, half of it compressible; 64 KiB are overwritten in three places."""
    source = random.Random(1)
    corpus.first.mkdir(parents=True)
    pattern = text(source, 4 * MIB)
    with open(corpus.first / "database", "wb") as file:
        while file.tell() < LARGE_BYTES:
            begin = source.randrange(3 * MIB)
            file.write(source.randbytes(MIB // 2) + pattern[begin:begin + MIB // 2])
    corpus.second.mkdir()
    shutil.copyfile(corpus.first / "database", corpus.second / "database")
    with open(corpus.second / "database", "r+b") as file:
        for offset in OVERWRITTEN_AT:
            os.pwrite(file.fileno(), source.randbytes(OVERWRITTEN), offset)
