"""What the servers of this folder share: a state directory, free ports, and daemons that end with whoever started them.

Each server is a module with install() and start(state), whose value is a dict of environment variables that tell a test
where it listens and how to log in. stop() of the State ends all of it.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

PATIENCE = 120  # seconds; for anything that is waited for
PR_SET_PDEATHSIG = 1
BUILD = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "stores"
_libc = ctypes.CDLL(None)


def end_with_parent(how=signal.SIGKILL):
    """This process gets a signal when its parent ends, however that comes about."""
    _libc.prctl(PR_SET_PDEATHSIG, how, 0, 0, 0)


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on; all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def answers(url):
    """Whether an HTTP server answers there, whatever it says."""
    context = ssl._create_unverified_context()  # the certificate is our own
    try:
        urllib.request.urlopen(url, timeout=5, context=context).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class State:
    """A directory with everything that a server keeps, and the daemons that run on it."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory).resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        self._daemons = []

    def directory(self, name):
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, *command, **options):
        """Runs a command to its end; its output goes to the error message if it fails, else to the caller."""
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                              timeout=PATIENCE, **options)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def spawn(self, name, *command, **options):
        """Starts a daemon in the foreground mode that it must have."""
        log = open(self.directory("log") / f"{name}.out", "ab")
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   preexec_fn=end_with_parent, **options)
        log.close()
        self._daemons.append((name, process))
        (self.directory("run") / f"{name}.pid").write_text(f"{process.pid}\n")

    def wait(self, condition, what):
        """Polls until the condition holds; a daemon that ends meanwhile is an error."""
        limit = time.monotonic() + PATIENCE
        while not condition():
            for name, process in self._daemons:
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}\n{self.log_of(name)}")
            if time.monotonic() > limit:
                raise RuntimeError(f"waited in vain: {what}")
            time.sleep(0.1)

    def log_of(self, name):
        return (self.path / "log" / f"{name}.out").read_text(errors="replace")[-3000:]

    def certificate(self):
        """(certificate, key) for localhost and 127.0.0.1; signs itself, so it is its own authority."""
        certificate, key = self.path / "certificate.pem", self.path / "key.pem"
        if not certificate.exists():
            self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-days", "30", "-subj", "/CN=localhost", "-addext",
                     "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate)
        return certificate, key

    def stop(self):
        """Ends the daemons, the youngest first."""
        for _, process in reversed(self._daemons):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._daemons.clear()

    def wipe(self):
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)


def write_ini(path, sections):
    """{"section": {"name": value}} as the files of Ceph, and of OpenStack's services, have it."""
    lines = []
    for section, settings in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in settings.items()]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")
    return path


def environment(**more):
    """This process' own, with these variables, and without a proxy between the tests and their servers."""
    own = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", NO_PROXY="localhost,127.0.0.1")
    own.pop("no_proxy", None)
    return own | {name: str(value) for name, value in more.items()}
