"""How many requests a build's cache costs, by the report's counters."""

from harness import EndToEnd, main

# What a build leaves in its cache: content that does not compress, in several packs; "changing" grows where it is asked to.
COMPILE = """
cd "$2"
[ -e large ] || { head -c 50000000 /dev/urandom >large; for i in $(seq 300); do echo "$i" >"file$i"; done; }
case "$(cat "$3/DO")" in change) echo "one more" >>changing;; esac
"""
WARM_WITH_TIER = 2
CHANGE = 4


class Requests(EndToEnd):
    def setUp(self):
        super().setUp()
        self.pack = self.buildpack(compile=COMPILE)

    def count(self, action, *arguments):
        """(requests, outcome) of a build, whose only requests are those for its cache."""
        outcome = self.build(self.app(), "--no-publish", "--env", f"DO={action}", *arguments, packs=[self.pack])
        return sum(outcome.report["store"]["requests"].values()), outcome

    def packs(self):
        return sum("pack" in path.parts for path in self.objects())

    def test_an_unchanged_build_from_nothing_asks_four_times_for_a_pack_at_most(self):
        self.count("change")
        self.assertGreaterEqual(self.packs(), 3)
        requests, outcome = self.count("nothing")
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("hit", "unchanged"))
        self.assertGreaterEqual(requests, self.packs() + 3)
        self.assertLessEqual(requests, self.packs() * 4 + 3)

    def test_with_a_tier_an_unchanged_build_asks_for_head_alone(self):
        tier = self.root / "home" / "tier"
        _, cold = self.count("change", "--tier", tier)
        self.assertEqual(cold.report["store"]["tier"]["hits"], 0)
        requests, outcome = self.count("nothing", "--tier", tier)
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("hit", "unchanged"))
        self.assertEqual(requests, WARM_WITH_TIER)
        did = outcome.report["store"]["tier"]
        self.assertGreaterEqual(did["hits"], self.packs())
        self.assertEqual((did["misses"], did["bytes"]), (0, outcome.restore["fetched_bytes"]))
        _, without = self.count("nothing")
        self.assertIsNone(without.report["store"]["tier"])

    def test_with_a_kept_cache_an_unchanged_build_asks_for_head_alone(self):
        self.count("change", "--keep-caches", "1GiB")
        requests, outcome = self.count("nothing", "--keep-caches", "1GiB")
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("hit", "unchanged"))
        self.assertEqual(outcome.restore["fetched_bytes"], 0)
        self.assertLessEqual(requests, WARM_WITH_TIER)

    def test_the_save_of_a_change_asks_four_times(self):
        self.count("change")
        unchanged, _ = self.count("nothing")
        changed, outcome = self.count("change")
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("hit", "saved"))
        self.assertEqual(outcome.save["changed"], 1)
        self.assertLess(outcome.save["uploaded_bytes"], 100_000)
        # The restore is the same as before; the save of the unchanged build read HEAD.
        self.assertLessEqual(changed - (unchanged - 1), CHANGE)
        _, outcome = self.count("nothing")
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("hit", "unchanged"))


if __name__ == "__main__":
    main()
