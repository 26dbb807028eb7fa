#!/usr/bin/env python3
"""Runs commands beside a real object store: with_server.py SERVER [--state DIR] -- COMMAND… [-- COMMAND…]

The server listens on free ports of 127.0.0.1, and the commands find in their environment where, and how to log in
(STORES_…, and the variables that the store's own tools read; STORES_STATE is the server's directory). All commands run,
one after the other; the exit code is that of the first one that failed. The server ends with the commands, and with this
program, however that ends. Its state goes too, unless --state names a directory for it. To work by hand: with_server.py
ceph -- bash
"""

import argparse
import importlib
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from daemons import State, end_with_parent, environment  # noqa: E402


def split(words):
    """The commands between the "--"."""
    commands = [[]]
    for word in words:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def run_all(commands, surroundings):
    codes = [subprocess.run(command, env=surroundings, check=False).returncode for command in commands]
    return next((abs(code) for code in codes if code != 0), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", choices=["ceph", "swift", "azurite", "gcs"])
    parser.add_argument("--state", help="directory of the server, which is kept")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:end])
    commands = split(sys.argv[end:])
    end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = importlib.import_module(arguments.server)
    server.install()
    state = State(arguments.state or tempfile.mkdtemp(prefix=f"hearth-{arguments.server}-", dir="/var/tmp"))
    try:
        began = time.monotonic()
        found = server.start(state)
        print(f"{arguments.server} is up after {time.monotonic() - began:.1f} s", flush=True)
        return run_all(commands, environment(STORES_STATE=state.path, **found))
    finally:
        if arguments.state:
            state.stop()
        else:
            state.wipe()


if __name__ == "__main__":
    sys.exit(main())
