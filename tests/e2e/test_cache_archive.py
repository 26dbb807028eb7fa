"""Caches as archives: export and import, against counts of our own."""

import os
import shutil
import subprocess
import tarfile

from caches import Caches, tree_size
from harness import ORDINARY_USER, main, needs_root


class CacheArchives(Caches):
    def setUp(self):
        super().setUp()
        self.files = self.root / "home" / "files"
        self.files.mkdir()

    def picture(self, root):
        found = {}
        for below, directories, files in os.walk(root):
            for name in [".", *directories, *files]:
                path = os.path.join(below, name)
                status = os.lstat(path)
                content = os.readlink(path) if os.path.islink(path) else None
                if content is None and not os.path.isdir(path):
                    content = open(path, "rb").read()
                found[os.path.relpath(path, root)] = (status.st_mode, status.st_mtime_ns, content, status.st_nlink
                                                      if not os.path.isdir(path) else 0)
        return found

    def test_tar_reads_what_is_exported(self):
        for name in ("a.tar", "a.tar.gz", "a.tgz", "a.tar.zst"):
            file = self.files / name
            outcome = self.cache("export", "demo", file)
            self.assertIn("9 entries", outcome.log)
            out = self.files / "out"
            out.mkdir()
            subprocess.run(["tar", "-C", str(out), "-xpf", str(file)], check=True)
            self.assertEqual(self.picture(out), self.picture(self.tree), name)
            shutil.rmtree(out)
            # The same each time, and told exactly.
            answer = self.told("export", "demo", self.files / ("again-" + name))
            self.assertEqual((self.files / ("again-" + name)).read_bytes(), file.read_bytes())
            self.assertEqual(answer["archive"]["bytes"], file.stat().st_size)
            sha256 = subprocess.run(["sha256sum", str(file)], check=True, capture_output=True, text=True).stdout
            self.assertEqual(answer["archive"]["sha256"], sha256.split()[0])
            self.assertEqual((answer["entries"], answer["bytes"]), tree_size(self.tree))
        with tarfile.open(self.files / "a.tar.gz") as archive:
            members = {member.name: member for member in archive}
        self.assertEqual(len(members), 10)
        self.assertEqual(members["./twin"].linkname, "./dir/file")
        self.assertEqual({member.uid for member in members.values()}, {0})

    def test_to_standard_output(self):
        self.cache("export", "demo", self.files / "a.tar")
        outcome = self.cache("export", "demo", "-")
        self.assertEqual(outcome.stdout, (self.files / "a.tar").read_bytes())
        self.assertIn("exported generation", outcome.errors)

    def test_a_tree_comes_back(self):
        copy = self.root / "home" / "copy"
        for name in ("a.tar", "a.tar.gz", "a.tar.zst"):
            self.cache("export", "demo", self.files / name)
            app = name.replace(".", "-")
            outcome = self.cache("import", app, self.files / name)
            self.assertIn("9 entries", outcome.log)
            self.assertEqual(self.cache("restore", copy, "--app", app, "--replace").code, 0)
            self.assertEqual(self.picture(copy), self.picture(self.tree), name)
        self.assertIn("holds just that already", self.cache("import", "demo", self.files / "a.tar").log)

    def test_the_cache_of_an_older_builder(self):
        archive = self.files / "cache.tgz"
        subprocess.run(["tar", "-C", str(self.tree), "-czf", str(archive), "."], check=True)
        answer = self.told("import", "old", archive)
        self.assertEqual((answer["outcome"], answer["entries"], answer["bytes"]), ("saved", *tree_size(self.tree)))
        self.assertEqual(self.told("show", "old")["generations"][0]["id"], answer["generation"])
        self.assertEqual(self.cache("cat", "old", "dir/file").log, "content\n")

    def test_from_standard_input(self):
        self.cache("export", "demo", self.files / "a.tar.zst")
        outcome = self.cache("import", "piped", "-", input=(self.files / "a.tar.zst").read_bytes())
        self.assertIn("9 entries", outcome.log)

    def test_it_is_a_new_generation_and_the_old_ones_stay(self):
        self.cache("export", "demo", self.files / "a.tar")
        (self.tree / "more").write_text("more")
        self.save()
        self.cache("import", "demo", self.files / "a.tar")
        sizes = [generation["entries"] for generation in self.told("show", "demo")["generations"]]
        self.assertEqual(sizes, [9, 10, 9])

    def test_hostile_archives(self):
        inside = self.files / "inside"
        inside.write_text("x")
        for what in ("../escape", "/absolute"):
            bad = self.files / "bad.tar"
            with tarfile.open(bad, "w") as archive:
                archive.add(inside, arcname="good")
                member = archive.gettarinfo(inside)
                member.name = what
                archive.addfile(member, open(inside, "rb"))
            outcome = self.cache("import", "hostile", bad, expect=2)
            self.assertIn(what, outcome.errors)
        with tarfile.open(bad, "w") as archive:
            link = tarfile.TarInfo("out")
            link.type, link.linkname = tarfile.SYMTYPE, str(self.root)
            archive.addfile(link)
            archive.add(inside, arcname="out/escaped")
        self.cache("import", "hostile", bad, expect=2)
        self.assertFalse((self.root / "escaped").exists())
        self.assertEqual(self.objects("apps/hostile"), [])

    def test_damaged_archives(self):
        good = self.files / "a.tar.gz"
        self.cache("export", "demo", good)
        bad = self.files / "bad.tgz"
        bad.write_bytes(good.read_bytes()[:-1000])
        self.cache("import", "other", bad, expect=4)
        bad.write_text("no archive")
        self.cache("import", "other", bad, expect=2)
        self.cache("import", "other", self.files / "absent.tgz", expect=4)
        self.assertEqual(self.objects("apps/other"), [])

    def test_a_damaged_cache_leaves_no_archive(self):
        self.damage_packs()
        for name in ("a.tar", "a.tar.gz", "a.tar.zst"):
            self.cache("export", "demo", self.files / name, expect=5)
        self.assertEqual(os.listdir(self.files), [])

    def test_nothing_stays_in_the_temporary_directory(self):
        temporary = self.root / "cache-home" / "tmp"
        temporary.mkdir()
        self.cache("export", "demo", self.files / "a.tar")
        self.cache("import", "other", self.files / "a.tar", "--temporary", temporary)
        self.assertEqual(os.listdir(temporary), [])
        self.cache("import", "other", self.files / "a.tar", "--temporary", self.root / "absent", expect=4)

    @needs_root
    def test_a_file_that_may_not_be_read_is_no_fault_of_the_store(self):
        archive = self.files / "a.tar"
        self.cache("export", "demo", archive)
        archive.chmod(0o600)
        closed = self.root / "closed"
        closed.mkdir(mode=0o700)
        self.become(ORDINARY_USER)
        os.chown(archive, 0, 0)
        self.cache("import", "other", archive, expect=70)
        os.chown(archive, ORDINARY_USER, ORDINARY_USER)
        self.cache("import", "other", archive, "--temporary", closed, expect=70)
        (closed / "tree").mkdir()
        unseen = self.root / "home" / "unseen"
        unseen.mkdir(mode=0o700)
        self.cache("restore", unseen, "--app", "demo", "--strict", expect=70)

    def test_bad_input(self):
        self.assertIn("needs a FILE", self.cache("export", "demo", expect=2).errors)
        self.assertIn(".tar.zst", self.cache("export", "demo", "a.zip", expect=2).errors)
        self.cache("export", "nobody", self.files / "a.tar", expect=4)
        self.cache("export", "demo", self.root / "absent" / "a.tar", expect=4)
        self.cache("export", "demo", "-", "--format", "json", expect=2)
        self.assertIn("needs a FILE", self.cache("import", "demo", expect=2).errors)
        self.cache("import", "a/b", "x.tar", expect=2)


if __name__ == "__main__":
    main()
