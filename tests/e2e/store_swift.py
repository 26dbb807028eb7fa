"""The binary on a Swift server: started by tests/stores/with_server.py, which says where it is."""

import os
import shutil
import urllib.parse

from harness import main
from on_store import Everywhere, OnStore


class OnSwift(Everywhere, OnStore):
    KEYS = {name: os.environ[name] for name in ("ST_AUTH", "ST_USER", "ST_KEY")}
    SECRET = os.environ["ST_KEY"]
    VARIABLES = "ST_KEY"
    NO_BUCKET = "there is no container {}"
    WRONG = {"ST_KEY": "hidden-in-no-message"}
    REFUSAL = "the credentials for Swift were refused"
    NO_CREDENTIALS = {"ST_KEY": None}
    LOOKED = "credentials for Swift are missing: set ST_USER and ST_KEY"

    def url_of(self, bucket):
        return f"swift://{bucket}/some/prefix"

    def test_over_tls_only_with_a_trusted_certificate(self):
        secure = os.environ.get("STORES_SWIFT_TLS_AUTH")
        if not secure:
            self.skipTest("this server has no TLS")
        self.url = f"swift://{self.bucket}?auth-url={urllib.parse.quote(secure, safe='')}"
        refused = self.save("--create-store")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("certificate", refused.errors)
        self.assertEqual(self.save("--create-store", "--insecure").code, 0)
        self.assertEqual(self.restore(env={"OS_CACERT": os.environ["STORES_CA_FILE"]}).code, 0)
        self.assert_same()
        shutil.rmtree(self.copy)
        self.assertEqual(self.restore(env={"SSL_CERT_FILE": os.environ["STORES_CA_FILE"]}).code, 0)


if __name__ == "__main__":
    main()
