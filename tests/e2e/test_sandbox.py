"""What somebody else's code can see and do at each level of isolation."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

from harness import BUILD_USER, ORDINARY_USER, EndToEnd, bwrap_works, can_run, main, needs_bwrap, needs_root
from servers import FileServer

TOKEN = "TOKEN-of-the-builder-4711"


class Isolation(EndToEnd):
    """At the level that is chosen by itself."""

    def run_inside(self, body, *arguments, **options):
        return self.build(self.app(), *arguments, packs=[self.buildpack(compile=body)], **options)

    def test_the_level_is_the_best_that_works_and_is_named(self):
        outcome = self.run_inside("true")
        level = outcome.report["sandbox"]
        self.assertEqual(level, "bwrap" if bwrap_works() else "uid")
        self.assertIn(level, (self.builds()[0] / "log.txt").read_text())

    @needs_root
    def test_it_is_not_root(self):
        outcome = self.run_inside('echo "uid=[$(id -u)]"; echo "gid=[$(id -g)]"; echo "groups=[$(id -G)]"\n'
                                  'echo "caps=[$(awk \'/^Cap(Eff|Prm|Inh|Amb)/ {print $2}\' /proc/self/status | sort -u)]"; grep NoNewPrivs /proc/self/status')
        self.assertEqual(outcome.said("uid"), str(BUILD_USER))
        self.assertEqual(outcome.said("gid"), str(BUILD_USER))
        self.assertEqual(outcome.said("groups"), str(BUILD_USER))
        self.assertEqual(outcome.said("caps"), "0" * 16)

    @needs_root
    def test_another_uid_can_be_chosen(self):
        outcome = self.run_inside('echo "uid=[$(id -u)]"; touch "$1/x" "$2/x"', "--build-uid", "2345")
        self.assertEqual(outcome.said("uid"), "2345")

    @needs_root
    def test_a_file_of_root_cannot_be_read(self):
        secret = self.root / "secret"
        secret.write_text(TOKEN)
        secret.chmod(0o600)
        self.assertEqual(self.run_inside(f'cat {secret} /etc/shadow 2>/dev/null | wc -c | sed "s/.*/read=[&]/"').said("read"), "0")

    def test_the_store_is_out_of_reach(self):
        self.run_inside('echo first >"$2/x"')
        body = (f'ls {self.store} >/dev/null 2>&1 && echo "store=[seen]" || echo "store=[closed]"\n'
                f'touch {self.store}/x 2>/dev/null && echo "write=[open]" || echo "write=[closed]"')
        outcome = self.run_inside(body)
        self.assertEqual((outcome.said("store"), outcome.said("write")), ("closed", "closed"))

    def test_processes_tell_nothing_of_the_builder(self):
        """The environment, the command lines and the open files of whatever can be seen."""
        body = (f'me="{TOKEN[:5]}"; me="$me-of-the-builder"; found=0\n'
                'for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do tr "\\0" "\\n" <"$f" 2>/dev/null | grep -q -e "$me" -e AWS_SECRET && found=1; done\n'
                'for p in /proc/[0-9]*; do ls -l "$p/fd" "$p/cwd" "$p/root" 2>/dev/null | grep -q -e /hearth/store && found=1; done\n'
                'echo "found=[$found]"; echo "fds=[$(ls /proc/$$/fd | tr "\\n" " ")]"')
        outcome = self.run_inside(body, "--env", "HARMLESS=1", env={"AWS_SECRET_ACCESS_KEY": TOKEN, "INNOCENT": TOKEN})
        self.assertEqual(outcome.said("found"), "0")
        self.assertLessEqual({int(fd) for fd in outcome.said("fds").split()} - {255}, {0, 1, 2, 3})

    @needs_bwrap
    def test_the_system_is_read_only_and_mostly_absent(self):
        body = ('for p in /home /root /run /sys /srv /opt /var/log; do [ -n "$(ls -A $p 2>/dev/null)" ] && echo "SEEN $p"; done\n'
                'for p in /usr/x /etc/x /bin/x /proc/sys/kernel/x; do touch $p 2>/dev/null && rm -f $p && echo "WROTE $p"; done; echo "done=[yes]"')
        outcome = self.run_inside(body)
        self.assertNotIn("SEEN", outcome.log)
        self.assertNotIn("WROTE", outcome.log)

    @needs_bwrap
    def test_other_processes_cannot_be_seen(self):
        outcome = self.run_inside('echo "count=[$(ls -d /proc/[0-9]* | wc -l)]"; kill -0 %d 2>/dev/null && echo "kill=[yes]" || echo "kill=[no]"' % os.getpid())
        self.assertLess(int(outcome.said("count")), 12)

    def test_limits_hold(self):
        outcome = self.run_inside('echo "files=[$(ulimit -n)]"; echo "size=[$(ulimit -f)]"; echo "core=[$(ulimit -c)]"')
        self.assertLessEqual(int(outcome.said("files")), 65536)
        self.assertNotEqual(outcome.said("size"), "unlimited")

    def test_privileges_cannot_be_had(self):
        body = ('su -c id </dev/null >/dev/null 2>&1 && echo "su=[works]" || echo "su=[fails]"\n'
                'sudo -n id >/dev/null 2>&1 && echo "sudo=[works]" || echo "sudo=[fails]"\n'
                'dpkg --configure -a >/dev/null 2>&1 && echo "dpkg=[works]" || echo "dpkg=[fails]"\n'
                'd=$(mktemp -d); mount -t tmpfs x "$d" 2>/dev/null && echo "mount=[works]" || echo "mount=[fails]"')
        outcome = self.run_inside(body)
        for name in ("su", "sudo", "dpkg", "mount"):
            self.assertEqual(outcome.said(name), "fails", name)

    def test_the_log_says_why_there_is_no_root(self):
        for body in ("su -c id </dev/null", "sudo -n id", "apt-get install -y no-such-package-anywhere"):
            outcome = self.run_inside(body, expect=1)
            self.assertIn(b"never has root's rights", outcome.stdout, body)

    def test_tools_of_the_stack_work(self):
        body = ('getent passwd "$(id -u)" >/dev/null && echo "passwd=[ok]"; getent hosts localhost >/dev/null && echo "hosts=[ok]"\n'
                'cc --version >/dev/null 2>&1 && echo "cc=[ok]" || echo "cc=[none]"; git --version >/dev/null && echo "git=[ok]"\n'
                '[ -r /etc/ssl/certs/ca-certificates.crt ] && echo "ca=[ok]"; : >/dev/null; head -c 1 /dev/urandom | wc -c >/dev/null; echo x >/dev/stderr; date >/dev/null')
        outcome = self.run_inside(body)
        for name in ("passwd", "hosts", "git", "ca"):
            self.assertEqual(outcome.said(name), "ok")
        if can_run("cc", "--version"):
            self.assertEqual(outcome.said("cc"), "ok")


class Network(EndToEnd):
    """A host server on loopback and one on an abstract socket must be out of reach unless asked for."""

    def setUp(self):
        super().setUp()
        self.hits = []
        self.listener = socket.create_server(("0.0.0.0", 0))
        self.port = self.listener.getsockname()[1]
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{self.root.name}")
        self.abstract.listen()
        for listener in (self.listener, self.abstract):
            threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    def tearDown(self):
        for listener in (self.listener, self.abstract):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.hits.append(listener)
                connection.sendall(b"host-answer\n")
                connection.close()

    def reach(self, *arguments):
        addresses = ["127.0.0.1", "localhost", "[::1]", "10.0.2.2", "169.254.169.254"]
        body = "\n".join(
            f"timeout 3 bash -c 'exec 3<>/dev/tcp/{address.strip('[]')}/{self.port} && head -c 4 <&3' 2>/dev/null | grep -q host && echo REACHED {address}"
            for address in addresses)
        body += (f"\nperl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => \"\\0{self.root.name}\") and print \"REACHED abstract \", <$s>'; "
                 "ip -o link 2>/dev/null | wc -l; (echo >/dev/tcp/127.0.0.1/1) 2>/dev/null; true")
        outcome = self.build(self.app(), *arguments, packs=[self.buildpack(compile=body)])
        return outcome, [line.split("REACHED ")[1].split()[0] for line in outcome.log.splitlines() if "REACHED" in line]

    @needs_bwrap
    def test_on_is_the_internet_but_not_this_machine(self):
        outcome, reached = self.reach("--network", "on")
        if reached and "network" in (outcome.log + outcome.errors).lower():
            self.skipTest("network isolation cannot be had here, and the log says so")
        self.assertEqual((reached, self.hits), ([], []))

    @needs_bwrap
    def test_off_is_an_own_loopback_only(self):
        self.assertEqual((self.reach("--network", "off")[1], self.hits), ([], []))
        body = "perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(LocalAddr => \"127.0.0.1\", Listen => 1) or die; IO::Socket::INET->new(PeerAddr => \"127.0.0.1\", PeerPort => $l->sockport) or die; print \"own=[ok]\\n\"'"
        self.assertEqual(self.build(self.app(), "--network", "off", packs=[self.buildpack(compile=body)]).said("own"), "ok")

    def test_host_is_the_hosts(self):
        self.assertIn("127.0.0.1", self.reach("--network", "host")[1])

    def test_names_are_resolved_and_servers_reached_where_there_is_a_network(self):
        sources = [path for path in pathlib.Path("/etc/apt").glob("sources.list*") for path in ([path] if path.is_file() else path.iterdir())]
        hosts = [host for path in sources for host in re.findall(r"https?://([a-z0-9.-]+)", path.read_text())]
        known = [host for host in hosts if can_run("getent", "hosts", host)]
        if not known:
            self.skipTest("no name service here")
        pack = self.buildpack(compile=f'getent hosts {known[0]} >/dev/null && echo "dns=[ok]" || {{ cat /etc/resolv.conf; echo "dns=[broken]"; }}')
        self.assertEqual(self.build(self.app(), packs=[pack]).said("dns"), "ok")


class Levels(EndToEnd):
    CACHE = 'id -u; [ -e "$2/x" ] && echo "state=[warm]" || echo "state=[cold]"; mkdir -p "$2/d"; echo 1 >"$2/x"; chmod 555 "$2/d"; echo "home=[$HOME]"; touch "$HOME/h" "$1/b"'

    def cold_and_warm(self, *arguments, level):
        app = self.app({"Procfile": 'web: echo "ran=[$(cat marker)]"\n', "marker": "here"})
        pack = self.buildpack(compile=self.CACHE)
        for state in ("cold", "warm"):
            outcome = self.build(app, *arguments, packs=[pack])
            self.assertEqual((outcome.said("state"), outcome.report["sandbox"]), (state, level))
            self.forget_everything_local()
        self.assertEqual(self.hearth("run", "demo", *arguments).said("ran"), "here")
        return outcome

    @needs_bwrap
    def test_bwrap(self):
        self.cold_and_warm("--sandbox", "bwrap", level="bwrap")

    @needs_root
    def test_uid(self):
        self.cold_and_warm("--sandbox", "uid", level="uid")

    def test_plain(self):
        self.cold_and_warm("--sandbox", "plain", level="plain")

    @needs_root
    @needs_bwrap
    def test_an_ordinary_user(self):
        self.become(ORDINARY_USER)
        self.cold_and_warm(level="bwrap")
        self.assertEqual({path.stat().st_uid for path in self.objects()}, {ORDINARY_USER})

    @needs_root
    def test_a_user_whose_group_has_another_number(self):
        """As most people of a company's directory: they may give no file to the group of their own number."""
        self.become(ORDINARY_USER, ORDINARY_USER + 1)
        if bwrap_works():
            self.cold_and_warm("--sandbox", "bwrap", "--env", "ONE=1", level="bwrap")
        shutil.rmtree(self.store, ignore_errors=True)
        self.cold_and_warm("--sandbox", "plain", "--env", "ONE=1", level="plain")
        self.assertEqual({path.stat().st_gid for path in self.objects()}, {ORDINARY_USER + 1})
        shutil.rmtree(self.store)
        served = self.root / "served"
        served.mkdir()
        for name, tree in (("pack", self.buildpack(compile=self.CACHE)), ("app", self.app())):
            subprocess.run(["tar", "-czf", served / f"{name}.tgz", "-C", tree, "."], check=True)
        with FileServer(served) as server:
            outcome = self.build(f"{server.url}/app.tgz", "--sandbox", "plain", packs=[f"{server.url}/pack.tgz"])
        self.assertEqual(outcome.said("state"), "cold")

    @needs_root
    def test_an_ordinary_user_in_plain(self):
        self.become(ORDINARY_USER)
        self.cold_and_warm("--sandbox", "plain", level="plain")

    @needs_root
    def test_uid_is_not_for_ordinary_users(self):
        self.become(ORDINARY_USER)
        outcome = self.build(self.app(), "--sandbox", "uid", packs=[self.buildpack()], expect=None)
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("uid", outcome.errors + outcome.log)

    def test_plain_is_never_chosen_by_itself(self):
        self.assertNotEqual(self.build(self.app(), packs=[self.buildpack()]).report["sandbox"], "plain")

    @needs_root
    def test_uid_hides_what_ownership_can_hide(self):
        (self.root / "secret").write_text(TOKEN)
        (self.root / "secret").chmod(0o600)
        pack = self.buildpack(compile=f'cat {self.root}/secret 2>/dev/null && echo "read=[open]" || echo "read=[closed]"\n'
                                      f'ls {self.store} 2>/dev/null && echo "store=[open]" || echo "store=[closed]"; echo "uid=[$(id -u)]"')
        outcome = self.build(self.app(), "--sandbox", "uid", packs=[pack])
        self.assertEqual([outcome.said(name) for name in ("read", "store", "uid")], ["closed", "closed", str(BUILD_USER)])

    @needs_root
    @needs_bwrap
    def test_a_stack_root_is_what_is_built_in(self):
        stack = self.root / "stack"
        (stack / "usr").mkdir(parents=True)
        for name in ("bin", "lib", "sbin", "lib64"):
            (stack / name).symlink_to(f"usr/{name}")
        (stack / "etc").mkdir()
        (stack / "etc" / "os-release").write_text("ID=other\n")
        if not can_run("mount", "--bind", "/usr", str(stack / "usr")):
            self.skipTest("may not mount here")
        self.mounts.append(stack / "usr")
        subprocess.run(["mount", "-o", "remount,bind,ro", str(stack / "usr")], check=True)
        pack = self.buildpack(compile='. /etc/os-release; echo "stack=[$ID]"; touch "$2/x"')
        self.assertEqual(self.build(self.app(), "--stack-root", stack, packs=[pack]).said("stack"), "other")


if __name__ == "__main__":
    main()
