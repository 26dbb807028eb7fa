#!/usr/bin/env python3
"""Refuses a C++ file that clang-format would change: format.py DIR…"""
import pathlib
import subprocess
import sys


def main():
    files = [str(path) for top in sys.argv[1:] for path in sorted(pathlib.Path(top).rglob("*"))
             if path.suffix in (".h", ".cc")]
    return subprocess.run(["clang-format-19", "--dry-run", "-Werror", *files], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
