"""The `hearth cache` commands that change caches. What they print is compared with what lies in the store."""

import json
import os
import subprocess
import time

from harness import EndToEnd, main, write_tree


def noise(count):
    return os.urandom(count)


class CacheChange(EndToEnd):
    def setUp(self):
        super().setUp()
        self.tree = write_tree(self.root / "home" / "tree", {"keep/a": noise(900_000), "keep/b": "text\n",
                                                             "drop/a": noise(700_000), "drop/deep/b": noise(30_000)})

    # --- what is there, told by others than hearth

    def cache(self, app="demo"):
        """The files of the app's caches, HEADs too."""
        return self.objects(f"apps/{app}/cache")

    def data(self, app="demo"):
        return [path for path in self.cache(app) if not path.name.startswith("HEAD.")]

    @staticmethod
    def bytes_of(paths):
        return sum(path.stat().st_size for path in paths)

    def head(self, app="demo"):
        (path,) = [path for path in self.cache(app) if path.name.startswith("HEAD.")]
        return json.loads(path.read_bytes())

    def generations(self, app="demo"):
        return [generation["id"] for generation in self.head(app)["generations"]]

    def age(self, seconds, app="demo"):
        """Everything in the app's caches was written so much earlier, by the store's clock."""
        for path in self.cache(app):
            then = path.stat().st_mtime - seconds
            os.utime(path, (then, then))

    # --- hearth

    def cache_command(self, *arguments, expect=0, **options):
        outcome = self.hearth("cache", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def told(self, *arguments, **options):
        return json.loads(self.cache_command(*arguments, "--format", "json", **options).log)

    def save(self, app="demo", *arguments):
        return self.cache_command("save", self.tree, "--app", app, *arguments)

    def restored(self, app="demo"):
        """What a fresh machine gets: path -> bytes."""
        copy = self.root / "home" / "copy"
        self.cache_command("restore", copy, "--app", app, "--replace", "--strict")
        files = {str(path.relative_to(copy)): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
        subprocess.run(["rm", "-rf", str(copy)], check=True)
        return files

    def tree_files(self):
        return {str(path.relative_to(self.tree)): path.read_bytes() for path in self.tree.rglob("*") if path.is_file()}

    # --- purge

    def test_purge_deletes_all_and_says_how_much(self):
        self.save()
        write_tree(self.tree, {"more": noise(50_000)})
        self.save()
        self.save("other")
        data = self.data()
        report = self.told("purge", "demo", "--yes")
        self.assertEqual(report["version"], 1)
        (cache,) = report["caches"]
        self.assertEqual((cache["app"], cache["stack"]), ("demo", "heroku-24"))
        self.assertEqual(cache["deleted_objects"], len(data))
        # HEAD is counted by no one: it stays, and is empty.
        self.assertEqual(self.data(), [])
        self.assertEqual(len(self.cache()), 1)
        self.assertEqual(self.generations(), [])
        self.assertNotEqual(self.data("other"), [])
        self.assertIn("has no cache yet", self.cache_command("restore", self.root / "home" / "copy", "--app", "demo").errors)

    def test_purge_counts_bytes_as_the_store_does(self):
        self.save()
        bytes_before = self.bytes_of(self.data())
        outcome = self.cache_command("purge", "demo", "--yes")
        self.assertIn("demo (heroku-24, ", outcome.log)
        self.assertIn("will delete the whole cache of demo", outcome.errors)
        self.save()
        again = self.bytes_of(self.data())
        self.assertEqual(self.told("purge", "demo", "--yes")["caches"][0]["deleted_bytes"], again)
        self.assertGreater(bytes_before, 1_500_000)

    def test_nothing_is_deleted_without_a_word(self):
        self.save()
        before = self.cache()
        for arguments in (["purge", "demo"], ["purge", "demo", "--path", "drop"],
                          ["expire", "--all", "--unused", "1ms"]):
            time.sleep(1.1)  # "unused" is counted in the store's seconds
            outcome = self.cache_command(*arguments, expect=2)
            self.assertIn("--yes was not given", outcome.errors)
        self.assertEqual(self.cache(), before)

    def test_purge_of_several_stacks(self):
        self.save()
        self.save("demo", "--stack", "debian-12")
        outcome = self.cache_command("purge", "demo", "--yes", expect=2)
        self.assertIn("--all-stacks", outcome.errors)
        self.assertIn("debian-12-", outcome.errors)
        self.cache_command("purge", "demo", "--stack", "debian-12", "--yes")
        self.assertEqual({path.parts[-4] for path in self.data()}, {f"data.heroku-24-{self.architecture()}"})
        self.save("demo", "--stack", "debian-12")
        data = self.data()
        report = self.told("purge", "demo", "--all-stacks", "--yes")
        self.assertEqual(sum(cache["deleted_objects"] for cache in report["caches"]), len(data))
        self.assertEqual(self.data(), [])

    def architecture(self):
        (name,) = {path.name.rsplit("-", 1)[1] for path in self.cache() if path.name.startswith("HEAD.")}
        return name

    def test_purge_clears_up_behind_one_from_outside(self):
        self.save()
        (head,) = [path for path in self.cache() if path.name.startswith("HEAD.")]
        head.unlink()
        left = self.data()
        outcome = self.cache_command("purge", "demo", "--yes", "--format", "json")
        self.assertIn("left over", outcome.errors)
        self.assertEqual(json.loads(outcome.log)["caches"][0]["deleted_objects"], len(left))
        self.assertEqual(self.data(), [])

    def test_a_purged_cache_does_not_come_back_with_the_next_save(self):
        self.save()
        self.cache_command("purge", "demo", "--yes")
        write_tree(self.tree, {"more": "x"})
        self.assertIn("purged", self.save().errors)
        self.assertEqual(self.generations(), [])
        self.save()
        self.assertEqual(len(self.generations()), 1)

    def test_purge_of_a_path(self):
        self.save()
        first = self.generations()[0]
        write_tree(self.tree, {"keep/c": "more\n"})
        self.save()
        before = self.data()
        wanted = {path: content for path, content in self.tree_files().items() if not path.startswith("drop/")}
        report = self.told("purge", "demo", "--path", "drop", "--yes")["caches"][0]
        self.assertEqual(report["paths"], ["drop"])
        self.assertEqual([dropped["id"] for dropped in report["dropped"]][1:], [first])
        found = subprocess.run(["find", "drop"], cwd=self.tree, capture_output=True, check=True, text=True)
        self.assertEqual(report["dropped"][0]["entries"], len(found.stdout.splitlines()))
        self.assertEqual(report["dropped"][0]["bytes"], 730_000)
        self.assertEqual(self.generations(), [report["generation"]])
        # A manifest and HEAD, and no more.
        new = set(self.data()) - set(before)
        self.assertEqual(report["uploaded_bytes"], self.bytes_of(new))
        self.assertEqual(len(new), 1)
        self.assertEqual(report["trashed_objects"], len(self.head()["trash"]))
        trash = [path for path in before if any(str(path).endswith(one["object"]) for one in self.head()["trash"])]
        self.assertEqual(report["trashed_bytes"], self.bytes_of(trash))
        self.assertEqual(self.restored(), wanted)
        # The machine that saved it does not bring it back; its next save is one of what it has.
        write_tree(self.tree, {"keep/d": "more\n"})
        self.assertIn("purged", self.save().errors)
        self.assertEqual(self.restored(), wanted)
        log = self.cache_command("purge", "demo", "--path", "drop", "--yes").log
        self.assertIn("nothing of it is named so", log)

    def test_a_cache_that_cannot_be_purged_in_part_keeps_nothing_of_the_others_from_being_told(self):
        for stack in ("a-first", "b-second", "c-third"):
            self.save("demo", "--stack", stack)
        (second,) = [path for path in self.cache() if path.name.startswith("HEAD.b-second")]
        second.write_bytes(b"no HEAD")
        outcome = self.cache_command("purge", "demo", "--all-stacks", "--path", "drop", "--yes", "--format", "json", expect=5)
        caches = json.loads(outcome.log)["caches"]
        self.assertEqual([cache["stack"] for cache in caches], ["a-first", "c-third"])
        self.assertEqual([cache["paths"] for cache in caches], [["drop"], ["drop"]])
        self.assertIn("b-second", outcome.errors)

    def test_globs_of_a_path(self):
        self.save()
        self.assertEqual(self.told("purge", "demo", "--path", "./*/a", "--yes")["caches"][0]["paths"],
                         ["drop/a", "keep/a"])
        self.assertEqual(self.told("purge", "demo", "--path", "b", "--yes")["caches"][0]["paths"], [])
        self.assertEqual(self.told("purge", "demo", "--path", "**/b", "--yes")["caches"][0]["paths"],
                         ["drop/deep/b", "keep/b"])
        self.assertEqual(self.restored(), {})

    # --- rollback and pins

    def save_three(self):
        contents = []
        for number in range(3):
            write_tree(self.tree, {"file": f"{number}\n"})
            self.save()
            contents.insert(0, self.tree_files())
        return contents

    def test_rollback_and_the_build_after_it(self):
        contents = self.save_three()
        ids = self.generations()
        declined = self.cache_command("rollback", "demo", expect=2)
        self.assertIn(ids[0], declined.errors)
        self.assertEqual(self.generations(), ids)
        report = self.told("rollback", "demo", "--to", "2", "--yes")
        self.assertEqual(report["generation"], ids[2])
        self.assertEqual(report["aside"], ids[:2])
        self.assertEqual(self.generations(), ids[2:])
        self.assertEqual([generation["id"] for generation in self.head()["aside"]], ids[:2])
        self.assertEqual(self.restored(), contents[2])
        self.assertIn("is the newest already", self.cache_command("rollback", "demo", "--to", ids[2], "--yes").log)
        self.cache_command("rollback", "demo", "--to", ids[0], "--yes", expect=4)

    def test_a_build_restores_what_was_rolled_back_to(self):
        pack = self.buildpack(compile='cat "$2/state" 2>/dev/null; echo "FOUND=[$(cat "$2/state" 2>/dev/null)]"\n'
                                      'cp "$1/state" "$2/state"')
        for state in ("one", "two"):
            self.build(self.app({"state": state}), packs=[pack])
        newest, older = self.generations()
        self.cache_command("rollback", "demo", "--yes")
        outcome = self.build(self.app({"state": "three"}), packs=[pack])
        self.assertEqual(outcome.restore["generation"], older)
        self.assertEqual(outcome.said("FOUND"), "one")
        self.assertNotIn(newest, self.generations())

    def test_pins(self):
        self.save_three()
        oldest = self.generations()[2]
        report = self.told("pin", "demo", "2")
        self.assertEqual((report["generation"], report["changed"], report["pins"]), (oldest, True, [oldest]))
        for number in range(3, 7):
            write_tree(self.tree, {"file": f"{number}\n"})
            self.save()
        self.assertEqual(len(self.generations()), 4)
        self.assertEqual(self.generations()[3], oldest)
        self.assertIn("is pinned already", self.cache_command("pin", "demo", oldest).log)
        self.assertIn("is unpinned\n", self.cache_command("unpin", "demo", "3").log)
        self.assertEqual(len(self.generations()), 3)
        self.assertEqual(self.head()["pins"], [])

    # --- gc and expire

    def test_gc_takes_what_nobody_needs(self):
        self.save()
        epoch = self.head()["epoch"]
        folder = self.data()[0].parents[1].parent / epoch / "pack"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{'9' * 16}-0").write_bytes(noise(12_345))
        self.age(25 * 3600)
        before = {path: path.read_bytes() for path in self.cache()}
        dry = self.told("gc", "demo", "--dry-run")
        self.assertTrue(dry["dry_run"])
        self.assertEqual(dry["caches"][0]["trashed"], {"objects": 1, "bytes": 12_345})
        self.assertEqual({path: path.read_bytes() for path in self.cache()}, before)
        first = self.told("gc", "demo")["caches"][0]
        self.assertEqual(first["trashed"], {"objects": 1, "bytes": 12_345})
        self.assertEqual(first["listed"], {"objects": len(self.data()), "bytes": self.bytes_of(self.data())})
        self.assertEqual(first["deleted"]["objects"], 0)
        self.age(2 * 3600)
        second = self.told("gc", "--all")["caches"][0]
        self.assertEqual(second["deleted"], {"objects": 1, "bytes": 12_345})
        self.assertEqual({path for path in before if path.exists()}, set(self.cache()))
        self.assertEqual(len(self.data()), len(before) - 2)
        self.assertIn("deleted: 0 objects", self.cache_command("gc", "demo").log)
        self.assertEqual(self.restored(), self.tree_files())

    def test_expire_takes_what_nobody_used(self):
        self.save()
        self.save("other")
        self.assertEqual(self.told("expire", "--all", "--unused", "1h", "--yes"),
                         {"version": 1, "looked_at": 2, "caches": []})
        time.sleep(2.1)
        sizes = {app: self.bytes_of(self.cache(app)) for app in ("demo", "other")}
        objects = len(self.data("other"))
        data_bytes = self.bytes_of(self.data("other"))
        report = self.told("expire", "other", "--unused", "1s", "--yes")
        (gone,) = report["caches"]
        self.assertEqual((gone["app"], gone["expired"], gone["restored"]), ("other", True, None))
        self.assertEqual(gone["stored_bytes"], sizes["other"])
        self.assertEqual((gone["deleted_objects"], gone["deleted_bytes"]), (objects, data_bytes))
        self.assertGreaterEqual(gone["unused_seconds"], 2)
        self.assertEqual(self.data("other"), [])
        self.assertEqual(self.restored(), self.tree_files())

    def test_what_a_build_restored_is_in_use(self):
        pack = self.buildpack(compile='[ -e "$2/state" ] || echo x > "$2/state"')
        self.build(self.app(), packs=[pack])
        time.sleep(3.1)
        outcome = self.build(self.app(), packs=[pack])
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("hit", "unchanged"))
        report = self.told("expire", "demo", "--unused", "3s", "--yes")
        self.assertEqual(report["caches"], [])
        self.assertEqual(len(self.generations()), 1)

    # --- repair

    def test_repair_from_the_tree_that_was_saved(self):
        self.save()
        (generation,) = self.generations()
        pack = max(self.data(), key=lambda path: path.stat().st_size)
        pack.chmod(0o600)
        pack.unlink()
        before = set(self.data())
        self.cache_command("verify", "demo", expect=1)
        report = self.told("verify", "demo", "--repair", self.tree)
        self.assertEqual(report["outcome"], "sound")
        self.assertEqual([one["id"] for one in report["mended"]], [generation])
        self.assertEqual(report["mended"][0]["now"], self.generations()[0])
        new = set(self.data()) - before
        self.assertEqual((report["uploaded_objects"], report["uploaded_bytes"]), (len(new), self.bytes_of(new)))
        self.assertEqual(report["left"], [])
        self.cache_command("verify", "demo")
        self.assertEqual(self.restored(), self.tree_files())
        self.assertIn("nothing to mend", self.cache_command("verify", "demo", "--repair", self.tree).log)

    def test_repair_says_what_it_could_not_mend(self):
        self.save()
        pack = max(self.data(), key=lambda path: path.stat().st_size)
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        content[100] ^= 1
        pack.write_bytes(content)
        other = write_tree(self.root / "home" / "other", {"drop/a": noise(700_000)})
        generations = self.generations()
        outcome = self.cache_command("verify", "demo", "--repair", other, expect=1)
        self.assertIn("not mended", outcome.log)
        self.assertIn("    drop/a", outcome.log)
        self.assertEqual(self.generations(), generations)
        # Another name, another place, the same content.
        found = write_tree(self.root / "home" / "found", {f"x/{number}": path.read_bytes() for number, path in
                                                          enumerate(p for p in self.tree.rglob("*") if p.is_file())})
        self.cache_command("verify", "demo", "--repair", found)
        self.assertEqual(self.restored(), self.tree_files())

    # --- --max-size

    def test_max_size_leaves_out_what_was_unused_for_longest(self):
        os.utime(self.tree / "drop" / "a", (1_000_000_000, 1_000_000_000))
        self.save()
        write_tree(self.tree, {"new": noise(400_000)})
        outcome = self.save("demo", "--max-size", "1500k")
        self.assertIn("left out 1 file, 700 kB, ", outcome.errors)
        restored = self.restored()
        self.assertNotIn("drop/a", restored)
        self.assertLessEqual(sum(len(content) for content in restored.values()), 1_500_000)
        self.assertTrue((self.tree / "drop" / "a").exists())
        self.assertIn("unchanged", self.save("demo", "--max-size", "1500k").log)

    def test_max_size_of_a_build(self):
        pack = self.buildpack(compile='head -c 300000 /dev/urandom > "$2/$(ls "$2" | wc -l)"')
        for number in range(3):
            outcome = self.build(self.app(), "--max-size", "650k", packs=[pack])
            self.assertEqual(outcome.save["outcome"], "saved")
            expected = (1, 300_000) if number == 2 else (0, 0)
            self.assertEqual((outcome.save["trimmed_files"], outcome.save["trimmed_bytes"]), expected)
        self.assertIn("Left out 1 file, 300 kB, ", outcome.log)
        self.assertLessEqual(outcome.save["bytes"], 650_000)

    # --- bad input

    def test_bad_input(self):
        self.save()
        before = self.cache()
        for arguments, expect, words in (
                (["purge"], 2, "needs an APP"),
                (["purge", "nobody", "--yes"], 4, "has no cache"),
                (["purge", "nobody", "--path", "x", "--yes"], 4, "has no cache"),
                (["purge", "demo", "--path", "", "--yes"], 2, "needs a GLOB"),
                (["purge", "demo", "--path", "./", "--yes"], 2, "needs a GLOB"),
                (["purge", "demo", "--path", "a\nb", "--yes"], 2, "needs a GLOB"),
                (["purge", "../demo", "--yes"], 2, ""),
                (["purge", "demo", "--stack", "none", "--yes"], 4, "for the stack none"),
                (["rollback", "demo", "--yes"], 4, "there is no generation 1"),
                (["rollback", "demo", "--to", "x", "--yes"], 2, "names no generation"),
                (["pin", "demo"], 2, "needs a GENERATION"),
                (["pin", "demo", "7"], 4, "there is no generation 7"),
                (["unpin", "demo", "0123456789abcdef"], 4, "there is no generation"),
                (["pin", "nobody", "0"], 4, "has no cache"),
                (["gc"], 2, "needs an APP, or --all"),
                (["gc", "nobody"], 4, "has no cache"),
                (["expire", "demo", "--yes"], 2, "needs --unused"),
                (["expire", "demo", "--unused", "0", "--yes"], 2, "needs --unused"),
                (["expire", "demo", "--unused", "soon", "--yes"], 2, "soon"),
                (["expire", "--unused", "1h"], 2, "needs an APP, or --all"),
                (["verify", "demo", "--repair", "/nowhere"], 2, "no directory"),
                (["verify", "--all", "--repair", str(self.tree)], 2, "one APP"),
                (["save", str(self.tree), "--app", "demo", "--max-size", "much"], 2, "much"),
                (["purge", "demo", "--yes", "--format", "xml"], 2, "xml")):
            outcome = self.cache_command(*arguments, expect=expect)
            self.assertIn(words, outcome.errors, str(outcome))
        self.assertEqual(self.cache(), before)
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        for verb in (["purge", "demo", "--yes"], ["gc", "--all"], ["expire", "--all", "--unused", "1h"]):
            self.cache_command(*verb, "--store", f"file://{blocked}/store", expect=5)

    def test_every_command_has_help_with_examples(self):
        for verb in ("purge", "rollback", "pin", "unpin", "gc", "expire"):
            log = self.cache_command(verb, "--help").log
            self.assertIn("Examples:", log)
            self.assertIn(f"hearth cache {verb} ", log)
            self.assertIn("Exit", log)


if __name__ == "__main__":
    main()
