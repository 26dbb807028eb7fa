"""The binary on an S3 server: started by tests/stores/with_server.py, which says where it is."""

import os
import shutil
import subprocess
import urllib.parse
import uuid

from harness import EndToEnd, main, write_tree

ENDPOINT = os.environ["STORES_S3_ENDPOINT"]
KEYS = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")}


class OnS3(EndToEnd):
    def setUp(self):
        super().setUp()
        self.bucket = f"e2e-{uuid.uuid4().hex[:12]}"
        self.url = f"s3://{self.bucket}/some/prefix?endpoint={urllib.parse.quote(ENDPOINT, safe='')}"
        self.tree = write_tree(self.root / "home" / "tree", {f"d{i % 7}/file{i}": f"{i}\n" * i for i in range(300)})
        (self.tree / "large").write_bytes(os.urandom(30_000_000))
        self.copy = self.root / "home" / "copy"

    def environment(self, **more):
        return super().environment(**{"HEARTH_STORE": self.url, **KEYS, **more})

    def save(self, *arguments, **options):
        return self.hearth("cache", "save", self.tree, "--app", "demo", "--strict", *arguments, **options)

    def restore(self, *arguments, **options):
        return self.hearth("cache", "restore", self.copy, "--app", "demo", "--strict", *arguments, **options)

    def assert_same(self):
        difference = subprocess.run(["diff", "-r", str(self.tree), str(self.copy)], capture_output=True, check=False)
        self.assertEqual(difference.returncode, 0, difference.stdout[-2000:])

    def assert_no_secret(self, outcome):
        self.assertNotIn(KEYS["AWS_SECRET_ACCESS_KEY"], str(outcome))

    def test_what_is_saved_is_restored(self):
        saved = self.save("--create-store")
        self.assertEqual(saved.code, 0, str(saved))
        restored = self.restore()
        self.assertEqual(restored.code, 0, str(restored))
        self.assert_same()
        (self.tree / "d1" / "file1").write_text("changed\n")
        (self.tree / "new").write_text("new\n")
        self.assertIn("1 added, 1 changed, 0 removed", self.save().log)
        self.assertEqual(self.restore().code, 0)
        self.assert_same()
        self.assertIn("unchanged since", self.save().log)
        verified = self.hearth("cache", "verify", "demo")
        self.assertEqual(verified.code, 0, str(verified))

    def test_a_build_is_warm_and_its_slug_runs(self):
        pack = self.buildpack(compile='cat "$2/n" 2>/dev/null && echo WARM=[yes]; date >"$2/n"; echo "echo RAN" >"$1/go"',
                              release='printf "default_process_types:\\n  web: bash go\\n"')
        self.build(self.app(), "--create-store", packs=[pack])
        self.forget_everything_local()
        warm = self.build(self.app(), packs=[pack])
        self.assertEqual(warm.said("WARM"), "yes")
        self.assertEqual(warm.restore["outcome"], "hit")
        self.assertEqual(warm.save["outcome"], "saved")
        ran = self.hearth("run", "demo")
        self.assertIn("RAN", ran.log, str(ran))

    def test_without_create_store_the_bucket_is_not_made(self):
        saved = self.save()
        self.assertNotEqual(saved.code, 0)
        self.assertIn(f"there is no bucket {self.bucket}; create it, or let --create-store do so", saved.errors)
        self.assertEqual(saved.errors.count("there is no bucket"), 1, saved.errors)
        self.assertNotEqual(self.save().code, 0)

    def test_a_wrong_secret_is_a_cold_build_that_says_so(self):
        self.assertEqual(self.save("--create-store").code, 0)
        outcome = self.restore(env={"AWS_SECRET_ACCESS_KEY": "hidden-in-no-message"})
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("SignatureDoesNotMatch", outcome.errors)
        self.assertNotIn("hidden-in-no-message", str(outcome))
        self.assert_no_secret(outcome)
        cold = self.build(self.app(), "--no-publish", packs=[self.buildpack()],
                          env={"AWS_SECRET_ACCESS_KEY": "hidden-in-no-message"})
        self.assertEqual(cold.restore["outcome"], "unavailable")

    def test_no_credentials_say_where_they_were_looked_for(self):
        outcome = self.restore(env={"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None,
                                    "AWS_EC2_METADATA_DISABLED": "true"})
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("no credentials for S3 were found (looked into: the environment", outcome.errors)

    def test_over_tls_only_with_a_trusted_certificate(self):
        secure = os.environ.get("STORES_S3_TLS_ENDPOINT")
        if not secure:
            self.skipTest("this server has no TLS")
        self.url = f"s3://{self.bucket}?endpoint={urllib.parse.quote(secure, safe='')}"
        refused = self.save("--create-store")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("certificate", refused.errors)
        self.assertEqual(self.save("--create-store", "--insecure").code, 0)
        trusted = {"AWS_CA_BUNDLE": os.environ["STORES_CA_FILE"]}
        self.assertEqual(self.restore(env=trusted).code, 0)
        self.assert_same()
        shutil.rmtree(self.copy)
        self.assertEqual(self.restore(env={"SSL_CERT_FILE": os.environ["STORES_CA_FILE"]}).code, 0)

    def test_the_store_is_not_seen_by_a_buildpack(self):
        pack = self.buildpack(compile='env; cat /proc/self/environ | tr "\\0" "\\n"; ls "$3"')
        outcome = self.build(self.app(), "--create-store", packs=[pack])
        self.assert_no_secret(outcome)
        self.assertNotIn("AWS_", outcome.log)


if __name__ == "__main__":
    main()
