"""The binary on the fake of Google Cloud Storage: started by tests/stores/with_server.py, which says where it is."""

import json
import os
import urllib.parse
import urllib.request

from harness import main
from on_store import Everywhere, OnStore

EMULATOR = os.environ["STORES_GCS_EMULATOR"]
ENDPOINT = urllib.parse.quote(os.environ["STORES_GCS_ENDPOINT"], safe="")
ACCOUNT = os.environ["STORES_GCS_ACCOUNT"]
USER = os.environ["STORES_GCS_USER"]


def inject(**fault):
    urllib.request.urlopen(f"{EMULATOR}/fault", data=json.dumps(fault).encode()).close()


def faults():
    with urllib.request.urlopen(f"{EMULATOR}/fault") as answer:
        return json.load(answer)


def contents(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class OnGcs(Everywhere, OnStore):
    KEYS = {"GOOGLE_APPLICATION_CREDENTIALS": ACCOUNT, "NO_GCE_CHECK": "true"}
    SECRET = contents(ACCOUNT)["private_key"].splitlines()[1]
    VARIABLES = "GOOGLE_"
    NO_BUCKET = "there is no bucket {}"
    HIDDEN = ("hidden-in-no-message",)
    REFUSAL = "invalid_grant"
    NO_CREDENTIALS = {"GOOGLE_APPLICATION_CREDENTIALS": None}
    LOOKED = "no credentials for Google Cloud Storage were found (looked into: GOOGLE_APPLICATION_CREDENTIALS"

    def url_of(self, bucket):
        return f"gs://{bucket}/some/prefix?project=hearth-tests&endpoint={ENDPOINT}"

    def setUp(self):
        super().setUp()
        wrong = self.root / "home" / "wrong.json"
        wrong.write_text(json.dumps({**contents(USER), "refresh_token": self.HIDDEN[0]}))
        self.WRONG = {"GOOGLE_APPLICATION_CREDENTIALS": str(wrong)}

    def test_every_kind_of_credentials(self):
        for credentials in (USER, os.environ["STORES_GCS_FEDERATED"]):
            with self.subTest(credentials):
                own = {"GOOGLE_APPLICATION_CREDENTIALS": credentials}
                self.assertEqual(self.save("--create-store", env=own).code, 0)
                self.assertEqual(self.restore(env=own).code, 0)
                self.assert_same()

    def test_an_emulator_needs_no_credentials(self):
        self.url = f"gs://{self.bucket}/some/prefix"
        only = {"GOOGLE_APPLICATION_CREDENTIALS": None, "STORAGE_EMULATOR_HOST": EMULATOR}
        self.assertEqual(self.save("--create-store", env=only).code, 0)
        self.assertEqual(self.restore(env=only).code, 0)
        self.assert_same()

    def test_a_save_survives_expired_tokens(self):
        self.assertEqual(self.save("--create-store").code, 0)
        (self.tree / "larger").write_bytes(os.urandom(40_000_000))
        inject(kind="expire-tokens")
        self.assertEqual(self.save().code, 0)
        self.assertEqual(faults()["left"], 0)
        self.assertEqual(self.restore().code, 0)
        self.assert_same()

    def test_the_check_finds_out_that_hashes_are_ignored(self):
        inject(kind="ignore-hashes")
        checked = self.hearth("store", "check", "--create-store")
        self.assertEqual((checked.code, checked.errors), (0, ""), str(checked))
        self.assertIn("  checksums            no      what does not have its checksum is stored all the same\n", checked.log)
        self.assertIn("  advice: what is damaged on its way may be stored", checked.log)
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


if __name__ == "__main__":
    main()
