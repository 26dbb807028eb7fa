"""The commands that look into caches: ls, show, du, diff and cat, against counts of our own."""

import os
import pty
import re
import subprocess
import sys
import time

from caches import Caches, NOW, tree_size
from harness import main, write_tree


class CacheLs(Caches):
    def test_nothing(self):
        for path in self.objects():
            path.unlink()
        outcome = self.cache("ls")
        self.assertEqual(outcome.log, "")
        self.assertIn("there is no cache", outcome.errors)
        self.assertEqual(self.told("ls")["caches"], [])

    def test_counts_what_is_there(self):
        (self.tree / "more").write_bytes(os.urandom(700_000))
        self.save()
        self.save("other", "--stack", "debian-12")
        caches = self.told("ls")["caches"]
        self.assertEqual([(cache["app"], cache["stack"]) for cache in caches],
                         [("demo", "heroku-24"), ("other", "debian-12")])
        for cache, generations in zip(caches, (2, 1)):
            self.assertEqual((cache["entries"], cache["bytes"]), tree_size(self.tree))
            self.assertEqual((cache["stored_objects"], cache["stored_bytes"]), self.stored(cache["app"]))
            self.assertEqual(cache["generations"], generations)
            self.assertIsNone(cache["error"])
            self.assertRegex(cache["last_save"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(len(self.told("ls", "demo")["caches"]), 1)
        self.assertEqual([cache["app"] for cache in self.told("ls", "--stack", "debian-12")["caches"]], ["other"])

    def test_a_build_that_restores_makes_use_of_it(self):
        pack = self.buildpack(compile='[ -e "$2/n" ] || echo 1 >"$2/n"')
        self.build(self.app(), packs=[pack], app="built")
        time.sleep(1.1)  # the times are told in seconds
        warm = self.build(self.app(), packs=[pack], app="built")
        self.assertEqual((warm.restore["outcome"], warm.save["outcome"]), ("hit", "unchanged"))
        (cache,) = self.told("ls", "built")["caches"]
        self.assertGreater(cache["last_use"], cache["last_save"])
        (cache,) = self.told("ls", "demo")["caches"]
        self.assertEqual(cache["last_use"], cache["last_save"])

    def test_the_table(self):
        lines = self.cache("ls").log.splitlines()
        self.assertEqual(lines[0].split(), ["APP", "STACK", "ARCH", "GENS", "ENTRIES", "SIZE", "STORED", "LAST", "SAVE", "LAST", "USE"])
        self.assertEqual(lines[1].split()[:2] + lines[1].split()[3:5], ["demo", "heroku-24", "1", "9"])
        self.assertEqual(len(lines), 2)

    def test_a_damaged_head_is_told_beside_the_others(self):
        self.save("other")
        (head,) = [path for path in self.objects("apps/demo") if path.name.startswith("HEAD.")]
        head.chmod(0o600)
        head.write_bytes(head.read_bytes().replace(b"serial", b"cereal"))
        outcome = self.cache("ls", expect=5)
        self.assertIn("other", outcome.log)
        self.assertIn("demo", outcome.errors)
        caches = self.told("ls", expect=5)["caches"]
        self.assertIsNotNone(caches[0]["error"])
        self.assertIsNone(caches[1]["error"])

    def test_bad_input(self):
        self.assertIn("nobody has no cache", self.cache("ls", "nobody", expect=4).errors)
        self.assertIn("cannot be an app's name", self.cache("ls", "a/b", expect=2).errors)
        self.cache("ls", "--format", "xml", expect=2)
        self.cache("ls", "--store", "gopher://x", expect=2)
        self.cache("ls", "demo", "more", expect=2)


class CacheShow(Caches):
    def test_generations(self):
        (self.tree / "more").write_bytes(os.urandom(700_000))
        self.save()
        answer = self.told("show", "demo")
        newest, older = answer["generations"]
        self.assertEqual((newest["entries"], newest["bytes"]), tree_size(self.tree))
        self.assertEqual((older["entries"], older["bytes"]),
                         (newest["entries"] - 1, newest["bytes"] - 700_000))
        self.assertEqual((answer["stored"]["objects"], answer["stored"]["bytes"]), self.stored())
        sizes = {path.name: path.stat().st_size for path in self.objects("apps/demo/cache")}
        head = next(size for name, size in sizes.items() if name.startswith("HEAD."))
        # Each object belongs to a generation, and what only one needs is its own.
        self.assertEqual(newest["stored_bytes"] + older["own_bytes"] + head, answer["stored"]["bytes"])
        self.assertEqual(newest["own_bytes"],
                         sum(size for name, size in sizes.items() if name.startswith(newest["id"])))
        self.assertEqual((answer["aside"], answer["bad"], answer["trash"], answer["pins"]), ([], [], [], []))
        text = self.cache("show", "demo").log
        self.assertIn("2 generations", text)
        self.assertIn(newest["id"], text)

    def test_the_tree_of_a_generation(self):
        answer = self.told("show", "demo", "--generation", "0")
        entries = {entry["path"]: entry for entry in answer["entries"]}
        found = {}
        for below, directories, files in os.walk(self.tree):
            for name in directories + files:
                path = os.path.join(below, name)
                found[os.path.relpath(path, self.tree)] = os.lstat(path)
        self.assertEqual(sorted(entries), sorted(found))
        self.assertEqual([entry["path"] for entry in answer["entries"]], sorted(found, key=os.fsencode))
        for path, status in found.items():
            self.assertEqual(entries[path]["mtime_ns"], status.st_mtime_ns, path)
            if entries[path]["type"] != "symlink":
                self.assertEqual(entries[path]["mode"], f"{status.st_mode & 0o7777:04o}", path)
            if entries[path]["type"] in ("file", "hard_link"):
                self.assertEqual(entries[path]["bytes"], status.st_size, path)
        self.assertEqual(entries["link"]["target"], "dir/file")
        self.assertEqual((entries["twin"]["type"], entries["twin"]["target"]), ("hard_link", "dir/file"))
        self.assertEqual(answer["root"]["mtime_ns"], NOW)

    def test_the_tree_in_text(self):
        lines = self.cache("show", "demo", "--generation", "0").log.splitlines()
        self.assertEqual(len(lines), 9)
        self.assertRegex(lines[-3], r"^-rw-r--r-- +40000 \S+ odd\\x0aname\\x1b\[31m$")
        self.assertIn("-rwxr-xr-x           10 2023-11-14T22:13:20Z tool", lines)
        self.assertTrue(any(line.startswith("lrwxrwxrwx") and line.endswith(" link -> dir/file") for line in lines))
        self.assertTrue(any(line.startswith("hrw-r--r--") and line.endswith(" twin == dir/file") for line in lines))
        self.assertTrue(any(line.startswith("drwxr-xr-x") and line.endswith(" empty") for line in lines))

    def test_a_missing_manifest_is_told(self):
        (manifest,) = [path for path in self.objects("apps/demo") if "/manifest/" in str(path)]
        manifest.unlink()
        outcome = self.cache("show", "demo", expect=5)
        self.assertIn("1 generation", outcome.log)
        self.assertIn(manifest.name, outcome.errors)
        self.assertIsNone(self.told("show", "demo", expect=5)["generations"][0]["entries"])
        self.cache("show", "demo", "--generation", "0", expect=5)

    def test_several_caches_of_an_app(self):
        self.save("demo", "--stack", "debian-12")
        outcome = self.cache("show", "demo", expect=2)
        self.assertIn("debian-12-", outcome.errors)
        self.assertIn("--stack", outcome.errors)
        self.assertEqual(self.told("show", "demo", "--stack", "debian-12")["stack"], "debian-12")
        self.cache("show", "demo", "--stack", "debian-13", expect=4)

    def test_bad_input(self):
        self.assertIn("needs an APP", self.cache("show", expect=2).errors)
        self.cache("show", "nobody", expect=4)
        self.assertIn("the cache has 1", self.cache("show", "demo", "--generation", "1", expect=4).errors)
        self.assertIn("names no generation", self.cache("show", "demo", "--generation", "new", expect=2).errors)
        self.cache("show", "demo", "--generation", "0123456789abcdef", expect=4)
        self.cache("show", "demo", "--all", expect=2)


class CacheDu(Caches):
    def du(self, *arguments):
        return self.told("du", "demo", *arguments)["usage"]

    def flat(self, usage):
        yield usage
        for below in usage["below"]:
            yield from self.flat(below)

    def test_each_sum_is_what_find_counts(self):
        whole = self.du("--depth", "20")
        self.assertEqual((whole["entries"], whole["bytes"]), tree_size(self.tree))
        names = set()
        for usage in self.flat(whole):
            names.add(usage["path"])
            path = self.tree / usage["path"]
            if not usage["directory"] or usage["path"] == "":
                continue
            entries, size = tree_size(path)
            self.assertEqual((usage["entries"], usage["bytes"]), (entries + 1, size), usage["path"])
        self.assertEqual(len(names), tree_size(self.tree)[0] + 1)
        count = subprocess.run(["find", str(self.tree / "dir"), "-type", "f", "-printf", "%s\n"], check=True,
                               capture_output=True, text=True).stdout.split()
        self.assertEqual(self.du("dir")["bytes"], sum(map(int, count)))

    def test_the_largest_comes_first(self):
        below = [usage["path"] for usage in self.du()["below"]]
        self.assertEqual(below[:3], ["dir", "odd\nname\x1b[31m", "tool"])
        lines = self.cache("du", "demo", "--depth", "1").log.splitlines()
        self.assertTrue(lines[0].endswith("100.0%  ./"), lines[0])
        self.assertTrue(lines[1].endswith("  dir/"), lines[1])
        self.assertIn(r"odd\x0aname\x1b[31m", lines[2])
        self.assertEqual(len(lines), 7)  # the top, and the six entries in it

    def test_a_path(self):
        for spelled in ("dir/deep", "./dir/deep/", "dir/deep/"):
            self.assertEqual(self.du(spelled)["path"], "dir/deep")
        self.assertEqual(self.du("tool")["bytes"], 10)
        self.assertIn("there is no dir/dee", self.cache("du", "demo", "dir/dee", expect=4).errors)

    def test_much_in_one_directory(self):
        write_tree(self.tree / "many", {f"file{number:03}": "x" * number for number in range(100)})
        self.save()
        lines = self.cache("du", "demo", "many").log.splitlines()
        self.assertTrue(lines[-1].endswith("(85 more)"), lines[-1])
        self.assertEqual(sum(range(85)), 3570)
        self.assertIn(" 3.6 kB ", lines[-1])
        self.assertEqual(len(lines), 17)
        self.assertEqual(len(self.cache("du", "demo", "many", "--full").log.splitlines()), 101)
        # The generation before did not have it.
        self.cache("du", "demo", "many", "--generation", "1", expect=4)

    def on_a_terminal(self, **env):
        controller, terminal = pty.openpty()
        process = self.start("cache", "du", "demo", stdout=terminal, env=env)
        os.close(terminal)
        output = b""
        while True:
            try:
                piece = os.read(controller, 65536)
            except OSError:
                break
            if not piece:
                break
            output += piece
        os.close(controller)
        self.finish(process)
        return output.decode()

    def test_bars_on_a_terminal_only(self):
        plain = self.cache("du", "demo").log
        self.assertNotIn("#", plain)
        self.assertNotIn("\x1b", plain)
        coloured = self.on_a_terminal(TERM="xterm")
        self.assertIn("\x1b[36m" + "#" * 20 + "\x1b[0m", coloured)
        for quiet in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
            output = self.on_a_terminal(**quiet)
            self.assertIn("#" * 20, output)
            self.assertNotIn("\x1b", output)

    def test_bad_input(self):
        self.cache("du", expect=2)
        self.cache("du", "demo", "--depth", "-1", expect=2)
        self.cache("du", "demo", "--depth", "x", expect=2)
        self.cache("du", "nobody", expect=4)


class CacheDiff(Caches):
    def change(self):
        (self.tree / "new").mkdir()
        (self.tree / "new" / "file").write_bytes(os.urandom(250_000))
        (self.tree / "tool").chmod(0o700)
        (self.tree / "dir" / "file").write_text("CONTENT\n")
        (self.tree / "link").unlink()
        os.utime(self.tree / "empty", ns=(1, 1))
        return self.save()

    def test_what_changed(self):
        before = {path: path.stat().st_size for path in self.objects("apps/demo/cache")}
        text = self.change().log
        answer = self.told("diff", "demo", "--files")
        self.assertEqual({file["path"]: file["change"] for file in answer["files"]},
                         {"dir/file": "content", "empty": "times", "link": "removed", "new": "added",
                          "new/file": "added", "tool": "mode"})
        changes = answer["changes"]
        self.assertEqual(changes["added"], {"entries": 2, "bytes_before": 0, "bytes_after": 250_000,
                                            "uploaded_bytes": 250_000})
        self.assertEqual(changes["removed"]["entries"], 1)
        self.assertEqual(answer["unchanged"], tree_size(self.tree)[0] - 5)
        # What the save said, and what is in the store now that was not there before.
        self.assertIn("2 added, 3 changed, 1 removed", text)
        new = [path for path in self.objects("apps/demo/cache")
               if path not in before and not path.name.startswith("HEAD.")]
        upload = answer["upload"]
        self.assertEqual(upload["objects"], len(new))
        self.assertEqual(upload["pack_bytes"] + upload["manifest_bytes"], sum(path.stat().st_size for path in new))
        self.assertEqual(upload["content_bytes"], 250_008)
        self.assertEqual(upload["known_content_bytes"], 0)
        directories = {directory["path"]: directory for directory in answer["directories"]}
        self.assertEqual(directories["new"]["added"]["bytes_after"], 250_000)
        self.assertEqual(directories["dir"]["changed"]["entries"], 1)

    def test_in_text(self):
        self.change()
        lines = self.cache("diff", "demo").log.splitlines()
        self.assertRegex(lines[0], r"^demo \(heroku-24, \w+\): [0-9a-f]{16} \(.*Z\) -> [0-9a-f]{16} \(.*Z\)$")
        self.assertTrue(any(re.match(r"^  added +2 +250 kB  \(250 kB uploaded\)$", line) for line in lines), lines)
        self.assertTrue(any(re.match(r"^  mode +1 ", line) for line in lines))
        self.assertTrue(any(line.startswith("The save uploaded ") for line in lines))
        self.assertTrue(any(line.endswith("  new/") for line in lines))
        files = self.cache("diff", "demo", "--files").log.splitlines()
        self.assertTrue(any(re.match(r"^added +250 kB +250 kB  new/file$", line) for line in files), files)
        self.assertTrue(any(re.match(r"^times .* empty$", line) for line in files))

    def test_named_generations(self):
        self.change()
        (self.tree / "third").write_text("3")
        self.save()
        ids = [generation["id"] for generation in self.told("show", "demo")["generations"]]
        answer = self.told("diff", "demo", "2", "0")
        self.assertEqual((answer["from"], answer["to"]), (ids[2], ids[0]))
        self.assertEqual(answer["changes"]["added"]["entries"], 3)
        self.assertEqual(self.told("diff", "demo", ids[2], ids[1])["changes"]["added"]["entries"], 2)
        # The other way round what was added is removed.
        self.assertEqual(self.told("diff", "demo", "0", "2")["changes"]["removed"]["entries"], 3)
        same = self.told("diff", "demo", "1", "1")
        self.assertEqual(sum(change["entries"] for change in same["changes"].values()), 0)

    def test_bad_input(self):
        self.assertIn("the cache has 1", self.cache("diff", "demo", expect=4).errors)
        self.assertIn("two generations", self.cache("diff", "demo", "1", expect=2).errors)
        self.cache("diff", "demo", "0", "x", expect=2)
        self.cache("diff", expect=2)
        self.cache("diff", "demo", "0", "0", "0", expect=2)


class CacheCat(Caches):
    def test_contents(self):
        for path in ("dir/file", "dir/deep/large", "tool", "twin", "odd\nname\x1b[31m", "./dir/file"):
            self.assertEqual(self.cache("cat", "demo", path).stdout, (self.tree / path).read_bytes(), path)
        (self.tree / "tool").write_text("another\n")
        self.save()
        self.assertEqual(self.cache("cat", "demo", "tool").log, "another\n")
        self.assertEqual(self.cache("cat", "demo", "tool", "--generation", "1").log, "#!/bin/sh\n")

    def test_a_sparse_file(self):
        with open(self.tree / "sparse", "wb") as file:
            file.seek(5_000_000)
            file.write(b"end")
        self.save()
        self.assertEqual(self.cache("cat", "demo", "sparse").stdout, bytes(5_000_000) + b"end")

    def test_damage_is_an_error(self):
        self.damage_packs()
        outcome = self.cache("cat", "demo", "dir/deep/large", expect=5)
        self.assertIn("/pack/", outcome.errors)
        self.assertTrue((self.tree / "dir/deep/large").read_bytes().startswith(outcome.stdout))

    def test_a_reader_that_goes_away(self):
        (self.tree / "huge").write_bytes(os.urandom(30_000_000))
        self.save()
        process = self.start("cache", "cat", "demo", "huge")
        process.stdout.read(10)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), 5)
        process.stderr.close()
        self.running_processes.remove(process)

    def test_memory_does_not_grow_with_the_file(self):
        if b"__asan_init" in self.binary.read_bytes():
            self.skipTest("AddressSanitizer takes memory of its own")
        with open(self.tree / "huge", "wb") as file:
            for _ in range(200):
                file.write(os.urandom(1 << 20))
        self.save()
        # From a small process of its own: what a parent has at most counts as its child's, too.
        script = ("import os, subprocess, sys\n"
                  "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
                  "size = 0\n"
                  "while piece := child.stdout.read(1 << 20): size += len(piece)\n"
                  "_, status, usage = os.wait4(child.pid, 0)\n"
                  "print(status, size, usage.ru_maxrss)\n")
        told = subprocess.run([sys.executable, "-c", script, str(self.binary), "cache", "cat", "demo", "huge"],
                              env=self.environment(), check=True, capture_output=True, text=True).stdout
        status, size, kilobytes = map(int, told.split())
        self.assertEqual((status, size), (0, 200 << 20))
        self.assertLess(kilobytes, 130_000)

    def test_bad_input(self):
        self.assertIn("needs the PATH", self.cache("cat", "demo", expect=2).errors)
        self.assertIn("is a directory", self.cache("cat", "demo", "dir", expect=2).errors)
        self.assertIn("symbolic link to dir/file", self.cache("cat", "demo", "link", expect=2).errors)
        self.assertIn("there is no nothing", self.cache("cat", "demo", "nothing", expect=4).errors)
        self.cache("cat", "demo", "../demo", expect=4)
        self.cache("cat", "nobody", "x", expect=4)
        self.cache("cat", "demo", "dir/file", "--format", "json", expect=2)


if __name__ == "__main__":
    main()
