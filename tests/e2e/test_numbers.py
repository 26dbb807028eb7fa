"""Each number of the commands on caches, in JSON and in text, against counts of our own: the file system's, the store's."""

import json
import os
import re
import stat
import time

from caches import Caches, amount, counted, head_with, size, tree_size
from harness import SOURCE_DIR, main, write_tree

STRAY = 12_345


def both(stored):
    objects, count = stored
    return {"objects": objects, "bytes": count}


def state_of(root):
    """{path: (type, content or target, mode, mtime, bytes)} of a directory; a file's second name is a type of its own."""
    found, seen = {}, set()
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        kind, content, count = stat.S_IFMT(status.st_mode), None, 0
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file() and status.st_ino in seen:
            kind = "twin"
        elif path.is_file():
            seen.add(status.st_ino)
            content, count = path.read_bytes(), status.st_size
        found[str(path.relative_to(root))] = (kind, content, stat.S_IMODE(status.st_mode), status.st_mtime_ns, count)
    return found


def names_in(answer):
    """Of all members, at any depth."""
    if isinstance(answer, list):
        return set().union(*map(names_in, answer))
    return set(answer) | names_in(list(answer.values())) if isinstance(answer, dict) else set()


def change_of(before, after):
    """Its name, as diff has it, or None."""
    if before is None or after is None:
        return "added" if before is None else "removed"
    names = ("type", "target" if stat.S_IFLNK in (before[0], after[0]) else "content", "mode", "times")
    return next((name for name, old, new in zip(names, before, after) if old != new), None)


class Numbers(Caches):
    def lines(self, *arguments, **options):
        return self.cache(*arguments, **options).log.splitlines()

    def assert_line(self, outcome, pattern):
        self.assertRegex(outcome.log, re.compile(f"^{pattern}$", re.MULTILINE))

    def save_more(self):
        write_tree(self.tree, {"more/file": os.urandom(700_000)})
        return self.save()

    # --- looking

    def test_the_table_of_caches(self):
        self.save_more()
        entries, count = tree_size(self.tree)
        stored = self.stored()
        row = re.split("  +", self.lines("ls")[1].strip())
        self.assertEqual(row[3:7], ["2", str(entries), size(count), size(stored[1])])

    def test_what_a_generation_takes(self):
        self.save_more()
        self.cache("pin", "demo", "1")
        told = self.told("show", "demo")
        head, sizes = self.head(), self.data()
        self.assertEqual((told["serial"], told["epoch"]), (head["serial"], head["epoch"]))
        self.assertEqual([one["pinned"] for one in told["generations"]], [False, True])
        lines = self.lines("show", "demo")
        for number, (one, named) in enumerate(zip(told["generations"], head["generations"])):
            names = {manifest["save"] for manifest in named["manifests"]}
            names |= {f"{save}-{number}" for save, packs in named["packs"].items() for number, _ in packs}
            objects = {path: count for path, count in sizes.items() if path.name in names}
            self.assertEqual((one["stored_objects"], one["stored_bytes"]), counted(objects))
            self.assertEqual(re.split("  +", lines[2 + number].strip())[3:7],
                             [str(one["entries"]), size(one["bytes"]), size(one["stored_bytes"]), size(one["own_bytes"])])
        self.assertEqual(lines[-1], f"  stored: {amount(*self.stored())}")

    def test_each_line_of_du(self):
        for line, name in zip(self.lines("du", "demo", "--full", "--depth", "9"), ["", "dir", "dir/deep", "dir/deep/large"]):
            path = self.tree / name
            entries, count = tree_size(path) if path.is_dir() else (0, path.stat().st_size)
            share = 100 * count / tree_size(self.tree)[1]
            self.assertRegex(line, rf"^ *{size(count)} +{entries + (name != '')} +{share:.1f}%  ")

    def test_what_differs(self):
        write_tree(self.tree, {"more/file": os.urandom(300_000), "goes": "1234\n", "turns": "a file\n"})
        self.save()
        before = state_of(self.tree)
        write_tree(self.tree, {"new/file": os.urandom(250_000)})
        (self.tree / "goes").unlink()
        (self.tree / "turns").unlink()
        (self.tree / "turns").symlink_to("tool")
        with open(self.tree / "more" / "file", "ab") as file:
            file.write(os.urandom(1000))
        (self.tree / "link").unlink()
        (self.tree / "link").symlink_to("tool")
        (self.tree / "tool").chmod(0o700)
        os.utime(self.tree / "empty", ns=(1, 1))
        old_data = set(self.data())
        self.save()
        after = state_of(self.tree)
        told = self.told("diff", "demo", "--files")
        found = {path: change_of(before.get(path), after.get(path)) for path in before | after}
        self.assertEqual({one["path"]: one["change"] for one in told["files"]},
                         {path: change for path, change in found.items() if change})
        self.assertEqual(told["unchanged"], sum(change is None for change in found.values()))
        text = self.cache("diff", "demo")
        for change, sums in told["changes"].items():
            paths = [path for path in found if found[path] == change]
            self.assertEqual(sums["entries"], len(paths), change)
            if change in ("added", "removed", "content", "type"):
                counts = [sum(state[path][4] for path in paths if path in state) for state in (before, after)]
                self.assertEqual([sums["bytes_before"], sums["bytes_after"]], counts, change)
                shown = counts[0] if change == "removed" else counts[1]
                self.assert_line(text, f"  {change} +{len(paths)} +{size(shown)}.*")
        new = {path: count for path, count in self.data().items() if path not in old_data}
        packs = sum(count for path, count in new.items() if "pack" in path.parts)
        upload = told["upload"]
        self.assertEqual((upload["objects"], upload["pack_bytes"], upload["manifest_bytes"]),
                         (len(new), packs, sum(new.values()) - packs))
        self.assert_line(text, f"The save uploaded {size(sum(new.values()))}: {size(packs)} of packs and "
                               f"{size(upload['manifest_bytes'])} of manifest, for {size(upload['content_bytes'])} of content.")
        for one in told["directories"]:
            changes = [change for path, change in found.items() if change and os.path.dirname(path) == one["path"]]
            added, removed = changes.count("added"), changes.count("removed")
            self.assertEqual([one[which]["entries"] for which in ("added", "removed", "changed")],
                             [added, removed, len(changes) - added - removed], one)

    # --- saving, restoring, archives

    def test_a_save_and_a_restore(self):
        before = self.data()
        write_tree(self.tree, {"more/file": os.urandom(700_000)})
        told = json.loads(self.save("demo", "--format", "json").log)
        new = {path: count for path, count in self.data().items() if path not in before}
        self.assertEqual((told["entries"], told["bytes"]), tree_size(self.tree))
        self.assertEqual((told["added"], told["changed"], told["removed"]), (2, 0, 0))
        self.assertEqual((told["read_bytes"], told["uploaded_objects"], told["uploaded_bytes"]), (700_000, *counted(new)))
        copy = self.root / "home" / "copy"
        restored = json.loads(self.cache("restore", copy, "--app", "demo", "--format", "json").log)
        self.assertEqual((restored["entries"], restored["bytes"]), tree_size(copy))
        self.assertEqual(tree_size(copy), tree_size(self.tree))
        self.assertLessEqual(restored["fetched_bytes"], sum(self.sizes().values()))
        self.assertGreater(restored["fetched_bytes"], 2_600_000)

    def test_an_import(self):
        archive = self.root / "home" / "a.tar.gz"
        exported = self.cache("export", "demo", archive)
        entries, count = tree_size(self.tree)
        self.assertIn(f": {entries} entries, {size(count)}, as {size(archive.stat().st_size)} of archive", exported.log)
        told = self.told("import", "other", archive)
        self.assertEqual((told["uploaded_objects"], told["uploaded_bytes"]), counted(self.data("other")))
        text = self.cache("import", "third", archive).log
        self.assertIn(f": {entries} entries, {size(count)}; {size(counted(self.data('third'))[1])} uploaded", text)

    # --- what is deleted

    def purge_and_stray(self):
        """What is in the trash, after a purge of a path; a stray object lies beside it."""
        self.save_more()
        before = self.data()
        purged = self.cache("purge", "demo", "--path", "dir", "--yes")
        trash = {path: count for path, count in before.items()
                 if any(str(path).endswith(one["object"]) for one in self.head()["trash"])}
        self.assertGreaterEqual(len(trash), 1)
        self.assert_line(purged, f"demo .*: purged 1 path of 2 generations; generation {self.head()['generations'][0]['id']} .*")
        self.assert_line(purged, f"  {amount(*counted(trash))} are needed no more; .*")
        stray = next(path for path in before if "pack" in path.parts).with_name(f"{'9' * 16}-0")
        stray.write_bytes(bytes(STRAY))
        return trash

    def test_trash_and_what_nobody_names(self):
        trash = self.purge_and_stray()
        told = self.told("show", "demo")
        self.assertEqual(sorted(one["object"] for one in told["trash"]), sorted(one["object"] for one in self.head()["trash"]))
        self.assertEqual((told["in_trash"], told["unnamed"]), (both(counted(trash)), both((1, STRAY))))
        self.assertEqual(told["stored"], both(self.stored()))
        text = self.cache("show", "demo")
        self.assert_line(text, f"  waiting for their deletion: {amount(*counted(trash))}")
        self.assert_line(text, f"  named by no generation: {amount(1, STRAY)}")

    def test_gc_deletes_what_waited_for_long_enough(self):
        trash = self.purge_and_stray()
        waiting = self.told("gc", "demo")["caches"][0]
        nothing = both((0, 0))
        self.assertEqual((waiting["waiting"], waiting["young"], waiting["deleted"], waiting["trashed"], waiting["left"]),
                         (both(counted(trash)), both((1, STRAY)), nothing, nothing, nothing))
        text = self.cache("gc", "demo")
        self.assert_line(text, f"  in the trash since less than an hour or so: {amount(*counted(trash))}")
        self.assert_line(text, f"  younger than a day, maybe of a save at work: {amount(1, STRAY)}")
        head = self.head_path()
        then = int(time.time()) - 2 * 3600
        aged = [one | {"since": then} for one in self.head()["trash"]]
        head.write_bytes(head_with(head.read_text(), trash=aged).encode())
        before = self.sizes()
        dry = self.told("gc", "demo", "--dry-run")
        self.assertTrue(dry["dry_run"])
        self.assertEqual((dry["caches"][0]["deleted"], dry["caches"][0]["waiting"]), (both(counted(trash)), nothing))
        self.assert_line(self.cache("gc", "demo", "--dry-run"), f"  would be deleted: {amount(*counted(trash))}")
        self.assertEqual(self.sizes(), before)
        data = self.data()
        done = self.cache("gc", "demo")
        self.assert_line(done, f"demo .*: {amount(*counted(data))}")
        self.assert_line(done, f"  deleted: {amount(*counted(trash))}")
        self.assertEqual(self.data(), {path: count for path, count in data.items() if path not in trash})
        self.cache("verify", "demo")

    def test_gc_finds_what_is_missing(self):
        next(path for path in self.data() if "pack" in path.parts).unlink()
        self.assertEqual(self.told("gc", "--all", "--dry-run")["caches"][0]["bad_objects"], 1)
        self.assert_line(self.cache("gc", "--all"), "  missing or damaged, newly found: 1 object")
        self.assertEqual(len(self.told("show", "demo")["bad"]), 1)
        self.assertEqual(self.told("gc", "demo")["caches"][0]["bad_objects"], 0)

    def test_purge_and_expire_in_text(self):
        self.save("other")
        time.sleep(1.1)  # "unused" is counted in the store's seconds
        data, whole = counted(self.data()), self.stored("other")
        purged = self.cache("purge", "demo", "--yes")
        self.assertIn(f": {amount(*self.stored('other'))}; saved ", self.cache("expire", "other", "--unused", "1ms", expect=2).errors)
        self.assert_line(purged, f"demo .*: purged, {amount(*data)} deleted")
        data = counted(self.data("other"))
        told = self.cache("expire", "--all", "--unused", "1ms", "--yes")
        self.assert_line(told, f"other .*: expired, {amount(*data)} deleted")
        self.assertIn("will delete 1 cache, unused for more than 1 ms:\n  other (heroku-24, ", told.errors)
        self.assertIn(amount(*whole), told.errors)

    def test_expire_counts_head_too(self):
        time.sleep(1.1)
        stored = self.stored()
        told = self.told("expire", "demo", "--unused", "1ms", "--yes")
        self.assertEqual((told["looked_at"], len(told["caches"])), (1, 1))
        self.assertEqual((told["caches"][0]["stored_objects"], told["caches"][0]["stored_bytes"]), stored)

    # --- damage

    def test_verify_and_repair(self):
        data = self.data()
        (cache,) = self.told("verify", "demo")["caches"]
        # HEAD is one of the objects, but none of the bytes.
        self.assertEqual((cache["generations"], cache["objects"], cache["read_bytes"]),
                         (1, len(data) + 1, sum(data.values())))
        self.assert_line(self.cache("verify", "demo"), f"demo .*: sound: 1 generation, {len(data) + 1} objects, "
                                                       f"{size(sum(data.values()))} read")
        self.damage_packs()
        self.cache("verify", "demo", expect=1)
        repaired = self.cache("verify", "demo", "--repair", self.tree)
        new = {path: count for path, count in self.data().items() if path not in data}
        self.assert_line(repaired, f"demo .*: sound now: 1 object damaged, 1 generation mended, {size(sum(new.values()))} uploaded")

    # --- the docs

    def test_each_name_is_in_the_docs(self):
        docs = "".join((SOURCE_DIR / "docs" / page).read_text() for page in ("cli.md", "cache.md", "report.md"))
        known = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`\n]+)`", docs))))
        self.build(self.app(), packs=[self.buildpack()], app="built")
        copy, archive = self.root / "home" / "copy", self.root / "home" / "a.tar"
        for arguments in (["cache", "save", self.tree, "--app", "demo"], ["cache", "restore", copy, "--app", "demo"],
                          ["cache", "ls"], ["cache", "show", "demo"], ["cache", "show", "demo", "--generation", "0"],
                          ["cache", "du", "demo"], ["cache", "diff", "demo", "0", "0"], ["cache", "export", "demo", archive],
                          ["cache", "import", "other", archive], ["cache", "stats", "built"], ["cache", "verify", "demo"],
                          ["cache", "verify", "demo", "--repair", self.tree], ["cache", "pin", "demo", "0"],
                          ["cache", "rollback", "demo", "--to", "0", "--yes"], ["cache", "gc", "demo"],
                          ["cache", "expire", "demo", "--unused", "1h", "--yes"],
                          ["cache", "purge", "demo", "--path", "tool", "--yes"], ["cache", "purge", "demo", "--yes"],
                          ["builds", "ls", "built"], ["builds", "rm", "built", "--all", "--yes"], ["store", "check"],
                          ["doctor"]):
            outcome = self.hearth(*arguments, "--format", "json")
            self.assertEqual(outcome.code, 0, f"{arguments}: {outcome}")
            told = names_in(json.loads(outcome.log))
            self.assertTrue(told, arguments)
            self.assertEqual(told - known, set(), arguments)

    # --- bad input

    def test_bad_input(self):
        before = self.sizes()
        for arguments, expect, words in (
                (["gc", "demo", "--all"], 2, "not both"),
                (["gc", "demo", "--stack", "none"], 4, "none"),
                (["gc", "a/b"], 2, "cannot be an app's name"),
                (["expire", "demo", "--all", "--unused", "1h", "--yes"], 2, "not both"),
                (["expire", "nobody", "--unused", "1h", "--yes"], 4, "has no cache"),
                (["expire", "demo", "--unused", "-1h", "--yes"], 2, "-1h"),
                (["rollback"], 2, "needs an APP"),
                (["rollback", "nobody", "--yes"], 4, "has no cache"),
                (["rollback", "demo", "--to", "0123456789abcdef", "--yes"], 4, "there is no generation"),
                (["unpin", "demo"], 2, "needs a GENERATION"),
                (["unpin", "nobody", "0"], 4, "has no cache"),
                (["pin", "demo", "x"], 2, "names no generation"),
                (["export", "demo", "x.tar", "--generation", "9"], 4, "the cache has 1"),
                (["import", "demo"], 2, "needs a FILE"),
                (["diff", "nobody"], 4, "has no cache"),
                (["du", "demo", "../x"], 4, "there is no"),
                (["cat"], 2, "needs an APP"),
                (["cat", "demo", "tool", "--generation", "9"], 4, "the cache has 1"),
                (["stats", "a/b"], 2, "cannot be an app's name"),
                (["verify", "nobody", "--repair", str(self.tree)], 4, "has no cache"),
                (["save", str(self.tree), "--app", "demo", "--max-size", "-1"], 2, "-1"),
                (["save", str(self.tree), "--app", "demo", "--cache-exclude", ""], 2, "--cache-exclude")):
            self.assertIn(words, self.cache(*arguments, expect=expect).errors, arguments)
        self.assertEqual(self.sizes(), before)


if __name__ == "__main__":
    main()
