"""A bucket as the store of a test: beside the S3 server that tests/stores/with_server.py started.

Tests look into it as they look into a store on this machine, by paths; what these say comes from a client of our own.
"""

import os
import pathlib
import sys
import types
import urllib.parse
import uuid

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "stores"))
from clients import S3  # noqa: E402

LOGIN = {name: os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")}
CLIENT = S3(os.environ.get("STORES_S3_ENDPOINT", ""), LOGIN["AWS_ACCESS_KEY_ID"], LOGIN["AWS_SECRET_ACCESS_KEY"])


class InBucket(pathlib.PurePosixPath):
    """/BUCKET/KEY with what tests use of pathlib.Path: an object, or the folder of all whose keys begin so."""

    @property
    def bucket(self):
        return self.parts[1]

    @property
    def key(self):
        return "/".join(self.parts[2:])

    def _below(self):
        """{key: size} of what lies in the folder."""
        return CLIENT.names(self.bucket, f"{self.key}/" if self.key else "")

    def stat(self):
        found = CLIENT.names(self.bucket, self.key)
        if self.key not in found:
            raise FileNotFoundError(str(self))
        return types.SimpleNamespace(st_size=found[self.key])

    def is_file(self):
        return self.key in CLIENT.names(self.bucket, self.key)

    def is_dir(self):
        return bool(self._below())

    def exists(self):
        return self.is_file() or self.is_dir()

    def iterdir(self):
        names = {key.removeprefix(self.key).lstrip("/").split("/")[0] for key in self._below()}
        return (self / name for name in sorted(names))

    def rglob(self, pattern):
        assert pattern == "*", pattern
        return (type(self)(f"/{self.bucket}/{key}") for key in self._below())

    def read_bytes(self):
        return CLIENT.read(self.bucket, self.key)

    def read_text(self):
        return self.read_bytes().decode()

    def write_bytes(self, content):
        CLIENT.write(self.bucket, self.key, content)

    def write_text(self, text):
        self.write_bytes(text.encode())

    def unlink(self):
        CLIENT.remove(self.bucket, self.key)

    def chmod(self, mode):
        """Objects have none."""

    def mkdir(self, parents=False, exist_ok=False):
        """Folders come with the objects in them."""


def new_store():
    """(path, environment) of the store in a new bucket: where tests find it, and by what hearth does."""
    bucket = f"e2e-{uuid.uuid4().hex[:12]}"
    CLIENT.make(bucket)
    url = f"s3://{bucket}/some/prefix?endpoint={urllib.parse.quote(CLIENT.endpoint, safe='')}"
    return InBucket(f"/{bucket}/some/prefix"), {"HEARTH_STORE": url, **LOGIN}
