"""That each fault does what it says, between a client and a server of Python's own."""

import email.utils
import http.client
import http.server
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import faults  # noqa: E402
from proxy import LARGE, Proxy  # noqa: E402

CONTENT = bytes(range(256)) * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.server.seen.append(self.path)
        self.answer(CONTENT if self.path == "/large" else b"small", 404 if self.path == "/absent" else 200)

    do_HEAD = do_GET

    def do_PUT(self):
        length = int(self.headers["Content-Length"])
        received = self.rfile.read(length)
        if len(received) < length:
            self.close_connection = True
            return
        self.server.seen.append(received)
        self.answer(b"taken")


class Faults(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.seen = []
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def proxy(self, fault=None):
        proxy = Proxy(self.server.server_address, fault)
        proxy.__enter__()
        self.addCleanup(proxy.__exit__)
        return proxy

    def connection(self, proxy, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)
        self.addCleanup(connection.close)
        return connection

    def ask(self, proxy, path="/large", method="GET", body=None, **options):
        connection = self.connection(proxy, **options)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def test_nothing_is_changed_without_a_fault(self):
        proxy = self.proxy()
        connection = self.connection(proxy)
        for _ in range(3):
            connection.request("GET", "/large")
            self.assertEqual(connection.getresponse().read(), CONTENT)
            connection.request("HEAD", "/large")
            answer = connection.getresponse()
            self.assertEqual((answer.read(), answer.headers["Content-Length"]), (b"", str(len(CONTENT))))
            connection.request("PUT", "/x", CONTENT)
            self.assertEqual(connection.getresponse().read(), b"taken")
        self.assertEqual((proxy.requests, proxy.struck), (9, 0))
        self.assertEqual(self.server.seen.count(CONTENT), 3)

    def test_a_reset_comes_in_the_middle_and_so_often_as_was_said(self):
        proxy = self.proxy(faults.WasReset(2))
        with self.assertRaises(ConnectionResetError):
            self.ask(proxy)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            self.ask(proxy, "/x", "PUT", CONTENT)
        self.assertNotIn(CONTENT, self.server.seen)
        self.assertEqual(self.ask(proxy)[2], CONTENT)
        self.assertEqual(proxy.struck, 2)

    def test_a_cut_leaves_half(self):
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.ask(self.proxy(faults.WasCut()))
        self.assertEqual(caught.exception.partial, CONTENT[:len(CONTENT) // 2])

    def test_a_short_answer_is_well_formed_and_the_connection_goes_on(self):
        proxy = self.proxy(faults.Short(1))
        connection = self.connection(proxy)
        for expected in (CONTENT[:len(CONTENT) // 2], CONTENT):
            connection.request("GET", "/large")
            self.assertEqual(connection.getresponse().read(), expected)

    def test_small_bodies_are_left_alone(self):
        self.assertLess(len(b"small"), LARGE)
        for fault in (faults.WasReset(), faults.WasCut(), faults.Short(), faults.Stalled()):
            self.assertEqual(self.ask(self.proxy(fault), "/small")[2], b"small")

    def test_a_stall_never_ends(self):
        for fault, path in ((faults.Stalled(), "/large"), (faults.Silence(), "/small")):
            with self.assertRaises(TimeoutError):
                self.ask(self.proxy(fault), path, timeout=0.5)

    def test_slowness_is_that_slow(self):
        began = time.monotonic()
        self.assertEqual(self.ask(self.proxy(faults.Slow(10)), "/small")[2], b"small")
        self.assertGreater(time.monotonic() - began, 0.4)

    def test_a_refusal_does_not_reach_the_server(self):
        proxy = self.proxy(faults.Refused(503, {"Retry-After": "3"}, b"later", times=1, after=1))
        connection = self.connection(proxy)
        answers = []
        for _ in range(3):
            connection.request("PUT", "/x", b"content")
            answer = connection.getresponse()
            answers.append((answer.status, answer.headers["Retry-After"], answer.read()))
        self.assertEqual(answers, [(200, None, b"taken"), (503, "3", b"later"), (200, None, b"taken")])
        self.assertEqual(self.server.seen, [b"content"] * 2)

    def test_only_writes_are_refused(self):
        proxy = self.proxy(faults.Writes(507))
        self.assertEqual(self.ask(proxy, "/x", "PUT", b"content")[0], 507)
        self.assertEqual(self.ask(proxy)[0], 200)

    def test_the_clock_is_off(self):
        date = self.ask(self.proxy(faults.Clock(faults.DAY)))[1]["Date"]
        self.assertAlmostEqual(email.utils.parsedate_to_datetime(date).timestamp(), time.time() + faults.DAY, delta=5)

    def test_more_connections_than_allowed_are_reset(self):
        proxy = self.proxy(faults.Few(1))
        first = self.connection(proxy)
        first.request("GET", "/small")
        self.assertEqual(first.getresponse().read(), b"small")
        with self.assertRaises((ConnectionResetError, http.client.RemoteDisconnected)):
            self.ask(proxy)
        first.request("GET", "/small")
        self.assertEqual(first.getresponse().read(), b"small")
        self.assertEqual(proxy.struck, 1)

    def test_something_happens_once_before_a_pack_goes_on(self):
        happened = []
        proxy = self.proxy(faults.Under(lambda: happened.append(len(self.server.seen))))
        self.ask(proxy, "/small")
        self.ask(proxy, "/o/some%2Fpack%2F1", "PUT", CONTENT)
        self.ask(proxy, "/some/pack/1")
        self.assertEqual(happened, [1])
        self.assertEqual(len(self.server.seen), 3)

    def test_latency_is_added_to_each_answer(self):
        began = time.monotonic()
        self.ask(self.proxy(faults.Latency(0.3)), "/small")
        self.assertGreater(time.monotonic() - began, 0.3)

    def test_refusals_of_the_server_itself_are_counted(self):
        proxy = self.proxy(faults.Watching())
        self.ask(proxy, "/absent")
        self.ask(proxy, "/small")
        self.assertEqual(proxy.struck, 0)  # 404 is an answer, and no refusal


if __name__ == "__main__":
    unittest.main(verbosity=2)
