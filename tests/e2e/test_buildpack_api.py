"""The classic buildpack API, line by line: what buildpacks are called with, what they see, what is made of their answers."""

import json
import os

from harness import EndToEnd, buildpack_files, main, script

PLAIN_ENVIRONMENT = {
    "HOME", "APP_DIR", "STACK", "REQUEST_ID", "CURL_CONNECT_TIMEOUT", "CURL_TIMEOUT", "PATH", "LANG", "USER",
    "LOGNAME", "SHELL", "TERM", "TMPDIR", "GIT_TERMINAL_PROMPT",
}
# What bash itself adds.
OF_BASH = {"PWD", "SHLVL", "_", "OLDPWD"}


class Detect(EndToEnd):
    def test_exit_0_takes_the_app_and_the_first_line_is_the_name_shown(self):
        pack = self.buildpack(detect='echo "Fancy Lang 7"; echo noise; echo to-stderr >&2')
        outcome = self.build(self.app(), packs=[pack])
        self.assertIn("Fancy Lang 7", outcome.log)
        self.assertNotIn("noise", outcome.log)

    def test_of_installed_buildpacks_the_first_in_name_order_that_detects_is_used(self):
        installed = self.root / "installed"
        for name, body in (("01_no", "exit 1"), ("02_yes", "echo Second"), ("03_also", "echo Third")):
            for path, content in buildpack_files(detect=body, compile=f"echo compiled-by-{name}").items():
                target = installed / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content)
                target.chmod(0o755)
        outcome = self.build(self.app(), "--buildpacks", installed)
        self.assertIn("Second", outcome.log)
        self.assertIn("compiled-by-02_yes", outcome.log)
        self.assertNotIn("compiled-by-03_also", outcome.log)
        self.assertEqual([x["name"] for x in outcome.report["buildpacks"]], ["02_yes"])

    def test_any_other_exit_is_not_mine(self):
        pack = self.buildpack(detect="exit 17")
        outcome = self.build(self.app(), packs=[pack], expect=None)
        self.assertIn(outcome.code, (1, 3), str(outcome))
        self.assertEqual(outcome.report["outcome"], "failed")

    def test_it_gets_the_build_directory(self):
        pack = self.buildpack(detect='[ $# -eq 1 ] && [ -f "$1/index.html" ] && echo Mine')
        self.build(self.app(), packs=[pack])


class Compile(EndToEnd):
    def test_it_gets_three_directories(self):
        pack = self.buildpack(compile='echo "count=[$#]"; for d in "$@"; do [ -d "$d" ] || exit 9; done\n'
                                      'echo "build=[$1]"; [ -f "$1/index.html" ] && touch "$2/x" "$1/y"')
        outcome = self.build(self.app(), packs=[pack])
        self.assertEqual(outcome.said("count"), "3")
        if outcome.report["sandbox"] == "bwrap":
            self.assertEqual(outcome.said("build"), "/tmp/build")

    def test_stdout_and_stderr_come_in_the_order_in_which_they_were_written(self):
        pack = self.buildpack(compile="for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done")
        lines = [line.strip() for line in self.build(self.app(), packs=[pack]).log.splitlines()]
        written = [line for line in lines if line[:3] in ("out", "err")]
        self.assertEqual(written, [f"{kind}{i}" for i in range(1, 10) for kind in ("out", "err")])

    def test_another_exit_than_0_fails_the_build(self):
        pack = self.buildpack(compile="echo broken; exit 42")
        outcome = self.build(self.app(), packs=[pack], expect=1)
        self.assertEqual(outcome.report["outcome"], "failed")
        self.assertEqual(outcome.report["error"]["kind"], "app")
        self.assertEqual(outcome.report["error"]["phase"], "compile")
        self.assertEqual(outcome.save["outcome"], "not-run")

    def test_a_file_of_the_source_is_never_modified(self):
        app = self.app({"index.html": "before\n"})
        pack = self.buildpack(compile='echo after > "$1/index.html"; rm -rf "$1/.git"; touch "$1/new"')
        self.build(app, packs=[pack])
        self.assertEqual((app / "index.html").read_text(), "before\n")
        self.assertEqual(sorted(os.listdir(app)), ["index.html"])

    def test_the_hooks_of_the_app_run_before_and_after(self):
        app = self.app({"bin/pre-compile": script("echo hook-pre; pwd; touch pre"),
                        "bin/post-compile": script("[ -f compiled ] && echo hook-post")})
        pack = self.buildpack(compile='[ -f "$1/pre" ] && echo compiling && touch "$1/compiled"')
        log = self.build(app, packs=[pack]).log
        self.assertLess(log.index("hook-pre"), log.index("compiling"))
        self.assertLess(log.index("compiling"), log.index("hook-post"))

    def test_a_failing_hook_fails_the_build(self):
        app = self.app({"bin/post-compile": script("exit 3")})
        self.build(app, packs=[self.buildpack()], expect=1)


class Surroundings(EndToEnd):
    DUMP = "env -0 | tr '\\n\\0' ' \\n' | sed 's/^/ENV /'"

    def environment_of(self, *arguments, **options):
        outcome = self.build(self.app(), *arguments, packs=[self.buildpack(compile=self.DUMP)], **options)
        pairs = [line.split("ENV ", 1)[1].split("=", 1) for line in outcome.log.splitlines() if "ENV " in line]
        return outcome, {pair[0]: pair[1] for pair in pairs if len(pair) == 2}

    def test_the_environment_is_the_documented_one_and_nothing_else(self):
        outcome, seen = self.environment_of("--source-version", "abc123", env={"SECRET_OF_THE_BUILDER": "x"})
        allowed = PLAIN_ENVIRONMENT | OF_BASH | {"SOURCE_VERSION"}
        self.assertEqual(set(seen) - allowed, set())
        self.assertEqual(PLAIN_ENVIRONMENT - set(seen), set())
        if outcome.report["sandbox"] == "bwrap":
            self.assertEqual((seen["HOME"], seen["APP_DIR"], seen["TMPDIR"]), ("/app", "/app", "/tmp"))
        self.assertEqual(seen["STACK"], "heroku-24")
        self.assertEqual(seen["SOURCE_VERSION"], "abc123")
        self.assertEqual((seen["CURL_CONNECT_TIMEOUT"], seen["CURL_TIMEOUT"]), ("30", "180"))
        self.assertEqual((seen["LANG"], seen["TERM"], seen["GIT_TERMINAL_PROMPT"]), ("C.UTF-8", "dumb", "0"))
        self.assertTrue(seen["REQUEST_ID"])
        self.assertIn("/usr/bin", seen["PATH"].split(":"))

    def test_detect_and_release_see_it_too(self):
        names = "env | cut -d= -f1 | sort | tr '\\n' ' '"
        pack = self.buildpack(
            detect=f'echo Mine; {names} >"$1/detect-names"',
            compile='echo "detect=[$(cat "$1/detect-names")]"',
            release=f'echo "--- {{}}"; echo "release=[$({names})]" >&2; [ "$STACK" = heroku-24 ]')
        outcome = self.build(self.app(), packs=[pack])
        seen = set(outcome.said("detect").split())
        self.assertEqual(PLAIN_ENVIRONMENT - seen, set())
        self.assertEqual(seen - PLAIN_ENVIRONMENT - OF_BASH, set())

    def test_the_stack_is_settable(self):
        _, seen = self.environment_of("--stack", "heroku-22")
        self.assertEqual(seen["STACK"], "heroku-22")

    def test_pass_env_and_proxy_variables_are_handed_on(self):
        _, seen = self.environment_of("--pass-env", "CHOSEN", env={"CHOSEN": "yes", "no_proxy": "example.com"})
        self.assertEqual(seen["CHOSEN"], "yes")
        self.assertEqual(seen["no_proxy"], "example.com")

    def test_stdin_is_empty_and_there_is_no_terminal(self):
        pack = self.buildpack(compile='echo "read=[$(cat)]"; ( : </dev/tty ) 2>/dev/null && echo "tty=[yes]" || echo "tty=[no]"')
        outcome = self.build(self.app(), packs=[pack])
        self.assertEqual((outcome.said("read"), outcome.said("tty")), ("", "no"))

    def test_the_home_the_tmp_and_its_own_directory_are_writable(self):
        pack = self.buildpack(compile='here=$(cd "$(dirname "$0")/.." && pwd)\n'
                                      'touch "$HOME/a" /tmp/b "$here/c" && echo "wrote=[all]"')
        self.assertEqual(self.build(self.app(), packs=[pack]).said("wrote"), "all")
        self.assertFalse((pack / "c").exists())

    def test_sources_are_as_new_as_the_build(self):
        app = self.app()
        os.utime(app / "index.html", (1, 1))
        pack = self.buildpack(compile='[ $(( $(date +%s) - $(stat -c %Y "$1/index.html") )) -lt 600 ] && echo "new=[yes]"')
        self.assertEqual(self.build(app, packs=[pack]).said("new"), "yes")

    def test_the_user_has_a_name(self):
        pack = self.buildpack(compile='echo "name=[$(id -un)]"; echo "user=[$USER]"; [ -w "$1" ] && [ -w "$2" ]')
        outcome = self.build(self.app(), packs=[pack])
        if outcome.report["sandbox"] == "bwrap":
            self.assertEqual(outcome.said("name"), outcome.said("user"))


class EnvDir(EndToEnd):
    def test_it_holds_the_values_byte_for_byte_and_does_not_export_them(self):
        values = self.root / "values"
        values.mkdir()
        contents = {"PLAIN": b"value", "TRAILING": b"line\n\n", "EMPTY": b"", "BYTES": b"\xff\xfe\x80 \t", "MULTI": b"a\nb"}
        for name, content in contents.items():
            (values / name).write_bytes(content)
        dump = 'cd "$3"; for f in *; do echo "$f=[$(od -An -v -tx1 "$f" | tr -d " \\n")]"; done; echo "plain=[${PLAIN-unset}]"'
        outcome = self.build(self.app(), "--env-dir", values, packs=[self.buildpack(compile=dump)])
        for name, content in contents.items():
            self.assertEqual(outcome.said(name), content.hex(), name)
        self.assertEqual(outcome.said("plain"), "unset")

    def test_files_of_a_mounted_secret_are_followed_and_its_dot_names_skipped(self):
        values = self.root / "values"
        (values / "..2026_01").mkdir(parents=True)
        (values / "..2026_01" / "KEY").write_text("through-the-link")
        (values / "..data").symlink_to("..2026_01")
        (values / "KEY").symlink_to("..data/KEY")
        pack = self.buildpack(compile='echo "names=[$(ls -A "$3")]"; echo "size=[$(stat -c %s "$3/KEY")]"')
        outcome = self.build(self.app(), "--env-dir", values, packs=[pack])
        self.assertEqual((outcome.said("names"), outcome.said("size")), ("KEY", str(len("through-the-link"))))

    def test_later_sources_of_a_value_win(self):
        values, file = self.root / "values", self.root / "values.env"
        values.mkdir()
        for name in ("A", "B", "C"):
            (values / name).write_text("dir")
        file.write_text('# comment\n\nexport B="file"\nC=file\n')
        pack = self.buildpack(compile='for n in A B C; do echo "$n=[$(cat "$3/$n")]"; done')
        outcome = self.build(self.app(), "--env-dir", values, "--env-file", file, "--env", "C=flag", packs=[pack])
        self.assertEqual([outcome.said(name) for name in "ABC"], ["dir", "file", "flag"])

    def test_it_can_be_exported_by_a_buildpack_with_the_usual_block_list(self):
        body = ('block="^(PATH|GIT_DIR|CPATH|CPPATH|LD_PRELOAD|LIBRARY_PATH)$"\n'
                'for f in "$3"/*; do n=${f##*/}; [[ $n =~ $block ]] || export "$n=$(cat "$f")"; done\n'
                'echo "greeting=[$GREETING]"; ls / >/dev/null && echo "path=[works]"')
        outcome = self.build(self.app(), "--env", "GREETING=hi", "--env", "PATH=/nowhere",
                             packs=[self.buildpack(compile=body)])
        self.assertEqual((outcome.said("greeting"), outcome.said("path")), ("hi", "works"))


class Several(EndToEnd):
    def test_they_run_in_the_listed_order_and_share_one_cache(self):
        first = self.buildpack("first", compile='echo one >"$2/order"; echo one >"$1/order"')
        second = self.buildpack("second", compile='echo "cache=[$(cat "$2/order")]"; echo "build=[$(cat "$1/order")]"')
        outcome = self.build(self.app(), packs=[first, second])
        self.assertEqual((outcome.said("cache"), outcome.said("build")), ("one", "one"))
        self.assertEqual([x["name"] for x in outcome.report["buildpacks"]], ["first", "second"])

    def test_export_is_sourced_before_the_next_buildpacks_and_only_there(self):
        export = 'here=$(cd "$(dirname "$0")/.." && pwd); echo "export TOOL=from-$(basename "$0")-{0}; export PATH=/opt/{0}:\\$PATH" >"$here/export"\n'
        first = self.buildpack("first", compile=export.format("first") + 'echo "in_first=[${TOOL-unset}]"',
                               report='echo "tool: ${TOOL-unset}"')
        second = self.buildpack("second", compile='echo "in_second=[$TOOL]"\n' + export.format("second"))
        third = self.buildpack("third", compile='echo "in_third=[$TOOL]"; echo "path=[$PATH]"',
                               report='echo "tool: ${TOOL-unset}"')
        outcome = self.build(self.app(), packs=[first, second, third])
        self.assertEqual(outcome.said("in_first"), "unset")
        self.assertEqual(outcome.said("in_second"), "from-compile-first")
        self.assertEqual(outcome.said("in_third"), "from-compile-second")
        self.assertTrue(outcome.said("path").startswith("/opt/second:/opt/first:"), outcome.said("path"))
        self.assertEqual(outcome.report["buildpacks"][2]["report"]["tool"], "unset")

    def test_the_last_release_decides_the_default_process_types(self):
        first = self.buildpack("first", release='printf -- "---\\ndefault_process_types:\\n  web: first\\n  extra: first\\n"')
        second = self.buildpack("second", release='printf -- "---\\ndefault_process_types:\\n  web: second\\n"')
        outcome = self.build(self.app(), packs=[first, second])
        self.assertEqual(outcome.report["processes"], {"web": "second"})

    def test_each_is_detected_on_its_own(self):
        first = self.buildpack("first", detect='echo First; touch "$1/seen"')
        second = self.buildpack("second", detect="exit 1")
        outcome = self.build(self.app(), packs=[first, second], expect=None)
        self.assertNotEqual(outcome.code, 0, str(outcome))
        self.assertIn("second", outcome.log + outcome.errors)


class Release(EndToEnd):
    def test_a_missing_or_empty_one_is_fine(self):
        self.assert_ok(self.build(self.app(), packs=[self.buildpack("without")]))
        self.assert_ok(self.build(self.app(), packs=[self.buildpack("empty", release="true")]))

    def test_config_vars_are_defaults_at_run_time(self):
        pack = self.buildpack(release='cat <<\\Y\n---\nconfig_vars:\n  FLAVOUR: "van\'illa $x"\n  OTHER: 7\nY')
        self.build(self.app({"Procfile": 'web: echo "flavour=[$FLAVOUR]"; echo "other=[$OTHER]"\n'}), packs=[pack])
        outcome = self.hearth("run", "demo")
        self.assertEqual((outcome.said("flavour"), outcome.said("other")), ("van'illa $x", "7"), str(outcome))
        outcome = self.hearth("run", "demo", "--env", "FLAVOUR=mint")
        self.assertEqual((outcome.said("flavour"), outcome.said("other")), ("mint", "7"), str(outcome))

    def test_default_process_types_are_run(self):
        pack = self.buildpack(release='printf -- "---\\ndefault_process_types:\\n  web: echo \\"ran=[default]\\"\\n"')
        self.build(self.app(), packs=[pack])
        self.assertEqual(self.hearth("run", "demo").said("ran"), "default")

    def test_it_gets_the_build_directory(self):
        pack = self.buildpack(release='[ -f "$1/index.html" ] || exit 1; printf -- "---\\ndefault_process_types: {web: ok}\\n"')
        self.assertEqual(self.build(self.app(), packs=[pack]).report["processes"], {"web": "ok"})


class Report(EndToEnd):
    def test_its_key_values_are_in_the_report_and_not_in_the_log(self):
        pack = self.buildpack(report='[ $# -eq 3 ] && echo "language: Fancy"; echo "number: 7"; echo report-noise >&2')
        outcome = self.build(self.app(), packs=[pack])
        self.assertEqual(outcome.report["buildpacks"][0]["report"], {"language": "Fancy", "number": "7"})
        self.assertNotIn("report-noise", outcome.log)

    def test_json_is_understood_too(self):
        pack = self.buildpack(report='echo "{\\"language\\": \\"Fancy\\"}"')
        self.assertEqual(self.build(self.app(), packs=[pack]).report["buildpacks"][0]["report"], {"language": "Fancy"})

    def test_it_runs_after_a_failed_compile_too(self):
        pack = self.buildpack(compile="exit 1", report='echo "why: broken"')
        outcome = self.build(self.app(), packs=[pack], expect=1)
        self.assertEqual(outcome.report["buildpacks"][0]["report"], {"why": "broken"})

    def test_its_failure_never_fails_the_build(self):
        pack = self.buildpack(report='echo "half: yes"; echo : : :; exit 9')
        outcome = self.build(self.app(), packs=[pack])
        self.assert_ok(outcome)
        self.assertEqual(outcome.report["buildpacks"][0]["report"], {})


class Procfile(EndToEnd):
    def test_it_wins_over_the_defaults_and_is_read_leniently(self):
        app = self.app({"Procfile": "web: mine --port $PORT\r\n\n# comment\nnonsense\n<<<<<<< HEAD\nwork_er-2:   two\n"
                                    "=======\n: nameless\nspaced name: no\n>>>>>>> branch\n"})
        pack = self.buildpack(release='printf -- "---\\ndefault_process_types:\\n  web: default\\n  extra: default\\n"')
        outcome = self.build(app, packs=[pack])
        self.assertEqual(outcome.report["processes"]["web"], "mine --port $PORT")
        self.assertEqual(outcome.report["processes"]["work_er-2"], "two")
        self.assertNotIn("spaced name", outcome.report["processes"])
        self.assertIn("Procfile declares types", outcome.log)

    def test_it_is_published_beside_the_slug(self):
        self.build(self.app({"Procfile": "web: run me\n"}), packs=[self.buildpack()])
        published = self.builds()[0]
        self.assertEqual(sorted(os.listdir(published)), ["Procfile", "log.txt", "report.json", "slug.tgz"])
        self.assertIn("web", (published / "Procfile").read_text())
        stored = json.loads((published / "report.json").read_text())
        self.assertEqual((stored["version"], stored["outcome"], stored["app"]), (1, "succeeded", "demo"))

    def test_without_one_an_empty_map_is_published(self):
        self.build(self.app(), packs=[self.buildpack()])
        self.assertEqual((self.builds()[0] / "Procfile").read_text().strip(), "{}")

    def test_profile_scripts_are_sourced_at_the_start_of_each_process(self):
        pack = self.buildpack(compile='mkdir -p "$1/.profile.d"; echo "export FROM_PROFILE=\\"in $PWD of \\$HOME\\"" >"$1/.profile.d/x.sh"\n'
                                      'echo "export SECOND=\\${FROM_PROFILE:+after}" >"$1/.profile.d/y.sh"; echo "exit 3" >"$1/.profile.d/z.txt"')
        self.build(self.app({"Procfile": 'web: echo "second=[$SECOND]"; echo "first=[$FROM_PROFILE]"\n'}), packs=[pack])
        outcome = self.hearth("run", "demo", "web")
        self.assertEqual(outcome.said("second"), "after")
        self.assertIn("of ", outcome.said("first"))


if __name__ == "__main__":
    main()
