"""What tests of caches share: a tree that is saved, and counts of our own."""

import json
import os

from harness import EndToEnd, write_tree

NOW = 1_700_000_000_123_456_789


def tree_size(root):
    """(entries, bytes) of a directory: what has several names counts once."""
    entries, total, seen = 0, 0, set()
    for below, directories, files in os.walk(root):
        entries += len(directories) + len(files)
        for name in files:
            status = os.lstat(os.path.join(below, name))
            if os.path.islink(os.path.join(below, name)) or status.st_ino in seen:
                continue
            seen.add(status.st_ino)
            total += status.st_size
    return entries, total


class Caches(EndToEnd):
    def setUp(self):
        super().setUp()
        self.tree = write_tree(self.root / "home" / "tree", {
            "dir/file": "content\n",
            "dir/deep/large": os.urandom(1_900_000),
            "tool": ("#!/bin/sh\n", 0o755),
            "odd\nname\x1b[31m": os.urandom(40_000),
        })
        (self.tree / "link").symlink_to("dir/file")
        os.link(self.tree / "dir" / "file", self.tree / "twin")
        (self.tree / "empty").mkdir()
        os.utime(self.tree / "tool", ns=(NOW, NOW))
        os.utime(self.tree, ns=(NOW, NOW))
        self.save()

    def save(self, app="demo", *arguments):
        outcome = self.hearth("cache", "save", self.tree, "--app", app, *arguments)
        self.assertEqual(outcome.code, 0, str(outcome))
        return outcome

    def cache(self, *arguments, expect=0, **options):
        outcome = self.hearth("cache", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def told(self, *arguments, **options):
        answer = json.loads(self.cache(*arguments, "--format", "json", **options).log)
        self.assertEqual(answer["version"], 1)
        return answer

    def stored(self, app="demo"):
        """(objects, bytes) by the store's own files."""
        files = self.objects(f"apps/{app}/cache")
        return len(files), sum(path.stat().st_size for path in files)

    def damage_packs(self):
        for path in self.objects("apps/demo/cache"):
            if "/pack/" in str(path):
                os.chmod(path, 0o600)
                content = bytearray(path.read_bytes())
                content[1000] ^= 1
                path.write_bytes(content)
