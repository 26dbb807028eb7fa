#!/usr/bin/env python3
"""An HTTP proxy that stands in front of one server and does to its traffic what bad networks and bad servers do.

    with Proxy(("127.0.0.1", 8080), Reset()) as proxy:
        … a client that was told proxy.origin …
        proxy.struck, proxy.requests

A Fault says what becomes of a message; faults.py has them all. The proxy listens on a free port of 127.0.0.1, in a thread
of this process, and ends with it. It understands HTTP/1.1 with Content-Length or chunks, which is what stores speak, and
leaves everything as it is (the Host field too, which is signed).
"""

import asyncio
import contextlib
import dataclasses
import socket
import struct
import threading

PIECE = 64 * 1024
# What counts as a large body, which is worth to be damaged: packs, and neither HEAD nor an error's text.
LARGE = 32 * 1024


class Reset(Exception):
    """The connection to the client is to end by a reset."""


class Cut(Exception):
    """The connection to the client is to end where it is."""


@dataclasses.dataclass
class Head:
    """The first line and the fields of a message, as they came."""

    start: str
    fields: list

    @classmethod
    def parse(cls, text):
        start, *lines = text.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        return cls(start, [tuple(line.split(":", 1)) for line in lines])

    def __getitem__(self, name):
        return next((value.strip() for field, value in self.fields if field.lower() == name.lower()), "")

    def replace(self, name, value):
        self.fields = [field for field in self.fields if field[0].lower() != name.lower()]
        self.fields.append((name, f" {value}"))

    def text(self):
        lines = [self.start, *(f"{name}:{value}" for name, value in self.fields)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    @property
    def method(self):
        return self.start.split(" ", 1)[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def length(self):
        return int(self["Content-Length"] or 0)

    @property
    def is_large(self):
        return self.length >= LARGE

    @property
    def is_answer(self):
        return self.start.startswith("HTTP/")


class Fault:
    """No fault; what derives from it overrides some of this. One object serves all connections of one proxy."""

    tls = None  # an SSLContext by which the proxy speaks TLS
    connections = None  # at so many at a time; further ones are closed at once

    async def ask(self, proxy, request):
        """Before a request is passed on: None, or (status, fields, body) to answer it here."""

    async def answer(self, proxy, request, answer):
        """Before the head of an answer is passed on, which may be changed."""

    async def piece(self, proxy, head, offset, piece, send):
        """Passes a piece of a body on, in either direction. `head` is that of its message."""
        await send(piece)


class Proxy:
    """In front of `upstream`, (host, port). It listens on `listener`, if there is one."""

    def __init__(self, upstream, fault=None, listener=None):
        self.upstream = upstream
        self._where = {"sock": listener} if listener else {"host": "127.0.0.1", "port": 0}
        self.fault = fault or Fault()
        self.requests = 0
        self.struck = 0  # how often the fault did something; faults count it
        self.seen = []  # (method, path) of all requests
        self._open = 0
        self._tasks = set()

    @property
    def origin(self):
        return f"{'https' if self.fault.tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._connected, ssl=self.fault.tls, limit=1 << 18, **self._where))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    async def _end(self):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self._open += 1
        client = Side(reader, writer)
        server = Side()
        try:
            if self.fault.connections is not None and self._open > self.fault.connections:
                self.struck += 1
                raise Reset
            await self._serve(client, server)
        except Reset:
            client.reset()
        except (Cut, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open -= 1
            self._tasks.discard(task)
            server.close()
            client.close()

    async def _serve(self, client, server):
        """One request after the other."""
        while True:
            request = await client.head()
            if request is None:
                return
            self.requests += 1
            self.seen.append((request.method, request.target))
            own = await self.fault.ask(self, request)
            if own is not None:
                # The server has not seen it; the client is to have sent all of it before it reads.
                await client.skip(request.length)
                await client.send(message(request, *own))
                continue
            await self._exchange(request, client, server)
            if request["Connection"].lower() == "close":
                return

    async def _exchange(self, request, client, server):
        await server.connect(self.upstream)
        await server.send(request.text())
        # A server may answer before it has read everything.
        upload = asyncio.ensure_future(self._relay(request, client, server))
        answer = asyncio.ensure_future(server.head())
        try:
            await asyncio.wait({upload, answer}, return_when=asyncio.FIRST_COMPLETED)
            if upload.done():
                await upload  # raises what the fault raised
            while (head := await answer) is not None and head.status < 200:
                answer = asyncio.ensure_future(server.head())
            if head is None:
                raise Cut
            length = head.length
            await self.fault.answer(self, request, head)
            await client.send(head.text())
            if request.method != "HEAD" and head.status not in (204, 304):
                await self._relay(head, server, client)
                await server.skip(length - head.length)
            if not upload.done():
                raise Cut  # an early answer: this connection is of no more use
        finally:
            for pending in (upload, answer):
                pending.cancel()
            await asyncio.gather(upload, answer, return_exceptions=True)

    async def _relay(self, head, source, target):
        if head["Transfer-Encoding"].lower() == "chunked":
            await source.relay_chunks(target)
            return
        offset = 0
        while offset < head.length:
            piece = await source.some(head.length - offset)
            await self.fault.piece(self, head, offset, piece, target.send)
            offset += len(piece)


class Side:
    """One end of a connection."""

    def __init__(self, reader=None, writer=None):
        self.reader, self.writer = reader, writer

    async def connect(self, place):
        """Unless there is a connection that lives."""
        if self.writer is not None and not self.reader.at_eof():
            return
        self.close()
        self.reader, self.writer = await asyncio.open_connection(*place, limit=1 << 18)

    async def head(self):
        """None at the end of the connection."""
        try:
            return Head.parse(await self.reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            return None

    async def some(self, most):
        piece = await self.reader.read(min(most, PIECE))
        if not piece:
            raise Cut
        return piece

    async def skip(self, count):
        while count > 0:
            count -= len(await self.some(count))

    async def relay_chunks(self, target):
        while True:
            line = await self.reader.readline()
            size = int(line.split(b";")[0], 16)
            await target.send(line + await self.reader.readexactly(size + 2))
            if size == 0:
                return

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    def reset(self):
        """Without linger a close is a reset."""
        with contextlib.suppress(OSError):
            plain = self.writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self):
        if self.writer is not None:
            self.writer.close()


def message(request, status, fields, body):
    """An answer of the proxy's own."""
    head = Head(f"HTTP/1.1 {status} Injected", [(name, f" {value}") for name, value in fields.items()])
    head.replace("Content-Length", len(body))
    return head.text() + (b"" if request.method == "HEAD" else body)
