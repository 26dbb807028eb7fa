"""How many requests a cache costs, by the report's counters and by those of the proxy."""

import json
import os
import subprocess

import harness
from cell import Broken, Cell
from proxy import Proxy
from trials import Trial

FILES, BYTES = 50_000, 500_000_000
LONG = {"HEARTH_RESTORE_DEADLINE": "5m", "HEARTH_SAVE_DEADLINE": "5m"}
# CACHE_DIR gets what the config var says, once.
COMPILE = 'cd "$2" && case "$(cat "$3/DO")" in change) echo "$RANDOM$RANDOM$RANDOM" >>changing;; esac'


def fill(tree):
    """Half of the bytes compress well, as sources do; the other half does not."""
    each = BYTES // FILES
    text = (b"the same words again and again, " * each)[:each // 2]
    for number in range(FILES):
        folder = tree / f"{number % 250}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}").write_bytes(os.urandom(each - len(text)) + text)
    (tree / "changing").write_text("0\n")


class Counted(Cell):
    def __init__(self, shop, store):
        super().__init__(shop, store, Trial("requests", "", None), "save")
        fill(self.tree)
        self.pack = harness.write_tree(self.place / "pack", harness.buildpack_files(compile=COMPILE))
        self.tier = self.place / "tier"

    def count(self, *words):
        """(requests by the proxy, outcome)."""
        with Proxy(self.store.upstream) as proxy:
            outcome = self.hearth(*words, origin=proxy.origin, more=LONG)
            if outcome.code != 0:
                raise Broken(f"{outcome}")
            return proxy.requests, outcome

    def build(self, action, *words):
        # As on a machine that has never built it: without the directory that the build before it left.
        requests, outcome = self.count("build", self.shop.app, "--app", "demo", "--no-publish", "--buildpack", self.pack,
                                       "--env", f"DO={action}", "--keep-caches", "0", *words)
        reported = sum(outcome.report["store"]["requests"].values())
        return reported, requests, outcome.report["cache"]

    def packs(self):
        return sum("/pack/" in name for name in self.store.names(self.bucket))

    def measure(self):
        self.hearth_or_broken("cache", "save", self.tree, "--app", "demo", "--strict", "--create-store")
        packs = self.packs()
        restored, _ = self.count("cache", "restore", self.place / "restored", "--app", "demo", "--strict")
        yield f"`cache restore` of {BYTES // 10**6} MB in {FILES:,} files and {packs} packs", None, restored, 40
        reported, requests, cache = self.build("nothing")
        self.expect(cache, "hit", "unchanged")
        yield "an unchanged build from nothing", reported, requests, packs * 4 + 3
        unchanged = reported
        reported, requests, cache = self.build("change")
        self.expect(cache, "hit", "saved")
        # The rest is what an unchanged build asks for, too, but for its look at HEAD.
        # Without compare-and-swap HEAD is looked at once more before it is put, and read back.
        most = 6 if self.store.name == "swift" else 4
        yield "the save of a change of one file, in a build", reported - unchanged + 1, None, most
        self.build("nothing", "--tier", self.tier)
        reported, _, cache = self.build("nothing", "--tier", self.tier)
        self.expect(cache, "hit", "unchanged")
        # The read of the app's history is one more, and nothing of the cache's.
        yield "an unchanged build with a warm `--tier`, without its look at the app's history", reported - 1, None, 2

    def hearth_or_broken(self, *words):
        outcome = self.hearth(*words, more=LONG)
        if outcome.code != 0:
            raise Broken(f"{outcome}")

    def expect(self, cache, restore, save):
        if (cache["restore"]["outcome"], cache["save"]["outcome"]) != (restore, save):
            raise Broken(json.dumps(cache))


def run(shop, store):
    counted = Counted(shop, store)
    results = []
    try:
        for what, reported, requests, most in counted.measure():
            over = max(number for number in (reported, requests) if number is not None) > most
            results.append({"store": store.name, "what": what, "reported": reported, "requests": requests, "most": most,
                            "broken": f"{what}: more than {most}" if over else None})
            print(results[-1], flush=True)
    except Broken as broken:
        results.append({"store": store.name, "what": "", "reported": None, "requests": None, "most": 0,
                        "broken": str(broken)})
        print(results[-1], flush=True)
    subprocess.run(["rm", "-rf", counted.place], check=True)
    return results


def rows(results):
    for result in results:
        numbers = ["–" if number is None else str(number) for number in (result["reported"], result["requests"])]
        yield [result["store"], result["what"], *numbers, f"{result['most']}" + (" **broken**" if result["broken"] else "")]


HEAD = ["store", "what", "the report's counters", "HTTP requests at the proxy", "at most"]
