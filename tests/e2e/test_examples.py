"""The example buildpacks and apps: cold, everything local deleted but the store, warm, and the app answers."""

import re
import shutil
import signal

from harness import EXAMPLES, PATIENCE, EndToEnd, can_run, http_get, main


class Examples(EndToEnd):
    def build_example(self, name, **options):
        source = self.root / "sources" / name
        if not source.exists():
            shutil.copytree(EXAMPLES / "apps" / name, source)
        outcome = self.build(source, "--buildpacks", EXAMPLES / "buildpacks", app=name, expect=None, timeout=300, **options)
        self.skip_if_unreachable(outcome)
        self.assert_ok(outcome)
        return outcome

    def cold_and_warm(self, name):
        cold = self.build_example(name)
        self.assertEqual(cold.restore["outcome"], "miss")
        self.assertEqual(cold.save["outcome"], "saved")
        self.assertGreater(cold.save["uploaded_bytes"], 0)
        self.assertGreater(cold.save["added"], 0)
        self.forget_everything_local()
        warm = self.build_example(name)
        self.assertEqual(warm.restore["outcome"], "hit")
        self.assertEqual(warm.restore["generation"], cold.save["generation"])
        self.assertEqual(warm.restore["entries"], cold.save["entries"])
        self.assertEqual(warm.restore["bytes"], cold.save["bytes"])
        self.assertGreater(warm.restore["fetched_bytes"], 0)
        self.assertIn(warm.save["outcome"], ("saved", "unchanged"))
        # Small caches are stored whole; of a larger one only what changed travels.
        self.assertLess(warm.save["uploaded_bytes"], max(cold.save["uploaded_bytes"] / 2, 1 << 20))
        self.assertLess(warm.save["read_bytes"], warm.save["bytes"] + 1)
        self.assertLess(warm.save["added"], max(cold.save["added"] / 2, 10))
        return cold, warm

    def serve(self, name, path, expected):
        with self.running(name, "web") as (port, process):
            status, body = http_get(port, path)
            self.assertEqual((status, expected in body), (200, True), body)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=PATIENCE), 0)

    def test_make_is_compiled_once(self):
        cold, warm = self.cold_and_warm("make")
        self.assertRegex(cold.log, r"0 of [1-9]\d* compilations were cache hits")
        hits, compilations = re.search(r"(\d+) of (\d+) compilations were cache hits", warm.log).groups()
        self.assertEqual(hits, compilations)
        self.assertEqual(warm.report["processes"], {"web": "./hello"})
        self.serve("make", "/", b"Hello from C")

    def test_nodejs_takes_its_modules_over(self):
        if not can_run("npm", "--version"):
            self.skipTest("no npm on this machine")
        cold, warm = self.cold_and_warm("nodejs")
        self.assertIn("Installing dependencies", cold.log)
        self.assertIn("node_modules taken over from the last build", warm.log)
        self.assertIn("node_version", warm.report["buildpacks"][0]["report"])
        self.serve("nodejs", "/hello/a%3Cb", b"Hello, a&lt;b")

    def test_apt_downloads_its_archives_once(self):
        _, warm = self.cold_and_warm("apt")
        before, unpacked = re.search(r"Archives: (\d+) were in the cache, (\d+) are unpacked", warm.log).groups()
        self.assertEqual(before, unpacked)
        self.serve("apt", "/tree", b".profile.d")


if __name__ == "__main__":
    main()
