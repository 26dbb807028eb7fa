"""A compile that fails with a restored cache runs once more without, where the cache is suspect."""

import io
import json
import pathlib
import shutil
import tarfile
import tempfile

from harness import EndToEnd, Link, main, needs_bwrap, needs_root

POISON = 'echo poison >"$2/state"; echo "state=[poisoned]"'
# What a buildpack does that trips over what an older version of it left behind.
TRIP = ('if [ -e "$2/state" ]; then echo "compile=[tripped]"; exit 7; fi\n'
        'echo fresh >"$2/fresh"; echo "compile=[cold]"')
BROKEN = 'echo "compile=[broken]"; rm -rf "${2:?}"/*; echo bad >"$2/state"; exit 5'
CHECK = '[ "$(cat "$2/state")" = poison ] && echo "compile=[warm]"'


class RetryCold(EndToEnd):
    def environment(self, **more):
        return super().environment(**{"HEARTH_RETRY_COLD": None, **more})

    def pack(self, body, **more):
        return self.buildpack("same", compile=body, **more)

    def head(self, app="demo"):
        (path,) = [path for path in self.objects(f"apps/{app}/cache") if path.name.startswith("HEAD.")]
        return json.loads(path.read_bytes())

    def ids(self, place):
        return [generation["id"] for generation in self.head()[place]]

    def count(self, outcome, word):
        return outcome.log.count(f"compile=[{word}]")

    def test_a_cache_that_makes_compile_fail_is_replaced(self):
        first = self.build(self.app(), packs=[self.pack(POISON)])
        outcome = self.build(self.app(), packs=[self.pack(TRIP)])
        self.assertEqual((self.count(outcome, "tripped"), self.count(outcome, "cold")), (1, 1))
        self.assertEqual(outcome.report["cache"]["retry"], "succeeded")
        self.assertEqual(outcome.restore["generation"], first.save["generation"])
        self.assertIn("it runs once more with an empty one", outcome.log)
        self.assertIn(f"generation {first.save['generation']}, made compile fail; it is set aside", outcome.log)
        self.assertEqual(self.ids("aside"), [first.save["generation"]])
        self.assertEqual(self.ids("generations"), [outcome.save["generation"]])
        self.assertEqual(outcome.phase("retry")["start"] >= outcome.phase("compile")["start"], True)
        after = self.build(self.app(), packs=[self.pack('[ -e "$2/fresh" ] && [ ! -e "$2/state" ] && echo "compile=[warm]"')])
        self.assertEqual((after.restore["outcome"], self.count(after, "warm")), ("hit", 1))
        self.assertEqual(self.hearth("cache", "verify", "demo").code, 0)

    def test_an_app_that_fails_anyway_keeps_its_good_cache(self):
        first = self.build(self.app(), packs=[self.pack(POISON)])
        before = self.head()
        outcome = self.build(self.app(), packs=[self.pack(BROKEN)], expect=1)
        self.assertEqual(self.count(outcome, "broken"), 2)
        self.assertEqual(outcome.report["cache"]["retry"], "failed")
        self.assertEqual(outcome.report["error"]["phase"], "compile")
        self.assertIn("the cache is not the cause, and stays", outcome.log)
        self.assertEqual(self.head(), before)
        after = self.build(self.app(), packs=[self.pack(CHECK)])
        self.assertEqual(after.restore["generation"], first.save["generation"])

    @needs_root
    @needs_bwrap
    def test_a_link_that_detect_puts_in_the_place_of_the_app_shows_nothing_of_the_machine(self):
        # In its own /tmp there is a directory of that name, so that compile can start.
        hidden = pathlib.Path(tempfile.mkdtemp(prefix="hearth-hidden-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, hidden)
        (hidden / "secret").write_text("of-the-machine")
        (hidden / "secret").chmod(0o600)
        self.build(self.app(), "--sandbox", "bwrap", packs=[self.pack(POISON)])
        plant = f'mkdir {hidden} && rm -rf "$1" && ln -s {hidden} "$1" && echo planted'
        look = 'echo "compile=[looked]"; cat "$1/secret" 2>&1; exit 9'
        outcome = self.build(self.app(), "--sandbox", "bwrap", "--retry-cold", "always", packs=[self.pack(look, detect=plant)],
                             expect=1)
        self.assertIn("planted app detected", outcome.log)
        self.assertNotIn("of-the-machine", outcome.log)
        self.assertEqual(self.count(outcome, "looked"), 1)
        self.assertEqual(outcome.report["cache"]["retry"], "not-run")

    def test_a_cache_that_has_served_is_not_suspect(self):
        self.build(self.app(), packs=[self.pack(POISON)])
        self.build(self.app(), packs=[self.pack(CHECK)])
        outcome = self.build(self.app(), packs=[self.pack(TRIP)], expect=1)
        self.assertEqual((self.count(outcome, "tripped"), self.count(outcome, "cold")), (1, 0))
        self.assertEqual(outcome.report["cache"]["retry"], "not-run")
        self.assertIn("build with --cache refresh", outcome.log)
        self.assertEqual(self.build(self.app(), "--cache", "refresh", packs=[self.pack(TRIP)]).said("compile"), "cold")

    def test_a_source_version_that_was_built_before_makes_it_suspect(self):
        version = ("--source-version", "0123abc")
        self.build(self.app(), *version, packs=[self.pack(POISON)])
        self.build(self.app(), *version, packs=[self.pack(CHECK)])
        other = self.build(self.app(), "--source-version", "4567def", packs=[self.pack(TRIP)], expect=1)
        self.assertEqual(other.report["cache"]["retry"], "not-run")
        outcome = self.build(self.app(), *version, packs=[self.pack(TRIP)])
        self.assertEqual(outcome.report["cache"]["retry"], "succeeded")

    def test_always_and_never(self):
        self.build(self.app(), packs=[self.pack(POISON)])
        never = self.build(self.app(), "--retry-cold", "never", packs=[self.pack(TRIP)], expect=1)
        self.assertEqual(self.count(never, "tripped"), 1)
        self.build(self.app(), packs=[self.pack(CHECK)])
        always = self.build(self.app(), packs=[self.pack(TRIP)], env={"HEARTH_RETRY_COLD": "always"})
        self.assertEqual(always.report["cache"]["retry"], "succeeded")

    def retry_starts_clean(self, *arguments, source=None, **options):
        """The second compile finds everything as the first one did, whatever that did to it."""
        look = ('for path in "$1/made" "$HOME/made" /tmp/made "$(dirname "$0")/../export"; do [ ! -e "$path" ] || { echo "found $path"; exit 9; }; done\n'
                '[ "$(cat "$1/file")" = source ] && [ -x "$1/run" ] && [ "$(readlink "$1/link")" = file ] && [ "$(cat "$3/NAME")" = value ] || { echo lost; exit 9; }\n'
                'echo "looked"; echo made >"$1/made"; echo made >"$HOME/made"; echo "export MADE=1" >"$(dirname "$0")/../export"\n'
                'rm -rf "$1/file" "$3/NAME"; mkdir -p "$1/read-only"; touch "$1/read-only/x"; chmod 555 "$1/read-only"\n')
        self.build(self.app(), *arguments, packs=[self.pack(POISON)])
        source = source or self.app({"file": "source", "run": ("#!/bin/sh\n", 0o755), "link": Link("file")})
        outcome = self.build(source, "--env", "NAME=value", *arguments, packs=[self.pack(look + TRIP)], **options)
        self.assertEqual(outcome.log.count("looked"), 2, outcome.log)
        self.assertEqual(outcome.report["cache"]["retry"], "succeeded")
        self.assertEqual(len(outcome.report["buildpacks"]), 1)
        return outcome

    def test_the_second_compile_finds_what_the_first_one_found(self):
        self.retry_starts_clean()

    def test_a_source_that_can_be_read_only_once_is_enough(self):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, mode, content in (("file", 0o644, b"source"), ("run", 0o755, b"#!/bin/sh\n")):
                member = tarfile.TarInfo(name)
                member.mode, member.size = mode, len(content)
                tar.addfile(member, io.BytesIO(content))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "file"
            tar.addfile(link)
        self.retry_starts_clean(source="-", input=archive.getvalue())

    @needs_root
    def test_at_level_uid(self):
        self.retry_starts_clean("--sandbox", "uid")

    def test_several_buildpacks_run_again_from_the_first(self):
        first = self.buildpack("first", compile='echo "export FIRST=$RANDOM" >"$(dirname "$0")/../export"; echo "ran=[first]"')
        self.build(self.app(), packs=[first, self.pack(POISON)])
        outcome = self.build(self.app(), packs=[first, self.pack('echo "sees=[${FIRST:+first}]"\n' + TRIP)])
        self.assertEqual((outcome.log.count("ran=[first]"), outcome.log.count("sees=[first]")), (2, 2))
        self.assertEqual(len(outcome.report["buildpacks"]), 2)

    def test_both_are_within_the_builds_time(self):
        self.build(self.app(), packs=[self.pack(POISON)])
        before = self.head()
        slow = self.pack('if [ -e "$2/state" ]; then exit 7; fi; echo "compile=[cold]"; sleep 1000')
        outcome = self.build(self.app(), "--build-timeout", "5s", packs=[slow], expect=124)
        self.assertEqual(self.count(outcome, "cold"), 1)
        self.assertEqual(outcome.report["cache"]["retry"], "unfinished")
        self.assertLess(outcome.seconds, 30)
        self.assertEqual(self.head(), before)

    def test_a_cache_that_is_only_read_stays(self):
        self.build(self.app(), packs=[self.pack(POISON)])
        before = self.head()
        outcome = self.build(self.app(), "--cache", "read-only", packs=[self.pack(TRIP)])
        self.assertEqual(outcome.report["cache"]["retry"], "succeeded")
        self.assertIn("build with --cache refresh to replace it", outcome.log)
        self.assertEqual(self.head(), before)

    def test_bad_input(self):
        outcome = self.hearth("build", self.app(), "--app", "demo", "--retry-cold", "sometimes")
        self.assertEqual(outcome.code, 2)
        self.assertIn('"sometimes" is none of auto|always|never', outcome.errors)


if __name__ == "__main__":
    main()
