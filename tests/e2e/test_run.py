"""`hearth run`: starts what was built, as it was built."""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import termios
import time

from harness import PATIENCE, EndToEnd, bwrap_works, eventually, free_port, http_get, main, needs_root

SERVER = r"""
use strict; use IO::Socket::INET;
$SIG{TERM} = sub { exit 23 };
my $l = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 5, ReuseAddr => 1) or die;
while (my $c = $l->accept()) { my $q = <$c>; print $c "HTTP/1.0 200 OK\r\n\r\npid $$ port $ENV{PORT}\n"; close $c }
"""


class Run(EndToEnd):
    def prepare(self, procfile, files=None):
        self.build(self.app({"Procfile": procfile, **(files or {})}), packs=[self.buildpack()])

    def test_a_server_is_reachable_on_its_port_and_its_exit_code_is_passed_on(self):
        self.prepare("web: perl server.pl\n", {"server.pl": SERVER})
        with self.running("demo", "web") as (port, process):
            status, body = http_get(port)
            self.assertEqual(status, 200)
            self.assertIn(b"port %d" % port, body)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=PATIENCE), 23)

    def test_web_is_the_default_process(self):
        self.prepare('web: echo "was=[web]"\nworker: echo "was=[worker]"\n')
        self.assertEqual(self.hearth("run", "demo").said("was"), "web")
        self.assertEqual(self.hearth("run", "demo", "worker").said("was"), "worker")

    def test_the_exit_code_is_the_process_own(self):
        self.prepare("web: exit 7\nkilled: kill -KILL $$\n")
        self.assertEqual(self.hearth("run", "demo").code, 7)
        self.assertEqual(self.hearth("run", "demo", "killed").code, 128 + signal.SIGKILL)

    def test_it_stands_in_app_which_is_its_home(self):
        self.prepare('web: echo "pwd=[$PWD]"; echo "home=[$HOME]"; echo "port=[$PORT]"; ls\n')
        outcome = self.hearth("run", "demo", "--port", "5123")
        self.assertEqual(outcome.said("pwd"), outcome.said("home"))
        self.assertEqual(outcome.said("port"), "5123")
        self.assertIn("index.html" if "index.html" in outcome.log else "Procfile", outcome.log)

    def test_config_vars_are_set(self):
        self.prepare('web: echo "one=[$ONE]"; echo "two=[$TWO]"\n')
        values = self.root / "values"
        values.mkdir()
        (values / "TWO").write_text("second value")
        outcome = self.hearth("run", "demo", "--env", "ONE=first", "--env-dir", values)
        self.assertEqual((outcome.said("one"), outcome.said("two")), ("first", "second value"))

    def test_arguments_are_handed_on(self):
        self.prepare("web: printf '<%s>'\n")
        self.assertIn("<a b><$HOME>", self.hearth("run", "demo", "web", "--", "a b", "$HOME").log)

    def test_a_command_of_its_own_can_be_run(self):
        self.prepare("web: true\n", {".profile.d/x.sh": "export SEEN=yes\n"})
        outcome = self.hearth("run", "demo", "--", "bash", "-c", 'echo "seen=[$SEEN]"; exit 4')
        self.assertEqual((outcome.code, outcome.said("seen")), (4, "yes"))

    def test_an_unknown_process_is_named_beside_the_known_ones(self):
        self.prepare("web: true\nworker: true\n")
        outcome = self.hearth("run", "demo", "wroker")
        self.assertEqual(outcome.code, 2, str(outcome))
        for word in ("wroker", "web", "worker"):
            self.assertIn(word, outcome.errors)

    def test_an_unknown_app_is_named(self):
        outcome = self.hearth("run", "nobody")
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn("nobody", outcome.errors)

    def test_the_newest_build_that_succeeded_is_taken(self):
        self.prepare('web: echo "state=[first]"\n')
        self.prepare('web: echo "state=[second]"\n')
        self.build(self.app(), packs=[self.buildpack("bad", compile="exit 1")], expect=1)
        self.assertEqual(self.hearth("run", "demo").said("state"), "second")

    def test_a_slug_file_is_run(self):
        slug = self.root / "cache-home" / "it.tgz"
        self.build(self.app({"Procfile": 'web: echo "from=[file]"\n'}), "--slug", slug, "--no-publish", packs=[self.buildpack()])
        self.assertEqual(self.builds(), [])
        self.assertEqual(self.hearth("run", slug).said("from"), "file")

    def test_a_damaged_slug_is_refused(self):
        self.prepare("web: true\n")
        slug = self.builds()[0] / "slug.tgz"
        os.chmod(slug, 0o600)
        content = bytearray(slug.read_bytes())
        content[len(content) // 2] ^= 0xFF
        slug.write_bytes(content)
        self.assertEqual(self.hearth("run", "demo").code, 4)

    def test_what_the_process_writes_stays_out_of_the_slug(self):
        self.prepare("web: test ! -e new && touch new\n")
        self.assertEqual([self.hearth("run", "demo").code for _ in range(2)], [0, 0])

    def test_an_interrupt_ends_a_process_that_ignores_it_politely(self):
        self.prepare("web: trap '' TERM INT; echo started; while :; do sleep 0.1; done\n")
        process = self.start("run", "demo")
        self.assertEqual(process.stdout.readline().strip(), b"started")
        process.send_signal(signal.SIGTERM)
        self.assertNotEqual(self.finish(process, timeout=PATIENCE).code, 0)
        eventually(lambda: not self.leftover_processes(), "the process is gone", 10)

    def test_each_signal_is_passed_on_as_what_it_is(self):
        self.prepare("web: trap 'exit 23' TERM; trap 'exit 24' INT; echo started; while :; do sleep 0.1; done\n")
        for number, code in ((signal.SIGTERM, 23), (signal.SIGINT, 24), (signal.SIGHUP, 23)):
            process = self.start("run", "demo")
            self.assertEqual(process.stdout.readline().strip(), b"started")
            process.send_signal(number)
            self.assertEqual(self.finish(process, timeout=PATIENCE).code, code)

    def test_ctrl_c_is_the_process_own(self):
        self.prepare("web: perl app.pl\n", {"app.pl": """
            $| = 1; my $count = 0;
            $SIG{INT} = sub { $count++; print "caught $count\\n"; exit 9 if $count == 2 };
            $SIG{TERM} = sub { exit 8 };
            print "started\\n"; sleep 1 while 1"""})
        for level in (["bwrap"] if bwrap_works() else []) + ["plain"]:
            ours, theirs = pty.openpty()
            command = [str(self.binary), "run", "--port", str(free_port()), "demo", "--sandbox", level]
            process = subprocess.Popen(command, env=self.environment(), cwd=self.root, stdin=theirs, stdout=theirs, stderr=theirs,
                                       start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            self.running_processes.append(process)
            os.close(theirs)
            seen = b""
            for expected in (b"started", b"caught 1", b"caught 2"):
                while expected not in seen:
                    seen += os.read(ours, 65536)
                time.sleep(0.5)  # for what else might come of it
                if expected != b"caught 2":
                    self.assertIsNone(process.poll(), seen)
                    os.write(ours, b"\x03")
            self.assertEqual(process.wait(timeout=PATIENCE), 9, seen)
            self.running_processes.remove(process)
            os.close(ours)

    def test_what_cannot_be_right_is_a_usage_error(self):
        self.prepare("web: true\n")
        self.prepare("web: true\n")
        for arguments in (["a b"], ["demo", "--store", "ftp://x/y"], ["demo@2"], ["demo", "--build-uid", "0"],
                          ["demo", "--build-uid", "4294967295"], ["demo", "--env", "=x"]):
            outcome = self.hearth("run", *arguments)
            self.assertEqual(outcome.code, 2, str(outcome))
        self.assertEqual(self.hearth("run", "demo@19990101").code, 4)

    def test_a_port_in_use_is_a_usage_error_that_names_the_option(self):
        if not bwrap_works() or not os.access("/dev/net/tun", os.W_OK):
            self.skipTest("no network of its own can be had here")
        self.prepare("web: true\n")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            outcome = self.hearth("run", "demo", "--sandbox", "bwrap", "--port", taken.getsockname()[1])
        self.assertEqual(outcome.code, 2, str(outcome))
        self.assertIn("--port", outcome.errors)

    @needs_root
    def test_it_runs_unprivileged(self):
        self.prepare('web: echo "uid=[$(id -u)]"; touch /usr/x 2>/dev/null && echo "system=[open]" || echo "system=[closed]"\n')
        outcome = self.hearth("run", "demo")
        self.assertNotEqual(outcome.said("uid"), "0")
        self.assertEqual(outcome.said("system"), "closed")


if __name__ == "__main__":
    main()
