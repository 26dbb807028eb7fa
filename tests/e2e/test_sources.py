"""Where an app's source comes from: directories, tarballs of every kind, standard input, git, the web; hostile ones."""

import io
import os
import subprocess
import tarfile

from harness import EndToEnd, Link, main, write_tree
from servers import FileServer, commit_all, git

SHOW = ('cd "$1"; echo "files=[$(find . -mindepth 1 -printf "%P:%y:%m\\n" | LC_ALL=C sort | tr "\\n" " ")]"; '
        'echo "version=[${SOURCE_VERSION-unset}]"')


class Sources(EndToEnd):
    def files_of(self, source, *arguments, **options):
        outcome = self.build(source, *arguments, packs=[self.buildpack(compile=SHOW)], **options)
        return outcome.said("files").split()

    def tree(self):
        return write_tree(self.root / "tree", {"a": "1\n", "bin/run": "#!/bin/sh\n", "dir/b": "2\n", "link": Link("dir/b"), "out": Link("/nowhere")})

    EXPECTED = ["a:f:644", "bin/run:f:755", "bin:d:755", "dir/b:f:644", "dir:d:755", "link:l:777", "out:l:777"]

    def test_a_directory(self):
        self.assertEqual(self.files_of(self.tree()), self.EXPECTED)

    def test_a_relative_directory(self):
        self.tree()
        self.assertEqual(self.files_of("tree", cwd=self.root), self.EXPECTED)
        self.assertEqual(self.files_of(".", cwd=self.root / "tree"), self.EXPECTED)

    def test_a_directory_without_its_git(self):
        tree = self.tree()
        commit_all(tree)
        self.assertEqual(self.files_of(tree), self.EXPECTED)
        self.assertTrue((tree / ".git").is_dir())

    def test_tarballs_of_every_compression_and_standard_input(self):
        tree = self.tree()
        for suffix, program in ((".tar", None), (".tar.gz", "gzip"), (".tar.zst", "zstd"), (".tar.xz", "xz")):
            archive = self.root / f"source{suffix}"
            options = ["-I", program] if program else []
            subprocess.run(["tar", *options, "-cf", archive, "-C", tree, "."], check=True)
            self.assertEqual(self.files_of(archive), self.EXPECTED, suffix)
            self.assertEqual(self.files_of("-", input=archive.read_bytes()), self.EXPECTED, f"stdin {suffix}")

    def test_the_top_folder_of_a_tarball_is_stripped_by_url_or_when_asked(self):
        tree = self.tree()
        served = self.root / "served"
        served.mkdir()
        subprocess.run(["tar", "-czf", served / "app.tar.gz", "-C", self.root, tree.name], check=True)
        self.assertIn("tree/a:f:644", self.files_of(served / "app.tar.gz"))
        self.assertEqual(self.files_of(served / "app.tar.gz", "--strip", "1"), self.EXPECTED)
        with FileServer(served) as server:
            self.assertEqual(self.files_of(f"{server.url}/app.tar.gz"), self.EXPECTED)
            self.assertIn("tree/a:f:644", self.files_of(f"{server.url}/app.tar.gz", "--strip", "0"))
            server.redirects["/latest.tar.gz"] = "/app.tar.gz"
            self.assertEqual(self.files_of(f"{server.url}/latest.tar.gz"), self.EXPECTED)
            outcome = self.build(f"{server.url}/missing.tar.gz", packs=[self.buildpack()], expect=4)
            self.assertIn("missing.tar.gz", outcome.log + outcome.errors)

    def test_git_with_a_ref_and_its_sha_as_the_source_version(self):
        tree = self.tree()
        first = commit_all(tree)
        (tree / "c").write_text("later\n")
        second = commit_all(tree)
        git(tree, "tag", "v2")
        show = self.buildpack(compile=SHOW)
        for reference, sha, later in ((f"{tree}#{first}", first, False), (f"{tree}#v2", second, True), (f"{tree}#main", second, True),
                                      (f"file://{tree}", second, True)):
            outcome = self.build(reference, packs=[show])
            self.assertEqual((outcome.said("version"), "c:f:644" in outcome.said("files")), (sha, later), reference)
            self.assertNotIn(".git", outcome.said("files"))
        outcome = self.build(f"{tree}#v2", "--source-version", "mine", packs=[show])
        self.assertEqual(outcome.said("version"), "mine")
        self.build(f"{tree}#nowhere", packs=[show], expect=4)

    def test_git_over_http_with_a_submodule(self):
        served = self.root / "served"
        part, tree = write_tree(self.root / "part", {"p": "part\n"}), self.tree()
        commit_all(part)
        git(served.parent, "clone", "--quiet", "--bare", part, served / "part.git")
        with FileServer(served, smart=True) as server:
            commit_all(tree)
            git(tree, "submodule", "--quiet", "add", f"{server.url}/part.git", "vendor/part")
            commit_all(tree)
            git(served.parent, "clone", "--quiet", "--bare", tree, served / "app.git")
            files = self.files_of(f"{server.url}/app.git", "--network", "host")
        self.assertIn("vendor/part/p:f:644", files)
        self.assertFalse([name for name in files if ".git:" in name or "/.git" in name])

    def test_a_truncated_or_damaged_tarball_is_refused(self):
        archive = self.root / "source.tar.gz"
        write_tree(self.root / "tree", {"big": os.urandom(300000)})
        subprocess.run(["tar", "-czf", archive, "-C", self.root / "tree", "."], check=True)
        whole = archive.read_bytes()
        for content in (whole[: len(whole) // 2], whole[:1000] + b"garbage" + whole[1007:], b"garbage", b""):
            archive.write_bytes(content)
            self.build(archive, packs=[self.buildpack()], expect=4)


class Hostile(EndToEnd):
    def refused(self, *members):
        """Builds a tar from (name, type, linkname or content), and expects it to be refused before anything ran."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, kind, content in (("fine", tarfile.REGTYPE, "x"), *members):
                member = tarfile.TarInfo(name)
                member.type = kind
                if kind == tarfile.REGTYPE:
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content.encode()))
                else:
                    member.linkname = content
                    archive.addfile(member)
        outcome = self.build("-", packs=[self.buildpack(compile="echo compiled")], input=stream.getvalue(), expect=None)
        self.assertEqual(outcome.code, 4, f"{members}: {outcome}")
        self.assertNotIn("compiled\n", outcome.log)
        return outcome

    def test_paths_that_leave_the_tree(self):
        outside = self.root / "outside"
        self.refused((f"{outside}", tarfile.REGTYPE, "x"))
        self.refused(("../../outside", tarfile.REGTYPE, "x"))
        self.refused(("a/../../outside", tarfile.REGTYPE, "x"))
        self.assertFalse(outside.exists())

    def test_writing_through_a_link(self):
        outside = self.root / "cache-home" / "outside"
        outside.mkdir()
        self.refused(("link", tarfile.SYMTYPE, str(outside)), ("link/file", tarfile.REGTYPE, "x"))
        self.assertEqual(os.listdir(outside), [])

    def test_hard_links_to_the_outside(self):
        self.refused(("passwd", tarfile.LNKTYPE, "/etc/passwd"))
        self.refused(("passwd", tarfile.LNKTYPE, "../../../../etc/passwd"))

    def test_devices(self):
        self.refused(("device", tarfile.CHRTYPE, ""))
        self.refused(("block", tarfile.BLKTYPE, ""))

    def test_a_link_that_merely_points_elsewhere_is_kept(self):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, target in (("absolute", "/etc/hostname"), ("up", "../../x")):
                member = tarfile.TarInfo(name)
                member.type, member.linkname = tarfile.SYMTYPE, target
                archive.addfile(member)
        pack = self.buildpack(compile='[ "$(readlink "$1/absolute")" = /etc/hostname ] && [ "$(readlink "$1/up")" = ../../x ]')
        self.build("-", packs=[pack], input=stream.getvalue())

    def test_a_bomb(self):
        bomb = self.root / "bomb.tar.gz"
        member = tarfile.TarInfo("zeros")
        member.size = 1 << 42
        head = member.tobuf(format=tarfile.GNU_FORMAT)
        made = subprocess.run(["gzip", "-1"], input=head + bytes(64 << 20), capture_output=True, check=True).stdout
        bomb.write_bytes(made)
        self.build(bomb, packs=[self.buildpack()], expect=4)


if __name__ == "__main__":
    main()
