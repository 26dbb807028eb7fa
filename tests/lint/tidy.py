#!/usr/bin/env python3
"""Runs clang-tidy on every source that changed since it last passed: tidy.py BUILD_DIR SRC.

A file's stamp is the hash of its text, of every project header it includes, and of .clang-tidy; it lies below
BUILD_DIR, so a second run of an unchanged tree takes no time.
"""
import concurrent.futures
import hashlib
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# Of one translation unit.
MOST_FILES = 16
CLASH = "clang-diagnostic-error"


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


def tidy(files, src, directory):
    """Checks the files as one translation unit: the headers that they share are read, and walked by each check, once."""
    with tempfile.NamedTemporaryFile("w", suffix=".cc", dir=directory) as unit:
        unit.writelines(f'#include "{path}"\n' for path in files)
        unit.flush()
        # Flags of its own rather than the build's: those name g++'s precompiled header and warnings.
        run = subprocess.run(
            ["clang-tidy-19", "--quiet", f"--config-file={src.parent / '.clang-tidy'}", unit.name, "--", "-std=c++23",
             f"-I{src}", "-DHEARTH_VERSION=\"\"", "-Wall", "-Wextra"],
            capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


def check(files, src, directory):
    """The findings in files of one folder, as text; empty for none."""
    code, output = tidy(files, src, directory)
    if code == 0:
        return ""
    # Names that two files have for themselves clash in one unit; those files are looked at alone.
    clashing = [path for path in files if f"{path}:" in output]
    if CLASH not in output or len(files) == 1:
        return output or f"clang-tidy failed with code {code}"
    rest = [path for path in files if path not in clashing]
    groups = [[path] for path in clashing or files] + ([rest] if clashing and rest else [])
    return "".join(check(group, src, directory) for group in groups)


def batches(files):
    """A folder's files, some at a time."""
    for _, group in itertools.groupby(sorted(files), key=lambda path: path.parent):
        group = list(group)
        count = -(-len(group) // MOST_FILES)
        yield from (group[i::count] for i in range(count))


def main():
    build, src = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    config = (src.parent / ".clang-tidy").read_bytes()
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)
    stamp_of = {path: stamps / fingerprint(path, src, config) for path in sorted(src.rglob("*.cc"))}
    work = list(batches(path for path, stamp in stamp_of.items() if not stamp.exists()))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch, findings in zip(work, pool.map(lambda batch: check(batch, src, stamps), work)):
            if findings:
                failed += 1
                print(findings)
                continue
            for path in batch:
                stamp_of[path].touch()
    print(f"clang-tidy: {sum(map(len, work))} files checked in {len(work)} batches, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
