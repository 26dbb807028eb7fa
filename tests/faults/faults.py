"""What the proxy can do to a store's traffic. Each class is one kind of fault; matrix.py says which ones are tried."""

import asyncio
import email.utils
import itertools
import ssl
import time
import urllib.parse

from proxy import Cut, Fault, Reset

FOREVER = 3600
DAY = 86_400


def date_in(seconds):
    """The HTTP date of then."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


class Latency(Fault):
    """Every answer comes later by so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def answer(self, proxy, request, answer):
        proxy.struck += 1
        await asyncio.sleep(self.seconds)


class Slow(Fault):
    """So many bytes a second, of each body in either direction."""

    def __init__(self, rate):
        self.rate = rate

    async def piece(self, proxy, head, offset, piece, send):
        proxy.struck += 1
        step = max(1, self.rate // 10)
        for begin in range(0, len(piece), step):
            await asyncio.sleep(0.1)
            await send(piece[begin:begin + step])


class Silence(Fault):
    """No answer to anything."""

    async def ask(self, proxy, request):
        proxy.struck += 1
        await asyncio.sleep(FOREVER)


class Halfway(Fault):
    """Something happens in the middle of a large body, in either direction; `times` limits how often."""

    def __init__(self, times=None):
        self._left = itertools.repeat(None) if times is None else iter(range(times))

    async def piece(self, proxy, head, offset, piece, send):
        half = head.length // 2
        if not head.is_large or not offset <= half < offset + len(piece) or next(self._left, self) is self:
            await send(piece)
            return
        await send(piece[:half - offset])
        proxy.struck += 1
        await self.strike()
        await send(piece[half - offset:])

    async def strike(self):
        raise NotImplementedError


class Stalled(Halfway):
    """Nothing comes any more, and the connection stays."""

    async def strike(self):
        await asyncio.sleep(FOREVER)


class WasReset(Halfway):
    async def strike(self):
        raise Reset


class WasCut(Halfway):
    """The connection ends, as if that had been all."""

    async def strike(self):
        raise Cut


class Short(Fault):
    """Half of a large answer, in a proper message that says that this is all of it."""

    def __init__(self, times=None):
        self._left = itertools.repeat(None) if times is None else iter(range(times))

    async def answer(self, proxy, request, answer):
        if answer.is_large and next(self._left, self) is not self:
            proxy.struck += 1
            answer.replace("Content-Length", answer.length // 2)


class Refused(Fault):
    """An answer of our own instead of the server's, to all requests from the one with number `after` on."""

    def __init__(self, status, fields=None, body=b"", times=None, after=0, unless=None):
        self.reply = (status, fields or {}, body)
        self.after = after
        self._left = itertools.repeat(None) if times is None else iter(range(times))
        self._unless = unless or (lambda request: False)

    async def ask(self, proxy, request):
        if proxy.requests <= self.after or self._unless(request) or next(self._left, self) is self:
            return None
        proxy.struck += 1
        status, fields, body = self.reply
        return status, dict(fields, Date=date_in(0)), body


class Writes(Refused):
    """The same to what carries content, and to nothing else: a store that is full."""

    async def ask(self, proxy, request):
        return await super().ask(proxy, request) if request.method in ("PUT", "POST") else None


class Watching(Fault):
    """Counts the refusals of the server itself."""

    async def answer(self, proxy, request, answer):
        proxy.struck += answer.status >= 400 and answer.status not in (404, 409, 412)


class Few(Fault):
    """Closes what are more connections than so many at a time."""

    def __init__(self, connections):
        self.connections = connections


class Untrusted(Fault):
    """TLS with a certificate that nobody has vouched for, of another host."""

    def __init__(self, certificate, key):
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)


class Clock(Fault):
    """The server's clock is off by so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def answer(self, proxy, request, answer):
        if not answer["Date"]:
            return
        proxy.struck += 1
        there = email.utils.parsedate_to_datetime(answer["Date"]).timestamp()
        answer.replace("Date", email.utils.formatdate(there + self.seconds, usegmt=True))


class Under(Fault):
    """Runs `happen` once, when the first pack is asked for or sent, and lets no pack through before that is done."""

    def __init__(self, happen):
        self._happen = happen
        self._done = None

    async def ask(self, proxy, request):
        if "/pack/" not in urllib.parse.unquote(request.target):
            return
        if self._done is None:
            proxy.struck += 1
            self._done = asyncio.get_running_loop().run_in_executor(None, self._happen)
        await asyncio.shield(self._done)
