"""The binary on Google Cloud Storage: started by tests/stores/with_server.py, which says where it is."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
import uuid

from harness import EndToEnd, main, write_tree

EMULATOR = os.environ["STORES_GCS_EMULATOR"]


def inject(**fault):
    urllib.request.urlopen(f"{EMULATOR}/fault", data=json.dumps(fault).encode()).close()


def faults():
    with urllib.request.urlopen(f"{EMULATOR}/fault") as answer:
        return json.load(answer)


class OnGcs(EndToEnd):
    def setUp(self):
        super().setUp()
        self.bucket = f"e2e-{uuid.uuid4().hex[:12]}"
        self.url = f"gs://{self.bucket}/some/prefix"
        self.login = {"STORAGE_EMULATOR_HOST": EMULATOR}
        self.tree = write_tree(self.root / "home" / "tree", {f"d{i % 7}/file{i}": f"{i}\n" * i for i in range(300)})
        (self.tree / "large").write_bytes(os.urandom(30_000_000))
        self.copy = self.root / "home" / "copy"

    def environment(self, **more):
        return super().environment(**{"HEARTH_STORE": self.url, "NO_GCE_CHECK": "true", **self.login, **more})

    def log_in(self, credentials):
        """From here on to the server that wants tokens."""
        endpoint = urllib.parse.quote(os.environ["STORES_GCS_ENDPOINT"], safe="")
        self.url = f"gs://{self.bucket}/some/prefix?project=hearth-tests&endpoint={endpoint}"
        self.login = {"GOOGLE_APPLICATION_CREDENTIALS": os.environ[credentials]}

    def save(self, *arguments, **options):
        return self.hearth("cache", "save", self.tree, "--app", "demo", "--strict", *arguments, **options)

    def restore(self, *arguments, **options):
        return self.hearth("cache", "restore", self.copy, "--app", "demo", "--strict", *arguments, **options)

    def assert_same(self):
        difference = subprocess.run(["diff", "-r", str(self.tree), str(self.copy)], capture_output=True, check=False)
        self.assertEqual(difference.returncode, 0, difference.stdout[-2000:])

    def assert_round_trip(self):
        saved = self.save("--create-store")
        self.assertEqual(saved.code, 0, str(saved))
        restored = self.restore()
        self.assertEqual(restored.code, 0, str(restored))
        self.assert_same()

    def test_what_is_saved_is_restored(self):
        self.assert_round_trip()
        (self.tree / "d1" / "file1").write_text("changed\n")
        (self.tree / "new").write_text("new\n")
        self.assertIn("1 added, 1 changed, 0 removed", self.save().log)
        self.assertEqual(self.restore().code, 0)
        self.assert_same()
        self.assertIn("unchanged since", self.save().log)
        verified = self.hearth("cache", "verify", "demo")
        self.assertEqual(verified.code, 0, str(verified))

    def test_every_kind_of_credentials(self):
        for credentials in ("STORES_GCS_ACCOUNT", "STORES_GCS_USER", "STORES_GCS_FEDERATED"):
            with self.subTest(credentials):
                self.log_in(credentials)
                self.assert_round_trip()

    def test_a_save_survives_expired_tokens(self):
        self.log_in("STORES_GCS_ACCOUNT")
        self.assertEqual(self.save("--create-store").code, 0)
        (self.tree / "larger").write_bytes(os.urandom(40_000_000))
        inject(kind="expire-tokens")
        self.assert_round_trip()
        self.assertEqual(faults()["left"], 0)

    def test_a_publish_survives_cut_uploads(self):
        pack = self.buildpack(compile='head -c 40000000 /dev/urandom >"$1/large"; echo "sha256sum large" >"$1/go"; '
                                      'echo SUM=[$(sha256sum "$1/large" | cut -d" " -f1)]',
                              release='printf "default_process_types:\\n  web: bash go\\n"')
        inject(kind="cut-upload", after=3_000_000, times=2)
        built = self.build(self.app(), "--create-store", packs=[pack])
        self.assertEqual(faults()["left"], 0)
        ran = self.hearth("run", "demo")
        self.assertIn(built.said("SUM"), ran.log, str(ran))

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

    def test_no_credentials_say_where_they_were_looked_for(self):
        self.log_in("STORES_GCS_ACCOUNT")
        outcome = self.restore(env={"GOOGLE_APPLICATION_CREDENTIALS": None})
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("no credentials for Google Cloud Storage were found (looked into: GOOGLE_APPLICATION_CREDENTIALS",
                      outcome.errors)

    def test_refused_credentials_are_a_cold_build_that_says_so_and_no_secret(self):
        self.log_in("STORES_GCS_USER")
        self.assertEqual(self.save("--create-store").code, 0)
        wrong = self.root / "home" / "wrong.json"
        user = json.loads(open(os.environ["STORES_GCS_USER"], encoding="utf-8").read())
        wrong.write_text(json.dumps({**user, "refresh_token": "hidden-in-no-message"}))
        outcome = self.restore(env={"GOOGLE_APPLICATION_CREDENTIALS": str(wrong)})
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("invalid_grant", outcome.errors)
        self.assertNotIn("hidden-in-no-message", str(outcome))
        cold = self.build(self.app(), "--no-publish", packs=[self.buildpack()],
                          env={"GOOGLE_APPLICATION_CREDENTIALS": str(wrong)})
        self.assertEqual(cold.restore["outcome"], "unavailable")
        self.assertNotIn("hidden-in-no-message", str(cold))

    def test_the_store_is_not_seen_by_a_buildpack(self):
        self.log_in("STORES_GCS_ACCOUNT")
        pack = self.buildpack(compile='env; cat /proc/self/environ | tr "\\0" "\\n"; ls "$3"')
        outcome = self.build(self.app(), "--create-store", packs=[pack])
        self.assertNotIn("GOOGLE_", outcome.log)
        self.assertNotIn("PRIVATE KEY", str(outcome))


if __name__ == "__main__":
    main()
