"""What the end-to-end tests share: the binary, a world of its own for each test, and a check that nothing stays behind.

A test case derives from EndToEnd. It writes inline buildpacks and apps (dicts of files), runs the binary with a clean
environment, and gets back exit code, output and report. The helper servers are in servers.py. The store is a directory,
or a bucket where E2E_STORE is "bucket" (on_bucket.py).
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

import buckets

SOURCE_DIR = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = SOURCE_DIR / "examples"
BINARY = pathlib.Path(os.environ.get("HEARTH_BINARY", SOURCE_DIR / "build" / "release" / "hearth"))
ORDINARY_USER = 1234
BUILD_USER = 2000
IS_ROOT = os.geteuid() == 0
IN_BUCKET = os.environ.get("E2E_STORE") == "bucket"
# For anything that is waited for; nothing takes that long unless it hangs.
PATIENCE = 60
# What may stay in a work directory: fetched buildpacks, and slugs that were kept for inspection.
KEPT_IN_WORK = {"buildpacks", "kept"}

# Orphans of what we start become our children, so that none can hide.
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Link:
    """A symbolic link in a tree that write_tree makes."""

    def __init__(self, target):
        self.target = target


class Directory:
    """An empty directory in a tree that write_tree makes."""

    def __init__(self, mode=0o755):
        self.mode = mode


def write_tree(root, files):
    """Writes {"path": content}. Content is text, bytes, (content, mode), Link or Directory; scripts in bin/ are 0755."""
    root = pathlib.Path(root)
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o755 if "bin" in pathlib.PurePath(name).parts else 0o644
        if isinstance(content, tuple):
            content, mode = content
        if isinstance(content, Link):
            path.symlink_to(content.target)
            continue
        if isinstance(content, Directory):
            path.mkdir(exist_ok=True)
            path.chmod(content.mode)
            continue
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
    return root


def script(body):
    return "#!/usr/bin/env bash\n" + body + "\n"


def buildpack_files(compile="true", detect="echo Inline", release=None, report=None, **more):
    """The files of a buildpack from the bodies of its bash scripts; None leaves one out."""
    files = {}
    for name, body in (("compile", compile), ("detect", detect), ("release", release), ("report", report)):
        if body is not None:
            files[f"bin/{name}"] = script(body)
    files.update(more)
    return files


class Outcome:
    """What one run of the binary did."""

    def __init__(self, code, stdout, stderr, report, seconds):
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        self.report = report
        self.seconds = seconds

    @property
    def log(self):
        return self.stdout.decode("utf-8", "replace")

    @property
    def errors(self):
        return self.stderr.decode("utf-8", "replace")

    @property
    def restore(self):
        return self.report["cache"]["restore"]

    @property
    def save(self):
        return self.report["cache"]["save"]

    def phase(self, name):
        found = [phase for phase in self.report["phases"] if phase["name"] == name]
        if not found:
            raise AssertionError(f"no phase {name} in {self.report['phases']}")
        return found[0]

    def said(self, name):
        """The value that a buildpack printed as "NAME=[value]"."""
        found = re.findall(rf"{name}=\[([^\]]*)\]", self.log)
        if not found:
            raise AssertionError(f"nothing said {name}=[…] in:\n{self.log}\n{self.errors}")
        return found[-1]

    def __str__(self):
        return f"exit {self.code}\n--- stdout\n{self.log[-6000:]}\n--- stderr\n{self.errors[-3000:]}\n--- {self.report}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition, what, seconds=PATIENCE):
    """Polls until the condition holds, and returns its value."""
    limit = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


def can_run(*command, **options):
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False, **options).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def bwrap_works():
    command = ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    if IS_ROOT:
        return can_run(*command, user=BUILD_USER, group=BUILD_USER, extra_groups=[])
    return can_run(*command)


needs_root = unittest.skipUnless(IS_ROOT, "needs root")


def needs_bwrap(test):
    return unittest.skipUnless(bwrap_works(), "bubblewrap cannot start here")(test)


class EndToEnd(unittest.TestCase):
    maxDiff = None
    user = None  # the uid that runs the binary; None: ours
    group = None  # its gid; None: the same number

    def setUp(self):
        self.assertTrue(BINARY.exists(), f"{BINARY} is not built; HEARTH_BINARY names another one")
        base = "/var/tmp" if os.path.isdir("/var/tmp") else None
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hearth-e2e-", dir=base))
        self.root.chmod(0o755)
        self.mounts = []
        self.running_processes = []
        self.addCleanup(self._tear_down)
        for name in ("home", "data", "cache-home", "sources", "packs"):
            (self.root / name).mkdir()
        self.store, self.store_variables = self.root / "data" / "hearth" / "store", {}
        if IN_BUCKET:
            self.store, self.store_variables = buckets.new_store()
        self.work = self.root / "cache-home" / "hearth"
        self.binary = BINARY
        if self.user is not None:
            self.become(self.user)

    def become(self, user, group=None):
        """From now on the binary runs as this user, and in this group alone (of the user's number where none is named)."""
        self.user = user
        self.group = group
        for path in [self.root / "home", self.root / "data", self.root / "cache-home"]:
            for below, directories, files in os.walk(path):
                for name in [below, *(os.path.join(below, x) for x in directories + files)]:
                    os.lchown(name, user, user if group is None else group)
        self.binary = self.root / "hearth"
        if not self.binary.exists():
            shutil.copy(BINARY, self.binary)
            self.binary.chmod(0o755)

    # --- what tests build from

    def app(self, files=None, name="app"):
        """An app directory with these files (an app that holds one file where none are given)."""
        path = self.root / "sources" / name
        if path.exists():
            shutil.rmtree(path)
        return write_tree(path, files if files is not None else {"index.html": "hello\n"})

    def buildpack(self, name="inline", files=None, **scripts):
        """A buildpack directory; scripts are bodies for bash: compile, detect, release, report."""
        path = self.root / "packs" / name
        if path.exists():
            shutil.rmtree(path)
        return write_tree(path, files if files is not None else buildpack_files(**scripts))

    def environment(self, **more):
        values = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.root / "home"),
            "XDG_DATA_HOME": str(self.root / "data"),
            "XDG_CACHE_HOME": str(self.root / "cache-home"),
            "HEARTH_WORK": str(self.work),
            # A check that fails is to fail its test, and not to be tried again without a cache.
            "HEARTH_RETRY_COLD": "never",
            # What a build restores is to come from the store.
            "HEARTH_KEEP_CACHES": "0",
            **self.store_variables,
        }
        values.update(more)
        return {name: value for name, value in values.items() if value is not None}

    # --- running the binary

    def start(self, *arguments, env=None, cwd=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
              stderr=subprocess.PIPE):
        arguments = [str(argument) for argument in arguments]
        if arguments[0] == "run" and "--port" not in arguments:
            arguments[1:1] = ["--port", str(free_port())]  # the default one may be in use on this machine
        identity = {}
        if self.user is not None and self.user != os.geteuid():
            group = self.user if self.group is None else self.group
            identity = {"user": self.user, "group": group, "extra_groups": []}
        process = subprocess.Popen([str(self.binary), *arguments], env=self.environment(**(env or {})),
                                   cwd=cwd or self.root, stdin=stdin, stdout=stdout, stderr=stderr, **identity)
        self.running_processes.append(process)
        return process

    def hearth(self, *arguments, env=None, cwd=None, input=None, timeout=PATIENCE * 2, report=None):
        began = time.monotonic()
        process = self.start(*arguments, env=env, cwd=cwd,
                             stdin=subprocess.DEVNULL if input is None else subprocess.PIPE)
        return self.finish(process, began, input, timeout, report)

    def finish(self, process, began=None, input=None, timeout=PATIENCE * 2, report=None):
        began = began or time.monotonic()
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            self.fail(f"no end after {timeout} s: {process.args}\n{stdout[-3000:]}\n{stderr[-3000:]}")
        finally:
            if process in self.running_processes:
                self.running_processes.remove(process)
        parsed = None
        if report is not None and pathlib.Path(report).exists():
            parsed = json.loads(pathlib.Path(report).read_bytes())
        return Outcome(process.returncode, stdout, stderr, parsed, time.monotonic() - began)

    def report_path(self):
        path = self.root / "cache-home" / "report.json"
        path.unlink(missing_ok=True)
        return path

    def build(self, source, *arguments, app="demo", packs=(), expect=0, **options):
        """hearth build with a report; packs are --buildpack arguments, `expect` the exit code (None: any)."""
        report = self.report_path()
        chosen = [word for pack in packs for word in ("--buildpack", pack)]
        outcome = self.hearth("build", source, "--app", app, "--report", report, *chosen, *arguments, report=report,
                              **options)
        if expect is not None:
            self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def forget_everything_local(self):
        """Deletes every local trace of former builds; only the store stays."""
        for path in (self.work, self.root / "home"):
            subprocess.run(["chmod", "-R", "u+w", str(path)], check=False, capture_output=True)
            shutil.rmtree(path, ignore_errors=True)
        (self.root / "home").mkdir()
        if self.user is not None:
            os.chown(self.root / "home", self.user, self.user)

    @contextlib.contextmanager
    def running(self, target, *arguments, port=None, **options):
        """`hearth run` as a server: yields (port, process) once it accepts connections; ends it with SIGTERM."""
        port = port or free_port()
        process = self.start("run", target, *arguments, "--port", port, **options)
        try:
            eventually(lambda: self.answers(port, process), "the process does not listen")
            yield port, process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=PATIENCE)

    def answers(self, port, process):
        if process.poll() is not None:
            stdout, stderr = process.communicate()
            self.fail(f"ended with {process.returncode} before it listened\n{stdout}\n{stderr}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.settimeout(2)
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(1) != b""
        except OSError:
            return False

    # --- the store

    def objects(self, below=""):
        """The files, or objects, of the store below a folder, sorted."""
        root = self.store / below
        return sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else []

    def builds(self, app="demo"):
        path = self.store / "apps" / app / "builds"
        return sorted(path.iterdir()) if path.is_dir() else []

    # --- file systems

    def tmpfs(self, path, size):
        """Mounts a small file system at path, or skips the test where that is not allowed."""
        path = pathlib.Path(path)
        path.mkdir(parents=True, exist_ok=True)
        if not can_run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(path)):
            self.skipTest("may not mount a tmpfs here")
        self.mounts.append(path)
        if self.user is not None:
            os.chown(path, self.user, self.user)
        return path

    # --- nothing stays behind

    def assert_nothing_left(self):
        """No process, mount or work directory of a build is there any more."""
        eventually(lambda: not self.leftover_processes(), f"processes stay: {self.leftover_processes()}", 5)
        self.assertEqual(self.leftovers_in(self.work), [], "work directories stay")
        self.assertEqual(self.leftover_mounts(), [], "mounts stay")

    def leftovers_in(self, work):
        """What builds left in a work directory, beyond what later builds share and empty lock files."""
        paths = [path for path in pathlib.Path(work).rglob("*") if path.relative_to(work).parts[0] not in KEPT_IN_WORK]
        slots = [path for path in paths if path.parent.parent == pathlib.Path(work) / "apps"]
        return [str(path) for path in slots if path.suffix != ".lock" or path.stat().st_size > 0]

    def leftover_mounts(self):
        known = [str(path) for path in self.mounts]
        lines = pathlib.Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
        return [line for line in lines if str(self.root) in line and not any(path in line for path in known)]

    def leftover_processes(self):
        """Our children that nobody waits for, and whatever still stands in or names this test's directory."""
        expected = {process.pid for process in self.running_processes} | set(self.helper_pids())
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid() or int(entry) in expected:
                continue
            try:
                parent = int(pathlib.Path(f"/proc/{entry}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[1])
                command = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
            except (OSError, IndexError, ValueError):
                continue
            if parent == os.getpid():
                with contextlib.suppress(OSError):
                    if os.waitpid(int(entry), os.WNOHANG)[0] == int(entry):
                        continue
                found.append((int(entry), command))
            elif parent not in expected and self.belongs_here(entry, command):
                found.append((int(entry), command))
        return found

    def belongs_here(self, entry, command):
        token = str(self.root).encode()
        if token in command:
            return True
        for name in ("cwd", "root"):
            with contextlib.suppress(OSError):
                if token in os.fsencode(os.readlink(f"/proc/{entry}/{name}")):
                    return True
        with contextlib.suppress(OSError):
            own = pathlib.Path("/proc/self/mountinfo").read_bytes()
            seen = pathlib.Path(f"/proc/{entry}/mountinfo").read_bytes()
            return seen != own and any(self.shows_this_test(line) for line in seen.splitlines())
        return False

    def shows_this_test(self, mount):
        """Whether a line of mountinfo is a mount of this test's directory. What the test itself mounted says nothing:
        a sandbox that another test is just making inherits it, and has not yet put it away."""
        shown, point = mount.split()[3:5]
        inherited = any(point.endswith(os.fsencode(str(path))) for path in self.mounts)
        return self.root.name.encode() in (shown if inherited else shown + point)

    def helper_pids(self):
        return []

    def _tear_down(self):
        try:
            for process in list(self.running_processes):
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=PATIENCE)
            self.running_processes.clear()
            if self._outcome_is_good():
                self.assert_nothing_left()
        finally:
            for pid, _ in self.leftover_processes():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for path in reversed(self.mounts):
                subprocess.run(["umount", "-l", str(path)], check=False)
            subprocess.run(["chmod", "-R", "u+rwX", str(self.root)], check=False, capture_output=True)
            shutil.rmtree(self.root, ignore_errors=True)
        self.assertFalse(self.root.exists(), f"{self.root} stays")

    def _outcome_is_good(self):
        result = self._outcome.result
        return not any(test is self for test, _ in result.errors + result.failures)

    # --- assertions

    def assert_ok(self, outcome):
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assertIsNone(outcome.report["error"], str(outcome))

    def skip_if_unreachable(self, outcome):
        """A registry that is down is no failure of the product."""
        for words in ("npm registry could not be reached", "Debian archive could not be reached"):
            if words in outcome.log:
                self.skipTest(f"the {words}")


def http_get(port, path="/", timeout=10):
    """(status, body) from a server on this machine."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def main():
    unittest.main(verbosity=2)
