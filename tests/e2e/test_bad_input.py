"""Bad input of every kind: the right exit code, one clear message, nothing left behind."""

import os
import shutil

from harness import EndToEnd, buildpack_files, main, mode_of, needs_root, write_tree


class Sources(EndToEnd):
    def refused(self, source, code, *words, **options):
        outcome = self.build(source, packs=[self.buildpack()], expect=None, **options)
        self.assertEqual(outcome.code, code, str(outcome))
        for word in words:
            self.assertIn(word, outcome.errors + outcome.log)
        return outcome

    def test_no_such_source(self):
        outcome = self.refused(self.root / "missing", 4, "missing")
        self.assertEqual(outcome.report["error"]["kind"], "source")
        self.assertEqual(outcome.report["error"]["phase"], "source")

    def test_a_source_that_is_no_source(self):
        (self.root / "plain").write_text("no archive\n")
        self.refused(self.root / "plain", 4, "plain")
        self.refused("/dev/null", 4)

    def test_no_buildpack_for_the_source(self):
        outcome = self.build(self.app(), expect=3)
        self.assertEqual(outcome.report["error"]["kind"], "no_buildpack")
        empty = self.root / "installed"
        empty.mkdir()
        self.build(self.app(), "--buildpacks", empty, expect=3)
        shutil.copytree(self.buildpack("never", detect="exit 1"), empty / "never")
        outcome = self.build(self.app(), "--buildpacks", empty, expect=3)
        self.assertIn("Unable to select a buildpack", outcome.log + outcome.errors)

    def test_an_empty_source_is_built(self):
        self.build(self.app({}), packs=[self.buildpack()])


class Buildpacks(EndToEnd):
    def test_without_detect_or_compile_or_not_executable(self):
        whole = buildpack_files()
        broken = {
            "no-detect": {"bin/compile": whole["bin/compile"]},
            "no-compile": {"bin/detect": whole["bin/detect"]},
            "no-exec": {"bin/compile": whole["bin/compile"], "bin/detect": (whole["bin/detect"], 0o644)},
            "no-exec-compile": {"bin/compile": (whole["bin/compile"], 0o644), "bin/detect": whole["bin/detect"]},
            "empty": {"README": "nothing\n"},
        }
        for name, files in broken.items():
            outcome = self.build(self.app(), packs=[self.buildpack(name, files=files)], expect=4)
            self.assertIn(name, outcome.log + outcome.errors)
            self.assertRegex(outcome.log + outcome.errors, "bin/(detect|compile)", name)

    def test_an_interpreter_that_does_not_exist(self):
        files = dict(buildpack_files(), **{"bin/compile": "#!/no/such/interpreter\n"})
        outcome = self.build(self.app(), packs=[self.buildpack(files=files)], expect=1)
        self.assertEqual(outcome.report["error"]["phase"], "compile")

    def test_detect_that_crashes(self):
        outcome = self.build(self.app(), packs=[self.buildpack(detect="kill -SEGV $$")], expect=None)
        self.assertIn(outcome.code, (1, 3), str(outcome))

    def test_compile_that_crashes(self):
        outcome = self.build(self.app(), packs=[self.buildpack(compile="kill -KILL $$")], expect=1)
        self.assertEqual(outcome.report["error"]["kind"], "app")

    def test_compile_that_hangs_meets_the_deadline(self):
        pack = self.buildpack(compile="trap '' TERM; echo hanging; while :; do sleep 1; done")
        outcome = self.build(self.app(), "--build-timeout", "2s", packs=[pack], expect=124)
        self.assertEqual(outcome.report["error"]["kind"], "deadline")
        self.assertLess(outcome.seconds, 20)
        self.assert_nothing_left()

    def test_detect_that_hangs_meets_the_deadline(self):
        self.build(self.app(), "--build-timeout", "1s", packs=[self.buildpack(detect="sleep 1000")], expect=124)

    def test_compile_that_fills_the_disk(self):
        work = self.tmpfs(self.root / "small", "40m")
        pack = self.buildpack(compile='dd if=/dev/zero of="$1/big" bs=1M 2>&1')
        outcome = self.build(self.app(), "--work", work, packs=[pack], expect=None)
        self.assertIn(outcome.code, (1, 70), str(outcome))
        self.assertEqual(self.leftovers_in(work), [])
        self.assertLess(shutil.disk_usage(work).used, 1000000)

    def test_compile_that_prints_100_megabytes(self):
        pack = self.buildpack(compile="yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c 100000000; echo; echo done-printing")
        outcome = self.build(self.app(), packs=[pack])
        self.assertGreater(len(outcome.stdout), 100000000)
        self.assertIn("done-printing", outcome.log[-5000:])
        self.assertLess((self.builds()[0] / "log.txt").stat().st_size, 64000000)

    def test_compile_that_prints_one_line_without_an_end(self):
        pack = self.buildpack(compile="head -c 30000000 /dev/zero | tr '\\0' x")
        self.assertGreater(len(self.build(self.app(), packs=[pack]).stdout), 30000000)

    def test_compile_that_leaves_a_daemon_behind(self):
        for level in ([], ["--sandbox", "plain"]):
            pack = self.buildpack(compile="( trap '' TERM HUP; setsid sleep 1000 & ) ; nohup sleep 1000 & echo left")
            outcome = self.build(self.app(), *level, packs=[pack])
            self.assertLess(outcome.seconds, 30)
            self.assert_nothing_left()

    def test_release_that_prints_garbage(self):
        for garbage in ("{{{ not: [yaml", "- a list", "default_process_types: 7", "config_vars: [1, 2]"):
            pack = self.buildpack(release=f"printf '%s\\n' '{garbage}'")
            outcome = self.build(self.app(), packs=[pack], expect=1)
            self.assertEqual(outcome.report["error"]["phase"], "release", garbage)
            self.assertIn("bin/release", outcome.report["error"]["message"])

    def test_release_that_fails(self):
        self.build(self.app(), packs=[self.buildpack(release="exit 3")], expect=1)

    def test_a_build_directory_that_is_replaced_by_a_link_does_not_lead_us_out(self):
        outside = write_tree(self.root / "outside", {"file": ("mine", 0o640)})
        pack = self.buildpack(compile=f'rm -rf "$1"; ln -s {outside} "$1"; rm -rf "$2"; ln -s {outside} "$2"')
        self.build(self.app(), "--sandbox", "plain", packs=[pack], expect=None)
        self.assertEqual((os.listdir(outside), (outside / "file").read_text(), mode_of(outside / "file")), (["file"], "mine", 0o640))
        stored = b"".join(path.read_bytes() for path in self.objects("apps/demo/cache"))
        self.assertNotIn(b"mine", stored)

    def test_config_vars_that_cannot_be_files(self):
        for value in ("A/B=1", "../X=1", "=1", "A B=1"):
            self.build(self.app(), f"--env={value}", packs=[self.buildpack()], expect=2)
        self.build(self.app(), "--env-file", self.root / "missing", packs=[self.buildpack()], expect=2)


class Stores(EndToEnd):
    def test_a_store_that_cannot_be_written_keeps_the_slug_and_says_where(self):
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        outcome = self.build(self.app(), "--store", f"file://{blocked}/store", packs=[self.buildpack()], expect=5)
        self.assertEqual(outcome.report["error"]["kind"], "store")
        self.assert_slug_is_kept(outcome)

    def assert_slug_is_kept(self, outcome):
        words = (outcome.log + outcome.errors).replace("'", " ").replace('"', " ").replace(",", " ").split()
        kept = [word.rstrip(".:;") for word in words if word.startswith("/") and word.rstrip(".:;").endswith(".tgz")]
        self.assertTrue(kept, str(outcome))
        self.assertTrue(os.path.isfile(kept[0]), kept)

    def test_no_space_left_for_the_slug(self):
        self.tmpfs(self.store, "2m")
        pack = self.buildpack(compile='head -c 6000000 /dev/urandom >"$1/big"')
        outcome = self.build(self.app(), packs=[pack], expect=5)
        self.assert_slug_is_kept(outcome)

    @needs_root
    def test_an_ordinary_user_whose_store_is_read_only(self):
        self.become(1234)
        self.store.mkdir(parents=True)
        os.chown(self.store, 0, 0)
        os.chmod(self.store, 0o755)
        outcome = self.build(self.app(), packs=[self.buildpack()], expect=5)
        self.assert_slug_is_kept(outcome)

    def test_no_space_left_to_work_in(self):
        work = self.tmpfs(self.root / "small", "1m")
        app = self.app({"big": os.urandom(4000000)})
        outcome = self.build(app, "--work", work, packs=[self.buildpack()], expect=None)
        self.assertIn(outcome.code, (4, 70), str(outcome))
        self.assertLess(shutil.disk_usage(work).used, 500000)

    def test_a_clock_that_was_stepped_back(self):
        """The store knows a build of the future; this one is newer all the same, and works."""
        pack = self.buildpack(compile='touch "$2/x"; echo "x" >"$1/x"')
        self.build(self.app({"Procfile": 'web: echo "state=[old]"\n'}), packs=[pack])
        record = self.builds()[0]
        record.rename(record.with_name("2099" + record.name[4:]))
        outcome = self.build(self.app({"Procfile": 'web: echo "state=[new]"\n'}), packs=[pack])
        self.assertEqual(outcome.restore["outcome"], "hit")
        self.assertEqual(self.hearth("run", "demo").said("state"), "new")


if __name__ == "__main__":
    main()
