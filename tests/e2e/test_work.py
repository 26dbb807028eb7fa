"""Work directories that outlive builds: what stays in them, and what the next build makes of it."""

import fcntl
import os
import shutil

from harness import EndToEnd, eventually, main

# What a build does to its cache is told by the config var DO, which is a file for it.
COMPILE = """
cd "$2"
sha256sum * 2>/dev/null | sha256sum | sed "s/ .*/]/; s/^/FOUND=[/"
case "$(cat "$3/DO")" in
  fill) head -c 3000000 /dev/urandom >large; for i in $(seq 50); do echo "$i" >"file$i"; done ;;
  change) echo changed >file7; rm file8; echo new >file99 ;;
  fail) echo failed >more; exit 1 ;;
esac
sha256sum * | sha256sum | sed "s/ .*/]/; s/^/LEFT=[/"
"""
KEEP = ("--keep-caches", "1GiB")


class Work(EndToEnd):
    def setUp(self):
        super().setUp()
        self.pack = self.buildpack(compile=COMPILE)

    def make(self, action, *arguments, app="demo", **options):
        return self.build(self.app(), "--no-publish", "--env", f"DO={action}", *(arguments or KEEP), app=app,
                          packs=[self.pack], **options)

    def kept(self, app="demo", slot=0):
        return self.work / "caches" / app / str(slot)

    def is_free(self, app="demo", slot=0):
        """Whether nobody works in the slot any more."""
        with open(self.work / "apps" / app / f"{slot}.lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def assert_found(self, outcome, before):
        self.assertEqual(outcome.restore["outcome"], "hit")
        self.assertEqual(outcome.said("FOUND"), before.said("LEFT"))

    def test_nothing_is_fetched_where_nothing_differs(self):
        first = self.make("fill")
        second = self.make("nothing")
        self.assert_found(second, first)
        self.assertEqual(second.restore["fetched_bytes"], 0)
        self.assertEqual(second.save["outcome"], "unchanged")
        self.assertEqual(second.save["read_bytes"], 0)
        self.assert_found(self.make("nothing"), first)

    def test_only_what_differs_is_fetched(self):
        self.make("fill")
        elsewhere = self.root / "elsewhere"
        changed = self.make("change", env={"HEARTH_WORK": str(elsewhere)})
        here = self.make("nothing")
        self.assert_found(here, changed)
        self.assertLess(here.restore["fetched_bytes"], 300_000)

    def test_what_somebody_changed_is_put_right(self):
        first = self.make("fill")
        tree = self.kept() / "tree"
        (tree / "file3").write_text("nothing that was ever saved")
        (tree / "file4").unlink()
        (tree / "more").mkdir()
        large = tree / "large"
        before = large.stat()
        with open(large, "r+b") as file:
            file.seek(1_000_000)
            file.write(b"x")
        os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assert_found(self.make("nothing"), first)

    def test_what_is_damaged_is_made_anew(self):
        first = self.make("fill")
        for damage in (lambda: (self.kept() / "index").write_bytes(b"x"), lambda: (self.kept() / "index").unlink(),
                       lambda: (self.kept() / "bytes").unlink(),
                       lambda: (shutil.rmtree(self.kept() / "tree"), (self.kept() / "tree").symlink_to("/etc"))):
            damage()
            self.assert_found(self.make("nothing"), first)
        self.assertTrue(os.path.exists("/etc/passwd"))

    def test_a_failed_build_keeps_what_it_started_from(self):
        first = self.make("fill")
        self.make("fail", expect=1)
        second = self.make("nothing")
        self.assert_found(second, first)
        self.assertEqual(second.restore["fetched_bytes"], 0)

    def test_another_stack_gets_a_cache_of_its_own(self):
        self.make("fill")
        other = self.make("fill", *KEEP, "--stack", "other")
        self.assertEqual(other.restore["outcome"], "miss")
        self.assertEqual(self.make("nothing").restore["outcome"], "hit")

    def test_the_owner_who_wants_no_cache_has_none_here_either(self):
        self.make("fill")
        self.assertTrue(self.kept().exists())
        self.make("fill", *KEEP, "--env", "DEIS_DISABLE_CACHE=1")
        self.assertFalse(self.kept().exists())

    def test_none_stays_where_none_may(self):
        self.make("fill", "--keep-caches", "0")
        self.assertFalse((self.work / "caches").exists())
        self.make("nothing", "--keep-caches", "1MB")
        self.assertFalse(self.kept().exists())

    def test_those_of_the_longest_ago_make_room(self):
        for app in ("one", "two", "three"):
            self.make("fill", "--keep-caches", "7MB", app=app)
        self.assertFalse(self.kept("one").exists())
        self.assertTrue(self.kept("two").exists() and self.kept("three").exists())
        self.make("nothing", "--keep-caches", "7MB", app="two")
        self.make("fill", "--keep-caches", "7MB", app="four")
        self.assertFalse(self.kept("three").exists())
        self.assertTrue(self.kept("two").exists() and self.kept("four").exists())

    def test_a_save_in_the_background_keeps_it_too(self):
        first = self.make("fill", *KEEP, "--save", "background")
        eventually(self.is_free, "the saver does not end")
        second = self.make("nothing")
        self.assert_found(second, first)
        self.assertEqual(second.restore["fetched_bytes"], 0)


if __name__ == "__main__":
    main()
