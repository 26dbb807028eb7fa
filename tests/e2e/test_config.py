"""Files of settings: which one counts, and what is wrong in them."""

import contextlib
import http.server
import os
import shutil
import subprocess
import threading

from harness import EndToEnd, can_run, main, needs_root, write_tree


@contextlib.contextmanager
def refusing_server():
    """A server that refuses everything: its port, and the Authorization of each request."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def refuse(self):
            asked.append(self.headers.get("Authorization", ""))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = refuse

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


class ConfigFiles(EndToEnd):
    def setUp(self):
        super().setUp()
        self.config_home = self.root / "config-home"
        self.tree = write_tree(self.root / "home" / "tree", {"file": "content\n"})

    def write(self, text, name="named.toml", mode=0o600):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def write_users(self, text):
        return self.write(text, "config-home/hearth/config.toml")

    def save(self, *arguments, env=None, expect=0, app="demo"):
        values = {"XDG_CONFIG_HOME": str(self.config_home), **(env or {})}
        outcome = self.hearth("cache", "save", self.tree, *(("--app", app) if app else ()), *arguments, env=values)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def stacks(self):
        """What `cache save` was told to take for the stack: the names of the HEADs, which it leaves in the store."""
        heads = [path.name for path in self.objects("apps") if path.name.startswith("HEAD.")]
        for path in [*self.objects("apps"), self.tree.parent / ".tree.hearth-index"]:
            path.unlink(missing_ok=True)
        return [name[len("HEAD."):].rsplit("-", 1)[0] for name in heads]

    def stack_with(self, *arguments, env=None):
        self.save(*arguments, env=env)
        (stack,) = self.stacks()
        return stack

    def refused(self, text, *arguments):
        path = self.write(text)
        outcome = self.save("--config", path, *arguments, expect=2)
        self.assertIn(str(path), outcome.errors)
        self.assertEqual(self.objects("apps"), [])
        return outcome.errors

    def test_flag_variable_named_file_users_file_default(self):
        named = self.write('stack = "named"\n')
        variable = {"HEARTH_STACK": "variable"}
        self.assertEqual(self.stack_with(), "heroku-24")
        self.write_users('stack = "users"\n')
        self.assertEqual(self.stack_with(), "users")
        self.assertEqual(self.stack_with("--config", named), "named")
        self.assertEqual(self.stack_with(env={"HEARTH_CONFIG": str(named)}), "named")
        self.assertEqual(self.stack_with("--config", named, env=variable), "variable")
        self.assertEqual(self.stack_with("--config", named, "--stack", "flag", env=variable), "flag")
        other = self.write('stack = "other"\n', "other.toml")
        self.assertEqual(self.stack_with("--config", other, env={"HEARTH_CONFIG": str(named)}), "other")

    @needs_root
    def test_the_machines_file_is_the_weakest(self):
        if not can_run("unshare", "-m", "true"):
            self.skipTest("may not make a mount namespace here")
        etc = self.root / "etc"
        shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
        write_tree(etc / "hearth", {"config.toml": 'stack = "machines"\ncompression-level = 30\n[cache-save]\nstack = "of-save"\n'})
        env = self.environment(XDG_CONFIG_HOME=str(self.config_home))

        def in_that_etc(*arguments, expect=0):
            command = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(etc), str(self.binary),
                       "cache", "save", str(self.tree), "--app", "demo", *arguments]
            done = subprocess.run(command, env=env, cwd=self.root, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, expect, done.stderr)
            return done.stderr

        self.assertIn("/etc/hearth/config.toml:2: --compression-level", in_that_etc(expect=2))
        write_tree(etc / "hearth", {"config.toml": 'stack = "machines"\n[cache-save]\nstack = "of-save"\n'})
        in_that_etc()
        self.assertEqual(self.stacks(), ["of-save"])
        self.write_users('stack = "users"\n')
        in_that_etc()
        self.assertEqual(self.stacks(), ["users"], "the stronger file wins, whatever its table")

    def test_home_is_where_it_is_without_xdg(self):
        self.write('stack = "home"\n', "home/.config/hearth/config.toml")
        self.assertEqual(self.stack_with(env={"XDG_CONFIG_HOME": None}), "home")
        self.assertEqual(self.stack_with(env={"XDG_CONFIG_HOME": "relative"}), "home")

    def test_the_table_of_a_command_wins_over_the_top(self):
        path = self.write('stack = "top"\n[cache-save]\nstack = "save"\n[cache-restore]\nstack = "restore"\n')
        self.assertEqual(self.stack_with("--config", path), "save")
        self.save("--config", path, "--stack", "restore")
        copy = self.root / "home" / "copy"
        outcome = self.hearth("cache", "restore", copy, "--app", "demo", "--strict", "--config", path)
        self.assertEqual(outcome.code, 0, str(outcome))

    def test_every_kind_of_setting(self):
        elsewhere = self.root / "data" / "elsewhere"
        (self.tree / "a.log").write_text("log\n")
        (self.tree / "tmp").write_text("tmp\n")
        self.save("--config", self.write(f'''
app = "from-file"
store = "file://{elsewhere}"
cache-exclude = ["*.log", "tmp"]
strict = true
compression-level = 9
save-deadline = "1m30s"
stall-timeout = 20
tier-size = 1000000
'''), app=None)
        self.assertEqual(self.objects(), [])
        self.assertTrue(list((elsewhere / "apps" / "from-file" / "cache").iterdir()))
        copy = self.root / "home" / "copy"
        self.hearth("cache", "restore", copy, "--app", "from-file", "--store", f"file://{elsewhere}", "--strict")
        self.assertEqual(os.listdir(copy), ["file"])

    def test_a_build_takes_its_settings_from_it(self):
        pack = self.buildpack(compile='echo "stack=[$STACK]"; echo "var=[$(cat "$3/VAR")]"; touch "$2/x"')
        path = self.write(f'cache = "read-only"\n[build]\nstack = "cedar"\nbuildpack = ["{pack}"]\nenv = ["VAR=a value"]\n')
        outcome = self.build(self.app(), "--config", path)
        self.assertEqual((outcome.said("stack"), outcome.said("var")), ("cedar", "a value"))
        self.assertEqual(outcome.save["outcome"], "off")
        self.assertIn("Cache: read-only (--cache read-only)", outcome.log)
        # A list of a stronger place counts alone.
        outcome = self.build(self.app(), "--config", path, "--env", "OTHER=b", packs=[self.buildpack("two", compile='echo "vars=[$(ls "$3")]"')])
        self.assertEqual(outcome.said("vars"), "OTHER")

    def test_what_is_unknown_names_file_line_key_and_the_nearest(self):
        self.assertIn("named.toml:2: stak is no setting of hearth; did you mean stack?", self.refused('\nstak = "x"\n'))
        self.assertIn("named.toml:2: stack-root is no setting of [cache-save]", self.refused('[cache-save]\nstack-root = "/"\n'))
        self.assertIn("named.toml:1: [biuld] is no command of hearth; did you mean build?", self.refused("[biuld]\n"))
        self.assertIn("named.toml:2: slug-limit is no setting of [build]", self.refused('[build]\nslug-limit = "1M"\n'),
                      "whatever the command is that runs")
        self.assertIn("named.toml:1: save is a table in a table", self.refused("[cache.save]\nstack = \"x\"\n"))

    def test_wrong_kinds_and_values_name_file_line_and_key(self):
        self.assertIn("named.toml:1: stack takes text in quotes", self.refused("stack = 24\n"))
        self.assertIn("named.toml:1: strict takes true or false", self.refused('strict = "no"\n'))
        self.assertIn("named.toml:1: cache-exclude takes a list of texts", self.refused("cache-exclude = 5\n"))
        self.assertIn("named.toml:2: --save-deadline", self.refused('\nsave-deadline = "soon"\n'))
        self.assertIn("named.toml:1: --compression-level", self.refused("compression-level = 99\n"))
        self.assertIn("named.toml:1: --format", self.refused('format = "xml"\n'))
        self.assertIn("named.toml:1: compression-level", self.refused("compression-level = 3.5\n"))

    def test_what_is_no_toml_is_refused_with_its_line(self):
        self.assertIn("named.toml:2: ", self.refused('stack = "x"\nstack = "y"\n'))
        self.assertIn("named.toml:1: ", self.refused("stack =\n"))

    def test_a_named_file_has_to_be_there(self):
        outcome = self.save("--config", self.root / "absent.toml", expect=2)
        self.assertIn("absent.toml", outcome.errors)
        self.assertIn(str(self.root), self.save("--config", self.root, expect=2).errors)

    def test_one_that_cannot_be_read_is_a_warning(self):
        directory = self.config_home / "hearth" / "config.toml"
        directory.mkdir(parents=True)
        self.assertIn("warning: ", self.save().errors)

    def test_secrets_that_others_may_read_are_warned_about(self):
        secret = '[environment]\nAWS_SECRET_ACCESS_KEY = "hunter2"\n'
        self.assertEqual(self.save("--config", self.write(secret)).errors, "")
        errors = self.save("--config", self.write(secret, mode=0o644)).errors
        self.assertIn("warning: ", errors)
        self.assertIn("others may read it", errors)
        self.assertNotIn("hunter2", errors)
        self.assertIn("others may change", self.save("--config", self.write("", mode=0o602)).errors)

    def test_its_environment_reaches_stores_and_no_build(self):
        path = self.write('[environment]\nOS_AUTH_TOKEN_OF_TEST = "hunter2"\n')
        pack = self.buildpack(compile='env; echo "token=[$OS_AUTH_TOKEN_OF_TEST]"')
        outcome = self.build(self.app(), "--config", path, "--pass-env", "OS_AUTH_TOKEN_OF_TEST", packs=[pack])
        self.assertEqual(outcome.said("token"), "")
        with refusing_server() as (port, asked):
            path = self.write('[environment]\nAWS_ACCESS_KEY_ID = "IDOFFILE"\nAWS_SECRET_ACCESS_KEY = "hunter2"\n'
                              f'AWS_ENDPOINT_URL_S3 = "http://127.0.0.1:{port}"\n')
            store = ("--store", "s3://bucket?region=us-east-1")
            errors = self.save("--config", path, *store).errors
            self.assertIn("warning: ", errors)
            self.assertNotIn("hunter2", errors)
            self.assertTrue(asked and all("Credential=IDOFFILE/" in each for each in asked), asked)
            asked.clear()
            self.save("--config", path, *store, env={"AWS_ACCESS_KEY_ID": "IDOFVARIABLE"})
            self.assertTrue(asked and all("Credential=IDOFVARIABLE/" in each for each in asked), asked)

    def test_settings_have_no_place_in_its_environment(self):
        self.assertIn("named.toml:2: HEARTH_STACK is a setting", self.refused('[environment]\nHEARTH_STACK = "x"\n'))

    def test_help_needs_no_file(self):
        self.write_users("this is no TOML\n")
        self.assertEqual(self.hearth("build", "--help", env={"XDG_CONFIG_HOME": str(self.config_home)}).code, 0)
        self.assertIn("config.toml:1: ", self.save(expect=2).errors)


if __name__ == "__main__":
    main()
