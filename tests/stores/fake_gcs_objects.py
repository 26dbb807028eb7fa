"""What a small Google Cloud Storage keeps: buckets, objects with generations, uploads that are under way."""

import base64
import ctypes
import hashlib
import secrets
import threading
import time

GRANULE = 256 * 1024  # an unfinished upload keeps whole ones


class Refused(Exception):
    """Becomes an error in Google's JSON form."""

    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def no_bucket():
    return Refused(404, "notFound", "The specified bucket does not exist.")


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc32c_table()


def slow_crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _fast_crc32c():
    """ISA-L's, where it is and gives what the table gives; Python takes seconds for what tests upload."""
    try:
        function = ctypes.CDLL("libisal.so.2").crc32_iscsi
    except (OSError, AttributeError):
        return slow_crc32c
    function.argtypes, function.restype = [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32], ctypes.c_uint32

    def crc32c(content):
        return function(bytes(content), len(content), 0xFFFFFFFF) ^ 0xFFFFFFFF

    sample = bytes(range(256)) * 3
    return crc32c if crc32c(sample) == slow_crc32c(sample) else slow_crc32c


crc32c_of = _fast_crc32c()


def hashes_of(content):
    """As resources and x-goog-hash have them."""
    return {"crc32c": base64.b64encode(crc32c_of(content).to_bytes(4, "big")).decode(),
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode()}


class Object:
    def __init__(self, bucket, name, content, metadata, generation):
        self.bucket, self.name, self.content, self.generation = bucket, name, content, generation
        self.hashes = hashes_of(content)
        self.created = time.time()
        self.metadata = {key: metadata[key] for key in ("contentType", "storageClass") if key in metadata}

    def resource(self):
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.created))
        moment = f"{seconds}.{int(self.created * 1000) % 1000:03}Z"
        return {"kind": "storage#object", "id": f"{self.bucket}/{self.name}/{self.generation}", "name": self.name,
                "bucket": self.bucket, "generation": str(self.generation), "metageneration": "1",
                "contentType": "application/octet-stream", "storageClass": "STANDARD", "size": str(len(self.content)),
                "timeCreated": moment, "updated": moment, "etag": f"C{self.generation}", **self.hashes, **self.metadata}


class Upload:
    """A resumable one. The condition is that of its begin, and is looked at again at its end."""

    def __init__(self, bucket, name, metadata, generation_match):
        self.identity = secrets.token_urlsafe(24)
        self.bucket, self.name, self.metadata, self.generation_match = bucket, name, metadata, generation_match
        self.received = bytearray()
        self.stored = None
        self.lock = threading.Lock()


class Objects:
    """Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._buckets = {}
        self._uploads = {}
        self._generation = 0

    def create_bucket(self, name):
        with self._lock:
            if name in self._buckets:
                raise Refused(409, "conflict", "Your previous request to create the named bucket succeeded and you "
                              "already own it.")
            self._buckets[name] = {}

    def remove_bucket(self, name):
        with self._lock:
            if self._objects(name):
                raise Refused(409, "conflict", "The bucket you tried to delete is not empty.")
            del self._buckets[name]

    def check_bucket(self, bucket):
        with self._lock:
            self._objects(bucket)

    def _objects(self, bucket):
        if bucket not in self._buckets:
            raise no_bucket()
        return self._buckets[bucket]

    def _check(self, bucket, name, generation_match):
        there = self._objects(bucket).get(name)
        if generation_match is not None and generation_match != (there.generation if there else 0):
            raise Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        return there

    def find(self, bucket, name, generation=None):
        with self._lock:
            there = self._objects(bucket).get(name)
        if there is None or generation not in (None, there.generation):
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        return there

    def store(self, bucket, name, content, metadata, generation_match):
        for kind, value in hashes_of(content).items():
            told = metadata.get(kind, value)
            if told != value:
                label = "CRC32C" if kind == "crc32c" else "MD5 hash"
                raise Refused(400, "invalid", f'Provided {label} "{told}" doesn\'t match calculated {label} "{value}".')
        with self._lock:
            self._check(bucket, name, generation_match)
            self._generation = max(self._generation + 1, time.time_ns() // 1000)
            made = Object(bucket, name, bytes(content), metadata, self._generation)
            self._buckets[bucket][name] = made
            return made

    def remove(self, bucket, name, generation_match):
        with self._lock:
            if self._check(bucket, name, generation_match) is None:
                raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
            del self._buckets[bucket][name]

    def page(self, bucket, prefix, after, limit):
        """Up to `limit` objects whose names come behind `after`, and whether there are more."""
        with self._lock:
            found = sorted((one for name, one in self._objects(bucket).items()
                            if name.startswith(prefix) and name.encode() > after.encode()),
                           key=lambda one: one.name.encode())
        return found[:limit], len(found) > limit

    def begin_upload(self, bucket, name, metadata, generation_match):
        with self._lock:
            self._check(bucket, name, generation_match)
            upload = Upload(bucket, name, metadata, generation_match)
            self._uploads[upload.identity] = upload
            return upload

    def upload(self, identity):
        with self._lock:
            if identity not in self._uploads:
                raise Refused(404, "notFound", "Not Found")
            return self._uploads[identity]

    def forget_upload(self, identity):
        self.upload(identity)
        with self._lock:
            del self._uploads[identity]

    def forget_uploads(self):
        with self._lock:
            self._uploads.clear()

    def unfinished_uploads(self):
        with self._lock:
            return sum(upload.stored is None for upload in self._uploads.values())
