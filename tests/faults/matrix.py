"""tests/faults/run: see --help."""

import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path += [str(ROOT / "tests/stores"), str(ROOT / "bench/harness")]
import markdown  # noqa: E402
import page  # noqa: E402
from daemons import end_with_parent  # noqa: E402

import concurrency  # noqa: E402
import killed  # noqa: E402
import requests_made  # noqa: E402
import stores  # noqa: E402
import trials  # noqa: E402
from cell import Cell, Shop, shown  # noqa: E402

PAGE = ROOT / "docs/reliability.md"
RESULTS = ROOT / "build/faults"
TRIALS = [*trials.TRIALS, *killed.TRIALS]
# Parts, and the stores that each is for.
PARTS = {"faults": tuple(stores.STORES), "concurrency": ("ceph", "swift"), "requests": tuple(stores.STORES)}


def names(text, known, what):
    chosen = [name for name in text.split(",") if name]
    if unknown := set(chosen) - set(known):
        sys.exit(f"tests/faults/run: no such {what}: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    return chosen or list(known)


def arguments():
    known = list(dict.fromkeys(trial.name for trial in TRIALS))
    parser = argparse.ArgumentParser(
        prog="tests/faults/run", description="Lets each fault happen to a save, a restore and a build on each store, and "
        "looks at what is left: nothing may be lost, no build may fail, nothing may hang. Writes what came of it, with the "
        "times, into docs/reliability.md. Exit code 1 if something is not as it must be.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--store", default="", metavar="NAME,…", help=f"of {', '.join(stores.STORES)} (default: all)")
    parser.add_argument("--fault", default="", metavar="NAME,…", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--verb", default="", metavar="NAME,…", help=f"of {', '.join(trials.VERBS)} (default: all)")
    parser.add_argument("--jobs", type=int, default=4, help="so many at a time (default %(default)s); times are those of a "
                        "machine that does so much at once")
    parser.add_argument("--hearth", type=pathlib.Path, default=os.environ.get("HEARTH_BINARY", ROOT / "build/release/hearth"),
                        help="the binary (default: HEARTH_BINARY, or the one that was built)")
    parser.add_argument("--out", default=str(PAGE), metavar="PAGE", help="a page with markers, or - for standard output "
                        "(default: docs/reliability.md)")
    parser.add_argument("--no-prepare", action="store_true", help="install and build nothing")
    # Within with_server.py, which has started the server: one store, and the results alone.
    parser.add_argument("--beside", choices=list(stores.STORES), help=argparse.SUPPRESS)
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.parts = names(",".join(options.parts), PARTS, "part")
    options.store = names(options.store, stores.STORES, "store")
    options.fault = names(options.fault, known, "fault")
    options.verb = names(options.verb, trials.VERBS, "verb")
    return options


# --- beside a server


def cells(options, shop):
    """(those that can run at the same time, those that want the server for themselves)."""
    store = stores.STORES[options.beside]()
    found = collections.defaultdict(list)
    for trial in TRIALS:
        if trial.name in options.fault and options.beside in trial.stores:
            found[trial.alone] += [Cell(shop, store, trial, verb) for verb in trial.verbs if verb in options.verb]
    return found[False], found[True]


def told(result):
    what = result["broken"] or f"exit {result.get('code')} after {result.get('seconds')} s, then: {result.get('after')}"
    print(f"{result['store']} {result['trial']} {result['verb']}: {'BROKEN: ' if result['broken'] else ''}{what}", flush=True)
    return result


def faults_of(options, shop):
    together, alone = cells(options, shop)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda cell: told(cell.run()), together))
    return results + [told(cell.run()) for cell in alone]


def run_beside(options):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="hearth-faults-", dir="/var/tmp"))
    shop = Shop(scratch, pathlib.Path(options.hearth).resolve())
    options.results.mkdir(parents=True, exist_ok=True)
    count, broken = 0, 0
    for part in options.parts:
        if part == "faults":
            results = faults_of(options, shop)
        else:
            module = {"concurrency": concurrency, "requests": requests_made}[part]
            results = module.run(shop, stores.STORES[options.beside]())
        (options.results / f"{part}-{options.beside}.json").write_text(json.dumps(results, indent=1))
        count += len(results)
        broken += sum(result["broken"] is not None for result in results)
    if broken:
        print(f"{options.beside}: {broken} of {count} are not as they must be; {scratch} is kept", file=sys.stderr)
        return 1
    subprocess.run(["rm", "-rf", scratch], check=True)
    print(f"{options.beside}: {count} are as they must be")
    return 0


# --- the page


def cell_text(result):
    if result is None:
        return "–"
    if result["broken"]:
        return "**broken**"
    if result["verb"] == "build":
        ended = f"{result['restore']}, {result['save']}"
    else:
        ended = "done" if result["code"] == 0 else f"exit {result['code']}"
    return f"{ended}; {result['seconds']:.1f} s"


def section(results):
    """The table of one store."""
    by_trial = collections.defaultdict(dict)
    for result in results:
        by_trial[result["trial"]][result["verb"]] = result
    rows = []
    for found in by_trial.values():
        one = next(iter(found.values()))
        after = ", ".join(dict.fromkeys(f"{result.get('after')}" for result in found.values()))
        said = list(dict.fromkeys(shown(found[verb]["said"]).replace("|", "\\|") for verb in ("save", "restore")
                                  if verb in found and found[verb].get("code")))
        rows.append([one["title"] + ("" if one["proxied"] else " (real)"),
                     *[cell_text(found.get(verb)) for verb in trials.VERBS], after, "<br>".join(said)])
    return markdown.table(["fault", "save", "restore", "build: restore, save", "afterwards", "what is said"], rows)


def what_was_asked():
    """The command line without what says nothing to a reader: where things lie on this machine."""
    words = iter(sys.argv[1:])
    asked = []
    for word in words:
        if word in ("--hearth", "--out", "--results"):
            next(words, None)
        elif word != "--no-prepare" and not word.startswith(("--hearth=", "--out=", "--results=")):
            asked.append(word)
    return " ".join(["tests/faults/run", *asked])


def machine():
    cores = os.cpu_count()
    return (f"The latest measurement was made on {datetime.date.today()} on {cores} cores, kernel {platform.release()}, by "
            f"`{what_was_asked()}`.")


def published(options):
    """{name: Markdown} of everything that has been measured."""
    found = {"machine": machine()}
    gathered = collections.defaultdict(list)
    for part in options.parts:
        for name in (name for name in options.store if name in PARTS[part]):
            results = json.loads((options.results / f"{part}-{name}.json").read_text())
            if part == "faults":
                found[f"faults-{name}"] = section(results)
            gathered[part] += results
    for part, module in (("concurrency", concurrency), ("requests", requests_made)):
        if gathered[part]:
            found[part] = markdown.table(module.HEAD, list(module.rows(gathered[part])))
    return found


def publish(options):
    sections = published(options)
    if options.out == "-":
        print("\n\n".join(f"## {name}\n\n{content}" for name, content in sections.items()))
    else:
        target = pathlib.Path(options.out)
        target.write_text(page.fill(target.read_text(), sections, word="measured"))


def beside(options, name):
    """Starts the server, and runs the parts that are for it; the exit code."""
    parts = [part for part in options.parts if name in PARTS[part]]
    if not parts:
        return 0
    command = [ROOT / "tests/stores/with_server.py", name, "--", sys.executable, "-B", __file__, *parts, "--beside", name,
               "--fault", ",".join(options.fault), "--verb", ",".join(options.verb), "--jobs", options.jobs, "--hearth",
               options.hearth, "--results", options.results]
    return subprocess.run([str(word) for word in command], check=False).returncode


def main():
    options = arguments()
    end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.beside:
        return run_beside(options)
    began = time.monotonic()
    codes = [beside(options, name) for name in options.store]
    publish(options)
    print(f"{len(options.store)} stores in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
