"""The build's log: streamed, faithful, and without secrets, live and stored."""

import base64
import json
import os
import re
import time

from harness import EndToEnd, main

SECRET = "s3cr3t-value-of-a-var"


class Masked(EndToEnd):
    def assert_masked(self, outcome, *secrets):
        stored = b"".join(path.read_bytes() for path in self.objects("apps/demo/builds") if path.name in ("log.txt", "report.json"))
        for secret in secrets:
            self.assertNotIn(secret.encode(), outcome.stdout + outcome.stderr)
            self.assertNotIn(secret.encode(), stored)
            self.assertNotIn(secret, json.dumps(outcome.report))

    def test_values_of_config_vars(self):
        pack = self.buildpack(compile='echo "before $(cat "$3/TOKEN") after"; echo "$(cat "$3/TOKEN")" >&2; echo "short $(cat "$3/SHORT")"')
        outcome = self.build(self.app(), "--env", f"TOKEN={SECRET}", "--env", "SHORT=abc", packs=[pack])
        self.assert_masked(outcome, SECRET)
        self.assertRegex(outcome.log, r"before \*+ after")
        self.assertIn("short abc", outcome.log)

    def test_across_the_boundaries_of_writes(self):
        body = f'v=$(cat "$3/TOKEN"); for ((i = 0; i < ${{#v}}; i++)); do printf %s "${{v:i:1}}"; sleep 0.01; done; echo " end"'
        outcome = self.build(self.app(), "--env", f"TOKEN={SECRET}", packs=[self.buildpack(compile=body)])
        self.assert_masked(outcome, SECRET)
        self.assertIn("end", outcome.log)

    def test_each_line_of_a_value_of_several_lines(self):
        value = "first-secret-line\nsecond-secret-line\nshort\n"
        outcome = self.build(self.app(), "--env", f"KEY={value}", packs=[self.buildpack(compile='cat "$3/KEY"; tail -n 2 "$3/KEY"')])
        self.assert_masked(outcome, "first-secret-line", "second-secret-line")

    def test_in_the_messages_of_failures_and_of_release(self):
        pack = self.buildpack(compile='cat "$3/TOKEN"', release='echo "$TOKEN" >&2; exit 1', report=f"echo 'leak: {SECRET}'")
        outcome = self.build(self.app(), "--env", f"TOKEN={SECRET}", packs=[pack], expect=1)
        self.assert_masked(outcome, SECRET)

    def test_the_ssh_key_reaches_no_buildpack(self):
        key = base64.b64encode(b"-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----\n").decode()
        pack = self.buildpack(compile='echo "names=[$(ls "$3" | tr "\\n" " ")]"; env | grep -c SSH_KEY || true')
        outcome = self.build(self.app(), "--env", f"SSH_KEY={key}", "--env", "OTHER=1", packs=[pack], expect=None)
        if outcome.code == 0:
            self.assertEqual(outcome.said("names").split(), ["OTHER"])
        self.assert_masked(outcome, key)


class Faithful(EndToEnd):
    def test_output_is_streamed_as_it_comes(self):
        pack = self.buildpack(compile="echo early-line; printf unfinished-line; sleep 1000")
        process = self.start("build", self.app(), "--app", "demo", "--buildpack", pack)
        seen, limit = b"", time.monotonic() + 30
        while b"unfinished-line" not in seen and time.monotonic() < limit:
            seen += os.read(process.stdout.fileno(), 65536)
        self.assertIn(b"early-line", seen)
        self.assertIn(b"unfinished-line", seen)
        process.terminate()
        self.finish(process)

    def test_bytes_that_are_no_utf_8_are_kept(self):
        pack = self.buildpack(compile="printf 'bytes \\xff\\xfe\\x80 end\\n'", detect="printf 'Na\\xffme\\n'")
        outcome = self.build(self.app(), packs=[pack])
        self.assertIn(b"bytes \xff\xfe\x80 end", outcome.stdout)
        self.assertIn(b"bytes \xff\xfe\x80 end", (self.builds()[0] / "log.txt").read_bytes())

    def test_it_is_kept_with_times_and_one_line_per_phase(self):
        outcome = self.build(self.app(), packs=[self.buildpack(compile="echo hello-from-compile")])
        kept = (self.builds()[0] / "log.txt").read_text()
        self.assertIn("hello-from-compile", kept)
        self.assertIn(outcome.report["build"], kept)
        for line in kept.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
        for phase in ("restore", "compile", "slug", "publish", "save"):
            self.assertRegex(kept, phase)

    def test_of_a_failed_build_too_with_its_cause(self):
        self.build(self.app(), packs=[self.buildpack(compile="echo the-reason; exit 5")], expect=1)
        records = self.builds()
        self.assertEqual(len(records), 1)
        kept = (records[0] / "log.txt").read_text()
        self.assertIn("the-reason", kept)
        self.assertRegex(kept, r"\b5\b")
        self.assertEqual(json.loads((records[0] / "report.json").read_text())["outcome"], "failed")
        self.assertFalse((records[0] / "slug.tgz").exists())

    def test_the_lines_that_scripts_look_for(self):
        app = self.app({"Procfile": "web: true\nworker: true\n"})
        log = self.build(app, packs=[self.buildpack(detect="echo Fancy", compile='touch "$2/x"')]).log
        for line in ("-----> ", "Fancy app detected", "Discovering process types", "Procfile declares types -> web, worker", "Compiled slug size is"):
            self.assertIn(line, log)
        self.assertIn("Restoring cache", self.build(app, packs=[self.buildpack(compile="true")]).log)

    def test_a_progress_line_that_is_rewritten_is_kept_once(self):
        pack = self.buildpack(compile="for i in 10 20 30 100; do printf '\\rprogress %s' $i; done; echo; echo next")
        log = self.build(self.app(), packs=[pack]).log
        self.assertIn("progress 100", log)
        self.assertNotIn("progress 20", log)

    def test_no_colours_of_our_own_without_a_terminal(self):
        log = self.build(self.app(), packs=[self.buildpack(compile="printf '\\033[31mred\\033[0m\\n'")]).stdout
        self.assertEqual(re.findall(rb"\x1b\[[0-9;]*m", log), [b"\x1b[31m", b"\x1b[0m"])

    def test_json_lines(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--buildpack", self.buildpack(compile="echo from-compile; printf '\\xff\\n'"),
                              "--log-format", "json")
        lines = [json.loads(line) for line in outcome.stdout.splitlines()]
        self.assertEqual(outcome.code, 0, str(outcome))
        for line in lines:
            self.assertEqual(set(line), {"time", "from", "line"})
        self.assertIn(("buildpack", "from-compile"), [(line["from"], line["line"]) for line in lines])


if __name__ == "__main__":
    main()
