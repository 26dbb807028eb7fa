#!/usr/bin/env python3
"""A small Google Cloud Storage for tests, by the documentation of its JSON API: fake_gcs.py --open PORT --login PORT
--secure PORT --certificate FILE --key FILE --public-key FILE

Three ports with the same objects: one that takes anybody, as an emulator does; one that wants tokens; one that wants
them over TLS. Tokens come from /token (a service account's signature is checked with the public key; refresh tokens;
federated tokens), /impersonate and the metadata server's path. POST /fault makes the next requests fail:

  {"kind": "cut-upload", "after": BYTES, "times": N}     the connection ends in the middle of an upload's content
  {"kind": "status", "status": 503, "method": "PUT", "times": N, "retry-after": SECONDS}
  {"kind": "lose-uploads"}                               all unfinished ones
  {"kind": "ignore-hashes", "times": N}                  of uploads that do not have those that came with them
  {"kind": "damage-upload" or "damage-download", "times": N}
  {"kind": "cut-download", "times": N}                   half of a content, and the end
  {"kind": "expire-tokens"}

GET /fault tells what is left of them, how many uploads are unfinished, and how many requests there were.
"""

import argparse
import base64
import email.utils
import json
import re
import secrets
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fake_gcs_objects import GRANULE, Objects, Refused, hashes_of

PIECE = 64 * 1024
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class Cut(Exception):
    """The connection is to end here."""


class Tokens:
    def __init__(self, public_key):
        self._public_key = public_key
        self._lock = threading.Lock()
        self._valid = set()

    def give(self):
        token = "ya29." + secrets.token_urlsafe(24)
        with self._lock:
            self._valid.add(token)
        return token

    def take(self, header):
        with self._lock:
            return header.removeprefix("Bearer ") in self._valid

    def expire(self):
        with self._lock:
            self._valid.clear()

    def is_signed(self, assertion):
        """An RS256 token (RFC 7519) by our key, for our scope, that is valid now."""
        head, claims, signature = assertion.split(".")

        def decode(text):
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

        with tempfile.NamedTemporaryFile() as file:
            file.write(decode(signature))
            file.flush()
            verified = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self._public_key, "-signature",
                                       file.name], input=f"{head}.{claims}".encode(), capture_output=True, check=False)
        told = json.loads(decode(claims))
        now = time.time()
        return (verified.returncode == 0 and json.loads(decode(head))["alg"] == "RS256" and SCOPE in told["scope"] and
                told["iat"] - 60 <= now <= told["exp"] <= told["iat"] + 3600)

    def exchange(self, form):
        """Whether this request for a token is a proper one."""
        kind = form.get("grant_type", "")
        if kind.endswith(":jwt-bearer"):
            return self.is_signed(form["assertion"])
        if kind.endswith(":token-exchange"):
            return form["subject_token"] == "hearth-workload" and form["audience"] == "//iam/hearth"
        return kind == "refresh_token" and form["refresh_token"] == "hearth-refresh"


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = []

    def add(self, fault):
        with self._lock:
            self._waiting.append({"times": 1, **fault})

    def take(self, kind, **wanted):
        """The next fault of this kind, if one is left."""
        with self._lock:
            for fault in self._waiting:
                if fault["kind"] == kind and all(fault.get(name, value) == value for name, value in wanted.items()):
                    fault["times"] -= 1
                    if fault["times"] == 0:
                        self._waiting.remove(fault)
                    return fault
        return None

    def left(self):
        with self._lock:
            return len(self._waiting)


class Shared:
    def __init__(self, public_key):
        self.objects, self.tokens, self.faults = Objects(), Tokens(public_key), Faults()
        self.requests = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *arguments):
        pass

    # The wire.

    def body(self):
        """The content, which must be read before an answer."""
        return b"".join(self.pieces())

    def pieces(self):
        left = int(self.headers.get("Content-Length", 0))
        while left > 0:
            piece = self.rfile.read(min(left, PIECE))
            if not piece:
                raise Cut
            left -= len(piece)
            yield piece

    def answer(self, status, content=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", len(content))
        self.send_header("X-GUploader-UploadID", "fake-" + secrets.token_hex(4))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def answer_json(self, document, status=200, headers=()):
        self.answer(status, json.dumps(document).encode(), [("Content-Type", "application/json"), *headers])

    def refuse(self, refusal):
        if refusal.status == 404 and self.query.get("alt") == "media":
            self.answer(404, refusal.message.encode(), [("Content-Type", "text/html")])
            return
        errors = [{"domain": "global", "reason": refusal.reason, "message": refusal.message}]
        document = {"error": {"code": refusal.status, "message": refusal.message, "errors": errors}}
        self.answer_json(document, refusal.status)

    def handle_one(self):
        self.shared = self.server.shared
        self.shared.requests += 1
        self.content_is_read = False
        self.query = {}
        try:
            self.take_request()
        except (Cut, ConnectionError):
            self.close_connection = True

    def take_request(self):
        target = urllib.parse.urlsplit(self.path)
        try:
            self.query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True, errors="strict"))
            self.route(target.path)
        except (Refused, UnicodeDecodeError) as problem:
            if not self.content_is_read:
                self.read_all()
            refused = isinstance(problem, Refused)
            self.refuse(problem if refused else Refused(400, "invalid", "Names of objects are UTF-8."))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one

    # What is asked for.

    def route(self, path):
        if path == "/fault":
            return self.control()
        if path in ("/token", "/impersonate") or path.startswith("/computeMetadata/"):
            return self.token(path)
        fault = self.shared.faults.take("status", method=self.command)
        if fault:
            self.read_all()
            later = [("Retry-After", fault["retry-after"])] if "retry-after" in fault else []
            return self.answer(fault["status"], b"", later)
        is_session = path.startswith("/upload/") and "upload_id" in self.query
        is_known = is_session or self.shared.tokens.take(self.headers["Authorization"] or "")
        if self.server.wants_login and not is_known:
            raise Refused(401, "authError", "Invalid Credentials")
        words = [urllib.parse.unquote(word, errors="strict") for word in path.strip("/").split("/")]
        upload = words[0] == "upload"
        if words[upload:upload + 3] != ["storage", "v1", "b"]:
            raise Refused(404, "notFound", "Not Found")
        return self.storage(words[upload + 3:], upload)

    def storage(self, words, upload):
        if upload:
            return self.session() if "upload_id" in self.query else self.insert(words[0])
        if not words and self.command == "POST":
            return self.create_bucket()
        if len(words) == 1 and self.command == "DELETE":
            self.shared.objects.remove_bucket(words[0])
            return self.answer(204)
        if len(words) == 2 and self.command == "GET":
            return self.list(words[0])
        if len(words) == 3 and self.command == "GET":
            return self.read(words[0], words[2])
        if len(words) == 3 and self.command == "DELETE":
            self.shared.objects.remove(words[0], words[2], self.generation_match())
            return self.answer(204)
        raise Refused(405, "methodNotAllowed", "Method Not Allowed")

    def generation_match(self):
        text = self.query.get("ifGenerationMatch")
        if text is not None and not text.isdigit():
            raise Refused(400, "invalidParameter", f"Invalid long value: '{text}'.")
        return None if text is None else int(text)

    def create_bucket(self):
        document = json.loads(self.read_all())
        if not self.query.get("project"):
            raise Refused(400, "required", "Required parameter: project")
        self.shared.objects.create_bucket(document["name"])
        self.answer_json({"kind": "storage#bucket", **document})

    def read_all(self):
        self.content_is_read = True
        return self.body()

    def list(self, bucket):
        limit = min(int(self.query.get("maxResults", 1000)), 1000)
        after = base64.urlsafe_b64decode(self.query.get("pageToken", "")).decode()
        found, more = self.shared.objects.page(bucket, self.query.get("prefix", ""), after, limit)
        document = {"kind": "storage#objects"}
        if found:
            document["items"] = [one.resource() for one in found]
        if more:
            document["nextPageToken"] = base64.urlsafe_b64encode(found[-1].name.encode()).decode()
        self.answer_json(document)

    def read(self, bucket, name):
        generation = self.query.get("generation")
        found = self.shared.objects.find(bucket, name, int(generation) if generation else None)
        if self.query.get("alt") != "media":
            return self.answer_json(found.resource())
        headers = [("Content-Type", "application/octet-stream"), ("X-Goog-Generation", found.generation),
                   ("X-Goog-Metageneration", 1), ("X-Goog-Hash", "crc32c=" + found.hashes["crc32c"]),
                   ("X-Goog-Hash", "md5=" + found.hashes["md5Hash"]),
                   ("X-Goog-Stored-Content-Length", len(found.content)),
                   ("Last-Modified", email.utils.formatdate(found.created, usegmt=True))]
        content, status = found.content, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            first = int(wanted[1])
            last = min(int(wanted[2] or len(content)), len(content) - 1)
            if first >= len(content) or last < first:
                return self.answer(416, b"", [("Content-Range", f"bytes */{len(content)}")])
            headers.append(("Content-Range", f"bytes {first}-{last}/{len(content)}"))
            content, status = content[first:last + 1], 206
        if self.shared.faults.take("damage-download") and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        if self.shared.faults.take("cut-download"):
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", len(content))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[:len(content) // 2])
            self.wfile.flush()
            raise Cut
        return self.answer(status, content, headers)

    # Uploads.

    def told_hashes(self):
        names = {"crc32c": "crc32c", "md5": "md5Hash"}
        told = [part.strip().split("=", 1) for part in self.headers.get("x-goog-hash", "").split(",") if part.strip()]
        return {names[kind]: value for kind, value in told if kind in names}

    def arrived(self, content):
        if self.shared.faults.take("damage-upload") and content:
            return bytes([content[0] ^ 1]) + content[1:]
        return content

    def believed(self, told, content):
        """Without the hashes that this content does not have, where these are to be ignored."""
        wrong = {kind for kind, value in hashes_of(content).items() if told.get(kind, value) != value}
        if not wrong or not self.shared.faults.take("ignore-hashes"):
            return told
        return {name: value for name, value in told.items() if name not in wrong}

    def insert(self, bucket):
        self.shared.objects.check_bucket(bucket)
        kind = self.query.get("uploadType")
        if kind == "resumable":
            return self.begin_upload(bucket)
        content = self.read_all()
        metadata = {}
        if kind == "multipart":
            metadata, content = self.parts(content)
        elif kind != "media":
            raise Refused(400, "badRequest", "Bad uploadType")
        content = self.arrived(content)
        told = self.believed(metadata | self.told_hashes(), content)
        stored = self.shared.objects.store(bucket, self.query.get("name") or metadata["name"], content, told,
                                           self.generation_match())
        return self.answer_json(stored.resource())

    def parts(self, message):
        """The metadata and the content of a multipart/related message (RFC 2387)."""
        boundary = b"--" + re.search(r"boundary=([^;]+)", self.headers["Content-Type"])[1].strip('"').encode()
        before, first, rest = message.split(boundary, 2)
        second, after = rest.rsplit(b"\r\n" + boundary + b"--", 1)
        if before.strip() or after.strip():
            raise Refused(400, "badContent", "Malformed multipart body.")
        document = first.split(b"\r\n\r\n", 1)[1]
        return json.loads(document), second.split(b"\r\n\r\n", 1)[1]

    def begin_upload(self, bucket):
        text = self.read_all()
        metadata = json.loads(text) if text else {}
        upload = self.shared.objects.begin_upload(bucket, self.query.get("name") or metadata["name"], metadata,
                                                  self.generation_match())
        path = f"/upload/storage/v1/b/{urllib.parse.quote(bucket, safe='')}/o"
        # A name by which nobody reaches this server, as with emulators in containers.
        url = f"http://gcs.invalid:1{path}?uploadType=resumable&upload_id={upload.identity}"
        self.answer(200, b"", [("Location", url)])

    def session(self):
        upload = self.shared.objects.upload(self.query["upload_id"])
        if self.command == "DELETE":
            self.shared.objects.forget_upload(upload.identity)
            return self.answer(499)
        with upload.lock:
            return self.proceed(upload)

    def proceed(self, upload):
        content_range = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", self.headers.get("Content-Range", ""))
        if not content_range:
            raise Refused(400, "invalid", "Invalid Content-Range")
        size = int(content_range[3])
        if content_range[1] is not None and upload.stored is None:
            self.receive(upload, int(content_range[1]))
        else:
            self.read_all()
        if upload.stored is None and len(upload.received) == size:
            metadata = upload.metadata | self.told_hashes()
            try:
                content = self.arrived(bytes(upload.received))
                upload.stored = self.shared.objects.store(upload.bucket, upload.name, content, metadata,
                                                          upload.generation_match)
            except Refused:
                self.shared.objects.forget_upload(upload.identity)
                raise
        if upload.stored is not None:
            return self.answer_json(upload.stored.resource())
        kept = [("Range", f"bytes=0-{len(upload.received) - 1}")] if upload.received else []
        return self.answer(308, b"", kept)

    def receive(self, upload, offset):
        """Takes the content from `offset` on; of one that is cut off, whole granules stay."""
        if offset > len(upload.received):
            raise Refused(400, "invalid", "Invalid request. There were gaps between the bytes that were sent.")
        self.content_is_read = True
        fault = self.shared.faults.take("cut-upload")
        skipped = len(upload.received) - offset
        came = 0
        try:
            for piece in self.pieces():
                came += len(piece)
                upload.received += piece[skipped:]
                skipped = max(0, skipped - len(piece))
                if fault and came >= fault["after"]:
                    raise Cut
        except (Cut, ConnectionError):
            del upload.received[len(upload.received) // GRANULE * GRANULE:]
            raise Cut from None

    # Beside the storage.

    def token(self, path):
        tokens = self.shared.tokens
        text = self.read_all()
        if path.startswith("/computeMetadata/"):
            if self.headers.get("Metadata-Flavor") != "Google":
                raise Refused(403, "forbidden", "Missing Metadata-Flavor")
            return self.answer_json({"access_token": tokens.give(), "expires_in": 3599, "token_type": "Bearer"},
                                    headers=[("Metadata-Flavor", "Google")])
        if path == "/impersonate":
            if not tokens.take(self.headers["Authorization"] or "") or json.loads(text)["scope"] != [SCOPE]:
                raise Refused(403, "forbidden", "Permission denied")
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            return self.answer_json({"accessToken": tokens.give(), "expireTime": until})
        if not tokens.exchange(dict(urllib.parse.parse_qsl(text.decode()))):
            return self.answer_json({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
        return self.answer_json({"access_token": tokens.give(), "expires_in": 3599, "token_type": "Bearer"})

    def control(self):
        shared = self.shared
        if self.command == "GET":
            return self.answer_json({"left": shared.faults.left(), "requests": shared.requests,
                                     "unfinished": shared.objects.unfinished_uploads()})
        fault = json.loads(self.read_all())
        if fault["kind"] == "expire-tokens":
            shared.tokens.expire()
        elif fault["kind"] == "lose-uploads":
            shared.objects.forget_uploads()
        else:
            shared.faults.add(fault)
        return self.answer_json({})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, shared, wants_login, context=None):
        self.shared, self.wants_login, self.context = shared, wants_login, context
        super().__init__(("127.0.0.1", port), Handler)

    def finish_request(self, request, client_address):
        # In the connection's own thread: a handshake may take its time.
        if self.context:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        try:
            super().finish_request(request, client_address)
        except ConnectionError:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("open", "login", "secure"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("certificate", "key", "public-key"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    shared = Shared(arguments.public_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate, arguments.key)
    servers = [Server(arguments.open, shared, False), Server(arguments.login, shared, True),
               Server(arguments.secure, shared, True, context)]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
