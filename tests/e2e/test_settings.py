"""Flags, variables and exit codes of the command line."""

import json

from harness import EndToEnd, main


class Settings(EndToEnd):
    def test_help_has_examples(self):
        for words in (["--help"], ["build", "--help"], ["run", "--help"], ["cache", "--help"],
                      ["cache", "save", "--help"], ["cache", "restore", "--help"]):
            outcome = self.hearth(*words)
            self.assertEqual(outcome.code, 0, words)
            self.assertIn("hearth", outcome.log)
        self.assertIn("Examples:", self.hearth("build", "--help").log)

    def test_an_unknown_flag_suggests_the_nearest(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--bildpack", "x")
        self.assertEqual(outcome.code, 2)
        self.assertIn("--bildpack", outcome.errors)
        self.assertIn("--buildpack", outcome.errors)

    def test_an_unknown_variable_suggests_the_nearest(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", env={"HEARTH_STROE": "x"})
        self.assertEqual(outcome.code, 2)
        self.assertIn("HEARTH_STORE", outcome.errors)

    def test_the_variables_of_a_kubernetes_service_called_hearth_are_no_settings(self):
        names = {"HEARTH_SERVICE_HOST": "10.0.0.1", "HEARTH_SERVICE_PORT": "80", "HEARTH_PORT": "tcp://10.0.0.1:80",
                 "HEARTH_PORT_80_TCP_ADDR": "10.0.0.1"}
        self.assertEqual(self.build(self.app(), packs=[self.buildpack()], env=names).code, 0)

    def test_an_unknown_command_suggests_the_nearest(self):
        outcome = self.hearth("biuld")
        self.assertEqual(outcome.code, 2)
        self.assertIn("build", outcome.errors)

    def test_a_value_that_cannot_be_used_is_a_usage_error_that_names_it(self):
        for flag, value in (("--cache", "maybe"), ("--sandbox", "chroot"), ("--network", "some"),
                            ("--build-timeout", "soon"), ("--slug-hard-limit", "lots"), ("--log-format", "xml"),
                            ("--env", "no-assignment"), ("--store", "gopher://x")):
            outcome = self.hearth("build", self.app(), "--app", "demo", "--buildpack", self.buildpack(), flag, value)
            self.assertEqual(outcome.code, 2, f"{flag} {value}: {outcome}")
            self.assertTrue(outcome.errors.strip(), flag)

    def test_only_one_result_can_have_standard_output(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--slug", "-", "--report", "-")
        self.assertEqual(outcome.code, 2)
        self.assertIn("--report -", outcome.errors)

    def test_a_source_and_an_app_are_needed(self):
        self.assertEqual(self.hearth("build", "--app", "demo").code, 2)
        self.assertEqual(self.hearth("build", self.app()).code, 2)

    def test_flags_are_variables_too_and_win_over_them(self):
        pack = self.buildpack(compile='echo "stack=[$STACK]"')
        outcome = self.hearth("build", self.app(), "--app", "demo",
                              env={"HEARTH_BUILDPACK": str(pack), "HEARTH_STACK": "from-variable"})
        self.assertEqual(outcome.said("stack"), "from-variable", str(outcome))
        outcome = self.hearth("build", self.app(), "--stack", "from-flag",
                              env={"HEARTH_BUILDPACK": str(pack), "HEARTH_STACK": "from-variable", "HEARTH_APP": "demo"})
        self.assertEqual(outcome.said("stack"), "from-flag", str(outcome))

    def test_an_app_name_that_is_a_path_is_refused(self):
        for name in ("a/b", "..", ".", "", "x" * 200, "a b", "a\nb", "-x/.."):
            outcome = self.hearth("build", self.app(), f"--app={name}", "--buildpack", self.buildpack())
            self.assertEqual(outcome.code, 2, repr(name))
        self.assertEqual(self.objects(), [])

    def test_the_report_goes_to_standard_output_and_the_log_to_standard_error(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--buildpack", self.buildpack(compile="echo compiling"),
                              "--report", "-")
        report = json.loads(outcome.stdout)
        self.assertEqual((report["version"], report["outcome"]), (1, "succeeded"))
        self.assertIn("compiling", outcome.errors)

    def test_the_report_has_its_documented_members(self):
        report = self.build(self.app({"Procfile": "web: true\n"}), packs=[self.buildpack()]).report
        self.assertEqual(set(report), {"version", "app", "build", "stack", "arch", "sandbox", "outcome", "error",
                                       "buildpacks", "processes", "phases", "slug", "cache", "store"})
        self.assertEqual(set(report["slug"]), {"bytes", "files", "sha256", "key"})
        self.assertEqual(set(report["cache"]), {"mode", "why", "deleted_objects", "restore", "save", "retry"})
        self.assertEqual(set(report["cache"]["restore"]), {"outcome", "generation", "seed", "entries", "bytes", "fetched_bytes"})
        self.assertEqual(set(report["cache"]["save"]), {"outcome", "generation", "entries", "bytes", "read_bytes",
                                                        "uploaded_bytes", "uploaded_objects", "added", "changed", "removed",
                                                       "trimmed_files", "trimmed_bytes", "left_out"})
        self.assertEqual(set(report["store"]), {"requests", "bytes_in", "bytes_out", "retries", "tier"})
        self.assertEqual(set(report["store"]["requests"]), {"get", "put", "list", "stat", "remove"})
        names = [phase["name"] for phase in report["phases"]]
        for name in ("source", "buildpacks", "restore", "detect", "compile", "release", "slug", "publish", "save"):
            self.assertIn(name, names)
        self.assertEqual(len(report["slug"]["sha256"]), 64)
        self.assertIn("slug.tgz", report["slug"]["key"])

    def test_the_default_store_lies_below_the_data_home(self):
        self.build(self.app(), packs=[self.buildpack()])
        self.assertTrue(self.builds())
        self.assertEqual(self.store.stat().st_mode & 0o077, 0)


if __name__ == "__main__":
    main()
