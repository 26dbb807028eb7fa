#!/usr/bin/env python3
"""Refuses an #include against the arrow of the architecture: check_layers.py SRC."""
import pathlib
import re
import sys

# module -> the modules it may include besides itself
ALLOWED = {
    "util": set(),
    "http": {"util"},
    "store": {"http", "util"},
    "sandbox": {"util"},
    "fetch": {"http", "sandbox", "util"},
    "slug": {"store", "util"},
    "cache": {"store", "util"},
    "buildpack": {"fetch", "http", "sandbox", "util"},
    "build": {"buildpack", "cache", "fetch", "http", "sandbox", "slug", "store", "util"},
    "cli": {"build", "buildpack", "cache", "fetch", "http", "sandbox", "slug", "store", "util"},
}
# The same between the rooms of a module that has some; what lies beside them is for all of them.
ROOMS = {
    "cache/format": set(),
    "cache/tree": {"cache/format"},
    "cache/packs": {"cache/format", "cache/tree"},
    "cache/generations": {"cache/format", "cache/tree"},
    "cache/save": {"cache/format", "cache/generations", "cache/packs", "cache/tree"},
    "cache/restore": {"cache/format", "cache/generations", "cache/packs", "cache/tree"},
    "cache/operator": {"cache/format", "cache/generations", "cache/packs", "cache/restore", "cache/tree"},
    "store/azure": set(),
    "store/gcs": set(),
    "store/s3": set(),
    "store/swift": set(),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def violations(src):
    for path in sorted(src.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        module = path.relative_to(src).parts[0]
        if module not in ALLOWED:
            yield f"{path}: the folder '{module}' is not a module of the architecture"
            continue
        room = "/".join(path.relative_to(src).parts[:-1])
        if room != module and room not in ROOMS:
            yield f"{path}: the folder '{room}' is not a room of the architecture"
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            target_room = match.group(1).rpartition("/")[0]
            if "/" not in match.group(1):
                yield f'{path}:{number}: include "{match.group(1)}" by its module, as "module/file.h"'
            elif target != module and target not in ALLOWED[module]:
                yield f"{path}:{number}: '{module}' must not include '{target}'"
            elif room in ROOMS and target_room in ROOMS and target_room not in ROOMS[room] | {room}:
                yield f"{path}:{number}: '{room}' must not include '{target_room}'"


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "layers: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
