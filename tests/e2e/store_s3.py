"""The binary on an S3 server: started by tests/stores/with_server.py, which says where it is."""

import os
import shutil
import urllib.parse

from harness import main
from on_store import Everywhere, OnStore

ENDPOINT = os.environ["STORES_S3_ENDPOINT"]


class OnS3(Everywhere, OnStore):
    KEYS = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")}
    SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
    VARIABLES = "AWS_"
    NO_BUCKET = "there is no bucket {}"
    WRONG = {"AWS_SECRET_ACCESS_KEY": "hidden-in-no-message"}
    REFUSAL = "SignatureDoesNotMatch"
    NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"}
    LOOKED = "no credentials for S3 were found (looked into: the environment"

    def url_of(self, bucket):
        return f"s3://{bucket}/some/prefix?endpoint={urllib.parse.quote(ENDPOINT, safe='')}"

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


if __name__ == "__main__":
    main()
