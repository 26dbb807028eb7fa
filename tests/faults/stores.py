"""The stores that faults are tried on: how hearth is pointed to one, and what can be done to it behind hearth's back.

The servers are those of tests/stores/with_server.py, whose environment says where they are. Whoever looks into a store
here does so by a client of our own, so that nothing depends on what hearth says.
"""

import base64
import datetime
import hmac
import json
import os
import pathlib
import subprocess
import urllib.parse

from clients import S3, fetch, quoted, texts

PREFIX = "pre"


class Store:
    name = None
    title = None
    secrets = []  # what must never be seen
    quota = None  # how it gets full, where the server itself can be

    def __init__(self):
        place = urllib.parse.urlsplit(self.direct)
        self.upstream = (place.hostname, place.port)

    @property
    def direct(self):
        """Origin of the server itself."""
        raise NotImplementedError

    def url(self, bucket, origin):
        raise NotImplementedError

    def environment(self, origin, scratch):
        """By which hearth logs in; `scratch` is a directory for files that this takes."""
        raise NotImplementedError

    def names(self, bucket):
        """{key: size} of everything in it, whole names."""
        raise NotImplementedError

    def read(self, bucket, key):
        raise NotImplementedError

    def remove(self, bucket, key):
        raise NotImplementedError

    def remove_bucket(self, bucket):
        for key in self.names(bucket):
            self.remove(bucket, key)
        self.remove_empty(bucket)

    def remove_empty(self, bucket):
        raise NotImplementedError


class Ceph(Store):
    name, title = "ceph", "Ceph 16.2, S3"
    EXPIRED = (400, {"Content-Type": "application/xml"}, b"<Error><Code>ExpiredToken</Code></Error>")
    SKEWED = (403, {"Content-Type": "application/xml"}, b"<Error><Code>RequestTimeTooSkewed</Code></Error>")

    def __init__(self):
        super().__init__()
        self.access, self.secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        self.secrets = [self.secret]
        self.state = pathlib.Path(os.environ["STORES_STATE"])

    direct = property(lambda self: os.environ["STORES_S3_ENDPOINT"])

    def url(self, bucket, origin):
        return f"s3://{bucket}/{PREFIX}?endpoint={quoted(origin)}"

    def environment(self, origin, scratch):
        return {"AWS_ACCESS_KEY_ID": self.access, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true"}

    # --- as an operator

    def admin(self, *words):
        command = ["radosgw-admin", "-c", self.state / "ceph.conf", "-n", "client.rgw.a", "--admin-socket=",
                   f"--log-file={self.state}/log/admin.log", *words]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"radosgw-admin {words}: {done.stderr[-500:]}")
        return done.stdout

    def with_own_user(self, name):
        """The same store as another user, whom it is no harm to lock out."""
        own = Ceph()
        own.user = f"own-{name}"
        own.access, own.secret = f"access-{name}", f"secret-of-{name}"
        own.secrets = [own.secret]
        self.admin("user", "create", f"--uid={own.user}", f"--display-name={own.user}", f"--access-key={own.access}",
                   f"--secret-key={own.secret}")
        return own

    def revoke(self):
        self.admin("key", "rm", f"--uid={self.user}", "--key-type=s3", f"--access-key={self.access}")

    def permit(self):
        self.admin("key", "create", f"--uid={self.user}", "--key-type=s3", f"--access-key={self.access}",
                   f"--secret-key={self.secret}")

    def fill(self):
        self.admin("quota", "set", "--quota-scope=user", f"--uid={self.user}", "--max-objects=1")
        self.admin("quota", "enable", "--quota-scope=user", f"--uid={self.user}")

    def empty(self):
        self.admin("quota", "disable", "--quota-scope=user", f"--uid={self.user}")

    # --- by our own client

    @property
    def client(self):
        return S3(self.direct, self.access, self.secret)

    def names(self, bucket):
        return self.client.names(bucket)

    def read(self, bucket, key):
        return self.client.read(bucket, key)

    def remove(self, bucket, key):
        self.client.remove(bucket, key)

    def remove_empty(self, bucket):
        self.client.remove_empty(bucket)


class Swift(Store):
    name, title = "swift", "OpenStack Swift 2.30"
    EXPIRED = REVOKED = (401, {}, b"<html><h1>Unauthorized</h1></html>")

    def __init__(self):
        super().__init__()
        self.secrets = [os.environ["ST_KEY"]]
        self._login = None

    direct = property(lambda self: os.environ["ST_AUTH"].removesuffix("/auth/v1.0"))

    def url(self, bucket, origin):
        return f"swift://{bucket}/{PREFIX}"

    def environment(self, origin, scratch):
        return {"ST_AUTH": f"{origin}/auth/v1.0", "ST_USER": os.environ["ST_USER"], "ST_KEY": os.environ["ST_KEY"]}

    def ask(self, method, path, query="", fields=None):
        if self._login is None:
            own = {"X-Auth-User": os.environ["ST_USER"], "X-Auth-Key": os.environ["ST_KEY"]}
            found, _ = fetch("GET", os.environ["ST_AUTH"], own)
            self._login = found["X-Storage-Url"], found["X-Auth-Token"]
        url, token = self._login
        return fetch(method, f"{url}{path}" + (f"?{query}" if query else ""), {"X-Auth-Token": token, **(fields or {})})

    def fill(self, bucket):
        self.ask("POST", f"/{bucket}", fields={"X-Container-Meta-Quota-Count": "1"})

    def empty(self, bucket):
        self.ask("POST", f"/{bucket}", fields={"X-Remove-Container-Meta-Quota-Count": "x"})

    def names(self, bucket):
        found = {}
        while True:
            last = quoted(max(found, default=""))
            page = json.loads(self.ask("GET", f"/{bucket}", f"format=json&marker={last}")[1] or b"[]")
            if not page:
                return found
            found.update((entry["name"], entry["bytes"]) for entry in page)

    def read(self, bucket, key):
        return self.ask("GET", f"/{bucket}/{quoted(key, '/')}")[1]

    def remove(self, bucket, key):
        self.ask("DELETE", f"/{bucket}/{quoted(key, '/')}")

    def remove_empty(self, bucket):
        self.ask("DELETE", f"/{bucket}")


class Azurite(Store):
    name, title = "azurite", "Azurite 3.37"
    REVOKED = (403, {"x-ms-error-code": "AuthenticationFailed"}, b"")

    def __init__(self):
        super().__init__()
        self.account, self.key = os.environ["AZURE_STORAGE_ACCOUNT"], os.environ["AZURE_STORAGE_KEY"]
        self.secrets = [self.key]

    direct = property(lambda self: os.environ["STORES_AZURE_ENDPOINT"].rsplit("/", 1)[0])

    def url(self, bucket, origin):
        return f"azblob://{bucket}/{PREFIX}?endpoint={quoted(f'{origin}/{self.account}')}"

    def environment(self, origin, scratch):
        return {"AZURE_STORAGE_ACCOUNT": self.account, "AZURE_STORAGE_KEY": self.key}

    def signature(self, life):
        """An account's shared access signature for everything, as Azure's documentation makes one."""
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=life)
        expiry, version = end.strftime("%Y-%m-%dT%H:%M:%SZ"), "2021-12-02"
        text = f"{self.account}\nrwdlac\nb\nsco\n\n{expiry}\n\n\n{version}\n\n"
        proof = base64.b64encode(hmac.digest(base64.b64decode(self.key), text.encode(), "sha256")).decode()
        return f"sv={version}&ss=b&srt=sco&sp=rwdlac&se={quoted(expiry)}&sig={quoted(proof)}"

    def expired(self):
        """What to log in with instead."""
        return {"AZURE_STORAGE_KEY": None, "AZURE_STORAGE_SAS_TOKEN": self.signature(-3600)}

    def ask(self, method, path, query=""):
        url = f"{self.direct}/{self.account}{path}?{query}{'&' if query else ''}{self.signature(3600)}"
        return fetch(method, url, {"x-ms-version": "2021-12-02"})

    def names(self, bucket):
        found, marker = {}, ""
        while True:
            _, body = self.ask("GET", f"/{bucket}", f"restype=container&comp=list&marker={quoted(marker)}")
            found.update(zip(texts(body, "Name"), map(int, texts(body, "Content-Length"))))
            marker = (texts(body, "NextMarker") or [""])[0]
            if not marker:
                return found

    def read(self, bucket, key):
        return self.ask("GET", f"/{bucket}/{quoted(key, '/')}")[1]

    def remove_bucket(self, bucket):
        self.ask("DELETE", f"/{bucket}", "restype=container")


class Gcs(Store):
    name, title = "gcs", "the fake of Google Cloud Storage"
    REVOKED = (401, {"Content-Type": "application/json"},
               b'{"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}}')
    secrets = ["hearth-client-secret", "hearth-refresh"]

    direct = property(lambda self: os.environ["STORES_GCS_ENDPOINT"])
    _open = property(lambda self: os.environ["STORES_GCS_EMULATOR"])

    def url(self, bucket, origin):
        return f"gs://{bucket}/{PREFIX}?project=hearth-tests&endpoint={quoted(origin)}"

    def environment(self, origin, scratch):
        user = json.loads(pathlib.Path(os.environ["STORES_GCS_USER"]).read_text())
        user["token_uri"] = f"{origin}/token"
        file = scratch / f"credentials-{urllib.parse.urlsplit(origin).port}.json"
        file.write_text(json.dumps(user))
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "NO_GCE_CHECK": "true"}

    def expire(self):
        fetch("POST", f"{self._open}/fault", content=b'{"kind": "expire-tokens"}')

    def names(self, bucket):
        found, token = {}, ""
        while True:
            page = json.loads(fetch("GET", f"{self._open}/storage/v1/b/{bucket}/o?pageToken={quoted(token)}")[1])
            found.update((entry["name"], int(entry["size"])) for entry in page.get("items", []))
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def read(self, bucket, key):
        return fetch("GET", f"{self._open}/storage/v1/b/{bucket}/o/{quoted(key)}?alt=media")[1]

    def remove(self, bucket, key):
        fetch("DELETE", f"{self._open}/storage/v1/b/{bucket}/o/{quoted(key)}")

    def remove_empty(self, bucket):
        fetch("DELETE", f"{self._open}/storage/v1/b/{bucket}")


STORES = {store.name: store for store in (Ceph, Swift, Azurite, Gcs)}
