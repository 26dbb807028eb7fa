"""Eight processes that save at the same time: into one app's cache, and into those of many apps."""

import contextlib
import itertools
import json
import os
import re
import subprocess
import time

import faults
from cell import Broken, Cell, change, content
from namespaces import Namespace
from proxy import Proxy
from trials import Trial

PROCESSES = 8
ROUNDS = 4
# What `hearth cache save --strict` says where another save was faster too often: nothing is lost but this save.
SUPERSEDED = 5
# The names that a sweep finds, by docs/format.md.
OBJECT = re.compile(r"apps/[^/]+/cache/data\.[^/]+/[0-9a-f]{16}/(manifest/[0-9a-f]{16}|pack/[0-9a-f]{16}-(0|[1-9]\d*))")
CLOCKS = [2 * faults.DAY * step for step in range(1, 6)]


class Saver(Cell):
    """One of the processes: a tree of its own, of an app of its own or not."""

    def __init__(self, shop, store, bucket, number, app):
        super().__init__(shop, store, Trial("concurrency", "", None), "save")
        self.bucket, self.number, self.app = bucket, number, app
        subprocess.run(["cp", "-a", shop.old, self.tree], check=True)
        self.alter(0)

    def alter(self, turn):
        (self.tree / f"own{self.number}").write_bytes(os.urandom(200_000))
        (self.tree / "turn").write_text(f"{self.number} {turn}\n")
        if turn % 2:
            change(self.tree)

    def command(self):
        return ["cache", "save", self.tree, "--app", self.app, "--strict", "--create-store"]


def named_by(head):
    """The objects that a HEAD names: those in force and aside, and those that wait for their deletion."""
    found = {trashed["object"] for trashed in head["trash"]}
    for generation in head["generations"] + head["aside"]:
        found |= {f"{head['epoch']}/manifest/{manifest['save']}" for manifest in generation["manifests"]}
        for save, runs in generation["packs"].items():
            found |= {f"{head['epoch']}/pack/{save}-{run[0] + i}" for run in runs for i in range(len(run) - 1)}
    return found


def look_into(store, bucket):
    """(HEADs by app, objects that no HEAD names), by a listing of our own."""
    names = [name.removeprefix("pre/") for name in store.names(bucket) if not name.startswith(".hearth")]
    heads = {name.split("/")[1]: json.loads(store.read(bucket, f"pre/{name}")) for name in names if "/HEAD." in name}
    orphans = []
    for name in names:
        if "/HEAD." in name:
            continue
        app, *_, epoch, kind, last = name.split("/")[1:]
        if app not in heads or f"{epoch}/{kind}/{last}" not in named_by(heads[app]):
            orphans.append(name)
    return heads, orphans


def save_all(savers, ways):
    """Each in a process of its own, at the same time; their exit codes. `ways` are where they run: (command, origin)."""
    processes = [saver.start(*saver.command(), within=command, origin=origin)
                 for saver, (command, origin) in zip(savers, itertools.cycle(ways))]
    outcomes = [saver.finish(process) for saver, process in zip(savers, processes)]
    for outcome in outcomes:
        if outcome.code not in (0, SUPERSEDED):
            raise Broken(f"a save among others: {outcome}")
    return [outcome.code for outcome in outcomes]


@contextlib.contextmanager
def ways_to(store):
    """Of this machine, and, where they can be had, of two network namespaces of their own."""
    with contextlib.ExitStack() as stack:
        found = [((), None)]
        if os.geteuid() == 0:
            for _ in range(2):
                namespace = stack.enter_context(Namespace())
                proxy = stack.enter_context(Proxy(store.upstream, listener=namespace.listen()))
                found.append((namespace.command, proxy.origin))
        yield found


def check(savers, states):
    """One consistent newest generation for each app: what one of those had that saved in the last round that had any."""
    for app in {saver.app for saver in savers}:
        one = next(saver for saver in savers if saver.app == app)
        place = one.place / f"restored-{time.monotonic_ns()}"
        one.demand("cache", "restore", place, "--app", app, "--strict")
        if content(place) not in states[app]:
            raise Broken(f"{app}: what is restored is what nobody saved")
        one.demand("cache", "verify", app)


def collect(savers, store, bucket):
    """Days pass by the store's clock, with a save in each; what is left then that no HEAD names."""
    for seconds in CLOCKS:
        for saver in {saver.app: saver for saver in savers}.values():
            (saver.tree / "day").write_text(f"{seconds}\n")
            with Proxy(store.upstream, faults.Clock(seconds)) as proxy:
                saver.demand(*saver.command(), origin=proxy.origin)
    return look_into(store, bucket)[1]


def race(shop, store, apps):
    """The result of PROCESSES that save ROUNDS times into so many apps."""
    bucket = f"concurrency-{apps}"
    savers = [Saver(shop, store, bucket, number, f"app{number % apps}") for number in range(PROCESSES)]
    savers[0].demand(*savers[0].command())
    began, codes, states = time.monotonic(), [], {}
    with ways_to(store) as ways:
        for turn in range(ROUNDS):
            for saver in savers:
                saver.alter(turn)
            outcome = save_all(savers, ways)
            saved = [saver for saver, code in zip(savers, outcome) if code == 0]
            states |= {app: [content(saver.tree) for saver in saved if saver.app == app]
                       for app in {saver.app for saver in saved}}
            codes += outcome
    seconds = time.monotonic() - began
    if apps == PROCESSES and any(codes):
        raise Broken("a save was superseded although nobody else saves this app")
    check(savers, states)
    heads, orphans = look_into(store, bucket)
    unknown = [name for name in orphans if not OBJECT.fullmatch(name)]
    if unknown:
        raise Broken(f"objects that no sweep would find: {unknown}")
    left = collect(savers, store, bucket)
    if left:
        raise Broken(f"objects that were not collected: {left}")
    for app, head in heads.items():
        if not head["generations"]:
            raise Broken(f"{app} has no generation")
    return {"store": store.name, "apps": apps, "processes": PROCESSES, "saves": len(codes), "seconds": round(seconds, 1),
            "machines": len(ways), "superseded": sum(code == SUPERSEDED for code in codes), "orphans": len(orphans), "left": len(left)}


def run(shop, store):
    results = []
    for apps in (1, PROCESSES):
        try:
            results.append(race(shop, store, apps) | {"broken": None})
        except Broken as broken:
            results.append({"store": store.name, "apps": apps, "broken": str(broken)})
        print(results[-1], flush=True)
    return results


def rows(results):
    for result in results:
        if result["broken"]:
            yield [result["store"], str(result["apps"]), "**broken**", *[""] * 5]
        else:
            yield [result["store"], str(result["apps"]), f"{result['saves']} by {result['processes']}", str(result["machines"]),
                   f"{result['seconds']:.1f} s", str(result["superseded"]), str(result["orphans"]), str(result["left"])]


HEAD = ["store", "apps", "saves", "network namespaces", "took", "superseded", "objects that no HEAD names", "after their collection"]
