"""Nothing that goes wrong with the cache fails a build or shows it half a cache."""

import os
import shutil

from harness import EndToEnd, main

# Cold: makes 3 MB that do not compress, and remembers their hash. Warm: all of it must be there, or nothing at all.
BUILD = r"""
cd "$2"
if [ -z "$(ls -A)" ]; then
  mkdir d; head -c 3000000 /dev/urandom >d/data; sha256sum d/data >sum; for i in $(seq 200); do echo "$i" >"d/$i"; done
  echo "state=[cold]"
else
  sha256sum --quiet -c sum && [ "$(ls d | wc -l)" = 201 ] && [ "$(cat d/200)" = 200 ] || { echo HALF A CACHE; exit 1; }
  echo "state=[warm]"
fi
"""


class Damage(EndToEnd):
    def prepare(self):
        pack = self.buildpack(compile=BUILD)
        self.assertEqual(self.build(self.app(), packs=[pack]).said("state"), "cold")
        self.golden = self.root / "golden"
        shutil.copytree(self.store, self.golden)
        return pack

    def each_object(self):
        """Every stored object of the cache, in a store that is whole again each time."""
        names = [path.relative_to(self.store) for path in self.objects("apps/demo/cache")]
        self.assertGreaterEqual(len(names), 3)
        for name in names:
            shutil.rmtree(self.store)
            shutil.copytree(self.golden, self.store)
            os.chmod(self.store / name, 0o600)
            yield name, self.store / name

    def check_harmless(self, pack, what):
        outcome = self.build(self.app(), packs=[pack])
        self.assertIn(outcome.restore["outcome"], ("damaged", "fallback", "miss", "hit", "unavailable"), what)
        self.assertEqual(outcome.said("state"), "warm" if outcome.restore["outcome"] in ("hit", "fallback") else "cold")
        healed = self.build(self.app(), packs=[pack])
        self.assertEqual((healed.restore["outcome"], healed.said("state")), ("hit", "warm"), f"{what}: {healed}")
        return outcome

    def test_a_flipped_byte_in_any_object(self):
        pack = self.prepare()
        for name, path in self.each_object():
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0x40
            path.write_bytes(content)
            self.assertNotEqual(self.check_harmless(pack, f"flipped {name}").restore["outcome"], "hit", name)

    def test_any_object_cut_short(self):
        pack = self.prepare()
        for name, path in self.each_object():
            os.truncate(path, path.stat().st_size // 2)
            self.assertNotEqual(self.check_harmless(pack, f"cut {name}").restore["outcome"], "hit", name)

    def test_any_object_gone(self):
        pack = self.prepare()
        for name, path in self.each_object():
            path.unlink()
            self.assertNotEqual(self.check_harmless(pack, f"gone {name}").restore["outcome"], "hit", name)

    def test_garbage_and_nothing_instead_of_any_object(self):
        pack = self.prepare()
        for name, path in self.each_object():
            path.write_bytes(b"" if "HEAD" in name.name else os.urandom(path.stat().st_size))
            self.check_harmless(pack, f"garbage {name}")

    def test_the_warning_is_one_that_helps(self):
        pack = self.prepare()
        for path in self.objects("apps/demo/cache"):
            if path.stat().st_size > 1000000:
                os.chmod(path, 0o600)
                os.truncate(path, 1000)
        outcome = self.build(self.app(), packs=[pack])
        self.assertEqual(outcome.restore["outcome"], "damaged", str(outcome))
        self.assertRegex((outcome.log + outcome.errors).lower(), "cache")

    def test_a_purge_from_outside_is_a_cold_build(self):
        pack = self.prepare()
        shutil.rmtree(self.store / "apps" / "demo" / "cache")
        outcome = self.check_harmless(pack, "purged")
        self.assertEqual(outcome.restore["outcome"], "miss")

    def test_without_its_head_the_leftovers_are_never_brought_back(self):
        pack = self.prepare()
        for path in self.objects("apps/demo/cache"):
            if path.name.startswith("HEAD"):
                path.unlink()
        self.assertEqual(self.build(self.app(), packs=[pack]).restore["outcome"], "miss")


class Failing(EndToEnd):
    def test_a_cache_that_cannot_be_saved_does_not_fail_a_finished_build(self):
        (self.store / "apps" / "demo").mkdir(parents=True)
        (self.store / "apps" / "demo" / "cache").write_text("a file where a folder belongs\n")
        outcome = self.build(self.app({"Procfile": "web: true\n"}), packs=[self.buildpack(compile='touch "$2/x"')])
        self.assert_ok(outcome)
        self.assertEqual(outcome.save["outcome"], "failed", str(outcome))
        self.assertTrue((self.builds()[0] / "slug.tgz").is_file())
        self.assertEqual(self.hearth("run", "demo").code, 0)

    def test_the_slug_goes_first(self):
        outcome = self.build(self.app(), packs=[self.buildpack(compile='head -c 1000000 /dev/urandom >"$2/x"')])
        publish, save = outcome.phase("publish"), outcome.phase("save")
        self.assertLessEqual(publish["start"] + publish["seconds"], save["start"] + 0.005)

    def test_no_space_for_the_cache_does_not_fail_the_build(self):
        self.tmpfs(self.store, "6m")
        pack = self.buildpack(compile='[ -z "$(ls -A "$2")" ] && echo "state=[cold]"; head -c 20000000 /dev/urandom >"$2/x"')
        for _ in range(2):
            outcome = self.build(self.app(), packs=[pack])
            self.assertEqual((outcome.save["outcome"], outcome.said("state")), ("failed", "cold"), str(outcome))

    def test_a_late_restore_is_a_cold_build_and_a_late_save_changes_nothing(self):
        pack = self.buildpack(compile='[ -e "$2/x" ] && echo "state=[warm]" || echo "state=[cold]"; head -c 30000000 /dev/urandom >"$2/x"')
        self.build(self.app(), packs=[pack])
        outcome = self.build(self.app(), "--restore-deadline", "1ms", "--save-deadline", "1ms", packs=[pack])
        self.assertEqual(outcome.restore["outcome"], "late", str(outcome))
        self.assertEqual(outcome.said("state"), "cold")
        self.assertIn(outcome.save["outcome"], ("late", "failed"), str(outcome))
        self.assertEqual(self.build(self.app(), packs=[pack]).said("state"), "warm")
        for flag in ("--restore-deadline", "--save-deadline"):
            for value in ("soon", "-1s", "1x"):
                self.assertIn(value, self.build(self.app(), flag, value, packs=[pack], expect=2).errors)


if __name__ == "__main__":
    main()
