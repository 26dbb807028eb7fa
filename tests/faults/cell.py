"""One fault on one store, during one command: what becomes of the command, and of the cache."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / "e2e"), str(TESTS / "soak")]
import harness  # noqa: E402
from kills import difference, picture  # noqa: E402

APP = "demo"
# Shorter than the defaults, so that a fault that lasts is waited out sooner; the other limits are the defaults.
DEADLINES = {"HEARTH_RESTORE_DEADLINE": "30s", "HEARTH_SAVE_DEADLINE": "30s"}
# Both deadlines of a build, and time for everything else.
HANGS = 120  # seconds
USAGE, INTERNAL = 2, 70


class Broken(Exception):
    """Something is not as it must be."""


@dataclasses.dataclass
class Outcome:
    code: int
    seconds: float
    errors: str
    log: str
    report: dict

    def __str__(self):
        return f"exit {self.code} after {self.seconds:.1f} s\n{self.log[-1500:]}\n{self.errors[-1500:]}"


def fill(tree):
    """The first state: small files, and content that does not compress, so that packs are large bodies."""
    harness.write_tree(tree, {f"d{i % 7}/file{i}": f"{i}\n" * i for i in range(150)})
    for number in range(2):
        (tree / f"large{number}").write_bytes(os.urandom(3_000_000))
    return tree


def change(tree):
    """The second state."""
    (tree / "large1").write_bytes(os.urandom(3_000_000))
    (tree / "d1" / "file1").write_text("changed\n")
    (tree / "new").write_text("new\n")


def content(directory):
    """What is in it, without its own mode and time."""
    found = picture(directory)
    if found:
        del found["."]
    return found


def shown(text):
    """A message without what differs from run to run."""
    for pattern, instead in ((r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])", "…"), (r"\(request [^)]*\)", "(request …)"),
                             (r"\S*apps(/|%2F)demo(/|%2F)\S*?(?=:? |$)", "KEY"), (r"127\.0\.0\.1:\d+", "SERVER"),
                             (r" port \d+ after \d+ ms", "")):
        text = re.sub(pattern, instead, text)
    return text


class Shop:
    """What all cells of one store share: two states of a tree, an app, and a buildpack that makes one from the other."""

    def __init__(self, scratch, binary):
        self.scratch = pathlib.Path(scratch)
        self.scratch.chmod(0o755)  # the user that builds is another one
        self.binary = binary
        self.old = fill(self.scratch / "old")
        self.new = self.scratch / "pack" / "new"
        subprocess.run(["cp", "-a", self.old, self.scratch / "copy"], check=True)
        harness.write_tree(self.scratch / "pack", harness.buildpack_files(
            compile='rm -rf "$2"; cp -a "$(dirname "$0")/../new" "$2"'))
        os.rename(self.scratch / "copy", self.new)
        change(self.new)
        self.app = harness.write_tree(self.scratch / "app", {"index.html": "hello\n"})
        self.states = {"old": content(self.old), "new": content(self.new)}
        self.certificate = self.scratch / "other.pem", self.scratch / "other-key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=another.invalid", "-keyout", self.certificate[1], "-out",
                        self.certificate[0]], check=True, capture_output=True)


class Cell:
    def __init__(self, shop, store, trial, verb):
        self.shop, self.trial, self.verb = shop, trial, verb
        self.bucket = f"{trial.name}-{verb}"
        own_user = store.name == "ceph" and trial.name in ("revoked", "full")
        self.store = store.with_own_user(self.bucket) if own_user else store
        self.place = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.bucket}-", dir=shop.scratch))
        self.place.chmod(0o755)
        self.tree = self.place / "tree"

    def run(self):
        """{"trial", "verb", "seconds", "code", "said", "after", "broken", …}."""
        result = {"trial": self.trial.name, "title": self.trial.title, "verb": self.verb, "store": self.store.name,
                  "proxied": self.trial.proxied, "broken": None}
        try:
            self.begin()
            outcome = self.strike()
            result |= {"code": outcome.code, "seconds": round(outcome.seconds, 1), "said": self.said(outcome)}
            if self.verb == "build":
                result |= {name: outcome.report["cache"][name]["outcome"] for name in ("restore", "save")}
            self.judge(outcome)
            result["after"] = self.look_after(outcome)
        except Broken as broken:
            result["broken"] = str(broken)
        finally:
            if not result["broken"]:
                subprocess.run(["chmod", "-R", "u+rwX", self.place], check=False, capture_output=True)
                shutil.rmtree(self.place, ignore_errors=True)
        return result

    # --- the binary

    def start(self, *words, origin=None, more=None, within=()):
        url = self.store.url(self.bucket, origin or self.store.direct)
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.place), "HEARTH_STORE": url,
            "HEARTH_WORK": str(self.place / "work"), **DEADLINES,
            **self.store.environment(origin or self.store.direct, self.place), **(more or {})}
        environment = {name: value for name, value in environment.items() if value is not None}
        (self.place / "report.json").unlink(missing_ok=True)
        command = [*within, self.shop.binary, *words] + (["--report", self.place / "report.json"] if words[0] == "build" else [])
        process = subprocess.Popen([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.place)
        process.began = time.monotonic()
        return process

    def finish(self, process):
        try:
            log, errors = process.communicate(timeout=HANGS)
        except subprocess.TimeoutExpired:
            process.kill()
            log, errors = process.communicate()
            raise Broken(f"no end after {HANGS} s: {process.args}\n{log[-500:]}\n{errors[-500:]}") from None
        report = self.place / "report.json"
        return Outcome(process.returncode, time.monotonic() - process.began, errors.decode(errors="replace"),
                       log.decode(errors="replace"), json.loads(report.read_text()) if report.exists() else None)

    def hearth(self, *words, **options):
        return self.finish(self.start(*words, **options))

    def demand(self, *words, **options):
        """Without the fault, everything has to work."""
        outcome = self.hearth(*words, **options)
        if outcome.code != 0:
            raise Broken(f"without the fault, {' '.join(map(str, words[:2]))}: {outcome}")
        return outcome

    def save(self, *words):
        return self.demand("cache", "save", self.tree, "--app", APP, "--strict", *words)

    # --- what happens

    def begin(self):
        subprocess.run(["cp", "-a", self.shop.old, self.tree], check=True)
        self.save("--create-store")

    def strike(self):
        words = {"save": ["cache", "save", self.tree, "--app", APP, "--strict"],
                 "restore": ["cache", "restore", self.place / "restored", "--app", APP, "--strict"],
                 "build": ["build", self.shop.app, "--app", APP, "--no-publish", "--buildpack", self.shop.scratch / "pack"]}
        if self.verb == "save":
            subprocess.run(["rm", "-rf", self.tree], check=True)
            subprocess.run(["cp", "-a", self.shop.new, self.tree], check=True)
        with self.trial.struck(self) as (origin, more, count):
            outcome = self.hearth(*words[self.verb], origin=origin, more=more)
            if not count():
                raise Broken(f"the fault did not happen: {outcome}")
        return outcome

    def said(self, outcome):
        """What the user gets to see of it, without what differs from run to run."""
        lines = (outcome.log if self.verb == "build" else outcome.errors).splitlines()
        if self.verb == "build":
            lines = [line for line in lines if line.lstrip(" !").startswith(("The cache", "Restoring the", "Saving the",
                                                                             "Not saved")) or " ! " in line]
        text = " / ".join(line.strip() for line in lines[-3:])
        return shown(text)

    def judge(self, outcome):
        shown = f"{outcome}"
        if any(secret in shown for secret in self.store.secrets):
            raise Broken(f"a secret is shown: {outcome}")
        if outcome.code < 0 or outcome.code in (USAGE, INTERNAL):
            raise Broken(f"ended in a way that is the caller's or our own fault: {outcome}")
        if self.verb == "build" and outcome.code != 0:
            raise Broken(f"a build failed because of its cache: {outcome}")
        if self.verb != "build" and outcome.code != 0 and not outcome.errors.strip():
            raise Broken(f"it fell short without a word: {outcome}")
        if self.trial.survives:
            self.judge_survival(outcome)
        if self.verb == "restore":
            found = content(self.place / "restored")
            wanted = [self.shop.states["old"]] if outcome.code == 0 else [self.shop.states["old"], None, {}]
            if found not in wanted:
                raise Broken(f"restored something else: {difference(found, self.shop.states['old'])}: {outcome}")

    def judge_survival(self, outcome):
        survived = outcome.code == 0
        if self.verb == "build":
            cache = outcome.report["cache"]
            survived = cache["restore"]["outcome"] == "hit" and cache["save"]["outcome"] == "saved"
        if not survived:
            raise Broken(f"this was to be survived: {outcome}")

    def look_after(self, outcome):
        """The fault is over: which generation there is."""
        if self.trial.name == "bucket":
            return self.look_after_deletion()
        if self.store.name == "ceph" and self.trial.name == "revoked":
            self.store.permit()
        if self.trial.name == "full" and not self.trial.proxied:
            self.store.empty(*([self.bucket] if self.store.name == "swift" else []))
        self.demand("cache", "restore", self.place / "after", "--app", APP, "--strict")
        found = content(self.place / "after")
        name = next((name for name, state in self.shop.states.items() if state == found), None)
        if name is None:
            raise Broken(f"neither generation is restored: {difference(found, self.shop.states['old'])}")
        saved = outcome.code == 0 if self.verb == "save" else \
            self.verb == "build" and outcome.report["cache"]["save"]["outcome"] == "saved"
        if saved and name != "new":
            raise Broken("what was saved is not restored")
        self.demand("cache", "verify", APP)
        (self.tree / "later").write_text("later\n")
        self.save()
        return name

    def look_after_deletion(self):
        # Nobody brings a cache back that was deleted; another machine makes a new one.
        (self.place / ".tree.hearth-index").unlink(missing_ok=True)
        self.save("--create-store")
        self.demand("cache", "restore", self.place / "after", "--app", APP, "--strict")
        wanted = content(self.tree)
        if content(self.place / "after") != wanted:
            raise Broken(f"restored something else: {difference(content(self.place / 'after'), wanted)}")
        self.demand("cache", "verify", APP)
        return "saved anew"
