"""`--save-on-failure quarantine`: what a failed build left is kept aside, for whoever asks for it."""

import json

from harness import EndToEnd, main

QUARANTINE = ("--save-on-failure", "quarantine", "--retry-cold", "never")
GOOD = 'echo good >"$2/state"'
FAIL = 'echo partial >"$2/partial"; rm -f "$2/state"; echo "compile=[failed]"; exit 3'
HAS_PARTIAL = '[ -e "$2/partial" ] && [ ! -e "$2/state" ] && echo "compile=[partial]"'
HAS_GOOD = '[ -e "$2/state" ] && [ ! -e "$2/partial" ] && echo "compile=[good]"'


class Quarantine(EndToEnd):
    def run_pack(self, body, *arguments, **options):
        return self.build(self.app(), *arguments, packs=[self.buildpack("same", compile=body)], **options)

    def head(self):
        (path,) = [path for path in self.objects("apps/demo/cache") if path.name.startswith("HEAD.")]
        return json.loads(path.read_bytes())

    def sound(self):
        self.assertEqual(self.hearth("cache", "verify", "demo").code, 0)

    def test_it_is_kept_aside_and_nobody_else_gets_it(self):
        good = self.run_pack(GOOD)
        failed = self.run_pack(FAIL, *QUARANTINE, expect=1)
        self.assertEqual(failed.save["outcome"], "quarantined")
        self.assertIn("Kept aside for --cache-from-failed", failed.log)
        head = self.head()
        self.assertEqual([(one["id"], one.get("failed")) for one in head["aside"]], [(failed.save["generation"], True)])
        self.assertEqual([one["id"] for one in head["generations"]], [good.save["generation"]])
        self.sound()
        other = self.run_pack(HAS_GOOD, "--cache", "read-only")
        self.assertEqual((other.said("compile"), other.restore["generation"]), ("good", good.save["generation"]))

    def test_who_asks_for_it_gets_it_and_a_success_with_it_makes_it_the_cache(self):
        self.run_pack(GOOD)
        failed = self.run_pack(FAIL, *QUARANTINE, expect=1)
        asked = self.run_pack(HAS_PARTIAL, "--cache-from-failed")
        self.assertEqual((asked.restore["outcome"], asked.restore["generation"]), ("hit", failed.save["generation"]))
        self.assertIn("Restored what a failed build left", asked.log)
        self.assertEqual(asked.save["outcome"], "saved")
        self.assertEqual(self.head()["aside"], [])
        self.assertEqual(self.run_pack(HAS_PARTIAL).said("compile"), "partial")
        self.sound()

    def test_a_success_drops_it(self):
        self.run_pack(GOOD)
        self.run_pack(FAIL, *QUARANTINE, expect=1)
        unchanged = self.run_pack(HAS_GOOD)
        self.assertEqual(unchanged.save["outcome"], "unchanged")
        self.assertEqual(self.head()["aside"], [])
        self.assertEqual(self.run_pack(HAS_GOOD, "--cache-from-failed").said("compile"), "good")
        self.sound()

    def test_a_build_that_ran_out_of_time_goes_on_where_it_was(self):
        """What it is for: each attempt gets further."""
        step = ('n=$(cat "$2/steps" 2>/dev/null || echo 0)\n'
                'while [ "$n" -lt 3 ]; do n=$((n + 1)); echo "$n" >"$2/steps"; [ "$n" = 3 ] || [ -e "$2/once-$n" ] || { touch "$2/once-$n"; sleep 1000; }; done\n'
                'echo "steps=[$n]"')
        options = (*QUARANTINE, "--cache-from-failed", "--build-timeout", "6s")
        for steps in ("1", "2"):
            late = self.run_pack(step, *options, expect=124)
            self.assertEqual(late.save["outcome"], "quarantined")
        self.assertEqual(self.run_pack(step, *options).said("steps"), "3")
        self.assertEqual((self.head()["aside"], len(self.head()["generations"])), ([], 1))

    def test_without_one_the_cache_is_restored_as_ever(self):
        self.run_pack(GOOD)
        self.assertEqual(self.run_pack(HAS_GOOD, "--cache-from-failed").said("compile"), "good")

    def test_off_is_the_default(self):
        self.run_pack(GOOD)
        before = self.head()
        self.assertEqual(self.run_pack(FAIL, expect=1).save["outcome"], "not-run")
        self.assertEqual(self.head(), before)

    def test_a_build_that_failed_before_it_compiled_leaves_nothing(self):
        self.run_pack(GOOD)
        before = self.head()
        pack = self.buildpack("same", compile="true", detect="exit 1")
        outcome = self.build(self.app(), *QUARANTINE, packs=[pack], expect=3)
        self.assertEqual((outcome.save["outcome"], self.head()), ("not-run", before))

    def test_a_cache_that_is_only_read_stays(self):
        self.run_pack(GOOD)
        before = self.head()
        self.assertEqual(self.run_pack(FAIL, *QUARANTINE, "--cache", "read-only", expect=1).save["outcome"], "not-run")
        self.assertEqual(self.head(), before)

    def test_bad_input(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--save-on-failure", "always")
        self.assertEqual(outcome.code, 2)
        self.assertIn('"always" is none of off|quarantine', outcome.errors)


if __name__ == "__main__":
    main()
