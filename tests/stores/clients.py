"""Clients of our own, with which tests look into stores behind hearth's back."""

import datetime
import hashlib
import hmac
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree


def quoted(text, safe=""):
    return urllib.parse.quote(text, safe=safe)


def fetch(method, url, fields=None, content=None, expected=(200, 201, 202, 204)):
    """(fields, body) of an answer that is expected."""
    request = urllib.request.Request(url, data=content, headers=fields or {}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            status, found, body = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as problem:
        status, found, body = problem.code, problem.headers, problem.read()
    if status not in expected:
        raise RuntimeError(f"{method} {url.split('?')[0]}: {status} {body[:300]!r}")
    return found, body


def texts(document, name):
    """Of all elements of this name, whatever their namespace."""
    root = xml.etree.ElementTree.fromstring(document)
    return [element.text or "" for element in root.iter() if element.tag.rsplit("}", 1)[-1] == name]


class S3:
    """Of one user; Signature Version 4."""

    def __init__(self, endpoint, access, secret):
        self.endpoint, self.access, self.secret = endpoint, access, secret

    def ask(self, method, path, query="", content=b"", expected=(200, 204)):
        """The query is sorted and encoded."""
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        host, digest = urllib.parse.urlsplit(self.endpoint).netloc, hashlib.sha256(content).hexdigest()
        names = "host;x-amz-content-sha256;x-amz-date"
        request = f"{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{stamp}\n\n" \
                  f"{names}\n{digest}"
        scope = f"{day}/us-east-1/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in [*scope.split("/"), text]:
            key = hmac.digest(key, part.encode(), "sha256")
        fields = {"x-amz-date": stamp, "x-amz-content-sha256": digest, "Authorization":
                  f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}, Signature={key.hex()}"}
        return fetch(method, f"{self.endpoint}{path}" + (f"?{query}" if query else ""), fields, content or None, expected)

    def make(self, bucket):
        self.ask("PUT", f"/{bucket}")

    def names(self, bucket, prefix=""):
        """{key: size} of everything below the prefix, whole names."""
        found, marker = {}, ""
        while True:
            _, body = self.ask("GET", f"/{bucket}", f"marker={quoted(marker)}&max-keys=1000&prefix={quoted(prefix)}")
            keys = texts(body, "Key")
            found.update(zip(keys, map(int, texts(body, "Size"))))
            if texts(body, "IsTruncated") != ["true"]:
                return found
            marker = keys[-1]

    def read(self, bucket, key):
        return self.ask("GET", f"/{bucket}/{quoted(key, '/')}")[1]

    def write(self, bucket, key, content):
        self.ask("PUT", f"/{bucket}/{quoted(key, '/')}", content=content)

    def remove(self, bucket, key):
        self.ask("DELETE", f"/{bucket}/{quoted(key, '/')}")

    def remove_empty(self, bucket):
        self.ask("DELETE", f"/{bucket}")
