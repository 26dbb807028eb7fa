"""bench/run: see --help."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys

import churn
import document
import micro
import operations
import page
import plots
import scaling
import slugs
import tools
from measuring import Measuring
from session import Session
from volumes import Volumes

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/performance.md"
PARTS = ("corpora", "tmpfs", "slug", "churn", "scaling", "micro")
QUICK_PARTS = ("corpora", "slug", "micro")
CORPORA = ("node", "apt", "objects", "tiny", "large")
QUICK_CORPORA = ("node", "apt", "objects")
TMPFS_CORPORA = ("node", "tiny")
ROUNDS = 5
QUICK_ROUNDS = 2


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Measures hearth cache beside its peers and the limits of the machine, and writes "
        "what came out to docs/performance.md: all of it, or what the named parts say.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true",
                        help=f"{', '.join(QUICK_PARTS)} with {', '.join(QUICK_CORPORA)} only, {QUICK_ROUNDS} rounds, fast "
                        "peers, to standard output: for a look under way")
    parser.add_argument("--only", metavar="OP,…", default="", help=f"of {', '.join(operations.OPERATIONS)}")
    parser.add_argument("--corpus", metavar="NAME,…", default="", help=f"of {', '.join(CORPORA)}")
    parser.add_argument("--peers", metavar="NAME,…", help=f"none, or of {', '.join(peer.name for peer in tools.PEERS)}")
    parser.add_argument("--fs", choices=("ext4", "tmpfs", "dir"), default="ext4" if os.geteuid() == 0 else "dir",
                        help="what is measured on: fresh loop-mounted ext4, tmpfs, or directories of the scratch")
    parser.add_argument("--hearth", type=pathlib.Path, help="the binary (default: the one that was built)")
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}")
    parser.add_argument("--saves", type=int, default=churn.SAVES, help="of churn; default %(default)s")
    parser.add_argument("--files", metavar="N,…", help=f"of scaling; default {_listed(scaling.FILES)}")
    parser.add_argument("--gigabytes", metavar="N,…", help=f"of scaling; default {_listed(scaling.GIGABYTES)}")
    parser.add_argument("--corpora", type=pathlib.Path, default=pathlib.Path.home() / ".cache/hearth-bench",
                        help="where corpora are kept (default %(default)s)")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path("/var/tmp"), help="default %(default)s")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bench", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=pathlib.Path, help="the raw results (default: in the corpora's directory)")
    parser.add_argument("--out", metavar="PAGE", help="a page with markers, or - for standard output")
    parser.add_argument("--from", type=pathlib.Path, dest="source", metavar="RESULTS",
                        help="measure nothing: write the page from these results")
    parser.add_argument("--no-prepare", action="store_true", help="install and build nothing")
    return parser.parse_args()


def _listed(numbers):
    return ",".join(map(str, numbers))


def names(chosen, known, default):
    """The chosen ones, in the known order."""
    unknown = set(chosen) - set(known)
    if unknown:
        sys.exit(f"bench/run: no such name: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    return [name for name in known if name in (chosen or default)]


def split(text):
    return [name for name in text.split(",") if name]


def wanted_operations(text):
    chosen = names(split(text), operations.OPERATIONS, operations.OPERATIONS)
    needed = set().union(*(operations.NEEDS[name] for name in chosen))
    return [name for name in operations.OPERATIONS if name in chosen or name in needed]


def competitors(options, hearth, default):
    """Hearth, and those peers that are wanted and installed."""
    known = {peer.name: peer for peer in tools.PEERS}
    wanted = [] if options.peers == "none" else names(split(options.peers or ""), list(known), default)
    found = [hearth]
    for name in wanted:
        if all(map(shutil.which, known[name].programs)):
            found.append(known[name]())
        else:
            print(f"bench/run: {name} is not installed, and left out", file=sys.stderr)
    return found


def measure(options):
    parts = names(options.parts, PARTS, QUICK_PARTS if options.quick else PARTS)
    scratch = options.scratch / f"hearth-bench-{os.getpid()}"
    session = Session(Volumes(options.fs, scratch), Measuring(options.programs), options.corpora,
                      options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS), counts=options.hearth is None)
    try:
        for part in parts:
            measure_part(part, options, session)
            save(session, options)
    finally:
        session.volumes.remove()
    return session.results(_command())


def measure_part(part, options, session):
    hearth = tools.Hearth(str((options.hearth or ROOT / "build/release/hearth").resolve()))
    fast = [peer.name for peer in tools.FAST_PEERS]
    if part == "corpora":
        everyone = competitors(options, hearth, fast if options.quick else [peer.name for peer in tools.PEERS])
        for name in names(split(options.corpus), CORPORA, QUICK_CORPORA if options.quick else CORPORA):
            session.measure(name, everyone, wanted_operations(options.only))
    elif part == "tmpfs":
        disk = session.volumes
        session.volumes = Volumes("tmpfs", disk.scratch)
        for name in names(split(options.corpus), CORPORA, TMPFS_CORPORA):
            session.measure(name, competitors(options, hearth, fast), wanted_operations(options.only))
        session.volumes = disk
    elif part == "slug":
        session.parts[part] = slugs.measure(session)
    elif part == "churn":
        session.parts[part] = churn.measure(session, hearth, options.saves)
    elif part == "scaling":
        session.parts[part] = scaling.measure(session, hearth, *(
            tuple(map(int, split(text))) if text is not None else default
            for text, default in ((options.files, scaling.FILES), (options.gigabytes, scaling.GIGABYTES))))
    elif part == "micro":
        session.parts[part] = micro.measure(session)


def save(session, options):
    """After each part, so that a run that is ended early was not for nothing."""
    path = options.results or options.corpora / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(session.results(_command()), indent=1))


def _command():
    return " ".join(["bench/run", *sys.argv[1:]])


def publish(options, results):
    sections = document.sections(results)
    out = options.out or ("-" if options.quick else str(PAGE))
    if out == "-":
        print("\n\n".join(f"## {name}\n\n{content}" for name, content in sections.items()))
        return
    target = pathlib.Path(out)
    target.write_text(page.fill(target.read_text(), sections))
    plots.draw(results, target.with_suffix(""))


def main():
    options = arguments()
    # So that whatever is mounted or lies in the scratch goes with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    publish(options, json.loads(options.source.read_text()) if options.source else measure(options))


if __name__ == "__main__":
    sys.exit(main())
