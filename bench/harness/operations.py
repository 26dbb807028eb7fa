"""Saves and restores of one corpus, by Hearth and its peers, side by side."""

import contextlib
import subprocess
import sys

import measuring
from tools import HEARTH

OPERATIONS = ("save-first", "save-unchanged", "restore-fresh", "save-v2", "restore-over", "save-touched")
NEEDS = {
    "save-first": set(),
    "save-unchanged": {"save-first"},
    "restore-fresh": {"save-first"},
    "save-v2": {"save-first"},
    "restore-over": {"save-first", "restore-fresh", "save-v2"},
    "save-touched": {"save-first"},
}
# A peer that takes longer for anything is measured in the first round only.
SLOW_SECONDS = 10
LISTING = "%p %s %T@ %C@ %i\n"


class Round:
    """One round: a fresh volume with the tree and all stores, and a fresh one for each restore."""

    def __init__(self, session, corpus, tools, number, wanted):
        self.wanted = wanted
        self.session = session
        self.corpus = corpus
        self.tools = tools
        self.number = number
        self.saves = 0
        self.stack = contextlib.ExitStack()
        self.restored = {}  # tool or limit -> the directory that it has made of the first state

    def __enter__(self):
        self.work = self.stack.enter_context(self.session.volumes.fresh(self.session.room, self.session.inodes))
        self.tree = self.work / "tree"
        self.corpus.place(self.tree)
        self.places = {tool: self.session.place(self.work, tool) for tool in self.tools}
        return self

    def __exit__(self, *exception):
        return self.stack.__exit__(*exception)

    def run(self):
        for operation in OPERATIONS:
            if operation in self.wanted:
                getattr(self, operation.replace("-", "_"))(operation)

    def save_first(self, operation):
        self._save_all(operation, self.tools)
        self._limit("find", self._find())

    def save_unchanged(self, operation):
        self._save_all(operation, [tool for tool in self.tools if tool.repeats])
        self._limit("find", self._find())
        self._limit("stat", {"seconds": self.session.measuring.limit("stat", self.tree)})

    def restore_fresh(self, operation):
        for tool in self._in_turn():
            with contextlib.ExitStack() as for_now:
                target = self._target(self.stack if self._comes_again(tool) else for_now)
                self.restored[tool.name] = target
                self._restore(operation, tool, target)
        target = self.restored["create"] = self._target(self.stack)
        self._limit("create", {"seconds": self.session.measuring.limit("create", self.tree, target)})

    def save_v2(self, operation):
        self.corpus.advance(self.tree)
        self._save_all(operation, self.tools)

    def restore_over(self, operation):
        for tool in self._in_turn():
            if tool.restores_over:
                self.session.measuring.warm(self.restored[tool.name])
                self._restore(operation, tool, self.restored[tool.name])
        target = self.restored["create"]
        self._limit("difference", {"seconds": self.session.measuring.limit("difference", self.tree, target)})

    def save_touched(self, operation):
        self.corpus.touch(self.tree)
        self._save_all(operation, [tool for tool in self.tools if tool.repeats])
        self._limit("hash", {"seconds": self.session.measuring.limit("hash", self.tree)})

    def _in_turn(self):
        """Each round begins with another tool."""
        begin = self.number % len(self.tools)
        return self.tools[begin:] + self.tools[:begin]

    def _save_all(self, operation, tools):
        self.saves += 1
        for tool in self._in_turn():
            if tool in tools:
                self._save(operation, tool)

    def _save(self, operation, tool):
        place = self.places[tool]
        self.session.measuring.warm(self.tree)
        before = measuring.content_of(place.store)
        measuring.sync(self.work)
        result = self.session.measuring.run(tool.save(place, self.tree, self.saves), self.work, place.home)
        after = measuring.content_of(place.store)
        result["bytes"], result["objects"] = measuring.written(before, after)
        result["kept_bytes"] = sum(size for size, _ in after.values())
        result["kept_objects"] = len(after)
        if operation == "save-unchanged":
            result["requests"] = self._requests(tool, "save", self.tree)
        self.session.record(self, operation, tool.name, result)

    def _restore(self, operation, tool, target):
        place = self.places[tool]
        self.session.measuring.warm(place.store)
        measuring.sync(self.work)
        result = self.session.measuring.run(tool.restore(place, target), target.parent, place.home)
        if operation == "restore-fresh":
            with self.session.volumes.fresh(self.session.room, self.session.inodes) as aside:
                result["requests"] = self._requests(tool, "restore", aside / "counted")
        self.session.record(self, operation, tool.name, result)
        self._check(tool, target)

    def _requests(self, tool, action, directory):
        """Counted once, by doing the same again; None for tools that we cannot count for."""
        if tool.name != HEARTH or self.number > 0 or not self.session.counts:
            return None
        asked = self.session.measuring.counted(action, directory, self.places[tool].store)
        return sum(asked[name] for name in ("get", "put", "list", "stat", "remove"))

    def _check(self, tool, target):
        """A restore that did not bring everything back would be no competitor."""
        if self.number == 0:
            compared = subprocess.run(["diff", "-rq", "--no-dereference", self.tree, target], capture_output=True,
                                      text=True)
            if compared.returncode != 0:
                print(f"{tool.name} restored something else:\n{compared.stdout[:1000]}", file=sys.stderr)

    def _comes_again(self, tool):
        return tool.restores_over and "restore-over" in self.wanted

    def _target(self, stack):
        """An empty directory on a fresh volume, which is gone when the stack is closed."""
        target = stack.enter_context(self.session.volumes.fresh(self.session.room, self.session.inodes)) / "tree"
        target.mkdir()
        measuring.sync(target)
        return target

    def _find(self):
        command = measuring.Command([["find", self.tree, "-printf", LISTING]])
        self.session.measuring.warm(self.tree)
        return self.session.measuring.run(command, self.work)

    def _limit(self, name, result):
        self.session.record(self, "limit", name, result)
