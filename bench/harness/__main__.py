"""bench/run: see --help."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys

import document
import operations
import tools
from measuring import Measuring
from session import Session
from volumes import Volumes

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORPORA = ("node", "apt", "objects", "tiny", "large", "million", "churn")
QUICK = ("node", "apt", "objects")
ROUNDS = 5
QUICK_ROUNDS = 3


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures hearth cache beside its peers and the "
                                     "limits of the machine, and writes the page that says what came out.")
    parser.add_argument("--quick", action="store_true",
                        help=f"{', '.join(QUICK)} only, {QUICK_ROUNDS} rounds, fast peers: for a look under way")
    parser.add_argument("--only", metavar="OP,…", default="", help=f"of {', '.join(operations.OPERATIONS)}")
    parser.add_argument("--corpus", metavar="NAME,…", default="", help=f"of {', '.join(CORPORA)}")
    parser.add_argument("--peers", metavar="NAME,…", help=f"of {', '.join(peer.name for peer in tools.PEERS)}")
    parser.add_argument("--fs", choices=("ext4", "tmpfs", "dir"), default="ext4" if os.geteuid() == 0 else "dir",
                        help="what is measured on: fresh loop-mounted ext4, tmpfs, or directories of the scratch")
    parser.add_argument("--hearth", type=pathlib.Path, default=ROOT / "build/release/hearth", help="the binary")
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}")
    parser.add_argument("--corpora", type=pathlib.Path, default=pathlib.Path.home() / ".cache/hearth-bench",
                        help="where corpora are kept (default %(default)s)")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path("/var/tmp"), help="default %(default)s")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bench", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=pathlib.Path, help="the raw results (default: in the corpora's directory)")
    parser.add_argument("--out", type=pathlib.Path, help="the page (default docs/performance.md of a full run, "
                        "else standard output)")
    parser.add_argument("--from", type=pathlib.Path, dest="source", metavar="RESULTS",
                        help="measure nothing: write the page from these results")
    parser.add_argument("--no-prepare", action="store_true", help="install and build nothing")
    return parser.parse_args()


def names(text, known, default):
    """The chosen ones, in the known order."""
    chosen = [name for name in text.split(",") if name]
    unknown = set(chosen) - set(known)
    if unknown:
        sys.exit(f"bench/run: no such name: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    return [name for name in known if name in (chosen or default)]


def wanted_operations(text):
    chosen = names(text, operations.OPERATIONS, operations.OPERATIONS)
    needed = set().union(*(operations.NEEDS[name] for name in chosen))
    return [name for name in operations.OPERATIONS if name in chosen or name in needed]


def competitors(options):
    fast = ",".join(peer.name for peer in tools.FAST_PEERS)
    text = options.peers if options.peers is not None else fast if options.quick else ""
    known = [peer.name for peer in tools.PEERS]
    chosen = [] if options.peers == "none" else names(text, known, known)
    found = [tools.Hearth(str(options.hearth.resolve()))]
    for peer in tools.PEERS:
        if peer.name in chosen and all(map(shutil.which, peer.programs)):
            found.append(peer())
        elif peer.name in chosen:
            print(f"bench/run: {peer.name} is not installed, and left out", file=sys.stderr)
    return found


def measure(options):
    session = Session(Volumes(options.fs, options.scratch / f"hearth-bench-{os.getpid()}"),
                      Measuring(options.programs, options.scratch), options.corpora,
                      options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS))
    try:
        everyone = competitors(options)
        for name in names(options.corpus, CORPORA, QUICK if options.quick else CORPORA):
            session.measure(name, everyone, wanted_operations(options.only))
    finally:
        session.volumes.remove()
    return session.results()


def main():
    options = arguments()
    # So that whatever is mounted or lies in the scratch goes with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.source:
        results = json.loads(options.source.read_text())
    else:
        results = measure(options)
        path = options.results or options.corpora / "results.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1))
    page = document.write(results)
    if options.out:
        options.out.write_text(page)
    else:
        print(page)


if __name__ == "__main__":
    sys.exit(main())
