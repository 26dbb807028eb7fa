"""`hearth cache save` and `hearth cache restore` on a directory of one's own."""

import contextlib
import fcntl
import os
import shutil

from harness import EndToEnd, main, mode_of, write_tree


class CacheCommand(EndToEnd):
    def setUp(self):
        super().setUp()
        self.tree = write_tree(self.root / "home" / "tree", {"dir/file": "content\n", "run": ("x", 0o755)})
        (self.tree / "link").symlink_to("nowhere")
        (self.tree / "empty").mkdir()
        os.utime(self.tree / "run", ns=(1, 1234567890123456789))
        self.copy = self.root / "home" / "copy"

    def save(self, *arguments, directory=None, app="demo"):
        return self.hearth("cache", "save", directory or self.tree, "--app", app, *arguments)

    def restore(self, *arguments, directory=None, app="demo", **options):
        return self.hearth("cache", "restore", directory or self.copy, "--app", app, *arguments, **options)

    def assert_restored(self):
        self.assertEqual((self.copy / "dir" / "file").read_text(), "content\n")
        self.assertEqual(mode_of(self.copy / "run"), 0o755)
        self.assertEqual(os.stat(self.copy / "run").st_mtime_ns, 1234567890123456789)
        self.assertEqual(os.readlink(self.copy / "link"), "nowhere")
        self.assertTrue((self.copy / "empty").is_dir())
        self.assertEqual(sorted(os.listdir(self.copy)), ["dir", "empty", "link", "run"])

    def test_into_an_absent_directory(self):
        self.assertEqual(self.save().code, 0)
        outcome = self.restore()
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assert_restored()

    def test_into_an_empty_directory(self):
        self.save()
        self.copy.mkdir()
        self.assertEqual(self.restore().code, 0)
        self.assert_restored()

    def test_into_a_directory_that_it_made_before(self):
        self.save()
        self.restore()
        (self.copy / "dir" / "file").write_text("changed\n")
        (self.copy / "more").write_text("x")
        outcome = self.restore()
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assert_restored()

    def test_somebody_elses_directory_is_left_alone_without_replace(self):
        self.save()
        write_tree(self.copy, {"precious": "mine\n"})
        outcome = self.restore()
        self.assertNotEqual(outcome.code, 0, str(outcome))
        self.assertIn("--replace", outcome.errors)
        self.assertEqual(os.listdir(self.copy), ["precious"])
        self.assertEqual((self.copy / "precious").read_text(), "mine\n")
        self.assertEqual(self.restore("--replace").code, 0)
        self.assert_restored()

    def test_a_miss_is_a_warning_and_with_strict_a_failure(self):
        outcome = self.restore(app="nobody")
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assertFalse(self.copy.exists() and os.listdir(self.copy))
        self.assertTrue((outcome.log + outcome.errors).strip())
        self.assertNotEqual(self.restore("--strict", app="nobody").code, 0)

    def test_a_miss_with_replace_does_not_touch_what_is_there(self):
        write_tree(self.copy, {"precious": "mine\n"})
        self.restore("--replace", "--strict", app="nobody")
        self.assertIn(sorted(os.listdir(self.copy)) if self.copy.exists() else [], ([], ["precious"]))

    def test_a_dead_store_is_a_warning_and_with_strict_a_failure(self):
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        store = ("--store", f"file://{blocked}/store")
        outcome = self.restore(*store)
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assertTrue(outcome.errors.strip())
        self.assertNotEqual(self.restore("--strict", *store).code, 0)

    def test_saving_again_what_did_not_change_uploads_nothing(self):
        self.save()
        before = {path: path.read_bytes() for path in self.objects("apps/demo/cache")}
        self.assertEqual(self.save().code, 0)
        self.assertEqual({path: path.read_bytes() for path in self.objects("apps/demo/cache")}, before)

    def test_a_save_without_progress_ends_and_the_old_cache_stays(self):
        self.save()
        (self.tree / "more").write_text("x")
        with contextlib.ExitStack() as stack:
            # Somebody who holds the store's locks, and does not let go.
            for digit in "0123456789abcdef":
                lock = stack.enter_context(open(self.store / ".hearth" / f"lock-{digit}", "a"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            outcome = self.save("--stall-timeout", "200ms")
            self.assertEqual(outcome.code, 0, str(outcome))
            self.assertIn("saving the cache made no progress for 200 ms; the old one stays", outcome.errors)
            strict = self.hearth("cache", "save", self.tree, "--app", "demo", "--strict",
                                 env={"HEARTH_STALL_TIMEOUT": "200ms"})
            self.assertEqual(strict.code, 124, str(strict))
        self.assertEqual(self.restore().code, 0)
        self.assert_restored()

    def test_a_directory_that_is_not_there_cannot_be_saved(self):
        outcome = self.save(directory=self.root / "missing")
        self.assertNotEqual(outcome.code, 0, str(outcome))
        self.assertIn("missing", outcome.errors)
        self.save()
        shutil.rmtree(self.tree)
        self.assertNotEqual(self.save().code, 0)
        self.assertEqual(self.restore().code, 0)
        self.assert_restored()

    def test_a_build_finds_what_the_command_saved(self):
        self.save()
        outcome = self.build(self.app(), packs=[self.buildpack(compile='[ -x "$2/run" ] && [ -w "$2/dir/file" ]')])
        self.assertEqual(outcome.restore["outcome"], "hit")

    def test_it_finds_what_a_build_saved(self):
        self.build(self.app(), packs=[self.buildpack(compile='echo built >"$2/x"')])
        self.assertEqual(self.restore().code, 0)
        self.assertEqual((self.copy / "x").read_text(), "built\n")

    def test_usage(self):
        self.assertEqual(self.hearth("cache", "save", self.tree).code, 2)
        self.assertEqual(self.hearth("cache", "restore", self.copy).code, 2)
        self.assertEqual(self.hearth("cache", "save", self.tree, "--app", "../x").code, 2)
        self.assertEqual(self.hearth("cache").code, 2)


if __name__ == "__main__":
    main()
