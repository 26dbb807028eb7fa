"""Who decides on a cache: operator and owner, whose cache a new one starts from, and what is left out of it."""

import json
import os
import subprocess

from harness import EndToEnd, main, write_tree

TOUCH = 'echo "found=[$(ls -A "$2" | sort | tr "\\n" " ")]"; echo content >"$2/x"'


def files_below(directory):
    """Relative paths of everything below a directory, as find(1) sees them."""
    found = subprocess.run(["find", ".", "-mindepth", "1", "-printf", "%P\\0"], cwd=directory, capture_output=True, check=True)
    return sorted(os.fsdecode(name) for name in found.stdout.split(b"\0") if name)


def bytes_below(directory):
    found = subprocess.run(["find", ".", "-type", "f", "-printf", "%s\\n"], cwd=directory, capture_output=True, check=True)
    return sum(int(size) for size in found.stdout.split())


class Owner(EndToEnd):
    def setUp(self):
        super().setUp()
        self.pack = self.buildpack(compile=TOUCH)

    def run_build(self, *arguments, **options):
        return self.build(self.app(), *arguments, packs=[self.pack], **options)

    def stored(self, app="demo"):
        return {path.relative_to(self.store): path.read_bytes() for path in self.objects(f"apps/{app}/cache")}

    def data(self, app="demo"):
        return [path for path in self.objects(f"apps/{app}/cache") if not path.name.startswith("HEAD.")]

    def assert_line(self, outcome, line):
        self.assertIn(f"       {line}\n", outcome.log)

    def test_what_either_forbids_is_forbidden(self):
        self.run_build()
        restores = {"on": True, "off": False, "read-only": True, "refresh": False}
        saves = {"on": True, "off": False, "read-only": False, "refresh": True}
        names = {(True, True): "on", (True, False): "read-only", (False, True): "refresh", (False, False): "off"}
        for operator in restores:
            for owner in restores:
                before = self.stored()
                outcome = self.run_build("--cache", operator, "--env", f"HEARTH_CACHE={owner}")
                restored = restores[operator] and restores[owner]
                saved = saves[operator] and saves[owner]
                told = (operator, owner)
                self.assertEqual(outcome.report["cache"]["mode"], names[restored, saved], told)
                self.assertEqual(outcome.restore["outcome"], "hit" if restored else "off", told)
                self.assertEqual(outcome.said("found"), "x " if restored else "", told)
                self.assertEqual(outcome.save["outcome"] == "off", not saved, told)
                if not saved:
                    self.assertEqual(self.stored(), before, told)

    def test_one_line_says_what_is_in_force_and_why(self):
        self.assertNotIn("Cache: ", self.run_build().log)
        self.assert_line(self.run_build("--cache", "off"), "Cache: off (--cache off)")
        self.assert_line(self.run_build(env={"HEARTH_CACHE": "read-only"}), "Cache: read-only (--cache read-only)")
        outcome = self.run_build("--env", "HEARTH_CACHE=read-only")
        self.assert_line(outcome, "Cache: read-only (config var HEARTH_CACHE=read-only)")
        self.assertEqual(outcome.report["cache"]["why"], "config var HEARTH_CACHE=read-only")
        self.assert_line(self.run_build("--cache", "refresh", "--env", "HEARTH_CACHE=off"),
                         "Cache: off (--cache refresh, config var HEARTH_CACHE=off)")

    def test_a_value_that_is_none_is_a_warning_and_on(self):
        self.run_build()
        outcome = self.run_build("--env", "HEARTH_CACHE=sometimes")
        self.assertEqual((outcome.restore["outcome"], outcome.report["cache"]["mode"]), ("hit", "on"))
        self.assertIn(" !     The config var HEARTH_CACHE is none of on, off, read-only and refresh: ignored", outcome.log)

    def test_a_mounted_secret_may_end_in_a_line_feed(self):
        secrets = write_tree(self.root / "home" / "env", {"HEARTH_CACHE": "off\n", "..data": "x"})
        self.assertEqual(self.run_build("--env-dir", secrets).report["cache"]["mode"], "off")

    def test_deis_switches_delete_what_is_stored(self):
        for variable in ("DEIS_DISABLE_CACHE=1", "DEIS_DISABLE_CACHE=false", "DEIS_DISABLE_CACHE=", "DEIS_BUILDPACK_CACHE=false"):
            self.run_build()
            self.run_build("--stack", "heroku-22")
            count = len(self.data())
            self.assertGreater(count, 1)
            outcome = self.run_build("--env", variable)
            self.assertEqual(outcome.said("found"), "", variable)
            self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("off", "off"), variable)
            self.assertEqual(self.data(), [], variable)
            self.assertEqual(outcome.report["cache"]["deleted_objects"], count)
            self.assert_line(outcome, f"Deleted the stored cache: {count} objects")
            self.assertIn("Cache: off, and what is stored is deleted (config var DEIS_", outcome.log)
            # Without the switch it starts from nothing.
            self.assertEqual(self.run_build().restore["outcome"], "miss", variable)

    def test_they_need_no_cache_and_do_not_repeat_themselves(self):
        outcome = self.run_build("--env", "DEIS_DISABLE_CACHE=1")
        self.assertEqual(self.objects("apps/demo/cache"), [])
        self.assertNotIn("Deleted", outcome.log)
        self.run_build()
        self.run_build("--env", "DEIS_DISABLE_CACHE=1")
        outcome = self.run_build("--env", "DEIS_DISABLE_CACHE=1")
        self.assertEqual(outcome.report["cache"]["deleted_objects"], 0)
        self.assertNotIn("Deleted", outcome.log)

    def test_another_value_of_the_first_switch_is_none(self):
        self.run_build()
        self.assertEqual(self.run_build("--env", "DEIS_BUILDPACK_CACHE=true").restore["outcome"], "hit")

    def test_a_build_that_fails_deletes_too(self):
        self.run_build()
        outcome = self.build(self.app(), "--env", "DEIS_DISABLE_CACHE=1", packs=[self.buildpack("bad", compile="exit 1")], expect=1)
        self.assertEqual(self.data(), [], str(outcome))

    def test_the_operators_word_protects_what_is_stored(self):
        self.run_build()
        before = self.stored()
        for operator in ("off", "read-only"):
            outcome = self.run_build("--cache", operator, "--env", "DEIS_DISABLE_CACHE=1")
            self.assertEqual(outcome.report["cache"]["mode"], "off")
            self.assertEqual(self.stored(), before, operator)

    def test_another_app_is_left_alone(self):
        self.run_build(app="demo-2")
        self.run_build()
        before = self.stored("demo-2")
        self.run_build("--env", "DEIS_DISABLE_CACHE=1")
        self.assertEqual(self.stored("demo-2"), before)

    def test_the_source_decides_nothing(self):
        files = {"HEARTH_CACHE": "off\n", ".env": "DEIS_DISABLE_CACHE=1\n", "hearth/config.toml": 'cache = "off"\n',
                 ".config/hearth/config.toml": 'cache = "off"\n', "config.toml": 'cache = "off"\n'}
        outcome = self.build(self.app(files), packs=[self.pack], cwd=self.app(files))
        self.assertEqual(outcome.report["cache"]["mode"], "on")


class Exclusions(EndToEnd):
    def setUp(self):
        super().setUp()
        self.tree = write_tree(self.root / "home" / "tree", {
            "kept": "1\n", "a.log": "log\n", "deep/b.log": "log\n", "deep/kept": "2\n", "tmp/x": "x\n", "tmp/y/z": "z\n",
            "other/tmp": "a file of that name\n"})
        self.copy = self.root / "home" / "copy"

    def save(self, *arguments, expect=0, **options):
        outcome = self.hearth("cache", "save", self.tree, "--app", "demo", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def restored(self):
        outcome = self.hearth("cache", "restore", self.copy, "--app", "demo", "--replace")
        self.assertEqual(outcome.code, 0, str(outcome))
        return files_below(self.copy)

    def test_what_patterns_name_is_left_out(self):
        outcome = self.save("--cache-exclude", "*.log", "--cache-exclude", "tmp/", "--format", "json")
        self.assertEqual(self.restored(), ["deep", "deep/kept", "kept", "other", "other/tmp"])
        told = json.loads(outcome.stdout)
        self.assertEqual((told["entries"], told["added"], told["left_out"]), (5, 5, 3))
        self.assertEqual(told["bytes"], bytes_below(self.copy))
        self.assertEqual(files_below(self.tree), sorted(
            ["a.log", "deep", "deep/b.log", "deep/kept", "kept", "other", "other/tmp", "tmp", "tmp/x", "tmp/y", "tmp/y/z"]))

    def test_what_was_saved_before_vanishes(self):
        self.save()
        self.assertIn("tmp/y/z", self.restored())
        outcome = self.save("--cache-exclude", "/tmp")
        self.assertIn("0 added, 0 changed, 4 removed", outcome.log)
        self.assertIn("; 1 left out", outcome.log)
        self.assertNotIn("tmp", " ".join(path for path in self.restored() if not path.startswith("other")))
        self.assertIn("unchanged", self.save("--cache-exclude", "/tmp").log)

    def test_the_variable_takes_one_a_line(self):
        self.save(env={"HEARTH_CACHE_EXCLUDE": "*.log\ntmp\n"})
        self.assertEqual(self.restored(), ["deep", "deep/kept", "kept", "other"])

    def test_a_pattern_that_names_nothing_is_refused(self):
        for pattern in ("!kept", "", "# comment", "/"):
            outcome = self.save("--cache-exclude", pattern, expect=2)
            self.assertIn("--cache-exclude", outcome.errors)
        self.assertEqual(self.objects("apps"), [])

    def test_of_a_build_operator_and_owner_are_heard(self):
        pack = self.buildpack(compile='cd "$2"; mkdir -p tmp; echo a >a.log; echo b >tmp/b; echo c >c; echo d >d')
        outcome = self.build(self.app(), "--cache-exclude", "*.log", "--env", "HEARTH_CACHE_EXCLUDE=tmp/\n/d", packs=[pack])
        self.assertEqual((outcome.save["entries"], outcome.save["left_out"]), (1, 3))
        self.assertIn("; 3 left out", outcome.log)
        self.assertEqual(self.restored(), ["c"])
        # A build without them has them again.
        self.build(self.app(), packs=[pack])
        self.assertEqual(self.restored(), ["a.log", "c", "d", "tmp", "tmp/b"])


class Seeds(EndToEnd):
    def setUp(self):
        super().setUp()
        self.tree = write_tree(self.root / "home" / "tree", {"of": "main\n", "dir/file": "content\n" * 1000})
        self.copy = self.root / "home" / "copy"

    def hearth_cache(self, verb, directory, *arguments, expect=0, **options):
        outcome = self.hearth("cache", verb, directory, *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def told(self, outcome):
        return json.loads(outcome.stdout)

    def stored(self, app):
        return {path: path.read_bytes() for path in self.objects(f"apps/{app}")}

    def test_a_build_starts_from_another_apps_cache(self):
        pack = self.buildpack(compile='echo "found=[$(cat "$2/x" 2>/dev/null)]"; [ -e "$2/x" ] || echo parent >"$2/x"')
        self.build(self.app(), packs=[pack], app="parent")
        before = {path: content for path, content in self.stored("parent").items() if "/cache/" in str(path)}
        seeds = ("--cache-from", "nobody", "--cache-from", "parent")
        first = self.build(self.app(), *seeds, packs=[pack], app="review")
        self.assertEqual((first.restore["outcome"], first.restore["seed"], first.said("found")), ("hit", "parent", "parent"))
        self.assertIn("       Restored from parent: 1 entry", first.log)
        self.assertEqual(first.save["outcome"], "saved")
        after = {path: content for path, content in self.stored("parent").items() if "/cache/" in str(path)}
        self.assertEqual(after, before)
        # Nothing is shared.
        for path in before:
            path.unlink()
        second = self.build(self.app(), *seeds, packs=[pack], app="review")
        self.assertEqual((second.restore["outcome"], second.restore["seed"], second.said("found")), ("hit", "", "parent"))
        self.assertEqual(second.save["outcome"], "unchanged")

    def test_a_seed_is_of_the_same_stack(self):
        pack = self.buildpack(compile='touch "$2/x"')
        self.build(self.app(), "--stack", "heroku-22", packs=[pack], app="parent")
        self.assertEqual(self.build(self.app(), "--cache-from", "parent", packs=[pack]).restore["outcome"], "miss")

    def test_the_variable_names_one_a_line(self):
        pack = self.buildpack(compile='touch "$2/x"')
        self.build(self.app(), packs=[pack], app="parent")
        outcome = self.build(self.app(), packs=[pack], env={"HEARTH_CACHE_FROM": "nobody\nparent\n"})
        self.assertEqual(outcome.restore["seed"], "parent")

    def test_an_app_may_not_choose_its_seed(self):
        pack = self.buildpack(compile='touch "$2/x"')
        self.build(self.app(), packs=[pack], app="parent")
        outcome = self.build(self.app(), "--env", "HEARTH_CACHE_FROM=parent", packs=[pack])
        self.assertEqual((outcome.restore["outcome"], outcome.restore["seed"]), ("miss", ""))

    def test_without_a_restore_there_is_no_seed(self):
        pack = self.buildpack(compile='[ -z "$(ls -A "$2")" ]; touch "$2/x"')
        self.build(self.app(), packs=[pack], app="parent")
        for mode in ("off", "refresh"):
            outcome = self.build(self.app(), "--cache-from", "parent", "--cache", mode, packs=[pack])
            self.assertEqual((outcome.restore["outcome"], outcome.restore["seed"]), ("off", ""))

    def test_a_test_run_may_start_from_a_seed(self):
        pack = self.buildpack(files={"bin/detect": "#!/bin/sh\necho T\n", "bin/compile": '#!/bin/sh\nls "$2"; touch "$2/x"\n',
                                     "bin/test": "#!/bin/sh\ntrue\n"})
        self.build(self.app(), packs=[pack], app="parent")
        report = self.report_path()
        outcome = self.hearth("test", self.app(), "--app", "ci", "--cache-from", "parent", "--buildpack", pack, "--report", report, report=report)
        self.assertEqual((outcome.code, outcome.restore["seed"], outcome.save["outcome"]), (0, "parent", "off"), str(outcome))
        self.assertEqual(self.objects("apps/ci"), [])

    def test_keys_and_fallbacks(self):
        key = "Linux-npm, 3f9c/ä: \"lock\" $HOME"
        self.hearth_cache("save", self.tree, "--key", "main branch")
        first = self.told(self.hearth_cache("restore", self.copy, "--key", key, "--fallback", "no such key", "--fallback", "main branch", "--format", "json"))
        self.assertEqual((first["outcome"], first["seed"]), ("hit", "main branch"))
        self.assertEqual(files_below(self.copy), files_below(self.tree))
        self.assertEqual((first["entries"], first["bytes"]), (len(files_below(self.tree)), bytes_below(self.tree)))
        before = {path: path.read_bytes() for path in self.objects("apps/main%20branch")}
        saved = self.told(self.hearth_cache("save", self.copy, "--key", key, "--format", "json"))
        self.assertEqual((saved["outcome"], saved["added"]), ("saved", first["entries"]))
        own = [path for path in self.objects() if path not in before and "apps" in path.parts]
        self.assertTrue(own)
        self.assertEqual({path.relative_to(self.store / "apps").parts[0] for path in own},
                         {"Linux-npm%2C%203f9c%2F%C3%A4%3A%20%22lock%22%20%24HOME"})
        self.assertEqual({path: path.read_bytes() for path in before}, before)
        self.assertEqual(saved["uploaded_bytes"], sum(path.stat().st_size for path in own if not path.name.startswith("HEAD.")))
        for path in before:
            path.unlink()
        again = self.told(self.hearth_cache("restore", self.root / "home" / "third", "--key", key, "--fallback", "main branch", "--format", "json"))
        self.assertEqual((again["outcome"], again["seed"], again["generation"]), ("hit", "", saved["generation"]))
        self.assertEqual(files_below(self.root / "home" / "third"), files_below(self.tree))

    def test_the_words_say_whose_it_was(self):
        self.hearth_cache("save", self.tree, "--key", "main")
        outcome = self.hearth_cache("restore", self.copy, "--key", "topic", "--fallback", "main")
        self.assertIn(" of main: ", outcome.log)

    def test_long_keys_are_told_from_each_other(self):
        keys = ["k" * 511 + "1", "k" * 511 + "2", "ü" * 512]
        for number, key in enumerate(keys):
            write_tree(self.tree, {"number": f"{number}\n"})
            self.hearth_cache("save", self.tree, "--key", key)
        for number, key in enumerate(keys):
            self.hearth_cache("restore", self.copy, "--key", key, "--replace", "--strict")
            self.assertEqual((self.copy / "number").read_text(), f"{number}\n")

    def test_a_key_that_is_an_apps_name_is_that_app(self):
        self.hearth_cache("save", self.tree, "--app", "blog")
        self.hearth_cache("restore", self.copy, "--key", "blog", "--strict")
        # And it wins over an app that a job's environment names.
        self.hearth_cache("restore", self.copy, "--key", "blog", "--strict", env={"HEARTH_APP": "other"})

    def test_no_key_and_no_fallback_is_a_miss(self):
        outcome = self.hearth_cache("restore", self.copy, "--key", "none", "--fallback", "neither", "--format", "json")
        self.assertEqual((self.told(outcome)["outcome"], self.told(outcome)["seed"]), ("miss", ""))
        self.assertIn("none has no cache yet", outcome.errors)
        self.hearth_cache("restore", self.copy, "--key", "none", "--fallback", "neither", "--strict", expect=4)
        self.assertEqual(self.objects("apps"), [])

    def test_a_dead_store_is_told_as_json_too(self):
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        for verb, directory, word in (("restore", self.copy, "unavailable"), ("save", self.tree, "failed")):
            outcome = self.hearth_cache(verb, directory, "--key", "k", "--format", "json", "--store", f"file://{blocked}/store")
            self.assertEqual(self.told(outcome)["outcome"], word)

    def test_bad_input(self):
        self.assertIn("--key", self.hearth_cache("save", self.tree, expect=2).errors)
        self.assertIn("512", self.hearth_cache("save", self.tree, "--key", "k" * 513, expect=2).errors)
        self.assertIn("--fallback", self.hearth_cache("restore", self.copy, "--key", "k", "--fallback", "k" * 513, expect=2).errors)
        self.hearth_cache("save", self.tree, "--key", "k", "--fallback", "x", expect=2)
        self.hearth_cache("save", self.tree, "--key", "k", "--format", "xml", expect=2)
        outcome = self.build(self.app(), "--cache-from", "k" * 513, packs=[self.buildpack()], expect=2)
        self.assertIn("--cache-from", outcome.errors)


if __name__ == "__main__":
    main()
