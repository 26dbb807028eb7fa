"""A real SSH server: a key in SSH_KEY fetches what only it may read, and no buildpack ever sees the key."""

import base64
import shutil
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

    def test_a_buildpack_and_a_source_are_fetched_with_the_key(self):
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

    def test_without_a_key_it_is_refused_and_named(self):
        with ssh_server(self.root / "ssh") as (port, _, _, self.daemon):
            outcome = self.build(self.app(), "--network", "host", packs=[f"ssh://root@127.0.0.1:{port}{self.root}/pack.git"], expect=None)
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn("pack.git", outcome.log + outcome.errors)


if __name__ == "__main__":
    main()
