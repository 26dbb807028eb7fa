"""bench/stores/run: see --help."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path += [str(ROOT / folder) for folder in ("bench/harness", "tests/stores", "tests/faults")]
import markdown  # noqa: E402
import page  # noqa: E402
import stores  # noqa: E402
from daemons import end_with_parent  # noqa: E402
from link import Link  # noqa: E402

PAGE = ROOT / "docs/performance.md"
RESULTS = ROOT / "build/bench-stores"
STORES = ("ceph", "azurite")
MB = 1_000_000
# Of the link, in each direction: 200 Mbit/s.
RATE = 25 * MB
ROUND_TRIPS = (0.02, 0.1)
# A restore has to keep so much of the link.
GOAL = 0.8
LARGE, LARGE_BYTES = 16, 14 * MB
SMALL, SMALL_BYTES = 2_000, 16_000


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/stores/run", description="Measures what a save and a restore take over the network, beside rclone and "
        "s3cmd with the same bytes: on loopback, and on a link of 200 Mbit/s with 20 and 100 ms of round-trip time. Writes "
        "docs/performance.md.")
    parser.add_argument("--store", default=",".join(STORES), metavar="NAME,…", help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--hearth", type=pathlib.Path, default=ROOT / "build/release/hearth", help="the binary")
    parser.add_argument("--out", default=str(PAGE), metavar="PAGE", help="a page with markers, or - for standard output")
    parser.add_argument("--no-prepare", action="store_true", help="install and build nothing")
    parser.add_argument("--beside", choices=STORES, help=argparse.SUPPRESS)
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def make(tree):
    """What does not compress, so that all tools move the same bytes."""
    for number in range(LARGE):
        (tree / "large").mkdir(parents=True, exist_ok=True)
        (tree / f"large/{number}").write_bytes(os.urandom(LARGE_BYTES))
    for number in range(SMALL):
        folder = tree / f"small{number % 20}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}").write_bytes(os.urandom(SMALL_BYTES))
    return LARGE * LARGE_BYTES + SMALL * SMALL_BYTES


class Tool:
    """Saves a directory as `what`, and restores it. `origin` is that of the server, or of a link to it."""

    def __init__(self, store, scratch, hearth):
        self.store, self.scratch, self.hearth = store, scratch, hearth

    def environment(self, origin):
        return {"PATH": os.environ["PATH"], "HOME": str(self.scratch)}

    def run(self, origin, command):
        began = time.monotonic()
        done = subprocess.run([str(word) for word in command], env=self.environment(origin), capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[:3]}: {done.stderr[-1000:]}")
        return time.monotonic() - began


class Hearth(Tool):
    name = title = "hearth"
    packed = False

    def environment(self, origin):
        return {**super().environment(origin), "HEARTH_STORE": self.store.url("bench", origin),
                "HEARTH_RESTORE_DEADLINE": "10m", "HEARTH_SAVE_DEADLINE": "10m",
                **self.store.environment(origin, self.scratch)}

    def save(self, origin, tree, what):
        # Without what an earlier save remembers of this directory.
        (tree.parent / f".{tree.name}.hearth-index").unlink(missing_ok=True)
        return self.run(origin, [self.hearth, "cache", "save", tree, "--app", what, "--strict", "--create-store"])

    def restore(self, origin, tree, what):
        return self.run(origin, [self.hearth, "cache", "restore", tree, "--app", what, "--strict"])


class Rclone(Tool):
    name, title = "rclone", "rclone copy, of files as large as packs"
    packed = True

    def environment(self, origin):
        own = {"RCLONE_CONFIG": "/dev/null"}
        if self.store.name == "ceph":
            own |= {"RCLONE_CONFIG_THERE_TYPE": "s3", "RCLONE_CONFIG_THERE_PROVIDER": "Ceph",
                    "RCLONE_CONFIG_THERE_ENDPOINT": origin, "RCLONE_CONFIG_THERE_ACCESS_KEY_ID": self.store.access,
                    "RCLONE_CONFIG_THERE_SECRET_ACCESS_KEY": self.store.secret}
        else:
            signature = self.store.signature(7200)
            own |= {"RCLONE_CONFIG_THERE_TYPE": "azureblob",
                    "RCLONE_CONFIG_THERE_SAS_URL": f"{origin}/{self.store.account}?{signature}"}
        return {**super().environment(origin), **own}

    def save(self, origin, tree, what):
        return self.run(origin, ["rclone", "copy", tree, f"there:bench-rclone/{what}"])

    def restore(self, origin, tree, what):
        return self.run(origin, ["rclone", "copy", f"there:bench-rclone/{what}", tree])


class S3cmd(Tool):
    name, title = "s3cmd", "s3cmd sync, of files as large as packs"
    packed = True

    def words(self, origin):
        host = urllib.parse.urlsplit(origin).netloc
        return ["s3cmd", "--no-ssl", f"--host={host}", f"--host-bucket={host}", f"--access_key={self.store.access}",
                f"--secret_key={self.store.secret}", "--region=us-east-1"]

    def prepare(self, origin):
        self.run(origin, [*self.words(origin), "mb", "s3://bench-s3cmd"])

    def save(self, origin, tree, what):
        return self.run(origin, [*self.words(origin), "sync", f"{tree}/", f"s3://bench-s3cmd/{what}/"])

    def restore(self, origin, tree, what):
        tree.mkdir(parents=True, exist_ok=True)
        return self.run(origin, [*self.words(origin), "sync", f"s3://bench-s3cmd/{what}/", f"{tree}/"])


def tools(store, scratch, hearth):
    found = [Hearth(store, scratch, hearth)]
    for kind in (Rclone, S3cmd):
        if kind is S3cmd and store.name != "ceph":
            continue
        if shutil.which(kind.name):
            found.append(kind(store, scratch, hearth))
        else:
            print(f"bench/stores: {kind.name} is not installed, and left out", file=sys.stderr)
    return found


@contextlib.contextmanager
def way(store, round_trip):
    """The origin by which the server is reached; round_trip 0 is the server's own."""
    if not round_trip:
        yield store.direct
        return
    with Link(store.upstream, round_trip, RATE) as link:
        yield f"http://127.0.0.1:{link.port}"


def pack_up(tree, packs, size):
    """The same bytes as so many objects as hearth makes of them."""
    content = b"".join(path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file())
    packs.mkdir()
    for begin in range(0, len(content), size):
        (packs / f"{begin // size:04}").write_bytes(content[begin:begin + size])


def measure(options):
    store = stores.STORES[options.beside]()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="hearth-bench-stores-", dir="/var/tmp"))
    tree, packs = scratch / "tree", scratch / "packs"
    count = make(tree)
    pack_up(tree, packs, 16 << 20)
    results = []
    competitors = tools(store, scratch, pathlib.Path(options.hearth).resolve())
    for tool in competitors:
        if hasattr(tool, "prepare"):
            tool.prepare(store.direct)
    for turn in range(options.rounds):
        for round_trip in (0, *ROUND_TRIPS):
            for tool in competitors[turn % len(competitors):] + competitors[:turn % len(competitors)]:
                what = f"r{turn}t{round_trip}".replace(".", "-")
                source = packs if tool.packed else tree
                back = scratch / "back"
                with way(store, round_trip) as origin:
                    saved = tool.save(origin, source, what)
                    restored = tool.restore(origin, back, what)
                same = subprocess.run(["diff", "-r", source, back], capture_output=True, check=False)
                if same.returncode != 0:
                    raise RuntimeError(f"{tool.name} restores something else: {same.stdout[:500]}")
                shutil.rmtree(back)
                (scratch / ".back.hearth-index").unlink(missing_ok=True)
                results.append({"store": store.name, "tool": tool.title, "round_trip": round_trip, "bytes": count,
                                "save": saved, "restore": restored})
                print({**results[-1], "save": round(saved, 2), "restore": round(restored, 2)}, flush=True)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"{store.name}.json").write_text(json.dumps(results, indent=1))
    shutil.rmtree(scratch)


def table(results):
    rows = []
    for round_trip in (0, *ROUND_TRIPS):
        for tool in dict.fromkeys(result["tool"] for result in results):
            found = [result for result in results if (result["tool"], result["round_trip"]) == (tool, round_trip)]
            if not found:
                continue
            row = [f"{round_trip * 1000:.0f} ms" if round_trip else "loopback", tool]
            for verb in ("save", "restore"):
                seconds = [result[verb] for result in found]
                middle = statistics.median(seconds)
                rate = found[0]["bytes"] / middle
                share = f", {rate / RATE:.0%} of the link" if round_trip else ""
                row.append(f"{middle:.2f} s ({min(seconds):.2f}–{max(seconds):.2f}), {rate / MB:.0f} MB/s{share}")
            rows.append(row)
    return markdown.table(["round trip", "tool", "save", "restore"], rows)


def verdict(results):
    found = [result["bytes"] / result["restore"] / RATE for result in results
             if result["tool"] == Hearth.title and result["round_trip"] == ROUND_TRIPS[-1]]
    middle = statistics.median(found)
    return (f"A restore at {ROUND_TRIPS[-1] * 1000:.0f} ms keeps {middle:.0%} of the link; the goal is {GOAL:.0%}: "
            f"{'met' if middle >= GOAL else '**not met**'}.")


def publish(options):
    sections = {}
    for name in options.store.split(","):
        results = json.loads((options.results / f"{name}.json").read_text())
        sections[f"stores-{name}"] = markdown.join(verdict(results), table(results))
    if options.out == "-":
        print("\n\n".join(f"## {name}\n\n{content}" for name, content in sections.items()))
    else:
        target = pathlib.Path(options.out)
        target.write_text(page.fill(target.read_text(), sections))


def main():
    options = arguments()
    end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.beside:
        return measure(options)
    for name in options.store.split(","):
        command = [ROOT / "tests/stores/with_server.py", name, "--", sys.executable, "-B", __file__, "--beside", name,
                   "--rounds", options.rounds, "--hearth", options.hearth, "--results", options.results]
        if code := subprocess.run([str(word) for word in command], check=False).returncode:
            return code
    return publish(options)


if __name__ == "__main__":
    sys.exit(main())
