"""`hearth store check`, and the tier that keeps what was fetched."""

import json
import os

from harness import EndToEnd, main, write_tree


class StoreCheck(EndToEnd):
    def check(self, *arguments, expect=0, **options):
        outcome = self.hearth("store", "check", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def test_a_directory(self):
        store = self.root / "data" / "checked"
        outcome = self.check(f"file://{store}")
        for line in ("write, read back     yes", "compare-and-swap     yes", "list past one page   yes     1001 of 1001",
                     "checksums            -       nothing travels that could be damaged"):
            self.assertIn(line, outcome.log)
        self.assertTrue(outcome.log.rstrip().endswith("The store can be used."), outcome.log)
        left = [path for path in store.rglob("*") if path.is_file() and ".hearth" not in path.parts]
        self.assertEqual(left, [])

    def test_as_json(self):
        report = json.loads(self.check("--format", "json", "--store", f"file://{self.root}/data/checked").log)
        self.assertTrue(report["usable"])
        self.assertTrue(report["compare_and_swap"])
        self.assertEqual(report["left_behind"], 0)
        self.assertIsNone(report["checksums"])  # nothing travels
        verdicts = {finding["subject"]: finding["verdict"] for finding in report["findings"]}
        self.assertEqual(verdicts.pop("checksums"), "-")
        self.assertEqual(set(verdicts.values()), {"yes"})
        self.assertGreater(report["read_bytes_per_second"], 0)

    def test_bad_input(self):
        self.check("nonsense", expect=2)
        self.check("file://relative", expect=2)
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        self.assertIn("file", self.check(f"file://{blocked}/store", expect=5).errors)
        self.check("--format", "xml", expect=2)


class Tier(EndToEnd):
    def setUp(self):
        super().setUp()
        self.tree = write_tree(self.root / "home" / "tree", {"large": os.urandom(3_000_000), "dir/small": "content\n"})
        self.tier = self.root / "data" / "tier"
        self.assertEqual(self.hearth("cache", "save", self.tree, "--app", "demo").code, 0)

    def restore(self, name, *arguments):
        directory = self.root / "home" / name
        outcome = self.hearth("cache", "restore", directory, "--app", "demo", "--tier", self.tier, *arguments)
        self.assertEqual(outcome.code, 0, str(outcome))
        return directory, outcome

    def hide_data(self):
        for path in self.objects("apps/demo/cache"):
            if "HEAD." not in path.name:
                path.unlink()

    def test_the_second_restore_fetches_nothing_but_head(self):
        self.restore("one")
        self.hide_data()
        directory, outcome = self.restore("two")
        self.assertEqual((directory / "large").read_bytes(), (self.tree / "large").read_bytes(), str(outcome))

    def test_without_it_the_data_is_needed(self):
        self.restore("one")
        self.hide_data()
        outcome = self.hearth("cache", "restore", self.root / "home" / "two", "--app", "demo", "--strict")
        self.assertEqual(outcome.code, 5, str(outcome))

    def test_what_was_saved_need_not_be_fetched(self):
        write_tree(self.tree, {"new": os.urandom(2_000_000)})
        self.assertEqual(self.hearth("cache", "save", self.tree, "--app", "other", "--tier", self.tier).code, 0)
        for path in self.objects("apps/other/cache"):
            if "HEAD." not in path.name:
                path.unlink()
        outcome = self.hearth("cache", "restore", self.root / "home" / "two", "--app", "other", "--tier", self.tier,
                              "--strict")
        self.assertEqual(outcome.code, 0, str(outcome))

    def test_damage_in_it_is_harmless(self):
        self.restore("one")
        for path in (self.tier / "objects").rglob("*"):
            if path.is_file():
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 1
                os.chmod(path, 0o600)
                path.write_bytes(content)
        directory, outcome = self.restore("two", "--strict")
        self.assertEqual((directory / "large").read_bytes(), (self.tree / "large").read_bytes(), str(outcome))

    def test_a_tier_that_cannot_be_used_is_a_warning(self):
        self.tier.write_text("no directory\n")
        directory, outcome = self.restore("one", "--strict")
        self.assertIn("without the tier", outcome.errors)
        self.assertTrue((directory / "large").exists())

    def test_verify_looks_at_the_store(self):
        self.restore("one")
        self.hide_data()
        self.assertEqual(self.hearth("cache", "verify", "demo", "--tier", self.tier).code, 1)

    def test_its_size_is_bounded(self):
        self.restore("one", "--tier-size", "1MB")
        total = sum(path.stat().st_size for path in self.tier.rglob("*") if path.is_file())
        self.assertLess(total, 1_100_000)


if __name__ == "__main__":
    main()
