"""Every way of naming buildpacks, their precedence, the forms of their URLs, and what an app may not name."""

import json
import os
import shutil
import subprocess
import time

from harness import EndToEnd, buildpack_files, main, write_tree
from servers import FileServer, commit_all, git, make_certificate


class Selection(EndToEnd):
    """Buildpacks inside the app (`packs/NAME`) print their name; whichever ran was chosen."""

    def app_with(self, files=None, packs=("a", "b", "c", "d", "e")):
        tree = dict(files or {})
        for name in packs:
            for path, content in buildpack_files(compile=f'echo "ran=[{name}]"; echo "{name}" >>"$1/ran"').items():
                tree[f"packs/{name}/{path}"] = (content, 0o755)
        return self.app(tree)

    def ran(self, app, *arguments, **options):
        outcome = self.build(app, *arguments, **options)
        return [pack["name"] for pack in outcome.report["buildpacks"]]

    def test_each_place_outranks_the_next(self):
        installed = self.root / "installed"
        write_tree(installed / "01_installed", buildpack_files())
        operator = self.buildpack("operator")
        places = {
            ".buildpacks": "packs/b\n",
            "app.json": json.dumps({"buildpacks": [{"url": "packs/c"}]}),
            "project.toml": '[[io.buildpacks.group]]\nuri = "packs/d"\n',
        }
        arguments = ["--buildpacks", installed, "--env", "BUILDPACK_URL=packs/a", "--buildpack", operator]
        app = self.app_with(places)
        self.assertEqual(self.ran(app, *arguments), ["operator"])
        self.assertEqual(self.ran(app, *arguments[:-2]), ["a"])
        self.assertEqual(self.ran(app, *arguments[:2]), ["b"])
        (app / ".buildpacks").unlink()
        self.assertEqual(self.ran(app, *arguments[:2]), ["c"])
        (app / "app.json").unlink()
        self.assertEqual(self.ran(app, *arguments[:2]), ["d"])
        (app / "project.toml").unlink()
        self.assertEqual(self.ran(app, *arguments[:2]), ["01_installed"])

    def test_dot_buildpacks_has_one_a_line_with_comments_and_crlf(self):
        app = self.app_with({".buildpacks": "# two of them\r\n\r\npacks/b\r\n  packs/a  \r\n# packs/c"})
        self.assertEqual(self.ran(app), ["b", "a"])

    def test_app_json_lists_several(self):
        app = self.app_with({"app.json": json.dumps({"name": "x", "buildpacks": [{"url": "packs/c"}, {"url": "packs/a"}]})})
        self.assertEqual(self.ran(app), ["c", "a"])

    def test_app_json_without_buildpacks_names_none(self):
        installed = self.root / "installed"
        write_tree(installed / "01_x", buildpack_files())
        for content in ('{"name": "x"}', '{"buildpacks": []}'):
            app = self.app_with({"app.json": content})
            self.assertEqual(self.ran(app, "--buildpacks", installed), ["01_x"])

    def test_project_toml_has_two_forms(self):
        app = self.app_with({"project.toml": '[[build.buildpacks]]\nuri = "packs/e"\n[[build.buildpacks]]\nuri = "packs/a"\n'})
        self.assertEqual(self.ran(app), ["e", "a"])

    def test_a_file_that_cannot_be_parsed_is_named(self):
        for name, content in (("app.json", "{nonsense"), ("project.toml", "= = =")):
            outcome = self.build(self.app_with({name: content}), expect=None)
            self.assertNotEqual(outcome.code, 0)
            self.assertIn(name, outcome.log + outcome.errors)

    def test_several_flags_keep_their_order(self):
        first, second = self.buildpack("first"), self.buildpack("second")
        self.assertEqual(self.ran(self.app(), packs=[second, first]), ["second", "first"])

    def test_an_alias_is_resolved_to_its_repository(self):
        outcome = self.build(self.app(), "--network", "off", packs=["heroku/no-such-buildpack"], expect=4)
        self.assertIn("heroku-buildpack-no-such-buildpack", outcome.log + outcome.errors)

    def test_cloud_native_buildpacks_are_refused_clearly(self):
        for reference in ("docker://example.com/x", "urn:cnb:registry:x"):
            outcome = self.build(self.app_with({".buildpacks": reference + "\n"}), expect=None)
            self.assertIn(outcome.code, (2, 4), str(outcome))
            self.assertIn("Cloud Native Buildpack", outcome.log + outcome.errors)

    def test_the_app_cannot_name_what_lies_on_the_builder(self):
        secret = self.buildpack("outside", compile='echo "ran=[outside]"')
        for reference in (f"file://{secret}", str(secret), "../../packs/outside", "packs/../../../packs/outside", "link"):
            app = self.app_with({".buildpacks": reference + "\n"})
            os.symlink(secret, app / "link")
            outcome = self.build(app, expect=None)
            self.assertNotEqual(outcome.code, 0, reference)
            self.assertNotIn("ran=[outside]", outcome.log, reference)
            outcome = self.build(self.app_with(), "--env", f"BUILDPACK_URL={reference}", expect=None)
            self.assertNotEqual(outcome.code, 0, reference)
            self.assertNotIn("ran=[outside]", outcome.log, reference)

    def test_settings_are_not_read_from_the_source(self):
        app = self.app_with({".env": "HEARTH_CACHE=off\n", "hearth.toml": 'cache = "off"\n', ".hearth": "cache=off\n"})
        outcome = self.build(app, packs=[self.buildpack(compile='touch "$2/x"')])
        self.assertEqual(outcome.save["outcome"], "saved")


class Forms(EndToEnd):
    """A buildpack in a git repository: `main` prints main, branch `other` prints other, tag `v1` and its sha print v1."""

    def setUp(self):
        super().setUp()
        self.served = self.root / "served"
        self.served.mkdir()
        self.tree = self.root / "tree"
        write_tree(self.tree, buildpack_files(compile='echo "ran=[v1]"'))
        self.first = commit_all(self.tree)
        git(self.tree, "tag", "v1")
        write_tree(self.tree, buildpack_files(compile='echo "ran=[main]"'))
        self.second = commit_all(self.tree)
        git(self.tree, "checkout", "--quiet", "-b", "other")
        write_tree(self.tree, buildpack_files(compile='echo "ran=[other]"'))
        commit_all(self.tree)
        git(self.tree, "checkout", "--quiet", "main")
        self.bare = self.served / "pack.git"
        git(self.root, "clone", "--quiet", "--bare", self.tree, self.bare)
        git(self.bare, "update-server-info")

    def ran(self, reference, *arguments, **options):
        outcome = self.build(self.app(), *arguments, packs=[reference], **options)
        return outcome.said("ran"), outcome.report["buildpacks"][0]["revision"]

    def check_refs(self, url, *arguments):
        self.assertEqual(self.ran(url, *arguments), ("main", self.second))
        self.assertEqual(self.ran(f"{url}#other", *arguments)[0], "other")
        self.assertEqual(self.ran(f"{url}#v1", *arguments), ("v1", self.first))
        self.assertEqual(self.ran(f"{url}#{self.first}", *arguments), ("v1", self.first))

    def test_git_over_file(self):
        self.check_refs(f"file://{self.bare}")

    def test_git_over_smart_http(self):
        with FileServer(self.served, smart=True) as server:
            self.check_refs(f"{server.url}/pack.git", "--network", "host")

    def test_the_app_may_name_https_with_a_branch(self):
        certificate, key = make_certificate(self.root)
        trust = {"GIT_SSL_CAINFO": str(certificate), "SSL_CERT_FILE": str(certificate)}
        with FileServer(self.served, smart=True, certificate=(certificate, key)) as server:
            for app, arguments in ((self.app(), ["--env", f"BUILDPACK_URL={server.url}/pack.git#other"]),
                                   (self.app({".buildpacks": f"{server.url}/pack.git#other\n"}, name="second"), [])):
                outcome = self.build(app, "--network", "host", *arguments, env=trust)
                self.assertEqual(outcome.said("ran"), "other")
            outcome = self.build(app, "--network", "host", expect=4)
        self.assertIn("pack.git", outcome.log + outcome.errors)

    def test_the_app_may_not_name_http(self):
        with FileServer(self.served, smart=True) as server:
            self.build(self.app({".buildpacks": f"{server.url}/pack.git\n"}), "--network", "host", expect=4)
            self.assertEqual(server.requests, [])

    def test_git_over_dumb_http(self):
        with FileServer(self.served) as server:
            self.assertEqual(self.ran(f"{server.url}/pack.git#v1", "--network", "host"), ("v1", self.first))

    def test_a_local_repository_with_a_ref(self):
        self.assertEqual(self.ran(f"{self.tree}#v1"), ("v1", self.first))

    def test_a_ref_that_does_not_exist_is_named(self):
        outcome = self.build(self.app(), packs=[f"file://{self.bare}#nowhere"], expect=4)
        self.assertIn("nowhere", outcome.log + outcome.errors)

    def test_a_ref_is_never_an_option(self):
        mark = self.root / "cache-home" / "mark"
        outcome = self.build(self.app(), packs=[f"file://{self.bare}#--upload-pack=touch {mark}"], expect=None)
        self.assertIn(outcome.code, (2, 4), str(outcome))
        self.assertFalse(mark.exists())

    def test_a_branch_that_moved_is_seen_by_the_next_build(self):
        self.assertEqual(self.ran(f"file://{self.bare}")[0], "main")
        write_tree(self.tree, buildpack_files(compile='echo "ran=[moved]"'))
        commit_all(self.tree)
        git(self.tree, "push", "--quiet", self.bare, "main")
        self.assertEqual(self.ran(f"file://{self.bare}")[0], "moved")

    def test_userinfo_is_masked_everywhere(self):
        with FileServer(self.served) as server:
            url = f"http://someone:hunter2-secret@127.0.0.1:{server.port}/pack.git"
            outcome = self.build(self.app(), "--network", "host", packs=[url])
            failed = self.build(self.app(), "--network", "host", packs=[url + "#nowhere"], expect=4)
            nobody = self.build(self.app(), packs=["https://someone:hunter2-secret@127.0.0.1:1/x.tgz"], expect=4)
        for result in (outcome, failed, nobody):
            self.assertNotIn("hunter2", str(result))
        stored = b"".join(path.read_bytes() for path in self.objects("apps"))
        self.assertNotIn(b"hunter2", stored)

    def test_a_tarball_over_http_sole_top_folder_stripped(self):
        folder = self.root / "tarball" / "pack-1.0"
        write_tree(folder, buildpack_files(compile='echo "ran=[tarball]"', README="A buildpack.\n"))
        for suffix, option in ((".tgz", "-z"), (".tar.gz", "-z"), (".tbz", "-j"), (".tar.bz", "-j"), (".tar", None)):
            options = [option] if option else []
            subprocess.run(["tar", *options, "-cf", self.served / f"pack{suffix}", "-C", folder.parent, folder.name], check=True)
        subprocess.run(["tar", "-czf", self.served / "flat.tgz", "-C", folder, "."], check=True)
        subprocess.run(["tar", "-czf", self.served / "bare.tgz", "-C", folder, "bin"], check=True)
        with FileServer(self.served) as server:
            for name in ("pack.tgz", "pack.tar.gz", "pack.tbz", "pack.tar.bz", "pack.tar", "flat.tgz", "bare.tgz"):
                self.assertEqual(self.ran(f"{server.url}/{name}")[0], "tarball", name)

    def test_a_tarball_is_fetched_once_for_each_entity_tag(self):
        folder = self.root / "tarball" / "pack-1.0"
        write_tree(folder, buildpack_files(compile='echo "ran=[first]"; touch "$(dirname "$0")/../written"'))
        subprocess.run(["tar", "-czf", self.served / "pack.tgz", "-C", folder.parent, folder.name], check=True)
        with FileServer(self.served) as server:
            server.entity_tags["/pack.tgz"] = '"one"'
            first, again = (self.ran(f"{server.url}/pack.tgz") for _ in range(2))
            self.assertEqual(server.requests, ["/pack.tgz"])
            self.assertEqual(again, first)
            write_tree(folder, buildpack_files(compile='echo "ran=[second]"'))
            subprocess.run(["tar", "-czf", self.served / "pack.tgz", "-C", folder.parent, folder.name], check=True)
            server.entity_tags["/pack.tgz"] = '"two"'
            self.assertEqual(self.ran(f"{server.url}/pack.tgz")[0], "second")
            self.assertEqual(len(server.requests), 2)

    def pack_tarball(self, word, modified):
        folder = self.root / "tarball" / "pack-1.0"
        write_tree(folder, buildpack_files(compile=f'echo "ran=[{word}]"'))
        subprocess.run(["tar", "-czf", self.served / "pack.tgz", "-C", folder.parent, folder.name], check=True)
        os.utime(self.served / "pack.tgz", (modified, modified))

    def test_a_tarball_without_an_entity_tag_is_fetched_once_for_each_time_of_modification(self):
        with FileServer(self.served) as server:
            self.pack_tarball("first", time.time() - 7200)
            first, again = (self.ran(f"{server.url}/pack.tgz") for _ in range(2))
            self.assertEqual((len(server.requests), again, first[0]), (1, first, "first"))
            self.pack_tarball("second", time.time() - 3600)
            self.assertEqual(self.ran(f"{server.url}/pack.tgz")[0], "second")
            self.assertEqual(len(server.requests), 2)
            for word in ("third", "fourth"):  # so young that the time may stand for both
                self.pack_tarball(word, time.time() - 1)
                self.assertEqual(self.ran(f"{server.url}/pack.tgz")[0], word)
            self.assertEqual(len(server.requests), 4)

    def test_a_tarball_that_its_server_does_not_name_is_always_fetched(self):
        with FileServer(self.served, no_times=True) as server:
            for word in ("first", "second", "second"):
                self.pack_tarball(word, time.time() - 7200)
                self.assertEqual(self.ran(f"{server.url}/pack.tgz")[0], word)
            self.assertEqual(len(server.requests), 3)

    def test_one_that_is_not_there_is_named(self):
        with FileServer(self.served) as server:
            for reference in (f"{server.url}/missing.tgz", str(self.root / "missing"), f"file://{self.root}/missing",
                              "http://127.0.0.1:1/x.tgz"):
                outcome = self.build(self.app(), packs=[reference], expect=4)
                self.assertIn("missing" if "missing" in reference else "127.0.0.1:1", outcome.log + outcome.errors)

    def test_the_configuration_and_hooks_of_a_repository_are_not_obeyed(self):
        mark = "/tmp/hearth-e2e-mark"
        evil = self.root / "evil"
        shutil.copytree(self.tree, evil)
        (evil / ".gitattributes").write_text("* filter=evil\n")
        commit_all(evil)
        git(evil, "config", "core.fsmonitor", f"touch {mark}")
        git(evil, "config", "filter.evil.smudge", f"touch {mark}; cat")
        git(evil, "config", "uploadpack.packObjectsHook", f"touch {mark};")
        for hook in ("post-checkout", "post-merge", "pre-receive"):
            write_tree(evil / ".git" / "hooks", {hook: (f"#!/bin/sh\ntouch {mark}\n", 0o755)})
        self.assertEqual(self.ran(f"{evil}#main")[0], "main")
        self.assertFalse(os.path.exists(mark))

    def test_fetched_ones_are_copied_for_each_build(self):
        write_tree(self.tree, buildpack_files(
            compile='here=$(cd "$(dirname "$0")/.." && pwd); echo "dirty=[$(ls "$here" | tr "\\n" " ")]"; touch "$here/dirt"'))
        commit_all(self.tree)
        for _ in range(2):
            outcome = self.build(self.app(), packs=[f"{self.tree}#main"])
            self.assertNotIn("dirt ", outcome.said("dirty"))


if __name__ == "__main__":
    main()
