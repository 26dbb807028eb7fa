"""What tests of caches share: a tree that is saved, and counts of our own."""

import hashlib
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


def size(count):
    """As texts have it: 3 B, 3.6 kB, 270 MB."""
    units = ["B", "kB", "MB", "GB"]
    while count >= 999.5:
        count, units = count / 1000, units[1:]
    return f"{count:.0f} {units[0]}" if count >= 99.95 else f"{count:.1f}".removesuffix(".0") + f" {units[0]}"


def counted(sizes):
    """(objects, bytes) of {path: bytes}."""
    return len(sizes), sum(sizes.values())


def amount(objects, count):
    return f"{objects} object{'' if objects == 1 else 's'}, {size(count)}"


def head_with(text, **members):
    """HEAD with other values of these members, and with the checksum that is right then."""
    head = json.loads(text) | members
    del head["sha256"]
    body = json.dumps(head, separators=(",", ":"))[:-1]
    return f'{body},"sha256":"{hashlib.sha256(body.encode()).hexdigest()}"}}\n'


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
        self.assertEqual(outcome.code, expect, f"{arguments}: {outcome}")
        return outcome

    def told(self, *arguments, **options):
        answer = json.loads(self.cache(*arguments, "--format", "json", **options).log)
        self.assertEqual(answer["version"], 1)
        return answer

    def sizes(self, app="demo"):
        """{path: bytes} by the store's own listing."""
        return {path: path.stat().st_size for path in self.objects(f"apps/{app}/cache")}

    def data(self, app="demo"):
        """The same without HEAD."""
        return {path: size for path, size in self.sizes(app).items() if not path.name.startswith("HEAD.")}

    def stored(self, app="demo"):
        """(objects, bytes) by the store's own listing."""
        return counted(self.sizes(app))

    def head_path(self, app="demo"):
        (path,) = [path for path in self.objects(f"apps/{app}/cache") if path.name.startswith("HEAD.")]
        return path

    def head(self, app="demo"):
        return json.loads(self.head_path(app).read_bytes())

    def damage_packs(self):
        for path in self.objects("apps/demo/cache"):
            if "/pack/" in str(path):
                path.chmod(0o600)
                content = bytearray(path.read_bytes())
                content[1000] ^= 1
                path.write_bytes(content)
