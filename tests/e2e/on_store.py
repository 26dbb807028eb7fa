"""What the binary does on every store that it is pointed to; store_NAME.py says which one."""

import json
import os
import subprocess
import uuid

from harness import EndToEnd, write_tree


class OnStore(EndToEnd):
    """Tests of a class that derives from this and sets what is None here."""

    KEYS = None  # environment variables by which the store is asked
    SECRET = None  # what must never be seen
    VARIABLES = None  # what the names of the store's variables begin with, which no buildpack may see
    NO_BUCKET = None  # the message about an absent bucket, with {}
    WRONG = None  # environment variables that the store refuses
    HIDDEN = ()  # what WRONG names without saying it: secrets in a file
    REFUSAL = None  # what the message says then
    NO_CREDENTIALS = None  # environment variables without any (None: unset)
    LOOKED = None  # what the message says then

    def url_of(self, bucket):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.bucket = f"e2e-{uuid.uuid4().hex[:12]}"
        self.url = self.url_of(self.bucket)
        self.tree = write_tree(self.root / "home" / "tree", {f"d{i % 7}/file{i}": f"{i}\n" * i for i in range(300)})
        (self.tree / "large").write_bytes(os.urandom(30_000_000))
        self.copy = self.root / "home" / "copy"

    def environment(self, **more):
        return super().environment(**{"HEARTH_STORE": self.url, **self.KEYS, **more})

    def save(self, *arguments, **options):
        return self.hearth("cache", "save", self.tree, "--app", "demo", "--strict", *arguments, **options)

    def restore(self, *arguments, **options):
        return self.hearth("cache", "restore", self.copy, "--app", "demo", "--strict", *arguments, **options)

    def assert_same(self):
        difference = subprocess.run(["diff", "-r", str(self.tree), str(self.copy)], capture_output=True, check=False)
        self.assertEqual(difference.returncode, 0, difference.stdout[-2000:])

    def assert_no_secret(self, outcome):
        self.assertNotIn(self.SECRET, str(outcome))


class Everywhere:
    """The tests themselves; a class of its own, so that they do not run on no store."""

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

    def test_what_operators_change(self):
        def told(*arguments):
            outcome = self.hearth("cache", *arguments, "--format", "json")
            self.assertEqual(outcome.code, 0, str(outcome))
            return json.loads(outcome.log)

        def ids():
            return [generation["id"] for generation in told("show", "demo")["generations"]]

        self.assertEqual(self.save("--create-store").code, 0)
        for number in range(2):
            (self.tree / "new").write_text(f"{number}\n")
            self.assertEqual(self.save().code, 0)
        newest, middle, oldest = ids()
        self.assertEqual(told("pin", "demo", "2")["pins"], [oldest])
        self.assertEqual(told("rollback", "demo", "--to", "1", "--yes")["aside"], [newest])
        self.assertEqual(ids(), [middle, oldest])
        purged = told("purge", "demo", "--path", "large", "--yes")["caches"][0]
        self.assertEqual((purged["paths"], len(purged["dropped"])), (["large"], 3))
        (self.tree / "large").unlink()
        (self.tree / "new").write_text("0\n")
        self.assertEqual(self.restore().code, 0)
        self.assert_same()
        swept = told("gc", "demo", "--dry-run")["caches"][0]
        stored = told("show", "demo")["stored"]
        self.assertEqual(swept["listed"]["objects"], stored["objects"] - 1)
        self.assertEqual(told("expire", "--all", "--unused", "1h", "--yes")["caches"], [])
        gone = told("purge", "demo", "--yes")["caches"][0]
        self.assertEqual(gone["deleted_objects"], stored["objects"] - 1)
        self.assertEqual(told("show", "demo")["stored"]["objects"], 1)
        self.assertEqual(self.restore().code, 4)

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

    def test_the_check_finds_out_what_is_honoured(self):
        checked = self.hearth("store", "check", "--create-store", "--format", "json")
        self.assertEqual((checked.code, checked.errors), (0, ""), str(checked))
        report = json.loads(checked.log)
        self.assertEqual((report["usable"], report["checksums"], report["left_behind"]), (True, True, 0), str(checked))

    def test_without_create_store_the_bucket_is_not_made(self):
        message = self.NO_BUCKET.format(self.bucket)
        saved = self.save()
        self.assertNotEqual(saved.code, 0)
        self.assertIn(f"{message}; create it, or let --create-store do so", saved.errors)
        self.assertEqual(saved.errors.count(message), 1, saved.errors)
        doctor = self.hearth("doctor")
        self.assertEqual(doctor.code, 5, str(doctor))
        self.assertIn(message, doctor.log)
        self.assertNotEqual(self.save().code, 0)  # and was not made on the way

    def test_a_wrong_secret_is_a_cold_build_that_says_so(self):
        self.assertEqual(self.save("--create-store").code, 0)
        outcome = self.restore(env=self.WRONG)
        self.assertNotEqual(outcome.code, 0)
        self.assertIn(self.REFUSAL, outcome.errors)
        for secret in [self.SECRET, *(self.HIDDEN or self.WRONG.values())]:
            self.assertNotIn(secret, str(outcome))
        cold = self.build(self.app(), "--no-publish", packs=[self.buildpack()], env=self.WRONG)
        self.assertEqual(cold.restore["outcome"], "unavailable")

    def test_no_credentials_say_where_they_were_looked_for(self):
        outcome = self.restore(env=self.NO_CREDENTIALS)
        self.assertNotEqual(outcome.code, 0)
        self.assertIn(self.LOOKED, outcome.errors)

    def test_the_store_is_not_seen_by_a_buildpack(self):
        pack = self.buildpack(compile='env; cat /proc/self/environ | tr "\\0" "\\n"; ls "$3"')
        outcome = self.build(self.app(), "--create-store", packs=[pack])
        self.assert_no_secret(outcome)
        self.assertNotIn(self.VARIABLES, outcome.log)
