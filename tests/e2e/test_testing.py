"""hearth test: the app is compiled for tests, and the buildpacks' bin/test decides."""

import contextlib
import json
import os
import pathlib

from harness import EndToEnd, main, script, write_tree
from servers import commit_all


class Testing(EndToEnd):
    def run_tests(self, source, *arguments, packs=(), app="demo", expect=0, **options):
        report = self.report_path()
        chosen = [word for pack in packs for word in ("--buildpack", pack)]
        outcome = self.hearth("test", source, "--app", app, "--report", report, *chosen, *arguments, report=report,
                              **options)
        if expect is not None:
            self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def pack_with_tests(self, name="inline", test="true", test_compile=None, **scripts):
        pack = self.buildpack(name, **scripts)
        more = {"bin/test": script(test)} if test is not None else {}
        if test_compile is not None:
            more["bin/test-compile"] = script(test_compile)
        return write_tree(pack, more)

    def stored(self):
        return {path: path.read_bytes() for path in self.objects()}

    def test_without_a_test_compile_it_compiles(self):
        pack = self.pack_with_tests(compile='echo "compiled=[$#]"; touch "$1/made"',
                             test='echo "made=[$(ls made)]"; echo "arguments=[$#]"')
        outcome = self.run_tests(self.app(), packs=[pack])
        self.assertEqual((outcome.said("compiled"), outcome.said("made"), outcome.said("arguments")), ("3", "made", "2"))
        self.assertIn("Tests passed", outcome.log)
        self.assertEqual([phase["name"] for phase in outcome.report["phases"] if phase["name"] in ("slug", "publish")], [])
        self.assertEqual(self.builds(), [], "nothing is published")

    def test_a_test_compile_is_used_instead(self):
        pack = self.pack_with_tests(compile="echo 'by=[compile]'", test_compile="echo 'by=[test-compile]'; ls -d \"$1\" \"$2\" \"$3\"")
        self.assertEqual(self.run_tests(self.app(), packs=[pack]).said("by"), "test-compile")
        self.assertEqual(self.build(self.app(), packs=[pack]).said("by"), "compile")

    def test_config_vars_and_profile_are_loaded(self):
        pack = self.pack_with_tests(
            compile='mkdir -p "$1/.profile.d"; echo "export FROM_PROFILE=\\"\\$GREETING to \\$HOME\\"" >"$1/.profile.d/x.sh"; echo "compile sees=[${GREETING-nothing}]"',
            release='echo "config_vars:"; echo "  DEFAULT: released"',
            test='echo "greeting=[$GREETING]"; echo "profile=[$FROM_PROFILE]"; echo "default=[$DEFAULT]"; echo "ci=[$CI]"; '
                 'echo "file=[$(cat "$2/GREETING")]"; echo "names=[$(ls "$2" | tr "\\n" " ")]"; '
                 '[ "$(cd "$1" && pwd -P)" = "$(pwd -P)" ] && [ "$(pwd -P)" = "$(cd "$HOME" && pwd -P)" ] && echo "place=[home]"')
        outcome = self.run_tests(self.app(), "--env", "GREETING=hello", packs=[pack])
        self.assertEqual(outcome.said("sees"), "nothing")
        self.assertEqual((outcome.said("greeting"), outcome.said("file")), ("hello", "hello"))
        self.assertTrue(outcome.said("profile").startswith("hello to /"))
        self.assertEqual((outcome.said("default"), outcome.said("ci"), outcome.said("place")), ("released", "true", "home"))
        self.assertEqual(outcome.said("names"), "CI GREETING ")

    def test_paths_that_compile_wrote_down_stay_good(self):
        pack = self.pack_with_tests(compile='echo tool >"$1/tool"; echo "$1/tool" >"$1/where"', test='echo "read=[$(cat "$(cat where)")]"')
        self.assertEqual(self.run_tests(self.app(), packs=[pack]).said("read"), "tool")

    def test_failing_tests_exit_with_1_and_are_named(self):
        first = self.pack_with_tests("first", test="echo 'not ok 1'; exit 7")
        second = self.pack_with_tests("second", test="echo 'second=[ran]'")
        outcome = self.run_tests(self.app(), packs=[first, second], expect=1)
        self.assertEqual(outcome.said("second"), "ran")
        self.assertIn("bin/test of", outcome.errors)
        self.assertIn("exit code 7", outcome.errors)
        self.assertIn("not ok 1\n", outcome.log)
        self.assertIn("exit code 7", outcome.log)
        self.assertNotIn("Tests passed", outcome.log)
        self.assertEqual(outcome.report["outcome"], "failed")
        self.assertEqual((outcome.report["error"]["kind"], outcome.report["error"]["phase"]), ("app", "test"))
        broken = self.pack_with_tests("broken", compile="exit 3")
        outcome = self.run_tests(self.app(), packs=[broken], expect=1)
        self.assertEqual(outcome.report["error"]["phase"], "compile")

    def test_only_buildpacks_with_tests_run_them(self):
        outcome = self.run_tests(self.app(), packs=[self.pack_with_tests("plain", test=None), self.pack_with_tests("tested", test="echo 'who=[tested]'")])
        self.assertEqual(outcome.said("who"), "tested")

    def test_without_any_tests_it_says_so_before_it_compiles(self):
        outcome = self.run_tests(self.app(), packs=[self.pack_with_tests(test=None, compile="echo compiled")], expect=3)
        self.assertIn("no buildpack has a bin/test", outcome.errors)
        self.assertIn("environments.test.scripts.test", outcome.errors)
        self.assertNotIn("compiled", outcome.log)

    def test_app_json_has_the_last_word(self):
        settings = {
            "env": {"A": "base", "B": {"value": "base"}},
            "buildpacks": [{"url": "./nowhere"}],
            "environments": {"test": {
                "buildpacks": [{"url": "./pack"}],
                "env": {"A": "test", "C": {"generator": "secret"}},
                "scripts": {"test-setup": "echo set up >prepared", "test": 'echo "a=[$A] b=[$B] d=[$D]"; cat prepared; exit 4'},
            }},
        }
        files = {"app.json": json.dumps(settings), "pack/bin/detect": script("echo Own"), "pack/bin/compile": script("true"),
                 "pack/bin/test": script("echo never")}
        outcome = self.run_tests(self.app(files), "--env", "D=ours", expect=1)
        self.assertEqual((outcome.said("a"), outcome.said("b"), outcome.said("d")), ("test", "base", "ours"))
        self.assertIn("set up\n", outcome.log)
        self.assertNotIn("never", outcome.log)
        self.assertIn("the app's test failed with exit code 4", outcome.errors)
        settings["env"] = {"../escape": "x"}
        files["app.json"] = json.dumps(settings)
        self.assertIn("app.json", self.run_tests(self.app(files), expect=4).errors)

    def test_slugignore_takes_nothing_from_tests(self):
        app = self.app({".slugignore": "spec\n", "spec/one": "x"})
        self.assertEqual(self.run_tests(app, packs=[self.pack_with_tests(test='echo "spec=[$(ls spec)]"')]).said("spec"), "one")

    def test_the_cache_is_read_and_by_default_not_written(self):
        pack = self.pack_with_tests(compile='echo "found=[$(ls "$2")]"; touch "$2/kept"', test_compile='echo "found=[$(ls "$2" | tr "\\n" " ")]"; touch "$2/of-tests"')
        self.build(self.app(), packs=[pack])
        before = self.stored()
        outcome = self.run_tests(self.app(), packs=[pack])
        self.assertEqual((outcome.said("found"), outcome.save["outcome"]), ("kept ", "off"))
        self.assertEqual(self.stored(), before, "a test run writes nothing to the store")
        outcome = self.run_tests(self.app(), "--cache", "on", packs=[pack])
        self.assertEqual((outcome.said("found"), outcome.save["outcome"]), ("kept ", "saved"))
        self.assertEqual(self.run_tests(self.app(), packs=[pack]).said("found"), "kept of-tests ")

    def test_the_app_may_want_no_cache(self):
        pack = self.pack_with_tests(compile='echo "found=[$(ls "$2")]"; touch "$2/kept"')
        self.build(self.app(), packs=[pack])
        for wanted, restored in (("off", "off"), ("refresh", "off"), ("on", "hit"), ("read-only", "hit")):
            outcome = self.run_tests(self.app(), "--env", f"HEARTH_CACHE={wanted}", packs=[pack])
            self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), (restored, "off"), wanted)

    def test_tests_that_fail_keep_the_last_good_cache(self):
        pack = self.pack_with_tests(compile='touch "$2/kept"', test_compile='touch "$2/of-tests"', test="exit 1")
        self.build(self.app(), packs=[pack])
        before = self.stored()
        outcome = self.run_tests(self.app(), "--cache", "on", packs=[pack], expect=1)
        self.assertEqual(outcome.save["outcome"], "not-run")
        self.assertEqual(self.stored(), before)

    def test_a_setup_that_fails_ends_it_before_the_tests(self):
        files = {"app.json": json.dumps({"environments": {"test": {"scripts": {"test-setup": "exit 6"}}}})}
        outcome = self.run_tests(self.app(files), packs=[self.pack_with_tests(test="echo never")], expect=1)
        self.assertIn("the app's test-setup failed with exit code 6", outcome.errors)
        self.assertNotIn("never", outcome.log)

    def test_app_json_may_have_the_only_tests(self):
        files = {"word": "here", "app.json": json.dumps({"scripts": {"test": 'echo "home=[$(cat word)]"'}})}
        outcome = self.run_tests(self.app(files), packs=[self.pack_with_tests(test=None)])
        self.assertEqual(outcome.said("home"), "here")

    def test_an_installed_buildpack_and_a_repository(self):
        pack = self.pack_with_tests("installed/01_x", test='echo "state=[$(cat state)]"')
        source = self.app({"state": "committed"}, name="repository")
        commit_all(source)
        (source / "state").write_text("later")
        outcome = self.run_tests(f"{source}#main", "--buildpacks", pack.parent)
        self.assertEqual(outcome.said("state"), "committed")

    def test_what_tests_leave_running_is_ended(self):
        mark = f"hearth-e2e-{os.getpid()}"
        pack = self.pack_with_tests(test=f"setsid bash -c 'exec -a {mark} sleep 300' </dev/null >/dev/null 2>&1 &")
        self.run_tests(self.app(), packs=[pack])
        for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                self.assertNotIn(mark.encode(), process.read_bytes())

    def test_a_test_that_is_not_executable_is_named(self):
        pack = self.pack_with_tests()
        (pack / "bin/test").chmod(0o644)
        self.assertIn("bin/test", self.run_tests(self.app(), packs=[pack], expect=4).errors)

    def test_a_deadline_ends_it(self):
        outcome = self.run_tests(self.app(), "--build-timeout", "3s", packs=[self.pack_with_tests(test="sleep 100")], expect=124)
        self.assertEqual(outcome.report["error"]["phase"], "test")

    def test_the_other_levels(self):
        for level in ("plain",) + (("uid",) if os.geteuid() == 0 else ()):
            pack = self.pack_with_tests(test='echo "here=[$(cat index.html)]"')
            self.assertEqual(self.run_tests(self.app(), "--sandbox", level, packs=[pack]).said("here"), "hello", level)


if __name__ == "__main__":
    main()
