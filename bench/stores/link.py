"""A link between a client and a server of this machine that has a round-trip time and a bandwidth.

    with Link(("127.0.0.1", 8080), round_trip=0.1, rate=25e6) as link:
        … a client that was told link.port …

All connections share the bandwidth, each direction having it for itself. What is on its way takes half of the round trip,
and of one connection at most a window is, as with TCP. A new connection costs a round trip before its first byte.
"""

import asyncio
import collections
import contextlib
import threading

PIECE = 64 * 1024
# What Linux grants a connection by default at most (net.ipv4.tcp_wmem).
WINDOW = 4 << 20


class Direction:
    """One way of the link: when the last byte of those that wait has been sent."""

    def __init__(self, rate):
        self.rate = rate
        self.free_at = 0.0

    def departure(self, now, count):
        self.free_at = max(now, self.free_at) + count / self.rate
        return self.free_at


class Stream:
    """One direction of one connection."""

    def __init__(self, direction, delay, reader, writer):
        self.direction, self.delay, self.reader, self.writer = direction, delay, reader, writer
        self.waiting = collections.deque()
        self.on_the_way = 0
        self.changed = asyncio.Condition()

    async def take(self):
        loop = asyncio.get_running_loop()
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: self.on_the_way < WINDOW)
            piece = await self.reader.read(PIECE)
            arrival = self.direction.departure(loop.time(), len(piece)) + self.delay
            async with self.changed:
                self.waiting.append((arrival, piece))
                self.on_the_way += len(piece)
                self.changed.notify_all()
            if not piece:
                return

    async def give(self):
        loop = asyncio.get_running_loop()
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: self.waiting)
                arrival, piece = self.waiting.popleft()
            if (early := arrival - loop.time()) > 0:
                await asyncio.sleep(early)
            if not piece:
                with contextlib.suppress(OSError):
                    self.writer.write_eof()
                return
            self.writer.write(piece)
            await self.writer.drain()
            async with self.changed:
                self.on_the_way -= len(piece)
                self.changed.notify_all()


class Link:
    def __init__(self, upstream, round_trip, rate):
        self.upstream, self.round_trip = upstream, round_trip
        self._up, self._down = Direction(rate), Direction(rate)
        self._tasks = set()

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._connected, "127.0.0.1", 0, limit=4 * PIECE))
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
        there = None
        try:
            await asyncio.sleep(self.round_trip)
            there_reader, there = await asyncio.open_connection(*self.upstream, limit=4 * PIECE)
            up = Stream(self._up, self.round_trip / 2, reader, there)
            down = Stream(self._down, self.round_trip / 2, there_reader, writer)
            await asyncio.gather(up.take(), up.give(), down.take(), down.give())
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, there):
                if end is not None:
                    end.close()
