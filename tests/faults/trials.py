"""The faults that are tried: what each is called, how it is made, and whether hearth has to get through."""

import contextlib
import dataclasses
import re
import typing

import faults
from daemons import free_ports
from proxy import Fault, Proxy

EVERYWHERE = ("ceph", "swift", "azurite", "gcs")
VERBS = ("save", "restore", "build")


@dataclasses.dataclass(frozen=True)
class Trial:
    name: str
    title: str
    fault: typing.Callable  # of a Cell: what the proxy does
    survives: bool = False  # the command must succeed in spite of it; otherwise it may fall short
    verbs: tuple = VERBS
    stores: tuple = EVERYWHERE
    proxied: bool = True  # False: it happens to the server itself
    alone: bool = False  # it happens to the whole server, so that nothing else may use it

    @contextlib.contextmanager
    def struck(self, cell):
        """Yields (origin, environment, how often it happened by now) for a command that the fault happens to."""
        fault = self.fault(cell)
        with Proxy(cell.store.upstream, fault) as proxy:
            yield proxy.origin, {}, lambda: proxy.struck or fault.tls is not None


class Elsewhere(Trial):
    """The store's URL leads to where no server is; `fault` makes the origin."""

    @contextlib.contextmanager
    def struck(self, cell):
        yield self.fault(cell), {}, lambda: 1


class Login(Trial):
    """Other credentials; `fault` makes the environment."""

    @contextlib.contextmanager
    def struck(self, cell):
        with Proxy(cell.store.upstream, Fault()) as proxy:
            yield proxy.origin, self.fault(cell), lambda: proxy.requests


class ClockOfS3(faults.Refused):
    """Once, the gateway takes us to be a day behind; its next answer, to our corrected time, is its own and is right."""

    def __init__(self, store):
        super().__init__(*store.SKEWED, times=1)

    async def ask(self, proxy, request):
        own = await super().ask(proxy, request)
        if own is not None:
            own[1]["Date"] = faults.date_in(faults.DAY)
        return own


def answered(status, later=None, times=None):
    """That status instead of an answer, but to logins."""
    fields = {} if later is None else {"Retry-After": str(later)}
    return lambda cell: faults.Refused(status, fields, times=times, unless=is_login)


def revoked(cell):
    """After the first requests, whoever asks is unknown."""
    if cell.store.name == "ceph":
        return faults.Under(cell.store.revoke)
    return faults.Refused(*cell.store.REVOKED, after=2)


def expired_once(cell):
    if cell.store.name == "gcs":
        return faults.Under(cell.store.expire)
    return faults.Refused(*cell.store.EXPIRED, times=1, after=1, unless=is_login)


def expired(cell):
    reply = cell.store.REVOKED if cell.store.name == "gcs" else cell.store.EXPIRED
    return faults.Refused(*reply, unless=is_login)


def is_login(request):
    return re.match(r"/(auth|token)\b", request.target) is not None


def full(cell):
    """By a quota of the server's own, where it has one."""
    if cell.store.name == "ceph":
        cell.store.fill()
        return faults.Watching()
    if cell.store.name == "swift":
        cell.store.fill(cell.bucket)
        return faults.Watching()
    return faults.Writes(507, unless=is_login)


def clock(cell):
    return ClockOfS3(cell.store) if cell.store.name == "ceph" else faults.Clock(faults.DAY)


def bucket_gone(cell):
    return faults.Under(lambda: cell.store.remove_bucket(cell.bucket))


def on_the_way(name, title, make, verbs=VERBS):
    """A fault of the network, each time and twice."""
    return [Trial(name, f"{title}, each time", lambda cell: make(None), verbs=verbs),
            Trial(f"{name}-twice", f"{title}, twice", lambda cell: make(2), verbs=verbs, survives=True)]


TRIALS = [
    Trial("latency", "every answer comes 300 ms later", lambda cell: faults.Latency(0.3), survives=True),
    Trial("slow", "1 KB/s in either direction", lambda cell: faults.Slow(1000)),
    Trial("silence", "connections are taken, and nothing is answered", lambda cell: faults.Silence()),
    Trial("stall", "half of each large body, then nothing", lambda cell: faults.Stalled()),
    Trial("stall-once", "half of a large body, then nothing, once", lambda cell: faults.Stalled(1), survives=True),
    *on_the_way("reset", "a reset in the middle of a large body", faults.WasReset),
    *on_the_way("cut", "the connection ends in the middle of a large body", faults.WasCut),
    *on_the_way("short", "200 or 206 with half of the bytes, properly framed", faults.Short, ("restore", "build")),
    Trial("500", "500 to everything", answered(500)),
    Trial("500-twice", "500, twice", answered(500, times=2), survives=True),
    Trial("503", "503 to everything", answered(503)),
    Trial("503-later", "503 with `Retry-After: 3`, to everything", answered(503, later=3)),
    Trial("503-later-twice", "503 with `Retry-After: 1`, twice", answered(503, later=1, times=2), survives=True),
    Trial("429", "429 to everything", answered(429)),
    Trial("429-later-twice", "429 with `Retry-After: 1`, twice", answered(429, later=1, times=2), survives=True),
    Trial("connections", "one connection at a time, more are reset", lambda cell: faults.Few(1),
          verbs=("restore", "build")),
    Elsewhere("refused", "nobody listens", lambda cell: f"http://127.0.0.1:{free_ports(1)[0]}"),
    Elsewhere("dns", "the server's name does not resolve", lambda cell: "https://no-such-host.invalid"),
    Trial("tls", "a certificate that is not trusted", lambda cell: faults.Untrusted(*cell.shop.certificate)),
    Trial("expired-once", "the token has expired, and a new one is given", expired_once, survives=True,
          stores=("ceph", "swift", "gcs")),
    Trial("expired", "every token counts as expired", expired, stores=("ceph", "swift", "gcs")),
    Login("expired", "the shared access signature has expired", lambda cell: cell.store.expired(), stores=("azurite",),
          proxied=False),
    Trial("revoked", "the credentials are revoked under way", revoked, stores=("swift", "azurite", "gcs")),
    Trial("revoked", "the credentials are revoked under way", revoked, stores=("ceph",), proxied=False),
    Trial("clock", "the server's clock is a day ahead (S3: once, and then it is right)", clock, survives=True),
    Trial("full", "the store is full", full, verbs=("save", "build"), stores=("azurite", "gcs")),
    Trial("full", "a quota is used up", full, verbs=("save", "build"), stores=("ceph", "swift"), proxied=False),
    Trial("bucket", "the bucket is deleted under way", bucket_gone, proxied=False),
]
