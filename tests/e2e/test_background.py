"""`--save background`: the build ends when its slug is published, and a process of its own finishes the save."""

import contextlib
import json
import os
import pathlib
import pty
import signal
import subprocess
import time

from harness import PATIENCE, EndToEnd, eventually, main

# Takes a while to save, wherever this runs.
LARGE = 'head -c 100000000 /dev/urandom >"$2/data"; sha256sum <"$2/data" >"$2/sum"; echo "$RANDOM" >"$2/state"'
SMALL = 'echo small >"$2/small"'
WHOLE = '[ "$(sha256sum <"$2/data")" = "$(cat "$2/sum")" ] && echo "state=[whole]"'
IN_BACKGROUND = ("--save", "background")


class Background(EndToEnd):
    def savers(self):
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                command = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                if b"finish-save" in command and os.readlink(f"/proc/{entry}/cwd") == str(self.root):
                    found.append(int(entry))
        return found

    def saver(self):
        """The only one, which is at work: from when on it catches SIGTERM."""
        (pid,) = self.savers()
        eventually(lambda: self.catches(pid, signal.SIGTERM), "it has begun")
        return pid

    def catches(self, pid, number):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        return caught >> (number - 1) & 1

    def wait_for_savers(self):
        eventually(lambda: not self.savers(), "the saver ends", PATIENCE * 4)
        self.assert_nothing_left()

    def record(self, name="report.json", build=-1):
        content = (self.builds()[build] / name).read_bytes()
        return json.loads(content) if name.endswith(".json") else content.decode()

    def slots(self):
        path = self.work / "apps" / "demo"
        return sorted(entry.name for entry in path.iterdir() if entry.is_dir())

    def head(self):
        (path,) = [path for path in self.objects("apps/demo/cache") if path.name.startswith("HEAD.")]
        return path.read_bytes()

    def start_large(self, *arguments, **options):
        arguments = arguments or ("--save-deadline", "10m")
        outcome = self.build(self.app(), *IN_BACKGROUND, *arguments, packs=[self.buildpack("same", compile=LARGE)], **options)
        self.assertEqual(outcome.save["outcome"], "background")
        return outcome

    def test_the_build_ends_before_its_save(self):
        outcome = self.start_large()
        pid = self.saver()
        self.assertIn("Published apps/demo/builds/", outcome.log)
        self.assertIn("Saving cache in the background...", outcome.log)
        self.assertEqual(self.record()["cache"]["save"]["outcome"], "background")
        # Its own session, and nothing of ours is open in it.
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual({os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)}, {"/dev/null"})
        self.wait_for_savers()
        report = self.record()
        self.assertEqual((report["outcome"], report["cache"]["save"]["outcome"]), ("succeeded", "saved"))
        self.assertEqual(report["cache"]["save"]["entries"], 3)
        self.assertEqual(report["phases"][-1]["name"], "save")
        self.assertGreaterEqual(report["phases"][-1]["start"], report["phases"][-2]["start"])
        self.assertGreater(report["store"]["bytes_out"], 100000000)
        stored = sum(path.stat().st_size for path in self.objects("apps/demo/cache") if not path.name.startswith("HEAD."))
        self.assertEqual(report["cache"]["save"]["uploaded_bytes"], stored)
        log = self.record("log.txt")
        for line in ("Inline app detected", "Saving cache in the background...", "Saved 3 entries, 100 MB", "save: saved"):
            self.assertIn(line, log)
        (build,) = json.loads((self.store / "apps/demo/history.json").read_bytes())["builds"]
        self.assertEqual((build["save"]["outcome"], build["save"]["uploaded_bytes"]), ("saved", stored))
        warm = self.build(self.app(), "--restore-deadline", "10m", packs=[self.buildpack("same", compile=WHOLE)])
        self.assertEqual((warm.restore["outcome"], warm.said("state")), ("hit", "whole"))

    def test_the_directory_is_nobody_elses_until_it_is_done(self):
        self.start_large()
        pid = self.saver()
        os.kill(pid, signal.SIGSTOP)
        try:
            self.assertEqual(self.slots(), ["0"])
            data = self.work / "apps/demo/0/tmp/cache/data"
            size = data.stat().st_size
            # Another build of the app works beside it, and cleans up nothing of it.
            other = self.build(self.app(), packs=[self.buildpack("same", compile=SMALL)])
            self.assertEqual(other.restore["outcome"], "miss")
            self.assertEqual((self.slots(), data.stat().st_size), (["0"], size))
        finally:
            os.kill(pid, signal.SIGCONT)
        self.wait_for_savers()
        self.assertIn(self.record(build=0)["cache"]["save"]["outcome"], ("saved", "superseded"))
        self.assertEqual(self.slots(), [])

    def test_a_closed_terminal_does_not_end_it(self):
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.chdir(self.root)
                pack = self.buildpack("same", compile=LARGE)
                os.execve(self.binary, [str(self.binary), "build", str(self.app()), "--app", "demo", "--buildpack", str(pack),
                                        *IN_BACKGROUND], self.environment(TERM="dumb"))
            finally:
                os._exit(99)
        seen = b""
        with contextlib.suppress(OSError):
            while piece := os.read(terminal, 65536):
                seen += piece
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, seen)
        saver = self.saver()
        os.close(terminal)
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGHUP)
        os.kill(saver, signal.SIGHUP)
        self.wait_for_savers()
        self.assertEqual(self.record()["cache"]["save"]["outcome"], "saved")

    def test_a_killed_saver_leaves_the_old_cache(self):
        self.build(self.app(), packs=[self.buildpack("same", compile=SMALL)])
        before = self.head()
        self.start_large()
        os.kill(self.saver(), signal.SIGKILL)
        eventually(lambda: not self.savers() and not self.leftover_processes(), "it is dead")
        self.assertEqual(self.head(), before)
        self.assertEqual(self.record()["cache"]["save"]["outcome"], "background")
        warm = self.build(self.app(), packs=[self.buildpack("same", compile='[ -e "$2/small" ] && [ ! -e "$2/data" ]')])
        self.assertEqual(warm.restore["outcome"], "hit")
        self.assert_nothing_left()
        self.assertEqual(self.hearth("cache", "verify", "demo").code, 0)

    def test_a_stopped_saver_says_so(self):
        self.start_large()
        os.kill(self.saver(), signal.SIGTERM)
        self.wait_for_savers()
        self.assertEqual(self.record()["cache"]["save"]["outcome"], "late")
        self.assertIn("Saving the cache was interrupted; the old one stays", self.record("log.txt"))

    def test_it_is_bounded_by_the_deadline(self):
        self.start_large("--save-deadline", "50ms")
        self.wait_for_savers()
        self.assertEqual(self.record()["cache"]["save"]["outcome"], "late")
        self.assertIn("Saving the cache took too long; the old one stays", self.record("log.txt"))

    def test_one_after_another_while_the_first_still_saves(self):
        for _ in range(3):
            self.start_large()
        self.wait_for_savers()
        outcomes = [self.record(build=number)["cache"]["save"]["outcome"] for number in range(3)]
        self.assertIn("saved", outcomes)
        self.assertLessEqual(set(outcomes), {"saved", "superseded"})
        warm = self.build(self.app(), "--restore-deadline", "10m", packs=[self.buildpack("same", compile=WHOLE)])
        self.assertEqual((warm.restore["outcome"], warm.said("state")), ("hit", "whole"))

    def test_nothing_changed_is_nothing_to_wait_for(self):
        self.build(self.app(), packs=[self.buildpack("same", compile=SMALL)])
        before = self.head()
        self.build(self.app(), *IN_BACKGROUND, packs=[self.buildpack("same", compile="true")])
        self.wait_for_savers()
        self.assertEqual(self.record()["cache"]["save"]["outcome"], "unchanged")
        self.assertEqual(self.head(), before)

    def test_secrets_are_masked_in_what_it_writes(self):
        secret = "do-not-tell-anybody"
        pack = self.buildpack("same", compile=f'mkfifo "$2/{secret}"; echo x >"$2/x"')
        self.build(self.app(), *IN_BACKGROUND, "--env", f"TOKEN={secret}", packs=[pack])
        self.wait_for_savers()
        self.assertEqual(self.record()["cache"]["save"]["outcome"], "saved")
        self.assertNotIn(secret, self.record("log.txt"))
        self.assertNotIn(secret, json.dumps(self.record()))

    def test_a_build_that_fails_starts_none(self):
        outcome = self.build(self.app(), *IN_BACKGROUND, packs=[self.buildpack(compile="exit 1")], expect=1)
        self.assertEqual((outcome.save["outcome"], self.savers()), ("not-run", []))

    def test_nobodys_pipe_stays_open(self):
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        pack = self.buildpack("same", compile=LARGE)
        began = time.monotonic()
        process = subprocess.Popen([str(self.binary), "build", str(self.app()), "--app", "demo", "--buildpack", str(pack), *IN_BACKGROUND],
                                   env=self.environment(), cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, pass_fds=[writer])
        os.close(writer)
        self.assertEqual(os.read(reader, 1), b"")
        os.close(reader)
        self.assertEqual(process.wait(timeout=PATIENCE), 0)
        self.assertLess(time.monotonic() - began, PATIENCE)
        self.saver()
        self.wait_for_savers()

    def test_bad_input(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--save", "later")
        self.assertEqual(outcome.code, 2)
        self.assertIn('"later" is none of wait|background', outcome.errors)
        for arguments in ((), ("0", "1"), ("77", "78"), ("x", "y")):
            self.assertEqual(self.hearth("finish-save", *arguments).code, 2)
        self.assertNotIn("finish-save", self.hearth("--help").log)


if __name__ == "__main__":
    main()
