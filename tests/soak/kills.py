#!/usr/bin/env python3
"""Kills `hearth cache save` and `restore` at random moments, and looks at what is left.

    tests/soak/kills.py [--kills N] [--seed S]

A tree is changed at random, saved into a file:// store, and restored over an older state of it, until N (500) of these
processes were killed at work. After each kill, whatever moment it hit:

  * a fresh machine restores exactly the state before the save or the one after it: content, modes, times, links;
  * a killed restore leaves the old directory, the new one, an empty one or none, and the next one goes well;
  * `hearth cache verify` finds the cache sound;
  * nothing that was left behind stays: neither beside the directories, nor, once the days of grace have passed, in the
    store.

HEARTH_BINARY names the binary; build/release/hearth is the default. Prints one line in the end; exit code 1 at the
first thing that is not so, and then its directory is kept.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

SOURCE_DIR = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("HEARTH_BINARY", str(SOURCE_DIR / "build" / "release" / "hearth"))
APP = "soak"
# Longer than any time after which something counts as left over.
DAY = 26 * 3600
# The store is aged and swept after so many kills.
KILLS_A_DAY = 60
# Far more than the kept generations of such a small tree take.
MOST_OBJECTS = 100
SIZES = (0, 1, 40, 900, 5_000, 5_000, 30_000, 200_000, 1_500_000)


class Broken(Exception):
    """Something is not as it must be."""


def picture(directory):
    """Everything that a restore promises, by path; None if there is no such directory."""
    if not os.path.lexists(directory):
        return None
    result, twins = {}, {}
    paths = [str(directory)]
    for folder, directories, files in os.walk(directory):
        paths += [os.path.join(folder, name) for name in directories + files]
    for path in sorted(paths):
        status = os.lstat(path)
        shown = os.path.relpath(path, directory)
        if stat.S_ISLNK(status.st_mode):
            result[shown] = ("link", os.readlink(path), status.st_mtime_ns)
            continue
        content = None
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        twin = twins.setdefault(status.st_ino, shown) if status.st_nlink > 1 and content else None
        result[shown] = (stat.S_IFMT(status.st_mode), status.st_mode & 0o1777, content, status.st_mtime_ns, twin)
    return result


def difference(left, right):
    if left is None or right is None:
        return "there is no directory"
    paths = [path for path in sorted(left.keys() | right.keys()) if left.get(path) != right.get(path)]
    return "; ".join(f"{path}: {left.get(path)} and {right.get(path)}" for path in paths[:4])


class Worker:
    """Somebody who changes a tree."""

    def __init__(self, root, rng):
        self.root = root
        self.rng = rng
        root.mkdir()
        (root / "always").write_bytes(b"here")
        for _ in range(60):
            self.add()

    def directories(self):
        return [folder for folder, _, _ in os.walk(self.root)]

    def files(self):
        found = [os.path.join(folder, name) for folder, _, names in os.walk(self.root) for name in names]
        return sorted(path for path in found if not os.path.islink(path) and not path.endswith("/always"))

    def fresh(self):
        return os.path.join(self.rng.choice(sorted(self.directories())), f"n{self.rng.randrange(10**9)}")

    def content(self):
        size = self.rng.choice(SIZES)
        return self.rng.randbytes(size) if self.rng.random() < 0.5 else b"ab" * (size // 2)

    def add(self):
        path = self.fresh()
        kind = self.rng.random()
        if kind < 0.15:
            os.mkdir(path, 0o755)
        elif kind < 0.25:
            os.symlink(f"../{self.rng.randrange(100)}", path)
        else:
            with open(path, "wb") as file:
                file.write(self.content())
            os.chmod(path, self.rng.choice((0o644, 0o600, 0o755, 0o444)))
            os.utime(path, ns=(0, self.rng.randrange(2 * 10**18)))

    def change(self):
        """Up to ten changes; the last kinds are those that are hard to notice."""
        for _ in range(self.rng.randint(1, 10)):
            files = self.files()
            if len(files) < 20:
                self.add()
                continue
            path = self.rng.choice(files)
            kind = self.rng.randrange(7)
            if kind == 0 or len(files) > 150:
                os.unlink(path)
            elif kind == 1:
                os.rename(path, self.fresh())
            elif kind == 2:
                os.link(path, self.fresh())
            elif kind == 3:
                os.chmod(path, self.rng.choice((0o640, 0o755, 0o400)))
            elif kind == 4:
                self.same_size(path)
            else:
                self.add()

    def same_size(self, path):
        """Other bytes, of the same number, with the same time."""
        status = os.stat(path)
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.write(self.rng.randbytes(min(status.st_size, 10)))
        os.utime(path, ns=(0, status.st_mtime_ns))


class Soak:
    def __init__(self, place, rng):
        self.place = place
        self.rng = rng
        self.store = place / "store"
        self.source = place / "source" / "tree"
        self.target = place / "target" / "tree"
        for folder in (self.source.parent, self.target.parent, place / "tmp"):
            folder.mkdir()
        self.worker = Worker(self.source, rng)
        self.state = None  # what the store holds
        self.usual = {"save": 0.1, "restore": 0.1}  # seconds of a run that nobody kills
        self.counts = collections.Counter()

    # --- the binary

    def start(self, verb, *arguments):
        words = [BINARY, "cache", verb, *map(str, arguments), "--store", f"file://{self.store}"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.place), "TMPDIR": str(self.place / "tmp")}
        with open(self.place / "output", "wb") as output:
            return subprocess.Popen(words, stdout=output, stderr=output, env=environment, start_new_session=True)

    def output(self):
        return (self.place / "output").read_text(errors="replace")

    def run(self, verb, *arguments):
        begin = time.monotonic()
        code = self.start(verb, *arguments).wait()
        if code != 0:
            raise Broken(f"{verb} {arguments} ended with {code}: {self.output()}")
        if verb in self.usual:
            self.usual[verb] = 0.8 * self.usual[verb] + 0.2 * (time.monotonic() - begin)

    def save(self):
        self.run("save", self.source, "--app", APP, "--strict")
        self.state = picture(self.source)

    def run_and_kill(self, verb, directory):
        """True if it was killed, false if it had ended (well) before."""
        process = self.start(verb, directory, "--app", APP, "--strict")
        try:
            code = process.wait(timeout=self.rng.uniform(0, 1.1 * self.usual[verb]))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            code = process.wait()
        self.counts[f"{verb} killed" if code == -signal.SIGKILL else f"{verb} ended"] += 1
        if code not in (0, -signal.SIGKILL):
            raise Broken(f"{verb} ended with {code}: {self.output()}")
        return code != 0

    # --- what must hold

    def fresh_restore(self):
        place = pathlib.Path(tempfile.mkdtemp(dir=self.place / "tmp"))
        self.run("restore", place / "tree", "--app", APP, "--strict")
        found = picture(place / "tree")
        shutil.rmtree(place)
        return found

    def expect_one_of(self, found, states, what):
        if found not in states:
            raise Broken(f"{what}: " + " | ".join(difference(state, found) for state in states))

    def expect_sound(self):
        self.run("verify", APP)

    def expect_nothing_beside(self, directory):
        """Once something has ended well there: the directory, its index and its lock, and nothing else."""
        left = sorted(path.name for path in directory.parent.iterdir())
        strangers = [name for name in left if name not in (directory.name, f".{directory.name}.hearth-index")]
        if strangers:
            raise Broken(f"left beside {directory}: {strangers}")

    # --- rounds

    def killed_save(self):
        self.worker.change()
        after = picture(self.source)
        killed = self.run_and_kill("save", self.source)
        found = self.fresh_restore()
        self.expect_one_of(found, [self.state, after] if killed else [after], "restored after a save")
        self.counts["save committed all the same"] += killed and found == after and after != self.state
        self.state = found
        return killed

    def killed_restore(self):
        if self.rng.random() < 0.7:
            self.worker.change()
            self.save()
        if self.rng.random() < 0.2 and self.target.exists():
            shutil.rmtree(self.target)
        before = picture(self.target)
        killed = self.run_and_kill("restore", self.target)
        found = picture(self.target)
        root_alone = found is not None and len(found) == 1
        if not (killed and (found is None or root_alone)):
            self.expect_one_of(found, [before, self.state] if killed else [self.state], "left by a restore")
        if not killed:
            self.expect_nothing_beside(self.target)
        elif self.rng.random() < 0.5:
            self.run("restore", self.target, "--app", APP, "--strict")
            self.expect_one_of(picture(self.target), [self.state], "restored after a killed restore")
            self.expect_nothing_beside(self.target)
        if found and not root_alone and self.rng.random() < 0.3:
            with open(self.target / "mine", "ab") as file:
                file.write(b"x")
        return killed

    def round(self):
        killed = self.killed_save() if self.rng.random() < 0.5 else self.killed_restore()
        if killed:
            self.expect_one_of(self.fresh_restore(), [self.state], "restored after a kill")
            self.expect_sound()
        return killed

    # --- leftovers

    def pass_a_day(self):
        """Everything in the store becomes a day older; what HEAD says of times, too."""
        for folder, _, names in os.walk(self.store):
            for name in names:
                path = os.path.join(folder, name)
                status = os.stat(path)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - DAY * 10**9))
        for path in self.store.glob("apps/*/cache/HEAD.*"):
            status = path.stat()
            head = json.loads(path.read_text())
            del head["sha256"]
            if "swept" in head:
                head["swept"] -= DAY
            for trashed in head["trash"]:
                if "since" in trashed:
                    trashed["since"] -= DAY
            body = json.dumps(head, separators=(",", ":"), ensure_ascii=False).removesuffix("}")
            path.write_text(f'{body},"sha256":"{hashlib.sha256(body.encode()).hexdigest()}"}}\n')
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def objects(self):
        """Those in the store, and those that HEAD names."""
        there = {path.name for path in self.store.glob("apps/*/cache/data.*/*/*/*")}
        named = set()
        for path in self.store.glob("apps/*/cache/HEAD.*"):
            head = json.loads(path.read_text())
            for generation in head["generations"] + head["aside"]:
                named |= {manifest["save"] for manifest in generation["manifests"]}
                for save, runs in generation["packs"].items():
                    named |= {f"{save}-{run[0] + i}" for run in runs for i in range(len(run) - 1)}
            named |= {trashed["object"].split("/")[-1] for trashed in head["trash"]}
        return there, named

    def expect_nothing_left(self):
        """After two days with a save each: what was unknown to HEAD is gone, and so are drafts."""
        for _ in range(3):
            self.pass_a_day()
            self.worker.change()
            self.save()
        there, named = self.objects()
        if there - named:
            raise Broken(f"objects that nobody names: {sorted(there - named)}")
        if len(there) > MOST_OBJECTS:
            raise Broken(f"{len(there)} objects")
        drafts = list((self.store / ".hearth" / "drafts").iterdir())
        if drafts:
            raise Broken(f"drafts: {drafts}")
        self.expect_nothing_beside(self.source)
        self.run("restore", self.target, "--app", APP, "--strict")
        self.expect_nothing_beside(self.target)
        left = list((self.place / "tmp").iterdir())
        if left:
            raise Broken(f"temporary files: {left}")
        self.expect_one_of(self.fresh_restore(), [self.state], "restored after some days")
        self.expect_sound()

    def soak(self, kills):
        self.save()
        done = 0
        while done < kills:
            if self.round():
                done += 1
                if done % KILLS_A_DAY == 0:
                    self.expect_nothing_left()
        self.expect_nothing_left()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None, help="of the changes; moments are never the same")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**9)
    place = pathlib.Path(tempfile.mkdtemp(prefix="hearth-kills-", dir="/var/tmp"))
    soak = Soak(place, random.Random(seed))
    begin = time.monotonic()
    try:
        soak.soak(arguments.kills)
    except Broken as broken:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(soak.counts.items()))
        print(f"kills: BROKEN (seed {seed}; {counts}): {broken}\n{place} is kept", file=sys.stderr)
        return 1
    shutil.rmtree(place)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(soak.counts.items()))
    print(f"kills: nothing was lost (seed {seed}, {time.monotonic() - begin:.0f} s): {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
