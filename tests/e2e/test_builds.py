"""`hearth builds`, `--keep-builds` and `hearth run APP@BUILD`: what the store keeps of an app's builds."""

import json
import os
import pty
import threading

from caches import amount, size
from harness import EndToEnd, main


class Builds(EndToEnd):
    def setUp(self):
        super().setUp()
        self.good = self.buildpack("good", compile='echo compiled-it; echo x > "$2/kept"')
        self.bad = self.buildpack("bad", compile="echo the-reason; exit 5")

    def succeed(self, text, *arguments, app="demo"):
        """A build whose web process prints the text; its name."""
        app_dir = self.app({"Procfile": f'web: echo "state=[{text}]"\n', "data": os.urandom(2000)})
        return self.build(app_dir, *arguments, app=app, packs=[self.good]).report["build"]

    def break_down(self, app="demo", *arguments):
        return self.build(self.app(), *arguments, app=app, packs=[self.bad], expect=1).report["build"]

    def names(self, app="demo"):
        return [path.name for path in self.builds(app)]

    def on_disk(self, build, app="demo"):
        """(objects, bytes) of a build by the file system's own count."""
        files = self.objects(f"apps/{app}/builds/{build}")
        return len(files), sum(path.stat().st_size for path in files)

    def builds_command(self, *arguments, expect=0, **options):
        outcome = self.hearth("builds", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def listed(self, app="demo"):
        told = json.loads(self.builds_command("ls", app, "--format", "json").stdout)
        self.assertEqual((told["version"], told["app"]), (1, app))
        return told["builds"]


class Telling(Builds):
    def test_ls_tells_what_is_in_the_store(self):
        first, failed, last = self.succeed("one"), self.break_down(), self.succeed("two")
        listed = self.listed()
        self.assertEqual([build["build"] for build in listed], [last, failed, first])
        self.assertEqual([build["state"] for build in listed], ["succeeded", "failed", "succeeded"])
        self.assertEqual([build["current"] for build in listed], [True, False, False])
        for build in listed:
            self.assertEqual((build["objects"], build["bytes"]), self.on_disk(build["build"]))
            self.assertGreater(build["seconds"], 0)
        slug = self.store / "apps/demo/builds" / last / "slug.tgz"
        self.assertEqual(listed[0]["slug_bytes"], slug.stat().st_size)
        self.assertEqual(listed[1]["slug_bytes"], 0)
        self.assertIn("5", listed[1]["error"])
        self.assertIsNone(listed[0]["error"])
        text = self.builds_command("ls", "demo").log
        lines = text.splitlines()
        self.assertEqual([line.split()[0] for line in lines[:-1]], ["BUILD", last, failed, first])
        self.assertIn(f"3 builds, {size(sum(self.on_disk(build)[1] for build in self.names()))}; ", lines[-1])
        self.assertIn(f"hearth run demo takes {last}", lines[-1])

    def test_ls_of_a_build_at_work(self):
        last = self.succeed("one")
        unfinished = self.store / "apps/demo/builds/29990101T000000Z-00"
        unfinished.mkdir()
        (unfinished / "slug.tgz").write_bytes(b"the first half")
        listed = self.listed()
        self.assertEqual([(build["build"], build["state"]) for build in listed],
                         [(unfinished.name, "unfinished"), (last, "succeeded")])
        self.assertEqual((listed[0]["seconds"], listed[0]["slug_bytes"]), (None, 14))

    def test_show(self):
        build = self.succeed("one")
        told = json.loads(self.builds_command("show", "demo", "--format", "json").stdout)
        stored = self.store / "apps/demo/builds" / build
        self.assertEqual(told["report"], json.loads((stored / "report.json").read_text()))
        self.assertEqual({item["name"]: item["bytes"] for item in told["objects"]},
                         {path.name: path.stat().st_size for path in stored.iterdir()})
        self.assertEqual((told["build"], told["state"], told["bytes"]), (build, "succeeded", self.on_disk(build)[1]))
        text = self.builds_command("show", "demo", build[:20]).log
        for word in (build, "succeeded", "heroku-24", "good", "web: echo", told["report"]["slug"]["sha256"], "slug.tgz"):
            self.assertIn(word, text)
        failed = self.break_down()
        self.assertRegex(self.builds_command("show", "demo", failed).log, r"error +.*5")

    def test_show_of_a_report_that_cannot_be_read(self):
        build = self.succeed("one")
        report = self.store / "apps/demo/builds" / build / "report.json"
        for content in (b"", b"{", b"[]", b'{"version": 1, "phases": 3, "slug": "x", "processes": [1]}', b"\xff\x00"):
            report.chmod(0o600)
            report.write_bytes(content)
            self.assertIn(build, self.builds_command("show", "demo").log)
            self.builds_command("ls", "demo")
            self.builds_command("show", "demo", "--format", "json")

    def test_log_is_the_stored_one_byte_by_byte(self):
        first = self.succeed("one")
        self.break_down()
        newest = self.builds_command("log", "demo").stdout
        self.assertIn(b"the-reason", newest)
        stored = self.store / "apps/demo/builds" / first / "log.txt"
        told = self.builds_command("log", "demo", first.split("-")[1]).stdout
        self.assertEqual(told, stored.read_bytes())
        self.assertIn(b"compiled-it", told)
        stored.unlink()
        self.assertIn("has no log", self.builds_command("log", "demo", first, expect=4).errors)

    def test_bad_input(self):
        self.succeed("one")
        self.succeed("two")
        for verb in ("ls", "show", "log"):
            self.assertIn("has no builds in", self.builds_command(verb, "nobody", expect=4).errors)
            self.assertIn("needs an APP", self.builds_command(verb, expect=2).errors)
            self.assertIn("cannot be an app's name", self.builds_command(verb, "a/b", expect=2).errors)
            self.builds_command(verb, "demo", "--store", "nonsense", expect=2)
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        self.builds_command("ls", "demo", "--store", f"file://{blocked}/store", expect=5)
        self.assertIn("hearth builds ls demo", self.builds_command("show", "demo", "19990101", expect=4).errors)
        self.assertIn("several builds of demo begin with 2", self.builds_command("show", "demo", "2", expect=2).errors)
        self.assertIn("did you mean", self.builds_command("shwo", "demo", expect=2).errors)


class Removing(Builds):
    def test_rm_removes_what_it_says(self):
        first, second, third = (self.succeed(text) for text in ("one", "two", "three"))
        self.succeed("other", app="other")
        objects, count = self.on_disk(first)
        outcome = self.builds_command("rm", "demo", first, "--yes", "--format", "json")
        self.assertIn(first, outcome.errors)
        self.assertEqual(json.loads(outcome.stdout),
                         {"version": 1, "app": "demo", "removed": [first], "objects": objects, "bytes": count})
        self.assertEqual(self.names(), [second, third])
        self.assertEqual(len(self.builds("other")), 1)
        objects, count = self.on_disk(third)
        removed = self.builds_command("rm", "demo", third, "--yes")
        self.assertIn(f"{third}, {size(count)}, the newest that succeeded", removed.errors)
        self.assertIn(f"removed 1 build of demo: {amount(objects, count)}", removed.log)
        self.assertEqual(self.hearth("run", "demo").said("state"), "two")
        self.assertIn("removed 1 build of demo", self.builds_command("rm", "demo", "--all", "--yes").log)
        self.assertEqual(self.names(), [])
        self.assertNotEqual(self.objects("apps/demo/cache"), [], "the cache is no build")
        self.assertEqual(self.hearth("run", "demo").code, 4)

    def test_rm_keeps_the_newest_and_the_newest_that_succeeded(self):
        first, second = self.succeed("one"), self.succeed("two")
        third, fourth = self.break_down(), self.break_down()
        self.builds_command("rm", "demo", "--keep", "1", "--yes")
        self.assertEqual(self.names(), [second, fourth])
        self.assertNotIn(first, self.names())
        self.assertNotIn(third, self.names())
        self.assertIn("removed 0 builds", self.builds_command("rm", "demo", "--keep", "1", "--yes").log)

    def test_rm_asks(self):
        build = self.succeed("one")
        refused = self.builds_command("rm", "demo", build, expect=2)
        self.assertIn("--yes was not given", refused.errors)
        self.assertIn(build, refused.errors)
        self.assertEqual(self.names(), [build])
        self.assertEqual(self.answer("n\n", "rm", "demo", build), 1)
        self.assertEqual(self.names(), [build])
        self.assertEqual(self.answer("y\n", "rm", "demo", build), 0)
        self.assertEqual(self.names(), [])

    def answer(self, text, *arguments):
        ours, theirs = pty.openpty()
        try:
            process = self.start("builds", *arguments, stdin=theirs, stderr=theirs)
            os.write(ours, text.encode())
            code = process.wait(timeout=60)
            process.communicate()
            self.running_processes.remove(process)
            return code
        finally:
            os.close(ours)
            os.close(theirs)

    def test_bad_input(self):
        build = self.succeed("one")
        for arguments in ((), ("--all", build), ("--keep", "1", "--all"), ("--keep", "0"), ("--keep", "x")):
            self.builds_command("rm", "demo", *arguments, "--yes", expect=2)
        self.builds_command("rm", "demo", "29990101", "--yes", expect=4)
        self.builds_command("rm", "nobody", "--all", "--yes", expect=4)
        self.assertEqual(self.names(), [build])


class Keeping(Builds):
    def test_keep_builds(self):
        names = [self.succeed(str(count), "--keep-builds", "3") for count in range(5)]
        self.assertEqual(self.names(), names[-3:])
        log = (self.store / "apps/demo/builds" / names[-1] / "log.txt").read_text()
        self.assertIn("removed 1 older build (--keep-builds 3)", log)

    def test_ten_are_kept_by_default_and_all_with_0(self):
        for count in range(11):
            folder = self.store / f"apps/demo/builds/202001{count + 1:02}T000000Z-00"
            folder.mkdir(parents=True)
            (folder / "report.json").write_text("{}")
        self.succeed("all", "--keep-builds", "0")
        self.assertEqual(len(self.names()), 12)
        self.succeed("ten")
        self.assertEqual(len(self.names()), 10)

    def test_the_newest_that_succeeded_is_never_removed(self):
        good = self.succeed("good")
        for _ in range(3):
            self.break_down("demo", "--keep-builds", "1")
        last = self.succeed("last", "--keep-builds", "1")
        self.assertEqual(self.names(), [last])
        failed = [self.break_down("demo", "--keep-builds", "1") for _ in range(2)]
        self.assertEqual(self.names(), [last, *failed], "only what is published removes")
        self.builds_command("rm", "demo", "--keep", "1", "--yes")
        self.assertEqual(self.names(), [last, failed[-1]])
        self.assertNotEqual(good, last)

    def test_other_apps_and_failures_to_remove_are_no_concern(self):
        self.succeed("other", app="demo2")
        first = self.succeed("one")
        self.succeed("two", "--keep-builds", "1")
        self.assertEqual(len(self.builds("demo2")), 1)
        self.assertNotIn(first, self.names())

    def test_builds_at_the_same_time_all_stay_runnable(self):
        """Eight builds of one app at once, each keeping one: at the end the newest is whole."""
        app_dir = self.app({"Procfile": 'web: echo "state=[done]"\n'})
        outcomes = []

        def build():
            outcomes.append(self.hearth("build", app_dir, "--app", "demo", "--buildpack", self.good, "--keep-builds", "1"))

        threads = [threading.Thread(target=build) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([outcome.code for outcome in outcomes], [0] * 8, "\n".join(map(str, outcomes)))
        self.assertEqual(self.hearth("run", "demo").said("state"), "done")
        last = self.succeed("last", "--keep-builds", "1")
        listed = self.listed()
        self.assertEqual((listed[0]["build"], listed[0]["current"]), (last, True))
        # What was recorded after another build had removed it goes now.
        self.assertEqual(self.names(), [last])

    def test_bad_input(self):
        self.build(self.app(), "--keep-builds", "-1", packs=[self.good], expect=2)
        self.build(self.app(), "--keep-builds", "many", packs=[self.good], expect=2)


class RunningAnEarlierBuild(Builds):
    def test_it_is_run(self):
        first = self.succeed("one")
        self.succeed("two")
        self.assertEqual(self.hearth("run", "demo").said("state"), "two")
        self.assertEqual(self.hearth("run", f"demo@{first}").said("state"), "one")
        self.assertEqual(self.hearth("run", f"demo@{first.split('-')[1]}", "web").said("state"), "one")

    def test_what_cannot_be_run_is_told(self):
        self.succeed("one")
        failed = self.break_down()
        self.assertIn("has nothing to run", self.refused(f"demo@{failed}", 4))
        self.assertIn("has no build 1999", self.refused("demo@1999", 4))
        self.assertIn("several builds of demo begin with 2", self.refused("demo@2", 2))
        self.assertIn("needs the name of a BUILD", self.refused("demo@", 2))
        self.assertIn("nobody", self.refused("nobody@2026", 4))

    def refused(self, target, code):
        outcome = self.hearth("run", target)
        self.assertEqual(outcome.code, code, str(outcome))
        return outcome.errors


if __name__ == "__main__":
    main()
