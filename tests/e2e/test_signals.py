"""Interruptions at any moment: the whole build ends, nothing stays, the previous cache is kept. Builds side by side."""

import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import threading
import time

from harness import PATIENCE, EndToEnd, eventually, main

FILL = 'echo good >"$2/state"; echo "state=[filled]"'
CHECK = '[ "$(cat "$2/state")" = good ] && echo "state=[good]"'
HANG = 'rm -rf "${2:?}"/*; echo bad >"$2/state"; (setsid sleep 1000 &); echo now-hanging; sleep 1000'


class Interrupted(EndToEnd):
    def start_build(self, pack, *arguments, app="demo"):
        report = self.report_path()
        return self.start("build", self.app(), "--app", app, "--buildpack", pack, "--report", report, *arguments), report

    def wait_for_output(self, process, text):
        """Reads until the text was printed, and drains the rest in the background."""
        seen = b""
        while text not in seen:
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                self.fail(f"ended without {text}: {seen} {process.stderr.read()}")
            seen += piece
        return seen

    def interrupt_compile(self, number, expected):
        self.build(self.app(), packs=[self.buildpack("good", compile=FILL)])
        head = {path: path.read_bytes() for path in self.objects("apps/demo/cache")}
        process, report = self.start_build(self.buildpack("hang", compile=HANG))
        self.wait_for_output(process, b"now-hanging")
        began = time.monotonic()
        process.send_signal(number)
        outcome = self.finish(process, report=report, timeout=PATIENCE)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(outcome.code, expected, str(outcome))
        self.assertEqual(outcome.report["outcome"], "failed")
        self.assertEqual({path: path.read_bytes() for path in self.objects("apps/demo/cache")}, head)
        self.assert_nothing_left()
        self.build(self.app(), packs=[self.buildpack("good", compile=CHECK)])

    def test_ctrl_c(self):
        self.interrupt_compile(signal.SIGINT, 130)

    def test_sigterm(self):
        self.interrupt_compile(signal.SIGTERM, 143)

    def test_a_payload_that_ignores_sigterm_is_killed(self):
        process, report = self.start_build(self.buildpack(compile="trap '' TERM INT HUP; echo now-hanging; while :; do sleep 1; done"))
        self.wait_for_output(process, b"now-hanging")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process, report=report, timeout=PATIENCE).code, 143)

    def test_a_pipe_for_the_slug_that_nobody_reads(self):
        pipe = self.root / "cache-home" / "slug"
        os.mkfifo(pipe)
        process, report = self.start_build(self.buildpack(), "--slug", pipe)
        self.wait_for_output(process, b"Compiled slug size")
        process.send_signal(signal.SIGTERM)
        outcome = self.finish(process, report=report, timeout=PATIENCE)
        self.assertEqual(outcome.code, 143, str(outcome))

    def test_in_detect(self):
        mark = f"1000{os.getpid()}"
        process, _ = self.start_build(self.buildpack(detect=f"sleep {mark}"))
        eventually(lambda: f"sleep\0{mark}\0".encode() in self.command_lines(), "detect runs", 20)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process, timeout=PATIENCE).code, 130)

    def command_lines(self):
        lines = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline", "rb") as line:
                lines.append(line.read())
        return lines

    def test_sigkill_in_the_middle_of_compile(self):
        self.build(self.app(), packs=[self.buildpack("good", compile=FILL)])
        process, _ = self.start_build(self.buildpack("hang", compile=HANG))
        self.wait_for_output(process, b"now-hanging")
        process.kill()
        process.communicate(timeout=PATIENCE)
        self.running_processes.clear()
        eventually(lambda: not self.leftover_processes(), "the build's processes are gone", 15)
        self.build(self.app(), packs=[self.buildpack("good", compile=CHECK)])
        self.assert_nothing_left()

    def test_sigkill_in_the_middle_of_a_save_leaves_the_old_cache_or_the_new(self):
        change = ('head -c 25000000 /dev/urandom >"$2/data"; sha256sum <"$2/data" >"$2/sum"; echo "$RANDOM" >"$2/state"\n'
                  'for i in $(seq 300); do echo "$i $RANDOM" >"$2/f$i"; done; echo compiled')
        check = '[ "$(sha256sum <"$2/data")" = "$(cat "$2/sum")" ] && [ "$(ls "$2" | wc -l)" = 303 ] && echo "state=[whole]"'
        self.build(self.app(), packs=[self.buildpack("change", compile=change)])
        for step in range(4):
            published = len(self.builds())
            before = len(self.objects("apps/demo/cache"))
            process, _ = self.start_build(self.buildpack("change", compile=change))
            drain = threading.Thread(target=process.stdout.read, daemon=True)
            drain.start()
            eventually(lambda: process.poll() is not None or len(self.builds()) > published, "the slug is published")
            if step % 2:
                eventually(lambda: process.poll() is not None or len(self.objects("apps/demo/cache")) != before, "uploads")
            process.kill()
            process.wait(timeout=PATIENCE)
            drain.join()
            self.running_processes.clear()
            outcome = self.build(self.app(), "--cache", "read-only", packs=[self.buildpack("change", compile=check)])
            self.assertEqual((outcome.restore["outcome"], outcome.said("state")), ("hit", "whole"))
        outcome = self.build(self.app(), packs=[self.buildpack("change", compile=change)])
        self.assertEqual(outcome.save["outcome"], "saved")

    def test_a_signal_after_the_publish_ends_the_save_and_not_the_success(self):
        pack = self.buildpack(compile='head -c 150000000 /dev/urandom >"$2/data"')
        process, report = self.start_build(pack)
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        eventually(lambda: process.poll() is not None or any((path / "Procfile").exists() for path in self.builds()), "published")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)
        drain.join()
        outcome = self.finish(process, report=report)
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assertEqual(outcome.report["outcome"], "succeeded")
        self.assertIn(outcome.save["outcome"], ("late", "failed", "saved", "not-run"))

    def test_a_log_that_nobody_reads_any_more_does_not_fail_the_build(self):
        process, report = self.start_build(self.buildpack(compile='for i in $(seq 2000); do echo "line $i"; done'))
        process.stdout.close()
        process.wait(timeout=PATIENCE)
        process.stdout = None
        self.assertEqual(self.finish(process, report=report).code, 0)


    def test_a_log_that_is_not_read_on_holds_neither_a_signal_nor_the_deadline_up(self):
        pack = self.buildpack(compile="yes 'a line of a log that nobody reads' | head -c 3000000; echo never; sleep 1000")
        process, report = self.start_build(pack)
        eventually(lambda: self.is_full(process.stdout), "the log does not go on")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)
        self.assertLess(time.monotonic() - began, 12)
        self.assertEqual(self.finish(process, report=report).code, 143)
        process, report = self.start_build(pack, "--build-timeout", "3s")
        process.wait(timeout=PATIENCE)
        self.assertLess(time.monotonic() - began, 40)
        self.assertEqual(self.finish(process, report=report).code, 124)

    def is_full(self, pipe):
        """Whether a pipe holds all that it can, give or take a page."""
        size = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
        held = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"0000"))[0]
        return held >= size - 8192

    def test_standard_descriptors_that_are_closed_are_no_place_for_files(self):
        pack = self.buildpack(compile='for i in $(seq 500); do echo "line $i"; done; touch "$2/begun"; sleep 1000')
        app, report = self.app(), self.report_path()
        command = f'exec "$0" build "{app}" --app demo --buildpack "{pack}" --report "{report}" <&- >&- 2>&-'
        process = subprocess.Popen(["sh", "-c", command, str(self.binary)], env=self.environment(), cwd=self.root,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.running_processes.append(process)
        eventually(lambda: list(self.work.glob("apps/demo/0/tmp/cache/begun")), "it compiles")
        for number in range(3):
            self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{number}"), "/dev/null")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=PATIENCE), 143)
        self.running_processes.remove(process)
        self.assertEqual(json.loads(report.read_bytes())["error"]["kind"], "interrupted")


class SideBySide(EndToEnd):
    def together(self, apps, compile):
        pack = self.buildpack(compile=compile)
        started = []
        for number, app in enumerate(apps):
            report = self.root / "cache-home" / f"report-{number}.json"
            process = self.start("build", self.app(name=f"source-{number}"), "--app", app, "--buildpack", pack, "--report", report)
            started.append((process, report))
        outcomes = [None] * len(started)

        def wait(number, process, report):
            outcomes[number] = self.finish(process, report=report)

        threads = [threading.Thread(target=wait, args=(number, *one)) for number, one in enumerate(started)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for outcome in outcomes:
            self.assert_ok(outcome)
        return outcomes

    MEET = ('mark=$(cat /proc/sys/kernel/random/uuid); for i in $(seq 40); do echo "$mark" >"$1/mark"; echo "$mark" >"$2/mark"\n'
            'echo "$mark" >/tmp/fixed-name; echo "$mark" >"$HOME/mark"; sleep 0.02\n'
            '[ "$(cat "$1/mark" "$2/mark" /tmp/fixed-name "$HOME/mark" | sort -u)" = "$mark" ] || { echo MET; exit 1; }; done')

    def test_builds_of_different_apps_never_meet(self):
        self.together(["one", "two", "three"], self.MEET)
        self.assert_nothing_left()

    def test_a_build_cannot_see_another_one(self):
        """The first stays until the second has looked for it."""
        holder = self.start("build", self.app(name="held"), "--app", "held", "--buildpack",
                            self.buildpack("hold", compile='echo secret-of-held >"$1/held-file"; echo now-holding; sleep 1000'))
        seen = b""
        while b"now-holding" not in seen:
            seen += os.read(holder.stdout.fileno(), 65536)
        look = self.buildpack("look", compile=f'find /tmp {self.work} -name held-file 2>/dev/null; cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " " | grep -o "sleep 100[0]"; echo "looked=[yes]"')
        outcome = self.build(self.app(), packs=[look])
        holder.terminate()
        self.finish(holder)
        self.assertEqual(outcome.said("looked"), "yes")
        if outcome.report["sandbox"] == "bwrap":
            self.assertNotIn("held-file", outcome.log)
            self.assertNotIn("sleep 1000", outcome.log)

    def test_builds_of_the_same_app_never_meet(self):
        outcomes = self.together(["demo", "demo", "demo"], self.MEET)
        self.assertIn("saved", [outcome.save["outcome"] for outcome in outcomes])
        for outcome in outcomes:
            self.assertIn(outcome.save["outcome"], ("saved", "superseded", "unchanged"))
        self.assertEqual(len(self.builds()), 3)
        self.assertEqual(self.build(self.app(), packs=[self.buildpack(compile='[ -s "$2/mark" ]')]).restore["outcome"], "hit")


if __name__ == "__main__":
    main()
