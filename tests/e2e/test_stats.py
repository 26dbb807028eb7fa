"""`hearth cache stats`, counted again from what the builds themselves reported; `--cache auto`."""

import json
import os
import pty
import statistics

from caches import size
from harness import PATIENCE, EndToEnd, main

# Half a second of work that the cache saves.
WORK = '[ -e "$2/done" ] || { sleep 0.6; head -c 200000 /dev/urandom >"$2/done"; }'


class Stats(EndToEnd):
    def stats(self, *arguments, expect=0, **options):
        outcome = self.hearth("cache", "stats", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def caches(self, *arguments):
        answer = json.loads(self.stats(*arguments, "--format", "json").log)
        self.assertEqual(answer["version"], 1)
        return answer["caches"]

    def history(self, app="demo"):
        return json.loads((self.store / "apps" / app / "history.json").read_bytes())["builds"]

    def make_builds(self):
        pack = self.buildpack(compile=WORK)
        outcomes = [self.build(self.app(), packs=[pack]) for _ in range(3)]
        outcomes.append(self.build(self.app(), packs=[self.buildpack("broken", compile="exit 1")], expect=1))
        outcomes.append(self.build(self.app(), "--cache", "refresh", packs=[pack]))
        return outcomes

    def test_every_number_is_what_the_builds_were(self):
        outcomes = self.make_builds()
        (cache,) = self.caches("demo")
        reports = [outcome.report for outcome in outcomes]
        self.assertEqual((cache["app"], cache["stack"]), ("demo", "heroku-24"))
        self.assertEqual(cache["builds"], 5)
        self.assertEqual(cache["succeeded"], sum(report["outcome"] == "succeeded" for report in reports))
        restores = [report["cache"]["restore"] for report in reports if report["cache"]["restore"]["outcome"] != "off"]
        hits = [restore for restore in restores if restore["outcome"] == "hit"]
        self.assertEqual((cache["restores"], cache["hits"]), (len(restores), len(hits)))
        self.assertEqual((len(restores), len(hits)), (4, 3))
        self.assertEqual(cache["hit_rate"], 0.75)
        self.assertEqual(cache["fetched_bytes"], sum(restore["fetched_bytes"] for restore in restores))
        saves = [report["cache"]["save"] for report in reports]
        self.assertEqual(cache["uploaded_bytes"], sum(save["uploaded_bytes"] for save in saves))
        self.assertEqual(cache["saves"], 4)
        self.assertGreater(cache["uploaded_bytes"], 400000)
        # Times, within what a millisecond's rounding allows.
        restored = [phase["seconds"] for report in reports for phase in report["phases"]
                    if phase["name"] == "restore" and report["cache"]["restore"]["outcome"] == "hit"]
        self.assertAlmostEqual(cache["restore_seconds"], statistics.median(restored), delta=0.002)
        waited = [build["restore"]["waited"] for build in self.history() if build["restore"]["outcome"] == "hit"]
        self.assertAlmostEqual(cache["waited_seconds"], statistics.median(waited), delta=0.002)
        saved = [phase["seconds"] for report in reports for phase in report["phases"] if phase["name"] == "save"]
        self.assertAlmostEqual(cache["save_seconds"], statistics.median(saved), delta=0.002)
        compiled = [outcome.phase("compile")["seconds"] for outcome in outcomes]
        cold, warm = statistics.median([compiled[0], compiled[4]]), statistics.median(compiled[1:3])
        # The phase is more than compile: bin/report runs in it.
        self.assertGreater(cache["cold_compile_seconds"], 0.6)
        self.assertLessEqual(cache["cold_compile_seconds"], cold + 0.001)
        self.assertLessEqual(cache["warm_compile_seconds"], warm + 0.001)

    def test_what_is_saved_is_the_difference(self):
        self.make_builds()
        (cache,) = self.caches("demo")
        history = [build for build in self.history() if build["outcome"] == "succeeded"]
        cold = statistics.median(build["compile"]["seconds"] for build in history if build["compile"]["cache"] == "cold")
        warm = [build for build in history if build["compile"]["cache"] == "warm"]
        saved = [cold - build["compile"]["seconds"] - build["restore"]["waited"] for build in warm]
        self.assertEqual(len(saved), 2)
        self.assertAlmostEqual(cache["cold_compile_seconds"], cold, delta=0.002)
        self.assertAlmostEqual(cache["saved_seconds"], sum(saved), delta=0.002)
        self.assertAlmostEqual(cache["saved_seconds_per_build"], sum(saved) / 2, delta=0.002)
        self.assertGreater(cache["saved_seconds_per_build"], 0.1)
        self.assertEqual([one["build"] for one in cache["saved_of_builds"]], [build["build"] for build in warm])
        for one, expected in zip(cache["saved_of_builds"], saved):
            self.assertAlmostEqual(one["seconds"], expected, delta=0.002)

    def test_for_people(self):
        reports = [outcome.report["cache"] for outcome in self.make_builds()]
        fetched, uploaded = (sum(report[part].get(count, 0) for report in reports)
                             for part, count in (("restore", "fetched_bytes"), ("save", "uploaded_bytes")))
        outcome = self.stats("demo")
        self.assertEqual(outcome.errors, "")
        for line in ("demo (heroku-24, ", "  builds    5, of which 4 succeeded", "  hit rate  75 % (3 of 4 restores)",
                     f"; {size(fetched)} fetched in sum", f"; {size(uploaded)} uploaded in sum", " warm, ", " a build, ",
                     " in sum over 2 builds"):
            self.assertIn(line, outcome.log)
        self.assertNotIn("until compiled", outcome.log)
        self.assertIn("█", self.on_a_terminal("cache", "stats", "demo"))
        self.assertIn("until compiled", self.on_a_terminal("cache", "stats", "demo"))

    def on_a_terminal(self, *arguments):
        primary, secondary = pty.openpty()
        with os.fdopen(primary, "rb", buffering=0) as terminal:
            process = self.start(*arguments, stdout=secondary)
            os.close(secondary)
            text = b""
            while True:
                try:
                    piece = terminal.read(65536)
                except OSError:  # the terminal's other end was closed
                    break
                if not piece:
                    break
                text += piece
            self.assertEqual(process.wait(timeout=PATIENCE), 0)
            process.communicate()
            self.running_processes.remove(process)
        return text.decode()

    def test_nothing_to_compare_yet(self):
        self.build(self.app(), packs=[self.buildpack(compile=WORK)])
        (cache,) = self.caches("demo")
        self.assertIsNone(cache["saved_seconds"])
        self.assertIn("it takes a build that compiled with the cache", self.stats("demo").log)

    def test_all_caches_and_stacks(self):
        pack = self.buildpack(compile="true")
        self.build(self.app(), packs=[pack], app="one")
        self.build(self.app(), packs=[pack], app="two")
        self.build(self.app(), "--stack", "heroku-22", packs=[pack], app="two")
        found = [(cache["app"], cache["stack"], cache["builds"]) for cache in self.caches("--all")]
        self.assertEqual(found, [("one", "heroku-24", 1), ("two", "heroku-22", 1), ("two", "heroku-24", 1)])
        self.assertEqual([cache["stack"] for cache in self.caches("two", "--stack", "heroku-22")], ["heroku-22"])

    def test_builds_at_the_same_time_are_all_remembered(self):
        pack = self.buildpack(compile="sleep 0.3")
        started = [self.start("build", self.app(name=f"source-{number}"), "--app", "demo", "--buildpack", pack) for number in range(5)]
        for process in started:
            self.assertEqual(self.finish(process).code, 0)
        self.assertEqual(sorted(build["build"] for build in self.history()), [path.name for path in self.builds()])

    def test_without_a_slug_store_the_cache_is_remembered_all_the_same(self):
        pack = self.buildpack(compile=WORK)
        for _ in range(2):
            self.build(self.app(), "--no-publish", packs=[pack])
        self.assertEqual([build["compile"]["cache"] for build in self.history()], ["cold", "warm"])
        self.assertEqual(self.builds(), [])

    def test_a_damaged_history_is_none_and_is_replaced(self):
        pack = self.buildpack(compile="true")
        self.build(self.app(), packs=[pack])
        path = self.store / "apps/demo/history.json"
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:50])
        self.stats("demo", expect=4)
        self.build(self.app(), packs=[pack])
        self.assertEqual(self.caches("demo")[0]["builds"], 1)

    def test_bad_input(self):
        self.assertIn("no builds of nobody are remembered", self.stats("nobody", expect=4).errors)
        self.assertIn("needs an APP, or --all", self.stats(expect=2).errors)
        self.stats("demo", "--all", expect=2)
        self.stats("demo", "--format", "xml", expect=2)
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        self.stats("demo", "--store", f"file://{blocked}/store", expect=5)
        self.assertEqual(self.caches("--all", "--store", f"file://{self.root}/data/empty"), [])


class Auto(EndToEnd):
    def auto(self, pack):
        return self.build(self.app(), "--cache", "auto", packs=[pack])

    def test_a_cache_that_saves_is_used(self):
        pack = self.buildpack(compile=WORK)
        outcomes = [self.auto(pack) for _ in range(6)]
        self.assertEqual([outcome.restore["outcome"] for outcome in outcomes], ["miss"] + ["hit"] * 5)

    def test_a_cache_that_costs_more_is_skipped_and_tried_again(self):
        """Of a buildpack that spends more time on checking what it finds than on making it anew."""
        body = 'if [ -e "$2/made" ]; then sleep 5; echo "found=[yes]"; else touch "$2/made"; echo "found=[no]"; fi'
        pack = self.buildpack("same", compile=body)
        for _ in range(4):
            self.build(self.app(), packs=[pack])
        for _ in range(10):
            skipped = self.auto(pack)
            self.assertEqual((skipped.restore["outcome"], skipped.save["outcome"]), ("skipped", "skipped"))
            self.assertEqual(skipped.said("found"), "no")
            self.assertEqual(skipped.log.count("The cache is skipped, since it costs more than it saves: "), 1)
        tried = self.auto(pack)
        self.assertEqual((tried.restore["outcome"], tried.said("found")), ("hit", "yes"))
        self.assertIn("The cache is tried again", tried.log)
        self.assertEqual(self.auto(pack).restore["outcome"], "skipped")

    def test_it_goes_by_what_the_store_remembers(self):
        pack = self.buildpack(compile='touch "$2/made"')
        for _ in range(4):
            self.build(self.app(), packs=[pack])
        path = self.store / "apps/demo/history.json"
        history = json.loads(path.read_bytes())
        for build in history["builds"]:
            build["compile"]["seconds"] = 5 if build["compile"]["cache"] == "warm" else 1
        path.chmod(0o600)
        path.write_bytes(json.dumps(history).encode())
        self.assertEqual(self.auto(pack).restore["outcome"], "skipped")

    def test_one_good_trial_is_enough(self):
        body = 'if [ -e "$2/made" ]; then sleep "$(cat "$1/seconds")"; else sleep 1.5; touch "$2/made"; fi'
        pack, slow, quick = self.buildpack("same", compile=body), self.app({"seconds": "6"}, "slow"), self.app({"seconds": "0"}, "quick")
        for _ in range(4):
            self.build(slow, packs=[pack])
        outcomes = [self.build(quick, "--cache", "auto", packs=[pack]).restore["outcome"] for _ in range(13)]
        self.assertEqual(outcomes, ["skipped"] * 10 + ["hit"] * 3)

    def test_bad_input(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--cache", "maybe")
        self.assertEqual(outcome.code, 2)
        self.assertIn("on|off|read-only|refresh|auto", outcome.errors)


if __name__ == "__main__":
    main()
