"""The slug: what is in it, what is not, and that everybody can read it."""

import gzip
import hashlib
import io
import os
import subprocess
import tarfile

from harness import EndToEnd, main


class Slug(EndToEnd):
    def setUp(self):
        super().setUp()
        self.file = self.root / "cache-home" / "slug.tgz"

    def slug_of(self, files=None, *arguments, compile="true", **options):
        outcome = self.build(self.app(files), "--slug", self.file, *arguments, packs=[self.buildpack(compile=compile)], **options)
        self.content = self.file.read_bytes() if self.file.exists() else b""
        return outcome

    def names(self):
        with tarfile.open(fileobj=io.BytesIO(self.content)) as archive:
            return sorted(member.name.removeprefix("./") for member in archive.getmembers() if not member.isdir())

    def member(self, name):
        with tarfile.open(fileobj=io.BytesIO(self.content)) as archive:
            return archive.getmember(f"./{name}")

    def test_tar_and_python_read_it(self):
        outcome = self.slug_of({"a": "1\n", "dir/b": "2\n"}, compile='echo built >"$1/c"; ln -s a "$1/l"; ln "$1/a" "$1/h"')
        listing = subprocess.run(["tar", "-tzf", self.file], check=True, capture_output=True, text=True).stdout.split()
        self.assertEqual(sorted(name for name in listing if not name.endswith("/")), ["./a", "./c", "./dir/b", "./h", "./l"])
        self.assertEqual(self.names(), ["a", "c", "dir/b", "h", "l"])
        self.assertEqual(gzip.decompress(self.content)[257:262], b"ustar")
        self.assertEqual(self.member("l").linkname, "a")
        self.assertEqual(outcome.report["slug"]["bytes"], len(self.content))
        self.assertEqual(outcome.report["slug"]["sha256"], hashlib.sha256(self.content).hexdigest())

    def test_what_is_published_is_the_same(self):
        outcome = self.slug_of()
        self.assertEqual((self.store / outcome.report["slug"]["key"]).read_bytes(), self.content)

    def test_the_same_tree_gives_the_same_bytes(self):
        compile = 'for i in 3 1 2; do echo $i >"$1/f$i"; done; find "$1" -exec touch -h -d "2020-01-01 00:00:00.5" {} +'
        digests = set()
        for _ in range(2):
            self.slug_of({"x": "y"}, compile=compile)
            digests.add(hashlib.sha256(self.content).hexdigest())
            self.forget_everything_local()
        self.assertEqual(len(digests), 1)

    def test_one_that_is_replaced_keeps_its_mode(self):
        self.file.write_bytes(b"old")
        self.file.chmod(0o600)
        self.slug_of({"a": "b"})
        self.assertEqual((self.names(), self.file.stat().st_mode & 0o7777), (["a"], 0o600))

    def test_to_standard_output(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--buildpack", self.buildpack(compile="echo compiling"), "--slug", "-")
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assertIn("compiling", outcome.errors)
        self.content = outcome.stdout
        self.assertEqual(self.names(), ["index.html"])

    def test_git_is_not_in_it(self):
        self.slug_of({".git/config": "x", "a": "1", ".gitignore": "a\n"}, compile='mkdir -p "$1/.git"; touch "$1/.git/y"; [ ! -e "$1/.git/config" ]')
        self.assertEqual(self.names(), [".gitignore", "a"])

    def test_owners_and_special_bits_are_not_in_it(self):
        self.slug_of({"run": ("x", 0o755)}, compile='chmod 6755 "$1/run"; mkfifo "$1/fifo"')
        run = self.member("run")
        self.assertEqual((run.uid, run.gid, run.uname, run.mode & 0o7777), (0, 0, "", 0o755))
        self.assertNotIn("fifo", self.names())

    def test_slugignore_is_applied_before_the_buildpacks(self):
        files = {".slugignore": "# comment\n\n*.psd\n/docs\nlogs/\n", "a.psd": "", "sub/b.psd": "", "docs/x": "", "sub/docs/y": "", "logs/z": "", "keep": ""}
        self.slug_of(files, compile='[ ! -e "$1/a.psd" ] && [ ! -e "$1/docs" ] && touch "$1/made.psd"')
        self.assertEqual([name for name in self.names() if name != ".slugignore"], ["keep", "made.psd", "sub/docs/y"])

    def test_slugignore_post_is_applied_after_them(self):
        files = {".slugignore-post": "src/\n*.o\n", "src/main.c": "x"}
        self.slug_of(files, compile='[ -e "$1/src/main.c" ] && touch "$1/main.o" "$1/main"')
        self.assertEqual([name for name in self.names() if not name.startswith(".slugignore")], ["main"])

    def test_a_large_one_is_warned_of_with_the_largest_directories(self):
        outcome = self.slug_of({}, "--slug-soft-limit", "100KB", compile='mkdir -p "$1/heavy" "$1/light"; head -c 300000 /dev/urandom >"$1/heavy/x"; touch "$1/light/y"')
        self.assert_ok(outcome)
        self.assertIn("heavy", outcome.log + outcome.errors)

    def test_one_above_the_hard_limit_fails_and_is_kept(self):
        pack = self.buildpack(compile='head -c 3000000 /dev/urandom >"$1/big"')
        outcome = self.build(self.app(), "--slug-hard-limit", "1MB", packs=[pack], expect=1)
        self.assertEqual(outcome.report["error"]["phase"], "slug")
        words = (outcome.log + outcome.errors).replace("'", " ").replace('"', " ").replace(",", " ").split()
        kept = [word.rstrip(".:;") for word in words if word.startswith("/") and word.rstrip(".:;").endswith(".tgz")]
        self.assertTrue(kept and os.path.getsize(kept[0]) > 1000000, str(outcome))
        self.assertFalse(any((record / "slug.tgz").exists() for record in self.builds()))

    def test_nothing_is_published_where_that_was_asked_for(self):
        outcome = self.slug_of({"a": "b"}, "--no-publish")
        self.assertEqual((self.builds(), self.names(), outcome.report["slug"]["key"]), ([], ["a"], ""))

    def test_mtimes_and_odd_names_are_in_it(self):
        self.slug_of({}, compile='touch -d "2001-02-03 04:05:06 UTC" "$1/old"; touch "$1/$(printf "b\\xffd")"; long=$(printf "%0200d" 7); touch "$1/$long"')
        self.assertEqual(self.member("old").mtime, 981173106)
        self.assertIn("b\udcffd", self.names())
        self.assertIn("7".rjust(200, "0"), self.names())


if __name__ == "__main__":
    main()
