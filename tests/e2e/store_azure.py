"""The binary on Azurite: started by tests/stores/with_server.py, which says where it is."""

import os
import urllib.parse

from harness import main
from on_store import Everywhere, OnStore

ENDPOINT = os.environ["STORES_AZURE_ENDPOINT"]
ACCOUNT = os.environ["AZURE_STORAGE_ACCOUNT"]
KEY = os.environ["AZURE_STORAGE_KEY"]


class OnAzure(Everywhere, OnStore):
    KEYS = {"AZURE_STORAGE_ACCOUNT": ACCOUNT, "AZURE_STORAGE_KEY": KEY}
    SECRET = KEY
    VARIABLES = "AZURE_"
    NO_BUCKET = "there is no container {}"
    WRONG = {"AZURE_STORAGE_KEY": "aGlkZGVuLWluLW5vLW1lc3NhZ2U="}
    REFUSAL = "the server answered 403"
    NO_CREDENTIALS = {"AZURE_STORAGE_KEY": None, "AZURE_STORAGE_AUTH_MODE": "login",
                      "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}
    LOOKED = "no credentials for Azure were found (looked into: the workload identity, the managed identity)"

    def url_of(self, bucket):
        return f"azblob://{bucket}/some/prefix?endpoint={urllib.parse.quote(ENDPOINT, safe='')}"

    def test_over_tls_only_with_a_trusted_certificate(self):
        secure = os.environ["STORES_AZURE_TLS_ENDPOINT"]
        self.url = f"azblob://{self.bucket}?endpoint={urllib.parse.quote(secure, safe='')}"
        refused = self.save("--create-store")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("certificate", refused.errors)
        self.assertEqual(self.save("--create-store", "--insecure").code, 0)
        self.assertEqual(self.restore(env={"SSL_CERT_FILE": os.environ["STORES_CA_FILE"]}).code, 0)
        self.assert_same()

    def test_a_connection_string_is_all_that_it_needs(self):
        self.url = f"azblob://{self.bucket}"
        connection = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={ENDPOINT}"
        only = {"AZURE_STORAGE_ACCOUNT": None, "AZURE_STORAGE_KEY": None, "AZURE_STORAGE_CONNECTION_STRING": connection}
        self.assertEqual(self.save("--create-store", env=only).code, 0)
        restored = self.restore(env=only)
        self.assertEqual(restored.code, 0, str(restored))
        self.assert_same()


if __name__ == "__main__":
    main()
