#!/usr/bin/env python3
"""Runs clang-tidy on every source that changed since it last passed: tidy.py BUILD_DIR SRC.

A file's stamp is the hash of its text, of every project header it includes, and of .clang-tidy; it lies below
BUILD_DIR, so a second run of an unchanged tree takes no time.
"""
import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def closure(path, src, seen):
    """The file and all project headers that it reaches."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    for name in INCLUDE.findall(path.read_bytes()):
        closure(src / os.fsdecode(name), src, seen)


def fingerprint(path, src, config):
    files = set()
    closure(path, src, files)
    digest = hashlib.sha256(config)
    for file in sorted(files):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def check(path, src, stamp):
    # Flags of its own rather than the build's: those name g++'s precompiled header and warnings.
    run = subprocess.run(
        ["clang-tidy-19", "--quiet", str(path), "--", "-std=c++23", f"-I{src}", "-DHEARTH_VERSION=\"\"", "-Wall", "-Wextra"],
        capture_output=True, text=True, check=False)
    if run.returncode == 0:
        stamp.touch()
    return run.returncode, run.stdout


def main():
    build, src = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    config = (src.parent / ".clang-tidy").read_bytes()
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)
    work = [(path, stamps / fingerprint(path, src, config)) for path in sorted(src.rglob("*.cc"))]
    work = [(path, stamp) for path, stamp in work if not stamp.exists()]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for code, output in pool.map(lambda item: check(item[0], src, item[1]), work):
            if code:
                failed += 1
                print(output)
    print(f"clang-tidy: {len(work)} files checked, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
