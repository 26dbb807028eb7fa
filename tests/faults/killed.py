"""Faults that happen to a server's processes: kill -9, and what comes after it."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import faults
from daemons import end_with_parent
from proxy import Fault, Proxy
from trials import Trial

PATIENCE = 120


class Daemon:
    """One that with_server.py has started; it can be killed, and started again as it was."""

    def __init__(self, state, name):
        self._pid_file = pathlib.Path(state) / "run" / f"{name}.pid"
        self._log = pathlib.Path(state) / "log" / f"{name}.out"
        self._command = None

    def kill(self):
        pid = int(self._pid_file.read_text())
        self._command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        os.kill(pid, signal.SIGKILL)

    def start(self):
        """In the thread that lives as long as the daemon is to live."""
        with open(self._log, "ab") as log:
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=end_with_parent)
        self._pid_file.write_text(f"{process.pid}\n")


def wait_for(store, bucket):
    """Until the store answers again, for real."""
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            for key in store.names(bucket):
                store.read(bucket, key)
            return
        except (OSError, RuntimeError):
            if time.monotonic() > limit:
                raise
            time.sleep(0.5)


class Killed(Trial):
    """`fault` names the daemon. It is killed under way, and started again when the command has ended."""

    @contextlib.contextmanager
    def struck(self, cell):
        daemon = Daemon(cell.store.state, self.fault(cell))
        with Proxy(cell.store.upstream, faults.Under(daemon.kill)) as proxy:
            try:
                yield proxy.origin, {}, lambda: proxy.struck
            finally:
                if proxy.struck:
                    daemon.start()
                wait_for(cell.store, cell.bucket)


class Dead(Trial):
    """The same, but it is dead when the command begins."""

    @contextlib.contextmanager
    def struck(self, cell):
        daemon = Daemon(cell.store.state, self.fault(cell))
        daemon.kill()
        with Proxy(cell.store.upstream, Fault()) as proxy:
            try:
                yield proxy.origin, {}, lambda: proxy.requests
            finally:
                daemon.start()
                wait_for(cell.store, cell.bucket)


ON_CEPH = {"stores": ("ceph",), "proxied": False, "alone": True}
TRIALS = [
    Killed("kill-gateway", "`kill -9` of radosgw under way", lambda cell: "rgw.a", **ON_CEPH),
    Killed("kill-osd", "`kill -9` of the OSD under way", lambda cell: "osd.0", **ON_CEPH),
    Dead("osd-dead", "the OSD is dead: requests hang", lambda cell: "osd.0", **ON_CEPH),
]
