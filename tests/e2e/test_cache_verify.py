"""`hearth cache verify` reads a store and tells what is damaged."""

import json
import os

from harness import EndToEnd, main, write_tree


class CacheVerify(EndToEnd):
    def setUp(self):
        super().setUp()
        self.tree = write_tree(self.root / "home" / "tree", {"dir/file": "content\n", "large": os.urandom(3_800_000),
                                                             "odd\nname\x1b[31m": os.urandom(1_500_000)})
        self.save()

    def save(self, app="demo", *arguments):
        outcome = self.hearth("cache", "save", self.tree, "--app", app, *arguments)
        self.assertEqual(outcome.code, 0, str(outcome))
        return outcome

    def verify(self, *arguments, expect=0, **options):
        outcome = self.hearth("cache", "verify", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def pack(self):
        return max(self.objects("apps/demo/cache"), key=lambda path: path.stat().st_size)

    def damage(self, path):
        """In the last of its blocks, before its trailer."""
        path.chmod(0o600)
        content = bytearray(path.read_bytes())
        content[-5000] ^= 1
        path.write_bytes(content)

    def test_a_repair_needs_a_directory(self):
        self.assertIn("cache verify --repair needs a directory", self.verify("demo", "--repair", "", expect=2).errors)

    def test_a_sound_cache(self):
        stored = self.objects("apps/demo/cache")
        outcome = self.verify("demo")
        self.assertIn("demo (heroku-24, ", outcome.log)
        self.assertIn(f"sound: 1 generation, {len(stored)} objects, ", outcome.log)
        self.assertEqual(outcome.errors, "")

    def test_damage_is_told_with_what_it_costs(self):
        self.damage(self.pack())
        outcome = self.verify("demo", expect=1)
        self.assertIn("DAMAGED: 1 of 3 objects", outcome.log)
        self.assertIn("/pack/", outcome.log)
        self.assertIn(r"    odd\x0aname\x1b[31m", outcome.log)
        self.assertNotIn("dir/file", outcome.log)
        found = json.loads(self.verify("demo", "--format", "json", expect=1).log)
        self.assertEqual(found["version"], 1)
        (cache,) = found["caches"]
        self.assertEqual((cache["app"], cache["outcome"], cache["objects"]), ("demo", "damaged", 3))
        self.assertEqual([generation["whole"] for generation in cache["damaged_generations"]], [False])
        self.assertTrue(self.pack().name in cache["damaged_objects"][0]["object"])

    def test_a_missing_object(self):
        self.pack().unlink()
        self.assertIn("3 files affected", self.verify("demo", expect=1).log)
        # HEAD says so from then on, and no generation is left that could be restored.
        self.assertEqual(self.hearth("cache", "gc", "demo").code, 0)
        outcome = self.verify("demo", expect=1)
        self.assertIn("DAMAGED: 1 of 2 objects", outcome.log)
        self.assertIn("nothing of it can be restored", outcome.log)
        # A save mends it, and what is past counts no more.
        self.save()
        self.assertIn("sound: 1 generation, ", self.verify("demo").log)

    def test_after_the_next_save_it_is_sound_again(self):
        self.damage(self.pack())
        copy = self.root / "home" / "copy"
        # The restore finds it, the save heals it.
        self.hearth("cache", "restore", copy, "--app", "demo")
        write_tree(copy, {"new": "content\n"})
        self.assertEqual(self.hearth("cache", "save", copy, "--app", "demo").code, 0)
        self.assertEqual(self.verify("demo").code, 0)

    def test_all_caches(self):
        self.save("other")
        self.save("other", "--stack", "debian-12")
        log = self.verify("--all").log
        for name in ("demo (heroku-24, ", "other (heroku-24, ", "other (debian-12, "):
            self.assertIn(name, log)
        self.assertEqual(self.verify("other", "--stack", "debian-12").log.count("sound"), 1)
        self.damage(self.pack())
        both = self.verify("--all", expect=1).log
        self.assertIn("demo (heroku-24, ", both)
        self.assertEqual(both.count("sound"), 2)
        self.assertEqual(self.verify("other").code, 0)

    def test_an_empty_store_is_sound(self):
        store = self.root / "data" / "empty"
        store.mkdir()
        self.assertEqual(self.verify("--all", "--store", f"file://{store}").log, "")

    def test_bad_input(self):
        self.assertIn("has no cache in", self.verify("nobody", expect=4).errors)
        self.assertIn("needs an APP, or --all", self.verify(expect=2).errors)
        self.assertIn("not both", self.verify("demo", "--all", expect=2).errors)
        self.verify("demo", "--format", "xml", expect=2)
        self.verify("demo", "--store", "nonsense", expect=2)
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        self.verify("demo", "--store", f"file://{blocked}/store", expect=5)


if __name__ == "__main__":
    main()
