"""A real SSH server: a key in SSH_KEY fetches what only it may read, and no buildpack ever sees the key."""

import base64
import pwd
import shutil
import socket
import unittest

from harness import EndToEnd, buildpack_files, main, needs_root, write_tree
from servers import commit_all, git, ssh_server


@needs_root
@unittest.skipUnless(shutil.which("sshd", path="/usr/sbin:/usr/bin"), "no sshd on this machine")
class Ssh(EndToEnd):
    def setUp(self):
        super().setUp()
        tree = write_tree(self.root / "tree", buildpack_files(
            compile='echo "ran=[ssh]"; echo "names=[$(ls "$3" | tr "\\n" " ")]"; echo "keys=[$(ssh-add -l 2>&1 | grep -c ED25519)]"; find / -name "id_*" -o -name "*.key" 2>/dev/null | grep -v -e ^/usr -e ^/proc -e ^/sys | head'))
        self.sha = commit_all(tree)
        git(self.root, "clone", "--quiet", "--bare", tree, self.root / "pack.git")
        (self.root / "pack.git").chmod(0o700)

    def helper_pids(self):
        return [self.daemon.pid] if hasattr(self, "daemon") else []

    def fetch(self, port, key, *arguments, expect=0):
        reference = f"ssh://root@127.0.0.1:{port}{self.root}/pack.git"
        return self.build(self.app(), "--network", "host", "--env", "SSH_KEY=" + base64.b64encode(key.encode()).decode(),
                          "--env", "OTHER=1", *arguments, packs=[reference], expect=expect)

    def test_a_buildpack_is_fetched_with_the_key(self):
        with ssh_server(self.root / "ssh") as (port, key, known, self.daemon):
            hosts = ("--env", f"SSH_CLIENT_HOSTS={known}")
            outcome = self.fetch(port, key, *hosts, expect=None)
            self.assertEqual(outcome.code, 0, str(outcome))
            self.assertEqual((outcome.said("ran"), outcome.report["buildpacks"][0]["revision"]), ("ssh", self.sha))
            self.assertNotIn("SSH_KEY", outcome.said("names"))
            self.assertEqual(outcome.said("keys"), "1")
            secret_lines = [line for line in key.splitlines() if len(line) > 20 and "KEY" not in line]
            for line in secret_lines:
                self.assertNotIn(line, str(outcome))
            wrong = self.fetch(port, "no key at all\n", *hosts, expect=2)
        self.assertIn("SSH_KEY", wrong.errors)

    def app_repository(self):
        """A bare repository that only root may read: "first" on main, "second" on the branch topic."""
        tree = self.app({"state": "first\n"}, name="tree")
        first = commit_all(tree)
        git(tree, "checkout", "--quiet", "-b", "topic")
        (tree / "state").write_text("second\n")
        second = commit_all(tree)
        bare = self.root / "app.git"
        git(self.root, "clone", "--quiet", "--bare", tree, bare)
        git(bare, "symbolic-ref", "HEAD", "refs/heads/main")
        bare.chmod(0o700)
        return bare, first, second

    def take(self, source, key, known, *arguments, expect=0):
        pack = self.buildpack(compile='echo "state=[$(cat "$1/state")]"; echo "version=[$SOURCE_VERSION]"; echo "git=[$(ls -d "$1/.git" 2>/dev/null)]"')
        hosts = ("--env", f"SSH_CLIENT_HOSTS={known}") if known else ()
        return self.build(source, "--network", "host", "--env", "SSH_KEY=" + base64.b64encode(key.encode()).decode(),
                          *hosts, *arguments, packs=[pack], expect=expect)

    def test_a_source_is_fetched_with_the_key(self):
        bare, first, second = self.app_repository()
        with ssh_server(self.root / "ssh") as (port, key, known, self.daemon):
            url = f"ssh://root@127.0.0.1:{port}{bare}"
            for source, hosts, state, sha in ((url, known, "first", first), (f"{url}#topic", None, "second", second),
                                              (f"{url}#{first}", known, "first", first)):
                outcome = self.take(source, key, hosts)
                self.assertEqual((outcome.said("state"), outcome.said("version"), outcome.said("git")), (state, sha, ""))
                for line in key.splitlines()[1:-1]:
                    self.assertNotIn(line, str(outcome))
            missing = self.take(f"{url}#nothing", key, known, expect=4)
            self.assertIn("nothing", missing.errors)
            impostor = known.split()[0] + " ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
            self.assertEqual(self.take(url, key, impostor, expect=4).report["error"]["phase"], "source")

    def test_a_source_at_level_uid_needs_an_account_for_the_build_user(self):
        bare, _, _ = self.app_repository()
        with ssh_server(self.root / "ssh") as (port, key, known, self.daemon):
            url = f"ssh://root@127.0.0.1:{port}{bare}"
            account = str(pwd.getpwnam("nobody").pw_uid)
            outcome = self.take(url, key, known, "--sandbox", "uid", "--build-uid", account)
            self.assertEqual(outcome.said("state"), "first")
            nobody_has_it = next(uid for uid in range(61000, 62000) if str(uid) not in {str(x.pw_uid) for x in pwd.getpwall()})
            outcome = self.take(url, key, known, "--sandbox", "uid", "--build-uid", str(nobody_has_it), expect=4)
            self.assertIn("ssh refuses a user without an account", outcome.errors)

    def test_a_source_in_the_short_form_of_ssh(self):
        bare, first, _ = self.app_repository()
        address = "127.0.0.77"  # the short form has no place for a port
        try:
            socket.create_server((address, 22)).close()
        except OSError:
            self.skipTest("port 22 cannot be had here")
        with ssh_server(self.root / "ssh", address, 22) as (_, key, known, self.daemon):
            outcome = self.take(f"root@{address}:{bare}", key, known)
            self.assertEqual((outcome.said("state"), outcome.said("version")), ("first", first))
            relative = self.take(f"root@{address}:../..{bare}#main", key, known)
            self.assertEqual(relative.said("state"), "first")

    def test_a_source_without_a_key_is_refused_and_named(self):
        bare, _, _ = self.app_repository()
        with ssh_server(self.root / "ssh") as (port, _, _, self.daemon):
            outcome = self.build(f"ssh://root@127.0.0.1:{port}{bare}", "--network", "host", packs=[self.buildpack()], expect=4)
        self.assertIn("app.git", outcome.errors)

    def test_without_a_key_it_is_refused_and_named(self):
        with ssh_server(self.root / "ssh") as (port, _, _, self.daemon):
            outcome = self.build(self.app(), "--network", "host", packs=[f"ssh://root@127.0.0.1:{port}{self.root}/pack.git"], expect=None)
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn("pack.git", outcome.log + outcome.errors)


if __name__ == "__main__":
    main()
