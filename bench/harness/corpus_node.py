"""What a buildpack for Node.js keeps: node_modules and npm's cache, pinned by committed lock files."""

import base64
import json
import os
import shutil
import subprocess

VERSION = 1
GZIP = b"\x1f\x8b"


def build(pins, corpus):
    """v2 is v1 after an update in place: one package more, two in newer versions."""
    corpus.first.mkdir()
    _install("ci", pins / "v1", corpus.first)
    subprocess.run(["cp", "-a", corpus.first, corpus.second], check=True)
    _install("install", pins / "v2", corpus.second)


def _install(command, pins, directory):
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(pins / name, directory / name)
    cache = directory / ".npm"
    subprocess.run(
        ["npm", command, "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", "--os=linux", "--cpu=x64"],
        cwd=directory, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"npm_config_cache": str(cache)})
    shutil.rmtree(cache / "_logs", ignore_errors=True)
    _keep_tarballs(cache / "_cacache")


def _keep_tarballs(cacache):
    """Drops what the registry said of the packages, which is longer with every release of any of them."""
    dropped = set()
    for path in (cacache / "content-v2").rglob("*"):
        if path.is_file() and _begin(path) != GZIP:
            algorithm, *digits = path.relative_to(cacache / "content-v2").parts
            dropped.add((algorithm, "".join(digits)))
            path.unlink()
    for path in (cacache / "index-v5").rglob("*"):
        if path.is_file():
            _drop_entries(path, dropped)


def _drop_entries(bucket, dropped):
    lines = [line for line in bucket.read_text().split("\n") if line]
    kept = [line for line in lines if _content_of(line) not in dropped]
    if not kept:
        bucket.unlink()
    elif kept != lines:
        bucket.write_text("".join("\n" + line for line in kept))


def _content_of(line):
    integrity = json.loads(line.split("\t", 1)[1]).get("integrity") or "-"
    algorithm, _, encoded = integrity.partition("-")
    return algorithm, base64.b64decode(encoded).hex()


def _begin(path):
    with open(path, "rb") as file:
        return file.read(2)
