#!/usr/bin/env python3
"""The harness of bench/run, without measuring anything: harness_test.py BENCH_HARNESS_DIR"""
import pathlib
import random
import sys
import tempfile
import unittest

HARNESS = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(HARNESS))

import churn
import document
import figures
import goals
import measuring
import micro
import page
import scaling
import slugs

PAGE = HARNESS.parent.parent / "docs/performance.md"


def record(operation, tool, number=0, **more):
    return {"corpus": "node", "fs": "ext4", "round": number, "operation": operation, "tool": tool, **more}


def saved(tool, number, seconds, size):
    return record("save-first", tool, number, seconds=seconds, bytes=size, objects=3, kept_bytes=size, memory=1 << 20,
                  cpu=seconds)


RECORDS = [saved("hearth", 0, 1.0, 200), saved("hearth", 1, 3.0, 200), saved("hearth", 2, 2.0, 200),
           saved("tar-zstd", 0, 2.0, 250), saved("tar-zstd", 1, 2.0, 250), saved("tar-zstd", 2, 4.0, 250),
           record("limit", "find", seconds=0.1)]
ABOUT = {"files": 10, "bytes": 4000, "changed_files": 1, "changed_bytes": 400, "floor_bytes": 100}
MACHINE = {"cores": 2, "processor": "P", "memory_bytes": 2**34, "kernel": "6", "system": "Debian", "scratch": "ext4",
           "tools": {"tar": "1"}, "command": "bench/run", "commit": "c", "date": "d"}
CHURN = [{"rate": 0.01, "number": number, "save_seconds": 0.1, "bytes": 10, "kept_bytes": 100 + number, "full_bytes": 100,
          "ungraced_bytes": 120 + number,
          **({"restore_seconds": 1.0, "restore_objects": 3, "restore_requests": 5} if number % 3 == 0 else {})}
         for number in range(31)]
SCALING = [{"by": "files", "amount": amount, "operation": operation, "tool": tool, "seconds": amount / 1e5,
            "memory": 1000 * amount} for amount in (10, 100, 1000) for operation in scaling.TITLES
           for tool in ("hearth", "tar-zstd")]
MICRO = [micro.parse({"name": "hash/1024", "real_time": 2.0, "time_unit": "us", "bytes_per_second": 5e8})]
SLUG = [{"operation": "slug", "tool": tool, "round": 0, "seconds": seconds, "cpu": 1.0, "bytes": 100, "memory": 100}
        for tool, seconds in (("slug-4", 1.0), ("pigz-6", 4.0), ("slug-1", 2.0), ("igzip-1", 1.0))]
RESULTS = {"version": 2, "machine": MACHINE, "corpora": {"node": ABOUT}, "records": RECORDS, "churn": CHURN,
           "scaling": SCALING, "micro": MICRO, "slug": SLUG}


class FiguresTest(unittest.TestCase):
    def setUp(self):
        self.found = figures.Figures(RECORDS)

    def test_a_limit_is_no_tool(self):
        self.assertEqual(self.found.tools, ["hearth", "tar-zstd"])

    def test_median_and_spread(self):
        self.assertEqual(self.found.median("save-first", "hearth"), 2.0)
        self.assertEqual(self.found.spread("save-first", "hearth"), (1.0, 3.0))
        self.assertIsNone(self.found.median("save-v2", "hearth"))

    def test_ratio_is_of_medians_and_its_spread_within_rounds(self):
        self.assertEqual(self.found.ratio(("save-first", "hearth"), ("save-first", "tar-zstd")), (1.0, (0.5, 1.5)))

    def test_what_was_measured_in_one_round_has_no_spread(self):
        self.assertEqual(self.found.ratio(("limit", "find"), ("limit", "find")), (1.0, None))

    def test_file_systems_stay_apart(self):
        other = [item | {"fs": "tmpfs"} for item in RECORDS]
        chosen = figures.select({"records": RECORDS + other})
        self.assertEqual([(corpus, kind) for corpus, kind, _ in chosen], [("node", "ext4"), ("node", "tmpfs")])


class GoalsTest(unittest.TestCase):
    def judged(self, records):
        return {verdict.goal: verdict.met for verdict in goals.judge("node", figures.Figures(records), ABOUT)}

    def test_met_and_missed(self):
        judged = self.judged(RECORDS)
        self.assertFalse(judged["save-first: ≤ 0.9 × tar-zstd's time"])
        self.assertTrue(judged["save-first: ≤ 1.0 × tar-zstd's bytes"])

    def test_what_was_not_measured_is_not_judged(self):
        self.assertFalse([goal for goal in self.judged(RECORDS) if goal.startswith("restore")])

    def test_nothing_at_all_goes_up(self):
        unchanged = [record("save-unchanged", "hearth", seconds=0.1, bytes=size) for size in (0, 0, 1)]
        self.assertTrue(self.judged(unchanged[:2])["save-unchanged: nothing goes up"])
        self.assertFalse(self.judged(unchanged[2:])["save-unchanged: nothing goes up"])

    def test_best_peer_counts(self):
        records = [record("save-v2", tool, bytes=size) for tool, size in (("hearth", 90), ("restic", 100), ("borg", 200))]
        self.assertTrue(self.judged(records)["save-v2: ≤ 0.9 × the best peer's bytes"])

    def test_words(self):
        self.assertEqual(goals.size(999), "999 B")
        self.assertEqual(goals.size(223_400_000), "223 MB")
        self.assertEqual(goals.seconds(0.0153), "15.3 ms")


class PartsTest(unittest.TestCase):
    def verdicts(self, found):
        return [verdict.met for verdict in found]

    def test_churn(self):
        self.assertEqual(self.verdicts(churn.judge(CHURN)), [True, True, True])
        worse = [item | {"kept_bytes": 161} for item in CHURN]
        self.assertEqual(self.verdicts(churn.judge(worse)), [False, True, True])

    def test_churn_changes_the_share_that_it_says_and_always_the_same(self):
        trees = [self.changed_tree() for _ in range(2)]
        self.assertEqual(*trees)
        same = sum(content == b"x" * 3000 for content in trees[0].values())
        self.assertEqual((len(trees[0]), same), (100, 90))

    def changed_tree(self):
        with tempfile.TemporaryDirectory() as name:
            for number in range(100):
                (pathlib.Path(name) / f"{number}.o").write_bytes(b"x" * 3000)
            churn.change(name, 0.1, random.Random(1))
            return {path.name: path.read_bytes() for path in pathlib.Path(name).iterdir()}

    def test_scaling_is_linear(self):
        self.assertTrue(all(self.verdicts(scaling.judge(SCALING))))
        bent = [item | {"seconds": item["amount"] ** 2} for item in SCALING]
        self.assertEqual(self.verdicts(scaling.judge(bent)), [False, False, False, True])

    def test_slug(self):
        self.assertEqual(self.verdicts(slugs.judge(figures.Figures(SLUG))), [True, True, False, True])

    def test_micro_times_are_seconds(self):
        self.assertEqual(MICRO[0]["seconds"], 2e-6)
        self.assertEqual(micro.duration(2e-6), "2 µs")


class StoreTest(unittest.TestCase):
    def test_what_is_new_or_changed_was_written(self):
        before = {"a": (1, 1), "b": (2, 1), "c": (4, 1)}
        after = {"a": (1, 1), "b": (2, 2), "d": (8, 1)}
        self.assertEqual(measuring.written(before, after), (10, 2))

    def test_pipelines(self):
        self.assertEqual(measuring.Command([["a", 1], ["b"]]).arguments(), ["a", "1", "|", "b"])


class PageTest(unittest.TestCase):
    def test_all_sections_have_their_place(self):
        text = page.fill(PAGE.read_text(), document.sections(RESULTS))
        for expected in ("| tar + `zstd -T0` | 2.00 (2.00–4.00) |", "**no**", "2 cores of P", "`hash/1024`", "1.0%"):
            self.assertIn(expected, text)

    def test_filling_twice_is_filling_once(self):
        sections = document.sections(RESULTS)
        once = page.fill(PAGE.read_text(), sections)
        self.assertEqual(page.fill(once, sections), once)

    def test_other_sections_stay(self):
        text = "<!-- bench a -->\nold\n<!-- end of a -->\n<!-- bench b -->\nkept\n<!-- end of b -->\n"
        filled = page.fill(text, {"a": "new"})
        self.assertEqual(filled, text.replace("old", "new"))

    def test_no_place_is_an_error(self):
        with self.assertRaises(page.NoPlace):
            page.fill("", {"a": "new"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
